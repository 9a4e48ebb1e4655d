//! The load generator: keep-alive connections on one thread, each with one request under way.
//!
//! It shares the machine with what it measures, so it does little: a request is bytes made before,
//! an answer is read up to its `Content-Length`, and only the status is looked at.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use tokio::task::JoinSet;

use crate::connection::Connection;
use crate::measured::{Measured, Meter, Used};

/// Stands for a number of as many digits that no two requests share.
pub(crate) const NUMBER: &str = "############";

/// How long a row takes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pace {
    pub warm_up: Duration,
    pub measured: Duration,
}

impl Pace {
    pub(crate) fn of(measured: Duration) -> Self {
        Self {
            warm_up: (measured / 3).clamp(Duration::from_millis(200), Duration::from_secs(2)),
            measured,
        }
    }
}

/// A request, ready to be sent.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    bytes: Vec<u8>,
    /// Where a [`NUMBER`] goes.
    number: Option<usize>,
}

impl Request {
    pub(crate) fn get(path: &str, headers: &[(&str, &str)]) -> Self {
        Self::new("GET", path, headers, "")
    }

    /// With a JSON body.
    pub(crate) fn post(path: &str, headers: &[(&str, &str)], body: &str) -> Self {
        Self::with_body("POST", path, headers, body)
    }

    /// With a JSON body.
    pub(crate) fn put(path: &str, headers: &[(&str, &str)], body: &str) -> Self {
        Self::with_body("PUT", path, headers, body)
    }

    /// With a JSON body.
    pub(crate) fn patch(path: &str, headers: &[(&str, &str)], body: &str) -> Self {
        Self::with_body("PATCH", path, headers, body)
    }

    fn with_body(method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Self {
        let length = body.len().to_string();
        let mut all = vec![
            ("content-type", "application/json"),
            ("content-length", length.as_str()),
        ];
        all.extend_from_slice(headers);
        Self::new(method, path, &all, body)
    }

    fn new(method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Self {
        let headers: String = headers
            .iter()
            .map(|(name, value)| format!("{name}: {value}\r\n"))
            .collect();
        let text = format!("{method} {path} HTTP/1.1\r\nhost: bench\r\n{headers}\r\n{body}");
        Self {
            number: text.find(NUMBER),
            bytes: text.into_bytes(),
        }
    }

    fn write_number(&mut self, next: &AtomicU64) {
        let Some(place) = self.number else { return };
        let mut number = next.fetch_add(1, Ordering::Relaxed);
        for digit in self.bytes[place..place + NUMBER.len()].iter_mut().rev() {
            *digit = b'0' + u8::try_from(number % 10).unwrap_or(0);
            number /= 10;
        }
    }
}

/// Sends the requests, one of them over and over on each connection, as long as `pace` says.
pub(crate) fn run(
    address: SocketAddr,
    server: u32,
    connections: usize,
    requests: &[Request],
    pace: Pace,
) -> Result<Measured> {
    ensure!(!requests.is_empty(), "there is nothing to send");
    runtime()?.block_on(async {
        let shared = Arc::new(Shared::default());
        let mut senders = JoinSet::new();
        for request in requests.iter().cycle().take(connections) {
            let connection = Connection::open(address).await?;
            senders.spawn(send_until_told(connection, request.clone(), shared.clone()));
        }
        tokio::time::sleep(pace.warm_up).await;
        let meter = Meter::start(server)?;
        shared.counting.store(true, Ordering::Relaxed);
        tokio::time::sleep(pace.measured).await;
        shared.counting.store(false, Ordering::Relaxed);
        let used = meter.stop()?;
        shared.over.store(true, Ordering::Relaxed);
        let latencies = senders.join_all().await.concat();
        shared.measured(latencies, &used)
    })
}

/// Sends `count` requests over some connections; every answer must be a 200.
pub(crate) fn send(
    address: SocketAddr,
    connections: usize,
    request: &Request,
    count: usize,
) -> Result<()> {
    let next = Arc::new(AtomicU64::new(0));
    let count = u64::try_from(count)?;
    runtime()?.block_on(async {
        let mut senders = JoinSet::new();
        for _ in 0..connections {
            let (request, next) = (request.clone(), next.clone());
            senders.spawn(async move {
                let mut connection = Connection::open(address).await?;
                while next.fetch_add(1, Ordering::Relaxed) < count {
                    connection.exchange(&request.bytes).await?.expect_ok()?;
                }
                Ok(())
            });
        }
        senders.join_all().await.into_iter().collect()
    })
}

/// Sends each request once, over so many connections, and measures it from the first to the last.
pub(crate) fn each(
    address: SocketAddr,
    server: u32,
    connections: usize,
    requests: Vec<Request>,
) -> Result<Measured> {
    runtime()?.block_on(async {
        let queue = Arc::new(Mutex::new(requests.into_iter()));
        let shared = Arc::new(Shared::default());
        let mut open = Vec::new();
        for _ in 0..connections {
            open.push(Connection::open(address).await?);
        }
        let meter = Meter::start(server)?;
        let mut senders = JoinSet::new();
        for connection in open {
            senders.spawn(send_what_is_left(connection, queue.clone(), shared.clone()));
        }
        let latencies = senders.join_all().await.concat();
        let used = meter.stop()?;
        shared.measured(latencies, &used)
    })
}

async fn send_what_is_left(
    mut connection: Connection,
    queue: Arc<Mutex<std::vec::IntoIter<Request>>>,
    shared: Arc<Shared>,
) -> Vec<u32> {
    let mut latencies = Vec::new();
    loop {
        let next = queue.lock().unwrap_or_else(PoisonError::into_inner).next();
        let Some(request) = next else { break };
        let began = Instant::now();
        let outcome = match connection.exchange(&request.bytes).await {
            Ok(answer) => answer.expect_ok(),
            Err(error) => Err(error),
        };
        match outcome {
            Ok(()) => {
                latencies.push(u32::try_from(began.elapsed().as_micros()).unwrap_or(u32::MAX));
            }
            Err(error) => {
                shared.failed(&error);
                if connection.reopen().await.is_err() {
                    break;
                }
            }
        }
    }
    latencies
}

/// Sends every request and gives the bodies of their answers, in order.
pub(crate) fn ask_all(
    address: SocketAddr,
    connections: usize,
    requests: &[Request],
) -> Result<Vec<String>> {
    runtime()?.block_on(async {
        let mut askers = JoinSet::new();
        let share = requests.len().div_ceil(connections).max(1);
        for (place, part) in requests.chunks(share).enumerate() {
            let part = part.to_vec();
            askers.spawn(async move {
                let mut connection = Connection::open(address).await?;
                let mut bodies = Vec::with_capacity(part.len());
                for request in &part {
                    let answer = connection.exchange(&request.bytes).await?;
                    answer.expect_ok()?;
                    bodies.push(String::from_utf8(answer.body.to_vec())?);
                }
                Ok::<_, anyhow::Error>((place, bodies))
            });
        }
        let mut parts = askers
            .join_all()
            .await
            .into_iter()
            .collect::<Result<Vec<_>>>()?;
        parts.sort_by_key(|(place, _)| *place);
        Ok(parts.into_iter().flat_map(|(_, bodies)| bodies).collect())
    })
}

/// Requests under way, each on a connection of its own.
pub(crate) struct Held {
    runtime: tokio::runtime::Runtime,
    senders: JoinSet<Result<()>>,
}

/// Sends every request and waits for no answer.
pub(crate) fn hold(address: SocketAddr, requests: Vec<Request>) -> Result<Held> {
    let runtime = runtime()?;
    let senders = runtime.block_on(async {
        let mut senders = JoinSet::new();
        for request in requests {
            let mut connection = Connection::open(address).await?;
            senders.spawn(async move { connection.exchange(&request.bytes).await?.expect_ok() });
        }
        Ok::<_, anyhow::Error>(senders)
    })?;
    Ok(Held { runtime, senders })
}

impl Held {
    /// Waits for something while the requests are under way.
    pub(crate) fn wait<T>(&self, until: impl Future<Output = T>) -> T {
        self.runtime.block_on(until)
    }

    /// Waits for all answers.
    pub(crate) fn answers(self) -> Result<()> {
        let Self { runtime, senders } = self;
        runtime.block_on(async { senders.join_all().await.into_iter().collect() })
    }
}

/// Sends one request and gives the body of its answer, which must be a 200.
pub(crate) fn ask(address: SocketAddr, request: &Request) -> Result<String> {
    runtime()?.block_on(async {
        let mut connection = Connection::open(address).await?;
        let answer = connection.exchange(&request.bytes).await?;
        answer.expect_ok()?;
        Ok(String::from_utf8(answer.body.to_vec())?)
    })
}

fn runtime() -> Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("starting the load generator")
}

#[derive(Debug, Default)]
struct Shared {
    counting: AtomicBool,
    over: AtomicBool,
    next: AtomicU64,
    errors: AtomicU64,
    first_error: Mutex<Option<String>>,
}

impl Shared {
    fn measured(&self, latencies: Vec<u32>, used: &Used) -> Result<Measured> {
        let first_error = self.first_error();
        let measured = Measured::new(latencies, used).with_context(|| {
            format!(
                "the first error: {}",
                first_error.as_deref().unwrap_or("none")
            )
        })?;
        Ok(Measured {
            errors: self.errors.load(Ordering::Relaxed),
            first_error,
            ..measured
        })
    }

    fn failed(&self, error: &anyhow::Error) {
        self.errors.fetch_add(1, Ordering::Relaxed);
        self.lock().get_or_insert_with(|| format!("{error:#}"));
    }

    fn first_error(&self) -> Option<String> {
        self.lock().take()
    }

    fn lock(&self) -> MutexGuard<'_, Option<String>> {
        self.first_error
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

/// Gives the microseconds that each counted request took.
async fn send_until_told(
    mut connection: Connection,
    mut request: Request,
    shared: Arc<Shared>,
) -> Vec<u32> {
    let mut latencies = Vec::with_capacity(4096);
    while !shared.over.load(Ordering::Relaxed) {
        request.write_number(&shared.next);
        let began = Instant::now();
        let outcome = match connection.exchange(&request.bytes).await {
            Ok(answer) => answer.expect_ok(),
            Err(error) => Err(error),
        };
        match outcome {
            Ok(()) if shared.counting.load(Ordering::Relaxed) => {
                latencies.push(u32::try_from(began.elapsed().as_micros()).unwrap_or(u32::MAX));
            }
            Ok(()) => {}
            Err(error) => {
                shared.failed(&error);
                if connection.reopen().await.is_err() {
                    break;
                }
            }
        }
    }
    latencies
}
