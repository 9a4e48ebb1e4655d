//! Tool calls are judged as the agent whose turn it is; one that needs an approval stops the turn, which goes on
//! in the same conversation when it is decided, restarts later (rulings 19; design §4).

use serde_json::{Value, json};
use stationmaster_testkit::model::{Step, StubModel};
use tempfile::TempDir;

use super::crew::{Crew, SEND, said, thinking, turn, woken};
use crate::support::wait::eventually;
use crate::support::{Api, Json as _};

/// Puts rules in force by which documents are not made without a person's word.
pub(super) async fn guard(api: &Api) {
    let active = api.operator().get("/api/v1/policy/active").await.ok();
    let mut rules = active["document"].clone();
    let tools = &mut rules["tools"];
    let guarded = json!("create_document");
    let green = tools["green"].as_array_mut().unwrap();
    green.retain(|tool| *tool != guarded);
    tools["red"].as_array_mut().unwrap().push(guarded);
    let body = json!({"document": rules, "scope": "GLOBAL"});
    let answer = api
        .operator()
        .send("PUT", "/api/v1/policy", Some(body.to_string().into()))
        .await;
    assert_eq!(answer.status, 200, "{answer:?}");
}

pub(super) fn draft() -> Step {
    Step::Tools(vec![
        ("create_task".into(), json!({"title": "Sub"})),
        (
            "create_document".into(),
            json!({"title": "Draft", "content": "# Hi"}),
        ),
    ])
}

fn start(model: &StubModel, directory: &TempDir) -> Api {
    Api::of(thinking(model).directory(directory.path()).start())
}

/// The turn that waits, as the answer to its request says.
pub(super) async fn paused(api: &Api, asked: Value) -> Value {
    let answer = api.stranger().post(SEND, asked).await;
    assert_eq!(answer.status, 202, "{answer:?}");
    let body = answer.json();
    assert_eq!(body["status"], "pending_approval");
    assert_eq!(body["approval_id"], body["tool_request_id"]);
    body
}

pub(super) async fn decide(api: &Api, id: &str, status: &str) {
    let word = json!({"status": status, "note": "so be it"});
    let answer = api
        .operator()
        .send(
            "PATCH",
            &format!("/api/mission-control/tool-requests/{id}"),
            Some(word.to_string().into()),
        )
        .await;
    assert_eq!(answer.status, 200, "{answer:?}");
}

#[tokio::test]
async fn a_turn_waits_for_an_approval_and_goes_on_after_a_restart() {
    let (directory, model) = (TempDir::new().unwrap(), StubModel::start());
    let mut api = start(&model, &directory);
    guard(&api).await;
    let asked = turn(json!({"idempotency_key": "k"}));
    model.push(draft());
    let waits = paused(&api, asked.clone()).await;
    let id = waits.text("approval_id");

    // Both contracts show it.
    let request = api
        .operator()
        .get(&format!("/api/v1/approvals/{id}"))
        .await
        .ok();
    assert_eq!(request["status"], "PENDING");
    assert_eq!(request["actionType"], "TOOL_EXEC");
    assert_eq!(request["riskLevel"], "RED");
    let owner = api.agent("acme", "owner");
    let shown = owner.get(&format!("tool-requests/{id}")).await.ok();
    assert_eq!(shown["status"], "pending");
    assert_eq!(shown["agent_role"], "writer");
    // What it did before is done; what it waits for is not; asking again says the same.
    assert_eq!(owner.items("tasks?title=Sub").await.len(), 1);
    assert_eq!(owner.items("documents").await.len(), 0);
    assert_eq!(paused(&api, asked.clone()).await, waits);
    assert_eq!(model.request_count(), 1);
    let traces = api.stranger().get("/traces?tenant_id=acme").await.ok();
    assert_eq!(traces["traces"][0]["status"], "pending_approval");

    api.server.kill();
    let mut api = start(&model, &directory);
    assert_eq!(paused(&api, asked.clone()).await, waits);
    api.server.kill();
    model.push(Step::text("Done."));
    let api = start(&model, &directory);
    decide(&api, &id, "approved").await;
    let owner = api.agent("acme", "owner");
    eventually("the turn goes on", async || {
        (said(&owner).await == ["Done."]).then_some(())
    })
    .await;
    let answer = api.stranger().post(SEND, asked).await.ok();
    assert_eq!(answer["response"], "Done.");
    let calls = answer["tool_calls"].as_array().unwrap();
    assert!(calls.iter().all(|call| call["ok"] == true), "{calls:?}");
    assert_eq!(owner.items("documents").await.len(), 1);
    assert_eq!(owner.items("tasks?title=Sub").await.len(), 1);
    assert_eq!(model.request_count(), 2, "nothing is paid twice");
    // Its trace tells the wait, and nothing twice.
    let path = "/traces?tenant_id=acme&agent_role=writer";
    let traces = api.stranger().get(path).await.ok();
    assert_eq!(traces["total"], 1, "{traces}");
    let path = format!("/traces/{}?tenant_id=acme", traces["traces"][0].text("id"));
    let trace = api.stranger().get(&path).await.ok();
    let steps = trace["steps"].as_array().unwrap();
    let kinds: Vec<String> = steps.iter().map(|step| step.text("type")).collect();
    let call = ["tool_call", "tool_result"];
    let expected = [&["llm_call"], &call[..], &call[..1], &call, &["llm_call"]].concat();
    assert_eq!(kinds, expected, "{trace}");
    let waited = &steps[3]["data"];
    assert_eq!(waited["toolName"], "create_document");
    assert_eq!(waited["permitted"], false);
    let why = waited.text("permissionReason");
    assert_eq!(why, format!("waits for approval {id}"));
    assert_eq!(steps[4]["data"]["permitted"], true);
    assert_eq!(trace["status"], "completed");
    // The approval is used up, and the call that it was for has run.
    let request = api
        .operator()
        .get(&format!("/api/v1/approvals/{id}"))
        .await
        .ok();
    assert!(!request["usedAt"].is_null(), "{request}");
}

#[tokio::test]
async fn what_is_denied_or_withdrawn_is_told_to_the_model() {
    for (status, told) in [
        ("denied", "was denied: so be it"),
        ("withdrawn", "was withdrawn"),
    ] {
        let crew = Crew::start();
        guard(&crew.api).await;
        crew.model.push_all([draft(), Step::text("Without, then.")]);
        let waits = paused(&crew.api, turn(json!({"idempotency_key": "k"}))).await;
        decide(&crew.api, &waits.text("approval_id"), status).await;
        let owner = crew.owner();
        eventually("the turn goes on", async || {
            (said(&owner).await == ["Without, then."]).then_some(())
        })
        .await;
        let asked = crew.asked();
        let results = asked[1]["messages"].to_string();
        assert!(results.contains(told), "{status}: {results}");
        assert_eq!(owner.items("documents").await.len(), 0);
    }
}

#[tokio::test]
async fn an_approval_is_good_for_the_one_call() {
    let crew = Crew::start();
    guard(&crew.api).await;
    crew.model.push_all([draft(), draft()]);
    let first = paused(&crew.api, turn(json!({"idempotency_key": "k"}))).await;
    decide(&crew.api, &first.text("approval_id"), "approved").await;
    let owner = crew.owner();
    let second = eventually("the same again waits again", async || {
        let waiting = owner.items("tool-requests?status=pending").await;
        waiting.first().map(|it| it.text("id"))
    })
    .await;
    assert_ne!(second, first.text("approval_id"));
    assert_eq!(owner.items("documents").await.len(), 1);
}

#[tokio::test]
async fn a_decision_wakes_the_turn_that_waits_and_begins_no_other() {
    let model = StubModel::start();
    let api = Api::of(woken(&model).start());
    guard(&api).await;
    model.push(draft());
    model.always(Step::text("Done."));
    let waits = paused(&api, turn(json!({}))).await;
    decide(&api, &waits.text("approval_id"), "approved").await;
    let owner = api.agent("acme", "owner");
    eventually("the turn goes on", async || {
        (!said(&owner).await.is_empty()).then_some(())
    })
    .await;
    // The agent can read of the decision; another message is dispatched after it, so nothing is still to come.
    let all = owner.items("notifications?all=true").await;
    assert_eq!(all.len(), 1, "{all:?}");
    let task = waits.text("task_id");
    let message = json!({"task_id": task, "content": "Go on", "actor_type": "user"});
    owner.post("messages", message).await.ok();
    eventually("the message is answered", async || {
        (said(&owner).await.len() == 3).then_some(())
    })
    .await;
    assert_eq!(said(&owner).await, ["Done.", "Go on", "Done."]);
    assert_eq!(model.request_count(), 3);
}
