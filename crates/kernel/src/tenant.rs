//! Tenants come into being with their first write.

use crate::{Result, TenantId};

/// Where tenants are kept.
pub trait Tenants {
    /// Makes the tenant if it is not there yet.
    ///
    /// # Errors
    /// Whatever the store meets.
    fn ensure_tenant(&mut self, tenant: &TenantId) -> Result<()>;
}
