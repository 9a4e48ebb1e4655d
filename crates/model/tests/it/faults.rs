//! What becomes of every kind of failure, how often it is tried again, and what the error says.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use stationmaster_model::{Client, Config, Error, ErrorKind, Provider};
use stationmaster_testkit::model::{Step, StubModel};

use crate::setup::{BOTH, KEY, ample, complete, config, models_asked, request};

/// What a failed call was: its kind, and how often the provider was asked.
fn outcome(error: &Error) -> (ErrorKind, u32) {
    (error.kind, error.attempts)
}

/// Takes `step` for every request, in both formats, and checks the error.
async fn check_always(step: Step, expected: (ErrorKind, u32)) {
    for provider in BOTH {
        let stub = StubModel::start();
        stub.always(step.clone());
        let error = complete(config(provider, &stub)).await.unwrap_err();
        assert_eq!(outcome(&error), expected, "{provider} {step:?}: {error}");
        assert_eq!(
            stub.request_count() as u32,
            error.attempts,
            "{provider} {step:?}"
        );
    }
}

/// Takes `step` for the first request only and checks that the second one brings the answer.
async fn check_once(step: Step) {
    for provider in BOTH {
        let stub = StubModel::start();
        stub.push_all([step.clone(), Step::text("At last.")]);
        let mut config = config(provider, &stub);
        if matches!(step, Step::Stall) {
            config.stall_timeout = Duration::from_millis(500);
        }
        let reply = complete(config).await.unwrap();
        assert_eq!(
            (reply.text.as_str(), stub.request_count()),
            ("At last.", 2),
            "{provider} {step:?}"
        );
    }
}

#[tokio::test]
async fn passing_faults_are_tried_again() {
    for code in [408, 429, 500, 502, 503, 504, 529] {
        check_once(Step::status(code)).await;
    }
    check_once(Step::Empty).await;
    check_once(Step::Garbage).await;
    check_once(Step::Stall).await;
}

#[tokio::test]
async fn a_provider_that_stays_down_is_unavailable() {
    check_always(Step::status(500), (ErrorKind::Unavailable, 3)).await;
    check_always(Step::status(529), (ErrorKind::Unavailable, 3)).await;
}

#[tokio::test]
async fn a_retry_after_that_fits_is_waited_for() {
    let stub = StubModel::start();
    stub.push_all([Step::rate_limited(1), Step::text("At last.")]);
    complete(config(Provider::OpenAi, &stub)).await.unwrap();
    let requests = stub.requests();
    let waited = requests[1].at - requests[0].at;
    assert!(waited >= Duration::from_secs(1), "{waited:?}");
}

#[tokio::test]
async fn a_retry_after_beyond_the_deadline_is_reported_at_once() {
    for provider in BOTH {
        let stub = StubModel::start();
        stub.always(Step::rate_limited(3600));
        let error = complete(config(provider, &stub)).await.unwrap_err();
        assert_eq!(outcome(&error), (ErrorKind::RateLimited, 1));
        assert_eq!(error.retry_after, Some(Duration::from_secs(3600)));
    }
}

#[tokio::test]
async fn rate_limits_that_last_are_reported_after_all_tries() {
    check_always(Step::rate_limited(0), (ErrorKind::RateLimited, 3)).await;
    check_always(Step::status(429), (ErrorKind::RateLimited, 3)).await;
}

#[tokio::test]
async fn a_spent_quota_is_not_tried_again() {
    let body = json!({"error": {"message": "You exceeded your current quota", "code": "insufficient_quota"}});
    check_always(
        Step::Status {
            code: 429,
            retry_after: None,
            body,
        },
        (ErrorKind::RateLimited, 1),
    )
    .await;
}

#[tokio::test]
async fn lasting_faults_are_reported_at_once() {
    check_always(Step::status(400), (ErrorKind::Rejected, 1)).await;
    check_always(Step::status(401), (ErrorKind::Unauthorized, 1)).await;
    check_always(Step::status(403), (ErrorKind::Unauthorized, 1)).await;
    check_always(Step::status(404), (ErrorKind::UnknownModel, 1)).await;
    check_always(Step::status(307), (ErrorKind::Rejected, 1)).await;
    let body = json!({"error": {"message": "no such model", "code": "model_not_found"}});
    check_always(
        Step::Status {
            code: 400,
            retry_after: None,
            body,
        },
        (ErrorKind::UnknownModel, 1),
    )
    .await;
}

#[tokio::test]
async fn a_refusal_is_reported_with_its_words_and_not_tried_again() {
    for provider in BOTH {
        let stub = StubModel::start();
        stub.always(Step::Refusal("I will not do that.".to_owned()));
        let mut config = config(provider, &stub);
        config.fallback_models = vec!["second-model".to_owned()];
        let error = complete(config).await.unwrap_err();
        assert_eq!(outcome(&error), (ErrorKind::Refused, 1));
        assert_eq!(
            error.to_string(),
            "the model declined to answer: I will not do that."
        );
    }
}

#[tokio::test]
async fn a_content_filter_is_a_refusal() {
    let stub = StubModel::start();
    stub.push(Step::Json(
        json!({"choices": [{"message": {"content": "Well"}, "finish_reason": "content_filter"}]}),
    ));
    let error = complete(config(Provider::OpenAi, &stub)).await.unwrap_err();
    assert_eq!(outcome(&error), (ErrorKind::Refused, 1));
}

#[tokio::test]
async fn an_unusable_answer_is_tried_once_more_and_then_reported() {
    check_always(Step::Empty, (ErrorKind::Empty, 2)).await;
    check_always(Step::text(" \n\t"), (ErrorKind::Empty, 2)).await;
    check_always(Step::Garbage, (ErrorKind::Garbled, 2)).await;
    check_always(
        Step::Json(json!({"hello": "world"})),
        (ErrorKind::Garbled, 2),
    )
    .await;
    check_always(Step::Json(Value::Null), (ErrorKind::Garbled, 2)).await;
}

#[tokio::test]
async fn an_answer_without_choices_is_empty() {
    let stub = StubModel::start();
    stub.always(Step::Json(json!({"choices": []})));
    let error = complete(config(Provider::OpenAi, &stub)).await.unwrap_err();
    assert_eq!(outcome(&error), (ErrorKind::Empty, 2));
}

#[tokio::test]
async fn a_body_that_never_ends_is_cut() {
    for provider in BOTH {
        let stub = StubModel::start();
        stub.always(Step::text("x".repeat(10_000)));
        let error = complete(Config {
            max_response_bytes: 5_000,
            ..config(provider, &stub)
        })
        .await
        .unwrap_err();
        assert_eq!(outcome(&error), (ErrorKind::Garbled, 2));
        assert!(
            error.message.ends_with("sent more than 5000 bytes"),
            "{error}"
        );
    }
}

#[tokio::test]
async fn a_body_that_stalls_is_unavailable() {
    for provider in BOTH {
        let stub = StubModel::start();
        stub.always(Step::Stall);
        let config = Config {
            stall_timeout: Duration::from_millis(20),
            ..config(provider, &stub)
        };
        let error = complete(config).await.unwrap_err();
        assert_eq!(outcome(&error), (ErrorKind::Unavailable, 3));
        assert!(
            error
                .message
                .contains("stopped in the middle of its answer"),
            "{error}"
        );
    }
}

#[tokio::test]
async fn a_provider_that_never_answers_is_unavailable() {
    let stub = StubModel::start();
    stub.always(Step::Hang);
    let config = Config {
        response_timeout: Duration::from_millis(20),
        ..config(Provider::OpenAi, &stub)
    };
    let error = complete(config).await.unwrap_err();
    assert_eq!(outcome(&error), (ErrorKind::Unavailable, 3));
    assert!(error.message.contains("gave no answer"), "{error}");
}

#[tokio::test]
async fn a_refused_connection_is_unavailable() {
    // The one port that no program is given and that nothing listens on.
    let port = 1;
    for provider in BOTH {
        let stub = StubModel::start();
        let base_url = Some(format!("http://127.0.0.1:{port}"));
        let error = complete(Config {
            base_url,
            ..config(provider, &stub)
        })
        .await
        .unwrap_err();
        assert_eq!(outcome(&error), (ErrorKind::Unavailable, 3));
        assert!(
            error
                .message
                .starts_with(&format!("connecting to 127.0.0.1:{port}: ")),
            "{error}"
        );
        assert!(error.message.to_lowercase().contains("refused"), "{error}");
    }
}

#[tokio::test]
async fn a_call_is_cut_at_its_deadline() {
    for provider in BOTH {
        for step in [Step::Hang, Step::Stall] {
            let stub = StubModel::start();
            stub.always(step);
            let client = Client::new(config(provider, &stub)).unwrap();
            let deadline = Instant::now() + Duration::from_millis(300);
            let error = client.complete(request(), deadline).await.unwrap_err();
            assert_eq!(outcome(&error), (ErrorKind::Deadline, 1));
        }
    }
}

#[tokio::test]
async fn a_deadline_error_tells_of_the_try_before() {
    let stub = StubModel::start();
    stub.push(Step::status(503));
    stub.always(Step::Hang);
    let client = Client::new(config(Provider::OpenAi, &stub)).unwrap();
    let error = client
        .complete(request(), Instant::now() + Duration::from_secs(2))
        .await
        .unwrap_err();
    assert_eq!(outcome(&error), (ErrorKind::Deadline, 2));
    assert!(
        error
            .message
            .contains("HTTP 503: the stub was told to answer 503"),
        "{error}"
    );
}

#[tokio::test]
async fn nothing_is_sent_when_the_deadline_has_passed() {
    let stub = StubModel::start();
    let client = Client::new(config(Provider::OpenAi, &stub)).unwrap();
    let error = client
        .complete(request(), Instant::now())
        .await
        .unwrap_err();
    assert_eq!(outcome(&error), (ErrorKind::Deadline, 0));
    assert_eq!(stub.request_count(), 0);
}

#[tokio::test]
async fn a_pause_that_would_end_after_the_deadline_is_not_begun() {
    let stub = StubModel::start();
    stub.always(Step::status(500));
    let mut config = config(Provider::OpenAi, &stub);
    config.retry.delay = Duration::from_secs(3600);
    config.retry.max_delay = Duration::from_secs(3600);
    let error = complete(config).await.unwrap_err();
    assert_eq!(outcome(&error), (ErrorKind::Unavailable, 1));
}

#[tokio::test]
async fn an_error_quotes_the_provider_and_never_the_key() {
    for provider in BOTH {
        let stub = StubModel::start();
        let body = json!({"error": {"message": format!("Incorrect API key: {KEY}. {}", "x".repeat(1000))}});
        stub.push(Step::Status {
            code: 401,
            retry_after: None,
            body,
        });
        let error = complete(config(provider, &stub)).await.unwrap_err();
        assert!(
            error
                .message
                .starts_with("HTTP 401: Incorrect API key: [key]. xxx"),
            "{error}"
        );
        assert!(error.message.chars().count() < 320, "{error}");
        assert!(!format!("{error:?}").contains(KEY));
    }
}

/// A config with a fallback model, and a stub that takes `step` for the first model only.
fn with_fallback(step: Step) -> (StubModel, Config) {
    let stub = StubModel::start();
    stub.answer_with(move |request| match request["model"].as_str() {
        Some("second-model") => Step::text("I can."),
        _ => step.clone(),
    });
    let config = Config {
        fallback_models: vec!["second-model".to_owned()],
        ..config(Provider::OpenAi, &stub)
    };
    (stub, config)
}

#[tokio::test]
async fn the_fallback_model_is_asked_after_all_tries() {
    for (step, tries) in [
        (Step::status(500), 3),
        (Step::status(429), 3),
        (Step::status(404), 1),
        (Step::rate_limited(3600), 1),
        (Step::Empty, 2),
        (Step::Garbage, 2),
    ] {
        let (stub, config) = with_fallback(step);
        let reply = complete(config).await.unwrap();
        assert_eq!(
            (reply.text.as_str(), reply.model.as_str()),
            ("I can.", "second-model")
        );
        let mut expected = vec!["first-model"; tries];
        expected.push("second-model");
        assert_eq!(models_asked(&stub), expected);
    }
}

#[tokio::test]
async fn the_fallback_model_is_not_asked_when_it_cannot_help() {
    for code in [400, 401] {
        let (stub, config) = with_fallback(Step::status(code));
        complete(config).await.unwrap_err();
        assert_eq!(models_asked(&stub), ["first-model"], "{code}");
    }
}

#[tokio::test]
async fn when_both_models_fail_the_error_tells_of_both() {
    let stub = StubModel::start();
    stub.push(Step::rate_limited(3600));
    stub.always(Step::status(503));
    let config = Config {
        fallback_models: vec!["second-model".to_owned()],
        ..config(Provider::Anthropic, &stub)
    };
    let error = complete(config).await.unwrap_err();
    assert_eq!(outcome(&error), (ErrorKind::Unavailable, 4));
    assert_eq!(error.retry_after, Some(Duration::from_secs(3600)));
    assert_eq!(
        error.message,
        "first-model: HTTP 429: the stub was told to answer 429; then second-model: HTTP 503: the stub was told to answer 503"
    );
}

#[tokio::test]
async fn a_fallback_to_the_model_that_failed_is_no_fallback() {
    let stub = StubModel::start();
    stub.always(Step::status(500));
    let client = Client::new(Config {
        fallback_models: vec!["x".to_owned()],
        ..config(Provider::OpenAi, &stub)
    })
    .unwrap();
    let mut request = request();
    request.model = "x".to_owned();
    let error = client.complete(request, ample()).await.unwrap_err();
    assert_eq!(outcome(&error), (ErrorKind::Unavailable, 3));
}
