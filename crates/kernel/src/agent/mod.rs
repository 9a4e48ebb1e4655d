//! Agents: who works. Keyed by tenant and handle (rulings 3).
//!
//! An agent is made at first use or registered. Registering, statuses, heartbeats, absence and
//! spawning each have a file in this folder; this one holds what an agent is and where it is kept.

mod absence;
mod beat;
mod control;
mod gate;
mod portrait;
mod register;
mod spawn;
mod work;

pub use absence::settle_due;
pub use beat::{Beat, Health, NewBeat, beat};
pub use control::{
    Command, Controlled, Order, control, note_error, note_success, quarantine, set_status,
};
pub use gate::{Act, acting, permit};
pub use portrait::{Portrait, portrait};
pub use register::{Change, NewAgent, register, update};
pub use spawn::{Standing, standing};
pub(crate) use spawn::{facts as spawn_facts, may_spawn};

pub(crate) use control::close_children;
pub(crate) use work::follow_task;

use serde::{Deserialize, Serialize};

use crate::event::{self, Happening};
use crate::kind::TaskKind;
use crate::money::MicroUsd;
use crate::{AgentId, Error, Handle, Object, Principal, Result, TaskId, TenantId, Timestamp, Tx};

/// A worker of one tenant.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Agent {
    pub id: AgentId,
    pub tenant: TenantId,
    pub handle: Handle,
    pub rank: Rank,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
    /// `None`: it has never beaten, and is therefore never taken for dead.
    pub last_heartbeat_at: Option<Timestamp>,
    /// What it last said of itself.
    pub health: Option<String>,
    #[serde(default)]
    pub status: Status,
    #[serde(default)]
    pub detail: Detail,
}

/// What is known of an agent and never looked for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Detail {
    /// What people call it.
    pub name: String,
    pub emoji: Option<String>,
    /// Registered by somebody, as against made at first use: it fetches its notifications itself.
    pub registered: bool,
    pub status_reason: Option<String>,
    /// When a pause ends by itself.
    pub status_until: Option<Timestamp>,
    pub workspace_path: Option<String>,
    /// Empty: all.
    pub allowed_kinds: Vec<TaskKind>,
    /// `None`: all that policy allows.
    pub allowed_tools: Option<Vec<String>>,
    /// `None`: no limit.
    pub budget_daily: Option<MicroUsd>,
    /// `None`: no limit.
    pub budget_per_run: Option<MicroUsd>,
    pub purse: Purse,
    pub can_spawn: bool,
    pub max_sub_agents: u32,
    /// The agent that spawned it.
    pub parent: Option<Handle>,
    /// The task for which it was spawned; only agents that agents spawned have one.
    pub parent_task: Option<TaskId>,
    /// How many agents up the line spawned each other; 0 for one that no agent spawned.
    pub depth: u32,
    /// When a spawned agent is closed whatever it does.
    pub closes_at: Option<Timestamp>,
    /// Closed for good: its tokens are revoked and no sign of life brings it back.
    pub closed: bool,
    pub current_task: Option<TaskId>,
    pub session_key: Option<String>,
    /// In seconds. `None`: it is never taken for dead.
    pub heartbeat_interval: Option<u32>,
    /// When it last wrote anything, to the minute: that too is a sign of life.
    pub last_seen_at: Option<Timestamp>,
    /// What its last heartbeat brought along.
    pub vitals: Option<Object>,
    /// Since when it has been silent, once it was found to be.
    pub offline_since: Option<Timestamp>,
    /// Its tasks were taken for blocked after a second period of silence.
    pub offline_swept: bool,
    pub error_streak: u32,
    pub last_error: Option<String>,
    pub metadata: Option<Object>,
}

/// What an agent has spent today, and what it may still be asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Purse {
    /// When the day ends that these figures are of. After it they count as nothing, but for what
    /// is reserved.
    pub until: Timestamp,
    pub spent: MicroUsd,
    /// What an operator allowed on top for that day.
    pub extra: MicroUsd,
    /// What running runs may still cost.
    pub reserved: MicroUsd,
    /// Told that day that 80 % are gone.
    pub warned: bool,
    /// Alerted that day that 95 % are gone.
    pub critical: bool,
    /// Paused that day because all of it is gone.
    pub exceeded: bool,
}

impl Default for Detail {
    /// An agent made at first use: no limit of any kind (rulings 3).
    fn default() -> Self {
        Self {
            name: String::new(),
            emoji: None,
            registered: false,
            status_reason: None,
            status_until: None,
            workspace_path: None,
            allowed_kinds: Vec::new(),
            allowed_tools: None,
            budget_daily: None,
            budget_per_run: None,
            purse: Purse::default(),
            can_spawn: false,
            max_sub_agents: 3,
            parent: None,
            parent_task: None,
            depth: 0,
            closes_at: None,
            closed: false,
            current_task: None,
            session_key: None,
            heartbeat_interval: None,
            last_seen_at: None,
            vitals: None,
            offline_since: None,
            offline_swept: false,
            error_streak: 0,
            last_error: None,
            metadata: None,
        }
    }
}

/// Whether an agent may act, as its operator or the installation decided.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Status {
    #[default]
    Active,
    Paused,
    Drained,
    Quarantined,
    Offline,
}

impl Status {
    pub const ALL: [Self; 5] = [
        Self::Active,
        Self::Paused,
        Self::Drained,
        Self::Quarantined,
        Self::Offline,
    ];

    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Active => "ACTIVE",
            Self::Paused => "PAUSED",
            Self::Drained => "DRAINED",
            Self::Quarantined => "QUARANTINED",
            Self::Offline => "OFFLINE",
        }
    }

    /// The status of this name, in upper case.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|it| it.as_str() == text)
    }
}

/// How much an agent may do on its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Rank {
    Intern,
    Specialist,
    Lead,
}

impl Rank {
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Intern => "INTERN",
            Self::Specialist => "SPECIALIST",
            Self::Lead => "LEAD",
        }
    }

    /// The rank of this name, in upper case.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Intern, Self::Specialist, Self::Lead]
            .into_iter()
            .find(|rank| rank.as_str() == text)
    }
}

/// Where agents are kept.
pub trait Agents {
    /// # Errors
    /// Whatever the store meets.
    fn agent(&mut self, tenant: &TenantId, handle: &Handle) -> Result<Option<Agent>>;

    /// Writes a new agent or the changed one of the same tenant and handle.
    ///
    /// # Errors
    /// Whatever the store meets.
    fn put_agent(&mut self, agent: &Agent) -> Result<()>;

    /// In order of their names.
    ///
    /// # Errors
    /// Whatever the store meets.
    fn agents(&mut self, filter: &AgentFilter, offset: u32, limit: u32) -> Result<Vec<Agent>>;

    /// # Errors
    /// Whatever the store meets.
    fn agent_count(&mut self, filter: &AgentFilter) -> Result<u64>;

    /// The agent that people call by this name, whatever the case.
    ///
    /// # Errors
    /// Whatever the store meets.
    fn agent_called(&mut self, tenant: &TenantId, name: &str) -> Result<Option<Handle>>;

    /// Agents for which something has fallen due (see [`Agent::due_at`]), longest due first.
    ///
    /// # Errors
    /// Whatever the store meets.
    fn due_agents(&mut self, now: Timestamp, limit: u32) -> Result<Vec<Agent>>;
}

/// Which agents a list shows; all that are given must match.
#[derive(Debug, Clone, Default)]
pub struct AgentFilter {
    /// `None`: every tenant's.
    pub tenant: Option<TenantId>,
    pub status: Option<Status>,
    pub rank: Option<Rank>,
    /// Spawned by this agent.
    pub parent: Option<Handle>,
    /// Only agents that agents spawned.
    pub spawned: bool,
    /// Spawned for this task.
    pub parent_task: Option<TaskId>,
    /// Only agents that are not closed for good.
    pub open: bool,
}

/// The agent of this name as it is now.
///
/// # Errors
/// `agent_not_found`.
pub fn find(tx: &mut dyn Tx, tenant: &TenantId, handle: &Handle) -> Result<Agent> {
    let now = tx.now();
    Ok(as_written(tx, tenant, handle)?.as_of(now))
}

/// The agent as it was last written: what a rule that changes it goes on from.
fn as_written(tx: &mut dyn Tx, tenant: &TenantId, handle: &Handle) -> Result<Agent> {
    tx.agent(tenant, handle)?
        .ok_or_else(|| Error::not_found("agent_not_found", format!("there is no agent {handle}")))
}

/// A numbered page of agents as they are now, and how many there are.
///
/// # Errors
/// Whatever the store meets.
pub fn list(
    tx: &mut dyn Tx,
    filter: &AgentFilter,
    offset: u32,
    limit: u32,
) -> Result<(Vec<Agent>, u64)> {
    let now = tx.now();
    let page = tx.agents(filter, offset, limit)?;
    let total = tx.agent_count(filter)?;
    Ok((page.into_iter().map(|it| it.as_of(now)).collect(), total))
}

/// The agent of this name, made at first use with no limits (rulings 3).
///
/// # Errors
/// Whatever the store meets.
pub fn ensure(
    tx: &mut dyn Tx,
    who: &Principal,
    tenant: &TenantId,
    handle: &Handle,
) -> Result<Agent> {
    if let Some(agent) = tx.agent(tenant, handle)? {
        return Ok(agent);
    }
    tx.ensure_tenant(tenant)?;
    let agent = blank(tx, tenant, handle);
    tx.put_agent(&agent)?;
    event::record(tx, who, tenant, Happening::AgentRegistered(agent.clone()))?;
    Ok(agent)
}

/// An agent of which nothing is known yet but its name.
fn blank(tx: &mut dyn Tx, tenant: &TenantId, handle: &Handle) -> Agent {
    Agent {
        id: AgentId::new(tx.mint(AgentId::PREFIX)),
        tenant: tenant.clone(),
        handle: handle.clone(),
        rank: Rank::Specialist,
        created_at: tx.now(),
        updated_at: tx.now(),
        last_heartbeat_at: None,
        health: None,
        status: Status::Active,
        detail: Detail {
            name: handle.to_string(),
            ..Detail::default()
        },
    }
}

/// Sees to it that the tenant and, when an agent speaks, the agent are there.
pub(crate) fn ensure_caller(tx: &mut dyn Tx, who: &Principal) -> Result<TenantId> {
    let tenant = who.tenant()?.clone();
    match who.handle() {
        Some(_) => drop(acting(tx, who)?),
        None => tx.ensure_tenant(&tenant)?,
    }
    Ok(tenant)
}

/// As [`ensure_caller`], and refuses what the caller's status or the operator's mode forbids.
///
/// # Errors
/// As [`permit`].
pub(crate) fn permit_caller(tx: &mut dyn Tx, who: &Principal, act: Act<'_>) -> Result<TenantId> {
    let tenant = who.tenant()?.clone();
    match acting(tx, who)? {
        Some(caller) => permit(tx, &caller, act)?,
        None => tx.ensure_tenant(&tenant)?,
    }
    Ok(tenant)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// An agent of which nothing is known.
    pub(crate) fn agent() -> Agent {
        Agent {
            id: AgentId::new("agent_1"),
            tenant: "t".parse().unwrap(),
            handle: "a".parse().unwrap(),
            rank: Rank::Specialist,
            created_at: Timestamp(0),
            updated_at: Timestamp(0),
            last_heartbeat_at: None,
            health: None,
            status: Status::Active,
            detail: Detail::default(),
        }
    }
}
