//! Every action of contract section 15: the requests it makes, and what it gives back.

use serde_json::{Value, json};
use stationmaster_mcp::{Caller, Identity, Method};

use crate::support::{Script, act, jordan, over_stdio};

/// One request the action must have made: its first line and its body.
type Expected = (Method, &'static str, Value);

/// Does `arguments` as jordan in session-7; `replies` answer, `expected` is what must have been asked.
async fn check(arguments: Value, replies: Vec<(u16, Value)>, expected: Vec<Expected>) -> Value {
    let script = Script::new(replies);
    let result = act(script.clone(), arguments.clone()).await;
    let asked = script.asked();
    assert_eq!(
        asked.len(),
        expected.len(),
        "{arguments}: {asked:#?}\n{result:#}"
    );
    for (request, (method, path, body)) in asked.iter().zip(expected) {
        assert_eq!(
            (request.method, request.path_and_query.as_str()),
            (method, path),
            "{arguments}"
        );
        assert_eq!(
            request.body.clone().unwrap_or_default(),
            body,
            "{arguments}"
        );
        assert_eq!(
            request.idempotency_key.is_some(),
            method != Method::Get,
            "{arguments}"
        );
        assert_eq!(request.caller, Caller::default());
    }
    result
}

/// As [`check`], for actions of one request.
async fn check_one(arguments: Value, method: Method, path: &'static str, body: Value) {
    let reply = json!({ "id": "it", "told": "you" });
    let result = check(
        arguments,
        vec![(200, reply.clone())],
        vec![(method, path, body)],
    )
    .await;
    assert_eq!(result["isError"], json!(false), "{result}");
    assert_eq!(result["structuredContent"], reply);
    let text = result["content"][0]["text"].as_str().unwrap();
    assert_eq!(serde_json::from_str::<Value>(text).unwrap(), reply);
}

#[tokio::test]
async fn heartbeat_tells_health_and_session() {
    check_one(
        json!({ "action": "heartbeat" }),
        Method::Post,
        "/api/v1/agents/jordan/heartbeat",
        json!({ "status": "HEALTHY", "sessionKey": "session-7" }),
    )
    .await;
    check_one(
        json!({ "action": "heartbeat", "status": "BUSY", "sessionKey": "s", "taskId": "task_1", "ackNotificationIds": ["notif_1"] }),
        Method::Post,
        "/api/v1/agents/jordan/heartbeat",
        json!({ "status": "BUSY", "sessionKey": "s", "currentTaskId": "task_1", "ackNotificationIds": ["notif_1"] }),
    )
    .await;
}

#[tokio::test]
async fn without_an_agent_id_the_api_is_asked_for_me() {
    let script = Script::new([]);
    over_stdio(script.clone(), Identity::default(), async |wire| {
        wire.open("2025-11-25").await;
        wire.act(json!({ "action": "heartbeat" })).await;
        wire.act(json!({ "action": "task_claim", "taskId": "task_1" }))
            .await;
    })
    .await;
    let asked = script.asked();
    assert_eq!(asked[0].path_and_query, "/api/v1/agents/me/heartbeat");
    assert_eq!(asked[0].body, Some(json!({ "status": "HEALTHY" })));
    assert_eq!(asked[1].body, Some(json!({ "assigneeIds": ["me"] })));
}

#[tokio::test]
async fn task_list_puts_its_filters_into_the_query() {
    check_one(
        json!({ "action": "task_list" }),
        Method::Get,
        "/api/v1/tasks",
        Value::Null,
    )
    .await;
    check_one(
        json!({ "action": "task_list", "status": ["INBOX", "ASSIGNED"], "type": ["DOCS", "OPS"], "assigneeId": "me", "limit": 5, "search": "a & b=ü" }),
        Method::Get,
        "/api/v1/tasks?status=INBOX%2CASSIGNED&type=DOCS%2COPS&assigneeId=me&limit=5&search=a%20%26%20b%3D%C3%BC",
        Value::Null,
    )
    .await;
    check_one(
        json!({ "action": "task_list", "status": "INBOX,BLOCKED", "type": "DOCS, OPS" }),
        Method::Get,
        "/api/v1/tasks?status=INBOX%2CBLOCKED&type=DOCS%2COPS",
        Value::Null,
    )
    .await;
}

#[tokio::test]
async fn task_get_reads_the_task() {
    check_one(
        json!({ "action": "task_get", "taskId": "task_1" }),
        Method::Get,
        "/api/v1/tasks/task_1",
        Value::Null,
    )
    .await;
}

#[tokio::test]
async fn task_claim_assigns_the_task_to_the_caller() {
    check_one(
        json!({ "action": "task_claim", "taskId": "task_1" }),
        Method::Patch,
        "/api/v1/tasks/task_1",
        json!({ "assigneeIds": ["jordan"] }),
    )
    .await;
}

#[tokio::test]
async fn task_start_moves_the_task_with_its_plan() {
    check_one(
        json!({ "action": "task_start", "taskId": "task_1", "bullets": ["a", "b", "c"], "estimatedCost": 1.5, "estimatedDuration": "2h",
                "dependencies": ["task_0"], "reason": "now" }),
        Method::Post,
        "/api/v1/tasks/task_1/transition",
        json!({ "toStatus": "IN_PROGRESS", "reason": "now",
                "workPlan": { "bullets": ["a", "b", "c"], "estimatedCost": 1.5, "estimatedDuration": "2h", "dependencies": ["task_0"] } }),
    )
    .await;
    check_one(
        json!({ "action": "task_start", "taskId": "task_1", "content": "1. read\\n2. write\n- test" }),
        Method::Post,
        "/api/v1/tasks/task_1/transition",
        json!({ "toStatus": "IN_PROGRESS", "workPlan": { "bullets": ["read", "write", "test"] } }),
    )
    .await;
    // Some clients send a list as a text of JSON.
    check_one(
        json!({ "action": "task_start", "taskId": "task_1", "bullets": "[\"a\",\"b\",\"c\"]" }),
        Method::Post,
        "/api/v1/tasks/task_1/transition",
        json!({ "toStatus": "IN_PROGRESS", "workPlan": { "bullets": ["a", "b", "c"] } }),
    )
    .await;
}

#[tokio::test]
async fn task_comment_posts_a_message() {
    check_one(
        json!({ "action": "task_comment", "taskId": "task_1", "content": "half way" }),
        Method::Post,
        "/api/v1/tasks/task_1/messages",
        json!({ "type": "COMMENT", "content": "half way" }),
    )
    .await;
    check_one(
        json!({ "action": "task_comment", "taskId": "task_1", "content": "half way", "messageType": "PROGRESS", "mentions": ["sam"] }),
        Method::Post,
        "/api/v1/tasks/task_1/messages",
        json!({ "type": "PROGRESS", "content": "half way", "mentions": ["sam"] }),
    )
    .await;
}

#[tokio::test]
async fn task_submit_fills_the_checklists_type_in_from_the_task() {
    let items = json!([{ "label": "links work", "checked": true }]);
    let result = check(
        json!({ "action": "task_submit", "taskId": "task_1", "content": "the text", "checklist": items, "summary": "a page",
                "artifacts": [{ "name": "a.md" }, { "name": "b.png", "type": "EVIDENCE", "url": "https://example.com/b.png" }],
                "checklistNotes": "all well", "reason": "done" }),
        vec![(200, json!({ "id": "task_1", "type": "DOCS" })), (200, json!({ "id": "task_1", "status": "REVIEW" }))],
        vec![
            (Method::Get, "/api/v1/tasks/task_1", Value::Null),
            (
                Method::Post,
                "/api/v1/tasks/task_1/transition",
                json!({
                    "toStatus": "REVIEW",
                    "deliverable": {
                        "content": "the text",
                        "artifacts": [{ "name": "a.md", "type": "DELIVERABLE" },
                                      { "name": "b.png", "type": "EVIDENCE", "url": "https://example.com/b.png" }],
                        "summary": "a page",
                    },
                    "reviewChecklist": { "type": "DOCS", "items": items, "notes": "all well" },
                    "reason": "done",
                }),
            ),
        ],
    )
    .await;
    assert_eq!(result["structuredContent"]["status"], "REVIEW");
}

#[tokio::test]
async fn task_submit_stops_where_the_task_cannot_be_read() {
    let result = check(
        json!({ "action": "task_submit", "taskId": "task_9", "content": "x", "checklist": [] }),
        vec![(
            404,
            json!({ "error": { "code": "NOT_FOUND", "message": "no task task_9" } }),
        )],
        vec![(Method::Get, "/api/v1/tasks/task_9", Value::Null)],
    )
    .await;
    assert_eq!(result["isError"], json!(true));
    assert_eq!(
        result["structuredContent"],
        json!({ "error": { "code": "NOT_FOUND", "message": "no task task_9" } })
    );
}

#[tokio::test]
async fn task_artifact_posts_a_message_with_the_artifact() {
    check_one(
        json!({ "action": "task_artifact", "taskId": "task_1", "name": "a.md", "content": "# A" }),
        Method::Post,
        "/api/v1/tasks/task_1/messages",
        json!({ "type": "ARTIFACT", "content": "a.md", "artifacts": [{ "name": "a.md", "type": "DELIVERABLE", "content": "# A" }] }),
    )
    .await;
    check_one(
        json!({ "action": "task_artifact", "taskId": "task_1", "name": "a.png", "url": "https://example.com/a.png", "artifactType": "EVIDENCE",
                "mimeType": "image/png", "note": "as it looks" }),
        Method::Post,
        "/api/v1/tasks/task_1/messages",
        json!({ "type": "ARTIFACT", "content": "as it looks",
                "artifacts": [{ "name": "a.png", "type": "EVIDENCE", "url": "https://example.com/a.png", "mimeType": "image/png" }] }),
    )
    .await;
}

#[tokio::test]
async fn approval_request_asks_in_the_apis_words() {
    check_one(
        json!({ "action": "approval_request", "approvalActionType": "TOOL_EXEC", "summary": "push main", "riskLevel": "RED",
                "justification": "release day", "taskId": "task_1", "toolCallId": "tc_1", "rollbackPlan": "git revert", "estimatedCost": 0.1,
                "payload": { "command": "git push" }, "expiresIn": "2h" }),
        Method::Post,
        "/api/v1/approvals",
        json!({ "actionType": "TOOL_EXEC", "actionSummary": "push main", "riskLevel": "RED", "justification": "release day", "taskId": "task_1",
                "toolCallId": "tc_1", "rollbackPlan": "git revert", "estimatedCost": 0.1, "actionPayload": { "command": "git push" },
                "expiresIn": "2h" }),
    )
    .await;
}

#[tokio::test]
async fn approval_check_reads_the_approval() {
    check_one(
        json!({ "action": "approval_check", "approvalId": "approval_1" }),
        Method::Get,
        "/api/v1/approvals/approval_1",
        Value::Null,
    )
    .await;
}

#[tokio::test]
async fn policy_check_evaluates_as_the_agent() {
    check_one(
        json!({ "action": "policy_check", "tool": "exec", "args": { "command": "npm test" }, "taskId": "task_1", "estimatedCost": 0.2 }),
        Method::Post,
        "/api/v1/policy/evaluate",
        json!({ "agentId": "jordan", "action": { "type": "TOOL_CALL", "tool": "exec", "args": { "command": "npm test" }, "estimatedCost": 0.2 },
                "context": { "taskId": "task_1", "sessionKey": "session-7" } }),
    )
    .await;
    check_one(
        json!({ "action": "policy_check", "policyActionType": "TRANSITION", "args": { "targetStatus": "DONE" }, "taskId": "task_1" }),
        Method::Post,
        "/api/v1/policy/evaluate",
        json!({ "agentId": "jordan", "action": { "type": "TRANSITION", "args": { "targetStatus": "DONE" } },
                "context": { "taskId": "task_1", "sessionKey": "session-7" } }),
    )
    .await;
}

#[tokio::test]
async fn report_run_starts_a_run_and_updates_one() {
    check_one(
        json!({ "action": "report_run", "model": "m-1", "taskId": "task_1", "startedAt": "2026-01-31T12:00:00Z" }),
        Method::Post,
        "/api/v1/events/run",
        json!({ "agentId": "jordan", "sessionKey": "session-7", "model": "m-1", "startedAt": "2026-01-31T12:00:00Z", "taskId": "task_1" }),
    )
    .await;
    check_one(
        json!({ "action": "report_run", "runId": "run_1", "endedAt": "2026-01-31T12:05:00Z", "inputTokens": 10, "outputTokens": 20,
                "costUsd": 0.45, "status": "COMPLETED" }),
        Method::Patch,
        "/api/v1/events/run/run_1",
        json!({ "endedAt": "2026-01-31T12:05:00Z", "inputTokens": 10, "outputTokens": 20, "costUsd": 0.45, "status": "COMPLETED" }),
    )
    .await;
}

#[tokio::test]
async fn a_run_starts_now_unless_it_says_when() {
    let script = Script::new([]);
    act(
        script.clone(),
        json!({ "action": "report_run", "model": "m-1" }),
    )
    .await;
    let body = script.asked()[0].body.clone().unwrap();
    let started = body["startedAt"].as_str().unwrap();
    assert!(
        started.len() == 24 && started.starts_with("20") && started.ends_with('Z'),
        "{started}"
    );
}

#[tokio::test]
async fn report_tool_call_starts_a_call_and_updates_one() {
    check_one(
        json!({ "action": "report_tool_call", "runId": "run_1", "toolName": "exec", "riskLevel": "YELLOW", "status": "RUNNING",
                "startedAt": "2026-01-31T12:00:00Z", "taskId": "task_1", "inputPreview": "npm test" }),
        Method::Post,
        "/api/v1/events/tool-call",
        json!({ "agentId": "jordan", "runId": "run_1", "toolName": "exec", "riskLevel": "YELLOW", "status": "RUNNING",
                "startedAt": "2026-01-31T12:00:00Z", "taskId": "task_1", "inputPreview": "npm test" }),
    )
    .await;
    check_one(
        json!({ "action": "report_tool_call", "toolCallId": "tc_1", "status": "FAILED", "error": "exit 1", "endedAt": "2026-01-31T12:00:01Z" }),
        Method::Patch,
        "/api/v1/events/tool-call/tc_1",
        json!({ "status": "FAILED", "error": "exit 1", "endedAt": "2026-01-31T12:00:01Z" }),
    )
    .await;
}

#[tokio::test]
async fn a_tool_call_that_is_over_is_started_and_ended() {
    let arguments = json!({ "action": "report_tool_call", "runId": "run_1", "toolName": "exec", "riskLevel": "GREEN", "status": "SUCCESS",
                            "startedAt": "2026-01-31T12:00:00Z", "outputPreview": "ok", "idempotencyKey": "call-1" });
    let start = json!({ "agentId": "jordan", "runId": "run_1", "toolName": "exec", "riskLevel": "GREEN", "startedAt": "2026-01-31T12:00:00Z" });
    let end = json!({ "outputPreview": "ok", "status": "SUCCESS" });
    let result = check(
        arguments.clone(),
        vec![
            (201, json!({ "id": "tc_5" })),
            (200, json!({ "id": "tc_5", "status": "SUCCESS" })),
        ],
        vec![
            (Method::Post, "/api/v1/events/tool-call", start.clone()),
            (Method::Patch, "/api/v1/events/tool-call/tc_5", end.clone()),
        ],
    )
    .await;
    assert_eq!(result["structuredContent"]["status"], "SUCCESS");

    // Denied at the start: there is nothing to end.
    let denied =
        json!({ "error": { "code": "POLICY_VIOLATION", "details": { "toolCallId": "tc_5" } } });
    let result = check(
        arguments.clone(),
        vec![(403, denied)],
        vec![(Method::Post, "/api/v1/events/tool-call", start.clone())],
    )
    .await;
    assert_eq!(result["structuredContent"]["needsApproval"], json!(true));

    // Started but not ended: the caller learns the id, to end it with another report.
    let result = check(
        arguments,
        vec![
            (201, json!({ "id": "tc_5" })),
            (500, json!({ "error": { "code": "INTERNAL" } })),
        ],
        vec![
            (Method::Post, "/api/v1/events/tool-call", start),
            (Method::Patch, "/api/v1/events/tool-call/tc_5", end),
        ],
    )
    .await;
    assert_eq!(
        result["structuredContent"]["created"],
        json!({ "id": "tc_5" })
    );
}

#[tokio::test]
async fn a_callers_idempotency_key_is_passed_on_and_others_are_unique() {
    let script = Script::new([(201, json!({ "id": "tc_1" }))]);
    over_stdio(script.clone(), jordan(), async |wire| {
        wire.open("2025-11-25").await;
        wire.act(json!({ "action": "report_tool_call", "runId": "run_1", "toolName": "t", "riskLevel": "GREEN", "status": "SUCCESS",
                         "idempotencyKey": "mine" }))
            .await;
        for _ in 0..2 {
            wire.act(json!({ "action": "task_comment", "taskId": "task_1", "content": "hello" })).await;
        }
    })
    .await;
    let keys: Vec<String> = script
        .asked()
        .into_iter()
        .filter_map(|request| request.idempotency_key)
        .collect();
    assert_eq!(keys[..2], ["mine", "mine-2"]);
    assert_eq!(keys[2].len(), 36);
    assert_ne!(keys[2], keys[3]);
}
