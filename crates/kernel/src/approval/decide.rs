//! Deciding what an agent asked for (OpenClaw contract §10.2, §10.3).

use super::read::{find, is_for_leads, is_lead};
use super::{Approval, Ask, Decision, PATIENCE, Status, outcome};
use crate::error::Problems;
use crate::event::{self, Happening};
use crate::grant::{self, Grant, Widening};
use crate::policy::Settings;
use crate::state::State;
use crate::task::Task;
use crate::tool_call::Level;
use crate::{ApprovalId, Error, Principal, Result, Timestamp, Tx, policy, text};

const LONGEST_REASON: usize = 10_000;

/// A decision and what comes with it.
#[derive(Debug, Clone)]
pub struct Ruling {
    pub decision: Decision,
    /// Must be given where it is denied.
    pub reason: Option<String>,
    /// Where the task goes when it is denied; `None`: `BLOCKED`.
    pub task_state: Option<State>,
    /// How much more than this one action is let through from now on.
    pub widening: Option<Widening>,
}

impl Ruling {
    /// A decision and nothing else.
    #[must_use]
    pub fn new(decision: Decision) -> Self {
        Self {
            decision,
            reason: None,
            task_state: None,
            widening: None,
        }
    }
}

/// What deciding came to.
#[derive(Debug, Clone, PartialEq)]
pub struct Decided {
    /// Still pending where it takes two and this was the first.
    pub approval: Approval,
    /// The task it is about, as it is now.
    pub task: Option<Task>,
    /// What it lets through.
    pub grant: Option<Grant>,
}

/// Decides, or takes back, what waits for a decision, and does what follows from it.
///
/// # Errors
/// `approval_not_found`; forbidden for those who may not decide this one; every problem of the
/// ruling; `approval_expired`; `already_processed` when it was decided the same way,
/// `approval_already_decided` when otherwise; what approving would have to do and cannot.
pub fn rule(tx: &mut dyn Tx, who: &Principal, id: &ApprovalId, ruling: Ruling) -> Result<Decided> {
    let approval = find(tx, who, id)?;
    match ruling.decision {
        Decision::Withdraw => may_withdraw(who, &approval)?,
        Decision::Approve | Decision::Deny => may_decide(tx, who, &approval)?,
    }
    check(&ruling, &approval)?;
    refuse_decided(&approval, ruling.decision)?;
    conclude(tx, who, approval, ruling)
}

fn may_withdraw(who: &Principal, approval: &Approval) -> Result<()> {
    if who.handle().is_none_or(|own| *own == approval.requestor) {
        return Ok(());
    }
    Err(Error::forbidden(
        "forbidden",
        "only the agent that asked or an operator takes a request back",
    )
    .with_detail("requiredRole", "OPERATOR"))
}

/// A person always; a lead where policy lets it, but never its own (§10.3).
fn may_decide(tx: &mut dyn Tx, who: &Principal, approval: &Approval) -> Result<()> {
    let Some(own) = who.handle() else {
        return Ok(());
    };
    let refusal = if *own == approval.requestor {
        "nobody decides what it asked for itself"
    } else if !is_lead(tx, who)? {
        "an agent may not decide a request; ask an operator"
    } else if !rules_of(tx, approval)?.lead_may_approve_yellow {
        "policy does not let leads approve (leadMayApproveYellow)"
    } else if !is_for_leads(approval) {
        "a lead decides only YELLOW requests to run a tool"
    } else {
        return Ok(());
    };
    Err(Error::forbidden("forbidden", refusal).with_detail("requiredRole", "OPERATOR"))
}

fn check(ruling: &Ruling, approval: &Approval) -> Result<()> {
    let mut problems = Problems::default();
    match &ruling.reason {
        Some(reason) => {
            text::check(&mut problems, "reason", reason);
            if reason.chars().count() > LONGEST_REASON {
                let message = format!("must be at most {LONGEST_REASON} characters");
                problems.add("reason", message);
            }
        }
        None if ruling.decision == Decision::Deny => {
            problems.add("reason", "is required to deny: the agent learns from it");
        }
        None => {}
    }
    if ruling.decision == Decision::Deny
        && ruling
            .reason
            .as_ref()
            .is_some_and(|it| it.trim().is_empty())
    {
        problems.add("reason", "must not be empty");
    }
    match (ruling.decision, ruling.task_state) {
        (_, None)
        | (Decision::Deny, Some(State::InProgress | State::Assigned | State::Canceled)) => {}
        (Decision::Deny, Some(_)) => problems.add(
            "taskStatus",
            "must be one of IN_PROGRESS, ASSIGNED, CANCELED; it is BLOCKED when absent",
        ),
        _ => problems.add("taskStatus", "is only for a denial"),
    }
    if let Some(widening) = &ruling.widening {
        match (ruling.decision, approval.detail.ask) {
            (Decision::Approve, Some(Ask::ToolExec)) => {
                grant::check(&mut problems, widening, &approval.detail.violations);
            }
            (Decision::Approve, _) => {
                problems.add("grant", "is only for a request to run a tool (TOOL_EXEC)");
            }
            _ => problems.add("grant", "is only for an approval"),
        }
    }
    problems.into_result()
}

fn refuse_decided(approval: &Approval, decision: Decision) -> Result<()> {
    let same = match (approval.status, decision) {
        (Status::Pending, _) => return Ok(()),
        (Status::Expired, _) => {
            return Err(Error::conflict(
                "approval_expired",
                format!("{} expired before it was decided", approval.id),
            )
            .with_detail("expiresAt", approval.expires_at.map(|at| at.to_string())));
        }
        (status, decision) => status == decided_as(decision),
    };
    let (code, status) = (
        if same {
            "already_processed"
        } else {
            "approval_already_decided"
        },
        approval.status.as_str(),
    );
    Err(
        Error::conflict(code, format!("{} is {status} already", approval.id))
            .with_detail("status", status),
    )
}

fn decided_as(decision: Decision) -> Status {
    match decision {
        Decision::Approve => Status::Approved,
        Decision::Deny => Status::Denied,
        Decision::Withdraw => Status::Canceled,
    }
}

/// Writes a decision that is allowed, and does what follows from it.
///
/// # Errors
/// `already_processed` for the second approval of one person where it takes two; what follows and
/// cannot be done.
pub(super) fn conclude(
    tx: &mut dyn Tx,
    who: &Principal,
    mut approval: Approval,
    ruling: Ruling,
) -> Result<Decided> {
    if ruling.decision == Decision::Approve && is_first_of_two(tx, who, &mut approval)? {
        super::save(tx, &mut approval)?;
        record(tx, who, &approval)?;
        return Ok(Decided {
            approval,
            task: None,
            grant: None,
        });
    }
    settle_as(
        &mut approval,
        decided_as(ruling.decision),
        who,
        tx.now(),
        ruling.reason,
    );
    super::save(tx, &mut approval)?;
    record(tx, who, &approval)?;
    let asked_for_tool = approval.detail.ask == Some(Ask::ToolExec);
    let grant = if ruling.decision == Decision::Approve && asked_for_tool {
        let widening = ruling.widening.unwrap_or_default();
        Some(grant::leave(tx, who, &approval, &widening)?)
    } else {
        None
    };
    let task = outcome::follow(tx, who, &approval, ruling.task_state)?;
    if ruling.decision != Decision::Withdraw {
        outcome::tell_requestor(tx, who, &approval)?;
    }
    Ok(Decided {
        approval,
        task,
        grant,
    })
}

/// What governs the asker, at work on the task that this is about.
fn rules_of(tx: &mut dyn Tx, approval: &Approval) -> Result<Settings> {
    let task = match &approval.task {
        Some(id) => tx.task(id)?,
        None => None,
    };
    let asker = Some(&approval.requestor);
    policy::settings(tx, &approval.tenant, asker, task.as_ref())
}

/// Counts an approval where policy wants two people's for what is red; tells whether one more is
/// needed.
fn is_first_of_two(tx: &mut dyn Tx, who: &Principal, approval: &mut Approval) -> Result<bool> {
    if approval.risk.level() != Level::Red || !rules_of(tx, approval)?.dual_control_red {
        return Ok(false);
    }
    let approvers = &mut approval.detail.approvers;
    if approvers.contains(&who.subject) {
        return Err(Error::conflict(
            "already_processed",
            format!(
                "{} approved {} already; another person must approve it too",
                who.subject, approval.id
            ),
        )
        .with_detail("decisionCount", approvers.len()));
    }
    approvers.push(who.subject.clone());
    if approvers.len() >= 2 {
        return Ok(false);
    }
    // Waiting for the second begins anew.
    approval.detail.escalated = false;
    approval.detail.escalate_at = Some(tx.now().after(PATIENCE));
    Ok(true)
}

/// Writes into an approval how it ended.
pub(super) fn settle_as(
    approval: &mut Approval,
    status: Status,
    who: &Principal,
    at: Timestamp,
    reason: Option<String>,
) {
    approval.status = status;
    approval.decided_at = Some(at);
    approval.decided_by = Some(who.subject.clone());
    approval.decision_note = reason;
    approval.detail.decided_by_kind = Some(who.kind());
    approval.detail.escalate_at = None;
}

/// Puts an approval as it is now into the log.
pub(super) fn record(tx: &mut dyn Tx, who: &Principal, approval: &Approval) -> Result<()> {
    let what = Happening::ApprovalUpdated(approval.clone());
    event::record(tx, who, &approval.tenant, what)
}
