//! Agents.

use stationmaster_kernel::agent::{Agent, AgentFilter, Agents, Rank, Status};
use stationmaster_kernel::{AgentId, Handle as Name, Result, TaskId, TenantId, Timestamp};

use crate::handle::{Handle, from_optional_json, to_json};
use crate::sql::{Row, Select, malformed, params};

const COLUMNS: &str = "SELECT id, tenant, handle, rank, created_at, updated_at, last_heartbeat_at, health, status, \
                       detail FROM agent";

impl Agents for Handle<'_> {
    fn agent(&mut self, tenant: &TenantId, handle: &Name) -> Result<Option<Agent>> {
        let mut select = Select::new(COLUMNS);
        select.push(
            "WHERE tenant = ? AND handle = ?",
            params![tenant.as_str(), handle.as_str()],
        );
        Ok(self.all(&select, read)?.into_iter().next())
    }

    fn put_agent(&mut self, agent: &Agent) -> Result<()> {
        let detail = to_json(&agent.detail)?;
        self.execute(
            "INSERT INTO agent (id, tenant, handle, rank, created_at, updated_at, last_heartbeat_at, health, status, \
             parent, parent_task, closed, due_at, detail, called) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15) \
             ON CONFLICT (tenant, handle) DO UPDATE SET rank = excluded.rank, updated_at = excluded.updated_at, \
             last_heartbeat_at = excluded.last_heartbeat_at, health = excluded.health, status = excluded.status, \
             parent = excluded.parent, parent_task = excluded.parent_task, closed = excluded.closed, \
             due_at = excluded.due_at, detail = excluded.detail, called = excluded.called",
            params![
                agent.id.as_str(),
                agent.tenant.as_str(),
                agent.handle.as_str(),
                agent.rank.as_str(),
                agent.created_at.0,
                agent.updated_at.0,
                agent.last_heartbeat_at.map(|at| at.0),
                agent.health.as_ref(),
                agent.status.as_str(),
                agent.detail.parent.as_ref().map(Name::as_str),
                agent.detail.parent_task.as_ref().map(TaskId::as_str),
                i64::from(agent.detail.closed),
                agent.due_at().map(|at| at.0),
                &detail,
                &agent.detail.name.to_lowercase(),
            ],
        )
        .map(drop)
    }

    fn agents(&mut self, filter: &AgentFilter, offset: u32, limit: u32) -> Result<Vec<Agent>> {
        let mut select = Select::new(COLUMNS);
        narrow(&mut select, filter);
        select.push(
            "ORDER BY tenant, handle LIMIT ? OFFSET ?",
            params![limit, offset],
        );
        self.all(&select, read)
    }

    fn agent_count(&mut self, filter: &AgentFilter) -> Result<u64> {
        let mut select = Select::new("SELECT COUNT(*) FROM agent");
        narrow(&mut select, filter);
        let (sql, params) = select.parts();
        self.number(sql, params)
    }

    fn agent_called(&mut self, tenant: &TenantId, name: &str) -> Result<Option<Name>> {
        self.one(
            "SELECT handle FROM agent WHERE tenant = ?1 AND called = ?2 ORDER BY handle LIMIT 1",
            params![tenant.as_str(), &name.to_lowercase()],
            |mut row| row.text()?.parse(),
        )
    }

    fn due_agents(&mut self, now: Timestamp, limit: u32) -> Result<Vec<Agent>> {
        let mut select = Select::new(COLUMNS);
        select.push(
            "WHERE due_at IS NOT NULL AND due_at <= ? ORDER BY due_at LIMIT ?",
            params![now.0, limit],
        );
        self.all(&select, read)
    }
}

fn narrow<'a>(select: &mut Select<'a>, filter: &'a AgentFilter) {
    select
        .push("WHERE 1 = 1", &[])
        .filter(
            "AND tenant = ?",
            filter.tenant.as_ref().map(TenantId::as_str),
        )
        .filter("AND status = ?", filter.status.map(Status::as_str))
        .filter("AND rank = ?", filter.rank.map(Rank::as_str))
        .filter("AND parent = ?", filter.parent.as_ref().map(Name::as_str))
        .filter(
            "AND parent_task = ?",
            filter.parent_task.as_ref().map(TaskId::as_str),
        );
    if filter.spawned {
        select.push("AND parent_task IS NOT NULL", &[]);
    }
    if filter.open {
        select.push("AND closed = 0", &[]);
    }
}

fn read(mut row: Row) -> Result<Agent> {
    let mut agent = Agent {
        id: AgentId::new(row.text()?),
        tenant: row.text()?.parse()?,
        handle: row.text()?.parse()?,
        rank: Rank::parse(&row.text()?).ok_or_else(|| malformed("a rank"))?,
        created_at: Timestamp(row.int()?),
        updated_at: Timestamp(row.int()?),
        last_heartbeat_at: row.optional_int()?.map(Timestamp),
        health: row.optional_text()?,
        status: Status::parse(&row.text()?).ok_or_else(|| malformed("a status"))?,
        detail: from_optional_json(row.optional_text()?.as_deref())?.unwrap_or_default(),
    };
    if agent.detail.name.is_empty() {
        agent.detail.name = agent.handle.to_string();
    }
    Ok(agent)
}
