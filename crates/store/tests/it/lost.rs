//! PostgreSQL goes away, in the middle of this or that: what was acknowledged is there, what was
//! not is told so, and nothing is written twice.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use stationmaster_access::Tail;
use stationmaster_kernel::event::Happening;
use stationmaster_kernel::idempotency::{self, Key, Reply};
use stationmaster_kernel::task::{self, TaskChange};
use stationmaster_kernel::{EventId, Kind, Result, Tx};
use stationmaster_store::Bounds;
use stationmaster_testkit::postgres;
use tokio::time::timeout;

use crate::support::{PATIENCE, TestStore, agent, create, titled};
use crate::wire::Wire;

fn behind_a_wire() -> (Wire, TestStore) {
    let database = postgres::database();
    let wire = Wire::to(&database);
    let url = wire.url();
    (
        wire,
        TestStore::postgres_at(database, &url, Bounds::default()),
    )
}

/// Makes the task `title` under the key `k`.
fn create_once(title: &'static str) -> impl Fn(&mut dyn Tx) -> Result<Reply> + Send {
    move |tx| {
        let key = Key::new("t".parse()?, "task", "k", title.into())?;
        idempotency::once(tx, Some(&key), |tx| {
            let made = task::create(tx, &agent("t", "a"), titled(title))?;
            Ok(Reply {
                status: 200,
                body: made.id.to_string(),
            })
        })
    }
}

/// The server ends the sessions in the middle of a transaction: what was acknowledged is there,
/// what was not is written when its command is run again.
#[test]
fn a_command_is_run_again_when_its_connection_was_lost() {
    let store = TestStore::postgres();
    store.write(create("before")).unwrap();
    let url = store.url().to_owned();
    let cut = AtomicBool::new(false);
    store
        .write(move |tx| {
            create("during")(tx)?;
            if !cut.swap(true, Ordering::SeqCst) {
                end_other_sessions(&url);
            }
            create("after")(tx)
        })
        .unwrap();
    assert_eq!(store.titles(), ["before", "during", "after"]);
}

/// Ends every session on the database but the one that says so.
fn end_other_sessions(url: &str) {
    let mut client = ::postgres::Client::connect(url, ::postgres::NoTls).unwrap();
    client
        .execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
             WHERE datname = current_database() AND pid <> pg_backend_pid()",
            &[],
        )
        .unwrap();
}

/// The commit is done and its answer never comes. Nobody can know that, so the caller is told to
/// ask again with the same key, and gets what was made the first time.
#[test]
fn a_commit_whose_answer_is_lost_is_not_repeated() {
    let (wire, store) = behind_a_wire();
    wire.lose_the_next_commits_answer();
    let error = store.write(create_once("one")).unwrap_err();
    assert!(matches!(error.kind, Kind::Unavailable { .. }), "{error:?}");
    assert!(error.message.contains("same idempotency key"), "{error:?}");
    assert_eq!(store.titles(), ["one"], "it was done all the same");
    let made = store.write(create_once("one")).unwrap();
    assert_eq!(store.write(create_once("one")).unwrap(), made);
    assert_eq!(store.titles(), ["one"]);
}

/// The server goes away under a batch of many. They are told together: if each were tried by
/// itself, the last would wait for the patience of all the others.
#[test]
fn a_server_that_goes_away_is_told_to_all_and_may_come_back() {
    let (wire, store) = behind_a_wire();
    store.write(create("before")).unwrap();
    let newest = store.read(|tx| tx.newest_event()).unwrap();
    let mut tail = Tail::new(&store.database, None, None, newest);
    let release = store.hold_writer();
    let outcomes = store.runtime.block_on(async {
        let cutter = wire.cutter();
        let cut = store.database.write(move |_| {
            cutter.cut();
            Ok(())
        });
        let writes = (0..250).map(|_| store.database.write(create("lost")));
        let all = futures::future::join(cut, futures::future::join_all(writes));
        let mut all = std::pin::pin!(all);
        assert!(futures::poll!(all.as_mut()).is_pending());
        drop(release);
        all.await.1
    });
    for outcome in outcomes {
        let error = outcome.unwrap_err();
        assert!(matches!(error.kind, Kind::Unavailable { .. }), "{error:?}");
        assert!(!error.message.contains("in time"), "{error:?}");
    }
    assert!(store.read(|tx| tx.newest_event()).is_err());

    wire.cutter().mend();
    store.write(create("after")).unwrap();
    assert_eq!(store.titles(), ["before", "after"]);
    let next = store
        .runtime
        .block_on(async { timeout(PATIENCE, tail.next()).await });
    match next.expect("the tail wakes").unwrap().what {
        Happening::TaskCreated(task) => assert_eq!(task.title, "after"),
        other => panic!("{other:?}"),
    }
}

/// The listener's connection is lost, too. A tail that sleeps through what another instance
/// commits meanwhile is woken when the connection is back, though nobody tells of that commit.
#[test]
fn a_tail_wakes_for_other_instances_after_the_server_came_back() {
    let (wire, store) = behind_a_wire();
    let second = store.second_instance();
    let mut tail = Tail::new(&store.database, None, None, EventId(0));
    let found = store.runtime.block_on(async {
        let mut look = std::pin::pin!(async {
            loop {
                // A look that is under way when the wire is cut is refused; it keeps its place.
                if let Ok(event) = tail.next().await {
                    break event;
                }
            }
        });
        // The log is empty: it looks, again for every wake there was, and sleeps. Were it not
        // asleep yet, the test would show less, but not fail.
        let asleep = timeout(Duration::from_millis(300), look.as_mut()).await;
        assert!(asleep.is_err(), "{asleep:?}");
        wire.cutter().cut();
        second.write(create("meanwhile")).await.unwrap();
        wire.cutter().mend();
        timeout(PATIENCE, look).await
    });
    let found = found.expect("the tail wakes");
    assert_eq!(found.what.kind(), "agent.registered");
}

/// A writer that does not take the lock is in the way: the conflict is found and the command run
/// again until it succeeds.
#[test]
fn a_conflict_with_a_stranger_is_tried_again() {
    let store = TestStore::postgres();
    let made = store.task(&agent("t", "a"), "first");
    let url = store.url().to_owned();
    let runs = Arc::new(AtomicU32::new(0));
    let counted = runs.clone();
    store
        .write(move |tx| {
            let who = agent("t", "a");
            let seen = task::get(tx, &who, &made.id)?;
            if counted.fetch_add(1, Ordering::SeqCst) == 0 {
                let mut stranger = ::postgres::Client::connect(&url, ::postgres::NoTls).unwrap();
                stranger
                    .execute("UPDATE task SET title = 'theirs', updated_at = 1", &[])
                    .unwrap();
            }
            let change = TaskChange {
                title: Some(format!("ours, after {}", seen.title)),
                ..TaskChange::default()
            };
            task::update(tx, &who, &seen.id, change).map(drop)
        })
        .unwrap();
    assert!(runs.load(Ordering::SeqCst) > 1);
    assert_eq!(store.titles(), ["ours, after theirs"]);
}

/// COMMIT itself may find the conflict; what the rule answered before that is not believed.
#[test]
fn a_conflict_found_by_the_commit_is_tried_again() {
    let store = TestStore::postgres();
    store
        .stranger()
        .batch_execute(
            "CREATE SEQUENCE tries;
             CREATE FUNCTION conflict() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN \
             IF nextval('tries') < 3 THEN RAISE 'a conflict' USING ERRCODE = '40001'; END IF; \
             RETURN NULL; END $$;
             CREATE CONSTRAINT TRIGGER conflict AFTER INSERT ON task DEFERRABLE INITIALLY DEFERRED \
             FOR EACH ROW EXECUTE FUNCTION conflict()",
        )
        .unwrap();
    let runs = Arc::new(AtomicU32::new(0));
    let counted = runs.clone();
    let answer = store
        .write(move |tx| {
            create("one")(tx)?;
            Ok(counted.fetch_add(1, Ordering::SeqCst) + 1)
        })
        .unwrap();
    assert_eq!((answer, runs.load(Ordering::SeqCst)), (3, 3));
    assert_eq!(store.titles(), ["one"]);
}
