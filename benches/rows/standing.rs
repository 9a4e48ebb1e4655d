//! What the program costs when nobody asks it anything: its start, its memory, its size.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Result;

use super::Bench;
use crate::load::{self, Request};
use crate::process::Memory;
use crate::server::Server;
use crate::table::{Goal, Report, Standing};

/// From spawning the process to the first 200 of `/health` (design §9).
const START_MS: f64 = 100.0;
/// Resident memory (design §9).
const IDLE_MIB: f64 = 40.0;
const STARTS: usize = 10;
/// How many tasks the directory holds that is not fresh.
const TASKS: usize = 1_000;
/// How long a server is left alone before its memory is looked at.
const REST: Duration = Duration::from_secs(1);

pub(super) fn measure(bench: &Bench, report: &mut Report) -> Result<()> {
    let mut fresh = Vec::new();
    for start in 0..STARTS {
        fresh.push(time_start(&bench.place(&format!("fresh-{start}")))?);
    }
    report.standing.push(start_row("a fresh directory", fresh));

    let directory = bench.place("used");
    let server = Server::start(&directory, &[])?;
    load::send(server.address(), 64, &server.create_task(), TASKS)?;
    drop(server);
    let mut used = Vec::new();
    for _ in 0..STARTS {
        used.push(time_start(&directory)?);
    }
    report.standing.push(start_row("a used directory", used));

    let server = Server::start(&bench.place("idle"), &[])?;
    load::ask(server.address(), &Request::get("/health", &[]))?;
    std::thread::sleep(REST);
    let memory = Memory::of(server.id())?;
    let Memory {
        resident,
        anonymous,
        proportional,
    } = memory;
    let goal = Goal::at_most(
        format!("≤ {IDLE_MIB} MiB resident"),
        resident,
        IDLE_MIB,
        format!("{resident:.1} MiB"),
    );
    let value = format!(
        "{resident:.1} MiB resident, {proportional:.1} MiB proportional, {anonymous:.1} MiB anonymous"
    );
    report
        .standing
        .push(Standing::new("memory when idle", value).with(goal));
    let size = std::fs::metadata(env!("CARGO_BIN_EXE_stationmaster"))?.len();
    report.standing.push(Standing::new(
        "size of the program",
        format!("{:.1} MiB", size as f64 / 1_048_576.0),
    ));
    Ok(())
}

fn time_start(directory: &Path) -> Result<f64> {
    let began = Instant::now();
    let server = Server::start(directory, &[])?;
    load::ask(server.address(), &Request::get("/health", &[]))?;
    Ok(began.elapsed().as_secs_f64() * 1000.0)
}

fn start_row(directory: &str, mut times: Vec<f64>) -> Standing {
    times.sort_by(f64::total_cmp);
    let median = times.get(times.len() / 2).copied().unwrap_or(f64::NAN);
    let longest = times.last().copied().unwrap_or(f64::NAN);
    let goal = Goal::at_most(
        format!("≤ {START_MS} ms"),
        median,
        START_MS,
        format!("{median:.0} ms"),
    );
    Standing::new(
        format!("start to healthy on {directory}, median of {STARTS}"),
        format!("{median:.0} ms, longest {longest:.0} ms"),
    )
    .with(goal)
}
