//! A heartbeat in the words of the OpenClaw contract (§7): an agent says how it is, and learns
//! what waits for it. Thousands of agents beat with nothing to say, so that costs one small write.

use std::time::Duration;

use super::gate::{Act, acting, refusal};
use super::{Agent, Rank, control, find};
use crate::approval::{self, Approval};
use crate::error::Problems;
use crate::event::{self, Happening};
use crate::heartbeat::Heartbeat;
use crate::notification::{self, Notification, NotificationFilter, Target};
use crate::state::State;
use crate::task::{BoardOrder, BoardPage, Task};
use crate::{Error, NotificationId, Object, Principal, Result, TaskId, Tx, text};

/// What was not acknowledged is shown this long.
const SHOWN_FOR: Duration = Duration::from_secs(24 * 3600);
/// At most so many notifications, and so many tasks, are shown at once.
const SHOWN: u32 = 100;
/// At most so many tasks are offered.
const OFFERED: u32 = 10;
/// At most so many notifications are acknowledged at once.
const MOST_ACKNOWLEDGED: usize = 500;
/// In characters.
const LONGEST_SESSION_KEY: usize = 500;
const LONGEST_ERROR: usize = 10_000;
/// As JSON, in bytes.
const LARGEST_VITALS: usize = 64 << 10;

/// What an agent says of its own health.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Health {
    Healthy,
    Busy,
    Idle,
    Degraded,
    Error,
}

impl Health {
    pub const ALL: [Self; 5] = [
        Self::Healthy,
        Self::Busy,
        Self::Idle,
        Self::Degraded,
        Self::Error,
    ];

    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Healthy => "HEALTHY",
            Self::Busy => "BUSY",
            Self::Idle => "IDLE",
            Self::Degraded => "DEGRADED",
            Self::Error => "ERROR",
        }
    }

    /// The health of this name, in upper case.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|it| it.as_str() == text)
    }

    /// The health that an agent's word for it means, whichever surface it was said on.
    #[must_use]
    pub fn of_word(word: &str) -> Option<Self> {
        Some(match word {
            "ok" => Self::Healthy,
            "busy" => Self::Busy,
            "idle" => Self::Idle,
            "blocked" => Self::Degraded,
            other => return Self::parse(other),
        })
    }
}

/// What an agent says of itself.
#[derive(Debug, Clone)]
pub struct NewBeat {
    pub health: Health,
    pub session_key: Option<String>,
    /// What it says it is at.
    pub current_task: Option<TaskId>,
    /// What went wrong since it last beat.
    pub error: Option<String>,
    /// Kept beside what was said at registration, not over it.
    pub metadata: Option<Object>,
    pub acknowledged: Vec<NotificationId>,
}

/// What an agent learns.
#[derive(Debug, Clone)]
pub struct Beat {
    pub agent: Agent,
    /// Not acknowledged and not a day old, oldest first.
    pub notifications: Vec<Notification>,
    /// What this agent may decide.
    pub approvals: Vec<Approval>,
    /// What it works on, then what it was given, most urgent first.
    pub assigned: Vec<Task>,
    /// What it might take, most urgent first.
    pub claimable: Vec<Task>,
    /// What was said and could not be taken as it was said.
    pub warnings: Vec<String>,
    /// Whether saying it twice would count twice.
    pub counts: bool,
}

/// Records a heartbeat and tells what waits.
///
/// # Errors
/// Forbidden for callers that are no agent; `agent_not_found`; every problem of the request.
pub fn beat(tx: &mut dyn Tx, who: &Principal, new: &NewBeat) -> Result<Beat> {
    let (Some(handle), Some(tenant)) = (who.handle(), &who.tenant) else {
        return Err(Error::forbidden(
            "forbidden",
            "only an agent has a heartbeat",
        ));
    };
    check(new)?;
    // An operator may speak for an agent; that does not make one.
    find(tx, tenant, handle)?;
    let Some(mut agent) = acting(tx, who)? else {
        return Err(Error::not_found(
            "agent_not_found",
            "there is no such agent",
        ));
    };
    let mut warnings = Vec::new();
    let counts = new.error.is_some() || new.health == Health::Error || !new.acknowledged.is_empty();
    acknowledge(tx, who, &new.acknowledged, &mut warnings)?;
    take_down(tx, who, &mut agent, new, &mut warnings)?;
    if new.error.is_some() || new.health == Health::Error {
        control::note_error(tx, &mut agent, new.error.as_deref())?;
    } else {
        tx.put_agent(&agent)?;
    }
    Ok(Beat {
        notifications: unacknowledged(tx, &agent)?,
        approvals: approval::decidable_by(tx, &agent)?,
        assigned: assigned(tx, &agent)?,
        claimable: claimable(tx, &agent)?,
        agent,
        warnings,
        counts,
    })
}

fn check(new: &NewBeat) -> Result<()> {
    let mut problems = Problems::default();
    for (field, value, longest) in [
        ("sessionKey", &new.session_key, LONGEST_SESSION_KEY),
        ("error", &new.error, LONGEST_ERROR),
    ] {
        let value = value.as_deref();
        text::check_optional(&mut problems, field, value);
        if value.is_some_and(|value| value.chars().count() > longest) {
            problems.add(field, format!("must be at most {longest} characters"));
        }
    }
    if new.acknowledged.len() > MOST_ACKNOWLEDGED {
        problems.add(
            "ackNotificationIds",
            format!("must name at most {MOST_ACKNOWLEDGED}"),
        );
    }
    let size = |object| serde_json::to_string(object).map_or(0, |json: String| json.len());
    if new.metadata.as_ref().map_or(0, size) > LARGEST_VITALS {
        problems.add(
            "metadata",
            format!("must be at most {LARGEST_VITALS} bytes of JSON"),
        );
    }
    problems.into_result()
}

/// Marks what the agent has seen; what is not its own is left alone.
fn acknowledge(
    tx: &mut dyn Tx,
    who: &Principal,
    ids: &[NotificationId],
    warnings: &mut Vec<String>,
) -> Result<()> {
    for id in ids {
        let found = tx.notification(id)?;
        let is_own = found.is_some_and(|it| {
            who.tenant.as_ref() == Some(&it.tenant) && it.target.agent() == who.handle()
        });
        if is_own {
            notification::mark_read(tx, who, id)?;
        } else {
            warnings.push(format!("{id} is no notification of yours"));
        }
    }
    Ok(())
}

/// Takes down what the agent says of itself; the log hears of it when its health has changed.
fn take_down(
    tx: &mut dyn Tx,
    who: &Principal,
    agent: &mut Agent,
    new: &NewBeat,
    warnings: &mut Vec<String>,
) -> Result<()> {
    let now = tx.now();
    if let Some(id) = &new.current_task {
        let found = tx.task(id)?;
        let is_own = found
            .is_some_and(|task| task.tenant == agent.tenant && task.is_assigned_to(&agent.handle));
        if is_own {
            agent.detail.current_task = Some(id.clone());
        } else {
            warnings.push(format!(
                "currentTaskId was ignored: {id} is not assigned to you"
            ));
        }
    }
    if new.session_key.is_some() {
        agent.detail.session_key.clone_from(&new.session_key);
    }
    if new.metadata.is_some() {
        agent.detail.vitals.clone_from(&new.metadata);
    }
    let health = new.health.as_str();
    let is_news = agent.health.as_deref() != Some(health);
    agent.health = Some(health.to_owned());
    agent.last_heartbeat_at = Some(now);
    agent.updated_at = now;
    if !is_news {
        return Ok(());
    }
    let heartbeat = Heartbeat {
        tenant: agent.tenant.clone(),
        handle: agent.handle.clone(),
        health: health.to_owned(),
        note: new.error.clone(),
        metrics: new.metadata.clone(),
        at: now,
    };
    let recorded = Happening::HeartbeatRecorded(heartbeat);
    event::record(tx, who, &agent.tenant, recorded)
}

fn unacknowledged(tx: &mut dyn Tx, agent: &Agent) -> Result<Vec<Notification>> {
    let filter = NotificationFilter {
        target: Some(Target::Agent(agent.handle.clone())),
        unread_only: true,
        since: Some(tx.now().before(SHOWN_FOR)),
        kind: None,
    };
    let mut found = tx.notifications_of(Some(&agent.tenant), &filter, SHOWN)?;
    found.reverse();
    Ok(found)
}

fn assigned(tx: &mut dyn Tx, agent: &Agent) -> Result<Vec<Task>> {
    let states = [State::InProgress, State::Assigned];
    let most_urgent = BoardPage {
        order: BoardOrder::Priority,
        descending: false,
        offset: 0,
        limit: SHOWN,
    };
    let mut tasks = tx.held_tasks(&agent.tenant, &agent.handle, &states, most_urgent)?;
    tasks.sort_by_key(|task| task.state != State::InProgress);
    Ok(tasks)
}

fn claimable(tx: &mut dyn Tx, agent: &Agent) -> Result<Vec<Task>> {
    let mode = tx.stance()?.mode;
    if agent.rank == Rank::Intern || refusal(mode, agent, Act::Start).is_some() {
        return Ok(Vec::new());
    }
    tx.claimable_tasks(&agent.tenant, &agent.detail.allowed_kinds, OFFERED)
}
