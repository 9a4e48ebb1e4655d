//! Tasks: status words, merging, filters, pages, tenancy.

use stationmaster_kernel::page::Order;
use stationmaster_kernel::state::State;
use stationmaster_kernel::task::{self, Flow, NewTask, Task, TaskChange, TaskFilter};
use stationmaster_kernel::{Kind, Page, TaskId};

use crate::support::{TestStore, agent, on_both, person};

on_both!(
    a_task_comes_back_as_it_was_made,
    every_problem_of_a_task_is_named,
    another_tenants_task_looks_missing,
    a_patch_changes_what_it_names_and_nothing_else,
    a_patch_that_changes_nothing_writes_nothing,
    a_gated_task_refuses_a_word_without_an_arc,
    lists_are_filtered,
    pages_are_stable_while_tasks_are_made,
);

fn a_task_comes_back_as_it_was_made(store: &TestStore) {
    let who = agent("t", "writer");
    let metadata = serde_json::from_str(r#"{"z":1,"a":{"y":[1,2.5,null],"x":"é\u0000"}}"#).unwrap();
    let new = NewTask {
        title: "  A title \u{1f680} ".into(),
        description: Some(String::new()),
        status: Some("on hold".into()),
        metadata: Some(metadata),
        assignee: Some("writer".parse().unwrap()),
    };
    let caller = who.clone();
    let made = store
        .write(move |tx| task::create(tx, &caller, new.clone()))
        .unwrap();
    assert_eq!(
        (made.state, made.status.as_str()),
        (State::Inbox, "on hold")
    );
    let id = made.id.clone();
    let found = store.read(move |tx| task::get(tx, &who, &id)).unwrap();
    assert_eq!(found, made);
    // Member order too.
    let keys = |task: &Task| serde_json::to_string(&task.metadata).unwrap();
    assert_eq!(keys(&found), keys(&made));
}

fn every_problem_of_a_task_is_named(store: &TestStore) {
    let new = NewTask {
        title: " ".into(),
        status: Some(String::new()),
        description: Some("\0".into()),
        ..NewTask::default()
    };
    let error = store
        .write(move |tx| task::create(tx, &agent("t", "a"), new.clone()))
        .unwrap_err();
    let fields: Vec<&str> = error
        .problems
        .iter()
        .map(|problem| problem.field.as_str())
        .collect();
    assert_eq!(fields, ["title", "description", "status"]);
}

fn another_tenants_task_looks_missing(store: &TestStore) {
    let task = store.task(&agent("t", "a"), "mine");
    let stranger = agent("u", "a");
    let get = |id: TaskId| {
        let stranger = stranger.clone();
        store
            .read(move |tx| task::get(tx, &stranger, &id))
            .unwrap_err()
    };
    let (theirs, none) = (get(task.id.clone()), get(TaskId::new("task_none")));
    assert_eq!(
        (theirs.kind, theirs.code, theirs.message),
        (none.kind, none.code, none.message)
    );
    let change = TaskChange {
        title: Some("x".into()),
        ..TaskChange::default()
    };
    let (who, id) = (stranger.clone(), task.id);
    let error = store
        .write(move |tx| task::update(tx, &who, &id, change.clone()))
        .unwrap_err();
    assert_eq!(error.kind, Kind::NotFound);
}

fn change(
    store: &TestStore,
    task: &Task,
    change: TaskChange,
) -> stationmaster_kernel::Result<Task> {
    let id = task.id.clone();
    store.write(move |tx| task::update(tx, &agent("t", "a"), &id, change.clone()))
}

fn a_patch_changes_what_it_names_and_nothing_else(store: &TestStore) {
    let made = store.task(&agent("t", "a"), "one");
    let object = |text: &str| serde_json::from_str(text).unwrap();
    let first = change(
        store,
        &made,
        TaskChange {
            metadata: Some(object(r#"{"k":1,"l":2}"#)),
            ..TaskChange::default()
        },
    )
    .unwrap();
    let second = change(
        store,
        &first,
        TaskChange {
            description: Some(Some("d".into())),
            metadata: Some(object(r#"{"k":null,"m":3}"#)),
            status: Some("completed".into()),
            assignee: Some(Some("b".parse().unwrap())),
            ..TaskChange::default()
        },
    )
    .unwrap();
    assert_eq!(second.title, "one");
    assert_eq!(second.metadata, Some(object(r#"{"l":2,"m":3}"#)));
    assert_eq!(
        (second.state, second.status.as_str()),
        (State::Done, "completed")
    );
    let third = change(
        store,
        &second,
        TaskChange {
            description: Some(None),
            assignee: Some(None),
            ..TaskChange::default()
        },
    )
    .unwrap();
    assert_eq!((third.description, third.assignee), (None, None));
}

fn a_patch_that_changes_nothing_writes_nothing(store: &TestStore) {
    let made = store.task(&agent("t", "a"), "one");
    let before = store.read(|tx| tx.newest_event()).unwrap();
    change(
        store,
        &made,
        TaskChange {
            title: Some("one".into()),
            ..TaskChange::default()
        },
    )
    .unwrap();
    assert_eq!(store.read(|tx| tx.newest_event()).unwrap(), before);
}

fn a_gated_task_refuses_a_word_without_an_arc(store: &TestStore) {
    let made = store.task(&agent("t", "a"), "one");
    let gated = store
        .write(move |tx| {
            let task = Task {
                id: TaskId::new(tx.mint(TaskId::PREFIX)),
                position: tx.next_position()?,
                flow: Flow::Gated,
                state: State::Review,
                ..made.clone()
            };
            tx.insert_task(&task)?;
            Ok(task)
        })
        .unwrap();
    let word = |word: &str| {
        let id = gated.id.clone();
        let change = TaskChange {
            status: Some(word.into()),
            ..TaskChange::default()
        };
        store.write(move |tx| task::update(tx, &person("t"), &id, change.clone()))
    };
    for refused in ["pending", "on hold"] {
        let error = word(refused).unwrap_err();
        assert_eq!(
            (error.kind, error.code),
            (Kind::Forbidden, "transition_not_allowed")
        );
    }
    assert_eq!(word("completed").unwrap().state, State::Done);
    assert_eq!(word("pending").unwrap_err().code, "transition_not_allowed");
}

fn titles(store: &TestStore, filter: TaskFilter, page: Page) -> (Vec<String>, Page) {
    let list = store
        .read(move |tx| task::list(tx, &agent("t", "a"), &filter, page))
        .unwrap();
    (
        list.items.into_iter().map(|task| task.title).collect(),
        Page {
            after: list.next,
            ..page
        },
    )
}

fn lists_are_filtered(store: &TestStore) {
    let who = agent("t", "a");
    let long = "x".repeat(300);
    for (title, status, assignee) in [
        ("one", "pending", None),
        ("two", "blocked", Some("b")),
        (long.as_str(), "pending", Some("b")),
    ] {
        let (who, new) = (
            who.clone(),
            NewTask {
                title: title.into(),
                status: Some(status.into()),
                assignee: assignee.map(|handle| handle.parse().unwrap()),
                ..NewTask::default()
            },
        );
        store
            .write(move |tx| task::create(tx, &who, new.clone()))
            .unwrap();
    }
    store.task(&agent("u", "a"), "one");
    let check = |filter: TaskFilter, expected: &[&str]| {
        assert_eq!(titles(store, filter, Page::first(10)).0, expected);
    };
    let none = TaskFilter::default;
    check(none(), &[&long, "two", "one"]);
    check(
        TaskFilter {
            title: Some("one".into()),
            ..none()
        },
        &["one"],
    );
    check(
        TaskFilter {
            title: Some("on".into()),
            ..none()
        },
        &[],
    );
    check(
        TaskFilter {
            title: Some(long.clone()),
            ..none()
        },
        &[&long],
    );
    check(
        TaskFilter {
            title: Some(format!("{}y", &long[..299])),
            ..none()
        },
        &[],
    );
    check(
        TaskFilter {
            status: Some("pending".into()),
            ..none()
        },
        &[&long, "one"],
    );
    check(
        TaskFilter {
            assignee: Some("b".into()),
            ..none()
        },
        &[&long, "two"],
    );
    check(
        TaskFilter {
            assignee: Some("b".into()),
            status: Some("blocked".into()),
            ..none()
        },
        &["two"],
    );
}

fn pages_are_stable_while_tasks_are_made(store: &TestStore) {
    let who = agent("t", "a");
    for number in 0..7 {
        store.task(&who, &number.to_string());
    }
    let (first, next) = titles(store, TaskFilter::default(), Page::first(3));
    assert_eq!(first, ["6", "5", "4"]);
    store.task(&who, "late");
    let (second, next) = titles(store, TaskFilter::default(), next);
    assert_eq!(second, ["3", "2", "1"]);
    let (third, end) = titles(store, TaskFilter::default(), next);
    assert_eq!((third, end.after), (vec!["0".to_owned()], None));
    let oldest = Page {
        order: Order::OldestFirst,
        ..Page::first(2)
    };
    let (first, next) = titles(store, TaskFilter::default(), oldest);
    assert_eq!(first, ["0", "1"]);
    assert_eq!(titles(store, TaskFilter::default(), next).0, ["2", "3"]);
}
