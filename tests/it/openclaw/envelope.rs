//! Every answer is JSON, every refusal has one shape (§1, §1.2, §1.3).

use serde_json::{Value, json};

use crate::support::Api;
use crate::support::api::{Answer, Json as _};

/// The error of a refusal in the contract's envelope.
#[track_caller]
pub(super) fn refused(answer: &Answer, status: u16, code: &str) -> Value {
    assert_eq!(answer.status, status, "{answer:#?}");
    assert_eq!(
        answer.headers["content-type"], "application/json",
        "{answer:?}"
    );
    let body = answer.json();
    let error = &body["error"];
    assert_eq!(error["code"], code, "{body}");
    assert!(!error.text("message").is_empty(), "{body}");
    assert_eq!(
        answer.headers["x-request-id"],
        error.text("requestId").as_str(),
        "{body}"
    );
    assert_eq!(body.as_object().expect("an object").len(), 1, "{body}");
    error.clone()
}

#[tokio::test]
async fn whoever_asks_is_identified_before_anything_else() {
    let api = Api::start();
    let stranger = api.stranger();
    for (method, path) in [
        ("GET", "/api/v1/webhooks"),
        ("GET", "/api/v1/no/such/route"),
        ("PUT", "/api/v1/webhooks"),
        ("POST", "/api/v1/webhooks"),
    ] {
        let answer = stranger.send(method, path, None).await;
        refused(&answer, 401, "UNAUTHORIZED");
        let wrong = stranger.clone().bearer("mc_agt_wrong");
        refused(&wrong.send(method, path, None).await, 401, "UNAUTHORIZED");
        let wrong = stranger.clone().bearer("mc_adm_wrong");
        refused(&wrong.send(method, path, None).await, 401, "UNAUTHORIZED");
        // A Mission Control agent's token is no credential here (rulings 24).
        let other = stranger
            .clone()
            .bearer(&crate::support::api::agent_token("t", "a"));
        refused(&other.send(method, path, None).await, 401, "UNAUTHORIZED");
    }
}

#[tokio::test]
async fn unknown_routes_and_methods_are_named() {
    let api = Api::start();
    let operator = api.operator();
    refused(
        &operator.get("/api/v1/no/such/route").await,
        404,
        "NOT_FOUND",
    );
    refused(&operator.get("/nothing/here").await, 404, "NOT_FOUND");
    refused(&operator.get("/api-docs/nothing").await, 404, "NOT_FOUND");
    let answer = operator
        .send("PUT", "/api/v1/webhooks", Some("{}".into()))
        .await;
    refused(&answer, 405, "METHOD_NOT_ALLOWED");
}

#[tokio::test]
async fn bad_bodies_are_refused_in_the_envelope() {
    let api = Api::start();
    let operator = api.operator();
    let path = "/api/v1/webhooks";
    let bad = operator.send("POST", path, Some("{\"url\":".into())).await;
    refused(&bad, 400, "VALIDATION_ERROR");
    let list = operator.send("POST", path, Some("[]".into())).await;
    refused(&list, 400, "VALIDATION_ERROR");
    let large = format!("{{\"url\":\"{}\"}}", "x".repeat(5 << 20));
    refused(
        &operator.send("POST", path, Some(large.into())).await,
        413,
        "PAYLOAD_TOO_LARGE",
    );
    let form = operator
        .clone()
        .header("content-type", "application/x-www-form-urlencoded");
    refused(
        &form.post_nothing(path).await,
        415,
        "UNSUPPORTED_MEDIA_TYPE",
    );
    let body = json!({"url": "ftp://x", "events": ["", 3], "secret": ""});
    let error = refused(&operator.post(path, body).await, 400, "VALIDATION_ERROR");
    let errors = error["details"]["errors"].as_array().expect("errors");
    let fields: Vec<_> = errors.iter().map(|error| error.text("field")).collect();
    assert_eq!(fields, ["url", "events[0]", "events[1]", "secret"]);
}

#[tokio::test]
async fn a_repeat_with_the_same_key_gets_the_first_answer() {
    let api = Api::start();
    let operator = api.operator().header("X-Idempotency-Key", "6f0f4c0e");
    let body = json!({"url": "http://127.0.0.1:9/hook", "events": ["TASK_CREATED"]});
    let first = operator.post("/api/v1/webhooks", body.clone()).await;
    assert_eq!(first.status, 201, "{first:?}");
    assert!(!first.headers.contains_key("idempotency-replayed"));
    let secret = first.json().text("secret");
    assert!(secret.starts_with("whsec_"), "{secret}");

    let second = operator.post("/api/v1/webhooks", body).await;
    assert_eq!(second.status, 201);
    assert_eq!(second.headers["idempotency-replayed"], "true");
    assert_eq!(second.json().id(), first.json().id());
    assert_eq!(second.json().get("secret"), None, "a secret is shown once");
    let listed = operator.get("/api/v1/webhooks").await.ok();
    assert_eq!(listed["webhooks"].as_array().unwrap().len(), 1);

    let other = json!({"url": "http://127.0.0.1:9/other"});
    let other = operator.post("/api/v1/webhooks", other).await;
    refused(&other, 409, "IDEMPOTENCY_CONFLICT");
    let elsewhere = operator
        .post("/api/v1/webhooks/wh_x/deliveries/whd_x/replay", json!({}))
        .await;
    refused(&elsewhere, 409, "IDEMPOTENCY_CONFLICT");
}

#[tokio::test]
async fn a_refused_request_may_be_corrected_under_the_same_key() {
    let api = Api::start();
    let operator = api.operator().header("X-Idempotency-Key", "again");
    let refusal = operator.post("/api/v1/webhooks", json!({})).await;
    refused(&refusal, 400, "VALIDATION_ERROR");
    let body = json!({"url": "http://127.0.0.1:9/hook"});
    assert_eq!(operator.post("/api/v1/webhooks", body).await.status, 201);
    let unprintable = api.operator().header("X-Idempotency-Key", "");
    let answer = unprintable.post("/api/v1/webhooks", json!({})).await;
    refused(&answer, 400, "VALIDATION_ERROR");
}
