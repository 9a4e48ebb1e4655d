//! The threads that databases run on, and their bounded queues.

use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender, TrySendError, bounded};
use stationmaster_kernel::{Error, Work};

/// How much a store takes on before it says no.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    /// Commands that may wait for the writer; past that a caller is refused at once.
    pub write_queue: usize,
    /// Queries that may wait for a reader.
    pub read_queue: usize,
    /// Commands that share one commit.
    pub batch: usize,
    /// Threads that read.
    pub readers: usize,
    /// How long one statement of a reader may take (of the writer too, on PostgreSQL).
    pub statement_time: Duration,
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            write_queue: 4096,
            read_queue: 4096,
            batch: 256,
            readers: 2,
            statement_time: Duration::from_secs(10),
        }
    }
}

/// Gives the metrics their help texts. Call once, after the recorder is installed.
pub fn describe_metrics() {
    use metrics::{Unit, describe_counter, describe_gauge, describe_histogram};
    describe_counter!(
        "stationmaster_store_commits_total",
        "Transactions committed"
    );
    describe_counter!(
        "stationmaster_store_refused_total",
        "Work refused because its queue was full"
    );
    describe_gauge!("stationmaster_store_queue", "Work that waits, by queue");
    describe_histogram!("stationmaster_store_batch_size", "Commands in one commit");
    describe_histogram!(
        "stationmaster_store_commit_seconds",
        Unit::Seconds,
        "How long commits take"
    );
}

type Waker = Box<dyn Fn() + Send + Sync>;

/// Who is told after a commit.
#[derive(Clone, Default)]
pub(crate) struct Wakers(Arc<Mutex<Vec<Waker>>>);

impl Wakers {
    pub(crate) fn add(&self, wake: Waker) {
        self.lock().push(wake);
    }

    pub(crate) fn wake_all(&self) {
        for wake in self.lock().iter() {
            wake();
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Waker>> {
        self.0
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

/// A bounded queue and the threads that empty it; dropping it lets them finish what waits.
pub(crate) struct Pool {
    name: &'static str,
    queue: Option<Sender<Box<dyn Work>>>,
    threads: Vec<JoinHandle<()>>,
}

impl Pool {
    pub(crate) fn start<F>(
        name: &'static str,
        length: usize,
        bodies: Vec<F>,
    ) -> std::io::Result<Self>
    where
        F: FnOnce(Receiver<Box<dyn Work>>) + Send + 'static,
    {
        let (queue, receiver) = bounded(length);
        let mut threads = Vec::new();
        for body in bodies {
            let receiver = receiver.clone();
            threads.push(
                std::thread::Builder::new()
                    .name(name.to_owned())
                    .spawn(move || body(receiver))?,
            );
        }
        Ok(Self {
            name,
            queue: Some(queue),
            threads,
        })
    }

    /// Queues the work, or refuses it at once.
    pub(crate) fn enqueue(&self, work: Box<dyn Work>) {
        let Some(queue) = &self.queue else {
            return work.complete(Err(stopped()));
        };
        match queue.try_send(work) {
            Ok(()) => metrics::gauge!("stationmaster_store_queue", "queue" => self.name)
                .set(queue.len() as f64),
            Err(TrySendError::Full(work)) => {
                metrics::counter!("stationmaster_store_refused_total", "queue" => self.name)
                    .increment(1);
                work.complete(Err(Error::unavailable(
                    "the database has more to do than it can take; try again",
                    Duration::from_secs(1),
                )));
            }
            Err(TrySendError::Disconnected(work)) => work.complete(Err(stopped())),
        }
    }
}

fn stopped() -> Error {
    Error::unavailable("the server is stopping", Duration::from_secs(1))
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.queue = None;
        for thread in self.threads.drain(..) {
            // A panic in a store thread was logged when it happened.
            let _ = thread.join();
        }
    }
}

/// The writer's loop: takes whatever waits, commits it together, tells the wakers.
pub(crate) fn write_loop(
    connection: &mut dyn crate::batch::Connection,
    queue: &Receiver<Box<dyn Work>>,
    batch: usize,
    wakers: &Wakers,
) {
    while let Ok(first) = queue.recv() {
        let mut works = vec![first];
        while works.len() < batch
            && let Ok(work) = queue.try_recv()
        {
            works.push(work);
        }
        metrics::histogram!("stationmaster_store_batch_size").record(works.len() as f64);
        let started = std::time::Instant::now();
        let appended = crate::batch::run(connection, works);
        metrics::histogram!("stationmaster_store_commit_seconds")
            .record(started.elapsed().as_secs_f64());
        metrics::counter!("stationmaster_store_commits_total").increment(1);
        if appended {
            wakers.wake_all();
        }
    }
}
