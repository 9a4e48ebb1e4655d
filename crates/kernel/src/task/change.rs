//! Changes of a task on the board: its words, and whose it is (OpenClaw contract §4, §5.3).

use crate::agent::{self, Act, Agent, Rank, Status};
use crate::error::Problems;
use crate::event::{self, Happening};
use crate::kind::TaskKind;
use crate::notification::{self, Target, Tell, Type};
use crate::state::State;
use crate::transition::{self, Step};
use crate::{Error, Handle, MicroUsd, Object, Principal, Result, TaskId, Timestamp, Tx};

use super::create::{check_priority, check_reviewer, check_words};
use super::handed_in::check_sizes;
use super::{Deliverable, Plan, Task, Transition, free};

/// What to change; `None` leaves a field as it is, `Some(None)` removes it.
#[derive(Debug, Clone, Default)]
pub struct BoardChange {
    pub title: Option<String>,
    pub description: Option<Option<String>>,
    pub priority: Option<u8>,
    pub labels: Option<Vec<String>>,
    pub due_at: Option<Option<Timestamp>>,
    pub plan: Option<Plan>,
    pub deliverable: Option<Deliverable>,
    pub metadata: Option<Object>,
    pub estimated_cost: Option<MicroUsd>,
    /// Only an operator's to set.
    pub reviewer: Option<Option<Handle>>,
    /// Only an operator's to set.
    pub kind: Option<TaskKind>,
    /// Only an operator's to set.
    pub budget: Option<MicroUsd>,
    pub assignees: Option<Vec<Handle>>,
}

impl BoardChange {
    fn says_more_than_whose(&self) -> bool {
        self.title.is_some()
            || self.description.is_some()
            || self.priority.is_some()
            || self.labels.is_some()
            || self.due_at.is_some()
            || self.plan.is_some()
            || self.deliverable.is_some()
            || self.metadata.is_some()
            || self.estimated_cost.is_some()
            || self.is_an_operators()
    }

    fn is_an_operators(&self) -> bool {
        self.reviewer.is_some() || self.kind.is_some() || self.budget.is_some()
    }
}

/// Changes a task on the board. Nothing is written when nothing would change.
///
/// # Errors
/// `task_not_found`; every problem of the request; forbidden; what [`assign`] refuses.
pub fn change(tx: &mut dyn Tx, who: &Principal, id: &TaskId, change: BoardChange) -> Result<Task> {
    let mut task = free::get(tx, who, id)?;
    let caller = agent::acting(tx, who)?;
    // First whose it is: who takes a task may say more about it in the same breath.
    if let Some(to) = &change.assignees {
        task = assign(tx, who, task, to)?;
    }
    if change.says_more_than_whose() {
        task = change_words(tx, who, caller.as_ref(), &task, change)?;
    }
    Ok(task)
}

fn change_words(
    tx: &mut dyn Tx,
    who: &Principal,
    caller: Option<&Agent>,
    before: &Task,
    change: BoardChange,
) -> Result<Task> {
    if let Some(caller) = caller {
        agent::permit(tx, caller, Act::Write)?;
        if change.is_an_operators() {
            return Err(Error::forbidden(
                "forbidden",
                "only an operator sets a task's reviewer, type or budget",
            )
            .with_detail("requiredRole", "OPERATOR"));
        }
        if caller.rank != Rank::Lead && !before.is_assigned_to(&caller.handle) {
            return Err(Error::forbidden(
                "forbidden",
                "only who works on a task, or a LEAD, changes it",
            )
            .with_detail("requiredRole", "LEAD"));
        }
    }
    let mut problems = Problems::default();
    check_words(
        &mut problems,
        change.title.as_deref(),
        change.description.as_ref().and_then(Option::as_deref),
        change.labels.as_deref().unwrap_or_default(),
    );
    check_priority(&mut problems, change.priority);
    if let Some(plan) = &change.plan {
        super::requirement::check_plan(&mut problems, Some(plan));
    }
    check_sizes(
        &mut problems,
        change.plan.as_ref(),
        change.deliverable.as_ref(),
        None,
    );
    let reviewer = change.reviewer.as_ref().and_then(Option::as_ref);
    check_reviewer(tx, &mut problems, &before.tenant, reviewer)?;
    problems.into_result()?;

    let mut task = before.clone();
    task.title = change.title.unwrap_or(task.title);
    task.description = change.description.unwrap_or(task.description);
    task.priority = change.priority.unwrap_or(task.priority);
    task.due_at = change.due_at.unwrap_or(task.due_at);
    task.reviewer = change.reviewer.unwrap_or(task.reviewer);
    task.kind = change.kind.or(task.kind);
    task.metadata = change.metadata.or(task.metadata);
    let detail = &mut task.detail;
    detail.labels = change.labels.unwrap_or(std::mem::take(&mut detail.labels));
    detail.plan = change.plan.map(Plan::sealed).or(detail.plan.take());
    detail.deliverable = change
        .deliverable
        .map(Deliverable::sealed)
        .or(detail.deliverable.take());
    detail.estimated_cost = change.estimated_cost.or(detail.estimated_cost);
    detail.budget = change.budget.or(detail.budget);
    if task == *before {
        return Ok(task);
    }
    task.updated_at = tx.now();
    tx.update_task(&task)?;
    event::record(tx, who, &task.tenant, Happening::TaskUpdated(task.clone()))?;
    Ok(task)
}

/// Gives a task to these agents: compare and set, so that of many that ask for it at once one gets
/// it (§5.3). A SPECIALIST takes only for itself what nobody has.
///
/// # Errors
/// `assignment_conflict`, `task_type_not_allowed`, `invalid_transition`; forbidden; an assignee
/// that there is not.
pub fn assign(tx: &mut dyn Tx, who: &Principal, task: Task, to: &[Handle]) -> Result<Task> {
    if let Some(caller) = agent::acting(tx, who)?
        && let Some(unchanged) = check_claim(tx, &caller, &task, to)?
    {
        return Ok(unchanged);
    }
    if task.state.is_terminal() {
        return Err(Error::conflict(
            "invalid_transition",
            format!("a task that is {} is nobody's to take", task.state.as_str()),
        )
        .with_detail("from", task.state.as_str())
        .with_detail("to", State::Assigned.as_str())
        .with_detail("allowedTransitions", Vec::<String>::new()));
    }
    for handle in to {
        if !task.is_assigned_to(handle) {
            check_assignee(tx, &task, handle)?;
        }
    }
    hand_over(tx, who, task, to, Step::default()).map(|(task, _)| task)
}

/// Whether this agent may assign so; the task itself when there is nothing to do.
fn check_claim(
    tx: &mut dyn Tx,
    caller: &Agent,
    task: &Task,
    to: &[Handle],
) -> Result<Option<Task>> {
    let is_for_itself = to == [caller.handle.clone()];
    let holders: Vec<String> = task.assignees().map(ToString::to_string).collect();
    if is_for_itself && holders == [caller.handle.as_str()] {
        return Ok(Some(task.clone()));
    }
    agent::permit(tx, caller, Act::Start)?;
    match caller.rank {
        Rank::Lead => return Ok(None),
        Rank::Intern => {
            return Err(
                Error::forbidden("forbidden", "an INTERN takes no tasks; ask a LEAD")
                    .with_detail("requiredRole", "SPECIALIST"),
            );
        }
        Rank::Specialist if !is_for_itself => {
            return Err(Error::forbidden(
                "forbidden",
                "a SPECIALIST takes tasks for itself; only a LEAD assigns others",
            )
            .with_detail("requiredRole", "LEAD"));
        }
        Rank::Specialist => {}
    }
    let is_free = match task.state {
        State::Inbox => true,
        State::Assigned => holders.is_empty(),
        _ => false,
    };
    check_kind(task, caller)?;
    if is_free && holders.is_empty() {
        return Ok(None);
    }
    let message = if holders.is_empty() {
        format!("the task is {}", task.state.as_str())
    } else {
        format!("the task is {}'s", holders.join(", "))
    };
    Err(Error::conflict("assignment_conflict", message)
        .with_detail("assigneeIds", holders)
        .with_detail("status", task.state.as_str()))
}

fn check_kind(task: &Task, agent: &Agent) -> Result<()> {
    let allowed = &agent.detail.allowed_kinds;
    let Some(kind) = task
        .kind
        .filter(|kind| !allowed.is_empty() && !allowed.contains(kind))
    else {
        return Ok(());
    };
    let names: Vec<&str> = allowed.iter().map(|kind| kind.as_str()).collect();
    Err(Error::conflict(
        "task_type_not_allowed",
        format!("agent {} does no {} tasks", agent.handle, kind.as_str()),
    )
    .with_detail("taskType", kind.as_str())
    .with_detail("allowedTaskTypes", names))
}

/// Whether a task may be given to this agent: it is there, not in quarantine, and does such work.
///
/// # Errors
/// A problem of the request; `task_type_not_allowed`.
pub(super) fn check_assignee(tx: &mut dyn Tx, task: &Task, handle: &Handle) -> Result<()> {
    let Some(agent) = tx.agent(&task.tenant, handle)? else {
        return Err(Error::invalid(
            "assigneeIds",
            format!("there is no agent {handle}"),
        ));
    };
    if agent.status == Status::Quarantined || agent.detail.closed {
        let why = if agent.detail.closed {
            "closed"
        } else {
            "in quarantine"
        };
        return Err(Error::invalid(
            "assigneeIds",
            format!("agent {handle} is {why}"),
        ));
    }
    check_kind(task, &agent)
}

/// Gives a task to agents that may have it, moves it where that puts it, and tells them. `step`
/// says more of that move, if there is one.
///
/// # Errors
/// A problem of the request when nobody would work on what is under way.
pub(super) fn hand_over(
    tx: &mut dyn Tx,
    who: &Principal,
    mut task: Task,
    to: &[Handle],
    mut step: Step,
) -> Result<(Task, Option<Transition>)> {
    let before: Vec<Handle> = task.assignees().cloned().collect();
    task.assign(to);
    let after: Vec<Handle> = task.assignees().cloned().collect();
    if before == after {
        return Ok((task, None));
    }
    if after.is_empty() && !matches!(task.state, State::Inbox | State::Assigned) {
        return Err(Error::invalid(
            "assigneeIds",
            format!("a task that is {} must be somebody's", task.state.as_str()),
        ));
    }
    task.updated_at = tx.now();
    tx.update_task(&task)?;
    let assigned = Happening::TaskAssigned {
        task: task.clone(),
        before: before.clone(),
    };
    event::record(tx, who, &task.tenant, assigned)?;
    let goes = match task.state {
        State::Inbox if !after.is_empty() => Some(State::Assigned),
        State::Assigned if after.is_empty() => Some(State::Inbox),
        _ => None,
    };
    let mut transition = None;
    if let Some(goes) = goes {
        if goes == State::Inbox && step.reason.is_none() {
            step.reason = Some("nobody is assigned any more".to_owned());
        }
        let (moved, made) = transition::shift(tx, who, task, goes, step)?;
        (task, transition) = (moved, Some(made));
    }
    for handle in after.iter().filter(|handle| !before.contains(handle)) {
        tx.subscribe(&task.id, &Target::Agent(handle.clone()))?;
        tell(tx, who, &task, handle, Type::Assignment, "is yours")?;
    }
    release(
        tx,
        who,
        &task,
        before.iter().filter(|it| !after.contains(it)),
    )?;
    agent::follow_task(tx, &task)?;
    Ok((task, transition))
}

/// Gives a task that nobody has to the agent that takes it by taking it to `ASSIGNED`.
///
/// # Errors
/// Whatever the store meets.
pub(super) fn claim(
    tx: &mut dyn Tx,
    who: &Principal,
    task: Task,
    by: &Handle,
    step: Step,
) -> Result<(Task, Transition)> {
    let (task, transition) = hand_over(tx, who, task, std::slice::from_ref(by), step)?;
    let transition = transition.ok_or_else(|| Error::internal("a claim moved nothing"))?;
    Ok((task, transition))
}

/// What becomes of agents that a task was taken from: they are at it no longer, and are told.
///
/// # Errors
/// Whatever the store meets.
pub(super) fn release<'a>(
    tx: &mut dyn Tx,
    who: &Principal,
    task: &Task,
    from: impl Iterator<Item = &'a Handle>,
) -> Result<()> {
    for handle in from {
        agent_leaves(tx, task, handle)?;
        tell(
            tx,
            who,
            task,
            handle,
            Type::TaskTransition,
            "is no longer yours",
        )?;
    }
    Ok(())
}

fn agent_leaves(tx: &mut dyn Tx, task: &Task, handle: &Handle) -> Result<()> {
    let Some(mut agent) = tx.agent(&task.tenant, handle)? else {
        return Ok(());
    };
    if agent.detail.current_task.as_ref() == Some(&task.id) {
        agent.detail.current_task = None;
        agent.updated_at = tx.now();
        tx.put_agent(&agent)?;
    }
    Ok(())
}

fn tell(
    tx: &mut dyn Tx,
    who: &Principal,
    task: &Task,
    handle: &Handle,
    kind: Type,
    what: &str,
) -> Result<()> {
    if who.handle() == Some(handle) {
        return Ok(());
    }
    let tell = Tell {
        target: Target::Agent(handle.clone()),
        kind,
        title: format!("{} {what}", task.title),
        body: format!("The task {:?} ({}) {what}.", task.title, task.id),
        task: Some(task.id.clone()),
        message: None,
        approval: None,
    };
    notification::tell(tx, who, &task.tenant, tell).map(drop)
}
