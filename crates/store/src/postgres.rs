//! The shared database: several instances on one PostgreSQL.
//!
//! All writing is in one order. Each instance's writer takes a session-level advisory lock before
//! `BEGIN` and lets go of it after `COMMIT`, and draws positions and event ids under it, so commit
//! order is id order and a reader that tails the log can never meet a late event with a smaller id
//! (rulings 14). Transactions are SERIALIZABLE all the same: the lock binds only those who take it.

use std::collections::HashMap;
use std::time::Duration;

use crossbeam_channel::Receiver;
use postgres::error::SqlState;
use postgres::fallible_iterator::FallibleIterator;
use postgres::types::private::BytesMut;
use postgres::types::{FromSql, IsNull, ToSql, Type, to_sql_checked};
use postgres::{Client, Config, Statement};
use stationmaster_kernel::{Error, Store, Timestamp, Work};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::batch::{CommitFailure, Connection};
use crate::clock::Moment;
use crate::handle::run_query;
use crate::sql::{Driver, Failure, FailureKind, Param, Row, Value};
use crate::workers::{Bounds, Pool, Wakers, write_loop};
use crate::{Clock, OpenError, migrate};

/// The advisory lock of whoever writes: "stnm" and a number of its own.
const LOCK: &str = "SELECT pg_advisory_lock(1937010029, 1)";
const UNLOCK: &str = "SELECT pg_advisory_unlock(1937010029, 1)";
const CHANNEL: &str = "stationmaster";
/// How long to wait before connecting again.
const RECONNECT: Duration = Duration::from_millis(200);

/// A store in a PostgreSQL database. Dropping it finishes what was queued.
pub struct PostgresStore {
    writer: Pool,
    readers: Pool,
    wakers: Wakers,
    stop: Arc<AtomicBool>,
    listener: Option<std::thread::JoinHandle<()>>,
}

impl PostgresStore {
    /// Connects and brings the database to this program's version.
    ///
    /// # Errors
    /// A bad URL, no connection, or a database that belongs to a newer program.
    pub fn open(url: &str, bounds: Bounds, clock: Clock) -> Result<Self, OpenError> {
        let server = Server::new(url, bounds, clock)?;
        let mut writer = PostgresConnection::open(&server, Access::Write)
            .map_err(|failure| OpenError::database("connecting to the database", failure.cause))?;
        writer.migrate()?;
        let mut bodies = Vec::new();
        for _ in 0..bounds.readers.max(1) {
            let connection =
                PostgresConnection::open(&server, Access::Read).map_err(|failure| {
                    OpenError::database("connecting to the database", failure.cause)
                })?;
            bodies.push(move |queue: Receiver<Box<dyn Work>>| read_loop(connection, &queue));
        }
        let wakers = Wakers::default();
        let started = |cause| OpenError::database("starting the database's threads", cause);
        let readers = Pool::start("read", bounds.read_queue, bodies).map_err(started)?;
        let told = wakers.clone();
        let body = move |queue: Receiver<Box<dyn Work>>| {
            write_loop(&mut writer, &queue, bounds.batch, &told)
        };
        let writer = Pool::start("write", bounds.write_queue, vec![body]).map_err(started)?;
        let stop = Arc::new(AtomicBool::new(false));
        let (stopping, told) = (stop.clone(), wakers.clone());
        let listener = std::thread::Builder::new()
            .name("listen".to_owned())
            .spawn(move || listen(&server, &told, &stopping))
            .map_err(started)?;
        Ok(Self {
            writer,
            readers,
            wakers,
            stop,
            listener: Some(listener),
        })
    }
}

impl Store for PostgresStore {
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

impl Drop for PostgresStore {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(listener) = self.listener.take() {
            // A panic in the listener was logged when it happened.
            let _ = listener.join();
        }
    }
}

/// Where to connect, and with which limits.
#[derive(Clone)]
struct Server {
    config: Config,
    statement_time: Duration,
    clock: Clock,
    /// Made once: it reads every root certificate of the system.
    tls: rustls::ClientConfig,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Access {
    Read,
    Write,
}

impl Server {
    fn new(url: &str, bounds: Bounds, clock: Clock) -> Result<Self, OpenError> {
        // The parser's own message may quote the URL, and the URL holds a password.
        let mut config: Config = url.parse().map_err(|_| {
            OpenError::database("reading the database's URL", "it is not a PostgreSQL URL")
        })?;
        config
            .connect_timeout(Duration::from_secs(5))
            .application_name("stationmaster");
        let tls = rustls_config().map_err(|failure| {
            OpenError::database("reading the system's root certificates", failure.cause)
        })?;
        Ok(Self {
            config,
            statement_time: bounds.statement_time,
            clock,
            tls,
        })
    }

    fn connect(&self) -> Result<Client, Failure> {
        let tls = tokio_postgres_rustls::MakeRustlsConnect::new(self.tls.clone());
        let mut client = self.config.connect(tls).map_err(failure)?;
        // A stalled instance must not hold the writers' lock for ever: its session is ended for it.
        let limits = format!(
            "SET statement_timeout = {0}; SET lock_timeout = {0}; SET idle_in_transaction_session_timeout = {0}; \
             SET client_min_messages = warning",
            self.statement_time.as_millis()
        );
        client.batch_execute(&limits).map_err(failure)?;
        Ok(client)
    }
}

/// TLS by the system's own roots, for URLs that ask for it (`sslmode`).
fn rustls_config() -> Result<rustls::ClientConfig, Failure> {
    use rustls_platform_verifier::BuilderVerifierExt as _;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder =
        rustls::ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let verified = builder
        .and_then(|builder| builder.with_platform_verifier())
        .map_err(bug)?;
    Ok(verified.with_no_client_auth())
}

fn read_loop(mut connection: PostgresConnection, queue: &Receiver<Box<dyn Work>>) {
    while let Ok(mut work) = queue.recv() {
        let outcome = read_one(&mut connection, work.as_mut());
        work.complete(outcome);
    }
}

/// How often a query is run again when its connection was lost: reading twice harms nothing.
const READ_TRIES: u32 = 3;

fn read_one(connection: &mut PostgresConnection, work: &mut dyn Work) -> Result<(), Error> {
    let mut turn = 0;
    loop {
        let (outcome, failed) = read_once(connection, work);
        turn += 1;
        if turn == READ_TRIES || !failed.is_some_and(FailureKind::may_pass) {
            return outcome;
        }
    }
}

fn read_once(
    connection: &mut PostgresConnection,
    work: &mut dyn Work,
) -> (Result<(), Error>, Option<FailureKind>) {
    let moment = match connection.begin() {
        Ok((moment, _)) => moment,
        Err(failure) => {
            connection.rollback();
            let kind = failure.kind;
            return (Err(failure.into_error()), Some(kind));
        }
    };
    let settled = run_query(connection, moment, work);
    connection.rollback();
    settled
}

/// Waits for other instances' commits. A lost connection may have lost a wake, so coming back
/// counts as one.
fn listen(server: &Server, wakers: &Wakers, stop: &AtomicBool) {
    while !stop.load(Ordering::Relaxed) {
        let listened = server.connect().and_then(|mut client| {
            client
                .batch_execute(&format!("LISTEN {CHANNEL}"))
                .map_err(failure)?;
            wakers.wake_all();
            while !stop.load(Ordering::Relaxed) {
                let mut heard = client.notifications();
                let mut heard = heard.timeout_iter(RECONNECT);
                if heard.next().map_err(failure)?.is_some() {
                    wakers.wake_all();
                }
            }
            Ok(())
        });
        if let Err(failure) = listened {
            tracing::warn!(cause = ?failure.cause, "listening for commits was interrupted");
            std::thread::sleep(RECONNECT);
        }
    }
}

struct PostgresConnection {
    server: Server,
    access: Access,
    client: Client,
    statements: HashMap<String, Statement>,
    in_transaction: bool,
    locked: bool,
}

impl PostgresConnection {
    fn open(server: &Server, access: Access) -> Result<Self, Failure> {
        Ok(Self {
            server: server.clone(),
            access,
            client: server.connect()?,
            statements: HashMap::new(),
            in_transaction: false,
            locked: false,
        })
    }

    fn migrate(&mut self) -> Result<(), OpenError> {
        let context =
            |failure: Failure| OpenError::database("preparing the database", failure.cause);
        self.lock().map_err(context)?;
        self.script("BEGIN").map_err(context)?;
        migrate::run(self, |connection, script| connection.script(script))?;
        self.script("COMMIT").map_err(context)?;
        self.unlock();
        // Statements prepared while tables were being made may be out of date.
        self.statements.clear();
        Ok(())
    }

    fn script(&mut self, sql: &str) -> Result<(), Failure> {
        self.client.batch_execute(sql).map_err(failure)
    }

    fn reconnect_if_lost(&mut self) -> Result<(), Failure> {
        if self.client.is_closed() {
            self.client = self.server.connect()?;
            self.statements.clear();
            self.in_transaction = false;
            self.locked = false;
        }
        Ok(())
    }

    fn lock(&mut self) -> Result<(), Failure> {
        if !self.locked {
            self.script(LOCK)?;
            self.locked = true;
        }
        Ok(())
    }

    fn unlock(&mut self) {
        if self.locked && self.script(UNLOCK).is_err() {
            // The server drops the lock with the session.
            tracing::warn!("letting go of the writers' lock failed");
        }
        self.locked = false;
    }

    fn statement(&mut self, sql: &str) -> Result<Statement, Failure> {
        if let Some(statement) = self.statements.get(sql) {
            return Ok(statement.clone());
        }
        let statement = self
            .client
            .prepare(&sql.replace('?', "$"))
            .map_err(failure)?;
        self.statements.insert(sql.to_owned(), statement.clone());
        Ok(statement)
    }
}

impl Driver for PostgresConnection {
    fn execute(&mut self, sql: &str, params: &[Param<'_>]) -> Result<u64, Failure> {
        let statement = self.statement(sql)?;
        let params: Vec<&(dyn ToSql + Sync)> = params
            .iter()
            .map(|param| param as &(dyn ToSql + Sync))
            .collect();
        self.client.execute(&statement, &params).map_err(failure)
    }

    fn query(&mut self, sql: &str, params: &[Param<'_>]) -> Result<Vec<Row>, Failure> {
        // No text here holds a NUL, so nothing is there that is called so; the server would call
        // the question itself an error.
        let unheard_of =
            |param: &Param<'_>| matches!(param, Param::Text(text) if text.contains('\0'));
        if params.iter().any(unheard_of) {
            return Ok(Vec::new());
        }
        let statement = self.statement(sql)?;
        let mut rows = self.client.query_raw(&statement, params).map_err(failure)?;
        let mut found = Vec::new();
        while let Some(row) = rows.next().map_err(failure)? {
            let values: Result<Vec<Value>, Failure> = (0..row.len())
                .map(|column| row.try_get::<_, Value>(column).map_err(failure))
                .collect();
            found.push(Row::new(values?));
        }
        Ok(found)
    }
}

impl Connection for PostgresConnection {
    fn begin(&mut self) -> Result<(Moment, i64), Failure> {
        self.reconnect_if_lost()?;
        if self.access == Access::Write {
            self.lock()?;
            self.script("BEGIN ISOLATION LEVEL SERIALIZABLE")?;
        } else {
            self.script("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")?;
        }
        self.in_transaction = true;
        let rows = self.query(
            "SELECT value, (EXTRACT(EPOCH FROM clock_timestamp()) * 1000)::BIGINT FROM sequence WHERE name = 'position'",
            &[],
        )?;
        let mut row = rows
            .into_iter()
            .next()
            .ok_or_else(|| bug("the sequence is gone"))?;
        let position = row.int().map_err(bug)?;
        let now = row.int().map_err(bug)?;
        let clock = &self.server.clock;
        Ok((
            clock.moment_of(Timestamp(now.saturating_add(clock.offset_ms()))),
            position,
        ))
    }

    fn commit(&mut self, position: i64, appended: bool) -> Result<(), CommitFailure> {
        let prepared = self
            .execute(
                "UPDATE sequence SET value = ?1 WHERE name = 'position'",
                &[position.into()],
            )
            .and_then(|_| {
                if appended {
                    self.script("NOTIFY stationmaster")
                } else {
                    Ok(())
                }
            });
        if let Err(failure) = prepared {
            self.rollback();
            return Err(CommitFailure::RolledBack(failure));
        }
        let outcome = self.script("COMMIT");
        self.in_transaction = false;
        let outcome = outcome.map_err(|failure| match failure.kind {
            FailureKind::Disconnected => CommitFailure::Unknown(failure),
            _ => CommitFailure::RolledBack(failure),
        });
        self.unlock();
        outcome
    }

    fn rollback(&mut self) {
        if self.in_transaction
            && let Err(failure) = self.script("ROLLBACK")
        {
            tracing::warn!(cause = ?failure.cause, "rolling back failed");
        }
        self.in_transaction = false;
        self.unlock();
    }

    fn in_transaction(&self) -> bool {
        self.in_transaction && !self.client.is_closed()
    }

    fn control(&mut self, sql: &'static str) -> Result<(), Failure> {
        self.script(sql)
    }
}

impl ToSql for Param<'_> {
    fn to_sql(
        &self,
        kind: &Type,
        out: &mut BytesMut,
    ) -> Result<IsNull, Box<dyn std::error::Error + Sync + Send>> {
        match self {
            Self::Null => Ok(IsNull::Yes),
            Self::Int(value) if *kind == Type::INT4 => i32::try_from(*value)?.to_sql(kind, out),
            Self::Int(value) => value.to_sql(kind, out),
            Self::Text(value) => value.to_sql(kind, out),
        }
    }

    fn accepts(kind: &Type) -> bool {
        [Type::TEXT, Type::VARCHAR, Type::INT4, Type::INT8].contains(kind)
    }

    to_sql_checked!();
}

impl<'a> FromSql<'a> for Value {
    fn from_sql(
        kind: &Type,
        raw: &'a [u8],
    ) -> Result<Self, Box<dyn std::error::Error + Sync + Send>> {
        Ok(match *kind {
            Type::INT8 => Self::Int(i64::from_sql(kind, raw)?),
            Type::INT4 => Self::Int(i32::from_sql(kind, raw)?.into()),
            _ => Self::Text(String::from_sql(kind, raw)?),
        })
    }

    fn from_sql_null(_: &Type) -> Result<Self, Box<dyn std::error::Error + Sync + Send>> {
        Ok(Self::Null)
    }

    fn accepts(kind: &Type) -> bool {
        [Type::TEXT, Type::VARCHAR, Type::INT4, Type::INT8].contains(kind)
    }
}

fn bug(cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Failure {
    Failure {
        kind: FailureKind::Fault,
        cause: cause.into(),
    }
}

fn failure(cause: postgres::Error) -> Failure {
    let kind = match cause.code() {
        // A key that is there already was written by somebody the lock does not bind: run again,
        // the rule finds it then.
        Some(
            &SqlState::T_R_SERIALIZATION_FAILURE
            | &SqlState::T_R_DEADLOCK_DETECTED
            | &SqlState::UNIQUE_VIOLATION,
        ) => FailureKind::Conflict,
        Some(&SqlState::QUERY_CANCELED | &SqlState::LOCK_NOT_AVAILABLE) => FailureKind::TooSlow,
        Some(code) if code.code().starts_with("53") || code.code().starts_with("58") => {
            FailureKind::Unable
        }
        // The server says goodbye: it stops, or an operator ended the session.
        Some(code)
            if code.code().starts_with("57P")
                || code.code().starts_with("08")
                || code.code() == "25P03" =>
        {
            FailureKind::Disconnected
        }
        Some(_) => FailureKind::Fault,
        // No code: the connection itself.
        None => FailureKind::Disconnected,
    };
    Failure {
        kind,
        cause: cause.into(),
    }
}
