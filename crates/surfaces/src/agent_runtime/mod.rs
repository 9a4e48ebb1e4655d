//! The agent runtime daemon (`/api/agents/send` and its companions), as Wombat and Clasper
//! promise it. Section numbers in this folder are that contract's.

mod budget;
mod error;
mod request;
mod send;
mod usage;
mod workspace;

use std::sync::Arc;

use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use stationmaster_http::App;
use stationmaster_kernel::Error;
use stationmaster_runtime::Runtime;
use tokio::sync::Semaphore;
use tokio_util::task::TaskTracker;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// What the routes of the runtime are given.
#[derive(Clone)]
pub struct Daemon {
    pub app: App,
    pub runtime: Runtime,
    /// Turns go on here when their callers have gone away.
    pub turns: TaskTracker,
    /// How many turns may still begin.
    pub places: Arc<Semaphore>,
    /// Turns are kept, and paid for, in the program's own kernel.
    pub keeps_budgets: bool,
}

/// How many turns run at once; past that a caller is told to come back.
pub const TURNS: usize = 1024;

/// Every route of the contract that is served.
pub fn routes() -> OpenApiRouter<Arc<Daemon>> {
    OpenApiRouter::new()
        .routes(routes!(send::send))
        .routes(routes!(budget::set, budget::show))
        .routes(routes!(budget::check))
        .routes(routes!(usage::usage))
        .routes(routes!(workspace::skills))
        .routes(routes!(workspace::context))
}

/// The paths that this contract answers for, known or not (rulings 21).
const OWN: [&str; 12] = [
    "/api/agents/send",
    "/api/agents/stream",
    "/usage",
    "/skills",
    "/context",
    "/compact",
    "/llm-task",
    "/traces",
    "/budget",
    "/boot",
    "/api/version",
    "/api/compatibility",
];

/// Whether this contract answers for the path, known or not.
pub fn owns(path: &str) -> bool {
    OWN.iter().any(|own| {
        path.strip_prefix(own)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    })
}

/// The answer to a path that no route knows; the daemon key is checked first.
pub fn unknown_route(app: &App, headers: &HeaderMap, path: &str) -> Response {
    let problem = match app.gate.daemon(headers) {
        Ok(()) => Error::not_found("not_found", format!("there is no route {path}")),
        Err(error) => error,
    };
    error::Problem::Kernel(problem).into_response()
}

/// The answer to a method that a known path does not take.
pub fn wrong_method(app: &App, headers: &HeaderMap, method: &str, path: &str) -> Response {
    match app.gate.daemon(headers) {
        Ok(()) => error::method_not_allowed(method, path),
        Err(error) => error::Problem::Kernel(error).into_response(),
    }
}
