//! Tasks born on the board (OpenClaw contract §4): they have a kind, and keep to the arcs.

use crate::agent::{self, Act, Rank};
use crate::error::Problems;
use crate::event::{self, Happening};
use crate::kind::TaskKind;
use crate::notification::Target;
use crate::state::State;
use crate::text;
use crate::transition::Step;
use crate::{Error, Handle, MicroUsd, Object, Principal, Result, TaskId, Timestamp, Tx};

use super::change::{check_assignee, hand_over};
use super::{Detail, Flow, NORMAL, Task};

pub(super) const LONGEST_TITLE: usize = 500;
pub(super) const LONGEST_DESCRIPTION: usize = 50_000;
pub(super) const MOST_LABELS: usize = 50;
pub(super) const LONGEST_LABEL: usize = 100;

/// A task as it is asked for on the board.
#[derive(Debug, Clone)]
pub struct NewBoardTask {
    pub title: String,
    pub kind: TaskKind,
    pub description: Option<String>,
    pub priority: Option<u8>,
    pub assignees: Vec<Handle>,
    pub reviewer: Option<Handle>,
    pub parent: Option<TaskId>,
    pub labels: Vec<String>,
    pub due_at: Option<Timestamp>,
    pub estimated_cost: Option<MicroUsd>,
    /// Only an operator's say; what its kind may cost otherwise.
    pub budget: Option<MicroUsd>,
    pub metadata: Option<Object>,
}

/// Makes a task in the inbox; with assignees that an operator or a LEAD named it is theirs at once.
///
/// # Errors
/// Every problem of the request; forbidden for INTERNs; what [`super::assign`] refuses.
pub fn create_on_board(tx: &mut dyn Tx, who: &Principal, new: NewBoardTask) -> Result<Task> {
    let tenant = who.tenant()?.clone();
    let caller = agent::acting(tx, who)?;
    if let Some(caller) = &caller {
        let takes_it_on = !new.assignees.is_empty();
        agent::permit(
            tx,
            caller,
            if takes_it_on { Act::Start } else { Act::Write },
        )?;
        if caller.rank == Rank::Intern {
            return Err(Error::forbidden("forbidden", "an INTERN makes no tasks")
                .with_detail("requiredRole", "SPECIALIST"));
        }
        let only_itself = new.assignees.iter().all(|handle| *handle == caller.handle);
        if caller.rank != Rank::Lead && !only_itself {
            return Err(Error::forbidden("forbidden", "only a LEAD assigns others")
                .with_detail("requiredRole", "LEAD"));
        }
        if new.budget.is_some() {
            return Err(
                Error::forbidden("forbidden", "only an operator sets a task's budget")
                    .with_detail("requiredRole", "OPERATOR"),
            );
        }
    }
    let mut problems = Problems::default();
    check_words(
        &mut problems,
        Some(&new.title),
        new.description.as_deref(),
        &new.labels,
    );
    check_priority(&mut problems, new.priority);
    check_reviewer(tx, &mut problems, &tenant, new.reviewer.as_ref())?;
    if let Some(parent) = &new.parent
        && tx
            .task(parent)?
            .is_none_or(|parent| parent.tenant != tenant)
    {
        problems.add("parentTaskId", "must name a task that there is");
    }
    problems.into_result()?;
    tx.ensure_tenant(&tenant)?;
    let task = Task {
        id: TaskId::new(tx.mint(TaskId::PREFIX)),
        position: tx.next_position()?,
        tenant,
        flow: Flow::Gated,
        title: new.title,
        description: new.description,
        state: State::Inbox,
        status: State::Inbox.word().to_owned(),
        metadata: new.metadata,
        assignee: None,
        creator: who.handle().cloned(),
        created_at: tx.now(),
        updated_at: tx.now(),
        kind: Some(new.kind),
        priority: new.priority.unwrap_or(NORMAL),
        reviewer: new.reviewer,
        parent: new.parent,
        due_at: new.due_at,
        detail: Box::new(Detail {
            creator_user: who.is_operator().then(|| who.subject.clone()),
            labels: new.labels,
            estimated_cost: new.estimated_cost,
            budget: Some(new.budget.unwrap_or(new.kind.budget())),
            ..Detail::default()
        }),
    };
    for handle in &new.assignees {
        check_assignee(tx, &task, handle)?;
    }
    tx.insert_task(&task)?;
    event::record(tx, who, &task.tenant, Happening::TaskCreated(task.clone()))?;
    let creator = task.creator.clone().map_or(Target::Operator, Target::Agent);
    tx.subscribe(&task.id, &creator)?;
    if new.assignees.is_empty() {
        return Ok(task);
    }
    hand_over(tx, who, task, &new.assignees, Step::default()).map(|(task, _)| task)
}

pub(super) fn check_words(
    problems: &mut Problems,
    title: Option<&str>,
    description: Option<&str>,
    labels: &[String],
) {
    if let Some(title) = title {
        text::check_present(problems, "title", title);
        if title.chars().count() > LONGEST_TITLE {
            problems.add(
                "title",
                format!("must be at most {LONGEST_TITLE} characters"),
            );
        }
    }
    text::check_optional(problems, "description", description);
    if description.is_some_and(|text| text.chars().count() > LONGEST_DESCRIPTION) {
        problems.add(
            "description",
            format!("must be at most {LONGEST_DESCRIPTION} characters"),
        );
    }
    if labels.len() > MOST_LABELS {
        problems.add("labels", format!("must be at most {MOST_LABELS}"));
    }
    for (index, label) in labels.iter().enumerate() {
        let field = format!("labels[{index}]");
        text::check_present(problems, &field, label);
        if label.chars().count() > LONGEST_LABEL || label.contains(',') {
            problems.add(
                field,
                format!("must be at most {LONGEST_LABEL} characters without commas"),
            );
        }
    }
}

pub(super) fn check_priority(problems: &mut Problems, priority: Option<u8>) {
    if priority.is_some_and(|priority| !(1..=4).contains(&priority)) {
        problems.add(
            "priority",
            "must be 1 (critical), 2 (high), 3 (normal) or 4 (low)",
        );
    }
}

pub(super) fn check_reviewer(
    tx: &mut dyn Tx,
    problems: &mut Problems,
    tenant: &crate::TenantId,
    reviewer: Option<&Handle>,
) -> Result<()> {
    if let Some(reviewer) = reviewer
        && tx.agent(tenant, reviewer)?.is_none()
    {
        problems.add("reviewerId", format!("there is no agent {reviewer}"));
    }
    Ok(())
}
