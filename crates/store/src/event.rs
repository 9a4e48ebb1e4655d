//! The event log.

use stationmaster_kernel::event::{Event, EventQuery, Events, Happening};
use stationmaster_kernel::{EventId, Result, TaskId, TenantId, Timestamp, Tx as _};

use crate::handle::{Handle, from_json, to_json};
use crate::sql::{Row, Select, params};

impl Events for Handle<'_> {
    fn append(&mut self, tenant: &TenantId, actor: &str, what: Happening) -> Result<EventId> {
        let id = self.next_position()?.0;
        let now = self.now().0;
        let body = to_json(&what)?;
        self.execute(
            "INSERT INTO event (id, tenant, task, at, actor, body) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            params![
                id,
                tenant.as_str(),
                what.task().map(TaskId::as_str),
                now,
                actor,
                &body
            ],
        )?;
        self.mark_appended();
        Ok(EventId(id))
    }

    fn events(&mut self, query: &EventQuery) -> Result<Vec<Event>> {
        let mut select = Select::new("SELECT id, tenant, at, actor, body FROM event");
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
        // Only the front of the log is looked at: it is in order of time, and looking further would
        // hold up the writer.
        let last = self.one(
            "SELECT MAX(id) FROM (SELECT id, at FROM event ORDER BY id LIMIT ?2) oldest WHERE at < ?1",
            params![before.0, limit],
            |mut row| row.optional_int(),
        )?;
        let Some(last) = last.flatten() else {
            return Ok(0);
        };
        self.execute(
            "UPDATE sequence SET value = ?1 WHERE name = 'event_floor'",
            params![last],
        )?;
        self.execute("DELETE FROM event WHERE id <= ?1", params![last])
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
        what: from_json(&row.text()?)?,
    })
}
