//! The OpenClaw board: pages with filters as it grows, and tasks that go their way.

use anyhow::{Result, ensure};
use serde_json::{Value, json};

use super::Bench;
use crate::load::{self, Request};
use crate::server::Server;
use crate::table::{Goal, Load, Report, thousands};

const SIZES: [usize; 3] = [1_000, 100_000, 1_000_000];
const CONNECTIONS: usize = 64;
/// How much dearer a page may be when the board is a hundred times as large (design §9).
const TIMES: f64 = 1.5;
/// How many tasks go their way.
const WALKED: usize = 4_000;

/// What is asked of the board, each with its name.
const PAGES: [(&str, &str); 4] = [
    ("the default page", "/api/v1/tasks?limit=50"),
    (
        "by status and priority",
        "/api/v1/tasks?status=INBOX,ASSIGNED&priority=3&limit=50",
    ),
    ("an agent's own", "/api/v1/tasks?assigneeId=walker&limit=50"),
    (
        "the tenth page",
        "/api/v1/tasks?status=INBOX&limit=50&offset=450",
    ),
];

pub(super) fn measure(bench: &Bench, report: &mut Report) -> Result<()> {
    let server = Server::start(&bench.place("board"), &[])?;
    let operator = server.operator();
    let headers = [("authorization", operator.as_str())];
    walk(&server, report)?;
    // Those that go their way are no part of it: the smallest board fills a page as the largest does.
    let mut there = 0;
    let mut first = Vec::new();
    for size in SIZES {
        if size > 100_000 && bench.pace.measured.as_secs_f64() < 1.0 {
            // Filling the board would take longer than everything else together.
            continue;
        }
        if size > there {
            let made = server.create_inbox_task();
            load::send(server.address(), 256, &made, size - there)?;
            there = size;
        }
        for (index, (name, path)) in PAGES.iter().enumerate() {
            let request = [Request::get(path, &headers)];
            let measured = load::run(
                server.address(),
                server.id(),
                CONNECTIONS,
                &request,
                bench.pace,
            )?;
            let cpu = measured.cpu_ms;
            let row = Load::new(
                format!("board of {} tasks: {name}", thousands(there as f64)),
                measured,
            );
            report.loads.push(match first.get(index) {
                None => {
                    first.push(cpu);
                    row
                }
                Some(small) => row.with(flat(cpu / small)),
            });
        }
    }
    Ok(())
}

fn flat(times: f64) -> Goal {
    let target = format!("≤ {TIMES} × the CPU of the smallest board");
    Goal::at_most(target, times, TIMES, format!("{times:.2} ×"))
}

/// Makes tasks, gives each to an agent, and has it begin.
fn walk(server: &Server, report: &mut Report) -> Result<()> {
    let operator = server.operator();
    let headers = [("authorization", operator.as_str())];
    let walker = json!({"id": "walker", "name": "Walker", "workspacePath": "/tmp/walker"});
    load::ask(
        server.address(),
        &Request::post("/api/v1/agents", &headers, &walker.to_string()),
    )?;
    let task =
        json!({"title": "Go the whole way", "type": "ENGINEERING", "priority": 3}).to_string();
    let creates = vec![Request::post("/api/v1/tasks", &headers, &task); WALKED];
    let bodies = load::ask_all(server.address(), CONNECTIONS, &creates)?;
    let mut ids = Vec::with_capacity(bodies.len());
    for body in &bodies {
        let task: Value = serde_json::from_str(body)?;
        ids.extend(task["id"].as_str().map(str::to_owned));
    }
    ensure!(ids.len() == WALKED, "every task has an id");
    let assign = json!({"assigneeIds": ["walker"]}).to_string();
    let assigns = ids
        .iter()
        .map(|id| Request::patch(&format!("/api/v1/tasks/{id}"), &headers, &assign))
        .collect();
    let start =
        json!({"toStatus": "IN_PROGRESS", "workPlan": {"bullets": ["Look", "Do", "Check"]}})
            .to_string();
    let starts = ids
        .iter()
        .map(|id| Request::post(&format!("/api/v1/tasks/{id}/transition"), &headers, &start))
        .collect();
    for (name, requests) in [
        ("INBOX to ASSIGNED", assigns),
        ("ASSIGNED to IN_PROGRESS", starts),
    ] {
        let measured = load::each(server.address(), server.id(), CONNECTIONS, requests)?;
        report.loads.push(Load::new(
            format!("transition, {name}, {CONNECTIONS} connections"),
            measured,
        ));
    }
    Ok(())
}
