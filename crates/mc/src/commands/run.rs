//! `mc run`: what was thought, with which model, and what it cost (§11).

use clap::{Args, Subcommand};
use serde_json::{Map, Value};

use crate::call::{Body, Call, Purpose};
use crate::failure::{Exit, Failure};
use crate::options::Page;
use crate::print::record::{Line, record};
use crate::print::table::{Column, table};
use crate::print::value::Kind;
use crate::print::{Shape, Style, clean};
use crate::session::Session;
use crate::words::{self, OneOf};

#[derive(Debug, Subcommand)]
pub(crate) enum Run {
    /// Report that a run begins; prints its id
    Start(Start),
    /// Report what a run used, and how it ended
    Finish(Finish),
    /// Runs, the latest first
    List(List),
    /// One run with its tool calls
    Get(Get),
}

#[derive(Debug, Args)]
pub(crate) struct Start {
    /// The model that thinks
    #[arg(long)]
    model: String,
    /// The task it works on
    #[arg(long, value_name = "ID", value_parser = words::id)]
    task: Option<String>,
    /// The session it belongs to [default: MC_SESSION_KEY]
    #[arg(long, value_name = "KEY")]
    session: Option<String>,
    /// When it began [default: now]
    #[arg(long, value_name = "WHEN", value_parser = words::moment)]
    started_at: Option<String>,
    /// What it will cost, in US dollars; reserved until it ends
    #[arg(long, value_name = "USD", value_parser = words::money)]
    estimated_cost: Option<f64>,
    /// Anything else, as a JSON object
    #[arg(long, value_name = "JSON", value_parser = words::object)]
    metadata: Option<Map<String, Value>>,
}

#[derive(Debug, Args)]
pub(crate) struct Finish {
    /// Its id
    #[arg(value_parser = words::id)]
    id: String,
    /// COMPLETED, FAILED or TIMEOUT; RUNNING only reports what was used so far
    #[arg(long, default_value = "COMPLETED", value_parser = OneOf(words::RUN_STATUSES))]
    status: String,
    /// Tokens the model read
    #[arg(long, value_name = "N")]
    input_tokens: Option<u64>,
    /// Tokens the model wrote
    #[arg(long, value_name = "N")]
    output_tokens: Option<u64>,
    /// Tokens the model read from its cache
    #[arg(long, value_name = "N")]
    cache_read_tokens: Option<u64>,
    /// Tokens the model wrote to its cache
    #[arg(long, value_name = "N")]
    cache_write_tokens: Option<u64>,
    /// What it cost altogether, in US dollars
    #[arg(long, alias = "cost-usd", value_name = "USD", value_parser = words::money)]
    cost: Option<f64>,
    /// What went wrong
    #[arg(long, value_name = "TEXT")]
    error: Option<String>,
    /// When it ended [default: now]
    #[arg(long, value_name = "WHEN", value_parser = words::moment)]
    ended_at: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct List {
    /// Only on this task
    #[arg(long, value_name = "ID", value_parser = words::id)]
    task: Option<String>,
    /// Only this status
    #[arg(long, value_parser = OneOf(words::RUN_STATUSES))]
    status: Option<String>,
    /// Only this agent's
    #[arg(long, value_name = "AGENT", value_parser = words::id)]
    about: Option<String>,
    #[command(flatten)]
    page: Page,
}

#[derive(Debug, Args)]
pub(crate) struct Get {
    /// Its id
    #[arg(value_parser = words::id)]
    id: String,
    /// Its tool calls instead
    #[arg(long)]
    tool_calls: bool,
}

/// Runs in a list.
pub(crate) const LIST: &[Column] = &[
    ("RUN", "id", Kind::Id),
    ("STATUS", "status", Kind::Word),
    ("AGENT", "agentId", Kind::Text),
    ("MODEL", "model", Kind::Text),
    ("COST", "costUsd", Kind::Money),
    ("IN", "inputTokens", Kind::Text),
    ("OUT", "outputTokens", Kind::Text),
    ("STARTED", "startedAt", Kind::When),
    ("TASK", "taskId", Kind::Id),
];

const WHOLE: &[Line] = &[
    ("Run", "id", Kind::Id),
    ("Status", "status", Kind::Word),
    ("Agent", "agentId", Kind::Id),
    ("Task", "taskId", Kind::Id),
    ("Model", "model", Kind::Text),
    ("Cost", "costUsd", Kind::Money),
    ("Input tokens", "inputTokens", Kind::Text),
    ("Output tokens", "outputTokens", Kind::Text),
    ("Started", "startedAt", Kind::When),
    ("Ended", "endedAt", Kind::When),
    ("Error", "error", Kind::Text),
    ("Budget", "budgetWarning.message", Kind::Text),
];

fn whole(style: &Style, run: &Value) -> String {
    record(style, run, WHOLE)
}

impl Run {
    pub(crate) async fn run(self, session: &Session) -> Result<Exit, Failure> {
        match self {
            Self::Start(command) => command.run(session).await,
            Self::Finish(command) => command.run(session).await,
            Self::List(List {
                task,
                status,
                about,
                page,
            }) => {
                let call = Call::get(&["events", "runs"])
                    .query("taskId", task)
                    .query("status", status)
                    .query("agentId", about)
                    .query("limit", page.limit)
                    .query("offset", page.offset);
                session
                    .show(call, Shape::List("runs"), |style, body| {
                        table(style, &body["runs"], LIST)
                    })
                    .await
            }
            Self::Get(Get {
                id,
                tool_calls: true,
            }) => {
                let call = Call::get(&["events", "runs", &id, "tool-calls"]);
                let view = |style: &Style, body: &Value| {
                    table(style, &body["toolCalls"], super::tool_call::LIST)
                };
                session.show(call, Shape::List("toolCalls"), view).await
            }
            Self::Get(Get { id, .. }) => {
                session
                    .show(Call::get(&["events", "runs", &id]), Shape::One, whole)
                    .await
            }
        }
    }
}

impl Start {
    async fn run(self, session: &Session) -> Result<Exit, Failure> {
        let Some(key) = self.session.or_else(|| session.settings.session.clone()) else {
            return Err(Failure::usage(
                "a run belongs to a session: --session KEY, or MC_SESSION_KEY",
            ));
        };
        let purpose = Purpose {
            summary: clean::line(&format!("run {}", self.model)),
            task: self.task.clone(),
            payload: None,
        };
        let body = Body::new()
            .with("agentId", session.me())
            .with("sessionKey", key)
            .with("model", self.model)
            .with(
                "startedAt",
                self.started_at.unwrap_or_else(|| session.now()),
            )
            .maybe("taskId", self.task)
            .maybe("estimatedCost", self.estimated_cost)
            .maybe("metadata", self.metadata);
        session
            .show(
                Call::post(&["events", "run"], body).about(purpose),
                Shape::One,
                whole,
            )
            .await
    }
}

impl Finish {
    async fn run(self, session: &Session) -> Result<Exit, Failure> {
        let body = Body::new()
            .with("status", self.status)
            .maybe("endedAt", self.ended_at)
            .maybe("inputTokens", self.input_tokens)
            .maybe("outputTokens", self.output_tokens)
            .maybe("cacheReadTokens", self.cache_read_tokens)
            .maybe("cacheWriteTokens", self.cache_write_tokens)
            .maybe("costUsd", self.cost)
            .maybe("error", self.error);
        session
            .show(
                Call::patch(&["events", "run", &self.id], body),
                Shape::One,
                whole,
            )
            .await
    }
}
