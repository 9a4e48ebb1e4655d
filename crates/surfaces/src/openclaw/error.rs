//! The kernel's errors in this contract's words (§1.2): `{error: {code, message, details, requestId}}`.

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde_json::{Value, json};
use stationmaster_http::body::BodyError;
use stationmaster_kernel::{Error, Kind, Object};
use utoipa::ToSchema;

use super::middleware;

/// What a handler of this contract fails with.
#[derive(Debug)]
pub(super) struct Problem(pub Error);

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        Self(error)
    }
}

/// The envelope of every refusal.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ErrorBody {
    error: Fault,
}

/// What went wrong.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct Fault {
    /// For programs.
    #[schema(example = "VALIDATION_ERROR")]
    code: String,
    /// For people.
    message: String,
    /// Where, and what would be right: `errors: [{field, message}]` names every fault of a request.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    details: Option<Object>,
    /// What to name when asking an operator about it.
    #[schema(example = "req_0192f7c0c1d27b0d9d9d5f6b4c1e2a3b")]
    request_id: String,
}

/// The status and code of an error (§1.2): 409 only for what is done already, 422 for what the
/// state of things forbids, 403 for what the caller may not do.
pub(super) fn status_and_code(error: &Error) -> (StatusCode, String) {
    let named = || error.code.to_uppercase();
    match error.kind {
        Kind::Invalid => (StatusCode::BAD_REQUEST, "VALIDATION_ERROR".to_owned()),
        Kind::Unauthenticated => (StatusCode::UNAUTHORIZED, "UNAUTHORIZED".to_owned()),
        Kind::Forbidden => (StatusCode::FORBIDDEN, forbidden(error.code)),
        Kind::NotFound => (StatusCode::NOT_FOUND, "NOT_FOUND".to_owned()),
        Kind::Conflict => match error.code {
            "idempotency_conflict" => (StatusCode::CONFLICT, named()),
            "already_processed" => (StatusCode::CONFLICT, named()),
            _ => (StatusCode::UNPROCESSABLE_ENTITY, named()),
        },
        Kind::OverBudget => (
            StatusCode::UNPROCESSABLE_ENTITY,
            "BUDGET_EXCEEDED".to_owned(),
        ),
        Kind::Unavailable { .. } => (StatusCode::SERVICE_UNAVAILABLE, "UNAVAILABLE".to_owned()),
        Kind::Internal => (StatusCode::INTERNAL_SERVER_ERROR, "INTERNAL".to_owned()),
    }
}

fn forbidden(code: &str) -> String {
    match code {
        "policy_violation" | "policy_denied" | "agent_mismatch" | "agent_paused"
        | "agent_drained" | "agent_quarantined" | "operator_mode" => code.to_uppercase(),
        _ => "FORBIDDEN".to_owned(),
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let Self(error) = self;
        if let Some(cause) = &error.cause {
            tracing::error!(code = error.code, %cause, request = middleware::request_id(), "a request failed");
        }
        let (status, code) = status_and_code(&error);
        let mut details = error.details.map(|details| *details);
        if !error.problems.is_empty() {
            let all: Vec<Value> = error
                .problems
                .iter()
                .map(|it| json!({"field": it.field, "message": it.message}))
                .collect();
            details
                .get_or_insert_default()
                .insert("errors".to_owned(), all.into());
        }
        let mut response = refuse(status, &code, error.message, details);
        if let Kind::Unavailable { retry_after } = error.kind {
            let seconds = HeaderValue::from(retry_after.as_secs().max(1));
            response.headers_mut().insert(header::RETRY_AFTER, seconds);
        }
        response
    }
}

/// A refusal in the contract's envelope.
pub(super) fn refuse(
    status: StatusCode,
    code: &str,
    message: String,
    details: Option<Object>,
) -> Response {
    let error = Fault {
        code: code.to_owned(),
        message,
        details,
        request_id: middleware::request_id(),
    };
    (status, Json(ErrorBody { error })).into_response()
}

/// The body of a refusal that is an outcome of its own and not an error (rulings 12), such as a
/// denied tool call.
pub(super) fn envelope(code: &str, message: &str, details: &Object) -> Value {
    json!({"error": {
        "code": code,
        "message": message,
        "details": details,
        "requestId": middleware::request_id(),
    }})
}

pub(super) fn bad_body(error: &BodyError) -> Response {
    match error {
        BodyError::TooLarge(limit) => refuse(
            StatusCode::PAYLOAD_TOO_LARGE,
            "PAYLOAD_TOO_LARGE",
            format!("the body is larger than {limit} bytes"),
            None,
        ),
        BodyError::Incomplete => refuse(
            StatusCode::BAD_REQUEST,
            "VALIDATION_ERROR",
            "the body did not arrive whole".to_owned(),
            None,
        ),
    }
}
