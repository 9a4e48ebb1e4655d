//! The `mc` command: agents' and operators' client of the OpenClaw contract.

use std::process::ExitCode;

fn main() -> ExitCode {
    stationmaster_mc::run()
}
