//! What a call of a model may cost is held before it is made, so that turns that race never spend more than there
//! is (design §5, rulings 10).

use futures::future::join_all;
use serde_json::json;
use stationmaster_testkit::model::Step;

use super::crew::{Crew, refused, said, turn};
use crate::support::Json as _;

/// In US dollars; a call of the model below costs a tenth of it.
const BUDGET: f64 = 0.9;

async fn crew_with_a_budget() -> Crew {
    let crew = Crew::with(|builder| {
        builder
            .environment("LLM_MODEL_DEFAULT", "gpt-4")
            .environment("CLASPER_MAX_TOKENS_PER_CALL", "500")
    });
    crew.model.always(Step::text("Done."));
    // 2,000 tokens in at 30 and 500 out at 60 US dollars a million: 9 cents.
    crew.model.set_usage(2_000, 500);
    // The agent is made at first use.
    crew.owner().task("Anything").await;
    let writer = crew.api.agent("acme", "writer");
    writer.task("Launch").await;
    let limit = json!({"budgetDaily": BUDGET, "budgetPerRun": null});
    let answer = crew
        .api
        .operator()
        .send(
            "PATCH",
            "/api/v1/agents/writer?tenantId=acme",
            Some(limit.to_string().into()),
        )
        .await;
    assert_eq!(answer.status, 200, "{answer:?}");
    crew
}

async fn spent(crew: &Crew) -> f64 {
    let agent = crew
        .api
        .operator()
        .get("/api/v1/agents/writer?tenantId=acme")
        .await
        .ok();
    agent["spendToday"].as_f64().unwrap()
}

#[tokio::test]
async fn turns_that_race_never_spend_more_than_there_is() {
    let crew = crew_with_a_budget().await;
    let answers = join_all((0..32).map(|_| crew.send(turn(json!({}))))).await;
    let good = answers.iter().filter(|it| it.status == 200).count();
    assert!((1..=10).contains(&good), "{good}");
    for answer in answers.iter().filter(|it| it.status != 200) {
        let body = refused(answer, 429, "budget_exceeded");
        assert!(body["details"]["remaining_usd"].is_number(), "{body}");
        assert!(answer.headers.contains_key("retry-after"), "{answer:?}");
    }
    assert!(spent(&crew).await <= BUDGET);
    // What was only held is free again: the rest is spent one by one, and not a cent more.
    let mut done = good;
    loop {
        let answer = crew.send(turn(json!({}))).await;
        if answer.status != 200 {
            refused(&answer, 429, "budget_exceeded");
            break;
        }
        done += 1;
        assert!(done <= 10, "more than there is");
    }
    // The last calls are not made: the worst case is dearer than what they would have cost.
    assert!(done >= 5, "{done}");
    let spent = spent(&crew).await;
    assert!(
        spent <= BUDGET && (spent - 0.09 * done as f64).abs() < 1e-9,
        "{spent}"
    );
    assert_eq!(
        crew.model.request_count(),
        done,
        "who has no money wakes no model"
    );
    assert_eq!(said(&crew.owner()).await.len(), done);
}

#[tokio::test]
async fn a_turn_that_runs_out_between_its_calls_is_refused_and_goes_on_when_there_is_more() {
    let crew = crew_with_a_budget().await;
    crew.model.set_usage(28_000, 500);
    crew.model
        .push(Step::tool("create_task", json!({"title": "Sub"})));
    let asked = || turn(json!({"idempotency_key": "k"}));
    refused(&crew.send(asked()).await, 429, "budget_exceeded");
    assert_eq!(crew.model.request_count(), 1);
    let limit = json!({"budgetDaily": 10.0});
    let path = "/api/v1/agents/writer?tenantId=acme";
    let operator = crew.api.operator();
    let more = operator
        .send("PATCH", path, Some(limit.to_string().into()))
        .await;
    assert_eq!(more.status, 200, "{more:?}");
    crew.model.set_usage(2_000, 500);
    assert_eq!(crew.send(asked()).await.ok().text("response"), "Done.");
    assert_eq!(
        crew.model.request_count(),
        2,
        "what was paid is not paid again"
    );
    assert_eq!(crew.owner().items("tasks?title=Sub").await.len(), 1);
}

#[tokio::test]
async fn a_tenants_budget_binds_all_its_agents() {
    let crew = Crew::with(|builder| {
        builder
            .environment("LLM_MODEL_DEFAULT", "gpt-4")
            .environment("CLASPER_MAX_TOKENS_PER_CALL", "500")
    });
    crew.model.always(Step::text("Done."));
    crew.model.set_usage(2_000, 500);
    let caller = crew.api.stranger();
    let none = caller.get("/budget?tenant_id=acme").await;
    refused(&none, 404, "budget_not_found");
    let check = caller.get("/budget/check?tenant_id=acme").await.ok();
    assert_eq!(check["allowed"], true);
    assert!(check["budget"].is_null() && check["remaining"].is_null());

    // What was spent before counts.
    crew.send(turn(json!({}))).await.ok();
    let set = json!({"tenant_id": "acme", "budget_usd": 0.9});
    let set = caller.post("/budget", set).await.ok();
    assert_eq!(set["status"], "ok");
    assert_eq!(set["budget"]["spentUsd"], 0.09);
    assert_eq!(set["budget"]["hardLimit"], true);
    // A period may be given by either end, and by days.
    for period in [
        json!({"period_start": "2020-01-01"}),
        json!({"period_end": "2099-01-01"}),
    ] {
        let mut body = json!({"tenant_id": "other", "budget_usd": 1});
        body.as_object_mut()
            .unwrap()
            .extend(period.as_object().unwrap().clone());
        caller.post("/budget", body).await.ok();
    }
    let sends = (0..32).map(|number| {
        let role = if number % 2 == 0 { "writer" } else { "editor" };
        crew.send(turn(json!({"session_key": format!("user:acme:{role}")})))
    });
    for answer in join_all(sends).await {
        if answer.status != 200 {
            refused(&answer, 429, "budget_exceeded");
            assert!(answer.headers.contains_key("retry-after"), "{answer:?}");
        }
    }
    let shown = caller.get("/budget?tenant_id=acme").await.ok();
    let spent = shown["stats"]["spentUsd"].as_f64().unwrap();
    let calls = crew.model.request_count();
    assert!(
        spent <= 0.9 && (spent - 0.09 * calls as f64).abs() < 1e-9,
        "{shown}"
    );
    assert_eq!(shown["stats"]["reservedUsd"], 0.0, "{shown}");
    let path = "/budget/check?tenant_id=acme&estimated_cost=100";
    let check = caller.get(path).await.ok();
    assert_eq!(check["allowed"], false, "{check}");
    assert!(check["reason"].is_string(), "{check}");
    // Another tenant has none of this.
    let other = turn(json!({"user_id": "globex", "session_key": "user:globex:writer"}));
    crew.send(other).await.ok();

    for (body, fields) in [
        (json!({}), vec!["tenant_id", "budget_usd"]),
        (
            json!({"tenant_id": "a", "budget_usd": 0, "alert_threshold": 2, "period_start": "x"}),
            vec!["budget_usd", "alert_threshold", "period_start"],
        ),
        (
            json!({"tenant_id": "a", "budget_usd": 1, "period_start": "2026-11-02", "period_end": "2026-11-01"}),
            vec!["period_end"],
        ),
    ] {
        let answer = caller.post("/budget", body).await;
        assert_eq!(answer.status, 400, "{answer:?}");
        let errors = answer.json()["details"]["errors"].clone();
        let named: Vec<String> = errors
            .as_array()
            .unwrap()
            .iter()
            .map(|it| it.text("field"))
            .collect();
        assert_eq!(named, fields);
    }
}
