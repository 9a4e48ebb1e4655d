//! How an operator holds agents up and lets them go on (OpenClaw contract §6).

use std::time::Duration;

use crate::error::Problems;
use crate::state::State;
use crate::task::Task;
use crate::text;
use crate::{Error, Handle, Principal, Result, Tx};

use super::status::{quarantine, set_status, work_of};
use super::{Agent, Status, find};

/// What an operator does to an agent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Control {
    Pause,
    Resume,
    Drain,
    Quarantine,
    /// As resuming, and forgets its session and its errors.
    Restart,
}

impl Control {
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

    /// The control of this name, in upper case.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|it| it.as_str() == text)
    }
}

/// What to do, why, and for how long.
#[derive(Debug, Clone)]
pub struct NewControl {
    pub control: Control,
    /// Required for a quarantine.
    pub reason: Option<String>,
    /// After which a pause ends by itself.
    pub duration: Option<Duration>,
}

/// An agent that was held up or let go, and what it was at.
#[derive(Debug, Clone)]
pub struct Touched {
    pub agent: Agent,
    pub tasks: Vec<Task>,
}

/// Holds an agent up or lets it go on. What it works on stays its own, but in a quarantine, where
/// what only it works on is blocked.
///
/// # Errors
/// Every problem of the request; forbidden for agents; `agent_not_found`; `already_processed` for
/// an agent that was closed.
pub fn control(
    tx: &mut dyn Tx,
    who: &Principal,
    handle: &Handle,
    new: &NewControl,
) -> Result<Touched> {
    who.operate("control agents")?;
    let mut problems = Problems::default();
    text::check_optional(&mut problems, "reason", new.reason.as_deref());
    let has_reason = new
        .reason
        .as_deref()
        .is_some_and(|reason| !reason.trim().is_empty());
    if new.control == Control::Quarantine && !has_reason {
        problems.add("reason", "is required for a quarantine");
    }
    if new.duration.is_some() && new.control != Control::Pause {
        problems.add("duration", "only a pause ends by itself");
    }
    problems.into_result()?;
    let mut agent = find(tx, who.tenant()?, handle)?;
    if agent.detail.closed {
        return Err(Error::conflict(
            "already_processed",
            format!("agent {handle} was closed; register another"),
        ));
    }
    let reason = new.reason.clone();
    let tasks = match new.control {
        Control::Quarantine => quarantine(tx, who, &mut agent, reason)?,
        Control::Pause => {
            set_status(tx, who, &mut agent, Status::Paused, reason)?;
            if let Some(duration) = new.duration {
                agent.detail.status_until = Some(tx.now().after(duration));
                tx.put_agent(&agent)?;
            }
            work_of(tx, &agent, &[State::InProgress, State::Assigned])?
        }
        Control::Drain => {
            set_status(tx, who, &mut agent, Status::Drained, reason)?;
            work_of(tx, &agent, &[State::InProgress, State::Assigned])?
        }
        Control::Resume | Control::Restart => {
            if new.control == Control::Restart {
                agent.detail.session_key = None;
                agent.detail.last_error = None;
            }
            if new.control == Control::Restart || agent.status == Status::Quarantined {
                agent.detail.error_streak = 0;
            }
            set_status(tx, who, &mut agent, Status::Active, None)?;
            Vec::new()
        }
    };
    Ok(Touched { agent, tasks })
}
