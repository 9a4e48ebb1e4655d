//! The acceptance vectors of §17, each by its number.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::envelope::refused;
use super::world::{Member, ask, begun, member, member_with, ok, shown, task};
use crate::support::Api;
use crate::support::api::Json as _;
use crate::support::clock::Moved;
use crate::support::wait::until;

const CHECKED: [&str; 3] = ["CONTENT", "SOCIAL", "CUSTOMER_RESEARCH"];

fn fields(error: &Value) -> BTreeSet<String> {
    let errors = error["details"]["errors"].as_array().expect("errors");
    errors.iter().map(|error| error.text("field")).collect()
}

#[tokio::test]
async fn vector_2_types_and_races() {
    let api = Api::start();
    let jordan = member(&api, "jordan", "SPECIALIST", &CHECKED).await;
    let engineering = task(&api, "ENGINEERING").await;
    refused(
        &jordan.claim(&engineering).await,
        422,
        "TASK_TYPE_NOT_ALLOWED",
    );

    let riley = member(&api, "riley", "SPECIALIST", &CHECKED).await;
    for _ in 0..10 {
        let content = task(&api, "CONTENT").await;
        let (one, other) = tokio::join!(jordan.claim(&content), riley.claim(&content));
        let mut statuses = [one.status, other.status];
        statuses.sort_unstable();
        assert_eq!(statuses, [200, 422], "{one:?} {other:?}");
        let loser = if one.status == 422 { one } else { other };
        let error = refused(&loser, 422, "ASSIGNMENT_CONFLICT");
        assert_eq!(error["details"]["assigneeIds"].as_array().unwrap().len(), 1);
    }
}

#[tokio::test]
async fn vector_3_plans_have_three_to_six_bullets() {
    let api = Api::start();
    let jordan = member(&api, "jordan", "SPECIALIST", &CHECKED).await;
    for (count, status) in [(2, 400), (7, 400), (3, 200), (6, 200)] {
        let id = task(&api, "CONTENT").await;
        ok(jordan.claim(&id).await);
        let bullets: Vec<String> = (0..count).map(|number| format!("Step {number}")).collect();
        let body = json!({"toStatus": "IN_PROGRESS", "workPlan": {"bullets": bullets}});
        let answer = jordan.post(&format!("/tasks/{id}/transition"), body).await;
        assert_eq!(answer.status, status, "{answer:?}");
        if status == 400 {
            let error = refused(&answer, 400, "VALIDATION_ERROR");
            assert!(fields(&error).contains("workPlan.bullets"), "{error}");
        } else {
            let list = shown(&api, &format!("/tasks/{id}/messages?type=WORK_PLAN")).await;
            assert_eq!(list["messages"].as_array().unwrap().len(), 1, "{list}");
        }
    }
}

#[tokio::test]
async fn vector_4_a_submission_names_everything_that_is_missing() {
    let api = Api::start();
    let jordan = member(&api, "jordan", "SPECIALIST", &CHECKED).await;
    let id = begun(&api, &jordan, "CONTENT").await;
    let path = format!("/tasks/{id}/transition");
    let nothing = jordan.post(&path, json!({"toStatus": "REVIEW"})).await;
    let error = refused(&nothing, 400, "VALIDATION_ERROR");
    assert!(
        fields(&error)
            .is_superset(&["deliverable".to_owned(), "reviewChecklist".to_owned()].into()),
        "{error}"
    );
    let labels = [
        "Intent",
        "Structure",
        "Evidence",
        "Call to action",
        "Grammar",
    ];
    let items = |checked: bool| -> Vec<Value> {
        labels
            .map(|label| json!({"label": label, "checked": checked}))
            .into()
    };
    let body = |items| {
        json!({"toStatus": "REVIEW", "deliverable": {"content": "The text."},
            "reviewChecklist": {"type": "CONTENT", "items": items}})
    };
    let unchecked = jordan.post(&path, body(items(false))).await;
    refused(&unchecked, 400, "VALIDATION_ERROR");
    let submitted = ok(jordan.post(&path, body(items(true))).await);
    assert_eq!(submitted["status"], "REVIEW");
    assert_eq!(submitted["success"], true);
}

#[tokio::test]
async fn vector_5_humans_finish_tasks() {
    let api = Api::start();
    let jordan = member(&api, "jordan", "SPECIALIST", &CHECKED).await;
    let id = begun(&api, &jordan, "CONTENT").await;
    ok(jordan.submit(&id, "CONTENT").await);
    let path = format!("/tasks/{id}/transition");
    let own = jordan.post(&path, json!({"toStatus": "DONE"})).await;
    refused(&own, 403, "FORBIDDEN");
    let done = ok(ask(
        &api,
        &path,
        json!({"toStatus": "DONE", "reason": "Well done"}),
    )
    .await);
    assert_eq!(done["status"], "DONE");
    assert!(done["completion"]["approvedBy"].is_string(), "{done}");
    let further = ask(
        &api,
        &path,
        json!({"toStatus": "REVIEW", "reason": "again"}),
    )
    .await;
    let error = refused(&further, 422, "INVALID_TRANSITION");
    assert_eq!(error["details"]["from"], "DONE");
    assert_eq!(error["details"]["allowedTransitions"], json!([]));
}

#[tokio::test]
async fn vector_6_a_key_makes_a_repeat_harmless() {
    let api = Api::start();
    let jordan = member(&api, "jordan", "SPECIALIST", &CHECKED).await;
    let keyed = Member {
        id: jordan.id.clone(),
        caller: jordan
            .caller
            .clone()
            .header("X-Idempotency-Key", "run_6f0f4c0e"),
    };
    let body = |model: &str| {
        json!({"agentId": "jordan", "sessionKey": "s", "model": model,
            "startedAt": "2026-11-21T09:00:00Z"})
    };
    let first = keyed.post("/events/run", body("a")).await;
    let second = keyed.post("/events/run", body("a")).await;
    assert_eq!((first.status, second.status), (201, 201), "{first:?}");
    assert_eq!(second.headers["idempotency-replayed"], "true");
    assert_eq!(first.text, second.text, "byte for byte");
    refused(
        &keyed.post("/events/run", body("b")).await,
        409,
        "IDEMPOTENCY_CONFLICT",
    );
}

async fn requested(jordan: &Member, task: &str) -> String {
    let body = json!({"taskId": task, "actionType": "TOOL_EXEC", "actionSummary": "git push origin main",
        "riskLevel": "RED", "justification": "The release needs it", "rollbackPlan": "Revert"});
    let made = jordan.post("/approvals", body).await;
    assert_eq!(made.status, 201, "{made:?}");
    made.json().id()
}

#[tokio::test]
async fn vector_7_approvals_hold_a_task_until_they_are_decided() {
    let moved = Moved::start();
    let api = &moved.api;
    let jordan = member_with(api, "jordan", json!({"heartbeatIntervalSec": 86_400 * 3})).await;
    let status = async |id: &str| shown(api, &format!("/tasks/{id}")).await.text("status");

    let id = begun(api, &jordan, "CONTENT").await;
    let approval = requested(&jordan, &id).await;
    assert_eq!(status(&id).await, "NEEDS_APPROVAL");
    ok(ask(
        api,
        &format!("/approvals/{approval}/approve"),
        json!({"reason": "go"}),
    )
    .await);
    assert_eq!(status(&id).await, "IN_PROGRESS");

    let approval = requested(&jordan, &id).await;
    let no_reason = ask(api, &format!("/approvals/{approval}/deny"), json!({})).await;
    refused(&no_reason, 400, "VALIDATION_ERROR");
    ok(ask(
        api,
        &format!("/approvals/{approval}/deny"),
        json!({"reason": "not now"}),
    )
    .await);
    assert_eq!(status(&id).await, "BLOCKED");
    let again = ask(
        api,
        &format!("/approvals/{approval}/deny"),
        json!({"reason": "no"}),
    )
    .await;
    refused(&again, 409, "ALREADY_PROCESSED");
    let opposite = ask(api, &format!("/approvals/{approval}/approve"), json!({})).await;
    refused(&opposite, 422, "APPROVAL_ALREADY_DECIDED");

    let id = begun(api, &jordan, "CONTENT").await;
    let approval = requested(&jordan, &id).await;
    moved.ahead(24 * 3600 + 5);
    let seen = shown(api, &format!("/approvals/{approval}")).await;
    assert_eq!(seen["status"], "EXPIRED");
    until("the task is blocked", async || {
        status(&id).await == "BLOCKED"
    })
    .await;
    let late = ask(api, &format!("/approvals/{approval}/approve"), json!({})).await;
    refused(&late, 422, "APPROVAL_EXPIRED");
}

#[tokio::test]
async fn vector_8_policy() {
    let api = Api::start();
    let jordan = member(&api, "jordan", "SPECIALIST", &CHECKED).await;
    let verdict = async |action: Value| {
        let body = json!({"agentId": "jordan", "action": action});
        ok(jordan.post("/policy/evaluate", body).await)
    };
    let exec = |command: &str| json!({"type": "TOOL_CALL", "tool": "exec", "command": command});

    let seed = verdict(exec("rm -rf /tmp/test")).await;
    assert_eq!(seed["decision"], "DENY");
    assert_eq!(seed["riskLevel"], "RED");
    assert_eq!(seed["reason"], "Command matches blocked pattern: rm -rf");
    assert_eq!(seed["violations"], json!(["shell_blocklist:rm -rf"]));

    assert_eq!(verdict(exec("git add .")).await["decision"], "ALLOW");
    for command in [
        "rm -r -f x",
        "rm --force --recursive x",
        "sh -c \"rm -rf x\"",
    ] {
        let found = verdict(exec(command)).await;
        assert_eq!(
            found["violations"],
            json!(["shell_blocklist:rm -rf"]),
            "{command}"
        );
    }
    assert_eq!(verdict(exec("ls; rm -rf x")).await["decision"], "DENY");
    let push = verdict(exec("git push origin main")).await;
    assert_eq!(
        (&push["decision"], &push["riskLevel"]),
        (&json!("NEEDS_APPROVAL"), &json!("RED"))
    );
    let tokens = json!({"type": "TOOL_CALL", "tool": "read", "path": "/tmp/ws/jordan/a", "args": {"max_tokens": 5}});
    let tokens = verdict(tokens).await;
    assert!(
        !tokens["violations"].to_string().contains("secret"),
        "{tokens}"
    );
    let unknown = json!({"type": "NETWORK", "url": "https://unknown.example/x"});
    let unknown = verdict(unknown).await;
    assert_eq!(unknown["decision"], "NEEDS_APPROVAL");
    assert!(
        unknown["violations"]
            .to_string()
            .contains("network_not_allowlisted:unknown.example")
    );

    let other = json!({"agentId": "riley", "action": exec("ls")});
    refused(
        &jordan.post("/policy/evaluate", other).await,
        403,
        "AGENT_MISMATCH",
    );
}

async fn run(jordan: &Member) -> String {
    let body = json!({"agentId": "jordan", "sessionKey": "s", "model": "m",
        "startedAt": "2026-11-21T09:00:00Z"});
    ok(jordan.post("/events/run", body).await).id()
}

#[tokio::test]
async fn vector_9_money_is_counted_once_and_pauses_who_has_none() {
    let api = Api::start();
    let jordan = member(&api, "jordan", "SPECIALIST", &CHECKED).await;
    let spend = async |id: &str, cost: f64| {
        let path = format!("/api/v1/events/run/{id}");
        ok(jordan.caller.patch(&path, json!({"costUsd": cost})).await)
    };
    let agent = async || shown(&api, "/agents/jordan").await;
    let first = run(&jordan).await;
    spend(&first, 0.45).await;
    spend(&first, 0.45).await;
    assert_eq!(agent().await["spendToday"], 0.45);

    let task = begun(&api, &jordan, "CONTENT").await;
    let second = run(&jordan).await;
    let warned = spend(&second, 4.55).await;
    assert_eq!(warned["budgetWarning"]["type"], "EXCEEDED", "{warned}");
    let paused = agent().await;
    assert_eq!(paused["status"], "PAUSED");
    assert_eq!(paused["spendToday"].as_f64(), Some(5.0));
    assert_eq!(
        shown(&api, &format!("/tasks/{task}")).await["status"],
        "NEEDS_APPROVAL"
    );
    let pending = shown(&api, "/approvals/pending").await;
    let approval = &pending["approvals"][0];
    assert_eq!(approval["actionType"], "BUDGET_OVERRIDE", "{pending}");
    assert_eq!(approval["requestorAgentId"], "jordan");
    assert_eq!(approval["estimatedCost"], 2.5);
    let alerts = shown(&api, "/alerts?status=OPEN").await;
    assert!(
        alerts["alerts"].to_string().contains("BUDGET_EXCEEDED"),
        "{alerts}"
    );

    let path = format!("/approvals/{}/approve", approval.id());
    ok(ask(&api, &path, json!({"reason": "finish it"})).await);
    let resumed = agent().await;
    assert_eq!(resumed["status"], "ACTIVE", "{resumed}");
    assert_eq!(
        shown(&api, &format!("/tasks/{task}")).await["status"],
        "IN_PROGRESS"
    );
}

#[tokio::test]
async fn vector_10_a_heartbeat_does_not_lift_a_quarantine() {
    let api = Api::start();
    let jordan = member(&api, "jordan", "SPECIALIST", &CHECKED).await;
    let body = json!({"action": "QUARANTINE", "reason": "It went wild"});
    ok(ask(&api, "/agents/jordan/control", body).await);
    let reply = jordan.beat().await;
    assert_eq!(reply["agent"]["status"], "QUARANTINED");
    assert_eq!(shown(&api, "/agents/jordan").await["status"], "QUARANTINED");
}

#[tokio::test]
async fn vector_11_a_mention_is_shown_until_it_is_acknowledged() {
    let api = Api::start();
    let jordan = member(&api, "jordan", "SPECIALIST", &CHECKED).await;
    let riley = member(&api, "riley", "SPECIALIST", &CHECKED).await;
    let id = task(&api, "CONTENT").await;
    let posted = ok(riley.say(&id, "@jordan please have a look").await);
    assert_eq!(
        posted["notifications"],
        json!([{"agentId": "jordan", "queued": true}])
    );
    let mentions = |beat: &Value| -> Vec<Value> {
        let all = beat["pendingNotifications"]
            .as_array()
            .expect("notifications");
        all.iter()
            .filter(|it| it["type"] == "MENTION")
            .cloned()
            .collect()
    };
    for _ in 0..3 {
        assert_eq!(mentions(&jordan.beat().await).len(), 1);
    }
    let mention = mentions(&jordan.beat().await).remove(0);
    ok(jordan
        .post(&format!("/notifications/{}/ack", mention.id()), json!({}))
        .await);
    ok(jordan
        .post(&format!("/notifications/{}/ack", mention.id()), json!({}))
        .await);
    assert!(mentions(&jordan.beat().await).is_empty());
    ok(jordan.say(&id, "@jordan is me").await);
    assert!(
        mentions(&jordan.beat().await).is_empty(),
        "nobody notifies itself"
    );
}

#[tokio::test]
async fn vector_12_a_flood_of_comments_blocks_a_task_once() {
    let api = Api::start();
    let jordan = member(&api, "jordan", "SPECIALIST", &CHECKED).await;
    let id = begun(&api, &jordan, "CONTENT").await;
    // The plan that the server posted is none of them.
    for number in 1..=20 {
        ok(jordan.say(&id, &format!("Thought {number}")).await);
        assert_eq!(
            shown(&api, &format!("/tasks/{id}")).await["status"],
            "IN_PROGRESS"
        );
    }
    ok(jordan.say(&id, "One too many").await);
    ok(jordan.say(&id, "And another").await);
    let blocked = shown(&api, &format!("/tasks/{id}")).await;
    assert_eq!(blocked["status"], "BLOCKED");
    assert_eq!(blocked["blockedReason"], "Loop detected: COMMENT_FLOOD");
    let artifacts = shown(&api, &format!("/tasks/{id}/messages?type=ARTIFACT")).await;
    let artifacts = artifacts["messages"].as_array().unwrap();
    assert_eq!(artifacts.len(), 1, "{artifacts:?}");
    let summary = &artifacts[0];
    assert_eq!(
        (&summary["type"], &summary["authorType"]),
        (&json!("ARTIFACT"), &json!("SYSTEM"))
    );
    assert_eq!(
        summary["artifacts"][0]["name"],
        "loop-summary-COMMENT_FLOOD.md"
    );
    assert_eq!(summary["artifacts"][0]["type"], "REPORT");
    let alerts = shown(&api, "/alerts?status=OPEN").await;
    assert_eq!(
        alerts.to_string().matches("LOOP_DETECTED").count(),
        1,
        "{alerts}"
    );
}

#[tokio::test]
async fn vector_13_a_limited_request_says_when_to_come_back() {
    let api = Api::of(
        crate::support::api::builder()
            .environment("MC_RATE_WRITES", "5")
            .start(),
    );
    let jordan = member(&api, "jordan", "SPECIALIST", &CHECKED).await;
    let id = task(&api, "CONTENT").await;
    let mut last = None;
    for number in 0..6 {
        last = Some(jordan.say(&id, &format!("{number}")).await);
    }
    let limited = last.expect("an answer");
    refused(&limited, 429, "RATE_LIMITED");
    let wait: u64 = limited.headers["retry-after"]
        .to_str()
        .unwrap()
        .parse()
        .unwrap();
    assert!((1..=61).contains(&wait));
    assert_eq!(limited.headers["x-ratelimit-limit"], "5");
    assert_eq!(limited.headers["x-ratelimit-remaining"], "0");
    // Reads are counted apart, operators not at all.
    ok(jordan.get("/tasks").await);
    for _ in 0..10 {
        ok(ask(
            &api,
            &format!("/tasks/{id}/messages"),
            json!({"type": "COMMENT", "content": "x"}),
        )
        .await);
    }
}

#[tokio::test]
async fn vector_14_a_kill_loses_nothing_that_was_acknowledged() {
    let directory = tempfile::TempDir::new().expect("a directory");
    let start = || {
        Api::of(
            crate::support::api::builder()
                .directory(directory.path())
                .start(),
        )
    };
    let mut api = start();
    let jordan = member(&api, "jordan", "SPECIALIST", &CHECKED).await;
    let waiting = begun(&api, &jordan, "CONTENT").await;
    let approval = requested(&jordan, &waiting).await;
    let mut acknowledged = Vec::new();
    for number in 0..25 {
        let operator = api
            .operator()
            .header("X-Idempotency-Key", &format!("key-{number}"));
        let body = json!({"title": format!("Task {number}"), "type": "DOCS"});
        acknowledged.push(ok(operator.post("/api/v1/tasks", body).await));
    }
    api.server.kill();
    let api = start();
    for (number, task) in acknowledged.iter().enumerate() {
        let seen = shown(&api, &format!("/tasks/{}", task.id())).await;
        assert_eq!(seen["title"], task["title"]);
        let operator = api
            .operator()
            .header("X-Idempotency-Key", &format!("key-{number}"));
        let body = json!({"title": format!("Task {number}"), "type": "DOCS"});
        let repeat = operator.post("/api/v1/tasks", body).await;
        assert_eq!(
            repeat.json().id(),
            task.id(),
            "no duplicate for a reused key"
        );
    }
    assert_eq!(shown(&api, "/tasks?type=DOCS").await["total"], 25);
    let kept = shown(&api, &format!("/approvals/{approval}")).await;
    assert_eq!(kept["status"], "PENDING");
    assert_eq!(
        shown(&api, &format!("/tasks/{waiting}")).await["status"],
        "NEEDS_APPROVAL"
    );
}
