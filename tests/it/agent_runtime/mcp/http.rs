//! Servers over streamable HTTP.

use std::sync::{Arc, Mutex};

use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode};
use axum::response::{IntoResponse as _, Response};
use axum::{Json, Router};
use serde_json::{Value, json};
use stationmaster_testkit::model::Step;
use tokio::task::JoinSet;

use super::{Served, failed_with};
use crate::agent_runtime::crew::{SEND, turn};
use crate::support::Api;
use crate::support::api::builder;

/// What the plain server was sent: methods, each with the request's `Authorization`.
type Heard = Arc<Mutex<Vec<(String, String)>>>;

/// A server without sessions and streams.
async fn plain(
    State(heard): State<Heard>,
    method: Method,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    if method != Method::POST {
        return StatusCode::METHOD_NOT_ALLOWED.into_response();
    }
    let message: Value = serde_json::from_slice(&body).unwrap();
    let said = message["method"].as_str().unwrap_or_default().to_owned();
    let credential = headers.get("authorization");
    let credential = credential.map_or("", |it| it.to_str().unwrap());
    heard
        .lock()
        .unwrap()
        .push((said.clone(), credential.to_owned()));
    let result = match said.as_str() {
        "initialize" => json!({
            "protocolVersion": "2025-06-18",
            "capabilities": {"tools": {}},
            "serverInfo": {"name": "plain", "version": "1"},
        }),
        "tools/list" => {
            json!({"tools": [{"name": "pages.search", "inputSchema": {"type": "object"}}]})
        }
        "tools/call" => json!({
            "content": [{"type": "text", "text": "{\"found\":2}"}],
            "structuredContent": {"found": 2},
        }),
        _ => return StatusCode::ACCEPTED.into_response(),
    };
    Json(json!({"jsonrpc": "2.0", "id": message["id"], "result": result})).into_response()
}

#[tokio::test]
async fn a_plain_server_is_called_with_its_headers() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let heard = Heard::default();
    let app = Router::new().fallback(plain).with_state(Arc::clone(&heard));
    let mut running = JoinSet::new();
    running.spawn(async move { axum::serve(listener, app).await.unwrap() });

    let served = Served::new();
    served.name(&json!({"web": {
        "url": format!("http://{address}/mcp"),
        "headers": {"Authorization": "Bearer ${CREW_TOKEN}"},
        "roles": {"writer": ["pages.search"]},
    }}));
    let builder = served.builder().environment("CREW_TOKEN", "secret-word");
    let api = Api::of(builder.start());
    let search = || {
        served
            .model
            .push(Step::tool("web__pages_search", json!({})))
    };
    search();
    served.model.push(Step::text("Done."));
    api.stranger().post(SEND, turn(json!({}))).await.ok();
    assert_eq!(served.results(), [json!({"data": {"found": 2}})]);
    let heard = heard.lock().unwrap().clone();
    assert!(
        heard.iter().all(|(_, with)| with == "Bearer secret-word"),
        "{heard:?}"
    );
    let calls = heard.iter().filter(|(said, _)| said == "tools/call");
    assert_eq!(calls.count(), 1);

    // It goes away: the call fails, the next turn does without it.
    running.shutdown().await;
    search();
    served.model.push(Step::text("Oh."));
    api.stranger().post(SEND, turn(json!({}))).await.ok();
    failed_with(&served.results(), "the MCP server web failed: ");
    search();
    served.model.push(Step::text("So be it."));
    api.stranger().post(SEND, turn(json!({}))).await.ok();
    failed_with(&served.results(), "the MCP server web is not available: ");
    assert!(
        served.prompt().contains("the MCP server web are not"),
        "{}",
        served.prompt()
    );
}

#[tokio::test]
async fn a_server_with_sessions_and_streams_is_called() {
    let other = Api::of(builder().argument("--conformance").start());
    let served = Served::new();
    served.name(&json!({"suite": {
        "url": format!("{}/mcp", other.server.url()),
        "roles": {"writer": ["test_simple_text", "test_tool_with_progress", "test_sampling"]},
    }}));
    let api = served.start();
    served.model.push(Step::Tools(vec![
        ("suite__test_simple_text".into(), json!({})),
        ("suite__test_tool_with_progress".into(), json!({})),
        (
            "suite__test_sampling".into(),
            json!({"prompt": "Think for me"}),
        ),
    ]));
    served.model.push(Step::text("Done."));
    api.stranger().post(SEND, turn(json!({}))).await.ok();
    let results = served.results();
    assert_eq!(
        results[0]["text"],
        "This is a simple text response for testing."
    );
    assert!(results[1]["text"].is_string(), "{results:?}");
    // Nobody here thinks for a server.
    assert!(results[2]["error"].is_string(), "{results:?}");
}
