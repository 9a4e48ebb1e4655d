//! Tasks as resources.

use serde_json::{Value, json};

use crate::support::{Script, jordan, over_stdio};

#[tokio::test]
async fn the_callers_tasks_are_listed_and_read() {
    let script = Script::new([
        (
            200,
            json!({ "tasks": [{ "id": "task_1", "title": "Notes", "status": "ASSIGNED", "type": "DOCS" }, { "id": "?" }] }),
        ),
        (200, json!({ "id": "task_1", "title": "Notes" })),
        (200, json!({ "messages": [] })),
    ]);
    over_stdio(script.clone(), jordan(), async |wire| {
        wire.open("2025-11-25").await;
        let listed = wire.ask("resources/list", json!({})).await;
        assert_eq!(
            listed["result"]["resources"],
            json!([{ "uri": "task://task_1", "name": "task_1", "title": "Notes", "description": "ASSIGNED, DOCS", "mimeType": "application/json" }])
        );
        let read = wire.ask("resources/read", json!({ "uri": "task://task_1" })).await;
        let contents = &read["result"]["contents"][0];
        assert_eq!(contents["mimeType"], "application/json");
        let text: Value = serde_json::from_str(contents["text"].as_str().unwrap()).unwrap();
        assert_eq!(text, json!({ "id": "task_1", "title": "Notes" }));
        wire.ask("resources/read", json!({ "uri": "task://task_1/thread" })).await;
        let templates = wire.ask("resources/templates/list", json!({})).await;
        let uris: Vec<&str> = templates["result"]["resourceTemplates"]
            .as_array()
            .unwrap()
            .iter()
            .map(|template| template["uriTemplate"].as_str().unwrap())
            .collect();
        assert_eq!(uris, ["task://{id}", "task://{id}/thread"]);
    })
    .await;
    let paths: Vec<String> = script
        .asked()
        .into_iter()
        .map(|request| request.path_and_query)
        .collect();
    assert_eq!(
        paths,
        [
            "/api/v1/tasks?assigneeId=jordan&status=IN_PROGRESS,ASSIGNED,REVIEW,NEEDS_APPROVAL,BLOCKED&limit=50",
            "/api/v1/tasks/task_1",
            "/api/v1/tasks/task_1/messages?limit=200",
        ]
    );
}

#[tokio::test]
async fn what_cannot_be_read_is_an_error_with_the_apis_reason() {
    let refusal =
        json!({ "error": { "code": "UNAUTHORIZED", "message": "this token is not known" } });
    let missing = json!({ "error": { "code": "NOT_FOUND", "message": "no such task" } });
    let script = Script::new([(401, refusal.clone()), (404, missing)]);
    over_stdio(script, jordan(), async |wire| {
        wire.open("2025-11-25").await;
        let error = wire.ask("resources/list", json!({})).await["error"].clone();
        assert_eq!(
            error["message"],
            "cannot read your tasks: this token is not known"
        );
        assert_eq!(error["data"], refusal);
        let error = wire
            .ask("resources/read", json!({ "uri": "task://task_9" }))
            .await["error"]
            .clone();
        assert_eq!(error["code"], -32002);
        let error = wire
            .ask("resources/read", json!({ "uri": "task://../agents" }))
            .await["error"]
            .clone();
        assert_eq!(error["code"], -32002);
    })
    .await;
}
