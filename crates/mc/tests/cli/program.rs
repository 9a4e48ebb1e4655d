//! The `mc` command as the tests run it.

fn main() -> std::process::ExitCode {
    stationmaster_mc::run()
}
