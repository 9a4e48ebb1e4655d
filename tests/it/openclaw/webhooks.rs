//! Webhooks are told what happens: signed, again when need be, once more when asked (§4, §12).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::hmac;
use serde_json::{Value, json};

use super::envelope::refused;
use crate::support::Api;
use crate::support::api::Json as _;
use crate::support::clock::Moved;
use crate::support::receiver::Receiver;
use crate::support::wait::until;

async fn webhook(api: &Api, url: &str, events: Value) -> Value {
    let body = json!({"url": url, "events": events});
    let made = api.operator().post("/api/v1/webhooks", body).await;
    assert_eq!(made.status, 201, "{made:?}");
    made.json()
}

async fn deliveries(api: &Api, webhook: &str) -> Vec<Value> {
    let path = format!("/api/v1/webhooks/{webhook}/deliveries");
    let list = api.operator().get(&path).await.ok();
    list["deliveries"].as_array().expect("deliveries").clone()
}

#[tokio::test]
async fn what_happens_is_told_once_and_signed() {
    let api = Api::start();
    let (receiver, url) = Receiver::start(&[]).await;
    let made = webhook(&api, &url, json!(["TASK_CREATED"])).await;
    let task = api.agent("t", "a").task("Tell it").await;
    until("the webhook is told", async || !receiver.heard().is_empty()).await;

    let (headers, body) = receiver.heard().remove(0);
    let told: Value = serde_json::from_slice(&body).unwrap();
    assert_eq!(told["type"], "TASK_CREATED");
    assert_eq!(told["data"]["taskId"], task.as_str());
    let (id, at) = (
        headers["webhook-id"].to_str().unwrap(),
        headers["webhook-timestamp"].to_str().unwrap(),
    );
    let secret = STANDARD
        .decode(made.text("secret").strip_prefix("whsec_").unwrap())
        .unwrap();
    let signed = format!("{id}.{at}.{}", std::str::from_utf8(&body).unwrap());
    let key = hmac::Key::new(hmac::HMAC_SHA256, &secret);
    let given = headers["webhook-signature"].to_str().unwrap();
    let given = STANDARD.decode(given.strip_prefix("v1,").unwrap()).unwrap();
    hmac::verify(&key, signed.as_bytes(), &given).expect("the signature is right");

    until("the delivery is recorded", async || {
        deliveries(&api, &made.id()).await[0]["status"] == "DELIVERED"
    })
    .await;
    assert_eq!(
        receiver.heard().len(),
        1,
        "agent.registered was not asked for"
    );
}

#[tokio::test]
async fn any_secret_will_do_but_only_events_that_there_are() {
    let api = Api::start();
    let (receiver, url) = Receiver::start(&[]).await;
    let post = async |events: Value, secret: &str| {
        let body = json!({"url": url, "events": events, "secret": secret});
        api.operator().post("/api/v1/webhooks", body).await
    };
    for secret in ["whsec_test", "abc"] {
        let events = json!(["TASK_CREATED", "ALERT", "APPROVAL_REQUEST"]);
        let made = post(events, secret).await;
        assert_eq!(made.status, 201, "{made:?}");
        assert_eq!(made.json()["secret"], secret);
    }
    api.agent("t", "a").task("Tell it").await;
    until("both are told", async || receiver.heard().len() == 2).await;
    let mut plain: Vec<String> = ["whsec_test", "abc"]
        .into_iter()
        .map(|secret| {
            let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
            let body = &receiver.heard()[0].1;
            let tag = hmac::sign(&key, body);
            let digits = tag.as_ref().iter().map(|byte| format!("{byte:02x}"));
            format!("sha256={}", digits.collect::<String>())
        })
        .collect();
    let mut given: Vec<String> = receiver
        .heard()
        .iter()
        .map(|(headers, _)| headers["x-webhook-signature"].to_str().unwrap().to_owned())
        .collect();
    plain.sort();
    given.sort();
    assert_eq!(given, plain);

    let error = refused(
        &post(json!(["BAD", "ALERT"]), "").await,
        400,
        "VALIDATION_ERROR",
    );
    let errors = error["details"]["errors"].to_string();
    for part in [
        "events[0]",
        "TASK_TRANSITION",
        "APPROVAL_REQUEST",
        "\"secret\"",
    ] {
        assert!(errors.contains(part), "{part}: {errors}");
    }
    assert!(!errors.contains("events[1]"), "{errors}");
}

#[tokio::test]
async fn a_receiver_that_fails_is_told_again_later_and_then_given_up() {
    let moved = Moved::start();
    let (receiver, url) = Receiver::start(&[500, 503, 500, 500]).await;
    let made = webhook(&moved.api, &url, json!(["TASK_CREATED"])).await;
    moved.api.agent("t", "a").task("Tell it").await;
    for (tries, ahead) in [(1, 40), (2, 200), (3, 1000)] {
        until("it is tried", async || receiver.heard().len() >= tries).await;
        until("the try is recorded", async || {
            deliveries(&moved.api, &made.id()).await[0]["attempts"] == tries
        })
        .await;
        moved.ahead(ahead);
    }
    let delivery = deliveries(&moved.api, &made.id()).await.remove(0);
    assert_eq!(delivery["status"], "FAILED");
    assert_eq!(delivery["responseStatus"], 500);
    let ids: Vec<_> = receiver
        .heard()
        .iter()
        .map(|(headers, _)| headers["webhook-id"].clone())
        .collect();
    assert!(
        ids.iter().all(|id| *id == ids[0]),
        "a repeat is told by its id"
    );

    let path = format!(
        "/api/v1/webhooks/{}/deliveries/{}/replay",
        made.id(),
        delivery.id()
    );
    let again = moved.api.operator().post(&path, json!({})).await;
    assert_eq!(again.status, 201, "{again:?}");
    assert_eq!(again.json()["replayOf"], delivery["id"]);
    until("it is told once more", async || receiver.heard().len() == 4).await;
}

#[tokio::test]
async fn what_happened_while_nobody_told_is_told_after_a_restart() {
    let directory = tempfile::TempDir::new().unwrap();
    let start = || {
        crate::support::api::builder()
            .directory(directory.path())
            .start()
    };
    let mut api = Api::of(start());
    // Nobody listens there yet; the port is taken to have one that is free.
    let (receiver, url) = Receiver::start(&[500]).await;
    let made = webhook(&api, &url, json!([])).await;
    api.agent("t", "a").task("Tell it").await;
    until("it is tried", async || !receiver.heard().is_empty()).await;
    api.server.kill();
    let api = Api::of(start());
    let types = || {
        let mut types: Vec<String> = receiver
            .heard()
            .iter()
            .map(|(_, body)| serde_json::from_slice::<Value>(body).unwrap().text("type"))
            .collect();
        types.sort();
        types.dedup();
        types
    };
    until("everything is told", async || {
        types() == ["AGENT_REGISTERED", "TASK_CREATED"]
    })
    .await;
    drop(made);
    drop(api);
}

#[tokio::test]
async fn a_removed_webhook_is_told_nothing_more() {
    let api = Api::start();
    let (receiver, url) = Receiver::start(&[]).await;
    let (kept, removed) = (
        webhook(&api, &url, json!(["TASK_CREATED"])).await,
        webhook(&api, &url, json!(["TASK_CREATED"])).await,
    );
    let path = format!("/api/v1/webhooks/{}", removed.id());
    assert_eq!(api.operator().send("DELETE", &path, None).await.status, 200);
    refused(&api.operator().get(&path).await, 404, "NOT_FOUND");
    api.agent("t", "a").task("Tell it").await;
    until("the other is told", async || {
        deliveries(&api, &kept.id())
            .await
            .first()
            .is_some_and(|delivery| delivery["status"] == "DELIVERED")
    })
    .await;
    assert_eq!(receiver.heard().len(), 1);
}
