//! Commands on tasks that do more than one thing.

use serde_json::{Value, json};

use crate::program_run::Mc;
use crate::stub::{Answer, Stub};

fn board(conflicts: &'static [&'static str]) -> Stub {
    Stub::start(
        move |seen| match (seen.method.as_str(), seen.path.as_str()) {
            ("GET", "/agents/jordan") => {
                Answer::ok(json!({"id": "jordan", "allowedTaskTypes": ["CONTENT", "OPS"]}))
            }
            ("GET", _) => Answer::ok(json!({"tasks": [{"id": "task_1"}, {"id": "task_2"}]})),
            (_, path) if conflicts.contains(&path) => Answer::refusal(
                422,
                "ASSIGNMENT_CONFLICT",
                json!({"assigneeIds": ["casey"]}),
            ),
            (_, path) => {
                Answer::ok(json!({"id": path.trim_start_matches("/tasks/"), "status": "ASSIGNED"}))
            }
        },
    )
}

#[test]
fn next_takes_the_best_task_it_may_do() {
    let stub = board(&[]);
    let ran = Mc::new(&stub).run(&["task", "next", "-q"]).ended(0);
    assert_eq!(ran.out, "task_1\n");
    let seen = stub.seen();
    assert_eq!(
        seen[1].path,
        "/tasks?status=INBOX&type=CONTENT,OPS&limit=10"
    );
    assert_eq!(seen[2].body, json!({"assigneeIds": ["jordan"]}));
}

#[test]
fn next_goes_on_when_somebody_else_was_faster() {
    let stub = board(&["/tasks/task_1"]);
    let ran = Mc::new(&stub)
        .run(&[
            "task",
            "next",
            "-q",
            "--idempotency-key",
            "k",
            "--type",
            "ops",
        ])
        .ended(0);
    assert_eq!(ran.out, "task_2\n");
    let keys: Vec<_> = stub
        .seen()
        .iter()
        .filter_map(|seen| seen.header("x-idempotency-key").map(str::to_owned))
        .collect();
    assert_eq!(keys, ["k", "k:2"], "two changes are two keys");
    let ran = Mc::new(&board(&["/tasks/task_1", "/tasks/task_2"]))
        .run(&["task", "next"])
        .ended(5);
    assert!(ran.err.contains("no task to claim"), "{}", ran.err);
}

#[test]
fn next_can_be_looked_at_without_taking_it() {
    let stub = board(&[]);
    assert_eq!(
        Mc::new(&stub)
            .run(&["task", "next", "--dry-run", "-q"])
            .ended(0)
            .out,
        "task_1\n"
    );
    assert!(stub.seen().iter().all(|seen| seen.method == "GET"));
}

#[test]
fn unblock_leads_back_to_where_the_task_was() {
    for (started, to) in [
        (json!(null), "ASSIGNED"),
        (json!("2026-01-01T00:00:00Z"), "IN_PROGRESS"),
    ] {
        let stub = Stub::saying(Answer::ok(json!({"id": "task_1", "startedAt": started})));
        Mc::new(&stub)
            .run(&["task", "unblock", "task_1", "--reason", "it came"])
            .ended(0);
        assert_eq!(
            stub.seen()[1].body,
            json!({"toStatus": to, "reason": "it came"})
        );
    }
}

#[test]
fn texts_come_from_standard_input_too() {
    let stub = Stub::saying(Answer::ok(json!({"id": "x"})));
    let mc = Mc::new(&stub);
    mc.run_with_input(&["task", "comment", "task_1", "-"], "from\npipe\n")
        .ended(0);
    mc.run_with_input(
        &["task", "start", "task_1", "--plan-file", "-"],
        "- a\n- b\n- c\n",
    )
    .ended(0);
    mc.run_with_input(&["task", "submit", "task_1", "--deliverable", "-"], "text")
        .ended(0);
    mc.run_with_input(
        &["task", "artifact", "task_1", "--file", "-", "--name", "n"],
        "text",
    )
    .ended(0);
    let bodies: Vec<Value> = stub.seen().into_iter().map(|seen| seen.body).collect();
    assert_eq!(bodies[0]["content"], "from\npipe\n");
    assert_eq!(bodies[1]["workPlan"]["bullets"], json!(["a", "b", "c"]));
    assert_eq!(bodies[2]["deliverable"], json!({"content": "text"}));
    assert_eq!(bodies[3]["artifacts"][0]["content"], "text");
}

#[test]
fn a_checklist_is_printed_to_be_filled_in() {
    let template = json!({"type": "CONTENT", "items": [{"label": "Spelling", "checked": false}]});
    let stub = Stub::saying(Answer::ok(template.clone()));
    let ran = Mc::new(&stub)
        .run(&["task", "checklist", "content"])
        .ended(0);
    assert_eq!(serde_json::from_str::<Value>(&ran.out).unwrap(), template);
    assert!(ran.out.lines().count() > 5, "indented: {}", ran.out);
}

#[test]
fn a_report_is_markdown() {
    let stub = Stub::saying(Answer::ok(json!({"report": "# Report\n\n- one"})));
    assert_eq!(
        Mc::new(&stub)
            .run(&["task", "report", "task_1"])
            .ended(0)
            .out,
        "# Report\n\n- one\n"
    );
}

#[test]
fn a_heartbeat_shows_what_is_new_and_acks_what_it_showed() {
    let stub = Stub::start(|seen| {
        Answer::ok(match seen.path.as_str() {
            "/notifications/ack" => json!({"acked": 1}),
            _ => {
                json!({"acknowledged": true, "agent": {"status": "ACTIVE"}, "budget": {"remaining": 4.6},
                "pendingNotifications": [{"id": "notif_1", "type": "MENTION", "title": "@jordan look"}],
                "pendingApprovals": [], "assignedTasks": [{"id": "task_1", "title": "Write", "status": "ASSIGNED"}]})
            }
        })
    });
    let ran = Mc::new(&stub).run(&["heartbeat", "--ack", "all"]).ended(0);
    assert!(
        ran.out.contains("notif_1") && ran.out.contains("task_1") && ran.out.contains("$4.60"),
        "{}",
        ran.out
    );
    assert_eq!(stub.seen()[1].body, json!({"ids": ["notif_1"]}));
    assert_eq!(stub.seen()[0].body, json!({"status": "HEALTHY"}));
}
