//! Heartbeats: an agent says that it lives, and learns what waits for it.

use serde::{Deserialize, Serialize};

use crate::agent;
use crate::error::Problems;
use crate::event::{self, Happening};
use crate::task::TaskCounts;
use crate::text;
use crate::{Error, Handle, Object, Principal, Result, TenantId, Timestamp, Tx};

/// The words an agent may use for its own health.
pub const HEALTHS: [&str; 4] = ["ok", "busy", "idle", "blocked"];

/// One sign of life.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Heartbeat {
    pub tenant: TenantId,
    pub handle: Handle,
    /// One of [`HEALTHS`].
    pub health: String,
    pub note: Option<String>,
    pub metrics: Option<Object>,
    pub at: Timestamp,
}

/// What an agent says of itself; all optional.
#[derive(Debug, Clone, Default)]
pub struct NewHeartbeat {
    /// `None`: `ok`.
    pub health: Option<String>,
    pub note: Option<String>,
    pub metrics: Option<Object>,
}

/// What waits for an agent.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Pending {
    pub notifications: u64,
    /// Open tasks that are the agent's or nobody's.
    pub tasks: TaskCounts,
}

/// Records a sign of life.
///
/// # Errors
/// Every problem of the request; forbidden for callers that are no agent.
pub fn record(tx: &mut dyn Tx, who: &Principal, new: NewHeartbeat) -> Result<Heartbeat> {
    let Some(handle) = who.handle() else {
        return Err(Error::forbidden(
            "forbidden",
            "only an agent has a heartbeat",
        ));
    };
    let mut problems = Problems::default();
    if new
        .health
        .as_deref()
        .is_some_and(|health| !HEALTHS.contains(&health))
    {
        problems.add("status", format!("must be one of {}", HEALTHS.join(", ")));
    }
    text::check_optional(&mut problems, "note", new.note.as_deref());
    problems.into_result()?;

    let tenant = who.tenant()?.clone();
    let Some(mut agent) = agent::acting(tx, who)? else {
        return Err(Error::not_found(
            "agent_not_found",
            "there is no such agent",
        ));
    };
    let heartbeat = Heartbeat {
        tenant: tenant.clone(),
        handle: handle.clone(),
        health: new.health.unwrap_or_else(|| "ok".to_owned()),
        note: new.note,
        metrics: new.metrics,
        at: tx.now(),
    };
    agent.last_heartbeat_at = Some(heartbeat.at);
    agent.health = Some(heartbeat.health.clone());
    agent.updated_at = heartbeat.at;
    tx.put_agent(&agent)?;
    event::record(
        tx,
        who,
        &tenant,
        Happening::HeartbeatRecorded(heartbeat.clone()),
    )?;
    Ok(heartbeat)
}

/// What waits for the calling agent.
///
/// # Errors
/// Whatever the store meets.
pub fn pending(tx: &mut dyn Tx, who: &Principal) -> Result<Pending> {
    let (tenant, Some(handle)) = (who.tenant()?, who.handle()) else {
        return Ok(Pending::default());
    };
    Ok(Pending {
        notifications: tx.pending_notification_count(tenant, handle)?,
        tasks: tx.open_task_counts(tenant, handle)?,
    })
}
