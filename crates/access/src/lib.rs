//! Awaiting the store from async code, and following its log.
//!
//! The kernel's [`Store`] takes boxed work and calls back; [`Database`] turns that into futures.
//! Nothing here blocks an async worker: the work runs on the store's own threads.

mod tail;

use std::sync::Arc;
use std::time::Duration;

use stationmaster_kernel::{Error, Result, Store, Tx, Work};
use tokio::sync::{oneshot, watch};

pub use tail::Tail;

/// A store, awaited. Clones share it.
#[derive(Clone)]
pub struct Database {
    store: Arc<dyn Store>,
    /// Counts wakes: it changes after every commit that wrote events.
    commits: watch::Receiver<u64>,
}

impl Database {
    #[must_use]
    pub fn new(store: Arc<dyn Store>) -> Self {
        let (wake, commits) = watch::channel(0);
        store.on_commit(Box::new(move || wake.send_modify(|count| *count += 1)));
        Self { store, commits }
    }

    /// Runs `rule` in a transaction; the answer comes once it is on disk. The rule may be run
    /// more than once and has no effect but through its transaction.
    ///
    /// # Errors
    /// Whatever the rule refuses; unavailable when the store's queue is full.
    pub async fn write<T, F>(&self, rule: F) -> Result<T>
    where
        T: Send + 'static,
        F: Fn(&mut dyn Tx) -> Result<T> + Send + 'static,
    {
        let (work, answer) = Awaited::boxed(rule);
        self.store.enqueue_write(work);
        within(answer).await
    }

    /// Runs `query` on a snapshot.
    ///
    /// # Errors
    /// As [`Self::write`].
    pub async fn read<T, F>(&self, query: F) -> Result<T>
    where
        T: Send + 'static,
        F: Fn(&mut dyn Tx) -> Result<T> + Send + 'static,
    {
        let (work, answer) = Awaited::boxed(query);
        self.store.enqueue_read(work);
        within(answer).await
    }

    /// Changes after every commit that wrote events, whichever instance made it.
    #[must_use]
    pub fn commits(&self) -> watch::Receiver<u64> {
        self.commits.clone()
    }
}

/// How long a caller waits for the store. What it asked for may still happen after that.
const PATIENCE: Duration = Duration::from_secs(30);

async fn within<T>(answer: oneshot::Receiver<Result<T>>) -> Result<T> {
    match tokio::time::timeout(PATIENCE, answer).await {
        Ok(answered) => answered.unwrap_or_else(|_| Err(lost())),
        Err(_) => Err(Error::unavailable(
            "the database did not answer in time; send it again with the same idempotency key",
            Duration::from_secs(5),
        )),
    }
}

fn lost() -> Error {
    Error::internal("the store dropped a piece of work without an answer")
}

/// Work whose answer somebody awaits.
struct Awaited<T, F> {
    rule: F,
    result: Option<T>,
    answer: oneshot::Sender<Result<T>>,
}

impl<T, F> Awaited<T, F>
where
    T: Send + 'static,
    F: Fn(&mut dyn Tx) -> Result<T> + Send + 'static,
{
    fn boxed(rule: F) -> (Box<dyn Work>, oneshot::Receiver<Result<T>>) {
        let (answer, receiver) = oneshot::channel();
        (
            Box::new(Self {
                rule,
                result: None,
                answer,
            }),
            receiver,
        )
    }
}

impl<T, F> Work for Awaited<T, F>
where
    T: Send + 'static,
    F: Fn(&mut dyn Tx) -> Result<T> + Send + 'static,
{
    fn run(&mut self, tx: &mut dyn Tx) -> Result<()> {
        self.result = None;
        self.result = Some((self.rule)(tx)?);
        Ok(())
    }

    fn complete(self: Box<Self>, outcome: Result<()>) {
        let Self { result, answer, .. } = *self;
        // Whoever asked may have gone away; the work is done all the same.
        let _ = answer.send(outcome.and_then(|()| result.ok_or_else(lost)));
    }
}
