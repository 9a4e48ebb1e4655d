//! What `/metrics` counts of turns.

use serde_json::json;
use stationmaster_testkit::model::Step;

use super::crew::{Crew, turn};
use crate::support::wait::eventually;

const COMMITS: &str = "stationmaster_store_commits_total";

/// The metrics of a moment.
struct Metrics(String);

impl Metrics {
    async fn of(crew: &Crew) -> Self {
        let answer = crew.api.stranger().get("/metrics").await;
        assert_eq!(answer.status, 200, "{answer:?}");
        Self(answer.text)
    }

    /// The sum of every series of this name whose labels contain all of `labels`.
    fn sum(&self, name: &str, labels: &[&str]) -> f64 {
        let series = self.0.lines().filter(|line| !line.starts_with('#'));
        series
            .filter_map(|line| line.rsplit_once(' '))
            .filter(|(series, _)| {
                let (found, has) = series.split_once('{').unwrap_or((series, ""));
                found == name && labels.iter().all(|label| has.contains(label))
            })
            .map(|(_, value)| value.parse::<f64>().expect("a number"))
            .sum()
    }

    #[track_caller]
    fn check(&self, name: &str, labels: &[&str], expected: f64) {
        let found = self.sum(name, labels);
        assert!(
            (found - expected).abs() < 1e-9,
            "{name}{labels:?} is {found} and not {expected}:\n{}",
            self.0
        );
    }
}

#[tokio::test]
async fn turns_tokens_costs_and_tool_calls_are_counted() {
    let crew = Crew::start();
    crew.model.push_all([
        Step::Tools(vec![
            ("create_task".into(), json!({"title": "Sub"})),
            ("create_task".into(), json!({})),
            ("made_up_by_the_model".into(), json!({})),
        ]),
        Step::text("Done."),
    ]);
    let asked = || turn(json!({"idempotency_key": "k"}));
    crew.send(asked()).await.ok();
    crew.send(asked()).await.ok();
    crew.model.push(Step::status(401));
    assert_eq!(crew.send(turn(json!({}))).await.status, 502);
    // Nothing came of the second call here, and it was paid for all the same.
    crew.model
        .push_all([Step::tool("list_tasks", json!({})), Step::status(401)]);
    assert_eq!(crew.send(turn(json!({}))).await.status, 502);
    assert_eq!(crew.send(turn(json!({"message": ""}))).await.status, 400);

    let metrics = Metrics::of(&crew).await;
    let turns = "stationmaster_turns_total";
    metrics.check(turns, &["outcome=\"ok\""], 1.0);
    metrics.check(turns, &["outcome=\"replayed\""], 1.0);
    metrics.check(turns, &["outcome=\"model_rejected\""], 2.0);
    metrics.check(
        "stationmaster_turn_seconds_count",
        &[],
        metrics.sum(turns, &[]),
    );
    let tokens = "stationmaster_model_tokens_total";
    metrics.check(tokens, &["direction=\"input\""], 600.0);
    metrics.check(tokens, &["direction=\"output\""], 150.0);
    metrics.check("stationmaster_model_cost_microusd_total", &[], 180.0);
    let tools = "stationmaster_tool_calls_total";
    metrics.check(tools, &["tool=\"create_task\"", "outcome=\"ok\""], 1.0);
    metrics.check(tools, &["tool=\"create_task\"", "outcome=\"error\""], 1.0);
    metrics.check(tools, &["tool=\"other\"", "outcome=\"error\""], 1.0);
    metrics.check(tools, &["tool=\"list_tasks\"", "outcome=\"ok\""], 1.0);
    assert!(!metrics.0.contains("made_up"), "labels are not made up");
}

#[tokio::test]
async fn requests_and_commits_are_counted() {
    let crew = Crew::start();
    let before = Metrics::of(&crew).await;
    for _ in 0..3 {
        crew.send(turn(json!({}))).await.ok();
    }
    crew.send(json!({})).await;
    let after = Metrics::of(&crew).await;
    let requests = "stationmaster_http_requests_total";
    let of_send = "route=\"/api/agents/send\"";
    after.check(
        requests,
        &[of_send, "method=\"POST\"", "status=\"200\""],
        3.0,
    );
    after.check(
        requests,
        &[of_send, "method=\"POST\"", "status=\"400\""],
        1.0,
    );
    // A commit is counted once those who waited for it have their answers.
    eventually(
        "a turn's begin and end are counted, and its task",
        async || {
            let now = Metrics::of(&crew).await.sum(COMMITS, &[]);
            (now >= before.sum(COMMITS, &[]) + 7.0).then_some(())
        },
    )
    .await;
}
