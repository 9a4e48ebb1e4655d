//! From what a person says to the agent's turn: the built-in dispatcher, which nobody polls.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;
use stationmaster_testkit::model::{Step, StubModel};

use super::{Bench, turns};
use crate::load;
use crate::measured::Meter;
use crate::server::Server;
use crate::table::{Goal, Report, Standing, thousands};

const AGENTS: usize = 64;
const MESSAGES: usize = 2_000;
const CONNECTIONS: usize = 16;
/// How often the way to the model is timed.
const TIMES: usize = 50;
/// From a person's message to the model on an idle machine, in milliseconds (design §9).
const REACHED_MS: f64 = 50.0;
const PATIENCE: Duration = Duration::from_secs(120);

pub(super) fn measure(bench: &Bench, report: &mut Report) -> Result<()> {
    let model = StubModel::start();
    model.always(Step::text("All is well; nothing is left to do."));
    let server = turns::start(&bench.place("woken"), &model)?;
    let tasks = tasks(&server)?;
    report.standing.push(reached(&server, &model, &tasks[0])?);

    model.set_recording(false);
    let messages: Vec<_> = tasks.iter().cycle().take(MESSAGES).collect();
    let messages: Vec<_> = messages.iter().map(|task| server.say(task)).collect();
    let before = model.request_count();
    let meter = Meter::start(server.id())?;
    load::ask_all(server.address(), CONNECTIONS, &messages)?;
    let deadline = Instant::now() + PATIENCE;
    let all = model.wait_for_requests_blocking(before + MESSAGES, deadline);
    ensure!(all, "not every message reached the model");
    let (rate, cpu) = meter.stop()?.by(MESSAGES);
    let name = format!(
        "dispatch of {} messages to {AGENTS} agents",
        thousands(MESSAGES as f64)
    );
    let value = format!(
        "{} a second, {cpu:.2} ms CPU each, turn and message included",
        thousands(rate)
    );
    report.standing.push(Standing::new(name, value));
    Ok(())
}

/// A task of each agent's own.
fn tasks(server: &Server) -> Result<Vec<String>> {
    let turns: Vec<_> = (0..AGENTS).map(turns::turn).collect();
    let answers = load::ask_all(server.address(), CONNECTIONS, &turns)?;
    let id = |answer: &String| {
        let answer: Value = serde_json::from_str(answer)?;
        Ok(answer["task_id"].as_str().context("a task")?.to_owned())
    };
    answers.iter().map(id).collect()
}

fn reached(server: &Server, model: &StubModel, task: &str) -> Result<Standing> {
    let mut times = Vec::new();
    for _ in 0..TIMES {
        let before = model.request_count();
        let began = Instant::now();
        load::ask(server.address(), &server.say(task))?;
        let came = model.wait_for_requests_blocking(before + 1, began + PATIENCE);
        ensure!(came, "a message did not reach the model");
        let requests = model.requests();
        let last = requests.last().context("a request")?;
        times.push(last.at.saturating_duration_since(began).as_secs_f64() * 1000.0);
    }
    times.sort_by(f64::total_cmp);
    let (median, longest) = (times[TIMES / 2], times[TIMES - 1]);
    let goal = Goal::at_most(
        format!("< {REACHED_MS} ms"),
        longest,
        REACHED_MS,
        format!("{longest:.1} ms"),
    );
    let name = format!("from a person's message to the model's call, median of {TIMES}");
    let value = format!("{median:.1} ms, longest {longest:.1} ms");
    Ok(Standing::new(name, value).with(goal))
}
