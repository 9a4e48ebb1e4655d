//! What goes wrong is told on standard error with what to do about it, and by the exit code (§14).

use serde_json::{Value, json};

use crate::program_run::Mc;
use crate::stub::{Answer, Stub};

#[test]
fn every_refusal_has_its_exit_code() {
    let cases = [
        (400, "VALIDATION_ERROR", 1),
        (401, "UNAUTHORIZED", 3),
        (403, "FORBIDDEN", 4),
        (404, "NOT_FOUND", 5),
        (405, "METHOD_NOT_ALLOWED", 1),
        (409, "ALREADY_PROCESSED", 6),
        (413, "PAYLOAD_TOO_LARGE", 1),
        (422, "INVALID_TRANSITION", 6),
        (500, "INTERNAL", 9),
        (503, "UNAVAILABLE", 9),
    ];
    for (status, code, exit) in cases {
        let stub = Stub::saying(Answer::refusal(status, code, json!({})));
        let ran = Mc::new(&stub).run(&["task", "claim", "task_1"]).ended(exit);
        assert!(
            ran.err
                .contains(&format!("error: {code}: because\n  requestId: req_1\n")),
            "{ran:?}"
        );
        assert_eq!(ran.out, "", "standard output is for data");
    }
}

#[test]
fn every_fault_is_a_line() {
    let details = json!({"errors": [{"field": "deliverable", "message": "is missing"},
        {"field": "reviewChecklist", "message": "is missing"}]});
    let stub = Stub::saying(Answer::refusal(400, "VALIDATION_ERROR", details));
    let ran = Mc::new(&stub).run(&["task", "submit", "task_1"]).ended(1);
    assert!(
        ran.err
            .contains("\n  deliverable: is missing\n  reviewChecklist: is missing\n"),
        "{}",
        ran.err
    );
}

#[test]
fn with_json_a_refusal_is_data_too() {
    let stub = Stub::saying(Answer::refusal(404, "NOT_FOUND", json!({})));
    let ran = Mc::new(&stub)
        .run(&["--json", "task", "get", "task_1"])
        .ended(5);
    let body: Value = serde_json::from_str(&ran.out).unwrap();
    assert_eq!(body["error"]["code"], "NOT_FOUND");
    assert!(ran.err.contains("NOT_FOUND"), "{}", ran.err);
}

#[test]
fn what_an_approval_can_lift_comes_with_the_line_that_asks_for_it() {
    let details = json!({"decision": "NEEDS_APPROVAL", "riskLevel": "RED", "violations": ["shell_not_allowlisted:git"],
        "approvalRequired": {"type": "TOOL_EXEC", "suggestedJustification": "Why exec is needed"}, "toolCallId": "tc_7"});
    let stub = Stub::saying(Answer::refusal(403, "POLICY_VIOLATION", details));
    let ran = Mc::new(&stub)
        .run(&[
            "tool-call",
            "start",
            "--run",
            "run_1",
            "--tool",
            "exec",
            "--risk",
            "RED",
            "--task",
            "task_1",
            "--input",
            r#"{"command":"git push origin main"}"#,
        ])
        .ended(4);
    assert!(
        ran.err.contains(
            "hint: ask for approval: mc approval request --action-type TOOL_EXEC --risk RED \
             --summary 'exec: git push origin main' --justification 'Why exec is needed' --task task_1 --tool-call tc_7"
        ),
        "{}", ran.err
    );
    assert!(
        ran.err
            .contains("  violations: shell_not_allowlisted:git\n"),
        "{}",
        ran.err
    );
}

#[test]
fn refusals_name_the_next_command() {
    for (status, code, hint) in [
        (401, "UNAUTHORIZED", "mc agent token"),
        (403, "AGENT_PAUSED", "mc agent status"),
        (403, "POLICY_DENIED", "mc policy show"),
        (422, "ASSIGNMENT_CONFLICT", "mc task next"),
    ] {
        let stub = Stub::saying(Answer::refusal(status, code, json!({})));
        let ran = Mc::new(&stub).run(&["task", "claim", "task_1"]);
        assert!(
            ran.err.contains("hint: ") && ran.err.contains(hint),
            "{ran:?}"
        );
    }
}

#[test]
fn a_server_that_is_not_there_is_said_to_be_so() {
    let port = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let ran = Mc::bare()
        .with("MC_API_URL", &format!("http://127.0.0.1:{port}"))
        .with("MC_AGENT_TOKEN", "mc_agt_x")
        .run(&["task", "list"])
        .ended(8);
    assert!(
        ran.err.contains("refused") && ran.err.contains("stationmaster serve"),
        "{}",
        ran.err
    );
}

#[test]
fn without_a_token_nothing_is_asked() {
    let stub = Stub::saying(Answer::ok(json!({})));
    let agent = Mc::bare()
        .with("MC_API_URL", &stub.url())
        .run(&["task", "list"])
        .ended(3);
    assert!(
        agent.err.contains("MC_AGENT_TOKEN") && agent.err.contains("mc agent register"),
        "{}",
        agent.err
    );
    let operator = Mc::bare()
        .with("MC_API_URL", &stub.url())
        .run(&["alert", "list"])
        .ended(3);
    assert!(operator.err.contains("MC_ADMIN_TOKEN"), "{}", operator.err);
    assert!(stub.seen().is_empty());
}

#[test]
fn something_that_is_no_mission_control_is_told_apart() {
    let stub = Stub::saying(Answer::raw(200, "<html>Welcome to \u{1b}[31mnginx</html>"));
    let ran = Mc::new(&stub).run(&["task", "list"]).ended(1);
    assert!(
        ran.err.contains("not this API's: <html>") && ran.err.contains("MC_API_URL"),
        "{}",
        ran.err
    );
    assert!(!ran.err.contains('\u{1b}'));
    let moved = Stub::saying(Answer::raw(308, "").header("location", "https://elsewhere/"));
    let ran = Mc::new(&moved).run(&["task", "claim", "task_1"]).ended(1);
    assert!(ran.err.contains("https://elsewhere/"), "{}", ran.err);
    assert_eq!(moved.only().method, "PATCH");
}

#[test]
fn a_wrong_command_line_asks_nothing() {
    let stub = Stub::saying(Answer::ok(json!({})));
    let mc = Mc::new(&stub);
    let cases: &[(&[&str], &str)] = &[
        (&["task", "list", "--status", "OPEN"], "IN_PROGRESS"),
        (&["task", "get", ".."], "must be an id"),
        (
            &["task", "start", "task_1", "--plan", "one"],
            "3 to 6 steps",
        ),
        (
            &["task", "start", "task_1", "--estimated-cost", "1"],
            "--plan",
        ),
        (
            &["task", "submit", "task_1", "--deliverable", "missing.md"],
            "missing.md",
        ),
        (&["task", "artifact", "task_1", "--name", "x"], "--file"),
        (
            &["policy", "check", "--tool", "exec", "--args", "ls"],
            "is not JSON",
        ),
        (&["policy", "set", "rules.yaml"], "rules.yaml"),
        (
            &["agent", "register", "--id", "x", "--name", "X"],
            "--workspace",
        ),
        (
            &[
                "agent",
                "register",
                "--id",
                "x",
                "--name",
                "X",
                "--workspace",
                "/w",
                "-q",
            ],
            "shown once",
        ),
        (&["agent", "quarantine", "x"], "--reason"),
        (&["agent", "pause", "x", "--duration", "soon"], "24h"),
        (
            &[
                "approval",
                "request",
                "--action-type",
                "SPAWN",
                "--summary",
                "s",
                "--risk",
                "GREEN",
                "--justification",
                "j",
            ],
            "YELLOW",
        ),
        (&["run", "start", "--model", "m"], "MC_SESSION_KEY"),
        (
            &["--idempotency-key", "é", "task", "claim", "task_1"],
            "printable",
        ),
        (&["nonsense"], "nonsense"),
    ];
    for (line, told) in cases {
        let ran = mc.run(line).ended(2);
        assert!(ran.err.contains(told), "{line:?}: {}", ran.err);
    }
    assert!(stub.seen().is_empty(), "{:?}", stub.seen());
}

#[test]
fn files_that_do_not_fit_are_to_be_given_by_address() {
    let stub = Stub::saying(Answer::ok(json!({})));
    let mc = Mc::new(&stub);
    mc.write("large.txt", "x".repeat(1024 * 1024 + 1));
    mc.write("image.png", b"\x89PNG\r\n\x1a\n\0\0");
    mc.write("list.json", "[]");
    for (line, told) in [
        (
            vec!["task", "artifact", "task_1", "--file", "large.txt"],
            "--url",
        ),
        (
            vec!["task", "artifact", "task_1", "--file", "image.png"],
            "--url",
        ),
        (
            vec!["task", "submit", "task_1", "--checklist", "list.json"],
            "mc task checklist",
        ),
    ] {
        let ran = mc.run(&line).ended(2);
        assert!(ran.err.contains(told), "{}", ran.err);
    }
    assert!(stub.seen().is_empty());
}
