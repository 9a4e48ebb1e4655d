//! The built-in dispatcher: hands due notifications to a runtime, one at a time for each agent.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use stationmaster_access::Database;
use stationmaster_kernel::notification::{self, Failure, Notification};
use stationmaster_kernel::{Principal, Result, Timestamp, Tx};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// How long a notification is held between renewals.
const LEASE: Duration = Duration::from_secs(30);
/// How long to sleep when nothing is due; only a lost wake would need it.
const IDLE: Duration = Duration::from_secs(30);
/// How long to wait after the store failed.
const PAUSE: Duration = Duration::from_secs(1);

/// What a notification came to.
pub type Delivery = std::result::Result<(), Undelivered>;

/// Why a notification was not delivered.
#[derive(Debug, Clone)]
pub struct Undelivered {
    pub error: String,
    /// Whether another try can help.
    pub retryable: bool,
    /// How long to wait at least.
    pub retry_after: Option<Duration>,
}

/// Whoever wakes agents.
#[async_trait]
pub trait Daemon: Send + Sync {
    /// Runs the turn that the notification asks for. The same notification may come again after a
    /// crash: its id is the key that makes a repeat harmless.
    async fn deliver(&self, notification: &Notification) -> Delivery;
}

/// Takes due notifications and sees them through.
pub struct Dispatcher {
    pub database: Database,
    pub daemon: Arc<dyn Daemon>,
    /// Names this instance in leases.
    pub owner: String,
    /// How many turns run at once.
    pub parallel: usize,
}

impl Dispatcher {
    /// Works until `stopping`, then lets the turns at hand finish.
    pub async fn run(self, stopping: CancellationToken) {
        let this = Arc::new(self);
        let mut commits = this.database.commits();
        let mut turns: JoinSet<()> = JoinSet::new();
        while !stopping.is_cancelled() {
            commits.mark_unchanged();
            let free = this.parallel.saturating_sub(turns.len());
            let (taken, sleep) = this.look(free).await.unwrap_or_else(|error| {
                tracing::warn!(cause = ?error.cause, "taking notifications failed; trying again");
                (Vec::new(), PAUSE)
            });
            for notification in taken {
                let this = this.clone();
                turns.spawn(async move { this.see_through(notification).await });
            }
            tokio::select! {
                _ = commits.changed() => {}
                // A finished turn frees a place, and its agent.
                Some(_) = turns.join_next() => {}
                () = tokio::time::sleep(sleep) => {}
                () = stopping.cancelled() => {}
            }
            while turns.try_join_next().is_some() {}
        }
        while turns.join_next().await.is_some() {}
    }

    /// Takes what is due, at most `free`; and tells how long nothing else becomes due.
    async fn look(&self, free: usize) -> Result<(Vec<Notification>, Duration)> {
        let limit = u32::try_from(free).unwrap_or(u32::MAX);
        // Most commits queue nothing, and looking costs no commit of its own.
        let (now, is_due, next) = self
            .database
            .read(|tx| {
                let now = tx.now();
                let is_due = !tx.due_of_idle_agents(now, 1)?.is_empty();
                Ok((now, is_due, tx.next_notification_due(now)?))
            })
            .await?;
        let sleep = next.map_or(IDLE, |due| until(now, due));
        if limit == 0 || !is_due {
            return Ok((Vec::new(), sleep));
        }
        let owner = self.owner.clone();
        let take = move |tx: &mut dyn Tx| {
            notification::take_due(tx, &Principal::system(), &owner, limit, LEASE)
        };
        Ok((self.database.write(take).await?, sleep))
    }

    async fn see_through(&self, notification: Notification) {
        let delivery = self.deliver_under_lease(&notification).await;
        let outcome = if delivery.is_ok() {
            "delivered"
        } else {
            "failed"
        };
        metrics::counter!("stationmaster_dispatch_total", "outcome" => outcome).increment(1);
        if let Err(error) = self.settle(&notification, delivery).await {
            // The lease runs out and somebody tries again; the turn's key makes that harmless.
            tracing::warn!(notification = %notification.id, code = error.code, "settling a notification failed");
        }
    }

    async fn deliver_under_lease(&self, notification: &Notification) -> Delivery {
        let mut turn = self.daemon.deliver(notification);
        loop {
            tokio::select! {
                delivery = &mut turn => return delivery,
                () = tokio::time::sleep(LEASE / 3) => {}
            }
            let (id, fence) = (notification.id.clone(), notification.lease.fence);
            let renewed = self
                .database
                .write(move |tx| notification::renew(tx, &Principal::system(), &id, fence, LEASE))
                .await;
            if let Err(error) = renewed {
                tracing::warn!(notification = %notification.id, code = error.code, "renewing a lease failed");
            }
        }
    }

    async fn settle(&self, notification: &Notification, delivery: Delivery) -> Result<()> {
        let (id, fence) = (notification.id.clone(), Some(notification.lease.fence));
        self.database
            .write(move |tx| {
                let who = Principal::system();
                match &delivery {
                    Ok(()) => notification::deliver(tx, &who, &id, fence).map(drop),
                    Err(Undelivered {
                        error,
                        retryable,
                        retry_after,
                    }) => {
                        let failure = Failure {
                            error: error.clone(),
                            retryable: *retryable,
                            retry_after: *retry_after,
                        };
                        notification::fail(tx, &who, &id, fence, failure).map(drop)
                    }
                }
            })
            .await
    }
}

fn until(now: Timestamp, due: Timestamp) -> Duration {
    Duration::from_millis(due.0.saturating_sub(now.0).max(0).unsigned_abs()).min(IDLE)
}
