//! The event log.

use stationmaster_kernel::event::{ActorKind, Event, EventQuery, Events, Happening, TrailQuery};
use stationmaster_kernel::{
    EventId, Handle as Name, Principal, Result, TaskId, TenantId, Timestamp, Tx as _,
};

use crate::handle::{Handle, from_json, to_json};
use crate::sql::{Param, Row, Select, malformed, params};

const COLUMNS: &str = "SELECT id, tenant, at, actor, actor_kind, request, body FROM event";

impl Events for Handle<'_> {
    fn append(&mut self, tenant: &TenantId, who: &Principal, what: Happening) -> Result<EventId> {
        let id = self.next_position()?.0;
        let now = self.now().0;
        let body = to_json(&what)?;
        let audit = what.is_audit();
        self.execute(
            "INSERT INTO event (id, tenant, task, at, actor, body, kind, agent, actor_kind, request, audit) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
            params![
                id,
                tenant.as_str(),
                what.task().map(TaskId::as_str),
                now,
                &who.subject,
                &body,
                what.kind(),
                what.agent().or_else(|| who.handle()).map(Name::as_str),
                who.kind().as_str(),
                who.request.as_ref(),
                i64::from(audit),
            ],
        )?;
        self.mark_appended();
        Ok(EventId(id))
    }

    fn events(&mut self, query: &EventQuery) -> Result<Vec<Event>> {
        let mut select = Select::new(COLUMNS);
        select
            .push("WHERE id > ?", params![query.after.0])
            .filter(
                "AND tenant = ?",
                query.tenant.as_ref().map(TenantId::as_str),
            )
            .filter("AND task = ?", query.task.as_ref().map(TaskId::as_str))
            .push("ORDER BY id LIMIT ?", params![query.limit]);
        self.all(&select, read)
    }

    fn trail(&mut self, query: &TrailQuery) -> Result<Vec<Event>> {
        let mut select = Select::new(COLUMNS);
        select
            .push("WHERE audit = 1", &[])
            .filter(
                "AND tenant = ?",
                query.tenant.as_ref().map(TenantId::as_str),
            )
            .filter("AND task = ?", query.task.as_ref().map(TaskId::as_str))
            .filter("AND agent = ?", query.agent.as_ref().map(Name::as_str))
            .filter("AND id < ?", query.before.map(|id| id.0))
            .filter("AND at >= ?", query.since.map(|at| at.0));
        let kinds: Vec<Param<'_>> = query.kinds.iter().map(Param::from).collect();
        select
            .any_of("AND kind IN", &kinds)
            .push("ORDER BY id DESC LIMIT ?", params![query.limit]);
        self.all(&select, read)
    }

    fn newest_event(&mut self) -> Result<EventId> {
        let id = self
            .one("SELECT COALESCE(MAX(id), 0) FROM event", &[], |mut row| {
                row.int()
            })?
            .unwrap_or(0);
        Ok(EventId(id).max(self.event_floor()?))
    }

    fn event_floor(&mut self) -> Result<EventId> {
        let floor = self.one(
            "SELECT value FROM sequence WHERE name = 'event_floor'",
            &[],
            |mut row| row.int(),
        )?;
        Ok(EventId(floor.unwrap_or(0)))
    }

    fn drop_events(&mut self, before: Timestamp, limit: u32) -> Result<u64> {
        // Only what comes next is looked at: the log is in order of time, and looking further would
        // hold up the writer.
        let floor = self.event_floor()?.0;
        let next = self.query(
            "SELECT COUNT(*), MAX(id) FROM (SELECT id, at FROM event WHERE id > ?3 ORDER BY id LIMIT ?2) oldest \
             WHERE at < ?1",
            params![before.0, limit, floor],
        )?;
        let Some(mut row) = next.into_iter().next() else {
            return Ok(0);
        };
        let passed = row.count()?;
        let Some(last) = row.optional_int()? else {
            return Ok(0);
        };
        self.execute(
            "UPDATE sequence SET value = ?1 WHERE name = 'event_floor'",
            params![last],
        )?;
        self.execute(
            "DELETE FROM event WHERE id > ?1 AND id <= ?2 AND audit = 0",
            params![floor, last],
        )?;
        Ok(passed)
    }

    fn active_tenants(
        &mut self,
        since: Timestamp,
        after: Option<&TenantId>,
        limit: u32,
    ) -> Result<Vec<TenantId>> {
        let mut select = Select::new("SELECT id FROM tenant WHERE");
        select
            .push(
                "(SELECT at FROM event WHERE event.tenant = tenant.id ORDER BY event.id DESC LIMIT 1) >= ?",
                params![since.0],
            )
            .filter("AND id > ?", after.map(TenantId::as_str))
            .push("ORDER BY id LIMIT ?", params![limit]);
        let (sql, params) = select.parts();
        self.query(sql, params)?
            .into_iter()
            .map(|mut row| row.text()?.parse())
            .collect()
    }
}

fn read(mut row: Row) -> Result<Event> {
    Ok(Event {
        id: EventId(row.int()?),
        tenant: row.text()?.parse()?,
        at: Timestamp(row.int()?),
        actor: row.text()?,
        actor_kind: ActorKind::parse(&row.text()?).ok_or_else(|| malformed("a kind of actor"))?,
        request: row.optional_text()?,
        what: from_json(&row.text()?)?,
    })
}
