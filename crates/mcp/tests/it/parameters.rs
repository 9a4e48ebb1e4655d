//! Bad parameters: everything wrong is named at once, and nothing is asked of the API.

use serde_json::{Value, json};

use crate::support::{Script, act};

async fn check(arguments: Value, expected: &[(&str, &str)]) {
    let script = Script::new([]);
    let result = act(script.clone(), arguments.clone()).await;
    assert_eq!(script.asked(), [], "{arguments}");
    assert_eq!(result["isError"], json!(true), "{arguments}");
    let error = &result["structuredContent"]["error"];
    assert_eq!(error["code"], "VALIDATION_ERROR");
    assert!(
        error["requestId"]
            .as_str()
            .is_some_and(|id| id.starts_with("req_"))
    );
    let errors = error["details"]["errors"].as_array().unwrap();
    let found: Vec<(&str, &str)> = errors
        .iter()
        .map(|it| {
            (
                it["field"].as_str().unwrap(),
                it["message"].as_str().unwrap(),
            )
        })
        .collect();
    assert_eq!(found.len(), expected.len(), "{arguments}: {found:?}");
    for ((field, message), (expected_field, expected_message)) in found.iter().zip(expected) {
        assert_eq!(field, expected_field, "{arguments}");
        assert!(message.contains(expected_message), "{arguments}: {message}");
        let all = error["message"].as_str().unwrap();
        assert!(all.contains(field), "{all}");
    }
}

#[tokio::test]
async fn an_action_must_be_named_and_known() {
    check(
        json!({}),
        &[(
            "action",
            "is missing; it must be one of heartbeat, task_list,",
        )],
    )
    .await;
    check(
        json!({ "action": "task_delete" }),
        &[("action", "is not known; it must be one of heartbeat")],
    )
    .await;
    check(json!({ "action": 7 }), &[("action", "is not a text")]).await;
}

#[tokio::test]
async fn all_that_is_missing_is_named_at_once() {
    check(
        json!({ "action": "task_submit" }),
        &[
            ("taskId", "is missing (a text)"),
            ("content", "is missing"),
            ("checklist", "is missing (a list of {\"label\""),
        ],
    )
    .await;
    check(
        json!({ "action": "approval_request", "summary": "" }),
        &[
            ("summary", "is missing"),
            (
                "approvalActionType",
                "is missing (one of TOOL_EXEC, BUDGET_OVERRIDE",
            ),
            ("riskLevel", "is missing (one of GREEN, YELLOW, RED)"),
            ("justification", "is missing"),
        ],
    )
    .await;
    check(
        json!({ "action": "task_start", "taskId": "task_1" }),
        &[("bullets", "is missing (a list of texts)")],
    )
    .await;
    check(
        json!({ "action": "task_artifact", "taskId": "task_1" }),
        &[("name", "is missing"), ("content", "is missing")],
    )
    .await;
    check(
        json!({ "action": "policy_check" }),
        &[("tool", "is missing")],
    )
    .await;
    check(
        json!({ "action": "report_run" }),
        &[("model", "is missing")],
    )
    .await;
    check(
        json!({ "action": "report_tool_call" }),
        &[
            ("runId", "is missing"),
            ("toolName", "is missing"),
            ("riskLevel", "is missing"),
        ],
    )
    .await;
}

#[tokio::test]
async fn a_value_of_the_wrong_kind_is_told_what_would_be_right() {
    check(
        json!({ "action": "task_start", "taskId": 5, "bullets": "one step", "estimatedCost": "cheap" }),
        &[
            ("taskId", "must be a text, not a number"),
            ("bullets", "must be a list of texts, not a text"),
            ("estimatedCost", "must be a number of US dollars, not a text"),
        ],
    )
    .await;
    check(
        json!({ "action": "task_list", "limit": -1 }),
        &[("limit", "must be a whole number from 0")],
    )
    .await;
    check(
        json!({ "action": "task_get", "taskId": "../agents" }),
        &[("taskId", "must be an id (up to 128 letters")],
    )
    .await;
    check(
        json!({ "action": "heartbeat", "idempotencyKey": "new\nline" }),
        &[(
            "idempotencyKey",
            "must be a text of 1 to 255 printable ASCII characters",
        )],
    )
    .await;
}

#[tokio::test]
async fn a_misspelt_parameter_is_pointed_out_beside_the_one_that_is_missing() {
    check(
        json!({ "action": "task_get", "taskid": "task_1" }),
        &[
            ("taskId", "is missing"),
            ("\"taskid\"", "is not a parameter of this tool"),
        ],
    )
    .await;
}
