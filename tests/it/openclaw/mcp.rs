//! The one MCP tool at `/mcp` (§15): two eras of the protocol, the caller's own rights.

use serde_json::{Value, json};

use super::world::{Member, member, shown, task};
use crate::support::Api;
use crate::support::api::{Answer, Caller, Json as _};

/// One call of the protocol, answered whole or as a stream of one event.
async fn rpc(caller: &Caller, version: &str, method: &str, params: Value) -> Value {
    let body = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params});
    let answer: Answer = caller
        .clone()
        .header("accept", "application/json, text/event-stream")
        .header("mcp-protocol-version", version)
        .post("/mcp", body)
        .await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let text = answer
        .text
        .lines()
        .find_map(|line| line.strip_prefix("data: "))
        .unwrap_or(&answer.text);
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {answer:?}"))
}

const ERA: &str = "2025-11-25";

async fn act(caller: &Caller, arguments: Value) -> Value {
    let params = json!({"name": "mission_control", "arguments": arguments});
    rpc(caller, ERA, "tools/call", params).await["result"].clone()
}

/// What the tool gave, which must be no refusal.
#[track_caller]
fn good(result: &Value) -> Value {
    assert_ne!(result["isError"], true, "{result}");
    result["structuredContent"].clone()
}

#[tokio::test]
async fn there_is_one_tool_and_its_schema_is_flat() {
    let api = Api::start();
    let jordan = member(&api, "jordan", "SPECIALIST", &[]).await;
    let listed = rpc(&jordan.caller, ERA, "tools/list", json!({})).await;
    let tools = listed["result"]["tools"].as_array().expect("tools");
    assert_eq!(tools.len(), 1);
    assert_eq!(tools[0]["name"], "mission_control");
    let schema = &tools[0]["inputSchema"];
    assert_eq!(schema["required"], json!(["action"]));
    assert_eq!(
        schema["properties"]["action"]["enum"]
            .as_array()
            .unwrap()
            .len(),
        13
    );
    for forbidden in ["$ref", "oneOf", "anyOf", "allOf"] {
        assert!(!schema.to_string().contains(forbidden), "{forbidden}");
    }
}

#[tokio::test]
async fn a_task_goes_its_way_through_the_tool() {
    let api = Api::start();
    let jordan = member(&api, "jordan", "SPECIALIST", &[]).await;
    let id = task(&api, "DOCS").await;
    let listed = good(
        &act(
            &jordan.caller,
            json!({"action": "task_list", "status": ["INBOX"]}),
        )
        .await,
    );
    assert_eq!(listed["tasks"][0]["id"], id.as_str());
    let steps = [
        json!({"action": "heartbeat"}),
        json!({"action": "task_claim", "taskId": id}),
        json!({"action": "task_start", "taskId": id, "bullets": ["Read", "Write", "Check"]}),
        json!({"action": "task_comment", "taskId": id, "content": "Half way", "messageType": "PROGRESS"}),
        json!({"action": "task_artifact", "taskId": id, "name": "notes.md", "content": "# Notes"}),
        json!({"action": "task_submit", "taskId": id, "content": "The page.",
            "checklist": [{"label": "Examples were run", "checked": true}]}),
    ];
    for step in steps {
        good(&act(&jordan.caller, step).await);
    }
    let seen = shown(&api, &format!("/tasks/{id}")).await;
    assert_eq!(seen["status"], "REVIEW");
    assert_eq!(seen["assigneeIds"], json!(["jordan"]));
    assert_eq!(seen["documents"].as_array().unwrap().len(), 1, "{seen}");
}

#[tokio::test]
async fn the_tool_may_do_no_more_than_its_caller() {
    let api = Api::start();
    let Member { caller, .. } = member(&api, "jordan", "INTERN", &[]).await;
    let id = task(&api, "DOCS").await;
    let refused = act(&caller, json!({"action": "task_claim", "taskId": id})).await;
    assert_eq!(refused["isError"], true);
    assert!(refused.to_string().contains("FORBIDDEN"), "{refused}");
    let stranger = api.stranger().bearer("mc_agt_wrong");
    let refused = act(&stranger, json!({"action": "task_list"})).await;
    assert!(refused.to_string().contains("UNAUTHORIZED"), "{refused}");
    let nameless = act(&caller, json!({"action": "task_start"})).await;
    let text = nameless.to_string();
    assert!(
        text.contains("taskId") && text.contains("bullets"),
        "{nameless}"
    );
}

#[tokio::test]
async fn a_task_and_its_thread_are_resources() {
    let api = Api::start();
    let jordan = member(&api, "jordan", "SPECIALIST", &[]).await;
    let id = task(&api, "DOCS").await;
    jordan.say(&id, "Here I am").await;
    for (uri, holds) in [
        (format!("task://{id}"), "Some DOCS work"),
        (format!("task://{id}/thread"), "Here I am"),
    ] {
        let read = rpc(&jordan.caller, ERA, "resources/read", json!({"uri": uri})).await;
        let text = read["result"]["contents"][0].text("text");
        assert!(text.contains(holds), "{read}");
    }
}

#[tokio::test]
async fn older_and_newer_versions_are_spoken() {
    let api = Api::start();
    let jordan = member(&api, "jordan", "SPECIALIST", &[]).await;
    for version in ["2025-03-26", "2025-06-18", "2025-11-25"] {
        let params = json!({"protocolVersion": version, "capabilities": {},
            "clientInfo": {"name": "test", "version": "1"}});
        let body = json!({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": params});
        let answer = jordan
            .caller
            .clone()
            .header("accept", "application/json, text/event-stream")
            .post("/mcp", body)
            .await;
        assert!(answer.text.contains(version), "{answer:?}");
    }
}
