//! The tool calls of a run (§4).

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use stationmaster_http::App;
use stationmaster_kernel::error::Problems;
use stationmaster_kernel::tool_call::{self, Judged};
use stationmaster_kernel::{RunId, run};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::error::{ErrorBody, Problem};
use super::request::{Caller, Id, Query, read as look};

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(tool_calls))
}

/// A tool call of a run, as policy judged it.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct RunCall {
    id: String,
    run_id: String,
    agent_id: String,
    task_id: Option<String>,
    tool_name: String,
    /// The higher of what was reported and what policy found.
    risk_level: &'static str,
    reported_risk_level: &'static str,
    policy_result: Option<RunCallVerdict>,
    input_preview: Option<String>,
    input_hash: Option<String>,
    output_preview: Option<String>,
    output_hash: Option<String>,
    started_at: String,
    ended_at: Option<String>,
    duration_ms: Option<i64>,
    status: &'static str,
    error: Option<String>,
    retry_count: u32,
    created_at: String,
    updated_at: String,
}

/// How policy judged it.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct RunCallVerdict {
    decision: String,
    reason: String,
    approval_id: Option<String>,
}

impl From<Judged> for RunCallVerdict {
    fn from(it: Judged) -> Self {
        Self {
            decision: it.decision,
            reason: it.reason,
            approval_id: it.approval.map(String::from),
        }
    }
}

impl From<tool_call::ToolCall> for RunCall {
    fn from(it: tool_call::ToolCall) -> Self {
        Self {
            id: it.id.into(),
            run_id: it.run.into(),
            agent_id: it.agent.into(),
            task_id: it.task.map(String::from),
            tool_name: it.tool,
            risk_level: it.level.as_str(),
            reported_risk_level: it.reported_level.as_str(),
            policy_result: it.judged.map(RunCallVerdict::from),
            input_preview: it.input_preview,
            input_hash: it.input_hash,
            output_preview: it.output_preview,
            output_hash: it.output_hash,
            started_at: it.started_at.into(),
            ended_at: it.ended_at.map(String::from),
            duration_ms: it.ended_at.map(|end| end.0 - it.started_at.0),
            status: it.status.as_str(),
            error: it.error,
            retry_count: it.retry_count,
            created_at: it.created_at.into(),
            updated_at: it.updated_at.into(),
        }
    }
}

/// The tool calls of a run, oldest first.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct RunCalls {
    tool_calls: Vec<RunCall>,
    has_more: bool,
}

/// The tool calls of a run, oldest first
#[utoipa::path(get, path = "/api/v1/events/runs/{id}/tool-calls", tag = "OpenClaw",
    security(("agent_bearer" = []), ("operator" = [])),
    params(("id" = String, Path), ("limit" = Option<u32>, Query), ("offset" = Option<u32>, Query)),
    responses((status = 200, body = RunCalls), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody),
        (status = 403, body = ErrorBody), (status = 404, body = ErrorBody)))]
async fn tool_calls(
    State(app): State<App>,
    caller: Caller,
    Id(id): Id,
    query: Query,
) -> Result<Json<RunCalls>, Problem> {
    let mut problems = Problems::default();
    let (limit, offset) = query.page(&mut problems);
    problems.into_result()?;
    let id = RunId::new(id);
    look(&app, move |tx| {
        run::find(tx, &caller.who, &id)?;
        let mut found = tx.tool_calls_of_run(&id, offset, limit + 1)?;
        let has_more = found.len() > limit as usize;
        found.truncate(limit as usize);
        Ok(RunCalls {
            tool_calls: found.into_iter().map(RunCall::from).collect(),
            has_more,
        })
    })
    .await
}
