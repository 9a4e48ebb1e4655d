//! What the disk allows: SQLite as the program sets it up, one row a commit, one thread.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Result;
use rusqlite::Connection;

use crate::load::Pace;
use crate::measured::{Measured, Meter};

/// Inserts rows into a new database until the time is over.
pub(super) fn measure(file: &Path, pace: Pace) -> Result<Measured> {
    let database = Connection::open(file)?;
    database.execute_batch(
        "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; \
         CREATE TABLE task (position INTEGER PRIMARY KEY, title TEXT NOT NULL, created_at INTEGER NOT NULL)",
    )?;
    let mut insert =
        database.prepare("INSERT INTO task (title, created_at) VALUES (?1, unixepoch())")?;
    let mut insert_for = |time: Duration| -> Result<Vec<u32>> {
        let mut latencies = Vec::new();
        let end = Instant::now() + time;
        while Instant::now() < end {
            let began = Instant::now();
            insert.execute(["Write the report of the week"])?;
            latencies.push(u32::try_from(began.elapsed().as_micros()).unwrap_or(u32::MAX));
        }
        Ok(latencies)
    };
    insert_for(pace.warm_up)?;
    let meter = Meter::start(std::process::id())?;
    let latencies = insert_for(pace.measured)?;
    Measured::new(latencies, &meter.stop()?)
}
