//! Agents: who works. Keyed by tenant and handle (rulings 3).

use serde::{Deserialize, Serialize};

use crate::event::{self, Happening};
use crate::{AgentId, Handle, Principal, Result, TenantId, Timestamp, Tx};

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
    /// What it last said of itself: `ok`, `busy`, `idle`, `blocked`.
    pub health: Option<String>,
}

/// How much an agent may do on its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
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
    let agent = Agent {
        id: AgentId::new(tx.mint(AgentId::PREFIX)),
        tenant: tenant.clone(),
        handle: handle.clone(),
        rank: Rank::Specialist,
        created_at: tx.now(),
        updated_at: tx.now(),
        last_heartbeat_at: None,
        health: None,
    };
    tx.put_agent(&agent)?;
    event::record(tx, who, tenant, Happening::AgentRegistered(agent.clone()))?;
    Ok(agent)
}

/// Sees to it that the tenant and, when an agent speaks, the agent are there.
pub(crate) fn ensure_caller(tx: &mut dyn Tx, who: &Principal) -> Result<TenantId> {
    let tenant = who.tenant()?.clone();
    match who.handle() {
        Some(handle) => drop(ensure(tx, who, &tenant, handle)?),
        None => tx.ensure_tenant(&tenant)?,
    }
    Ok(tenant)
}
