//! What tenants may spend.

use stationmaster_kernel::budget::{TenantBudget, TenantBudgets};
use stationmaster_kernel::{Result, TenantId};

use crate::handle::{Handle, from_json, to_json};
use crate::sql::params;

impl TenantBudgets for Handle<'_> {
    fn tenant_budget(&mut self, tenant: &TenantId) -> Result<Option<TenantBudget>> {
        self.one(
            "SELECT body FROM tenant_budget WHERE tenant = ?1",
            params![tenant.as_str()],
            |mut row| from_json(&row.text()?),
        )
    }

    fn put_tenant_budget(&mut self, budget: &TenantBudget) -> Result<()> {
        let body = to_json(budget)?;
        self.execute(
            "INSERT INTO tenant_budget (tenant, body) VALUES (?1, ?2) \
             ON CONFLICT (tenant) DO UPDATE SET body = excluded.body",
            params![budget.tenant.as_str(), &body],
        )
        .map(drop)
    }
}
