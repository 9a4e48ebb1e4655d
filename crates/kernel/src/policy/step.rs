//! A dry run of a step (OpenClaw contract §5, §8.4): what the step itself would be refused for, asked of
//! the rules that it asks, and nothing done.

use serde::de::DeserializeOwned;
use serde_json::Value;
use stationmaster_policy as engine;

use crate::agent::{self, Act, Agent};
use crate::error::Problems;
use crate::state::State;
use crate::task::{self, Checklist, Task};
use crate::{Error, Kind, Object, Principal, Result, Tx};

/// What comes of an agent taking a task to another state, with what its action hands in.
///
/// # Errors
/// Whatever the store meets.
pub(super) fn rehearsed(
    tx: &mut dyn Tx,
    agent: &Agent,
    task: &Task,
    to: State,
    asked: &Object,
) -> Result<engine::TransitionFacts> {
    let from = task.state.as_str().to_owned();
    let kinds = &agent.detail.allowed_kinds;
    let other_kind = task
        .kind
        .filter(|kind| !kinds.is_empty() && !kinds.contains(kind));
    let outcome = match (other_kind, refusal(tx, agent, task, to, asked)?) {
        (Some(kind), _) => engine::TransitionOutcome::TaskTypeNotAllowed(kind.as_str().to_owned()),
        (None, None) => engine::TransitionOutcome::Allowed,
        (None, Some(error)) if error.kind == Kind::Forbidden && to == State::Done => {
            engine::TransitionOutcome::RequiresHuman
        }
        (None, Some(error)) => engine::TransitionOutcome::Invalid(why(&error)),
    };
    Ok(engine::TransitionFacts { from, outcome })
}

/// Why the step would be refused, if it would.
fn refusal(
    tx: &mut dyn Tx,
    agent: &Agent,
    task: &Task,
    to: State,
    asked: &Object,
) -> Result<Option<Error>> {
    match check(tx, agent, task, to, asked) {
        Ok(()) => Ok(None),
        Err(error) if error.is_refusal() => Ok(Some(error)),
        Err(fault) => Err(fault),
    }
}

fn check(tx: &mut dyn Tx, agent: &Agent, task: &Task, to: State, asked: &Object) -> Result<()> {
    let who = Principal::agent(agent.tenant.clone(), agent.handle.clone());
    task::check_who(tx, &who, Some(agent), task, to)?;
    let begins = matches!(
        (task.state, to),
        (State::Inbox, State::Assigned) | (State::Assigned, State::InProgress)
    );
    agent::permit(tx, agent, if begins { Act::Start } else { Act::Write })?;
    let mut after = handed_in(task.clone(), asked);
    if (task.state, to) == (State::Inbox, State::Assigned) && task.assignee.is_none() {
        // Who takes a task that nobody has is who it is assigned to.
        after.assign(std::slice::from_ref(&agent.handle));
    }
    let text = |name: &str| asked.get(name).and_then(Value::as_str);
    let reason = text("reason").or_else(|| text("blockedReason"));
    let mut problems = Problems::default();
    task::collect_missing(tx, &mut problems, &who, &after, to, reason)?;
    problems.into_result()?;
    if (task.state, to) == (State::Assigned, State::InProgress) {
        task::check_dependencies(tx, &after)?;
    }
    Ok(())
}

/// The task with what an action brings for it. What cannot be read is not there.
fn handed_in(mut task: Task, asked: &Object) -> Task {
    let detail = &mut task.detail;
    detail.plan = read(asked, "workPlan").or(detail.plan.take());
    detail.deliverable = read(asked, "deliverable").or(detail.deliverable.take());
    let kind = asked
        .get("reviewChecklist")
        .and_then(|it| it.get("type"))
        .and_then(Value::as_str);
    let checklist = read::<Checklist>(asked, "reviewChecklist").map(|it| Checklist {
        kind: kind.unwrap_or_default().to_owned(),
        ..it
    });
    detail.checklist = checklist.or(detail.checklist.take());
    task
}

fn read<T: DeserializeOwned>(asked: &Object, name: &str) -> Option<T> {
    let value = asked.get(name).filter(|it| it.is_object())?;
    serde_json::from_value(value.clone()).ok()
}

/// All that a refusal says, in one sentence.
fn why(error: &Error) -> String {
    let problems: Vec<String> = error
        .problems
        .iter()
        .map(|it| format!("{} {}", it.field, it.message))
        .collect();
    match problems.is_empty() {
        true => error.message.clone(),
        false => problems.join("; "),
    }
}
