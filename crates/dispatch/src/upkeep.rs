//! What time alone brings about: approvals expire, silent agents are found to be gone, runs are
//! given up, a budget's day ends.
//!
//! The rules are the kernel's; whoever reads sees what is due as done already. This job writes it
//! down, a bounded piece at a time, each kind in a transaction of its own so that one that fails
//! does not hold up the others.

use std::time::Duration;

use futures::future::join_all;
use stationmaster_access::Database;
use stationmaster_kernel::{Result, Tx};
use tokio_util::sync::CancellationToken;

/// How often to look. Looking when nothing is due costs a few index reads and no write.
const EVERY: Duration = Duration::from_secs(1);
/// How many things one transaction settles.
const CHUNK: u32 = 100;

/// Settles at most so many things that are due; tells how many it settled.
pub type Settle = fn(&mut dyn Tx, u32) -> Result<u32>;

/// Settles what is due, once a second.
pub struct Upkeep {
    pub database: Database,
    /// What there is to settle, each with its name for the log.
    pub jobs: Vec<(&'static str, Settle)>,
}

impl Upkeep {
    /// Works until `stopping`.
    pub async fn run(self, stopping: CancellationToken) {
        loop {
            join_all(self.jobs.iter().map(|job| self.settle(*job, &stopping))).await;
            tokio::select! {
                () = tokio::time::sleep(EVERY) => {}
                () = stopping.cancelled() => return,
            }
        }
    }

    async fn settle(&self, (name, settle): (&'static str, Settle), stopping: &CancellationToken) {
        while !stopping.is_cancelled() {
            match self.database.write(move |tx| settle(tx, CHUNK)).await {
                Ok(settled) if settled >= CHUNK => {}
                Ok(_) => return,
                Err(error) => {
                    tracing::warn!(job = name, code = error.code, cause = ?error.cause, "upkeep failed; trying again");
                    return;
                }
            }
        }
    }
}
