//! Verdicts of the policy on every command of the corpus: in process, and over HTTP.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use serde::Deserialize;
use serde_json::json;
use stationmaster_policy::{Action, Agent, Context, Rank, Rules, Status, decide};

use super::Bench;
use crate::load::{self, Request};
use crate::server::Server;
use crate::table::{Goal, Load, Report, Standing};

const CONNECTIONS: usize = 64;
/// How many verdicts are asked for over HTTP.
const ASKED: usize = 20_000;
/// How often the corpus is judged in process before the clock counts, and then.
const WARM: usize = 3;
const ROUNDS: usize = 30;
/// Design §9.
const MOST_MICROSECONDS: f64 = 15.0;
/// Longer than anybody's command, and what the slowest verdict is held against.
const LONGEST: Duration = Duration::from_millis(5);

#[derive(Deserialize)]
struct File {
    group: Vec<Group>,
}

#[derive(Deserialize)]
struct Group {
    #[serde(default)]
    commands: Vec<String>,
}

/// Every command that the policy's own tests judge.
fn corpus() -> Result<Vec<String>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("crates/policy/corpus");
    let mut commands = Vec::new();
    for entry in std::fs::read_dir(&folder).context("the corpus")? {
        let path = entry?.path();
        let text = std::fs::read_to_string(&path)?;
        let file: File = toml::from_str(&text).with_context(|| path.display().to_string())?;
        commands.extend(file.group.into_iter().flat_map(|group| group.commands));
    }
    Ok(commands)
}

pub(super) fn measure(bench: &Bench, report: &mut Report) -> Result<()> {
    let commands = corpus()?;
    in_process(&commands, report);
    over_http(bench, &commands, report)
}

fn in_process(commands: &[String], report: &mut Report) {
    let rules = Rules::built_in();
    let agent = Agent {
        rank: Rank::Specialist,
        status: Status::Active,
        allowed_tools: None,
        workspace: Some("/home/agent/.openclaw/agents/jordan/work".to_owned()),
        home: Some("/home/agent".to_owned()),
        can_spawn: true,
    };
    let context = Context::default();
    let actions: Vec<Action> = commands
        .iter()
        .map(|command| Action::command("exec", command))
        .collect();
    let mut took = Vec::with_capacity(actions.len() * ROUNDS);
    for round in 0..WARM + ROUNDS {
        for action in &actions {
            let began = Instant::now();
            std::hint::black_box(decide(
                &rules,
                std::hint::black_box(action),
                &agent,
                &context,
            ));
            if round >= WARM {
                took.push(began.elapsed());
            }
        }
    }
    took.sort_unstable();
    let at = |share: usize| {
        took.get(took.len() * share / 1000)
            .copied()
            .unwrap_or_default()
    };
    let microseconds = |it: Duration| it.as_secs_f64() * 1e6;
    let (p50, p99) = (microseconds(at(500)), microseconds(at(990)));
    let longest = took.last().copied().unwrap_or_default();
    report.standing.push(
        Standing::new(
            format!(
                "verdict in process on {} commands, the full rules",
                actions.len()
            ),
            format!("p50 {p50:.1} µs, p99 {p99:.1} µs"),
        )
        .with(Goal::at_most(
            format!("p50 ≤ {MOST_MICROSECONDS} µs"),
            p50,
            MOST_MICROSECONDS,
            format!("{p50:.1} µs"),
        )),
    );
    report.standing.push(
        Standing::new(
            "the slowest of these verdicts",
            format!("{:.0} µs", microseconds(longest)),
        )
        .with(Goal::at_most(
            "≤ 5 ms",
            longest.as_secs_f64(),
            LONGEST.as_secs_f64(),
            format!("{:.2} ms", longest.as_secs_f64() * 1e3),
        )),
    );
}

fn over_http(bench: &Bench, commands: &[String], report: &mut Report) -> Result<()> {
    let server = Server::start(&bench.place("verdicts"), &[])?;
    let operator = server.operator();
    let headers = [("authorization", operator.as_str())];
    let agent = json!({"id": "judged", "name": "Judged", "workspacePath": "/home/agent/work"});
    load::ask(
        server.address(),
        &Request::post("/api/v1/agents", &headers, &agent.to_string()),
    )?;
    let requests = commands
        .iter()
        .cycle()
        .take(ASKED)
        .map(|command| {
            let body = json!({"agentId": "judged",
                "action": {"type": "TOOL_CALL", "tool": "exec", "command": command}});
            Request::post("/api/v1/policy/evaluate", &headers, &body.to_string())
        })
        .collect();
    let measured = load::each(server.address(), server.id(), CONNECTIONS, requests)?;
    report.loads.push(Load::new(
        format!("verdict over HTTP on the same commands, {CONNECTIONS} connections"),
        measured,
    ));
    Ok(())
}
