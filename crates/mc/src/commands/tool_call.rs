//! `mc tool-call`: which tools were used, and what came of it (§11).

use clap::{Args, Subcommand};
use serde_json::{Map, Value};

use super::policy::purpose;
use crate::call::{Body, Call};
use crate::failure::{Exit, Failure};
use crate::plan;
use crate::print::record::record;
use crate::print::table::Column;
use crate::print::value::Kind;
use crate::print::{Shape, Style};
use crate::session::Session;
use crate::words::{self, OneOf};

/// Previews longer than this are cut, as the server would (§1).
const LONGEST_PREVIEW: usize = 500;

#[derive(Debug, Subcommand)]
pub(crate) enum ToolCall {
    /// Report a tool call before it is made; exit code 4 if it must not be
    Start(Start),
    /// Report what came of it
    Finish(Finish),
}

#[derive(Debug, Args)]
pub(crate) struct Start {
    /// The run it belongs to
    #[arg(long, value_name = "ID", value_parser = words::id)]
    run: String,
    /// The tool, such as exec
    #[arg(long)]
    tool: String,
    /// How risky you take it to be: GREEN, YELLOW or RED
    #[arg(long, value_parser = OneOf(words::RISKS))]
    risk: String,
    /// The task it works on
    #[arg(long, value_name = "ID", value_parser = words::id)]
    task: Option<String>,
    /// What it is given, as a JSON object: '{"command":"git status"}'
    #[arg(long, value_name = "JSON", value_parser = words::object)]
    input: Option<Map<String, Value>>,
    /// The beginning of what it is given; `-` reads standard input
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true)]
    input_preview: Option<String>,
    /// SHA-256 of what it is given, in hex
    #[arg(long, value_name = "HEX")]
    input_hash: Option<String>,
    /// RUNNING, or PENDING while it waits
    #[arg(long, default_value = "RUNNING", value_parser = OneOf(&["RUNNING", "PENDING"]))]
    status: String,
    /// When it began [default: now]
    #[arg(long, value_name = "WHEN", value_parser = words::moment)]
    started_at: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Finish {
    /// Its id
    #[arg(value_parser = words::id)]
    id: String,
    /// SUCCESS or FAILED
    #[arg(long, default_value = "SUCCESS", value_parser = OneOf(words::TOOL_CALL_STATUSES))]
    status: String,
    /// The beginning of what came out; `-` reads standard input
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true)]
    output_preview: Option<String>,
    /// SHA-256 of what came out, in hex
    #[arg(long, value_name = "HEX")]
    output_hash: Option<String>,
    /// What went wrong
    #[arg(long, value_name = "TEXT")]
    error: Option<String>,
    /// How often it was tried again
    #[arg(long, value_name = "N")]
    retry_count: Option<u32>,
    /// When it ended [default: now]
    #[arg(long, value_name = "WHEN", value_parser = words::moment)]
    ended_at: Option<String>,
}

/// Tool calls in a list.
pub(crate) const LIST: &[Column] = &[
    ("TOOL CALL", "id", Kind::Id),
    ("STATUS", "status", Kind::Word),
    ("RISK", "riskLevel", Kind::Word),
    ("TOOL", "toolName", Kind::Text),
    ("STARTED", "startedAt", Kind::When),
    ("INPUT", "inputPreview", Kind::Long),
    ("ERROR", "error", Kind::Long),
];

impl ToolCall {
    pub(crate) async fn run(self, session: &Session) -> Result<Exit, Failure> {
        match self {
            Self::Start(command) => command.run(session).await,
            Self::Finish(command) => command.run(session).await,
        }
    }
}

fn whole(style: &Style, call: &Value) -> String {
    record(
        style,
        call,
        &[
            ("Tool call", "id", Kind::Id),
            ("Run", "runId", Kind::Id),
            ("Tool", "toolName", Kind::Text),
            ("Status", "status", Kind::Word),
            ("Risk", "riskLevel", Kind::Word),
            ("Allowed by", "policyResult.approvalId", Kind::Id),
            ("Error", "error", Kind::Text),
        ],
    )
}

fn preview(text: Option<String>) -> Result<Option<String>, Failure> {
    let text = text.map(plan::text_or_stdin).transpose()?;
    Ok(text.map(|text| text.chars().take(LONGEST_PREVIEW).collect()))
}

impl Start {
    async fn run(self, session: &Session) -> Result<Exit, Failure> {
        let input = self.input.unwrap_or_default();
        let purpose = purpose("TOOL_CALL", Some(&self.tool), &input, self.task.clone());
        let body = Body::new()
            .with("runId", self.run)
            .with("agentId", session.me())
            .with("toolName", self.tool)
            .with("riskLevel", self.risk)
            .with(
                "startedAt",
                self.started_at.unwrap_or_else(|| session.now()),
            )
            .with("status", self.status)
            .maybe("taskId", self.task)
            .maybe("inputPreview", preview(self.input_preview)?)
            .maybe("inputHash", self.input_hash)
            .maybe("input", (!input.is_empty()).then_some(input));
        let call = Call::post(&["events", "tool-call"], body).about(purpose);
        session.show(call, Shape::One, whole).await
    }
}

impl Finish {
    async fn run(self, session: &Session) -> Result<Exit, Failure> {
        let body = Body::new()
            .with("status", self.status)
            .maybe("endedAt", self.ended_at)
            .maybe("outputPreview", preview(self.output_preview)?)
            .maybe("outputHash", self.output_hash)
            .maybe("error", self.error)
            .maybe("retryCount", self.retry_count);
        session
            .show(
                Call::patch(&["events", "tool-call", &self.id], body),
                Shape::One,
                whole,
            )
            .await
    }
}
