//! What a model is offered of servers, and what it is told.

use std::process::Command;

use serde_json::json;
use stationmaster_testkit::model::Step;
use tokio::task::spawn_blocking;

use super::{Served, failed_with};
use crate::agent_runtime::crew::{SEND, turn};
use crate::support::Api;
use crate::support::process::run;
use crate::support::wait::PATIENCE;

async fn send(api: &Api) -> serde_json::Value {
    api.stranger().post(SEND, turn(json!({}))).await.ok()
}

#[tokio::test]
async fn a_model_calls_a_served_tool_and_sees_its_result() {
    let served = Served::with_server();
    let api = served.start();
    served.model.push(Step::Tools(vec![
        ("web__note".into(), json!({"about": "trains"})),
        ("web__fail".into(), json!({})),
    ]));
    served.model.push(Step::text("Done."));
    let answer = send(&api).await;
    assert_eq!(answer["response"], "Done.");
    assert_eq!(served.results()[0], json!({"text": "served note"}));
    assert_eq!(served.results()[1], json!({"error": "no such page"}));
    assert_eq!(answer["tool_calls"][0]["ok"], true, "{answer}");
    assert_eq!(answer["tool_calls"][1]["ok"], false, "{answer}");
    assert_eq!(
        served.offered(),
        ["note", "look", "long", "fail", "tell", "stay", "die"].map(|it| format!("web__{it}"))
    );
    assert!(
        !served.prompt().contains("Unavailable"),
        "{}",
        served.prompt()
    );
    // The next turn finds the server running.
    served.model.push(Step::tool("web__look", json!({})));
    served.model.push(Step::text("Done."));
    send(&api).await;
    assert_eq!(served.lines("calls"), ["note", "fail", "look"]);
    assert_eq!(served.lines("starts").len(), 1);
}

#[tokio::test]
async fn a_role_sees_what_it_is_given_and_an_edit_counts_from_the_next_turn() {
    let served = Served::new();
    let api = served.start();
    send(&api).await;
    assert!(served.offered().is_empty());
    served.name_one(json!({"roles": {"writer": ["look"], "editor": ["*"]}}));
    send(&api).await;
    assert_eq!(served.offered(), ["web__look"]);
    served.name_one(json!({"roles": {"editor": ["*"]}}));
    served.model.push(Step::tool("web__look", json!({})));
    served.model.push(Step::text("Not for me."));
    send(&api).await;
    assert!(served.offered().is_empty());
    failed_with(&served.results(), "there is no tool \"web__look\"");
    assert!(served.lines("calls").is_empty());
}

#[tokio::test]
async fn a_dead_server_costs_a_turn_its_tools_and_nothing_else() {
    let served = Served::new();
    let silent = format!("echo >>{}; exec cat", served.record("silent").display());
    served.name(&json!({
        "gone": {"command": "/no/such/program"},
        "mute": {"command": "/bin/sh", "args": ["-c", silent], "timeoutSec": 2},
        "rude": {"command": "/bin/sh", "args": ["-c", "echo nonsense"]},
        "odd": {"command": "x", "env": {"A": "${NOT_THERE}"}},
        "web": served.entry(),
    }));
    let api = served.start();
    served.model.push(Step::Tools(vec![
        ("gone__find".into(), json!({})),
        ("web__note".into(), json!({})),
    ]));
    served.model.push(Step::text("Done."));
    let answer = send(&api).await;
    assert_eq!(answer["response"], "Done.");
    failed_with(&served.results(), "the MCP server gone is not available: ");
    assert_eq!(served.results()[1], json!({"text": "served note"}));
    let prompt = served.prompt();
    for server in ["gone", "mute", "rude", "odd"] {
        let line =
            format!("\n- The tools of the MCP server {server} are not available in this turn: ");
        assert_eq!(prompt.matches(&line).count(), 1, "{server}: {prompt}");
    }
    assert!(prompt.contains("NOT_THERE"), "{prompt}");
    assert!(!prompt.contains("server web are"), "{prompt}");
    // The next turn does not wait for it again.
    send(&api).await;
    let line = "server mute are not available in this turn: it did not answer within 2 s; it is tried again in";
    assert!(served.prompt().contains(line), "{}", served.prompt());
    assert_eq!(served.lines("silent").len(), 1);
}

#[tokio::test]
async fn results_and_calls_have_their_bounds() {
    let served = Served::new();
    served.name_one(json!({"timeoutSec": 1, "maxResultChars": 10}));
    let api = served.start();
    served.model.push(Step::tool("web__long", json!({})));
    served.model.push(Step::text("Done."));
    send(&api).await;
    let cut = json!({"text": "0000000000", "truncated": true, "characters": 50});
    assert_eq!(served.results(), [cut]);
    served.hold();
    served.model.push(Step::tool("web__note", json!({})));
    served.model.push(Step::text("Done."));
    assert_eq!(send(&api).await["response"], "Done.");
    served.release();
    failed_with(&served.results(), "no result within 1 s; it may or may not");
}

#[tokio::test]
async fn a_server_that_dies_is_told_of_and_started_again() {
    let served = Served::with_server();
    let api = served.start();
    served.model.push(Step::tool("web__die", json!({})));
    served.model.push(Step::text("Oh."));
    send(&api).await;
    failed_with(&served.results(), "it may or may not have been done");
    served.model.push(Step::tool("web__note", json!({})));
    served.model.push(Step::text("Done."));
    send(&api).await;
    assert_eq!(served.results(), [json!({"text": "served note"})]);
    assert_eq!(served.lines("starts").len(), 2);
}

/// A server of its kind that hears nothing any more is ended, not left behind.
#[tokio::test]
async fn a_server_does_not_outlive_us() {
    let served = Served::new();
    served.name_one(json!({"timeoutSec": 1}));
    let pipe = served.record("alive");
    let made = Command::new("mkfifo").arg(&pipe).status().unwrap();
    assert!(made.success());
    let runs = spawn_blocking(move || std::fs::read(pipe).unwrap());
    let mut api = served.start();
    served.model.push(Step::tool("web__stay", json!({})));
    served.model.push(Step::text("Done."));
    send(&api).await;
    failed_with(&served.results(), "no result within 1 s");
    assert!(!runs.is_finished(), "it is there still");
    assert_eq!(api.server.stop(), 0);
    let ended = tokio::time::timeout(PATIENCE, runs).await;
    assert!(ended.is_ok(), "it is there still");
}

#[tokio::test]
async fn a_secret_reaches_the_server_and_nobody_else() {
    let served = Served::new();
    served.name_one(json!({"env": {"TOKEN": "${CREW_TOKEN}"}}));
    let log = served.data.path().join("log");
    let secret = "a-very-secret-word";
    let builder = served.builder().log(&log);
    let builder = builder
        .environment("CREW_TOKEN", secret)
        .environment("STATIONMASTER_LOG", "debug");
    let mut api = Api::of(builder.start());
    served.model.push(Step::tool("web__tell", json!({})));
    served.model.push(Step::text("Done."));
    let answer = send(&api).await;
    failed_with(&served.results(), "bad token ***");
    assert_eq!(served.lines("token"), [secret]);
    // The daemon's own secrets do not go along.
    let environment = served.lines("environment");
    assert!(
        environment.contains(&"TOKEN".to_owned()) && environment.contains(&"PATH".to_owned()),
        "{environment:?}"
    );
    for absent in ["CREW_TOKEN", "AGENT_JWT_SECRET", "MC_ADMIN_TOKEN"] {
        assert!(!environment.contains(&absent.to_owned()), "{environment:?}");
    }
    assert_eq!(api.server.stop(), 0);
    let logged = std::fs::read_to_string(log).unwrap();
    assert!(logged.contains("stationmaster"), "there is a log");
    for text in [logged, answer.to_string(), format!("{:?}", served.asked())] {
        assert!(!text.contains(secret), "{text}");
    }
}

#[tokio::test]
async fn a_deep_look_at_health_tells_how_servers_fare() {
    let served = Served::new();
    served.name(&json!({"gone": {"command": "/no/such/program"}, "web": served.entry()}));
    let api = served.start();
    let shallow = api.stranger().get("/health").await.ok();
    assert!(shallow["mcpServers"].is_null(), "{shallow}");
    let deep = api.stranger().get("/health?deep=true").await.ok();
    let [gone, web] = &deep["mcpServers"].as_array().unwrap()[..] else {
        panic!("two servers: {deep}")
    };
    assert_eq!(web, &json!({"name": "web", "status": "ok", "tools": 7}));
    assert_eq!(
        (&gone["name"], &gone["status"]),
        (&json!("gone"), &json!("error"))
    );
    assert!(gone["error"].is_string(), "{gone}");
    assert_eq!(deep["status"], "degraded");
}

#[test]
fn check_and_show_tell_of_servers() {
    let served = Served::new();
    let dir = served.workspace.path();
    std::fs::write(dir.join("SOUL.md"), "soul").unwrap();
    let file = "{\"mcpServers\": {\n\"good\": {\"command\": \"x\", \"roles\": {\"writer\": [\"a\"]}},\n\n\"bad\": {\"url\": \"ftp://x\"}\n}}";
    std::fs::write(dir.join("mcp.json"), file).unwrap();
    let dir = dir.to_str().unwrap();
    let home = [("HOME", served.data.path().to_str().unwrap())];
    let workspace = |arguments: &[&str]| {
        let arguments = [&["workspace"], arguments].concat();
        run(served.data.path(), &home, &arguments)
    };
    let outcome = workspace(&["check", dir]);
    assert_eq!(outcome.code, 1, "{outcome:?}");
    let line = "/mcp.json:4: error: server \"bad\": the URL must begin with http:// or https://";
    assert!(outcome.stdout.contains(line), "{outcome:?}");
    for (role, line) in [
        ("writer", "\n1 of 1 MCP servers: good\n"),
        ("lead", "\n0 of 1 MCP servers\n"),
    ] {
        let shown = workspace(&["show", dir, "--role", role]);
        assert!(shown.stdout.contains(line), "{shown:?}");
    }
    let shown = workspace(&["show", dir, "--role", "writer", "--json"]);
    let object: serde_json::Value = serde_json::from_str(&shown.stdout).unwrap();
    assert_eq!(object["mcpServers"], json!(["good"]));
}
