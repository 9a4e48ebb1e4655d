//! Structured logs on standard error: lines for a person at a terminal, JSON for a collector.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;

/// Starts logging. `filter` is a directive list such as `info,stationmaster_store=debug`.
pub(crate) fn start(filter: Option<&str>, default: &str) {
    let filter =
        EnvFilter::try_new(filter.unwrap_or(default)).unwrap_or_else(|_| EnvFilter::new(default));
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr);
    let started = if std::io::stderr().is_terminal() {
        builder.with_target(false).compact().try_init()
    } else {
        builder.json().flatten_event(true).try_init()
    };
    if let Err(error) = started {
        crate::console::error(&anyhow::anyhow!("logging could not start: {error}"));
    }
}
