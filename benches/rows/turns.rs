//! Agent turns: everything but the model, which answers at once and calls no tool.

use std::fs;

use anyhow::Result;
use stationmaster_testkit::model::{Step, StubModel};

use super::Bench;
use crate::load::{self, Request};
use crate::server::{Server, TENANT};
use crate::table::{Goal, Load, Report};

/// The server's CPU time for one (design §9).
const CPU_MS: f64 = 0.6;

pub(super) fn measure(bench: &Bench, report: &mut Report) -> Result<()> {
    let model = StubModel::start();
    model.set_recording(false);
    model.always(Step::text("All is well; nothing is left to do."));
    let directory = bench.place("turns");
    let workspace = directory.join("workspace");
    fs::create_dir_all(&workspace)?;
    fs::write(
        workspace.join("AGENTS.md"),
        "Be brief, be kind. ".repeat(100),
    )?;
    fs::write(workspace.join("SOUL.md"), "You like trains. ".repeat(50))?;
    let server = Server::start(
        &directory,
        &[
            ("OPENAI_BASE_URL", &model.base_url()),
            ("OPENAI_API_KEY", "none"),
        ],
    )?;
    for callers in [1, 32] {
        let requests: Vec<Request> = (0..callers).map(turn).collect();
        let measured = load::run(
            server.address(),
            server.id(),
            callers,
            &requests,
            bench.pace,
        )?;
        let plural = if callers == 1 { "" } else { "s" };
        let cpu = measured.cpu_ms;
        let row = Load::new(format!("agent turn, {callers} caller{plural}"), measured);
        let target = format!("≤ {CPU_MS} ms CPU");
        report
            .loads
            .push(row.with(Goal::at_most(target, cpu, CPU_MS, format!("{cpu:.3} ms"))));
    }
    Ok(())
}

/// A turn of the caller's own agent on its own task, which the first of them makes.
fn turn(caller: usize) -> Request {
    let body = serde_json::json!({
        "user_id": TENANT,
        "session_key": format!("user:{TENANT}:agent-{caller}"),
        "task_title": format!("What agent {caller} is asked"),
        "message": "Where do we stand, and what is left to do?",
    });
    Request::post("/api/agents/send", &[], &body.to_string())
}
