//! Our dispatcher between a backend and a daemon that are not ours (agent runtime §12).

use serde_json::{Value, json};
use tempfile::TempDir;

use super::backend::SmallBackend;
use super::daemon::{DAEMON_KEY, OK, SmallDaemon, Step};
use super::program::{Dispatcher, environment, once};
use crate::support::api::INTERNAL_TOKEN;
use crate::support::process::run;
use crate::support::wait::until;

fn tick(line: &str) -> Value {
    let mut tick: Value = serde_json::from_str(line.trim()).expect(line);
    let took = tick["duration_sec"].take();
    assert!(took.as_f64().is_some_and(|it| it >= 0.0), "{line}");
    tick
}

fn told(deliveries: u64, delivered: u64, failed: u64) -> Value {
    json!({"event": "dispatcher_tick", "deliveries": deliveries, "delivered": delivered,
        "failed": failed, "duration_sec": null})
}

#[tokio::test]
async fn what_waits_is_sent_with_its_task_and_acknowledged_and_told_of_in_one_line() {
    let (backend, daemon) = (SmallBackend::start(), SmallDaemon::start());
    backend.notify("n1", "writer", Some("task-7"));
    backend.notify("n2", "editor", None);
    let outcome = once(&environment(&backend.url(), &daemon.url()));
    assert_eq!(outcome.code, 0, "{outcome:?}");
    assert_eq!(outcome.stdout.lines().count(), 1, "{outcome:?}");
    assert_eq!(tick(&outcome.stdout), told(2, 2, 0));
    let mut sends = daemon.sends();
    sends.sort_by_key(|it| it["idempotency_key"].to_string());
    assert_eq!(
        sends,
        [
            json!({"user_id": "acme", "session_key": "user:acme:writer", "message": "This is n1",
                "metadata": {"origin": "test", "type": "mc.notification", "notification_id": "n1"},
                "idempotency_key": "n1", "task_id": "task-7"}),
            json!({"user_id": "acme", "session_key": "user:acme:editor", "message": "This is n2",
                "metadata": {"origin": "test", "type": "mc.notification", "notification_id": "n2"},
                "idempotency_key": "n2"}),
        ]
    );
    assert_eq!(backend.delivered(), ["n1", "n2"]);
    let look = &backend.looks()[0];
    assert_eq!(look["limit_users"], "25");
    assert_eq!(look["limit_notifications"], "25");
    let nothing = once(&environment(&backend.url(), &daemon.url()));
    assert_eq!(tick(&nothing.stdout), told(0, 0, 0));
}

#[tokio::test]
async fn settings_come_from_a_file_too_and_the_environment_wins_over_it() {
    let (backend, daemon) = (SmallBackend::start(), SmallDaemon::start());
    backend.notify("n1", "writer", None);
    let directory = TempDir::new().unwrap();
    let file = format!(
        "INTERNAL_TOKEN=\"{INTERNAL_TOKEN}\"\nBACKEND_URL=http://127.0.0.1:1\nAGENT_DAEMON_URL={}\n\
         AGENT_DAEMON_API_KEY='{DAEMON_KEY}'\nDISPATCH_LIMIT_USERS=3\nCLASPER_DEFAULT_TASK=Reception\n",
        daemon.url()
    );
    std::fs::write(directory.path().join(".env"), file).unwrap();
    let backend_url = backend.url();
    // What is empty counts as unset.
    let environment = [
        ("BACKEND_URL", backend_url.as_str()),
        ("INTERNAL_API_TOKEN", ""),
    ];
    let arguments = ["dispatcher", "--once", "--limit-notifications", "7"];
    let outcome = run(directory.path(), &environment, &arguments);
    assert_eq!(tick(&outcome.stdout), told(1, 1, 0), "{outcome:?}");
    assert_eq!(backend.looks()[0]["limit_users"], "3");
    assert_eq!(backend.looks()[0]["limit_notifications"], "7");
    assert_eq!(daemon.sends()[0]["task_title"], "Reception");
}

#[test]
fn without_a_token_it_says_what_is_missing() {
    let directory = TempDir::new().unwrap();
    let outcome = run(directory.path(), &[], &["dispatcher"]);
    assert_eq!(outcome.code, 1, "{outcome:?}");
    assert!(outcome.stderr.contains("INTERNAL_API_TOKEN"), "{outcome:?}");
    assert_eq!(outcome.stdout, "");
}

#[test]
fn once_fails_when_the_backend_cannot_be_asked() {
    let outcome = once(&environment("http://127.0.0.1:1", "http://127.0.0.1:1"));
    assert_eq!(outcome.code, 1, "{outcome:?}");
    assert!(outcome.stderr.contains("cannot be reached"), "{outcome:?}");
}

#[tokio::test]
async fn a_slow_turn_holds_up_its_own_session_only_and_order_is_kept() {
    let backend = SmallBackend::start();
    let daemon = SmallDaemon::deciding(|body, _| {
        let is_slow = body["metadata"]["notification_id"] == "w0";
        if is_slow { Step::Hang } else { OK }
    });
    for number in 0..4 {
        backend.notify(&format!("w{number}"), "writer", None);
        backend.notify(&format!("e{number}"), "editor", None);
    }
    let dispatcher = Dispatcher::start(&backend.url(), &daemon.url(), &[]);
    until("the editor is served", async || {
        backend.delivered().len() == 4
    })
    .await;
    // What comes later is served as well.
    backend.notify("late", "reader", None);
    until("the reader is served", async || {
        backend.delivered().len() == 5
    })
    .await;
    let sent_to_writer = || {
        let mut sent = daemon.sent();
        sent.retain(|id| id.starts_with('w'));
        sent
    };
    assert_eq!(sent_to_writer(), ["w0"]);
    daemon.release();
    until("the writer is served", async || {
        backend.delivered().len() == 9
    })
    .await;
    assert_eq!(sent_to_writer(), ["w0", "w1", "w2", "w3"]);
    let mut editor = daemon.sent();
    editor.retain(|id| id.starts_with('e'));
    assert_eq!(editor, ["e0", "e1", "e2", "e3"]);
    assert_eq!(daemon.most().0, 1, "one of a session at a time");
    until("all is told of", async || dispatcher.sum("delivered") == 9).await;
}

#[tokio::test]
async fn no_more_turns_run_at_once_than_allowed() {
    let backend = SmallBackend::start();
    let daemon = SmallDaemon::deciding(|_, _| Step::Hang);
    for number in 0..6 {
        backend.notify(&format!("n{number}"), &format!("role{number}"), None);
    }
    let more = [("DISPATCH_PARALLEL", "3")];
    let dispatcher = Dispatcher::start(&backend.url(), &daemon.url(), &more);
    until("three are under way", async || daemon.sent().len() == 3).await;
    let before = backend.looks().len();
    until("it looks again", async || {
        backend.looks().len() > before + 1
    })
    .await;
    assert_eq!(daemon.sent().len(), 3);
    daemon.release();
    until("all are delivered", async || backend.delivered().len() == 6).await;
    assert_eq!(daemon.most(), (1, 3));
    until("all is told of", async || dispatcher.sum("delivered") == 6).await;
    assert_eq!(dispatcher.sum("failed"), 0);
}

#[tokio::test]
async fn a_turn_that_waits_for_a_person_counts_as_delivered() {
    let backend = SmallBackend::start();
    let daemon = SmallDaemon::deciding(|_, _| Step::Status(202));
    backend.notify("n1", "writer", None);
    let outcome = once(&environment(&backend.url(), &daemon.url()));
    assert_eq!(tick(&outcome.stdout), told(1, 1, 0));
    assert_eq!(backend.delivered(), ["n1"]);
}

#[tokio::test]
async fn what_lacks_a_member_is_counted_as_failed_and_holds_up_nobody() {
    let (backend, daemon) = (SmallBackend::start(), SmallDaemon::start());
    backend
        .notify_as(json!({"notification_id": "bad", "user_id": "acme", "content": "No session"}));
    backend.notify("good", "writer", None);
    let outcome = once(&environment(&backend.url(), &daemon.url()));
    assert_eq!(tick(&outcome.stdout), told(2, 1, 1));
    assert_eq!(daemon.sent(), ["good"]);
}
