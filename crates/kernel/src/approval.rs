//! Approvals: what an agent asks a person for. The Mission Control backend shows them as tool
//! requests (rulings 7).

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::agent::{self, Agent, Rank};
use crate::error::Problems;
use crate::event::ActorKind;
use crate::event::{self, Happening};
use crate::money::MicroUsd;
use crate::notification::{self, Type, Wake};
use crate::page::{List, Page, Placed, Position};
use crate::policy;
use crate::task;
use crate::text;
use crate::{
    ApprovalId, Error, Handle, Object, Principal, Result, Right, TaskId, TenantId, Timestamp,
    ToolCallId, Tx,
};

/// How much harm it could do, in the asking agent's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Risk {
    Low,
    Medium,
    High,
}

impl Risk {
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
        }
    }

    /// The risk of this name.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Low, Self::Medium, Self::High]
            .into_iter()
            .find(|risk| risk.as_str() == text)
    }
}

impl Risk {
    /// Whether it is RED in the OpenClaw contract's words; anything less is YELLOW (rulings 7).
    #[must_use]
    pub fn is_red(self) -> bool {
        self == Self::High
    }
}

/// Where an approval stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Status {
    Pending,
    Approved,
    Denied,
    Expired,
    Canceled,
}

impl Status {
    const ALL: [Self; 5] = [
        Self::Pending,
        Self::Approved,
        Self::Denied,
        Self::Expired,
        Self::Canceled,
    ];

    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "PENDING",
            Self::Approved => "APPROVED",
            Self::Denied => "DENIED",
            Self::Expired => "EXPIRED",
            Self::Canceled => "CANCELED",
        }
    }

    /// The status of this name, in upper case.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.as_str() == text)
    }
}

/// A request and what became of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Approval {
    pub id: ApprovalId,
    pub position: Position,
    pub tenant: TenantId,
    pub requestor: Handle,
    pub task: Option<TaskId>,
    /// What is asked for, in one line.
    pub title: String,
    pub justification: String,
    /// The interface it would use: text or an object, kept as given.
    pub interface: Option<Value>,
    pub scope: Option<String>,
    pub risk: Risk,
    pub status: Status,
    pub created_at: Timestamp,
    pub decided_at: Option<Timestamp>,
    pub decided_by: Option<String>,
    pub decision_note: Option<String>,
    /// `None`: it waits for good.
    #[serde(default)]
    pub expires_at: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Detail::is_blank")]
    pub detail: Box<Detail>,
}

/// What is asked for, beyond a line of text.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Detail {
    /// `None` on a request that names an interface instead.
    pub ask: Option<Ask>,
    pub tool_call: Option<ToolCallId>,
    pub payload: Option<Object>,
    pub estimated_cost: Option<MicroUsd>,
    /// How it would be undone.
    pub rollback_plan: Option<String>,
    /// Which action it is about (see the policy's fingerprint), if about one.
    pub fingerprint: Option<String>,
    pub decided_by_kind: Option<ActorKind>,
    /// When what was approved was done.
    pub used_at: Option<Timestamp>,
    /// Waited so long that somebody was told again.
    pub escalated: bool,
    /// Who approved so far, where it takes two.
    pub approvers: Vec<String>,
}

impl Detail {
    /// Nothing is known.
    #[must_use]
    pub fn is_blank(&self) -> bool {
        *self == Self::default()
    }
}

/// What kind of thing an agent asks for (OpenClaw contract §2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Ask {
    ToolExec,
    BudgetOverride,
    StateTransition,
    Spawn,
}

impl Ask {
    pub const ALL: [Self; 4] = [
        Self::ToolExec,
        Self::BudgetOverride,
        Self::StateTransition,
        Self::Spawn,
    ];

    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ToolExec => "TOOL_EXEC",
            Self::BudgetOverride => "BUDGET_OVERRIDE",
            Self::StateTransition => "STATE_TRANSITION",
            Self::Spawn => "SPAWN",
        }
    }

    /// The ask of this name, in upper snake case.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|it| it.as_str() == text)
    }
}

impl Placed for Approval {
    fn position(&self) -> Position {
        self.position
    }
}

impl Approval {
    /// Whether it waited too long, written down yet or not (rulings 12).
    #[must_use]
    pub fn is_expired(&self, now: Timestamp) -> bool {
        self.status == Status::Pending && self.expires_at.is_some_and(|at| at <= now)
    }
}

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

/// Which approvals a list shows; all that are given must match.
#[derive(Debug, Clone, Default)]
pub struct ApprovalFilter {
    /// `None`: every tenant's, for a caller that sees all.
    pub tenant: Option<TenantId>,
    /// Any of these; empty means any at all.
    pub statuses: Vec<Status>,
    pub task: Option<TaskId>,
    pub requestor: Option<Handle>,
    pub ask: Option<Ask>,
}

/// Where approvals are kept.
pub trait Approvals {
    /// # Errors
    /// Whatever the store meets.
    fn approval(&mut self, id: &ApprovalId) -> Result<Option<Approval>>;

    /// # Errors
    /// Whatever the store meets.
    fn insert_approval(&mut self, approval: &Approval) -> Result<()>;

    /// Writes the decision over the approval of the same id.
    ///
    /// # Errors
    /// Whatever the store meets.
    fn update_approval(&mut self, approval: &Approval) -> Result<()>;

    /// One row more than the page holds, when there is one.
    ///
    /// # Errors
    /// Whatever the store meets.
    fn approvals(&mut self, filter: &ApprovalFilter, page: Page) -> Result<Vec<Approval>>;

    /// How many are pending.
    ///
    /// # Errors
    /// Whatever the store meets.
    fn pending_approval_count(&mut self, tenant: &TenantId) -> Result<u64>;

    /// A numbered page, newest first.
    ///
    /// # Errors
    /// Whatever the store meets.
    fn approval_board(
        &mut self,
        filter: &ApprovalFilter,
        offset: u32,
        limit: u32,
    ) -> Result<Vec<Approval>>;

    /// How many approvals the filter lets through.
    ///
    /// # Errors
    /// Whatever the store meets.
    fn approval_count(&mut self, filter: &ApprovalFilter) -> Result<u64>;

    /// Pending ones that expired at or before `now`, longest expired first.
    ///
    /// # Errors
    /// Whatever the store meets.
    fn expired_approvals(&mut self, now: Timestamp, limit: u32) -> Result<Vec<Approval>>;
}

/// What is to become of a pending approval.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    Approve,
    Deny,
    /// The asker takes it back.
    Withdraw,
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
    let tenant = agent::ensure_caller(tx, who)?;
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

/// The approval, if it is there for this caller.
///
/// # Errors
/// `tool_request_not_found`, for another tenant's too.
pub fn get(tx: &mut dyn Tx, who: &Principal, id: &ApprovalId) -> Result<Approval> {
    tx.approval(id)?
        .filter(|approval| who.sees(&approval.tenant))
        .ok_or_else(|| Error::not_found("tool_request_not_found", "there is no such tool request"))
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
    let rows = tx.approvals(&ApprovalFilter { tenant, ..filter }, page)?;
    Ok(List::from_rows(rows, page))
}

/// Decides a pending approval and tells the asker. An agent never decides; the asker may withdraw.
///
/// # Errors
/// `tool_request_not_found`; forbidden; `already_decided`.
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
    let mut approval = get(tx, who, id)?;
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
    approval.status = match decision {
        Decision::Approve => Status::Approved,
        Decision::Deny => Status::Denied,
        Decision::Withdraw => Status::Canceled,
    };
    approval.decided_at = Some(tx.now());
    approval.decided_by = Some(who.subject.clone());
    approval.decision_note = note;
    tx.update_approval(&approval)?;
    event::record(
        tx,
        who,
        &approval.tenant,
        Happening::ApprovalUpdated(approval.clone()),
    )?;
    if decision != Decision::Withdraw {
        tell_requestor(tx, who, &approval)?;
    }
    Ok(approval)
}

fn tell_requestor(tx: &mut dyn Tx, who: &Principal, approval: &Approval) -> Result<()> {
    let task = match &approval.task {
        Some(id) => tx.task(id)?,
        None => None,
    };
    let verdict = approval.status.as_str().to_lowercase();
    let note = approval
        .decision_note
        .as_deref()
        .map(|note| format!(" Note: {note}"))
        .unwrap_or_default();
    notification::wake(
        tx,
        &who.within(approval.tenant.clone())?,
        Wake {
            target: &approval.requestor,
            kind: Type::System,
            content: &format!(
                "Your request {:?} ({}) is {verdict}.{note}",
                approval.title, approval.id
            ),
            task: task.as_ref(),
            message: None,
        },
    )
}

/// Takes back every request that waits on a task that has ended.
///
/// # Errors
/// Whatever the store meets.
pub(crate) fn cancel_all(tx: &mut dyn Tx, who: &Principal, task: &TaskId) -> Result<()> {
    for mut approval in pending_on(tx, task)? {
        approval.status = Status::Canceled;
        approval.decided_at = Some(tx.now());
        approval.decided_by = Some(who.subject.clone());
        approval.detail.decided_by_kind = Some(who.kind());
        tx.update_approval(&approval)?;
        let tenant = approval.tenant.clone();
        event::record(tx, who, &tenant, Happening::ApprovalUpdated(approval))?;
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
    tx.approval_board(&filter, 0, 200)
}

/// What this agent may decide, oldest first: nothing, unless it is a LEAD and the rules let one
/// decide YELLOW requests of other agents (OpenClaw contract §10.3).
///
/// # Errors
/// Whatever the store meets.
pub(crate) fn decidable_by(tx: &mut dyn Tx, agent: &Agent) -> Result<Vec<Approval>> {
    if agent.rank != Rank::Lead || !policy::settings(tx)?.lead_may_approve_yellow {
        return Ok(Vec::new());
    }
    let filter = ApprovalFilter {
        tenant: Some(agent.tenant.clone()),
        statuses: vec![Status::Pending],
        ask: Some(Ask::ToolExec),
        ..ApprovalFilter::default()
    };
    let now = tx.now();
    let mut found = tx.approval_board(&filter, 0, 200)?;
    found.retain(|approval| {
        approval.requestor != agent.handle && !approval.risk.is_red() && !approval.is_expired(now)
    });
    found.reverse();
    Ok(found)
}
