//! Lists of a page, from a short list and from a long one.

use anyhow::{Result, ensure};

use super::Bench;
use crate::load;
use crate::server::Server;
use crate::table::{Goal, Load, Report, thousands};

const SHORT: usize = 1_000;
const LONG: usize = 100_000;
const PAGE: usize = 50;
const CONNECTIONS: usize = 64;
/// The server's CPU time for a page of the long list (design §9).
const CPU_MS: f64 = 0.12;
/// How much dearer a page of the long list may be (design §9).
const TIMES_SHORT: f64 = 1.5;

pub(super) fn measure(bench: &Bench, report: &mut Report) -> Result<()> {
    let server = Server::start(&bench.place("list"), &[])?;
    let list = server.list_tasks();
    let mut found = Vec::new();
    for (more, total) in [(SHORT, SHORT), (LONG - SHORT, LONG)] {
        load::send(server.address(), 256, &server.create_task(), more)?;
        let page: serde_json::Value = serde_json::from_str(&load::ask(server.address(), &list)?)?;
        let items = page["items"].as_array().map_or(0, Vec::len);
        ensure!(items == PAGE, "a page holds {items} tasks");
        let requests = [list.clone()];
        found.push((
            format!(
                "list {PAGE} of {} tasks, {CONNECTIONS} connections",
                thousands(total as f64)
            ),
            load::run(
                server.address(),
                server.id(),
                CONNECTIONS,
                &requests,
                bench.pace,
            )?,
        ));
    }
    let short_cpu = found.first().map_or(0.0, |(_, measured)| measured.cpu_ms);
    let last = found.len() - 1;
    for (index, (name, measured)) in found.into_iter().enumerate() {
        let cpu = measured.cpu_ms;
        let row = Load::new(name, measured);
        report.loads.push(if index == last {
            row.with(cheap(cpu)).with(flat(cpu / short_cpu))
        } else {
            row
        });
    }
    Ok(())
}

fn cheap(cpu_ms: f64) -> Goal {
    let target = format!("≤ {CPU_MS} ms CPU");
    Goal::at_most(target, cpu_ms, CPU_MS, format!("{cpu_ms:.3} ms"))
}

fn flat(times: f64) -> Goal {
    let target = format!("≤ {TIMES_SHORT} × the CPU of the short list");
    Goal::at_most(target, times, TIMES_SHORT, format!("{times:.2} ×"))
}
