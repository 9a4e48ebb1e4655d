//! The log: written with its cause, read without gap or repeat.

use std::time::Duration;

use stationmaster_access::Tail;
use stationmaster_kernel::event::{Event, EventQuery, Happening};
use stationmaster_kernel::task::{self, NewTask};
use stationmaster_kernel::{Error, EventId, Result, TaskId, Tx, heartbeat};

use stationmaster_store::Bounds;

use crate::support::{PATIENCE, TestStore, agent, create, on_both, titled};

on_both!(
    an_event_is_written_with_its_cause_and_rolled_back_with_it,
    an_event_holds_the_noun_as_it_was,
    a_reader_resumes_where_it_was,
    readers_see_their_part_of_the_log,
    a_tail_takes_a_long_log_in_pieces,
    a_tail_sees_events_that_follow_each_other_closely,
    a_tail_wakes_on_commit_and_skips_nothing,
    dropping_old_events_raises_the_floor,
);

fn log(store: &TestStore, after: EventId) -> Vec<Event> {
    let query = EventQuery {
        tenant: None,
        task: None,
        after,
        limit: 1000,
    };
    store.read(move |tx| tx.events(&query)).unwrap()
}

fn kinds(events: &[Event]) -> Vec<&'static str> {
    events.iter().map(|event| event.what.kind()).collect()
}

fn an_event_is_written_with_its_cause_and_rolled_back_with_it(store: &TestStore) {
    let failed: Result<()> = store.write(|tx| {
        task::create(
            tx,
            &agent("t", "a"),
            NewTask {
                title: "one".into(),
                ..NewTask::default()
            },
        )?;
        Err(Error::conflict("no", "no"))
    });
    assert!(failed.is_err());
    assert!(log(store, EventId(0)).is_empty());
    store.task(&agent("t", "a"), "one");
    assert_eq!(
        kinds(&log(store, EventId(0))),
        ["agent.registered", "task.created"]
    );
}

fn an_event_holds_the_noun_as_it_was(store: &TestStore) {
    let who = agent("t", "a");
    let made = store.task(&who, "before");
    let id = made.id.clone();
    let change = task::TaskChange {
        title: Some("after".into()),
        ..task::TaskChange::default()
    };
    let changed = store
        .write(move |tx| task::update(tx, &who, &id, change.clone()))
        .unwrap();
    let events = log(store, EventId(0));
    assert_eq!(events[1].what, Happening::TaskCreated(made));
    assert_eq!(events[2].what, Happening::TaskUpdated(changed));
    assert_eq!(
        (events[2].tenant.as_str(), events[2].actor.as_str()),
        ("t", "agent:a")
    );
}

fn a_reader_resumes_where_it_was(store: &TestStore) {
    for title in ["one", "two", "three"] {
        store.task(&agent("t", "a"), title);
    }
    let all = log(store, EventId(0));
    assert!(all.is_sorted_by(|a, b| a.id < b.id));
    let rest = log(store, all[1].id);
    assert_eq!(rest, all[2..]);
    assert_eq!(
        store.read(|tx| tx.newest_event()).unwrap(),
        all.last().unwrap().id
    );
}

fn readers_see_their_part_of_the_log(store: &TestStore) {
    let task = store.task(&agent("t", "a"), "one").id;
    store.task(&agent("t", "a"), "two");
    store.task(&agent("u", "b"), "one");
    let check = |tenant: Option<&str>, task: Option<TaskId>, limit: u32, expected: &[&str]| {
        let query = EventQuery {
            tenant: tenant.map(|tenant| tenant.parse().unwrap()),
            task,
            after: EventId(0),
            limit,
        };
        let events = store.read(move |tx| tx.events(&query)).unwrap();
        assert_eq!(kinds(&events), expected);
    };
    let (agents, tasks) = ("agent.registered", "task.created");
    check(None, None, 9, &[agents, tasks, tasks, agents, tasks]);
    check(None, None, 2, &[agents, tasks]);
    check(Some("t"), None, 9, &[agents, tasks, tasks]);
    check(Some("u"), None, 9, &[agents, tasks]);
    check(Some("t"), Some(task.clone()), 9, &[tasks]);
    check(Some("u"), Some(task), 9, &[]);
}

fn a_tail_takes_a_long_log_in_pieces(store: &TestStore) {
    const MANY: usize = 700;
    store
        .write(|tx| {
            for number in 0..MANY {
                let who = agent("t", "a");
                task::create(tx, &who, titled(&number.to_string()))?;
            }
            Ok(())
        })
        .unwrap();
    let newest = store.read(|tx| tx.newest_event()).unwrap();
    let mut tail = Tail::new(&store.database, None, None, EventId(0));
    let seen = store.runtime.block_on(async {
        let mut seen = Vec::new();
        while seen.last().is_none_or(|last| *last < newest) {
            let next = tokio::time::timeout(PATIENCE, tail.next()).await;
            seen.push(next.expect("in time").unwrap().id);
        }
        seen
    });
    assert!(seen.is_sorted_by(|a, b| a < b));
    assert_eq!(seen.len(), 1 + MANY);
}

fn a_tail_wakes_on_commit_and_skips_nothing(store: &TestStore) {
    const EACH: usize = 40;
    let mut tail = Tail::new(
        &store.database,
        Some("t".parse().unwrap()),
        None,
        EventId(0),
    );
    let titles: Vec<String> = store.runtime.block_on(async {
        let reader = async {
            let mut titles = Vec::new();
            let mut last = EventId(0);
            while titles.len() < 4 * EACH {
                let event = tail.next().await.unwrap();
                assert!(event.id > last, "{:?} after {last:?}", event.id);
                last = event.id;
                if let Happening::TaskCreated(task) = event.what {
                    titles.push(task.title);
                }
            }
            titles
        };
        let writers = (0..4).map(|writer| {
            let database = store.database.clone();
            async move {
                for number in 0..EACH {
                    let title = format!("{writer}-{number}");
                    let create = database.write(move |tx| {
                        let new = NewTask {
                            title: title.clone(),
                            ..NewTask::default()
                        };
                        task::create(tx, &agent("t", "a"), new).map(drop)
                    });
                    create.await.unwrap();
                }
            }
        });
        let both = futures::future::join(reader, futures::future::join_all(writers));
        tokio::time::timeout(PATIENCE, both)
            .await
            .expect("every event in time")
            .0
    });
    for writer in 0..4 {
        let prefix = format!("{writer}-");
        let own: Vec<&String> = titles
            .iter()
            .filter(|title| title.starts_with(&prefix))
            .collect();
        let expected: Vec<String> = (0..EACH)
            .map(|number| format!("{prefix}{number}"))
            .collect();
        assert_eq!(own, expected.iter().collect::<Vec<_>>());
    }
}

/// An update draws one number, its event's own, so the next event's is the next number.
fn a_tail_sees_events_that_follow_each_other_closely(store: &TestStore) {
    let task = store.task(&agent("t", "a"), "one");
    let newest = store.read(|tx| tx.newest_event()).unwrap();
    let mut tail = Tail::new(&store.database, None, None, newest);
    for number in 1..=10 {
        let (id, title) = (task.id.clone(), number.to_string());
        store
            .write(move |tx| {
                let change = task::TaskChange {
                    title: Some(title.clone()),
                    ..task::TaskChange::default()
                };
                task::update(tx, &agent("t", "a"), &id, change)
            })
            .unwrap();
        let next = store
            .runtime
            .block_on(async { tokio::time::timeout(PATIENCE, tail.next()).await });
        let next = next.expect("in time").unwrap();
        assert_eq!(next.id, EventId(newest.0 + number));
    }
}

/// The reader has looked and found nothing, and before it lies down to sleep there is a commit.
fn check_no_wake_is_lost(store: &TestStore) {
    let mut tail = Tail::new(&store.database, None, None, EventId(0));
    let next = store.runtime.block_on(async {
        let mut commits = store.database.commits();
        let mut next = std::pin::pin!(tail.next());
        assert!(futures::poll!(next.as_mut()).is_pending());
        // There is one reader, and it takes things in turn: the tail's look is done by then.
        store.database.read(|_| Ok(())).await.unwrap();
        commits.mark_unchanged();
        store.database.write(create("late")).await.unwrap();
        commits.changed().await.unwrap();
        tokio::time::timeout(PATIENCE, next).await
    });
    next.expect("it wakes").unwrap();
}

#[test]
fn a_commit_between_a_look_and_a_sleep_wakes_a_tail() {
    let bounds = Bounds {
        readers: 1,
        ..Bounds::default()
    };
    check_no_wake_is_lost(&TestStore::sqlite_with(bounds));
    check_no_wake_is_lost(&TestStore::postgres_with(bounds));
}

fn dropping_old_events_raises_the_floor(store: &TestStore) {
    store.task(&agent("t", "a"), "old");
    let beat = |tx: &mut dyn Tx| {
        heartbeat::record(tx, &agent("t", "a"), heartbeat::NewHeartbeat::default()).map(drop)
    };
    store.write(beat).unwrap();
    let newest = store.read(|tx| tx.newest_event()).unwrap();
    store.move_clock(Duration::from_secs(1000));
    store.task(&agent("t", "a"), "new");
    let dropped = store
        .write(|tx| tx.drop_events(tx.now().before(Duration::from_secs(500)), 100))
        .unwrap();
    assert_eq!(dropped, 3, "passed");
    assert_eq!(store.read(|tx| tx.event_floor()).unwrap(), newest);
    assert_eq!(
        kinds(&log(store, EventId(0))),
        ["agent.registered", "task.created", "task.created"],
        "the audit trail stays"
    );
    store.write(beat).unwrap();
    store
        .write(|tx| tx.drop_events(tx.now().after(Duration::from_secs(1)), 100))
        .unwrap();
    let before = store.read(|tx| tx.newest_event()).unwrap();
    assert_eq!(log(store, EventId(0)).len(), 3);
    store.write(beat).unwrap();
    assert!(
        log(store, before)[0].id > before,
        "ids are never used again"
    );
}
