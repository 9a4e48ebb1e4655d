//! §13: the same writes as tools that an agent calls.

use serde_json::{Value, json};

use super::world::World;
use crate::support::{Answer, Api, Caller, Json as _};

async fn call(agent: &Caller, tool: &str, arguments: Value) -> Answer {
    let body = json!({"arguments": arguments, "trace_id": "t", "workspace_id": "w"});
    agent.post(&format!("/api/tools/{tool}"), body).await
}

#[tokio::test]
async fn every_tool_is_listed_with_a_schema_of_its_arguments() {
    let api = Api::start();
    let agent = api.agent("acme", "writer");
    for caller in [agent.clone(), agent.header("X-Tenant-ID", "acme")] {
        let listed = caller.get("/api/tools").await.ok();
        let tools = listed["tools"].as_array().unwrap();
        let names: Vec<String> = tools.iter().map(|tool| tool.text("name")).collect();
        for name in [
            "echo",
            "create_task",
            "update_task",
            "post_message",
            "create_document",
            "request_tool",
        ] {
            assert!(names.contains(&name.to_owned()), "{name} in {names:?}");
        }
        for tool in tools {
            assert!(!tool.text("description").is_empty(), "{tool}");
            let schema = &tool["parameters"];
            assert_eq!(schema["type"], "object", "{tool}");
            assert!(schema["properties"].is_object(), "{tool}");
            let text = schema.to_string();
            assert!(
                !text.contains("$ref"),
                "nothing to look up elsewhere: {text}"
            );
            assert!(schema["properties"].get("user_id").is_none(), "{tool}");
            for required in schema["required"].as_array().into_iter().flatten() {
                let name = required.as_str().unwrap();
                assert!(schema["properties"][name].is_object(), "{name} of {tool}");
            }
            let answer = call(&caller, &tool.text("name"), json!({})).await;
            assert!(
                [200, 400].contains(&answer.status),
                "{tool} can be called: {answer:?}"
            );
        }
    }
}

#[tokio::test]
async fn echo_answers_with_the_message() {
    let api = Api::start();
    let agent = api.agent("acme", "writer");
    let told = call(&agent, "echo", json!({"message": "hé", "more": 1})).await;
    assert_eq!(told.ok(), json!({"message": "hé"}));
    for bad in [json!({}), json!({"message": 1})] {
        assert_eq!(call(&agent, "echo", bad).await.faults(), ["message"]);
    }
    for bad in [json!({"arguments": []}), json!({"arguments": "x"})] {
        assert_eq!(
            agent.post("/api/tools/echo", bad).await.faults(),
            ["arguments"]
        );
    }
    for name in ["none", "Echo", "echo%20", "create-task"] {
        call(&agent, name, json!({}))
            .await
            .refused(404, "tool_not_found");
    }
}

#[tokio::test]
async fn a_tool_does_what_its_route_does_as_the_token_says() {
    let api = Api::start();
    let agent = api.agent("acme", "writer");
    let task = call(
        &agent,
        "create_task",
        json!({"title": "T", "id": "mine", "agent_role": "editor",
        "created_by_role": "root"}),
    )
    .await
    .ok();
    assert_eq!(agent.get(&format!("tasks/{}", task.id())).await.ok(), task);
    assert_eq!(
        (&task["user_id"], &task["created_by_role"]),
        (&json!("acme"), &json!("writer"))
    );
    assert_ne!(task["id"], "mine");
    let id = task.id();
    let patch =
        json!({"task_id": id, "status": "blocked", "metadata": {"a": 1}, "agent_role": null});
    let updated = call(&agent, "update_task", patch).await.ok();
    assert_eq!(agent.items("tasks").await, std::slice::from_ref(&updated));
    assert_eq!(
        (&updated["status"], &updated["agent_role"]),
        (&json!("blocked"), &Value::Null)
    );
    for (tool, list, arguments) in [
        (
            "post_message",
            "messages",
            json!({"task_id": id, "content": "C"}),
        ),
        (
            "create_document",
            "documents",
            json!({"task_id": id, "title": "T", "content": "C"}),
        ),
        (
            "request_tool",
            "tool-requests",
            json!({"task_id": id, "title": "T", "justification": "J"}),
        ),
    ] {
        let made = call(&agent, tool, arguments).await.ok();
        assert_eq!(made["user_id"], "acme");
        assert_eq!(agent.items(list).await, [made], "{tool}");
    }
    let listed = call(&agent, "list_tasks", json!({"status": "blocked"}))
        .await
        .ok();
    assert_eq!(listed["items"], json!([updated]));
    let none = call(
        &agent,
        "list_tasks",
        json!({"status": "pending", "limit": 0}),
    )
    .await
    .ok();
    assert_eq!(none["items"], json!([]));
    let editor = api.agent("acme", "editor");
    let told = call(&editor, "list_notifications", json!({"unread": true})).await;
    assert_eq!(told.ok()["items"][0]["type"], "assignment");
    let missing = json!({"task_id": "none", "title": "T", "content": "C", "justification": "J"});
    for tool in [
        "update_task",
        "post_message",
        "create_document",
        "request_tool",
    ] {
        call(&agent, tool, missing.clone())
            .await
            .refused(404, "task_not_found");
        assert_eq!(
            call(&agent, tool, json!({"task_id": 1})).await.faults()[0],
            "task_id"
        );
    }
}

#[tokio::test]
async fn a_tenant_that_is_not_the_tokens_is_403() {
    let api = Api::start();
    let agent = api.agent("acme", "writer");
    let task = World::fill(&agent).await.task;
    let other = agent.clone().header("X-Tenant-ID", "globex");
    other.get("/api/tools").await.refused(403, "forbidden");
    for (tool, arguments) in [
        ("echo", json!({"message": "m"})),
        ("create_task", json!({"title": "T"})),
        ("post_message", json!({"task_id": task, "content": "C"})),
        ("list_tasks", json!({})),
    ] {
        call(&other, tool, arguments.clone())
            .await
            .refused(403, "forbidden");
        let body = json!({"arguments": arguments, "tenant_id": "globex"});
        agent
            .post(&format!("/api/tools/{tool}"), body)
            .await
            .refused(403, "forbidden");
        let own = agent
            .clone()
            .header("X-Tenant-ID", "acme")
            .header("X-Workspace-ID", "w");
        let body = json!({"arguments": arguments, "tenant_id": "acme"});
        own.header("X-Trace-ID", "t")
            .post(&format!("/api/tools/{tool}"), body)
            .await
            .ok();
    }
    assert_eq!(agent.items("tasks").await.len(), 2);
}

#[tokio::test]
async fn a_tool_that_makes_something_makes_it_once_for_a_key() {
    let api = Api::start();
    let agent = api.agent("acme", "writer");
    let task = agent.task("T").await;
    for (tool, list, arguments, other) in [
        (
            "create_task",
            "tasks",
            json!({"title": "A"}),
            json!({"title": "B"}),
        ),
        (
            "post_message",
            "messages",
            json!({"task_id": task, "content": "A"}),
            json!({"task_id": task, "content": "B"}),
        ),
        (
            "create_document",
            "documents",
            json!({"task_id": task, "title": "A", "content": ""}),
            json!({"task_id": task, "title": "B", "content": ""}),
        ),
        (
            "request_tool",
            "tool-requests",
            json!({"title": "A", "justification": "J"}),
            json!({"title": "B", "justification": "J"}),
        ),
    ] {
        let before = agent.items(list).await.len();
        let mut keyed = arguments.clone();
        keyed["idempotency_key"] = json!("k");
        let by_header = agent.clone().header("Idempotency-Key", "k");
        let first = call(&agent, tool, keyed.clone()).await;
        first.ok();
        assert_eq!(call(&agent, tool, keyed.clone()).await.text, first.text);
        assert_eq!(call(&by_header, tool, arguments).await.text, first.text);
        call(&by_header, tool, other)
            .await
            .refused(409, "idempotency_conflict");
        let differing = agent.clone().header("Idempotency-Key", "l");
        assert_eq!(
            call(&differing, tool, keyed).await.faults(),
            ["idempotency_key"]
        );
        assert_eq!(agent.items(list).await.len(), before + 1, "{tool}");
    }
}
