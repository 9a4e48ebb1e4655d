//! The wire contracts: one folder each, none of which knows another.
//!
//! A surface parses, authenticates and translates; it holds no rule. The path decides whose words
//! a request is answered in, errors and unknown routes included (rulings 21).

pub mod agent_runtime;
pub mod docs;
mod health;
pub mod mission_control;
pub mod openclaw;
pub mod system;

use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::middleware;
use axum::response::Response;
use stationmaster_http::{App, meter};
use stationmaster_runtime::Runtime;
use tokio_util::task::TaskTracker;
use utoipa::openapi::OpenApi;
use utoipa_axum::router::OpenApiRouter;

/// What the routers are built from.
pub struct Surfaces {
    pub app: App,
    /// Answers `model_not_configured` where there is no model.
    pub runtime: Runtime,
    /// Turns go on here when their callers have gone away.
    pub turns: TaskTracker,
    /// Tells those who asked for turns how they ended.
    pub hooks: agent_runtime::Hooks,
    pub status: system::Status,
    pub metrics: system::Metrics,
    /// How often agents may ask on the OpenClaw contract's routes.
    pub rates: openclaw::Rates,
    pub mcp: Mcp,
}

/// How the MCP tool is served at `/mcp`.
#[derive(Debug, Clone, Default)]
pub struct Mcp {
    /// Names by which callers may reach it, beside those of this machine.
    pub allowed_hosts: Vec<String>,
    /// Shows the fixtures of the protocol's conformance suite as well.
    pub conformance: bool,
}

/// Every route of every contract and the document that describes them.
pub fn router(surfaces: Surfaces) -> (Router, OpenApi) {
    let Surfaces {
        app,
        runtime,
        turns,
        hooks,
        status,
        metrics,
        rates,
        mcp,
    } = surfaces;
    let daemon = Arc::new(agent_runtime::Daemon {
        app: app.clone(),
        runtime: runtime.clone(),
        turns,
        places: Arc::new(tokio::sync::Semaphore::new(agent_runtime::TURNS)),
        keeps_budgets: status.backend_url.is_none(),
        hooks,
    });
    let probe = Arc::new(system::Probe {
        app: app.clone(),
        status,
        metrics,
        runtime,
    });
    let board = openclaw::routes(&app, rates);
    let tool = stationmaster_mcp::http_service(
        Arc::new(openclaw::mcp::Inside {
            routes: board.clone().with_state::<()>(app.clone()).into(),
        }),
        stationmaster_mcp::HttpOptions {
            allowed_hosts: mcp.allowed_hosts,
            conformance: mcp.conformance,
            stopping: app.stopping.clone(),
        },
    );
    let (router, mut document) = OpenApiRouter::with_openapi(docs::skeleton(app.version))
        .merge(mission_control::routes().with_state(app.clone()))
        .merge(board.with_state(app.clone()))
        .merge(agent_runtime::routes().with_state(daemon))
        .merge(system::routes().with_state(probe))
        .split_for_parts();
    docs::complete(&mut document);
    let router = router
        .merge(docs::routes(&document))
        .route_service("/mcp", tool)
        .fallback(unknown_route)
        .method_not_allowed_fallback(wrong_method)
        .layer(middleware::from_fn(meter::count))
        .with_state(app);
    (router, document)
}

async fn unknown_route(State(app): State<App>, request: Request) -> Response {
    let path = request.uri().path();
    if mission_control::owns(path) {
        mission_control::unknown_route(&app, request.headers(), path)
    } else if agent_runtime::owns(path) {
        agent_runtime::unknown_route(&app, request.headers(), path)
    } else {
        openclaw::unknown_route(&app, &request.into_parts().0).await
    }
}

async fn wrong_method(State(app): State<App>, request: Request) -> Response {
    let (method, path) = (request.method().as_str(), request.uri().path());
    if mission_control::owns(path) {
        mission_control::wrong_method(&app, request.headers(), method, path)
    } else if agent_runtime::owns(path) {
        agent_runtime::wrong_method(&app, request.headers(), method, path)
    } else {
        openclaw::wrong_method(&app, &request.into_parts().0).await
    }
}
