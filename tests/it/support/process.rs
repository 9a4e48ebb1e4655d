//! The program run to its end.

use std::path::Path;
use std::process::{Command, Stdio};

use stationmaster_testkit::server::program;

/// What a run of the program came to.
#[derive(Debug)]
pub(crate) struct Outcome {
    /// -1 when a signal ended it.
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

/// Runs the program in `directory` with nothing in its environment but what is given.
pub(crate) fn run(directory: &Path, environment: &[(&str, &str)], arguments: &[&str]) -> Outcome {
    let output = Command::new(program(env!("CARGO_BIN_EXE_stationmaster")))
        .args(arguments)
        .env_clear()
        .envs(environment.iter().copied())
        .current_dir(directory)
        .stdin(Stdio::null())
        .output()
        .expect("the program runs");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Outcome {
        code: output.status.code().unwrap_or(-1),
        stdout: text(&output.stdout),
        stderr: text(&output.stderr),
    }
}
