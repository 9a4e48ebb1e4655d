//! §4: which task a turn is about.

use futures::future::join_all;
use serde_json::{Value, json};

use super::crew::{Crew, refused, said, thread, turn, turn_without};
use crate::support::Json as _;

/// A request that names no task.
fn homeless(changes: Value) -> Value {
    turn_without("task_title", changes)
}

#[tokio::test]
async fn a_task_that_is_named_by_id_is_used_whatever_its_title() {
    let crew = Crew::start();
    let owner = crew.owner();
    let task = owner.task("Something else").await;
    let sent = crew.send(turn(json!({"task_id": task}))).await.ok();
    assert_eq!(sent["task_id"], task);
    assert_eq!(owner.items("tasks").await.len(), 1);
    assert_eq!(thread(&owner, &task).await.len(), 1);
}

#[tokio::test]
async fn an_unknown_task_is_404_and_no_model_is_asked() {
    let crew = Crew::start();
    let foreign = crew.api.agent("globex", "owner").task("Launch").await;
    for id in ["nope", foreign.as_str(), "task\u{1}", "../tasks", "%00"] {
        let answer = crew.send(homeless(json!({"task_id": id}))).await;
        let body = refused(&answer, 404, "task_not_found");
        assert_eq!(body["details"]["task_id"], id);
    }
    assert_eq!(crew.model.request_count(), 0);
    assert_eq!(said(&crew.api.agent("globex", "owner")).await, [""; 0]);
}

#[tokio::test]
async fn a_new_title_becomes_a_task_in_progress_that_says_it_is_a_thread() {
    let crew = Crew::start();
    let owner = crew.owner();
    for id in [json!(""), Value::Null] {
        let sent = crew
            .send(turn(json!({"task_id": id, "task_title": "Launch ✓"})))
            .await
            .ok();
        let task = owner
            .get(&format!("tasks/{}", sent.text("task_id")))
            .await
            .ok();
        assert_eq!(task["title"], "Launch ✓");
        assert_eq!(task["status"], "in_progress");
        assert_eq!(task["metadata"], json!({"type": "agent_thread"}));
        let description = task.text("description");
        assert!(description.contains("Launch ✓"), "{description}");
    }
    assert_eq!(owner.items("tasks").await.len(), 1);
}

#[tokio::test]
async fn a_new_task_gets_the_description_and_metadata_of_the_request() {
    let crew = Crew::start();
    let own = json!({"task_description": "All of it", "task_metadata": {"n": {"deep": [1]}}});
    let first = crew.send(turn(own)).await.ok();
    let other = json!({"task_description": "Else", "task_metadata": {"m": 1}});
    assert_eq!(
        crew.send(turn(other)).await.ok()["task_id"],
        first["task_id"]
    );
    let tasks = crew.owner().items("tasks").await;
    assert_eq!(tasks.len(), 1);
    assert_eq!(tasks[0]["description"], "All of it");
    assert_eq!(tasks[0]["metadata"], json!({"n": {"deep": [1]}}));
}

#[tokio::test]
async fn a_title_is_found_in_any_status_only_when_it_is_equal() {
    let crew = Crew::start();
    let owner = crew.owner();
    let done = json!({"title": "Launch", "status": "completed"});
    let done = owner.post("tasks", done).await.ok().id();
    crew.api.agent("globex", "owner").task("launch").await;
    assert_eq!(crew.send(turn(json!({}))).await.ok()["task_id"], done);
    for title in ["launch", "Launch!", " Launch"] {
        let sent = crew.send(turn(json!({"task_title": title}))).await.ok();
        assert_ne!(sent["task_id"], done, "{title:?}");
    }
    assert_eq!(owner.items("tasks").await.len(), 4);
}

#[tokio::test]
async fn a_title_is_found_however_many_tasks_came_after_it() {
    let crew = Crew::start();
    let owner = crew.owner();
    let first = crew.send(turn(json!({}))).await.ok().text("task_id");
    for number in 0..120 {
        owner.task(&format!("Other {number}")).await;
    }
    assert_eq!(crew.send(turn(json!({}))).await.ok()["task_id"], first);
}

#[tokio::test]
async fn a_request_without_a_task_goes_to_the_default_task() {
    for (environment, expected) in [
        (&[("CLASPER_DEFAULT_TASK", "Inbox")][..], "Inbox"),
        (&[("WOMBAT_DEFAULT_TASK", "Post")], "Post"),
        (
            &[
                ("WOMBAT_DEFAULT_TASK", "Post"),
                ("CLASPER_DEFAULT_TASK", "Inbox"),
            ],
            "Inbox",
        ),
        (
            &[
                ("WOMBAT_DEFAULT_TASK", "Post"),
                ("CLASPER_DEFAULT_TASK", ""),
            ],
            "Post",
        ),
    ] {
        let crew = Crew::with(|builder| {
            environment
                .iter()
                .fold(builder, |it, (name, value)| it.environment(name, *value))
        });
        crew.send(homeless(json!({}))).await.ok();
        crew.send(homeless(json!({"task_title": ""}))).await.ok();
        let tasks = crew.owner().items("tasks").await;
        let titles: Vec<_> = tasks.iter().map(|task| task.text("title")).collect();
        assert_eq!(titles, [expected]);
        assert_eq!(tasks[0]["metadata"], json!({"type": "agent_thread"}));
        // A title of the request's own goes before.
        crew.send(turn(json!({}))).await.ok();
        assert_eq!(crew.owner().items("tasks").await.len(), 2);
    }
}

#[tokio::test]
async fn a_request_without_any_task_is_400() {
    let crew = Crew::start();
    for none in [json!({}), json!({"task_title": "", "task_id": ""})] {
        refused(&crew.send(homeless(none)).await, 400, "task_required");
    }
    assert_eq!(crew.model.request_count(), 0);
}

#[tokio::test]
async fn eight_turns_at_once_with_one_new_title_share_one_task() {
    let crew = Crew::start();
    let sends = (0..8).map(|number| {
        let key = format!("user:acme:writer{}", number % 3);
        crew.send(turn(
            json!({"session_key": key, "message": format!("{number}")}),
        ))
    });
    let ids: Vec<Value> = join_all(sends)
        .await
        .iter()
        .map(|answer| answer.ok()["task_id"].clone())
        .collect();
    assert!(ids.iter().all(|id| *id == ids[0]), "{ids:?}");
    let tasks = crew.owner().items("tasks").await;
    assert_eq!(tasks.len(), 1, "{tasks:#?}");
    let mut said = said(&crew.owner()).await;
    said.sort();
    assert_eq!(said, ["0", "1", "2", "3", "4", "5", "6", "7"]);
}
