//! §§3, 8 and 10: what a turn answers, costs and posts.

use serde_json::{Value, json};
use stationmaster_testkit::model::{Step, StubModel};

use super::crew::{Crew, SEND, bodies, said, thread, turn};
use crate::support::api::builder;
use crate::support::{Api, Json as _};

#[tokio::test]
async fn the_answer_tells_what_was_said_posted_and_spent() {
    let crew = Crew::start();
    crew.model.push(Step::text("Three schools fit."));
    let answer = crew.send(turn(json!({}))).await.ok();
    let owner = crew.owner();
    let posted = thread(&owner, &answer.text("task_id")).await;
    assert_eq!(
        answer,
        json!({
            "status": "ok",
            "task_id": answer["task_id"],
            "trace_id": answer["trace_id"],
            "response": "Three schools fit.",
            "message_id": posted[0]["id"],
            "document_id": null,
            "usage": {"prompt_tokens": 200, "completion_tokens": 50, "total_tokens": 250},
            "cost": {"model": "gpt-4o-mini", "inputTokens": 200, "outputTokens": 50, "inputCost": 0.00003,
                "outputCost": 0.00003, "totalCost": 0.00006, "currency": "USD"},
            "tool_calls": [],
        })
    );
}

#[tokio::test]
async fn the_reply_is_posted_once_as_the_agent() {
    let crew = Crew::start();
    crew.model.push(Step::text("Three schools fit."));
    let answer = crew.send(turn(json!({}))).await.ok();
    let posted = crew.owner().items("messages").await;
    assert_eq!(posted.len(), 1, "{posted:#?}");
    for (name, value) in [
        ("task_id", &answer["task_id"]),
        ("content", &json!("Three schools fit.")),
        ("actor_type", &json!("agent")),
        ("agent_role", &json!("writer")),
        ("user_id", &json!("acme")),
    ] {
        assert_eq!(posted[0][name], *value, "{name}");
    }
    assert_eq!(
        crew.owner().items("documents").await,
        [Value::Null; 0],
        "no plan was asked for"
    );
}

/// Tokens in and out, and what they cost in and out.
type Bill = (u64, u64, f64, f64);

#[tokio::test]
async fn costs_are_exact_to_the_sixth_decimal() {
    let table: [(&str, &str, &[Bill]); 5] = [
        (
            "gpt-4o-mini",
            "gpt-4o-mini",
            &[
                (0, 0, 0.0, 0.0),
                (1000, 1000, 0.000_15, 0.000_6),
                (12_345, 6_789, 0.001_852, 0.004_074),
                (1_000_000, 1_000_000, 0.15, 0.6),
                // A micro-dollar is the least that anything costs (rulings 10).
                (1, 1, 0.000_001, 0.000_001),
            ],
        ),
        (
            "gpt-4o-mini-2024-07-18",
            "gpt-4o-mini-2024-07-18",
            &[(1000, 1000, 0.000_15, 0.000_6)],
        ),
        ("gpt-4o", "gpt-4o", &[(1000, 1000, 0.002_5, 0.01)]),
        ("openai/gpt-4.1", "gpt-4.1", &[(1000, 1000, 0.002, 0.008)]),
        ("own-model", "own-model", &[(1000, 1000, 0.0, 0.0)]),
    ];
    for (named, model, bills) in table {
        let crew = Crew::with(|it| it.environment("LLM_MODEL_DEFAULT", named));
        for (tokens_in, tokens_out, cost_in, cost_out) in bills {
            crew.model.set_usage(*tokens_in, *tokens_out);
            let answer = crew.send(turn(json!({}))).await.ok();
            assert_eq!(
                answer["usage"],
                json!({"prompt_tokens": tokens_in, "completion_tokens": tokens_out,
                    "total_tokens": tokens_in + tokens_out})
            );
            let total = ((cost_in + cost_out) * 1e6_f64).round() / 1e6;
            assert_eq!(
                answer["cost"],
                json!({"model": model, "inputTokens": tokens_in, "outputTokens": tokens_out,
                    "inputCost": cost_in, "outputCost": cost_out, "totalCost": total, "currency": "USD"}),
                "{named}"
            );
        }
        assert_eq!(crew.asked()[0]["model"], model);
    }
}

#[tokio::test]
async fn a_trace_id_is_taken_from_the_caller_or_made() {
    let crew = Crew::start();
    for given in ["0195f0e2-aaaa-7bbb-8ccc-0123456789ab", "req/42", "x"] {
        let caller = crew.api.stranger().header("X-Trace-Id", given);
        // Twice: a trace may span several turns.
        for _ in 0..2 {
            let answer = caller.post(SEND, turn(json!({}))).await;
            assert_eq!(answer.ok()["trace_id"], given);
            assert_eq!(answer.headers["x-trace-id"], given);
        }
    }
    assert_eq!(said(&crew.owner()).await.len(), 6);
    let mut seen = Vec::new();
    for unfit in ["", "two words", &"x".repeat(500)] {
        let caller = crew.api.stranger().header("X-Trace-Id", unfit);
        for caller in [caller, crew.api.stranger()] {
            let answer = caller.post(SEND, turn(json!({}))).await;
            let id = answer.ok().text("trace_id");
            assert_eq!(answer.headers["x-trace-id"], id.as_str());
            assert!(is_uuid_v7(&id), "{id}");
            assert!(!seen.contains(&id), "{id} was used before");
            seen.push(id);
        }
    }
}

fn is_uuid_v7(text: &str) -> bool {
    let bytes = text.as_bytes();
    bytes.len() == 36
        && bytes[14] == b'7'
        && b"89ab".contains(&bytes[19])
        && bytes
            .iter()
            .all(|byte| byte.is_ascii_hexdigit() || *byte == b'-')
}

#[tokio::test]
async fn a_kickoff_turn_leaves_a_plan() {
    let crew = Crew::start();
    for (metadata, title, user_turn) in [
        (
            json!({"kickoff_plan": true, "kickoff_note": "Plan first.", "plan_title": "Roadmap"}),
            Some("Roadmap"),
            Some("Plan first.\n\nUser request: Go"),
        ),
        (json!({"kickoff_plan": 1}), Some("Plan"), None),
        (
            json!({"kickoff_plan": false, "plan_title": "Roadmap", "kickoff_note": "Plan first."}),
            None,
            Some("Go"),
        ),
        (json!({"kickoff_plan": ""}), None, Some("Go")),
    ] {
        crew.model.push(Step::text("1. Begin"));
        let asked =
            json!({"task_title": metadata.to_string(), "message": "Go", "metadata": metadata});
        let answer = crew.send(turn(asked)).await.ok();
        let path = format!("documents?task_id={}", answer.text("task_id"));
        let documents = crew.owner().items(&path).await;
        let found: Vec<_> = documents
            .iter()
            .map(|it| (it.text("title"), it.text("doc_type"), it.text("content")))
            .collect();
        let expected: Vec<_> = title
            .map(|title| (title.to_owned(), "plan".to_owned(), "1. Begin".to_owned()))
            .into_iter()
            .collect();
        assert_eq!(found, expected, "{metadata}");
        assert_eq!(
            answer["document_id"],
            documents.first().map_or(Value::Null, |it| it["id"].clone())
        );
        let asked = crew.asked().pop().unwrap();
        let last = asked["messages"]
            .as_array()
            .unwrap()
            .last()
            .unwrap()
            .clone();
        let content = last.text("content");
        match user_turn {
            Some(expected) => assert_eq!(content, expected),
            // A sentence of the program's own asks for a short plan.
            None => assert!(
                content.contains("plan") && content.ends_with("\n\nUser request: Go"),
                "{content}"
            ),
        }
        assert_eq!(
            thread(&crew.owner(), &answer.text("task_id")).await.len(),
            1
        );
    }
}

#[tokio::test]
async fn each_provider_is_spoken_to_in_its_own_words() {
    type Environment = fn(&StubModel) -> Vec<(&'static str, String)>;
    let table: [(Environment, &str, &str, Value); 3] = [
        (
            |model| vec![("OPENAI_BASE_URL", model.base_url())],
            "/v1/chat/completions",
            "gpt-4o-mini",
            json!([null, null]),
        ),
        (
            |model| {
                vec![
                    ("OPENAI_BASE_URL", model.base_url()),
                    ("OPENAI_API_KEY", "sk-1".to_owned()),
                    ("ANTHROPIC_API_KEY", "sk-2".to_owned()),
                ]
            },
            "/v1/chat/completions",
            "gpt-4o-mini",
            json!(["Bearer sk-1", null]),
        ),
        (
            |model| {
                vec![
                    ("ANTHROPIC_BASE_URL", model.anthropic_url()),
                    ("ANTHROPIC_API_KEY", "sk-2".to_owned()),
                    ("LLM_MODEL_DEFAULT", "claude-3-5-haiku-latest".to_owned()),
                ]
            },
            "/v1/messages",
            "claude-3-5-haiku-latest",
            json!([null, "sk-2"]),
        ),
    ];
    for (environment, path, model_name, keys) in table {
        let model = StubModel::start();
        let server = environment(&model)
            .into_iter()
            .fold(builder(), |it, (name, value)| it.environment(name, value));
        let api = Api::of(server.start());
        model.push(Step::tool("create_task", json!({"title": "Sub"})));
        model.push(Step::text("Done."));
        let history = json!([{"role": "system", "content": "A summary"}, {"role": "user", "content": "Before"},
            {"role": "assistant", "content": "Yes"}]);
        let asked = turn(json!({"messages": history}));
        let answer = api.stranger().post(SEND, asked).await.ok();
        assert_eq!(answer["response"], "Done.");
        assert_eq!(answer["usage"]["total_tokens"], 500);
        assert_eq!(answer["cost"]["model"], model_name);
        assert_eq!(answer["tool_calls"][0]["ok"], true);
        let requests = model.requests();
        assert_eq!(requests.len(), 2);
        for request in &requests {
            assert_eq!(request.path, path);
            assert_eq!(json!([request.authorization, request.api_key]), keys);
            assert_eq!(request.body["temperature"], 0.4);
        }
        let first = bodies(&requests)[0].to_string();
        for words in ["A summary", "Before", "Yes", "Write the plan"] {
            assert!(first.contains(words), "{words:?} in {first}");
        }
        assert_eq!(said(&api.agent("acme", "owner")).await, ["Done."]);
        assert_eq!(
            api.agent("acme", "owner")
                .items("tasks?title=Sub")
                .await
                .len(),
            1
        );
    }
}
