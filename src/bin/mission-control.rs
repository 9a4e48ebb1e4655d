//! `mc` under its long name, for machines where `mc` is something else already.

use std::process::ExitCode;

fn main() -> ExitCode {
    stationmaster_mc::run()
}
