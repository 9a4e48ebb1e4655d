//! Tasks: the unit of work. One history, whichever surface touched it.

use serde::{Deserialize, Serialize};

use crate::agent;
use crate::error::Problems;
use crate::event::{self, Happening};
use crate::notification::{self, Wake};
use crate::page::{List, Page, Placed, Position};
use crate::state::State;
use crate::text;
use crate::{Error, Handle, Object, Principal, Result, Right, TaskId, TenantId, Timestamp, Tx};

/// How strictly a task's state is kept (rulings 1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Flow {
    /// Any status word may be written at any time.
    Free,
    /// Only the arcs of the state machine.
    Gated,
}

impl Flow {
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Free => "free",
            Self::Gated => "gated",
        }
    }

    /// The flow of this name.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Free, Self::Gated]
            .into_iter()
            .find(|flow| flow.as_str() == text)
    }
}

/// A unit of work.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Task {
    pub id: TaskId,
    pub position: Position,
    pub tenant: TenantId,
    pub flow: Flow,
    pub title: String,
    pub description: Option<String>,
    pub state: State,
    /// The status in free words: as somebody wrote it on a free task, else what tells the state.
    pub status: String,
    pub metadata: Option<Object>,
    /// Whose turn it is.
    pub assignee: Option<Handle>,
    /// The agent that made it, if an agent did.
    pub creator: Option<Handle>,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

impl Placed for Task {
    fn position(&self) -> Position {
        self.position
    }
}

impl Task {
    /// The agent whose task this is: the assignee, else the agent that made it.
    #[must_use]
    pub fn agent(&self) -> Option<&Handle> {
        self.assignee.as_ref().or(self.creator.as_ref())
    }

    /// Writes a free status word: kept as given, and the state it means, if it means one.
    fn set_status(&mut self, word: &str) -> Result<()> {
        let meant = State::of_word(word);
        if self.flow == Flow::Free {
            self.state = meant.unwrap_or(self.state);
            word.clone_into(&mut self.status);
            return Ok(());
        }
        match meant {
            Some(to) if to.word() == self.state.word() => Ok(()),
            Some(to) if self.state.may_become(to) => {
                self.state = to;
                to.word().clone_into(&mut self.status);
                Ok(())
            }
            _ => Err(Error::forbidden(
                "transition_not_allowed",
                format!(
                    "a task in {} cannot be set to {word:?}",
                    self.state.as_str()
                ),
            )),
        }
    }
}

/// A task as it is asked for on a surface with free status words.
#[derive(Debug, Clone, Default)]
pub struct NewTask {
    pub title: String,
    pub description: Option<String>,
    /// `None`: `in_progress`.
    pub status: Option<String>,
    pub metadata: Option<Object>,
    pub assignee: Option<Handle>,
}

/// What to change; `None` leaves a field as it is.
#[derive(Debug, Clone, Default)]
pub struct TaskChange {
    pub title: Option<String>,
    /// `Some(None)` removes it.
    pub description: Option<Option<String>>,
    pub status: Option<String>,
    /// Merged at top level; a member that is `null` removes that member.
    pub metadata: Option<Object>,
    /// `Some(None)` takes the task from its assignee.
    pub assignee: Option<Option<Handle>>,
}

/// Which tasks a list shows; all that are given must match.
#[derive(Debug, Clone, Default)]
pub struct TaskFilter {
    /// Exactly this title.
    pub title: Option<String>,
    /// The free status word.
    pub status: Option<String>,
    pub assignee: Option<String>,
}

/// How many tasks stand where, told in free words.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskCounts {
    pub pending: u64,
    pub in_progress: u64,
    pub blocked: u64,
    pub completed: u64,
    pub cancelled: u64,
}

impl TaskCounts {
    /// Adds `count` tasks in `state`.
    pub fn add(&mut self, state: State, count: u64) {
        *match state.word() {
            "pending" => &mut self.pending,
            "in_progress" => &mut self.in_progress,
            "blocked" => &mut self.blocked,
            "completed" => &mut self.completed,
            _ => &mut self.cancelled,
        } += count;
    }
}

/// Where tasks are kept.
pub trait Tasks {
    /// # Errors
    /// Whatever the store meets.
    fn task(&mut self, id: &TaskId) -> Result<Option<Task>>;

    /// # Errors
    /// Whatever the store meets.
    fn insert_task(&mut self, task: &Task) -> Result<()>;

    /// Writes the changed task over the one of the same id.
    ///
    /// # Errors
    /// Whatever the store meets.
    fn update_task(&mut self, task: &Task) -> Result<()>;

    /// One row more than the page holds, when there is one.
    ///
    /// # Errors
    /// Whatever the store meets.
    fn tasks(&mut self, tenant: &TenantId, filter: &TaskFilter, page: Page) -> Result<Vec<Task>>;

    /// How many open tasks are assigned to `handle` or to nobody.
    ///
    /// # Errors
    /// Whatever the store meets.
    fn open_task_counts(&mut self, tenant: &TenantId, handle: &Handle) -> Result<TaskCounts>;

    /// How many tasks there are, by state.
    ///
    /// # Errors
    /// Whatever the store meets.
    fn task_counts(&mut self, tenant: &TenantId) -> Result<TaskCounts>;

    /// Tasks changed at or after `since`, newest change first.
    ///
    /// # Errors
    /// Whatever the store meets.
    fn tasks_changed_since(
        &mut self,
        tenant: &TenantId,
        since: Timestamp,
        limit: u32,
    ) -> Result<Vec<Task>>;

    /// How many were changed at or after `since`.
    ///
    /// # Errors
    /// Whatever the store meets.
    fn tasks_changed_count(&mut self, tenant: &TenantId, since: Timestamp) -> Result<u64>;

    /// Tasks in `state`, newest first.
    ///
    /// # Errors
    /// Whatever the store meets.
    fn tasks_in_state(&mut self, tenant: &TenantId, state: State, limit: u32) -> Result<Vec<Task>>;
}

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

    let tenant = agent::ensure_caller(tx, who)?;
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
/// `task_not_found`; every problem of the request; `transition_not_allowed` on a gated task.
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

    let mut task = before.clone();
    if let Some(title) = change.title {
        task.title = title;
    }
    if let Some(description) = change.description {
        task.description = description;
    }
    if let Some(status) = change.status {
        task.set_status(&status)?;
    }
    if let Some(patch) = change.metadata {
        merge(task.metadata.get_or_insert_with(Object::new), patch);
    }
    if let Some(assignee) = change.assignee {
        task.assignee = assignee;
    }
    if task == before {
        return Ok(task);
    }
    agent::ensure_caller(tx, &who.within(task.tenant.clone())?)?;
    task.updated_at = tx.now();
    tx.update_task(&task)?;
    event::record(tx, who, &task.tenant, Happening::TaskUpdated(task.clone()))?;
    if task.assignee != before.assignee {
        wake_assignee(tx, who, &task)?;
    }
    Ok(task)
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

    fn task(flow: Flow, state: State) -> Task {
        Task {
            id: TaskId::new("task_1"),
            position: Position(1),
            tenant: "t".parse().unwrap(),
            flow,
            title: "T".into(),
            description: None,
            state,
            status: state.word().into(),
            metadata: None,
            assignee: None,
            creator: None,
            created_at: Timestamp(0),
            updated_at: Timestamp(0),
        }
    }

    #[test]
    fn a_free_task_takes_any_word_and_may_leave_done() {
        let mut task = task(Flow::Free, State::Done);
        task.set_status("pending").unwrap();
        assert_eq!(
            (task.state, task.status.as_str()),
            (State::Inbox, "pending")
        );
        task.set_status("on_hold").unwrap();
        assert_eq!(
            (task.state, task.status.as_str()),
            (State::Inbox, "on_hold")
        );
    }

    #[test]
    fn a_gated_task_takes_only_words_whose_arc_exists() {
        for from in State::ALL {
            for word in [
                "pending",
                "in_progress",
                "blocked",
                "completed",
                "cancelled",
                "on_hold",
            ] {
                let mut task = task(Flow::Gated, from);
                let outcome = task.set_status(word);
                let allowed = State::of_word(word)
                    .is_some_and(|to| to.word() == from.word() || from.may_become(to));
                assert_eq!(outcome.is_ok(), allowed, "{from:?} {word}");
                if let Err(error) = outcome {
                    assert_eq!(error.code, "transition_not_allowed");
                    assert_eq!(task.state, from, "nothing half-written");
                }
            }
        }
    }

    #[test]
    fn a_null_in_metadata_removes_the_member() {
        let object = |text| serde_json::from_str::<Object>(text).unwrap();
        let mut into = object(r#"{"a":1,"b":2,"c":3}"#);
        merge(&mut into, object(r#"{"b":null,"d":{"x":null}}"#));
        assert_eq!(into, object(r#"{"a":1,"c":3,"d":{"x":null}}"#));
    }
}
