//! §11: `/compact` and `/llm-task`.

use futures::future::join_all;
use serde_json::{Value, json};
use stationmaster_testkit::model::Step;

use super::crew::{Crew, refused, said, turn};
use crate::support::api::Answer;

const SUMMARY: &str = "[Previous conversation summary]";

fn history(count: usize) -> Vec<Value> {
    let role = |n: usize| if n % 2 == 1 { "user" } else { "assistant" };
    (1..=count)
        .map(|n| json!({"role": role(n), "content": format!("line {n}")}))
        .collect()
}

async fn compact(crew: &Crew, body: Value) -> Answer {
    crew.api.stranger().post("/compact", body).await
}

async fn task(crew: &Crew, body: Value) -> Answer {
    crew.api.stranger().post("/llm-task", body).await
}

/// The fields that a 400 names, in order.
#[track_caller]
fn named(answer: &Answer) -> Vec<String> {
    let body = refused(answer, 400, "invalid_request");
    let errors = body["details"]["errors"].as_array().expect("errors").iter();
    errors
        .map(|it| it["field"].as_str().unwrap().to_owned())
        .collect()
}

#[tokio::test]
async fn a_summary_takes_the_place_of_all_but_the_newest() {
    let crew = Crew::with(|it| it.environment("LLM_MODEL_CHEAP", "openai/gpt-4.1-nano"));
    for (keep, kept) in [(Some(0), 0), (Some(1), 1), (None, 2), (Some(4), 4)] {
        crew.model.push(Step::text("They counted lines."));
        let mut body = json!({"messages": history(5), "instructions": "Keep the numbers."});
        if let Some(keep) = keep {
            body["keep_recent"] = json!(keep);
        }
        let answer = compact(&crew, body).await.ok();
        let summary =
            json!({"role": "system", "content": format!("{SUMMARY}\nThey counted lines.")});
        let mut expected = vec![summary];
        expected.extend(history(5).split_off(5 - kept));
        assert_eq!(answer["compacted_messages"], json!(expected), "{keep:?}");
        assert_eq!(answer["status"], "ok");
        assert_eq!(answer["original_count"], 5);
        assert_eq!(answer["compacted_count"], 1 + kept);
        assert_eq!(
            answer["usage"],
            json!({"prompt_tokens": 200, "completion_tokens": 50, "total_tokens": 250})
        );
        let asked = crew.asked().pop().unwrap();
        assert_eq!(asked["model"], "gpt-4.1-nano");
        assert_eq!(asked["temperature"], 0.3);
        let (told, asked) = (asked["messages"][1]["content"].as_str().unwrap(), &asked);
        assert_eq!(told.matches("line ").count(), 5 - kept, "{told}");
        let system = asked["messages"][0]["content"].as_str().unwrap();
        assert!(system.contains("Keep the numbers."), "{system}");
    }
}

#[tokio::test]
async fn a_history_that_is_short_already_is_returned_unasked() {
    let crew = Crew::start();
    for (count, keep) in [(2, 2), (1, 2), (3, 3), (3, 1_000_000)] {
        let body = json!({"messages": history(count), "keep_recent": keep});
        let answer = compact(&crew, body).await.ok();
        assert_eq!(answer["compacted_messages"], json!(history(count)));
        assert_eq!(answer["compacted_count"], count);
        assert_eq!(answer["usage"]["total_tokens"], 0);
    }
    assert_eq!(crew.model.request_count(), 0);
}

#[tokio::test]
async fn a_summary_survives_being_sent_and_being_compacted_again() {
    let crew = Crew::start();
    crew.model.push(Step::text("Ada chose Lisbon."));
    let body = json!({"messages": history(4), "keep_recent": 1});
    let first = compact(&crew, body).await.ok();
    let messages = first["compacted_messages"].clone();
    crew.send(turn(json!({"messages": messages}))).await.ok();
    let asked = crew.asked().pop().unwrap();
    let told: Vec<_> = asked["messages"].as_array().unwrap().iter().collect();
    assert!(
        told.iter()
            .any(|it| it["role"] == "system"
                && it["content"] == format!("{SUMMARY}\nAda chose Lisbon.")),
        "{asked:#}"
    );
    let again = json!({"messages": messages, "keep_recent": 0});
    compact(&crew, again).await.ok();
    let asked = crew.asked().pop().unwrap();
    assert!(
        asked["messages"][1]
            .to_string()
            .contains("Ada chose Lisbon.")
    );
}

#[tokio::test]
async fn a_task_gives_json_that_was_checked_against_the_schema() {
    let crew = Crew::start();
    let schema = json!({
        "type": "object",
        "required": ["names"],
        "properties": {"names": {"type": "array", "items": {"$ref": "#/$defs/name"}, "minItems": 1}},
        "additionalProperties": false,
        "$defs": {"name": {"type": "string", "pattern": "^[A-Z]"}},
    });
    for (said, output, faults) in [
        (r#"{"names": ["Ada"]}"#, json!({"names": ["Ada"]}), vec![]),
        (
            "```json\n{\"names\": [\"Ada\"]}\n```",
            json!({"names": ["Ada"]}),
            vec![],
        ),
        (
            r#"{"names": ["ada"]}"#,
            json!({"names": ["ada"]}),
            vec!["/names/0"],
        ),
        (r#"{"names": []}"#, json!({"names": []}), vec!["/names"]),
        ("7", json!(7), vec![""]),
    ] {
        crew.model.push(Step::text(said));
        let body = json!({"prompt": "List them", "input": {"text": "Ada"}, "schema": schema,
            "model": "openai/gpt-4o", "temperature": 1, "max_tokens": 77});
        let answer = task(&crew, body).await.ok();
        assert_eq!(answer["status"], "ok");
        assert_eq!(answer["output"], output, "{said}");
        assert_eq!(answer["validated"], faults.is_empty(), "{answer}");
        let told = answer["validation_errors"].as_array();
        let told: Vec<_> = told.into_iter().flatten().map(|it| &it["path"]).collect();
        assert_eq!(told, faults, "{answer}");
        assert_eq!(answer["usage"]["total_tokens"], 250);
        assert_eq!(answer["cost"]["model"], "gpt-4o");
        let asked = crew.asked().pop().unwrap();
        assert_eq!(
            (&asked["model"], &asked["max_tokens"], &asked["temperature"]),
            (&json!("gpt-4o"), &json!(77), &json!(1.0))
        );
        let told = asked["messages"][1]["content"].as_str().unwrap();
        for part in ["List them", r#"{"text":"Ada"}"#, r#""minItems":1"#] {
            assert!(told.contains(part), "{part}: {told}");
        }
    }
    crew.model.push(Step::text("[1]"));
    let answer = task(&crew, json!({"prompt": "Count"})).await.ok();
    assert_eq!(answer["output"], json!([1]));
    assert_eq!(answer["validated"], false, "there was nothing to check by");
    assert_eq!(crew.asked().pop().unwrap()["temperature"], 0.3);
}

#[tokio::test]
async fn every_fault_of_a_request_is_named_and_no_model_asked() {
    let crew = Crew::start();
    for (body, fields) in [
        (json!({}), vec!["messages"]),
        (json!({"messages": null}), vec!["messages"]),
        (json!({"messages": []}), vec!["messages"]),
        (json!({"messages": "no"}), vec!["messages"]),
        (
            json!({"messages": [{"role": "tool", "content": 7}], "keep_recent": -1, "instructions": 7}),
            vec![
                "messages[0].role",
                "messages[0].content",
                "keep_recent",
                "instructions",
            ],
        ),
        (
            json!({"messages": history(1), "keep_recent": 1.5, "user_id": "a\nb"}),
            vec!["keep_recent", "user_id"],
        ),
    ] {
        assert_eq!(named(&compact(&crew, body).await), fields);
    }
    for (body, fields) in [
        (json!({}), vec!["prompt"]),
        (json!({"prompt": " "}), vec!["prompt"]),
        (
            json!({"prompt": 7, "schema": {"type": "nonsense"}, "temperature": 2.1, "max_tokens": 0, "model": 7}),
            vec!["prompt", "schema", "model", "temperature", "max_tokens"],
        ),
        (
            json!({"prompt": "p", "schema": {"$ref": "http://127.0.0.1:9/x"}}),
            vec!["schema"],
        ),
        (
            json!({"prompt": "p", "temperature": "warm"}),
            vec!["temperature"],
        ),
    ] {
        let mut told = named(&task(&crew, body).await);
        let mut fields: Vec<String> = fields.into_iter().map(str::to_owned).collect();
        told.sort();
        fields.sort();
        assert_eq!(told, fields);
    }
    assert_eq!(crew.model.request_count(), 0);
}

#[tokio::test]
async fn what_goes_wrong_with_the_model_is_told_and_nothing_is_posted() {
    let crew = Crew::start();
    let history = json!({"messages": history(5)});
    crew.model.push(Step::text("Certainly! Here you are."));
    let body = refused(
        &task(&crew, json!({"prompt": "p"})).await,
        502,
        "output_not_json",
    );
    assert_eq!(body["details"]["answer"], "Certainly! Here you are.");
    for (step, status, code) in [
        (Step::status(400), 502, "model_rejected"),
        (Step::Refusal("No.".to_owned()), 502, "model_refused"),
        (Step::Empty, 502, "model_empty"),
        (Step::rate_limited(600), 503, "model_rate_limited"),
        (Step::status(404), 500, "model_unknown"),
    ] {
        crew.model.always(step);
        refused(&compact(&crew, history.clone()).await, status, code);
        refused(&task(&crew, json!({"prompt": "p"})).await, status, code);
    }
    let named = json!({"prompt": "p", "model": "no-such"});
    refused(&task(&crew, named).await, 400, "model_unknown");
    assert!(said(&crew.owner()).await.is_empty());
}

#[tokio::test]
async fn usage_counts_what_was_asked_beside_turns() {
    let crew = Crew::start();
    let usage = async || crew.api.stranger().get("/usage").await.ok();
    let first = compact(&crew, json!({"messages": history(5)})).await.ok();
    // An answer of no use is paid for too.
    task(&crew, json!({"prompt": "no JSON"})).await;
    let used = usage().await;
    assert_eq!(used["requestCount"], 2, "{used}");
    assert_eq!(used["totalTokens"], 500);
    assert_eq!(used["totalCost"], 0.00012);
    assert_eq!(first["cost"]["totalCost"], 0.00006);
}

async fn limit(crew: &Crew, tenant: &str, dollars: f64) {
    let set = json!({"tenant_id": tenant, "budget_usd": dollars});
    crew.api.stranger().post("/budget", set).await.ok();
}

async fn stats(crew: &Crew, tenant: &str) -> Value {
    let path = format!("/budget?tenant_id={tenant}");
    crew.api.stranger().get(&path).await.ok()["stats"].clone()
}

#[tokio::test]
async fn a_tenants_budget_binds_what_is_asked_beside_turns() {
    let crew = Crew::with(|builder| {
        builder
            .environment("LLM_MODEL_DEFAULT", "gpt-4")
            .environment("CLASPER_MAX_TOKENS_PER_CALL", "500")
    });
    crew.model.always(Step::text("7"));
    // 2,000 tokens in at 30 and 500 out at 60 US dollars a million: 9 cents.
    crew.model.set_usage(2_000, 500);
    limit(&crew, "acme", 0.4).await;
    limit(&crew, "default", 0.05).await;
    // As much as those tokens could hold at least.
    let long = "x".repeat(2_000);
    let ours = |number: usize| {
        let (path, body) = if number.is_multiple_of(2) {
            let said = json!([{"role": "user", "content": long}]);
            (
                "/compact",
                json!({"user_id": "acme", "messages": said, "keep_recent": 0}),
            )
        } else {
            ("/llm-task", json!({"user_id": "acme", "prompt": long}))
        };
        let caller = crew.api.stranger();
        async move { caller.post(path, body).await }
    };
    let mut answers = join_all((0..16).map(ours)).await;
    // What was only held is free again by now.
    for number in 0..6 {
        answers.push(ours(number).await);
    }
    let good = answers.iter().filter(|it| it.status == 200).count();
    for answer in answers.iter().filter(|it| it.status != 200) {
        let body = refused(answer, 429, "budget_exceeded");
        assert!(body["details"]["remaining_usd"].is_number(), "{body}");
        assert!(answer.headers.contains_key("retry-after"), "{answer:?}");
    }
    assert!((3..=4).contains(&good), "{good}");
    assert_eq!(crew.model.request_count(), good);
    let after = stats(&crew, "acme").await;
    let spent = after["spentUsd"].as_f64().unwrap();
    assert!((spent - 0.09 * good as f64).abs() < 1e-9, "{after}");
    assert_eq!(after["reservedUsd"], 0.0);
    // It is one budget with that of turns, and setting it anew forgets nothing.
    limit(&crew, "acme", 0.4).await;
    assert_eq!(stats(&crew, "acme").await, after);
    limit(&crew, "acme", 0.28).await;
    let broke = crew.send(turn(json!({}))).await;
    refused(&broke, 429, "budget_exceeded");

    // Who names nobody asks for the tenant `default`, which can afford one small call.
    crew.model.push(Step::status(400));
    let failed = task(&crew, json!({"prompt": "p"})).await;
    refused(&failed, 502, "model_rejected");
    assert_eq!(stats(&crew, "default").await["reservedUsd"], 0.0);
    task(&crew, json!({"prompt": "p"})).await.ok();
    assert_eq!(stats(&crew, "default").await["spentUsd"], 0.09);
    let spent = task(&crew, json!({"prompt": "p"})).await;
    refused(&spent, 429, "budget_exceeded");
    // A tenant without a budget is free to ask.
    task(&crew, json!({"prompt": "p", "user_id": "globex"}))
        .await
        .ok();
}

#[tokio::test]
async fn what_calls_will_cost_is_told_without_asking_a_model() {
    let crew = Crew::start();
    let body = json!({"message": "x".repeat(4000), "completion_tokens": 500, "calls": 2});
    let told = crew.api.stranger().post("/cost/forecast", body).await.ok();
    let usage = json!({"prompt_tokens": 2000, "completion_tokens": 1000, "total_tokens": 3000});
    assert_eq!(told["usage"], usage);
    assert_eq!(told["priced"], true);
    assert_eq!(told["cost"]["model"], "gpt-4o-mini");
    assert_eq!(told["cost"]["totalCost"], 0.0009);
    let free = json!({"model": "my-own", "prompt_tokens": 10});
    let free = crew.api.stranger().post("/cost/forecast", free).await.ok();
    assert_eq!(
        (&free["priced"], &free["cost"]["totalCost"]),
        (&json!(false), &json!(0.0))
    );
    let wrong = json!({"calls": -1});
    let wrong = crew.api.stranger().post("/cost/forecast", wrong).await;
    let error = refused(&wrong, 400, "invalid_request");
    assert_eq!(
        error["details"]["errors"].as_array().map(Vec::len),
        Some(2),
        "{error}"
    );
    assert_eq!(crew.model.request_count(), 0);
}
