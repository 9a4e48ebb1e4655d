//! Answers that are heard as they come.

use std::sync::Mutex;
use std::time::Duration;

use serde_json::json;
use stationmaster_model::{Client, Config, Error, ErrorKind, Listener, Provider, Reply, Stop};
use stationmaster_testkit::model::{Cut, Step, StubModel};
use tokio::sync::Notify;

use crate::setup::{ample, config, models_asked, request, request_with_tools};

/// Every format, as a provider and whether it is asked for Responses.
const EACH: [(Provider, bool); 3] = [
    (Provider::OpenAi, false),
    (Provider::OpenAi, true),
    (Provider::Anthropic, false),
];

fn speaking((provider, responses): (Provider, bool), stub: &StubModel) -> Config {
    Config {
        responses,
        ..config(provider, stub)
    }
}

#[derive(Default)]
struct Ear {
    pieces: Mutex<Vec<String>>,
    came: Notify,
}

impl Ear {
    fn text(&self) -> String {
        self.pieces.lock().unwrap().concat()
    }
}

impl Listener for Ear {
    fn heard(&self, text: &str) {
        self.pieces.lock().unwrap().push(text.to_owned());
        self.came.notify_one();
    }
}

/// What the client makes of the stub's script, and what was heard of it.
async fn stream(config: Config) -> (Result<Reply, Error>, String) {
    let ear = Ear::default();
    let client = Client::new(config).unwrap();
    let reply = client.stream(request_with_tools(), ample(), &ear).await;
    (reply, ear.text())
}

#[tokio::test]
async fn text_is_heard_in_pieces_and_the_reply_is_that_of_a_whole_answer() {
    for provider in EACH {
        let stub = StubModel::start();
        let tools = vec![
            ("list_tasks".to_owned(), json!({"limit": 3})),
            ("x".to_owned(), json!({})),
        ];
        stub.always(Step::TextAndTools("Let me look.".to_owned(), tools));
        let client = Client::new(speaking(provider, &stub)).unwrap();
        let whole = client
            .complete(request_with_tools(), ample())
            .await
            .unwrap();
        let ear = Ear::default();
        let reply = client
            .stream(request_with_tools(), ample(), &ear)
            .await
            .unwrap();
        assert_eq!(
            *ear.pieces.lock().unwrap(),
            ["Let ", "me ", "look."],
            "{provider:?}"
        );
        assert_eq!(reply.text, whole.text);
        assert_eq!(reply.usage, whole.usage);
        assert_eq!((reply.stop, whole.stop), (Stop::ToolCalls, Stop::ToolCalls));
        let calls = |reply: &Reply| -> Vec<_> {
            let calls = reply.tool_calls.iter();
            calls
                .map(|it| (it.name.clone(), it.arguments.clone()))
                .collect()
        };
        assert_eq!(calls(&reply), calls(&whole), "{provider:?}");
        let body = stub.requests().remove(1).body;
        assert_eq!(body["stream"], true);
        let wants_usage = body["stream_options"]["include_usage"] == true;
        assert_eq!(wants_usage, provider == (Provider::OpenAi, false));
    }
}

#[tokio::test]
async fn a_piece_is_heard_before_the_next_one_is_sent() {
    for provider in EACH {
        let stub = StubModel::start();
        stub.push(Step::cut("One two three", 1, Cut::Stall));
        let ear = Ear::default();
        let client = Client::new(speaking(provider, &stub)).unwrap();
        let asked = client.stream(request(), ample(), &ear);
        let heard = async {
            ear.came.notified().await;
            assert_eq!(ear.text(), "One ");
            stub.release();
        };
        let (reply, ()) = tokio::join!(asked, heard);
        assert_eq!(reply.unwrap().text, "One two three");
        assert_eq!(ear.text(), "One two three");
    }
}

#[tokio::test]
async fn what_fails_before_the_first_piece_is_tried_again_and_on_the_fallback_model() {
    for provider in EACH {
        for step in [
            Step::status(503),
            Step::Garbage,
            Step::Empty,
            Step::text("  "),
            Step::cut("One two", 0, Cut::Stall),
            Step::cut("One two", 0, Cut::Drop),
            Step::cut("One two", 0, Cut::End),
            Step::cut("One two", 0, Cut::Garbage),
            Step::cut("One two", 0, Cut::Error),
        ] {
            let stub = StubModel::start();
            stub.push_all([step.clone(), Step::text("At last.")]);
            let mut patient = speaking(provider, &stub);
            patient.stall_timeout = Duration::from_millis(300);
            let (reply, heard) = stream(patient.clone()).await;
            assert_eq!(reply.unwrap().text, "At last.", "{provider:?} {step:?}");
            assert_eq!(
                (heard.as_str(), stub.request_count()),
                ("At last.", 2),
                "{step:?}"
            );

            let stub = StubModel::start();
            stub.push_all([step.clone(), Step::text("At last.")]);
            let mut other = Config {
                fallback_models: vec!["second-model".to_owned()],
                stall_timeout: Duration::from_millis(300),
                ..speaking(provider, &stub)
            };
            other.retry.attempts = 1;
            let (reply, _) = stream(other).await;
            assert_eq!(
                reply.unwrap().model,
                "second-model",
                "{provider:?} {step:?}"
            );
        }
    }
}

#[tokio::test]
async fn what_fails_after_the_first_piece_is_an_error_at_once() {
    for provider in EACH {
        for (then, kind) in [
            (Cut::Stall, ErrorKind::Unavailable),
            (Cut::Drop, ErrorKind::Unavailable),
            (Cut::End, ErrorKind::Unavailable),
            (Cut::Garbage, ErrorKind::Garbled),
            (Cut::Error, ErrorKind::Unavailable),
        ] {
            let stub = StubModel::start();
            stub.push(Step::cut("One two", 1, then));
            let config = Config {
                fallback_models: vec!["second-model".to_owned()],
                stall_timeout: Duration::from_millis(300),
                ..speaking(provider, &stub)
            };
            let ear = Ear::default();
            let client = Client::new(config).unwrap();
            let asked = client.stream(request(), ample(), &ear);
            let heard = async {
                ear.came.notified().await;
                if then == Cut::Drop {
                    stub.release();
                }
            };
            let (reply, ()) = tokio::join!(asked, heard);
            let error = reply.unwrap_err();
            assert_eq!(error.kind, kind, "{provider:?} {then:?}: {error}");
            assert_eq!(ear.text(), "One ");
            assert_eq!(
                models_asked(&stub),
                ["first-model"],
                "{provider:?} {then:?}"
            );
        }
    }
}

#[tokio::test]
async fn a_refusal_is_one_in_a_stream_too() {
    for provider in EACH {
        let stub = StubModel::start();
        stub.push(Step::Refusal("I will not.".to_owned()));
        let (reply, _) = stream(speaking(provider, &stub)).await;
        assert_eq!(reply.unwrap_err().kind, ErrorKind::Refused, "{provider:?}");
    }
}

#[tokio::test]
async fn a_server_that_does_not_stream_is_heard_all_the_same() {
    let stub = StubModel::start();
    let message = json!({"role": "assistant", "content": "All of it."});
    stub.push(Step::Json(
        json!({"choices": [{"message": message, "finish_reason": "stop"}]}),
    ));
    let (reply, heard) = stream(config(Provider::OpenAi, &stub)).await;
    assert_eq!(reply.unwrap().text, "All of it.");
    assert_eq!(heard, "All of it.");
}

#[tokio::test]
async fn a_server_that_cannot_count_in_streams_is_not_asked_to() {
    let stub = StubModel::start();
    let message = "Unrecognized request argument supplied: stream_options";
    stub.answer_with(move |request| match request["stream_options"].is_null() {
        true => Step::text("Fine."),
        false => Step::Status {
            code: 400,
            retry_after: None,
            body: json!({"error": {"message": message}}),
        },
    });
    let (reply, heard) = stream(config(Provider::OpenAi, &stub)).await;
    assert_eq!(
        (reply.unwrap().text.as_str(), heard.as_str()),
        ("Fine.", "Fine.")
    );
}

#[tokio::test]
async fn a_stream_without_end_is_not_read_to_it() {
    for provider in EACH {
        let stub = StubModel::start();
        stub.always(Step::text("word ".repeat(2_000)));
        let config = Config {
            max_response_bytes: 10_000,
            ..speaking(provider, &stub)
        };
        let (reply, _) = stream(config).await;
        assert_eq!(reply.unwrap_err().kind, ErrorKind::Garbled, "{provider:?}");
        assert_eq!(stub.request_count(), 1);
    }
}

#[tokio::test]
async fn the_demo_model_streams_too() {
    let (reply, heard) = stream(Config::new(Provider::Demo)).await;
    assert_eq!(reply.unwrap().text, heard);
}
