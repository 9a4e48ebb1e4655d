//! Tool calls that agents report, before and after (§11).

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use serde::Serialize;
use serde_json::json;
use stationmaster_http::App;
use stationmaster_http::fields::Fields;
use stationmaster_kernel::policy::{Decision, Verdict};
use stationmaster_kernel::tool_call::{self, Level, Report, Reported, Status};
use stationmaster_kernel::{ApprovalId, Object, RunId, TaskId, Timestamp, ToolCallId};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::error::{self, ErrorBody, Problem};
use super::policy::Required;
use super::read::{count, instant, required_instant};
use super::request::{Answer, Caller, Change, Id, read};

const LEVELS: &str = "GREEN, YELLOW, RED";

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(report))
        .routes(routes!(get, update))
}

/// A tool call, as it was reported and judged.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct ToolCall {
    #[schema(example = "tc_0192f7c0c1d27b0d")]
    id: String,
    tenant_id: String,
    run_id: String,
    agent_id: String,
    task_id: Option<String>,
    tool_name: String,
    /// The higher of what was reported and what policy found.
    risk_level: &'static str,
    reported_risk_level: &'static str,
    policy_result: Option<PolicyResult>,
    input_preview: Option<String>,
    input_hash: Option<String>,
    output_preview: Option<String>,
    output_hash: Option<String>,
    started_at: String,
    ended_at: Option<String>,
    duration_ms: Option<i64>,
    /// `PENDING`, `RUNNING`, `SUCCESS`, `FAILED` or `DENIED`.
    status: &'static str,
    error: Option<String>,
    retry_count: u32,
    created_at: String,
    updated_at: String,
}

/// How policy judged a tool call.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct PolicyResult {
    /// `ALLOW`, `DENY` or `NEEDS_APPROVAL`.
    decision: String,
    reason: String,
    violations: Vec<String>,
    /// What let it through, if an approval did.
    approval_id: Option<String>,
    grant_ids: Vec<String>,
}

impl From<tool_call::ToolCall> for ToolCall {
    fn from(it: tool_call::ToolCall) -> Self {
        Self {
            id: it.id.into(),
            tenant_id: it.tenant.into(),
            run_id: it.run.into(),
            agent_id: it.agent.into(),
            task_id: it.task.map(String::from),
            tool_name: it.tool,
            risk_level: it.level.as_str(),
            reported_risk_level: it.reported_level.as_str(),
            policy_result: it.judged.map(|judged| PolicyResult {
                decision: judged.decision,
                reason: judged.reason,
                violations: judged.violations,
                approval_id: judged.approval.map(String::from),
                grant_ids: judged.grants.into_iter().map(String::from).collect(),
            }),
            input_preview: it.input_preview,
            input_hash: it.input_hash,
            output_preview: it.output_preview,
            output_hash: it.output_hash,
            duration_ms: it.ended_at.map(|at| (at.0 - it.started_at.0).max(0)),
            started_at: it.started_at.into(),
            ended_at: it.ended_at.map(String::from),
            status: it.status.as_str(),
            error: it.error,
            retry_count: it.retry_count,
            created_at: it.created_at.into(),
            updated_at: it.updated_at.into(),
        }
    }
}

/// A tool call about to begin.
#[derive(ToSchema)]
#[expect(
    dead_code,
    reason = "only describes the body; it is read member by member"
)]
#[schema(rename_all = "camelCase")]
pub(super) struct ToolCallBody {
    run_id: String,
    agent_id: String,
    tool_name: String,
    /// What the agent takes it to be: `GREEN`, `YELLOW` or `RED`.
    risk_level: String,
    started_at: String,
    /// `PENDING` or `RUNNING`.
    status: Option<String>,
    /// The run's when absent.
    task_id: Option<String>,
    input_preview: Option<String>,
    /// SHA-256 in hex; made from the input when absent.
    input_hash: Option<String>,
    /// What the tool is called with: `command`, `path`, `url`, …; it is judged by this.
    #[schema(value_type = Option<Object>)]
    input: Option<Object>,
    /// What the agent was told of it: `approvalId` names the approval that it has.
    #[schema(value_type = Option<Object>)]
    policy_result: Option<Object>,
    tenant_id: Option<String>,
}

/// What became of a tool call.
#[derive(ToSchema)]
#[expect(
    dead_code,
    reason = "only describes the body; it is read member by member"
)]
#[schema(rename_all = "camelCase")]
pub(super) struct ToolCallChange {
    ended_at: Option<String>,
    /// `RUNNING`, `SUCCESS`, `FAILED` or `DENIED`.
    status: Option<String>,
    output_preview: Option<String>,
    output_hash: Option<String>,
    error: Option<String>,
    retry_count: Option<u32>,
}

fn read_report(fields: &mut Fields, started_at: Option<Timestamp>) -> Report {
    if !fields.has("riskLevel") {
        fields.problem("riskLevel", "is required: one of GREEN, YELLOW, RED");
    }
    let judged = fields.object("policyResult").unwrap_or_default();
    let named = judged.get("approvalId").and_then(|it| it.as_str());
    Report {
        run: RunId::new(fields.required_id("runId")),
        tool: fields.required_string("toolName"),
        level: fields
            .word("riskLevel", Level::parse, LEVELS)
            .unwrap_or(Level::Red),
        started_at: started_at.unwrap_or_default(),
        status: fields
            .word("status", Status::parse, "PENDING, RUNNING")
            .unwrap_or(Status::Running),
        task: fields.string("taskId").map(TaskId::new),
        input_preview: fields.string("inputPreview"),
        input_hash: fields.string("inputHash"),
        input: fields.object("input"),
        approval: named.map(ApprovalId::new),
    }
}

/// Report a tool call, before it runs: it is judged, and kept as denied if it may not
#[utoipa::path(post, path = "/api/v1/events/tool-call", tag = "OpenClaw",
    security(("agent_bearer" = []), ("operator" = [])), request_body = ToolCallBody,
    responses((status = 201, body = ToolCall), (status = 400, body = ErrorBody),
        (status = 403, body = ErrorBody, description = "Kept as denied; `details.toolCallId` names it"),
        (status = 404, body = ErrorBody)))]
async fn report(
    State(app): State<App>,
    caller: Caller,
    Change { mut fields, once }: Change,
) -> Result<Response, Problem> {
    let agent = fields.required_id("agentId");
    let tenant = fields.string("tenantId");
    let started_at = required_instant(&mut fields, "startedAt");
    let report = read_report(&mut fields, started_at);
    fields.finish()?;
    let who = caller.as_agent(Some(&agent), tenant.as_deref())?;
    once.run(&app, move |tx| {
        let report = Report {
            started_at: started_at.unwrap_or(tx.now()),
            ..report.clone()
        };
        match tool_call::report(tx, &who, report)? {
            Reported::Admitted(call) => Answer::created(&ToolCall::from(call)),
            Reported::Refused { call, verdict } => {
                let code = match verdict.decision {
                    Decision::Deny => "POLICY_DENIED",
                    Decision::Allow | Decision::NeedsApproval => "POLICY_VIOLATION",
                };
                let body = error::envelope(code, &verdict.reason, &refusal(&call, &verdict));
                Answer::new(StatusCode::FORBIDDEN, &body)
            }
        }
    })
    .await
}

/// What an agent is told of a call that it may not make.
fn refusal(call: &tool_call::ToolCall, verdict: &Verdict) -> Object {
    let members = [
        ("toolCallId", json!(call.id.as_str())),
        ("decision", json!(verdict.decision.as_str())),
        ("riskLevel", json!(call.level.as_str())),
        ("violations", json!(verdict.violations)),
        ("approvalRequired", json!(Required::of(verdict))),
    ];
    members
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value))
        .collect()
}

/// One tool call
#[utoipa::path(get, path = "/api/v1/events/tool-call/{id}", tag = "OpenClaw",
    security(("agent_bearer" = []), ("operator" = [])), params(("id" = String, Path)),
    responses((status = 200, body = ToolCall), (status = 404, body = ErrorBody)))]
async fn get(
    State(app): State<App>,
    caller: Caller,
    Id(id): Id,
) -> Result<axum::Json<ToolCall>, Problem> {
    let id = ToolCallId::new(id);
    read(&app, move |tx| {
        Ok(tool_call::get(tx, &caller.who, &id)?.into())
    })
    .await
}

/// Report what became of a tool call
#[utoipa::path(patch, path = "/api/v1/events/tool-call/{id}", tag = "OpenClaw",
    security(("agent_bearer" = []), ("operator" = [])), params(("id" = String, Path)), request_body = ToolCallChange,
    responses((status = 200, body = ToolCall), (status = 400, body = ErrorBody), (status = 404, body = ErrorBody),
        (status = 409, body = ErrorBody)))]
async fn update(
    State(app): State<App>,
    caller: Caller,
    Id(id): Id,
    Change { mut fields, once }: Change,
) -> Result<Response, Problem> {
    let statuses = Status::ALL.map(Status::as_str).join(", ");
    let change = tool_call::Change {
        ended_at: instant(&mut fields, "endedAt"),
        status: fields.word("status", Status::parse, &statuses),
        output_preview: fields.string("outputPreview"),
        output_hash: fields.string("outputHash"),
        error: fields.string("error"),
        retry_count: count(&mut fields, "retryCount"),
    };
    fields.finish()?;
    let id = ToolCallId::new(id);
    once.run(&app, move |tx| {
        let call = tool_call::update(tx, &caller.who, &id, change.clone())?;
        Answer::ok(&ToolCall::from(call))
    })
    .await
}
