//! Where a store says no: full queues, slow statements, locked tables, names of any length.

use std::sync::mpsc;
use std::time::Duration;

use stationmaster_kernel::document::{self, DocumentFilter};
use stationmaster_kernel::idempotency::{self, Key, MAX_KEY, Reply};
use stationmaster_kernel::run::{self, NewRun};
use stationmaster_kernel::task::{self, BoardFilter, NewTask, TaskFilter};
use stationmaster_kernel::{ApprovalId, DocumentId, Error, Kind, MicroUsd, Page, Result, TaskId};
use stationmaster_kernel::{approval, message};
use stationmaster_store::Bounds;

use crate::support::{PATIENCE, TestStore, agent, create, on_both, titled, until};

on_both!(
    the_longest_names_fit,
    what_no_database_can_hold_is_simply_not_found,
);

fn check_unavailable<T: std::fmt::Debug>(outcome: Result<T>) -> Error {
    let error = outcome.unwrap_err();
    assert!(matches!(error.kind, Kind::Unavailable { .. }), "{error:?}");
    error
}

/// PostgreSQL's indexes take no long texts: whatever is indexed must have its bound below that.
fn the_longest_names_fit(store: &TestStore) {
    // Different characters of four bytes each: nothing that could be compressed.
    let long = |length: u32| -> String {
        (0..length)
            .filter_map(|number| char::from_u32(0x20000 + number * 7))
            .collect()
    };
    let tenant = long(255);
    let handle = "h".repeat(64);
    let who = agent(&tenant, &handle);
    let made = store
        .write(move |tx| {
            let new = NewTask {
                status: Some(long(64)),
                assignee: Some(handle.parse()?),
                ..titled(&long(20_000))
            };
            let key = Key::new(tenant.parse()?, "task", &long(MAX_KEY as u32), long(64))?;
            let reply = idempotency::once(tx, Some(&key), |tx| {
                let made = task::create(tx, &who, new.clone())?;
                Ok(Reply {
                    status: 200,
                    body: made.id.to_string(),
                })
            })?;
            let task = TaskId::new(reply.body);
            let doc_type = Some(long(64));
            let new = document::NewDocument {
                task: task.clone(),
                title: long(20_000),
                content: long(20_000),
                doc_type,
            };
            document::create(tx, &who, new)?;
            let new = NewRun {
                request: String::new(),
                task: None,
                worst: MicroUsd::ZERO,
                trace: None,
                key: Some(long(MAX_KEY as u32)),
                model: long(5_000),
                owner: "me".into(),
                lease: PATIENCE,
            };
            run::begin(tx, &who, &new)?;
            Ok((who.clone(), task))
        })
        .unwrap();
    let (who, id) = made;
    let title = store
        .read(move |tx| {
            let title = task::get(tx, &who, &id)?.title;
            let filter = TaskFilter {
                title: Some(title.clone()),
                ..TaskFilter::default()
            };
            let found = task::list(tx, &who, &filter, Page::first(2))?;
            assert_eq!(found.items.len(), 1);
            Ok(title)
        })
        .unwrap();
    assert_eq!(title.chars().count(), 20_000);
}

/// PostgreSQL's texts hold no NUL, so nothing with one in its name is there; SQLite agrees.
fn what_no_database_can_hold_is_simply_not_found(store: &TestStore) {
    let who = agent("t", "a");
    store.task(&who, "one");
    for text in ["\0", "task_\0", "one\0", "a\0b"] {
        let who = who.clone();
        let codes = store
            .read(move |tx| {
                let task = TaskId::new(text);
                Ok([
                    task::get(tx, &who, &task).map(drop),
                    message::list(tx, &who, Some(&task), Page::first(1)).map(drop),
                    document::get(tx, &who, &DocumentId::new(text)).map(drop),
                    approval::get(tx, &who, &ApprovalId::new(text)).map(drop),
                ]
                .map(|outcome| outcome.unwrap_err().code))
            })
            .unwrap();
        let expected = [
            "task_not_found",
            "task_not_found",
            "document_not_found",
            "tool_request_not_found",
        ];
        assert_eq!(codes, expected, "{text:?}");
        let who = agent("t", "a");
        let found = store
            .read(move |tx| {
                let text = Some(text.to_owned());
                let by_title = TaskFilter {
                    title: text.clone(),
                    ..TaskFilter::default()
                };
                let by_status = TaskFilter {
                    status: text.clone(),
                    ..TaskFilter::default()
                };
                let by_type = DocumentFilter {
                    doc_type: text,
                    task: None,
                };
                Ok(task::list(tx, &who, &by_title, Page::first(9))?.items.len()
                    + task::list(tx, &who, &by_status, Page::first(9))?
                        .items
                        .len()
                    + document::list(tx, &who, &by_type, Page::first(9))?
                        .items
                        .len())
            })
            .unwrap();
        assert_eq!(found, 0, "{text:?}");
    }
}

fn check_full_write_queue(open: impl Fn(Bounds) -> TestStore) {
    let store = open(Bounds {
        write_queue: 2,
        batch: 1,
        ..Bounds::default()
    });
    let release = store.hold_writer();
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
        check_unavailable(answers.recv_timeout(PATIENCE).unwrap());
    }
    drop(release);
    until("the two that fitted are written", || {
        (store.titles().len() == 2).then_some(())
    });
}

fn check_full_read_queue(open: impl Fn(Bounds) -> TestStore) {
    let store = open(Bounds {
        read_queue: 1,
        readers: 1,
        ..Bounds::default()
    });
    let (release, held) = mpsc::channel::<()>();
    let (entered, inside) = mpsc::channel();
    let held = std::sync::Mutex::new(held);
    let ask = |query: Box<dyn Fn() + Send>| {
        let (answer, answered) = mpsc::channel();
        let database = store.database.clone();
        store.runtime.spawn(async move {
            let outcome = database
                .read(move |_| {
                    query();
                    Ok(())
                })
                .await;
            let _ = answer.send(outcome);
        });
        answered
    };
    let first = ask(Box::new(move || {
        let _ = entered.send(());
        let _ = held.lock().map(|held| held.recv());
    }));
    inside.recv_timeout(PATIENCE).unwrap();
    // One of the two fits into the queue and waits; the other is refused at once.
    let (second, third) = (ask(Box::new(|| ())), ask(Box::new(|| ())));
    let (mut refused, mut waiting) = (None, vec![second, third]);
    until("one is refused", || {
        waiting.retain(|answered| match answered.try_recv() {
            Ok(outcome) => {
                refused = Some(outcome);
                false
            }
            Err(_) => true,
        });
        refused.take().map(check_unavailable)
    });
    drop(release);
    first.recv_timeout(PATIENCE).unwrap().unwrap();
    let fitted = waiting.pop().unwrap();
    fitted.recv_timeout(PATIENCE).unwrap().unwrap();
}

#[test]
fn a_full_queue_is_told_at_once_on_sqlite() {
    check_full_write_queue(TestStore::sqlite_with);
    check_full_read_queue(TestStore::sqlite_with);
}

#[test]
fn a_full_queue_is_told_at_once_on_postgres() {
    check_full_write_queue(TestStore::postgres_with);
    check_full_read_queue(TestStore::postgres_with);
}

/// With no time at all, whatever looks at many rows is interrupted, and what looks at few is not.
#[test]
fn a_slow_query_is_interrupted_on_sqlite() {
    let store = TestStore::sqlite_with(Bounds {
        statement_time: Duration::ZERO,
        readers: 1,
        ..Bounds::default()
    });
    store
        .write(|tx| {
            let made = task::create(tx, &agent("t", "a"), titled("one"))?;
            for number in 0..20_000 {
                let position = tx.next_position()?;
                tx.insert_task(&task::Task {
                    id: TaskId::new(format!("task_{number}")),
                    position,
                    ..made.clone()
                })?;
            }
            Ok(())
        })
        .unwrap();
    let count = || {
        store.read(|tx| {
            tx.board_count(&BoardFilter {
                search: Some("no such words".to_owned()),
                ..BoardFilter::default()
            })
        })
    };
    let error = check_unavailable(count());
    assert!(error.message.contains("too long"), "{error:?}");
    let who = agent("t", "a");
    let list = store
        .read(move |tx| task::list(tx, &who, &TaskFilter::default(), Page::first(3)))
        .unwrap();
    assert_eq!(list.items.len(), 3, "the reader goes on");
    check_unavailable(count());
}

#[test]
fn a_query_that_waits_too_long_is_ended_on_postgres() {
    let store = TestStore::postgres_with(Bounds {
        statement_time: Duration::from_millis(200),
        ..Bounds::default()
    });
    store.write(create("one")).unwrap();
    let mut stranger = store.stranger();
    let mut locking = stranger.transaction().unwrap();
    locking
        .batch_execute("LOCK TABLE task IN ACCESS EXCLUSIVE MODE")
        .unwrap();
    let list = || {
        store.read(|tx| {
            let (who, filter) = (agent("t", "a"), TaskFilter::default());
            task::list(tx, &who, &filter, Page::first(3))
        })
    };
    let error = check_unavailable(list());
    assert!(error.message.contains("too long"), "{error:?}");
    check_unavailable(store.write(create("two")));
    locking.rollback().unwrap();
    assert_eq!(list().unwrap().items.len(), 1);
    store.write(create("three")).unwrap();
    assert_eq!(store.titles(), ["one", "three"]);
}

/// Another instance that never lets go of the writers' lock costs writers their patience, no more.
#[test]
fn a_lock_that_is_never_let_go_is_not_waited_for_on_postgres() {
    let store = TestStore::postgres_with(Bounds {
        statement_time: Duration::from_millis(200),
        ..Bounds::default()
    });
    let mut stranger = store.stranger();
    stranger
        .execute("SELECT pg_advisory_lock(1937010029, 1)", &[])
        .unwrap();
    check_unavailable(store.write(create("one")));
    assert!(store.titles().is_empty(), "readers need no lock");
    stranger
        .execute("SELECT pg_advisory_unlock_all()", &[])
        .unwrap();
    store.write(create("two")).unwrap();
    assert_eq!(store.titles(), ["two"]);
}
