//! The kernel's nouns in a database: SQLite by default, PostgreSQL when several instances share
//! the work.
//!
//! All SQL stands once, in the file named after its noun, in the dialect that both databases
//! understand; [`sql`] hides what differs behind a [`Driver`](sql::Driver). [`handle`] is the
//! kernel's `Tx` over any driver. [`batch`] runs commands in groups: one transaction, a savepoint
//! each, one flush to disk. What must stay true: nobody hears `Ok` before the commit is on disk.
//!
//! To add a noun: a migration, a file here that implements the noun's storage trait for
//! [`handle::Handle`], and its cases in the suite that runs on both databases (`tests/`).

mod batch;
mod clock;
mod handle;
mod held;
mod migrate;
mod postgres;
mod sql;
mod sqlite;
mod workers;

mod agent;
mod alert;
mod approval;
mod board;
mod cost;
mod document;
mod event;
mod grant;
mod message;
mod notification;
mod operator;
mod policy;
mod reply;
mod run;
mod standup;
mod subscription;
mod task;
mod tenant;
mod tenant_budget;
mod token;
mod tool_call;
mod turn_step;
mod webhook;

pub use clock::Clock;
pub use postgres::PostgresStore;
pub use sqlite::SqliteStore;
pub use workers::{Bounds, describe_metrics};

/// Why a store could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error(
        "the database is at version {found}, newer than this program knows ({known}); use a newer program"
    )]
    Newer { found: i64, known: i64 },
    #[error("{context}: {cause}")]
    Database {
        context: String,
        cause: Box<dyn std::error::Error + Send + Sync>,
    },
}

impl OpenError {
    fn database(
        context: impl Into<String>,
        cause: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        Self::Database {
            context: context.into(),
            cause: cause.into(),
        }
    }
}
