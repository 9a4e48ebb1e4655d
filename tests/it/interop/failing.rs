//! Our dispatcher when a backend or a daemon fails (agent runtime §12, faults b, c, d, e).

use serde_json::json;

use super::backend::SmallBackend;
use super::daemon::{OK, SmallDaemon, Step};
use super::program::{Dispatcher, environment, once};
use crate::support::wait::until;

#[tokio::test]
async fn a_refused_notification_is_sent_once_and_hides_nothing_behind_it() {
    let backend = SmallBackend::start();
    let daemon = SmallDaemon::deciding(|body, _| {
        let is_bad = body["session_key"] == "user:acme:bad";
        if is_bad { Step::Status(400) } else { OK }
    });
    // More than one look lists: without a fail route they stay at the head of the list.
    for number in 0..30 {
        backend.notify(&format!("bad{number}"), "bad", None);
    }
    backend.notify("good", "writer", None);
    let dispatcher = Dispatcher::start(&backend.url(), &daemon.url(), &[]);
    until("the good one is delivered", async || {
        backend.delivered() == ["good"]
    })
    .await;
    dispatcher.ticks_more(3).await;
    let mut sent = daemon.sent();
    let all = sent.len();
    sent.sort();
    sent.dedup();
    assert_eq!((all, sent.len()), (31, 31), "each was sent once");
    assert_eq!(dispatcher.sum("failed"), 30);
}

#[tokio::test]
async fn a_backend_that_keeps_failures_is_told_of_them() {
    let backend = SmallBackend::start();
    backend.keep_failures();
    let daemon = SmallDaemon::deciding(|body, tries| {
        match (body["metadata"]["notification_id"].as_str(), tries) {
            (Some("bad"), _) => Step::Status(400),
            (Some("busy"), 0) => Step::Busy(7),
            _ => OK,
        }
    });
    backend.notify("bad", "writer", None);
    backend.notify("busy", "editor", None);
    let dispatcher = Dispatcher::start(&backend.url(), &daemon.url(), &[]);
    until("one is delivered in the end", async || {
        backend.delivered() == ["busy"]
    })
    .await;
    let mut reports = backend.calls("fail");
    reports.sort_by(|a, b| a.0.cmp(&b.0));
    let error = |status: &str| format!("the daemon answered {status}");
    assert_eq!(
        reports,
        [
            (
                "bad".to_owned(),
                json!({"error": error("400: told to fail"), "retryable": false})
            ),
            (
                "busy".to_owned(),
                json!({"error": error("429: busy"), "retryable": true, "retry_after_seconds": 7})
            ),
        ]
    );
    dispatcher.ticks_more(3).await;
    assert_eq!(backend.calls("fail").len(), 2);
    assert_eq!(daemon.sent().len(), 3);
}

#[tokio::test]
async fn a_failing_turn_is_tried_again_after_a_while_with_the_same_key() {
    let backend = SmallBackend::start();
    let daemon = SmallDaemon::deciding(|_, tries| match tries {
        0 => Step::Status(500),
        1 => Step::Status(503),
        2 => Step::Busy(1),
        _ => OK,
    });
    backend.notify("n1", "writer", Some("task-1"));
    let dispatcher = Dispatcher::start(&backend.url(), &daemon.url(), &[]);
    until("it is delivered", async || backend.delivered() == ["n1"]).await;
    let sends = daemon.sends();
    assert_eq!(sends.len(), 4);
    assert!(sends.iter().all(|it| *it == sends[0]), "{sends:#?}");
    assert_eq!(sends[0]["idempotency_key"], "n1");
    until("all is told of", async || dispatcher.sum("delivered") == 1).await;
    assert_eq!(dispatcher.sum("failed"), 3);
    // It was looked at far more often than it was sent.
    assert!(backend.looks().len() > 6, "{}", backend.looks().len());
}

#[tokio::test]
async fn tries_without_success_end() {
    let backend = SmallBackend::start();
    let daemon = SmallDaemon::deciding(|_, _| Step::Status(500));
    backend.notify("n1", "writer", None);
    let more = [("DISPATCH_RETRY_DELAY_SEC", "0.01")];
    let dispatcher = Dispatcher::start(&backend.url(), &daemon.url(), &more);
    until("it is tried to the end", async || daemon.sent().len() == 8).await;
    dispatcher.ticks_more(20).await;
    assert_eq!(daemon.sent().len(), 8);
    assert_eq!(dispatcher.sum("failed"), 8);
    assert!(backend.delivered().is_empty());
}

#[tokio::test]
async fn a_daemon_that_is_down_is_waited_for() {
    let (backend, mut daemon) = (SmallBackend::start(), SmallDaemon::start());
    daemon.go();
    for number in 0..3 {
        backend.notify(&format!("n{number}"), "writer", None);
    }
    let mut dispatcher = Dispatcher::start(&backend.url(), &daemon.url(), &[]);
    until("it has noticed", async || dispatcher.sum("failed") == 3).await;
    // Nothing is tried while nobody is there, so no try is used up.
    let looks = backend.looks().len();
    dispatcher.ticks_more(10).await;
    assert_eq!(dispatcher.sum("failed"), 3);
    assert!(backend.looks().len() <= looks + 1);
    assert!(dispatcher.is_running());
    daemon.come_back();
    until("all are delivered", async || backend.delivered().len() == 3).await;
    let mut sent = daemon.sent();
    sent.sort();
    assert_eq!(sent, ["n0", "n1", "n2"]);
}

#[tokio::test]
async fn a_backend_that_is_down_is_waited_for() {
    let (mut backend, daemon) = (SmallBackend::start(), SmallDaemon::start());
    backend.go();
    let mut dispatcher = Dispatcher::start(&backend.url(), &daemon.url(), &[]);
    dispatcher.ticks_more(5).await;
    assert!(dispatcher.is_running());
    backend.notify("n1", "writer", None);
    backend.come_back();
    until("it is delivered", async || backend.delivered() == ["n1"]).await;
    backend.go();
    dispatcher.ticks_more(3).await;
    backend.notify("n2", "writer", None);
    backend.come_back();
    until("the next one too", async || backend.delivered().len() == 2).await;
    assert_eq!(daemon.sent(), ["n1", "n2"]);
}

#[tokio::test]
async fn an_acknowledgement_that_fails_is_repeated_and_the_turn_is_not() {
    let (backend, daemon) = (SmallBackend::start(), SmallDaemon::start());
    // More than are tried in one go.
    backend.break_acks(7);
    backend.notify("n1", "writer", None);
    let dispatcher = Dispatcher::start(&backend.url(), &daemon.url(), &[]);
    until("it is acknowledged", async || backend.delivered() == ["n1"]).await;
    assert_eq!(daemon.sent(), ["n1"]);
    assert_eq!(
        backend.count("POST /api/mission-control/dispatch/notifications/n1/deliver"),
        8
    );
    until("it is told of", async || dispatcher.sum("delivered") == 1).await;
    assert_eq!(dispatcher.sum("failed"), 2);
}

#[tokio::test]
async fn a_daemon_that_does_not_answer_is_given_up_on_in_time() {
    let backend = SmallBackend::start();
    let daemon = SmallDaemon::deciding(|_, tries| if tries == 0 { Step::Hang } else { OK });
    backend.notify("n1", "writer", None);
    let mut environment = environment(&backend.url(), &daemon.url());
    environment.push(("DISPATCH_TIMEOUT_SEC".to_owned(), "0.3".to_owned()));
    let outcome = once(&environment);
    assert_eq!(outcome.code, 0, "{outcome:?}");
    assert!(outcome.stdout.contains("\"failed\":1"), "{outcome:?}");
    assert!(
        outcome.stderr.contains("did not answer in time"),
        "{outcome:?}"
    );
    let outcome = once(&environment);
    assert!(outcome.stdout.contains("\"delivered\":1"), "{outcome:?}");
    assert_eq!(backend.delivered(), ["n1"]);
}
