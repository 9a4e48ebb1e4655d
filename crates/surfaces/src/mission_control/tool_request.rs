//! Tool requests (§12): the kernel's approvals in this contract's words (rulings 7).

use axum::Json;
use axum::extract::State;
use axum::response::Response;
use serde::Serialize;
use serde_json::Value;
use stationmaster_http::App;
use stationmaster_http::fields::Fields;
use stationmaster_kernel::approval::{
    self, Approval, ApprovalFilter, Decision, NewApproval, Risk, Status,
};
use stationmaster_kernel::error::Problems;
use stationmaster_kernel::{ApprovalId, Principal, TaskId};
use utoipa::ToSchema;

use super::error::{ErrorBody, Problem};
use super::request::{
    AgentCaller, AnyCaller, Body, Id, Listed, Members, Query, create as create_once, same_tenant,
};

/// A tool request as this contract shows it.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ToolRequest {
    id: String,
    user_id: String,
    agent_role: String,
    task_id: Option<String>,
    title: String,
    justification: String,
    /// Text or an object, as it was given.
    #[schema(value_type = Option<Object>)]
    interface: Option<Value>,
    scope: Option<String>,
    /// `low`, `medium` or `high`.
    #[schema(value_type = String)]
    risk_level: &'static str,
    /// `pending`, `approved`, `denied` or `withdrawn`.
    #[schema(value_type = String)]
    status: &'static str,
    created_at: String,
    decided_at: Option<String>,
    decided_by: Option<String>,
    decision_note: Option<String>,
}

impl From<Approval> for ToolRequest {
    fn from(it: Approval) -> Self {
        let note = match it.status {
            Status::Expired => Some("expired".to_owned()),
            _ => it.decision_note,
        };
        Self {
            id: it.id.to_string(),
            user_id: it.tenant.to_string(),
            agent_role: it.requestor.to_string(),
            task_id: it.task.map(|id| id.to_string()),
            title: it.title,
            justification: it.justification,
            interface: it.interface,
            scope: it.scope,
            risk_level: it.risk.as_str(),
            status: word(it.status),
            created_at: it.created_at.to_string(),
            decided_at: it.decided_at.map(|at| at.to_string()),
            decided_by: it.decided_by,
            decision_note: note,
        }
    }
}

fn word(status: Status) -> &'static str {
    match status {
        Status::Pending => "pending",
        Status::Approved => "approved",
        Status::Denied | Status::Expired => "denied",
        Status::Canceled => "withdrawn",
    }
}

/// The states that a word of this contract stands for.
fn statuses(word: &str) -> Option<Vec<Status>> {
    Some(match word {
        "pending" => vec![Status::Pending],
        "approved" => vec![Status::Approved],
        "denied" => vec![Status::Denied, Status::Expired],
        "withdrawn" => vec![Status::Canceled],
        _ => return None,
    })
}

fn decision(word: &str) -> Option<Decision> {
    Some(match word {
        "approved" => Decision::Approve,
        "denied" => Decision::Deny,
        "withdrawn" => Decision::Withdraw,
        _ => return None,
    })
}

/// What is asked for.
#[derive(ToSchema)]
#[expect(
    dead_code,
    reason = "only describes the body; it is read member by member"
)]
pub(super) struct ToolRequestBody {
    title: String,
    justification: String,
    /// Text or an object.
    #[schema(value_type = Option<Object>)]
    interface: Option<Value>,
    scope: Option<String>,
    /// `low`, `medium` (when absent) or `high`.
    risk_level: Option<String>,
    task_id: Option<String>,
    idempotency_key: Option<String>,
}

/// What becomes of a request.
#[derive(ToSchema)]
#[expect(
    dead_code,
    reason = "only describes the body; it is read member by member"
)]
pub(super) struct DecisionBody {
    /// `approved` or `denied`; with the asker's agent token only `withdrawn`.
    status: String,
    note: Option<String>,
    /// Only where the path does not say which.
    id: Option<String>,
}

/// A page of tool requests.
#[derive(ToSchema)]
#[expect(dead_code, reason = "only describes the answer; see Listed")]
pub(super) struct ToolRequestList {
    items: Vec<ToolRequest>,
    next_cursor: Option<String>,
}

pub(super) fn read_new(fields: &mut Fields) -> NewApproval {
    let interface = fields.value("interface");
    if interface
        .as_ref()
        .is_some_and(|value| !value.is_string() && !value.is_object())
    {
        fields.problem("interface", "must be a string or an object");
    }
    NewApproval {
        task: fields
            .string("task_id")
            .filter(|id| !id.is_empty())
            .map(TaskId::new),
        title: fields.required_string("title"),
        justification: fields.required_string("justification"),
        interface,
        scope: fields.string("scope"),
        risk: fields
            .word("risk_level", Risk::parse, "low, medium, high")
            .unwrap_or(Risk::Medium),
    }
}

/// The tenant's tool requests, newest first; every tenant's for an operator
#[utoipa::path(get, path = "/api/mission-control/tool-requests", tag = "Mission Control",
    security(("agent_token" = []), ("operator" = []), ("internal_token" = [])),
    params(
        ("status" = Option<String>, Query, description = "pending, approved, denied or withdrawn"),
        ("task_id" = Option<String>, Query),
        ("limit" = Option<i64>, Query, description = "1 to 100, default 50"),
        ("cursor" = Option<String>, Query)),
    responses((status = 200, body = ToolRequestList), (status = 400, body = ErrorBody),
        (status = 401, body = ErrorBody)))]
pub(super) async fn list(
    State(app): State<App>,
    AnyCaller(who): AnyCaller,
    query: Query,
) -> Result<Json<Listed<ToolRequest>>, Problem> {
    let mut problems = Problems::default();
    let page = query.page(&mut problems);
    let statuses = match query.get("status") {
        None => Some(Vec::new()),
        Some(word) => statuses(word),
    };
    if statuses.is_none() {
        problems.add(
            "status",
            "must be one of pending, approved, denied, withdrawn",
        );
    }
    problems.into_result()?;
    let filter = ApprovalFilter {
        tenant: query.get("user_id").map(str::parse).transpose()?,
        statuses: statuses.unwrap_or_default(),
        task: query.text("task_id").map(TaskId::new),
        ..ApprovalFilter::default()
    };
    let found = app
        .database
        .read(move |tx| approval::list(tx, &who, filter.clone(), page))
        .await?;
    Ok(Json(Listed::of(found)))
}

/// Ask for approval
#[utoipa::path(post, path = "/api/mission-control/tool-requests", tag = "Mission Control",
    security(("agent_token" = [])), request_body = ToolRequestBody,
    responses((status = 200, body = ToolRequest), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody),
        (status = 403, body = ErrorBody), (status = 404, body = ErrorBody), (status = 409, body = ErrorBody),
        (status = 413, body = ErrorBody)))]
pub(super) async fn create(
    State(app): State<App>,
    AgentCaller(who): AgentCaller,
    Body { mut fields, once }: Body,
) -> Result<Response, Problem> {
    same_tenant(&who, fields.string("user_id").as_deref())?;
    let new = read_new(&mut fields);
    fields.finish()?;
    create_once(&app, &who, "tool_request", once, move |tx, who| {
        Ok(ToolRequest::from(approval::request(tx, who, new.clone())?))
    })
    .await
}

/// One tool request
#[utoipa::path(get, path = "/api/mission-control/tool-requests/{id}", tag = "Mission Control",
    security(("agent_token" = []), ("operator" = []), ("internal_token" = [])), params(("id" = String, Path)),
    responses((status = 200, body = ToolRequest), (status = 401, body = ErrorBody), (status = 404, body = ErrorBody)))]
pub(super) async fn get(
    State(app): State<App>,
    AnyCaller(who): AnyCaller,
    Id(id): Id,
) -> Result<Json<ToolRequest>, Problem> {
    let id = ApprovalId::new(id);
    let found = app
        .database
        .read(move |tx| approval::get(tx, &who, &id))
        .await?;
    Ok(Json(found.into()))
}

/// Decide a tool request, or withdraw it
#[utoipa::path(patch, path = "/api/mission-control/tool-requests/{id}", tag = "Mission Control",
    security(("operator" = []), ("internal_token" = []), ("agent_token" = [])), params(("id" = String, Path)),
    request_body = DecisionBody,
    responses((status = 200, body = ToolRequest), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody),
        (status = 403, body = ErrorBody), (status = 404, body = ErrorBody), (status = 409, body = ErrorBody)))]
pub(super) async fn decide(
    State(app): State<App>,
    AnyCaller(who): AnyCaller,
    Id(id): Id,
    Members(fields): Members,
) -> Result<Json<ToolRequest>, Problem> {
    settle(&app, who, ApprovalId::new(id), fields).await
}

/// The same, with the request's `id` in the body
#[utoipa::path(patch, path = "/api/mission-control/tool-requests", tag = "Mission Control",
    security(("operator" = []), ("internal_token" = []), ("agent_token" = [])), request_body = DecisionBody,
    responses((status = 200, body = ToolRequest), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody),
        (status = 403, body = ErrorBody), (status = 404, body = ErrorBody), (status = 409, body = ErrorBody)))]
pub(super) async fn decide_named(
    State(app): State<App>,
    AnyCaller(who): AnyCaller,
    Members(mut fields): Members,
) -> Result<Json<ToolRequest>, Problem> {
    let id = ApprovalId::new(fields.required_id("id"));
    settle(&app, who, id, fields).await
}

async fn settle(
    app: &App,
    who: Principal,
    id: ApprovalId,
    mut fields: Fields,
) -> Result<Json<ToolRequest>, Problem> {
    same_tenant(&who, fields.string("user_id").as_deref())?;
    let status = fields.required_string("status");
    let decision = decision(&status);
    if decision.is_none() && !status.is_empty() {
        fields.problem("status", "must be one of approved, denied, withdrawn");
    }
    let note = fields.string("note");
    fields.finish()?;
    let Some(decision) = decision else {
        return Err(Problem(stationmaster_kernel::Error::invalid(
            "status",
            "must not be empty",
        )));
    };
    let settled = app
        .database
        .write(move |tx| approval::decide(tx, &who, &id, decision, note.clone()))
        .await?;
    Ok(Json(settled.into()))
}
