//! Housekeeping: drops old events, replies, records of deliveries and steps of turns, a little at a time.

use std::time::Duration;

use stationmaster_access::Database;
use stationmaster_kernel::{Result, idempotency};
use tokio_util::sync::CancellationToken;

/// How often to look.
const EVERY: Duration = Duration::from_secs(600);
/// How many rows one command drops: short enough not to hold up the writer.
const CHUNK: u32 = 500;

/// How long the record of a webhook's delivery is kept.
const DELIVERIES: Duration = Duration::from_secs(30 * 86_400);

/// Keeps the log and the kept replies from growing without end.
pub struct Retention {
    pub database: Database,
    /// How long events are kept for readers that resume, and the steps of turns that ended.
    pub events: Duration,
}

impl Retention {
    /// Works until `stopping`.
    pub async fn run(self, stopping: CancellationToken) {
        loop {
            if let Err(error) = self.sweep(&stopping).await {
                tracing::warn!(code = error.code, cause = ?error.cause, "housekeeping failed; trying again later");
            }
            tokio::select! {
                () = tokio::time::sleep(EVERY) => {}
                () = stopping.cancelled() => return,
            }
        }
    }

    async fn sweep(&self, stopping: &CancellationToken) -> Result<()> {
        while !stopping.is_cancelled() {
            let events = self.events;
            let dropped = self
                .database
                .write(move |tx| {
                    let now = tx.now();
                    Ok(tx.drop_events(now.before(events), CHUNK)?
                        + tx.drop_replies(now.before(idempotency::KEPT), CHUNK)?
                        + tx.drop_deliveries(now.before(DELIVERIES), CHUNK)?
                        + tx.drop_turn_steps(now.before(events), CHUNK)?)
                })
                .await?;
            if dropped == 0 {
                break;
            }
        }
        Ok(())
    }
}
