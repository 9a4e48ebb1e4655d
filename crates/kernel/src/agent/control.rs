//! An agent's administrative status: who changes it and what follows (OpenClaw contract §6).

use std::time::Duration;

use super::work::{self, block};
use super::{Agent, AgentFilter, Status, as_written};
use crate::alert::{self, NewAlert, Severity};
use crate::error::Problems;
use crate::event::{self, Happening};
use crate::state::State;
use crate::task::Task;
use crate::{Error, Handle, Principal, Result, TaskId, TenantId, Tx, text};

/// So many errors in a row pause an agent.
const PAUSED_AT: u32 = 3;
/// So many errors in a row quarantine it.
const QUARANTINED_AT: u32 = 5;
/// No pause that ends by itself is longer: a year.
const LONGEST_PAUSE: Duration = Duration::from_secs(366 * 86_400);
/// In characters.
const LONGEST_REASON: usize = 2000;
/// What an agent last said of an error is kept up to so many characters.
const LONGEST_ERROR: usize = 2000;
/// Spawned agents are closed so many at a time.
const AT_ONCE: u32 = 200;

/// What an operator tells an agent to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Command {
    Pause,
    Resume,
    Drain,
    Quarantine,
    /// As resume, and its session and its errors are forgotten.
    Restart,
}

impl Command {
    pub const ALL: [Self; 5] = [
        Self::Pause,
        Self::Resume,
        Self::Drain,
        Self::Quarantine,
        Self::Restart,
    ];

    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pause => "PAUSE",
            Self::Resume => "RESUME",
            Self::Drain => "DRAIN",
            Self::Quarantine => "QUARANTINE",
            Self::Restart => "RESTART",
        }
    }

    /// The command of this name, in upper case.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|it| it.as_str() == text)
    }
}

/// A command with what was said along with it.
#[derive(Debug, Clone)]
pub struct Order {
    pub command: Command,
    /// A quarantine needs one.
    pub reason: Option<String>,
    /// Only a pause may have one.
    pub duration: Option<Duration>,
}

/// What became of an agent and its work.
#[derive(Debug, Clone)]
pub struct Controlled {
    pub agent: Agent,
    /// The tasks that changed with it, as they are now.
    pub affected: Vec<Task>,
}

/// Carries out an operator's command. One that changes nothing leaves no record.
///
/// # Errors
/// Forbidden for agents; `agent_not_found`; every problem of the request; `invalid_transition`
/// for what would weaken a quarantine; `agent_closed`.
pub fn control(
    tx: &mut dyn Tx,
    who: &Principal,
    handle: &Handle,
    order: &Order,
) -> Result<Controlled> {
    who.operate("control an agent")?;
    check(order)?;
    let mut agent = as_written(tx, who.tenant()?, handle)?;
    super::absence::end_what_is_over(tx, &mut agent)?;
    if agent.detail.closed {
        return Err(Error::conflict(
            "agent_closed",
            format!("agent {handle} is closed for good; register another one"),
        ));
    }
    if agent.status == Status::Quarantined
        && matches!(order.command, Command::Pause | Command::Drain)
    {
        return Err(Error::conflict(
            "invalid_transition",
            format!("agent {handle} is QUARANTINED, which only RESUME or RESTART ends"),
        )
        .with_detail("from", agent.status.as_str()));
    }
    let reason = order.reason.clone();
    let affected = match order.command {
        Command::Pause => {
            let until = order.duration.map(|length| tx.now().after(length));
            enter(tx, who, &mut agent, Status::Paused, reason, until)?;
            Vec::new()
        }
        Command::Drain => {
            enter(tx, who, &mut agent, Status::Drained, reason, None)?;
            Vec::new()
        }
        Command::Quarantine => {
            let reason = reason.unwrap_or_default();
            quarantine(tx, who, &mut agent, &reason)?
        }
        Command::Resume => {
            resume(tx, who, &mut agent)?;
            Vec::new()
        }
        Command::Restart => {
            agent.detail.session_key = None;
            forget_errors(&mut agent);
            resume(tx, who, &mut agent)?;
            Vec::new()
        }
    };
    Ok(Controlled { agent, affected })
}

fn check(order: &Order) -> Result<()> {
    let mut problems = Problems::default();
    let reason = order.reason.as_deref().map(str::trim);
    if order.command == Command::Quarantine && reason.is_none_or(str::is_empty) {
        problems.add("reason", "is required for QUARANTINE");
    }
    if reason.is_some_and(|reason| reason.chars().count() > LONGEST_REASON) {
        problems.add(
            "reason",
            format!("must be at most {LONGEST_REASON} characters"),
        );
    }
    text::check_optional(&mut problems, "reason", reason);
    match (order.command, order.duration) {
        (_, None) => {}
        (Command::Pause, Some(length)) if length > Duration::ZERO && length <= LONGEST_PAUSE => {}
        (Command::Pause, Some(_)) => {
            problems.add(
                "duration",
                "must be longer than nothing and at most 366 days",
            );
        }
        (_, Some(_)) => problems.add("duration", "goes with PAUSE only"),
    }
    problems.into_result()
}

fn resume(tx: &mut dyn Tx, who: &Principal, agent: &mut Agent) -> Result<()> {
    if agent.status == Status::Quarantined {
        forget_errors(agent);
    }
    // Its silence counts from here on; else it would be gone again at once.
    agent.detail.last_seen_at = Some(tx.now());
    enter(tx, who, agent, Status::Active, None, None)
}

fn forget_errors(agent: &mut Agent) {
    agent.detail.error_streak = 0;
    agent.detail.last_error = None;
}

/// Gives an agent another status, for the record; the same status is no change.
///
/// # Errors
/// Whatever the store meets.
pub fn set_status(
    tx: &mut dyn Tx,
    who: &Principal,
    agent: &mut Agent,
    to: Status,
    reason: Option<String>,
) -> Result<()> {
    enter(tx, who, agent, to, reason, None)
}

fn enter(
    tx: &mut dyn Tx,
    who: &Principal,
    agent: &mut Agent,
    to: Status,
    reason: Option<String>,
    until: Option<crate::Timestamp>,
) -> Result<()> {
    let from = agent.status;
    let said = (&agent.detail.status_reason, agent.detail.status_until);
    let is_said_anew = said != (&reason, until);
    agent.status = to;
    agent.detail.status_reason = reason;
    agent.detail.status_until = until;
    if to != Status::Offline {
        agent.detail.offline_since = None;
        agent.detail.offline_swept = false;
    }
    agent.updated_at = tx.now();
    tx.put_agent(agent)?;
    let what = if from != to {
        Happening::AgentStatusChanged {
            agent: agent.clone(),
            from,
        }
    } else if is_said_anew {
        Happening::AgentUpdated(agent.clone())
    } else {
        return Ok(());
    };
    let tenant = agent.tenant.clone();
    event::record(tx, who, &tenant, what)
}

/// Quarantines an agent and blocks what only it was working on; gives those tasks.
///
/// # Errors
/// Whatever the store meets.
pub fn quarantine(
    tx: &mut dyn Tx,
    who: &Principal,
    agent: &mut Agent,
    reason: &str,
) -> Result<Vec<Task>> {
    enter(
        tx,
        who,
        agent,
        Status::Quarantined,
        Some(reason.to_owned()),
        None,
    )?;
    let held = work::held_alone(tx, agent, &[State::InProgress])?;
    block(tx, who, held, &format!("assignee quarantined: {reason}"))
}

/// Counts an error of an agent's: the third in a row pauses it, the fifth quarantines it
/// (OpenClaw contract §7). Writes the agent.
///
/// # Errors
/// Whatever the store meets.
pub fn note_error(tx: &mut dyn Tx, agent: &mut Agent, error: Option<&str>) -> Result<()> {
    agent.detail.error_streak = agent.detail.error_streak.saturating_add(1);
    if let Some(error) = error {
        agent.detail.last_error = Some(error.chars().take(LONGEST_ERROR).collect());
    }
    agent.updated_at = tx.now();
    tx.put_agent(agent)?;
    let streak = agent.detail.error_streak;
    // Whoever reported the error, it is the installation that holds the agent up.
    let system = Principal::system().within(agent.tenant.clone())?;
    let reason = format!("{streak} errors in a row");
    match agent.status {
        Status::Quarantined => return Ok(()),
        _ if streak >= QUARANTINED_AT => {
            quarantine(tx, &system, agent, &reason)?;
        }
        Status::Active | Status::Drained | Status::Offline if streak >= PAUSED_AT => {
            set_status(tx, &system, agent, Status::Paused, Some(reason.clone()))?;
        }
        _ => return Ok(()),
    }
    let (tenant, handle) = (agent.tenant.clone(), agent.handle.clone());
    let status = agent.status.as_str();
    let last = agent
        .detail
        .last_error
        .as_deref()
        .unwrap_or("none was told");
    let alert = NewAlert {
        severity: match agent.status {
            Status::Quarantined => Severity::Error,
            _ => Severity::Warning,
        },
        kind: match agent.status {
            Status::Quarantined => "AGENT_QUARANTINED",
            _ => "AGENT_PAUSED",
        },
        title: format!("Agent {handle} is {status}"),
        description: format!("It met {reason}. The last one: {last}"),
        agent: Some(handle),
        task: agent.detail.current_task.clone(),
        run: None,
        metadata: None,
    };
    alert::raise(tx, &system, &tenant, alert).map(drop)
}

/// Something went well: errors are counted from nought again. Writes the agent if it changes.
///
/// # Errors
/// Whatever the store meets.
pub fn note_success(tx: &mut dyn Tx, agent: &mut Agent) -> Result<()> {
    if agent.detail.error_streak == 0 {
        return Ok(());
    }
    agent.detail.error_streak = 0;
    agent.updated_at = tx.now();
    tx.put_agent(agent)
}

/// Closes the agents that were spawned for a task that has ended (OpenClaw contract §9.4).
///
/// # Errors
/// Whatever the store meets.
pub(crate) fn close_children(
    tx: &mut dyn Tx,
    who: &Principal,
    tenant: &TenantId,
    task: &TaskId,
) -> Result<()> {
    let spawned = AgentFilter {
        tenant: Some(tenant.clone()),
        parent_task: Some(task.clone()),
        open: true,
        ..AgentFilter::default()
    };
    loop {
        // Who is closed is not found again.
        let children = tx.agents(&spawned, 0, AT_ONCE)?;
        if children.is_empty() {
            return Ok(());
        }
        for mut agent in children {
            close(tx, who, &mut agent, "the task it was spawned for has ended")?;
        }
    }
}

/// Closes an agent for good: it is offline, its tokens open nothing any more, and what only it
/// worked on is blocked.
///
/// # Errors
/// Whatever the store meets.
pub(super) fn close(tx: &mut dyn Tx, who: &Principal, agent: &mut Agent, why: &str) -> Result<()> {
    crate::token::revoke_all(tx, who, &agent.tenant, &agent.handle)?;
    agent.detail.closed = true;
    agent.detail.offline_since = None;
    set_status(tx, who, agent, Status::Offline, Some(why.to_owned()))?;
    let held = work::held_alone(tx, agent, &[State::InProgress, State::Assigned])?;
    block(tx, who, held, "assignee closed").map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_order_says_what_is_missing_and_what_is_too_much() {
        let order = |command, reason: Option<&str>, seconds: Option<u64>| {
            let order = Order {
                command,
                reason: reason.map(str::to_owned),
                duration: seconds.map(Duration::from_secs),
            };
            let problems = check(&order).err().map(|error| error.problems);
            let fields = problems.unwrap_or_default().into_iter().map(|it| it.field);
            fields.collect::<Vec<_>>().join(" ")
        };
        for command in Command::ALL {
            let bare = order(command, None, None);
            let expected = match command {
                Command::Quarantine => "reason",
                _ => "",
            };
            assert_eq!(bare, expected, "{command:?}");
        }
        assert_eq!(order(Command::Quarantine, Some("  "), None), "reason");
        assert_eq!(order(Command::Pause, None, Some(60)), "");
        assert_eq!(order(Command::Pause, None, Some(0)), "duration");
        assert_eq!(order(Command::Pause, None, Some(400 * 86_400)), "duration");
        assert_eq!(order(Command::Drain, None, Some(60)), "duration");
        assert_eq!(
            order(Command::Resume, Some(&"x".repeat(2001)), None),
            "reason"
        );
    }
}
