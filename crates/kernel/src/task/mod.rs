//! Tasks: the unit of work. One history, whichever surface touched it.

mod by_word;
mod change;
mod create;
mod free;
mod handed_in;
mod requirement;
mod step;
mod who;

use serde::{Deserialize, Serialize};

pub use change::{BoardChange, assign, change};
pub use create::{NewBoardTask, create_on_board};
pub use free::{create, get, list, update};
pub(crate) use handed_in::{check_artifacts, check_content, seal_artifacts};
pub(crate) use requirement::{check_dependencies, collect as collect_missing};
pub use step::{NewStep, Stepped, step};
pub use who::{allowed_steps, check_who};

use crate::event::ActorKind;
use crate::kind::TaskKind;
use crate::money::MicroUsd;
use crate::page::{Page, Placed, Position};
use crate::state::State;
use crate::{ApprovalId, Handle, Object, Result, TaskId, TenantId, Timestamp, TransitionId};

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
    /// Whose turn it is: the first of its assignees.
    pub assignee: Option<Handle>,
    /// The agent that made it, if an agent did.
    pub creator: Option<Handle>,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
    /// `None` on a task born without one.
    #[serde(default)]
    pub kind: Option<TaskKind>,
    /// 1 critical, 2 high, 3 normal, 4 low.
    #[serde(default = "normal")]
    pub priority: u8,
    #[serde(default)]
    pub reviewer: Option<Handle>,
    #[serde(default)]
    pub parent: Option<TaskId>,
    #[serde(default)]
    pub due_at: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Detail::is_blank")]
    pub detail: Box<Detail>,
}

/// What priority a task has unless somebody says otherwise.
pub const NORMAL: u8 = 3;

fn normal() -> u8 {
    NORMAL
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

    /// Everybody who works on it, the first first.
    pub fn assignees(&self) -> impl Iterator<Item = &Handle> {
        self.assignee.iter().chain(&self.detail.others)
    }

    /// Whether this agent works on it.
    #[must_use]
    pub fn is_assigned_to(&self, handle: &Handle) -> bool {
        self.assignees().any(|assignee| assignee == handle)
    }

    /// Gives it to these agents, each once, and to nobody else.
    pub fn assign(&mut self, to: &[Handle]) {
        let mut unique: Vec<Handle> = Vec::new();
        for handle in to {
            if !unique.contains(handle) {
                unique.push(handle.clone());
            }
        }
        let mut rest = unique.into_iter();
        self.assignee = rest.next();
        self.detail.others = rest.collect();
    }

    /// Puts it into a state, and tells the state in free words too.
    pub fn set_state(&mut self, to: State) {
        self.state = to;
        to.word().clone_into(&mut self.status);
    }

    /// Writes a status word on a free task: kept as given, and the state it means, if it means one.
    fn set_status(&mut self, word: &str) {
        self.state = State::of_word(word).unwrap_or(self.state);
        word.clone_into(&mut self.status);
    }
}

/// What is known of a task and never looked for.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Detail {
    /// Assignees after the first.
    pub others: Vec<Handle>,
    /// The person who made it, if a person did.
    pub creator_user: Option<String>,
    pub labels: Vec<String>,
    pub plan: Option<Plan>,
    pub deliverable: Option<Deliverable>,
    pub checklist: Option<Checklist>,
    pub review_cycles: u32,
    pub estimated_cost: Option<MicroUsd>,
    /// What it may cost. `None`: no limit.
    pub budget: Option<MicroUsd>,
    /// What its runs and its sub-agents' runs have cost.
    pub actual_cost: MicroUsd,
    /// What running runs may still cost.
    pub reserved: MicroUsd,
    pub run_count: u32,
    pub token_count: u64,
    /// An operator let it go over its budget this far.
    pub extra_budget: MicroUsd,
    /// More was asked for because the budget is gone.
    pub budget_exceeded: bool,
    /// Somebody was told that it costs more than estimated.
    pub estimate_passed: bool,
    pub blocked_reason: Option<String>,
    /// Where it goes back to after an approval.
    pub resume_state: Option<State>,
    pub completion: Option<Completion>,
    pub started_at: Option<Timestamp>,
    pub submitted_at: Option<Timestamp>,
    pub completed_at: Option<Timestamp>,
    /// Loops are counted from here on: when it was last taken out of `BLOCKED`.
    pub loops_from: Option<Timestamp>,
}

impl Detail {
    /// Nothing is known.
    #[must_use]
    pub fn is_blank(&self) -> bool {
        *self == Self::default()
    }
}

/// How an agent means to go about a task.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Plan {
    /// 3 to 6 of them.
    pub bullets: Vec<String>,
    pub estimated_cost: Option<MicroUsd>,
    /// As given: `2h`.
    pub estimated_duration: Option<String>,
    /// Tasks that must be done first.
    pub dependencies: Vec<TaskId>,
}

/// What an agent hands in.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Deliverable {
    pub content: String,
    pub artifacts: Vec<Artifact>,
    pub summary: Option<String>,
    /// Where secrets were taken out.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub redacted: Vec<String>,
}

/// A thing that a message or a deliverable brings along.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Artifact {
    pub name: String,
    /// `DELIVERABLE`, `EVIDENCE`, `CHECKLIST` or `REPORT`.
    pub kind: String,
    pub content: Option<String>,
    pub url: Option<String>,
    pub mime_type: Option<String>,
    /// Of the content, in bytes.
    pub size: Option<u64>,
    /// Of the content, in hex.
    pub sha256: Option<String>,
}

/// An agent's look at its own work.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Checklist {
    /// The kind of task it is for, as given.
    pub kind: String,
    pub items: Vec<ChecklistItem>,
    pub notes: Option<String>,
    pub completed_at: Option<Timestamp>,
    pub completed_by: Option<String>,
}

/// One thing looked at.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ChecklistItem {
    pub label: String,
    pub checked: bool,
    /// Why not, where it is not.
    pub note: Option<String>,
}

/// How a task was accepted.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Completion {
    pub approval: Option<ApprovalId>,
    pub approved_by: String,
    pub approved_at: Timestamp,
    pub note: Option<String>,
}

/// One step of a task from state to state, for the record.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Transition {
    pub id: TransitionId,
    pub task: TaskId,
    pub from: State,
    pub to: State,
    pub actor_kind: ActorKind,
    pub actor: String,
    pub reason: Option<String>,
    pub session_key: Option<String>,
    /// An operator skipped the checks.
    #[serde(default)]
    pub forced: bool,
    /// The names of what was handed in with it.
    #[serde(default)]
    pub artifacts: Vec<String>,
    pub idempotency_key: Option<String>,
    pub at: Timestamp,
}

/// The filter with its creator taken for a person where no agent of that name made a task: on the wire both
/// are one parameter.
///
/// # Errors
/// Whatever the store meets.
pub fn creator_found(tx: &mut dyn crate::Tx, mut filter: BoardFilter) -> Result<BoardFilter> {
    let made = BoardFilter {
        tenant: filter.tenant.clone(),
        creator: filter.creator.clone(),
        ..BoardFilter::default()
    };
    if made.creator.is_some() && tx.board_count(&made)? == 0 {
        filter.creator_user = filter.creator.take().map(String::from);
    }
    Ok(filter)
}

/// Which tasks a numbered page shows; all that are given must match.
#[derive(Debug, Clone, Default)]
pub struct BoardFilter {
    /// `None`: every tenant's.
    pub tenant: Option<TenantId>,
    /// Any of these; empty means any at all.
    pub states: Vec<State>,
    /// Any of these; empty means any at all.
    pub kinds: Vec<TaskKind>,
    pub priority: Option<u8>,
    pub assignee: Option<Handle>,
    pub creator: Option<Handle>,
    /// A person, by the name in their credential.
    pub creator_user: Option<String>,
    pub reviewer: Option<Handle>,
    pub parent: Option<TaskId>,
    /// All of these.
    pub labels: Vec<String>,
    /// In title, description or labels, whatever the case.
    pub search: Option<String>,
    /// Only tasks that nobody has.
    pub unassigned: bool,
}

/// By what tasks are put in order; ties go by age.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum BoardOrder {
    #[default]
    Priority,
    CreatedAt,
    UpdatedAt,
    /// Those that are due at no time come last.
    DueAt,
}

/// A numbered page of a board.
#[derive(Debug, Clone, Copy)]
pub struct BoardPage {
    pub order: BoardOrder,
    pub descending: bool,
    pub offset: u32,
    pub limit: u32,
}

/// How many tasks there are of one state, kind and priority.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tally {
    pub state: State,
    pub kind: Option<TaskKind>,
    pub priority: u8,
    pub count: u64,
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

    /// A numbered page.
    ///
    /// # Errors
    /// Whatever the store meets.
    fn board(&mut self, filter: &BoardFilter, page: BoardPage) -> Result<Vec<Task>>;

    /// How many tasks the filter lets through.
    ///
    /// # Errors
    /// Whatever the store meets.
    fn board_count(&mut self, filter: &BoardFilter) -> Result<u64>;

    /// A numbered page of what an agent works on, alone or with others, in any of these states.
    ///
    /// # Errors
    /// Whatever the store meets.
    fn held_tasks(
        &mut self,
        tenant: &TenantId,
        handle: &Handle,
        states: &[State],
        page: BoardPage,
    ) -> Result<Vec<Task>>;

    /// How many tasks [`held_tasks`](Self::held_tasks) has on all its pages.
    ///
    /// # Errors
    /// Whatever the store meets.
    fn held_task_count(
        &mut self,
        tenant: &TenantId,
        handle: &Handle,
        states: &[State],
    ) -> Result<u64>;

    /// Tasks in the inbox that nobody has, of these kinds or, when none is named, of any: the
    /// most urgent first.
    ///
    /// # Errors
    /// Whatever the store meets.
    fn claimable_tasks(
        &mut self,
        tenant: &TenantId,
        kinds: &[TaskKind],
        limit: u32,
    ) -> Result<Vec<Task>>;

    /// How many tasks there are, by state, kind and priority; of every tenant when none is named.
    ///
    /// # Errors
    /// Whatever the store meets.
    fn tallies(&mut self, tenant: Option<&TenantId>) -> Result<Vec<Tally>>;

    /// The steps of a task, oldest first.
    ///
    /// # Errors
    /// Whatever the store meets.
    fn transitions(&mut self, task: &TaskId) -> Result<Vec<Transition>>;
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A gated task of nobody's in this state.
    pub(crate) fn blank(state: State) -> Task {
        Task {
            id: TaskId::new("task_1"),
            position: Position(1),
            tenant: "t".parse().unwrap(),
            flow: Flow::Gated,
            title: "T".into(),
            description: None,
            state,
            status: state.word().into(),
            metadata: None,
            assignee: None,
            creator: None,
            created_at: Timestamp(0),
            updated_at: Timestamp(0),
            kind: None,
            priority: NORMAL,
            reviewer: None,
            parent: None,
            due_at: None,
            detail: Box::default(),
        }
    }

    #[test]
    fn assignees_are_kept_in_order_and_each_once() {
        let handles = |names: &[&str]| -> Vec<Handle> {
            names.iter().map(|name| name.parse().unwrap()).collect()
        };
        let mut task = blank(State::Inbox);
        task.assign(&handles(&["b", "a", "b", "c", "a"]));
        let found: Vec<Handle> = task.assignees().cloned().collect();
        assert_eq!(found, handles(&["b", "a", "c"]));
        task.assign(&[]);
        assert_eq!(task.assignees().count(), 0);
    }
}
