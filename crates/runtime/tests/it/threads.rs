//! Which task a turn belongs to (agent-runtime §4).

use futures::future::join_all;
use sha2::{Digest, Sha256};
use stationmaster_runtime::SendRequest;

use crate::crew::{Crew, request};

fn titled(title: &str) -> SendRequest {
    SendRequest {
        task_id: None,
        task_title: Some(title.to_owned()),
        ..request()
    }
}

#[tokio::test]
async fn a_thread_is_found_by_title_past_the_first_page() {
    for knows_title_filter in [false, true] {
        let crew = Crew::new([]).await;
        crew.backend.lock().knows_title_filter = knows_title_filter;
        crew.backend.add_task("u2", "theirs", "Schools");
        crew.backend.add_task("u1", "wanted", "Schools");
        for number in 0..250 {
            crew.backend
                .add_task("u1", &format!("n{number}"), &format!("Schools {number}"));
        }
        let outcome = crew.send(titled("Schools")).await.unwrap();
        assert_eq!(outcome.task_id, "wanted");
        assert!(
            crew.backend
                .bodies("POST /api/mission-control/tasks")
                .is_empty()
        );
        let lists = crew.backend.bodies("GET /api/mission-control/tasks").len();
        assert_eq!(lists, if knows_title_filter { 1 } else { 6 });
    }
}

#[tokio::test]
async fn a_missing_thread_is_made_with_the_key_of_its_title() {
    let crew = Crew::new([]).await;
    let outcome = crew.send(titled("Schools")).await.unwrap();
    let made = crew.backend.bodies("POST /api/mission-control/tasks");
    let digest = hex::encode(Sha256::digest(b"u1\nSchools"));
    let expected = serde_json::json!({
        "title": "Schools",
        "description": "The conversation \"Schools\".",
        "status": "in_progress",
        "metadata": { "type": "agent_thread" },
        "idempotency_key": format!("thread:{digest}"),
    });
    assert_eq!(made, [expected]);
    assert_eq!(
        crew.send(titled("Schools")).await.unwrap().task_id,
        outcome.task_id
    );
    assert_eq!(crew.backend.rows("messages").len(), 2);
}

#[tokio::test]
async fn parallel_turns_with_one_title_share_one_task() {
    let crew = Crew::new([]).await;
    crew.backend.let_lists_meet(6);
    // Some ask for another description, which the backend answers with 409.
    let requests = (0..6).map(|number| SendRequest {
        task_description: Some(format!("As {} wants", number % 2)),
        ..titled("Schools")
    });
    let outcomes = join_all(requests.map(|request| crew.send(request))).await;
    let tasks: Vec<String> = outcomes
        .into_iter()
        .map(|outcome| outcome.unwrap().task_id)
        .collect();
    assert!(tasks.iter().all(|task| *task == tasks[0]), "{tasks:?}");
    let rows = crew.backend.rows("tasks");
    assert_eq!(
        rows.iter().filter(|row| row["title"] == "Schools").count(),
        1
    );
    assert_eq!(crew.backend.rows("messages").len(), 6);
}

#[tokio::test]
async fn turns_without_a_task_go_to_the_default_one_if_there_is_one() {
    let default = |config: &mut stationmaster_runtime::Config| {
        config.default_task = Some("Inbox".to_owned());
    };
    let crew = Crew::configured([], default).await;
    let untold = SendRequest {
        task_id: None,
        ..request()
    };
    crew.send(untold.clone()).await.unwrap();
    assert_eq!(crew.backend.rows("tasks")[1]["title"], "Inbox");
    let crew = Crew::new([]).await;
    assert_eq!(crew.refused(untold).await, "task_required");
}
