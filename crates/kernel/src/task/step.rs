//! A task goes from state to state (OpenClaw contract §5).

use std::time::Duration;

use crate::agent::{self, Act, Agent};
use crate::error::Problems;
use crate::loops;
use crate::message::{self, MessageKind, Post};
use crate::state::State;
use crate::text;
use crate::transition::{self, Step};
use crate::{Error, Principal, Result, TaskId, Tx};

use super::{
    Checklist, Completion, Deliverable, Plan, Task, Transition, allowed_steps, check_who, free,
    requirement,
};

/// The same step asked for again within this time is the same step (§1.3).
const ECHO: Duration = Duration::from_secs(300);

/// A step asked for.
#[derive(Debug, Clone)]
pub struct NewStep {
    pub to: State,
    pub reason: Option<String>,
    /// Handed in with it; each replaces what the task holds.
    pub plan: Option<Plan>,
    pub deliverable: Option<Deliverable>,
    pub checklist: Option<Checklist>,
    /// An operator skips the checks of what is handed in.
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
/// `task_not_found`; `already_processed` when it is there already; `invalid_transition`;
/// forbidden; every problem of what is handed in; `dependencies_not_done`.
pub fn step(tx: &mut dyn Tx, who: &Principal, id: &TaskId, new: NewStep) -> Result<Stepped> {
    let mut task = free::get(tx, who, id)?;
    let caller = agent::acting(tx, who)?;
    if task.state == new.to {
        return repeat(tx, who, caller.as_ref(), task);
    }
    if let Err(error) = check_who(tx, who, caller.as_ref(), &task, new.to) {
        return Err(explain(tx, who, caller.as_ref(), &task, new.to, error)?);
    }
    if let Some(caller) = &caller {
        let begins = matches!(
            (task.state, new.to),
            (State::Inbox, State::Assigned) | (State::Assigned, State::InProgress)
        );
        agent::permit(tx, caller, if begins { Act::Start } else { Act::Write })?;
    }
    let to = new.to;
    let reason = new.reason.clone();
    let handed_in = take_in(tx, who, &mut task, &new);
    let forced = new.force && who.is_operator();
    if to == State::Assigned && task.assignee.is_none() {
        // A SPECIALIST that takes a task is who it is assigned to.
        if let Some(caller) = &caller {
            super::change::check_assignee(tx, &task, &caller.handle)?;
            task.assign(std::slice::from_ref(&caller.handle));
            tx.subscribe(&task.id, &caller.handle.clone().into())?;
        }
    }
    if !forced {
        let mut problems = Problems::default();
        text::check_optional(&mut problems, "reason", reason.as_deref());
        requirement::collect(tx, &mut problems, who, &task, to, reason.as_deref())?;
        if !problems.is_empty() {
            let refused = problems.into_result();
            return match refused {
                Err(error) => Err(explain(tx, who, caller.as_ref(), &task, to, error)?),
                Ok(()) => Err(Error::internal("a problem was lost")),
            };
        }
        if (task.state, to) == (State::Assigned, State::InProgress) {
            requirement::check_dependencies(tx, &task)?;
        }
    }
    let from = task.state;
    if (from, to) == (State::Review, State::InProgress) {
        task.detail.review_cycles += 1;
    }
    if to == State::Done {
        task.detail.completion = Some(Completion {
            approval: None,
            approved_by: who
                .handle()
                .map_or_else(|| who.subject.clone(), ToString::to_string),
            approved_at: tx.now(),
            note: reason.clone(),
        });
    }
    let (task, transition) = transition::shift(
        tx,
        who,
        task,
        to,
        Step {
            reason: reason.clone(),
            session_key: new.session_key,
            forced,
            artifacts: handed_in,
            idempotency_key: new.idempotency_key,
        },
    )?;
    let task = speak(tx, who, task, from, reason.as_deref())?;
    let allowed = allowed_steps(tx, who, caller.as_ref(), &task)?;
    Ok(Stepped {
        task,
        transition,
        repeated: false,
        allowed,
    })
}

/// Takes over what is handed in; gives the names of the artifacts.
fn take_in(tx: &mut dyn Tx, who: &Principal, task: &mut Task, new: &NewStep) -> Vec<String> {
    if let Some(plan) = &new.plan {
        task.detail.plan = Some(plan.clone());
    }
    if let Some(deliverable) = &new.deliverable {
        task.detail.deliverable = Some(deliverable.clone());
    }
    if let Some(checklist) = &new.checklist {
        task.detail.checklist = Some(Checklist {
            completed_at: Some(tx.now()),
            completed_by: Some(
                who.handle()
                    .map_or_else(|| who.subject.clone(), ToString::to_string),
            ),
            ..checklist.clone()
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
            message::write(
                tx,
                who,
                &task,
                Post::of(MessageKind::WorkPlan, lines.join("\n")),
            )?;
            Ok(task)
        }
        (State::Review, State::InProgress) => {
            let feedback = reason.unwrap_or_default();
            message::write(tx, who, &task, Post::of(MessageKind::Review, feedback))?;
            loops::after_review(tx, task)
        }
        _ => Ok(task),
    }
}

/// A task that is there already: the same step by the same caller a moment ago is that step.
fn repeat(tx: &mut dyn Tx, who: &Principal, caller: Option<&Agent>, task: Task) -> Result<Stepped> {
    let actor = who
        .handle()
        .map_or_else(|| who.subject.clone(), ToString::to_string);
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

/// Adds to a refusal what the caller could do instead (§1.2).
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
    Ok(error
        .with_detail("success", false)
        .with_detail("from", task.state.as_str())
        .with_detail("to", to.as_str())
        .with_detail("allowedTransitions", allowed))
}
