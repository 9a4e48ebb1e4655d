//! Heartbeats (§11.1).

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use stationmaster_http::App;
use stationmaster_kernel::Object;
use stationmaster_kernel::heartbeat::{self, NewHeartbeat, Pending};
use utoipa::ToSchema;

use super::error::{ErrorBody, Problem};
use super::request::{AgentCaller, Members, same_tenant};

/// A heartbeat as events show it.
#[derive(Debug, Serialize)]
pub(super) struct Heartbeat {
    user_id: String,
    agent_role: String,
    status: String,
    note: Option<String>,
    metrics: Option<Object>,
    recorded_at: String,
}

impl From<heartbeat::Heartbeat> for Heartbeat {
    fn from(it: heartbeat::Heartbeat) -> Self {
        Self {
            user_id: it.tenant.to_string(),
            agent_role: it.handle.to_string(),
            status: it.health,
            note: it.note,
            metrics: it.metrics,
            recorded_at: it.at.to_string(),
        }
    }
}

/// What an agent says of itself; all of it optional.
#[derive(ToSchema)]
#[expect(
    dead_code,
    reason = "only describes the body; it is read member by member"
)]
pub(super) struct HeartbeatBody {
    user_id: Option<String>,
    /// `ok`, `busy`, `idle` or `blocked`.
    status: Option<String>,
    note: Option<String>,
    #[schema(value_type = Option<Object>)]
    metrics: Option<Object>,
}

/// What waits for the agent.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct HeartbeatReply {
    #[schema(value_type = String, example = "ok")]
    status: &'static str,
    user_id: String,
    agent_role: String,
    recorded_at: String,
    pending: PendingReply,
}

#[derive(Debug, Serialize, ToSchema)]
pub(super) struct PendingReply {
    /// Neither delivered nor read yet.
    notifications: u64,
    tasks: PendingTasks,
}

/// Open tasks that are the agent's or nobody's.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct PendingTasks {
    pending: u64,
    in_progress: u64,
    blocked: u64,
}

impl From<Pending> for PendingReply {
    fn from(it: Pending) -> Self {
        Self {
            notifications: it.notifications,
            tasks: PendingTasks {
                pending: it.tasks.pending,
                in_progress: it.tasks.in_progress,
                blocked: it.tasks.blocked,
            },
        }
    }
}

/// Say that the agent lives, and learn what waits for it
#[utoipa::path(post, path = "/api/mission-control/heartbeat", tag = "Mission Control",
    security(("agent_token" = [])), request_body = HeartbeatBody,
    responses((status = 200, body = HeartbeatReply), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody),
        (status = 403, body = ErrorBody)))]
pub(super) async fn record(
    State(app): State<App>,
    AgentCaller(who): AgentCaller,
    Members(mut fields): Members,
) -> Result<Json<HeartbeatReply>, Problem> {
    same_tenant(&who, fields.string("user_id").as_deref())?;
    let new = NewHeartbeat {
        health: fields.string("status"),
        note: fields.string("note"),
        metrics: fields.object("metrics"),
    };
    fields.finish()?;
    let caller = who.clone();
    let recorded = app
        .database
        .write(move |tx| heartbeat::record(tx, &caller, new.clone()))
        .await?;
    let pending = app
        .database
        .read(move |tx| heartbeat::pending(tx, &who))
        .await?;
    Ok(Json(HeartbeatReply {
        status: "ok",
        user_id: recorded.tenant.to_string(),
        agent_role: recorded.handle.to_string(),
        recorded_at: recorded.at.to_string(),
        pending: pending.into(),
    }))
}
