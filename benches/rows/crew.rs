//! A crew of ten thousand agents that say they live.

use anyhow::{Context as _, Result};
use serde_json::{Value, json};

use super::Bench;
use crate::load::{self, Request};
use crate::server::Server;
use crate::table::{Load, Report, thousands};

const AGENTS: usize = 10_000;
const CONNECTIONS: usize = 64;

pub(super) fn measure(bench: &Bench, report: &mut Report) -> Result<()> {
    // Nobody is counted, so that the rows show what a request costs.
    let server = Server::start(&bench.place("crew"), &[("MC_RATE_HEARTBEATS", "0")])?;
    let operator = server.operator();
    let registrations: Vec<Request> = (0..AGENTS)
        .map(|number| {
            let body = json!({"id": format!("agent-{number}"), "name": format!("Agent {number}"),
                "workspacePath": format!("/tmp/agents/{number}")});
            Request::post(
                "/api/v1/agents",
                &[("authorization", operator.as_str())],
                &body.to_string(),
            )
        })
        .collect();
    let bodies = load::ask_all(server.address(), CONNECTIONS, &registrations)?;
    let mut beats = Vec::with_capacity(AGENTS);
    for body in &bodies {
        let agent: Value = serde_json::from_str(body)?;
        let (id, token) = (
            agent["id"].as_str().context("an id")?,
            agent["token"].as_str().context("a token")?,
        );
        beats.push(Request::post(
            &format!("/api/v1/agents/{id}/heartbeat"),
            &[("authorization", &format!("Bearer {token}"))],
            r#"{"status":"HEALTHY"}"#,
        ));
    }
    let measured = load::each(server.address(), server.id(), CONNECTIONS, beats)?;
    report.loads.push(Load::new(
        format!(
            "heartbeat of {} agents, one each, {CONNECTIONS} connections",
            thousands(AGENTS as f64)
        ),
        measured,
    ));
    Ok(())
}
