//! When the database itself gives up in the middle of a batch (rulings 13): nobody is told `Ok`
//! who is not on disk, and the neighbours of what cannot be written are written.
//!
//! A trigger stands for the full disk: it takes the whole transaction with it, as that would.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use stationmaster_kernel::event::{EventQuery, Happening};
use stationmaster_kernel::{EventId, Kind, Result};

use crate::support::{TestStore, create, on_both};

on_both!(
    a_statement_that_loses_the_transaction_spares_the_neighbours,
    a_commit_that_fails_spares_the_neighbours,
    a_lost_batch_leaves_no_event_behind,
);

/// Makes inserting the task `poison` end the whole transaction.
fn poison_statement(store: &TestStore) {
    store.past(
        "CREATE TRIGGER poison BEFORE INSERT ON task WHEN NEW.title = 'poison' \
         BEGIN SELECT RAISE(ROLLBACK, 'the disk is full'); END",
        "CREATE FUNCTION poison() RETURNS trigger LANGUAGE plpgsql AS \
         $$ BEGIN RAISE 'the disk is full' USING ERRCODE = '53100'; END $$;
         CREATE TRIGGER poison BEFORE INSERT ON task FOR EACH ROW WHEN (NEW.title = 'poison') \
         EXECUTE FUNCTION poison()",
    );
}

/// Makes the commit fail that holds the task `poison`.
fn poison_commit(store: &TestStore) {
    store.past(
        // A child without its parent, which SQLite looks for when it commits.
        "CREATE TABLE parent (id INTEGER PRIMARY KEY);
         CREATE TABLE child (parent INTEGER REFERENCES parent (id) DEFERRABLE INITIALLY DEFERRED);
         CREATE TRIGGER poison AFTER INSERT ON task WHEN NEW.title = 'poison' \
         BEGIN INSERT INTO child VALUES (1); END",
        "CREATE FUNCTION poison() RETURNS trigger LANGUAGE plpgsql AS \
         $$ BEGIN RAISE 'the disk is full' USING ERRCODE = '53100'; END $$;
         CREATE CONSTRAINT TRIGGER poison AFTER INSERT ON task DEFERRABLE INITIALLY DEFERRED \
         FOR EACH ROW WHEN (NEW.title = 'poison') EXECUTE FUNCTION poison()",
    );
}

/// Writes tasks of these titles in one batch; gives what each heard, and how often rules ran.
fn write_together(store: &TestStore, titles: &[&str]) -> (Vec<Result<()>>, u32) {
    let runs = Arc::new(AtomicU32::new(0));
    let release = store.hold_writer();
    let outcomes = store.runtime.block_on(async {
        let writes = titles.iter().map(|title| {
            let (create, runs) = (create(title), runs.clone());
            store.database.write(move |tx| {
                runs.fetch_add(1, Ordering::SeqCst);
                create(tx)
            })
        });
        let mut all = std::pin::pin!(futures::future::join_all(writes));
        assert!(futures::poll!(all.as_mut()).is_pending());
        drop(release);
        all.await
    });
    (outcomes, runs.load(Ordering::SeqCst))
}

fn check_neighbours(store: &TestStore) {
    let (outcomes, runs) = write_together(store, &["first", "poison", "last"]);
    let [first, poison, last] = outcomes.as_slice() else {
        panic!("{outcomes:?}")
    };
    assert!(first.is_ok() && last.is_ok(), "{outcomes:?}");
    let refused = poison.as_ref().unwrap_err();
    assert!(
        matches!(refused.kind, Kind::Unavailable { .. }),
        "{refused:?}"
    );
    assert_eq!(store.titles(), ["first", "last"]);
    assert!(runs > 3, "the batch was lost once: {runs} runs");
    // And the writer is none the worse for it.
    store.write(create("later")).unwrap();
    assert_eq!(store.titles(), ["first", "last", "later"]);
}

fn a_statement_that_loses_the_transaction_spares_the_neighbours(store: &TestStore) {
    poison_statement(store);
    check_neighbours(store);
}

fn a_commit_that_fails_spares_the_neighbours(store: &TestStore) {
    poison_commit(store);
    check_neighbours(store);
}

fn a_lost_batch_leaves_no_event_behind(store: &TestStore) {
    poison_commit(store);
    let (outcomes, _) = write_together(store, &["first", "poison", "last"]);
    assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 2);
    let query = EventQuery {
        tenant: None,
        task: None,
        after: EventId(0),
        limit: 100,
    };
    let events = store.read(move |tx| tx.events(&query)).unwrap();
    assert!(events.is_sorted_by(|a, b| a.id < b.id));
    let told: Vec<&str> = events
        .iter()
        .filter_map(|event| match &event.what {
            Happening::TaskCreated(task) => Some(task.title.as_str()),
            _ => None,
        })
        .collect();
    assert_eq!(told, ["first", "last"]);
}
