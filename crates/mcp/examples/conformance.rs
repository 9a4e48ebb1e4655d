//! The MCP side alone, over a board that is made up: for the conformance suite and for trying out clients.
//!
//! `conformance 3100` serves `http://127.0.0.1:3100/mcp` with the suite's fixtures, `conformance 3100 tool` the
//! tool alone, `conformance stdio` speaks over standard input and output.

use std::{net::Ipv4Addr, sync::Arc};

use async_trait::async_trait;
use serde_json::{Value, json};
use stationmaster_mcp::{
    ApiReply, ApiRequest, Carrier, CarrierError, HttpOptions, Identity, Method, StdioOptions,
    http_service, serve_stdio,
};

/// A board with one task, which answers as the API would.
struct Board;

#[async_trait]
impl Carrier for Board {
    async fn call(&self, request: ApiRequest) -> Result<ApiReply, CarrierError> {
        let path = request.path_and_query.split('?').next().unwrap_or_default();
        let segments: Vec<&str> = path.trim_start_matches("/api/v1/").split('/').collect();
        let (status, body) = answer(request.method, &segments, request.body.as_ref());
        Ok(ApiReply {
            status,
            body,
            retry_after: None,
        })
    }
}

fn answer(method: Method, path: &[&str], body: Option<&Value>) -> (u16, Value) {
    let task = json!({ "id": "task_1", "title": "Write the release notes", "type": "DOCS", "status": "INBOX", "priority": 3 });
    match (method, path) {
        (Method::Get, ["tasks"]) => (
            200,
            json!({ "tasks": [task], "total": 1, "hasMore": false }),
        ),
        (Method::Get | Method::Patch, ["tasks", "task_1"]) => (200, task),
        (Method::Get, ["tasks", "task_1", "messages"]) => {
            (200, json!({ "messages": [], "hasMore": false }))
        }
        (Method::Post, ["tasks", "task_1", "messages"]) => {
            (201, json!({ "id": "msg_1", "sent": body }))
        }
        (Method::Post, ["tasks", "task_1", "transition"]) => (
            200,
            json!({ "id": "task_1", "success": true, "sent": body }),
        ),
        (Method::Post, ["agents", _, "heartbeat"]) => (
            200,
            json!({ "acknowledged": true, "pendingNotifications": [], "pendingApprovals": [], "assignedTasks": [] }),
        ),
        (Method::Post, ["policy", "evaluate"]) => (
            200,
            json!({ "decision": "ALLOW", "riskLevel": "GREEN", "reason": "reading is free", "violations": [] }),
        ),
        (Method::Post, ["approvals"]) => (201, json!({ "id": "approval_1", "status": "PENDING" })),
        (Method::Get, ["approvals", "approval_1"]) => {
            (200, json!({ "id": "approval_1", "status": "PENDING" }))
        }
        (Method::Post, ["events", "run"]) => (201, json!({ "id": "run_1", "status": "RUNNING" })),
        (Method::Patch, ["events", "run", id]) => (200, json!({ "id": id, "sent": body })),
        (Method::Post, ["events", "tool-call"]) => {
            (201, json!({ "id": "tc_1", "status": "RUNNING" }))
        }
        (Method::Patch, ["events", "tool-call", id]) => (200, json!({ "id": id, "sent": body })),
        _ => (
            404,
            json!({ "error": { "code": "NOT_FOUND", "message": "there is no such thing", "requestId": "req_0" } }),
        ),
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let place = arguments.next().ok_or("say a port, or stdio")?;
    if place == "stdio" {
        return Ok(serve_stdio(
            Arc::new(Board),
            Identity::default(),
            StdioOptions::default(),
        )
        .await?);
    }
    let port: u16 = place.parse()?;
    let conformance = arguments.next().as_deref() != Some("tool");
    let service = http_service(
        Arc::new(Board),
        HttpOptions {
            conformance,
            ..HttpOptions::default()
        },
    );
    let listener = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await?;
    axum::serve(listener, axum::Router::new().route_service("/mcp", service)).await?;
    Ok(())
}
