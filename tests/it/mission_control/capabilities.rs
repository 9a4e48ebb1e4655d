//! §7: what the backend says it can do.

use serde_json::json;
use tempfile::TempDir;

use crate::support::process::run;
use crate::support::{Api, Json as _};

const NAMES: [&str; 15] = [
    "task_list",
    "task_create",
    "task_update",
    "message_post",
    "message_list",
    "document_post",
    "document_list",
    "notifications",
    "notifications_dispatch",
    "events_sse",
    "heartbeat",
    "standup",
    "tool_requests",
    "tool_discover",
    "tool_execute",
];

#[tokio::test]
async fn an_agent_is_told_v1_and_the_features_as_booleans() {
    let api = Api::start();
    let told = api.agent("acme", "writer").get("capabilities").await.ok();
    let features = json!({
        "tasks": true,
        "messages": true,
        "documents": true,
        "notifications_dispatch": true,
        "events_sse": true,
        "heartbeat": true,
        "standup": true,
        "tool_requests": true,
        "notifications": true,
        "tasks_update": true,
        "messages_list": true,
        "documents_list": true,
        "tools": true,
    });
    let expected = json!({
        "contract_version": "v1",
        "features": features,
        "version": version(),
        "features_list": NAMES,
    });
    assert_eq!(told, expected);
}

#[tokio::test]
async fn anybody_is_told_1_1_0_and_the_features_by_name() {
    let api = Api::start();
    let wrong = api.stranger().header("X-Agent-Token", "wrong");
    for caller in [api.stranger(), wrong, api.agent("acme", "writer")] {
        let told = caller.get("/api/capabilities").await.ok();
        assert_eq!(told["contract_version"], "1.1.0");
        assert_eq!(told["version"], version());
        assert_eq!(told["features"], json!(NAMES));
        let mut members: Vec<&String> = told.as_object().unwrap().keys().collect();
        members.sort();
        assert_eq!(
            members,
            ["contract_version", "endpoints", "features", "version"]
        );
    }
}

#[tokio::test]
async fn every_endpoint_it_names_is_in_the_document() {
    let api = Api::start();
    let document = api.stranger().get("/openapi.json").await.ok();
    let told = api.stranger().get("/api/capabilities").await.ok();
    let named = told["endpoints"].as_array().unwrap();
    assert!(named.len() >= 20, "{named:?}");
    for endpoint in named {
        let (method, path) = endpoint.as_str().unwrap().split_once(' ').unwrap();
        let known = &document["paths"][path][method.to_lowercase()];
        assert!(known.is_object(), "{endpoint}");
    }
}

#[tokio::test]
async fn health_is_for_anybody() {
    let api = Api::start();
    let told = api.stranger().get("/health").await.ok();
    assert_eq!(told.text("status"), "ok");
    assert_eq!(told.text("version"), version());
    assert_eq!(told["store"], json!({"status": "ok", "database": "sqlite"}));
}

/// The version without the commit: `stationmaster 0.1.0 (abc)`.
fn version() -> String {
    let directory = TempDir::new().unwrap();
    let outcome = run(directory.path(), &[], &["--version"]);
    outcome.stdout.split(' ').nth(1).unwrap().to_owned()
}
