//! §8.1: tasks.

use serde_json::{Value, json};

use crate::support::{Api, Caller, Json as _};

async fn make(agent: &Caller, body: Value) -> Value {
    agent.post("tasks", body).await.ok()
}

#[tokio::test]
async fn a_task_of_a_title_alone_is_in_progress_and_has_every_member() {
    let api = Api::start();
    let agent = api.agent("acme", "writer");
    let task = make(&agent, json!({"title": "Launch"})).await;
    let expected = json!({
        "id": task["id"],
        "user_id": "acme",
        "title": "Launch",
        "description": null,
        "status": "in_progress",
        "metadata": null,
        "agent_role": null,
        "created_by_role": "writer",
        "created_at": task["created_at"],
        "updated_at": task["created_at"],
    });
    assert_eq!(task, expected);
    assert!(!task.id().is_empty());
    assert!(super::is_utc_time(&task.text("created_at")), "{task}");
    let path = format!("tasks/{}", task.id());
    assert_eq!(agent.get(&path).await.ok(), task);
    assert_eq!(agent.items("tasks").await, [task]);
}

#[tokio::test]
async fn what_a_task_is_given_comes_back_as_it_was() {
    let api = Api::start();
    let agent = api.agent("acme", "writer");
    let metadata = json!({
        "type": "agent_thread",
        "z": 1, "a": [1, 2.5, null, {"deep": true}],
        "big": 9007199254740993_i64, "text": "é😀\u{1}\u{0}",
    });
    let given = json!({
        "title": " Ünï \"quoted\" <b>",
        "description": "line\nline",
        "status": "pending",
        "metadata": metadata,
        "agent_role": "editor",
    });
    let task = make(&agent, given.clone()).await;
    let kept = agent.get(&format!("tasks/{}", task.id())).await.ok();
    assert_eq!(kept, task);
    for (name, value) in given.as_object().unwrap() {
        assert_eq!(&kept[name], value, "{name}");
    }
    let order: Vec<&String> = kept["metadata"].as_object().unwrap().keys().collect();
    assert_eq!(order, ["type", "z", "a", "big", "text"]);
    let empty = make(&agent, json!({"title": "T", "metadata": {}})).await;
    assert_eq!(empty["metadata"], json!({}));
}

#[tokio::test]
async fn a_status_is_any_text_of_1_to_64_characters_at_any_time() {
    let api = Api::start();
    let agent = api.agent("acme", "writer");
    let long = "ü".repeat(64);
    let words = [
        "pending",
        "in_progress",
        "blocked",
        "completed",
        "cancelled",
        "on hold",
        "DONE",
        &long,
    ];
    for word in words {
        let task = make(&agent, json!({"title": word, "status": word})).await;
        assert_eq!(task["status"], word);
        let path = format!("tasks/{}", task.id());
        // A task leaves every status, the final-sounding ones too.
        for next in words {
            let patched = agent.patch(&path, json!({"status": next})).await.ok();
            assert_eq!(patched["status"], next, "{word}");
        }
        for bad in [json!(""), json!("x".repeat(65)), json!(1)] {
            let answer = agent.patch(&path, json!({"status": bad})).await;
            assert_eq!(answer.faults(), ["status"]);
        }
        assert_eq!(agent.get(&path).await.ok()["status"], long);
    }
}

#[tokio::test]
async fn a_patch_changes_what_it_names_and_nothing_else() {
    let api = Api::start();
    let agent = api.agent("acme", "writer");
    let mut expected = make(
        &agent,
        json!({"title": "T", "description": "D", "agent_role": "editor",
            "metadata": {"a": 1, "b": {"x": 1}, "c": [1]}}),
    )
    .await;
    let path = format!("tasks/{}", expected.id());
    for (patch, name, value) in [
        (json!({"title": "U"}), "title", json!("U")),
        (json!({"status": "blocked"}), "status", json!("blocked")),
        (json!({"description": "E"}), "description", json!("E")),
        (json!({"description": null}), "description", Value::Null),
        (json!({"agent_role": "lead"}), "agent_role", json!("lead")),
        (json!({"agent_role": null}), "agent_role", Value::Null),
        (
            json!({"metadata": {"a": 2, "c": null, "d": {"y": null}}}),
            "metadata",
            json!({"a": 2, "b": {"x": 1}, "d": {"y": null}}),
        ),
        (
            json!({"metadata": {"b": {"z": 1}, "none": null}}),
            "metadata",
            json!({"a": 2, "b": {"z": 1}, "d": {"y": null}}),
        ),
        (
            json!({"metadata": {"a": null, "b": null, "d": null}}),
            "metadata",
            json!({}),
        ),
    ] {
        let patched = agent.patch(&path, patch.clone()).await.ok();
        expected[name] = value;
        expected["updated_at"] = patched["updated_at"].clone();
        assert_eq!(patched, expected, "{patch}");
        assert_eq!(agent.get(&path).await.ok(), expected, "{patch}");
    }
    // What changes nothing writes nothing.
    for patch in [json!({}), json!({"title": "U"}), json!({"metadata": null})] {
        assert_eq!(agent.patch(&path, patch).await.ok(), expected);
    }
    let wrong = json!({"title": "V", "status": ""});
    assert_eq!(agent.patch(&path, wrong).await.faults(), ["status"]);
    assert_eq!(
        agent.patch(&path, json!({"title": " "})).await.faults(),
        ["title"]
    );
    assert_eq!(agent.get(&path).await.ok(), expected, "all of it or none");
}

#[tokio::test]
async fn a_task_that_is_not_there_is_task_not_found() {
    let api = Api::start();
    let agent = api.agent("acme", "writer");
    agent.get("tasks/none").await.refused(404, "task_not_found");
    let patch = agent.patch("tasks/none", json!({"title": "T"})).await;
    patch.refused(404, "task_not_found");
}

#[tokio::test]
async fn tasks_are_found_by_exact_title_status_and_assignee() {
    let api = Api::start();
    let agent = api.agent("acme", "writer");
    for (title, status, role) in [
        ("Launch", "pending", json!("editor")),
        ("launch", "pending", Value::Null),
        ("Launch ", "blocked", json!("editor")),
        ("100% a+b&c", "on hold", json!("lead")),
    ] {
        let body = json!({"title": title, "status": status, "agent_role": role});
        make(&agent, body).await;
    }
    for (query, expected) in [
        ("title=Launch", vec!["Launch"]),
        ("title=Launch%20", vec!["Launch "]),
        ("title=Laun", vec![]),
        ("title=Laun%25", vec![]),
        ("title=100%25%20a%2Bb%26c", vec!["100% a+b&c"]),
        ("status=pending", vec!["launch", "Launch"]),
        ("status=on%20hold", vec!["100% a+b&c"]),
        ("status=unknown", vec![]),
        ("agent_role=editor", vec!["Launch ", "Launch"]),
        ("agent_role=editor&status=pending", vec!["Launch"]),
        (
            "title=&status=&agent_role=",
            vec!["100% a+b&c", "Launch ", "launch", "Launch"],
        ),
    ] {
        let found: Vec<String> = agent
            .items(&format!("tasks?{query}"))
            .await
            .iter()
            .map(|task| task.text("title"))
            .collect();
        assert_eq!(found, expected, "{query}");
    }
}
