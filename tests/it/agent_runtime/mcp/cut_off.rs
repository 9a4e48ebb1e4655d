//! Calls under way when the server is killed.

use serde_json::{Value, json};
use stationmaster_testkit::model::Step;
use tokio::task::JoinSet;

use super::{Served, failed_with};
use crate::agent_runtime::crew::{SEND, turn};
use crate::support::wait::until;

/// Kills the server in the middle of a call, starts it again and gives what the turn came to.
async fn cut_off(served: &Served, tool: &str) -> Value {
    served.model.push(Step::tool(tool, json!({})));
    served.hold();
    let mut api = served.start();
    let asked = turn(json!({"idempotency_key": "k"}));
    let mut sent = JoinSet::new();
    let (caller, body) = (api.stranger(), asked.clone());
    sent.spawn(async move { caller.post(SEND, body).await });
    until("the call is under way", async || {
        served.lines("calls").len() == 1
    })
    .await;
    api.server.kill();
    served.release();
    served.model.push(Step::text("Done."));
    let api = served.start();
    let answer = api.stranger().post(SEND, asked).await.ok();
    assert_eq!(answer["response"], "Done.");
    assert_eq!(served.model.request_count(), 2, "nothing is paid twice");
    answer
}

#[tokio::test]
async fn what_may_have_been_done_is_not_done_again() {
    let served = Served::with_server();
    let answer = cut_off(&served, "web__note").await;
    assert_eq!(served.lines("calls"), ["note"]);
    failed_with(&served.results(), "it may or may not have been done");
    assert_eq!(answer["tool_calls"][0]["ok"], false, "{answer}");
}

#[tokio::test]
async fn what_can_be_repeated_is() {
    let served = Served::with_server();
    let answer = cut_off(&served, "web__look").await;
    assert_eq!(served.lines("calls"), ["look", "look"]);
    assert_eq!(served.results(), [json!({"text": "served look"})]);
    assert_eq!(answer["tool_calls"][0]["ok"], true, "{answer}");
}
