//! `mc agent register` and `mc agent update`: who an agent is and what it may spend.

use clap::{ArgAction, Args};
use serde_json::{Map, Value};

use super::{save, status};
use crate::call::{Body, Call};
use crate::failure::{Exit, Failure};
use crate::print::record::record;
use crate::print::value::Kind;
use crate::print::{Shape, console};
use crate::session::Session;
use crate::words::{self, OneOf};

#[derive(Debug, Args)]
pub(crate) struct Register {
    /// What it is called by: small letters, digits, `_`, `-`
    #[arg(long, value_parser = words::id)]
    id: String,
    /// What people call it
    #[arg(long)]
    name: String,
    /// A picture for it
    #[arg(long)]
    emoji: Option<String>,
    /// INTERN, SPECIALIST or LEAD [default: SPECIALIST]
    #[arg(long, value_parser = OneOf(words::AGENT_ROLES))]
    role: Option<String>,
    /// The directory it works in [default: MC_WORKSPACE]
    #[arg(long, value_name = "DIR")]
    workspace: Option<String>,
    #[command(flatten)]
    limits: Limits,
    /// It may spawn others
    #[arg(long)]
    can_spawn: bool,
    /// How many others it may have at once
    #[arg(long, value_name = "N")]
    max_sub_agents: Option<u32>,
    /// The agent that spawns it
    #[arg(long, value_name = "ID", value_parser = words::id)]
    parent: Option<String>,
    /// The task it is spawned for
    #[arg(long, value_name = "TASK", value_parser = words::id)]
    parent_task: Option<String>,
    /// What it is spawned for, in words
    #[arg(long)]
    purpose: Option<String>,
    /// Anything else, as a JSON object
    #[arg(long, value_name = "JSON", value_parser = words::object)]
    metadata: Option<Map<String, Value>>,
    /// Write its token into the configuration file
    #[arg(long)]
    save: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Update {
    /// Its id
    #[arg(value_parser = words::id)]
    id: String,
    /// What people call it
    #[arg(long)]
    name: Option<String>,
    /// A picture for it
    #[arg(long)]
    emoji: Option<String>,
    #[command(flatten)]
    limits: Limits,
    /// Whether it may spawn others
    #[arg(long, value_name = "true|false", action = ArgAction::Set)]
    can_spawn: Option<bool>,
    /// What else is known of it, as a JSON object
    #[arg(long, value_name = "JSON", value_parser = words::object)]
    metadata: Option<Map<String, Value>>,
}

#[derive(Debug, Args)]
struct Limits {
    /// Types of tasks it may do, separated by commas; none means all
    #[arg(long, value_name = "TYPES", value_delimiter = ',', value_parser = OneOf(words::TASK_TYPES))]
    task_types: Vec<String>,
    /// Tools it may use, separated by commas; none means all
    #[arg(long, value_name = "TOOLS", value_delimiter = ',')]
    tools: Vec<String>,
    /// US dollars a day
    #[arg(long, value_name = "USD", value_parser = words::money)]
    budget_daily: Option<f64>,
    /// US dollars a run
    #[arg(long, value_name = "USD", value_parser = words::money)]
    budget_per_run: Option<f64>,
    /// How often it means to send heartbeats, in seconds
    #[arg(long, value_name = "SECONDS")]
    heartbeat_interval: Option<u32>,
}

impl Limits {
    fn add_to(self, body: Body) -> Body {
        body.list("allowedTaskTypes", self.task_types)
            .list("allowedTools", self.tools)
            .maybe("budgetDaily", self.budget_daily)
            .maybe("budgetPerRun", self.budget_per_run)
            .maybe("heartbeatIntervalSec", self.heartbeat_interval)
    }
}

impl Register {
    pub(super) async fn run(self, session: &Session) -> Result<Exit, Failure> {
        if session.out.is_quiet() && !self.save {
            return Err(Failure::usage(
                "with --quiet the token, which is shown once, would be lost",
            )
            .hint("add --save, or use --json"));
        }
        let workspace = absolute(
            self.workspace
                .or_else(|| session.settings.workspace.clone()),
        )?;
        let metadata = Body::new()
            .maybe("parentTaskId", self.parent_task)
            .maybe("purpose", self.purpose)
            .beside(self.metadata.unwrap_or_default());
        let body = Body::new()
            .with("id", self.id.as_str())
            .with("name", self.name)
            .maybe("emoji", self.emoji)
            .maybe("role", self.role)
            .with("workspacePath", workspace.as_str());
        let body = self
            .limits
            .add_to(body)
            .maybe("canSpawn", self.can_spawn.then_some(true))
            .maybe("maxSubAgents", self.max_sub_agents)
            .maybe("parentAgentId", self.parent)
            .maybe("metadata", metadata.if_any());
        let call = Call::post(&["agents"], body).by_operator();
        let reply =
            session
                .client
                .send(&call)
                .await
                .map_err(|failure| match failure.code.as_deref() {
                    Some("ALREADY_PROCESSED") => failure.hint(format!(
                        "it is registered; a new token: mc agent token {}",
                        self.id
                    )),
                    _ => failure,
                })?;
        let token = reply.body["token"].as_str().unwrap_or_default().to_owned();
        // Shown before it is saved: should saving fail, the token is not lost.
        session.out.show(&reply, Shape::One, |style, agent| {
            let who = &[
                ("Agent", "id", Kind::Id),
                ("Name", "name", Kind::Text),
                ("Role", "role", Kind::Text),
            ];
            let rest = &[
                ("Workspace", "workspacePath", Kind::Text),
                ("Daily budget", "budgetDaily", Kind::Money),
                ("Budget per run", "budgetPerRun", Kind::Money),
                ("Token", "token", Kind::Id),
            ];
            record(style, agent, &[who.as_slice(), rest].concat())
        })?;
        if self.save {
            save(session, &self.id, &token, Some(&workspace))?;
        } else if session.out.is_table() && !token.is_empty() {
            console::note("the token is shown once; the agent needs it as MC_AGENT_TOKEN");
        }
        if session.out.is_table() && !std::path::Path::new(&workspace).is_dir() {
            let place = "is no directory of this machine; if the agent works here";
            console::note(&format!("{workspace} {place}: mkdir -p {workspace}"));
        }
        Ok(Exit::Done)
    }
}

/// A workspace means the same to everybody only as a whole path.
fn absolute(workspace: Option<String>) -> Result<String, Failure> {
    let Some(path) = workspace else {
        return Err(Failure::usage(
            "where does the agent work? --workspace DIR, or MC_WORKSPACE",
        ));
    };
    if path.starts_with(['/', '~']) {
        return Ok(path);
    }
    std::path::absolute(&path)
        .map(|whole| whole.display().to_string())
        .map_err(|error| Failure::usage(format!("--workspace {path}: {error}")))
}

impl Update {
    pub(super) async fn run(self, session: &Session) -> Result<Exit, Failure> {
        let body = Body::new()
            .maybe("name", self.name)
            .maybe("emoji", self.emoji);
        let body = self
            .limits
            .add_to(body)
            .maybe("canSpawn", self.can_spawn)
            .maybe("metadata", self.metadata);
        if body.is_empty() {
            return Err(Failure::usage(
                "nothing to change: give --name, --budget-daily, --task-types, …",
            ));
        }
        let call = Call::patch(&["agents", &self.id], body).by_operator();
        session.show(call, Shape::One, status).await
    }
}
