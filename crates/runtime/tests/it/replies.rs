//! What a turn tells the model and what it posts (agent-runtime §§3, 7, 10).

use std::time::Duration;

use serde_json::{Value, json};
use stationmaster_model::Message;
use stationmaster_runtime::{HistoryEntry, HistoryRole, SendRequest, TurnEventKind};

use crate::crew::{Crew, keyed, request};
use crate::model::Step;

fn with_metadata(metadata: &Value) -> SendRequest {
    SendRequest {
        metadata: metadata.as_object().unwrap().clone(),
        ..keyed("k1")
    }
}

#[tokio::test]
async fn the_reply_is_posted_once_under_the_turns_key() {
    let crew = Crew::new([Step::Say("Three schools fit.")]).await;
    let outcome = crew.send(keyed("k1")).await.unwrap();
    let expected = json!({
        "task_id": "t1",
        "content": "Three schools fit.",
        "actor_type": "agent",
        "agent_role": "agent",
        "idempotency_key": "k1:msg",
    });
    assert_eq!(
        crew.backend.bodies("POST /api/mission-control/messages"),
        [expected]
    );
    assert_eq!(outcome.response, "Three schools fit.");
    assert_eq!(outcome.message_id.as_deref(), Some("messages-1"));
    assert_eq!((outcome.document_id, outcome.document_error), (None, None));
    assert_eq!(
        (outcome.task_id.as_str(), outcome.model.as_str()),
        ("t1", "gpt-4o-mini")
    );
    assert_eq!(
        (outcome.spent.input_tokens, outcome.spent.output_tokens),
        (200, 50)
    );
    assert_eq!(outcome.spent.input_cost_microusd, 30);
    assert_eq!(outcome.spent.output_cost_microusd, 30);
    assert_eq!(outcome.context_warning, None);
    assert!(
        crew.backend
            .bodies("POST /api/mission-control/documents")
            .is_empty()
    );
}

#[tokio::test]
async fn the_model_gets_prompt_history_and_message() {
    let crew = Crew::new([]).await;
    let entry = |role, content: &str| HistoryEntry {
        role,
        content: content.to_owned(),
    };
    let messages = vec![
        entry(
            HistoryRole::System,
            "[Previous conversation summary] They live in Ulm.",
        ),
        entry(HistoryRole::Assistant, "Noted."),
    ];
    crew.send(SendRequest {
        messages,
        ..request()
    })
    .await
    .unwrap();
    let asked = &crew.model.asked()[0];
    assert_eq!(
        asked.messages,
        [
            Message::System("[Previous conversation summary] They live in Ulm.".to_owned()),
            Message::Assistant {
                text: "Noted.".to_owned(),
                tool_calls: Vec::new()
            },
            Message::User("Which schools fit?".to_owned()),
        ]
    );
    assert_eq!((asked.temperature, asked.max_tokens), (Some(0.4), 4096));
    assert_eq!(
        asked.system,
        "You are agent, a helpful assistant.\n\n## Current Time\n\n\
         - Date: Saturday, November 21, 2026\n- Time: 1:05 PM\n- Timezone: UTC"
    );
}

#[tokio::test]
async fn a_kickoff_keeps_the_reply_as_a_plan() {
    let crew = Crew::new([Step::Say("1. Look")]).await;
    let request = with_metadata(&json!({ "kickoff_plan": true, "plan_title": "School plan" }));
    let outcome = crew.send(request).await.unwrap();
    let expected = json!({
        "task_id": "t1",
        "title": "School plan",
        "content": "1. Look",
        "doc_type": "plan",
        "idempotency_key": "k1:doc",
    });
    assert_eq!(
        crew.backend.bodies("POST /api/mission-control/documents"),
        [expected]
    );
    assert_eq!(outcome.document_id.as_deref(), Some("documents-1"));
    let Message::User(said) = crew.model.asked()[0].messages[0].clone() else {
        panic!()
    };
    assert!(
        said.ends_with("\n\nUser request: Which schools fit?"),
        "{said}"
    );
}

#[tokio::test]
async fn a_plan_that_cannot_be_kept_is_a_remark() {
    let crew = Crew::new([]).await;
    crew.backend
        .fail("POST /api/mission-control/documents", 500, 3);
    let outcome = crew
        .send(with_metadata(&json!({ "kickoff_plan": true })))
        .await
        .unwrap();
    assert_eq!(outcome.message_id.as_deref(), Some("messages-1"));
    assert_eq!(outcome.document_id, None);
    assert_eq!(
        outcome.document_error.as_deref(),
        Some("the backend answered 500: as the test wants")
    );
}

#[tokio::test]
async fn the_caller_may_bring_prompt_and_zone() {
    let crew = Crew::new([]).await;
    let metadata = json!({ "system_prompt": "Be brief.", "timezone": "Asia/Tokyo" });
    crew.send(with_metadata(&metadata)).await.unwrap();
    let system = &crew.model.asked()[0].system;
    assert!(
        system.starts_with("Be brief.\n\n## Current Time\n\n"),
        "{system}"
    );
    assert!(
        system.ends_with("- Time: 10:05 PM\n- Timezone: Asia/Tokyo"),
        "{system}"
    );
    let unknown = with_metadata(&json!({ "timezone": "Mars/Olympus", "notification_id": "n2" }));
    let unknown = SendRequest {
        idempotency_key: None,
        ..unknown
    };
    let error = crew.send(unknown).await.unwrap_err();
    assert_eq!(error.code(), "invalid_request");
    assert!(
        error
            .to_string()
            .starts_with("metadata.timezone: there is no time zone"),
        "{error}"
    );
}

#[tokio::test]
async fn a_caller_is_warned_when_the_window_fills() {
    let crew = Crew::configured([], |config| config.context_warning_percent = 0.5).await;
    let request = SendRequest {
        message: "word ".repeat(600),
        ..request()
    };
    let warning = crew.send(request).await.unwrap().context_warning.unwrap();
    assert!(
        warning.contains("0.6 %") && warning.contains("128000 tokens"),
        "{warning}"
    );
}

#[tokio::test]
async fn an_observer_sees_the_turn_in_order() {
    let call = Step::Call(vec![("list_tasks", json!({}))]);
    let crew = Crew::new([call, Step::Say("One.")]).await;
    crew.send(keyed("k1")).await.unwrap();
    crew.send(keyed("k1")).await.unwrap();
    let events = crew.events();
    let [started, first, tool, second, posted, replayed] = &events[..] else {
        panic!("{events:?}")
    };
    let TurnEventKind::Started { task, preview } = started else {
        panic!("{started:?}")
    };
    assert_eq!(
        (task.id.as_str(), preview.as_str()),
        ("t1", "Which schools fit?")
    );
    assert!(
        matches!(
            first,
            TurnEventKind::ModelCalled {
                round: 1,
                tool_calls: 1,
                ..
            }
        ),
        "{first:?}"
    );
    let TurnEventKind::ToolCalled {
        name,
        ok: true,
        summary,
        ..
    } = tool
    else {
        panic!("{tool:?}")
    };
    assert_eq!((name.as_str(), summary.as_str()), ("list_tasks", "1 tasks"));
    assert!(
        matches!(
            second,
            TurnEventKind::ModelCalled {
                round: 2,
                tool_calls: 0,
                ..
            }
        ),
        "{second:?}"
    );
    let TurnEventKind::ReplyPosted {
        cost_microusd,
        took,
        ..
    } = posted
    else {
        panic!("{posted:?}")
    };
    assert_eq!(*cost_microusd, 120);
    assert!(*took < Duration::from_secs(60));
    assert!(
        matches!(replayed, TurnEventKind::Replayed { .. }),
        "{replayed:?}"
    );
}
