//! One answer names everything that is wrong with a request (§5.2), and a step can be tried out
//! without being taken (§16).

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::envelope::refused;
use super::world::{begun, member, ok, shown, task};
use crate::support::Api;
use crate::support::api::{Answer, Json as _};

const LABELS: [&str; 1] = ["CONTENT"];

/// The members that a refusal names.
fn fields(answer: &Answer) -> BTreeSet<String> {
    let error = refused(answer, 400, "VALIDATION_ERROR");
    let errors = error["details"]["errors"].as_array().expect("errors");
    errors.iter().map(|error| error.text("field")).collect()
}

fn named(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

#[tokio::test]
async fn what_cannot_be_read_hides_nothing_of_a_task() {
    let api = Api::start();
    let operator = api.operator();
    let body = json!({"title": "x".repeat(501), "type": "NOPE", "priority": 9, "labels": "a", "dueAt": "zz",
        "estimatedCost": -1});
    let expected = [
        "title",
        "type",
        "priority",
        "labels",
        "dueAt",
        "estimatedCost",
    ];
    let found = fields(&operator.post("/api/v1/tasks", body).await);
    assert_eq!(found, named(&expected));
    assert_eq!(shown(&api, "/tasks").await["total"], 0, "nothing is kept");

    let path = format!("/api/v1/tasks/{}", task(&api, "CONTENT").await);
    let body = json!({"metadata": "x", "priority": 7, "title": "", "workPlan": {"bullets": ["a"]}});
    let found = fields(&operator.patch(&path, body).await);
    assert_eq!(
        found,
        named(&["metadata", "priority", "title", "workPlan.bullets"])
    );
}

#[tokio::test]
async fn what_cannot_be_read_hides_nothing_of_an_agent() {
    let api = Api::start();
    let operator = api.operator();
    let body = json!({"id": "K Bad", "role": "CEO"});
    let found = fields(&operator.post("/api/v1/agents", body).await);
    assert_eq!(found, named(&["id", "name", "role", "workspacePath"]));
    let body = json!({"id": "K Bad", "name": "K", "workspacePath": "/tmp/k", "budgetDaily": -1, "heartbeatIntervalSec": 0});
    let found = fields(&operator.post("/api/v1/agents", body).await);
    assert_eq!(found, named(&["id", "budgetDaily", "heartbeatIntervalSec"]));
    assert_eq!(shown(&api, "/agents").await["total"], 0, "nothing is kept");

    member(&api, "jordan", "SPECIALIST", &[]).await;
    let body = json!({"budgetDaily": -1, "name": ""});
    let found = fields(&operator.patch("/api/v1/agents/jordan", body).await);
    assert_eq!(found, named(&["budgetDaily", "name"]));
    assert_eq!(shown(&api, "/agents/jordan").await["name"], "jordan");
}

#[tokio::test]
async fn what_cannot_be_read_hides_nothing_of_a_step() {
    let api = Api::start();
    let jordan = member(&api, "jordan", "SPECIALIST", &LABELS).await;
    let id = task(&api, "CONTENT").await;
    ok(jordan.claim(&id).await);
    let path = format!("/tasks/{id}/transition");
    let plan =
        json!({"bullets": ["a", " ", "c"], "estimatedCost": -1, "dependencies": ["task_zz"]});
    let answer = jordan
        .post(&path, json!({"toStatus": "IN_PROGRESS", "workPlan": plan}))
        .await;
    let expected = [
        "workPlan.bullets[1]",
        "workPlan.estimatedCost",
        "workPlan.dependencies",
    ];
    let found = fields(&answer);
    for name in expected {
        assert!(
            found.iter().any(|it| it.starts_with(name)),
            "{name}: {found:?}"
        );
    }

    ok(jordan.start(&id).await);
    let body = json!({"toStatus": "REVIEW", "deliverable": {"content": "", "artifacts": [{"name": "a", "type": "BAD"}]},
        "reviewChecklist": {"type": "OPS", "items": [{"label": " ", "checked": true}, {"label": "x", "checked": false}]}});
    let found = fields(&jordan.post(&path, body).await);
    for name in [
        "deliverable.artifacts[0].type",
        "reviewChecklist.type",
        "reviewChecklist.items[0].label",
        "reviewChecklist.items[1]",
    ] {
        assert!(
            found.iter().any(|it| it.starts_with(name)),
            "{name}: {found:?}"
        );
    }
    let error = jordan
        .post(&path, json!({"toStatus": "REVIEW", "force": "yes"}))
        .await;
    let error = refused(&error, 400, "VALIDATION_ERROR");
    assert_eq!(
        error["details"]["from"], "IN_PROGRESS",
        "the step's own details stay: {error}"
    );
}

#[tokio::test]
async fn a_step_is_tried_out_without_being_taken() {
    let api = Api::start();
    let jordan = member(&api, "jordan", "SPECIALIST", &LABELS).await;
    let id = begun(&api, &jordan, "CONTENT").await;
    let operator = api.operator().header("X-Idempotency-Key", "try");
    let path = format!("/api/v1/tasks/{id}/transition");
    let cancel = json!({"toStatus": "CANCELED", "reason": "Not wanted"});
    let before = all(&api, &id).await;

    let mut in_body = cancel.clone();
    in_body["dryRun"] = json!(true);
    for answer in [
        operator
            .post(&format!("{path}?dryRun=true"), cancel.clone())
            .await,
        operator.post(&path, in_body.clone()).await,
    ] {
        let told = ok(answer);
        assert_eq!(
            (&told["valid"], &told["dryRun"]),
            (&json!(true), &json!(true))
        );
        assert_eq!(
            (&told["from"], &told["to"]),
            (&json!("IN_PROGRESS"), &json!("CANCELED"))
        );
        assert_eq!(told["task"]["status"], "CANCELED", "as it would be");
    }
    // What asks for a trial in words that nobody knows is not done either.
    for query in ["?dryRun=maybe", "?dryRun=TRUE!"] {
        let answer = operator
            .post(&format!("{path}{query}"), cancel.clone())
            .await;
        refused(&answer, 400, "VALIDATION_ERROR");
    }
    in_body["dryRun"] = json!("yes");
    refused(
        &operator.post(&path, in_body).await,
        400,
        "VALIDATION_ERROR",
    );
    // What would be refused is refused the same way.
    let body = json!({"toStatus": "REVIEW", "dryRun": true});
    let found = fields(&jordan.post(&format!("/tasks/{id}/transition"), body).await);
    assert_eq!(found, named(&["deliverable", "reviewChecklist"]));
    let body = json!({"toStatus": "INBOX", "dryRun": true});
    refused(
        &jordan.post(&format!("/tasks/{id}/transition"), body).await,
        422,
        "INVALID_TRANSITION",
    );
    assert_eq!(all(&api, &id).await, before, "nothing was written");

    // The trial did not use the key up either.
    let taken = ok(operator.post(&path, cancel).await);
    assert_eq!(
        (&taken["success"], &taken["status"]),
        (&json!(true), &json!("CANCELED"))
    );
}

async fn all(api: &Api, id: &str) -> (Value, Value) {
    let trail = shown(api, "/events/timeline?limit=200").await;
    (shown(api, &format!("/tasks/{id}")).await, trail)
}

#[tokio::test]
async fn what_cannot_be_read_hides_nothing_of_what_is_said_asked_and_ordered() {
    let api = Api::start();
    let jordan = member(&api, "jordan", "SPECIALIST", &[]).await;
    let id = begun(&api, &jordan, "CONTENT").await;
    let said = jordan
        .post(&format!("/tasks/{id}/messages"), json!({}))
        .await;
    assert_eq!(fields(&said), named(&["type", "content"]));
    let body = json!({"actionType": "X", "actionSummary": 5, "riskLevel": "GREEN", "justification": "", "expiresIn": "x",
        "estimatedCost": -1, "actionPayload": 5});
    let expected = [
        "actionType",
        "actionSummary",
        "riskLevel",
        "justification",
        "expiresIn",
        "estimatedCost",
        "actionPayload",
    ];
    assert_eq!(
        fields(&jordan.post("/approvals", body).await),
        named(&expected)
    );
    let body = json!({"action": "QUARANTINE", "duration": "x"});
    let path = "/api/v1/agents/jordan/control";
    let ordered = api.operator().post(path, body).await;
    assert_eq!(fields(&ordered), named(&["duration", "reason"]));
}
