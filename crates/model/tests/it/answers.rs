//! What is sent, and what becomes of a good answer.

use serde_json::{Value, json};
use stationmaster_model::{Client, Config, Message, Provider, Stop, ToolCall, Usage};
use stationmaster_testkit::model::{Step, StubModel};

use crate::setup::{BOTH, KEY, ample, complete, config, only_body, request, request_with_tools};

#[tokio::test]
async fn an_answer_comes_back_with_its_usage() {
    for provider in BOTH {
        let stub = StubModel::start();
        stub.push(Step::text("Nothing is open."));
        let reply = complete(config(provider, &stub)).await.unwrap();
        assert_eq!(reply.text, "Nothing is open.");
        assert_eq!((reply.stop, reply.tool_calls.len()), (Stop::End, 0));
        assert_eq!(
            reply.usage,
            Usage {
                input_tokens: 200,
                output_tokens: 50,
                ..Usage::default()
            }
        );
        assert_eq!(reply.model, "first-model");
    }
}

#[tokio::test]
async fn openai_gets_a_chat_completion_request() {
    let stub = StubModel::start();
    complete(config(Provider::OpenAi, &stub)).await.unwrap();
    assert_eq!(
        only_body(&stub),
        json!({
            "model": "first-model",
            "messages": [
                {"role": "system", "content": "Be brief."},
                {"role": "user", "content": "What is open?"},
            ],
            "max_tokens": 512,
            "temperature": 0.4,
        })
    );
    let recorded = stub.requests().remove(0);
    assert_eq!(recorded.path, "/v1/chat/completions");
    assert_eq!(recorded.authorization, Some(format!("Bearer {KEY}")));
}

#[tokio::test]
async fn anthropic_gets_a_messages_request() {
    let stub = StubModel::start();
    complete(config(Provider::Anthropic, &stub)).await.unwrap();
    assert_eq!(
        only_body(&stub),
        json!({
            "model": "first-model",
            "max_tokens": 512,
            "messages": [{"role": "user", "content": [{"type": "text", "text": "What is open?"}]}],
            "system": "Be brief.",
            "temperature": 0.4,
        })
    );
    let recorded = stub.requests().remove(0);
    assert_eq!(recorded.path, "/v1/messages");
    assert_eq!(
        (recorded.api_key.as_deref(), recorded.authorization),
        (Some(KEY), None)
    );
}

#[tokio::test]
async fn a_local_server_is_asked_without_a_key() {
    for provider in BOTH {
        let stub = StubModel::start();
        complete(Config {
            api_key: None,
            ..config(provider, &stub)
        })
        .await
        .unwrap();
        let recorded = stub.requests().remove(0);
        assert_eq!((recorded.authorization, recorded.api_key), (None, None));
    }
}

/// Lets the model call a tool twice, answers, and returns the body of the second request.
async fn tools_round_trip(provider: Provider) -> Value {
    let stub = StubModel::start();
    let calls = [1, 2].map(|limit| ("list_tasks".to_owned(), json!({"limit": limit})));
    stub.push(Step::TextAndTools(
        "Let me look.".to_owned(),
        calls.to_vec(),
    ));
    stub.push(Step::text("Nothing is open."));
    let client = Client::new(config(provider, &stub)).unwrap();

    let mut request = request_with_tools();
    let reply = client.complete(request.clone(), ample()).await.unwrap();
    assert_eq!(
        (reply.text.as_str(), reply.stop),
        ("Let me look.", Stop::ToolCalls)
    );
    let arguments: Vec<_> = reply
        .tool_calls
        .iter()
        .map(|call| (call.name.as_str(), call.arguments.clone()))
        .collect();
    assert_eq!(
        arguments,
        [
            ("list_tasks", json!({"limit": 1})),
            ("list_tasks", json!({"limit": 2}))
        ]
    );

    let results = reply.tool_calls.clone().into_iter().zip(["[]", "[1]"]);
    let results = results.map(|(call, content)| Message::ToolResult {
        call_id: call.id,
        content: content.to_owned(),
    });
    request.messages.push(Message::Assistant {
        text: reply.text,
        tool_calls: reply.tool_calls,
    });
    request.messages.extend(results);
    let reply = client.complete(request, ample()).await.unwrap();
    assert_eq!(
        (reply.text.as_str(), reply.stop),
        ("Nothing is open.", Stop::End)
    );
    stub.requests().remove(1).body
}

#[tokio::test]
async fn tools_and_their_results_reach_openai() {
    let body = tools_round_trip(Provider::OpenAi).await;
    let parameters = json!({"type": "object", "properties": {"limit": {"type": "integer"}}});
    let function =
        json!({"name": "list_tasks", "description": "Lists tasks.", "parameters": parameters});
    assert_eq!(
        body["tools"],
        json!([{"type": "function", "function": function}])
    );
    let call = |id: &str, arguments: &str| json!({"id": id, "type": "function", "function": {"name": "list_tasks", "arguments": arguments}});
    let messages = body["messages"].as_array().unwrap();
    let ids: Vec<_> = messages[2]["tool_calls"]
        .as_array()
        .unwrap()
        .iter()
        .map(|call| call["id"].as_str().unwrap())
        .collect();
    assert_ne!(ids[0], ids[1]);
    assert_eq!(
        messages[2..],
        [
            json!({
                "role": "assistant",
                "content": "Let me look.",
                "tool_calls": [call(ids[0], "{\"limit\":1}"), call(ids[1], "{\"limit\":2}")],
            }),
            json!({"role": "tool", "tool_call_id": ids[0], "content": "[]"}),
            json!({"role": "tool", "tool_call_id": ids[1], "content": "[1]"}),
        ]
    );
    assert_eq!(
        (&body["max_tokens"], &body["temperature"]),
        (&json!(512), &json!(0.4))
    );
}

#[tokio::test]
async fn tools_and_their_results_reach_anthropic() {
    let body = tools_round_trip(Provider::Anthropic).await;
    let schema = json!({"type": "object", "properties": {"limit": {"type": "integer"}}});
    assert_eq!(
        body["tools"],
        json!([{"name": "list_tasks", "description": "Lists tasks.", "input_schema": schema}])
    );
    let messages = body["messages"].as_array().unwrap();
    let ids = [1, 2].map(|index| messages[1]["content"][index]["id"].as_str().unwrap());
    assert_eq!(
        messages[1..],
        [
            json!({"role": "assistant", "content": [
                {"type": "text", "text": "Let me look."},
                {"type": "tool_use", "id": ids[0], "name": "list_tasks", "input": {"limit": 1}},
                {"type": "tool_use", "id": ids[1], "name": "list_tasks", "input": {"limit": 2}},
            ]}),
            json!({"role": "user", "content": [
                {"type": "tool_result", "tool_use_id": ids[0], "content": "[]"},
                {"type": "tool_result", "tool_use_id": ids[1], "content": "[1]"},
            ]}),
        ]
    );
    assert_eq!(
        (&body["max_tokens"], &body["temperature"]),
        (&json!(512), &json!(0.4))
    );
}

#[tokio::test]
async fn tools_and_their_results_reach_openais_responses() {
    let stub = StubModel::start();
    let client = Client::new(Config {
        responses: true,
        ..config(Provider::OpenAi, &stub)
    })
    .unwrap();
    stub.push(Step::Tools(vec![(
        "list_tasks".to_owned(),
        json!({"limit": 1}),
    )]));
    stub.push(Step::text("Nothing is open."));
    let mut request = request_with_tools();
    let reply = client.complete(request.clone(), ample()).await.unwrap();
    let id = reply.tool_calls[0].id.clone();
    assert_eq!(reply.tool_calls[0].arguments, json!({"limit": 1}));
    request.messages.push(Message::Assistant {
        text: reply.text,
        tool_calls: reply.tool_calls,
    });
    request.messages.push(Message::ToolResult {
        call_id: id.clone(),
        content: "[]".to_owned(),
    });
    let reply = client.complete(request, ample()).await.unwrap();
    assert_eq!(reply.text, "Nothing is open.");
    let recorded = stub.requests().remove(1);
    assert_eq!(recorded.path, "/v1/responses");
    let input = recorded.body["input"].as_array().unwrap();
    assert_eq!(
        input[1..],
        [
            json!({"type": "function_call", "call_id": id, "name": "list_tasks", "arguments": "{\"limit\":1}"}),
            json!({"type": "function_call_output", "call_id": id, "output": "[]"}),
        ]
    );
}

#[tokio::test]
async fn anthropics_turns_alternate_and_its_system_prompt_is_one() {
    let stub = StubModel::start();
    let mut request = request();
    request.temperature = Some(1.7);
    request.messages = vec![
        Message::Assistant {
            text: "Hello.".to_owned(),
            tool_calls: Vec::new(),
        },
        Message::System("Summary of before.".to_owned()),
        Message::User("One.".to_owned()),
        Message::User(" \n".to_owned()),
        Message::User("Two.".to_owned()),
    ];
    let client = Client::new(config(Provider::Anthropic, &stub)).unwrap();
    client.complete(request, ample()).await.unwrap();
    let body = only_body(&stub);
    assert_eq!(body["system"], "Be brief.\n\nSummary of before.");
    assert_eq!(body["temperature"], 1.0);
    let text = |text: &str| json!({"type": "text", "text": text});
    assert_eq!(
        body["messages"],
        json!([
            {"role": "user", "content": [text("(The conversation so far.)")]},
            {"role": "assistant", "content": [text("Hello.")]},
            {"role": "user", "content": [text("One."), text("Two.")]},
        ])
    );
}

#[tokio::test]
async fn anthropic_is_asked_to_keep_a_long_prompt() {
    let stub = StubModel::start();
    let client = Client::new(config(Provider::Anthropic, &stub)).unwrap();
    let mark = json!({"type": "ephemeral"});
    let long = "word ".repeat(1000);
    for (system, words, kept) in [
        ("brief", "brief", [false, false]),
        ("brief", &long, [false, true]),
        (&long, "brief", [true, true]),
    ] {
        let mut request = request();
        request.system = system.to_owned();
        request.messages = vec![Message::User(words.to_owned())];
        client.complete(request, ample()).await.unwrap();
        let body = stub.requests().pop().unwrap().body;
        let marks = [
            &body["system"][0]["cache_control"],
            &body["messages"][0]["content"][0]["cache_control"],
        ];
        assert_eq!(marks.map(|it| *it == mark), kept, "{body}");
    }
}

#[tokio::test]
async fn a_chain_of_fallbacks_is_asked_in_turn() {
    let stub = StubModel::start();
    stub.answer_with(|request| match request["model"].as_str() {
        Some("third") => Step::text("Here."),
        _ => Step::status(404),
    });
    let client = Client::new(Config {
        fallback_models: ["second", "third", "fourth"].map(str::to_owned).to_vec(),
        ..config(Provider::OpenAi, &stub)
    })
    .unwrap();
    let reply = client.complete(request(), ample()).await.unwrap();
    assert_eq!(
        (reply.text.as_str(), reply.model.as_str()),
        ("Here.", "third")
    );
    assert_eq!(stub.request_count(), 3);
}

#[tokio::test]
async fn arguments_that_are_not_json_come_back_as_they_are() {
    let stub = StubModel::start();
    stub.push(Step::tool("list_tasks", json!("{\"limit\": ")));
    let client = Client::new(config(Provider::OpenAi, &stub)).unwrap();
    let mut request = request_with_tools();
    let reply = client.complete(request.clone(), ample()).await.unwrap();
    assert_eq!(reply.tool_calls[0].arguments, json!("{\"limit\": "));

    let call_id = reply.tool_calls[0].id.clone();
    request.messages.push(Message::Assistant {
        text: reply.text,
        tool_calls: reply.tool_calls,
    });
    request.messages.push(Message::ToolResult {
        call_id,
        content: "not JSON".to_owned(),
    });
    client.complete(request, ample()).await.unwrap();
    let body = stub.requests().remove(1).body;
    assert_eq!(
        body["messages"][2]["tool_calls"][0]["function"]["arguments"],
        "{\"limit\": "
    );
    assert_eq!(body["messages"][2]["content"], Value::Null);
}

#[tokio::test]
async fn what_compatible_servers_leave_out_or_add_is_forgiven() {
    let stub = StubModel::start();
    stub.push(Step::Json(json!({
        "choices": [{
            "message": {
                "content": [{"type": "text", "text": "Let me "}, {"type": "text", "text": "look."}],
                "reasoning_content": "hm",
                "tool_calls": [
                    {"function": {"name": "list_tasks", "arguments": {"limit": 3}}},
                    {"id": "call_0", "function": {"name": "list_tasks", "arguments": ""}},
                    {"id": "", "function": {"name": "list_tasks"}},
                ],
            },
            "finish_reason": "stop",
        }],
    })));
    let reply = complete(config(Provider::OpenAi, &stub)).await.unwrap();
    assert_eq!(
        (reply.text.as_str(), reply.stop),
        ("Let me look.", Stop::ToolCalls)
    );
    let call = |id: &str, arguments| ToolCall {
        id: id.to_owned(),
        name: "list_tasks".to_owned(),
        arguments,
    };
    assert_eq!(
        reply.tool_calls,
        [
            call("call_0", json!({"limit": 3})),
            call("call_0_1", json!({})),
            call("call_2", json!({}))
        ]
    );
    assert!(
        reply.usage.input_tokens > 0 && reply.usage.output_tokens > 0,
        "estimated: {:?}",
        reply.usage
    );
}

#[tokio::test]
async fn cached_and_reasoning_tokens_are_counted() {
    let stub = StubModel::start();
    stub.push(Step::Json(json!({
        "choices": [{"message": {"content": "Cut o"}, "finish_reason": "length"}],
        "usage": {
            "prompt_tokens": 100, "completion_tokens": 40,
            "prompt_tokens_details": {"cached_tokens": 64},
            "completion_tokens_details": {"reasoning_tokens": 30},
        },
    })));
    let reply = complete(config(Provider::OpenAi, &stub)).await.unwrap();
    assert_eq!(reply.stop, Stop::Length);
    let expected = Usage {
        input_tokens: 100,
        output_tokens: 40,
        cached_tokens: 64,
        reasoning_tokens: 30,
        ..Usage::default()
    };
    assert_eq!(reply.usage, expected);

    stub.push(Step::Json(json!({
        "content": [{"type": "thinking", "thinking": "hm", "signature": "x"}, {"type": "text", "text": "Cut o"}],
        "stop_reason": "max_tokens",
        "usage": {"input_tokens": 36, "cache_read_input_tokens": 60, "cache_creation_input_tokens": 4, "output_tokens": 40},
    })));
    let reply = complete(config(Provider::Anthropic, &stub)).await.unwrap();
    assert_eq!((reply.text.as_str(), reply.stop), ("Cut o", Stop::Length));
    let expected = Usage {
        input_tokens: 100,
        output_tokens: 40,
        cached_tokens: 60,
        cache_write_tokens: 4,
        ..Usage::default()
    };
    assert_eq!(reply.usage, expected);
}

#[tokio::test]
async fn the_demo_provider_answers_without_a_network() {
    let client = Client::new(Config::new(Provider::Demo)).unwrap();
    let reply = client
        .complete(request_with_tools(), ample())
        .await
        .unwrap();
    assert_eq!(
        (reply.tool_calls[0].name.as_str(), reply.model.as_str()),
        ("list_tasks", "demo")
    );
}

#[tokio::test]
async fn a_call_may_run_as_a_task() {
    let stub = StubModel::start();
    let client = Client::new(config(Provider::OpenAi, &stub)).unwrap();
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..20 {
        let client = client.clone();
        tasks.spawn(async move { client.complete(request(), ample()).await });
    }
    assert!(
        tasks
            .join_all()
            .await
            .into_iter()
            .all(|reply| reply.is_ok())
    );
    assert_eq!(stub.request_count(), 20);
}
