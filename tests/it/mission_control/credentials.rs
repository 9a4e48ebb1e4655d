//! §2: who may come in.

use ring::hmac::{HMAC_SHA256, HMAC_SHA512};
use serde_json::{Value, json};

use crate::support::api::{
    self, ADMIN_TOKEN, Api, INTERNAL_TOKEN, JWT_SECRET, agent_token, builder,
};
use crate::support::jwt::{hs256, signed, token};
use crate::support::{Caller, Json as _};

const LONG_AGO: i64 = 1_000_000_000;
const LONG_AHEAD: i64 = 99_999_999_999;

fn claims() -> Value {
    json!({"type": "agent", "user_id": "acme", "agent_role": "writer"})
}

/// The good claims with one of them changed.
fn but(name: &str, value: Value) -> Value {
    let mut claims = claims();
    claims[name] = value;
    claims
}

fn without(name: &str) -> Value {
    let mut claims = claims();
    claims.as_object_mut().unwrap().shift_remove(name);
    claims
}

/// Every token that is no good, with what is wrong with it.
pub(super) fn bad_tokens() -> Vec<(String, String)> {
    let good = hs256(&claims(), JWT_SECRET);
    let parts: Vec<&str> = good.split('.').collect();
    let other = hs256(&but("user_id", json!("globex")), JWT_SECRET);
    let forged = other.split('.').nth(1).unwrap();
    let mut bad = vec![
        ("empty", String::new()),
        ("no token at all", "secret".to_owned()),
        ("two parts", format!("{}.{}", parts[0], parts[1])),
        ("four parts", format!("{good}.x")),
        ("a scheme before it", format!("Bearer {good}")),
        ("no signature", format!("{}.{}.", parts[0], parts[1])),
        ("half a signature", good[..good.len() - 8].to_owned()),
        (
            "other claims",
            format!("{}.{forged}.{}", parts[0], parts[2]),
        ),
        ("the internal token", INTERNAL_TOKEN.to_owned()),
        ("the operator's token", ADMIN_TOKEN.to_owned()),
        ("another key", hs256(&claims(), "another key")),
        ("no key", hs256(&claims(), "")),
    ];
    for alg in ["none", "None", "NONE", ""] {
        let header = json!({"alg": alg});
        bad.push(("no algorithm", token(&header, &claims(), "")));
        let sealed = signed(&header, &claims(), JWT_SECRET, Some(HMAC_SHA256));
        bad.push(("no algorithm but a seal", sealed));
    }
    for alg in ["HS384", "HS512"] {
        bad.push((
            "another size",
            token(&json!({"alg": alg}), &claims(), JWT_SECRET),
        ));
    }
    for alg in ["RS256", "ES256", "EdDSA", "PS256", "hs256"] {
        let header = json!({"alg": alg});
        let sealed = signed(&header, &claims(), JWT_SECRET, Some(HMAC_SHA256));
        bad.push(("another algorithm's name", sealed));
    }
    let lying = signed(
        &json!({"alg": "HS256"}),
        &claims(),
        JWT_SECRET,
        Some(HMAC_SHA512),
    );
    bad.push(("another size than it says", lying));
    bad.push(("no header", token(&json!({}), &claims(), JWT_SECRET)));
    let nameless = signed(
        &json!({"typ": "JWT"}),
        &claims(),
        JWT_SECRET,
        Some(HMAC_SHA256),
    );
    bad.push(("a header without algorithm", nameless));
    for claims in [
        but("exp", json!(LONG_AGO)),
        but("exp", json!(0)),
        but("exp", json!("never")),
        but("nbf", json!(LONG_AHEAD)),
        without("type"),
        but("type", json!("user")),
        but("type", json!("")),
        but("type", json!(1)),
        but("type", json!(["agent"])),
        without("user_id"),
        but("user_id", json!("")),
        but("user_id", json!(7)),
        but("user_id", Value::Null),
        without("agent_role"),
        but("agent_role", json!("")),
        but("agent_role", json!({"name": "writer"})),
        json!({}),
        json!(["agent"]),
        json!({"sub": "root", "role": "admin"}),
    ] {
        bad.push(("claims", hs256(&claims, JWT_SECRET)));
    }
    bad.into_iter()
        .map(|(what, token)| {
            let claims = token.split('.').nth(1).unwrap_or_default().to_owned();
            (format!("{what} {claims}"), token)
        })
        .collect()
}

#[tokio::test]
async fn whoever_has_no_good_agent_token_gets_401_and_nothing_happens() {
    let api = Api::start();
    let mut callers: Vec<(String, Caller)> = vec![
        ("nothing".into(), api.stranger()),
        (
            "a cookie".into(),
            api.stranger().header(
                "Cookie",
                &format!("token={}", agent_token("acme", "writer")),
            ),
        ),
        (
            "basic".into(),
            api.stranger()
                .header("Authorization", "Basic d3JpdGVyOmFjbWU="),
        ),
        (
            "no scheme".into(),
            api.stranger()
                .header("Authorization", &agent_token("acme", "writer")),
        ),
        ("an internal token".into(), api.internal()),
        ("an operator".into(), api.operator()),
        (
            "an operator's jwt".into(),
            api.stranger()
                .bearer(&hs256(&json!({"sub": "root", "role": "admin"}), JWT_SECRET)),
        ),
        (
            "a bad token beside a good bearer".into(),
            api.stranger()
                .header("X-Agent-Token", "x")
                .bearer(&agent_token("acme", "writer")),
        ),
    ];
    for (what, token) in bad_tokens() {
        callers.push((format!("bearer: {what}"), api.stranger().bearer(&token)));
        callers.push((what, api.stranger().header("X-Agent-Token", &token)));
    }
    for (what, caller) in callers {
        for answer in [
            caller.get("tasks").await,
            caller.post("tasks", json!({"title": what})).await,
        ] {
            assert_eq!(answer.status, 401, "{what}: {answer:#?}");
            answer.refused(401, "unauthorized");
        }
    }
    assert!(api.agent("acme", "writer").items("tasks").await.is_empty());
}

#[tokio::test]
async fn a_good_token_is_taken_however_it_was_made_and_carried() {
    let api = Api::start();
    let mut good = vec![agent_token("acme", "writer"), hs256(&claims(), JWT_SECRET)];
    for header in [
        json!({"alg": "HS256", "typ": "JWT"}),
        json!({"typ": "other", "alg": "HS256", "kid": "1"}),
    ] {
        good.push(token(&header, &claims(), JWT_SECRET));
    }
    for (name, value) in [
        ("exp", json!(LONG_AHEAD)),
        ("iat", json!(LONG_AGO)),
        ("sub", json!("clasper:writer")),
        ("agent_id", json!("agent-7")),
        ("aud", json!("somebody")),
        ("extra", json!({"a": [1]})),
    ] {
        good.push(hs256(&but(name, value), JWT_SECRET));
    }
    for token in good {
        for caller in [
            api.stranger().header("X-Agent-Token", &token),
            api.stranger().header("x-agent-token", &token),
            api.stranger().bearer(&token),
            api.stranger()
                .header("Authorization", &format!("bearer {token}")),
        ] {
            caller.get("tasks").await.ok();
        }
    }
}

#[tokio::test]
async fn a_user_id_is_any_text() {
    let api = Api::start();
    for user_id in [
        "user-123",
        "550e8400-e29b-41d4-a716-446655440000",
        "7",
        "a b",
        "auth0|x",
        "urn:user:7",
        "Ünï😀",
        &"x".repeat(255),
    ] {
        let token = hs256(&but("user_id", json!(user_id)), JWT_SECRET);
        let caller = api.stranger().header("X-Agent-Token", &token);
        let task = caller
            .post("tasks", json!({"title": "T", "user_id": user_id}))
            .await
            .ok();
        assert_eq!(task["user_id"], user_id);
        assert_eq!(caller.items("tasks").await.len(), 1, "{user_id}");
    }
}

#[tokio::test]
async fn the_dispatchers_routes_take_the_internal_token_and_nothing_else() {
    let api = Api::start();
    let mut refused = vec![
        ("nothing", api.stranger()),
        ("an agent", api.agent("acme", "writer")),
        ("an operator", api.operator()),
        ("as a bearer", api.stranger().bearer(INTERNAL_TOKEN)),
    ];
    for wrong in [
        "",
        "x",
        &INTERNAL_TOKEN[1..],
        &INTERNAL_TOKEN.to_uppercase(),
        &format!("{INTERNAL_TOKEN}x"),
        JWT_SECRET,
    ] {
        refused.push((
            "another token",
            api.stranger().header("X-Internal-Token", wrong),
        ));
    }
    for (what, caller) in refused {
        for (method, path) in [
            ("GET", "dispatch/undelivered"),
            ("POST", "dispatch/undelivered"),
            ("POST", "dispatch/notifications/x/deliver?user_id=acme"),
            ("POST", "dispatch/notifications/x/fail?user_id=acme"),
        ] {
            let answer = caller.send(method, path, None).await;
            assert_eq!(answer.status, 401, "{what}: {answer:#?}");
            answer.refused(401, "unauthorized");
        }
    }
    api.internal().get("dispatch/undelivered").await.ok();
}

#[tokio::test]
async fn only_the_configured_algorithm_is_taken() {
    for (configured, other) in [("HS384", "HS256"), ("HS512", "HS384")] {
        let api = Api::of(
            builder()
                .environment("AGENT_JWT_ALGORITHM", configured)
                .start(),
        );
        let made = |alg: &str| {
            let token = token(&json!({"alg": alg}), &claims(), JWT_SECRET);
            api.stranger().header("X-Agent-Token", &token)
        };
        made(configured).get("tasks").await.ok();
        made(other).get("tasks").await.refused(401, "unauthorized");
    }
}

#[tokio::test]
async fn an_admin_secret_is_the_only_key_for_whoever_is_no_agent() {
    let api = Api::of(
        builder()
            .environment("ADMIN_JWT_SECRET", "for people")
            .start(),
    );
    let agent = api.agent("acme", "writer");
    let ask = json!({"title": "Deploy", "justification": "It is ready"});
    let request = agent.post("tool-requests", ask).await.ok().id();
    let decide = async |token: &str| {
        let caller = api.stranger().bearer(token);
        caller
            .patch(
                &format!("tool-requests/{request}"),
                json!({"status": "approved"}),
            )
            .await
    };
    let admin = json!({"sub": "ann", "role": "admin"});
    decide(&hs256(&admin, JWT_SECRET))
        .await
        .refused(401, "unauthorized");
    // An agent is an agent, whatever else its token claims and whoever signed it.
    let both = json!({"type": "agent", "user_id": "acme", "agent_role": "writer", "role": "admin"});
    decide(&hs256(&both, JWT_SECRET))
        .await
        .refused(403, "forbidden");
    decide(&hs256(&both, "for people"))
        .await
        .refused(401, "unauthorized");
    let decided = decide(&hs256(&admin, "for people")).await.ok();
    assert_eq!(decided.text("decided_by"), "ann");
}

#[tokio::test]
async fn secrets_go_by_their_other_names_too() {
    let server = api::bare_builder()
        .environment("JWT_SECRET", JWT_SECRET)
        .environment("INTERNAL_TOKEN", INTERNAL_TOKEN)
        .start();
    let api = Api::of(server);
    api.agent("acme", "writer").get("tasks").await.ok();
    api.internal().get("dispatch/undelivered").await.ok();
}
