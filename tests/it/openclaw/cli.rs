//! `mc`, line by line as the contract has it (§14), against the real server.

use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};

use serde_json::{Value, json};
use stationmaster_testkit::server::program;
use tempfile::TempDir;
use tokio::process::Command;

use super::world::{ask, shown, task};
use crate::support::Api;
use crate::support::api::{ADMIN_TOKEN, Json as _};

/// `mc` as it was built beside the server.
fn mc() -> PathBuf {
    let server = program(env!("CARGO_BIN_EXE_stationmaster"));
    let beside = server.parent().map(|folder| folder.join("mc"));
    beside.expect("a folder of programs")
}

/// Somebody at a terminal.
struct Terminal {
    home: TempDir,
    url: String,
    /// Environment beyond the address.
    environment: Vec<(String, String)>,
}

impl Terminal {
    fn new(api: &Api) -> Self {
        Self {
            home: TempDir::new().expect("a home"),
            url: api.server.url().to_owned(),
            environment: Vec::new(),
        }
    }

    fn with(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    fn file(&self, name: &str, content: &str) -> PathBuf {
        let path = self.home.path().join(name);
        std::fs::write(&path, content).expect("a file");
        path
    }

    /// Runs a line that a shell would split so.
    async fn run(&self, words: &[&str]) -> Output {
        Command::new(mc())
            .args(words)
            .env_clear()
            .env("HOME", self.home.path())
            .env("MC_API_URL", &self.url)
            .envs(self.environment.iter().cloned())
            .current_dir(self.home.path())
            .stdin(Stdio::null())
            .output()
            .await
            .expect("mc runs")
    }

    /// What it prints on success.
    async fn ok(&self, words: &[&str]) -> String {
        let output = self.run(words).await;
        let (out, err) = texts(&output);
        assert!(
            output.status.success(),
            "{words:?}: {:?}\n{out}\n{err}",
            output.status
        );
        out
    }

    /// The body of the answer on success.
    async fn json(&self, words: &[&str]) -> Value {
        let mut all = words.to_vec();
        all.push("--json");
        let out = self.ok(&all).await;
        serde_json::from_str(&out).unwrap_or_else(|error| panic!("{words:?}: {error}: {out}"))
    }

    /// The exit code, and what it prints to either side.
    async fn exit(&self, words: &[&str]) -> (i32, String, String) {
        let output = self.run(words).await;
        let (out, err) = texts(&output);
        (output.status.code().unwrap_or(-1), out, err)
    }
}

fn texts(output: &Output) -> (String, String) {
    (
        String::from_utf8_lossy(&output.stdout).into_owned(),
        String::from_utf8_lossy(&output.stderr).into_owned(),
    )
}

fn text(path: &Path) -> &str {
    path.to_str().expect("a path of plain text")
}

/// Registers jordan as the contract's seed does; gives jordan's terminal.
async fn jordan(api: &Api) -> Terminal {
    let operator = Terminal::new(api).with("MC_ADMIN_TOKEN", ADMIN_TOKEN);
    let made = operator
        .json(&[
            "agent",
            "register",
            "--id",
            "jordan",
            "--name",
            "Jordan",
            "--emoji",
            "🎧",
            "--role",
            "SPECIALIST",
            "--workspace",
            "/workspace/jordan",
            "--task-types",
            "CONTENT,SOCIAL,CUSTOMER_RESEARCH",
            "--budget-daily",
            "5.00",
            "--budget-per-run",
            "0.75",
        ])
        .await;
    Terminal::new(api)
        .with("MC_AGENT_ID", "jordan")
        .with("MC_AGENT_TOKEN", &made.text("token"))
}

#[tokio::test]
async fn every_line_of_the_seed_does_what_it_says() {
    let api = Api::start();
    let jordan = jordan(&api).await;
    let id = task(&api, "CONTENT").await;
    jordan.ok(&["agent", "status"]).await;
    jordan.ok(&["heartbeat", "--status", "HEALTHY"]).await;
    let listed = jordan
        .ok(&[
            "task",
            "list",
            "--status",
            "INBOX,ASSIGNED",
            "--type",
            "CONTENT",
            "--limit",
            "10",
        ])
        .await;
    assert!(listed.contains("Some CONTENT work"), "{listed}");
    jordan.ok(&["task", "claim", &id]).await;
    // A shell in double quotes passes the two characters on.
    jordan
        .ok(&[
            "task",
            "start",
            &id,
            "--plan",
            "1. Research the topic\\n2. Write the draft\\n3. Edit it",
        ])
        .await;
    jordan
        .ok(&[
            "task",
            "comment",
            &id,
            "Half way there",
            "--type",
            "PROGRESS",
        ])
        .await;
    let draft = jordan.file("draft.md", "# The draft\n");
    jordan
        .ok(&[
            "task",
            "artifact",
            &id,
            "--name",
            "draft.md",
            "--file",
            text(&draft),
            "--type",
            "DELIVERABLE",
        ])
        .await;
    let asked = jordan
        .json(&[
            "approval",
            "request",
            "--task",
            &id,
            "--action-type",
            "TOOL_EXEC",
            "--summary",
            "git push origin main",
            "--risk",
            "RED",
            "--justification",
            "The release needs it",
            "--rollback",
            "Revert the commit",
        ])
        .await;
    let approval = asked.id();
    let (code, _, _) = jordan.exit(&["approval", "check", &approval]).await;
    assert_eq!(code, 10, "it waits");
    let operator = Terminal::new(&api).with("MC_ADMIN_TOKEN", ADMIN_TOKEN);
    operator
        .ok(&["approval", "approve", &approval, "--reason", "go"])
        .await;
    jordan.ok(&["approval", "check", &approval]).await;
    let checklist = jordan.json(&["task", "checklist", "CONTENT"]).await;
    let items: Vec<Value> = checklist["items"]
        .as_array()
        .expect("items")
        .iter()
        .map(|item| json!({"label": item["label"], "checked": true}))
        .collect();
    let checklist = json!({"type": "CONTENT", "items": items}).to_string();
    let checklist = jordan.file("checklist.json", &checklist);
    jordan
        .ok(&[
            "task",
            "submit",
            &id,
            "--deliverable",
            text(&draft),
            "--checklist",
            text(&checklist),
        ])
        .await;
    assert_eq!(
        shown(&api, &format!("/tasks/{id}")).await["status"],
        "REVIEW"
    );
    operator
        .ok(&["task", "approve", &id, "--note", "Well done"])
        .await;
    assert_eq!(shown(&api, &format!("/tasks/{id}")).await["status"], "DONE");
}

#[tokio::test]
async fn a_verdict_is_three_lines_and_an_exit_code() {
    let api = Api::start();
    let jordan = jordan(&api).await;
    let check = async |args: &str| {
        jordan
            .exit(&[
                "policy",
                "check",
                "--action-type",
                "TOOL_CALL",
                "--tool",
                "exec",
                "--args",
                args,
            ])
            .await
    };
    let (code, out, _) = check(r#"{"cmd":"rm -rf /tmp/test"}"#).await;
    assert_eq!(
        out,
        "Decision: DENY\nRisk Level: RED\nReason: Command matches blocked pattern: rm -rf\n"
    );
    assert_eq!(code, 11);
    assert_eq!(check(r#"{"command":"git push origin main"}"#).await.0, 10);
    assert_eq!(check(r#"{"command":"git status"}"#).await.0, 0);
}

#[tokio::test]
async fn exit_codes_tell_what_went_wrong() {
    let api = Api::start();
    let jordan = jordan(&api).await;
    let id = task(&api, "ENGINEERING").await;
    assert_eq!(
        jordan.exit(&["task", "claim", &id]).await.0,
        6,
        "a type it does not do"
    );
    assert_eq!(jordan.exit(&["task", "get", "task_none"]).await.0, 5);
    assert_eq!(jordan.exit(&["agent", "pause", "jordan"]).await.0, 4);
    assert_eq!(jordan.exit(&["task", "nonsense"]).await.0, 2);
    let stranger = Terminal::new(&api).with("MC_AGENT_TOKEN", "mc_agt_wrong");
    assert_eq!(stranger.exit(&["task", "list"]).await.0, 3);
    let nowhere = Terminal {
        url: "http://127.0.0.1:9".to_owned(),
        ..Terminal::new(&api).with("MC_AGENT_TOKEN", "mc_agt_any")
    };
    assert_eq!(
        nowhere.exit(&["task", "list", "--timeout", "500"]).await.0,
        8
    );
}

#[tokio::test]
async fn what_programs_read_is_one_value_or_one_a_line() {
    let api = Api::start();
    let jordan = jordan(&api).await;
    for _ in 0..3 {
        task(&api, "CONTENT").await;
    }
    let whole = jordan.json(&["task", "list"]).await;
    assert_eq!(whole["total"], 3);
    let lines = jordan.ok(&["task", "list", "--output", "ndjson"]).await;
    let lines: Vec<Value> = lines
        .lines()
        .map(|line| serde_json::from_str(line).expect("a JSON value a line"))
        .collect();
    assert_eq!(lines.len(), 3);
    let ids = jordan.ok(&["task", "list", "--quiet"]).await;
    assert!(ids.lines().all(|line| line.starts_with("task_")), "{ids}");
}

#[tokio::test]
async fn an_operator_runs_the_crew_from_the_command_line() {
    let api = Api::start();
    let _jordan = jordan(&api).await;
    let operator = Terminal::new(&api).with("MC_ADMIN_TOKEN", ADMIN_TOKEN);
    operator
        .ok(&[
            "task",
            "create",
            "--title",
            "A page",
            "--type",
            "CONTENT",
            "--assign",
            "jordan",
            "--priority",
            "2",
        ])
        .await;
    for words in [
        &["agent", "list"][..],
        &["agent", "get", "jordan"],
        &["agent", "pause", "jordan", "--reason", "lunch"],
        &["agent", "resume", "jordan"],
        &["approval", "list"],
        &["alert", "list"],
        &["timeline"],
        &["standup"],
        &["status"],
        &["policy", "show"],
        &["operator", "mode"],
        &["webhook", "list"],
        &["doctor"],
        &["completions", "bash"],
    ] {
        operator.ok(words).await;
    }
    let standup = ask(&api, "/tasks", json!({"title": "x", "type": "OPS"})).await;
    assert_eq!(standup.status, 201);
}

#[tokio::test]
async fn the_tool_is_served_on_standard_input_and_output() {
    let api = Api::start();
    let jordan = jordan(&api).await;
    let id = task(&api, "CONTENT").await;
    let mut command = Command::new("node");
    command
        .arg(concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/tests/clients/mcp.mjs"
        ))
        .arg(mc())
        .arg("mcp")
        .env("MCP_NODE_DIR", super::clients::installed())
        .env("MCP_TASK_ID", &id)
        .env("MC_API_URL", &jordan.url)
        .env("HOME", jordan.home.path())
        .envs(jordan.environment.iter().cloned());
    super::clients::check_transcript(&super::clients::run(command).await);
    assert_eq!(
        shown(&api, &format!("/tasks/{id}")).await["status"],
        "REVIEW"
    );
}

#[tokio::test]
async fn the_rules_that_are_shown_can_be_set() {
    let api = Api::start();
    let operator = Terminal::new(&api).with("MC_ADMIN_TOKEN", ADMIN_TOKEN);
    let shown = operator.ok(&["policy", "show", "--json"]).await;
    for (version, name) in (1..).zip(["f", "rules.json"]) {
        let file = operator.file(name, &shown);
        let file = file.to_str().expect("a path");
        assert_eq!(
            operator.json(&["policy", "diff", file]).await["changes"],
            json!([])
        );
        let set = operator.json(&["policy", "set", file]).await;
        assert_eq!(
            (&set["scope"], &set["version"]),
            (&json!("GLOBAL"), &json!(version))
        );
    }
}

#[tokio::test]
async fn the_rule_in_the_documents_is_one_that_can_be_let_through() {
    let api = Api::start();
    let operator = Terminal::new(&api).with("MC_ADMIN_TOKEN", ADMIN_TOKEN);
    let documents = [
        include_str!("../../../docs/cli.md"),
        include_str!("../../../docs/policy.md"),
    ];
    for (number, text) in documents.iter().enumerate() {
        let rule = text.split("--rule '").nth(1).expect("an example");
        let rule = rule.split('\'').next().expect("a rule");
        let agent = super::world::member(&api, &format!("agent{number}"), "SPECIALIST", &[]).await;
        let body = json!({"actionType": "TOOL_EXEC", "actionSummary": "Push", "riskLevel": "RED",
            "justification": "Because", "actionPayload": {"tool": "exec", "command": "git push"}});
        let asked = super::world::ok(agent.post("/approvals", body).await);
        assert!(
            asked["violations"]
                .to_string()
                .contains(&format!("{rule:?}")),
            "{asked}"
        );
        let words = [
            "approval",
            "approve",
            &asked.id(),
            "--rule",
            rule,
            "--uses",
            "unlimited",
            "--for",
            "7d",
        ];
        operator.ok(&words).await;
    }
}

#[tokio::test]
async fn reports_are_repeated_by_their_keys() {
    let api = Api::start();
    let jordan = jordan(&api).await;
    let start = [
        "run",
        "start",
        "--model",
        "m",
        "--session",
        "s",
        "--idempotency-key",
        "k1",
    ];
    let run = jordan.json(&start).await;
    assert_eq!(jordan.json(&start).await, run);
    let id = run.text("id");
    let call = [
        "tool-call",
        "start",
        "--run",
        &id,
        "--tool",
        "read",
        "--risk",
        "GREEN",
        "--idempotency-key",
        "k2",
    ];
    let called = jordan.json(&call).await;
    assert_eq!(jordan.json(&call).await, called);
    let finish = [
        "run",
        "finish",
        &id,
        "--cost",
        "0.1",
        "--idempotency-key",
        "k3",
    ];
    let finished = jordan.json(&finish).await;
    assert_eq!(jordan.json(&finish).await, finished);
    assert!(!finished["endedAt"].is_null(), "{finished}");
}
