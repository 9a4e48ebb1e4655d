//! §4: one shape for every refusal, and which status when.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use serde_json::{Value, json};

use crate::support::api::agent_token;
use crate::support::{Api, Json as _};

const MEBIBYTE: usize = 1 << 20;

#[tokio::test]
async fn a_body_that_is_no_json_object_is_400() {
    let api = Api::start();
    let agent = api.agent("acme", "writer");
    let nested = "[".repeat(5000);
    let deep = format!(
        "{{\"title\":\"T\",\"metadata\":{}1{}}}",
        "{\"a\":".repeat(3000),
        "}".repeat(3000)
    );
    for (body, code) in [
        ("{", "invalid_json"),
        ("{\"title\":\"T\"} x", "invalid_json"),
        ("{\"title\":\"T\",}", "invalid_json"),
        ("{'title':'T'}", "invalid_json"),
        ("{\"title\":NaN}", "invalid_json"),
        (
            "{\"title\":\"T\",\"metadata\":{\"n\":1e999}}",
            "invalid_json",
        ),
        ("title=T", "invalid_json"),
        (nested.as_str(), "invalid_json"),
        (deep.as_str(), "invalid_json"),
        ("[]", "invalid_request"),
        ("[{\"title\":\"T\"}]", "invalid_request"),
        ("null", "invalid_request"),
        ("\"T\"", "invalid_request"),
        ("1", "invalid_request"),
        ("", "invalid_request"),
        (" \n", "invalid_request"),
        ("{}", "invalid_request"),
    ] {
        let body = body.to_owned();
        let answer = agent.send("POST", "tasks", Some(body.clone().into())).await;
        assert_eq!(answer.status, 400, "{body:.80} {answer:#?}");
        answer.refused(400, code);
    }
    let latin1 = b"{\"title\":\"caf\xe9\"}".to_vec();
    agent
        .send("POST", "tasks", Some(latin1.into()))
        .await
        .refused(400, "invalid_json");
    assert!(agent.items("tasks").await.is_empty());
}

#[tokio::test]
async fn a_missing_or_ill_typed_member_is_400_and_named() {
    let api = Api::start();
    let agent = api.agent("acme", "writer");
    let task = agent.task("T").await;
    let good = |path: &str| match path {
        "tasks" => json!({"title": "T"}),
        "messages" => json!({"task_id": task, "content": "C"}),
        "documents" => json!({"task_id": task, "title": "T", "content": "C"}),
        "notifications" => json!({"agent_role": "writer", "content": "C"}),
        "tool-requests" => json!({"title": "T", "justification": "J"}),
        _ => json!({}),
    };
    let long = Value::from("x".repeat(65));
    let wrong_types = [json!(1), json!(true), json!([]), json!({})];
    let texts = [
        (
            "tasks",
            vec![
                "title",
                "description",
                "status",
                "agent_role",
                "user_id",
                "idempotency_key",
            ],
        ),
        (
            "messages",
            vec!["task_id", "content", "actor_type", "actor_id", "agent_role"],
        ),
        ("documents", vec!["task_id", "title", "content", "doc_type"]),
        (
            "notifications",
            vec!["content", "agent_role", "session_key", "task_id", "type"],
        ),
        (
            "tool-requests",
            vec!["title", "justification", "scope", "risk_level", "task_id"],
        ),
        ("heartbeat", vec!["status", "note", "user_id"]),
        ("standup", vec!["timezone", "user_id"]),
    ];
    let mut cases: Vec<(&str, &str, Value)> = Vec::new();
    for (path, names) in texts {
        for name in names {
            cases.extend(wrong_types.iter().map(|value| (path, name, value.clone())));
        }
    }
    for (path, name) in [
        ("tasks", "metadata"),
        ("messages", "attachments"),
        ("notifications", "metadata"),
        ("heartbeat", "metrics"),
    ] {
        cases.extend(
            [json!(1), json!("x"), json!([]), json!(false)].map(|value| (path, name, value)),
        );
    }
    for (path, name) in [
        ("tasks", "title"),
        ("messages", "task_id"),
        ("messages", "content"),
        ("documents", "title"),
        ("documents", "content"),
        ("documents", "task_id"),
        ("notifications", "content"),
        ("tool-requests", "title"),
        ("tool-requests", "justification"),
    ] {
        // Null is as good as missing.
        cases.push((path, name, Value::Null));
        if (path, name) != ("documents", "content") {
            cases.push((path, name, json!("")));
        }
    }
    cases.extend([
        ("tasks", "title", json!(" \n")),
        ("tasks", "title", json!("nul\0")),
        ("tasks", "status", json!("")),
        ("tasks", "status", long.clone()),
        ("tasks", "agent_role", json!("two words")),
        ("messages", "content", json!("\t")),
        ("messages", "actor_type", json!("system")),
        ("messages", "actor_type", json!("")),
        ("messages", "actor_type", json!("Agent")),
        ("documents", "doc_type", json!("")),
        ("notifications", "agent_role", json!("")),
        ("notifications", "session_key", json!("writer")),
        ("notifications", "session_key", json!("user:acme")),
        ("notifications", "session_key", json!("user:acme:other")),
        ("notifications", "type", long),
        ("tool-requests", "risk_level", json!("none")),
        ("tool-requests", "interface", json!(1)),
        ("heartbeat", "status", json!("dead")),
        ("standup", "timezone", json!("Mars/Olympus")),
        ("standup", "timezone", json!("../../etc/passwd")),
    ]);
    for (path, name, value) in cases {
        let mut body = good(path);
        body[name] = value;
        let answer = agent.post(path, body.clone()).await;
        assert_eq!(answer.status, 400, "{path} {body}: {answer:#?}");
        assert!(
            answer.faults().contains(&name.to_owned()),
            "{path} {body}: {answer:#?}"
        );
    }
    assert_eq!(agent.items("tasks").await.len(), 1, "nothing was written");
    let everything = agent.post("documents", json!({"doc_type": 1})).await;
    assert_eq!(
        everything.faults(),
        ["task_id", "title", "content", "doc_type"]
    );
}

#[tokio::test]
async fn members_that_nobody_asked_for_are_ignored() {
    let api = Api::start();
    let agent = api.agent("acme", "writer");
    let extra = json!({"surprise": 1, "id": "mine", "created_at": "1970-01-01T00:00:00Z", "created_by_role": "root"});
    let with = |body: Value| {
        let mut members = body.as_object().unwrap().clone();
        members.extend(extra.as_object().unwrap().clone());
        Value::from(members)
    };
    let task = agent.post("tasks", with(json!({"title": "T"}))).await.ok();
    assert_ne!(task["id"], "mine");
    assert_eq!(task["created_by_role"], "writer");
    assert!(task.get("surprise").is_none());
    let id = task.id();
    for (path, body) in [
        ("messages", json!({"task_id": id, "content": "C"})),
        (
            "documents",
            json!({"task_id": id, "title": "T", "content": "C"}),
        ),
        (
            "notifications",
            json!({"agent_role": "writer", "content": "C"}),
        ),
        ("tool-requests", json!({"title": "T", "justification": "J"})),
        ("heartbeat", json!({"idempotency_key": "k", "title": 1})),
        ("standup", json!({"date": "1970-01-01"})),
    ] {
        agent.post(path, with(body)).await.ok();
    }
    agent
        .patch(
            &format!("tasks/{id}"),
            with(json!({"status": "blocked", "idempotency_key": 1})),
        )
        .await
        .ok();
    agent.get("tasks?surprise=1&limit=5").await.ok();
}

#[tokio::test]
async fn a_post_that_needs_nothing_takes_no_body_and_no_content_type() {
    let api = Api::start();
    for path in ["heartbeat", "standup"] {
        api.agent("acme", "writer").post_nothing(path).await.ok();
    }
    for path in ["standup", "dispatch/undelivered"] {
        api.internal().post_nothing(path).await.ok();
    }
}

#[tokio::test]
async fn a_body_of_more_than_a_mebibyte_is_413_and_its_sender_reads_so() {
    let api = Api::start();
    let agent = api.agent("acme", "writer");
    let task = agent.task("T").await;
    let of_length = |length: usize| {
        let around = format!("{{\"task_id\":\"{task}\",\"content\":\"\"}}").len();
        format!(
            "{{\"task_id\":\"{task}\",\"content\":\"{}\"}}",
            "x".repeat(length - around)
        )
    };
    agent
        .send("POST", "messages", Some(of_length(MEBIBYTE).into()))
        .await
        .ok();
    for length in [MEBIBYTE + 1, 2 * MEBIBYTE, 16 * MEBIBYTE] {
        let answer = agent
            .send("POST", "messages", Some(of_length(length).into()))
            .await;
        answer.refused(413, "body_too_large");
        // The length is not said first.
        let body = of_length(length).into_bytes();
        let chunks: Vec<std::io::Result<Vec<u8>>> =
            body.chunks(65_536).map(|part| Ok(part.to_vec())).collect();
        let stream = reqwest::Body::wrap_stream(futures::stream::iter(chunks));
        agent
            .send("POST", "messages", Some(stream))
            .await
            .refused(413, "body_too_large");
    }
    // Whoever has no credential is not even read.
    api.stranger()
        .send("POST", "messages", Some(of_length(2 * MEBIBYTE).into()))
        .await
        .refused(401, "unauthorized");
    assert_eq!(agent.items("messages").await.len(), 1);
}

#[tokio::test]
async fn a_body_that_stops_short_is_no_body() {
    let api = Api::start();
    let mut stream = TcpStream::connect(api.server.url().trim_start_matches("http://")).unwrap();
    let token = agent_token("acme", "writer");
    write!(stream, "POST /api/mission-control/tasks HTTP/1.1\r\nHost: x\r\nX-Agent-Token: {token}\r\nContent-Length: 100\r\n\r\n{{\"title\":\"T\"}}").unwrap();
    stream.shutdown(std::net::Shutdown::Write).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(
        answer.is_empty() || answer.starts_with("HTTP/1.1 400"),
        "{answer}"
    );
    assert!(api.agent("acme", "writer").items("tasks").await.is_empty());
}

#[tokio::test]
async fn what_is_not_there_is_404_and_a_method_that_is_not_taken_405() {
    let api = Api::start();
    let task = api.agent("acme", "writer").task("T").await;
    let one = format!("tasks/{task}");
    let routes = [
        ("GET", "", 404),
        ("GET", "nothing", 404),
        ("POST", "nothing", 404),
        ("GET", "tasks/", 404),
        ("GET", "tasks/a/b", 404),
        ("GET", "Tasks", 404),
        ("GET", "../mission-control/none", 404),
        ("POST", "notifications/x", 404),
        ("GET", "dispatch", 404),
        ("GET", "/api/mission-control", 404),
        ("GET", "/api/tools/a/b", 404),
        ("GET", "/api/capabilities/x", 404),
        ("DELETE", "tasks", 405),
        ("PUT", one.as_str(), 405),
        ("DELETE", one.as_str(), 405),
        ("POST", "capabilities", 405),
        ("GET", "heartbeat", 405),
        ("DELETE", "tool-requests", 405),
        ("PATCH", "messages", 405),
        ("GET", "notifications/x/read", 405),
        ("GET", "dispatch/notifications/x/deliver", 405),
        ("DELETE", "/api/tools", 405),
        ("GET", "/api/tools/echo", 405),
    ];
    for (method, path, status) in routes {
        let code = if status == 404 {
            "not_found"
        } else {
            "method_not_allowed"
        };
        for known in [api.agent("acme", "writer"), api.internal(), api.operator()] {
            let answer = known.send(method, path, None).await;
            assert_eq!(answer.status, status, "{method} {path}: {answer:#?}");
            answer.refused(status, code);
            assert_eq!(
                answer.headers.contains_key("allow"),
                status == 405,
                "{answer:?}"
            );
        }
        api.stranger()
            .send(method, path, None)
            .await
            .refused(401, "unauthorized");
        let wrong = api.stranger().header("X-Agent-Token", "wrong");
        wrong
            .send(method, path, None)
            .await
            .refused(401, "unauthorized");
    }
}
