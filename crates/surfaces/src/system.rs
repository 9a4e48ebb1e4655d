//! What belongs to no contract alone: metrics, and with `health` whether all is well.

use std::sync::Arc;

use axum::extract::State;
use axum::http::header;
use axum::response::IntoResponse;
use axum::routing::get;
use metrics_exporter_prometheus::PrometheusHandle;
use stationmaster_http::App;
use stationmaster_runtime::Runtime;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::health;

/// What does not change while the program runs.
#[derive(Debug, Clone)]
pub struct Status {
    /// `sqlite` or `postgres`.
    pub database: &'static str,
    /// The model that thinks, as `provider/model`.
    pub model: Option<String>,
    /// Whether notifications are dispatched here.
    pub dispatcher: bool,
    /// Asked when the first cannot answer.
    pub fallback_model: Option<String>,
    /// The task of turns that name none.
    pub default_task: Option<String>,
    /// Somebody else's backend, as it may be shown; `None` is the local kernel.
    pub backend_url: Option<String>,
    /// The first that is listened on.
    pub port: Option<u16>,
    /// The workspace was named, so it should be there.
    pub needs_workspace: bool,
}

/// The program's metrics.
#[derive(Clone)]
pub struct Metrics(pub PrometheusHandle);

#[derive(Clone)]
pub(crate) struct Probe {
    pub app: App,
    pub status: Status,
    pub metrics: Metrics,
    pub runtime: Runtime,
}

/// Where a client of the OpenClaw contract looks that puts its base before everything (§1).
const ALIAS: &str = "/api/v1/health";

pub(crate) fn routes() -> OpenApiRouter<Arc<Probe>> {
    OpenApiRouter::new()
        .routes(routes!(health::health))
        .route(ALIAS, get(health::health))
        .routes(routes!(metrics))
}

/// Counters and timings for Prometheus
#[utoipa::path(get, path = "/metrics", tag = "System", security(()),
    responses((status = 200, content_type = "text/plain", body = String)))]
async fn metrics(State(probe): State<Arc<Probe>>) -> impl IntoResponse {
    (
        [(
            header::CONTENT_TYPE,
            "text/plain; version=0.0.4; charset=utf-8",
        )],
        probe.metrics.0.render(),
    )
}
