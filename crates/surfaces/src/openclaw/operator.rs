//! The operator's mode: one switch that holds up every agent at once (§4, §16).

use axum::Json;
use axum::extract::State;
use axum::response::Response;
use serde::Serialize;
use stationmaster_http::App;
use stationmaster_kernel::operator::{self, Mode, Stance};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::error::{ErrorBody, Problem};
use super::read;
use super::request::{Answer, Caller, Change, read as look};

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(get, set))
}

/// The mode as it stands.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct OperatorMode {
    /// `NORMAL`; `PAUSED`: nothing starts, nothing is claimed, no tool runs; `DRAINING`: what is
    /// under way may be finished; `QUARANTINED`: as paused, and nobody speaks.
    mode: &'static str,
    reason: Option<String>,
    set_by: Option<String>,
    set_at: Option<String>,
}

impl From<Stance> for OperatorMode {
    fn from(it: Stance) -> Self {
        Self {
            mode: it.mode.as_str(),
            reason: it.reason,
            set_by: it.set_by,
            set_at: it.set_at.map(String::from),
        }
    }
}

/// The operator's mode
#[utoipa::path(get, path = "/api/v1/operator/mode", tag = "OpenClaw", security(("operator" = [])),
    responses((status = 200, body = OperatorMode), (status = 401, body = ErrorBody), (status = 403, body = ErrorBody)))]
async fn get(State(app): State<App>, caller: Caller) -> Result<Json<OperatorMode>, Problem> {
    caller.who.operate("see the operator's mode")?;
    look(&app, |tx| Ok(OperatorMode::from(tx.stance()?))).await
}

/// Which mode to set, and why.
#[derive(ToSchema)]
#[expect(
    dead_code,
    reason = "only describes the body; it is read member by member"
)]
pub(super) struct ModeBody {
    /// `NORMAL`, `PAUSED`, `DRAINING` or `QUARANTINED`.
    mode: String,
    reason: Option<String>,
}

/// Hold up every agent, or let them go on
#[utoipa::path(put, path = "/api/v1/operator/mode", tag = "OpenClaw", security(("operator" = [])),
    request_body = ModeBody,
    responses((status = 200, body = OperatorMode), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody),
        (status = 403, body = ErrorBody)))]
async fn set(
    State(app): State<App>,
    caller: Caller,
    Change { mut fields, once }: Change,
) -> Result<Response, Problem> {
    caller.who.operate("set the operator's mode")?;
    let words = Mode::ALL.map(Mode::as_str).join(", ");
    let mode = read::required_word(&mut fields, "mode", Mode::parse, &words).unwrap_or_default();
    let reason = fields.string("reason");
    fields.finish()?;
    once.run(&app, move |tx| {
        let stance = operator::set(tx, &caller.who, mode, reason.clone())?;
        Answer::ok(&OperatorMode::from(stance))
    })
    .await
}
