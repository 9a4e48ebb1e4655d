//! What goes wrong, and what the caller is told (agent-runtime §3, table).

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use stationmaster_model::ErrorKind;
use stationmaster_runtime::{SendRequest, TurnError};

use crate::backend::Fake;
use crate::crew::{Crew, keyed, request};
use crate::model::Step;

#[tokio::test]
async fn a_model_without_an_answer_posts_nothing() {
    for (kind, code) in [
        (ErrorKind::RateLimited, "model_rate_limited"),
        (ErrorKind::Unavailable, "model_unavailable"),
        (ErrorKind::Garbled, "model_unavailable"),
        (ErrorKind::Deadline, "deadline_exceeded"),
        (ErrorKind::Unauthorized, "model_rejected"),
        (ErrorKind::Rejected, "model_rejected"),
        (ErrorKind::UnknownModel, "model_unknown"),
        (ErrorKind::Refused, "model_refused"),
        (ErrorKind::Empty, "model_empty"),
    ] {
        let crew = Crew::new([Step::Fail(kind)]).await;
        let error = crew.send(keyed("k1")).await.unwrap_err();
        assert_eq!(error.code(), code);
        let waits = matches!(
            error,
            TurnError::RateLimited { .. } | TurnError::ModelUnavailable { .. }
        );
        assert_eq!(
            error.retry_after(),
            waits.then_some(Duration::from_secs(7)),
            "{code}"
        );
        assert!(crew.backend.rows("messages").is_empty(), "{code}");
    }
    let crew = Crew::new([Step::Say(" \n")]).await;
    assert_eq!(crew.refused(keyed("k1")).await, "model_empty");
    assert!(
        crew.backend
            .bodies("POST /api/mission-control/messages")
            .is_empty()
    );
}

#[tokio::test]
async fn a_backends_refusals_have_their_own_codes() {
    for (status, code) in [
        (401, "backend_rejected_token"),
        (403, "backend_rejected_token"),
        (400, "backend_refused"),
        (404, "backend_unavailable"),
        (302, "backend_unavailable"),
        (500, "backend_unavailable"),
        (503, "backend_unavailable"),
    ] {
        let crew = Crew::new([]).await;
        crew.backend
            .fail("GET /api/mission-control/tasks", status, 3);
        let titled = SendRequest {
            task_id: None,
            task_title: Some("T".to_owned()),
            ..request()
        };
        assert_eq!(crew.refused(titled).await, code, "{status}");
        assert!(crew.model.asked().is_empty(), "{status}");
        let tries = crew.backend.bodies("GET /api/mission-control/tasks").len();
        assert_eq!(tries, if status >= 500 { 3 } else { 1 }, "{status}");
    }
}

#[tokio::test]
async fn an_unknown_task_is_not_found() {
    let crew = Crew::new([]).await;
    let unknown = SendRequest {
        task_id: Some("t9".to_owned()),
        ..keyed("k1")
    };
    assert_eq!(
        crew.send(unknown).await.unwrap_err(),
        TurnError::TaskNotFound {
            task_id: "t9".to_owned()
        }
    );
    let theirs = SendRequest {
        user_id: "u2".to_owned(),
        session_key: Some("user:u2:agent".to_owned()),
        ..keyed("k1")
    };
    assert_eq!(crew.refused(theirs).await, "task_not_found");
}

#[tokio::test]
async fn a_backend_that_stumbles_is_asked_again_with_the_same_key() {
    let crew = Crew::new([Step::Say("Posted.")]).await;
    crew.backend
        .fail("POST /api/mission-control/messages", 502, 2);
    crew.send(keyed("k1")).await.unwrap();
    let tried = crew.backend.bodies("POST /api/mission-control/messages");
    assert_eq!(tried.len(), 3);
    assert!(tried.iter().all(|body| *body == tried[0]));
    assert_eq!(crew.backend.rows("messages").len(), 1);
}

#[tokio::test]
async fn nobody_pays_for_a_reply_that_cannot_be_posted() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let closed = listener.local_addr().unwrap();
    drop(listener);
    let crew = Crew::against(
        &format!("http://{closed}"),
        Arc::new(Fake::default()),
        [],
        |_| (),
    );
    assert_eq!(crew.refused(keyed("k1")).await, "backend_unavailable");
    assert!(crew.model.asked().is_empty());
}

#[tokio::test]
async fn a_turn_ends_in_time() {
    let short =
        |config: &mut stationmaster_runtime::Config| config.deadline = Duration::from_millis(60);
    let crew = Crew::configured([Step::Never], short).await;
    assert_eq!(crew.refused(keyed("k1")).await, "deadline_exceeded");

    let call = Step::Call(vec![("update_task", json!({ "status": "done" }))]);
    let crew = Crew::configured([call], short).await;
    crew.backend
        .never_answer("PATCH /api/mission-control/tasks/t1");
    assert_eq!(crew.refused(keyed("k1")).await, "deadline_exceeded");
    assert!(crew.backend.rows("messages").is_empty());

    let crew = Crew::configured([], short).await;
    crew.backend.never_answer("GET /api/mission-control/tasks");
    let titled = SendRequest {
        task_id: None,
        task_title: Some("T".to_owned()),
        ..request()
    };
    assert_eq!(crew.refused(titled).await, "deadline_exceeded");
}

#[tokio::test]
async fn a_faulty_request_reaches_nobody() {
    let crew = Crew::new([]).await;
    let faulty = SendRequest {
        session_key: Some("user:u1:../../outside".to_owned()),
        ..request()
    };
    assert_eq!(crew.refused(faulty).await, "invalid_request");
    assert!(crew.backend.lock().seen.is_empty());
}
