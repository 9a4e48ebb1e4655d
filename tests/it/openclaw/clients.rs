//! Other people's clients, as they come from npm and PyPI, at work on the real server (§15).
//!
//! `./test` installs them into `target/clients` when the registries can be reached, and says so when
//! they cannot; then this module is left out of the run by name, and nothing here pretends.

use std::path::PathBuf;
use std::process::Stdio;

use serde_json::{Value, json};
use stationmaster_testkit::model::{Step, StubModel};
use tempfile::TempDir;
use tokio::process::Command;

use super::world::{shown, task};
use crate::support::Api;
use crate::support::api::{Json as _, builder};
use crate::support::wait::PATIENCE;

/// Where `./test` installed the clients.
pub(super) fn installed() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("target/clients")
}

/// A registered agent's token.
async fn token(api: &Api, id: &str) -> String {
    let body = json!({"id": id, "name": id, "workspacePath": "/tmp/ws"});
    let made = api.operator().post("/api/v1/agents", body).await;
    assert_eq!(made.status, 201, "{made:?}");
    made.json().text("token")
}

/// Runs a client to its end; gives what it printed.
pub(super) async fn run(mut command: Command) -> String {
    command.stdin(Stdio::null()).kill_on_drop(true);
    let output = tokio::time::timeout(PATIENCE * 3, command.output())
        .await
        .expect("the client ends in time")
        .expect("the client runs");
    let (out, err) = (
        String::from_utf8_lossy(&output.stdout).into_owned(),
        String::from_utf8_lossy(&output.stderr).into_owned(),
    );
    assert!(output.status.success(), "{out}\n{err}");
    out
}

/// The steps of a transcript that should have succeeded, and did.
#[track_caller]
pub(super) fn check_transcript(transcript: &str) {
    let lines: Vec<Value> = transcript
        .lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("{line}")))
        .collect();
    let succeeded = |step: &str| {
        lines
            .iter()
            .any(|line| line["step"] == step && line["isError"] == false)
    };
    for step in [
        "heartbeat",
        "task_list",
        "task_claim",
        "task_start",
        "task_comment",
        "task_submit",
    ] {
        assert!(succeeded(step), "{step}: {transcript}");
    }
}

#[tokio::test]
async fn the_official_typescript_client_takes_a_task_through() {
    let api = Api::start();
    let (token, id) = (token(&api, "jordan").await, task(&api, "DOCS").await);
    let mut command = Command::new("node");
    command
        .arg(concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/tests/clients/mcp.mjs"
        ))
        .arg(format!("{}/mcp", api.server.url()))
        .env("MCP_NODE_DIR", installed())
        .env("MC_AGENT_TOKEN", token)
        .env("MCP_TASK_ID", &id);
    check_transcript(&run(command).await);
    assert_eq!(
        shown(&api, &format!("/tasks/{id}")).await["status"],
        "REVIEW"
    );
}

#[tokio::test]
async fn the_official_python_client_takes_a_task_through() {
    let api = Api::start();
    let (token, id) = (token(&api, "jordan").await, task(&api, "DOCS").await);
    let mut command = Command::new(installed().join("venv/bin/python"));
    command
        .arg(concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/tests/clients/mcp_client.py"
        ))
        .arg(format!("{}/mcp", api.server.url()))
        .env("MC_AGENT_TOKEN", token)
        .env("MCP_TASK_ID", &id);
    check_transcript(&run(command).await);
    assert_eq!(
        shown(&api, &format!("/tasks/{id}")).await["status"],
        "REVIEW"
    );
}

/// How many results of tools a conversation holds so far.
fn results_in(request: &Value) -> usize {
    let messages = request["messages"].as_array().cloned().unwrap_or_default();
    messages
        .iter()
        .filter_map(|message| message["content"].as_array())
        .flatten()
        .filter(|block| block["type"] == "tool_result")
        .count()
}

#[tokio::test]
async fn claude_code_lists_claims_starts_comments_and_submits() {
    let api = Api::start();
    let (token, id) = (token(&api, "claude").await, task(&api, "DOCS").await);
    let model = StubModel::start();
    let steps = [
        json!({"action": "task_list", "status": "INBOX"}),
        json!({"action": "task_claim", "taskId": id}),
        json!({"action": "task_start", "taskId": id, "bullets": ["Read", "Write", "Check"]}),
        json!({"action": "task_comment", "taskId": id, "content": "On my way"}),
        json!({"action": "task_submit", "taskId": id, "content": "The page.",
            "checklist": [{"label": "Examples were run", "checked": true}]}),
    ];
    model.answer_with(move |request| {
        let offers_tools = request["tools"]
            .as_array()
            .is_some_and(|tools| !tools.is_empty());
        if !offers_tools {
            // A title, or a word on something else.
            return Step::text("Board work");
        }
        match steps.get(results_in(request)) {
            Some(arguments) => Step::tool("mcp__board__mission_control", arguments.clone()),
            None => Step::text("The task is handed in."),
        }
    });
    let home = TempDir::new().expect("a directory");
    let config = home.path().join("mcp.json");
    let server = json!({"mcpServers": {"board": {"type": "http", "url": format!("{}/mcp", api.server.url()),
        "headers": {"Authorization": format!("Bearer {token}")}}}});
    std::fs::write(&config, server.to_string()).expect("a configuration");
    let mut command = Command::new(installed().join("node_modules/.bin/claude"));
    command
        .args([
            "-p",
            "Take a task from the board and do it.",
            "--output-format",
            "json",
        ])
        .args([
            "--allowedTools",
            "mcp__board__mission_control",
            "--strict-mcp-config",
        ])
        .arg("--mcp-config")
        .arg(&config)
        .current_dir(home.path())
        .env("HOME", home.path())
        .env("ANTHROPIC_BASE_URL", model.anthropic_url())
        .env("ANTHROPIC_API_KEY", "sk-ant-not-a-key")
        .env("CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC", "1")
        .env("DISABLE_AUTOUPDATER", "1")
        .env("NO_PROXY", "127.0.0.1");
    let said = run(command).await;
    assert!(said.contains("The task is handed in."), "{said}");
    let seen = shown(&api, &format!("/tasks/{id}")).await;
    assert_eq!(seen["status"], "REVIEW", "{said}");
    assert_eq!(seen["assigneeIds"], json!(["claude"]));
    assert!(seen["messages"].to_string().contains("On my way"), "{seen}");
}

#[tokio::test]
async fn the_conformance_suite_finds_nothing() {
    let server = builder().argument("--conformance").start();
    let bin = installed().join("node_modules/.bin");
    // The suite's own node, not the machine's.
    let mut command = Command::new(bin.join("node"));
    command
        .arg(bin.join("conformance"))
        .args(["server", "--suite", "all", "--url"])
        .arg(format!("{}/mcp", server.url()));
    let said = run(command).await;
    let total = said.lines().rev().find(|line| line.starts_with("Total:"));
    let (_, counts) = total.expect("a total").split_once(": ").expect("counts");
    let (passed, failed) = counts.split_once(" passed, ").expect("both counts");
    assert!(passed.parse::<u32>().is_ok_and(|it| it >= 46), "{said}");
    assert_eq!(failed, "0 failed", "{said}");
}
