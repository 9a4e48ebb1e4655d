//! The command line: one file a command, each with its options and its `run`.

mod dispatcher;
mod heartbeat;
mod options;
mod serve;
mod standup;
mod token;
mod up;
mod workspace;

use anyhow::Result;
use clap::{Parser, Subcommand};

/// The control plane and runtime for crews of AI agents, in one program.
#[derive(Debug, Parser)]
#[command(name = "stationmaster", version = version(), propagate_version = true)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Start everything on this machine and watch a crew at work; needs no configuration
    Up(up::Up),
    /// Run the server
    Serve(serve::Serve),
    /// Carry notifications from a backend to an agent daemon, anybody's
    Dispatcher(dispatcher::Dispatcher),
    /// Tell a backend that an agent is there, and with --run wake it
    Heartbeat(heartbeat::Heartbeat),
    /// Have a backend sum up the day so far
    Standup(standup::Standup),
    /// Make tokens that clients of this server carry
    #[command(subcommand)]
    Token(token::Token),
    /// Make, check and look at the files that agents work from
    #[command(subcommand)]
    Workspace(workspace::Workspace),
}

impl Arguments {
    pub(crate) fn run(self) -> Result<()> {
        match self.command {
            Command::Up(command) => command.run(),
            Command::Serve(command) => command.run(),
            Command::Dispatcher(command) => command.run(),
            Command::Heartbeat(command) => command.run(),
            Command::Standup(command) => command.run(),
            Command::Token(command) => command.run(),
            Command::Workspace(command) => command.run(),
        }
    }
}

/// The version with the commit it was built from.
pub(crate) const fn version() -> &'static str {
    concat!(
        env!("CARGO_PKG_VERSION"),
        " (",
        env!("STATIONMASTER_COMMIT"),
        ")"
    )
}
