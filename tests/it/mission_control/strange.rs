//! Text that breaks careless programs: it is kept as it is, or refused, on both databases alike.

use serde_json::json;

use crate::support::{Api, Json as _};

/// Asks with such text; the statuses, each with its request.
pub(super) async fn answers(api: &Api) -> Vec<(String, u16)> {
    let agent = api.agent("acme", "writer");
    let task = agent.task("T").await;
    let mut told = Vec::new();
    for id in STRANGE_IDS {
        for path in STRANGE_PATHS {
            let path = path.replace("ID", id);
            let answer = agent.get(&path).await;
            assert!([200, 400, 404].contains(&answer.status), "{answer:#?}");
            told.push((path, answer.status));
        }
        let path = format!("dispatch/notifications/{id}/deliver?user_id={id}");
        let status = api.internal().post_nothing(&path).await.status;
        assert!([400, 404].contains(&status), "{path}: {status}");
        told.push((path, status));
    }
    for text in [
        "\u{0}",
        "a\u{0}b",
        "\u{7f}",
        "\u{feff}",
        "\u{202e}",
        "𝕏",
        "'; DROP TABLE task; --",
    ] {
        for (path, name, mut body) in [
            ("tasks", "title", json!({})),
            ("tasks", "description", json!({"title": "T"})),
            ("tasks", "status", json!({"title": "T"})),
            ("tasks", "idempotency_key", json!({"title": "T"})),
            ("messages", "task_id", json!({"content": "C"})),
            ("messages", "content", json!({"task_id": task})),
            (
                "messages",
                "actor_id",
                json!({"task_id": task, "content": "C"}),
            ),
            (
                "messages",
                "agent_role",
                json!({"task_id": task, "content": "C"}),
            ),
            (
                "documents",
                "content",
                json!({"task_id": task, "title": "T"}),
            ),
            (
                "documents",
                "doc_type",
                json!({"task_id": task, "title": "T", "content": "C"}),
            ),
            (
                "notifications",
                "type",
                json!({"agent_role": "editor", "content": "C"}),
            ),
            (
                "notifications",
                "task_id",
                json!({"agent_role": "editor", "content": "C"}),
            ),
            (
                "tool-requests",
                "scope",
                json!({"title": "T", "justification": "J"}),
            ),
            (
                "tool-requests",
                "interface",
                json!({"title": "T", "justification": "J"}),
            ),
            ("heartbeat", "note", json!({})),
        ] {
            body[name] = json!(text);
            let answer = agent.post(path, body.clone()).await;
            assert!(
                [200, 400, 404].contains(&answer.status),
                "{body}: {answer:#?}"
            );
            told.push((format!("{path} {name} {text:?}"), answer.status));
            if answer.status == 200 && answer.json().get(name).is_some() {
                assert_eq!(answer.json()[name], text, "{path} {body}");
            }
        }
        let metadata = json!({"title": "T", "metadata": {text: [text]}});
        let made = agent.post("tasks", metadata.clone()).await.ok();
        let kept = agent.get(&format!("tasks/{}", made.id())).await.ok();
        assert_eq!(kept["metadata"], metadata["metadata"]);
    }
    told
}

#[tokio::test]
async fn strange_text_is_answered_and_breaks_nothing() {
    let api = Api::start();
    answers(&api).await;
    api.agent("acme", "writer").get("tasks").await.ok();
}

/// Ids, as they stand in a path, that no program gave out.
const STRANGE_IDS: [&str; 8] = [
    "%00",
    "a%00b",
    "%FF",
    "%F0%9F%98%80",
    "a%2Fb",
    "%27%20OR%201=1--",
    "%25",
    "%0A",
];

const STRANGE_PATHS: [&str; 11] = [
    "tasks/ID",
    "documents/ID",
    "tool-requests/ID",
    "tasks?title=ID",
    "tasks?status=ID",
    "tasks?agent_role=ID",
    "messages?task_id=ID",
    "documents?task_id=ID",
    "documents?doc_type=ID",
    "tool-requests?task_id=ID",
    "tasks?cursor=ID",
];
