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
            let lead_may_complete = to == Done
                && policy::settings(tx, &task.tenant, Some(&agent.handle), Some(task))?
                    .lead_may_complete;
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
    // Beyond beginning and handing in, an INTERN moves nothing.
    let is_intern = agent.rank == Rank::Intern;
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
        (Inbox, Assigned) if is_intern => refuse("SPECIALIST", "a SPECIALIST or a LEAD"),
        (Inbox, Assigned) if is_lead || is_assignee || task.assignee.is_none() => Ok(()),
        (Inbox, Assigned) => refuse("LEAD", "a LEAD where somebody else has the task"),
        (Assigned, Inbox) if is_lead => Ok(()),
        (Assigned, Inbox) => refuse("LEAD", "a LEAD"),
        (InProgress | Review, NeedsApproval) | (InProgress, Blocked) => {
            if is_lead || (is_assignee && !is_intern) {
                return Ok(());
            }
            refuse("SPECIALIST", "a SPECIALIST that works on it, or a LEAD")
        }
        (Review, InProgress) => {
            let is_reviewer = task.reviewer.as_ref() == Some(&agent.handle);
            if !is_assignee && (is_lead || (is_reviewer && !is_intern)) {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::task::tests::blank;
    use crate::{Handle, Timestamp, agent};

    fn of_rank(rank: Rank) -> Agent {
        Agent {
            id: crate::AgentId::new("agent_1"),
            tenant: "t".parse().unwrap(),
            handle: "me".parse().unwrap(),
            rank,
            created_at: Timestamp(0),
            updated_at: Timestamp(0),
            last_heartbeat_at: None,
            health: None,
            status: agent::Status::Active,
            detail: agent::Detail::default(),
        }
    }

    /// Who calls, column by column: a rank and what it is to the task.
    const COLUMNS: [(Rank, &str); 9] = [
        (Rank::Intern, "assignee"),
        (Rank::Intern, "reviewer"),
        (Rank::Intern, "other"),
        (Rank::Specialist, "assignee"),
        (Rank::Specialist, "reviewer"),
        (Rank::Specialist, "other"),
        (Rank::Lead, "assignee"),
        (Rank::Lead, "reviewer"),
        (Rank::Lead, "other"),
    ];

    /// What agents may do; every arc that is not here is for operators alone.
    const TABLE: &[(State, State, &str)] = &[
        (Assigned, Inbox, "... ... xxx"),
        (Assigned, InProgress, "x.. x.. x.."),
        (InProgress, Review, "x.. x.. x.."),
        (InProgress, NeedsApproval, "... x.. xxx"),
        (InProgress, Blocked, "... x.. xxx"),
        (Review, NeedsApproval, "... x.. xxx"),
        (Review, InProgress, "... .x. .xx"),
    ];

    fn task_of(from: State, relation: &str) -> Task {
        let (me, somebody): (Handle, Handle) = ("me".parse().unwrap(), "other".parse().unwrap());
        let mut task = blank(from);
        task.assign(std::slice::from_ref(&somebody));
        task.reviewer = Some(somebody);
        match relation {
            "assignee" => task.assign(&[me]),
            "reviewer" => task.reviewer = Some(me),
            _ => {}
        }
        task
    }

    #[test]
    fn agents_may_take_the_steps_of_the_contract_and_no_others() {
        for from in State::ALL {
            for to in from.next() {
                let row = TABLE.iter().find(|row| (row.0, row.1) == (from, *to));
                let cells = row.map_or("... ... ...", |row| row.2).replace(' ', "");
                for ((rank, relation), cell) in COLUMNS.into_iter().zip(cells.chars()) {
                    if (from, *to) == (Inbox, Assigned) {
                        continue;
                    }
                    let task = task_of(from, relation);
                    let found = agent_may(&of_rank(rank), &task, *to, false);
                    assert_eq!(
                        found.is_ok(),
                        cell == 'x',
                        "{rank:?} {relation}: {from:?} to {to:?}"
                    );
                }
            }
        }
    }

    #[test]
    fn what_nobody_has_is_taken_by_all_but_interns() {
        let free = blank(Inbox);
        let taken = task_of(Inbox, "other");
        for (rank, may_take, may_take_over) in [
            (Rank::Intern, false, false),
            (Rank::Specialist, true, false),
            (Rank::Lead, true, true),
        ] {
            let agent = of_rank(rank);
            assert_eq!(agent_may(&agent, &free, Assigned, false).is_ok(), may_take);
            assert_eq!(
                agent_may(&agent, &taken, Assigned, false).is_ok(),
                may_take_over
            );
        }
    }

    #[test]
    fn a_lead_completes_only_others_work_and_only_where_the_rules_say_so() {
        for (rank, relation, rules_say_so, may) in [
            (Rank::Lead, "other", true, true),
            (Rank::Lead, "assignee", true, false),
            (Rank::Lead, "other", false, false),
            (Rank::Specialist, "reviewer", true, false),
        ] {
            let found = agent_may(
                &of_rank(rank),
                &task_of(Review, relation),
                Done,
                rules_say_so,
            );
            assert_eq!(found.is_ok(), may, "{rank:?} {relation} {rules_say_so}");
        }
    }

    #[test]
    fn a_refusal_names_the_role_that_may() {
        for (rank, relation, from, to, role) in [
            (Rank::Specialist, "assignee", Review, Done, "OPERATOR"),
            (Rank::Specialist, "assignee", Review, InProgress, "REVIEWER"),
            (Rank::Intern, "assignee", InProgress, Blocked, "SPECIALIST"),
            (Rank::Specialist, "other", Assigned, InProgress, "ASSIGNEE"),
            (Rank::Specialist, "assignee", Assigned, Inbox, "LEAD"),
        ] {
            let error = agent_may(&of_rank(rank), &task_of(from, relation), to, false).unwrap_err();
            assert_eq!(error.details.unwrap()["requiredRole"], role);
        }
    }
}
