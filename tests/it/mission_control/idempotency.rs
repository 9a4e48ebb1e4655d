//! §5: a create that is sent again happens once.

use futures::future::join_all;
use serde_json::{Value, json};

use crate::support::{Api, Caller, Json as _};

/// The five creates: where, with what, and what else with.
async fn creates(agent: &Caller) -> [(&'static str, Value, Value); 5] {
    let task = agent.task("The task").await;
    [
        (
            "tasks",
            json!({"title": "T", "metadata": {"n": 1, "deep": {"a": [1, 2], "b": null}}}),
            json!({"title": "U"}),
        ),
        (
            "messages",
            json!({"task_id": task, "content": "C", "attachments": {"n": 1, "b": "x"}}),
            json!({"task_id": task, "content": "D"}),
        ),
        (
            "documents",
            json!({"task_id": task, "title": "T", "content": "C", "doc_type": "plan"}),
            json!({"task_id": task, "title": "T", "content": "D"}),
        ),
        (
            "notifications",
            json!({"agent_role": "editor", "content": "C", "metadata": {"n": 1, "b": 2}}),
            json!({"agent_role": "editor", "content": "D"}),
        ),
        (
            "tool-requests",
            json!({"title": "T", "justification": "J", "interface": {"n": 1, "b": 2}}),
            json!({"title": "T", "justification": "K"}),
        ),
    ]
}

fn keyed(body: &Value, key: impl Into<Value>) -> Value {
    let mut body = body.clone();
    body["idempotency_key"] = key.into();
    body
}

/// The same value with every object's members the other way round and `1` written as `1.0`.
fn rewritten(value: &Value) -> Value {
    match value {
        Value::Object(members) => Value::Object(
            members
                .iter()
                .rev()
                .map(|(name, value)| (name.clone(), rewritten(value)))
                .collect(),
        ),
        Value::Array(items) => items.iter().map(rewritten).collect(),
        Value::Number(number) => json!(number.as_f64().unwrap()),
        other => other.clone(),
    }
}

async fn count(agent: &Caller, path: &str) -> usize {
    agent
        .items(&format!("{path}?all=true&limit=100"))
        .await
        .len()
}

#[tokio::test]
async fn the_same_request_again_gets_the_first_answer_byte_for_byte() {
    let api = Api::start();
    let agent = api.agent("acme", "writer");
    for (path, body, _) in creates(&agent).await {
        let before = count(&agent, path).await;
        let first = agent.post(path, keyed(&body, "k1")).await;
        first.ok();
        let by_header = agent.clone().header("Idempotency-Key", "k1");
        let spaced = format!(
            "\n{} ",
            serde_json::to_string_pretty(&keyed(&rewritten(&body), "k1")).unwrap()
        );
        assert!(path == "documents" || spaced.contains("1.0"), "{spaced}");
        let again = [
            agent.post(path, keyed(&body, "k1")).await,
            by_header.post(path, body.clone()).await,
            by_header.post(path, keyed(&body, "k1")).await,
            agent.send("POST", path, Some(spaced.into())).await,
        ];
        for answer in again {
            assert_eq!(answer.status, 200, "{answer:#?}");
            assert_eq!(answer.text, first.text, "{path}");
            assert_eq!(answer.headers["content-type"], "application/json");
        }
        assert_eq!(count(&agent, path).await, before + 1, "{path}");
        // Without a key, or with another, it is another.
        for other in [body.clone(), keyed(&body, "k2"), keyed(&body, Value::Null)] {
            assert_ne!(
                agent.post(path, other).await.ok()["id"],
                first.json()["id"],
                "{path}"
            );
        }
        assert_eq!(count(&agent, path).await, before + 4, "{path}");
    }
}

#[tokio::test]
async fn the_same_key_for_another_request_is_409_and_writes_nothing() {
    let api = Api::start();
    let agent = api.agent("acme", "writer");
    for (path, body, other) in creates(&agent).await {
        let first = agent.post(path, keyed(&body, "k")).await;
        first.ok();
        let before = count(&agent, path).await;
        let mut wider = body.clone();
        wider["surprise"] = json!(1);
        for other in [other, wider] {
            agent
                .post(path, keyed(&other, "k"))
                .await
                .refused(409, "idempotency_conflict");
            agent
                .clone()
                .header("Idempotency-Key", "k")
                .post(path, other)
                .await
                .refused(409, "idempotency_conflict");
        }
        assert_eq!(count(&agent, path).await, before, "{path}");
        assert_eq!(
            agent.post(path, keyed(&body, "k")).await.text,
            first.text,
            "{path}"
        );
    }
}

#[tokio::test]
async fn a_refused_create_does_not_burn_its_key() {
    let api = Api::start();
    let agent = api.agent("acme", "writer");
    let task = agent.task("T").await;
    for (path, bad, good, status) in [
        ("tasks", json!({"title": ""}), json!({"title": "T"}), 400),
        (
            "messages",
            json!({"task_id": "none", "content": "C"}),
            json!({"task_id": task, "content": "C"}),
            404,
        ),
        (
            "documents",
            json!({"task_id": task}),
            json!({"task_id": task, "title": "T", "content": "C"}),
            400,
        ),
        (
            "notifications",
            json!({"content": "C", "agent_role": "editor", "user_id": "globex"}),
            json!({"content": "C", "agent_role": "editor"}),
            403,
        ),
        (
            "tool-requests",
            json!({"title": "T"}),
            json!({"title": "T", "justification": "J"}),
            400,
        ),
    ] {
        assert_eq!(
            agent.post(path, keyed(&bad, "k")).await.status,
            status,
            "{path}"
        );
        agent.post(path, keyed(&good, "k")).await.ok();
        // Now it is the good one's.
        let answer = agent.post(path, keyed(&bad, "k")).await;
        assert!([status, 409].contains(&answer.status), "{answer:?}");
    }
}

#[tokio::test]
async fn a_key_has_up_to_255_characters_and_comes_once() {
    let api = Api::start();
    let agent = api.agent("acme", "writer");
    let post = async |key: Value| {
        agent
            .post("tasks", keyed(&json!({"title": "T"}), key))
            .await
    };
    for key in [
        "x".repeat(255),
        "ü".repeat(255),
        "😀".repeat(255),
        " ".to_owned(),
    ] {
        let first = post(json!(key)).await;
        first.ok();
        assert_eq!(post(json!(key)).await.text, first.text, "{key}");
    }
    for key in [
        json!("x".repeat(256)),
        json!("ü".repeat(256)),
        json!(""),
        json!("a\u{0}b"),
        json!(1),
        json!({}),
        json!(["k"]),
    ] {
        let answer = post(key.clone()).await;
        assert_eq!(answer.status, 400, "{key} {answer:?}");
        assert_eq!(answer.faults(), ["idempotency_key"], "{key}");
    }
    let header = agent.clone().header("Idempotency-Key", &"x".repeat(256));
    assert_eq!(
        header.post("tasks", json!({"title": "T"})).await.faults(),
        ["idempotency_key"]
    );
    let both = agent.clone().header("Idempotency-Key", "one");
    assert_eq!(
        both.post("tasks", keyed(&json!({"title": "T"}), "two"))
            .await
            .faults(),
        ["idempotency_key"]
    );
    assert_eq!(agent.items("tasks").await.len(), 4);
}

#[tokio::test]
async fn a_key_is_one_tenants_and_one_kinds() {
    let api = Api::start();
    let (acme, globex) = (api.agent("acme", "writer"), api.agent("globex", "writer"));
    let body = json!({"title": "T", "justification": "J", "idempotency_key": "k"});
    let first = acme.post("tasks", body.clone()).await.ok();
    let second = globex.post("tasks", body.clone()).await.ok();
    assert_ne!(first["id"], second["id"]);
    assert_eq!(second["user_id"], "globex");
    let request = acme.post("tool-requests", body.clone()).await.ok();
    assert_eq!(request["status"], "pending");
    // Two agents of one tenant share it.
    assert_eq!(
        api.agent("acme", "editor").post("tasks", body).await.ok(),
        first
    );
}

#[tokio::test]
async fn a_replay_tells_what_was_made_not_what_became_of_it() {
    let api = Api::start();
    let agent = api.agent("acme", "writer");
    let body = json!({"title": "T", "idempotency_key": "k"});
    let first = agent.post("tasks", body.clone()).await;
    let path = format!("tasks/{}", first.ok().id());
    agent
        .patch(&path, json!({"title": "U", "status": "completed"}))
        .await
        .ok();
    assert_eq!(agent.post("tasks", body).await.text, first.text);
    assert_eq!(agent.get(&path).await.ok()["title"], "U");
}

#[tokio::test]
async fn simultaneous_creates_with_one_key_make_one_row() {
    let api = Api::start();
    let agent = api.agent("acme", "writer");
    for (path, body, _) in creates(&agent).await {
        let before = count(&agent, path).await;
        let answers = join_all((0..20).map(|_| agent.post(path, keyed(&body, "k")))).await;
        let first = answers[0].text.clone();
        for answer in answers {
            answer.ok();
            assert_eq!(answer.text, first, "{path}");
        }
        assert_eq!(count(&agent, path).await, before + 1, "{path}");
    }
}
