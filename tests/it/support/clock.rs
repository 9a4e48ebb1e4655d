//! A server whose clock a file moves.

use stationmaster_testkit::server::ServerBuilder;
use tempfile::TempDir;

use super::Api;
use super::api::builder;

const DAY: i64 = 86_400;

pub(crate) struct Moved {
    pub api: Api,
    directory: TempDir,
    /// Seconds by which it was ahead from the start.
    start: i64,
}

impl Moved {
    /// The clock is right at first.
    pub(crate) fn start() -> Self {
        Self::start_ahead(builder(), 0)
    }

    /// It is about noon in UTC, so that no test runs over midnight.
    pub(crate) fn start_at_noon() -> Self {
        let of_day = jiff::Timestamp::now().as_second().rem_euclid(DAY);
        Self::start_ahead(builder(), DAY / 2 - of_day)
    }

    fn start_ahead(builder: ServerBuilder, start: i64) -> Self {
        let directory = TempDir::new().expect("a temporary directory");
        let clock = directory.path().join("clock");
        std::fs::write(&clock, (start * 1000).to_string()).expect("a clock");
        let clock = clock.to_str().expect("a path");
        let server = builder.argument("--test-clock").argument(clock);
        Self {
            api: Api::of(server.start()),
            directory,
            start,
        }
    }

    /// Sets the clock so many seconds ahead of where it would be.
    pub(crate) fn ahead(&self, seconds: i64) {
        let new = self.directory.path().join("new");
        std::fs::write(&new, format!("{}\n", (self.start + seconds) * 1000)).expect("a file");
        std::fs::rename(new, self.directory.path().join("clock")).expect("a clock");
    }
}
