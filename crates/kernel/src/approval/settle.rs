//! What time alone does to approvals (OpenClaw contract §10.2, §10.3), and what ends with a task.

use super::decide::{record, settle_as};
use super::{Approval, ApprovalFilter, Status, outcome};
use crate::notification::{self, Target, Tell, Type};
use crate::{Principal, Result, TaskId, Tx};

/// More than these never wait on one task: an agent's own are bounded, and few agents share one.
const MOST_ON_A_TASK: u32 = 1000;

/// Writes down what has fallen due, at most `limit` things: requests expire, and the operator is
/// told again of those that wait too long. Gives how many it settled.
///
/// # Errors
/// Whatever the store meets.
pub fn settle_due(tx: &mut dyn Tx, limit: u32) -> Result<u32> {
    let now = tx.now();
    let expired = tx.expired_approvals(now, limit)?;
    let mut settled = 0;
    for approval in expired {
        expire(tx, approval)?;
        settled += 1;
    }
    for approval in tx.overdue_approvals(now, limit - settled)? {
        escalate(tx, approval)?;
        settled += 1;
    }
    Ok(settled)
}

fn expire(tx: &mut dyn Tx, mut approval: Approval) -> Result<()> {
    let system = Principal::system().within(approval.tenant.clone())?;
    let at = approval.expires_at.unwrap_or_else(|| tx.now());
    settle_as(&mut approval, Status::Expired, &system, at, None);
    super::save(tx, &mut approval)?;
    record(tx, &system, &approval)?;
    outcome::follow(tx, &system, &approval, None)?;
    outcome::tell_requestor(tx, &system, &approval)?;
    tell_operator(
        tx,
        &system,
        &approval,
        format!("Expired: {}", approval.title),
        format!(
            "Nobody decided what {} asked for in time.",
            approval.requestor
        ),
    )
}

fn escalate(tx: &mut dyn Tx, mut approval: Approval) -> Result<()> {
    let system = Principal::system().within(approval.tenant.clone())?;
    approval.detail.escalate_at = None;
    approval.detail.escalated = true;
    super::save(tx, &mut approval)?;
    record(tx, &system, &approval)?;
    tell_operator(
        tx,
        &system,
        &approval,
        format!("Still waiting: {}", approval.title),
        format!(
            "{} has waited for a decision since {}.",
            approval.requestor, approval.created_at
        ),
    )
}

fn tell_operator(
    tx: &mut dyn Tx,
    system: &Principal,
    approval: &Approval,
    title: String,
    body: String,
) -> Result<()> {
    let tell = Tell {
        target: Target::Operator,
        kind: Type::ApprovalRequest,
        title,
        body,
        task: approval.task.clone(),
        message: None,
        approval: Some(approval.id.clone()),
    };
    notification::tell(tx, system, &approval.tenant, tell).map(drop)
}

/// Takes back every request that waits on a task that has ended.
///
/// # Errors
/// Whatever the store meets.
pub(crate) fn cancel_all(tx: &mut dyn Tx, who: &Principal, task: &TaskId) -> Result<()> {
    for mut approval in pending_on(tx, task)? {
        let reason = "the task has ended".to_owned();
        settle_as(&mut approval, Status::Canceled, who, tx.now(), Some(reason));
        super::save(tx, &mut approval)?;
        record(tx, who, &approval)?;
        outcome::follow(tx, who, &approval, None)?;
    }
    Ok(())
}

/// What waits for a decision on a task.
///
/// # Errors
/// Whatever the store meets.
pub(crate) fn pending_on(tx: &mut dyn Tx, task: &TaskId) -> Result<Vec<Approval>> {
    let filter = ApprovalFilter {
        statuses: vec![Status::Pending],
        task: Some(task.clone()),
        ..ApprovalFilter::default()
    };
    tx.approval_board(&filter, 0, MOST_ON_A_TASK)
}
