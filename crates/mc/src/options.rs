//! The command line: what all commands share, and their list. Each command's own options are in its
//! file.

use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::commands::{
    agent, alert, approval, completions, doctor, heartbeat, mcp, notification, operator, policy,
    run, status, task, timeline, tool_call, webhook,
};
use crate::config::patience;
use crate::failure::{Exit, Failure};
use crate::session::Session;

/// Work with OpenClaw Mission Control: claim tasks, report progress, ask before acting.
///
/// The server and who you are come from flags, then from MC_API_URL, MC_AGENT_ID, MC_AGENT_TOKEN and
/// MC_ADMIN_TOKEN, then from ~/.openclaw/mission-control.json.
#[derive(Debug, Parser)]
#[command(name = "mc", version, propagate_version = true, after_help = EXITS)]
pub(crate) struct Arguments {
    #[command(flatten)]
    pub global: Global,
    #[command(subcommand)]
    pub command: Command,
}

const EXITS: &str = "Exit codes: 0 done, 1 other error, 2 wrong usage or file, 3 bad token, 4 not allowed, 5 not found, \
6 conflict, 7 rate limited, 8 no answer, 9 server error; policy check and approval check: 0 yes, 10 not yet, 11 no.";

/// What every command takes.
#[derive(Debug, Args)]
#[command(next_help_heading = "Options of every command")]
pub(crate) struct Global {
    /// Print the API's reply as it came; short for --output json
    #[arg(long, global = true, conflicts_with = "output")]
    pub json: bool,
    /// How to print
    #[arg(long, short, global = true, value_enum, value_name = "FORMAT")]
    pub output: Option<Format>,
    /// Print ids only
    #[arg(long, short, global = true)]
    pub quiet: bool,
    /// Where the server is [default: http://localhost:3100]
    #[arg(long, global = true, value_name = "URL")]
    pub api_url: Option<String>,
    /// The bearer token to use, an agent's or the operator's
    #[arg(long, global = true, value_name = "TOKEN", hide_env_values = true)]
    pub token: Option<String>,
    /// The agent to act as
    #[arg(long, global = true, value_name = "ID", value_parser = crate::words::id)]
    pub agent: Option<String>,
    /// Act as the operator, with MC_ADMIN_TOKEN
    #[arg(long, global = true, conflicts_with = "token")]
    pub admin: bool,
    /// How long a request may take: 500ms, 30s, 2m; a bare number is milliseconds [default: 30s]
    #[arg(long, global = true, value_name = "TIME", value_parser = patience)]
    pub timeout: Option<Duration>,
    /// Names this change, so that a repeat is answered and not done again [default: a new UUID]
    #[arg(long, global = true, value_name = "KEY", value_parser = idempotency_key)]
    pub idempotency_key: Option<String>,
    /// Say more: each request, and every violation
    #[arg(long, short, global = true)]
    pub verbose: bool,
}

/// How replies are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For people
    Table,
    /// The API's reply as it came
    Json,
    /// One JSON object a line
    Ndjson,
}

/// Keeping on looking.
#[derive(Debug, Args)]
pub(crate) struct Watch {
    /// Look again and again, and show what changed
    #[arg(long)]
    pub watch: bool,
    /// How often to look with --watch; at least 2s
    #[arg(long, value_name = "TIME", default_value = "5s", value_parser = patience, requires = "watch")]
    pub every: Duration,
}

/// Which part of a list.
#[derive(Debug, Args)]
pub(crate) struct Page {
    /// How many to show, 200 at most
    #[arg(long, value_name = "N")]
    pub limit: Option<u32>,
    /// How many to leave out
    #[arg(long, value_name = "N")]
    pub offset: Option<u64>,
}

fn idempotency_key(text: &str) -> Result<String, String> {
    let printable = text.chars().all(|it| it.is_ascii_graphic() || it == ' ');
    if printable && (1..=255).contains(&text.len()) && text.trim() == text {
        Ok(text.to_owned())
    } else {
        Err("must be 1 to 255 printable characters".to_owned())
    }
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Agents: register, look at, pause, give tokens
    #[command(subcommand)]
    Agent(agent::Agent),
    /// Tell the server that you are alive, and learn what is new
    Heartbeat(heartbeat::Heartbeat),
    /// Tasks: find, claim, start, report, hand in
    #[command(subcommand)]
    Task(task::Task),
    /// Approvals: ask for one, wait for it, decide
    #[command(subcommand)]
    Approval(approval::Approval),
    /// What approvals still allow
    #[command(subcommand)]
    Grant(approval::Grant),
    /// Policy: may I do this, and which rules are in force
    #[command(subcommand)]
    Policy(policy::Policy),
    /// Report runs: what was thought, and what it cost
    #[command(subcommand)]
    Run(run::Run),
    /// Report tool calls
    #[command(subcommand)]
    ToolCall(tool_call::ToolCall),
    /// What others want you to know
    #[command(subcommand)]
    Notification(notification::Notification),
    /// What went wrong with the crew
    #[command(subcommand)]
    Alert(alert::Alert),
    /// Who is told outside what happens
    #[command(subcommand)]
    Webhook(webhook::Webhook),
    /// Hold or release the whole crew
    #[command(subcommand)]
    Operator(operator::Operator),
    /// Who did what, newest first
    Timeline(timeline::Timeline),
    /// The day's report
    Standup(status::Standup),
    /// How you and the crew are doing
    Status(status::Status),
    /// Numbers: tasks, agents, approvals, costs
    Stats(status::Stats),
    /// Check the configuration, the server and the tokens
    Doctor(doctor::Doctor),
    /// Offer the mission_control tool to an assistant, over standard input and output
    Mcp(mcp::Mcp),
    /// Print a completion script for a shell
    Completions(completions::Completions),
}

impl Command {
    pub(crate) async fn run(self, session: &Session) -> Result<Exit, Failure> {
        match self {
            Self::Agent(command) => command.run(session).await,
            Self::Heartbeat(command) => command.run(session).await,
            Self::Task(command) => command.run(session).await,
            Self::Approval(command) => command.run(session).await,
            Self::Grant(command) => command.run(session).await,
            Self::Policy(command) => command.run(session).await,
            Self::Run(command) => command.run(session).await,
            Self::ToolCall(command) => command.run(session).await,
            Self::Notification(command) => command.run(session).await,
            Self::Alert(command) => command.run(session).await,
            Self::Webhook(command) => command.run(session).await,
            Self::Operator(command) => command.run(session).await,
            Self::Timeline(command) => command.run(session).await,
            Self::Standup(command) => command.run(session).await,
            Self::Status(command) => command.run(session).await,
            Self::Stats(command) => command.run(session).await,
            Self::Doctor(command) => command.run(session).await,
            Self::Mcp(command) => command.run(session).await,
            Self::Completions(command) => command.run(session.out.console()),
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_is_well_formed() {
        Arguments::command().debug_assert();
    }
}
