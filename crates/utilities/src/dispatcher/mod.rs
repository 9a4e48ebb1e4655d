//! Carries notifications from a backend to a daemon (agent-runtime §12).
//!
//! One task holds all state; looks at the backend and deliveries are tasks of their own, so a slow
//! turn holds up its own session and nobody else. A tick is one look and what becomes of what it
//! found; ticks overlap, and each tells of itself when its last delivery has ended.

mod course;
mod lanes;
mod look;
mod memory;
mod tick;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use stationmaster_peer::{Failure, FailureKind};
use tokio::task::{AbortHandle, Id, JoinError, JoinSet};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::{Daemon, Listed, Outbox, Undelivered};
use course::{Outcome, see_through};
use lanes::{Item, Lanes};
use look::NoLook;
use memory::Memory;
use tick::{Batch, Pause};

pub use tick::{Pace, Tick};

/// No more is asked for while so many wait, or while the backend must still be told of so many.
const BACKLOG: usize = 1000;
/// What a task of the dispatcher ends with.
enum Event {
    Looked(Instant, Result<Listed, NoLook>),
    Ended(Outcome),
}

/// Carries notifications from one backend to one daemon.
pub struct Dispatcher {
    outbox: Outbox,
    daemon: Arc<dyn Daemon>,
    pace: Pace,
    pause: Pause,
    memory: Memory,
    lanes: Lanes,
    work: JoinSet<Event>,
    running: HashMap<Id, Item>,
    looking: Option<AbortHandle>,
    batches: BTreeMap<u64, Batch>,
    next_batch: u64,
    daemon_gone: bool,
    /// How many notifications of each user are asked for; fewer after leases ran out unused.
    depth: u32,
}

impl Dispatcher {
    #[must_use]
    pub fn new(outbox: Outbox, daemon: Arc<dyn Daemon>, pace: Pace) -> Self {
        Self {
            outbox,
            daemon,
            pause: Pause::new(&pace),
            depth: pace.notifications.max(1),
            pace,
            memory: Memory::default(),
            lanes: Lanes::default(),
            work: JoinSet::new(),
            running: HashMap::new(),
            looking: None,
            batches: BTreeMap::new(),
            next_batch: 0,
            daemon_gone: false,
        }
    }

    /// Works until `stopping`, then lets the deliveries under way end. Every tick is reported.
    pub async fn run(mut self, stopping: CancellationToken, mut report: impl FnMut(Tick)) {
        let mut next = Instant::now();
        loop {
            let may_look = self.looking.is_none()
                && self.lanes.waiting() < BACKLOG
                && self.memory.owed() < BACKLOG;
            tokio::select! {
                () = stopping.cancelled() => break,
                () = tokio::time::sleep_until(next), if may_look => self.look(),
                Some(joined) = self.work.join_next_with_id() => {
                    if let Some((started, outcome)) = self.joined(joined) {
                        let busy = self.looked(started, outcome).unwrap_or_default();
                        next = Instant::now() + self.pause.after(busy);
                    }
                }
            }
            self.start();
            self.ended_ticks().into_iter().for_each(&mut report);
        }
        self.finish().await;
        for batch in self.batches.into_values() {
            report(batch.tick());
        }
    }

    /// One tick, to its end.
    ///
    /// # Errors
    /// When the backend cannot be asked.
    pub async fn once(mut self, stopping: CancellationToken) -> Result<Tick, Failure> {
        self.look();
        loop {
            tokio::select! {
                () = stopping.cancelled() => {
                    self.finish().await;
                    break;
                }
                joined = self.work.join_next_with_id() => {
                    let Some(joined) = joined else { break };
                    if let Some((started, outcome)) = self.joined(joined) {
                        self.looked(started, outcome)?;
                    }
                    self.start();
                }
            }
        }
        let batch = self.batches.into_values().next();
        Ok(batch.unwrap_or_else(|| Batch::new(Instant::now())).tick())
    }

    /// Nothing new begins; what is under way ends.
    async fn finish(&mut self) {
        self.lanes.clear();
        if let Some(look) = self.looking.take() {
            look.abort();
        }
        while let Some(joined) = self.work.join_next_with_id().await {
            self.joined(joined);
        }
    }

    /// Takes note of a task that ended; what a look found is for the caller.
    fn joined(
        &mut self,
        joined: Result<(Id, Event), JoinError>,
    ) -> Option<(Instant, Result<Listed, NoLook>)> {
        match joined {
            Ok((_, Event::Looked(started, outcome))) => {
                self.looking = None;
                Some((started, outcome))
            }
            Ok((id, Event::Ended(outcome))) => {
                if let Some(item) = self.running.remove(&id) {
                    self.ended(&item, outcome);
                }
                None
            }
            Err(error) => {
                if let Some(item) = self.running.remove(&error.id()) {
                    tracing::error!(%error, "a delivery broke off");
                    let why = Undelivered {
                        error: "the delivery broke off".to_owned(),
                        retryable: true,
                        retry_after: None,
                        unreachable: false,
                    };
                    let reported = false;
                    self.ended(&item, Outcome::Failed { why, reported });
                } else {
                    self.looking = None;
                }
                None
            }
        }
    }

    /// Begins as many deliveries as there are places.
    fn start(&mut self) {
        while self.running.len() < self.pace.parallel {
            let Some(item) = self.lanes.next() else { break };
            let ends = Instant::now() + self.pace.patience;
            if !item.accepted && item.leased_until.is_some_and(|until| until < ends) {
                self.let_go(&item);
                continue;
            }
            let (outbox, daemon, sent) = (self.outbox.clone(), self.daemon.clone(), item.clone());
            let task = self.work.spawn(async move {
                Event::Ended(see_through(&outbox, daemon.as_ref(), &sent).await)
            });
            self.running.insert(task.id(), item);
        }
    }

    /// Somebody else may have been given it by the time that its turn ends. It is listed again,
    /// and fewer are asked for until then.
    fn let_go(&mut self, item: &Item) {
        self.memory.forget(&item.delivery);
        self.depth = (self.depth / 2).max(1);
        self.close(item, |_| ());
    }

    fn ended(&mut self, item: &Item, outcome: Outcome) {
        let delivery = &item.delivery;
        let id = delivery.notification_id.as_str();
        let delivered = match outcome {
            Outcome::Delivered => {
                self.memory.done(delivery);
                true
            }
            // It is not there any more: there is nobody to tell.
            Outcome::Unacknowledged(failure) if failure.kind == FailureKind::Status(404) => {
                tracing::warn!(notification = id, "the backend does not know it any more");
                self.memory.done(delivery);
                true
            }
            Outcome::Unacknowledged(failure) => {
                let reason = failure.message;
                tracing::warn!(
                    notification = id,
                    reason,
                    "a delivery could not be acknowledged"
                );
                self.memory.accepted(delivery);
                false
            }
            Outcome::Failed { why, reported } => {
                self.daemon_gone |= why.unreachable;
                let reason = why.error.as_str();
                tracing::warn!(
                    notification = id,
                    reason,
                    "a notification was not delivered"
                );
                if reported {
                    self.memory.failed_there(delivery);
                } else if !self
                    .memory
                    .failed_here(delivery, &why, self.pace.retry_delay)
                {
                    tracing::error!(notification = id, reason, "a notification is given up");
                }
                false
            }
        };
        self.close(item, |batch| {
            if delivered {
                batch.delivered += 1;
            } else {
                batch.failed += 1;
            }
        });
    }

    fn close(&mut self, item: &Item, count: impl FnOnce(&mut Batch)) {
        self.lanes.done(&item.delivery.session_key);
        if let Some(batch) = self.batches.get_mut(&item.batch) {
            count(batch);
            batch.open = batch.open.saturating_sub(1);
        }
    }

    fn ended_ticks(&mut self) -> Vec<Tick> {
        let is_over = |_: &u64, batch: &mut Batch| batch.open == 0;
        let ended: Vec<Tick> = self
            .batches
            .extract_if(.., is_over)
            .map(|(_, batch)| batch.tick())
            .collect();
        if self.lanes.waiting() == 0 && !ended.is_empty() {
            self.depth = self.pace.notifications.max(1).min(self.depth * 2);
        }
        ended
    }
}

impl std::fmt::Debug for Dispatcher {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Dispatcher")
            .field("pace", &self.pace)
            .finish_non_exhaustive()
    }
}
