//! Models that cannot take a part of the request are asked again without it.

use serde_json::{Value, json};
use stationmaster_model::{Client, Error, ErrorKind, Message, Provider, Reply, Request, ToolCall};
use stationmaster_testkit::model::{Step, StubModel};

use crate::setup::{BOTH, ample, complete, config, request, request_with_tools};

/// A provider that answers 400 with `complaint` while the request has `part`.
fn stub_without(part: &'static str, complaint: &'static str) -> StubModel {
    let stub = StubModel::start();
    stub.answer_with(move |request| match request.get(part) {
        Some(_) => Step::Status {
            code: 400,
            retry_after: None,
            body: json!({"error": {"message": complaint}}),
        },
        None => Step::text("Without."),
    });
    stub
}

async fn ask(provider: Provider, stub: &StubModel, request: Request) -> Result<Reply, Error> {
    Client::new(config(provider, stub))
        .unwrap()
        .complete(request, ample())
        .await
}

#[tokio::test]
async fn a_model_without_tools_is_asked_without_them() {
    for provider in BOTH {
        let stub = stub_without("tools", "gemma:2b does not support tools");
        let tool_calls = vec![ToolCall {
            id: "1".to_owned(),
            name: "list_tasks".to_owned(),
            arguments: json!({}),
        }];
        let mut request = request_with_tools();
        request.messages.push(Message::Assistant {
            text: String::new(),
            tool_calls,
        });
        request.messages.push(Message::ToolResult {
            call_id: "1".to_owned(),
            content: "[]".to_owned(),
        });
        assert_eq!(
            ask(provider, &stub, request).await.unwrap().text,
            "Without."
        );

        let body = stub.requests().remove(1).body;
        let text = body.to_string();
        assert!(
            text.contains("I called list_tasks with {}.")
                && text.contains("list_tasks answered: []"),
            "{text}"
        );
        assert!(!text.contains("tool_"), "{text}");
    }
}

#[tokio::test]
async fn openai_limits_completions_under_two_names() {
    let stub = stub_without(
        "max_tokens",
        "Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens' instead.",
    );
    assert_eq!(
        complete(config(Provider::OpenAi, &stub))
            .await
            .unwrap()
            .text,
        "Without."
    );
    assert_eq!(stub.requests()[1].body["max_completion_tokens"], 512);
}

#[tokio::test]
async fn known_reasoning_models_are_asked_right_the_first_time() {
    for model in ["o3-mini", "gpt-5", "openai/o1"] {
        let stub = StubModel::start();
        ask(
            Provider::OpenAi,
            &stub,
            Request {
                model: model.to_owned(),
                ..request()
            },
        )
        .await
        .unwrap();
        let body = stub.requests().remove(0).body;
        assert_eq!(
            (body.get("max_tokens"), body.get("temperature")),
            (None, None)
        );
        assert_eq!(body["max_completion_tokens"], 512);
    }
}

#[tokio::test]
async fn a_fixed_temperature_is_respected() {
    for provider in BOTH {
        let stub = stub_without("temperature", "`temperature` is deprecated for this model.");
        assert_eq!(
            complete(config(provider, &stub)).await.unwrap().text,
            "Without."
        );
        assert_eq!(stub.request_count(), 2);
    }
}

#[tokio::test]
async fn a_part_is_left_out_once_and_then_the_complaint_is_reported() {
    let stub = StubModel::start();
    let body = json!({"error": {"message": "tools are not supported"}});
    stub.always(Step::Status {
        code: 400,
        retry_after: None,
        body,
    });
    let error = ask(Provider::OpenAi, &stub, request_with_tools())
        .await
        .unwrap_err();
    assert_eq!((error.kind, error.attempts), (ErrorKind::Rejected, 2));
}

#[tokio::test]
async fn anthropic_gets_no_tool_calls_when_no_tools_are_offered() {
    let stub = StubModel::start();
    let tool_calls = vec![ToolCall {
        id: "1".to_owned(),
        name: "list_tasks".to_owned(),
        arguments: Value::Null,
    }];
    let mut request = request();
    request.messages.push(Message::Assistant {
        text: "Let me look.".to_owned(),
        tool_calls,
    });
    request.messages.push(Message::ToolResult {
        call_id: "1".to_owned(),
        content: "[]".to_owned(),
    });
    ask(Provider::Anthropic, &stub, request).await.unwrap();
    assert!(!stub.requests()[0].body.to_string().contains("tool_"));
}
