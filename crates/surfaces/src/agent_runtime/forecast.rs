//! What calls of a model will cost (§11). The contract names the route and no shape; docs/choices.md has ours.

use std::sync::Arc;

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::HeaderMap;
use serde::Serialize;
use stationmaster_http::body;
use stationmaster_http::fields::Fields;
use utoipa::ToSchema;

use super::Daemon;
use super::error::{ErrorBody, Problem};
use super::send::{BODY_LIMIT, Cost, Usage};

/// What is to be asked of a model.
#[derive(ToSchema)]
#[expect(
    dead_code,
    reason = "only describes the body; it is read member by member"
)]
pub(super) struct ForecastBody {
    /// The usual one when left out.
    model: Option<String>,
    /// A text to be read, counted as a token for every four characters.
    message: Option<String>,
    /// Tokens to be read, in place of `message`.
    prompt_tokens: Option<u64>,
    /// Tokens to be written; the most that an answer may have when left out.
    completion_tokens: Option<u64>,
    /// How often; 1 when left out.
    calls: Option<u32>,
}

/// What it will cost.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ForecastReply {
    #[schema(value_type = String, example = "ok")]
    status: &'static str,
    /// Whether the model has a price; a model without one is counted as free.
    priced: bool,
    usage: Usage,
    cost: Cost,
}

/// What calls of a model will cost
#[utoipa::path(post, path = "/cost/forecast", tag = "Agent runtime", security(("daemon_key" = []), ()), request_body = ForecastBody,
    responses((status = 200, body = ForecastReply), (status = 400, body = ErrorBody), (status = 403, body = ErrorBody), (status = 413, body = ErrorBody)))]
pub(super) async fn forecast(
    State(daemon): State<Arc<Daemon>>,
    headers: HeaderMap,
    content: Body,
) -> Result<Json<ForecastReply>, Problem> {
    daemon.app.gate.daemon(&headers)?;
    let bytes = body::read(content, BODY_LIMIT)
        .await
        .map_err(Problem::Body)?;
    let mut fields = Fields::new(body::object(&bytes)?);
    let model = fields
        .string("model")
        .filter(|name| !name.trim().is_empty());
    let message = fields.string("message");
    let counted = count(&mut fields, "prompt_tokens", u32::MAX);
    if message.is_none() && counted.is_none() {
        fields.problem("prompt_tokens", "is required where there is no message");
    }
    let of_text = message.map_or(0, |text| text.chars().count().div_ceil(4) as u64);
    let output = count(&mut fields, "completion_tokens", u32::MAX);
    let calls = count(&mut fields, "calls", 1_000_000).map_or(1, |calls| calls as u32);
    fields.finish()?;
    let input = counted.unwrap_or(of_text);
    let forecast = daemon.runtime.forecast(model, input, output, calls);
    Ok(Json(ForecastReply {
        status: "ok",
        priced: forecast.is_priced,
        usage: Usage::from(&forecast.spent),
        cost: Cost::of(forecast.model, &forecast.spent),
    }))
}

fn count(fields: &mut Fields, name: &str, most: u32) -> Option<u64> {
    let number = fields.integer(name)?;
    let fits = u64::try_from(number).ok().filter(|it| *it <= most.into());
    if fits.is_none() {
        fields.problem(name, format!("must be a whole number from 0 to {most}"));
    }
    fits
}
