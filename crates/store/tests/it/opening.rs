//! Opening a database: again, after a kill, and when it is newer than the program.

use std::sync::Arc;
use std::time::Duration;

use stationmaster_access::Database;
use stationmaster_kernel::notification::{self, NewNotification, Type};
use stationmaster_kernel::task::{self, TaskFilter};
use stationmaster_kernel::{Page, Principal};
use stationmaster_store::{Bounds, Clock, OpenError, PostgresStore, SqliteStore};
use stationmaster_testkit::postgres;

use crate::support::{TestStore, agent};

#[test]
fn a_file_is_opened_again_with_all_it_held() {
    let store = TestStore::sqlite();
    store.task(&agent("t", "a"), "kept");
    let file = store.directory.path().join("test.db");
    let again = SqliteStore::open(&file, Bounds::default(), &Clock::default()).unwrap();
    let again = Database::new(Arc::new(again));
    let list = again.read(|tx| {
        task::list(
            tx,
            &agent("t", "a"),
            &TaskFilter::default(),
            Page::first(10),
        )
    });
    assert_eq!(store.runtime.block_on(list).unwrap().items[0].title, "kept");
}

#[test]
fn a_newer_database_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("test.db");
    drop(SqliteStore::open(&file, Bounds::default(), &Clock::default()).unwrap());
    let sqlite = rusqlite::Connection::open(&file).unwrap();
    sqlite
        .execute(
            "INSERT INTO migration (version, name) VALUES (9999, 'later')",
            [],
        )
        .unwrap();
    let Err(error) = SqliteStore::open(&file, Bounds::default(), &Clock::default()) else {
        panic!("opened")
    };
    assert!(
        matches!(error, OpenError::Newer { found: 9999, .. }),
        "{error}"
    );

    let database = postgres::database();
    drop(PostgresStore::open(database.url(), Bounds::default(), Clock::default()).unwrap());
    let mut client = ::postgres::Client::connect(database.url(), ::postgres::NoTls).unwrap();
    client
        .execute(
            "INSERT INTO migration (version, name) VALUES (9999, 'later')",
            &[],
        )
        .unwrap();
    let Err(error) = PostgresStore::open(database.url(), Bounds::default(), Clock::default())
    else {
        panic!("opened")
    };
    assert!(error.to_string().contains("use a newer program"), "{error}");
}

#[test]
fn a_bad_url_is_refused_without_repeating_its_password() {
    for url in [
        "postgres://u:hunter2@host:notaport/db",
        "mysql://u:hunter2@host/db",
    ] {
        let Err(error) = PostgresStore::open(url, Bounds::default(), Clock::default()) else {
            panic!("opened")
        };
        assert!(!format!("{error:?}").contains("hunter2"), "{error:?}");
    }
}

/// On SQLite every lease was given out by a server that is gone (rulings 18).
#[test]
fn leases_of_an_earlier_boot_are_void() {
    let store = TestStore::sqlite();
    let system = |tx: &mut dyn stationmaster_kernel::Tx, target: &str| {
        let new = NewNotification {
            target: target.parse()?,
            kind: Type::System,
            content: target.to_owned(),
            task: None,
            metadata: None,
        };
        notification::create(tx, &Principal::system().within("t".parse()?)?, new).map(drop)
    };
    let lease = Duration::from_secs(3600);
    store
        .write(move |tx| {
            system(tx, "ours")?;
            notification::take_due(tx, &Principal::system(), "this boot", 1, lease)?;
            system(tx, "theirs")?;
            let batch = notification::Batch {
                tenants: 1,
                each: 1,
                total: 1,
            };
            notification::undelivered(tx, &Principal::internal(), batch, Some(lease)).map(drop)
        })
        .unwrap();
    let file = store.directory.path().join("test.db");
    let runtime = store.runtime;
    drop(store.database);
    let again = Database::new(Arc::new(
        SqliteStore::open(&file, Bounds::default(), &Clock::default()).unwrap(),
    ));
    let due = runtime
        .block_on(again.read(|tx| tx.due_notifications(&"t".parse()?, tx.now(), 10)))
        .unwrap();
    let due: Vec<&str> = due.iter().map(|it| it.content.as_str()).collect();
    assert_eq!(due, ["ours", "theirs"]);
}
