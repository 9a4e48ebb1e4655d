//! Kept replies.

use stationmaster_kernel::idempotency::{Kept, Key, Replies, Reply};
use stationmaster_kernel::{Result, Timestamp, Tx as _};

use crate::handle::Handle;
use crate::sql::params;

impl Replies for Handle<'_> {
    fn kept_reply(&mut self, key: &Key) -> Result<Option<Kept>> {
        self.one(
            "SELECT fingerprint, status, body FROM reply \
             WHERE tenant = ?1 AND resource = ?2 AND idempotency_key = ?3",
            params![key.tenant.as_str(), key.resource, &key.key],
            |mut row| {
                Ok(Kept {
                    fingerprint: row.text()?,
                    reply: Reply {
                        status: row.count()?,
                        body: row.text()?,
                    },
                })
            },
        )
    }

    fn keep_reply(&mut self, key: &Key, reply: &Reply) -> Result<()> {
        let now = self.now().0;
        self.execute(
            "INSERT INTO reply (tenant, resource, idempotency_key, fingerprint, status, body, created_at) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
            params![
                key.tenant.as_str(),
                key.resource,
                &key.key,
                &key.fingerprint,
                i64::from(reply.status),
                &reply.body,
                now
            ],
        )
        .map(drop)
    }

    fn drop_replies(&mut self, before: Timestamp, limit: u32) -> Result<u64> {
        self.execute(
            "DELETE FROM reply WHERE (tenant, resource, idempotency_key) IN \
             (SELECT tenant, resource, idempotency_key FROM reply WHERE created_at < ?1 LIMIT ?2)",
            params![before.0, limit],
        )
    }
}
