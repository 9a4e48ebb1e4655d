//! Tasks on a surface with free status words: any word may be written at any time on a task born
//! there; a gated task keeps to its own rules (rulings 1, [`by_word`]).

use crate::agent;
use crate::error::Problems;
use crate::event::{self, Happening};
use crate::notification::{self, Wake};
use crate::page::{List, Page};
use crate::state::State;
use crate::text;
use crate::transition::{self, Step};
use crate::{Error, Object, Principal, Result, Right, TaskId, Tx};

use super::{Detail, Flow, NORMAL, NewTask, Task, TaskChange, TaskFilter, by_word};

/// Makes a free task and wakes its assignee.
///
/// # Errors
/// [`Kind::Invalid`](crate::Kind::Invalid) with every problem of the request.
pub fn create(tx: &mut dyn Tx, who: &Principal, new: NewTask) -> Result<Task> {
    who.require(Right::Work)?;
    let mut problems = Problems::default();
    text::check_present(&mut problems, "title", &new.title);
    text::check_optional(&mut problems, "description", new.description.as_deref());
    check_status(&mut problems, new.status.as_deref());
    problems.into_result()?;

    let tenant = agent::permit_caller(tx, who, agent::Act::Write)?;
    let status = new
        .status
        .unwrap_or_else(|| State::InProgress.word().to_owned());
    let task = Task {
        id: TaskId::new(tx.mint(TaskId::PREFIX)),
        position: tx.next_position()?,
        tenant,
        flow: Flow::Free,
        title: new.title,
        description: new.description,
        state: State::of_word(&status).unwrap_or(State::Inbox),
        status,
        metadata: new.metadata,
        assignee: new.assignee,
        creator: who.handle().cloned(),
        created_at: tx.now(),
        updated_at: tx.now(),
        kind: None,
        priority: NORMAL,
        reviewer: None,
        parent: None,
        due_at: None,
        detail: Box::<Detail>::default(),
    };
    tx.insert_task(&task)?;
    event::record(tx, who, &task.tenant, Happening::TaskCreated(task.clone()))?;
    wake_assignee(tx, who, &task)?;
    Ok(task)
}

/// The task, if it is there for this caller.
///
/// # Errors
/// `task_not_found`, for another tenant's task too.
pub fn get(tx: &mut dyn Tx, who: &Principal, id: &TaskId) -> Result<Task> {
    who.require(Right::Work)?;
    tx.task(id)?
        .filter(|task| who.sees(&task.tenant))
        .ok_or_else(|| Error::not_found("task_not_found", "there is no such task"))
}

/// Changes a task and wakes a new assignee. Nothing is written when nothing would change.
///
/// # Errors
/// `task_not_found`; every problem of the request; on a gated task what [`by_word`] refuses.
pub fn update(tx: &mut dyn Tx, who: &Principal, id: &TaskId, change: TaskChange) -> Result<Task> {
    let before = get(tx, who, id)?;
    let mut problems = Problems::default();
    if let Some(title) = &change.title {
        text::check_present(&mut problems, "title", title);
    }
    text::check_optional(
        &mut problems,
        "description",
        change.description.as_ref().and_then(Option::as_deref),
    );
    check_status(&mut problems, change.status.as_deref());
    problems.into_result()?;

    if before.flow == Flow::Gated {
        return by_word::update(tx, who, &before, change);
    }
    let mut task = before.clone();
    if let Some(status) = &change.status {
        task.set_status(status);
    }
    if let Some(assignee) = &change.assignee {
        task.assignee.clone_from(assignee);
    }
    set_words(&mut task, change);
    if task == before {
        return Ok(task);
    }
    agent::permit_caller(tx, &who.within(task.tenant.clone())?, agent::Act::Write)?;
    let to = task.state;
    if to == before.state {
        task.updated_at = tx.now();
        tx.update_task(&task)?;
        event::record(tx, who, &task.tenant, Happening::TaskUpdated(task.clone()))?;
    } else {
        task.state = before.state;
        (task, _) = transition::note(tx, who, task, to, Step::default())?;
    }
    if task.assignee != before.assignee {
        wake_assignee(tx, who, &task)?;
    }
    Ok(task)
}

/// Writes what says neither where a task stands nor whose it is.
pub(super) fn set_words(task: &mut Task, change: TaskChange) {
    if let Some(title) = change.title {
        task.title = title;
    }
    if let Some(description) = change.description {
        task.description = description;
    }
    if let Some(patch) = change.metadata {
        merge(task.metadata.get_or_insert_with(Object::new), patch);
    }
}

/// The caller's tasks.
///
/// # Errors
/// Whatever the store meets.
pub fn list(
    tx: &mut dyn Tx,
    who: &Principal,
    filter: &TaskFilter,
    page: Page,
) -> Result<List<Task>> {
    who.require(Right::Work)?;
    let rows = tx.tasks(who.tenant()?, filter, page)?;
    Ok(List::from_rows(rows, page))
}

/// A status is any text of 1 to 64 characters (Mission Control backend §8.1).
fn check_status(problems: &mut Problems, status: Option<&str>) {
    let Some(status) = status else { return };
    if !(1..=64).contains(&status.chars().count()) {
        problems.add("status", "must be 1 to 64 characters");
    }
    text::check(problems, "status", status);
}

fn merge(into: &mut Object, patch: Object) {
    for (name, value) in patch {
        if value.is_null() {
            into.shift_remove(&name);
        } else {
            into.insert(name, value);
        }
    }
}

fn wake_assignee(tx: &mut dyn Tx, who: &Principal, task: &Task) -> Result<()> {
    let Some(assignee) = &task.assignee else {
        return Ok(());
    };
    if who.handle() == Some(assignee) {
        return Ok(());
    }
    notification::wake(
        tx,
        who,
        Wake {
            target: assignee,
            kind: notification::Type::Assignment,
            content: &format!(
                "You are assigned to the task {:?} ({}).",
                task.title, task.id
            ),
            task: Some(task),
            message: None,
        },
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::task::tests::blank;

    #[test]
    fn a_free_task_takes_any_word_and_may_leave_done() {
        let mut task = blank(State::Done);
        task.flow = Flow::Free;
        task.set_status("pending");
        assert_eq!(
            (task.state, task.status.as_str()),
            (State::Inbox, "pending")
        );
        task.set_status("on_hold");
        assert_eq!(
            (task.state, task.status.as_str()),
            (State::Inbox, "on_hold")
        );
    }

    #[test]
    fn a_null_in_metadata_removes_the_member() {
        let object = |text| serde_json::from_str::<Object>(text).unwrap();
        let mut into = object(r#"{"a":1,"b":2,"c":3}"#);
        merge(&mut into, object(r#"{"b":null,"d":{"x":null}}"#));
        assert_eq!(into, object(r#"{"a":1,"c":3,"d":{"x":null}}"#));
    }
}
