//! Patience with a server that is busy, failing or slow (§1.2, §1.3, §14).

use std::time::{Duration, Instant};

use serde_json::json;

use crate::program_run::Mc;
use crate::stub::{Answer, Seen, Stub};

const COMMENT: &[&str] = &["task", "comment", "task_1", "hello"];

fn said() -> Answer {
    Answer::status(201, json!({"id": "msg_1"}))
}

fn busy(seconds: u32) -> Answer {
    Answer::refusal(429, "RATE_LIMITED", json!({})).header("retry-after", seconds.to_string())
}

/// All are the same request, under one key.
#[track_caller]
fn are_one(seen: &[Seen]) {
    for request in seen {
        assert_eq!(request.body, seen[0].body);
        assert_eq!(request.path, seen[0].path);
        assert_eq!(
            request.header("x-idempotency-key"),
            seen[0].header("x-idempotency-key")
        );
    }
    assert_eq!(
        seen[0].header("x-idempotency-key").unwrap().len(),
        36,
        "a UUID"
    );
}

#[test]
fn a_busy_server_is_waited_for() {
    let stub = Stub::in_turn(vec![busy(1), busy(1), said()]);
    let started = Instant::now();
    Mc::new(&stub).run(COMMENT).ended(0);
    assert!(started.elapsed() >= Duration::from_secs(2));
    assert_eq!(stub.seen().len(), 3);
    are_one(&stub.seen());
}

#[test]
fn a_server_that_is_busy_for_too_long_is_not() {
    let stub = Stub::saying(busy(100_000));
    let started = Instant::now();
    Mc::new(&stub).run(COMMENT).ended(7);
    assert!(started.elapsed() < Duration::from_secs(5));
    stub.only();
}

#[test]
fn a_failing_server_is_tried_three_times() {
    let stub = Stub::in_turn(vec![
        Answer::raw(502, "Bad Gateway"),
        Answer::refusal(500, "INTERNAL", json!({})),
        said(),
    ]);
    Mc::new(&stub).run(COMMENT).ended(0);
    assert_eq!(stub.seen().len(), 3);
    are_one(&stub.seen());

    let down = Stub::saying(Answer::refusal(503, "UNAVAILABLE", json!({})));
    Mc::new(&down).run(COMMENT).ended(9);
    assert_eq!(down.seen().len(), 3);
    are_one(&down.seen());
}

#[test]
fn the_first_request_with_a_key_may_still_be_running() {
    let running =
        Answer::refusal(409, "IDEMPOTENCY_CONFLICT", json!({})).header("retry-after", "1");
    let stub = Stub::in_turn(vec![running, said()]);
    Mc::new(&stub).run(COMMENT).ended(0);
    are_one(&stub.seen());
    let used = Stub::saying(Answer::refusal(409, "IDEMPOTENCY_CONFLICT", json!({})));
    let ran = Mc::new(&used).run(COMMENT).ended(6);
    assert!(ran.err.contains("--idempotency-key"), "{}", ran.err);
    used.only();
}

#[test]
fn refusals_are_not_tried_again() {
    for status in [400, 401, 403, 404, 409, 422] {
        let stub = Stub::saying(Answer::refusal(status, "WHATEVER", json!({})));
        Mc::new(&stub).run(COMMENT);
        stub.only();
    }
}

#[test]
fn a_server_that_does_not_answer_is_given_up() {
    let stub = Stub::start(|_| {
        std::thread::sleep(Duration::from_millis(400));
        said()
    });
    let ran = Mc::new(&stub)
        .run(&["--timeout", "100ms", "task", "list"])
        .ended(8);
    assert!(
        ran.err.contains("within 100 ms") && ran.err.contains("--timeout"),
        "{}",
        ran.err
    );
    let ran = Mc::new(&stub)
        .with("MC_DEFAULT_TIMEOUT", "120")
        .run(&["task", "list"])
        .ended(8);
    assert!(ran.err.contains("within 120 ms"), "{}", ran.err);
}

#[test]
fn a_given_key_is_used() {
    let stub = Stub::saying(said());
    Mc::new(&stub)
        .run(&[
            "--idempotency-key",
            "run_1",
            "task",
            "comment",
            "task_1",
            "hello",
        ])
        .ended(0);
    assert_eq!(stub.only().header("x-idempotency-key"), Some("run_1"));
}

#[test]
fn two_runs_of_a_command_are_two_changes() {
    let stub = Stub::saying(said());
    let mc = Mc::new(&stub);
    mc.run(COMMENT).ended(0);
    mc.run(COMMENT).ended(0);
    let seen = stub.seen();
    assert_ne!(
        seen[0].header("x-idempotency-key"),
        seen[1].header("x-idempotency-key")
    );
}
