//! Approvals: what agents ask people for (§10).

use axum::extract::State;
use axum::response::Response;
use serde::Serialize;
use stationmaster_http::App;
use stationmaster_http::fields::Fields;
use stationmaster_kernel::approval::{
    self, ApprovalFilter, Ask, Decision, Request, Ruling, Status,
};
use stationmaster_kernel::error::Problems;
use stationmaster_kernel::state::State as TaskState;
use stationmaster_kernel::tool_call::Level;
use stationmaster_kernel::{ApprovalId, Object, TaskId, Timestamp, ToolCallId};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::error::{ErrorBody, Problem};
use super::grant::{Grant, GrantBody, widening};
use super::read::{duration, money};
use super::request::{Answer, Caller, Change, Id, Query, read};
use super::task::Task;

/// An approval that expires sooner than this is urgent.
const URGENT: std::time::Duration = std::time::Duration::from_secs(3600);

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(list, ask))
        .routes(routes!(pending))
        .routes(routes!(get))
        .routes(routes!(decide))
        .routes(routes!(approve))
        .routes(routes!(deny))
        .routes(routes!(cancel))
}

/// An approval and what became of it.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Approval {
    #[schema(example = "approval_0192f7c0c1d27b0d")]
    id: String,
    tenant_id: String,
    task_id: Option<String>,
    tool_call_id: Option<String>,
    requestor_agent_id: String,
    /// `TOOL_EXEC`, `BUDGET_OVERRIDE`, `STATE_TRANSITION` or `SPAWN`.
    action_type: &'static str,
    action_summary: String,
    /// `YELLOW` or `RED`.
    risk_level: &'static str,
    #[schema(value_type = Option<Object>)]
    action_payload: Option<Object>,
    /// In US dollars.
    estimated_cost: Option<f64>,
    rollback_plan: Option<String>,
    justification: String,
    /// What held the action back when it was asked for.
    violations: Vec<String>,
    /// `PENDING`, `APPROVED`, `DENIED`, `EXPIRED` or `CANCELED`.
    status: &'static str,
    /// Nobody decided for half an hour.
    escalated: bool,
    /// How many people approved so far, where it takes two.
    decision_count: usize,
    /// `null`: it waits for good.
    expires_at: Option<String>,
    decided_by: Option<String>,
    /// `HUMAN`, `AGENT` or `SYSTEM`.
    decided_by_type: Option<&'static str>,
    decided_at: Option<String>,
    decision_reason: Option<String>,
    /// When what was approved was done.
    used_at: Option<String>,
    created_at: String,
    updated_at: String,
}

impl From<approval::Approval> for Approval {
    fn from(it: approval::Approval) -> Self {
        let detail = *it.detail;
        let approvals = usize::from(it.status == Status::Approved);
        Self {
            id: it.id.into(),
            tenant_id: it.tenant.into(),
            task_id: it.task.map(String::from),
            tool_call_id: detail.tool_call.map(String::from),
            requestor_agent_id: it.requestor.into(),
            // A request for an interface asks to use a tool.
            action_type: detail.ask.unwrap_or(Ask::ToolExec).as_str(),
            action_summary: it.title,
            risk_level: it.risk.level().as_str(),
            action_payload: detail.payload,
            estimated_cost: detail.estimated_cost.map(|it| it.as_dollars()),
            rollback_plan: detail.rollback_plan,
            justification: it.justification,
            violations: detail.violations,
            status: it.status.as_str(),
            escalated: detail.escalated,
            decision_count: detail.approvers.len().max(approvals),
            expires_at: it.expires_at.map(String::from),
            decided_by: it
                .decided_by
                .map(|who| who.strip_prefix("agent:").map(str::to_owned).unwrap_or(who)),
            decided_by_type: detail.decided_by_kind.map(|kind| kind.as_str()),
            decided_at: it.decided_at.map(String::from),
            decision_reason: it.decision_note,
            used_at: detail.used_at.map(String::from),
            created_at: it.created_at.into(),
            // One that was settled before this was kept changed when it was decided or used.
            updated_at: detail
                .updated_at
                .or(detail.used_at)
                .or(it.decided_at)
                .unwrap_or(it.created_at)
                .into(),
        }
    }
}

/// A page of approvals, newest first.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Approvals {
    approvals: Vec<Approval>,
    total: u64,
    has_more: bool,
}

/// What waits for a decision, soonest to expire first.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Pending {
    approvals: Vec<Approval>,
    /// How many of them expire within an hour.
    urgent_count: usize,
}

/// An approval that was asked for.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Asked {
    #[serde(flatten)]
    approval: Approval,
    /// False: the same was asked before and still waits.
    created: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    task: Option<Task>,
}

/// An approval that was decided, and what came of it.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Decided {
    #[serde(flatten)]
    approval: Approval,
    #[serde(skip_serializing_if = "Option::is_none")]
    task: Option<Task>,
    /// What is let through from now on.
    #[serde(skip_serializing_if = "Option::is_none")]
    grant: Option<Grant>,
}

impl From<approval::Decided> for Decided {
    fn from(it: approval::Decided) -> Self {
        Self {
            approval: it.approval.into(),
            task: it.task.map(Task::from),
            grant: it.grant.map(Grant::from),
        }
    }
}

/// What an agent asks for.
#[derive(ToSchema)]
#[expect(
    dead_code,
    reason = "only describes the body; it is read member by member"
)]
#[schema(rename_all = "camelCase")]
pub(super) struct ApprovalBody {
    /// `TOOL_EXEC`, `BUDGET_OVERRIDE`, `STATE_TRANSITION` or `SPAWN`.
    action_type: String,
    /// At most 500 characters.
    action_summary: String,
    /// `YELLOW` or `RED`; what is `GREEN` needs no approval.
    risk_level: String,
    justification: String,
    /// The agent must be assigned to it, or a LEAD. It waits from now on.
    task_id: Option<String>,
    tool_call_id: Option<String>,
    /// What is to be done: for `TOOL_EXEC` the action as `POST /policy/evaluate` takes it, for
    /// `STATE_TRANSITION` a `toStatus`.
    #[schema(value_type = Option<Object>)]
    action_payload: Option<Object>,
    /// In US dollars.
    estimated_cost: Option<f64>,
    rollback_plan: Option<String>,
    /// `24h` unless said otherwise, at most `7d`.
    expires_in: Option<String>,
}

/// What is decided, where the path does not say it.
#[derive(ToSchema)]
#[expect(
    dead_code,
    reason = "only describes the body; it is read member by member"
)]
#[schema(rename_all = "camelCase")]
pub(super) struct DecisionBody {
    /// `APPROVED` or `DENIED`.
    decision: String,
    /// Required to deny.
    reason: Option<String>,
    /// Where a task goes whose request is denied: `IN_PROGRESS`, `ASSIGNED` or `CANCELED`;
    /// `BLOCKED` when absent.
    task_status: Option<String>,
    /// Lets through more than this action once.
    grant: Option<GrantBody>,
}

/// Why, and what else.
#[derive(ToSchema)]
#[expect(
    dead_code,
    reason = "only describes the body; it is read member by member"
)]
#[schema(rename_all = "camelCase")]
pub(super) struct ReasonBody {
    /// Required to deny.
    reason: Option<String>,
    /// Only for a denial.
    task_status: Option<String>,
    /// Only for an approval.
    grant: Option<GrantBody>,
}

fn read_request(fields: &mut Fields) -> Request {
    let asks = Ask::ALL.map(Ask::as_str).join(", ");
    if !fields.has("actionType") {
        fields.problem("actionType", format!("is required: one of {asks}"));
    }
    if !fields.has("riskLevel") {
        fields.problem("riskLevel", "is required: YELLOW or RED");
    }
    Request {
        ask: fields
            .word("actionType", Ask::parse, &asks)
            .unwrap_or(Ask::ToolExec),
        summary: fields.required_string("actionSummary"),
        justification: fields.required_string("justification"),
        level: fields
            .word("riskLevel", Level::parse, "YELLOW, RED")
            .unwrap_or(Level::Red),
        task: fields.string("taskId").map(TaskId::new),
        tool_call: fields.string("toolCallId").map(ToolCallId::new),
        payload: fields.object("actionPayload"),
        estimated_cost: money(fields, "estimatedCost"),
        rollback_plan: fields.string("rollbackPlan"),
        expires_in: duration(fields, "expiresIn"),
    }
}

/// Ask for approval
#[utoipa::path(post, path = "/api/v1/approvals", tag = "OpenClaw",
    security(("agent_bearer" = []), ("operator" = [])), request_body = ApprovalBody,
    responses((status = 201, body = Asked), (status = 200, body = Asked, description = "The same still waits"),
        (status = 400, body = ErrorBody), (status = 403, body = ErrorBody), (status = 404, body = ErrorBody),
        (status = 422, body = ErrorBody)))]
async fn ask(
    State(app): State<App>,
    caller: Caller,
    Change { mut fields, once }: Change,
) -> Result<Response, Problem> {
    let request = read_request(&mut fields);
    once.run_whole(&app, fields, move |tx| {
        let asked = approval::ask(tx, &caller.who, request.clone())?;
        let created = asked.created;
        let shown = Asked {
            approval: asked.approval.into(),
            created,
            task: asked.task.map(Task::from),
        };
        if created {
            Answer::created(&shown)
        } else {
            Answer::ok(&shown)
        }
    })
    .await
}

/// Approvals, newest first: an agent's own, an operator's all
#[utoipa::path(get, path = "/api/v1/approvals", tag = "OpenClaw",
    security(("agent_bearer" = []), ("operator" = [])),
    params(("status" = Option<String>, Query, description = "One or more, comma separated"),
        ("requestorId" = Option<String>, Query), ("taskId" = Option<String>, Query),
        ("actionType" = Option<String>, Query), ("tenantId" = Option<String>, Query),
        ("limit" = Option<u32>, Query), ("offset" = Option<u32>, Query)),
    responses((status = 200, body = Approvals), (status = 400, body = ErrorBody), (status = 403, body = ErrorBody)))]
async fn list(
    State(app): State<App>,
    caller: Caller,
    query: Query,
) -> Result<axum::Json<Approvals>, Problem> {
    let mut problems = Problems::default();
    let (limit, offset) = query.page(&mut problems);
    let names = "PENDING, APPROVED, DENIED, EXPIRED, CANCELED";
    let statuses = query.words(&mut problems, "status", Status::parse, names);
    let asks = Ask::ALL.map(Ask::as_str).join(", ");
    let ask = query.word(&mut problems, "actionType", Ask::parse, &asks);
    problems.into_result()?;
    let requestor = query.get("requestorId");
    let filter = ApprovalFilter {
        tenant: caller.scope(&query)?,
        statuses,
        task: query.text("taskId").map(TaskId::new),
        requestor: requestor.map(|it| caller.agent_named(it)).transpose()?,
        ask,
    };
    read(&app, move |tx| {
        let (found, total) = approval::board(tx, &caller.who, filter.clone(), offset, limit)?;
        let seen = u64::from(offset) + found.len() as u64;
        Ok(Approvals {
            approvals: found.into_iter().map(Approval::from).collect(),
            total,
            has_more: seen < total,
        })
    })
    .await
}

/// What waits for a decision, for operators and leads
#[utoipa::path(get, path = "/api/v1/approvals/pending", tag = "OpenClaw",
    security(("agent_bearer" = []), ("operator" = [])), params(("tenantId" = Option<String>, Query)),
    responses((status = 200, body = Pending), (status = 403, body = ErrorBody)))]
async fn pending(
    State(app): State<App>,
    caller: Caller,
    query: Query,
) -> Result<axum::Json<Pending>, Problem> {
    let filter = ApprovalFilter {
        tenant: caller.scope(&query)?,
        ..ApprovalFilter::default()
    };
    read(&app, move |tx| {
        let soon: Timestamp = tx.now().after(URGENT);
        let found = approval::waiting(tx, &caller.who, filter.clone())?;
        let is_urgent = |it: &&approval::Approval| it.expires_at.is_some_and(|at| at <= soon);
        Ok(Pending {
            urgent_count: found.iter().filter(is_urgent).count(),
            approvals: found.into_iter().map(Approval::from).collect(),
        })
    })
    .await
}

/// One approval, for the agent that asked, leads and operators
#[utoipa::path(get, path = "/api/v1/approvals/{id}", tag = "OpenClaw",
    security(("agent_bearer" = []), ("operator" = [])), params(("id" = String, Path)),
    responses((status = 200, body = Approval), (status = 403, body = ErrorBody), (status = 404, body = ErrorBody)))]
async fn get(
    State(app): State<App>,
    caller: Caller,
    Id(id): Id,
) -> Result<axum::Json<Approval>, Problem> {
    let id = ApprovalId::new(id);
    read(&app, move |tx| {
        Ok(approval::show(tx, &caller.who, &id)?.into())
    })
    .await
}

/// Decide a request
#[utoipa::path(post, path = "/api/v1/approvals/{id}/decide", tag = "OpenClaw",
    security(("operator" = []), ("agent_bearer" = [])), params(("id" = String, Path)), request_body = DecisionBody,
    responses((status = 200, body = Decided), (status = 400, body = ErrorBody), (status = 403, body = ErrorBody),
        (status = 404, body = ErrorBody), (status = 409, body = ErrorBody), (status = 422, body = ErrorBody)))]
async fn decide(
    State(app): State<App>,
    caller: Caller,
    Id(id): Id,
    Change { mut fields, once }: Change,
) -> Result<Response, Problem> {
    let words = "APPROVED, DENIED";
    if !fields.has("decision") {
        fields.problem("decision", format!("is required: one of {words}"));
    }
    let decision = fields.word("decision", decision_of, words);
    let change = Change { fields, once };
    settle(&app, caller, id, decision.unwrap_or(Decision::Deny), change).await
}

fn decision_of(word: &str) -> Option<Decision> {
    match word {
        "APPROVED" => Some(Decision::Approve),
        "DENIED" => Some(Decision::Deny),
        _ => None,
    }
}

/// Approve a request
#[utoipa::path(post, path = "/api/v1/approvals/{id}/approve", tag = "OpenClaw",
    security(("operator" = []), ("agent_bearer" = [])), params(("id" = String, Path)), request_body = ReasonBody,
    responses((status = 200, body = Decided), (status = 400, body = ErrorBody), (status = 403, body = ErrorBody),
        (status = 404, body = ErrorBody), (status = 409, body = ErrorBody), (status = 422, body = ErrorBody)))]
async fn approve(
    State(app): State<App>,
    caller: Caller,
    Id(id): Id,
    change: Change,
) -> Result<Response, Problem> {
    settle(&app, caller, id, Decision::Approve, change).await
}

/// Deny a request
#[utoipa::path(post, path = "/api/v1/approvals/{id}/deny", tag = "OpenClaw",
    security(("operator" = []), ("agent_bearer" = [])), params(("id" = String, Path)), request_body = ReasonBody,
    responses((status = 200, body = Decided), (status = 400, body = ErrorBody), (status = 403, body = ErrorBody),
        (status = 404, body = ErrorBody), (status = 409, body = ErrorBody), (status = 422, body = ErrorBody)))]
async fn deny(
    State(app): State<App>,
    caller: Caller,
    Id(id): Id,
    change: Change,
) -> Result<Response, Problem> {
    settle(&app, caller, id, Decision::Deny, change).await
}

/// Take a request back
#[utoipa::path(post, path = "/api/v1/approvals/{id}/cancel", tag = "OpenClaw",
    security(("agent_bearer" = []), ("operator" = [])), params(("id" = String, Path)), request_body = ReasonBody,
    responses((status = 200, body = Decided), (status = 400, body = ErrorBody), (status = 403, body = ErrorBody),
        (status = 404, body = ErrorBody), (status = 409, body = ErrorBody), (status = 422, body = ErrorBody)))]
async fn cancel(
    State(app): State<App>,
    caller: Caller,
    Id(id): Id,
    change: Change,
) -> Result<Response, Problem> {
    settle(&app, caller, id, Decision::Withdraw, change).await
}

async fn settle(
    app: &App,
    caller: Caller,
    id: String,
    decision: Decision,
    Change { mut fields, once }: Change,
) -> Result<Response, Problem> {
    let states = "IN_PROGRESS, ASSIGNED, CANCELED";
    let ruling = Ruling {
        reason: fields.string("reason"),
        task_state: fields.word("taskStatus", TaskState::parse, states),
        widening: widening(&mut fields),
        ..Ruling::new(decision)
    };
    fields.finish()?;
    let id = ApprovalId::new(id);
    once.run(app, move |tx| {
        let decided = approval::rule(tx, &caller.who, &id, ruling.clone())?;
        Answer::ok(&Decided::from(decided))
    })
    .await
}
