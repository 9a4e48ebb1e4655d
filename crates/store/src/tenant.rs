//! Tenants.

use stationmaster_kernel::tenant::Tenants;
use stationmaster_kernel::{Result, TenantId, Tx as _};

use crate::handle::Handle;
use crate::sql::params;

impl Tenants for Handle<'_> {
    fn ensure_tenant(&mut self, tenant: &TenantId) -> Result<()> {
        let now = self.now().0;
        self.execute(
            "INSERT INTO tenant (id, created_at) VALUES (?1, ?2) ON CONFLICT (id) DO NOTHING",
            params![tenant.as_str(), now],
        )
        .map(drop)
    }
}
