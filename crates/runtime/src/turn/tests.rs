use serde_json::{Value, json};
use stationmaster_model::Message;

use super::request::{self, HistoryEntry, HistoryRole, SendRequest, Turn};
use super::*;
use crate::TaskChoice;

fn request() -> SendRequest {
    SendRequest {
        user_id: "u1".to_owned(),
        session_key: Some("user:u1:agent".to_owned()),
        message: "Hello".to_owned(),
        task_id: Some("t1".to_owned()),
        ..SendRequest::default()
    }
}

fn with_metadata(metadata: &Value) -> SendRequest {
    SendRequest {
        metadata: metadata.as_object().unwrap().clone(),
        ..request()
    }
}

fn check(request: &SendRequest) -> Result<Turn, TurnError> {
    let session = request::session(request)?;
    Turn::check(request, session, request::trace_id(request), Some("Inbox"))
}

#[test]
fn a_faulty_request_is_refused_by_field() {
    let refused = |change: &dyn Fn(&mut SendRequest), expected: &str| {
        let mut request = request();
        change(&mut request);
        let error = check(&request).unwrap_err();
        assert_eq!(error.code(), "invalid_request");
        assert!(error.to_string().starts_with(expected), "{error}");
    };
    refused(&|r| r.user_id.clear(), "user_id: is missing");
    refused(
        &|r| r.user_id = "u2".to_owned(),
        "user_id: is not the one in session_key",
    );
    refused(&|r| r.session_key = None, "session_key: is missing");
    refused(
        &|r| r.session_key = Some("user:u1".to_owned()),
        "session_key: must be user:<userId>:<role>",
    );
    refused(
        &|r| r.session_key = Some("user:u1:../x".to_owned()),
        "session_key: the role must start",
    );
    refused(
        &|r| r.message = " \n".to_owned(),
        "message: must not be blank",
    );
    refused(
        &|r| r.idempotency_key = Some("k".repeat(256)),
        "idempotency_key: the key must be at most",
    );
    let alias =
        |r: &mut SendRequest| (r.session_key, r.agent_role) = (None, Some("a/b".to_owned()));
    refused(&alias, "agent_role: the role must start");
    for (metadata, expected) in [
        (
            json!({ "timezone": 1 }),
            "metadata: timezone must be a string",
        ),
        (
            json!({ "system_prompt": {} }),
            "metadata: system_prompt must be a string",
        ),
        (
            json!({ "kickoff_note": true }),
            "metadata: kickoff_note must be a string",
        ),
        (
            json!({ "plan_title": [] }),
            "metadata: plan_title must be a string",
        ),
        (
            json!({ "notification_id": 7 }),
            "metadata: notification_id must be a string",
        ),
        (
            json!({ "notification_id": "a\nb" }),
            "metadata: the key must be",
        ),
    ] {
        let error = check(&with_metadata(&metadata)).unwrap_err();
        assert!(
            error.to_string().starts_with(expected),
            "{metadata}: {error}"
        );
    }
}

#[test]
fn a_role_stands_in_for_a_session_key() {
    let mut request = request();
    (request.session_key, request.agent_role) = (None, Some("jarvis".to_owned()));
    assert_eq!(
        check(&request).unwrap().session.to_string(),
        "user:u1:jarvis"
    );
    request.session_key = Some("user:u1:agent".to_owned());
    assert_eq!(
        check(&request).unwrap().session.to_string(),
        "user:u1:agent"
    );
}

#[test]
fn the_task_is_the_id_then_the_title_then_the_default() {
    let mut request = request();
    request.task_title = Some("Schools".to_owned());
    assert_eq!(
        check(&request).unwrap().task,
        Some(TaskChoice::Id("t1".to_owned()))
    );
    request.task_id = Some(String::new());
    let thread = |request: &SendRequest| match check(request).unwrap().task {
        Some(TaskChoice::Thread(thread)) => thread,
        other => panic!("{other:?}"),
    };
    let made = thread(&request);
    assert_eq!(
        (made.title.as_str(), made.description.as_str()),
        ("Schools", "The conversation \"Schools\".")
    );
    assert_eq!(
        Value::Object(made.metadata),
        json!({ "type": "agent_thread" })
    );
    request.task_description = Some("Find three".to_owned());
    request.task_metadata = json!({ "city": "Ulm" }).as_object().cloned();
    let made = thread(&request);
    assert_eq!(made.description, "Find three");
    assert_eq!(Value::Object(made.metadata), json!({ "city": "Ulm" }));
    request.task_title = None;
    assert_eq!(thread(&request).title, "Inbox");
    let session = request::session(&request).unwrap();
    let error = Turn::check(&request, session, "trace".to_owned(), None).unwrap_err();
    assert_eq!(error, TurnError::NoTask);
}

#[test]
fn a_kickoff_asks_for_a_plan_first() {
    for (value, is_kickoff) in [
        (json!(true), true),
        (json!("yes"), true),
        (json!(1), true),
        (json!({}), true),
        (json!([]), true),
        (json!(false), false),
        (json!(null), false),
        (json!(0), false),
        (json!(0.0), false),
        (json!(""), false),
    ] {
        let turn = check(&with_metadata(&json!({ "kickoff_plan": value }))).unwrap();
        assert_eq!(turn.plan_title.is_some(), is_kickoff, "{value}");
        assert_eq!(
            turn.user_turn.ends_with("\n\nUser request: Hello"),
            is_kickoff,
            "{value}"
        );
    }
    let turn = check(&with_metadata(
        &json!({ "kickoff_plan": true, "kickoff_note": "Three steps.", "plan_title": "School plan" }),
    ));
    let turn = turn.unwrap();
    assert_eq!(turn.user_turn, "Three steps.\n\nUser request: Hello");
    assert_eq!(turn.plan_title.as_deref(), Some("School plan"));
    let plain = check(&with_metadata(&json!({ "kickoff_note": "Three steps." }))).unwrap();
    assert_eq!(
        (plain.user_turn.as_str(), plain.plan_title),
        ("Hello", None)
    );
}

#[test]
fn the_key_is_the_clients_then_the_notifications_and_the_turn_always_has_one() {
    let mut request = with_metadata(&json!({ "notification_id": "n1" }));
    let turn = check(&request).unwrap();
    assert_eq!(
        (turn.key.as_deref(), turn.turn_key.as_str()),
        (Some("n1"), "n1")
    );
    request.idempotency_key = Some("k1".to_owned());
    assert_eq!(check(&request).unwrap().turn_key, "k1");

    let long = "k".repeat(255);
    request.idempotency_key = Some(long.clone());
    let turn = check(&request).unwrap();
    assert_eq!(turn.key, Some(long));
    assert_eq!(turn.turn_key.len(), 64);

    let mut request = self::request();
    let turn = check(&request).unwrap();
    assert_eq!((turn.key, &turn.turn_key), (None, &turn.trace_id));
    // One trace may span several turns, so it is no key.
    request.trace_id = Some("trace-1".to_owned());
    let turn = check(&request).unwrap();
    assert_eq!(turn.trace_id, "trace-1");
    assert_ne!(turn.turn_key, "trace-1");
    request.trace_id = Some("two words".to_owned());
    assert_ne!(check(&request).unwrap().trace_id, "two words");
}

#[test]
fn the_whole_history_is_told_but_for_blank_entries() {
    let entry = |role, content: &str| HistoryEntry {
        role,
        content: content.to_owned(),
    };
    let request = SendRequest {
        messages: vec![
            entry(HistoryRole::System, "[Previous conversation summary] Ulm"),
            entry(HistoryRole::User, "And schools?"),
            entry(HistoryRole::Assistant, " "),
            entry(HistoryRole::Assistant, "Three."),
        ],
        ..request()
    };
    let told = [
        Message::System("[Previous conversation summary] Ulm".to_owned()),
        Message::User("And schools?".to_owned()),
        Message::Assistant {
            text: "Three.".to_owned(),
            tool_calls: Vec::new(),
        },
    ];
    assert_eq!(check(&request).unwrap().history, told);
}

#[test]
fn previews_are_short_and_on_one_line() {
    assert_eq!(preview("a\n\n b\tc "), "a b c");
    assert_eq!(preview(&"ü".repeat(120)), "ü".repeat(120));
    assert_eq!(preview(&"ü".repeat(121)), format!("{}…", "ü".repeat(120)));
}

#[test]
fn an_outcome_survives_storage() {
    let outcome = Outcome {
        trace_id: "t".to_owned(),
        message_id: Some("m".to_owned()),
        spent: Spent {
            model_calls: 2,
            input_cost_microusd: 7,
            ..Spent::default()
        },
        tool_calls: vec![ToolCallRecord {
            name: "list_tasks".to_owned(),
            arguments: json!({ "limit": 3 }),
            ok: true,
            summary: "0 tasks".to_owned(),
            duration_ms: 4,
        }],
        ..Outcome::default()
    };
    let stored = serde_json::to_string(&outcome).unwrap();
    assert_eq!(serde_json::from_str::<Outcome>(&stored).unwrap(), outcome);
}
