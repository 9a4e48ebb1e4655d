//! Grants: what lets an action through that policy alone would not.
//!
//! Every approved request leaves one behind. By default it is good for the very action, of the
//! very agent, once; whoever approves may widen it, so that the same question is not asked forever.

use serde::{Deserialize, Serialize};

use crate::page::Position;
use crate::{ApprovalId, GrantId, Handle, Result, TaskId, TenantId, Timestamp};

/// What a grant lets through.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// Actions with exactly this fingerprint.
    Action(String),
    /// Actions that only this rule holds back, as a violation names it.
    Rule(String),
}

/// A standing permission.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Grant {
    pub id: GrantId,
    pub position: Position,
    pub tenant: TenantId,
    /// What was approved.
    pub approval: ApprovalId,
    /// `None`: any agent of the tenant.
    pub agent: Option<Handle>,
    /// `None`: whatever the agent works on.
    pub task: Option<TaskId>,
    pub scope: Scope,
    pub until: Timestamp,
    /// How often it may still be used; `None`: as often as wanted.
    pub uses_left: Option<u32>,
    pub used: u32,
    pub last_used_at: Option<Timestamp>,
    pub granted_by: String,
    pub created_at: Timestamp,
    pub revoked_at: Option<Timestamp>,
}

impl Grant {
    /// Whether it can still let something through.
    #[must_use]
    pub fn is_good(&self, now: Timestamp) -> bool {
        self.revoked_at.is_none() && self.until > now && self.uses_left != Some(0)
    }

    /// Whether it is for this agent at work on this task.
    #[must_use]
    pub fn is_for(&self, agent: &Handle, task: Option<&TaskId>) -> bool {
        self.agent.as_ref().is_none_or(|own| own == agent)
            && self.task.as_ref().is_none_or(|own| Some(own) == task)
    }
}

/// Where grants are kept.
pub trait Grants {
    /// # Errors
    /// Whatever the store meets.
    fn grant(&mut self, id: &GrantId) -> Result<Option<Grant>>;

    /// The grants that one approval left behind.
    ///
    /// # Errors
    /// Whatever the store meets.
    fn grants_of(&mut self, approval: &ApprovalId) -> Result<Vec<Grant>>;

    /// Writes a new grant or the changed one of the same id.
    ///
    /// # Errors
    /// Whatever the store meets.
    fn put_grant(&mut self, grant: &Grant) -> Result<()>;

    /// Those that are good at `now` for this agent or for any, newest first, at most 200.
    ///
    /// # Errors
    /// Whatever the store meets.
    fn good_grants(
        &mut self,
        tenant: &TenantId,
        agent: &Handle,
        now: Timestamp,
    ) -> Result<Vec<Grant>>;

    /// Newest first; of every tenant when none is named.
    ///
    /// # Errors
    /// Whatever the store meets.
    fn grants(&mut self, tenant: Option<&TenantId>, offset: u32, limit: u32) -> Result<Vec<Grant>>;
}
