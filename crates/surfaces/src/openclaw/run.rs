//! Runs that agents report, and what they cost (§9.2, §11).

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use serde::Serialize;
use stationmaster_http::App;
use stationmaster_http::fields::Fields;
use stationmaster_kernel::budget;
use stationmaster_kernel::error::Problems;
use stationmaster_kernel::run::{self, Amended, Amendment, NewReport, RunFilter, Status, Usage};
use stationmaster_kernel::{Error, Object, RunId, TaskId, Timestamp, agent};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::error::{self, ErrorBody, Problem};
use super::money::Dollars;
use super::read;
use super::request::{Answer, Caller, Change, Id, Query, read as look};
use super::tool_call::ToolCall;

const STATUSES: &str = "RUNNING, COMPLETED, FAILED, TIMEOUT";

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(report))
        .routes(routes!(amend))
        .routes(routes!(list))
        .routes(routes!(get))
        .routes(routes!(tool_calls))
}

/// A run as this contract shows it.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Run {
    id: String,
    tenant_id: String,
    agent_id: String,
    task_id: Option<String>,
    session_key: Option<String>,
    model: String,
    /// `RUNNING`, `COMPLETED`, `FAILED` or `TIMEOUT`.
    status: &'static str,
    started_at: String,
    ended_at: Option<String>,
    duration_ms: Option<i64>,
    input_tokens: u64,
    output_tokens: u64,
    cache_read_tokens: Option<u64>,
    cache_write_tokens: Option<u64>,
    /// In US dollars.
    cost_usd: Dollars,
    estimated_cost: Option<Dollars>,
    /// What of its agent's budget is held for it while it runs.
    reserved: Dollars,
    error: Option<String>,
    #[schema(value_type = Object)]
    metadata: Object,
    /// When it was first heard of.
    created_at: String,
    updated_at: String,
}

impl Run {
    /// The run as it is at `now`.
    pub(super) fn of(it: run::Run, now: Timestamp) -> Self {
        let it = it.as_of(now);
        let cost_usd = it.cost().into();
        let detail = it.detail;
        let created_at = detail.received_at.unwrap_or(it.started_at);
        Self {
            id: it.id.into(),
            tenant_id: it.tenant.into(),
            agent_id: it.agent.into(),
            task_id: it.task.map(String::from),
            session_key: detail.session_key,
            model: it.model,
            status: it.status.as_str(),
            started_at: it.started_at.into(),
            ended_at: it.ended_at.map(String::from),
            duration_ms: it.ended_at.map(|end| end.0 - it.started_at.0),
            input_tokens: it.spend.input_tokens,
            output_tokens: it.spend.output_tokens,
            cache_read_tokens: detail.cache_read_tokens,
            cache_write_tokens: detail.cache_write_tokens,
            cost_usd,
            estimated_cost: detail.estimated_cost.map(Dollars::from),
            reserved: detail.reserved.into(),
            error: it.error,
            metadata: detail.metadata.unwrap_or_default(),
            created_at: created_at.into(),
            updated_at: detail.updated_at.unwrap_or(created_at).into(),
        }
    }
}

/// How near a limit is, or that it is passed (§9.3).
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct BudgetWarning {
    /// `APPROACHING_LIMIT` or `EXCEEDED`.
    #[serde(rename = "type")]
    kind: &'static str,
    /// In US dollars.
    remaining: Dollars,
    message: String,
}

impl From<budget::Warning> for BudgetWarning {
    fn from(it: budget::Warning) -> Self {
        Self {
            kind: if it.exceeded {
                "EXCEEDED"
            } else {
                "APPROACHING_LIMIT"
            },
            remaining: it.remaining.into(),
            message: it.message,
        }
    }
}

/// A run as it was taken down.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Reported {
    #[serde(flatten)]
    run: Run,
    /// Only when a limit is near or passed.
    #[serde(skip_serializing_if = "Option::is_none")]
    budget_warning: Option<BudgetWarning>,
}

impl Reported {
    fn of(it: run::Reported, now: Timestamp) -> Self {
        Self {
            run: Run::of(it.run, now),
            budget_warning: it.warning.map(BudgetWarning::from),
        }
    }
}

/// A run that begins, or one that is over already.
#[derive(ToSchema)]
#[expect(
    dead_code,
    reason = "only describes the body; it is read member by member"
)]
#[schema(rename_all = "camelCase")]
pub(super) struct RunBody {
    agent_id: String,
    session_key: String,
    model: String,
    /// RFC 3339.
    started_at: String,
    task_id: Option<String>,
    /// `RUNNING` unless `endedAt` is given.
    status: Option<String>,
    ended_at: Option<String>,
    input_tokens: Option<u64>,
    output_tokens: Option<u64>,
    cache_read_tokens: Option<u64>,
    cache_write_tokens: Option<u64>,
    /// In US dollars, 0 when missing.
    cost_usd: Option<f64>,
    /// What it may cost, which is held back while it runs.
    estimated_cost: Option<f64>,
    error: Option<String>,
    #[schema(value_type = Option<Object>)]
    metadata: Option<Object>,
}

/// What more is known of a run. Costs and tokens are all so far, so that a repeat counts nothing
/// twice.
#[derive(ToSchema)]
#[expect(
    dead_code,
    reason = "only describes the body; it is read member by member"
)]
#[schema(rename_all = "camelCase")]
pub(super) struct RunChangeBody {
    ended_at: Option<String>,
    input_tokens: Option<u64>,
    output_tokens: Option<u64>,
    cache_read_tokens: Option<u64>,
    cache_write_tokens: Option<u64>,
    cost_usd: Option<f64>,
    /// Final once it is not `RUNNING`.
    status: Option<String>,
    error: Option<String>,
}

fn usage(fields: &mut Fields) -> Usage {
    Usage {
        input_tokens: read::large_count(fields, "inputTokens"),
        output_tokens: read::large_count(fields, "outputTokens"),
        cache_read_tokens: read::large_count(fields, "cacheReadTokens"),
        cache_write_tokens: read::large_count(fields, "cacheWriteTokens"),
        cost: read::money(fields, "costUsd"),
    }
}

/// Report a run, at its start or when it is over
#[utoipa::path(post, path = "/api/v1/events/run", tag = "OpenClaw",
    security(("agent_bearer" = []), ("operator" = [])), request_body = RunBody,
    responses((status = 201, body = Reported), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody),
        (status = 403, body = ErrorBody), (status = 404, body = ErrorBody), (status = 422, body = ErrorBody)))]
async fn report(
    State(app): State<App>,
    caller: Caller,
    query: Query,
    Change { mut fields, once }: Change,
) -> Result<Response, Problem> {
    let named = fields.required_id("agentId");
    let tenant = read::tenant(&mut fields, &query);
    let session_key = fields.required_string("sessionKey");
    let model = fields.required_string("model");
    let started_at = read::required_instant(&mut fields, "startedAt");
    let new = NewReport {
        session_key,
        model,
        started_at: started_at.unwrap_or_default(),
        task: fields.string("taskId").map(TaskId::new),
        status: fields.word("status", Status::parse, STATUSES),
        ended_at: read::instant(&mut fields, "endedAt"),
        usage: usage(&mut fields),
        estimated_cost: read::money(&mut fields, "estimatedCost"),
        error: fields.string("error"),
        metadata: read::metadata(&mut fields),
    };
    fields.finish()?;
    let who = caller.as_agent(Some(&named), tenant.as_deref())?;
    once.run(&app, move |tx| {
        // An operator reports for an agent that there is.
        if let Some(handle) = who.handle() {
            agent::find(tx, who.tenant()?, handle)?;
        }
        let now = tx.now();
        let new = NewReport {
            started_at: started_at.unwrap_or(now),
            ..new.clone()
        };
        Answer::created(&Reported::of(run::report(tx, &who, new)?, now))
    })
    .await
}

/// Add what more is known of a run
///
/// Costs and tokens are all so far. They are taken down even when the status is refused because the
/// run has ended with another one.
#[utoipa::path(patch, path = "/api/v1/events/run/{id}", tag = "OpenClaw",
    security(("agent_bearer" = []), ("operator" = [])), params(("id" = String, Path)), request_body = RunChangeBody,
    responses((status = 200, body = Reported), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody),
        (status = 403, body = ErrorBody), (status = 404, body = ErrorBody), (status = 409, body = ErrorBody)))]
async fn amend(
    State(app): State<App>,
    caller: Caller,
    Id(id): Id,
    Change { mut fields, once }: Change,
) -> Result<Response, Problem> {
    let new = Amendment {
        ended_at: read::instant(&mut fields, "endedAt"),
        usage: usage(&mut fields),
        status: fields.word("status", Status::parse, STATUSES),
        error: fields.string("error"),
    };
    fields.finish()?;
    let id = RunId::new(id);
    once.run(&app, move |tx| {
        let now = tx.now();
        if let Some(named) = &caller.acting_for {
            let found = run::find(tx, &caller.who, &id)?;
            if found.agent != *named {
                return Err(Error::forbidden(
                    "agent_mismatch",
                    format!("X-Agent-Id says {named}, but the run is {}'s", found.agent),
                ));
            }
        }
        match run::amend(tx, &caller.who, &id, &new)? {
            Amended::Taken(reported) => Answer::ok(&Reported::of(reported, now)),
            Amended::StatusIsFinal(reported) => refused(&reported.run),
        }
    })
    .await
}

/// The status is refused; what the run cost has been taken down (rulings 12).
fn refused(it: &run::Run) -> Result<Answer, Error> {
    let status = it.status.as_str();
    let mut details = Object::new();
    details.insert("runId".to_owned(), it.id.as_str().into());
    details.insert("status".to_owned(), status.into());
    details.insert("costUsd".to_owned(), it.cost().as_dollars().into());
    let message = format!("the run is {status} already, which is final; its costs were taken down");
    let body = error::envelope("ALREADY_PROCESSED", &message, &details);
    Ok(Answer::new(StatusCode::CONFLICT, &body)?.unbound())
}

/// Runs, newest first.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Runs {
    runs: Vec<Run>,
    total: u64,
    has_more: bool,
}

/// Runs, newest first; an agent sees its own
#[utoipa::path(get, path = "/api/v1/events/runs", tag = "OpenClaw",
    security(("agent_bearer" = []), ("operator" = [])),
    params(("agentId" = Option<String>, Query), ("taskId" = Option<String>, Query),
        ("status" = Option<String>, Query), ("limit" = Option<u32>, Query), ("offset" = Option<u32>, Query),
        ("tenantId" = Option<String>, Query)),
    responses((status = 200, body = Runs), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody),
        (status = 403, body = ErrorBody)))]
async fn list(State(app): State<App>, caller: Caller, query: Query) -> Result<Json<Runs>, Problem> {
    let mut problems = Problems::default();
    let (limit, offset) = query.page(&mut problems);
    let status = query.word(&mut problems, "status", Status::parse, STATUSES);
    problems.into_result()?;
    let named = query
        .get("agentId")
        .map(|name| caller.agent_named(name))
        .transpose()?;
    let agent = match (caller.who.handle(), named) {
        (Some(own), Some(named)) if *own != named => {
            return Err(Error::forbidden(
                "agent_mismatch",
                format!("the token is {own}'s, and an agent sees only its own runs"),
            )
            .into());
        }
        (Some(own), _) => Some(own.clone()),
        (None, named) => named,
    };
    let filter = RunFilter {
        tenant: caller.scope(&query)?,
        agent,
        task: query.text("taskId").map(TaskId::new),
        status,
    };
    look(&app, move |tx| {
        let now = tx.now();
        let (found, total) = run::list(tx, &filter, offset, limit)?;
        let shown = u64::from(offset) + found.len() as u64;
        Ok(Runs {
            runs: found.into_iter().map(|it| Run::of(it, now)).collect(),
            total,
            has_more: shown < total,
        })
    })
    .await
}

/// One run
#[utoipa::path(get, path = "/api/v1/events/runs/{id}", tag = "OpenClaw",
    security(("agent_bearer" = []), ("operator" = [])), params(("id" = String, Path)),
    responses((status = 200, body = Run), (status = 401, body = ErrorBody), (status = 403, body = ErrorBody),
        (status = 404, body = ErrorBody)))]
async fn get(State(app): State<App>, caller: Caller, Id(id): Id) -> Result<Json<Run>, Problem> {
    let id = RunId::new(id);
    look(&app, move |tx| {
        let now = tx.now();
        Ok(Run::of(run::find(tx, &caller.who, &id)?, now))
    })
    .await
}

/// The tool calls of a run, oldest first.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct RunCalls {
    tool_calls: Vec<ToolCall>,
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
            tool_calls: found.into_iter().map(ToolCall::from).collect(),
            has_more,
        })
    })
    .await
}
