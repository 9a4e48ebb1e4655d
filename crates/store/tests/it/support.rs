//! A store for a test, and callers to use it as.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, mpsc};
use std::time::{Duration, Instant};

use jiff::tz::TimeZone;
use stationmaster_access::Database;
use stationmaster_kernel::page::Order;
use stationmaster_kernel::task::{self, NewTask, Task, TaskFilter};
use stationmaster_kernel::{Page, Principal, Result, Store, Tx};
use stationmaster_store::{Bounds, Clock, PostgresStore, SqliteStore};
use stationmaster_testkit::postgres::{self, TestDatabase};
use tempfile::TempDir;
use tokio::runtime::Runtime;

/// Makes a test on each database of every case that is named.
macro_rules! on_both {
    ($($case:ident),* $(,)?) => {
        mod sqlite {
            use crate::support::TestStore;
            $(#[test] fn $case() { super::$case(&TestStore::sqlite()); })*
        }
        mod postgres {
            use crate::support::TestStore;
            $(#[test] fn $case() { super::$case(&TestStore::postgres()); })*
        }
    };
}
pub(crate) use on_both;

/// How long a test waits for something that must happen.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// A store of a test's own. Its calls block, so that tests read from top to bottom.
pub(crate) struct TestStore {
    pub(crate) database: Database,
    pub(crate) runtime: Runtime,
    pub(crate) directory: TempDir,
    /// `None`: SQLite.
    pub(crate) postgres: Option<TestDatabase>,
}

impl TestStore {
    pub(crate) fn sqlite() -> Self {
        Self::sqlite_with(Bounds::default())
    }

    pub(crate) fn sqlite_with(bounds: Bounds) -> Self {
        Self::sqlite_in(TimeZone::UTC, bounds)
    }

    /// A store that counts days in this zone.
    pub(crate) fn sqlite_in(zone: TimeZone, bounds: Bounds) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let clock = Clock::moved_by(directory.path().join("clock")).in_zone(zone);
        let store = SqliteStore::open(&directory.path().join("test.db"), bounds, &clock).unwrap();
        Self::over(Arc::new(store), directory, None)
    }

    pub(crate) fn postgres() -> Self {
        Self::postgres_with(Bounds::default())
    }

    pub(crate) fn postgres_with(bounds: Bounds) -> Self {
        let postgres = postgres::database();
        let url = postgres.url().to_owned();
        Self::postgres_at(postgres, &url, bounds)
    }

    /// A store that reaches its database by another way than straight.
    pub(crate) fn postgres_at(postgres: TestDatabase, url: &str, bounds: Bounds) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let store = open_postgres(url, bounds, directory.path().join("clock"));
        Self::over(Arc::new(store), directory, Some(postgres))
    }

    fn over(store: Arc<dyn Store>, directory: TempDir, postgres: Option<TestDatabase>) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        Self {
            database: Database::new(store),
            runtime,
            directory,
            postgres,
        }
    }

    /// Another store on the same database, as a second instance has it; the same file, reopened,
    /// is for SQLite no second instance, so this is for PostgreSQL alone.
    pub(crate) fn second_instance(&self) -> Database {
        let clock = self.directory.path().join("clock");
        Database::new(Arc::new(open_postgres(
            self.url(),
            Bounds::default(),
            clock,
        )))
    }

    /// The URL of the PostgreSQL below.
    pub(crate) fn url(&self) -> &str {
        let postgres = self.postgres.as_ref();
        postgres.expect("a test on PostgreSQL").url()
    }

    /// The file of the SQLite below.
    pub(crate) fn file(&self) -> PathBuf {
        self.directory.path().join("test.db")
    }

    /// Runs statements past the store, in the dialect of the database below.
    pub(crate) fn past(&self, sqlite: &str, postgres: &str) {
        match &self.postgres {
            None => open_sqlite(&self.file()).execute_batch(sqlite).unwrap(),
            Some(_) => self.stranger().batch_execute(postgres).unwrap(),
        }
    }

    /// A PostgreSQL session that is not the store's.
    pub(crate) fn stranger(&self) -> ::postgres::Client {
        ::postgres::Client::connect(self.url(), ::postgres::NoTls).unwrap()
    }

    /// Keeps the writer busy until the returned sender is dropped, so that what is asked for
    /// meanwhile becomes one batch.
    pub(crate) fn hold_writer(&self) -> mpsc::Sender<()> {
        let (release, held) = mpsc::channel::<()>();
        let (entered, inside) = mpsc::channel();
        let held = Mutex::new(held);
        let database = self.database.clone();
        self.runtime.spawn(async move {
            database
                .write(move |_| {
                    let _ = entered.send(());
                    let _ = held.lock().map(|held| held.recv());
                    Ok(())
                })
                .await
        });
        inside.recv_timeout(PATIENCE).unwrap();
        release
    }

    /// The titles of tenant `t`'s tasks, oldest first.
    pub(crate) fn titles(&self) -> Vec<String> {
        let page = Page {
            order: Order::OldestFirst,
            ..Page::first(1000)
        };
        let list = self
            .read(move |tx| task::list(tx, &agent("t", "a"), &TaskFilter::default(), page))
            .unwrap();
        list.items.into_iter().map(|task| task.title).collect()
    }

    pub(crate) fn write<T: Send + 'static>(
        &self,
        rule: impl Fn(&mut dyn Tx) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        self.runtime.block_on(self.database.write(rule))
    }

    pub(crate) fn read<T: Send + 'static>(
        &self,
        query: impl Fn(&mut dyn Tx) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        self.runtime.block_on(self.database.read(query))
    }

    /// Moves the store's clock so far from the system's.
    pub(crate) fn move_clock(&self, by: Duration) {
        std::fs::write(
            self.directory.path().join("clock"),
            by.as_millis().to_string(),
        )
        .unwrap();
    }

    /// A task with this title that `who` makes.
    pub(crate) fn task(&self, who: &Principal, title: &str) -> Task {
        let (who, new) = (who.clone(), titled(title));
        self.write(move |tx| task::create(tx, &who, new.clone()))
            .unwrap()
    }
}

fn open_postgres(url: &str, bounds: Bounds, clock: PathBuf) -> PostgresStore {
    PostgresStore::open(url, bounds, Clock::moved_by(clock)).unwrap()
}

/// A SQLite connection that is not the store's.
pub(crate) fn open_sqlite(file: &Path) -> rusqlite::Connection {
    rusqlite::Connection::open(file).unwrap()
}

/// A task with nothing but a title.
pub(crate) fn titled(title: &str) -> NewTask {
    NewTask {
        title: title.to_owned(),
        ..NewTask::default()
    }
}

/// A rule that makes a task of tenant `t`.
pub(crate) fn create(title: &str) -> impl Fn(&mut dyn Tx) -> Result<()> + Send + use<> {
    let new = titled(title);
    move |tx| task::create(tx, &agent("t", "a"), new.clone()).map(drop)
}

/// An agent of a tenant.
pub(crate) fn agent(tenant: &str, handle: &str) -> Principal {
    Principal::agent(tenant.parse().unwrap(), handle.parse().unwrap())
}

/// An operator, bound to a tenant.
pub(crate) fn person(tenant: &str) -> Principal {
    Principal::operator("ann")
        .within(tenant.parse().unwrap())
        .unwrap()
}

/// Waits until `condition` gives something.
pub(crate) fn until<T>(what: &str, mut condition: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = condition() {
            return found;
        }
        assert!(Instant::now() < deadline, "{what} did not happen in time");
        std::thread::sleep(Duration::from_millis(5));
    }
}
