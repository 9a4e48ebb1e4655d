//! Grants.

use stationmaster_kernel::grant::{Grant, Grants};
use stationmaster_kernel::{ApprovalId, GrantId, Handle as Name, Result, TenantId, Timestamp};

use crate::handle::{Handle, from_json, to_json};
use crate::sql::{Row, Select, params};

/// How many grants of one agent are looked at.
const LOOKED_AT: u32 = 200;

impl Grants for Handle<'_> {
    fn grant(&mut self, id: &GrantId) -> Result<Option<Grant>> {
        self.one(
            "SELECT body FROM standing_grant WHERE id = ?1",
            params![id.as_str()],
            read,
        )
    }

    fn grants_of(&mut self, approval: &ApprovalId) -> Result<Vec<Grant>> {
        let mut select = Select::new("SELECT body FROM standing_grant");
        select.push(
            "WHERE approval = ? ORDER BY position",
            params![approval.as_str()],
        );
        self.all(&select, read)
    }

    fn put_grant(&mut self, grant: &Grant) -> Result<()> {
        let body = to_json(grant)?;
        let good = grant.revoked_at.is_none() && grant.uses_left != Some(0);
        self.execute(
            "INSERT INTO standing_grant (position, id, tenant, approval, agent, until, good, body) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) \
             ON CONFLICT (id) DO UPDATE SET until = excluded.until, good = excluded.good, body = excluded.body",
            params![
                grant.position.0,
                grant.id.as_str(),
                grant.tenant.as_str(),
                grant.approval.as_str(),
                grant.agent.as_ref().map(Name::as_str),
                grant.until.0,
                i64::from(good),
                &body,
            ],
        )
        .map(drop)
    }

    fn good_grants(
        &mut self,
        tenant: &TenantId,
        agent: &Name,
        now: Timestamp,
    ) -> Result<Vec<Grant>> {
        let mut select = Select::new("SELECT body FROM standing_grant");
        select.push(
            "WHERE tenant = ? AND good = 1 AND (agent = ? OR agent IS NULL) AND until > ? \
             ORDER BY position DESC LIMIT ?",
            params![tenant.as_str(), agent.as_str(), now.0, LOOKED_AT],
        );
        self.all(&select, read)
    }

    fn grants(&mut self, tenant: Option<&TenantId>, offset: u32, limit: u32) -> Result<Vec<Grant>> {
        let mut select = Select::new("SELECT body FROM standing_grant WHERE position > 0");
        select
            .filter("AND tenant = ?", tenant.map(TenantId::as_str))
            .push(
                "ORDER BY position DESC LIMIT ? OFFSET ?",
                params![limit, offset],
            );
        self.all(&select, read)
    }
}

fn read(mut row: Row) -> Result<Grant> {
    from_json(&row.text()?)
}
