//! The Mission Control backend: `/api/mission-control/*`, `/api/tools`, `/api/capabilities`.
//!
//! The contract that Wombat/Clasper-style agent runtimes, dispatchers and utilities work against.
//! Section numbers in this folder are that contract's. Handlers read, call the kernel and
//! translate; the words of the contract (field names, error shape, status codes) are nowhere else.

mod capabilities;
mod dispatch;
mod document;
mod error;
mod event;
mod heartbeat;
mod message;
mod notification;
mod request;
mod standup;
mod task;
mod tool;
mod tool_request;

use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use stationmaster_http::App;
use stationmaster_kernel::Error;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub use error::Problem;

/// Every route of the contract.
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        // §7
        .routes(routes!(capabilities::features))
        .routes(routes!(capabilities::compatibility))
        // §8
        .routes(routes!(task::list, task::create))
        .routes(routes!(task::get, task::update))
        .routes(routes!(message::list, message::post))
        .routes(routes!(document::list, document::create))
        .routes(routes!(document::get))
        // §9
        .routes(routes!(notification::list, notification::create))
        .routes(routes!(notification::read))
        .routes(routes!(
            dispatch::undelivered,
            dispatch::undelivered_by_post
        ))
        .routes(routes!(dispatch::deliver))
        .routes(routes!(dispatch::fail))
        // §10
        .routes(routes!(event::stream))
        // §11
        .routes(routes!(heartbeat::record))
        .routes(routes!(standup::hold))
        // §12
        .routes(routes!(
            tool_request::list,
            tool_request::create,
            tool_request::decide_named
        ))
        .routes(routes!(tool_request::get, tool_request::decide))
        // §13
        .routes(routes!(tool::list))
        .routes(routes!(tool::run))
}

/// Whether this contract answers for the path, known or not (rulings 21).
pub fn owns(path: &str) -> bool {
    ["/api/mission-control", "/api/tools", "/api/capabilities"]
        .iter()
        .any(|own| {
            path.strip_prefix(own)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        })
}

/// The answer to a path that no route knows; who asks is checked first (rulings 22).
pub fn unknown_route(app: &App, headers: &HeaderMap, path: &str) -> Response {
    problem_for_stranger(app, headers)
        .unwrap_or_else(|| {
            Problem(Error::not_found(
                "not_found",
                format!("there is no route {path}"),
            ))
        })
        .into_response()
}

/// The answer to a method that a known path does not take.
pub fn wrong_method(app: &App, headers: &HeaderMap, method: &str, path: &str) -> Response {
    match problem_for_stranger(app, headers) {
        Some(problem) => problem.into_response(),
        None => error::method_not_allowed(method, path),
    }
}

fn problem_for_stranger(app: &App, headers: &HeaderMap) -> Option<Problem> {
    app.gate.anyone(headers).err().map(Problem)
}
