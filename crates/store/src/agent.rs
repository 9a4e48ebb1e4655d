//! Agents.

use stationmaster_kernel::agent::{Agent, Agents, Rank};
use stationmaster_kernel::{AgentId, Handle as Name, Result, TenantId, Timestamp};

use crate::handle::Handle;
use crate::sql::{Row, malformed, params};

impl Agents for Handle<'_> {
    fn agent(&mut self, tenant: &TenantId, handle: &Name) -> Result<Option<Agent>> {
        self.one(
            "SELECT id, tenant, handle, rank, created_at, updated_at, last_heartbeat_at, health \
             FROM agent WHERE tenant = ?1 AND handle = ?2",
            params![tenant.as_str(), handle.as_str()],
            read,
        )
    }

    fn put_agent(&mut self, agent: &Agent) -> Result<()> {
        self.execute(
            "INSERT INTO agent (id, tenant, handle, rank, created_at, updated_at, last_heartbeat_at, health) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) \
             ON CONFLICT (tenant, handle) DO UPDATE SET rank = excluded.rank, updated_at = excluded.updated_at, \
             last_heartbeat_at = excluded.last_heartbeat_at, health = excluded.health",
            params![
                agent.id.as_str(),
                agent.tenant.as_str(),
                agent.handle.as_str(),
                agent.rank.as_str(),
                agent.created_at.0,
                agent.updated_at.0,
                agent.last_heartbeat_at.map(|at| at.0),
                agent.health.as_ref(),
            ],
        )
        .map(drop)
    }
}

fn read(mut row: Row) -> Result<Agent> {
    Ok(Agent {
        id: AgentId::new(row.text()?),
        tenant: row.text()?.parse()?,
        handle: row.text()?.parse()?,
        rank: Rank::parse(&row.text()?).ok_or_else(|| malformed("a rank"))?,
        created_at: Timestamp(row.int()?),
        updated_at: Timestamp(row.int()?),
        last_heartbeat_at: row.optional_int()?.map(Timestamp),
        health: row.optional_text()?,
    })
}
