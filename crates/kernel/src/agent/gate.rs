//! What an agent's status and the operator's mode let it do (OpenClaw contract §6).

use super::absence::{self, SEEN_STEP};
use super::control::set_status;
use super::{Agent, Status, ensure};
use crate::operator::Mode;
use crate::state::State;
use crate::task::Task;
use crate::{Error, Principal, Result, Tx};

/// What an agent is about to do, as far as its status has a say in it.
#[derive(Debug, Clone, Copy)]
pub enum Act<'a> {
    /// Take a task, or begin with one.
    Start,
    /// Begin a run, on a task or on none.
    Run(Option<&'a Task>),
    /// Post a message.
    Speak,
    /// Anything else that changes something.
    Write,
}

/// The agent that speaks, if an agent does, brought back from absence: whatever an agent writes is
/// a sign of life. A closed agent stays closed.
///
/// # Errors
/// Whatever the store meets.
pub fn acting(tx: &mut dyn Tx, who: &Principal) -> Result<Option<Agent>> {
    let (Some(handle), Some(tenant)) = (who.handle(), &who.tenant) else {
        return Ok(None);
    };
    let mut agent = ensure(tx, who, tenant, handle)?;
    absence::end_what_is_over(tx, &mut agent)?;
    if agent.detail.closed {
        return Ok(Some(agent));
    }
    let now = tx.now();
    let is_away = agent.status == Status::Offline;
    // Written once a minute at most, and only where silence would mean something.
    let is_news = agent.silent_at().is_some()
        && agent
            .detail
            .last_seen_at
            .max(agent.last_heartbeat_at)
            .is_none_or(|seen| seen.after(SEEN_STEP) <= now);
    if is_away || is_news {
        agent.detail.last_seen_at = Some(now);
    }
    if is_away {
        set_status(tx, who, &mut agent, Status::Active, None)?;
    } else if is_news {
        tx.put_agent(&agent)?;
    }
    Ok(Some(agent))
}

/// Refuses what the agent's status or the operator's mode forbids.
///
/// # Errors
/// `agent_paused`, `agent_drained`, `agent_quarantined`, `agent_closed`, `operator_mode`:
/// forbidden.
pub fn permit(tx: &mut dyn Tx, agent: &Agent, act: Act<'_>) -> Result<()> {
    let mode = tx.stance()?.mode;
    let now = tx.now();
    match refusal(mode, &agent.clone().as_of(now), act) {
        Some(error) => Err(error),
        None => Ok(()),
    }
}

/// Why an agent may not do something, if it may not.
pub(super) fn refusal(mode: Mode, agent: &Agent, act: Act<'_>) -> Option<Error> {
    let own_work_goes_on = |task: Option<&Task>| {
        task.is_some_and(|task| {
            task.state == State::InProgress && task.is_assigned_to(&agent.handle)
        })
    };
    let held = match (mode, act) {
        (Mode::Normal, _) | (Mode::Paused | Mode::Draining, Act::Speak | Act::Write) => false,
        (Mode::Draining, Act::Run(task)) => !own_work_goes_on(task),
        (Mode::Paused | Mode::Draining | Mode::Quarantined, _) => true,
    };
    if held {
        return Some(
            Error::forbidden(
                "operator_mode",
                format!(
                    "the operator's mode is {}; wait until it is NORMAL",
                    mode.as_str()
                ),
            )
            .with_detail("mode", mode.as_str()),
        );
    }
    let code = match (agent.status, act) {
        (Status::Offline, _) if agent.detail.closed => "agent_closed",
        (Status::Active | Status::Offline, _)
        | (Status::Paused | Status::Drained, Act::Speak | Act::Write) => return None,
        (Status::Drained, Act::Run(task)) if own_work_goes_on(task) => return None,
        (Status::Paused, _) => "agent_paused",
        (Status::Drained, _) => "agent_drained",
        (Status::Quarantined, _) => "agent_quarantined",
    };
    let why = agent
        .detail
        .status_reason
        .as_deref()
        .map(|reason| format!(" ({reason})"))
        .unwrap_or_default();
    Some(
        Error::forbidden(
            code,
            format!("agent {} is {}{why}", agent.handle, agent.status.as_str()),
        )
        .with_detail("status", agent.status.as_str()),
    )
}
