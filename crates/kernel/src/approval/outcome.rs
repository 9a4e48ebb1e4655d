//! What follows from a decision: for the task that waits, the tool call, the budget, the asker
//! (OpenClaw contract §10.2).

use super::{Approval, Ask, Status, pending_on};
use crate::budget;
use crate::error::Problems;
use crate::event::{self, Happening};
use crate::notification::{self, Target, Tell, Type, Wake};
use crate::run;
use crate::state::State;
use crate::task::{self, Completion, Task};
use crate::tool_call;
use crate::transition::{Step, shift};
use crate::{Error, Principal, Result, TenantId, Tx};

/// Does what follows from a decision that is written already; gives the task as it is then.
///
/// # Errors
/// `invalid_transition` when the step that was approved cannot be taken; problems when the task
/// cannot go where the decider sends it.
pub(super) fn follow(
    tx: &mut dyn Tx,
    who: &Principal,
    approval: &Approval,
    after: Option<State>,
) -> Result<Option<Task>> {
    let system = system_for(who, &approval.tenant)?;
    if approval.status != Status::Approved {
        refuse_tool_call(tx, &system, approval)?;
    }
    let task = release(tx, &system, approval, after)?;
    run::wake(tx, &approval.id)?;
    match (approval.detail.ask, approval.status) {
        (Some(Ask::StateTransition), Status::Approved) => perform(tx, who, approval, task),
        (Some(Ask::BudgetOverride), Status::Approved) => {
            budget::approved(tx, who, approval)?;
            Ok(task)
        }
        _ => Ok(task),
    }
}

/// The installation, acting because of what `who` did.
fn system_for(who: &Principal, tenant: &TenantId) -> Result<Principal> {
    let mut system = Principal::system().within(tenant.clone())?;
    system.request.clone_from(&who.request);
    Ok(system)
}

/// A tool call that waited for this approval will not run.
fn refuse_tool_call(tx: &mut dyn Tx, system: &Principal, approval: &Approval) -> Result<()> {
    let Some(id) = &approval.detail.tool_call else {
        return Ok(());
    };
    let Some(mut call) = tx.tool_call(id)?.filter(|call| !call.status.is_over()) else {
        return Ok(());
    };
    call.status = tool_call::Status::Denied;
    call.ended_at = Some(tx.now());
    call.updated_at = tx.now();
    tx.put_tool_call(&call)?;
    event::record(
        tx,
        system,
        &approval.tenant,
        Happening::ToolCallCompleted(call),
    )
}

/// Lets the task go on, or blocks it, unless it waits for something else too.
fn release(
    tx: &mut dyn Tx,
    system: &Principal,
    approval: &Approval,
    after: Option<State>,
) -> Result<Option<Task>> {
    let Some(id) = &approval.task else {
        return Ok(None);
    };
    let Some(task) = tx.task(id)? else {
        return Ok(None);
    };
    if task.state != State::NeedsApproval || !pending_on(tx, id)?.is_empty() {
        return Ok(Some(task));
    }
    let note = approval.decision_note.as_deref().unwrap_or_default();
    let (to, reason) = match approval.status {
        Status::Pending => return Ok(Some(task)),
        Status::Approved => (resumed(&task), format!("{} was approved", approval.id)),
        Status::Canceled => (resumed(&task), format!("{} was taken back", approval.id)),
        Status::Denied => (
            after.unwrap_or(State::Blocked),
            format!("Approval denied ({}): {note}", approval.title),
        ),
        Status::Expired => (
            State::Blocked,
            format!("Approval expired: {}", approval.title),
        ),
    };
    if to == State::Assigned && task.assignee.is_none() {
        return Err(Error::invalid(
            "taskStatus",
            "must not be ASSIGNED: nobody is assigned to the task",
        ));
    }
    shift(tx, system, task, to, Step::because(reason)).map(|(task, _)| Some(task))
}

fn resumed(task: &Task) -> State {
    task.detail.resume_state.unwrap_or(State::InProgress)
}

/// Takes the step that was approved (§10.2). The person who approved it stands for what a person
/// may do; what the step needs must be there all the same.
fn perform(
    tx: &mut dyn Tx,
    who: &Principal,
    approval: &Approval,
    task: Option<Task>,
) -> Result<Option<Task>> {
    let target = approval.detail.payload.as_ref().and_then(|payload| {
        let name = payload.get("toStatus")?.as_str()?;
        State::parse(name)
    });
    let (Some(mut task), Some(to)) = (task, target) else {
        return Ok(None);
    };
    if task.state == to {
        return Ok(Some(task));
    }
    let system = system_for(who, &approval.tenant)?;
    let reason = format!("{} was approved: {}", approval.id, approval.title);
    if let Some(obstacle) = obstacle(tx, &system, &task, to, &reason)? {
        return Err(cannot_step(&task, to, &obstacle));
    }
    if (task.state, to) == (State::Assigned, State::InProgress) {
        task::check_dependencies(tx, &task)?;
    }
    if to == State::Done {
        task.detail.completion = Some(Completion {
            approval: Some(approval.id.clone()),
            approved_by: who.subject.clone(),
            approved_at: tx.now(),
            note: approval.decision_note.clone(),
        });
    }
    let (task, _) = shift(tx, &system, task, to, Step::because(reason))?;
    use_up(tx, approval.clone())?;
    Ok(Some(task))
}

/// Why a task cannot take a step, if it cannot (§5.1, §5.2).
fn obstacle(
    tx: &mut dyn Tx,
    system: &Principal,
    task: &Task,
    to: State,
    reason: &str,
) -> Result<Option<String>> {
    if task.state == State::NeedsApproval {
        let why = "another approval on the task waits for a decision; decide that first";
        return Ok(Some(why.to_owned()));
    }
    if !task.state.may_become(to) {
        return Ok(Some("there is no such step".to_owned()));
    }
    let mut problems = Problems::default();
    task::collect_missing(tx, &mut problems, system, task, to, Some(reason))?;
    Ok(problems.into_result().err().map(|error| error.message))
}

fn cannot_step(task: &Task, to: State, obstacle: &str) -> Error {
    let allowed: Vec<&str> = task.state.next().iter().map(|it| it.as_str()).collect();
    Error::conflict(
        "invalid_transition",
        format!(
            "the approved step of {} from {} to {} cannot be taken: {obstacle}",
            task.id,
            task.state.as_str(),
            to.as_str()
        ),
    )
    .with_detail("from", task.state.as_str())
    .with_detail("to", to.as_str())
    .with_detail("allowedTransitions", allowed)
}

/// Notes that what was approved has been done. What was done has a record of its own.
///
/// # Errors
/// Whatever the store meets.
pub fn use_up(tx: &mut dyn Tx, mut approval: Approval) -> Result<()> {
    if approval.detail.used_at.is_some() {
        return Ok(());
    }
    approval.detail.used_at = Some(tx.now());
    super::save(tx, &mut approval)
}

/// Whether it was asked for in the middle of a turn.
fn is_of_turn(tx: &mut dyn Tx, approval: &Approval) -> Result<bool> {
    let call = match &approval.detail.tool_call {
        Some(id) => tx.tool_call(id)?,
        None => None,
    };
    let steps = call.map(|call| tx.turn_step_count(&call.run));
    Ok(steps.transpose()?.is_some_and(|steps| steps > 0))
}

/// Tells the agent that asked what became of it.
pub(super) fn tell_requestor(tx: &mut dyn Tx, who: &Principal, approval: &Approval) -> Result<()> {
    let verdict = approval.status.as_str().to_lowercase();
    let note = approval
        .decision_note
        .as_deref()
        .map(|note| format!(" Note: {note}"))
        .unwrap_or_default();
    let content = format!(
        "Your request {:?} ({}) is {verdict}.{note}",
        approval.title, approval.id
    );
    if approval.detail.ask.is_some() {
        let tell = Tell {
            target: Target::Agent(approval.requestor.clone()),
            kind: Type::ApprovalDecided,
            title: format!("{}: {}", approval.status.as_str(), approval.title),
            body: content,
            task: approval.task.clone(),
            message: None,
            approval: Some(approval.id.clone()),
        };
        // The turn that waited goes on by itself; to wake the agent would begin a second one.
        let told = match is_of_turn(tx, approval)? {
            true => notification::note(tx, who, &approval.tenant, tell),
            false => notification::tell(tx, who, &approval.tenant, tell),
        };
        return told.map(drop);
    }
    let task = match &approval.task {
        Some(id) => tx.task(id)?,
        None => None,
    };
    notification::wake(
        tx,
        &who.within(approval.tenant.clone())?,
        Wake {
            target: &approval.requestor,
            kind: Type::System,
            content: &content,
            task: task.as_ref(),
            message: None,
        },
    )
}
