//! A gated task changed on a surface with free status words: what holds on the board holds here
//! too (rulings 1). A word stands for the step to the state it means; giving the task to somebody
//! else is assigning it.

use crate::event::{self, Happening};
use crate::state::State;
use crate::{Error, Handle, Kind, Principal, Result, Tx, agent};

use super::{NewStep, Task, TaskChange, change, free, step};

/// Changes a gated task. The caller has checked the words themselves.
///
/// # Errors
/// `transition_not_allowed` for a status that the caller may not set now, saying why; what
/// [`change::assign`] refuses.
pub(super) fn update(
    tx: &mut dyn Tx,
    who: &Principal,
    before: &Task,
    mut wanted: TaskChange,
) -> Result<Task> {
    let who = &who.within(before.tenant.clone())?;
    let (assignee, status) = (wanted.assignee.take(), wanted.status.take());
    let mut task = before.clone();
    free::set_words(&mut task, wanted);
    if task != *before {
        agent::permit_caller(tx, who, agent::Act::Write)?;
        task.updated_at = tx.now();
        tx.update_task(&task)?;
        event::record(tx, who, &task.tenant, Happening::TaskUpdated(task.clone()))?;
    }
    if let Some(assignee) = assignee.filter(|assignee| *assignee != task.assignee) {
        task = assign(tx, who, task, assignee.as_ref())?;
    }
    match status {
        Some(word) => set_status(tx, who, task, &word),
        None => Ok(task),
    }
}

fn assign(tx: &mut dyn Tx, who: &Principal, task: Task, to: Option<&Handle>) -> Result<Task> {
    if let Some(handle) = to {
        // On such a surface an agent is there as soon as somebody names it (rulings 3).
        agent::ensure(tx, who, &task.tenant, handle)?;
    }
    let to: Vec<Handle> = to.into_iter().cloned().collect();
    change::assign(tx, who, task, &to)
}

fn set_status(tx: &mut dyn Tx, who: &Principal, task: Task, word: &str) -> Result<Task> {
    if task.state.word() == word {
        return Ok(task);
    }
    let refusal = |why: &str| {
        Error::forbidden(
            "transition_not_allowed",
            format!(
                "a task in {} cannot be set to {word:?}: {why}",
                task.state.as_str()
            ),
        )
    };
    let Some(to) = State::of_word(word) else {
        return Err(refusal("it means no state"));
    };
    match step::step(tx, who, &task.id, NewStep::to(to)) {
        Ok(stepped) => Ok(stepped.task),
        Err(error) if matches!(error.kind, Kind::Invalid | Kind::Conflict | Kind::Forbidden) => {
            Err(refusal(&error.message))
        }
        Err(error) => Err(error),
    }
}
