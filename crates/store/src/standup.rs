//! Which document is the standup of a day, and the mornings' reports.

use stationmaster_kernel::standup::{Report, Standups};
use stationmaster_kernel::{DocumentId, Result, TenantId};

use crate::handle::{Handle, from_json, to_json};
use crate::sql::params;

impl Standups for Handle<'_> {
    fn standup_document(&mut self, tenant: &TenantId, date: &str) -> Result<Option<DocumentId>> {
        self.one(
            "SELECT document FROM standup WHERE tenant = ?1 AND date = ?2",
            params![tenant.as_str(), date],
            |mut row| Ok(DocumentId::new(row.text()?)),
        )
    }

    fn insert_standup(
        &mut self,
        tenant: &TenantId,
        date: &str,
        document: &DocumentId,
    ) -> Result<()> {
        self.execute(
            "INSERT INTO standup (tenant, date, document) VALUES (?1, ?2, ?3)",
            params![tenant.as_str(), date, document.as_str()],
        )
        .map(drop)
    }

    fn standup_report(&mut self, tenant: &TenantId, date: &str) -> Result<Option<Report>> {
        self.one(
            "SELECT body FROM standup_report WHERE tenant = ?1 AND date = ?2",
            params![tenant.as_str(), date],
            |mut row| from_json(&row.text()?),
        )
    }

    fn put_standup_report(&mut self, report: &Report) -> Result<()> {
        let body = to_json(report)?;
        self.execute(
            "INSERT INTO standup_report (tenant, date, body) VALUES (?1, ?2, ?3) \
             ON CONFLICT (tenant, date) DO UPDATE SET body = excluded.body",
            params![report.tenant.as_str(), &report.date, &body],
        )
        .map(drop)
    }

    fn are_standups_kept(&mut self, date: &str) -> Result<bool> {
        let rows = self.query(
            "SELECT date FROM standup_morning WHERE date = ?1",
            params![date],
        )?;
        Ok(!rows.is_empty())
    }

    fn mark_standups_kept(&mut self, date: &str) -> Result<()> {
        self.execute(
            "INSERT INTO standup_morning (date) VALUES (?1)",
            params![date],
        )
        .map(drop)
    }
}
