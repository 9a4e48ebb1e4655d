//! The `mc` command: agents' and operators' client of the OpenClaw contract (§14).
//!
//! It only ever talks HTTP to a server's `/api/v1`, and knows none of this program's other parts but the
//! MCP tool. Standard output carries data alone; errors, hints and logs go to standard error. Nothing
//! is done before the command line is read, and no TLS is set up for an `http://` address.
//!
//! A command is a file in `commands/` with its options and its `run`: it makes a [`call::Call`], the
//! [`client`] sends it (with retries and an idempotency key), and [`print`] shows the reply. To add
//! one: its file, a variant in `options.rs`, a case in `tests/`, a line in `docs/cli.md`.

mod call;
mod client;
mod commands;
mod config;
mod failure;
mod options;
mod plan;
mod print;
mod reply;
mod retry;
mod session;
mod stream;
mod words;

use std::process::ExitCode;

use clap::Parser;

use crate::failure::{Exit, Failure};
use crate::options::Arguments;
use crate::print::console::{self, Console};

/// Runs the command line of this process and says how it ended (§14, exit codes).
pub fn run() -> ExitCode {
    let arguments = Arguments::parse();
    let exit = match begin(arguments) {
        Ok(exit) => exit,
        Err(failure) => {
            console::explain(&failure);
            failure.exit
        }
    };
    ExitCode::from(exit.code())
}

fn begin(arguments: Arguments) -> Result<Exit, Failure> {
    let Arguments { global, command } = arguments;
    if let options::Command::Completions(command) = &command {
        return command.run(&Console::new(false));
    }
    let session = session::Session::new(&global)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .enable_time()
        .build()
        .map_err(|error| Failure::other(format!("cannot start: {error}")))?;
    let ended = runtime.block_on(command.run(&session));
    if let (Err(failure), true) = (&ended, session.out.is_json()) {
        // With --json the API's own envelope is data, whatever it says.
        if let Some(body) = &failure.body {
            session.out.write_json(body)?;
        }
    }
    ended
}
