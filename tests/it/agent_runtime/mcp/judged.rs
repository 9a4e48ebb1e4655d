//! Calls of served tools are judged as others are (rulings 19).

use serde_json::json;
use stationmaster_testkit::model::Step;

use super::{Served, failed_with};
use crate::agent_runtime::approvals::{decide, paused};
use crate::agent_runtime::crew::{said, turn};
use crate::support::Json as _;
use crate::support::wait::until;

/// What the workspace does not list by name takes a person's word.
fn unlisted() -> Served {
    let served = Served::new();
    served.name_one(json!({"roles": {"writer": ["*"]}}));
    served.model.push(Step::tool("web__note", json!({"n": 1})));
    served.model.push(Step::text("Done."));
    served
}

#[tokio::test]
async fn a_call_that_nobody_listed_waits_and_is_made_once() {
    let served = unlisted();
    let mut api = served.start();
    let asked = turn(json!({"idempotency_key": "k"}));
    let waits = paused(&api, asked.clone()).await;
    assert!(served.lines("calls").is_empty());
    api.server.kill();
    let api = served.start();
    assert_eq!(paused(&api, asked).await, waits);
    decide(&api, &waits.text("approval_id"), "approved").await;
    let owner = api.agent("acme", "owner");
    until("the turn goes on", async || said(&owner).await == ["Done."]).await;
    assert_eq!(served.results(), [json!({"text": "served note"})]);
    assert_eq!(served.lines("calls"), ["note"]);
}

#[tokio::test]
async fn a_call_that_is_denied_is_not_made() {
    let served = unlisted();
    let api = served.start();
    let waits = paused(&api, turn(json!({"idempotency_key": "k"}))).await;
    decide(&api, &waits.text("approval_id"), "denied").await;
    let owner = api.agent("acme", "owner");
    until("the turn goes on", async || said(&owner).await == ["Done."]).await;
    failed_with(&served.results(), "was denied");
    assert!(served.lines("calls").is_empty());
}
