//! What the models used since the start (§11).

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::HeaderMap;
use serde::Serialize;
use utoipa::ToSchema;

use super::Daemon;
use super::error::{ErrorBody, Problem};
use super::send::dollars;

/// What was used since this server started. Calls that failed are not counted.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct UsageReply {
    /// How often a model answered.
    request_count: u64,
    total_input_tokens: u64,
    total_output_tokens: u64,
    total_tokens: u64,
    total_cost: f64,
    #[schema(value_type = String, example = "USD")]
    currency: &'static str,
}

/// What the models used since the start
#[utoipa::path(get, path = "/usage", tag = "Agent runtime", security(("daemon_key" = []), ()),
    responses((status = 200, body = UsageReply), (status = 403, body = ErrorBody)))]
pub(super) async fn usage(
    State(daemon): State<Arc<Daemon>>,
    headers: HeaderMap,
) -> Result<Json<UsageReply>, Problem> {
    daemon.app.gate.daemon(&headers)?;
    let used = daemon.runtime.usage();
    Ok(Json(UsageReply {
        request_count: used.model_calls,
        total_input_tokens: used.input_tokens,
        total_output_tokens: used.output_tokens,
        total_tokens: used.input_tokens.saturating_add(used.output_tokens),
        total_cost: dollars(used.cost_microusd),
        currency: "USD",
    }))
}
