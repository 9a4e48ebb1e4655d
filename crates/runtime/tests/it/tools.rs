//! The model calls tools (agent-runtime §9).

use std::time::Duration;

use serde_json::{Value, json};
use stationmaster_model::{Message, ToolSpec};

use crate::crew::{Crew, keyed};
use crate::model::Step;

fn call(name: &'static str, arguments: Value) -> Step {
    Step::Call(vec![(name, arguments)])
}

#[tokio::test]
async fn tools_act_as_the_agent_each_under_its_own_key() {
    let crew = Crew::new([
        Step::Call(vec![
            (
                "create_task",
                json!({ "title": "Visit", "agent_role": "scout" }),
            ),
            (
                "create_task",
                json!({ "title": "Call", "metadata": { "by": "phone" } }),
            ),
        ]),
        Step::Call(vec![
            ("update_task", json!({ "status": "blocked" })),
            (
                "post_message",
                json!({ "content": "@scout please", "task_id": "tasks-2" }),
            ),
            (
                "create_document",
                json!({ "title": "Notes", "content": "Text" }),
            ),
            (
                "request_tool",
                json!({ "title": "Maps", "justification": "Distances" }),
            ),
            ("list_notifications", json!({ "unread": true })),
            ("list_tasks", json!({ "status": "blocked" })),
        ]),
        Step::Say("All set."),
    ]);
    let crew = crew.await;
    let outcome = crew.send(keyed("k1")).await.unwrap();

    let told = crew.model.told();
    assert_eq!(
        told[0],
        json!({ "task": { "id": "tasks-2", "title": "Visit", "agent_role": "scout" } })
    );
    assert_eq!(told[2]["task"]["status"], "blocked");
    assert_eq!(told[6], json!({ "notifications": [] }));
    assert_eq!(told[7]["tasks"][0]["id"], "t1");
    assert_eq!(told[7]["tasks"].as_array().unwrap().len(), 1);

    let key = |kind: &str, at: usize| crew.backend.rows(kind)[at]["idempotency_key"].clone();
    assert_eq!(
        (key("tasks", 1), key("tasks", 2)),
        (json!("k1:1:0"), json!("k1:1:1"))
    );
    assert_eq!(
        (key("messages", 0), key("documents", 0)),
        (json!("k1:2:1"), json!("k1:2:2"))
    );
    assert_eq!(
        (key("tool-requests", 0), key("messages", 1)),
        (json!("k1:2:3"), json!("k1:msg"))
    );
    assert_eq!(
        crew.backend.rows("documents")[0]["task_id"],
        "t1",
        "the turn's own task"
    );

    let names: Vec<&str> = outcome
        .tool_calls
        .iter()
        .map(|call| call.name.as_str())
        .collect();
    assert_eq!(names.len(), 8);
    assert!(
        outcome.tool_calls.iter().all(|call| call.ok),
        "{:?}",
        outcome.tool_calls
    );
    assert_eq!(outcome.tool_calls[0].summary, "created tasks-2: Visit");
    assert_eq!(outcome.tool_calls[0].arguments["agent_role"], "scout");
    assert_eq!(
        (outcome.spent.model_calls, outcome.spent.input_tokens),
        (3, 600)
    );
}

#[tokio::test]
async fn what_is_wrong_with_a_call_is_told_to_the_model() {
    let crew = Crew::new([
        Step::Call(vec![
            ("create_task", json!({ "user_id": "u2" })),
            ("create_task", Value::String("{\"title\":".to_owned())),
            ("update_task", json!({ "task_id": "t1" })),
            (
                "update_task",
                json!({ "task_id": "t9", "status": "blocked" }),
            ),
            ("rm_rf", json!({})),
        ]),
        Step::Say("I could not."),
    ]);
    let crew = crew.await;
    let outcome = crew.send(keyed("k1")).await.unwrap();
    let errors: Vec<String> = crew
        .model
        .told()
        .iter()
        .map(|told| told["error"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(
        errors[0],
        "title is missing; user_id is not an argument; there are title, description, status, agent_role, metadata"
    );
    assert_eq!(errors[1], "the arguments are not valid JSON");
    assert!(errors[2].starts_with("nothing to change"));
    assert_eq!(errors[3], "the backend answered 404: there is no such task");
    assert!(
        errors[4].starts_with("there is no tool \"rm_rf\"; there are list_tasks, "),
        "{}",
        errors[4]
    );
    assert!(outcome.tool_calls.iter().all(|call| !call.ok));
    assert_eq!(outcome.response, "I could not.");
    assert_eq!(crew.backend.rows("tasks").len(), 1);
}

#[tokio::test]
async fn after_the_last_round_the_model_must_answer() {
    let steps = [
        call("list_tasks", json!({})),
        call("list_tasks", json!({})),
        Step::Say("Enough."),
    ];
    let crew = Crew::configured(steps, |config| config.tool_rounds = 2).await;
    let outcome = crew.send(keyed("k1")).await.unwrap();
    let asked = crew.model.asked();
    assert_eq!((asked.len(), outcome.tool_calls.len()), (3, 2));
    assert!(!asked[1].tools.is_empty());
    assert!(asked[2].tools.is_empty());
    let Some(Message::User(last)) = asked[2].messages.last() else {
        panic!()
    };
    assert!(last.contains("final answer"), "{last}");
    assert_eq!(outcome.response, "Enough.");

    let steps = [call("list_tasks", json!({})), call("list_tasks", json!({}))];
    let crew = Crew::configured(steps, |config| config.tool_rounds = 1).await;
    assert_eq!(crew.refused(keyed("k1")).await, "model_empty");
    assert!(crew.backend.rows("messages").is_empty());
}

#[tokio::test]
async fn the_backends_own_tools_are_offered_beside_ours() {
    let crew = Crew::new([
        Step::Call(vec![
            ("echo", json!({ "message": "hi" })),
            ("look_up", json!({ "q": 1 })),
            ("create_task", json!({ "title": "T" })),
        ]),
        Step::Say("Echoed."),
    ]);
    let crew = crew.await;
    crew.backend.lock().tools = Some(json!([
        { "name": "echo", "description": "Says it again", "parameters": { "type": "object" } },
        { "name": "look_up", "description": "Finds it", "parameters": { "type": "object" } },
        { "name": "create_task", "description": "Theirs", "parameters": { "type": "object" } },
    ]));
    crew.send(keyed("k1")).await.unwrap();
    let offered = crew.model.asked()[0].tools.clone();
    let named = |name: &str| {
        offered
            .iter()
            .filter(|tool| tool.name == name)
            .cloned()
            .collect::<Vec<ToolSpec>>()
    };
    assert_eq!(offered.len(), 9);
    assert_eq!(named("echo")[0].description, "Says it again");
    assert_ne!(named("create_task")[0].description, "Theirs");
    assert_eq!(
        crew.model.told()[0],
        json!({ "tool": "echo", "echo": { "message": "hi" } })
    );
    // What the backend offers an agent, the agent may call, known here or not.
    assert_eq!(crew.backend.bodies("POST /api/tools/look_up").len(), 1);
    let body = &crew.backend.bodies("POST /api/tools/echo")[0];
    assert_eq!(
        (&body["tenant_id"], &body["workspace_id"]),
        (&json!("u1"), &json!("default"))
    );
    assert!(
        crew.backend
            .bodies("POST /api/tools/create_task")
            .is_empty()
    );
}

#[tokio::test]
async fn a_tool_of_the_backend_is_never_called_twice() {
    let crew = Crew::new([call("echo", json!({})), Step::Say("It failed.")]).await;
    crew.backend.lock().tools = Some(json!([{ "name": "echo" }]));
    crew.backend.fail("POST /api/tools/echo", 500, 1);
    crew.send(keyed("k1")).await.unwrap();
    assert_eq!(
        crew.model.told()[0]["error"],
        "the backend answered 500: as the test wants"
    );
    assert_eq!(crew.backend.bodies("POST /api/tools/echo").len(), 1);
}

#[tokio::test]
async fn a_call_that_does_not_end_is_an_error_result() {
    let steps = [
        call("update_task", json!({ "status": "done" })),
        Step::Say("It hangs."),
    ];
    let crew = Crew::configured(steps, |config| config.tool_time = Duration::from_millis(50)).await;
    crew.backend
        .never_answer("PATCH /api/mission-control/tasks/t1");
    let outcome = crew.send(keyed("k1")).await.unwrap();
    assert_eq!(
        crew.model.told()[0]["error"],
        "no result within 0.05 s; it may or may not have been done"
    );
    assert_eq!(outcome.response, "It hangs.");
}

#[tokio::test]
async fn a_runaway_is_slowed_down() {
    let many = (0..20).map(|_| ("list_tasks", json!({}))).collect();
    let crew = Crew::new([Step::Call(many), Step::Say("Sorry.")]).await;
    let outcome = crew.send(keyed("k1")).await.unwrap();
    assert_eq!(outcome.tool_calls.iter().filter(|call| call.ok).count(), 16);
    assert_eq!(
        crew.model.told()[19]["error"],
        "at most 16 calls at once; this one was not made"
    );
}

#[tokio::test]
async fn a_model_may_be_offered_none() {
    let crew = Crew::configured([Step::Say("Fine.")], |config| config.offers_tools = false).await;
    crew.send(keyed("k1")).await.unwrap();
    assert!(crew.model.asked()[0].tools.is_empty());
    assert!(crew.backend.bodies("GET /api/tools").is_empty());
}
