//! What an agent's status lets it do, and how it changes (OpenClaw contract §6).

use crate::event::{self, Happening};
use crate::operator::Mode;
use crate::state::State;
use crate::task::Task;
use crate::transition::{self, Step};
use crate::{Error, Principal, Result, TaskId, TenantId, Tx};

use super::{Agent, AgentFilter, Status, ensure};

/// What an agent is about to do, as far as its status has a say in it (OpenClaw contract §6).
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
    if agent.status == Status::Offline && !agent.detail.closed {
        set_status(tx, who, &mut agent, Status::Active, None)?;
    }
    Ok(Some(agent))
}

/// Refuses what the agent's status or the operator's mode forbids.
///
/// # Errors
/// `agent_paused`, `agent_drained`, `agent_quarantined`, `operator_mode`: forbidden.
pub fn permit(tx: &mut dyn Tx, agent: &Agent, act: Act<'_>) -> Result<()> {
    let own_work_goes_on = |task: Option<&Task>| {
        task.is_some_and(|task| {
            task.state == State::InProgress && task.is_assigned_to(&agent.handle)
        })
    };
    let mode = tx.stance()?.mode;
    let held = match (mode, act) {
        (Mode::Normal, _) | (Mode::Paused | Mode::Draining, Act::Speak | Act::Write) => false,
        (Mode::Draining, Act::Run(task)) => !own_work_goes_on(task),
        (Mode::Paused | Mode::Draining | Mode::Quarantined, _) => true,
    };
    if held {
        return Err(Error::forbidden(
            "operator_mode",
            format!(
                "the operator's mode is {}; wait until it is NORMAL",
                mode.as_str()
            ),
        )
        .with_detail("mode", mode.as_str()));
    }
    let code = match (agent.status, act) {
        (Status::Active | Status::Offline, _)
        | (Status::Paused | Status::Drained, Act::Speak | Act::Write) => return Ok(()),
        (Status::Drained, Act::Run(task)) if own_work_goes_on(task) => return Ok(()),
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
    Err(Error::forbidden(
        code,
        format!("agent {} is {}{why}", agent.handle, agent.status.as_str()),
    )
    .with_detail("status", agent.status.as_str()))
}

/// Gives an agent another status, for the record; the same status is no change.
///
/// # Errors
/// Whatever the store meets.
pub(crate) fn set_status(
    tx: &mut dyn Tx,
    who: &Principal,
    agent: &mut Agent,
    to: Status,
    reason: Option<String>,
) -> Result<()> {
    let from = agent.status;
    agent.status = to;
    agent.detail.status_reason = reason;
    agent.detail.status_until = None;
    if to != Status::Offline {
        agent.detail.offline_since = None;
        agent.detail.offline_swept = false;
    }
    agent.updated_at = tx.now();
    tx.put_agent(agent)?;
    if from == to {
        return Ok(());
    }
    let tenant = agent.tenant.clone();
    event::record(
        tx,
        who,
        &tenant,
        Happening::AgentStatusChanged {
            agent: agent.clone(),
            from,
        },
    )
}

/// Keeps what its assignees are at in step with a task that moved.
///
/// # Errors
/// Whatever the store meets.
pub(crate) fn follow_task(tx: &mut dyn Tx, task: &Task) -> Result<()> {
    for handle in task.assignees() {
        let Some(mut agent) = tx.agent(&task.tenant, handle)? else {
            continue;
        };
        let is_at_it = agent.detail.current_task.as_ref() == Some(&task.id);
        match (task.state, is_at_it) {
            (State::InProgress, false) => agent.detail.current_task = Some(task.id.clone()),
            // Waiting for an approval or blocked, it is still the task the agent is at.
            (State::InProgress | State::NeedsApproval | State::Blocked, _) | (_, false) => continue,
            (_, true) => agent.detail.current_task = None,
        }
        agent.updated_at = tx.now();
        tx.put_agent(&agent)?;
    }
    Ok(())
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
        spawned: true,
        ..AgentFilter::default()
    };
    for mut agent in tx.agents(&spawned, 0, MOST_SPAWNED)? {
        if agent.detail.parent_task.as_ref() == Some(task) && !agent.detail.closed {
            close(tx, who, &mut agent, "the task it was spawned for has ended")?;
        }
    }
    Ok(())
}

/// Closes an agent for good: it is offline and its tokens open nothing any more.
///
/// # Errors
/// Whatever the store meets.
pub(crate) fn close(tx: &mut dyn Tx, who: &Principal, agent: &mut Agent, why: &str) -> Result<()> {
    let now = tx.now();
    for mut token in tx.tokens(&agent.tenant, &agent.handle)? {
        if token.revoked_at.is_none() {
            token.revoked_at = Some(now);
            tx.put_token(&token)?;
            event::record(tx, who, &agent.tenant, Happening::AgentTokenRevoked(token))?;
        }
    }
    agent.detail.closed = true;
    set_status(tx, who, agent, Status::Offline, Some(why.to_owned()))
}

/// More spawned agents than this are never looked at together; far fewer may live at once.
const MOST_SPAWNED: u32 = 10_000;

/// Errors in a row after which an agent is paused, and after which it is put into quarantine.
const ERRORS_TO_PAUSE: u32 = 3;
const ERRORS_TO_QUARANTINE: u32 = 5;

/// Counts an error: too many in a row hold the agent up (OpenClaw contract §7).
///
/// # Errors
/// Whatever the store meets.
pub(crate) fn note_error(tx: &mut dyn Tx, agent: &mut Agent, error: Option<&str>) -> Result<()> {
    agent.detail.error_streak = agent.detail.error_streak.saturating_add(1);
    if let Some(error) = error {
        agent.detail.last_error = Some(error.to_owned());
    }
    agent.updated_at = tx.now();
    tx.put_agent(agent)?;
    let streak = agent.detail.error_streak;
    let reason = Some(format!("{streak} errors in a row"));
    let system = Principal::system();
    if streak >= ERRORS_TO_QUARANTINE && agent.status != Status::Quarantined {
        quarantine(tx, &system, agent, reason).map(drop)
    } else if streak >= ERRORS_TO_PAUSE && agent.status == Status::Active {
        set_status(tx, &system, agent, Status::Paused, reason)
    } else {
        Ok(())
    }
}

/// Forgets an agent's errors.
///
/// # Errors
/// Whatever the store meets.
pub(crate) fn note_success(tx: &mut dyn Tx, agent: &mut Agent) -> Result<()> {
    if agent.detail.error_streak == 0 {
        return Ok(());
    }
    agent.detail.error_streak = 0;
    agent.updated_at = tx.now();
    tx.put_agent(agent)
}

/// Puts an agent into quarantine; what only it works on is blocked. Gives those tasks.
///
/// # Errors
/// Whatever the store meets.
pub(crate) fn quarantine(
    tx: &mut dyn Tx,
    who: &Principal,
    agent: &mut Agent,
    reason: Option<String>,
) -> Result<Vec<Task>> {
    let why = match &reason {
        Some(reason) => format!("agent {} is in quarantine: {reason}", agent.handle),
        None => format!("agent {} is in quarantine", agent.handle),
    };
    set_status(tx, who, agent, Status::Quarantined, reason)?;
    block_work(tx, agent, &[State::InProgress], &why)
}

/// Blocks what only this agent works on and what is in one of these states.
///
/// # Errors
/// Whatever the store meets.
pub(super) fn block_work(
    tx: &mut dyn Tx,
    agent: &Agent,
    states: &[State],
    why: &str,
) -> Result<Vec<Task>> {
    let mut blocked = Vec::new();
    for task in work_of(tx, agent, states)? {
        if task.assignees().count() == 1 {
            let (task, _) = transition::shift(
                tx,
                &Principal::system(),
                task,
                State::Blocked,
                Step::because(why),
            )?;
            blocked.push(task);
        }
    }
    Ok(blocked)
}

/// What this agent works on and what is in one of these states, most urgent first.
///
/// # Errors
/// Whatever the store meets.
pub(super) fn work_of(tx: &mut dyn Tx, agent: &Agent, states: &[State]) -> Result<Vec<Task>> {
    let filter = crate::task::BoardFilter {
        tenant: Some(agent.tenant.clone()),
        states: states.to_vec(),
        assignee: Some(agent.handle.clone()),
        ..crate::task::BoardFilter::default()
    };
    let page = crate::task::BoardPage {
        order: crate::task::BoardOrder::Priority,
        descending: false,
        offset: 0,
        limit: MOST_WORK,
    };
    tx.board(&filter, page)
}

/// More tasks of one agent than this are not looked at together.
const MOST_WORK: u32 = 200;
