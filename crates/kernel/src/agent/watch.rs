//! What time alone does to agents: silence becomes absence, a pause ends, a spawned agent's life
//! is over, a new day brings new money (OpenClaw contract §6, §7, §9.4).

use crate::alert::{self, NewAlert, Severity};
use crate::state::State;
use crate::{Principal, Result, Tx, budget};

use super::status::{block_work, close, set_status};
use super::{Agent, Status};

/// Settles what has fallen due, at most so much; tells how many agents it settled.
///
/// # Errors
/// Whatever the store meets.
pub fn settle_due(tx: &mut dyn Tx, limit: u32) -> Result<u32> {
    let now = tx.now();
    let due = tx.due_agents(now, limit)?;
    let count = u32::try_from(due.len()).unwrap_or(u32::MAX);
    for agent in due {
        settle(tx, agent)?;
    }
    Ok(count)
}

fn settle(tx: &mut dyn Tx, mut agent: Agent) -> Result<()> {
    let now = tx.now();
    let system = Principal::system();
    if agent.detail.closes_at.is_some_and(|at| at <= now) {
        return close(tx, &system, &mut agent, "its time is over");
    }
    if agent.detail.status_until.is_some_and(|at| at <= now) && agent.status == Status::Paused {
        return set_status(tx, &system, &mut agent, Status::Active, None);
    }
    if agent.detail.purse.exceeded && agent.detail.purse.until <= now {
        return budget::begin_day(tx, &mut agent);
    }
    if agent.silent_at().is_some_and(|at| at <= now) {
        return find_silent(tx, &system, agent);
    }
    // Nothing is due after all: what was, has been settled since.
    tx.put_agent(&agent)
}

fn find_silent(tx: &mut dyn Tx, system: &Principal, mut agent: Agent) -> Result<()> {
    let now = tx.now();
    if agent.status == Status::Offline {
        agent.detail.offline_swept = true;
        tx.put_agent(&agent)?;
        let states = [State::InProgress, State::Assigned];
        return block_work(tx, &agent, &states, "assignee offline").map(drop);
    }
    agent.detail.offline_since = Some(now);
    if agent.status == Status::Active {
        let reason = Some("no heartbeat".to_owned());
        set_status_offline(tx, system, &mut agent, reason)?;
    } else {
        // Held up already: it is known to be silent, and its status stays what it was set to.
        agent.detail.offline_swept = true;
        tx.put_agent(&agent)?;
    }
    let last = agent
        .last_heartbeat_at
        .map(|at| at.to_string())
        .unwrap_or_default();
    let tenant = agent.tenant.clone();
    alert::raise(
        tx,
        system,
        &tenant,
        NewAlert {
            severity: Severity::Warning,
            kind: "AGENT_OFFLINE",
            title: format!("Agent {} is offline", agent.handle),
            description: format!("Its last heartbeat was at {last}."),
            agent: Some(agent.handle.clone()),
            task: agent.detail.current_task.clone(),
            run: None,
            metadata: None,
        },
    )
    .map(drop)
}

fn set_status_offline(
    tx: &mut dyn Tx,
    system: &Principal,
    agent: &mut Agent,
    reason: Option<String>,
) -> Result<()> {
    let since = agent.detail.offline_since;
    set_status(tx, system, agent, Status::Offline, reason)?;
    agent.detail.offline_since = since;
    tx.put_agent(agent)
}
