//! Runs, budgets, alerts, statistics, standups and the operator's mode over HTTP (§4, §9, §11, §13).

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::envelope::refused;
use super::world::{Member, ask, begun, member, member_with, ok, shown, task};
use crate::support::Api;
use crate::support::api::{Answer, Json as _, builder};
use crate::support::clock::Moved;
use crate::support::wait::until;

const HOUR: i64 = 3600;

fn running() -> Value {
    json!({"agentId": "jordan", "sessionKey": "s", "model": "m", "startedAt": "2026-11-21T09:00:00Z"})
}

fn with(mut body: Value, more: &Value) -> Value {
    let more = more.as_object().cloned().expect("an object");
    body.as_object_mut().expect("an object").extend(more);
    body
}

async fn run(jordan: &Member, more: Value) -> Answer {
    jordan.post("/events/run", with(running(), &more)).await
}

async fn change(member: &Member, id: &str, body: Value) -> Answer {
    let path = format!("/api/v1/events/run/{id}");
    member.caller.patch(&path, body).await
}

async fn jordan(api: &Api) -> Member {
    member(api, "jordan", "SPECIALIST", &[]).await
}

fn fields(error: &Value) -> BTreeSet<String> {
    let errors = error["details"]["errors"].as_array().expect("errors");
    errors.iter().map(|error| error.text("field")).collect()
}

#[tokio::test]
async fn a_run_is_shown_as_it_was_reported() {
    let moved = Moved::start_at_noon();
    let api = &moved.api;
    let jordan = jordan(api).await;
    let id = begun(api, &jordan, "CONTENT").await;
    let more = json!({"taskId": id, "inputTokens": 100, "outputTokens": 50, "costUsd": 0.1,
        "estimatedCost": 0.3, "metadata": {"k": "v"}});
    let made = run(&jordan, more).await;
    assert_eq!(made.status, 201, "{made:?}");
    let made = made.json();
    for (name, value) in [
        ("agentId", json!("jordan")),
        ("taskId", json!(id)),
        ("sessionKey", json!("s")),
        ("model", json!("m")),
        ("status", json!("RUNNING")),
        ("startedAt", json!("2026-11-21T09:00:00.000Z")),
        ("endedAt", json!(null)),
        ("durationMs", json!(null)),
        ("inputTokens", json!(100)),
        ("outputTokens", json!(50)),
        ("costUsd", json!(0.1)),
        ("estimatedCost", json!(0.3)),
        ("reserved", json!(0.2)),
        ("metadata", json!({"k": "v"})),
    ] {
        assert_eq!(made[name], value, "{name}");
    }
    let done =
        json!({"endedAt": "2026-11-21T09:00:02.500Z", "costUsd": 0.25, "cacheReadTokens": 7});
    let done = ok(change(&jordan, &made.id(), done).await);
    assert_eq!(done["status"], "COMPLETED");
    assert_eq!(done["durationMs"], 2500);
    assert_eq!(done["reserved"], 0);
    assert!(done.get("budgetWarning").is_none(), "{done}");
    let seen = ok(jordan.get(&format!("/events/runs/{}", made.id())).await);
    assert_eq!(seen, done);
    let task = shown(api, &format!("/tasks/{id}")).await;
    assert_eq!(task["actualCost"], 0.25);
    let agent = shown(api, "/agents/jordan").await;
    assert_eq!(agent["spendToday"], 0.25);
    assert_eq!(agent["budgetRemaining"], 4.75);
    let trail = shown(api, "/events/timeline?agentId=jordan")
        .await
        .to_string();
    assert!(trail.contains("RUN_STARTED") && trail.contains("RUN_COMPLETED"));
}

#[tokio::test]
async fn runs_are_listed_to_their_agent_and_to_operators() {
    let api = Api::start();
    let jordan = jordan(&api).await;
    let riley = member(&api, "riley", "SPECIALIST", &[]).await;
    let mut ids = Vec::new();
    for _ in 0..3 {
        ids.push(ok(run(&jordan, json!({})).await).id());
    }
    ids.reverse();
    let page = ok(jordan.get("/events/runs?limit=2").await);
    let shown_ids: Vec<String> = page["runs"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| it.id())
        .collect();
    assert_eq!(shown_ids, ids[..2]);
    assert_eq!(
        (&page["total"], &page["hasMore"]),
        (&json!(3), &json!(true))
    );
    assert_eq!(ok(riley.get("/events/runs").await)["total"], 0);
    refused(
        &riley.get("/events/runs?agentId=jordan").await,
        403,
        "AGENT_MISMATCH",
    );
    refused(
        &riley.get(&format!("/events/runs/{}", ids[0])).await,
        403,
        "FORBIDDEN",
    );
    refused(
        &change(&riley, &ids[0], json!({"costUsd": 1})).await,
        403,
        "FORBIDDEN",
    );
    refused(&jordan.get("/events/runs/run_none").await, 404, "NOT_FOUND");
    let call = json!({"runId": ids[0], "agentId": "riley", "toolName": "read", "riskLevel": "GREEN",
        "startedAt": "2026-11-21T09:30:00Z"});
    let theirs = riley.post("/events/tool-call", call).await;
    refused(&theirs, 403, "FORBIDDEN");
    refused(
        &jordan.get("/events/runs?status=GONE").await,
        400,
        "VALIDATION_ERROR",
    );
    assert_eq!(
        shown(&api, "/events/runs?agentId=jordan&status=RUNNING").await["total"],
        3
    );
    let calls = ok(jordan
        .get(&format!("/events/runs/{}/tool-calls", ids[0]))
        .await);
    assert_eq!(calls, json!({"toolCalls": [], "hasMore": false}));
}

#[tokio::test]
async fn a_bad_report_names_every_problem() {
    let api = Api::start();
    let jordan = jordan(&api).await;
    let error = refused(
        &jordan.post("/events/run", json!({})).await,
        400,
        "VALIDATION_ERROR",
    );
    let expected = ["agentId", "sessionKey", "model", "startedAt"];
    assert_eq!(fields(&error), expected.map(str::to_owned).into());
    let body = json!({"costUsd": -1, "inputTokens": -5, "status": "DONE", "startedAt": "noon"});
    let error = refused(&run(&jordan, body).await, 400, "VALIDATION_ERROR");
    let expected = ["costUsd", "inputTokens", "status", "startedAt"];
    assert_eq!(fields(&error), expected.map(str::to_owned).into());
    let backwards = json!({"endedAt": "2026-11-21T08:59:59Z"});
    let error = refused(&run(&jordan, backwards).await, 400, "VALIDATION_ERROR");
    assert_eq!(fields(&error), ["endedAt".to_owned()].into());
    let other = json!({"agentId": "riley"});
    refused(&run(&jordan, other).await, 403, "AGENT_MISMATCH");
    let nobody = with(running(), &json!({"agentId": "nobody"}));
    refused(&ask(&api, "/events/run", nobody).await, 404, "NOT_FOUND");
    let posted = ask(&api, "/events/run", running()).await;
    assert_eq!(posted.status, 201, "an operator reports for an agent");
}

#[tokio::test]
async fn the_end_of_a_run_is_final_but_money_spent_is_taken_down() {
    let moved = Moved::start_at_noon();
    let api = &moved.api;
    let jordan = jordan(api).await;
    let id = ok(run(&jordan, json!({})).await).id();
    ok(change(&jordan, &id, json!({"status": "COMPLETED", "costUsd": 0.1})).await);
    ok(change(&jordan, &id, json!({"status": "COMPLETED", "costUsd": 0.1})).await);
    let other = change(&jordan, &id, json!({"status": "FAILED", "costUsd": 0.2})).await;
    let error = refused(&other, 409, "ALREADY_PROCESSED");
    assert_eq!(error["details"]["status"], "COMPLETED");
    assert_eq!(shown(api, "/agents/jordan").await["spendToday"], 0.2);
    let late = ok(run(&jordan, json!({})).await).id();
    moved.ahead(6 * HOUR + 5);
    until("the run is given up", async || {
        let agent = shown(api, "/agents/jordan").await;
        agent["errorStreak"] == 1
    })
    .await;
    assert_eq!(
        shown(api, &format!("/events/runs/{late}")).await["status"],
        "TIMEOUT"
    );
}

#[tokio::test]
async fn a_limit_is_told_of_before_and_when_it_is_passed() {
    let moved = Moved::start_at_noon();
    let api = &moved.api;
    let own = json!({"budgetDaily": 1, "budgetPerRun": 1, "heartbeatIntervalSec": 86_400 * 3});
    let jordan = member_with(api, "jordan", own).await;
    let over = |cost: f64| json!({"status": "COMPLETED", "costUsd": cost});
    assert!(
        ok(run(&jordan, over(0.79)).await)
            .get("budgetWarning")
            .is_none()
    );
    let near = ok(run(&jordan, over(0.01)).await);
    let warning = &near["budgetWarning"];
    assert_eq!(warning["type"], "APPROACHING_LIMIT", "{near}");
    assert_eq!(warning["remaining"], 0.2);
    assert!(warning["message"].is_string());
    let beat = jordan.beat().await;
    assert_eq!(beat["budget"]["remaining"], 0.2);
    assert!(
        beat["pendingNotifications"].to_string().contains("80 %"),
        "{beat}"
    );
    let dear = run(&jordan, json!({"estimatedCost": 0.5})).await;
    refused(&dear, 422, "BUDGET_EXCEEDED");
    let capped = run(&jordan, json!({"estimatedCost": 1.5})).await;
    let error = refused(&capped, 403, "POLICY_VIOLATION");
    assert_eq!(error["details"]["decision"], "NEEDS_APPROVAL");
    let passed = ok(run(&jordan, over(0.2)).await);
    assert_eq!(passed["budgetWarning"]["type"], "EXCEEDED");
    refused(&run(&jordan, json!({})).await, 403, "AGENT_PAUSED");
    let alerts = shown(api, "/alerts").await;
    let kinds: BTreeSet<String> = alerts["alerts"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| it.text("type"))
        .collect();
    assert_eq!(
        kinds,
        ["BUDGET_CRITICAL", "BUDGET_EXCEEDED"]
            .map(str::to_owned)
            .into()
    );
    // It is noon: half a day later there is new money.
    moved.ahead(12 * HOUR + 60);
    until("a new day lets the agent go on", async || {
        shown(api, "/agents/jordan").await["status"] == "ACTIVE"
    })
    .await;
    ok(run(&jordan, json!({"estimatedCost": 1})).await);
}

#[tokio::test]
async fn alerts_are_acknowledged_and_resolved() {
    let api = Api::start();
    let jordan = jordan(&api).await;
    ok(run(&jordan, json!({"status": "COMPLETED", "costUsd": 0.8})).await);
    let list = shown(&api, "/alerts?status=OPEN&severity=WARNING&agentId=jordan").await;
    assert_eq!((&list["total"], &list["openCount"]), (&json!(1), &json!(1)));
    assert_eq!(list["criticalCount"], 0);
    let id = list["alerts"][0].id();
    assert_eq!(list["alerts"][0]["type"], "RUN_COST_EXCEEDED");
    refused(&jordan.get("/alerts").await, 403, "FORBIDDEN");
    let (acknowledge, resolve) = (
        format!("/alerts/{id}/acknowledge"),
        format!("/alerts/{id}/resolve"),
    );
    refused(
        &jordan.post(&acknowledge, json!({})).await,
        403,
        "FORBIDDEN",
    );
    let taken = ok(ask(&api, &acknowledge, json!({"note": "on it"})).await);
    assert_eq!(taken["status"], "ACKNOWLEDGED");
    ok(ask(&api, &acknowledge, json!({})).await);
    let missing = ask(&api, &resolve, json!({})).await;
    let error = refused(&missing, 400, "VALIDATION_ERROR");
    assert_eq!(fields(&error), ["resolutionNote".to_owned()].into());
    let resolved = ok(ask(&api, &resolve, json!({"resolutionNote": "fine"})).await);
    assert_eq!(resolved["status"], "RESOLVED");
    assert_eq!(resolved["resolutionNote"], "fine");
    refused(
        &ask(&api, &acknowledge, json!({})).await,
        409,
        "ALREADY_PROCESSED",
    );
    assert_eq!(shown(&api, "/alerts").await["openCount"], 0);
    refused(
        &ask(&api, "/alerts/alert_none/acknowledge", json!({})).await,
        404,
        "NOT_FOUND",
    );
}

#[tokio::test]
async fn the_operators_mode_stops_everybody_at_once() {
    let api = Api::start();
    let jordan = jordan(&api).await;
    let free = task(&api, "CONTENT").await;
    let mode = async |body: Value| {
        let text = body.to_string();
        api.operator()
            .send("PUT", "/api/v1/operator/mode", Some(text.into()))
            .await
    };
    assert_eq!(shown(&api, "/operator/mode").await["mode"], "NORMAL");
    refused(&jordan.get("/operator/mode").await, 403, "FORBIDDEN");
    refused(
        &mode(json!({"mode": "STOP"})).await,
        400,
        "VALIDATION_ERROR",
    );
    let paused = ok(mode(json!({"mode": "PAUSED", "reason": "maintenance"})).await);
    assert_eq!(paused["mode"], "PAUSED");
    assert_eq!(paused["setBy"], "operator");
    refused(&run(&jordan, json!({})).await, 403, "OPERATOR_MODE");
    refused(&jordan.claim(&free).await, 403, "OPERATOR_MODE");
    ok(jordan.say(&free, "I wait").await);
    ok(run(&jordan, json!({"status": "COMPLETED", "costUsd": 0.1})).await);
    ok(mode(json!({"mode": "NORMAL"})).await);
    ok(jordan.claim(&free).await);
    let trail = shown(&api, "/events/timeline?action=OPERATOR_MODE_UPDATED").await;
    assert_eq!(trail["activities"].as_array().unwrap().len(), 2, "{trail}");
}

#[tokio::test]
async fn statistics_add_up() {
    let moved = Moved::start_at_noon();
    let api = &moved.api;
    let jordan = jordan(api).await;
    let id = begun(api, &jordan, "CONTENT").await;
    task(api, "DOCS").await;
    for (model, cost, on) in [("a", 0.1, Some(&id)), ("a", 0.2, None), ("b", 0.25, None)] {
        let body = json!({"model": model, "costUsd": cost, "status": "COMPLETED", "taskId": on});
        ok(run(&jordan, body).await);
    }
    let all = shown(api, "/stats/overview").await;
    assert_eq!(all["tasks"]["total"], 2);
    assert_eq!(all["tasks"]["byStatus"]["IN_PROGRESS"], 1);
    assert_eq!(all["tasks"]["byStatus"]["REVIEW"], 0);
    assert_eq!(all["tasks"]["byType"], json!({"CONTENT": 1, "DOCS": 1}));
    assert_eq!(all["agents"]["byStatus"]["ACTIVE"], 1);
    assert_eq!(all["approvals"]["pending"], 0);
    assert_eq!(all["alerts"], json!({"open": 0, "critical": 0}));
    assert_eq!(
        all["cost"],
        json!({"today": 0.55, "week": 0.55, "month": 0.55})
    );
    let costs = ok(jordan.get("/stats/agents/me/costs?period=week").await);
    assert_eq!(costs["total"], 0.55);
    assert_eq!(costs["runs"], 3);
    assert_eq!(costs["byModel"][0]["model"], "a");
    assert_eq!(costs["byModel"][0]["cost"], 0.3);
    assert_eq!(costs["byTaskType"][0]["type"], "NONE");
    assert_eq!(costs["byTaskType"][1]["cost"], 0.1);
    assert_eq!(costs["avgCostPerRun"], 0.183_333);
    let riley = member(api, "riley", "SPECIALIST", &[]).await;
    refused(
        &riley.get("/stats/agents/jordan/costs").await,
        403,
        "FORBIDDEN",
    );
    refused(&riley.get("/stats/overview").await, 403, "FORBIDDEN");
    let wrong = jordan.get("/stats/agents/me/costs?period=year").await;
    refused(&wrong, 400, "VALIDATION_ERROR");
}

#[tokio::test]
async fn a_standup_is_there_for_today_and_kept_in_the_morning() {
    let moved = Moved::start_at_noon();
    let api = &moved.api;
    let jordan = member_with(api, "jordan", json!({"heartbeatIntervalSec": 86_400 * 3})).await;
    let id = begun(api, &jordan, "CONTENT").await;
    ok(run(
        &jordan,
        json!({"status": "COMPLETED", "costUsd": 0.5, "taskId": id}),
    )
    .await);
    let today = ok(jordan.get("/standup").await);
    assert_eq!(today["agents"]["total"], 1);
    let member = &today["agents"]["list"][0];
    assert_eq!(
        (&member["id"], &member["working"]),
        (&json!("jordan"), &json!(1))
    );
    assert_eq!(
        (&member["spendToday"], &member["budgetDaily"]),
        (&json!(0.5), &json!(5))
    );
    assert_eq!(today["tasks"]["IN_PROGRESS"], 1);
    assert_eq!(today["burnRate"], json!({"today": 0.5, "last24h": 0.5}));
    assert!(
        today["markdown"]
            .as_str()
            .unwrap()
            .starts_with("# Standup ")
    );
    refused(
        &jordan.get("/standup?date=tomorrow").await,
        400,
        "VALIDATION_ERROR",
    );
    refused(
        &jordan.get("/standup?date=2999-01-01").await,
        400,
        "VALIDATION_ERROR",
    );
    refused(
        &jordan.get("/standup?date=2020-01-01").await,
        404,
        "NOT_FOUND",
    );
    // The next morning, at nine.
    moved.ahead(21 * HOUR + 60);
    until("the morning's standup is reported", async || {
        let trail = shown(api, "/events/timeline?action=STANDUP_REPORT").await;
        trail["activities"].as_array().unwrap().len() == 1
    })
    .await;
    let date = shown(api, "/standup").await.text("date");
    moved.ahead(45 * HOUR);
    let kept = shown(api, &format!("/standup?date={date}")).await;
    assert_eq!(kept["date"], json!(date));
    assert_eq!(kept["burnRate"], json!({"today": 0, "last24h": 0.5}));
}

#[tokio::test]
async fn a_day_ends_at_midnight_where_the_crew_lives() {
    let api = Api::of(
        builder()
            .environment("MC_TIMEZONE", "Asia/Kathmandu")
            .start(),
    );
    jordan(&api).await;
    let resets: jiff::Timestamp = shown(&api, "/agents/jordan")
        .await
        .text("spendResetAt")
        .parse()
        .unwrap();
    let zone = jiff::tz::TimeZone::get("Asia/Kathmandu").unwrap();
    let local = resets.to_zoned(zone);
    assert_eq!((local.hour(), local.minute()), (0, 0), "{local}");
    assert_eq!(shown(&api, "/standup").await["timezone"], "Asia/Kathmandu");
}

#[tokio::test]
async fn a_dear_run_hides_nothing_of_the_day() {
    let api = Api::start();
    let jordan = jordan(&api).await;
    let over = |cost: f64| json!({"status": "COMPLETED", "costUsd": cost});
    let told = async || jordan.beat().await["pendingNotifications"].to_string();
    let kinds = async || -> Vec<String> {
        let alerts = shown(&api, "/alerts").await;
        let alerts = alerts["alerts"].as_array().unwrap();
        alerts.iter().map(|it| it.text("type")).collect()
    };
    // 80 % of the day, and five times what a run may cost.
    let warning = ok(run(&jordan, over(4.0)).await)["budgetWarning"].clone();
    assert_eq!(warning["type"], "EXCEEDED");
    let message = warning.text("message");
    assert!(
        message.contains("the run cost 4") && message.contains("has 1.00 US dollars left"),
        "{message}"
    );
    assert!(told().await.contains("80 %"));
    assert_eq!(kinds().await, ["RUN_COST_EXCEEDED"]);
    let warning = ok(run(&jordan, over(0.8)).await)["budgetWarning"].clone();
    assert_eq!(warning["type"], "EXCEEDED");
    assert!(kinds().await.contains(&"BUDGET_CRITICAL".to_owned()));
    // The day's limit is the gravest.
    let warning = ok(run(&jordan, over(0.8)).await)["budgetWarning"].clone();
    assert!(
        warning
            .text("message")
            .contains("spent its budget of today"),
        "{warning}"
    );
    assert!(kinds().await.contains(&"BUDGET_EXCEEDED".to_owned()));

    // What is allowed beyond it shows everywhere alike.
    let pending = shown(&api, "/approvals/pending").await;
    let id = pending["approvals"][0].id();
    ok(ask(&api, &format!("/approvals/{id}/approve"), json!({})).await);
    let daily = shown(&api, "/agents/jordan").await["budgetDaily"].clone();
    assert_eq!(daily, 7.5);
    assert_eq!(jordan.beat().await["budget"]["daily"], daily);
    let standup = shown(&api, "/standup").await;
    assert_eq!(standup["agents"]["list"][0]["budgetDaily"], daily);
}

#[tokio::test]
async fn everything_says_when_it_last_changed() {
    let moved = Moved::start_at_noon();
    let api = &moved.api;
    let jordan = jordan(api).await;
    let id = begun(api, &jordan, "CONTENT").await;
    let steps = shown(api, &format!("/tasks/{id}/transitions")).await;
    assert_eq!(
        steps["transitions"][0]["updatedAt"],
        steps["transitions"][0]["createdAt"]
    );
    let hook = json!({"url": "http://127.0.0.1:9/hook"});
    let hook = ok(ask(api, "/webhooks", hook).await);
    assert_eq!(hook["updatedAt"], hook["createdAt"]);

    let first = ok(run(&jordan, json!({})).await);
    let request = json!({"actionType": "TOOL_EXEC", "actionSummary": "git push", "riskLevel": "RED",
        "justification": "Because"});
    let asked = ok(jordan.post("/approvals", request).await);
    for made in [&first, &asked] {
        assert_eq!(made["updatedAt"], made["createdAt"], "{made}");
    }
    moved.ahead(60);
    ok(change(&jordan, &first.id(), json!({"inputTokens": 7})).await);
    let path = format!("/approvals/{}", asked.id());
    ok(ask(api, &format!("{path}/approve"), json!({})).await);
    for (before, path) in [
        (&first, format!("/events/runs/{}", first.id())),
        (&asked, path),
    ] {
        let after = shown(api, &path).await;
        assert_eq!(after["createdAt"], before["createdAt"]);
        assert!(
            after.text("updatedAt") > before.text("updatedAt"),
            "{after}"
        );
    }
}
