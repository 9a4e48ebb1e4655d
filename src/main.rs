//! stationmaster: the control plane and runtime for crews of AI agents, in one program.
//!
//! This file parses the command line, calls what was asked for, prints the error and chooses the
//! exit code: 0 done, 1 failed, 2 the command line was wrong.

mod cli;
mod config;
mod console;
mod logs;
mod runtime;
mod serve;
mod signals;
mod telemetry;
mod timeline;
mod welcome;

use std::process::ExitCode;

use clap::Parser;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    // All TLS in this process is rustls on ring; a second call would find it installed.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let arguments = cli::Arguments::parse();
    match arguments.run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            console::error(&error);
            ExitCode::FAILURE
        }
    }
}
