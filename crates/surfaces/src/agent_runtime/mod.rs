//! The agent runtime daemon (`/api/agents/send` and its companions), as Wombat and Clasper
//! promise it. Section numbers in this folder are that contract's.

mod budget;
mod compact;
mod error;
mod forecast;
mod hook;
mod llm_task;
mod request;
mod send;
mod stream;
mod traces;
mod usage;
mod workspace;

use std::sync::Arc;
use std::time::Duration;

use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use stationmaster_http::App;
use stationmaster_kernel::Error;
use stationmaster_runtime::{Runtime, TurnError};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::task::TaskTracker;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use error::Problem;
pub use hook::{Hooks, describe_metrics};

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
    /// Tells callers' webhooks.
    pub hooks: Hooks,
}

/// How many turns run at once; past that a caller is told to come back.
pub const TURNS: usize = 1024;

/// Every route of the contract that is served.
pub fn routes() -> OpenApiRouter<Arc<Daemon>> {
    OpenApiRouter::new()
        .routes(routes!(send::send))
        .routes(routes!(stream::stream))
        .routes(routes!(compact::compact))
        .routes(routes!(llm_task::llm_task))
        .routes(routes!(budget::set, budget::show))
        .routes(routes!(budget::check))
        .routes(routes!(forecast::forecast))
        .routes(routes!(traces::list))
        .routes(routes!(traces::show))
        .routes(routes!(usage::usage))
        .routes(routes!(workspace::skills))
        .routes(routes!(workspace::context))
}

impl Daemon {
    /// Runs `work` to its end, whether or not its caller waits for that: the model is paid, and the thread
    /// gets its answer.
    async fn see_through<T, E>(
        &self,
        work: impl Future<Output = Result<T, E>> + Send + 'static,
    ) -> Result<T, Problem>
    where
        T: Send + 'static,
        E: Send + 'static,
        Problem: From<E>,
    {
        let place = self.place()?;
        let work = self.turns.spawn(async move {
            let outcome = work.await;
            drop(place);
            outcome
        });
        let outcome = work.await.map_err(|error| {
            tracing::error!(%error, "a turn broke off");
            TurnError::Internal {
                message: "the turn broke off".to_owned(),
            }
        })?;
        Ok(outcome?)
    }

    /// Leave to ask a model.
    fn place(&self) -> Result<OwnedSemaphorePermit, Problem> {
        self.places.clone().try_acquire_owned().map_err(|_| {
            let message = "as many turns run as this server takes; try again";
            Error::unavailable(message, Duration::from_secs(5)).into()
        })
    }
}

/// The paths that this contract answers for, known or not (rulings 21).
const OWN: [&str; 13] = [
    "/api/agents/send",
    "/api/agents/stream",
    "/usage",
    "/skills",
    "/context",
    "/compact",
    "/llm-task",
    "/traces",
    "/budget",
    "/cost",
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
