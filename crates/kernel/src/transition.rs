//! A task's way from state to state: what every step leaves behind, whoever takes it.
//!
//! Who may take which step, and what a step requires, is decided before; here is what follows.

use crate::event::{self, Happening};
use crate::notification::{self, Target, Tell, Type};
use crate::state::State;
use crate::task::{Flow, Task, Transition};
use crate::{Principal, Result, TransitionId, Tx, agent, approval};

/// What is said of a step.
#[derive(Debug, Clone, Default)]
pub(crate) struct Step {
    pub reason: Option<String>,
    pub session_key: Option<String>,
    /// An operator skipped the checks.
    pub forced: bool,
    /// The names of what was handed in with it.
    pub artifacts: Vec<String>,
    pub idempotency_key: Option<String>,
}

impl Step {
    /// A step for this reason.
    pub(crate) fn because(reason: impl Into<String>) -> Self {
        Self {
            reason: Some(reason.into()),
            ..Self::default()
        }
    }
}

/// Moves a task and does what follows from it: times, reasons, the record, who is told, and, at
/// the end of a task, what hung on it. The caller has checked that the step is allowed; changes
/// it made to `task` itself are written along.
///
/// # Errors
/// Whatever the store meets.
pub(crate) fn shift(
    tx: &mut dyn Tx,
    who: &Principal,
    task: Task,
    to: State,
    step: Step,
) -> Result<(Task, Transition)> {
    let (task, transition) = note(tx, who, task, to, step)?;
    tell(tx, who, &task, &transition)?;
    if to.is_terminal() {
        approval::cancel_all(tx, who, &task.id)?;
        agent::close_children(tx, who, &task.tenant, &task.id)?;
    }
    Ok((task, transition))
}

/// Moves a task and records it, and nothing more.
///
/// # Errors
/// Whatever the store meets.
pub(crate) fn note(
    tx: &mut dyn Tx,
    who: &Principal,
    mut task: Task,
    to: State,
    step: Step,
) -> Result<(Task, Transition)> {
    let from = task.state;
    let now = tx.now();
    let transition = Transition {
        id: TransitionId::new(tx.mint(TransitionId::PREFIX)),
        task: task.id.clone(),
        from,
        to,
        actor_kind: who.kind(),
        actor: who
            .handle()
            .map_or_else(|| who.subject.clone(), ToString::to_string),
        reason: step.reason.clone(),
        session_key: step.session_key,
        forced: step.forced,
        artifacts: step.artifacts,
        idempotency_key: step.idempotency_key,
        at: now,
    };
    leave(&mut task, from, now);
    task.set_state(to);
    match to {
        // On a free task whose turn it is has nothing to do with where it stands.
        State::Inbox if task.flow == Flow::Gated => task.assign(&[]),
        State::InProgress => {
            task.detail.started_at.get_or_insert(now);
        }
        State::Review => task.detail.submitted_at = Some(now),
        State::NeedsApproval => task.detail.resume_state = Some(from),
        State::Blocked => task.detail.blocked_reason.clone_from(&step.reason),
        State::Done => task.detail.completed_at = Some(now),
        State::Inbox | State::Assigned | State::Canceled => {}
    }
    task.updated_at = now;
    tx.update_task(&task)?;
    let tenant = task.tenant.clone();
    event::record(
        tx,
        who,
        &tenant,
        Happening::TaskTransitioned {
            task: task.clone(),
            transition: transition.clone(),
        },
    )?;
    agent::follow_task(tx, &task)?;
    Ok((task, transition))
}

fn leave(task: &mut Task, from: State, now: crate::Timestamp) {
    match from {
        State::Blocked => {
            task.detail.blocked_reason = None;
            task.detail.loops_from = Some(now);
        }
        State::NeedsApproval => task.detail.resume_state = None,
        _ => {}
    }
}

/// Tells those whom a step concerns (OpenClaw contract §5.2, §12), but not who took it.
fn tell(tx: &mut dyn Tx, who: &Principal, task: &Task, step: &Transition) -> Result<()> {
    let mut targets: Vec<Target> = Vec::new();
    let mut add = |target: Target| {
        if !targets.contains(&target) {
            targets.push(target);
        }
    };
    let followed = matches!(
        step.to,
        State::Review | State::Done | State::Blocked | State::Canceled
    );
    if followed {
        tx.subscribers(&task.id)?.into_iter().for_each(&mut add);
    }
    if matches!(step.to, State::Done | State::Canceled) || step.from == State::Blocked {
        task.assignees()
            .cloned()
            .map(Target::Agent)
            .for_each(&mut add);
    }
    if step.to == State::Done {
        task.creator
            .iter()
            .cloned()
            .map(Target::Agent)
            .for_each(&mut add);
    }
    if step.from == State::Review && step.to == State::InProgress {
        task.assignees()
            .cloned()
            .map(Target::Agent)
            .for_each(&mut add);
    }
    if step.to == State::Review {
        match &task.reviewer {
            Some(reviewer) => add(Target::Agent(reviewer.clone())),
            None => add(Target::Operator),
        }
    }
    if step.to == State::Blocked {
        add(Target::Operator);
    }
    for target in targets {
        if target.agent().is_some() && target.agent() == who.handle() {
            continue;
        }
        let kind = match (&target, step.to) {
            (Target::Operator, State::Blocked) => Type::Alert,
            _ => Type::TaskTransition,
        };
        notification::tell(
            tx,
            who,
            &task.tenant,
            Tell {
                target,
                kind,
                title: format!("{} is {}", task.title, step.to.as_str()),
                body: format!(
                    "{} went from {} to {}.{}",
                    task.id,
                    step.from.as_str(),
                    step.to.as_str(),
                    step.reason
                        .as_deref()
                        .map(|reason| format!(" {reason}"))
                        .unwrap_or_default()
                ),
                task: Some(task.id.clone()),
                message: None,
                approval: None,
            },
        )?;
    }
    Ok(())
}
