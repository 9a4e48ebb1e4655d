//! Following the log: what is there, then what comes, without gap or repeat.

use std::collections::VecDeque;

use stationmaster_kernel::event::{Event, EventQuery};
use stationmaster_kernel::{EventId, Result, TaskId, TenantId};
use tokio::sync::watch;

use crate::Database;

/// How many events are read at once; a reader never holds more than this.
const CHUNK: u32 = 256;

/// A reader's place in the log. It pulls: a slow reader costs nothing but its own delay.
pub struct Tail {
    database: Database,
    commits: watch::Receiver<u64>,
    query: EventQuery,
    read: VecDeque<Event>,
    /// Everything up to here has been looked at once `read` is empty, whether or not it was ours.
    seen: EventId,
}

impl Tail {
    /// Reads what is later than `after`.
    #[must_use]
    pub fn new(
        database: &Database,
        tenant: Option<TenantId>,
        task: Option<TaskId>,
        after: EventId,
    ) -> Self {
        Self {
            database: database.clone(),
            commits: database.commits(),
            query: EventQuery {
                tenant,
                task,
                after,
                limit: CHUNK,
            },
            read: VecDeque::new(),
            seen: after,
        }
    }

    /// The next event, waiting for it if need be.
    ///
    /// # Errors
    /// Whatever the store meets; the place is kept, so asking again is right.
    pub async fn next(&mut self) -> Result<Event> {
        loop {
            if let Some(event) = self.read.pop_front() {
                self.query.after = event.id;
                return Ok(event);
            }
            self.query.after = self.query.after.max(self.seen);
            // Marked before reading: a commit between the read and the wait is not slept through.
            self.commits.mark_unchanged();
            let query = self.query.clone();
            let (newest, read) = self
                .database
                .read(move |tx| Ok((tx.newest_event()?, tx.events(&query)?)))
                .await?;
            if read.len() < CHUNK as usize {
                self.seen = newest;
            }
            self.read = read.into();
            if self.read.is_empty() && self.commits.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    }
}
