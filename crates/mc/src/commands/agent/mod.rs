//! `mc agent`: who is in the crew (§4 agents, §6).

mod register;

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use crate::call::{Body, Call};
use crate::config;
use crate::failure::{Exit, Failure};
use crate::options::{Page, Watch};
use crate::print::record::{Line, record};
use crate::print::table::{Column, table};
use crate::print::value::Kind;
use crate::print::{Shape, Style, clean, console};
use crate::session::Session;
use crate::words::{self, OneOf};

#[derive(Debug, Subcommand)]
pub(crate) enum Agent {
    /// Add an agent to the crew and get its token (operator; or an agent that spawns one)
    Register(register::Register),
    /// An agent's status and budget
    Status(Status),
    /// All agents
    List(List),
    /// One agent, with its numbers and latest runs
    Get(One),
    /// Change an agent's name, types of tasks or budget (operator)
    Update(register::Update),
    /// Let it start nothing until it is resumed (operator)
    Pause(Control),
    /// Let it go on (operator)
    Resume(Control),
    /// Let it finish what it has, and take nothing new (operator)
    Drain(Control),
    /// Stop it at once and block its tasks (operator)
    Quarantine(Control),
    /// Resume it with a new session and no errors counted (operator)
    Restart(Control),
    /// Make a new token for an agent (operator)
    Token(NewToken),
    /// Take a token away (operator)
    RevokeToken(RevokeToken),
}

#[derive(Debug, Args)]
pub(crate) struct One {
    /// Its id
    #[arg(value_parser = words::id)]
    id: String,
}

#[derive(Debug, Args)]
pub(crate) struct Status {
    /// Which agent [default: the one you are]
    #[arg(value_parser = words::id)]
    id: Option<String>,
    #[command(flatten)]
    watch: Watch,
}

#[derive(Debug, Args)]
pub(crate) struct List {
    /// Only those that are ACTIVE, PAUSED, DRAINED, QUARANTINED or OFFLINE
    #[arg(long, value_parser = OneOf(words::AGENT_STATUSES))]
    status: Option<String>,
    /// Only those that are INTERN, SPECIALIST or LEAD
    #[arg(long, value_parser = OneOf(words::AGENT_ROLES))]
    role: Option<String>,
    #[command(flatten)]
    page: Page,
}

#[derive(Debug, Args)]
pub(crate) struct Control {
    /// Its id
    #[arg(value_parser = words::id)]
    id: String,
    /// Why; kept in the record
    #[arg(long)]
    reason: Option<String>,
    /// For how long: 30m, 24h, 7d
    #[arg(long, value_name = "TIME", value_parser = words::api_duration)]
    duration: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct NewToken {
    /// Its id
    #[arg(value_parser = words::id)]
    id: String,
    /// How long it is good [default: for ever]
    #[arg(long, value_name = "TIME", value_parser = words::api_duration)]
    expires_in: Option<String>,
    /// Leave the agent's other tokens good
    #[arg(long)]
    keep_others: bool,
    /// Write it into the configuration file
    #[arg(long)]
    save: bool,
}

#[derive(Debug, Args)]
pub(crate) struct RevokeToken {
    /// Its id
    #[arg(value_parser = words::id)]
    id: String,
    /// The id of the token
    #[arg(value_parser = words::id)]
    token_id: String,
}

const LIST: &[Column] = &[
    ("ID", "id", Kind::Id),
    ("STATUS", "status", Kind::Word),
    ("HEALTH", "health", Kind::Word),
    ("ROLE", "role", Kind::Text),
    ("SPENT", "spendToday", Kind::Money),
    ("DAILY", "budgetDaily", Kind::Money),
    ("TASK", "currentTaskId", Kind::Id),
    ("HEARTBEAT", "lastHeartbeatAt", Kind::When),
    ("NAME", "name", Kind::Long),
];

/// §14: status, spendToday, budgetDaily, remaining; and what explains them.
const STATUS: &[Line] = &[
    ("Agent", "id", Kind::Id),
    ("Status", "status", Kind::Word),
    ("Reason", "statusReason", Kind::Text),
    ("Until", "statusUntil", Kind::When),
    ("Health", "health", Kind::Word),
    ("Spent today", "spendToday", Kind::Money),
    ("Daily budget", "budgetDaily", Kind::Money),
    ("Remaining", "budgetRemaining", Kind::Money),
    ("Task", "currentTaskId", Kind::Id),
    ("Heartbeat", "lastHeartbeatAt", Kind::When),
    ("Last error", "lastError", Kind::Text),
];

const WHOLE: &[Line] = &[
    ("Agent", "id", Kind::Id),
    ("Tenant", "tenantId", Kind::Id),
    ("Name", "name", Kind::Text),
    ("Emoji", "emoji", Kind::Text),
    ("Role", "role", Kind::Text),
    ("Status", "status", Kind::Word),
    ("Reason", "statusReason", Kind::Text),
    ("Until", "statusUntil", Kind::When),
    ("Health", "health", Kind::Word),
    ("Workspace", "workspacePath", Kind::Text),
    ("Task types", "allowedTaskTypes", Kind::Text),
    ("Tools", "allowedTools", Kind::Text),
    ("Spent today", "spendToday", Kind::Money),
    ("Daily budget", "budgetDaily", Kind::Money),
    ("Remaining", "budgetRemaining", Kind::Money),
    ("Budget per run", "budgetPerRun", Kind::Money),
    ("May spawn", "canSpawn", Kind::Text),
    ("Parent", "parentAgentId", Kind::Id),
    ("Current task", "currentTaskId", Kind::Id),
    ("Heartbeat", "lastHeartbeatAt", Kind::When),
    ("Errors in a row", "errorStreak", Kind::Text),
    ("Last error", "lastError", Kind::Text),
    ("Tasks completed", "stats.tasksCompleted", Kind::Text),
    ("Tasks in progress", "stats.tasksInProgress", Kind::Text),
    ("Spent this week", "stats.spendThisWeek", Kind::Money),
    ("Average task", "stats.avgTaskDurationSec", Kind::Seconds),
    ("Error rate", "stats.errorRate", Kind::Text),
    ("Registered", "createdAt", Kind::When),
];

const AFFECTED: &[Column] = &[
    ("TASK", "id", Kind::Id),
    ("STATUS", "status", Kind::Word),
    ("TITLE", "title", Kind::Long),
];

impl Agent {
    pub(crate) async fn run(self, session: &Session) -> Result<Exit, Failure> {
        match self {
            Self::Register(command) => command.run(session).await,
            Self::Update(command) => command.run(session).await,
            Self::Status(command) => command.run(session).await,
            Self::List(command) => command.run(session).await,
            Self::Get(One { id }) => {
                session
                    .show(Call::get(&["agents", &id]), Shape::One, whole)
                    .await
            }
            Self::Pause(command) => command.run(session, "PAUSE").await,
            Self::Resume(command) => command.run(session, "RESUME").await,
            Self::Drain(command) => command.run(session, "DRAIN").await,
            Self::Quarantine(command) => command.run(session, "QUARANTINE").await,
            Self::Restart(command) => command.run(session, "RESTART").await,
            Self::Token(command) => command.run(session).await,
            Self::RevokeToken(RevokeToken { id, token_id }) => {
                let call = Call::delete(&["agents", &id, "tokens", &token_id]).by_operator();
                session
                    .show(call, Shape::One, |_, _| {
                        format!("{} is revoked\n", clean::line(&token_id))
                    })
                    .await
            }
        }
    }
}

impl Status {
    async fn run(self, session: &Session) -> Result<Exit, Failure> {
        let id = self.id.as_deref().unwrap_or_else(|| session.me());
        let call = Call::get(&["agents", id]);
        session
            .watch(
                &self.watch,
                async || session.client.send(&call).await,
                Shape::One,
                status,
            )
            .await
    }
}

/// An agent's status and budget.
pub(crate) fn status(style: &Style, agent: &Value) -> String {
    record(style, agent, STATUS)
}

fn whole(style: &Style, agent: &Value) -> String {
    let mut text = record(style, agent, WHOLE);
    if agent["recentRuns"]
        .as_array()
        .is_some_and(|runs| !runs.is_empty())
    {
        text.push_str("\nLatest runs\n");
        text.push_str(&table(style, &agent["recentRuns"], super::run::LIST));
    }
    text
}

impl List {
    async fn run(self, session: &Session) -> Result<Exit, Failure> {
        let call = Call::get(&["agents"])
            .query("status", self.status)
            .query("role", self.role)
            .query("limit", self.page.limit)
            .query("offset", self.page.offset);
        session
            .show(call, Shape::List("agents"), |style, body| {
                table(style, &body["agents"], LIST)
            })
            .await
    }
}

impl Control {
    async fn run(self, session: &Session, action: &str) -> Result<Exit, Failure> {
        if action == "QUARANTINE"
            && self
                .reason
                .as_deref()
                .is_none_or(|reason| reason.trim().is_empty())
        {
            return Err(Failure::usage(
                "a quarantine needs a reason: --reason 'what it did'",
            ));
        }
        let body = Body::new()
            .with("action", action)
            .maybe("reason", self.reason)
            .maybe("duration", self.duration);
        let call = Call::post(&["agents", &self.id, "control"], body).by_operator();
        session
            .show(call, Shape::One, |style, agent| {
                let mut text = status(style, agent);
                if agent["affectedTasks"]
                    .as_array()
                    .is_some_and(|tasks| !tasks.is_empty())
                {
                    text.push_str("\nTasks this changes\n");
                    text.push_str(&affected(style, &agent["affectedTasks"]));
                }
                text
            })
            .await
    }
}

/// Tasks, which may be named by their ids alone.
fn affected(style: &Style, tasks: &Value) -> String {
    let items = tasks.as_array().into_iter().flatten();
    let items: Vec<Value> = items
        .map(|task| {
            if task.is_string() {
                json!({"id": task})
            } else {
                task.clone()
            }
        })
        .collect();
    table(style, &items.into(), AFFECTED)
}

impl NewToken {
    async fn run(self, session: &Session) -> Result<Exit, Failure> {
        let body = Body::new()
            .maybe("expiresIn", self.expires_in)
            .maybe("revokeOthers", self.keep_others.then_some(false));
        let call = Call::post(&["agents", &self.id, "tokens"], body).by_operator();
        let reply = session.client.send(&call).await?;
        let token = reply.body["token"].as_str().unwrap_or_default();
        if self.save {
            save(session, &self.id, token, None)?;
        }
        if session.out.is_quiet() {
            // The token is all there is to tell, and is told once.
            session.out.write(&format!("{}\n", clean::line(token)))?;
            return Ok(Exit::Done);
        }
        session.out.show(&reply, Shape::One, |style, body| {
            record(
                style,
                body,
                &[
                    ("Token", "token", Kind::Id),
                    ("Token id", "tokenId", Kind::Id),
                    ("Good until", "expiresAt", Kind::When),
                ],
            )
        })?;
        if !self.save && session.out.is_table() {
            console::note("this is shown once; the agent needs it as MC_AGENT_TOKEN");
        }
        Ok(Exit::Done)
    }
}

/// Writes who the agent is into the configuration file (§14, `--save`).
fn save(session: &Session, id: &str, token: &str, workspace: Option<&str>) -> Result<(), Failure> {
    if token.is_empty() {
        return Err(Failure::other(
            "the server did not show the token again, so it cannot be saved",
        )
        .hint(format!("make a new one: mc agent token {id} --save")));
    }
    let mut members = serde_json::Map::new();
    members.insert("apiUrl".to_owned(), session.settings.api_url.clone().into());
    members.insert("agentId".to_owned(), id.into());
    members.insert("token".to_owned(), token.into());
    if let Some(workspace) = workspace {
        members.insert("workspace".to_owned(), workspace.into());
    }
    config::save(&session.settings.file, members)?;
    console::note(&format!("saved in {}", session.settings.file.display()));
    Ok(())
}
