//! §11: whoever asks for a turn may have somebody told how it ended.

use axum::body::Bytes;
use axum::http::HeaderMap;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures::FutureExt as _;
use ring::hmac;
use serde_json::{Value, json};
use stationmaster_testkit::model::Step;
use tokio::net::{TcpListener, lookup_host};

use super::approvals::{decide, draft, guard};
use super::crew::{Crew, refused, said, turn};
use crate::support::Json as _;
use crate::support::receiver::Receiver;
use crate::support::wait::until;

const SECRET: &str = "a secret of both";

/// A crew whose webhooks may lead to this machine, as tests need.
fn crew() -> Crew {
    Crew::with(|it| it.environment("CLASPER_WEBHOOK_PRIVATE_TARGETS", "true"))
}

/// The one thing that was told.
async fn told(receiver: &Receiver) -> (HeaderMap, Bytes, Value) {
    until("the webhook is told", async || !receiver.heard().is_empty()).await;
    let mut heard = receiver.heard();
    assert_eq!(heard.len(), 1, "{heard:?}");
    let (headers, body) = heard.remove(0);
    let told = serde_json::from_slice(&body).unwrap();
    (headers, body, told)
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> &'a str {
    headers[name].to_str().unwrap()
}

#[tokio::test]
async fn a_turn_is_told_once_under_every_signature() {
    let crew = crew();
    let (receiver, url) = Receiver::start(&[]).await;
    crew.model.push(Step::text("The plan."));
    let asked = turn(json!({
        "metadata": {"ticket": 7},
        "idempotency_key": "k",
        "webhook": {"url": url, "secret": SECRET, "headers": {"X-Mine": "yes"}},
    }));
    let answer = crew.send(asked.clone()).await.ok();
    let (headers, body, told) = told(&receiver).await;
    assert_eq!(told["event"], "agent.completed");
    assert_eq!(told["task_id"], answer["task_id"]);
    assert_eq!(
        (&told["user_id"], &told["role"]),
        (&json!("acme"), &json!("writer"))
    );
    assert_eq!(told["response"], "The plan.");
    assert_eq!(
        (&told["usage"], &told["cost"]),
        (&answer["usage"], &answer["cost"])
    );
    assert_eq!(told["metadata"], json!({"ticket": 7}));
    told.text("timestamp").parse::<jiff::Timestamp>().unwrap();
    assert!(text(&headers, "user-agent").starts_with("stationmaster/"));
    assert_eq!(text(&headers, "content-type"), "application/json");
    assert_eq!(text(&headers, "x-mine"), "yes");

    let key = hmac::Key::new(hmac::HMAC_SHA256, SECRET.as_bytes());
    for name in ["x-wombat-signature", "x-clasper-signature"] {
        let digits = hmac::sign(&key, &body)
            .as_ref()
            .iter()
            .map(|it| format!("{it:02x}"))
            .collect::<String>();
        assert_eq!(text(&headers, name), digits);
    }
    let (id, at) = (
        text(&headers, "webhook-id"),
        text(&headers, "webhook-timestamp"),
    );
    let signed = format!("{id}.{at}.{}", std::str::from_utf8(&body).unwrap());
    let given = text(&headers, "webhook-signature")
        .strip_prefix("v1,")
        .unwrap();
    hmac::verify(&key, signed.as_bytes(), &STANDARD.decode(given).unwrap()).expect("it is right");

    // The same key gives the first answer, and nobody is told of it again. What is told after it shows that.
    crew.send(asked).await.ok();
    let other = json!({"webhook": {"url": url}, "metadata": {"ticket": 8}});
    crew.send(turn(other)).await.ok();
    until("the next one is told", async || receiver.heard().len() == 2).await;
    let (headers, body) = receiver.heard().remove(1);
    let told: Value = serde_json::from_slice(&body).unwrap();
    assert_eq!(told["metadata"]["ticket"], 8);
    assert!(
        !headers.contains_key("webhook-signature"),
        "nothing to sign with"
    );
    assert!(!headers.contains_key("x-clasper-signature"));
    assert!(headers.contains_key("webhook-id"));
}

#[tokio::test]
async fn a_turn_that_fails_is_told_too_and_a_receiver_that_fails_is_nobodys_trouble() {
    let crew = crew();
    let (receiver, url) = Receiver::start(&[500]).await;
    crew.model.push(Step::status(400));
    let hook = json!({"webhook": {"url": url}, "agent_role": "writer", "session_key": null});
    refused(&crew.send(turn(hook)).await, 502, "model_rejected");
    let (_, _, told) = told(&receiver).await;
    assert_eq!(told["event"], "agent.error");
    assert_eq!(told["code"], "model_rejected");
    assert_eq!(told["role"], "writer");
    assert!(
        told["error"].is_string() && told.get("response").is_none(),
        "{told}"
    );

    // Nobody listens there.
    let deaf = json!({"webhook": {"url": "http://127.0.0.1:1/"}});
    crew.send(turn(deaf)).await.ok();
    // A request that was refused was no turn.
    let blank = json!({"webhook": {"url": url}, "message": " "});
    refused(&crew.send(turn(blank)).await, 400, "invalid_request");
    let metric = "stationmaster_agent_webhooks_total{outcome=\"failed\"} 2";
    until("both are counted", async || {
        let metrics = crew.api.stranger().get("/metrics").await.text;
        metrics.contains(metric)
    })
    .await;
    assert_eq!(receiver.heard().len(), 1);
}

#[tokio::test]
async fn a_webhook_leads_nowhere_inside_unless_that_is_allowed() {
    let crew = Crew::start();
    let (receiver, url) = Receiver::start(&[]).await;
    for url in [
        url.as_str(),
        "http://localhost/",
        "http://169.254.169.254/",
        "http://[::1]/",
    ] {
        let answer = crew.send(turn(json!({"webhook": {"url": url}}))).await;
        let body = refused(&answer, 400, "invalid_request");
        assert_eq!(body["details"]["field"], "webhook.url", "{body}");
    }
    assert_eq!(crew.model.request_count(), 0);
    assert!(receiver.heard().is_empty());
    let faults = json!({"webhook": {"url": "gopher://example.com", "secret": 7,
        "headers": {"Host": "x", "Content-Length": "1", "Connection": "close", "X-A": 7}}});
    let body = refused(&crew.send(turn(faults)).await, 400, "invalid_request");
    let errors = body["details"]["errors"].as_array().unwrap().iter();
    let named: Vec<_> = errors.map(|it| it.text("field")).collect();
    assert_eq!(
        named,
        [
            "webhook.url",
            "webhook.secret",
            "webhook.headers.Host",
            "webhook.headers.Content-Length",
            "webhook.headers.Connection",
            "webhook.headers.X-A",
        ]
    );
}

/// A name of this machine, and a listener at where it leads.
async fn named_listener() -> (String, TcpListener) {
    let own = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    for name in [own.trim(), "ip6-localhost", "localhost.localdomain"] {
        if name.is_empty() {
            continue;
        }
        for address in lookup_host((name, 0)).await.into_iter().flatten() {
            if let Ok(listener) = TcpListener::bind(address).await {
                return (name.to_owned(), listener);
            }
        }
    }
    panic!("this machine has no name that leads to it");
}

#[tokio::test]
async fn a_name_is_judged_by_where_it_leads() {
    let crew = Crew::start();
    let (name, listener) = named_listener().await;
    let port = listener.local_addr().unwrap().port();
    let hook = json!({"webhook": {"url": format!("http://{name}:{port}/")}});
    crew.send(turn(hook)).await.ok();
    let metric = "stationmaster_agent_webhooks_total{outcome=\"failed\"} 1";
    until("it is counted", async || {
        let metrics = crew.api.stranger().get("/metrics").await.text;
        metrics.contains(metric)
    })
    .await;
    let came = listener.accept().now_or_never();
    assert!(came.is_none(), "{name} was connected to");
}

#[tokio::test]
async fn a_turn_that_waits_is_told_of_when_it_has_gone_on() {
    let crew = crew();
    let (receiver, url) = Receiver::start(&[]).await;
    guard(&crew.api).await;
    crew.model.push(draft());
    let asked = turn(json!({"webhook": {"url": url, "secret": SECRET}}));
    let answer = crew.send(asked).await;
    assert_eq!(answer.status, 202, "{answer:?}");
    assert!(receiver.heard().is_empty());
    crew.model.push(Step::text("Done."));
    decide(&crew.api, &answer.json().text("approval_id"), "approved").await;
    let (headers, _, told) = told(&receiver).await;
    assert_eq!(told["event"], "agent.completed");
    assert_eq!(told["response"], "Done.");
    assert_eq!(told["task_id"], answer.json()["task_id"]);
    assert!(headers.contains_key("x-wombat-signature"));
    assert_eq!(said(&crew.owner()).await, ["Done."]);
    // The secret is nowhere on disk.
    let files = std::fs::read_dir(crew.api.server.directory()).unwrap();
    for file in files.map(|it| it.unwrap().path()).filter(|it| it.is_file()) {
        let bytes = std::fs::read(&file).unwrap();
        let found = bytes
            .windows(SECRET.len())
            .any(|it| it == SECRET.as_bytes());
        assert!(!found, "{}", file.display());
    }
}
