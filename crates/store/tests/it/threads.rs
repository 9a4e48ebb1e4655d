//! Messages: what is kept of them, and whom they wake.

use stationmaster_kernel::message::{self, ActorType, NewMessage};
use stationmaster_kernel::notification::{Notification, NotificationFilter, Type};
use stationmaster_kernel::page::Order;
use stationmaster_kernel::task::{self, NewTask, Task};
use stationmaster_kernel::{Kind, Page, Principal, TaskId};

use crate::support::{TestStore, agent, on_both};

on_both!(
    a_person_wakes_the_tasks_agent,
    an_assignee_is_woken_instead_of_the_maker,
    a_mention_wins_over_a_message,
    an_agents_own_message_never_wakes_itself,
    assigning_a_task_wakes_the_assignee_unless_it_did_so_itself,
    a_message_needs_a_task_that_is_there,
    a_message_comes_back_as_it_was_posted,
    a_thread_is_read_from_either_end,
);

fn post(store: &TestStore, who: &Principal, task: &Task, actor: ActorType, content: &str) {
    let (who, new) = (
        who.clone(),
        NewMessage {
            task: task.id.clone(),
            content: content.into(),
            actor_type: actor,
            actor_id: None,
            agent_role: None,
            attachments: None,
        },
    );
    store
        .write(move |tx| message::post(tx, &who, new.clone()))
        .unwrap();
}

/// Who is woken, and why, oldest first.
fn woken(store: &TestStore) -> Vec<(String, Type)> {
    let list = |tx: &mut dyn stationmaster_kernel::Tx| {
        tx.notifications(
            &"t".parse()?,
            &NotificationFilter::default(),
            Page::first(100),
        )
    };
    let mut all: Vec<Notification> = store.read(list).unwrap();
    all.reverse();
    all.into_iter()
        .map(|it| (it.target.to_string(), it.kind))
        .collect()
}

fn pairs(expected: &[(&str, Type)]) -> Vec<(String, Type)> {
    expected
        .iter()
        .map(|(who, why)| ((*who).to_owned(), why.clone()))
        .collect()
}

fn a_person_wakes_the_tasks_agent(store: &TestStore) {
    let who = agent("t", "writer");
    let task = store.task(&who, "one");
    post(store, &who, &task, ActorType::User, "hello");
    assert_eq!(woken(store), pairs(&[("writer", Type::Message)]));
}

fn an_assignee_is_woken_instead_of_the_maker(store: &TestStore) {
    let who = agent("t", "writer");
    let new = NewTask {
        title: "one".into(),
        assignee: Some("lead".parse().unwrap()),
        ..NewTask::default()
    };
    let caller = who.clone();
    let task = store
        .write(move |tx| task::create(tx, &caller, new.clone()))
        .unwrap();
    post(store, &who, &task, ActorType::User, "hello");
    assert_eq!(
        woken(store),
        pairs(&[("lead", Type::Assignment), ("lead", Type::Message)])
    );
}

fn a_mention_wins_over_a_message(store: &TestStore) {
    let who = agent("t", "writer");
    let task = store.task(&who, "one");
    post(
        store,
        &who,
        &task,
        ActorType::User,
        "@writer and @lead, and @writer again",
    );
    assert_eq!(
        woken(store),
        pairs(&[("writer", Type::Mention), ("lead", Type::Mention)])
    );
}

fn an_agents_own_message_never_wakes_itself(store: &TestStore) {
    let who = agent("t", "writer");
    let task = store.task(&who, "one");
    post(
        store,
        &who,
        &task,
        ActorType::Agent,
        "@writer to self, @lead too",
    );
    assert_eq!(woken(store), pairs(&[("lead", Type::Mention)]));
}

fn assigning_a_task_wakes_the_assignee_unless_it_did_so_itself(store: &TestStore) {
    let assign = |who: &Principal, to: &str| {
        let (who, new) = (
            who.clone(),
            NewTask {
                title: "one".into(),
                assignee: Some(to.parse().unwrap()),
                ..NewTask::default()
            },
        );
        store
            .write(move |tx| task::create(tx, &who, new.clone()))
            .unwrap();
    };
    assign(&agent("t", "lead"), "lead");
    assert_eq!(woken(store), pairs(&[]));
    assign(&agent("t", "lead"), "writer");
    assert_eq!(woken(store), pairs(&[("writer", Type::Assignment)]));
}

fn a_message_needs_a_task_that_is_there(store: &TestStore) {
    let new = NewMessage {
        task: TaskId::new("task_none"),
        content: "hello".into(),
        actor_type: ActorType::Agent,
        actor_id: None,
        agent_role: None,
        attachments: None,
    };
    let error = store
        .write(move |tx| message::post(tx, &agent("t", "a"), new.clone()))
        .unwrap_err();
    assert_eq!((error.kind, error.code), (Kind::NotFound, "task_not_found"));
}

fn a_message_comes_back_as_it_was_posted(store: &TestStore) {
    let who = agent("t", "writer");
    let task = store.task(&who, "one");
    let new = NewMessage {
        task: task.id.clone(),
        content: " é \u{1f680}\r\n".into(),
        actor_type: ActorType::User,
        actor_id: Some("ann".into()),
        agent_role: Some("not my role".into()),
        attachments: Some(serde_json::from_str(r#"{"z":[1,null],"a":"\u0000"}"#).unwrap()),
    };
    let (caller, given) = (who.clone(), new.clone());
    let posted = store
        .write(move |tx| message::post(tx, &caller, given.clone()))
        .unwrap();
    assert_eq!(
        (posted.content.as_str(), posted.actor_id.as_deref()),
        (new.content.as_str(), Some("ann"))
    );
    // What it says of itself is kept beside who it was.
    assert_eq!(posted.agent_role.as_deref(), Some("not my role"));
    assert_eq!(posted.author, who.handle().cloned());
    let (caller, id) = (who.clone(), task.id.clone());
    let listed = store
        .read(move |tx| message::list(tx, &caller, Some(&id), Page::first(10)))
        .unwrap();
    assert_eq!(listed.items, [posted]);
    let id = task.id.clone();
    let error = store
        .read(move |tx| message::list(tx, &agent("u", "writer"), Some(&id), Page::first(10)))
        .unwrap_err();
    assert_eq!(error.code, "task_not_found");
}

fn a_thread_is_read_from_either_end(store: &TestStore) {
    let who = agent("t", "writer");
    let (task, other) = (store.task(&who, "one"), store.task(&who, "two"));
    for content in ["1", "2", "3"] {
        post(store, &who, &task, ActorType::Agent, content);
        post(store, &who, &other, ActorType::Agent, "elsewhere");
    }
    let read = |page: Page| {
        let (who, id) = (who.clone(), task.id.clone());
        let list = store
            .read(move |tx| message::list(tx, &who, Some(&id), page))
            .unwrap();
        let contents: Vec<String> = list.items.into_iter().map(|it| it.content).collect();
        (contents, list.next)
    };
    for (order, expected) in [
        (Order::NewestFirst, ["3", "2", "1"]),
        (Order::OldestFirst, ["1", "2", "3"]),
    ] {
        let page = Page {
            order,
            ..Page::first(2)
        };
        let (first, next) = read(page);
        assert_eq!(first, expected[..2]);
        let (rest, end) = read(Page {
            after: next,
            ..page
        });
        assert_eq!(
            (rest.as_slice(), end),
            (&[expected[2].to_owned()][..], None)
        );
    }
    let who = who.clone();
    let all = store
        .read(move |tx| message::list(tx, &who, None, Page::first(10)))
        .unwrap();
    assert_eq!(all.items.len(), 6);
}
