//! A task goes from state to state (OpenClaw contract §5).

use std::time::Duration;

use crate::agent::{self, Act, Agent};
use crate::error::Problems;
use crate::loops;
use crate::message::{self, MessageKind, Post};
use crate::policy;
use crate::state::State;
use crate::text;
use crate::transition::{self, Step};
use crate::{Error, Handle, Principal, Result, TaskId, Tx};

use super::{
    Checklist, Completion, Deliverable, Plan, Task, Transition, allowed_steps, change, check_who,
    free, handed_in, requirement,
};

/// The same step asked for again within this time is the same step (§1.3).
const ECHO: Duration = Duration::from_secs(300);
/// In characters.
const LONGEST_REASON: usize = 10_000;
const LONGEST_SESSION_KEY: usize = 500;

/// A step asked for.
#[derive(Debug, Clone)]
pub struct NewStep {
    pub to: State,
    pub reason: Option<String>,
    /// Handed in with it; each replaces what the task holds.
    pub plan: Option<Plan>,
    pub deliverable: Option<Deliverable>,
    pub checklist: Option<Checklist>,
    /// An operator does without what should be handed in or done before.
    pub force: bool,
    pub session_key: Option<String>,
    pub idempotency_key: Option<String>,
}

impl NewStep {
    /// Just that step.
    #[must_use]
    pub fn to(to: State) -> Self {
        Self {
            to,
            reason: None,
            plan: None,
            deliverable: None,
            checklist: None,
            force: false,
            session_key: None,
            idempotency_key: None,
        }
    }
}

/// A step taken.
#[derive(Debug, Clone)]
pub struct Stepped {
    pub task: Task,
    pub transition: Transition,
    /// It had been taken before; nothing changed.
    pub repeated: bool,
    /// Where the caller may take the task from here.
    pub allowed: Vec<State>,
}

/// Takes a task to another state.
///
/// # Errors
/// `task_not_found`; `already_processed` when it is there already. Every other refusal says in its
/// details where the caller may take the task instead: `invalid_transition`; forbidden; every
/// problem of what is handed in; `dependencies_not_done`; `task_type_not_allowed`.
pub fn step(tx: &mut dyn Tx, who: &Principal, id: &TaskId, new: NewStep) -> Result<Stepped> {
    let task = free::get(tx, who, id)?;
    let caller = agent::acting(tx, who)?;
    let caller = caller.as_ref();
    if task.state == new.to {
        return repeat(tx, who, caller, task);
    }
    let to = new.to;
    match take(tx, who, caller, task.clone(), new) {
        Err(error) if error.is_refusal() => Err(explain(tx, who, caller, &task, to, error)?),
        outcome => outcome,
    }
}

fn take(
    tx: &mut dyn Tx,
    who: &Principal,
    caller: Option<&Agent>,
    mut task: Task,
    new: NewStep,
) -> Result<Stepped> {
    let (from, to) = (task.state, new.to);
    check_who(tx, who, caller, &task, to)?;
    if let Some(caller) = caller {
        let begins = matches!(
            (from, to),
            (State::Inbox, State::Assigned) | (State::Assigned, State::InProgress)
        );
        agent::permit(tx, caller, if begins { Act::Start } else { Act::Write })?;
    }
    check_force(who, &new)?;
    let artifacts = take_in(tx, who, &mut task, &new);
    // Who takes a task that nobody has is who it is assigned to.
    let claims = (from, to) == (State::Inbox, State::Assigned) && task.assignee.is_none();
    let claimer = caller.map(|it| &it.handle).filter(|_| claims);
    let assignees: Vec<Handle> = task.assignees().chain(claimer).cloned().collect();
    check(tx, who, &task, &new, &assignees)?;
    let reason = new.reason.map(|reason| policy::redact(&reason).0);
    let step = Step {
        reason: reason.clone(),
        session_key: new.session_key,
        forced: new.force,
        artifacts,
        idempotency_key: new.idempotency_key,
    };
    let (task, transition) = match claimer {
        Some(handle) => change::claim(tx, who, task, handle, step)?,
        None => finish(tx, who, task, to, step)?,
    };
    let task = speak(tx, who, task, from, reason.as_deref())?;
    let allowed = allowed_steps(tx, who, caller, &task)?;
    Ok(Stepped {
        task,
        transition,
        repeated: false,
        allowed,
    })
}

/// Evidence may be missing or wanting where an operator says so, and only then.
fn check_force(who: &Principal, new: &NewStep) -> Result<()> {
    if new.force && !who.is_operator() {
        return Err(
            Error::forbidden("forbidden", "only an operator forces a step")
                .with_detail("requiredRole", "OPERATOR"),
        );
    }
    Ok(())
}

/// Refuses a step for which something is missing, naming all of it. `task` holds what was handed
/// in; these agents work on it, or will.
fn check(
    tx: &mut dyn Tx,
    who: &Principal,
    task: &Task,
    new: &NewStep,
    assignees: &[Handle],
) -> Result<()> {
    let to = new.to;
    let mut problems = Problems::default();
    text::check_optional(&mut problems, "reason", new.reason.as_deref());
    handed_in::check_length(
        &mut problems,
        "reason",
        new.reason.as_deref(),
        LONGEST_REASON,
    );
    handed_in::check_length(
        &mut problems,
        "sessionKey",
        new.session_key.as_deref(),
        LONGEST_SESSION_KEY,
    );
    handed_in::check_sizes(
        &mut problems,
        new.plan.as_ref(),
        new.deliverable.as_ref(),
        new.checklist.as_ref(),
    );
    let mut after = task.clone();
    after.assign(assignees);
    let collect = if new.force {
        requirement::collect_circumstances
    } else {
        requirement::collect
    };
    collect(tx, &mut problems, who, &after, to, new.reason.as_deref())?;
    let begins = (task.state, to) == (State::Assigned, State::InProgress) && !new.force;
    let waits = match begins.then(|| requirement::check_dependencies(tx, task)) {
        Some(Err(refusal)) if refusal.is_refusal() => Some(refusal),
        Some(Err(fault)) => return Err(fault),
        Some(Ok(())) | None => None,
    };
    if let Some(refusal) = &waits
        && !problems.is_empty()
    {
        problems.add("workPlan.dependencies", refusal.message.clone());
    }
    problems.into_result()?;
    if (task.state, to) == (State::Inbox, State::Assigned) {
        for handle in assignees {
            change::check_assignee(tx, task, handle)?;
        }
    }
    waits.map_or(Ok(()), Err)
}

/// Moves the task, and sees to what only some steps do.
fn finish(
    tx: &mut dyn Tx,
    who: &Principal,
    mut task: Task,
    to: State,
    step: Step,
) -> Result<(Task, Transition)> {
    if (task.state, to) == (State::Review, State::InProgress) {
        task.detail.review_cycles += 1;
    }
    if to == State::Done {
        task.detail.completion = Some(Completion {
            approval: None,
            approved_by: name_of(who),
            approved_at: tx.now(),
            note: step.reason.clone(),
        });
    }
    let before: Vec<Handle> = task.assignees().cloned().collect();
    let (task, transition) = transition::shift(tx, who, task, to, step)?;
    let released = before.iter().filter(|it| !task.is_assigned_to(it));
    change::release(tx, who, &task, released)?;
    Ok((task, transition))
}

/// A caller's name, for the record.
fn name_of(who: &Principal) -> String {
    who.handle()
        .map_or_else(|| who.subject.clone(), ToString::to_string)
}

/// Takes over what is handed in; gives the names of the artifacts.
fn take_in(tx: &mut dyn Tx, who: &Principal, task: &mut Task, new: &NewStep) -> Vec<String> {
    if let Some(plan) = &new.plan {
        task.detail.plan = Some(plan.clone().sealed());
    }
    if let Some(deliverable) = &new.deliverable {
        task.detail.deliverable = Some(deliverable.clone().sealed());
    }
    if let Some(checklist) = &new.checklist {
        task.detail.checklist = Some(Checklist {
            completed_at: Some(tx.now()),
            completed_by: Some(name_of(who)),
            ..checklist.clone().sealed()
        });
    }
    new.deliverable
        .iter()
        .flat_map(|deliverable| &deliverable.artifacts)
        .map(|artifact| artifact.name.clone())
        .collect()
}

/// The messages that a step leaves on the thread, and what follows from too many of them.
fn speak(
    tx: &mut dyn Tx,
    who: &Principal,
    task: Task,
    from: State,
    reason: Option<&str>,
) -> Result<Task> {
    match (from, task.state) {
        (State::Assigned, State::InProgress) => {
            let bullets = task.detail.plan.iter().flat_map(|plan| &plan.bullets);
            let lines: Vec<String> = bullets
                .enumerate()
                .map(|(index, bullet)| format!("{}. {bullet}", index + 1))
                .collect();
            if lines.is_empty() {
                return Ok(task);
            }
            say(
                tx,
                who,
                task,
                Post::of(MessageKind::WorkPlan, lines.join("\n")),
            )
        }
        (State::Review, State::InProgress) => {
            let feedback = Post::of(MessageKind::Review, reason.unwrap_or_default());
            let task = say(tx, who, task, feedback)?;
            loops::after_review(tx, task)
        }
        _ => Ok(task),
    }
}

/// Posts what a step says; too much of that is a loop like any other.
fn say(tx: &mut dyn Tx, who: &Principal, task: Task, post: Post) -> Result<Task> {
    message::write(tx, who, &task, post)?;
    let blocked = loops::after_message(tx, who, &task)?;
    Ok(blocked.unwrap_or(task))
}

/// A task that is there already: the same step by the same caller a moment ago is that step.
fn repeat(tx: &mut dyn Tx, who: &Principal, caller: Option<&Agent>, task: Task) -> Result<Stepped> {
    let actor = name_of(who);
    let now = tx.now();
    let last = tx.transitions(&task.id)?.pop();
    let same = last
        .filter(|last| last.to == task.state && last.actor == actor && last.at.after(ECHO) > now);
    let Some(transition) = same else {
        return Err(Error::conflict(
            "already_processed",
            format!("the task is {} already", task.state.as_str()),
        )
        .with_detail("status", task.state.as_str()));
    };
    let allowed = allowed_steps(tx, who, caller, &task)?;
    Ok(Stepped {
        task,
        transition,
        repeated: true,
        allowed,
    })
}

/// Adds to a refusal what the caller could do instead (§1.2). A refusal that finds no fault with
/// one member finds it with the state that was asked for.
fn explain(
    tx: &mut dyn Tx,
    who: &Principal,
    caller: Option<&Agent>,
    task: &Task,
    to: State,
    error: Error,
) -> Result<Error> {
    let allowed: Vec<&str> = allowed_steps(tx, who, caller, task)?
        .into_iter()
        .map(State::as_str)
        .collect();
    let error = if error.problems.is_empty() {
        let fault = serde_json::json!([{"field": "toStatus", "message": error.message}]);
        error.with_detail("errors", fault)
    } else {
        error
    };
    Ok(error
        .with_detail("success", false)
        .with_detail("from", task.state.as_str())
        .with_detail("to", to.as_str())
        .with_detail("allowedTransitions", allowed))
}
