//! Approvals: what an agent asks a person for. The Mission Control backend shows them as tool
//! requests (rulings 7).
//!
//! An approval is asked for in [`ask()`] (a kind of thing, such as running a tool) or [`request`] (an
//! interface in free words), read with its expiry worked out in `read`, decided in `decide`; what a
//! decision does to the task, the tool call and the asker is in `outcome`, and what time alone does
//! in `settle`. All of them are the same rows, whichever surface shows them.

mod ask;
mod ask_for_call;
pub(crate) use ask_for_call::ask_for_call;
mod decide;
mod outcome;
mod read;
mod request;
mod settle;

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::event::ActorKind;
use crate::money::MicroUsd;
use crate::page::{Page, Placed, Position};
use crate::tool_call::Level;
use crate::{ApprovalId, Handle, Object, Result, TaskId, TenantId, Timestamp, ToolCallId};

pub use ask::{Asked, Request, ask};
pub use decide::{Decided, Ruling, rule};
pub use outcome::use_up;
pub(crate) use read::decidable_by;
pub use read::{board, get, list, show, waiting};
pub use request::{NewApproval, decide, request};
pub use settle::settle_due;
pub(crate) use settle::{cancel_all, pending_on};

/// Somebody is told again of a request that waits longer than this.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30 * 60);

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

    /// Whether it is RED in the OpenClaw contract's words; anything less is YELLOW (rulings 7).
    #[must_use]
    pub fn is_red(self) -> bool {
        self == Self::High
    }

    /// What policy calls it (rulings 7).
    #[must_use]
    pub fn level(self) -> Level {
        match self {
            Self::Low | Self::Medium => Level::Yellow,
            Self::High => Level::Red,
        }
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
    /// What held the action back when it was asked for, as policy names it.
    pub violations: Vec<String>,
    /// When somebody is told again, if nobody has decided by then.
    pub escalate_at: Option<Timestamp>,
    /// Waited so long that somebody was told again.
    pub escalated: bool,
    /// Who approved so far, where it takes two.
    pub approvers: Vec<String>,
    /// `None`: it never changed.
    pub updated_at: Option<Timestamp>,
}

impl Detail {
    /// Nothing is known.
    #[must_use]
    pub fn is_blank(&self) -> bool {
        *self == Self::default()
    }
}

/// Keeps an approval that changed.
///
/// # Errors
/// Whatever the store meets.
pub(crate) fn save(tx: &mut dyn crate::Tx, approval: &mut Approval) -> Result<()> {
    approval.detail.updated_at = Some(tx.now());
    tx.update_approval(approval)
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

impl Approval {
    /// As it stands at `now`: one whose time has run out is expired, whether or not that was
    /// written down yet.
    #[must_use]
    pub fn as_of(mut self, now: Timestamp) -> Self {
        if self.is_expired(now) {
            self.status = Status::Expired;
            self.decided_at = self.expires_at;
            self.detail.decided_by_kind = Some(ActorKind::System);
        }
        self
    }

    /// Whether it waited too long, written down yet or not (rulings 12).
    #[must_use]
    pub fn is_expired(&self, now: Timestamp) -> bool {
        self.status == Status::Pending && self.expires_at.is_some_and(|at| at <= now)
    }
}

impl Placed for Approval {
    fn position(&self) -> Position {
        self.position
    }
}

/// Which approvals a list shows; all that are given must match.
#[derive(Debug, Clone, Default)]
pub struct ApprovalFilter {
    /// `None`: every tenant's, for a caller that sees all.
    pub tenant: Option<TenantId>,
    /// Any of these as things stand now; empty means any at all. A pending one whose time has run
    /// out counts as expired.
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

    /// Pending ones of which somebody is to be told again, longest due first.
    ///
    /// # Errors
    /// Whatever the store meets.
    fn overdue_approvals(&mut self, now: Timestamp, limit: u32) -> Result<Vec<Approval>>;
}

/// What is to become of a pending approval.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    Approve,
    Deny,
    /// The asker takes it back.
    Withdraw,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_approval_expires_at_its_very_moment() {
        let at = |expires_at: Option<i64>| Approval {
            id: ApprovalId::new("approval_1"),
            position: Position(1),
            tenant: "t".parse().unwrap(),
            requestor: "a".parse().unwrap(),
            task: None,
            title: "T".into(),
            justification: "J".into(),
            interface: None,
            scope: None,
            risk: Risk::High,
            status: Status::Pending,
            created_at: Timestamp(0),
            decided_at: None,
            decided_by: None,
            decision_note: None,
            expires_at: expires_at.map(Timestamp),
            detail: Box::default(),
        };
        for (expires_at, expired) in [
            (Some(9), true),
            (Some(10), true),
            (Some(11), false),
            (None, false),
        ] {
            let seen = at(expires_at).as_of(Timestamp(10));
            assert_eq!(seen.status == Status::Expired, expired, "{expires_at:?}");
        }
    }
}
