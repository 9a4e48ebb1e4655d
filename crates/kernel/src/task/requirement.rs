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
pub(crate) fn collect(
    tx: &mut dyn Tx,
    problems: &mut Problems,
    who: &Principal,
    task: &Task,
    to: State,
    reason: Option<&str>,
) -> Result<()> {
    collect_evidence(problems, task, to);
    collect_circumstances(tx, problems, who, task, to, reason)
}

/// What must be handed in: the only part that an operator may have skipped.
fn collect_evidence(problems: &mut Problems, task: &Task, to: State) {
    match (task.state, to) {
        (State::Assigned, State::InProgress) => check_plan(problems, task.detail.plan.as_ref()),
        (State::InProgress, State::Review) => {
            check_deliverable(problems, task.detail.deliverable.as_ref());
            check_checklist(problems, task, task.detail.checklist.as_ref());
        }
        _ => {}
    }
}

/// What must be so: a reason where one is due, somebody who works on it, approvals.
///
/// # Errors
/// Whatever the store meets.
pub(super) fn collect_circumstances(
    tx: &mut dyn Tx,
    problems: &mut Problems,
    who: &Principal,
    task: &Task,
    to: State,
    reason: Option<&str>,
) -> Result<()> {
    let has_reason = reason.is_some_and(|reason| !reason.trim().is_empty());
    if let Some(why) = reason_due(who, task.state, to)
        && !has_reason
    {
        problems.add("reason", format!("is required: {why}"));
    }
    match (task.state, to) {
        (State::Inbox, State::Assigned) | (State::Assigned, State::InProgress)
            if task.assignee.is_none() =>
        {
            problems.add(
                "assigneeIds",
                "somebody must be assigned: PATCH /tasks/{id} does that",
            );
        }
        (State::InProgress, State::Review) | (State::Review, State::Done) => {
            check_no_approval(tx, problems, task)?;
        }
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

/// What the reason of a step should say, where one is due.
fn reason_due(who: &Principal, from: State, to: State) -> Option<&'static str> {
    Some(match (from, to) {
        (_, State::Canceled) => "say why it is canceled",
        (_, State::Blocked) => "say what blocks it",
        (State::Assigned, State::Inbox) => "say why it goes back",
        (State::Review, State::InProgress) => "say what is to be done better",
        (State::Blocked, State::Assigned | State::InProgress) => "say what unblocked it",
        (State::NeedsApproval, _) if who.role != Role::System => {
            "say why the approval is passed over"
        }
        _ => return None,
    })
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
pub(crate) fn check_dependencies(tx: &mut dyn Tx, task: &Task) -> Result<()> {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kind::TaskKind;
    use crate::task::tests::blank;
    use crate::task::{Artifact, ChecklistItem};

    fn faults(find: impl FnOnce(&mut Problems)) -> Vec<String> {
        let mut problems = Problems::default();
        find(&mut problems);
        let found = problems.into_result().err().map(|error| error.problems);
        found
            .unwrap_or_default()
            .into_iter()
            .map(|problem| problem.field)
            .collect()
    }

    #[test]
    fn a_plan_has_three_to_six_steps() {
        let plan = |bullets: &[&str]| {
            let plan = Plan {
                bullets: bullets.iter().map(ToString::to_string).collect(),
                ..Plan::default()
            };
            faults(|problems| check_plan(problems, Some(&plan)))
        };
        assert_eq!(plan(&["a", "b"]), ["workPlan.bullets"]);
        assert_eq!(plan(&["a"; 3]), [""; 0]);
        assert_eq!(plan(&["a"; 6]), [""; 0]);
        assert_eq!(plan(&["a"; 7]), ["workPlan.bullets"]);
        assert_eq!(plan(&["a", " ", "c"]), ["workPlan.bullets[1]"]);
        assert_eq!(
            plan(&["a", "\t"]),
            ["workPlan.bullets", "workPlan.bullets[1]"]
        );
        assert_eq!(faults(|problems| check_plan(problems, None)), ["workPlan"]);
    }

    #[test]
    fn a_deliverable_holds_content_or_an_artifact() {
        let of = |content: &str, artifacts: usize| {
            let deliverable = Deliverable {
                content: content.to_owned(),
                artifacts: vec![Artifact::default(); artifacts],
                ..Deliverable::default()
            };
            faults(|problems| check_deliverable(problems, Some(&deliverable)))
        };
        assert_eq!(of("text", 0), [""; 0]);
        assert_eq!(of("", 1), [""; 0]);
        assert_eq!(of(" \n", 0), ["deliverable"]);
        assert_eq!(
            faults(|problems| check_deliverable(problems, None)),
            ["deliverable"]
        );
    }

    #[test]
    fn a_checklist_is_for_the_task_and_says_why_something_is_not_checked() {
        let item = |label: &str, checked: bool, note: Option<&str>| ChecklistItem {
            label: label.to_owned(),
            checked,
            note: note.map(str::to_owned),
        };
        let mut task = blank(State::InProgress);
        let of = |task: &Task, kind: &str, items: &[ChecklistItem]| {
            let checklist = Checklist {
                kind: kind.to_owned(),
                items: items.to_vec(),
                ..Checklist::default()
            };
            faults(|problems| check_checklist(problems, task, Some(&checklist)))
        };
        let good = [
            item("Anything at all", true, None),
            item("x", false, Some("no charts")),
        ];
        assert_eq!(
            of(&task, "WHATEVER", &good),
            [""; 0],
            "a task without a type takes any"
        );
        task.kind = Some(TaskKind::Content);
        assert_eq!(of(&task, "CONTENT", &good), [""; 0]);
        assert_eq!(of(&task, "OPS", &good), ["reviewChecklist.type"]);
        assert_eq!(of(&task, "CONTENT", &[]), ["reviewChecklist.items"]);
        let bad = [item(" ", true, None), item("x", false, Some(" "))];
        assert_eq!(
            of(&task, "CONTENT", &bad),
            [
                "reviewChecklist.items[0].label",
                "reviewChecklist.items[1].note"
            ]
        );
    }
}
