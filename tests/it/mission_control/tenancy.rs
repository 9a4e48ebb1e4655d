//! §3: what belongs to another tenant looks exactly like what is not there.

use serde_json::{Value, json};

use super::world::World;
use crate::support::{Api, Caller};

#[tokio::test]
async fn another_tenants_ids_look_exactly_like_missing_ones() {
    let api = Api::start();
    let owner = api.agent("acme", "writer");
    let world = World::fill(&owner).await;
    let before = world.state(&owner).await;
    let intruder = api.agent("globex", "writer");
    world_of(&intruder).await;

    for (what, theirs) in world.ids() {
        for missing in [
            "no-such-id",
            "",
            &theirs.to_uppercase(),
            &format!("{theirs}x"),
        ] {
            for (method, path, body) in probes(what) {
                let ask = async |id: &str| {
                    let body = body.as_ref().map(|body| body.to_string().replace("ID", id));
                    let answer = intruder
                        .send(method, &path.replace("ID", id), body.map(Into::into))
                        .await;
                    (answer.status, answer.text)
                };
                // An empty id makes another path.
                if missing.is_empty() && path.contains("ID") || missing.is_empty() && body.is_some()
                {
                    continue;
                }
                let told = ask(&theirs).await;
                assert_eq!(told, ask(missing).await, "{method} {path} {missing:?}");
                assert_eq!(told.0, 404, "{method} {path}: {}", told.1);
            }
        }
    }
    assert_eq!(
        before,
        world.state(&owner).await,
        "nothing of it has changed"
    );
}

/// The intruder has things of its own, so that what it lacks is not just a first row.
async fn world_of(intruder: &Caller) {
    World::fill(intruder).await;
}

/// Every request that names a thing of this kind.
fn probes(what: &str) -> Vec<(&'static str, &'static str, Option<Value>)> {
    match what {
        "task" => vec![
            ("GET", "tasks/ID", None),
            ("PATCH", "tasks/ID", Some(json!({"title": "mine now"}))),
            ("PATCH", "tasks/ID", Some(json!({}))),
            ("GET", "messages?task_id=ID", None),
            (
                "POST",
                "messages",
                Some(json!({"task_id": "ID", "content": "hello"})),
            ),
            (
                "POST",
                "documents",
                Some(json!({"task_id": "ID", "title": "T", "content": "C"})),
            ),
            (
                "POST",
                "notifications",
                Some(json!({"task_id": "ID", "agent_role": "writer", "content": "C"})),
            ),
            (
                "POST",
                "tool-requests",
                Some(json!({"task_id": "ID", "title": "T", "justification": "J"})),
            ),
            (
                "POST",
                "/api/tools/update_task",
                Some(json!({"arguments": {"task_id": "ID", "title": "T"}})),
            ),
            (
                "POST",
                "/api/tools/post_message",
                Some(json!({"arguments": {"task_id": "ID", "content": "C"}})),
            ),
            (
                "POST",
                "/api/tools/create_document",
                Some(json!({"arguments": {"task_id": "ID", "title": "T", "content": "C"}})),
            ),
            (
                "POST",
                "/api/tools/request_tool",
                Some(json!({"arguments": {"task_id": "ID", "title": "T", "justification": "J"}})),
            ),
        ],
        "document" => vec![("GET", "documents/ID", None)],
        "notification" => vec![("POST", "notifications/ID/read", None)],
        "tool_request" => vec![
            ("GET", "tool-requests/ID", None),
            (
                "PATCH",
                "tool-requests/ID",
                Some(json!({"status": "withdrawn"})),
            ),
            (
                "PATCH",
                "tool-requests",
                Some(json!({"status": "withdrawn", "id": "ID"})),
            ),
        ],
        other => panic!("{other}"),
    }
}

#[tokio::test]
async fn a_list_shows_only_the_tenants_own_whatever_the_query_says() {
    let api = Api::start();
    let (acme, globex) = (api.agent("acme", "writer"), api.agent("globex", "writer"));
    let world = World::fill(&acme).await;
    for list in [
        "tasks",
        "messages",
        "documents",
        "notifications?all=true",
        "tool-requests",
    ] {
        assert!(!acme.items(list).await.is_empty(), "{list}");
        assert!(globex.items(list).await.is_empty(), "{list}");
        let both = if list.contains('?') { '&' } else { '?' };
        assert!(
            globex
                .items(&format!("{list}{both}user_id=acme"))
                .await
                .is_empty(),
            "{list}"
        );
        for item in acme.items(&format!("{list}{both}user_id=globex")).await {
            assert_eq!(item["user_id"], "acme", "{list}");
        }
    }
    for filtered in ["documents", "tool-requests"] {
        let found = globex
            .items(&format!("{filtered}?task_id={}", world.task))
            .await;
        assert!(found.is_empty(), "{filtered}");
    }
}

#[tokio::test]
async fn a_user_id_in_the_body_that_is_not_the_tokens_is_403() {
    let api = Api::start();
    let acme = api.agent("acme", "writer");
    let world = World::fill(&acme).await;
    let (task, request) = (&world.task, &world.tool_request);
    let before = world.state(&acme).await;
    let writes = [
        ("POST", "tasks".to_owned(), json!({"title": "T"})),
        (
            "PATCH",
            format!("tasks/{task}"),
            json!({"title": "Another title"}),
        ),
        (
            "POST",
            "messages".to_owned(),
            json!({"task_id": task, "content": "C"}),
        ),
        (
            "POST",
            "documents".to_owned(),
            json!({"task_id": task, "title": "T", "content": "C"}),
        ),
        (
            "POST",
            "notifications".to_owned(),
            json!({"agent_role": "writer", "content": "C"}),
        ),
        (
            "POST",
            "notifications".to_owned(),
            json!({"session_key": "user:globex:writer", "content": "C"}),
        ),
        ("POST", "heartbeat".to_owned(), json!({})),
        ("POST", "standup".to_owned(), json!({})),
        (
            "POST",
            "tool-requests".to_owned(),
            json!({"title": "T", "justification": "J"}),
        ),
        (
            "PATCH",
            format!("tool-requests/{request}"),
            json!({"status": "withdrawn"}),
        ),
        (
            "PATCH",
            "tool-requests".to_owned(),
            json!({"id": request, "status": "withdrawn"}),
        ),
        (
            "POST",
            "/api/tools/create_task".to_owned(),
            json!({"tenant_id": "globex", "arguments": {"title": "T"}}),
        ),
        (
            "POST",
            "/api/tools/create_task".to_owned(),
            json!({"arguments": {"title": "T", "user_id": "globex"}}),
        ),
    ];
    for (method, path, mut body) in writes {
        if body.get("session_key").is_none() && body.get("arguments").is_none() {
            body["user_id"] = json!("globex");
        }
        let answer = acme
            .send(method, &path, Some(body.to_string().into()))
            .await;
        assert_eq!(answer.status, 403, "{body}: {answer:#?}");
        answer.refused(403, "forbidden");
    }
    assert_eq!(before, world.state(&acme).await, "nothing was written");
    acme.post("heartbeat", json!({"user_id": "acme"}))
        .await
        .ok();
    acme.post("tasks", json!({"title": "T", "user_id": "acme"}))
        .await
        .ok();
}

#[tokio::test]
async fn one_agents_notification_is_not_anothers_to_read() {
    let api = Api::start();
    let writer = api.agent("acme", "writer");
    let world = World::fill(&writer).await;
    let path = format!("notifications/{}/read", world.notification);
    api.agent("acme", "editor")
        .post_nothing(&path)
        .await
        .refused(403, "forbidden");
    writer.post_nothing(&path).await.ok();
}
