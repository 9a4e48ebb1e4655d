//! Every route of the document, without a credential and with the wrong kind (§1.1, §4).

use serde_json::Value;

use super::envelope::refused;
use super::world::member;
use crate::support::Api;

/// Every operation of this contract: method, path with its places filled in, who may.
async fn operations(api: &Api) -> Vec<(String, String, Vec<String>)> {
    let document = api.stranger().get("/api/v1/openapi.json").await.ok();
    let mut found = Vec::new();
    for (path, methods) in document["paths"].as_object().expect("paths") {
        let Some(rest) = path.strip_prefix("/api/v1/") else {
            continue;
        };
        let filled: Vec<&str> = rest
            .split('/')
            .map(|part| {
                if part.starts_with('{') {
                    "nothing"
                } else {
                    part
                }
            })
            .collect();
        for (method, operation) in methods.as_object().expect("methods") {
            let security = operation["security"].as_array();
            let security = security.unwrap_or_else(|| panic!("{method} {path}: no security"));
            let names = security
                .iter()
                .filter_map(Value::as_object)
                .flat_map(|one| one.keys().cloned())
                .collect();
            let responses = operation["responses"].as_object().expect("responses");
            assert!(
                responses.keys().any(|code| code.starts_with('2')),
                "{method} {path} says how it succeeds"
            );
            found.push((
                method.to_uppercase(),
                format!("/api/v1/{}", filled.join("/")),
                names,
            ));
        }
    }
    found
}

#[tokio::test]
async fn no_route_is_open_to_a_stranger() {
    let api = Api::start();
    let operations = operations(&api).await;
    assert!(operations.len() > 50, "{operations:#?}");
    for (method, path, who) in operations {
        let answer = api.stranger().send(&method, &path, None).await;
        refused(&answer, 401, "UNAUTHORIZED");
        assert!(
            who.iter().any(|name| name == "operator"),
            "{method} {path}: {who:?}"
        );
    }
}

#[tokio::test]
async fn what_only_operators_may_do_is_refused_to_agents() {
    let api = Api::start();
    let lead = member(&api, "lead", "LEAD", &[]).await;
    for (method, path, who) in operations(&api).await {
        if who == ["operator"] {
            let answer = lead.caller.send(&method, &path, None).await;
            // Who may is checked before what is asked for.
            refused(&answer, 403, "FORBIDDEN");
        }
    }
}

#[tokio::test]
async fn health_needs_no_credential_under_this_base_either() {
    let api = Api::start();
    let health = api.stranger().get("/api/v1/health").await.ok();
    assert_eq!(health["status"], "ok");
}
