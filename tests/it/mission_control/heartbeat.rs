//! §11: heartbeats and standups.

use serde_json::{Value, json};

use super::world::World;
use crate::support::clock::Moved;
use crate::support::{Api, Caller, Json as _};

async fn hold(who: &Caller, body: Value) -> Value {
    who.post("standup", body).await.ok()
}

#[tokio::test]
async fn a_heartbeat_tells_what_waits_for_the_agent() {
    let api = Api::start();
    let (writer, editor) = (api.agent("acme", "writer"), api.agent("acme", "editor"));
    let beat = editor
        .post("heartbeat", json!({"user_id": "acme"}))
        .await
        .ok();
    let expected = json!({
        "status": "ok",
        "user_id": "acme",
        "agent_role": "editor",
        "recorded_at": beat["recorded_at"],
        "pending": {"notifications": 0, "tasks": {"pending": 0, "in_progress": 0, "blocked": 0}},
    });
    assert_eq!(beat, expected);
    assert!(super::is_utc_time(&beat.text("recorded_at")));
    for (status, role) in [
        ("pending", json!("editor")),
        ("pending", json!("writer")),
        ("in_progress", Value::Null),
        ("in_progress", json!("editor")),
        ("blocked", json!("editor")),
        ("completed", json!("editor")),
        ("cancelled", Value::Null),
    ] {
        let body = json!({"title": "T", "status": status, "agent_role": role});
        writer.post("tasks", body).await.ok();
    }
    let beat = editor.post("heartbeat", json!({})).await.ok();
    let tasks = json!({"pending": 1, "in_progress": 2, "blocked": 1});
    assert_eq!(beat["pending"], json!({"notifications": 4, "tasks": tasks}));
    let read = editor.items("notifications").await[0].id();
    editor
        .post_nothing(&format!("notifications/{read}/read"))
        .await
        .ok();
    let delivered = editor.items("notifications").await[1].id();
    let path = format!("dispatch/notifications/{delivered}/deliver?user_id=acme");
    api.internal().post_nothing(&path).await.ok();
    let beat = editor.post_nothing("heartbeat").await.ok();
    assert_eq!(beat["pending"]["notifications"], 2);
}

#[tokio::test]
async fn a_heartbeat_says_how_the_agent_is() {
    let api = Api::start();
    let agent = api.agent("acme", "writer");
    let mut events = agent.events("?types=heartbeat.recorded").await;
    for status in ["ok", "busy", "idle", "blocked"] {
        let body = json!({"status": status, "note": "n", "metrics": {"load": 0.5}});
        let beat = agent.post("heartbeat", body).await.ok();
        assert_eq!(beat["status"], "ok", "the answer's own");
        let data = events.next().await.json()["data"].clone();
        let expected = json!({"user_id": "acme", "agent_role": "writer", "status": status,
            "note": "n", "metrics": {"load": 0.5}, "recorded_at": beat["recorded_at"]});
        assert_eq!(data, expected);
    }
}

#[tokio::test]
async fn a_standup_sums_up_the_day_and_is_kept_once_a_day() {
    let moved = Moved::start_at_noon();
    let api = &moved.api;
    let agent = api.agent("acme", "writer");
    World::fill(&agent).await;
    let blocked = json!({"title": "Stuck on legal", "status": "blocked"});
    agent.post("tasks", blocked).await.ok();
    let first = hold(&agent, json!({"user_id": "acme", "timezone": "UTC"})).await;
    for name in ["date", "document_id", "task_id", "content"] {
        assert!(!first.text(name).is_empty(), "{name}: {first}");
    }
    assert_eq!(
        (&first["status"], &first["timezone"]),
        (&json!("ok"), &json!("UTC"))
    );
    assert!(
        first.text("date").parse::<jiff::civil::Date>().is_ok(),
        "{first}"
    );
    assert!(first.text("content").contains("Stuck on legal"), "{first}");
    let counts = &first["counts"];
    assert_eq!(counts["tasks"]["blocked"], 1);
    assert_eq!(counts["tasks"]["in_progress"], 1);
    assert_eq!(
        (&counts["messages"], &counts["documents"]),
        (&json!(1), &json!(1))
    );
    assert_eq!(
        (&counts["blocked"], &counts["open_tool_requests"]),
        (&json!(1), &json!(1))
    );

    let document = agent
        .get(&format!("documents/{}", first.text("document_id")))
        .await
        .ok();
    assert_eq!(document["doc_type"], "standup");
    assert_eq!(document["content"], first["content"]);
    assert_eq!(document["task_id"], first["task_id"]);
    let task = agent
        .get(&format!("tasks/{}", first.text("task_id")))
        .await
        .ok();
    assert_eq!(task["title"], "Daily Standup");

    agent.task("Something new").await;
    let second = hold(&api.agent("acme", "editor"), json!({})).await;
    assert_eq!(second["document_id"], first["document_id"]);
    assert_eq!(second["task_id"], first["task_id"]);
    assert!(second.text("content").contains("Something new"), "{second}");
    let kept = agent.items("documents?doc_type=standup").await;
    assert_eq!(kept.len(), 1);
    assert_eq!(
        kept[0]["content"], second["content"],
        "it is brought up to date"
    );
    assert_eq!(agent.items("tasks?title=Daily%20Standup").await.len(), 1);

    moved.ahead(86_400);
    let tomorrow = hold(&agent, json!({})).await;
    assert_ne!(tomorrow["date"], first["date"]);
    assert_ne!(tomorrow["document_id"], first["document_id"]);
    assert_eq!(tomorrow["task_id"], first["task_id"]);
    assert_eq!(tomorrow["counts"]["messages"], 0, "yesterday's");
    assert_eq!(agent.items("documents?doc_type=standup").await.len(), 2);
}

#[tokio::test]
async fn a_standups_day_is_the_zones() {
    let api = Api::start();
    let agent = api.agent("acme", "writer");
    // These two are never on the same date.
    let east = hold(&agent, json!({"timezone": "Pacific/Kiritimati"})).await;
    let west = hold(&agent, json!({"timezone": "Pacific/Pago_Pago"})).await;
    assert_ne!(east["date"], west["date"]);
    assert_ne!(east["document_id"], west["document_id"]);
    assert_eq!(east["task_id"], west["task_id"]);
    assert_eq!(east["timezone"], "Pacific/Kiritimati");
    let empty = hold(&agent, json!({"timezone": ""})).await;
    assert_eq!(empty["timezone"], "UTC");
}

#[tokio::test]
async fn an_internal_token_holds_one_users_standup_or_everybodys() {
    let moved = Moved::start_at_noon();
    let api = &moved.api;
    let internal = api.internal();
    let nobody = hold(&internal, json!({"timezone": "UTC"})).await;
    assert_eq!(nobody, json!({"status": "ok", "results": []}));
    for tenant in ["acme", "globex", "initech"] {
        api.agent(tenant, "writer").task(tenant).await;
    }
    let one = hold(&internal, json!({"user_id": "acme"})).await;
    assert_eq!(one["user_id"], "acme");
    let all = hold(&internal, json!({})).await;
    let results = all["results"].as_array().unwrap();
    let mut users: Vec<String> = results.iter().map(|it| it.text("user_id")).collect();
    users.sort();
    assert_eq!(users, ["acme", "globex", "initech"]);
    for result in results {
        let tenant = result.text("user_id");
        assert!(result.text("content").contains(&tenant), "{result}");
        let own = api.agent(&tenant, "writer").items("documents").await;
        assert_eq!(own.len(), 1, "{tenant}");
        assert_eq!(own[0]["id"], result["document_id"]);
    }
    // The next day, only those with whom something happens.
    moved.ahead(86_400);
    api.agent("globex", "writer").task("new").await;
    let all = hold(&internal, json!({})).await;
    let results = all["results"].as_array().unwrap();
    let users: Vec<String> = results.iter().map(|it| it.text("user_id")).collect();
    assert_eq!(users, ["globex"]);
    api.operator()
        .post("standup", json!({}))
        .await
        .refused(401, "unauthorized");
}
