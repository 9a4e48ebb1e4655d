//! An agent asks what it may do, and hears what it would meet if it did (§8.1, §8.4, §9.4).

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::envelope::refused;
use super::world::{Member, begun, member, member_with, ok, shown, task};
use crate::support::Api;
use crate::support::api::{Answer, Json as _};

async fn asked(member: &Member, action: Value, context: Value) -> Value {
    let body = json!({"action": action, "context": context});
    ok(member.post("/policy/evaluate", body).await)
}

/// The decision, and what stands in the way.
fn verdict(answer: &Value) -> (String, Vec<String>) {
    let violations = answer["violations"].as_array().expect("violations");
    let violations = violations.iter().map(|it| it.as_str().expect("a text"));
    (
        answer.text("decision"),
        violations.map(str::to_owned).collect(),
    )
}

fn is(decision: &str, violations: &[&str]) -> (String, Vec<String>) {
    let violations = violations.iter().map(|it| (*it).to_owned());
    (decision.to_owned(), violations.collect())
}

fn faults(answer: &Answer) -> BTreeSet<String> {
    let error = refused(answer, 400, "VALIDATION_ERROR");
    let errors = error["details"]["errors"].as_array().expect("errors");
    errors.iter().map(|it| it.text("field")).collect()
}

#[tokio::test]
async fn a_place_is_judged_under_any_name() {
    let api = Api::start();
    let jordan = member(&api, "jordan", "SPECIALIST", &[]).await;
    for (action, expected) in [
        (
            json!({"tool": "rename_file", "path": "output/a", "newPath": "/etc/x"}),
            is("DENY", &["file_write_denied:/etc/**"]),
        ),
        (
            json!({"tool": "read", "args": {"paths": ["/etc/passwd"]}}),
            is("DENY", &["file_read_denied:/etc/**"]),
        ),
        (
            json!({"tool": "web_fetch", "args": {"href": "http://169.254.169.254/"}}),
            is("DENY", &["network_denied:169.254.169.254"]),
        ),
        (
            json!({"tool": "read", "path": "$WORKSPACE/../other/x"}),
            is(
                "NEEDS_APPROVAL",
                &["file_read_not_allowlisted:$WORKSPACE/../other/x"],
            ),
        ),
        (
            json!({"tool": "write", "path": "$WORKSPACE/docs/x"}),
            is("ALLOW", &[]),
        ),
        (
            json!({"tool": "exec", "command": "ls |"}),
            is("NEEDS_APPROVAL", &["shell_unparseable"]),
        ),
        (
            json!({"tool": "web_search", "q": "api_key=12345678"}),
            is("NEEDS_APPROVAL", &["secret_detected:assignment"]),
        ),
    ] {
        let mut whole = action.clone();
        whole["type"] = json!("TOOL_CALL");
        let answer = asked(&jordan, whole, json!({})).await;
        assert_eq!(verdict(&answer), expected, "{action}");
    }
}

fn kid(id: &str, parent: &str, task: &str) -> Value {
    json!({"id": id, "name": id, "workspacePath": format!("/ws/{id}"), "parentAgentId": parent,
        "metadata": {"parentTaskId": task, "purpose": "Look it up"}})
}

#[tokio::test]
async fn who_asks_whether_it_may_spawn_hears_what_spawning_says() {
    let api = Api::start();
    let jordan = member(&api, "jordan", "SPECIALIST", &[]).await;
    let barren = member_with(&api, "barren", json!({"canSpawn": false})).await;
    let lee = member_with(&api, "lee", json!({"role": "LEAD", "maxSubAgents": 1})).await;
    let spawn = || json!({"type": "SPAWN"});
    let on = |task: &str| json!({"taskId": task});

    let id = begun(&api, &jordan, "DOCS").await;
    let answer = asked(&jordan, spawn(), on(&id)).await;
    assert_eq!(verdict(&answer), is("ALLOW", &[]));
    let mut chief = kid("chief", "jordan", &id);
    chief["role"] = json!("LEAD");
    refused(&jordan.post("/agents", chief).await, 403, "FORBIDDEN");
    let lead = json!({"type": "SPAWN", "args": {"role": "LEAD"}});
    let answer = asked(&jordan, lead, on(&id)).await;
    assert_eq!(verdict(&answer), is("DENY", &["spawn_role:LEAD"]));
    let greedy = json!({"type": "SPAWN", "args": {"budgetDaily": 100}});
    let answer = asked(&jordan, greedy, on(&id)).await;
    assert_eq!(verdict(&answer), is("DENY", &["budget_daily:100.0/5.0"]));

    for number in 0..3 {
        let made = jordan.post("/agents", kid(&format!("k{number}"), "jordan", &id));
        assert_eq!(made.await.status, 201);
    }
    let over = kid("k3", "jordan", &id);
    refused(&jordan.post("/agents", over).await, 422, "SPAWN_LIMIT");
    for action in [
        spawn(),
        json!({"type": "TOOL_CALL", "tool": "sessions_spawn"}),
    ] {
        let answer = asked(&jordan, action, on(&id)).await;
        let (decision, violations) = verdict(&answer);
        assert_eq!(decision, "DENY");
        assert!(
            violations.contains(&"spawn_max_per_parent:4/3".to_owned()),
            "{violations:?}"
        );
    }

    let id = begun(&api, &lee, "DOCS").await;
    let made = lee.post("/agents", kid("only", "lee", &id)).await;
    assert_eq!(made.status, 201);
    let over = kid("more", "lee", &id);
    refused(&lee.post("/agents", over).await, 422, "SPAWN_LIMIT");
    let answer = asked(&lee, spawn(), on(&id)).await;
    assert_eq!(verdict(&answer), is("DENY", &["spawn_max_per_parent:2/1"]));

    let id = begun(&api, &barren, "DOCS").await;
    let answer = asked(&barren, spawn(), on(&id)).await;
    assert_eq!(
        verdict(&answer),
        is("NEEDS_APPROVAL", &["spawn_role:SPECIALIST"])
    );
    assert_eq!(answer["approvalRequired"]["type"], "SPAWN");
    let error = refused(
        &barren.post("/agents", kid("b", "barren", &id)).await,
        403,
        "POLICY_VIOLATION",
    );
    assert_eq!(
        error["details"]["violations"],
        json!(["spawn_role:SPECIALIST"])
    );
}

#[tokio::test]
async fn who_asks_about_a_step_hears_what_the_step_says() {
    let api = Api::start();
    let jordan = member(&api, "jordan", "SPECIALIST", &[]).await;
    let id = task(&api, "DOCS").await;
    let context = json!({"taskId": id});
    let step = |to: &str, more: Value| {
        let mut action = json!({"type": "TRANSITION", "targetStatus": to});
        let members = action.as_object_mut().expect("an object");
        members.extend(more.as_object().cloned().unwrap_or_default());
        action
    };
    let plan = json!({"workPlan": {"bullets": ["Look around", "Do it", "Check it"]}});
    let done = json!({"deliverable": {"content": "Here it is."},
        "reviewChecklist": {"type": "DOCS", "items": [{"label": "It works", "checked": true}]}});

    let answer = asked(&jordan, step("ASSIGNED", json!({})), context.clone()).await;
    assert_eq!(verdict(&answer), is("ALLOW", &[]));
    ok(jordan.claim(&id).await);
    let answer = asked(&jordan, step("IN_PROGRESS", json!({})), context.clone()).await;
    assert_eq!(
        verdict(&answer),
        is("DENY", &["invalid_transition:ASSIGNED->IN_PROGRESS"])
    );
    assert!(answer.text("reason").contains("workPlan"), "{answer}");
    let answer = asked(&jordan, step("IN_PROGRESS", plan), context.clone()).await;
    assert_eq!(verdict(&answer), is("ALLOW", &[]));
    assert_eq!(
        shown(&api, &format!("/tasks/{id}")).await["status"],
        "ASSIGNED"
    );

    ok(jordan.start(&id).await);
    let answer = asked(&jordan, step("REVIEW", json!({})), context.clone()).await;
    assert_eq!(
        verdict(&answer),
        is("DENY", &["invalid_transition:IN_PROGRESS->REVIEW"])
    );
    let reason = answer.text("reason");
    for missing in ["deliverable", "reviewChecklist"] {
        assert!(reason.contains(missing), "{reason}");
    }
    let answer = asked(&jordan, step("REVIEW", done.clone()), context.clone()).await;
    assert_eq!(verdict(&answer), is("ALLOW", &[]));
    let answer = asked(&jordan, step("BLOCKED", json!({})), context.clone()).await;
    assert_eq!(
        verdict(&answer),
        is("DENY", &["invalid_transition:IN_PROGRESS->BLOCKED"])
    );
    let why = json!({"reason": "No access"});
    let answer = asked(&jordan, step("BLOCKED", why), context.clone()).await;
    assert_eq!(verdict(&answer), is("ALLOW", &[]));
    ok(jordan.submit(&id, "DOCS").await);
    let answer = asked(&jordan, step("DONE", json!({})), context.clone()).await;
    assert_eq!(
        verdict(&answer),
        is(
            "NEEDS_APPROVAL",
            &["transition_requires_human:REVIEW->DONE"]
        )
    );

    for action in [
        step("NOPE", json!({})),
        json!({"type": "TRANSITION"}),
        json!({"type": "TRANSITION", "args": {"toStatus": "NOPE"}}),
    ] {
        let answer = jordan.post("/policy/evaluate", json!({"action": action}));
        assert_eq!(
            faults(&answer.await),
            BTreeSet::from(["action.targetStatus".to_owned()])
        );
    }
}

#[tokio::test]
async fn a_question_hears_everything_that_is_wrong_with_it() {
    let api = Api::start();
    let jordan = member(&api, "jordan", "SPECIALIST", &[]).await;
    let read = || json!({"type": "TOOL_CALL", "tool": "read", "path": "x"});
    let whole = json!({"agentId": 5, "action": {"type": "X", "command": 5, "estimatedCost": "x"}, "context": "y"});
    let all = [
        "agentId",
        "action.type",
        "action.command",
        "action.estimatedCost",
        "context",
    ];
    for (body, by_agent, by_operator) in [
        (json!({}), &["action"][..], &["action", "agentId"][..]),
        (whole, &all[..], &all[..]),
        (
            json!({"agentId": "jordan", "action": read(), "context": {"taskId": 5, "currentSpend": "x", "sessionKey": 1, "approvalId": []}}),
            &[
                "context.taskId",
                "context.currentSpend",
                "context.sessionKey",
                "context.approvalId",
            ][..],
            &[
                "context.taskId",
                "context.currentSpend",
                "context.sessionKey",
                "context.approvalId",
            ][..],
        ),
    ] {
        for (caller, expected) in [(&jordan.caller, by_agent), (&api.operator(), by_operator)] {
            let answer = caller.post("/api/v1/policy/evaluate", body.clone()).await;
            let expected = expected.iter().map(|it| (*it).to_owned()).collect();
            assert_eq!(faults(&answer), expected, "{body}");
        }
    }
    let fine = json!({"agentId": "jordan", "action": read(), "context": {"taskId": "task_none", "currentSpend": 0.5, "sessionKey": "s"}});
    assert_eq!(
        ok(api.operator().post("/api/v1/policy/evaluate", fine).await)["decision"],
        "ALLOW"
    );
}
