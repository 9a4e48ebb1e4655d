//! A store for a test, and callers to use it as.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use stationmaster_access::Database;
use stationmaster_kernel::task::{self, NewTask, Task};
use stationmaster_kernel::{Principal, Result, Store, Tx};
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
        let directory = tempfile::tempdir().unwrap();
        let clock = Clock::moved_by(directory.path().join("clock"));
        let store = SqliteStore::open(&directory.path().join("test.db"), bounds, &clock).unwrap();
        Self::over(Arc::new(store), directory, None)
    }

    pub(crate) fn postgres() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let postgres = postgres::database();
        let store = open_postgres(&postgres, directory.path().join("clock"));
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
        let postgres = self
            .postgres
            .as_ref()
            .expect("instances share PostgreSQL only");
        Database::new(Arc::new(open_postgres(
            postgres,
            self.directory.path().join("clock"),
        )))
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
        let (who, title) = (who.clone(), title.to_owned());
        self.write(move |tx| {
            task::create(
                tx,
                &who,
                NewTask {
                    title: title.clone(),
                    ..NewTask::default()
                },
            )
        })
        .unwrap()
    }
}

fn open_postgres(postgres: &TestDatabase, clock: PathBuf) -> PostgresStore {
    PostgresStore::open(postgres.url(), Bounds::default(), Clock::moved_by(clock)).unwrap()
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
