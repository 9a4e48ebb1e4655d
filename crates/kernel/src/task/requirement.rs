//! What a step requires (OpenClaw contract §5.2, §5.5): every problem in one answer.

use std::collections::HashSet;

use crate::approval;
use crate::error::Problems;
use crate::principal::Role;
use crate::state::State;
use crate::{Error, Principal, Result, TaskId, Tx};

use super::{Checklist, Deliverable, Plan, Task};

/// How far dependencies are followed.
const MOST_DEPENDENCIES: usize = 1_000;

/// Collects what is missing for taking `task`, which holds all that was handed in so far, to `to`.
///
/// # Errors
/// Whatever the store meets.
pub(super) fn collect(
    tx: &mut dyn Tx,
    problems: &mut Problems,
    who: &Principal,
    task: &Task,
    to: State,
    reason: Option<&str>,
) -> Result<()> {
    let has_reason = reason.is_some_and(|reason| !reason.trim().is_empty());
    let mut need_reason = |why: &str| {
        if !has_reason {
            problems.add("reason", format!("is required: {why}"));
        }
    };
    match (task.state, to) {
        (_, State::Canceled) => need_reason("say why it is canceled"),
        (_, State::Blocked) => need_reason("say what blocks it"),
        (State::Assigned, State::Inbox) => need_reason("say why it goes back"),
        (State::Review, State::InProgress) => need_reason("say what is to be done better"),
        (State::Blocked, State::Assigned | State::InProgress) => {
            need_reason("say what unblocked it")
        }
        (State::NeedsApproval, _) if who.role != Role::System => {
            need_reason("say why the approval is passed over");
        }
        _ => {}
    }
    match (task.state, to) {
        (State::Inbox, State::Assigned) if task.assignee.is_none() => {
            problems.add(
                "assigneeIds",
                "somebody must be assigned: PATCH /tasks/{id} does both",
            );
        }
        (State::Assigned, State::InProgress) => check_plan(problems, task.detail.plan.as_ref()),
        (State::InProgress, State::Review) => {
            check_deliverable(problems, task.detail.deliverable.as_ref());
            check_checklist(problems, task, task.detail.checklist.as_ref());
            check_no_approval(tx, problems, task)?;
        }
        (State::Review, State::Done) => check_no_approval(tx, problems, task)?,
        (_, State::NeedsApproval) if approval::pending_on(tx, &task.id)?.is_empty() => {
            problems.add(
                "toStatus",
                "no approval waits for a decision; POST /approvals asks for one",
            );
        }
        _ => {}
    }
    Ok(())
}

fn check_no_approval(tx: &mut dyn Tx, problems: &mut Problems, task: &Task) -> Result<()> {
    if let Some(waiting) = approval::pending_on(tx, &task.id)?.first() {
        problems.add("approvals", format!("{} waits for a decision", waiting.id));
    }
    Ok(())
}

/// A plan has 3 to 6 steps, none of which is empty (§3).
pub(super) fn check_plan(problems: &mut Problems, plan: Option<&Plan>) {
    let Some(plan) = plan else {
        problems.add("workPlan", "is required: {\"bullets\": [3 to 6 steps]}");
        return;
    };
    let count = plan.bullets.len();
    if !(3..=6).contains(&count) {
        problems.add(
            "workPlan.bullets",
            format!("must hold 3 to 6 steps, not {count}"),
        );
    }
    for (index, bullet) in plan.bullets.iter().enumerate() {
        if bullet.trim().is_empty() {
            problems.add(format!("workPlan.bullets[{index}]"), "must not be empty");
        }
    }
}

fn check_deliverable(problems: &mut Problems, deliverable: Option<&Deliverable>) {
    let has_something =
        deliverable.is_some_and(|it| !it.content.trim().is_empty() || !it.artifacts.is_empty());
    if !has_something {
        problems.add(
            "deliverable",
            "is required: content that is not blank, or an artifact",
        );
    }
}

/// A checklist is for the task's own type, and what is not checked says why not (§5.5).
fn check_checklist(problems: &mut Problems, task: &Task, checklist: Option<&Checklist>) {
    let Some(checklist) = checklist else {
        problems.add(
            "reviewChecklist",
            "is required: GET /checklists/{type} gives one to fill in",
        );
        return;
    };
    let kind = task.kind.map(crate::kind::TaskKind::as_str);
    if kind.is_some_and(|kind| kind != checklist.kind) {
        problems.add(
            "reviewChecklist.type",
            format!("must be {}, the task's own", kind.unwrap_or_default()),
        );
    }
    if checklist.items.is_empty() {
        problems.add("reviewChecklist.items", "must hold at least one item");
    }
    for (index, item) in checklist.items.iter().enumerate() {
        if item.label.trim().is_empty() {
            problems.add(
                format!("reviewChecklist.items[{index}].label"),
                "must not be empty",
            );
        }
        let is_explained = item
            .note
            .as_deref()
            .is_some_and(|note| !note.trim().is_empty());
        if !item.checked && !is_explained {
            problems.add(
                format!("reviewChecklist.items[{index}].note"),
                "must say why the item is not checked",
            );
        }
    }
}

/// Everything a plan depends on must be there and done, and nothing may wait for itself.
///
/// # Errors
/// `dependencies_not_done`, naming them.
pub(super) fn check_dependencies(tx: &mut dyn Tx, task: &Task) -> Result<()> {
    let Some(plan) = &task.detail.plan else {
        return Ok(());
    };
    let mut open = Vec::new();
    for id in &plan.dependencies {
        let found = tx.task(id)?.filter(|it| it.tenant == task.tenant);
        if found.is_none_or(|it| it.state != State::Done) {
            open.push(id.to_string());
        }
    }
    let cyclic = waits_for_itself(tx, task)?;
    if open.is_empty() && !cyclic {
        return Ok(());
    }
    let message = if cyclic {
        "the task would wait for itself".to_owned()
    } else {
        format!("these must be done first: {}", open.join(", "))
    };
    Err(Error::conflict("dependencies_not_done", message).with_detail("dependencies", open))
}

fn waits_for_itself(tx: &mut dyn Tx, task: &Task) -> Result<bool> {
    let of = |task: &Task| -> Vec<TaskId> {
        task.detail
            .plan
            .as_ref()
            .map(|plan| plan.dependencies.clone())
            .unwrap_or_default()
    };
    let mut to_look_at = of(task);
    let mut seen = HashSet::new();
    while let Some(id) = to_look_at.pop() {
        if id == task.id {
            return Ok(true);
        }
        if seen.len() < MOST_DEPENDENCIES
            && seen.insert(id.clone())
            && let Some(next) = tx.task(&id)?
        {
            to_look_at.extend(of(&next));
        }
    }
    Ok(false)
}
