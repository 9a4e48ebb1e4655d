//! OpenClaw Mission Control: `/api/v1`, and every path that no other contract claims.
//!
//! Section numbers in this folder are that contract's. Handlers read, call the kernel and
//! translate. [`middleware`] names each request, identifies its caller and counts it; so no handler
//! can be reached without that.

mod activity;
mod agent;
mod alert;
mod approval;
mod error;
mod event;
mod grant;
mod heartbeat;
pub(crate) mod mcp;
mod message;
pub(crate) mod middleware;
mod money;
mod notification;
mod operator;
mod policy;
mod read;
mod request;
mod run;
mod standup;
mod stats;
mod task;
mod token;
mod tool_call;
mod webhook;

use std::sync::Arc;

use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::middleware::{from_fn, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use stationmaster_http::App;
use stationmaster_http::limit::Limiter;
use utoipa_axum::router::OpenApiRouter;

pub use activity::news;
pub use middleware::Rates;
use middleware::{Guard, guarded, named};

/// Every route of the contract, guarded.
pub(crate) fn routes(app: &App, rates: Rates) -> OpenApiRouter<App> {
    let guard = Guard {
        app: app.clone(),
        limiter: Arc::new(Limiter::default()),
        rates,
    };
    OpenApiRouter::new()
        .merge(agent::routes())
        .merge(token::routes())
        .merge(heartbeat::routes())
        .merge(task::routes())
        .merge(message::routes())
        .merge(notification::routes())
        .merge(approval::routes())
        .merge(grant::routes())
        .merge(policy::routes())
        .merge(tool_call::routes())
        .merge(run::routes())
        .merge(event::routes())
        .merge(alert::routes())
        .merge(stats::routes())
        .merge(standup::routes())
        .merge(operator::routes())
        .merge(webhook::routes())
        .layer(from_fn_with_state(guard, guarded))
        .layer(from_fn(named))
}

/// Whether a path asks for a credential before anything is said about it.
fn is_api(path: &str) -> bool {
    path.strip_prefix("/api/v1")
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// The answer to a path that no route knows; under `/api/v1` who asks is checked first
/// (rulings 22).
pub(crate) async fn unknown_route(app: &App, asked: &Parts) -> Response {
    let path = asked.uri.path();
    answer(
        app,
        asked,
        StatusCode::NOT_FOUND,
        "NOT_FOUND",
        format!("there is no route {path}"),
    )
    .await
}

/// The answer to a method that a known path does not take.
pub(crate) async fn wrong_method(app: &App, asked: &Parts) -> Response {
    let (method, path) = (&asked.method, asked.uri.path());
    answer(
        app,
        asked,
        StatusCode::METHOD_NOT_ALLOWED,
        "METHOD_NOT_ALLOWED",
        format!("{path} does not take {method}"),
    )
    .await
}

async fn answer(
    app: &App,
    asked: &Parts,
    status: StatusCode,
    code: &'static str,
    message: String,
) -> Response {
    middleware::under_a_name(async {
        if is_api(asked.uri.path())
            && let Err(error) = middleware::identify(app, &asked.headers).await
        {
            return error::Problem(error).into_response();
        }
        error::refuse(status, code, message, None)
    })
    .await
}

/// The answer to a path that is nobody's.
pub(crate) async fn missing(path: &str) -> Response {
    let message = format!("there is no route {path}");
    middleware::under_a_name(async {
        error::refuse(StatusCode::NOT_FOUND, "NOT_FOUND", message, None)
    })
    .await
}
