//! What the API refuses, and how a model is told (contract sections 1.2 and 15).

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use stationmaster_mcp::{ApiReply, CarrierError};

use crate::support::{Script, act};

fn refusal(status: u16, code: &str, wait: Option<u64>) -> Result<ApiReply, CarrierError> {
    let body = json!({ "error": { "code": code, "message": "no", "details": { "why": 1 }, "requestId": "req_1" } });
    Ok(ApiReply {
        status,
        body,
        retry_after: wait.map(Duration::from_secs),
    })
}

async fn refused(reply: Result<ApiReply, CarrierError>) -> Value {
    let result = act(
        Script::with([reply]),
        json!({ "action": "task_claim", "taskId": "task_1" }),
    )
    .await;
    assert_eq!(result["isError"], json!(true), "{result}");
    let text: Value = serde_json::from_str(result["content"][0]["text"].as_str().unwrap()).unwrap();
    assert_eq!(text, result["structuredContent"]);
    text
}

#[tokio::test]
async fn the_apis_error_reaches_the_model_unchanged() {
    let told = refused(refusal(422, "ASSIGNMENT_CONFLICT", None)).await;
    let expected = json!({ "code": "ASSIGNMENT_CONFLICT", "message": "no", "details": { "why": 1 }, "requestId": "req_1" });
    assert_eq!(told, json!({ "error": expected }));
}

#[tokio::test]
async fn a_violation_says_that_an_approval_can_help() {
    let told = refused(refusal(403, "POLICY_VIOLATION", None)).await;
    assert_eq!(told["needsApproval"], json!(true));
    let told = refused(refusal(403, "FORBIDDEN", None)).await;
    assert_eq!(told.get("needsApproval"), None);
}

#[tokio::test]
async fn what_was_done_before_says_so() {
    let told = refused(refusal(409, "ALREADY_PROCESSED", None)).await;
    assert_eq!(told["alreadyProcessed"], json!(true));
}

#[tokio::test]
async fn a_short_wait_is_waited_for_once_with_the_same_request() {
    let script = Script::with([
        refusal(429, "RATE_LIMITED", Some(1)),
        Ok(ApiReply {
            status: 200,
            body: json!({ "id": "task_1" }),
            retry_after: None,
        }),
    ]);
    let start = Instant::now();
    let result = act(
        script.clone(),
        json!({ "action": "task_claim", "taskId": "task_1" }),
    )
    .await;
    assert_eq!(result["isError"], json!(false), "{result}");
    assert!(start.elapsed() >= Duration::from_secs(1));
    let asked = script.asked();
    assert_eq!(asked.len(), 2);
    assert_eq!(asked[0], asked[1]);
}

#[tokio::test]
async fn a_long_wait_is_left_to_the_model() {
    let told = refused(refusal(429, "RATE_LIMITED", Some(60))).await;
    assert_eq!(told["retryAfterSeconds"], json!(60));
}

#[tokio::test]
async fn an_api_that_does_not_answer_is_an_error_like_any_other() {
    let told = refused(Err(CarrierError::Unreachable(
        "connection refused by localhost:3100".to_owned(),
    )))
    .await;
    assert_eq!(told["error"]["code"], "UNAVAILABLE");
    assert_eq!(
        told["error"]["message"],
        "the API cannot be reached: connection refused by localhost:3100"
    );
}
