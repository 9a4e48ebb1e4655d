//! Tables for people, JSON for programs, ids for pipes; and nothing that acts on a terminal (§14).

use std::io::Read as _;
use std::process::Stdio;

use serde_json::{Value, json};

use crate::program_run::Mc;
use crate::stub::{Answer, Stub};

fn board() -> Value {
    json!({"tasks": [
        {"id": "task_1", "status": "IN_PROGRESS", "priority": 1, "type": "CONTENT", "assigneeIds": ["jordan"],
            "dueAt": null, "updatedAt": "2020-01-01T00:00:00Z", "title": "Write"},
        {"id": "task_2", "status": "INBOX", "priority": 3, "type": "OPS", "assigneeIds": [],
            "dueAt": null, "updatedAt": "2020-01-01T00:00:00Z", "title": "Evil \u{1b}[2J\u{9b}31m\ntitle"},
    ], "total": 7, "hasMore": true})
}

#[test]
fn a_list_is_a_table_with_a_word_about_the_rest() {
    let stub = Stub::saying(Answer::ok(board()));
    let ran = Mc::new(&stub).run(&["task", "list"]).ended(0);
    let lines: Vec<&str> = ran.out.lines().collect();
    assert!(
        lines[0].starts_with("ID      STATUS       P  TYPE"),
        "{}",
        ran.out
    );
    assert!(
        lines[1].starts_with("task_1  IN_PROGRESS  1  CONTENT  jordan"),
        "{}",
        ran.out
    );
    assert!(lines[1].contains("days ago"), "{}", ran.out);
    assert!(ran.err.contains("2 of 7"), "{}", ran.err);
}

#[test]
fn nothing_from_the_server_acts_on_a_terminal() {
    let stub = Stub::saying(Answer::ok(board()));
    let ran = Mc::new(&stub).run(&["task", "list"]).ended(0);
    assert!(!ran.out.contains(['\u{1b}', '\u{9b}']), "{:?}", ran.out);
    assert_eq!(ran.out.lines().count(), 3);
    let stub = Stub::saying(Answer::refusal(
        400,
        "BAD\u{1b}[31m",
        json!({"errors": [{"field": "\u{1b}", "message": "\u{7}"}]}),
    ));
    let ran = Mc::new(&stub).run(&["task", "list"]).ended(1);
    assert!(!ran.err.contains(['\u{1b}', '\u{7}']), "{:?}", ran.err);
}

#[test]
fn json_is_the_reply_as_it_came() {
    let raw = r#"{ "tasks" : [ {"id":"task_1", "n": 1.10} ],"total":1 }"#;
    let stub = Stub::saying(Answer::raw(200, raw));
    let mc = Mc::new(&stub);
    assert_eq!(
        mc.run(&["--json", "task", "list"]).ended(0).out,
        format!("{raw}\n")
    );
    assert_eq!(
        mc.run(&["task", "list", "--output", "json"]).ended(0).out,
        format!("{raw}\n")
    );
    assert_eq!(
        mc.run(&["task", "list", "-o", "ndjson"]).ended(0).out,
        "{\"id\":\"task_1\",\"n\":1.1}\n"
    );
}

#[test]
fn quiet_is_ids_only() {
    let mc = |answer| Stub::saying(Answer::ok(answer));
    let stub = mc(board());
    assert_eq!(
        Mc::new(&stub).run(&["-q", "task", "list"]).ended(0).out,
        "task_1\ntask_2\n"
    );
    let stub = mc(json!({"id": "run_1", "status": "RUNNING"}));
    let ran = Mc::new(&stub)
        .run(&["run", "start", "--model", "m", "--session", "s", "--quiet"])
        .ended(0);
    assert_eq!((ran.out.as_str(), ran.err.as_str()), ("run_1\n", ""));
    let stub = mc(json!({"token": "mc_agt_new"}));
    assert_eq!(
        Mc::new(&stub)
            .run(&["-q", "agent", "token", "casey"])
            .ended(0)
            .out,
        "mc_agt_new\n"
    );
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    let task = json!({"id": "x".repeat(1000), "title": "y".repeat(500)});
    let stub = Stub::saying(Answer::ok(json!({"tasks": vec![task; 2000]})));
    let mc = Mc::new(&stub);
    let mut child = mc
        .command(&["task", "list"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut first = [0; 10];
    child.stdout.take().unwrap().read_exact(&mut first).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert_eq!(String::from_utf8(output.stderr).unwrap(), "");
}

#[test]
fn verbose_names_each_request_but_no_token() {
    let stub = Stub::saying(Answer::ok(board()));
    let ran = Mc::new(&stub).run(&["-v", "task", "list"]).ended(0);
    assert!(ran.err.contains("GET /tasks 200"), "{}", ran.err);
    assert!(!ran.err.contains("mc_agt_"), "{}", ran.err);
}

#[test]
fn a_task_is_shown_with_all_that_belongs_to_it() {
    let stub = Stub::saying(Answer::ok(json!({
        "id": "task_1", "title": "Write", "status": "REVIEW", "type": "CONTENT", "priority": 3, "actualCost": 0.45,
        "description": "Line one\nLine two", "workPlan": {"bullets": ["Look", "Do", "Check"]},
        "deliverable": {"content": "The text", "artifacts": []},
        "reviewChecklist": {"type": "CONTENT", "items": [{"label": "Spelling", "checked": true}, {"label": "Links", "checked": false, "note": "none"}]},
        "transitions": [{"fromStatus": "INBOX", "toStatus": "ASSIGNED", "actorId": "jordan"}],
        "messages": [
            {"id": "msg_2", "type": "COMMENT", "authorId": "casey", "content": "Second", "createdAt": "2020-01-01T00:00:02Z"},
            {"id": "msg_1", "type": "COMMENT", "authorId": "jordan", "content": "First", "createdAt": "2020-01-01T00:00:01Z"}],
    })));
    let text = Mc::new(&stub).run(&["task", "get", "task_1"]).ended(0).out;
    for part in [
        "Cost      $0.45\n",
        "\nDescription\n  Line one\n  Line two\n",
        "  2. Do\n",
        "  [ ] Links (none)\n",
        "\nHistory\n",
    ] {
        assert!(text.contains(part), "{part:?} in\n{text}");
    }
    assert!(
        text.find("First").unwrap() < text.find("Second").unwrap(),
        "the oldest first"
    );
}

#[test]
fn help_and_completions_need_no_configuration() {
    let mc = Mc::bare().with("MC_API_URL", "nonsense");
    assert!(mc.run(&["--help"]).ended(0).out.contains("Exit codes"));
    assert!(
        mc.run(&["completions", "bash"])
            .ended(0)
            .out
            .contains("_mc")
    );
    assert!(
        mc.run(&["--version"])
            .ended(0)
            .out
            .contains(env!("CARGO_PKG_VERSION"))
    );
}

#[test]
fn status_puts_together_what_the_tokens_show() {
    let stub = Stub::start(|seen| {
        Answer::ok(match seen.path.as_str() {
            "/health" => {
                json!({"status": "ok", "version": "0.1.0", "store": {"database": "sqlite"}})
            }
            "/agents/jordan" => {
                json!({"id": "jordan", "status": "ACTIVE", "spendToday": 0.4, "budgetDaily": 5})
            }
            _ => json!({"tasks": {"INBOX": 3}}),
        })
    });
    let ran = Mc::new(&stub).run(&["status"]).ended(0);
    for part in [
        "Version  0.1.0",
        "Spent today   $0.40",
        "Daily budget  $5.00",
        "  INBOX  3",
    ] {
        assert!(ran.out.contains(part), "{part} in\n{}", ran.out);
    }
    let body: Value =
        serde_json::from_str(&Mc::new(&stub).run(&["status", "--json"]).ended(0).out).unwrap();
    assert_eq!(body["agent"]["id"], "jordan");
    assert_eq!(body["overview"]["tasks"]["INBOX"], 3);
}
