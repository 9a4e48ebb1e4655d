//! Several instances on one PostgreSQL: one order of commits, one winner, no lost event.

use std::sync::mpsc;

use stationmaster_access::{Database, Tail};
use stationmaster_kernel::EventId;
use stationmaster_kernel::event::Happening;
use stationmaster_kernel::idempotency::{self, Key, Reply};
use stationmaster_kernel::task::{self, NewTask, TaskFilter};
use stationmaster_kernel::{Page, Result, Tx};
use tokio::time::timeout;

use crate::support::{PATIENCE, TestStore, agent};

fn create(tx: &mut dyn Tx, title: &str) -> Result<()> {
    task::create(
        tx,
        &agent("t", "a"),
        NewTask {
            title: title.to_owned(),
            ..NewTask::default()
        },
    )
    .map(drop)
}

#[test]
fn one_key_at_two_instances_makes_one_row() {
    let store = TestStore::postgres();
    let second = store.second_instance();
    let replies: Vec<Reply> = store.runtime.block_on(async {
        let ask = |database: Database| async move {
            let rule = |tx: &mut dyn Tx| {
                let key = Key::new("t".parse()?, "task", "k", "f".into())?;
                idempotency::once(tx, Some(&key), |tx| {
                    let new = NewTask {
                        title: "one".into(),
                        ..NewTask::default()
                    };
                    let made = task::create(tx, &agent("t", "a"), new)?;
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
    let list = store
        .read(|tx| {
            task::list(
                tx,
                &agent("t", "a"),
                &TaskFilter::default(),
                Page::first(10),
            )
        })
        .unwrap();
    assert_eq!(list.items.len(), 1);
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
                database.write(move |tx| create(tx, &title)).await.unwrap();
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

/// The first writer has drawn its event's id and does not commit yet; the second asks to write
/// meanwhile. Were ids drawn without order, the second would commit a larger id first, a reader
/// would move past the smaller one, and that would be lost.
#[test]
fn an_event_that_commits_late_is_not_skipped() {
    let store = TestStore::postgres();
    let second = store.second_instance();
    let mut tail = Tail::new(&second, None, None, EventId(0));
    let (release, held) = mpsc::channel::<()>();
    let (entered, inside) = mpsc::channel();
    let held = std::sync::Mutex::new(held);
    let first = store.database.clone();
    let slow = store.runtime.spawn(async move {
        first
            .write(move |tx| {
                create(tx, "slow")?;
                let _ = entered.send(());
                let _ = held.lock().map(|held| held.recv());
                Ok(())
            })
            .await
    });
    inside.recv().unwrap();
    let quick = store
        .runtime
        .spawn(async move { second.write(|tx| create(tx, "quick")).await });
    let titles = store.runtime.block_on(async {
        // The reader looks while one is held and the other waits; then both may go on.
        let early = timeout(std::time::Duration::from_millis(200), tail.next()).await;
        assert!(early.is_err(), "nothing is committed yet: {early:?}");
        drop(release);
        let mut titles = Vec::new();
        while titles.len() < 2 {
            let event = timeout(PATIENCE, tail.next())
                .await
                .expect("an event in time")
                .unwrap();
            if let Happening::TaskCreated(task) = event.what {
                titles.push(task.title);
            }
        }
        titles
    });
    store.runtime.block_on(async {
        slow.await.unwrap().unwrap();
        quick.await.unwrap().unwrap();
    });
    assert_eq!(titles, ["slow", "quick"]);
}

/// The server ends the writer's session in the middle of a transaction: what was acknowledged is
/// there, what was not is written when its command is run again.
#[test]
fn a_lost_connection_is_replaced_and_the_command_run_again() {
    let store = TestStore::postgres();
    store.write(|tx| create(tx, "before")).unwrap();
    let url = store.postgres.as_ref().unwrap().url().to_owned();
    let cut = std::sync::atomic::AtomicBool::new(false);
    store
        .write(move |tx| {
            create(tx, "during")?;
            if !cut.swap(true, std::sync::atomic::Ordering::SeqCst) {
                end_other_sessions(&url);
            }
            create(tx, "after")
        })
        .unwrap();
    let list = store.read(|tx| {
        task::list(
            tx,
            &agent("t", "a"),
            &TaskFilter::default(),
            Page::first(10),
        )
    });
    let titles: Vec<String> = list
        .unwrap()
        .items
        .into_iter()
        .map(|task| task.title)
        .collect();
    assert_eq!(titles, ["after", "during", "before"]);
}

/// Ends every session on the database but the one that says so.
fn end_other_sessions(url: &str) {
    let mut client = postgres::Client::connect(url, postgres::NoTls).unwrap();
    client
        .execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
             WHERE datname = current_database() AND pid <> pg_backend_pid()",
            &[],
        )
        .unwrap();
}

/// A writer that does not take the lock is in the way: the conflict is found and the command run
/// again until it succeeds.
#[test]
fn a_conflict_with_a_stranger_is_tried_again() {
    let store = TestStore::postgres();
    store.write(|tx| create(tx, "first")).unwrap();
    let url = store.postgres.as_ref().unwrap().url().to_owned();
    let runs = std::sync::Arc::new(std::sync::atomic::AtomicU32::new(0));
    let counted = runs.clone();
    store
        .write(move |tx| {
            let seen = task::list(
                tx,
                &agent("t", "a"),
                &TaskFilter::default(),
                Page::first(10),
            )?
            .items;
            if counted.fetch_add(1, std::sync::atomic::Ordering::SeqCst) == 0 {
                let mut stranger = postgres::Client::connect(&url, postgres::NoTls).unwrap();
                stranger
                    .execute("UPDATE task SET title = 'theirs', updated_at = 1", &[])
                    .unwrap();
            }
            let change = task::TaskChange {
                title: Some("ours".into()),
                ..task::TaskChange::default()
            };
            task::update(tx, &agent("t", "a"), &seen[0].id, change).map(drop)
        })
        .unwrap();
    assert!(runs.load(std::sync::atomic::Ordering::SeqCst) > 1);
    let list = store
        .read(|tx| {
            task::list(
                tx,
                &agent("t", "a"),
                &TaskFilter::default(),
                Page::first(10),
            )
        })
        .unwrap();
    assert_eq!(list.items[0].title, "ours");
}
