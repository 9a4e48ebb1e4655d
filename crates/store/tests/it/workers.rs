//! Workers that take notifications under a lease: in order, one each, and never over one another.

use std::time::Duration;

use stationmaster_kernel::notification::{self, Failure, Notification};
use stationmaster_kernel::{Kind, Principal, Result};

use crate::notifications::{ALL, deliver, fail, notify, take, waiting};
use crate::support::{TestStore, on_both};

on_both!(
    a_worker_takes_one_of_each_agent_in_order,
    a_worker_that_lost_its_lease_cannot_settle,
    a_lease_is_kept_by_renewing_it,
    a_lease_that_was_let_go_is_not_renewed,
    what_waits_says_when_it_is_due,
);

fn a_worker_takes_one_of_each_agent_in_order(store: &TestStore) {
    for (target, content) in [("x", "x1"), ("x", "x2"), ("y", "y1"), ("x", "x3")] {
        notify(store, "a", target, content);
    }
    let contents = |taken: &[Notification]| {
        taken
            .iter()
            .map(|it| it.content.clone())
            .collect::<Vec<_>>()
    };
    let first = take(store, 10);
    assert_eq!(contents(&first), ["x1", "y1"]);
    assert!(
        take(store, 10).is_empty(),
        "both agents have one under lease"
    );
    deliver(store, &first[0].id).unwrap();
    assert_eq!(contents(&take(store, 10)), ["x2"]);
}

fn a_worker_that_lost_its_lease_cannot_settle(store: &TestStore) {
    notify(store, "a", "x", "1");
    let stale = take(store, 1).remove(0);
    store.move_clock(Duration::from_secs(61));
    let fresh = take(store, 1).remove(0);
    assert_eq!(fresh.id, stale.id);
    let check = |outcome: Result<()>| {
        let error = outcome.unwrap_err();
        assert_eq!((error.kind, error.code), (Kind::Conflict, "lease_lost"));
    };
    let (id, fence) = (stale.id.clone(), stale.lease.fence);
    check(store.write(move |tx| {
        notification::deliver(tx, &Principal::system(), &id, Some(fence)).map(drop)
    }));
    let id = stale.id.clone();
    check(store.write(move |tx| {
        let failure = Failure {
            error: "no".into(),
            retryable: true,
            retry_after: None,
        };
        notification::fail(tx, &Principal::system(), &id, Some(fence), failure).map(drop)
    }));
    check(renew(store, &stale));
    let (id, fence) = (fresh.id.clone(), fresh.lease.fence);
    store
        .write(move |tx| notification::deliver(tx, &Principal::system(), &id, Some(fence)))
        .unwrap();
}

fn renew(store: &TestStore, taken: &Notification) -> Result<()> {
    let (id, fence) = (taken.id.clone(), taken.lease.fence);
    let length = Duration::from_secs(60);
    store.write(move |tx| notification::renew(tx, &Principal::system(), &id, fence, length))
}

fn a_lease_is_kept_by_renewing_it(store: &TestStore) {
    notify(store, "a", "x", "1");
    let taken = take(store, 1).remove(0);
    store.move_clock(Duration::from_secs(40));
    renew(store, &taken).unwrap();
    store.move_clock(Duration::from_secs(80));
    assert!(take(store, 1).is_empty(), "renewed at 40 until 100");
    store.move_clock(Duration::from_secs(101));
    assert_eq!(take(store, 1).len(), 1);
}

/// A worker's renewal may come after its own settling; it must not hide the next try.
fn a_lease_that_was_let_go_is_not_renewed(store: &TestStore) {
    let it = notify(store, "a", "x", "1");
    let taken = take(store, 1).remove(0);
    fail(store, &it.id, true).unwrap();
    assert_eq!(renew(store, &taken).unwrap_err().code, "lease_lost");
    store.move_clock(Duration::from_secs(5));
    assert_eq!(waiting(store, ALL), ["1"]);
}

fn what_waits_says_when_it_is_due(store: &TestStore) {
    let next = || {
        store
            .read(|tx| Ok((tx.now(), tx.next_notification_due(tx.now())?)))
            .unwrap()
    };
    assert_eq!(next().1, None);
    let first = notify(store, "a", "x", "1");
    assert_eq!(next().1, None, "due now, so nothing is to be waited for");
    let failed = fail(store, &first.id, true).unwrap();
    assert_eq!(next().1, Some(failed.next_attempt_at));
    notify(store, "a", "y", "2");
    let lease = take(store, 1).remove(0).lease;
    assert_eq!(
        next().1,
        Some(failed.next_attempt_at.min(lease.until)),
        "the earlier of the two"
    );
    deliver(store, &first.id).unwrap();
    assert_eq!(next().1, Some(lease.until));
}
