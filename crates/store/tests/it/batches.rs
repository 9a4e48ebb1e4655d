//! Group commit: neighbours in one batch do not hurt each other, and nobody is told before it is so.

use std::sync::{Arc, Mutex};

use stationmaster_kernel::{Error, Kind};

use stationmaster_access::Database;
use stationmaster_store::{Bounds, Clock, SqliteStore};

use crate::support::{TestStore, create, on_both};

on_both!(
    what_fails_or_panics_in_a_batch_is_rolled_back_alone,
    every_acknowledged_write_is_there,
    a_query_cannot_write,
    a_rule_that_goes_on_after_a_failed_statement_is_refused,
    a_query_that_goes_on_after_a_failed_statement_is_refused,
    a_query_that_panics_harms_nobody,
);

fn what_fails_or_panics_in_a_batch_is_rolled_back_alone(store: &TestStore) {
    let release = store.hold_writer();
    let times = Arc::new(Mutex::new(Vec::new()));
    let timed = |title: &str| {
        let (create, times) = (create(title), times.clone());
        move |tx: &mut dyn stationmaster_kernel::Tx| {
            times.lock().unwrap().push(tx.now());
            create(tx)
        }
    };
    let outcomes = store.runtime.block_on(async {
        let first = store.database.write(timed("first"));
        let refused = timed("refused");
        let refused = store.database.write(move |tx| {
            refused(tx)?;
            Err::<(), _>(Error::conflict("no", "no"))
        });
        let panicked = timed("panicked");
        let panicked = store.database.write(move |tx| {
            panicked(tx)?;
            panic!("a bug in a rule");
            #[expect(unreachable_code, reason = "gives the closure its type")]
            Ok(())
        });
        let last = store.database.write(timed("last"));
        let all = futures::future::join4(first, refused, panicked, last);
        let mut all = std::pin::pin!(all);
        // Asked for, all four, before the writer goes on.
        assert!(futures::poll!(all.as_mut()).is_pending());
        drop(release);
        all.await
    });
    assert!(outcomes.0.is_ok() && outcomes.3.is_ok());
    assert_eq!(outcomes.1.unwrap_err().code, "no");
    assert_eq!(outcomes.2.unwrap_err().kind, Kind::Internal);
    assert_eq!(store.titles(), ["first", "last"]);
    // Each was run once, and a transaction has one time: it was one.
    let times = times.lock().unwrap();
    assert_eq!(*times, [times[0]; 4]);
}

fn write_a_hundred(store: &TestStore) -> Vec<String> {
    let titles: Vec<String> = (0..100).map(|number| format!("{number:03}")).collect();
    store.runtime.block_on(async {
        let writes = titles
            .iter()
            .map(|title| store.database.write(create(title)));
        for outcome in futures::future::join_all(writes).await {
            outcome.unwrap();
        }
    });
    titles
}

fn every_acknowledged_write_is_there(store: &TestStore) {
    let expected = write_a_hundred(store);
    assert_eq!(store.titles(), expected);
}

/// What a power cut would leave behind: the files as they are while the store still runs.
#[test]
fn the_files_hold_every_acknowledged_write() {
    let store = TestStore::sqlite();
    let expected = write_a_hundred(&store);
    let copy = tempfile::tempdir().unwrap();
    for name in ["test.db", "test.db-wal"] {
        std::fs::copy(store.directory.path().join(name), copy.path().join(name)).unwrap();
    }
    let opened = SqliteStore::open(
        &copy.path().join("test.db"),
        Bounds::default(),
        &Clock::default(),
    );
    let copied = TestStore {
        database: Database::new(Arc::new(opened.unwrap())),
        ..TestStore::sqlite()
    };
    assert_eq!(copied.titles(), expected);
}

fn a_query_cannot_write(store: &TestStore) {
    assert!(store.read(create("sneaky")).is_err());
    assert!(store.titles().is_empty());
}

fn a_rule_that_goes_on_after_a_failed_statement_is_refused(store: &TestStore) {
    let made = store.task(&crate::support::agent("t", "a"), "one");
    let outcome = store.write(move |tx| {
        create("two")(tx)?;
        // The same row again: the database refuses it, and the rule goes on as if nothing were.
        let _ = tx.insert_task(&made);
        Ok(())
    });
    assert!(outcome.is_err());
    assert_eq!(store.titles(), ["one"]);
}

fn a_query_that_goes_on_after_a_failed_statement_is_refused(store: &TestStore) {
    let outcome = store.read(|tx| {
        let _ = create("sneaky")(tx);
        Ok("all is well")
    });
    assert!(outcome.is_err(), "{outcome:?}");
}

fn a_query_that_panics_harms_nobody(store: &TestStore) {
    for _ in 0..4 {
        let outcome = store.read(|_| -> stationmaster_kernel::Result<()> { panic!("a bug") });
        assert_eq!(outcome.unwrap_err().kind, Kind::Internal);
    }
    assert!(store.titles().is_empty());
}
