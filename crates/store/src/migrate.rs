//! Brings a database to this program's version: forward only, in one transaction.

use crate::OpenError;
use crate::sql::{Driver, Failure, params};

macro_rules! migrations {
    ($($name:literal),* $(,)?) => { &[$(($name, include_str!(concat!("migrations/", $name, ".sql")))),*] };
}

/// Every migration, in order; its place is its version. One that was released never changes.
const MIGRATIONS: &[(&str, &str)] = migrations![
    "0001_sequence",
    "0002_tenant",
    "0003_agent",
    "0004_task",
    "0005_message",
    "0006_document",
    "0007_notification",
    "0008_approval",
    "0009_run",
    "0010_standup",
    "0011_reply",
    "0012_event",
    "0013_board",
    "0014_crew",
    "0015_guard",
    "0016_ledger",
    "0017_inbox",
    "0018_trail",
    "0019_webhook",
    "0020_spawn",
    "0021_claimable",
    "0026_guard_more",
    "0029_cost",
    "0030_standup_report",
    "0031_turn",
    "0032_tenant_budget",
    "0033_trace",
    "0034_turn_step_age",
    "0035_creator",
];

/// Runs what is missing. The caller has begun a transaction and commits it; `script` runs a text
/// of several statements.
pub(crate) fn run<D: Driver>(
    driver: &mut D,
    script: impl Fn(&mut D, &str) -> Result<(), Failure>,
) -> Result<(), OpenError> {
    let failed = |what: &str| {
        let what = what.to_owned();
        move |failure: Failure| OpenError::database(what, failure.cause)
    };
    script(
        driver,
        "CREATE TABLE IF NOT EXISTS migration (version BIGINT PRIMARY KEY, name TEXT NOT NULL)",
    )
    .map_err(failed("reading the database's version"))?;
    let rows = driver
        .query("SELECT COALESCE(MAX(version), 0) FROM migration", &[])
        .map_err(failed("reading the database's version"))?;
    let found = match rows.into_iter().next() {
        Some(mut row) => row
            .int()
            .map_err(|error| OpenError::database("reading the database's version", error))?,
        None => 0,
    };
    let known = MIGRATIONS.len() as i64;
    if found > known {
        return Err(OpenError::Newer { found, known });
    }
    for (version, (name, text)) in (1i64..).zip(MIGRATIONS) {
        if version <= found {
            continue;
        }
        script(driver, text).map_err(failed(&format!("migration {name}")))?;
        driver
            .execute(
                "INSERT INTO migration (version, name) VALUES (?1, ?2)",
                params![version, *name],
            )
            .map_err(failed(&format!("migration {name}")))?;
    }
    Ok(())
}
