//! A create that is sent twice happens once.

use stationmaster_kernel::idempotency::{self, Key, Reply};
use stationmaster_kernel::task::{self, NewTask, TaskFilter};
use stationmaster_kernel::{Kind, Page, Result};

use crate::support::{TestStore, agent, on_both};

on_both!(
    a_repeat_gets_the_same_bytes,
    another_request_under_the_key_is_refused_and_writes_nothing,
    a_refused_create_does_not_burn_its_key,
    tenants_and_kinds_have_keys_of_their_own,
    twenty_at_once_make_one_row,
    old_keys_are_dropped_and_young_ones_kept,
);

fn key(tenant: &str, resource: &'static str, fingerprint: &str) -> Key {
    Key::new(
        tenant.parse().unwrap(),
        resource,
        "k",
        fingerprint.to_owned(),
    )
    .unwrap()
}

/// Makes a task titled `title` under the key.
fn create(tx: &mut dyn stationmaster_kernel::Tx, key: &Key, title: &str) -> Result<Reply> {
    idempotency::once(tx, Some(key), |tx| {
        let who = agent(key.tenant.as_str(), "a");
        let made = task::create(
            tx,
            &who,
            NewTask {
                title: title.to_owned(),
                ..NewTask::default()
            },
        )?;
        Ok(Reply {
            status: 200,
            body: format!("{{\"id\":\"{}\"}}", made.id),
        })
    })
}

fn ask(store: &TestStore, key: Key, title: &'static str) -> Result<Reply> {
    store.write(move |tx| create(tx, &key, title))
}

fn count(store: &TestStore, tenant: &'static str) -> usize {
    let found = store.read(move |tx| {
        task::list(
            tx,
            &agent(tenant, "a"),
            &TaskFilter::default(),
            Page::first(100),
        )
    });
    found.unwrap().items.len()
}

fn a_repeat_gets_the_same_bytes(store: &TestStore) {
    let first = ask(store, key("t", "task", "f"), "one").unwrap();
    assert_eq!(ask(store, key("t", "task", "f"), "one").unwrap(), first);
    assert_eq!(count(store, "t"), 1);
}

fn another_request_under_the_key_is_refused_and_writes_nothing(store: &TestStore) {
    ask(store, key("t", "task", "f"), "one").unwrap();
    let error = ask(store, key("t", "task", "g"), "two").unwrap_err();
    assert_eq!(
        (error.kind, error.code),
        (Kind::Conflict, "idempotency_conflict")
    );
    assert_eq!(count(store, "t"), 1);
}

fn a_refused_create_does_not_burn_its_key(store: &TestStore) {
    assert_eq!(
        ask(store, key("t", "task", "f"), " ").unwrap_err().kind,
        Kind::Invalid
    );
    ask(store, key("t", "task", "g"), "one").unwrap();
}

fn tenants_and_kinds_have_keys_of_their_own(store: &TestStore) {
    let replies: Vec<Reply> = [("t", "task"), ("u", "task"), ("t", "message")]
        .into_iter()
        .map(|(tenant, resource)| ask(store, key(tenant, resource, "f"), "one").unwrap())
        .collect();
    assert_ne!(replies[0], replies[1]);
    assert_ne!(replies[0], replies[2]);
}

fn twenty_at_once_make_one_row(store: &TestStore) {
    let replies: Vec<Reply> = store.runtime.block_on(async {
        let asked: Vec<_> = (0..20)
            .map(|_| {
                let key = key("t", "task", "f");
                store.database.write(move |tx| create(tx, &key, "one"))
            })
            .collect();
        let mut replies = Vec::new();
        for answer in futures::future::join_all(asked).await {
            replies.push(answer.unwrap());
        }
        replies
    });
    assert!(replies.iter().all(|reply| *reply == replies[0]));
    assert_eq!(count(store, "t"), 1);
}

fn old_keys_are_dropped_and_young_ones_kept(store: &TestStore) {
    ask(store, key("t", "task", "f"), "one").unwrap();
    let drop_before = |by: std::time::Duration| {
        store
            .write(move |tx| tx.drop_replies(tx.now().after(by).before(idempotency::KEPT), 10))
            .unwrap()
    };
    assert_eq!(drop_before(std::time::Duration::ZERO), 0);
    assert_eq!(drop_before(idempotency::KEPT * 2), 1);
    ask(store, key("t", "task", "g"), "two").unwrap();
}
