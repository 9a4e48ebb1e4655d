//! §11: answers that are heard as they come, and posted like any other.

use serde_json::{Value, json};
use stationmaster_testkit::model::{Cut, Step};

use super::approvals::{decide, draft, guard};
use super::crew::{Crew, SEND, refused, said, thread, turn, turn_without};
use crate::support::sse::{Events, Frame};
use crate::support::wait::until;
use crate::support::{Answer, Json as _};

const STREAM: &str = "/api/agents/stream";

async fn open(crew: &Crew, path: &str, body: Value) -> Events {
    let opened = crew.api.stranger().stream(path, body).await;
    opened.unwrap_or_else(|answer| panic!("{answer:?}"))
}

async fn not_opened(crew: &Crew, path: &str, body: Value) -> Answer {
    let opened = crew.api.stranger().stream(path, body).await;
    opened.err().expect("no stream")
}

/// Every frame; each says its type twice, and nothing comes after the last one.
async fn all(mut stream: Events) -> Vec<Frame> {
    let mut frames = Vec::new();
    while let Some(frame) = stream.next_of_any_kind().await {
        if !frame.comment {
            assert_eq!(frame.json()["type"], frame.event.as_str(), "{frame:?}");
            frames.push(frame);
        }
    }
    frames
}

fn kinds(frames: &[Frame]) -> Vec<&str> {
    let mut kinds: Vec<_> = frames.iter().map(|it| it.event.as_str()).collect();
    // How many pieces arrive together is the network's business.
    kinds.dedup();
    kinds
}

fn words(frames: &[Frame]) -> String {
    let chunks = frames.iter().filter(|it| it.event == "chunk");
    chunks.map(|it| it.json().text("data")).collect()
}

#[tokio::test]
async fn an_answer_is_heard_as_it_comes_and_posted_once() {
    for (path, more) in [(STREAM, json!({})), (SEND, json!({"stream": true}))] {
        let crew = Crew::start();
        crew.model.push(Step::cut("One two three.", 1, Cut::Stall));
        let mut stream = open(&crew, path, turn(more)).await;
        let start = stream.next().await;
        assert_eq!(start.event, "start");
        let first = stream.next().await;
        assert_eq!(first.json(), json!({"type": "chunk", "data": "One "}));
        assert!(
            said(&crew.owner()).await.is_empty(),
            "there is more to come"
        );
        crew.model.release();
        let frames = all(stream).await;
        assert_eq!(kinds(&frames), ["chunk", "done"]);
        assert_eq!(words(&frames), "two three.");
        let done = frames.last().unwrap().json();
        assert_eq!(done["response"], "One two three.");
        assert_eq!(done["task_id"], start.json()["task_id"]);
        assert_eq!(done["trace_id"], start.json()["trace_id"]);
        assert_eq!(
            done["usage"],
            json!({"prompt_tokens": 200, "completion_tokens": 50, "total_tokens": 250})
        );
        assert_eq!(done["cost"]["totalCost"], 0.00006);
        let posted = thread(&crew.owner(), &done.text("task_id")).await;
        assert_eq!(posted.len(), 1, "{posted:?}");
        assert_eq!(posted[0]["id"], done["message_id"]);
        assert_eq!(posted[0]["content"], "One two three.");
        let asked = crew.asked().pop().unwrap();
        assert_eq!(asked["stream"], true);
        assert_eq!(asked["stream_options"]["include_usage"], true);
    }
}

#[tokio::test]
async fn anthropic_streams_too() {
    let model = stationmaster_testkit::model::StubModel::start();
    let url = model.anthropic_url();
    let crew = Crew::with(|it| {
        it.environment("LLM_PROVIDER", "anthropic")
            .environment("ANTHROPIC_BASE_URL", url)
    });
    model.push(Step::tool("create_task", json!({"title": "Sub"})));
    model.push(Step::text("One two three."));
    let frames = all(open(&crew, STREAM, turn(json!({}))).await).await;
    assert_eq!(kinds(&frames), ["start", "chunk", "done"]);
    assert_eq!(words(&frames), "One two three.");
    let done = frames.last().unwrap().json();
    assert_eq!(done["usage"]["total_tokens"], 500);
    assert_eq!(crew.owner().items("tasks?title=Sub").await.len(), 1);
}

#[tokio::test]
async fn what_is_said_beside_calls_of_tools_is_heard_too() {
    let crew = Crew::start();
    let call = ("create_task".to_owned(), json!({"title": "Sub"}));
    crew.model
        .push(Step::TextAndTools("Let me see.".to_owned(), vec![call]));
    crew.model.push(Step::text("It is done."));
    let frames = all(open(&crew, STREAM, turn(json!({}))).await).await;
    assert_eq!(kinds(&frames), ["start", "chunk", "done"]);
    assert_eq!(words(&frames), "Let me see.\n\nIt is done.");
    let done = frames.last().unwrap().json();
    assert_eq!(done["response"], "It is done.");
    assert_eq!(done["tool_calls"][0]["ok"], true, "{done}");
    assert_eq!(done["usage"]["total_tokens"], 500);
    assert_eq!(said(&crew.owner()).await, ["It is done."]);
    assert_eq!(crew.owner().items("tasks?title=Sub").await.len(), 1);
}

#[tokio::test]
async fn a_model_that_stalls_is_asked_again_only_while_nothing_was_heard() {
    let crew = Crew::with(|it| it.environment("CLASPER_MODEL_STALL_SECONDS", "1"));
    crew.model.push(Step::cut("One two.", 0, Cut::Stall));
    crew.model.push(Step::text("At last."));
    let frames = all(open(&crew, STREAM, turn(json!({}))).await).await;
    assert_eq!(kinds(&frames), ["start", "chunk", "done"]);
    assert_eq!(words(&frames), "At last.");
    assert_eq!(crew.model.request_count(), 2);

    let asked = turn(json!({"idempotency_key": "k"}));
    for then in [Cut::Stall, Cut::Garbage, Cut::End] {
        let before = crew.model.request_count();
        crew.model.push(Step::cut("One two.", 1, then));
        let frames = all(open(&crew, STREAM, asked.clone()).await).await;
        assert_eq!(kinds(&frames), ["start", "chunk", "error"], "{then:?}");
        assert_eq!(words(&frames), "One ");
        let error = frames.last().unwrap().json();
        assert_eq!(error["code"], "model_unavailable", "{error}");
        assert!(error["error"].is_string(), "{error}");
        assert_eq!(crew.model.request_count(), before + 1, "{then:?}");
    }
    assert_eq!(said(&crew.owner()).await, ["At last."]);
    // A failed turn does not burn its key.
    crew.model.push(Step::text("All of it."));
    let frames = all(open(&crew, STREAM, asked).await).await;
    assert_eq!(words(&frames), "All of it.");
}

#[tokio::test]
async fn a_client_that_goes_away_still_gets_its_answer_in_the_thread() {
    let crew = Crew::start();
    crew.model.push(Step::cut("One two three.", 1, Cut::Stall));
    let mut stream = open(&crew, STREAM, turn(json!({}))).await;
    stream.until("chunk").await;
    drop(stream);
    crew.model.release();
    until("the answer is posted", async || {
        said(&crew.owner()).await == ["One two three."]
    })
    .await;
}

#[tokio::test]
async fn a_turn_that_waits_for_an_approval_says_so() {
    let crew = Crew::start();
    guard(&crew.api).await;
    crew.model.push(draft());
    let asked = turn(json!({"idempotency_key": "k"}));
    let frames = all(open(&crew, STREAM, asked.clone()).await).await;
    assert_eq!(kinds(&frames), ["start", "paused"]);
    let paused = frames.last().unwrap().json();
    assert_eq!(paused["status"], "pending_approval");
    assert_eq!(paused["approval_id"], paused["tool_request_id"]);
    assert!(paused["run_id"].is_string() && paused["task_id"].is_string());
    // Asked again, it says the same.
    let again = all(open(&crew, STREAM, asked.clone()).await).await;
    assert_eq!(again.last().unwrap().json(), paused);
    crew.model.push(Step::text("Done."));
    decide(&crew.api, &paused.text("approval_id"), "approved").await;
    until("the turn goes on", async || {
        said(&crew.owner()).await == ["Done."]
    })
    .await;
    let frames = all(open(&crew, STREAM, asked).await).await;
    assert_eq!(
        (kinds(&frames), words(&frames)),
        (vec!["start", "chunk", "done"], "Done.".to_owned())
    );
}

#[tokio::test]
async fn the_same_key_is_the_same_turn_whichever_way_it_is_asked() {
    let crew = Crew::start();
    crew.model.push(Step::text("Once only."));
    let asked = turn(json!({"idempotency_key": "k"}));
    let first = all(open(&crew, STREAM, asked.clone()).await).await;
    let again = all(open(&crew, STREAM, asked.clone()).await).await;
    assert_eq!(kinds(&again), ["start", "chunk", "done"]);
    assert_eq!(words(&again), "Once only.");
    assert_eq!(again.last().unwrap().json(), first.last().unwrap().json());
    let whole = crew.send(asked).await.ok();
    assert_eq!(
        whole["message_id"],
        first.last().unwrap().json()["message_id"]
    );
    assert_eq!(crew.model.request_count(), 1);
    assert_eq!(said(&crew.owner()).await.len(), 1);
}

#[tokio::test]
async fn what_is_wrong_before_the_model_is_asked_is_no_stream() {
    let crew = Crew::start();
    let set = json!({"tenant_id": "broke", "budget_usd": 0.000_001});
    crew.api.stranger().post("/budget", set).await.ok();
    let broke = json!({"user_id": "broke", "session_key": "user:broke:writer"});
    for (changes, status, code) in [
        (json!({"user_id": "globex"}), 400, "invalid_request"),
        (
            json!({"session_key": "user:acme:../../x"}),
            400,
            "invalid_request",
        ),
        (json!({"message": " "}), 400, "invalid_request"),
        (json!({"task_id": "task_none"}), 404, "task_not_found"),
        (broke, 429, "budget_exceeded"),
    ] {
        for path in [STREAM, SEND] {
            let mut body = turn(changes.clone());
            body["stream"] = true.into();
            refused(&not_opened(&crew, path, body).await, status, code);
        }
    }
    assert_eq!(crew.model.request_count(), 0);
    // Where the model is at fault, the stream has begun.
    crew.model.push(Step::status(400));
    let frames = all(open(&crew, STREAM, turn(json!({}))).await).await;
    assert_eq!(kinds(&frames), ["start", "error"]);
    assert_eq!(frames[1].json()["code"], "model_rejected");
}

#[tokio::test]
async fn without_a_task_it_is_only_heard() {
    let crew = Crew::start();
    crew.model.push(Step::text("Just so."));
    let asked = turn_without("task_title", json!({"idempotency_key": "k"}));
    let frames = all(open(&crew, STREAM, asked.clone()).await).await;
    assert_eq!(kinds(&frames), ["start", "chunk", "done"]);
    assert_eq!(words(&frames), "Just so.");
    let done = frames.last().unwrap().json();
    assert!(
        done["task_id"].is_null() && done["message_id"].is_null(),
        "{done}"
    );
    assert!(
        crew.asked()[0].get("tools").is_none(),
        "there is no task to work on"
    );
    let again = all(open(&crew, STREAM, asked).await).await;
    assert_eq!(again.last().unwrap().json(), done);
    assert_eq!(crew.model.request_count(), 1);
    assert!(said(&crew.owner()).await.is_empty());
    assert!(crew.owner().items("tasks").await.is_empty());
    let sent = turn_without("task_title", json!({"stream": true}));
    refused(&not_opened(&crew, SEND, sent).await, 400, "task_required");
}

#[tokio::test]
async fn a_default_task_takes_what_names_none() {
    let crew = Crew::with(|it| it.environment("CLASPER_DEFAULT_TASK", "Talk"));
    crew.model.push(Step::text("Just so."));
    let asked = turn_without("task_title", json!({}));
    let frames = all(open(&crew, STREAM, asked).await).await;
    let done = frames.last().unwrap().json();
    let posted = thread(&crew.owner(), &done.text("task_id")).await;
    assert_eq!(posted[0]["content"], "Just so.");
}
