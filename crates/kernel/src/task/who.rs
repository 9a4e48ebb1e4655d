//! Who may take a task from one state to another (OpenClaw contract §5.2).

use crate::agent::{Agent, Rank};
use crate::policy;
use crate::principal::Role;
use crate::state::State;
use crate::{Error, Principal, Result, Tx};

use super::Task;
use State::{Assigned, Blocked, Done, InProgress, Inbox, NeedsApproval, Review};

/// Refuses a step that does not exist, or that this caller may not take. `agent` is the caller's
/// agent, if an agent calls.
///
/// # Errors
/// `invalid_transition`; forbidden, naming the role that may.
pub fn check_who(
    tx: &mut dyn Tx,
    who: &Principal,
    agent: Option<&Agent>,
    task: &Task,
    to: State,
) -> Result<()> {
    let from = task.state;
    if !from.may_become(to) {
        return Err(Error::conflict(
            "invalid_transition",
            format!("a task in {} cannot become {}", from.as_str(), to.as_str()),
        ));
    }
    match (&who.role, agent) {
        (Role::System, _) => Ok(()),
        (_, Some(agent)) => {
            let lead_may_complete = to == Done && policy::settings(tx)?.lead_may_complete;
            agent_may(agent, task, to, lead_may_complete)
        }
        // Only the installation puts what nobody has begun on hold for an approval.
        (_, None) if matches!((from, to), (Inbox | Assigned, NeedsApproval)) => {
            Err(Error::forbidden(
                "forbidden",
                "a task waits for an approval when one is requested for it",
            )
            .with_detail("requiredRole", "SYSTEM"))
        }
        (_, None) => Ok(()),
    }
}

fn agent_may(agent: &Agent, task: &Task, to: State, lead_may_complete: bool) -> Result<()> {
    let is_assignee = task.is_assigned_to(&agent.handle);
    let is_lead = agent.rank == Rank::Lead;
    let refuse = |role: &str, why: &str| {
        Err(Error::forbidden(
            "forbidden",
            format!("{} to {} is for {why}", task.state.as_str(), to.as_str()),
        )
        .with_detail("requiredRole", role))
    };
    match (task.state, to) {
        (Assigned, InProgress) | (InProgress, Review) => {
            if is_assignee {
                return Ok(());
            }
            refuse("ASSIGNEE", "an agent that works on it")
        }
        (Inbox, Assigned) => match agent.rank {
            Rank::Lead | Rank::Specialist => Ok(()),
            Rank::Intern => refuse("SPECIALIST", "a SPECIALIST or a LEAD"),
        },
        (Assigned, Inbox) if is_lead => Ok(()),
        (Assigned, Inbox) => refuse("LEAD", "a LEAD"),
        (InProgress | Review, NeedsApproval) if is_lead || is_assignee => Ok(()),
        (InProgress, Blocked) if is_lead => Ok(()),
        (InProgress, Blocked) if is_assignee && agent.rank != Rank::Intern => Ok(()),
        (InProgress, Blocked) => refuse("SPECIALIST", "a SPECIALIST that works on it, or a LEAD"),
        (Review, InProgress) => {
            let is_reviewer = task.reviewer.as_ref() == Some(&agent.handle);
            if !is_assignee && (is_reviewer || is_lead) {
                return Ok(());
            }
            refuse(
                "REVIEWER",
                "its reviewer or a LEAD, and never who works on it",
            )
        }
        (Review, Done) if is_lead && lead_may_complete && !is_assignee => Ok(()),
        _ => refuse("OPERATOR", "an operator"),
    }
}

/// Where this caller may take the task from here.
///
/// # Errors
/// Whatever the store meets.
pub fn allowed_steps(
    tx: &mut dyn Tx,
    who: &Principal,
    agent: Option<&Agent>,
    task: &Task,
) -> Result<Vec<State>> {
    let mut allowed = Vec::new();
    for to in task.state.next() {
        match check_who(tx, who, agent, task, *to) {
            Ok(()) => allowed.push(*to),
            Err(error) if error.kind == crate::Kind::Forbidden => {}
            Err(error) => return Err(error),
        }
    }
    Ok(allowed)
}
