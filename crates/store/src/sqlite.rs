//! The embedded database: one file, one writer thread, reader threads with connections of their own.

use std::path::Path;
use std::time::{Duration, Instant};

use crossbeam_channel::Receiver;
use rusqlite::config::DbConfig;
use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{Connection as Sqlite, ErrorCode, OpenFlags, ToSql};
use stationmaster_kernel::{Error, Store, Work};

use crate::batch::{CommitFailure, Connection};
use crate::clock::Moment;
use crate::handle::run_query;
use crate::sql::{Driver, Failure, FailureKind, Param, Row, Value};
use crate::workers::{Bounds, Pool, Wakers, write_loop};
use crate::{Clock, OpenError, migrate};

/// A store in one SQLite file. Dropping it finishes what was queued.
pub struct SqliteStore {
    writer: Pool,
    readers: Pool,
    wakers: Wakers,
}

impl SqliteStore {
    /// Opens the file, making it if needed, and brings it to this program's version. All leases
    /// of an earlier boot are void then: whoever held them is gone.
    ///
    /// # Errors
    /// When the file cannot be opened or belongs to a newer program.
    pub fn open(file: &Path, bounds: Bounds, clock: &Clock) -> Result<Self, OpenError> {
        let mut writer = open_writer(file, clock.clone())?;
        let wakers = Wakers::default();
        let mut bodies = Vec::new();
        for _ in 0..bounds.readers.max(1) {
            let connection = open_reader(file, clock.clone())?;
            bodies.push(move |queue: Receiver<Box<dyn Work>>| {
                read_loop(connection, &queue, bounds.statement_time)
            });
        }
        let started = |cause| OpenError::database("starting the database's threads", cause);
        let readers = Pool::start("read", bounds.read_queue, bodies).map_err(started)?;
        let told = wakers.clone();
        let body = move |queue: Receiver<Box<dyn Work>>| {
            write_loop(&mut writer, &queue, bounds.batch, &told)
        };
        let writer = Pool::start("write", bounds.write_queue, vec![body]).map_err(started)?;
        Ok(Self {
            writer,
            readers,
            wakers,
        })
    }
}

impl Store for SqliteStore {
    fn enqueue_write(&self, work: Box<dyn Work>) {
        self.writer.enqueue(work);
    }

    fn enqueue_read(&self, work: Box<dyn Work>) {
        self.readers.enqueue(work);
    }

    fn on_commit(&self, wake: Box<dyn Fn() + Send + Sync>) {
        self.wakers.add(wake);
    }
}

fn open_writer(file: &Path, clock: Clock) -> Result<SqliteConnection, OpenError> {
    let context = || format!("opening {}", file.display());
    let failed = |cause: rusqlite::Error| OpenError::database(context(), cause);
    let sqlite = Sqlite::open(file).map_err(failed)?;
    sqlite
        .busy_timeout(Duration::from_secs(5))
        .map_err(failed)?;
    sqlite
        .execute_batch(
            "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA temp_store = MEMORY; \
             PRAGMA cache_size = -32768; PRAGMA journal_size_limit = 67108864;",
        )
        .map_err(failed)?;
    tune(&sqlite).map_err(failed)?;
    let mut connection = SqliteConnection { sqlite, clock };
    let begun = |failure: Failure| OpenError::database(context(), failure.cause);
    connection.control("BEGIN IMMEDIATE").map_err(begun)?;
    migrate::run(&mut connection, |connection, script| {
        // Only this spelling makes a key the row's own number, without an index beside it.
        let script = script.replace("BIGINT PRIMARY KEY", "INTEGER PRIMARY KEY");
        connection.sqlite.execute_batch(&script).map_err(failure)
    })?;
    void_leases(&mut connection).map_err(begun)?;
    connection.control("COMMIT").map_err(begun)?;
    Ok(connection)
}

/// Keeps statements prepared. Without the second setting SQLite plans a statement anew whenever a
/// value that its statistics could tell something about has changed: 11 µs of each 29 µs list.
fn tune(sqlite: &Sqlite) -> rusqlite::Result<()> {
    sqlite.set_prepared_statement_cache_capacity(256);
    sqlite
        .set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)
        .map(drop)
}

/// Ends every lease: whoever held one held it of a server that is gone (rulings 18).
fn void_leases(connection: &mut SqliteConnection) -> Result<(), Failure> {
    for table in ["notification", "run"] {
        let sql = format!("UPDATE {table} SET lease_until = 0 WHERE lease_until > 0");
        connection.execute(&sql, &[])?;
    }
    Ok(())
}

fn open_reader(file: &Path, clock: Clock) -> Result<SqliteConnection, OpenError> {
    let failed =
        |cause: rusqlite::Error| OpenError::database(format!("opening {}", file.display()), cause);
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let sqlite = Sqlite::open_with_flags(file, flags).map_err(failed)?;
    sqlite
        .busy_timeout(Duration::from_secs(5))
        .map_err(failed)?;
    sqlite
        .execute_batch(
            "PRAGMA query_only = ON; PRAGMA temp_store = MEMORY; PRAGMA cache_size = -16384;",
        )
        .map_err(failed)?;
    tune(&sqlite).map_err(failed)?;
    Ok(SqliteConnection { sqlite, clock })
}

/// Instructions between two looks at the clock.
const PROGRESS_STEP: i32 = 20_000;

fn read_loop(
    mut connection: SqliteConnection,
    queue: &Receiver<Box<dyn Work>>,
    statement_time: Duration,
) {
    while let Ok(mut work) = queue.recv() {
        let deadline = Instant::now() + statement_time;
        // Interrupts are for readers only: a writer's would take its whole batch with it.
        if let Err(cause) = connection
            .sqlite
            .progress_handler(PROGRESS_STEP, Some(move || Instant::now() > deadline))
        {
            work.complete(Err(failure(cause).into_error()));
            continue;
        }
        let outcome = read_one(&mut connection, work.as_mut());
        work.complete(outcome);
    }
}

fn read_one(connection: &mut SqliteConnection, work: &mut dyn Work) -> Result<(), Error> {
    connection.control("BEGIN").map_err(Failure::into_error)?;
    let moment = connection.clock.moment();
    let (outcome, _) = run_query(connection, moment, work);
    connection.rollback();
    outcome
}

struct SqliteConnection {
    sqlite: Sqlite,
    clock: Clock,
}

impl Driver for SqliteConnection {
    fn execute(&mut self, sql: &str, params: &[Param<'_>]) -> Result<u64, Failure> {
        let mut statement = self.sqlite.prepare_cached(sql).map_err(failure)?;
        let changed = statement
            .execute(rusqlite::params_from_iter(params))
            .map_err(failure)?;
        Ok(changed as u64)
    }

    fn query(&mut self, sql: &str, params: &[Param<'_>]) -> Result<Vec<Row>, Failure> {
        let mut statement = self.sqlite.prepare_cached(sql).map_err(failure)?;
        let columns = statement.column_count();
        let mut rows = statement
            .query(rusqlite::params_from_iter(params))
            .map_err(failure)?;
        let mut found = Vec::new();
        while let Some(row) = rows.next().map_err(failure)? {
            let mut values = Vec::with_capacity(columns);
            for column in 0..columns {
                values.push(row.get_ref(column).map_err(failure).and_then(value)?);
            }
            found.push(Row::new(values));
        }
        Ok(found)
    }
}

impl Connection for SqliteConnection {
    fn begin(&mut self) -> Result<(Moment, i64), Failure> {
        self.control("BEGIN IMMEDIATE")?;
        let rows = self.query("SELECT value FROM sequence WHERE name = 'position'", &[])?;
        let position = rows
            .into_iter()
            .next()
            .map(|mut row| row.int())
            .transpose()
            .map_err(bug)?
            .unwrap_or(0);
        Ok((self.clock.moment(), position))
    }

    fn commit(&mut self, position: i64, _appended: bool) -> Result<(), CommitFailure> {
        let outcome = self
            .execute(
                "UPDATE sequence SET value = ?1 WHERE name = 'position'",
                &[position.into()],
            )
            .and_then(|_| self.control("COMMIT"));
        outcome.map_err(|failure| {
            self.rollback();
            CommitFailure::RolledBack(failure)
        })
    }

    fn rollback(&mut self) {
        if self.in_transaction()
            && let Err(failure) = self.control("ROLLBACK")
        {
            tracing::error!(cause = ?failure.cause, "rolling back failed");
        }
    }

    fn in_transaction(&self) -> bool {
        !self.sqlite.is_autocommit()
    }

    fn control(&mut self, sql: &'static str) -> Result<(), Failure> {
        self.sqlite
            .prepare_cached(sql)
            .and_then(|mut statement| statement.execute([]))
            .map(drop)
            .map_err(failure)
    }
}

impl ToSql for Param<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self {
            Self::Null => ValueRef::Null,
            Self::Int(value) => ValueRef::Integer(*value),
            Self::Text(value) => ValueRef::Text(value.as_bytes()),
        }))
    }
}

fn value(value: ValueRef<'_>) -> Result<Value, Failure> {
    match value {
        ValueRef::Null => Ok(Value::Null),
        ValueRef::Integer(value) => Ok(Value::Int(value)),
        ValueRef::Text(text) => std::str::from_utf8(text)
            .map(|text| Value::Text(text.to_owned()))
            .map_err(bug),
        ValueRef::Real(_) | ValueRef::Blob(_) => {
            Err(bug("a column of a type that is never written"))
        }
    }
}

fn bug(cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Failure {
    Failure {
        kind: FailureKind::Fault,
        cause: cause.into(),
    }
}

fn failure(cause: rusqlite::Error) -> Failure {
    let kind = match cause.sqlite_error_code() {
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => FailureKind::Conflict,
        Some(ErrorCode::OperationInterrupted) => FailureKind::TooSlow,
        Some(
            ErrorCode::DiskFull
            | ErrorCode::SystemIoFailure
            | ErrorCode::OutOfMemory
            | ErrorCode::CannotOpen
            | ErrorCode::ReadOnly,
        ) => FailureKind::Unable,
        _ => FailureKind::Fault,
    };
    Failure {
        kind,
        cause: cause.into(),
    }
}
