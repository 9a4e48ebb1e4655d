//! Heartbeats: an agent says how it is, and learns what waits for it (§7).

use axum::extract::State;
use axum::response::Response;
use serde::Serialize;
use stationmaster_http::App;
use stationmaster_kernel::agent::{self, Health, NewBeat};
use stationmaster_kernel::budget::{self, Day};
use stationmaster_kernel::notification::Notification;
use stationmaster_kernel::{Error, NotificationId, Object, TaskId};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::agent::{TaskLine, health};
use super::error::{ErrorBody, Problem};
use super::money::Dollars;
use super::read;
use super::request::{Answer, Caller, Change, Id};

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(beat))
}

/// What an agent says of itself.
#[derive(ToSchema)]
#[expect(
    dead_code,
    reason = "only describes the body; it is read member by member"
)]
#[schema(rename_all = "camelCase")]
pub(super) struct HeartbeatBody {
    /// `HEALTHY`, `BUSY`, `IDLE`, `DEGRADED` or `ERROR`.
    status: String,
    session_key: Option<String>,
    current_task_id: Option<String>,
    error: Option<String>,
    #[schema(value_type = Option<Object>)]
    metadata: Option<Object>,
    /// Notifications that it has seen to.
    ack_notification_ids: Option<Vec<String>>,
}

/// Something an agent is told.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Told {
    id: String,
    #[serde(rename = "type")]
    kind: String,
    title: String,
    body: String,
    task_id: Option<String>,
    message_id: Option<String>,
    approval_id: Option<String>,
    created_at: String,
}

impl From<Notification> for Told {
    fn from(it: Notification) -> Self {
        Self {
            id: it.id.into(),
            kind: it.kind.as_str().to_uppercase(),
            title: it.title.unwrap_or_else(|| first_words(&it.content)),
            body: it.content,
            task_id: it.task.map(String::from),
            message_id: it.message.map(String::from),
            approval_id: it.approval.map(String::from),
            created_at: it.created_at.into(),
        }
    }
}

/// A line out of a longer text.
pub(super) fn first_words(text: &str) -> String {
    let line = text.lines().next().unwrap_or_default();
    match line.char_indices().nth(80) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line.to_owned(),
    }
}

/// A request that an agent may decide.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Decidable {
    id: String,
    action_summary: String,
    requestor_agent_id: String,
    task_id: Option<String>,
    expires_at: Option<String>,
}

/// How the agent stands with those who run it.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Standing {
    id: String,
    status: &'static str,
    status_reason: Option<String>,
    health: Option<String>,
}

/// What it may spend, in US dollars; `null` where it has no limit.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Budget {
    daily: Option<Dollars>,
    spent_today: Dollars,
    remaining: Option<Dollars>,
    per_run_cap: Option<Dollars>,
    resets_at: String,
}

impl Budget {
    pub(super) fn of(agent: &agent::Agent, day: Day) -> Self {
        let purse = agent.detail.purse.today(day.now);
        Self {
            daily: agent
                .detail
                .budget_daily
                .map(|daily| daily.plus(purse.extra).into()),
            spent_today: purse.spent.into(),
            remaining: budget::left(agent, day.now).map(Dollars::from),
            per_run_cap: agent.detail.budget_per_run.map(Dollars::from),
            resets_at: day.ends_at.into(),
        }
    }
}

/// What an agent learns.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Reply {
    acknowledged: bool,
    /// Repeated until acknowledged or a day old.
    pending_notifications: Vec<Told>,
    /// What this agent may decide.
    pending_approvals: Vec<Decidable>,
    /// Begun ones first.
    assigned_tasks: Vec<TaskLine>,
    agent: Standing,
    budget: Budget,
    /// What it could take.
    claimable_tasks: Vec<TaskLine>,
    server_time: String,
    next_heartbeat_sec: u32,
    /// What of the request was left aside.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    warnings: Vec<String>,
}

/// Say how you are, and learn what waits for you
#[utoipa::path(post, path = "/api/v1/agents/{id}/heartbeat", tag = "OpenClaw",
    security(("agent_bearer" = []), ("operator" = [])),
    params(("id" = String, Path, description = "or `me`")), request_body = HeartbeatBody,
    responses((status = 200, body = Reply), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody),
        (status = 403, body = ErrorBody)))]
async fn beat(
    State(app): State<App>,
    caller: Caller,
    Id(id): Id,
    Change { mut fields, once }: Change,
) -> Result<Response, Problem> {
    let who = caller.as_agent(Some(&id), fields.string("tenantId").as_deref())?;
    let acknowledged = read::strings(&mut fields, "ackNotificationIds", 500).unwrap_or_default();
    let words = Health::ALL.map(Health::as_str).join(", ");
    let said = read::required_word(&mut fields, "status", Health::parse, &words);
    let session_key = fields.string("sessionKey");
    let current_task = fields.string("currentTaskId").map(TaskId::new);
    let error = fields.string("error");
    let metadata = read::metadata(&mut fields);
    fields.finish()?;
    let new = NewBeat {
        health: said.ok_or_else(|| Error::invalid("status", "is required"))?,
        session_key,
        current_task,
        error,
        metadata,
        acknowledged: acknowledged.into_iter().map(NotificationId::new).collect(),
    };
    once.run(&app, move |tx| {
        let day = budget::day(tx)?;
        let beat = agent::beat(tx, &who, &new)?;
        let counts = beat.counts;
        let reply = Answer::ok(&Reply {
            acknowledged: true,
            pending_notifications: beat.notifications.into_iter().map(Told::from).collect(),
            pending_approvals: beat
                .approvals
                .into_iter()
                .map(|it| Decidable {
                    id: it.id.into(),
                    action_summary: it.title,
                    requestor_agent_id: it.requestor.into(),
                    task_id: it.task.map(String::from),
                    expires_at: it.expires_at.map(String::from),
                })
                .collect(),
            assigned_tasks: beat.assigned.into_iter().map(TaskLine::from).collect(),
            claimable_tasks: beat.claimable.into_iter().map(TaskLine::from).collect(),
            budget: Budget::of(&beat.agent, day),
            next_heartbeat_sec: beat.agent.detail.heartbeat_interval.unwrap_or(900),
            agent: Standing {
                id: beat.agent.handle.into(),
                status: beat.agent.status.as_str(),
                status_reason: beat.agent.detail.status_reason,
                health: beat.agent.health.map(|word| health(&word)),
            },
            server_time: day.now.into(),
            warnings: beat.warnings,
        })?;
        // Thousands of agents say every few minutes that they are well; none of that is kept.
        Ok(if counts { reply } else { reply.unbound() })
    })
    .await
}
