//! Failures in this contract's words: `{error, code, details}` (§3).

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde_json::{Value, json};
use stationmaster_http::body::BodyError;
use stationmaster_kernel::{Error, Kind};
use stationmaster_runtime::{JsonTaskError, TurnError};

use super::send::dollars;
use utoipa::ToSchema;

/// How long to wait when the other side did not say.
const RETRY_SECONDS: u64 = 5;

/// What a route of this contract fails with.
#[derive(Debug)]
pub(super) enum Problem {
    /// The caller or the request is wrong.
    Kernel(Error),
    /// The body could not be read.
    Body(BodyError),
    /// There is no answer.
    Turn(TurnError),
    /// A model was asked for JSON and said something else; how that begins.
    NotJson(String),
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        Self::Kernel(error)
    }
}

impl From<JsonTaskError> for Problem {
    fn from(error: JsonTaskError) -> Self {
        match error {
            JsonTaskError::NotJson { answer } => Self::NotJson(answer),
            JsonTaskError::Failed(error) => Self::Turn(error),
        }
    }
}

impl From<TurnError> for Problem {
    fn from(error: TurnError) -> Self {
        Self::Turn(error)
    }
}

/// The body of every failure.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = DaemonError)]
pub(super) struct ErrorBody {
    /// What went wrong, for people.
    error: String,
    /// What went wrong, for programs.
    #[schema(example = "model_unavailable")]
    code: &'static str,
    #[schema(value_type = Option<Object>)]
    details: Value,
}

fn body(status: StatusCode, code: &'static str, error: String, details: Value) -> Response {
    (
        status,
        Json(ErrorBody {
            error,
            code,
            details,
        }),
    )
        .into_response()
}

pub(super) fn method_not_allowed(method: &str, path: &str) -> Response {
    body(
        StatusCode::METHOD_NOT_ALLOWED,
        "method_not_allowed",
        format!("{path} does not take {method}"),
        Value::Null,
    )
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        match self {
            Self::Kernel(error) => refused(error),
            Self::Body(BodyError::TooLarge(limit)) => {
                let text = format!("the body is larger than {limit} bytes");
                body(
                    StatusCode::PAYLOAD_TOO_LARGE,
                    "body_too_large",
                    text,
                    Value::Null,
                )
            }
            Self::Body(BodyError::Incomplete) => {
                let text = "the body did not arrive whole".to_owned();
                body(
                    StatusCode::BAD_REQUEST,
                    "incomplete_body",
                    text,
                    Value::Null,
                )
            }
            Self::Turn(error) => unanswered(&error),
            Self::NotJson(answer) => body(
                StatusCode::BAD_GATEWAY,
                "output_not_json",
                "the model's answer is not JSON".to_owned(),
                json!({"answer": answer}),
            ),
        }
    }
}

fn refused(error: Error) -> Response {
    let status = match error.kind {
        Kind::Invalid => StatusCode::BAD_REQUEST,
        // The daemon key: this contract says 403 where others say 401 (§2).
        Kind::Forbidden | Kind::Unauthenticated => StatusCode::FORBIDDEN,
        Kind::NotFound => StatusCode::NOT_FOUND,
        Kind::Conflict => StatusCode::CONFLICT,
        Kind::OverBudget => StatusCode::TOO_MANY_REQUESTS,
        Kind::Unavailable { .. } => StatusCode::SERVICE_UNAVAILABLE,
        Kind::Internal => StatusCode::INTERNAL_SERVER_ERROR,
    };
    let problems = error
        .problems
        .iter()
        .map(|it| json!({"field": it.field, "message": it.message}));
    let details = match error.problems.first() {
        Some(first) => json!({"field": first.field, "errors": problems.collect::<Vec<_>>()}),
        None => Value::Null,
    };
    let mut response = body(status, error.code, error.message, details);
    if let Kind::Unavailable { retry_after } = error.kind {
        let seconds = HeaderValue::from(retry_after.as_secs().max(1));
        response.headers_mut().insert(header::RETRY_AFTER, seconds);
    }
    response
}

fn unanswered(error: &TurnError) -> Response {
    let status = match error {
        TurnError::Invalid { .. } | TurnError::NoTask => StatusCode::BAD_REQUEST,
        TurnError::TaskNotFound { .. } => StatusCode::NOT_FOUND,
        TurnError::OverBudget { .. } => StatusCode::TOO_MANY_REQUESTS,
        TurnError::HeldUp { .. } => StatusCode::FORBIDDEN,
        TurnError::BackendUnavailable { .. }
        | TurnError::BackendRejectedToken { .. }
        | TurnError::BackendRefused { .. }
        | TurnError::ModelUnavailable { .. }
        | TurnError::ModelRejected { .. }
        | TurnError::ModelRefused { .. }
        | TurnError::ModelEmpty { .. } => StatusCode::BAD_GATEWAY,
        TurnError::RateLimited { .. } | TurnError::ModelNotConfigured => {
            StatusCode::SERVICE_UNAVAILABLE
        }
        TurnError::Deadline => StatusCode::GATEWAY_TIMEOUT,
        TurnError::UnknownModel { .. } | TurnError::Internal { .. } => {
            StatusCode::INTERNAL_SERVER_ERROR
        }
    };
    let details = match error {
        TurnError::Invalid { field, message } => {
            json!({"field": field, "errors": [{"field": field, "message": message}]})
        }
        TurnError::TaskNotFound { task_id } => json!({"task_id": task_id}),
        TurnError::OverBudget { remaining, .. } => json!({"remaining_usd": remaining.map(dollars)}),
        _ => Value::Null,
    };
    let mut response = body(status, error.code(), error.to_string(), details);
    let wait = error.retry_after().map(|wait| wait.as_secs().max(1));
    let limited = matches!(error, TurnError::RateLimited { .. }).then_some(RETRY_SECONDS);
    if let Some(seconds) = wait.or(limited) {
        response
            .headers_mut()
            .insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
}
