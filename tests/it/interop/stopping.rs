//! Our dispatcher when it is told to stop, and beside another one (agent runtime §12, fault g).

use serde_json::json;

use super::backend::SmallBackend;
use super::daemon::{OK, SmallDaemon, Step};
use super::program::Dispatcher;
use crate::support::Api;
use crate::support::api::builder;
use crate::support::wait::until;

#[tokio::test]
async fn it_ends_after_what_is_under_way() {
    let backend = SmallBackend::start();
    let daemon = SmallDaemon::deciding(|_, _| Step::Hang);
    for number in 0..3 {
        backend.notify(&format!("n{number}"), "writer", None);
    }
    let mut dispatcher = Dispatcher::start(&backend.url(), &daemon.url(), &[]);
    until("one is under way", async || daemon.sent().len() == 1).await;
    dispatcher.terminate();
    let looks = backend.looks().len();
    assert!(dispatcher.is_running());
    daemon.release();
    assert_eq!(dispatcher.end().await, 0);
    assert_eq!(daemon.sent(), ["n0"]);
    assert_eq!(backend.delivered(), ["n0"]);
    assert!(backend.looks().len() <= looks + 1);
    until("it is told of", async || dispatcher.sum("delivered") == 1).await;
}

#[tokio::test]
async fn it_ends_at_once_when_nothing_is_under_way() {
    let (backend, daemon) = (SmallBackend::start(), SmallDaemon::start());
    let more = [
        ("DISPATCH_MIN_INTERVAL_SEC", "600"),
        ("DISPATCH_MAX_INTERVAL_SEC", "600"),
    ];
    let mut dispatcher = Dispatcher::start(&backend.url(), &daemon.url(), &more);
    dispatcher.ticks_more(1).await;
    dispatcher.terminate();
    assert_eq!(dispatcher.end().await, 0);
}

#[tokio::test]
async fn several_share_a_backend_that_gives_leases_and_nothing_is_sent_twice() {
    let backend = Api::of(builder().argument("--without").argument("runtime").start());
    let daemon = SmallDaemon::start();
    let owner = backend.agent("acme", "owner");
    let url = backend.server.url().to_owned();
    let crew: Vec<Dispatcher> = (0..3)
        .map(|_| Dispatcher::start(&url, &daemon.url(), &[]))
        .collect();
    let mut made = Vec::new();
    for number in 0..40 {
        let note =
            json!({"agent_role": format!("role{}", number % 8), "content": format!("{number}")});
        made.push(owner.post("notifications", note).await.ok()["id"].clone());
    }
    until("all are delivered", async || {
        let total: u64 = crew.iter().map(|it| it.sum("delivered")).sum();
        total == 40
    })
    .await;
    let mut sent = daemon.sent();
    sent.sort();
    sent.dedup();
    assert_eq!((sent.len(), daemon.sends().len()), (40, 40));
    let waiting = backend.internal().get("dispatch/undelivered").await.ok();
    assert_eq!(waiting, json!({"deliveries": []}));
}

#[tokio::test]
async fn what_waits_for_longer_than_its_lease_lasts_is_left_to_the_next_look() {
    let backend = Api::of(builder().argument("--without").argument("runtime").start());
    let daemon = SmallDaemon::deciding(|body, tries| {
        let hangs = body["message"] == "first" && tries == 0;
        if hangs { Step::Hang } else { OK }
    });
    let owner = backend.agent("acme", "owner");
    for (role, content) in [("writer", "first"), ("editor", "second")] {
        let note = json!({"agent_role": role, "content": content});
        owner.post("notifications", note).await.ok();
    }
    // When the first turn is given up, the other's lease is too short for a turn of its own.
    let more = [
        ("DISPATCH_PARALLEL", "1"),
        ("DISPATCH_TIMEOUT_SEC", "1"),
        ("DISPATCH_LEASE_SEC", "2"),
    ];
    let dispatcher = Dispatcher::start(backend.server.url(), &daemon.url(), &more);
    until("the first is given up", async || {
        dispatcher.sum("failed") == 1
    })
    .await;
    let tick = dispatcher.ticks().into_iter().find(|it| it["failed"] == 1);
    let tick = tick.unwrap();
    assert_eq!(
        (&tick["deliveries"], &tick["delivered"]),
        (&json!(2), &json!(0))
    );
    until("both are delivered", async || {
        dispatcher.sum("delivered") == 2
    })
    .await;
    let sent: Vec<String> = daemon
        .sends()
        .iter()
        .map(|it| it["message"].to_string())
        .collect();
    assert_eq!(sent.iter().filter(|it| *it == "\"first\"").count(), 2);
    assert_eq!(sent.iter().filter(|it| *it == "\"second\"").count(), 1);
}
