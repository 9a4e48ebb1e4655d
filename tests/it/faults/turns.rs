//! Turns that are cut off: the reply is posted once, whoever dies (rulings 17 to 19).

use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use stationmaster_testkit::model::{Step, StubModel};
use tempfile::TempDir;
use tokio::task::JoinSet;

use crate::agent_runtime::crew::{SEND, said, thinking, turn, woken};
use crate::support::api::Answer;
use crate::support::wait::{PATIENCE, eventually};
use crate::support::{Api, Caller, Json as _};

pub(super) fn soon() -> Instant {
    Instant::now() + PATIENCE
}

/// Sends and goes on.
pub(super) fn send_off(caller: Caller, body: Value) -> Sent {
    let mut sent = JoinSet::new();
    sent.spawn(async move { caller.post(SEND, body).await });
    Sent(sent)
}

/// A request under way.
pub(super) struct Sent(JoinSet<Answer>);

impl Sent {
    pub(super) async fn answer(mut self) -> Answer {
        let ended = self.0.join_next().await.expect("a request");
        ended.expect("an answer")
    }

    /// The connection breaks before there is an answer.
    pub(super) async fn ends_unanswered(mut self) {
        let ended = self.0.join_next().await.expect("a request");
        assert!(ended.is_err(), "{ended:?}");
    }

    /// Whether there was an answer before the connection broke.
    pub(super) async fn ends_answered(mut self) -> bool {
        self.0.join_next().await.is_some_and(|ended| ended.is_ok())
    }

    /// Whoever asked goes away.
    pub(super) async fn gives_up(mut self) {
        self.0.shutdown().await;
    }
}

fn start(model: &StubModel, directory: &Path) -> Api {
    Api::of(thinking(model).directory(directory).start())
}

#[tokio::test]
async fn a_turn_whose_server_was_killed_runs_again_and_replies_once() {
    let create = || {
        Step::Tools(vec![
            ("create_task".into(), json!({"title": "Sub"})),
            ("post_message".into(), json!({"content": "Half way"})),
        ])
    };
    for before in [
        vec![Step::Hang],
        vec![Step::Stall],
        // What its tools did before is not done again.
        vec![create(), Step::Hang],
        vec![create(), Step::tool("list_tasks", json!({})), Step::Hang],
    ] {
        let directory = TempDir::new().unwrap();
        let model = StubModel::start();
        let asked = turn(json!({"idempotency_key": "k"}));
        let calls = before.len();
        model.push_all(before);
        let mut api = start(&model, directory.path());
        let cut_off = send_off(api.stranger(), asked.clone());
        assert!(model.wait_for_requests(calls, soon()).await);
        api.server.kill();
        cut_off.ends_unanswered().await;

        // The server itself goes on with it, from where it was.
        model.push(Step::text("Done."));
        let api = start(&model, directory.path());
        let owner = api.agent("acme", "owner");
        let answer = api.stranger().post(SEND, asked.clone()).await;
        assert_eq!(answer.ok()["response"], "Done.");
        // What was held all the time comes to nothing.
        model.release();
        assert_eq!(api.stranger().post(SEND, asked).await.text, answer.text);
        let had_tools = calls > 1;
        let replies: &[&str] = if had_tools {
            &["Half way", "Done."]
        } else {
            &["Done."]
        };
        assert_eq!(said(&owner).await, replies);
        assert_eq!(
            owner.items("tasks?title=Sub").await.len(),
            usize::from(had_tools)
        );
        assert_eq!(model.request_count(), calls + 1, "nothing is paid twice");
    }
}

#[tokio::test]
async fn a_notification_whose_turn_was_cut_off_is_answered_once_after_the_restart() {
    let directory = TempDir::new().unwrap();
    let model = StubModel::start();
    let start = || Api::of(woken(&model).directory(directory.path()).start());
    let mut api = start();
    let task = api.agent("acme", "writer").task("Launch").await;
    model.push_all([Step::Hang, Step::Hang, Step::Hang, Step::text("Done.")]);
    let message = json!({"task_id": task, "content": "Go", "actor_type": "user"});
    let owner = api.agent("acme", "owner");
    owner.post("messages", message).await.ok();
    for turns in 1..=3 {
        assert!(model.wait_for_requests(turns, soon()).await);
        api.server.kill();
        api = start();
    }
    let owner = api.agent("acme", "owner");
    eventually("it is delivered", async || {
        let all = owner.items("notifications?all=true").await;
        (!all[0]["delivered_at"].is_null()).then_some(())
    })
    .await;
    assert_eq!(said(&owner).await, ["Go", "Done."]);
}

#[tokio::test]
async fn a_caller_who_goes_away_does_not_take_the_turn_along() {
    let directory = TempDir::new().unwrap();
    let model = StubModel::start();
    let api = start(&model, directory.path());
    let asked = turn(json!({"idempotency_key": "k"}));
    model.push(Step::Hang);
    let gone = send_off(api.stranger(), asked.clone());
    assert!(model.wait_for_requests(1, soon()).await);
    gone.gives_up().await;
    model.release();
    let owner = api.agent("acme", "owner");
    eventually("the reply is posted", async || {
        (said(&owner).await == ["Write the plan"]).then_some(())
    })
    .await;
    // Who asks again gets the answer that nobody heard.
    let answer = api.stranger().post(SEND, asked).await.ok();
    assert_eq!(answer.text("response"), "Write the plan");
    assert_eq!(model.request_count(), 1);
}

#[tokio::test]
async fn a_server_that_is_told_to_stop_answers_the_turns_at_hand_first() {
    let directory = TempDir::new().unwrap();
    let model = StubModel::start();
    let api = start(&model, directory.path());
    model.push(Step::Hang);
    let url = api.server.url().to_owned();
    let turn = send_off(api.stranger(), turn(json!({})));
    assert!(model.wait_for_requests(1, soon()).await);
    let mut server = api.server;
    let stopped = tokio::task::spawn_blocking(move || server.stop());
    let address = url.strip_prefix("http://").unwrap().to_owned();
    eventually("nobody else is let in", async || {
        tokio::net::TcpStream::connect(&address)
            .await
            .is_err()
            .then_some(())
    })
    .await;
    model.release();
    assert_eq!(turn.answer().await.ok()["response"], "Write the plan");
    assert_eq!(stopped.await.unwrap(), 0);
    let api = start(&model, directory.path());
    assert_eq!(said(&api.agent("acme", "owner")).await, ["Write the plan"]);
}

/// Kills the server at one moment after another of a turn with three tool calls, each time a little later, until
/// the turn ends before the blow: whatever it was at, it goes on at the start and everything is there once.
#[tokio::test]
async fn a_turn_survives_a_kill_at_any_moment() {
    let draft = json!({"title": "Draft", "content": "# Hi"});
    let mut moment = Duration::ZERO;
    let mut ended_first = 0;
    while ended_first < 2 {
        let (directory, model) = (TempDir::new().unwrap(), StubModel::start());
        let draft = draft.clone();
        // What it says depends on what it was told, as with a real one.
        model.answer_with(move |asked| match results(asked) {
            0 => Step::Tools(vec![
                ("create_task".into(), json!({"title": "Sub"})),
                ("post_message".into(), json!({"content": "Half way"})),
            ]),
            2 => Step::tool("create_document", draft.clone()),
            _ => Step::text("Done."),
        });
        let mut api = start(&model, directory.path());
        let asked = turn(json!({"idempotency_key": "k"}));
        let sent = send_off(api.stranger(), asked.clone());
        assert!(model.wait_for_requests(1, soon()).await);
        // Not to wait for anything: the blow shall fall at another moment each time.
        tokio::time::sleep(moment).await;
        api.server.kill();
        if sent.ends_answered().await {
            ended_first += 1;
        }
        moment += Duration::from_micros(1_500);

        let api = start(&model, directory.path());
        let answer = api.stranger().post(SEND, asked).await.ok();
        let owner = api.agent("acme", "owner");
        let calls = model.request_count();
        assert!(
            (3..=4).contains(&calls),
            "{calls} calls of the model: only one that was cut off is made again"
        );
        assert_eq!(answer["response"], "Done.");
        let made = answer["tool_calls"].as_array().unwrap();
        assert_eq!(made.len(), 3, "{answer}");
        assert!(made.iter().all(|call| call["ok"] == true), "{answer}");
        assert_eq!(said(&owner).await, ["Half way", "Done."]);
        assert_eq!(owner.items("tasks?title=Sub").await.len(), 1);
        assert_eq!(owner.items("documents").await.len(), 1);
        assert!(moment < Duration::from_secs(5), "the turn never ends");
    }
}

/// How many results of tools a model is told.
fn results(asked: &Value) -> usize {
    let messages = asked["messages"].as_array().expect("messages");
    messages.iter().filter(|it| it["role"] == "tool").count()
}
