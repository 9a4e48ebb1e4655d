//! The queue of notifications: fairness, leases, retries, the end of chains.

use std::time::Duration;

use stationmaster_kernel::message::{self, ActorType, NewMessage};
use stationmaster_kernel::notification::{
    self, Batch, Failure, HOP_CAP, MAX_ATTEMPTS, NewNotification, Notification, NotificationFilter,
    Type,
};
use stationmaster_kernel::{Kind, NotificationId, Page, Principal, Result};

use crate::support::{TestStore, agent, on_both};

on_both!(
    users_take_turns_and_the_longest_waiting_is_first,
    a_lease_hides_what_it_gave_out,
    delivering_twice_keeps_the_first_time,
    failures_wait_longer_and_longer_and_then_give_up,
    a_failure_that_cannot_pass_gives_up_at_once,
    lists_show_an_agent_its_own_and_what_it_has_not_read,
    agents_may_not_dispatch,
    only_the_agent_it_is_for_marks_it_read,
    a_chain_of_agents_is_cut,
);

pub(crate) const ALL: Batch = Batch {
    tenants: 10,
    each: 10,
    total: 100,
};

pub(crate) fn notify(store: &TestStore, tenant: &str, target: &str, content: &str) -> Notification {
    let (who, new) = (
        Principal::internal()
            .within(tenant.parse().unwrap())
            .unwrap(),
        NewNotification {
            target: target.parse().unwrap(),
            kind: Type::System,
            content: content.into(),
            task: None,
            metadata: None,
        },
    );
    store
        .write(move |tx| notification::create(tx, &who, new.clone()))
        .unwrap()
}

pub(crate) fn waiting(store: &TestStore, batch: Batch) -> Vec<String> {
    let found = store
        .read(move |tx| notification::undelivered(tx, &Principal::internal(), batch, None))
        .unwrap();
    found.into_iter().map(|it| it.content).collect()
}

pub(crate) fn fail(
    store: &TestStore,
    id: &NotificationId,
    retryable: bool,
) -> Result<Notification> {
    let id = id.clone();
    store.write(move |tx| {
        let failure = Failure {
            error: "no".into(),
            retryable,
            retry_after: None,
        };
        notification::fail(tx, &Principal::internal(), &id, None, failure)
    })
}

pub(crate) fn deliver(store: &TestStore, id: &NotificationId) -> Result<Notification> {
    let id = id.clone();
    store.write(move |tx| notification::deliver(tx, &Principal::internal(), &id, None))
}

fn users_take_turns_and_the_longest_waiting_is_first(store: &TestStore) {
    for (tenant, content) in [
        ("b", "b1"),
        ("a", "a1"),
        ("b", "b2"),
        ("b", "b3"),
        ("c", "c1"),
        ("a", "a2"),
    ] {
        notify(store, tenant, "x", content);
    }
    assert_eq!(waiting(store, ALL), ["b1", "a1", "c1", "b2", "a2", "b3"]);
    assert_eq!(
        waiting(store, Batch { tenants: 2, ..ALL }),
        ["b1", "a1", "b2", "a2", "b3"]
    );
    assert_eq!(waiting(store, Batch { each: 1, ..ALL }), ["b1", "a1", "c1"]);
    assert_eq!(
        waiting(store, Batch { total: 4, ..ALL }),
        ["b1", "a1", "c1", "b2"]
    );
}

fn a_lease_hides_what_it_gave_out(store: &TestStore) {
    notify(store, "a", "x", "1");
    let lease = Some(Duration::from_secs(60));
    let given = store
        .write(move |tx| notification::undelivered(tx, &Principal::internal(), ALL, lease))
        .unwrap();
    assert_eq!(given.len(), 1);
    assert!(waiting(store, ALL).is_empty());
    store.move_clock(Duration::from_secs(61));
    assert_eq!(waiting(store, ALL), ["1"]);
}

fn delivering_twice_keeps_the_first_time(store: &TestStore) {
    let it = notify(store, "a", "x", "1");
    let first = deliver(store, &it.id).unwrap().delivered_at;
    store.move_clock(Duration::from_secs(100));
    assert_eq!(deliver(store, &it.id).unwrap().delivered_at, first);
    assert!(waiting(store, ALL).is_empty());
    assert_eq!(
        fail(store, &it.id, true).unwrap_err().code,
        "already_delivered"
    );
}

fn failures_wait_longer_and_longer_and_then_give_up(store: &TestStore) {
    let it = notify(store, "a", "x", "1");
    let mut clock = Duration::ZERO;
    let mut last = 0;
    for attempt in 1..MAX_ATTEMPTS {
        let failed = fail(store, &it.id, true).unwrap();
        assert_eq!((failed.attempts, failed.dead_at), (attempt, None));
        assert!(
            waiting(store, ALL).is_empty(),
            "it backs off after try {attempt}"
        );
        let now = store.read(|tx| Ok(tx.now())).unwrap();
        let wait = failed.next_attempt_at.0 - now.0;
        assert!(
            wait > last,
            "try {attempt} waits {wait} ms, the one before it {last} ms"
        );
        last = wait;
        clock += Duration::from_millis(wait.unsigned_abs() + 1000);
        store.move_clock(clock);
        assert_eq!(waiting(store, ALL), ["1"]);
    }
    assert!(fail(store, &it.id, true).unwrap().dead_at.is_some());
    store.move_clock(clock + Duration::from_secs(86_400));
    assert!(waiting(store, ALL).is_empty());
}

fn a_failure_that_cannot_pass_gives_up_at_once(store: &TestStore) {
    let it = notify(store, "a", "x", "1");
    let dead = fail(store, &it.id, false).unwrap();
    assert!(dead.dead_at.is_some());
    assert_eq!(dead.last_error.as_deref(), Some("no"));
    assert_eq!(
        fail(store, &it.id, true).unwrap().attempts,
        1,
        "a dead one changes no more"
    );
    assert!(
        deliver(store, &it.id).unwrap().dead_at.is_none(),
        "a late delivery counts"
    );
}

pub(crate) fn take(store: &TestStore, limit: u32) -> Vec<Notification> {
    store
        .write(move |tx| {
            notification::take_due(
                tx,
                &Principal::system(),
                "worker",
                limit,
                Duration::from_secs(60),
            )
        })
        .unwrap()
}

fn lists_show_an_agent_its_own_and_what_it_has_not_read(store: &TestStore) {
    let mine: Vec<Notification> = ["1", "2", "3"]
        .map(|content| notify(store, "a", "x", content))
        .into();
    notify(store, "a", "y", "4");
    notify(store, "b", "x", "5");
    let list = |target: Option<&str>, unread_only, page| {
        let filter = NotificationFilter {
            target: target.map(|handle| handle.parse().unwrap()),
            unread_only,
            ..NotificationFilter::default()
        };
        let list = store
            .read(move |tx| notification::list(tx, &agent("a", "x"), &filter, page))
            .unwrap();
        let contents: Vec<String> = list.items.into_iter().map(|it| it.content).collect();
        (contents, list.next)
    };
    let id = mine[1].id.clone();
    store
        .write(move |tx| notification::mark_read(tx, &agent("a", "x"), &id))
        .unwrap();
    let page = Page::first(10);
    assert_eq!(list(None, false, page).0, ["4", "3", "2", "1"]);
    assert_eq!(list(Some("x"), false, page).0, ["3", "2", "1"]);
    assert_eq!(list(Some("x"), true, page).0, ["3", "1"]);
    let (first, next) = list(Some("x"), true, Page::first(1));
    assert_eq!(first, ["3"]);
    let page = Page {
        after: next,
        ..page
    };
    assert_eq!(list(Some("x"), true, page).0, ["1"]);
}

fn agents_may_not_dispatch(store: &TestStore) {
    let it = notify(store, "a", "x", "1");
    let who = agent("a", "x");
    let error = store
        .write(move |tx| notification::deliver(tx, &who, &it.id, None))
        .unwrap_err();
    assert_eq!(error.kind, Kind::Forbidden);
}

fn only_the_agent_it_is_for_marks_it_read(store: &TestStore) {
    let it = notify(store, "a", "x", "1");
    let read = |who: Principal| {
        let id = it.id.clone();
        store.write(move |tx| notification::mark_read(tx, &who, &id))
    };
    assert_eq!(read(agent("a", "y")).unwrap_err().kind, Kind::Forbidden);
    assert_eq!(read(agent("b", "x")).unwrap_err().kind, Kind::NotFound);
    assert!(read(agent("a", "x")).unwrap().read_at.is_some());
}

fn a_chain_of_agents_is_cut(store: &TestStore) {
    let task = store.task(&agent("t", "ping"), "one");
    let say = |who: &str, actor: ActorType, content: &str| {
        let (who, new) = (
            agent("t", who),
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
    };
    // Whoever is woken answers and wakes the other, for ever if it were let.
    let turns_until_quiet = || {
        let mut turns = 0;
        while let Some(it) = take(store, 1).pop() {
            turns += 1;
            let other = if it.target.as_str() == "ping" {
                "pong"
            } else {
                "ping"
            };
            say(
                it.target.as_str(),
                ActorType::Agent,
                &format!("@{other} your turn"),
            );
            deliver(store, &it.id).unwrap();
        }
        turns
    };
    for _ in 0..2 {
        say("ping", ActorType::User, "@ping start");
        assert_eq!(
            turns_until_quiet(),
            1 + HOP_CAP,
            "a person's message starts anew"
        );
    }
}
