//! Agent turns: everything but the model, which answers at once or after a while and calls no tool.

use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::Result;
use stationmaster_testkit::model::{Step, StubModel};

use super::Bench;
use crate::load::{self, Request};
use crate::server::{Server, TENANT};
use crate::table::{Goal, Load, Report};

/// The server's CPU time for one (design §9).
const CPU_MS: f64 = 0.6;
const CALLERS: [usize; 3] = [1, 32, 256];
/// How long the model thinks.
const THINKING: [Duration; 2] = [Duration::ZERO, Duration::from_millis(200)];

pub(super) fn measure(bench: &Bench, report: &mut Report) -> Result<()> {
    let model = StubModel::start();
    model.set_recording(false);
    let server = start(&bench.place("turns"), &model)?;
    for thinking in THINKING {
        let said = Step::text("All is well; nothing is left to do.");
        model.always(match thinking.is_zero() {
            true => said,
            false => Step::Delay(thinking, Box::new(said)),
        });
        for callers in CALLERS {
            let requests: Vec<Request> = (0..callers).map(turn).collect();
            let (address, id) = (server.address(), server.id());
            let measured = load::run(address, id, callers, &requests, bench.pace)?;
            let cpu = measured.cpu_ms;
            let plural = if callers == 1 { "" } else { "s" };
            let name = format!(
                "agent turn, {callers} caller{plural}, model thinks {} ms",
                thinking.as_millis()
            );
            let target = format!("≤ {CPU_MS} ms CPU");
            let goal = Goal::at_most(target, cpu, CPU_MS, format!("{cpu:.3} ms"));
            report.loads.push(Load::new(name, measured).with(goal));
        }
    }
    Ok(())
}

/// A server whose agents have a workspace, and this model.
pub(super) fn start(directory: &Path, model: &StubModel) -> Result<Server> {
    let workspace = directory.join("workspace");
    fs::create_dir_all(&workspace)?;
    fs::write(
        workspace.join("AGENTS.md"),
        "Be brief, be kind. ".repeat(100),
    )?;
    fs::write(workspace.join("SOUL.md"), "You like trains. ".repeat(50))?;
    let settings = [
        ("OPENAI_BASE_URL", model.base_url()),
        ("OPENAI_API_KEY", "none".to_owned()),
    ];
    let settings = settings
        .each_ref()
        .map(|(name, value)| (*name, value.as_str()));
    Server::start(directory, &settings)
}

/// A turn of the caller's own agent on its own task, which the first of them makes.
pub(super) fn turn(caller: usize) -> Request {
    let body = serde_json::json!({
        "user_id": TENANT,
        "session_key": format!("user:{TENANT}:agent-{caller}"),
        "task_title": format!("What agent {caller} is asked"),
        "message": "Where do we stand, and what is left to do?",
    });
    Request::post("/api/agents/send", &[], &body.to_string())
}
