//! Several instances on one PostgreSQL: one order of commits, one winner, no lost event.

use std::sync::mpsc;
use std::time::Duration;

use stationmaster_access::{Database, Tail};
use stationmaster_kernel::event::Happening;
use stationmaster_kernel::idempotency::{self, Key, Reply};
use stationmaster_kernel::task;
use stationmaster_kernel::{EventId, Result, Tx};
use stationmaster_store::{Bounds, Clock, PostgresStore};
use stationmaster_testkit::postgres;
use tokio::time::timeout;

use crate::support::{PATIENCE, TestStore, agent, create, titled, until};

#[test]
fn one_key_at_two_instances_makes_one_row() {
    let store = TestStore::postgres();
    let second = store.second_instance();
    let replies: Vec<Reply> = store.runtime.block_on(async {
        let ask = |database: Database| async move {
            let rule = |tx: &mut dyn Tx| {
                let key = Key::new("t".parse()?, "task", "k", "f".into())?;
                idempotency::once(tx, Some(&key), |tx| {
                    let made = task::create(tx, &agent("t", "a"), titled("one"))?;
                    Ok(Reply {
                        status: 200,
                        body: made.id.to_string(),
                    })
                })
            };
            database.write(rule).await
        };
        let asked: Vec<_> = (0..40)
            .map(|n| {
                ask(if n % 2 == 0 {
                    store.database.clone()
                } else {
                    second.clone()
                })
            })
            .collect();
        futures::future::join_all(asked)
            .await
            .into_iter()
            .map(Result::unwrap)
            .collect()
    });
    assert!(replies.iter().all(|reply| *reply == replies[0]));
    assert_eq!(store.titles(), ["one"]);
}

/// Two instances write at once while a third reader tails: every event, in order, once.
#[test]
fn a_tail_at_one_instance_sees_the_others_events() {
    const EACH: usize = 30;
    let store = TestStore::postgres();
    let second = store.second_instance();
    let mut tail = Tail::new(&second, None, None, EventId(0));
    let seen = store.runtime.block_on(async {
        let reader = async {
            let (mut seen, mut last) = (Vec::new(), EventId(0));
            while seen.len() < 2 * EACH {
                let event = tail.next().await.unwrap();
                assert!(event.id > last);
                last = event.id;
                if let Happening::TaskCreated(task) = event.what {
                    seen.push(task.title);
                }
            }
            seen
        };
        let write = |database: Database, name: &'static str| async move {
            for number in 0..EACH {
                let title = format!("{name}{number:02}");
                database.write(create(&title)).await.unwrap();
            }
        };
        let all = futures::future::join3(
            reader,
            write(store.database.clone(), "a"),
            write(second.clone(), "b"),
        );
        timeout(PATIENCE, all).await.expect("every event in time").0
    });
    for name in ["a", "b"] {
        let own: Vec<&String> = seen
            .iter()
            .filter(|title| title.starts_with(name))
            .collect();
        assert!(own.len() == EACH && own.is_sorted(), "{own:?}");
    }
}

/// Holds a writer inside a rule that has made the task `title`, until the sender is dropped.
fn hold_after_creating(
    store: &TestStore,
    database: &Database,
    title: &'static str,
) -> (mpsc::Sender<()>, tokio::task::JoinHandle<Result<()>>) {
    let (release, held) = mpsc::channel::<()>();
    let (entered, inside) = mpsc::channel();
    let held = std::sync::Mutex::new(held);
    let database = database.clone();
    let written = store.runtime.spawn(async move {
        database
            .write(move |tx| {
                create(title)(tx)?;
                let _ = entered.send(());
                let _ = held.lock().map(|held| held.recv());
                Ok(())
            })
            .await
    });
    inside.recv_timeout(PATIENCE).unwrap();
    (release, written)
}

/// The first writer has drawn its event's id and does not commit yet; the second asks to write
/// meanwhile. Were ids drawn without order, the second would commit a larger id first, a reader
/// would move past the smaller one, and that would be lost.
#[test]
fn an_event_that_commits_late_is_not_skipped() {
    let store = TestStore::postgres();
    let second = store.second_instance();
    let mut tail = Tail::new(&second, None, None, EventId(0));
    let (release, slow) = hold_after_creating(&store, &store.database, "slow");
    let quick = {
        let second = second.clone();
        store
            .runtime
            .spawn(async move { second.write(create("quick")).await })
    };
    // It waits for its turn, or it does not and has committed before the first.
    let mut stranger = store.stranger();
    until("the second writer waits or has written", || {
        let waits = "SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted \
                     AND database = (SELECT oid FROM pg_database WHERE datname = current_database())";
        let written = "SELECT 1 FROM task WHERE title = 'quick'";
        let mut any = |sql: &str| !stranger.query(sql, &[]).unwrap().is_empty();
        (any(waits) || any(written)).then_some(())
    });
    // The reader takes in all there is by now; what it sees later must come after that.
    let mut titles = Vec::new();
    let mut take = |what: Happening| {
        if let Happening::TaskCreated(task) = what {
            titles.push(task.title);
        }
    };
    store.runtime.block_on(async {
        let now = store.database.read(|tx| tx.newest_event()).await.unwrap();
        let mut last = EventId(0);
        while last < now {
            let event = timeout(PATIENCE, tail.next())
                .await
                .expect("in time")
                .unwrap();
            last = event.id;
            take(event.what);
        }
        drop(release);
        slow.await.unwrap().unwrap();
        quick.await.unwrap().unwrap();
        let now = store.database.read(|tx| tx.newest_event()).await.unwrap();
        while last < now {
            let event = timeout(PATIENCE, tail.next())
                .await
                .expect("in time")
                .unwrap();
            assert!(event.id > last);
            last = event.id;
            take(event.what);
        }
    });
    assert_eq!(titles, ["slow", "quick"]);
}

/// An instance that stops in the middle of a transaction must not stop the others for ever: the
/// server ends its session, the next one writes, and what it meant to write is run again.
#[test]
fn a_stalled_writer_loses_its_turn() {
    let store = TestStore::postgres_with(Bounds {
        statement_time: Duration::from_millis(300),
        ..Bounds::default()
    });
    let second = store.second_instance();
    let (release, stalled) = hold_after_creating(&store, &store.database, "stalled");
    let written = second.write(create("quick"));
    store
        .runtime
        .block_on(async { timeout(PATIENCE, written).await })
        .expect("its turn comes in time")
        .unwrap();
    drop(release);
    store.runtime.block_on(stalled).unwrap().unwrap();
    assert_eq!(store.titles(), ["quick", "stalled"]);
}

#[test]
fn an_empty_database_may_be_opened_by_many_at_once() {
    let database = postgres::database();
    std::thread::scope(|scope| {
        let open = || PostgresStore::open(database.url(), Bounds::default(), Clock::default());
        let opened: Vec<_> = (0..4).map(|_| scope.spawn(open)).collect();
        for store in opened {
            store.join().unwrap().unwrap();
        }
    });
}
