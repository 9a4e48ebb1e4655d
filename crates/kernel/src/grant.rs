//! Grants: what lets an action through that policy alone would not.
//!
//! Every approved request leaves one behind. By default it is good for the very action, of the
//! very agent, once; whoever approves may widen it, so that the same question is not asked forever.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::approval::{self, Approval};
use crate::error::Problems;
use crate::event::{self, Happening};
use crate::page::Position;
use crate::{
    ApprovalId, Error, GrantId, Handle, Principal, Result, TaskId, TenantId, Timestamp, Tx,
};

/// What a grant lets through.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// Actions with exactly this fingerprint.
    Action(String),
    /// Actions that only this rule holds back, as a violation names it.
    Rule(String),
    /// Actions that name the approval and are what its summary says: what was asked for names no
    /// action.
    Named,
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

    /// Whether it is for this agent at work on this task. An action that names no task is taken
    /// for one on the grant's: the agent could as well have named it.
    #[must_use]
    pub fn is_for(&self, agent: &Handle, task: Option<&TaskId>) -> bool {
        self.agent.as_ref().is_none_or(|own| own == agent)
            && self
                .task
                .as_ref()
                .is_none_or(|own| task.is_none_or(|task| task == own))
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

/// How long after an approval's own end its grant is good (OpenClaw contract §10.2).
const AFTERWARDS: Duration = Duration::from_secs(24 * 3600);
/// How long a widened grant may be good.
const LONGEST: Duration = Duration::from_secs(365 * 24 * 3600);
/// How often a counted grant may be used.
const MOST_USES: u32 = 1_000_000;

/// How much more than the one action, once, whoever approves lets through.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Widening {
    /// `None`: once.
    pub uses: Option<Uses>,
    /// `None`: until a day after the approval would have expired.
    pub until: Option<Until>,
    /// Whatever the agent works on.
    pub any_task: bool,
    /// Whoever of the tenant.
    pub any_agent: bool,
    /// Whatever only this rule holds back, as a violation names it: `network_not_allowlisted:x.org`.
    pub rule: Option<String>,
}

/// How often a grant is good.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Uses {
    Times(u32),
    Unlimited,
}

/// How long a grant is good.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Until {
    At(Timestamp),
    For(Duration),
}

/// Notes what is wrong with a widening of an approval that these violations held back.
pub(crate) fn check(problems: &mut Problems, widening: &Widening, violations: &[String]) {
    if let Some(Uses::Times(times)) = widening.uses
        && !(1..=MOST_USES).contains(&times)
    {
        problems.add("grant.uses", format!("must be 1 to {MOST_USES}"));
    }
    if let Some(Until::For(length)) = widening.until
        && (length.is_zero() || length > LONGEST)
    {
        problems.add("grant.for", "must be more than nothing and at most 365d");
    }
    let Some(rule) = &widening.rule else { return };
    if !violations.is_empty() && !violations.contains(rule) {
        problems.add(
            "grant.rule",
            format!(
                "must be one of what holds the action back: {}",
                violations.join(", ")
            ),
        );
    }
    let (name, detail) = rule.split_once(':').unwrap_or((rule, ""));
    let is_name = !name.is_empty() && name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
    if !is_name || detail.chars().count() > 500 {
        problems.add(
            "grant.rule",
            "must be a rule and what it found, such as network_not_allowlisted:x.org",
        );
    }
}

/// Makes the grant that an approval leaves behind (OpenClaw contract §10.2).
///
/// # Errors
/// An end in the past, or more than a year away.
pub(crate) fn leave(
    tx: &mut dyn Tx,
    who: &Principal,
    approval: &Approval,
    widening: &Widening,
) -> Result<Grant> {
    let now = tx.now();
    let until = match widening.until {
        None => approval.expires_at.unwrap_or(now).after(AFTERWARDS),
        Some(Until::For(length)) => now.after(length),
        Some(Until::At(at)) if at > now && at <= now.after(LONGEST) => at,
        Some(Until::At(_)) => {
            return Err(Error::invalid(
                "grant.until",
                "must be in the future and at most 365d away",
            ));
        }
    };
    let scope = match (&widening.rule, &approval.detail.fingerprint) {
        (Some(rule), _) => Scope::Rule(rule.clone()),
        (None, Some(fingerprint)) => Scope::Action(fingerprint.clone()),
        (None, None) => Scope::Named,
    };
    let grant = Grant {
        id: GrantId::new(tx.mint(GrantId::PREFIX)),
        position: tx.next_position()?,
        tenant: approval.tenant.clone(),
        approval: approval.id.clone(),
        agent: (!widening.any_agent).then(|| approval.requestor.clone()),
        task: approval.task.clone().filter(|_| !widening.any_task),
        scope,
        until,
        uses_left: match widening.uses {
            None => Some(1),
            Some(Uses::Times(times)) => Some(times),
            Some(Uses::Unlimited) => None,
        },
        used: 0,
        last_used_at: None,
        granted_by: who.subject.clone(),
        created_at: now,
        revoked_at: None,
    };
    tx.put_grant(&grant)?;
    changed(tx, who, &grant, "made")?;
    Ok(grant)
}

/// Uses a grant once, for an action that it lets through. Only what really happens uses a grant:
/// asking beforehand does not (rulings 11).
///
/// # Errors
/// `policy_violation` when it is used up, taken back or over by now.
pub fn consume(tx: &mut dyn Tx, who: &Principal, id: &GrantId) -> Result<Grant> {
    let now = tx.now();
    let Some(mut grant) = tx.grant(id)?.filter(|grant| grant.is_good(now)) else {
        return Err(Error::forbidden(
            "policy_violation",
            format!("{id} lets nothing through any more"),
        ));
    };
    grant.uses_left = grant.uses_left.map(|left| left.saturating_sub(1));
    grant.used = grant.used.saturating_add(1);
    grant.last_used_at = Some(now);
    tx.put_grant(&grant)?;
    changed(tx, who, &grant, "used")?;
    if let Some(approval) = tx.approval(&grant.approval)? {
        approval::use_up(tx, approval)?;
    }
    Ok(grant)
}

/// The grants of the caller's tenant, newest first; every tenant's for one who sees all.
///
/// # Errors
/// Forbidden for agents.
pub fn list(
    tx: &mut dyn Tx,
    who: &Principal,
    tenant: Option<&TenantId>,
    offset: u32,
    limit: u32,
) -> Result<Vec<Grant>> {
    who.operate("look after grants")?;
    tx.grants(who.tenant.as_ref().or(tenant), offset, limit)
}

/// Takes a grant back: it lets nothing through any more. Once more is no change.
///
/// # Errors
/// `grant_not_found`; forbidden for agents.
pub fn revoke(tx: &mut dyn Tx, who: &Principal, id: &GrantId) -> Result<Grant> {
    who.operate("look after grants")?;
    let mut grant = tx
        .grant(id)?
        .filter(|grant| who.sees(&grant.tenant))
        .ok_or_else(|| Error::not_found("grant_not_found", "there is no such grant"))?;
    if grant.revoked_at.is_none() {
        grant.revoked_at = Some(tx.now());
        tx.put_grant(&grant)?;
        changed(tx, who, &grant, "revoked")?;
    }
    Ok(grant)
}

fn changed(tx: &mut dyn Tx, who: &Principal, grant: &Grant, change: &str) -> Result<()> {
    let what = Happening::GrantChanged {
        grant: grant.clone(),
        change: change.to_owned(),
    };
    event::record(tx, who, &grant.tenant, what)
}
