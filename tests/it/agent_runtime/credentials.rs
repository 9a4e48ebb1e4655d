//! §2: who may call.

use serde_json::json;

use super::crew::{Crew, SEND, refused, turn};

const KEY: &str = "the key of the daemon";

/// Every kind of request that this contract answers: method, path and, where there is one, a body.
const REQUESTS: [(&str, &str, Option<&str>); 9] = [
    ("POST", SEND, Some("{ not JSON")),
    ("POST", SEND, Some("{}")),
    ("GET", SEND, None),
    ("BREW", SEND, None),
    ("POST", "/api/agents/send/more", Some("{}")),
    ("POST", "/api/agents/stream", Some("{}")),
    ("POST", "/compact", Some("{}")),
    ("POST", "/llm-task", Some("{}")),
    ("GET", "/usage", None),
];

#[tokio::test]
async fn without_the_right_key_everything_is_403_whatever_else_is_wrong() {
    let crew = Crew::with(|it| it.environment("AGENT_DAEMON_API_KEY", KEY));
    let stranger = crew.api.stranger();
    let callers = [
        stranger.clone(),
        stranger.clone().header("X-Agent-Daemon-Key", ""),
        stranger.clone().header("X-Agent-Daemon-Key", "the key"),
        stranger
            .clone()
            .header("X-Agent-Daemon-Key", &format!("{KEY}s")),
        stranger
            .clone()
            .header("X-Daemon-Key", "THE KEY OF THE DAEMON"),
        stranger.clone().bearer(KEY),
        crew.api.agent("acme", "writer"),
        crew.api.operator(),
        crew.api.internal(),
    ];
    for caller in callers {
        for (method, path, body) in REQUESTS {
            let answer = caller.send(method, path, body.map(Into::into)).await;
            refused(&answer, 403, "invalid_daemon_key");
        }
        refused(
            &caller.post(SEND, turn(json!({}))).await,
            403,
            "invalid_daemon_key",
        );
        let large = turn(json!({"message": "x".repeat(2 << 20)}));
        refused(&caller.post(SEND, large).await, 403, "invalid_daemon_key");
    }
    assert_eq!(crew.model.request_count(), 0);
}

#[tokio::test]
async fn the_key_opens_under_both_names() {
    let crew = Crew::with(|it| it.environment("AGENT_DAEMON_API_KEY", KEY));
    for name in ["X-Agent-Daemon-Key", "X-Daemon-Key", "x-agent-daemon-KEY"] {
        let caller = crew.api.stranger().header(name, KEY);
        caller.post(SEND, turn(json!({}))).await.ok();
        for (method, path, body) in REQUESTS {
            let answer = caller.send(method, path, body.map(Into::into)).await;
            assert_ne!(answer.status, 403, "{answer:?}");
        }
    }
}

#[tokio::test]
async fn without_a_key_set_the_daemon_is_open() {
    for key in [None, Some("")] {
        let crew = Crew::with(|it| match key {
            Some(key) => it.environment("AGENT_DAEMON_API_KEY", key),
            None => it,
        });
        crew.send(turn(json!({}))).await.ok();
        let keyed = crew.api.stranger().header("X-Agent-Daemon-Key", "any");
        keyed.post(SEND, turn(json!({}))).await.ok();
    }
}

#[tokio::test]
async fn health_is_open_all_the_same() {
    let crew = Crew::with(|it| it.environment("AGENT_DAEMON_API_KEY", KEY));
    crew.api.stranger().get("/health").await.ok();
}

#[tokio::test]
async fn other_methods_and_paths_are_refused_in_this_contracts_words() {
    let crew = Crew::start();
    let caller = crew.api.stranger();
    for method in ["GET", "PUT", "DELETE", "PATCH", "OPTIONS", "BREW"] {
        let answer = caller.send(method, SEND, None).await;
        refused(&answer, 405, "method_not_allowed");
    }
    for path in ["/api/agents/send/more", "/usage/x", "/compact/", "/boot/x"] {
        refused(&caller.get(path).await, 404, "not_found");
    }
}
