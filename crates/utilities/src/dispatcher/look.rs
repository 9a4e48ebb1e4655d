//! Looks at the backend: what is asked for, and what is taken of what it lists.

use std::sync::Arc;

use stationmaster_peer::Failure;
use tokio::time::Instant;

use super::lanes::Item;
use super::tick::Batch;
use super::{Dispatcher, Event};
use crate::{Ask, Listed};

/// The most that backends give out in one answer (backend §9.2).
const LARGEST_ASK: u32 = 200;

/// Why there is nothing to deliver to, or nobody.
pub(super) enum NoLook {
    DaemonGone,
    Backend(Failure),
}

impl Dispatcher {
    /// Asks the backend what there is; while the daemon is gone, only whether it is back.
    pub(super) fn look(&mut self) {
        let (users, notifications) = self.memory.in_the_way();
        let more = |configured: u32, hidden: u32| {
            let wanted = configured.saturating_add(hidden);
            wanted.min(LARGEST_ASK.max(configured))
        };
        let ask = Ask {
            users: more(self.pace.users, users),
            notifications: more(self.depth, notifications),
            lease: self.pace.lease,
        };
        let (outbox, daemon) = (self.outbox.clone(), self.daemon.clone());
        let gone = self.daemon_gone;
        self.looking = Some(self.work.spawn(async move {
            let started = Instant::now();
            if gone && !daemon.is_there().await {
                return Event::Looked(started, Err(NoLook::DaemonGone));
            }
            let listed = outbox.undelivered(ask).await;
            Event::Looked(started, listed.map_err(NoLook::Backend))
        }));
    }

    /// Queues what a look found; tells whether there is anything to do.
    pub(super) fn looked(
        &mut self,
        started: Instant,
        outcome: Result<Listed, NoLook>,
    ) -> Result<bool, Failure> {
        let mut batch = Batch::new(started);
        let number = self.next_batch;
        self.next_batch += 1;
        let outcome = match outcome {
            Ok(listed) => {
                if self.daemon_gone {
                    self.daemon_gone = false;
                    tracing::info!("the daemon is back");
                }
                self.queue(number, &mut batch, listed);
                Ok(batch.open > 0 || !self.running.is_empty())
            }
            Err(NoLook::DaemonGone) => {
                tracing::warn!("the daemon cannot be reached; nothing is taken until it is back");
                // What it has done already can still be told.
                self.queue(number, &mut batch, Listed::default());
                Ok(false)
            }
            Err(NoLook::Backend(failure)) => {
                tracing::warn!(
                    reason = failure.message,
                    "the backend does not say what is undelivered; asking again"
                );
                Err(failure)
            }
        };
        self.batches.insert(number, batch);
        outcome
    }

    fn queue(&mut self, number: u64, batch: &mut Batch, listed: Listed) {
        if listed.malformed > 0 {
            tracing::warn!(
                number = listed.malformed,
                "the backend lists deliveries that lack an id, a user, a session or a content"
            );
        }
        self.memory.begin_look();
        batch.failed = listed.malformed;
        batch.deliveries = listed.malformed;
        let leased_until = self.pace.lease.map(|length| batch.started + length);
        for delivery in listed.deliveries {
            batch.deliveries += 1;
            if let Some(accepted) = self.memory.take(&delivery) {
                batch.open += 1;
                self.lanes.push(Item {
                    delivery: Arc::new(delivery),
                    batch: number,
                    accepted,
                    leased_until,
                });
            }
        }
        for delivery in self.memory.take_owed() {
            batch.deliveries += 1;
            batch.open += 1;
            self.lanes.push(Item {
                delivery,
                batch: number,
                accepted: true,
                leased_until: None,
            });
        }
    }
}
