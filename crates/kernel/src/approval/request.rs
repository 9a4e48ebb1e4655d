//! Requests in free words: an agent names an interface it would like to have. They wait for good
//! (rulings 7).

use serde_json::Value;

use super::decide::{Ruling, conclude};
use super::{Approval, Decision, Risk, Status, get};
use crate::agent;
use crate::error::Problems;
use crate::event::{self, Happening};
use crate::{ApprovalId, Error, Principal, Result, Right, TaskId, Tx, task, text};

/// What an agent asks for.
#[derive(Debug, Clone)]
pub struct NewApproval {
    pub task: Option<TaskId>,
    pub title: String,
    pub justification: String,
    pub interface: Option<Value>,
    pub scope: Option<String>,
    pub risk: Risk,
}

/// Asks. Only an agent asks; a person would just do it.
///
/// # Errors
/// Every problem of the request; `task_not_found`.
pub fn request(tx: &mut dyn Tx, who: &Principal, new: NewApproval) -> Result<Approval> {
    who.require(Right::Work)?;
    let Some(requestor) = who.handle().cloned() else {
        return Err(Error::forbidden(
            "forbidden",
            "only an agent asks for approval",
        ));
    };
    let mut problems = Problems::default();
    text::check_present(&mut problems, "title", &new.title);
    text::check_present(&mut problems, "justification", &new.justification);
    text::check_optional(&mut problems, "scope", new.scope.as_deref());
    problems.into_result()?;
    if let Some(task) = &new.task {
        task::get(tx, who, task)?;
    }
    let tenant = agent::permit_caller(tx, who, agent::Act::Write)?;
    let approval = Approval {
        id: ApprovalId::new(tx.mint(ApprovalId::PREFIX)),
        position: tx.next_position()?,
        tenant,
        requestor,
        task: new.task,
        title: new.title,
        justification: new.justification,
        interface: new.interface,
        scope: new.scope,
        risk: new.risk,
        status: Status::Pending,
        created_at: tx.now(),
        decided_at: None,
        decided_by: None,
        decision_note: None,
        expires_at: None,
        detail: Box::default(),
    };
    tx.insert_approval(&approval)?;
    event::record(
        tx,
        who,
        &approval.tenant,
        Happening::ApprovalCreated(approval.clone()),
    )?;
    Ok(approval)
}

/// Decides a pending approval and tells the asker. An agent never decides; the asker may withdraw.
///
/// # Errors
/// `tool_request_not_found`; forbidden; `already_decided`; what the decision would have to do and
/// cannot.
pub fn decide(
    tx: &mut dyn Tx,
    who: &Principal,
    id: &ApprovalId,
    decision: Decision,
    note: Option<String>,
) -> Result<Approval> {
    if decision != Decision::Withdraw {
        who.require(Right::Decide)?;
    }
    let mut problems = Problems::default();
    text::check_optional(&mut problems, "note", note.as_deref());
    problems.into_result()?;
    let approval = get(tx, who, id)?;
    if decision == Decision::Withdraw
        && who
            .handle()
            .is_some_and(|handle| *handle != approval.requestor)
    {
        return Err(Error::forbidden(
            "forbidden",
            "only the agent that asked may withdraw",
        ));
    }
    if approval.status != Status::Pending {
        return Err(Error::conflict(
            "already_decided",
            format!(
                "the request is {} already",
                approval.status.as_str().to_lowercase()
            ),
        ));
    }
    let ruling = Ruling {
        reason: note,
        ..Ruling::new(decision)
    };
    conclude(tx, who, approval, ruling).map(|decided| decided.approval)
}
