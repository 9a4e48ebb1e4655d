//! What a row came to, and the clock that is read before and after it.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};

use crate::process;

/// What a row came to.
#[derive(Debug, Clone)]
pub(crate) struct Measured {
    pub requests: usize,
    pub errors: u64,
    /// The first answer that was not what it should be.
    pub first_error: Option<String>,
    /// Requests a second.
    pub rate: f64,
    pub p50_ms: f64,
    pub p99_ms: f64,
    /// The measured process's user and system time, per request.
    pub cpu_ms: f64,
    /// Ours, per request; `None` where the measured process is this one.
    pub client_ms: Option<f64>,
    /// How many processors were busy with neither, as far as the kernel saw: it looks a hundred times
    /// a second, and work in short bursts escapes it.
    pub elsewhere: f64,
}

impl Measured {
    /// Of the microseconds that each request took.
    pub(crate) fn new(mut latencies: Vec<u32>, used: &Used) -> Result<Self> {
        if latencies.is_empty() {
            bail!("nothing was done in the time there was");
        }
        latencies.sort_unstable();
        let requests = latencies.len();
        let percentile = |percent: usize| {
            let index = (requests * percent / 100).min(requests - 1);
            f64::from(latencies[index]) / 1000.0
        };
        let each = |time: Duration| time.as_secs_f64() * 1000.0 / requests as f64;
        let others = used
            .machine
            .saturating_sub(used.process + used.client.unwrap_or_default());
        Ok(Self {
            requests,
            errors: 0,
            first_error: None,
            rate: requests as f64 / used.took.as_secs_f64(),
            p50_ms: percentile(50),
            p99_ms: percentile(99),
            cpu_ms: each(used.process),
            client_ms: used.client.map(each),
            elsewhere: others.as_secs_f64() / used.took.as_secs_f64(),
        })
    }
}

/// Processor time, and time, that a row took.
#[derive(Debug)]
pub(crate) struct Used {
    took: Duration,
    process: Duration,
    client: Option<Duration>,
    machine: Duration,
}

impl Used {
    /// How many of `count` were done a second, and the milliseconds of processor time that each took.
    pub(crate) fn by(&self, count: usize) -> (f64, f64) {
        let rate = count as f64 / self.took.as_secs_f64();
        (rate, self.process.as_secs_f64() * 1000.0 / count as f64)
    }
}

/// Reads the clocks when a row begins.
pub(crate) struct Meter {
    id: u32,
    began: Instant,
    process: Duration,
    client: Duration,
    machine: Duration,
}

impl Meter {
    /// For the process `id`, which may be this one.
    pub(crate) fn start(id: u32) -> Result<Self> {
        Ok(Self {
            id,
            process: process::cpu_time(id)?,
            client: process::cpu_time(std::process::id())?,
            machine: process::machine_time()?,
            began: Instant::now(),
        })
    }

    /// And when it ends.
    pub(crate) fn stop(&self) -> Result<Used> {
        let took = self.began.elapsed();
        let own = std::process::id();
        let client = process::cpu_time(own)?.saturating_sub(self.client);
        Ok(Used {
            took,
            process: process::cpu_time(self.id)?.saturating_sub(self.process),
            client: (self.id != own).then_some(client),
            machine: process::machine_time()?.saturating_sub(self.machine),
        })
    }
}
