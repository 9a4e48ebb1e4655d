//! The two commands whose exit code is an answer: `policy check` and `approval check` (§14).

use std::time::{Duration, Instant};

use serde_json::json;

use crate::program_run::Mc;
use crate::stub::{Answer, Stub};

const CHECK: &[&str] = &[
    "policy",
    "check",
    "--action-type",
    "TOOL_CALL",
    "--tool",
    "exec",
    "--args",
    r#"{"command":"rm -rf /tmp/test"}"#,
];

#[test]
fn a_decision_is_three_lines_and_an_exit_code() {
    let body = json!({"decision": "DENY", "riskLevel": "RED", "reason": "Command matches blocked pattern: rm -rf",
        "violations": ["shell_blocklist:rm -rf"]});
    let stub = Stub::saying(Answer::ok(body));
    let ran = Mc::new(&stub).run(CHECK).ended(11);
    assert_eq!(
        ran.out,
        "Decision: DENY\nRisk Level: RED\nReason: Command matches blocked pattern: rm -rf\n"
    );
    let ran = Mc::new(&stub).run(&[CHECK, &["-v"]].concat()).ended(11);
    assert!(
        ran.out.ends_with("\nViolation: shell_blocklist:rm -rf\n"),
        "{}",
        ran.out
    );
}

#[test]
fn what_needs_approval_says_how_to_ask() {
    let stub = Stub::saying(Answer::ok(
        json!({"decision": "NEEDS_APPROVAL", "riskLevel": "RED", "reason": "r", "violations": ["v"],
        "approvalRequired": {"type": "TOOL_EXEC", "suggestedJustification": "It is the release"}}),
    ));
    let ran = Mc::new(&stub).run(CHECK).ended(10);
    assert_eq!(ran.out.lines().count(), 3);
    assert!(ran.err.contains("mc approval request --action-type TOOL_EXEC --risk RED --summary 'exec: rm -rf /tmp/test'"), "{}", ran.err);
    let payload = r#"--payload '{"type":"TOOL_CALL","tool":"exec","command":"rm -rf /tmp/test"}'"#;
    assert!(
        ran.err.contains(payload),
        "so the approval is good for exactly that: {}",
        ran.err
    );
}

#[test]
fn only_a_plain_yes_is_zero() {
    for (decision, exit) in [(json!("ALLOW"), 0), (json!("MAYBE"), 11), (json!(null), 11)] {
        let stub = Stub::saying(Answer::ok(
            json!({"decision": decision, "riskLevel": "GREEN", "reason": ""}),
        ));
        Mc::new(&stub).run(CHECK).ended(exit);
    }
    let refused = Stub::saying(Answer::refusal(403, "AGENT_MISMATCH", json!({})));
    Mc::new(&refused).run(CHECK).ended(4);
    for (status, exit) in [
        ("APPROVED", 0),
        ("PENDING", 10),
        ("DENIED", 11),
        ("EXPIRED", 11),
        ("CANCELED", 11),
        ("?", 11),
    ] {
        let stub = Stub::saying(Answer::ok(json!({"id": "approval_1", "status": status})));
        Mc::new(&stub)
            .run(&["approval", "check", "approval_1"])
            .ended(exit);
    }
}

#[test]
fn a_wait_ends_with_the_decision() {
    let pending = Answer::ok(json!({"id": "approval_1", "status": "PENDING"}));
    let busy = Answer::refusal(429, "RATE_LIMITED", json!({})).header("retry-after", "1");
    let approved = Answer::ok(json!({"id": "approval_1", "status": "APPROVED"}));
    let stub = Stub::in_turn(vec![pending, busy, approved]);
    let ran = Mc::new(&stub)
        .run(&[
            "approval",
            "check",
            "approval_1",
            "--wait",
            "--timeout",
            "1m",
        ])
        .ended(0);
    assert!(
        ran.out.contains("APPROVED") && !ran.out.contains("PENDING"),
        "{}",
        ran.out
    );
    assert_eq!(stub.seen().len(), 3);
}

#[test]
fn a_wait_outlives_a_server_that_is_restarted() {
    let down = Answer::raw(502, "");
    let denied = Answer::ok(json!({"id": "approval_1", "status": "DENIED"}));
    let stub = Stub::in_turn(vec![down.clone(), down.clone(), down, denied]);
    let mc = Mc::new(&stub);
    mc.run(&[
        "approval",
        "check",
        "approval_1",
        "--wait",
        "--timeout",
        "1m",
    ])
    .ended(11);
}

#[test]
fn a_wait_ends_when_its_time_is_up() {
    let stub = Stub::saying(Answer::ok(json!({"id": "approval_1", "status": "PENDING"})));
    let started = Instant::now();
    Mc::new(&stub)
        .run(&[
            "approval",
            "check",
            "approval_1",
            "--wait",
            "--timeout",
            "1500",
        ])
        .ended(10);
    let took = started.elapsed();
    assert!(
        took >= Duration::from_millis(1500) && took < Duration::from_secs(5),
        "{took:?}"
    );
    assert!(
        stub.seen().len() <= 4,
        "it looks politely: {}",
        stub.seen().len()
    );
}

#[test]
fn a_policy_test_lists_what_would_change() {
    let stub = Stub::saying(Answer::ok(
        json!({"policyVersion": 3, "tested": 40, "changes": [
        {"activityId": "act_1", "agentId": "jordan", "action": "exec: git push",
            "before": {"decision": "NEEDS_APPROVAL", "riskLevel": "RED"}, "after": {"decision": "ALLOW", "riskLevel": "YELLOW"}}]}),
    ));
    let mc = Mc::new(&stub);
    mc.write("p.json", "{}");
    let ran = mc.run(&["policy", "test", "p.json"]).ended(0);
    assert!(
        ran.out
            .starts_with("40 tried; 1 would be judged differently\n"),
        "{}",
        ran.out
    );
    assert!(
        ran.out.contains("act_1")
            && ran.out.contains("NEEDS_APPROVAL")
            && ran.out.contains("ALLOW"),
        "{}",
        ran.out
    );
}
