//! Agents as their operators and they themselves see them (§1.1, §4, §6, §7, §9.4).

use serde_json::{Value, json};

use super::envelope::refused;
use super::world::{ask, begun, member, member_with, ok, shown, task};
use crate::support::Api;
use crate::support::api::Json as _;
use crate::support::clock::Moved;
use crate::support::wait::until;

const MINUTE: i64 = 60;
const HOUR: i64 = 3600;

fn jordan() -> Value {
    json!({"id": "jordan", "name": "Jordan", "emoji": "🎧", "role": "SPECIALIST",
        "workspacePath": "/ws/jordan", "allowedTaskTypes": ["CONTENT", "SOCIAL"]})
}

fn faults(error: &Value) -> Vec<String> {
    let errors = error["details"]["errors"].as_array().expect("errors");
    errors.iter().map(|it| it.text("field")).collect()
}

#[tokio::test]
async fn a_registered_agent_is_shown_with_everything_the_contract_names() {
    let api = Api::start();
    let made = ask(&api, "/agents", jordan()).await;
    assert_eq!(made.status, 201, "{made:?}");
    let made = made.json();
    assert!(made.text("token").starts_with("mc_agt_"), "{made}");
    let seen = shown(&api, "/agents/jordan").await;
    for (name, value) in [
        ("id", json!("jordan")),
        ("tenantId", json!("default")),
        ("name", json!("Jordan")),
        ("emoji", json!("🎧")),
        ("role", json!("SPECIALIST")),
        ("status", json!("ACTIVE")),
        ("statusReason", Value::Null),
        ("health", Value::Null),
        ("workspacePath", json!("/ws/jordan")),
        ("allowedTaskTypes", json!(["CONTENT", "SOCIAL"])),
        ("allowedTools", Value::Null),
        ("budgetDaily", json!(5)),
        ("budgetPerRun", json!(0.75)),
        ("spendToday", json!(0)),
        ("budgetRemaining", json!(5)),
        ("canSpawn", json!(true)),
        ("maxSubAgents", json!(3)),
        ("parentAgentId", Value::Null),
        ("currentTaskId", Value::Null),
        ("lastHeartbeatAt", Value::Null),
        ("heartbeatIntervalSec", json!(900)),
        ("errorStreak", json!(0)),
        ("metadata", json!({})),
        ("recentRuns", json!([])),
        ("currentTask", Value::Null),
    ] {
        assert_eq!(seen[name], value, "{name} in {seen}");
    }
    assert_eq!(seen["stats"]["tasksCompleted"], 0);
    assert_eq!(seen["stats"]["errorRate"], 0.0);
    assert!(seen.get("token").is_none(), "a token is shown once: {seen}");
}

#[tokio::test]
async fn a_registration_is_refused_with_every_fault_and_happens_once() {
    let api = Api::start();
    let wrong = json!({"id": "Jordan", "role": "BOSS", "allowedTaskTypes": ["CONTENT", "X"],
        "budgetDaily": -1, "emoji": "x".repeat(33)});
    let error = refused(&ask(&api, "/agents", wrong).await, 400, "VALIDATION_ERROR");
    let found = faults(&error);
    for field in [
        "name",
        "role",
        "workspacePath",
        "allowedTaskTypes[1]",
        "budgetDaily",
    ] {
        assert!(found.iter().any(|it| it == field), "{field} in {found:?}");
    }
    let bad_id = json!({"id": "Jordan", "name": "J", "workspacePath": "/w"});
    let error = refused(&ask(&api, "/agents", bad_id).await, 400, "VALIDATION_ERROR");
    assert_eq!(faults(&error), ["id"]);

    let keyed = api.operator().header("X-Idempotency-Key", "once");
    let first = keyed.post("/api/v1/agents", jordan()).await;
    let again = keyed.post("/api/v1/agents", jordan()).await;
    assert_eq!((first.status, again.status), (201, 201));
    assert_eq!(again.headers["idempotency-replayed"], "true");
    assert!(again.json().get("token").is_none(), "{again:?}");
    ok(ask(&api, "/agents/jordan/control", json!({"action": "PAUSE"})).await);
    let other = ask(&api, "/agents", jordan()).await;
    refused(&other, 409, "ALREADY_PROCESSED");
    assert_eq!(shown(&api, "/agents/jordan").await["status"], "PAUSED");
}

#[tokio::test]
async fn tenants_have_agents_of_their_own() {
    let api = Api::start();
    member(&api, "jordan", "SPECIALIST", &[]).await;
    let other = member_with(&api, "Writer", json!({"tenantId": "acme"})).await;
    let own = ok(other.get("/agents").await);
    assert_eq!(own["total"], 1, "{own}");
    assert_eq!(own["agents"][0]["id"], "Writer");
    refused(&other.get("/agents/jordan").await, 404, "NOT_FOUND");
    assert_eq!(ok(other.get("/agents/me").await)["tenantId"], "acme");
    let all = shown(&api, "/agents").await;
    assert_eq!((&all["total"], &all["hasMore"]), (&json!(2), &json!(false)));
    let first = shown(&api, "/agents?limit=1").await;
    assert_eq!(first["hasMore"], true);
    assert_eq!(shown(&api, "/agents?tenantId=acme").await["total"], 1);
    let path = "/api/v1/agents/Writer?tenantId=acme";
    let changed = api.operator().patch(path, json!({"name": "W"})).await;
    assert_eq!(ok(changed)["name"], "W");
    let paused = shown(&api, "/agents?status=PAUSED&role=LEAD").await;
    assert_eq!(paused["total"], 0);
    let wrong = api.operator().get("/api/v1/agents?status=SLEEPY").await;
    refused(&wrong, 400, "VALIDATION_ERROR");
}

#[tokio::test]
async fn operators_change_agents_but_not_their_role_or_status() {
    let api = Api::start();
    let jordan = member(&api, "jordan", "SPECIALIST", &["DOCS"]).await;
    let patch = async |body: Value| api.operator().patch("/api/v1/agents/jordan", body).await;
    let changed = ok(patch(
        json!({"emoji": "🛠", "budgetDaily": 7.5, "allowedTools": ["read"],
        "metadata": {"team": "a"}, "heartbeatIntervalSec": 60}),
    )
    .await);
    assert_eq!(changed["budgetDaily"], 7.5);
    assert_eq!(changed["allowedTools"], json!(["read"]));
    let cleared =
        ok(patch(json!({"emoji": null, "allowedTools": null, "budgetDaily": null})).await);
    for name in ["emoji", "allowedTools", "budgetDaily", "budgetRemaining"] {
        assert_eq!(cleared[name], Value::Null, "{name}");
    }
    assert_eq!(cleared["metadata"], json!({"team": "a"}));
    let error = refused(
        &patch(json!({"role": "LEAD", "status": "ACTIVE", "heartbeatIntervalSec": 0})).await,
        400,
        "VALIDATION_ERROR",
    );
    assert_eq!(faults(&error), ["role", "status", "heartbeatIntervalSec"]);
    let own = jordan
        .caller
        .patch("/api/v1/agents/jordan", json!({"budgetDaily": 100}))
        .await;
    let error = refused(&own, 403, "FORBIDDEN");
    assert_eq!(error["details"]["requiredRole"], "OPERATOR");
    refused(
        &api.operator()
            .patch("/api/v1/agents/nobody", json!({}))
            .await,
        404,
        "NOT_FOUND",
    );
}

#[tokio::test]
async fn a_token_is_replaced_expires_and_is_revoked() {
    let moved = Moved::start();
    let api = &moved.api;
    let jordan = member(api, "jordan", "SPECIALIST", &[]).await;
    let issued = ok(ask(api, "/agents/jordan/tokens", json!({"expiresIn": "1h"})).await);
    let status = async |token: &str| {
        let caller = api.stranger().bearer(token);
        caller.get("/api/v1/agents/me").await.status
    };
    refused(&jordan.get("/agents/me").await, 401, "UNAUTHORIZED");
    assert_eq!(status(&issued.text("token")).await, 200);
    let alias = json!({"agentId": "jordan", "revokeOthers": false});
    let second = ok(ask(api, "/auth/token", alias).await);
    assert_eq!(second["expiresAt"], Value::Null);
    assert_eq!(status(&issued.text("token")).await, 200);
    moved.ahead(HOUR + 5);
    assert_eq!(status(&issued.text("token")).await, 401, "it has expired");
    assert_eq!(status(&second.text("token")).await, 200);
    let path = format!("/api/v1/agents/jordan/tokens/{}", second.id());
    for _ in 0..2 {
        let revoked = ok(api.operator().send("DELETE", &path, None).await);
        assert!(revoked["revokedAt"].is_string(), "{revoked}");
    }
    assert_eq!(status(&second.text("token")).await, 401);
    let listed = shown(api, "/agents/jordan/tokens").await;
    assert_eq!(listed["tokens"].as_array().unwrap().len(), 3);
    assert!(!listed.to_string().contains("mc_agt_"), "{listed}");
    let never = json!({"expiresIn": "soon"});
    let refusal = ask(api, "/agents/jordan/tokens", never).await;
    assert_eq!(
        faults(&refused(&refusal, 400, "VALIDATION_ERROR")),
        ["expiresIn"]
    );
}

#[tokio::test]
async fn nobody_speaks_for_another_agent() {
    let api = Api::start();
    let jordan = member(&api, "jordan", "SPECIALIST", &[]).await;
    member(&api, "riley", "SPECIALIST", &[]).await;
    let body = json!({"status": "HEALTHY"});
    let other = jordan.post("/agents/riley/heartbeat", body.clone()).await;
    refused(&other, 403, "AGENT_MISMATCH");
    let named = jordan.caller.clone().header("X-Agent-Id", "riley");
    let path = "/api/v1/agents/me/heartbeat";
    refused(&named.post(path, body.clone()).await, 403, "AGENT_MISMATCH");
    ok(jordan.post("/agents/me/heartbeat", body.clone()).await);
    // An operator may beat for an agent, but not make one by it.
    ok(ask(&api, "/agents/riley/heartbeat", body.clone()).await);
    refused(
        &ask(&api, "/agents/nobody/heartbeat", body).await,
        404,
        "NOT_FOUND",
    );
    refused(
        &jordan.post("/agents/me/heartbeat", json!({})).await,
        400,
        "VALIDATION_ERROR",
    );
    refused(
        &jordan
            .post("/agents/me/heartbeat", json!({"status": "FINE"}))
            .await,
        400,
        "VALIDATION_ERROR",
    );
}

#[tokio::test]
async fn a_heartbeat_always_has_the_four_keys_and_tells_what_waits() {
    let api = Api::start();
    let jordan = member(&api, "jordan", "SPECIALIST", &["CONTENT"]).await;
    let begun_task = begun(&api, &jordan, "CONTENT").await;
    let assigned = task(&api, "CONTENT").await;
    ok(jordan.claim(&assigned).await);
    let open = task(&api, "CONTENT").await;
    task(&api, "OPS").await;
    let beat = ok(jordan
        .post(
            "/agents/jordan/heartbeat",
            json!({"sessionKey": "s-1", "status": "BUSY", "currentTaskId": begun_task,
                "metadata": {"load": 1}}),
        )
        .await);
    assert_eq!(beat["acknowledged"], true);
    assert!(beat["pendingNotifications"].is_array());
    assert_eq!(beat["pendingApprovals"], json!([]));
    let ids = |name: &str| {
        let all = beat[name].as_array().expect("a list").iter();
        all.map(|it| it.id()).collect::<Vec<_>>()
    };
    assert_eq!(ids("assignedTasks"), [begun_task.clone(), assigned]);
    assert_eq!(ids("claimableTasks"), [open]);
    assert_eq!(beat["agent"]["health"], "BUSY");
    assert_eq!(beat["budget"]["daily"], 5);
    assert_eq!(beat["nextHeartbeatSec"], 900);
    assert!(beat["serverTime"].is_string());
    assert!(beat.get("warnings").is_none(), "{beat}");
    let seen = shown(&api, "/agents/jordan").await;
    assert_eq!(seen["sessionKey"], "s-1");
    assert_eq!(seen["currentTaskId"], begun_task.as_str());
    assert_eq!(seen["currentTask"]["id"], begun_task.as_str());
    assert_eq!(seen["metadata"], json!({}), "what was registered stays");

    let body = json!({"status": "HEALTHY", "currentTaskId": "task_none", "ackNotificationIds": ["notif_none"]});
    let warned = ok(jordan.post("/agents/jordan/heartbeat", body).await);
    assert_eq!(warned["warnings"].as_array().unwrap().len(), 2, "{warned}");
    assert_eq!(
        shown(&api, "/agents/jordan").await["currentTaskId"],
        begun_task.as_str()
    );
}

#[tokio::test]
async fn errors_in_a_row_hold_an_agent_up_and_a_repeat_counts_once() {
    let api = Api::start();
    let jordan = member(&api, "jordan", "SPECIALIST", &[]).await;
    let id = begun(&api, &jordan, "DOCS").await;
    let keyed = jordan.caller.clone().header("X-Idempotency-Key", "boom");
    let path = "/api/v1/agents/jordan/heartbeat";
    let body = json!({"status": "ERROR", "error": "boom"});
    for _ in 0..3 {
        ok(keyed.post(path, body.clone()).await);
    }
    assert_eq!(shown(&api, "/agents/jordan").await["errorStreak"], 1);
    for (streak, status) in [
        (2, "ACTIVE"),
        (3, "PAUSED"),
        (4, "PAUSED"),
        (5, "QUARANTINED"),
    ] {
        let beat = ok(jordan.post("/agents/jordan/heartbeat", body.clone()).await);
        assert_eq!(beat["agent"]["status"], status, "{streak}");
    }
    let seen = shown(&api, "/agents/jordan").await;
    assert_eq!(seen["lastError"], "boom");
    assert_eq!(
        shown(&api, &format!("/tasks/{id}")).await["status"],
        "BLOCKED"
    );
    let said = jordan.say(&id, "Hello?").await;
    refused(&said, 403, "AGENT_QUARANTINED");
    let resumed = ok(ask(&api, "/agents/jordan/control", json!({"action": "RESUME"})).await);
    assert_eq!(resumed["status"], "ACTIVE");
    assert_eq!(resumed["errorStreak"], 0);
}

#[tokio::test]
async fn control_says_what_it_changed() {
    let api = Api::start();
    let jordan = member(&api, "jordan", "SPECIALIST", &[]).await;
    let id = begun(&api, &jordan, "DOCS").await;
    let control = async |body: Value| ask(&api, "/agents/jordan/control", body).await;
    for (body, field) in [
        (json!({}), "action"),
        (json!({"action": "STOP"}), "action"),
        (json!({"action": "QUARANTINE"}), "reason"),
        (json!({"action": "DRAIN", "duration": "1h"}), "duration"),
        (json!({"action": "PAUSE", "duration": "long"}), "duration"),
    ] {
        let error = refused(&control(body).await, 400, "VALIDATION_ERROR");
        assert_eq!(faults(&error), [field]);
    }
    let paused =
        ok(control(json!({"action": "PAUSE", "reason": "lunch", "duration": "30m"})).await);
    assert_eq!(paused["status"], "PAUSED");
    assert_eq!(paused["statusReason"], "lunch");
    assert!(paused["statusUntil"].is_string());
    assert_eq!(paused["affectedTasks"], json!([]));
    let free = task(&api, "DOCS").await;
    refused(&jordan.claim(&free).await, 403, "AGENT_PAUSED");
    assert_eq!(
        ok(control(json!({"action": "DRAIN"})).await)["status"],
        "DRAINED"
    );
    refused(&jordan.claim(&free).await, 403, "AGENT_DRAINED");

    let held = json!({"action": "QUARANTINE", "reason": "It went wild"});
    let held = ok(control(held).await);
    let affected = held["affectedTasks"].as_array().unwrap();
    assert_eq!(affected.len(), 1, "{held}");
    assert_eq!(
        (affected[0].id(), affected[0].text("status")),
        (id, "BLOCKED".to_owned())
    );
    let weaker = control(json!({"action": "PAUSE"})).await;
    refused(&weaker, 422, "INVALID_TRANSITION");
    let restarted = ok(control(json!({"action": "RESTART"})).await);
    assert_eq!(restarted["status"], "ACTIVE");
    assert_eq!(restarted["sessionKey"], Value::Null);

    let told = shown(&api, "/events/timeline?action=AGENT_STATUS_CHANGED").await;
    let told = told["activities"].as_array().unwrap();
    assert_eq!(told.len(), 4, "{told:#?}");
    assert_eq!(told[0]["afterState"]["status"], "ACTIVE");
    assert_eq!(told[0]["actorType"], "HUMAN");
}

#[tokio::test]
async fn silence_pauses_and_lives_end_in_time() {
    let moved = Moved::start();
    let api = &moved.api;
    let jordan = member(api, "jordan", "SPECIALIST", &[]).await;
    let riley = member(api, "riley", "SPECIALIST", &[]).await;
    let status = async |id: &str| shown(api, &format!("/agents/{id}")).await.text("status");
    let id = begun(api, &jordan, "DOCS").await;
    jordan.beat().await;
    let pause = json!({"action": "PAUSE", "duration": "10m"});
    ok(ask(api, "/agents/riley/control", pause).await);

    moved.ahead(12 * MINUTE);
    assert_eq!(status("riley").await, "ACTIVE", "its pause is over");
    moved.ahead(40 * MINUTE);
    assert_eq!(
        status("jordan").await,
        "OFFLINE",
        "seen before it is written"
    );
    until("the alert is raised", async || {
        let alerts = shown(api, "/events/timeline?action=ALERT_RAISED").await;
        alerts.to_string().contains("Agent jordan is offline")
    })
    .await;
    assert_eq!(
        shown(api, &format!("/tasks/{id}")).await["status"],
        "IN_PROGRESS"
    );
    moved.ahead(80 * MINUTE);
    until("its task is blocked", async || {
        shown(api, &format!("/tasks/{id}")).await["blockedReason"] == "assignee offline"
    })
    .await;
    ok(riley.get("/agents/me").await);
    assert_eq!(jordan.beat().await["agent"]["status"], "ACTIVE");
    moved.ahead(100 * MINUTE);
    assert_eq!(status("jordan").await, "ACTIVE");
    assert_eq!(status("riley").await, "ACTIVE", "it never beat");
}

fn kid(id: &str, parent: &str, task: &str) -> Value {
    json!({"id": id, "name": id, "workspacePath": format!("/ws/{id}"), "parentAgentId": parent,
        "metadata": {"parentTaskId": task, "purpose": "Look it up"}})
}

#[tokio::test]
async fn an_agent_spawns_within_its_limits_and_for_a_while() {
    let moved = Moved::start();
    let api = &moved.api;
    let lee = member(api, "lee", "LEAD", &["DOCS"]).await;
    let intern = member(api, "intern", "INTERN", &[]).await;
    let id = begun(api, &lee, "DOCS").await;
    let bare = json!({"id": "kid", "name": "K", "workspacePath": "/w"});
    let error = refused(&lee.post("/agents", bare).await, 400, "VALIDATION_ERROR");
    assert_eq!(
        faults(&error),
        ["parentAgentId", "metadata.purpose", "metadata.parentTaskId"]
    );
    refused(
        &lee.post("/agents", kid("kid", "intern", &id)).await,
        403,
        "AGENT_MISMATCH",
    );
    refused(
        &intern.post("/agents", kid("kid", "intern", &id)).await,
        403,
        "FORBIDDEN",
    );
    let mut tokens = Vec::new();
    for number in 0..3 {
        let made = lee
            .post("/agents", kid(&format!("kid-{number}"), "lee", &id))
            .await;
        assert_eq!(made.status, 201, "{made:?}");
        let made = made.json();
        assert_eq!(made["allowedTaskTypes"], json!(["DOCS"]));
        assert_eq!(made["parentAgentId"], "lee");
        assert!(made["tokenExpiresAt"].is_string());
        tokens.push(made.text("token"));
    }
    let error = refused(
        &lee.post("/agents", kid("kid-3", "lee", &id)).await,
        422,
        "SPAWN_LIMIT",
    );
    assert_eq!(error["details"]["limit"], "spawn_max_per_parent");
    let mut greedy = kid("kid-3", "lee", &id);
    greedy["budgetDaily"] = json!(100);
    // The operator's own are never counted.
    ok(ask(
        api,
        "/agents",
        json!({"id": "own", "name": "O", "workspacePath": "/w"}),
    )
    .await);

    let me = api.stranger().bearer(&tokens[0]);
    assert_eq!(me.get("/api/v1/agents/me").await.status, 200);
    moved.ahead(6 * HOUR + 5);
    refused(&me.get("/api/v1/agents/me").await, 401, "UNAUTHORIZED");
    let closed = shown(api, "/agents/kid-0").await;
    assert_eq!(closed["status"], "OFFLINE");
    until("they are closed", async || {
        let told = shown(api, "/events/timeline?action=AGENT_TOKEN_REVOKED").await;
        told["activities"].as_array().unwrap().len() == 3
    })
    .await;
    let resume = ask(api, "/agents/kid-0/control", json!({"action": "RESUME"})).await;
    refused(&resume, 422, "AGENT_CLOSED");
    let error = refused(&lee.post("/agents", greedy).await, 422, "BUDGET_EXCEEDED");
    assert_eq!(error["details"]["remaining"], json!(12.0));
}

#[tokio::test]
async fn children_end_with_the_task_they_were_spawned_for() {
    let api = Api::start();
    let lee = member(&api, "lee", "LEAD", &[]).await;
    let id = begun(&api, &lee, "DOCS").await;
    let made = lee.post("/agents", kid("kid", "lee", &id)).await;
    let child = api.stranger().bearer(&made.json().text("token"));
    assert_eq!(child.get("/api/v1/agents/me").await.status, 200);
    let cancel = json!({"toStatus": "CANCELED", "reason": "Not needed"});
    ok(ask(&api, &format!("/tasks/{id}/transition"), cancel).await);
    refused(&child.get("/api/v1/agents/me").await, 401, "UNAUTHORIZED");
    let kid = shown(&api, "/agents/kid").await;
    assert_eq!(kid["status"], "OFFLINE");
    assert_eq!(kid["statusReason"], "the task it was spawned for has ended");
}
