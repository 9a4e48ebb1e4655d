//! Looking at approvals. Whoever looks sees one whose time has run out as expired.

use super::{Approval, ApprovalFilter, Ask, Status};
use crate::agent::{Agent, Rank};
use crate::page::{List, Page};
use crate::{ApprovalId, Error, Principal, Result, Tx, policy};

/// More than these are not shown together to somebody who is to decide.
const MOST_WAITING: u32 = 200;

/// The approval, if it is there for this caller.
///
/// # Errors
/// `tool_request_not_found`, for another tenant's too.
pub fn get(tx: &mut dyn Tx, who: &Principal, id: &ApprovalId) -> Result<Approval> {
    look(tx, who, id)?
        .ok_or_else(|| Error::not_found("tool_request_not_found", "there is no such tool request"))
}

/// As [`get`], in the words of the contract that calls them approvals.
pub(super) fn find(tx: &mut dyn Tx, who: &Principal, id: &ApprovalId) -> Result<Approval> {
    look(tx, who, id)?
        .ok_or_else(|| Error::not_found("approval_not_found", "there is no such approval"))
}

fn look(tx: &mut dyn Tx, who: &Principal, id: &ApprovalId) -> Result<Option<Approval>> {
    let now = tx.now();
    let found = tx.approval(id)?.filter(|it| who.sees(&it.tenant));
    Ok(found.map(|it| it.as_of(now)))
}

/// As [`get`], for whom it concerns: the agent that asked, a lead, a person (OpenClaw contract §4).
///
/// # Errors
/// `approval_not_found`; forbidden.
pub fn show(tx: &mut dyn Tx, who: &Principal, id: &ApprovalId) -> Result<Approval> {
    let approval = find(tx, who, id)?;
    if who.handle().is_some_and(|own| *own != approval.requestor) && !is_lead(tx, who)? {
        return Err(Error::forbidden(
            "forbidden",
            "only the agent that asked, a lead or an operator may see this approval",
        )
        .with_detail("requiredRole", "LEAD"));
    }
    Ok(approval)
}

/// The caller's approvals; every tenant's for one who sees all.
///
/// # Errors
/// Whatever the store meets.
pub fn list(
    tx: &mut dyn Tx,
    who: &Principal,
    filter: ApprovalFilter,
    page: Page,
) -> Result<List<Approval>> {
    let tenant = who.tenant.clone().or(filter.tenant);
    let now = tx.now();
    let rows = tx.approvals(&ApprovalFilter { tenant, ..filter }, page)?;
    let rows = rows.into_iter().map(|it| it.as_of(now)).collect();
    Ok(List::from_rows(rows, page))
}

/// A numbered page, newest first, and how many there are: an agent sees what it asked for itself
/// (OpenClaw contract §4).
///
/// # Errors
/// Forbidden for an agent that asks for another's.
pub fn board(
    tx: &mut dyn Tx,
    who: &Principal,
    filter: ApprovalFilter,
    offset: u32,
    limit: u32,
) -> Result<(Vec<Approval>, u64)> {
    let requestor = match (who.handle(), filter.requestor) {
        (Some(own), Some(named)) if *own != named => {
            return Err(Error::forbidden(
                "forbidden",
                "an agent sees only what it asked for itself",
            )
            .with_detail("requiredRole", "OPERATOR"));
        }
        (own, named) => own.cloned().or(named),
    };
    let filter = ApprovalFilter {
        tenant: who.tenant.clone().or(filter.tenant),
        requestor,
        ..filter
    };
    let now = tx.now();
    let total = tx.approval_count(&filter)?;
    let rows = tx.approval_board(&filter, offset, limit)?;
    Ok((rows.into_iter().map(|it| it.as_of(now)).collect(), total))
}

/// What waits for a decision, soonest to expire first, at most 200: for operators and leads.
///
/// # Errors
/// Forbidden for other agents.
pub fn waiting(tx: &mut dyn Tx, who: &Principal, filter: ApprovalFilter) -> Result<Vec<Approval>> {
    if who.handle().is_some() && !is_lead(tx, who)? {
        return Err(
            Error::forbidden("forbidden", "only leads and operators see all that waits")
                .with_detail("requiredRole", "LEAD"),
        );
    }
    let filter = ApprovalFilter {
        tenant: who.tenant.clone().or(filter.tenant),
        statuses: vec![Status::Pending],
        ..filter
    };
    let mut found = tx.approval_board(&filter, 0, MOST_WAITING)?;
    found.sort_by_key(|it| (it.expires_at.is_none(), it.expires_at, it.position));
    Ok(found)
}

/// What this agent may decide, oldest first (OpenClaw contract §7, §10.3): nothing, unless it is a lead and
/// policy lets leads approve.
///
/// # Errors
/// Whatever the store meets.
pub(crate) fn decidable_by(tx: &mut dyn Tx, agent: &Agent) -> Result<Vec<Approval>> {
    if agent.rank != Rank::Lead
        || !policy::settings(tx, &agent.tenant, Some(&agent.handle), None)?.lead_may_approve_yellow
    {
        return Ok(Vec::new());
    }
    let filter = ApprovalFilter {
        tenant: Some(agent.tenant.clone()),
        statuses: vec![Status::Pending],
        ask: Some(Ask::ToolExec),
        ..ApprovalFilter::default()
    };
    let mut found = tx.approval_board(&filter, 0, MOST_WAITING)?;
    found.retain(|it| is_for_leads(it) && it.requestor != agent.handle);
    found.reverse();
    Ok(found)
}

/// Whether a lead may decide it where policy lets leads approve at all.
pub(super) fn is_for_leads(approval: &Approval) -> bool {
    !approval.risk.is_red() && approval.detail.ask == Some(Ask::ToolExec)
}

/// Whether a lead is speaking.
pub(super) fn is_lead(tx: &mut dyn Tx, who: &Principal) -> Result<bool> {
    let (Some(handle), Some(tenant)) = (who.handle(), &who.tenant) else {
        return Ok(false);
    };
    let agent = tx.agent(tenant, handle)?;
    Ok(agent.is_some_and(|agent| agent.rank == Rank::Lead))
}
