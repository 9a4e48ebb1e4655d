//! Many at once, and one that wins; whatever happens to the server meanwhile (§1.3, §5.3, §10.2).

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Value, json};
use stationmaster_testkit::postgres::database;

use super::world::{Member, ask, begun, member, member_with, ok, shown, task};
use crate::support::Api;
use crate::support::api::{Answer, Json as _, builder};

const AGENTS: usize = 16;

async fn crew(api: &Api) -> Vec<Member> {
    let mut crew = Vec::new();
    for number in 0..AGENTS {
        crew.push(member(api, &format!("agent-{number}"), "SPECIALIST", &[]).await);
    }
    crew
}

fn statuses(answers: &[Answer]) -> BTreeMap<u16, usize> {
    let mut counts = BTreeMap::new();
    for answer in answers {
        *counts.entry(answer.status).or_default() += 1;
    }
    counts
}

async fn sixteen_claims_have_one_winner(api: Api) {
    let crew = crew(&api).await;
    for _ in 0..5 {
        let id = task(&api, "ENGINEERING").await;
        let answers = futures::future::join_all(crew.iter().map(|member| member.claim(&id))).await;
        assert_eq!(
            statuses(&answers),
            [(200, 1), (422, AGENTS - 1)].into(),
            "{answers:?}"
        );
        let seen = shown(&api, &format!("/tasks/{id}")).await;
        assert_eq!(seen["assigneeIds"].as_array().unwrap().len(), 1);
        assert_eq!(seen["status"], "ASSIGNED");
        let steps = seen["transitions"].as_array().unwrap();
        assert_eq!(steps.len(), 1, "{steps:?}");
    }
}

#[tokio::test]
async fn sixteen_claims_have_one_winner_on_sqlite() {
    sixteen_claims_have_one_winner(Api::start()).await;
}

#[tokio::test]
async fn sixteen_claims_have_one_winner_on_postgres() {
    let database = database();
    let server = builder().argument("--database").argument(database.url());
    sixteen_claims_have_one_winner(Api::of(server.start())).await;
}

#[tokio::test]
async fn two_decisions_at_once_have_one_winner() {
    let api = Api::start();
    let jordan = member(&api, "jordan", "SPECIALIST", &[]).await;
    for _ in 0..5 {
        let id = begun(&api, &jordan, "OPS").await;
        let body = json!({"taskId": id, "actionType": "TOOL_EXEC", "actionSummary": format!("deploy {id}"),
            "riskLevel": "RED", "justification": "It is due"});
        let approval = ok(jordan.post("/approvals", body).await).id();
        let (approve, deny) = (
            format!("/approvals/{approval}/approve"),
            format!("/approvals/{approval}/deny"),
        );
        let (yes, no) = tokio::join!(
            ask(&api, &approve, json!({"reason": "go"})),
            ask(&api, &deny, json!({"reason": "stop"})),
        );
        let mut found = [yes.status, no.status];
        found.sort_unstable();
        assert_eq!(found, [200, 422], "{yes:?} {no:?}");
        let seen = shown(&api, &format!("/tasks/{id}")).await;
        let expected = if yes.status == 200 {
            "IN_PROGRESS"
        } else {
            "BLOCKED"
        };
        assert_eq!(seen["status"], expected);
    }
}

#[tokio::test]
async fn an_approved_action_goes_through_once_however_many_report_it() {
    let api = Api::start();
    let jordan = member(&api, "jordan", "SPECIALIST", &[]).await;
    let id = begun(&api, &jordan, "OPS").await;
    let run = json!({"agentId": "jordan", "sessionKey": "s", "model": "m", "taskId": id,
        "startedAt": "2026-11-21T09:00:00Z"});
    let run = ok(jordan.post("/events/run", run).await).id();
    let action = json!({"command": "terraform apply"});
    let body = json!({"taskId": id, "actionType": "TOOL_EXEC", "actionSummary": "terraform apply",
        "riskLevel": "RED", "justification": "It is due",
        "actionPayload": {"tool": "exec", "command": "terraform apply"}});
    let approval = ok(jordan.post("/approvals", body).await).id();
    ok(ask(
        &api,
        &format!("/approvals/{approval}/approve"),
        json!({"reason": "go"}),
    )
    .await);
    let call = json!({"runId": run, "agentId": "jordan", "toolName": "exec", "riskLevel": "RED", "taskId": id,
        "startedAt": "2026-11-21T09:00:01Z", "status": "RUNNING", "input": action});
    let answers =
        futures::future::join_all((0..8).map(|_| jordan.post("/events/tool-call", call.clone())))
            .await;
    assert_eq!(
        statuses(&answers),
        [(201, 1), (403, 7)].into(),
        "{answers:?}"
    );
    let seen = shown(&api, &format!("/approvals/{approval}")).await;
    assert!(seen["usedAt"].is_string(), "{seen}");
}

#[tokio::test]
async fn racing_runs_never_promise_more_than_there_is() {
    let api = Api::start();
    let more = json!({"budgetDaily": 10, "budgetPerRun": 1});
    let jordan = member_with(&api, "jordan", more).await;
    let body = json!({"agentId": "jordan", "sessionKey": "s", "model": "m", "estimatedCost": 1,
        "startedAt": "2026-11-21T09:00:00Z"});
    let answers =
        futures::future::join_all((0..32).map(|_| jordan.post("/events/run", body.clone()))).await;
    let counts = statuses(&answers);
    assert_eq!(counts.get(&201), Some(&10), "{counts:?}");
}

/// Works on a board while its server is killed over and over; what was acknowledged is there.
async fn nothing_acknowledged_is_lost(start: impl Fn() -> Api) {
    let mut api = start();
    let jordan = member_with(
        &api,
        "jordan",
        json!({"budgetDaily": 1000, "budgetPerRun": 1000}),
    )
    .await;
    let token = jordan.caller.clone();
    let mut begun_tasks: Vec<String> = Vec::new();
    let mut cost = 0_u64;
    for round in 0..6 {
        let jordan = Arc::new(Member {
            id: "jordan".to_owned(),
            caller: token.clone().at(api.server.url()),
        });
        let id = begun(&api, &jordan, "OPS").await;
        begun_tasks.push(id.clone());
        let run = json!({"agentId": "jordan", "sessionKey": "s", "model": "m", "taskId": id,
            "startedAt": "2026-11-21T09:00:00Z", "costUsd": 0.25});
        ok(jordan.post("/events/run", run).await);
        cost += 250_000;
        let body = json!({"taskId": id, "actionType": "TOOL_EXEC", "actionSummary": format!("deploy {round}"),
            "riskLevel": "RED", "justification": "It is due"});
        let approval = ok(jordan.post("/approvals", body).await).id();
        // One decision is under way when the server dies: it happened wholly or not at all.
        let path = format!("/approvals/{approval}/approve");
        let decision = api.operator();
        let under_way = async {
            decision
                .try_post(&format!("/api/v1{path}"), json!({"reason": "go"}))
                .await
        };
        let pid = api.server.id();
        let (answer, ()) = tokio::join!(under_way, async {
            if round % 2 == 0 {
                tokio::task::yield_now().await;
            }
            kill(pid);
        });
        api.server.kill();
        api = start();
        let seen = shown(&api, &format!("/approvals/{approval}"))
            .await
            .text("status");
        let task = shown(&api, &format!("/tasks/{id}")).await.text("status");
        if answer.is_some_and(|answer| answer.status == 200) {
            assert_eq!(seen, "APPROVED", "it was acknowledged");
        }
        let expected = if seen == "APPROVED" {
            "IN_PROGRESS"
        } else {
            "NEEDS_APPROVAL"
        };
        assert_eq!(task, expected, "the decision and its effect are one");
    }
    let agent = shown(&api, "/agents/jordan").await;
    assert_eq!(agent["spendToday"], json!(cost as f64 / 1e6), "{agent}");
    for id in begun_tasks {
        let seen: Value = shown(&api, &format!("/tasks/{id}")).await;
        let steps = seen["transitions"].as_array().unwrap();
        assert!(steps.len() >= 3, "{steps:?}");
    }
}

fn kill(id: u32) {
    let told = std::process::Command::new("kill")
        .args(["-KILL", &id.to_string()])
        .status()
        .expect("kill runs");
    assert!(told.success());
}

#[tokio::test]
async fn nothing_acknowledged_is_lost_on_sqlite() {
    let directory = tempfile::TempDir::new().expect("a directory");
    nothing_acknowledged_is_lost(|| Api::of(builder().directory(directory.path()).start())).await;
}

#[tokio::test]
async fn nothing_acknowledged_is_lost_on_postgres() {
    let (directory, database) = (tempfile::TempDir::new().expect("a directory"), database());
    nothing_acknowledged_is_lost(|| {
        let server = builder()
            .directory(directory.path())
            .argument("--database")
            .argument(database.url());
        Api::of(server.start())
    })
    .await;
}
