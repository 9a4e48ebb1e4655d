//! §§3 and 8: models that fail.

use serde_json::{Value, json};
use stationmaster_testkit::model::{Step, StubModel};

use super::crew::{Crew, SEND, refused, said, thinking, turn};
use crate::support::Api;
use crate::support::api::builder;

#[tokio::test]
async fn a_model_that_fails_for_a_moment_is_asked_again() {
    let crew = Crew::start();
    for failures in [
        vec![Step::status(500)],
        vec![Step::status(503), Step::status(502)],
        vec![Step::rate_limited(0)],
        vec![Step::Garbage],
        vec![Step::Empty],
        vec![Step::text(" \n ")],
    ] {
        let tries = failures.len() + 1;
        let before = crew.model.request_count();
        crew.model.push_all(failures.clone());
        crew.model.push(Step::text("Here I am."));
        let answer = crew.send(turn(json!({}))).await;
        assert_eq!(answer.ok()["response"], "Here I am.", "{failures:?}");
        assert_eq!(crew.model.request_count() - before, tries, "{failures:?}");
    }
    // Nothing but the answers was posted.
    assert_eq!(said(&crew.owner()).await, ["Here I am."; 6]);
}

#[tokio::test]
async fn a_model_that_goes_on_failing_is_an_error_and_nothing_is_posted() {
    let crew = Crew::start();
    let plan = json!({"metadata": {"kickoff_plan": true}});
    let body =
        |text: &str| json!({"error": {"message": text, "type": "x", "code": "model_not_found"}});
    let unknown = Step::Status {
        code: 404,
        retry_after: None,
        body: body("no such model"),
    };
    for (step, status, code, tries) in [
        (Step::status(500), 502, "model_unavailable", 3),
        (Step::status(529), 502, "model_unavailable", 3),
        (Step::status(401), 502, "model_rejected", 1),
        (Step::status(403), 502, "model_rejected", 1),
        (Step::status(400), 502, "model_rejected", 1),
        (unknown, 500, "model_unknown", 1),
        (Step::Garbage, 502, "model_unavailable", 2),
        (Step::Json(json!({})), 502, "model_unavailable", 2),
        (Step::Json(json!({"choices": []})), 502, "model_empty", 2),
        (Step::Empty, 502, "model_empty", 2),
        (Step::text("\n"), 502, "model_empty", 2),
        (
            Step::Refusal("I would rather not.".into()),
            502,
            "model_refused",
            1,
        ),
    ] {
        let before = crew.model.request_count();
        crew.model.always(step.clone());
        refused(&crew.send(turn(plan.clone())).await, status, code);
        assert_eq!(crew.model.request_count() - before, tries, "{step:?}");
    }
    assert_eq!(said(&crew.owner()).await, [""; 0]);
    assert_eq!(crew.owner().items("documents").await, [Value::Null; 0]);
}

#[tokio::test]
async fn a_limited_model_is_503_and_says_when_to_come_back() {
    let crew = Crew::with(|it| it.environment("CLASPER_RETRY_ATTEMPTS", "1"));
    for (seconds, header) in [(7, "7"), (3600, "3600")] {
        crew.model.always(Step::rate_limited(seconds));
        let answer = crew.send(turn(json!({}))).await;
        refused(&answer, 503, "model_rate_limited");
        assert_eq!(answer.headers["retry-after"], header);
    }
    // A provider that does not say is no reason not to.
    crew.model.always(Step::status(429));
    let answer = crew.send(turn(json!({}))).await;
    refused(&answer, 503, "model_rate_limited");
    let wait: u64 = answer.headers["retry-after"]
        .to_str()
        .unwrap()
        .parse()
        .unwrap();
    assert!(wait > 0);
    assert_eq!(said(&crew.owner()).await, [""; 0]);
}

#[tokio::test]
async fn a_limited_model_is_asked_again_as_often_as_any_other() {
    let crew = Crew::start();
    crew.model.always(Step::rate_limited(0));
    refused(&crew.send(turn(json!({}))).await, 503, "model_rate_limited");
    assert_eq!(crew.model.request_count(), 3);
}

#[tokio::test]
async fn an_answer_that_does_not_come_in_time_is_an_error() {
    let crew = Crew::with(|it| it.environment("CLASPER_TURN_DEADLINE_SECONDS", "1"));
    for step in [Step::Stall, Step::Hang] {
        crew.model.push(step);
        refused(&crew.send(turn(json!({}))).await, 504, "deadline_exceeded");
        assert_eq!(said(&crew.owner()).await, [""; 0]);
    }
    // What comes too late is not posted either, and the next turn is none the worse for it.
    crew.model.release();
    crew.model.push(Step::text("In time."));
    crew.send(turn(json!({}))).await.ok();
    assert_eq!(said(&crew.owner()).await, ["In time."]);
}

#[tokio::test]
async fn a_model_that_is_not_there_is_unavailable() {
    let model = StubModel::start();
    let server = thinking(&model).start();
    drop(model);
    let api = Api::of(server);
    let answer = api.stranger().post(SEND, turn(json!({}))).await;
    refused(&answer, 502, "model_unavailable");
    assert_eq!(said(&api.agent("acme", "owner")).await, [""; 0]);
}

#[tokio::test]
async fn a_failure_after_tools_keeps_what_they_did_and_posts_no_reply() {
    let crew = Crew::start();
    crew.model
        .push(Step::tool("create_task", json!({"title": "Sub"})));
    crew.model.push(Step::status(401));
    refused(&crew.send(turn(json!({}))).await, 502, "model_rejected");
    assert_eq!(crew.owner().items("tasks?title=Sub").await.len(), 1);
    assert_eq!(said(&crew.owner()).await, [""; 0]);
}

#[tokio::test]
async fn the_fallback_model_is_asked_when_the_first_gives_up() {
    let crew = Crew::with(|it| it.environment("LLM_MODEL_FALLBACK", "gpt-4o"));
    crew.model.answer_with(|request| {
        if request["model"] == "gpt-4o" {
            Step::text("The other one here.")
        } else {
            Step::status(500)
        }
    });
    crew.model.set_usage(1000, 1000);
    let answer = crew.send(turn(json!({}))).await.ok();
    assert_eq!(answer["response"], "The other one here.");
    assert_eq!(answer["cost"]["model"], "gpt-4o");
    assert_eq!(answer["cost"]["totalCost"], 0.012_5);
    let models: Vec<Value> = crew.asked().iter().map(|it| it["model"].clone()).collect();
    assert_eq!(
        models,
        ["gpt-4o-mini", "gpt-4o-mini", "gpt-4o-mini", "gpt-4o"]
    );
}

#[tokio::test]
async fn without_a_model_there_are_no_turns() {
    for without in [None, Some("dispatcher")] {
        let server = match without {
            Some(part) => builder().argument("--without").argument(part),
            None => builder(),
        };
        let api = Api::of(server.start());
        let answer = api.stranger().post(SEND, turn(json!({}))).await;
        refused(&answer, 503, "model_not_configured");
        // A request that is wrong is told so all the same.
        let answer = api
            .stranger()
            .post(SEND, turn(json!({"message": ""})))
            .await;
        refused(&answer, 400, "invalid_request");
        assert_eq!(
            api.agent("acme", "owner").items("tasks").await,
            [Value::Null; 0]
        );
    }
}

#[tokio::test]
async fn without_the_runtime_a_model_is_never_asked_and_notifications_wait() {
    let model = StubModel::start();
    let api = Api::of(
        super::crew::woken(&model)
            .argument("--without")
            .argument("runtime")
            .start(),
    );
    let answer = api.stranger().post(SEND, turn(json!({}))).await;
    refused(&answer, 503, "model_not_configured");
    let owner = api.agent("acme", "owner");
    let note = json!({"agent_role": "writer", "content": "Wake up"});
    let id = owner.post("notifications", note).await.ok()["id"].clone();
    let waiting = api.internal().get("dispatch/undelivered").await.ok();
    assert_eq!(waiting["deliveries"][0]["notification_id"], id);
    let health = api.stranger().get("/health").await.ok();
    assert_eq!(health["runtime"]["enabled"], false);
    assert_eq!(model.request_count(), 0);
}

#[tokio::test]
async fn a_role_may_have_a_model_of_its_own_and_openai_its_newer_api() {
    let crew = Crew::with(|it| {
        it.environment("LLM_MODEL_ROLES", "writer=gpt-4o")
            .environment("OPENAI_API", "responses")
    });
    crew.model.set_usage(1000, 1000);
    let answer = crew.send(turn(json!({}))).await.ok();
    assert_eq!(answer["cost"]["model"], "gpt-4o");
    let asked = crew.model.requests();
    assert_eq!(asked[0].path, "/v1/responses");
    assert_eq!(asked[0].body["model"], "gpt-4o");
}
