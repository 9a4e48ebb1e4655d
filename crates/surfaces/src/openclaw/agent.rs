//! Agents: registered, changed, held up and let go on (§4, §6).

use axum::Json;
use axum::extract::State;
use axum::response::Response;
use serde::Serialize;
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use stationmaster_credentials::Secret;
use stationmaster_http::App;
use stationmaster_http::fields::Fields;
use stationmaster_kernel::agent::{
    self, AgentChange, AgentFilter, Control, NewAgent, NewControl, Rank, Status,
};
use stationmaster_kernel::budget::{self, Day};
use stationmaster_kernel::error::Problems;
use stationmaster_kernel::kind::TaskKind;
use stationmaster_kernel::run::Run;
use stationmaster_kernel::task::Task;
use stationmaster_kernel::token::Token;
use stationmaster_kernel::{Error, Object, TokenId, Tx};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::error::{ErrorBody, Problem};
use super::read;
use super::request::{Answer, Caller, Change, Id, Ids, Query, read as look};

/// What agents' tokens begin with.
const TOKEN_PREFIX: &str = "mc_agt_";

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(list, register))
        .routes(routes!(get, change))
        .routes(routes!(control))
        .routes(routes!(issue_token))
        .routes(routes!(revoke_token))
        .routes(routes!(token_alias))
}

/// An agent as this contract shows it.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Agent {
    id: String,
    tenant_id: String,
    name: String,
    emoji: Option<String>,
    /// `INTERN`, `SPECIALIST` or `LEAD`.
    role: &'static str,
    /// `ACTIVE`, `PAUSED`, `DRAINED`, `QUARANTINED` or `OFFLINE`.
    status: &'static str,
    status_reason: Option<String>,
    status_until: Option<String>,
    /// What it last said of itself.
    health: Option<String>,
    workspace_path: Option<String>,
    /// Empty: all.
    allowed_task_types: Vec<&'static str>,
    /// `null`: all that policy allows.
    allowed_tools: Option<Vec<String>>,
    /// In US dollars; `null`: no limit.
    budget_daily: Option<f64>,
    budget_per_run: Option<f64>,
    spend_today: f64,
    /// Less what running runs may still cost.
    budget_remaining: Option<f64>,
    spend_reset_at: String,
    can_spawn: bool,
    max_sub_agents: u32,
    parent_agent_id: Option<String>,
    current_task_id: Option<String>,
    session_key: Option<String>,
    last_heartbeat_at: Option<String>,
    heartbeat_interval_sec: Option<u32>,
    error_streak: u32,
    last_error: Option<String>,
    #[schema(value_type = Object)]
    metadata: Object,
    created_at: String,
    updated_at: String,
}

impl Agent {
    /// The agent as it is now, on this day.
    pub(super) fn of(it: agent::Agent, day: Day) -> Self {
        let purse = it.detail.purse.today(day.now);
        let remaining = budget::left(&it, day.now);
        let detail = it.detail;
        Self {
            id: it.handle.into(),
            tenant_id: it.tenant.into(),
            name: detail.name,
            emoji: detail.emoji,
            role: it.rank.as_str(),
            status: it.status.as_str(),
            status_reason: detail.status_reason,
            status_until: detail.status_until.map(String::from),
            health: it.health,
            workspace_path: detail.workspace_path,
            allowed_task_types: detail
                .allowed_kinds
                .into_iter()
                .map(TaskKind::as_str)
                .collect(),
            allowed_tools: detail.allowed_tools,
            budget_daily: detail
                .budget_daily
                .map(|it| it.plus(purse.extra).as_dollars()),
            budget_per_run: detail.budget_per_run.map(|it| it.as_dollars()),
            spend_today: purse.spent.as_dollars(),
            budget_remaining: remaining.map(|it| it.as_dollars()),
            spend_reset_at: day.ends_at.into(),
            can_spawn: detail.can_spawn,
            max_sub_agents: detail.max_sub_agents,
            parent_agent_id: detail.parent.map(String::from),
            current_task_id: detail.current_task.map(String::from),
            session_key: detail.session_key,
            last_heartbeat_at: it.last_heartbeat_at.map(String::from),
            heartbeat_interval_sec: detail.heartbeat_interval,
            error_streak: detail.error_streak,
            last_error: detail.last_error,
            metadata: detail.metadata.unwrap_or_default(),
            created_at: it.created_at.into(),
            updated_at: it.updated_at.into(),
        }
    }
}

/// An agent just registered, with what speaks for it.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Registered {
    #[serde(flatten)]
    agent: Agent,
    /// Shown this once.
    token: String,
}

#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Agents {
    agents: Vec<Agent>,
    total: u64,
    has_more: bool,
}

/// What an agent has done, in numbers.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Stats {
    tasks_completed: u64,
    tasks_in_progress: u64,
    spend_today: f64,
    spend_this_week: f64,
    avg_task_duration_sec: Option<u64>,
    /// 0 to 1, of the last hundred runs.
    error_rate: f64,
}

/// An agent with what it has done.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct AgentDetail {
    #[serde(flatten)]
    agent: Agent,
    stats: Stats,
    recent_runs: Vec<RunLine>,
    current_task: Option<TaskLine>,
}

/// A run in a list.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct RunLine {
    id: String,
    task_id: Option<String>,
    model: String,
    status: &'static str,
    cost_usd: f64,
    started_at: String,
    ended_at: Option<String>,
}

impl From<Run> for RunLine {
    fn from(run: Run) -> Self {
        Self {
            id: run.id.into(),
            task_id: run.task.map(String::from),
            model: run.model,
            status: run.status.as_str(),
            cost_usd: stationmaster_kernel::MicroUsd(run.spend.cost_microusd).as_dollars(),
            started_at: run.started_at.into(),
            ended_at: run.ended_at.map(String::from),
        }
    }
}

/// A task in a list.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct TaskLine {
    id: String,
    title: String,
    status: &'static str,
    priority: u8,
    #[serde(rename = "type")]
    kind: Option<&'static str>,
    due_at: Option<String>,
}

impl From<Task> for TaskLine {
    fn from(task: Task) -> Self {
        Self {
            id: task.id.into(),
            title: task.title,
            status: task.state.as_str(),
            priority: task.priority,
            kind: task.kind.map(TaskKind::as_str),
            due_at: task.due_at.map(String::from),
        }
    }
}

/// What an agent is made of.
#[derive(ToSchema)]
#[expect(
    dead_code,
    reason = "only describes the body; it is read member by member"
)]
#[schema(rename_all = "camelCase")]
pub(super) struct AgentBody {
    /// Lower case letters, digits, `_` and `-`.
    id: String,
    name: String,
    /// `INTERN`, `SPECIALIST` (the default) or `LEAD`.
    role: Option<String>,
    workspace_path: String,
    emoji: Option<String>,
    allowed_task_types: Option<Vec<String>>,
    allowed_tools: Option<Vec<String>>,
    /// In US dollars; what its role may spend when missing.
    budget_daily: Option<f64>,
    budget_per_run: Option<f64>,
    can_spawn: Option<bool>,
    max_sub_agents: Option<u32>,
    /// Required of an agent that spawns: its own id.
    parent_agent_id: Option<String>,
    heartbeat_interval_sec: Option<u32>,
    /// Of an agent that spawns: with `parentTaskId` and `purpose`.
    #[schema(value_type = Option<Object>)]
    metadata: Option<Object>,
    tenant_id: Option<String>,
}

/// What to change of an agent.
#[derive(ToSchema)]
#[expect(
    dead_code,
    reason = "only describes the body; it is read member by member"
)]
#[schema(rename_all = "camelCase")]
pub(super) struct AgentChangeBody {
    name: Option<String>,
    emoji: Option<String>,
    allowed_task_types: Option<Vec<String>>,
    allowed_tools: Option<Vec<String>>,
    budget_daily: Option<f64>,
    budget_per_run: Option<f64>,
    can_spawn: Option<bool>,
    heartbeat_interval_sec: Option<u32>,
    #[schema(value_type = Option<Object>)]
    metadata: Option<Object>,
}

/// Agents
#[utoipa::path(get, path = "/api/v1/agents", tag = "OpenClaw",
    security(("agent_bearer" = []), ("operator" = [])),
    params(("status" = Option<String>, Query), ("role" = Option<String>, Query), ("limit" = Option<u32>, Query),
        ("offset" = Option<u32>, Query), ("tenantId" = Option<String>, Query)),
    responses((status = 200, body = Agents), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody)))]
async fn list(
    State(app): State<App>,
    caller: Caller,
    query: Query,
) -> Result<Json<Agents>, Problem> {
    let mut problems = Problems::default();
    let (limit, offset) = query.page(&mut problems);
    let statuses = Status::ALL.map(Status::as_str).join(", ");
    let filter = AgentFilter {
        tenant: caller.scope(&query)?,
        status: query.word(&mut problems, "status", Status::parse, &statuses),
        rank: query.word(
            &mut problems,
            "role",
            Rank::parse,
            "INTERN, SPECIALIST, LEAD",
        ),
        ..AgentFilter::default()
    };
    problems.into_result()?;
    look(&app, move |tx| {
        let day = budget::day(tx)?;
        let (found, total) = agent::list(tx, &filter, offset, limit)?;
        let shown = u64::from(offset) + found.len() as u64;
        Ok(Agents {
            agents: found.into_iter().map(|it| Agent::of(it, day)).collect(),
            total,
            has_more: shown < total,
        })
    })
    .await
}

/// Register an agent
///
/// Its token is in this answer and nowhere else; a repeat with the same key omits it.
#[utoipa::path(post, path = "/api/v1/agents", tag = "OpenClaw",
    security(("operator" = []), ("agent_bearer" = [])), request_body = AgentBody,
    responses((status = 201, body = Registered), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody),
        (status = 403, body = ErrorBody), (status = 409, body = ErrorBody), (status = 422, body = ErrorBody)))]
async fn register(
    State(app): State<App>,
    caller: Caller,
    Change { mut fields, once }: Change,
) -> Result<Response, Problem> {
    let who = caller.within(fields.string("tenantId").as_deref())?;
    let (token, token_hash) = made_token()?;
    let new = NewAgent {
        handle: fields.required_string("id"),
        name: fields.required_string("name"),
        rank: fields
            .word("role", Rank::parse, "INTERN, SPECIALIST, LEAD")
            .unwrap_or(Rank::Specialist),
        workspace_path: fields.required_string("workspacePath"),
        emoji: fields.string("emoji"),
        allowed_kinds: kinds(&mut fields).unwrap_or_default(),
        allowed_tools: read::strings(&mut fields, "allowedTools", 500),
        budget_daily: read::money(&mut fields, "budgetDaily"),
        budget_per_run: read::money(&mut fields, "budgetPerRun"),
        can_spawn: fields.boolean("canSpawn"),
        max_sub_agents: read::count(&mut fields, "maxSubAgents"),
        parent: fields.handle("parentAgentId"),
        heartbeat_interval: read::count(&mut fields, "heartbeatIntervalSec"),
        metadata: read::metadata(&mut fields),
        token_hash,
    };
    fields.finish()?;
    once.run(&app, move |tx| {
        let day = budget::day(tx)?;
        let made = Agent::of(agent::register(tx, &who, new.clone())?, day);
        let kept = serde_json::to_value(&made).map_err(Error::internal)?;
        let shown = Registered {
            agent: made,
            token: token.expose().to_owned(),
        };
        Ok(Answer::created(&shown)?.keeping(kept))
    })
    .await
}

fn kinds(fields: &mut Fields) -> Option<Vec<TaskKind>> {
    read::words(fields, "allowedTaskTypes", TaskKind::parse, &read::kinds())
}

fn made_token() -> Result<(Secret, String), Error> {
    let token = Secret::generate(TOKEN_PREFIX).map_err(Error::internal)?;
    let hash = hex::encode(Sha256::digest(token.expose().as_bytes()));
    Ok((token, hash))
}

/// One agent, with what it has done
#[utoipa::path(get, path = "/api/v1/agents/{id}", tag = "OpenClaw",
    security(("agent_bearer" = []), ("operator" = [])),
    params(("id" = String, Path, description = "or `me`"), ("tenantId" = Option<String>, Query)),
    responses((status = 200, body = AgentDetail), (status = 401, body = ErrorBody), (status = 404, body = ErrorBody)))]
async fn get(
    State(app): State<App>,
    caller: Caller,
    Id(id): Id,
    query: Query,
) -> Result<Json<AgentDetail>, Problem> {
    let handle = caller.agent_named(&id)?;
    let who = caller.within(query.get("tenantId"))?;
    look(&app, move |tx| {
        let day = budget::day(tx)?;
        let found = agent::find(tx, who.tenant()?, &handle)?;
        let stats = agent::stats(tx, &found)?;
        let agent = Agent::of(found, day);
        Ok(AgentDetail {
            stats: Stats {
                tasks_completed: stats.tasks_completed,
                tasks_in_progress: stats.tasks_in_progress,
                spend_today: agent.spend_today,
                spend_this_week: stats.spent_this_week.as_dollars(),
                avg_task_duration_sec: stats.average_task.map(|it| it.as_secs()),
                error_rate: stats.error_rate,
            },
            agent,
            recent_runs: stats.recent_runs.into_iter().map(RunLine::from).collect(),
            current_task: stats.current_task.map(TaskLine::from),
        })
    })
    .await
}

/// Change an agent; its role and status are changed elsewhere
#[utoipa::path(patch, path = "/api/v1/agents/{id}", tag = "OpenClaw", security(("operator" = [])),
    params(("id" = String, Path)), request_body = AgentChangeBody,
    responses((status = 200, body = Agent), (status = 400, body = ErrorBody), (status = 403, body = ErrorBody),
        (status = 404, body = ErrorBody)))]
async fn change(
    State(app): State<App>,
    caller: Caller,
    Id(id): Id,
    Change { mut fields, once }: Change,
) -> Result<Response, Problem> {
    caller.who.operate("change an agent")?;
    let who = caller.within(fields.string("tenantId").as_deref())?;
    let handle = caller.agent_named(&id)?;
    for fixed in ["role", "status"] {
        if fields.has(fixed) {
            fields.problem(
                fixed,
                "cannot be changed here; use POST /agents/{id}/control for the status",
            );
        }
    }
    let (has_emoji, has_tools) = (fields.has("emoji"), fields.has("allowedTools"));
    let new = AgentChange {
        name: fields.string("name"),
        emoji: has_emoji.then(|| fields.string("emoji")),
        allowed_kinds: kinds(&mut fields),
        allowed_tools: has_tools.then(|| read::strings(&mut fields, "allowedTools", 500)),
        budget_daily: read::money(&mut fields, "budgetDaily"),
        budget_per_run: read::money(&mut fields, "budgetPerRun"),
        can_spawn: fields.boolean("canSpawn"),
        heartbeat_interval: read::count(&mut fields, "heartbeatIntervalSec"),
        metadata: read::metadata(&mut fields),
    };
    fields.finish()?;
    once.run(&app, move |tx| {
        let day = budget::day(tx)?;
        Answer::ok(&Agent::of(
            agent::change(tx, &who, &handle, new.clone())?,
            day,
        ))
    })
    .await
}

/// What to do to an agent.
#[derive(ToSchema)]
#[expect(
    dead_code,
    reason = "only describes the body; it is read member by member"
)]
#[schema(rename_all = "camelCase")]
pub(super) struct ControlBody {
    /// `PAUSE`, `RESUME`, `DRAIN`, `QUARANTINE` or `RESTART`.
    action: String,
    /// Required for `QUARANTINE`.
    reason: Option<String>,
    /// Of a pause, such as `30m`.
    duration: Option<String>,
}

/// An agent that was held up or let go on.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Controlled {
    #[serde(flatten)]
    agent: Agent,
    /// What it was at.
    affected_tasks: Vec<TaskLine>,
}

/// Hold an agent up, or let it go on
#[utoipa::path(post, path = "/api/v1/agents/{id}/control", tag = "OpenClaw", security(("operator" = [])),
    params(("id" = String, Path)), request_body = ControlBody,
    responses((status = 200, body = Controlled), (status = 400, body = ErrorBody), (status = 403, body = ErrorBody),
        (status = 404, body = ErrorBody)))]
async fn control(
    State(app): State<App>,
    caller: Caller,
    Id(id): Id,
    Change { mut fields, once }: Change,
) -> Result<Response, Problem> {
    caller.who.operate("control agents")?;
    let who = caller.within(fields.string("tenantId").as_deref())?;
    let handle = caller.agent_named(&id)?;
    let words = Control::ALL.map(Control::as_str).join(", ");
    if !fields.has("action") {
        fields.problem("action", format!("is required: one of {words}"));
    }
    let action = fields.word("action", Control::parse, &words);
    let (reason, duration) = (
        fields.string("reason"),
        read::duration(&mut fields, "duration"),
    );
    fields.finish()?;
    let Some(control) = action else {
        return Err(Error::invalid("action", format!("must be one of {words}")).into());
    };
    let new = NewControl {
        control,
        reason,
        duration,
    };
    once.run(&app, move |tx| {
        let day = budget::day(tx)?;
        let touched = agent::control(tx, &who, &handle, &new)?;
        Answer::ok(&Controlled {
            agent: Agent::of(touched.agent, day),
            affected_tasks: touched.tasks.into_iter().map(TaskLine::from).collect(),
        })
    })
    .await
}

/// What a token is to be like.
#[derive(ToSchema)]
#[expect(
    dead_code,
    reason = "only describes the body; it is read member by member"
)]
#[schema(rename_all = "camelCase")]
pub(super) struct TokenBody {
    /// Such as `7d`; it does not expire when missing.
    expires_in: Option<String>,
    /// Whether its other tokens end; they do unless this says `false`.
    revoke_others: Option<bool>,
    /// At `/auth/token`: whose.
    agent_id: Option<String>,
}

/// A token just made.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Issued {
    id: String,
    agent_id: String,
    /// Shown this once.
    #[serde(skip_serializing_if = "Option::is_none")]
    token: Option<String>,
    expires_at: Option<String>,
    revoked_at: Option<String>,
    created_at: String,
}

impl Issued {
    fn of(it: Token, token: Option<String>) -> Self {
        Self {
            id: it.id.into(),
            agent_id: it.agent.into(),
            token,
            expires_at: it.expires_at.map(String::from),
            revoked_at: it.revoked_at.map(String::from),
            created_at: it.created_at.into(),
        }
    }
}

/// Give an agent a new token
#[utoipa::path(post, path = "/api/v1/agents/{id}/tokens", tag = "OpenClaw", security(("operator" = [])),
    params(("id" = String, Path)), request_body = TokenBody,
    responses((status = 201, body = Issued), (status = 400, body = ErrorBody), (status = 403, body = ErrorBody),
        (status = 404, body = ErrorBody)))]
async fn issue_token(
    State(app): State<App>,
    caller: Caller,
    Id(id): Id,
    change: Change,
) -> Result<Response, Problem> {
    caller.who.operate("make tokens")?;
    issue(&app, &caller, id, change).await
}

/// Give an agent a new token (the same as `POST /agents/{id}/tokens`)
#[utoipa::path(post, path = "/api/v1/auth/token", tag = "OpenClaw", security(("operator" = [])),
    request_body = TokenBody,
    responses((status = 201, body = Issued), (status = 400, body = ErrorBody), (status = 403, body = ErrorBody),
        (status = 404, body = ErrorBody)))]
async fn token_alias(
    State(app): State<App>,
    caller: Caller,
    mut change: Change,
) -> Result<Response, Problem> {
    caller.who.operate("make tokens")?;
    let id = change.fields.required_id("agentId");
    issue(&app, &caller, id, change).await
}

async fn issue(
    app: &App,
    caller: &Caller,
    id: String,
    Change { mut fields, once }: Change,
) -> Result<Response, Problem> {
    let who = caller.within(fields.string("tenantId").as_deref())?;
    let lifetime = read::duration(&mut fields, "expiresIn");
    let revoke_others = fields.boolean("revokeOthers").unwrap_or(true);
    fields.finish()?;
    let handle = caller.agent_named(&id)?;
    let (token, hash) = made_token()?;
    once.run(app, move |tx| {
        let made = agent::rotate_token(tx, &who, &handle, hash.clone(), lifetime, revoke_others)?;
        let kept: Value =
            serde_json::to_value(Issued::of(made.clone(), None)).map_err(Error::internal)?;
        let shown = Issued::of(made, Some(token.expose().to_owned()));
        Ok(Answer::created(&shown)?.keeping(kept))
    })
    .await
}

/// Take a token from an agent
#[utoipa::path(delete, path = "/api/v1/agents/{id}/tokens/{token}", tag = "OpenClaw", security(("operator" = [])),
    params(("id" = String, Path), ("token" = String, Path, description = "the token's id")),
    responses((status = 200, body = Issued), (status = 403, body = ErrorBody), (status = 404, body = ErrorBody)))]
async fn revoke_token(
    State(app): State<App>,
    caller: Caller,
    Ids(id, token): Ids,
    Change { mut fields, once }: Change,
) -> Result<Response, Problem> {
    caller.who.operate("revoke tokens")?;
    let who = caller.within(fields.string("tenantId").as_deref())?;
    let (handle, token) = (caller.agent_named(&id)?, TokenId::new(token));
    once.run(&app, move |tx: &mut dyn Tx| {
        let revoked = agent::revoke_token(tx, &who, &handle, &token)?;
        Answer::ok(&Issued::of(revoked, None))
    })
    .await
}
