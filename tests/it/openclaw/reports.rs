//! Tool calls that agents report in a sentence (§4, §11).

use serde_json::{Value, json};

use super::envelope::refused;
use super::world::{Member, member, ok, shown};
use crate::support::Api;
use crate::support::api::{Answer, Json as _};

async fn run(member: &Member) -> String {
    let body = json!({"agentId": member.id, "sessionKey": "s", "model": "m", "startedAt": "2026-11-21T09:00:00Z"});
    ok(member.post("/events/run", body).await).id()
}

async fn call(member: &Member, run: &str, tool: &str, more: Value) -> Answer {
    let mut body = json!({"runId": run, "agentId": member.id, "toolName": tool, "riskLevel": "GREEN",
        "startedAt": "2026-11-21T09:00:01Z", "status": "RUNNING"});
    let members = body.as_object_mut().expect("an object");
    members.extend(more.as_object().cloned().expect("an object"));
    member.post("/events/tool-call", body).await
}

#[tokio::test]
async fn a_preview_is_a_command_only_of_tools_that_run_commands() {
    let api = Api::start();
    let jordan = member(&api, "jordan", "SPECIALIST", &[]).await;
    let run = run(&jordan).await;
    for (tool, preview) in [
        ("web_search", "query"),
        ("read", "reading brief.md"),
        ("think", "planning; then rm -rf x"),
        ("search", "openclaw pricing"),
        ("post_comment", "hello all"),
        ("glob", "*.md"),
    ] {
        let answer = call(&jordan, &run, tool, json!({"inputPreview": preview})).await;
        assert_eq!(answer.status, 201, "{tool}: {answer:?}");
        let call = answer.json();
        assert_eq!(
            (&call["riskLevel"], &call["inputPreview"]),
            (&json!("GREEN"), &json!(preview))
        );
    }
    let alerts = shown(&api, "/alerts").await;
    assert_eq!(alerts["total"], 0, "{alerts}");

    for tool in ["exec", "shell", "bash", "shell_exec"] {
        let harmless = call(&jordan, &run, tool, json!({"inputPreview": "git status"})).await;
        assert_eq!(harmless.status, 201, "{tool}: {harmless:?}");
        let harmful = call(&jordan, &run, tool, json!({"inputPreview": "rm -rf x"})).await;
        let error = refused(&harmful, 403, "POLICY_DENIED");
        assert_eq!(
            error["details"]["violations"],
            json!(["shell_blocklist:rm -rf"]),
            "{tool}"
        );
    }
    // An object is what the tool is called with, whatever the tool.
    let path = json!({"inputPreview": r#"{"path":"/etc/shadow"}"#});
    refused(
        &call(&jordan, &run, "read", path).await,
        403,
        "POLICY_DENIED",
    );
}
