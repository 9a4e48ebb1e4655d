//! What time alone does to an agent: a pause ends, silence becomes absence, a spawned agent's life
//! is over, a new day brings new money (OpenClaw contract §6, §7, §9.3, §9.4).
//!
//! [`Agent::as_of`] says it to whoever reads; [`settle_due`] writes it down and does what follows.

use std::time::Duration;

use super::control::{close, set_status};
use super::work::{self, block};
use super::{Agent, Status};
use crate::alert::{self, NewAlert, Severity};
use crate::state::State;
use crate::{Principal, Result, Timestamp, Tx, budget};

/// No agent is taken for dead sooner.
const MIN_SILENCE: Duration = Duration::from_secs(300);
/// How exactly it is known when an agent last wrote anything.
pub(super) const SEEN_STEP: Duration = Duration::from_secs(60);

const SILENT: &str = "no heartbeat";
const LIFE_IS_OVER: &str = "its time is over";

impl Agent {
    /// When something falls due that only time brings.
    #[must_use]
    pub fn due_at(&self) -> Option<Timestamp> {
        let detail = &self.detail;
        if detail.closed {
            return None;
        }
        [
            detail.status_until,
            self.silent_at(),
            detail.closes_at,
            detail.purse.replenished_at(),
        ]
        .into_iter()
        .flatten()
        .min()
    }

    /// When its silence means that it is gone; once it is, when its tasks are taken for blocked.
    /// Only an active agent goes absent: a sign of life must not lift what an operator decided.
    #[must_use]
    pub fn silent_at(&self) -> Option<Timestamp> {
        let detail = &self.detail;
        let interval = Duration::from_secs(detail.heartbeat_interval?.into());
        let patience = (2 * interval).max(MIN_SILENCE);
        match (self.status, detail.offline_since) {
            (Status::Active, _) => {
                let beaten = self.last_heartbeat_at?.after(patience);
                let seen = detail.last_seen_at.map(|at| at.after(patience + SEEN_STEP));
                Some(seen.map_or(beaten, |seen| seen.max(beaten)))
            }
            (Status::Offline, Some(since)) if !detail.offline_swept => Some(since.after(patience)),
            _ => None,
        }
    }

    /// The agent with what time has changed by `now`, written or not.
    #[must_use]
    pub fn as_of(mut self, now: Timestamp) -> Self {
        let is_over = |at: Option<Timestamp>| at.is_some_and(|at| at <= now);
        if self.detail.closed {
            return self;
        }
        if is_over(self.detail.closes_at) {
            self.status = Status::Offline;
            self.detail.status_reason = Some(LIFE_IS_OVER.to_owned());
            self.detail.closed = true;
            return self;
        }
        if is_over(self.detail.status_until) {
            self.status = Status::Active;
            self.detail.status_reason = None;
            self.detail.status_until = None;
        }
        if is_over(self.detail.purse.replenished_at()) && budget::holds_up(&self) {
            self.status = Status::Active;
            self.detail.status_reason = None;
        }
        if self.status == Status::Active && is_over(self.silent_at()) {
            self.detail.offline_since = self.silent_at();
            self.status = Status::Offline;
            self.detail.status_reason = Some(SILENT.to_owned());
        }
        self
    }
}

/// Writes down what time has changed of at most `limit` agents; gives of how many.
///
/// # Errors
/// Whatever the store meets.
pub fn settle_due(tx: &mut dyn Tx, limit: u32) -> Result<u32> {
    let now = tx.now();
    let mut settled = 0;
    for mut agent in tx.due_agents(now, limit)? {
        end_what_is_over(tx, &mut agent)?;
        if agent.status == Status::Active && agent.silent_at().is_some_and(|at| at <= now) {
            miss(tx, &mut agent)?;
        }
        if agent.status == Status::Offline && agent.silent_at().is_some_and(|at| at <= now) {
            sweep(tx, &mut agent)?;
        }
        settled += 1;
    }
    Ok(settled)
}

/// Ends a pause or a life whose time has come, and a day whose money was gone.
pub(super) fn end_what_is_over(tx: &mut dyn Tx, agent: &mut Agent) -> Result<()> {
    let now = tx.now();
    let is_over = |at: Option<Timestamp>| at.is_some_and(|at| at <= now);
    if agent.detail.closed {
        return Ok(());
    }
    let who = Principal::system().within(agent.tenant.clone())?;
    if is_over(agent.detail.closes_at) {
        return close(tx, &who, agent, LIFE_IS_OVER);
    }
    if is_over(agent.detail.status_until) {
        set_status(tx, &who, agent, Status::Active, None)?;
    }
    if is_over(agent.detail.purse.replenished_at()) {
        budget::begin_day(tx, agent)?;
    }
    Ok(())
}

/// Takes a silent agent for absent.
fn miss(tx: &mut dyn Tx, agent: &mut Agent) -> Result<()> {
    let who = Principal::system().within(agent.tenant.clone())?;
    agent.detail.offline_since = agent.silent_at();
    set_status(tx, &who, agent, Status::Offline, Some(SILENT.to_owned()))?;
    let last = match agent.last_heartbeat_at {
        Some(at) => format!("Its last heartbeat came at {at}."),
        None => "It never sent a heartbeat.".to_owned(),
    };
    let tenant = agent.tenant.clone();
    alert::raise(
        tx,
        &who,
        &tenant,
        NewAlert {
            severity: Severity::Warning,
            kind: "AGENT_OFFLINE",
            title: format!("Agent {} is offline", agent.handle),
            description: format!("{last} What it writes next brings it back."),
            agent: Some(agent.handle.clone()),
            task: agent.detail.current_task.clone(),
            run: None,
            metadata: None,
        },
    )
    .map(drop)
}

/// Blocks what only an agent works on that stayed away for a second period.
fn sweep(tx: &mut dyn Tx, agent: &mut Agent) -> Result<()> {
    let who = Principal::system().within(agent.tenant.clone())?;
    agent.detail.offline_swept = true;
    tx.put_agent(agent)?;
    let held = work::held_alone(tx, agent, &[State::InProgress, State::Assigned])?;
    block(tx, &who, held, "assignee offline").map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::agent::tests::agent;

    const MINUTE: i64 = 60_000;

    fn minutes(at: Option<Timestamp>) -> Option<i64> {
        at.map(|at| at.0 / MINUTE)
    }

    #[test]
    fn patience_is_two_intervals_and_never_less_than_five_minutes() {
        for (interval, patience) in [(1, 5), (150, 5), (900, 30), (3600, 120)] {
            let mut agent = agent();
            agent.detail.heartbeat_interval = Some(interval);
            assert_eq!(agent.silent_at(), None, "it has never beaten");
            agent.last_heartbeat_at = Some(Timestamp(0));
            assert_eq!(minutes(agent.silent_at()), Some(patience), "{interval}");
        }
    }

    #[test]
    fn whatever_an_agent_writes_counts_as_a_sign_of_life() {
        let mut agent = agent();
        agent.detail.heartbeat_interval = Some(900);
        agent.last_heartbeat_at = Some(Timestamp(0));
        agent.detail.last_seen_at = Some(Timestamp(20 * MINUTE));
        assert_eq!(minutes(agent.silent_at()), Some(51));
    }

    #[test]
    fn only_an_active_agent_goes_absent() {
        for status in Status::ALL {
            let mut agent = agent();
            agent.detail.heartbeat_interval = Some(900);
            agent.last_heartbeat_at = Some(Timestamp(0));
            agent.status = status;
            let expected = match status {
                Status::Active => Status::Offline,
                other => other,
            };
            assert_eq!(agent.as_of(Timestamp(60 * MINUTE)).status, expected);
        }
    }

    #[test]
    fn what_time_changes_is_seen_before_it_is_written() {
        let mut agent = agent();
        agent.status = Status::Paused;
        agent.detail.status_until = Some(Timestamp(10));
        agent.detail.closes_at = Some(Timestamp(20));
        assert_eq!(agent.due_at(), Some(Timestamp(10)));
        for (now, status, closed) in [
            (9, Status::Paused, false),
            (10, Status::Active, false),
            (20, Status::Offline, true),
        ] {
            let seen = agent.clone().as_of(Timestamp(now));
            assert_eq!((seen.status, seen.detail.closed), (status, closed), "{now}");
        }
    }
}
