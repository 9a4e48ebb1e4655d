//! §11: what the daemon tells about itself.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use stationmaster_testkit::model::{Step, StubModel};
use tempfile::TempDir;

use super::crew::{Crew, refused, thinking, turn, write_all};
use crate::support::Api;

fn example() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/workspace")
}

#[tokio::test]
async fn context_tells_how_much_of_each_file_is_told() {
    let directory = TempDir::new().unwrap();
    let long = "ü".repeat(20_005);
    write_all(
        directory.path(),
        &[
            ("AGENTS.md", long.as_str()),
            ("SOUL.md", "You are anybody."),
            ("souls/writer.md", "You write."),
            ("HEARTBEAT.md", "Look."),
            ("BOOT.md", "First."),
            (".boot-complete", ""),
            ("MEMORY.md", "Much."),
        ],
    );
    let path = directory.path().to_str().unwrap();
    let crew = Crew::with(|it| it.environment("CLASPER_WORKSPACE", path));
    let stranger = crew.api.stranger();
    let told = stranger.get("/context?role=writer").await.ok();
    assert_eq!(told["workspacePath"], path);
    assert_eq!(told["maxCharsPerFile"], 20_000);
    let file = |told: &Value, name: &str| {
        let files = told["files"].as_array().unwrap();
        files
            .iter()
            .find(|it| it["name"] == name)
            .unwrap_or_else(|| panic!("{name}: {told}"))
            .clone()
    };
    let agents = json!({"name": "AGENTS.md", "exists": true, "rawChars": 20_005, "injectedChars": 20_000,
        "truncated": true, "estimatedTokens": 5_000});
    assert_eq!(file(&told, "AGENTS.md"), agents);
    for (name, raw, injected) in [
        ("souls/writer.md", 10, 10),
        ("SOUL.md", 16, 0),
        ("HEARTBEAT.md", 5, 0),
        ("BOOT.md", 6, 0),
    ] {
        let told = file(&told, name);
        assert_eq!(
            (&told["rawChars"], &told["injectedChars"]),
            (&json!(raw), &json!(injected)),
            "{told}"
        );
    }
    assert_eq!(file(&told, "USER.md")["exists"], false);
    assert_eq!(told["totalBootstrapChars"], 20_000 + 10 + 5);
    let lasting = "You write.\n\n## Operating Rules\n\n".len() + 20_000;
    assert_eq!(told["systemPromptChars"], lasting);
    assert_eq!(told["estimatedSystemPromptTokens"], lasting.div_ceil(4));
    let anybody = stranger.get("/context").await.ok();
    assert_eq!(file(&anybody, "SOUL.md")["injectedChars"], 16);
    for role in ["../x", "a%2Fb", "%20"] {
        let answer = stranger.get(&format!("/context?role={role}")).await;
        let body = refused(&answer, 400, "invalid_request");
        assert_eq!(body["details"]["field"], "role");
    }
}

#[tokio::test]
async fn usage_counts_what_models_answered_since_the_start() {
    let crew = Crew::start();
    let usage = async || crew.api.stranger().get("/usage").await.ok();
    let nothing = json!({"requestCount": 0, "totalInputTokens": 0, "totalOutputTokens": 0, "totalTokens": 0,
        "totalCost": 0.0, "currency": "USD"});
    assert_eq!(usage().await, nothing);
    let answer = crew.send(turn(json!({}))).await.ok();
    let once = usage().await;
    assert_eq!(once["requestCount"], 1);
    assert_eq!(once["totalTokens"], answer["usage"]["total_tokens"]);
    assert_eq!(once["totalInputTokens"], answer["usage"]["prompt_tokens"]);
    assert_eq!(once["totalCost"], answer["cost"]["totalCost"]);
    // A call that fails used nothing.
    crew.model.always(Step::status(400));
    assert_ne!(crew.send(turn(json!({}))).await.status, 200);
    assert_eq!(usage().await, once);
}

#[tokio::test]
async fn health_tells_who_may_know_how_agents_fare() {
    let key = "the key of the daemon";
    let crew = Crew::with(|it| {
        it.environment("AGENT_DAEMON_API_KEY", key)
            .environment("CLASPER_WORKSPACE", example().to_str().unwrap())
            .environment("CLASPER_DEFAULT_TASK", "Inbox")
            .environment("LLM_MODEL_FALLBACK", "gpt-4o")
    });
    let open = crew.api.stranger().get("/health").await.ok();
    let names: Vec<&String> = open.as_object().unwrap().keys().collect();
    assert_eq!(names, ["status", "version", "store", "runtime"]);
    let known = crew.api.stranger().header("X-Agent-Daemon-Key", key);
    let told = known.get("/health").await.ok();
    assert_eq!(told["status"], "ok");
    let workspace = json!({"path": example().to_str().unwrap(), "status": "ok", "maxCharsPerFile": 20_000, "bootComplete": true});
    assert_eq!(told["workspace"], workspace);
    assert_eq!(told["skills"], json!({"enabled": 2, "total": 3}));
    assert_eq!(told["backend"], json!({"url": null, "status": "unchecked"}));
    let port: u16 = crew
        .api
        .server
        .url()
        .rsplit(':')
        .next()
        .unwrap()
        .parse()
        .unwrap();
    assert_eq!(
        told["config"],
        json!({"port": port, "defaultTask": "Inbox", "model": "openai/gpt-4o-mini", "fallbackModel": "gpt-4o"})
    );
    assert_eq!(told["database"], json!({"status": "ok"}));
    let deep = known.get("/health?deep=true").await.ok();
    assert_eq!(deep["backend"]["status"], "ok");
}

#[tokio::test]
async fn deep_health_asks_the_backend() {
    let backend = Api::start();
    let model = StubModel::start();
    let url = backend
        .server
        .url()
        .replace("http://", "http://user:secret@");
    for (url, shown, status, word) in [
        (url.as_str(), backend.server.url(), "ok", "ok"),
        (
            "http://127.0.0.1:9/mc",
            "http://127.0.0.1:9/mc",
            "error",
            "degraded",
        ),
    ] {
        let server = thinking(&model).environment("BACKEND_URL", url).start();
        let api = Api::of(server);
        let told = api.stranger().get("/health?deep=true").await.ok();
        assert_eq!(
            (&told["status"], &told["backend"]["status"]),
            (&json!(word), &json!(status)),
            "{told}"
        );
        assert_eq!(
            told["backend"]["url"]
                .as_str()
                .unwrap()
                .trim_end_matches('/'),
            shown
        );
        assert_eq!(
            told["backend"]["error"].is_string(),
            status == "error",
            "{told}"
        );
        assert!(!told.to_string().contains("secret"), "{told}");
        let shallow = api.stranger().get("/health").await.ok();
        assert_eq!(
            (&shallow["status"], &shallow["backend"]["status"]),
            (&json!("ok"), &json!("unchecked"))
        );
    }
}

/// A backend that says `answer` to whoever connects, and nothing where there is none.
fn backend_saying(answer: Option<&'static str>) -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        let mut held = Vec::new();
        for peer in listener.incoming() {
            let mut peer = peer.unwrap();
            if let Some(answer) = answer {
                // The request is read first, or closing would reset the connection.
                let mut request = [0; 4_096];
                let _ = std::io::Read::read(&mut peer, &mut request);
                let _ = std::io::Write::write_all(&mut peer, answer.as_bytes());
            } else {
                held.push(peer);
            }
        }
    });
    url
}

#[tokio::test]
async fn a_backend_that_fails_or_is_silent_is_told_in_time() {
    let failing = "HTTP/1.1 500 Oops\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{}";
    for answer in [Some(failing), None] {
        let model = StubModel::start();
        let url = backend_saying(answer);
        let api = Api::of(thinking(&model).environment("BACKEND_URL", url).start());
        let began = std::time::Instant::now();
        let told = api.stranger().get("/health?deep=true").await.ok();
        assert!(began.elapsed().as_secs() < 10, "{told}");
        assert_eq!(
            (&told["status"], &told["backend"]["status"]),
            (&json!("degraded"), &json!("error"))
        );
        assert!(told["backend"]["error"].is_string(), "{told}");
    }
}

#[tokio::test]
async fn a_workspace_that_was_named_and_is_missing_degrades() {
    let crew = Crew::with(|it| it.environment("CLASPER_WORKSPACE", "/nonexistent/workspace"));
    let told = crew.api.stranger().get("/health").await.ok();
    assert_eq!(
        (&told["status"], &told["workspace"]["status"]),
        (&json!("degraded"), &json!("missing"))
    );
}
