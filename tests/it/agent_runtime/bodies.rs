//! §§1–3: what a request must look like.

use futures::stream;
use serde_json::{Value, json};
use stationmaster_testkit::model::Step;

use super::crew::{Crew, SEND, refused, said, turn, turn_without};

/// The field that a refusal names.
#[track_caller]
fn field(body: &Value) -> &str {
    body["details"]["field"].as_str().expect("a field")
}

#[tokio::test]
async fn a_fault_in_any_field_is_400_and_names_it() {
    let crew = Crew::start();
    let long = "x".repeat(256);
    for (name, value) in [
        ("user_id", json!("")),
        ("user_id", json!(7)),
        ("user_id", Value::Null),
        ("session_key", json!(["user:acme:writer"])),
        ("message", json!("")),
        ("message", json!(" \n\t ")),
        ("message", json!("\u{a0}\u{2003}")),
        ("message", json!(7)),
        ("message", Value::Null),
        ("messages", json!("before")),
        ("messages", json!({"role": "user", "content": "before"})),
        ("task_id", json!(7)),
        ("task_title", json!(["Launch"])),
        ("task_description", json!({})),
        ("task_metadata", json!("agent_thread")),
        ("task_metadata", json!([])),
        ("metadata", json!("kickoff_plan")),
        ("metadata", json!([1])),
        ("idempotency_key", json!(7)),
        ("idempotency_key", json!(long)),
    ] {
        let answer = crew.send(turn(json!({name: value}))).await;
        assert_eq!(
            field(&refused(&answer, 400, "invalid_request")),
            name,
            "{answer:?}"
        );
    }
    for name in ["user_id", "message"] {
        let answer = crew.send(turn_without(name, json!({}))).await;
        assert_eq!(field(&refused(&answer, 400, "invalid_request")), name);
    }
    let answer = crew.send(turn_without("session_key", json!({}))).await;
    refused(&answer, 400, "invalid_request");
    nothing_happened(&crew).await;
}

#[tokio::test]
async fn history_is_made_of_users_assistants_and_systems_only() {
    let crew = Crew::start();
    for (entry, name) in [
        (json!({"role": "tool", "content": "x"}), "messages[1].role"),
        (json!({"role": "User", "content": "x"}), "messages[1].role"),
        (json!({"content": "x"}), "messages[1].role"),
        (json!({"role": "user"}), "messages[1].content"),
        (
            json!({"role": "user", "content": ["x"]}),
            "messages[1].content",
        ),
        (json!("hello"), "messages[1].role"),
    ] {
        let history = json!([{"role": "user", "content": "first"}, entry]);
        let answer = crew.send(turn(json!({"messages": history}))).await;
        assert_eq!(
            field(&refused(&answer, 400, "invalid_request")),
            name,
            "{answer:?}"
        );
    }
    nothing_happened(&crew).await;
}

#[tokio::test]
async fn a_malformed_session_key_is_400() {
    let crew = Crew::start();
    let long = format!("user:acme:{}", "r".repeat(65));
    for key in [
        "writer",
        "user:acme",
        "user:acme:writer:more",
        "agent:acme:writer",
        "USER:acme:writer",
        " user:acme:writer",
        "user::writer",
        "user:acme:",
        "user:acme:a b",
        "user:acme:-x",
        "user:acme:../../x",
        "user:acme:..",
        "user:acme:/etc/passwd",
        "user:acme:a/b",
        "user:acme:a\\b",
        "user:acme:a\0b",
        "user:acme:é",
        &long,
    ] {
        let answer = crew.send(turn(json!({"session_key": key}))).await;
        assert_eq!(
            field(&refused(&answer, 400, "invalid_request")),
            "session_key",
            "{answer:?}"
        );
    }
    nothing_happened(&crew).await;
}

#[tokio::test]
async fn the_user_of_the_session_must_be_the_user_of_the_body() {
    let crew = Crew::start();
    for (user, key) in [
        ("globex", "user:acme:writer"),
        ("acme", "user:globex:writer"),
        ("acme", "user:acme2:writer"),
        ("Acme", "user:acme:writer"),
    ] {
        let answer = crew
            .send(turn(json!({"user_id": user, "session_key": key})))
            .await;
        refused(&answer, 400, "invalid_request");
    }
    nothing_happened(&crew).await;
}

#[tokio::test]
async fn a_role_stands_in_for_the_session_key_and_is_checked_like_one() {
    let crew = Crew::start();
    let mut body = turn_without("session_key", json!({"agent_role": "editor"}));
    body["task_title"] = json!("Edits");
    let task = crew.send(body).await.ok()["task_id"].clone();
    let reply = &super::crew::thread(&crew.owner(), task.as_str().unwrap()).await[0];
    assert_eq!(reply["agent_role"], "editor");
    for role in ["../../x", "a b", ":", "editor:x", "é"] {
        let answer = crew
            .send(turn_without("session_key", json!({"agent_role": role})))
            .await;
        refused(&answer, 400, "invalid_request");
    }
    assert_eq!(crew.model.request_count(), 1);
}

#[tokio::test]
async fn a_session_key_wins_over_a_role() {
    let crew = Crew::start();
    let sent = crew.send(turn(json!({"agent_role": "editor"}))).await.ok();
    let thread = super::crew::thread(&crew.owner(), sent["task_id"].as_str().unwrap()).await;
    assert_eq!(thread[0]["agent_role"], "writer");
}

#[tokio::test]
async fn what_is_no_json_object_is_400() {
    let crew = Crew::start();
    let caller = crew.api.stranger();
    for (body, code) in [
        (b"{\"user_id\": \"acme\"".to_vec(), "invalid_json"),
        (b"hello".to_vec(), "invalid_json"),
        (
            b"{\"user_id\":\"acme\",\"message\":\"\xff\"}".to_vec(),
            "invalid_json",
        ),
        (b"[]".to_vec(), "invalid_request"),
        (b"\"text\"".to_vec(), "invalid_request"),
        (b"null".to_vec(), "invalid_request"),
        (Vec::new(), "invalid_request"),
    ] {
        let answer = caller.send("POST", SEND, Some(body.into())).await;
        refused(&answer, 400, code);
    }
    nothing_happened(&crew).await;
}

#[tokio::test]
async fn a_body_of_one_mebibyte_is_taken_and_a_larger_one_is_413() {
    let crew = Crew::start();
    crew.model.always(Step::text("read"));
    let empty = turn(json!({"message": ""})).to_string().len();
    let of_size = |size: usize| turn(json!({"message": "x".repeat(size - empty)}));
    crew.send(of_size(1 << 20)).await.ok();
    let large = of_size((1 << 20) + 1);
    refused(&crew.send(large.clone()).await, 413, "body_too_large");
    // Also where nobody said before how large it would be.
    let chunks: Vec<Result<String, std::io::Error>> = large
        .to_string()
        .as_bytes()
        .chunks(10_000)
        .map(|chunk| Ok(String::from_utf8_lossy(chunk).into_owned()))
        .collect();
    let body = reqwest::Body::wrap_stream(stream::iter(chunks));
    let answer = crew.api.stranger().send("POST", SEND, Some(body)).await;
    refused(&answer, 413, "body_too_large");
    assert_eq!(crew.model.request_count(), 1);
}

#[tokio::test]
async fn members_that_nobody_knows_are_ignored() {
    let crew = Crew::start();
    let odd = json!({"surprise": [1, {"a": null}], "actor_type": 7, "stream": false,
        "metadata": {"type": "mc.notification", "skipSmartContext": true, "unknown": [1]}});
    crew.send(turn(odd)).await.ok();
}

async fn nothing_happened(crew: &Crew) {
    assert_eq!(crew.model.request_count(), 0);
    assert_eq!(said(&crew.owner()).await, [""; 0]);
    assert_eq!(crew.owner().items("tasks").await, [Value::Null; 0]);
}
