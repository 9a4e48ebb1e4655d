//! Which document is the standup of a day.

use stationmaster_kernel::standup::Standups;
use stationmaster_kernel::{DocumentId, Result, TenantId};

use crate::handle::Handle;
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
}
