//! Durable task creates over HTTP, between two looks at what the disk allows.

use anyhow::Result;

use super::{Bench, raw};
use crate::load;
use crate::process::Memory;
use crate::server::Server;
use crate::table::{Goal, Load, Report, Standing, thousands};

/// How many times one row a commit (design §9).
const TIMES_RAW: f64 = 15.0;
/// The server's CPU time for one (design §9).
const CPU_MS: f64 = 0.08;
/// Connections of the row that has the targets.
const MAIN: usize = 64;

pub(super) fn measure(bench: &Bench, report: &mut Report) -> Result<()> {
    let before = raw::measure(&bench.place("raw-before.db"), bench.pace)?;
    let server = Server::start(&bench.place("creates"), &[])?;
    let fresh = Memory::of(server.id())?;
    let mut sent = 0;
    let mut rows = Vec::new();
    for (connections, key) in [(1, false), (MAIN, false), (512, false), (MAIN, true)] {
        let (request, with) = if key {
            (server.create_task_once(), " with an idempotency key")
        } else {
            (server.create_task(), "")
        };
        let measured = load::run(
            server.address(),
            server.id(),
            connections,
            &[request],
            bench.pace,
        )?;
        sent += measured.requests;
        let plural = if connections == 1 { "" } else { "s" };
        let name = format!("task create{with}, {connections} connection{plural}");
        rows.push((connections == MAIN && !key, name, measured));
    }
    let full = Memory::of(server.id())?;
    drop(server);
    let after = raw::measure(&bench.place("raw-after.db"), bench.pace)?;

    // The disk does not stand still: the better of the two is what it allows.
    let raw_rate = before.rate.max(after.rate);
    for (name, measured) in [("before", before), ("after", after)] {
        let name = format!("SQLite FULL, one row a commit, {name} the creates");
        report.loads.push(Load::new(name, measured));
    }
    for (is_main, name, measured) in rows {
        let (rate, cpu) = (measured.rate, measured.cpu_ms);
        let row = Load::new(name, measured);
        report.loads.push(if is_main {
            row.with(against_raw(rate, raw_rate)).with(cheap(cpu))
        } else {
            row
        });
    }
    report.standing.push(Standing::new(
        format!("memory after {} measured creates", thousands(sent as f64)),
        format!(
            "{:.1} MiB resident, {:.1} MiB before",
            full.resident, fresh.resident
        ),
    ));
    Ok(())
}

fn against_raw(rate: f64, raw: f64) -> Goal {
    let target = format!(
        "≥ {TIMES_RAW} × one row a commit = {}/s",
        thousands(TIMES_RAW * raw)
    );
    let times = rate / raw;
    Goal::at_least(target, times, TIMES_RAW, format!("{times:.1} ×"))
}

fn cheap(cpu_ms: f64) -> Goal {
    let target = format!("≤ {CPU_MS} ms CPU");
    Goal::at_most(target, cpu_ms, CPU_MS, format!("{cpu_ms:.3} ms"))
}
