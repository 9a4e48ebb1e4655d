//! The kernel's errors in this contract's words (§4): `{error, code, details}`.

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde_json::{Value, json};
use stationmaster_http::body::BodyError;
use stationmaster_kernel::{Error, Kind};
use utoipa::ToSchema;

/// What a handler of this contract fails with.
#[derive(Debug)]
pub struct Problem(pub Error);

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        Self(error)
    }
}

/// The body of every refusal.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ErrorBody {
    /// What went wrong, for people.
    #[schema(example = "title: must not be empty")]
    error: String,
    /// What went wrong, for programs.
    #[schema(example = "invalid_request")]
    code: &'static str,
    /// Where: the first field at fault and, in `errors`, all of them.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Object)]
    details: Option<Value>,
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let Self(error) = self;
        let status = match error.kind {
            Kind::Invalid => StatusCode::BAD_REQUEST,
            Kind::Unauthenticated => StatusCode::UNAUTHORIZED,
            Kind::Forbidden => StatusCode::FORBIDDEN,
            Kind::NotFound => StatusCode::NOT_FOUND,
            Kind::Conflict => StatusCode::CONFLICT,
            Kind::OverBudget => StatusCode::TOO_MANY_REQUESTS,
            Kind::Unavailable { .. } => StatusCode::SERVICE_UNAVAILABLE,
            Kind::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        };
        if let Some(cause) = &error.cause {
            tracing::error!(code = error.code, %cause, "a request failed");
        }
        let details = error.problems.first().map(|first| {
            let all: Vec<Value> = error
                .problems
                .iter()
                .map(|it| json!({"field": it.field, "message": it.message}))
                .collect();
            json!({"field": first.field, "errors": all})
        });
        let mut response = (
            status,
            Json(ErrorBody {
                error: error.message,
                code: error.code,
                details,
            }),
        )
            .into_response();
        if let Kind::Unavailable { retry_after } = error.kind {
            let seconds = HeaderValue::from(retry_after.as_secs().max(1));
            response.headers_mut().insert(header::RETRY_AFTER, seconds);
        }
        response
    }
}

fn plain(status: StatusCode, code: &'static str, error: String) -> Response {
    (
        status,
        Json(ErrorBody {
            error,
            code,
            details: None,
        }),
    )
        .into_response()
}

pub(super) fn method_not_allowed(method: &str, path: &str) -> Response {
    plain(
        StatusCode::METHOD_NOT_ALLOWED,
        "method_not_allowed",
        format!("{path} does not take {method}"),
    )
}

pub(super) fn bad_body(error: &BodyError) -> Response {
    match error {
        BodyError::TooLarge(limit) => plain(
            StatusCode::PAYLOAD_TOO_LARGE,
            "body_too_large",
            format!("the body is larger than {limit} bytes"),
        ),
        BodyError::Incomplete => plain(
            StatusCode::BAD_REQUEST,
            "incomplete_body",
            "the body did not arrive whole".to_owned(),
        ),
    }
}
