//! Rulings 19: the same key and session give the first answer.

use std::time::{Duration, Instant};

use futures::future::join_all;
use serde_json::json;
use stationmaster_testkit::model::{Step, StubModel};
use tempfile::TempDir;

use super::crew::{Crew, SEND, refused, said, thinking, turn};
use crate::support::Api;

#[tokio::test]
async fn the_same_key_gives_the_same_answer_wherever_it_stands() {
    let crew = Crew::start();
    let stranger = crew.api.stranger();
    let keyed = stranger.clone().header("Idempotency-Key", "k");
    let in_body = turn(json!({"idempotency_key": "k"}));
    let first = stranger.post(SEND, in_body.clone()).await;
    first.ok();
    let both = keyed.post(SEND, in_body.clone()).await;
    let in_header = keyed.post(SEND, turn(json!({}))).await;
    let metadata = json!({"metadata": {"type": "mc.notification", "notification_id": "k"}});
    let in_metadata = stranger.post(SEND, turn(metadata)).await;
    for again in [both, in_header, in_metadata] {
        again.ok();
        assert_eq!(again.text, first.text);
        assert_eq!(again.headers["x-trace-id"], first.headers["x-trace-id"]);
    }
    assert_eq!(crew.model.request_count(), 1);
    assert_eq!(said(&crew.owner()).await.len(), 1);
}

#[tokio::test]
async fn an_answer_with_tools_and_a_plan_is_given_again_whole() {
    let crew = Crew::start();
    crew.model
        .push(Step::tool("create_task", json!({"title": "Sub"})));
    crew.model.push(Step::text("Done."));
    let asked = json!({"idempotency_key": "k", "metadata": {"kickoff_plan": true}});
    let first = crew.send(turn(asked.clone())).await;
    assert!(first.ok()["document_id"].is_string());
    assert_eq!(crew.send(turn(asked)).await.text, first.text);
    assert_eq!(crew.owner().items("documents").await.len(), 1);
    assert_eq!(crew.owner().items("tasks?title=Sub").await.len(), 1);
}

#[tokio::test]
async fn a_key_belongs_to_its_session() {
    let crew = Crew::start();
    let mut answers = Vec::new();
    for (user, role) in [("acme", "writer"), ("acme", "editor"), ("globex", "writer")] {
        let key = format!("user:{user}:{role}");
        let asked = json!({"user_id": user, "session_key": key, "idempotency_key": "k"});
        answers.push(crew.send(turn(asked)).await.ok()["trace_id"].clone());
    }
    assert_eq!(crew.model.request_count(), 3);
    assert_ne!(answers[0], answers[1]);
    assert_ne!(answers[0], answers[2]);
}

#[tokio::test]
async fn the_callers_key_goes_before_the_notifications() {
    let crew = Crew::start();
    for key in ["a", "b", "a"] {
        let asked = json!({"idempotency_key": key, "metadata": {"notification_id": "n"}});
        crew.send(turn(asked)).await.ok();
    }
    assert_eq!(crew.model.request_count(), 2);
    // An empty key is none.
    let asked = json!({"idempotency_key": "", "metadata": {"notification_id": "b"}});
    crew.send(turn(asked)).await.ok();
    assert_eq!(crew.model.request_count(), 2);
}

#[tokio::test]
async fn turns_without_a_key_are_all_different() {
    let crew = Crew::start();
    for _ in 0..3 {
        crew.send(turn(json!({}))).await.ok();
    }
    assert_eq!(crew.model.request_count(), 3);
    assert_eq!(said(&crew.owner()).await.len(), 3);
}

#[tokio::test]
async fn two_keys_that_differ_are_refused() {
    let crew = Crew::start();
    let keyed = crew.api.stranger().header("Idempotency-Key", "a");
    let answer = keyed
        .post(SEND, turn(json!({"idempotency_key": "b"})))
        .await;
    refused(&answer, 400, "invalid_request");
    assert_eq!(crew.model.request_count(), 0);
}

#[tokio::test]
async fn the_longest_key_works_like_any_other() {
    let crew = Crew::start();
    let keys = [
        format!("{}1", "k".repeat(254)),
        format!("{}2", "k".repeat(254)),
    ];
    for key in [&keys[0], &keys[1], &keys[0], &keys[1]] {
        crew.send(turn(json!({"idempotency_key": key}))).await.ok();
    }
    assert_eq!(crew.model.request_count(), 2);
    assert_eq!(said(&crew.owner()).await.len(), 2);
}

#[tokio::test]
async fn callers_who_ask_at_once_share_one_turn() {
    let crew = Crew::start();
    crew.model.push(Step::Hang);
    let sends = (0..8).map(|_| crew.send(turn(json!({"idempotency_key": "k"}))));
    let release = async {
        assert!(crew.model.wait_for_requests(1, soon()).await);
        // The others have had the time of some requests to come in and wait.
        for _ in 0..5 {
            crew.owner().items("tasks").await;
        }
        crew.model.release();
    };
    let (answers, ()) = tokio::join!(join_all(sends), release);
    for answer in &answers {
        answer.ok();
        assert_eq!(answer.text, answers[0].text);
    }
    assert_eq!(crew.model.request_count(), 1);
    assert_eq!(said(&crew.owner()).await, ["Write the plan"]);
}

#[tokio::test]
async fn an_answer_outlives_the_server_that_gave_it() {
    let directory = TempDir::new().unwrap();
    let model = StubModel::start();
    let start = || Api::of(thinking(&model).directory(directory.path()).start());
    let asked = turn(json!({"idempotency_key": "k"}));
    let mut api = start();
    let first = api.stranger().post(SEND, asked.clone()).await;
    first.ok();
    assert_eq!(api.server.stop(), 0);
    for _ in 0..2 {
        let mut api = start();
        assert_eq!(
            api.stranger().post(SEND, asked.clone()).await.text,
            first.text
        );
        api.server.kill();
    }
    assert_eq!(model.request_count(), 1);
    assert_eq!(said(&start().agent("acme", "owner")).await.len(), 1);
}

#[tokio::test]
async fn a_failed_turn_does_not_burn_its_key() {
    let crew = Crew::start();
    let asked = || turn(json!({"idempotency_key": "k", "metadata": {"kickoff_plan": true}}));
    for (step, status, code) in [
        (Step::status(401), 502, "model_rejected"),
        (Step::Refusal("No.".into()), 502, "model_refused"),
    ] {
        crew.model.push(step);
        refused(&crew.send(asked()).await, status, code);
    }
    let mut elsewhere = asked();
    elsewhere["task_id"] = json!("nope");
    refused(&crew.send(elsewhere).await, 404, "task_not_found");
    crew.model.push(Step::text("Now then."));
    let answer = crew.send(asked()).await;
    assert_eq!(answer.ok()["response"], "Now then.");
    assert_eq!(crew.send(asked()).await.text, answer.text);
    assert_eq!(said(&crew.owner()).await, ["Now then."]);
    assert_eq!(crew.owner().items("documents").await.len(), 1);
}

#[tokio::test]
async fn a_turn_tried_again_does_not_repeat_what_its_tools_did() {
    let crew = Crew::start();
    let asked = || turn(json!({"idempotency_key": "k"}));
    let calls = || {
        let document = json!({"title": "Draft", "content": "# Hi"});
        Step::Tools(vec![
            ("create_task".into(), json!({"title": "Sub"})),
            ("post_message".into(), json!({"content": "Half way"})),
            ("create_document".into(), document),
        ])
    };
    crew.model.push(calls());
    for _ in 0..3 {
        crew.model.push(Step::status(401));
        refused(&crew.send(asked()).await, 502, "model_rejected");
    }
    // It goes on from where it was: what the model said first is not asked for, or paid, again.
    crew.model.push(Step::text("Done."));
    let answer = crew.send(asked()).await.ok();
    let done = answer["tool_calls"].as_array().unwrap();
    assert!(done.iter().all(|call| call["ok"] == true), "{done:#?}");
    let owner = crew.owner();
    assert_eq!(owner.items("tasks?title=Sub").await.len(), 1);
    assert_eq!(owner.items("documents").await.len(), 1);
    assert_eq!(said(&owner).await, ["Half way", "Done."]);
}

#[tokio::test]
async fn who_waited_for_a_turn_that_failed_takes_it_over_or_hears_why() {
    let crew = Crew::start();
    crew.model.push(Step::Delay(
        Duration::from_millis(100),
        Box::new(Step::status(401)),
    ));
    crew.model.always(Step::text("Now then."));
    let sends = (0..4).map(|_| crew.send(turn(json!({"idempotency_key": "k"}))));
    let answers = join_all(sends).await;
    let (good, bad): (Vec<_>, Vec<_>) = answers.iter().partition(|it| it.status == 200);
    assert!(!bad.is_empty());
    for answer in bad {
        refused(answer, 502, "model_rejected");
    }
    for answer in &good {
        assert_eq!(answer.text, good[0].text);
    }
    assert_eq!(
        said(&crew.owner()).await.len(),
        usize::from(!good.is_empty())
    );
}

fn soon() -> Instant {
    Instant::now() + crate::support::wait::PATIENCE
}
