//! Heartbeats in the OpenClaw contract's sense (§7): an agent says how it is, and learns what
//! waits for it and why it may be held up.

use std::time::Duration;

use crate::approval::{self, Approval};
use crate::error::Problems;
use crate::event::{self, Happening};
use crate::heartbeat::Heartbeat;
use crate::notification::{self, Notification, NotificationFilter, Target};
use crate::state::State;
use crate::task::{BoardFilter, BoardOrder, BoardPage, Task};
use crate::text;
use crate::{NotificationId, Object, Principal, Result, TaskId, Tx};

use super::status::{note_error, work_of};
use super::{Agent, Rank, acting};

/// The words an agent may use for its own health (§2).
pub const HEALTHS: [&str; 5] = ["HEALTHY", "BUSY", "IDLE", "DEGRADED", "ERROR"];
/// Notifications older than this are not repeated any more.
const REPEATED: Duration = Duration::from_secs(86_400);
/// How many notifications one reply holds.
const MOST_TOLD: u32 = 100;
/// How many tasks to take one reply offers.
const MOST_OFFERED: u32 = 10;

/// What an agent says of itself.
#[derive(Debug, Clone)]
pub struct NewBeat {
    /// One of [`HEALTHS`].
    pub health: String,
    pub session_key: Option<String>,
    pub current_task: Option<TaskId>,
    pub error: Option<String>,
    pub metadata: Option<Object>,
    /// Notifications that it has seen to.
    pub acknowledged: Vec<NotificationId>,
}

/// What it learns.
#[derive(Debug, Clone)]
pub struct Beat {
    pub agent: Agent,
    /// Unread ones of the last day, oldest first.
    pub notifications: Vec<Notification>,
    /// What this agent may decide.
    pub approvals: Vec<Approval>,
    /// Begun ones first, then those to begin, most urgent first.
    pub tasks: Vec<Task>,
    /// What it could take.
    pub claimable: Vec<Task>,
    /// What of the request was left aside, and why.
    pub warnings: Vec<String>,
}

/// Records a sign of life and tells what waits. It brings an agent back from absence, but out of
/// no pause, drain or quarantine.
///
/// # Errors
/// Every problem of the request; forbidden for callers that are no agent.
pub fn beat(tx: &mut dyn Tx, who: &Principal, new: &NewBeat) -> Result<Beat> {
    let mut problems = Problems::default();
    if !HEALTHS.contains(&new.health.as_str()) {
        problems.add("status", format!("must be one of {}", HEALTHS.join(", ")));
    }
    text::check_optional(&mut problems, "error", new.error.as_deref());
    problems.into_result()?;
    let Some(mut agent) = acting(tx, who)? else {
        return Err(crate::Error::forbidden(
            "forbidden",
            "only an agent has a heartbeat",
        ));
    };
    let mut warnings = Vec::new();
    take_in(tx, &mut agent, new, &mut warnings)?;
    for id in &new.acknowledged {
        match tx.notification(id)? {
            Some(it) if it.target.agent() == Some(&agent.handle) && it.tenant == agent.tenant => {
                notification::mark_read(tx, who, id)?;
            }
            _ => warnings.push(format!("ackNotificationIds: {id} is none of yours")),
        }
    }
    let heartbeat = Heartbeat {
        tenant: agent.tenant.clone(),
        handle: agent.handle.clone(),
        health: new.health.clone(),
        note: new.error.clone(),
        metrics: None,
        at: tx.now(),
    };
    let tenant = agent.tenant.clone();
    event::record(tx, who, &tenant, Happening::HeartbeatRecorded(heartbeat))?;
    let mut tasks = work_of(tx, &agent, &[State::InProgress])?;
    tasks.extend(work_of(tx, &agent, &[State::Assigned])?);
    Ok(Beat {
        notifications: unread(tx, &agent)?,
        approvals: approval::decidable_by(tx, &agent)?,
        claimable: claimable(tx, &agent)?,
        tasks,
        agent,
        warnings,
    })
}

fn take_in(
    tx: &mut dyn Tx,
    agent: &mut Agent,
    new: &NewBeat,
    warnings: &mut Vec<String>,
) -> Result<()> {
    let now = tx.now();
    agent.last_heartbeat_at = Some(now);
    agent.updated_at = now;
    agent.health = Some(new.health.clone());
    agent.detail.offline_since = None;
    agent.detail.offline_swept = false;
    if let Some(session) = &new.session_key {
        agent.detail.session_key = Some(session.clone());
    }
    if let Some(metadata) = &new.metadata {
        agent.detail.metadata = Some(metadata.clone());
    }
    if let Some(id) = &new.current_task {
        match tx.task(id)? {
            Some(task) if task.tenant == agent.tenant && task.is_assigned_to(&agent.handle) => {
                agent.detail.current_task = Some(id.clone());
            }
            _ => warnings.push(format!("currentTaskId: {id} is not assigned to you")),
        }
    }
    if new.error.is_some() || new.health == "ERROR" {
        return note_error(tx, agent, new.error.as_deref());
    }
    tx.put_agent(agent)
}

fn unread(tx: &mut dyn Tx, agent: &Agent) -> Result<Vec<Notification>> {
    let filter = NotificationFilter {
        target: Some(Target::Agent(agent.handle.clone())),
        unread_only: true,
        since: Some(tx.now().before(REPEATED)),
        kind: None,
    };
    let mut found = tx.notifications_of(Some(&agent.tenant), &filter, MOST_TOLD)?;
    found.reverse();
    Ok(found)
}

/// What nobody has begun, is nobody's, and is of a kind that the agent may do. An intern takes
/// nothing.
fn claimable(tx: &mut dyn Tx, agent: &Agent) -> Result<Vec<Task>> {
    if agent.rank == Rank::Intern {
        return Ok(Vec::new());
    }
    let filter = BoardFilter {
        tenant: Some(agent.tenant.clone()),
        states: vec![State::Inbox],
        kinds: agent.detail.allowed_kinds.clone(),
        ..BoardFilter::default()
    };
    let page = BoardPage {
        order: BoardOrder::Priority,
        descending: false,
        offset: 0,
        limit: MOST_OFFERED,
    };
    let is_free = |task: &Task| task.assignee.is_none();
    Ok(tx
        .board(&filter, page)?
        .into_iter()
        .filter(is_free)
        .collect())
}
