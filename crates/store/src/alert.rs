//! Alerts.

use stationmaster_kernel::alert::{Alert, AlertFilter, Alerts, Severity, Status};
use stationmaster_kernel::{AlertId, Handle as Name, Result, TenantId};

use crate::handle::{Handle, from_json, to_json};
use crate::sql::{Row, Select, params};

impl Alerts for Handle<'_> {
    fn alert(&mut self, id: &AlertId) -> Result<Option<Alert>> {
        self.one(
            "SELECT body FROM alert WHERE id = ?1",
            params![id.as_str()],
            read,
        )
    }

    fn put_alert(&mut self, alert: &Alert) -> Result<()> {
        let body = to_json(alert)?;
        self.execute(
            "INSERT INTO alert (position, id, tenant, severity, status, agent, body) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) \
             ON CONFLICT (id) DO UPDATE SET status = excluded.status, body = excluded.body",
            params![
                alert.position.0,
                alert.id.as_str(),
                alert.tenant.as_str(),
                alert.severity.as_str(),
                alert.status.as_str(),
                alert.agent.as_ref().map(Name::as_str),
                &body,
            ],
        )
        .map(drop)
    }

    fn alerts(&mut self, filter: &AlertFilter, offset: u32, limit: u32) -> Result<Vec<Alert>> {
        let mut select = Select::new("SELECT body FROM alert");
        narrow(&mut select, filter);
        select.push(
            "ORDER BY position DESC LIMIT ? OFFSET ?",
            params![limit, offset],
        );
        self.all(&select, read)
    }

    fn alert_count(&mut self, filter: &AlertFilter) -> Result<u64> {
        let mut select = Select::new("SELECT COUNT(*) FROM alert");
        narrow(&mut select, filter);
        let (sql, params) = select.parts();
        self.number(sql, params)
    }
}

fn narrow<'a>(select: &mut Select<'a>, filter: &'a AlertFilter) {
    select
        .push("WHERE position > 0", &[])
        .filter(
            "AND tenant = ?",
            filter.tenant.as_ref().map(TenantId::as_str),
        )
        .filter("AND status = ?", filter.status.map(Status::as_str))
        .filter("AND severity = ?", filter.severity.map(Severity::as_str))
        .filter("AND agent = ?", filter.agent.as_ref().map(Name::as_str));
}

fn read(mut row: Row) -> Result<Alert> {
    from_json(&row.text()?)
}
