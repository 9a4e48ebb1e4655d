//! Group commit: neighbours in one batch do not hurt each other, and a full queue says so.

use std::sync::mpsc;

use stationmaster_kernel::task::{self, NewTask, TaskFilter};
use stationmaster_kernel::{Error, Kind, Page, Result};
use stationmaster_store::Bounds;

use crate::support::{TestStore, agent, on_both, until};

on_both!(
    what_fails_or_panics_in_a_batch_is_rolled_back_alone,
    every_acknowledged_write_is_there,
    a_query_cannot_write,
    a_rule_may_be_run_again_and_only_its_last_result_counts,
);

fn titles(store: &TestStore) -> Vec<String> {
    let list = store.read(|tx| {
        task::list(
            tx,
            &agent("t", "a"),
            &TaskFilter::default(),
            Page::first(100),
        )
    });
    let mut titles: Vec<String> = list
        .unwrap()
        .items
        .into_iter()
        .map(|task| task.title)
        .collect();
    titles.sort();
    titles
}

fn create(title: &str) -> impl Fn(&mut dyn stationmaster_kernel::Tx) -> Result<()> + Send + use<> {
    let title = title.to_owned();
    move |tx| {
        let new = NewTask {
            title: title.clone(),
            ..NewTask::default()
        };
        task::create(tx, &agent("t", "a"), new).map(drop)
    }
}

/// Holds the writer until the returned sender is dropped, so that what is asked for meanwhile
/// becomes one batch.
fn hold_writer(store: &TestStore) -> mpsc::Sender<()> {
    let (release, held) = mpsc::channel::<()>();
    let (entered, inside) = mpsc::channel();
    let held = std::sync::Mutex::new(held);
    let database = store.database.clone();
    store.runtime.spawn(async move {
        database
            .write(move |_| {
                let _ = entered.send(());
                let _ = held.lock().map(|held| held.recv());
                Ok(())
            })
            .await
    });
    inside.recv().unwrap();
    release
}

fn what_fails_or_panics_in_a_batch_is_rolled_back_alone(store: &TestStore) {
    let release = hold_writer(store);
    let outcomes = store.runtime.block_on(async {
        let first = store.database.write(create("first"));
        let refused = store.database.write(|tx| {
            create("refused")(tx)?;
            Err::<(), _>(Error::conflict("no", "no"))
        });
        let panicked = store.database.write(|tx| {
            create("panicked")(tx)?;
            panic!("a bug in a rule");
            #[expect(unreachable_code, reason = "gives the closure its type")]
            Ok(())
        });
        let last = store.database.write(create("last"));
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
    assert_eq!(titles(store), ["first", "last"]);
}

fn every_acknowledged_write_is_there(store: &TestStore) {
    let mut expected: Vec<String> = (0..100).map(|number| format!("{number:03}")).collect();
    store.runtime.block_on(async {
        let writes = expected
            .iter()
            .map(|title| store.database.write(create(title)));
        for outcome in futures::future::join_all(writes).await {
            outcome.unwrap();
        }
    });
    expected.sort();
    assert_eq!(titles(store), expected);
}

fn a_query_cannot_write(store: &TestStore) {
    assert!(store.read(create("sneaky")).is_err());
    assert!(titles(store).is_empty());
}

fn a_rule_may_be_run_again_and_only_its_last_result_counts(store: &TestStore) {
    // An error that a rule swallows is not swallowed by the store.
    let outcome = store.write(|tx| {
        let made = task::create(
            tx,
            &agent("t", "a"),
            NewTask {
                title: "one".into(),
                ..NewTask::default()
            },
        )?;
        // The same row again: the database refuses it, and the rule goes on as if nothing were.
        let _ = tx.insert_task(&made);
        Ok(())
    });
    assert!(outcome.is_err());
    assert!(titles(store).is_empty());
}

#[test]
fn a_full_queue_is_told_at_once() {
    let store = TestStore::sqlite_with(Bounds {
        write_queue: 2,
        batch: 1,
        ..Bounds::default()
    });
    let release = hold_writer(&store);
    let (told, answers) = mpsc::channel();
    for number in 0..8 {
        let (database, told) = (store.database.clone(), told.clone());
        store.runtime.spawn(async move {
            let outcome = database.write(create(&number.to_string())).await;
            let _ = told.send(outcome);
        });
    }
    // The writer is held and two fit into the queue, so six are refused while nothing moves.
    for _ in 0..6 {
        let refused = answers
            .recv_timeout(crate::support::PATIENCE)
            .unwrap()
            .unwrap_err();
        assert!(
            matches!(refused.kind, Kind::Unavailable { .. }),
            "{refused:?}"
        );
    }
    drop(release);
    until("the two that fitted are written", || {
        (titles(&store).len() == 2).then_some(())
    });
}
