//! OpenClaw Mission Control: the owner of every path that no other contract claims.

use axum::Json;
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

/// The envelope of every refusal (§1.2).
#[derive(Debug, Serialize)]
struct Envelope {
    error: Fault,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Fault {
    code: &'static str,
    message: String,
    request_id: String,
}

fn refuse(status: StatusCode, code: &'static str, message: String) -> Response {
    let request_id = format!("req_{}", uuid::Uuid::now_v7().simple());
    let header = HeaderValue::from_str(&request_id);
    let mut response = (
        status,
        Json(Envelope {
            error: Fault {
                code,
                message,
                request_id,
            },
        }),
    )
        .into_response();
    if let Ok(value) = header {
        response.headers_mut().insert("x-request-id", value);
    }
    response
}

/// The answer to a path that no route knows.
pub fn unknown_route(path: &str) -> Response {
    refuse(
        StatusCode::NOT_FOUND,
        "NOT_FOUND",
        format!("there is no route {path}"),
    )
}

/// The answer to a method that a known path does not take.
pub fn wrong_method(method: &str, path: &str) -> Response {
    refuse(
        StatusCode::METHOD_NOT_ALLOWED,
        "METHOD_NOT_ALLOWED",
        format!("{path} does not take {method}"),
    )
}
