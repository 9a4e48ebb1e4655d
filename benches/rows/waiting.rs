//! Turns that wait: a thousand for their model, ten thousand for a person's word.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};
use stationmaster_testkit::model::{Step, StubModel};

use super::{Bench, turns};
use crate::load::{self, Request};
use crate::measured::Meter;
use crate::process::Memory;
use crate::server::Server;
use crate::table::{Goal, Report, Standing, thousands};

const TURNS: usize = 1_000;
/// Resident memory with so many turns waiting for their models.
const WAITING_MIB: f64 = 150.0;
const PAUSED: usize = 10_000;
const CONNECTIONS: usize = 16;
/// How many of the paused turns go on one after the other, and then how many at once.
const TIMES: usize = 20;
const AT_ONCE: usize = 500;
const PATIENCE: Duration = Duration::from_secs(300);

pub(super) fn measure(bench: &Bench, report: &mut Report) -> Result<()> {
    report.standing.push(memory(bench)?);
    resume(bench, report)
}

fn memory(bench: &Bench) -> Result<Standing> {
    let model = StubModel::start();
    model.set_recording(false);
    let server = turns::start(&bench.place("waiting"), &model)?;
    model.always(Step::Hang);
    let held = load::hold(server.address(), (0..TURNS).map(turns::turn).collect())?;
    let deadline = Instant::now() + PATIENCE;
    let all = held.wait(model.wait_for_requests(TURNS, deadline));
    ensure!(all, "not every turn came to its model");
    let resident = Memory::of(server.id())?.resident;
    model.release();
    held.answers()?;
    let goal = Goal::at_most(
        format!("≤ {WAITING_MIB} MiB resident"),
        resident,
        WAITING_MIB,
        format!("{resident:.1} MiB"),
    );
    let name = format!(
        "memory with {} turns waiting for their model",
        thousands(TURNS as f64)
    );
    Ok(Standing::new(name, format!("{resident:.1} MiB resident")).with(goal))
}

fn resume(bench: &Bench, report: &mut Report) -> Result<()> {
    let model = StubModel::start();
    let directory = bench.place("paused");
    let server = turns::start(&directory, &model)?;
    guard(&server)?;
    let draft = json!({"title": "Draft", "content": "# Hi"});
    model.always(Step::tool("create_document", draft));
    model.set_recording(false);
    let requests: Vec<Request> = (0..PAUSED).map(turns::turn).collect();
    let answers = load::ask_all(server.address(), 64, &requests)?;
    let approvals = answers.iter().map(|answer| approval(answer));
    let approvals = approvals.collect::<Result<Vec<_>>>()?;
    drop(server);

    let began = Instant::now();
    let server = turns::start(&directory, &model)?;
    load::ask(server.address(), &Request::get("/health", &[]))?;
    let start = began.elapsed();
    let paused = thousands(PAUSED as f64);
    report.standing.push(Standing::new(
        format!("start to healthy with {paused} paused turns"),
        format!("{:.0} ms", start.as_secs_f64() * 1000.0),
    ));

    model.always(Step::text("Done."));
    let mut times = Vec::new();
    for id in &approvals[..TIMES] {
        let before = model.request_count();
        let began = Instant::now();
        load::ask(server.address(), &approve(&server, id))?;
        let went_on = model.wait_for_requests_blocking(before + 1, began + PATIENCE);
        ensure!(went_on, "a turn did not go on");
        times.push(began.elapsed().as_secs_f64() * 1000.0);
    }
    times.sort_by(f64::total_cmp);
    let (median, longest) = (times[TIMES / 2], times[TIMES - 1]);
    report.standing.push(Standing::new(
        format!(
            "from a person's word to the model's call with {paused} paused turns, median of {TIMES}"
        ),
        format!("{median:.1} ms, longest {longest:.1} ms"),
    ));

    let words = &approvals[TIMES..TIMES + AT_ONCE];
    let words: Vec<_> = words.iter().map(|id| approve(&server, id)).collect();
    let before = model.request_count();
    let meter = Meter::start(server.id())?;
    load::ask_all(server.address(), CONNECTIONS, &words)?;
    let deadline = Instant::now() + PATIENCE;
    let all = model.wait_for_requests_blocking(before + AT_ONCE, deadline);
    ensure!(all, "not every turn went on");
    let (rate, cpu) = meter.stop()?.by(AT_ONCE);
    report.standing.push(Standing::new(
        format!("{AT_ONCE} of {paused} paused turns go on at once"),
        format!(
            "{} a second, {cpu:.2} ms CPU each, decision included",
            thousands(rate)
        ),
    ));
    Ok(())
}

/// Documents are not made without a person's word.
fn guard(server: &Server) -> Result<()> {
    let headers = [("authorization", server.operator())];
    let headers = headers
        .each_ref()
        .map(|(name, value)| (*name, value.as_str()));
    let active = load::ask(
        server.address(),
        &Request::get("/api/v1/policy/active", &headers),
    )?;
    let active: Value = serde_json::from_str(&active)?;
    let mut rules = active["document"].clone();
    let guarded = json!("create_document");
    let tools = &mut rules["tools"];
    let green = tools["green"].as_array_mut().context("the green tools")?;
    green.retain(|tool| *tool != guarded);
    let red = tools["red"].as_array_mut().context("the red tools")?;
    red.push(guarded);
    let body = json!({"document": rules, "scope": "GLOBAL"}).to_string();
    load::ask(
        server.address(),
        &Request::put("/api/v1/policy", &headers, &body),
    )?;
    Ok(())
}

/// The approval that a turn waits for.
fn approval(answer: &str) -> Result<String> {
    let answer: Value = serde_json::from_str(answer)?;
    let id = answer["approval_id"].as_str();
    Ok(id.context("an approval")?.to_owned())
}

fn approve(server: &Server, id: &str) -> Request {
    Request::patch(
        &format!("/api/mission-control/tool-requests/{id}"),
        &[("authorization", &server.operator())],
        r#"{"status":"approved"}"#,
    )
}
