//! Agents: registered, changed, held up and let go on (§4, §6).

use axum::Json;
use axum::extract::State;
use axum::response::Response;
use serde::Serialize;
use stationmaster_http::App;
use stationmaster_http::fields::Fields;
use stationmaster_kernel::agent::{self, AgentFilter, Command, NewAgent, Order, Rank, Status};
use stationmaster_kernel::budget::{self, Day};
use stationmaster_kernel::error::Problems;
use stationmaster_kernel::kind::TaskKind;
use stationmaster_kernel::run::Run;
use stationmaster_kernel::task::Task;
use stationmaster_kernel::{Error, Object};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::error::{ErrorBody, Problem};
use super::money::Dollars;
use super::read;
use super::request::{Answer, Caller, Change, Id, Query, read as look};
use super::token;

/// So many tools are named at most.
const MOST_TOOLS: usize = 1000;

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(list, register))
        .routes(routes!(get, change))
        .routes(routes!(control))
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
    budget_daily: Option<Dollars>,
    budget_per_run: Option<Dollars>,
    spend_today: Dollars,
    /// Less what running runs may still cost.
    budget_remaining: Option<Dollars>,
    spend_reset_at: String,
    can_spawn: bool,
    max_sub_agents: u32,
    parent_agent_id: Option<String>,
    current_task_id: Option<String>,
    session_key: Option<String>,
    last_heartbeat_at: Option<String>,
    heartbeat_interval_sec: Option<u32>,
    /// When an agent that an agent spawned is closed, whatever it does.
    closes_at: Option<String>,
    error_streak: u32,
    last_error: Option<String>,
    #[schema(value_type = Object)]
    metadata: Object,
    created_at: String,
    updated_at: String,
}

impl Agent {
    /// The agent as it is on this day.
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
            health: it.health.map(|word| health(&word)),
            workspace_path: detail.workspace_path,
            allowed_task_types: detail
                .allowed_kinds
                .into_iter()
                .map(TaskKind::as_str)
                .collect(),
            allowed_tools: detail.allowed_tools,
            budget_daily: detail.budget_daily.map(|it| it.plus(purse.extra).into()),
            budget_per_run: detail.budget_per_run.map(Dollars::from),
            spend_today: purse.spent.into(),
            budget_remaining: remaining.map(Dollars::from),
            spend_reset_at: day.ends_at.into(),
            can_spawn: detail.can_spawn,
            max_sub_agents: detail.max_sub_agents,
            parent_agent_id: detail.parent.map(String::from),
            current_task_id: detail.current_task.map(String::from),
            session_key: detail.session_key,
            last_heartbeat_at: it.last_heartbeat_at.map(String::from),
            heartbeat_interval_sec: detail.heartbeat_interval,
            closes_at: detail.closes_at.map(String::from),
            error_streak: detail.error_streak,
            last_error: detail.last_error,
            metadata: detail.metadata.unwrap_or_default(),
            created_at: it.created_at.into(),
            updated_at: it.updated_at.into(),
        }
    }
}

/// What an agent said of its health, in this contract's words where there is one for it.
pub(super) fn health(word: &str) -> String {
    agent::Health::of_word(word).map_or_else(|| word.to_owned(), |it| it.as_str().to_owned())
}

/// An agent just registered, with what speaks for it.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Registered {
    #[serde(flatten)]
    agent: Agent,
    /// Shown this once.
    #[serde(skip_serializing_if = "Option::is_none")]
    token: Option<String>,
    token_id: String,
    token_expires_at: Option<String>,
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
    spend_today: Dollars,
    /// Since Monday, UTC.
    spend_this_week: Dollars,
    /// From start to acceptance, of its last hundred; `null` before the first.
    avg_task_duration_sec: Option<f64>,
    /// 0 to 1, of all that ended.
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
    cost_usd: Dollars,
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
            cost_usd: stationmaster_kernel::MicroUsd(run.spend.cost_microusd).into(),
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
    /// Letters, digits, `_` and `-`; in the default tenant lower case only.
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
    workspace_path: Option<String>,
    emoji: Option<String>,
    allowed_task_types: Option<Vec<String>>,
    allowed_tools: Option<Vec<String>>,
    budget_daily: Option<f64>,
    budget_per_run: Option<f64>,
    can_spawn: Option<bool>,
    max_sub_agents: Option<u32>,
    /// `null`: it is never taken for dead.
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
    let (secret, hash) = token::made()?;
    let new = NewAgent {
        handle: fields.required_string("id"),
        name: fields.required_string("name"),
        rank: fields.word("role", Rank::parse, "INTERN, SPECIALIST, LEAD"),
        workspace_path: fields.required_string("workspacePath"),
        emoji: fields.string("emoji"),
        allowed_kinds: kinds(&mut fields),
        allowed_tools: read::strings(&mut fields, "allowedTools", MOST_TOOLS),
        budget_daily: read::money(&mut fields, "budgetDaily"),
        budget_per_run: read::money(&mut fields, "budgetPerRun"),
        can_spawn: fields.boolean("canSpawn"),
        max_sub_agents: read::count(&mut fields, "maxSubAgents"),
        parent: fields.handle("parentAgentId"),
        heartbeat_interval: read::count(&mut fields, "heartbeatIntervalSec"),
        metadata: read::metadata(&mut fields),
    };
    once.run_whole(&app, fields, move |tx| {
        let day = budget::day(tx)?;
        let (made, issued) = agent::register(tx, &who, new.clone(), &hash)?;
        let mut shown = Registered {
            agent: Agent::of(made, day),
            token: None,
            token_id: issued.id.into(),
            token_expires_at: issued.expires_at.map(String::from),
        };
        let kept = serde_json::to_value(&shown).map_err(Error::internal)?;
        shown.token = Some(secret.expose().to_owned());
        Ok(Answer::created(&shown)?.keeping(kept))
    })
    .await
}

fn kinds(fields: &mut Fields) -> Option<Vec<TaskKind>> {
    read::words(fields, "allowedTaskTypes", TaskKind::parse, &read::kinds())
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
        let found = agent::portrait(tx, who.tenant()?, &handle)?;
        let agent = Agent::of(found.agent, day);
        Ok(AgentDetail {
            stats: Stats {
                tasks_completed: found.tasks_completed,
                tasks_in_progress: found.tasks_in_progress,
                spend_today: agent.spend_today,
                spend_this_week: found.spent_this_week.into(),
                avg_task_duration_sec: found.average_task.map(|it| it.as_secs_f64()),
                error_rate: found.error_rate,
            },
            agent,
            recent_runs: found.recent_runs.into_iter().map(RunLine::from).collect(),
            current_task: found.current_task.map(TaskLine::from),
        })
    })
    .await
}

/// Change an agent; its role and status are changed elsewhere
#[utoipa::path(patch, path = "/api/v1/agents/{id}", tag = "OpenClaw", security(("operator" = [])),
    params(("id" = String, Path), ("tenantId" = Option<String>, Query)), request_body = AgentChangeBody,
    responses((status = 200, body = Agent), (status = 400, body = ErrorBody), (status = 403, body = ErrorBody),
        (status = 404, body = ErrorBody)))]
async fn change(
    State(app): State<App>,
    caller: Caller,
    Id(id): Id,
    query: Query,
    Change { mut fields, once }: Change,
) -> Result<Response, Problem> {
    caller.who.operate("change an agent")?;
    let who = caller.within(read::tenant(&mut fields, &query).as_deref())?;
    let handle = caller.agent_named(&id)?;
    for fixed in ["role", "status"] {
        if fields.has(fixed) {
            fields.problem(
                fixed,
                "cannot be changed here; use POST /agents/{id}/control for the status",
            );
        }
    }
    let change = agent::Change {
        name: fields.string("name"),
        emoji: given(&mut fields, "emoji", |it| it.string("emoji")),
        workspace_path: fields.string("workspacePath"),
        allowed_kinds: kinds(&mut fields),
        allowed_tools: given(&mut fields, "allowedTools", |it| {
            read::strings(it, "allowedTools", MOST_TOOLS)
        }),
        budget_daily: given(&mut fields, "budgetDaily", |it| {
            read::money(it, "budgetDaily")
        }),
        budget_per_run: given(&mut fields, "budgetPerRun", |it| {
            read::money(it, "budgetPerRun")
        }),
        can_spawn: fields.boolean("canSpawn"),
        max_sub_agents: read::count(&mut fields, "maxSubAgents"),
        heartbeat_interval: given(&mut fields, "heartbeatIntervalSec", |it| {
            read::count(it, "heartbeatIntervalSec")
        }),
        metadata: given(&mut fields, "metadata", read::metadata),
    };
    once.run_whole(&app, fields, move |tx| {
        let day = budget::day(tx)?;
        let changed = agent::update(tx, &who, &handle, change.clone())?;
        Answer::ok(&Agent::of(changed, day))
    })
    .await
}

/// A member that is there, be it `null`, which takes away what there was.
fn given<T>(
    fields: &mut Fields,
    name: &str,
    read: impl FnOnce(&mut Fields) -> Option<T>,
) -> Option<Option<T>> {
    fields.has(name).then(|| read(fields))
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
    /// The tasks that changed with it.
    affected_tasks: Vec<TaskLine>,
}

/// Hold an agent up, or let it go on
#[utoipa::path(post, path = "/api/v1/agents/{id}/control", tag = "OpenClaw", security(("operator" = [])),
    params(("id" = String, Path), ("tenantId" = Option<String>, Query)), request_body = ControlBody,
    responses((status = 200, body = Controlled), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody),
        (status = 403, body = ErrorBody), (status = 404, body = ErrorBody), (status = 422, body = ErrorBody)))]
async fn control(
    State(app): State<App>,
    caller: Caller,
    Id(id): Id,
    query: Query,
    Change { mut fields, once }: Change,
) -> Result<Response, Problem> {
    caller.who.operate("control an agent")?;
    let who = caller.within(read::tenant(&mut fields, &query).as_deref())?;
    let handle = caller.agent_named(&id)?;
    let words = Command::ALL.map(Command::as_str).join(", ");
    let command = read::required_word(&mut fields, "action", Command::parse, &words);
    let reason = fields.string("reason");
    let duration = read::duration(&mut fields, "duration");
    let Some(command) = command else {
        return Err(fields
            .finish()
            .err()
            .map_or_else(|| Problem(read::missing("action")), Problem));
    };
    let order = Order {
        command,
        reason,
        duration,
    };
    once.run_whole(&app, fields, move |tx| {
        let day = budget::day(tx)?;
        let done = agent::control(tx, &who, &handle, &order)?;
        Answer::ok(&Controlled {
            agent: Agent::of(done.agent, day),
            affected_tasks: done.affected.into_iter().map(TaskLine::from).collect(),
        })
    })
    .await
}
