//! What belongs to no contract alone: health and metrics.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use metrics_exporter_prometheus::PrometheusHandle;
use serde::Serialize;
use stationmaster_http::App;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// How long the store may take to answer before it counts as down.
const STORE_PATIENCE: Duration = Duration::from_secs(5);

/// What does not change while the program runs.
#[derive(Debug, Clone)]
pub struct Status {
    /// `sqlite` or `postgres`.
    pub database: &'static str,
    /// The model that thinks, as `provider/model`.
    pub model: Option<String>,
    /// Whether notifications are dispatched here.
    pub dispatcher: bool,
}

/// The program's metrics.
#[derive(Clone)]
pub struct Metrics(pub PrometheusHandle);

#[derive(Clone)]
pub(crate) struct Probe {
    pub app: App,
    pub status: Status,
    pub metrics: Metrics,
}

pub(crate) fn routes() -> OpenApiRouter<Arc<Probe>> {
    OpenApiRouter::new()
        .routes(routes!(health))
        .routes(routes!(metrics))
}

/// Whether the program can do its work.
#[derive(Debug, Serialize, ToSchema)]
struct Health {
    /// `ok`, or `error` when the store is down.
    #[schema(value_type = String)]
    status: &'static str,
    version: &'static str,
    store: Store,
    runtime: Runtime,
}

#[derive(Debug, Serialize, ToSchema)]
struct Store {
    #[schema(value_type = String)]
    status: &'static str,
    /// `sqlite` or `postgres`.
    #[schema(value_type = String)]
    database: &'static str,
}

#[derive(Debug, Serialize, ToSchema)]
struct Runtime {
    enabled: bool,
    /// `provider/model`
    model: Option<String>,
    dispatcher: bool,
}

/// Ready when the store is
#[utoipa::path(get, path = "/health", tag = "System", security(()),
    responses((status = 200, body = Health), (status = 503, body = Health)))]
async fn health(State(probe): State<Arc<Probe>>) -> Response {
    let Probe { app, status, .. } = probe.as_ref();
    let answered =
        tokio::time::timeout(STORE_PATIENCE, app.database.read(|tx| tx.newest_event())).await;
    let (code, word) = match answered {
        Ok(Ok(_)) => (StatusCode::OK, "ok"),
        _ => (StatusCode::SERVICE_UNAVAILABLE, "error"),
    };
    let body = Health {
        status: word,
        version: app.version,
        store: Store {
            status: word,
            database: status.database,
        },
        runtime: Runtime {
            enabled: status.model.is_some(),
            model: status.model.clone(),
            dispatcher: status.dispatcher,
        },
    };
    (code, Json(body)).into_response()
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
