//! The same key is the same turn (rulings 19).

use futures::FutureExt;
use stationmaster_model::ErrorKind;
use stationmaster_runtime::SendRequest;

use crate::crew::{Crew, keyed, request};
use crate::model::Step;

#[tokio::test]
async fn the_same_key_gives_the_first_answer_without_asking_the_model() {
    let crew = Crew::new([Step::Say("First."), Step::Say("Second.")]).await;
    let first = crew.send(keyed("k1")).await.unwrap();
    let again = SendRequest {
        message: "Something else".to_owned(),
        ..keyed("k1")
    };
    assert_eq!(crew.send(again).await.unwrap(), first);
    assert_eq!(crew.model.asked().len(), 1);
    assert_eq!(crew.backend.rows("messages").len(), 1);

    assert_eq!(crew.send(keyed("k2")).await.unwrap().response, "Second.");
    let other_session = SendRequest {
        session_key: Some("user:u1:scout".to_owned()),
        ..keyed("k3")
    };
    crew.send(keyed("k3")).await.unwrap();
    crew.send(SendRequest {
        task_id: None,
        task_title: Some("Other".to_owned()),
        ..other_session
    })
    .await
    .unwrap();
    assert_eq!(crew.model.asked().len(), 4);
}

#[tokio::test]
async fn a_notification_is_answered_once() {
    let crew = Crew::new([]).await;
    let mut request = request();
    request
        .metadata
        .insert("notification_id".to_owned(), "n1".into());
    let first = crew.send(request.clone()).await.unwrap();
    assert_eq!(crew.send(request).await.unwrap(), first);
    assert_eq!(
        crew.backend.rows("messages")[0]["idempotency_key"],
        "n1:msg"
    );
    assert_eq!(crew.backend.rows("messages").len(), 1);
}

#[tokio::test]
async fn who_asks_while_the_turn_runs_waits_for_its_answer() {
    let crew = Crew::new([Step::Gate("Once.")]).await;
    let mut first = Box::pin(crew.send(keyed("k1")));
    tokio::select! {
        outcome = &mut first => panic!("{outcome:?}"),
        () = crew.model.entered.notified() => {}
    }
    let mut second = Box::pin(crew.send(keyed("k1")));
    assert!(second.as_mut().now_or_never().is_none());
    crew.model.release.notify_one();
    let (first, second) = tokio::join!(first, second);
    assert_eq!(first.unwrap(), second.unwrap());
    assert_eq!(crew.model.asked().len(), 1);
    assert_eq!(crew.backend.rows("messages").len(), 1);
}

#[tokio::test]
async fn a_turn_whose_caller_went_away_is_taken_over() {
    let crew = Crew::new([Step::Gate("Lost."), Step::Say("Found.")]).await;
    let mut first = Box::pin(crew.send(keyed("k1")));
    tokio::select! {
        outcome = &mut first => panic!("{outcome:?}"),
        () = crew.model.entered.notified() => {}
    }
    let mut second = Box::pin(crew.send(keyed("k1")));
    assert!(second.as_mut().now_or_never().is_none());
    drop(first);
    assert_eq!(second.await.unwrap().response, "Found.");
    assert_eq!(crew.backend.rows("messages").len(), 1);
}

#[tokio::test]
async fn a_failed_turn_may_be_tried_again() {
    let crew = Crew::new([Step::Fail(ErrorKind::Unavailable), Step::Say("Now.")]).await;
    assert_eq!(crew.refused(keyed("k1")).await, "model_unavailable");
    assert_eq!(crew.send(keyed("k1")).await.unwrap().response, "Now.");
}

#[tokio::test]
async fn a_reply_that_was_posted_unheard_is_not_posted_again() {
    // The first process posted and died; this one has another answer and the same key.
    let crew = Crew::new([Step::Say("One."), Step::Say("Two.")]).await;
    crew.send(keyed("k1")).await.unwrap();
    let mut other_session = keyed("k1");
    other_session.session_key = Some("user:u1:agent2".to_owned());
    let outcome = crew.send(other_session).await.unwrap();
    assert_eq!(outcome.message_id, None);
    assert!(
        outcome
            .message_error
            .unwrap()
            .contains("has posted its reply")
    );
    assert_eq!(crew.backend.rows("messages").len(), 1);
}
