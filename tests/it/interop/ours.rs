//! Our backend with a dispatcher and a daemon that are not ours, and our daemon with that dispatcher.

use serde_json::{Value, json};
use stationmaster_testkit::model::{Step, StubModel};

use super::daemon::{DAEMON_KEY, SmallDaemon};
use crate::agent_runtime::crew::{Clock, said, thinking};
use crate::support::api::builder;
use crate::support::wait::eventually;
use crate::support::{Api, Caller, Json as _};

/// Ticks as the originals' dispatcher does: one delivery after the other, no task, no key.
async fn tick(backend: &Caller, daemon: &Caller) -> (usize, usize) {
    let path = "/api/mission-control/dispatch/undelivered?limit_users=25&limit_notifications=25";
    let listed = backend.get(path).await.ok();
    let deliveries = listed["deliveries"].as_array().cloned().unwrap_or_default();
    let mut delivered = 0;
    for delivery in &deliveries {
        let (id, user) = (delivery.text("notification_id"), delivery.text("user_id"));
        let body = json!({
            "user_id": user,
            "session_key": delivery["session_key"],
            "message": delivery["content"],
            "metadata": {"type": "mc.notification", "notification_id": id},
        });
        let sent = daemon.post("/api/agents/send", body).await;
        if (200..300).contains(&sent.status) {
            let path =
                format!("/api/mission-control/dispatch/notifications/{id}/deliver?user_id={user}");
            let acknowledged = backend.post_nothing(&path).await;
            assert_eq!(acknowledged.status, 200, "{acknowledged:?}");
            delivered += 1;
        }
    }
    (deliveries.len(), delivered)
}

#[tokio::test]
async fn a_simple_dispatcher_and_a_simple_daemon_work_with_our_backend() {
    let backend = Api::of(builder().argument("--without").argument("runtime").start());
    let daemon = SmallDaemon::start();
    let owner = backend.agent("acme", "owner");
    let task = backend.agent("acme", "writer").task("Launch").await;
    let message = json!({"task_id": task, "content": "@writer please", "actor_type": "user"});
    owner.post("messages", message).await.ok();
    let internal = backend.internal();
    let their_daemon = backend
        .stranger()
        .at(&daemon.url())
        .header("X-Agent-Daemon-Key", DAEMON_KEY);
    assert_eq!(tick(&internal, &their_daemon).await, (1, 1));
    assert_eq!(tick(&internal, &their_daemon).await, (0, 0));
    let sends = daemon.sends();
    assert_eq!(sends.len(), 1);
    assert_eq!(sends[0]["session_key"], "user:acme:writer");
    assert_eq!(sends[0]["message"], "@writer please");
    assert_eq!(daemon.keys(), [None]);

    // The daemon answers in the thread, and nobody is woken by that.
    let writer = backend.agent("acme", "writer");
    let reply =
        json!({"task_id": task, "content": "Done.", "actor_type": "agent", "agent_role": "writer"});
    writer.post("messages", reply).await.ok();
    assert_eq!(tick(&internal, &their_daemon).await, (0, 0));
    assert_eq!(said(&owner).await, ["@writer please", "Done."]);
}

#[tokio::test]
async fn a_simple_dispatcher_works_with_our_backend_and_our_daemon() {
    let model = StubModel::start();
    let backend = Api::of(builder().argument("--without").argument("runtime").start());
    let daemon = thinking(&model)
        .environment("BACKEND_URL", backend.server.url())
        .environment("CLASPER_DEFAULT_TASK", "Reception");
    let daemon = Api::of(daemon.start());
    model.always(Step::text("On it."));
    let owner = backend.agent("acme", "owner");
    let note = json!({"agent_role": "writer", "content": "Wake up"});
    owner.post("notifications", note).await.ok();
    let internal = backend.internal();
    assert_eq!(tick(&internal, &daemon.stranger()).await, (1, 1));
    assert_eq!(said(&owner).await, ["On it."]);
    assert_eq!(owner.items("tasks?title=Reception").await.len(), 1);
}

#[tokio::test]
async fn our_dispatcher_works_with_our_backend_and_our_daemon() {
    let model = StubModel::start();
    let backend = Api::of(builder().argument("--without").argument("runtime").start());
    let daemon = thinking(&model)
        .environment("BACKEND_URL", backend.server.url())
        .environment("AGENT_DAEMON_API_KEY", DAEMON_KEY);
    let daemon = Api::of(daemon.start());
    model.push(Step::status(400));
    model.always(Step::text("On it."));
    let owner = backend.agent("acme", "owner");
    let task = backend.agent("acme", "writer").task("Launch").await;
    let message = json!({"task_id": task, "content": "@writer please", "actor_type": "user"});
    owner.post("messages", message).await.ok();
    let url = backend.server.url();
    let dispatcher = super::program::Dispatcher::start(url, daemon.server.url(), &[]);
    let thread = eventually("the agent answers", async || {
        let said = said(&owner).await;
        (said.len() == 2).then_some(said)
    })
    .await;
    assert_eq!(thread, ["@writer please", "On it."]);
    eventually("it is told of", async || {
        (dispatcher.sum("delivered") == 1).then_some(())
    })
    .await;
    // Our backend kept count of the try that failed.
    let all = owner.items("notifications?all=true").await;
    assert_eq!(all[0]["attempts"], 1, "{all:?}");
    assert_eq!(
        all[0]["delivered_at"].as_str().map(str::is_empty),
        Some(false)
    );
}

#[tokio::test]
async fn what_a_daemon_refuses_is_given_up_by_our_backend() {
    let backend = Api::of(builder().argument("--without").argument("runtime").start());
    let daemon = SmallDaemon::deciding(|_, _| super::daemon::Step::Status(400));
    let owner = backend.agent("acme", "owner");
    let note = json!({"agent_role": "writer", "content": "Wake up"});
    owner.post("notifications", note).await.ok();
    let url = backend.server.url();
    let _dispatcher = super::program::Dispatcher::start(url, &daemon.url(), &[]);
    let dead: Value = eventually("it is given up", async || {
        let all = owner.items("notifications?all=true").await;
        (!all[0]["dead_at"].is_null()).then(|| all[0].clone())
    })
    .await;
    assert!(dead.text("last_error").contains("400"), "{dead}");
    assert_eq!(daemon.sends().len(), 1);
    let asked = backend.internal().get("dispatch/undelivered").await.ok();
    assert_eq!(asked["deliveries"], json!([]));
}

#[tokio::test]
async fn our_backend_hears_how_long_a_daemon_asked_to_wait() {
    let clock = Clock::new();
    let builder = builder().argument("--without").argument("runtime");
    let backend = Api::of(clock.moves(builder).start());
    let owner = backend.agent("acme", "owner");
    let note = json!({"agent_role": "writer", "content": "Wake up"});
    let id = owner.post("notifications", note).await.ok().id();
    let internal = backend.internal();
    let body = json!({"error": "busy", "retryable": true, "retry_after_seconds": 300});
    let path = format!("dispatch/notifications/{id}/fail?user_id=acme");
    internal.post(&path, body).await.ok();
    for (ahead, due) in [(0, 0), (200, 0), (400, 1)] {
        clock.set(ahead);
        let listed = internal.get("dispatch/undelivered").await.ok();
        let deliveries = listed["deliveries"].as_array().map(Vec::len);
        assert_eq!(deliveries, Some(due), "after {ahead} s: {listed}");
    }
}
