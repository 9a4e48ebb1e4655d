//! What agents may do, ask for and report: policy, approvals, grants and tool calls (§8, §10, §11).

use serde_json::{Value, json};

use super::envelope::refused;
use super::world::{Member, ask, begun, member, member_with, ok, shown};
use crate::support::Api;
use crate::support::api::{Answer, Json as _};
use crate::support::clock::Moved;
use crate::support::wait::until;

const PUSH: &str = "git push origin main";

async fn run(member: &Member) -> String {
    let body = json!({"agentId": member.id, "sessionKey": "s", "model": "m", "startedAt": "2026-11-21T09:00:00Z"});
    ok(member.post("/events/run", body).await).id()
}

fn request(command: &str) -> Value {
    json!({"actionType": "TOOL_EXEC", "actionSummary": command, "riskLevel": "RED",
        "justification": "The release needs it", "actionPayload": {"tool": "exec", "command": command}})
}

async fn requested(member: &Member, body: Value) -> Value {
    let answer = member.post("/approvals", body).await;
    assert_eq!(answer.status, 201, "{answer:?}");
    answer.json()
}

async fn call(member: &Member, run: &str, command: &str) -> Answer {
    let body = json!({"runId": run, "agentId": member.id, "toolName": "exec", "riskLevel": "YELLOW",
        "startedAt": "2026-11-21T09:00:01Z", "status": "RUNNING", "input": {"command": command}});
    member.post("/events/tool-call", body).await
}

async fn evaluate(member: &Member, command: &str) -> Value {
    let action = json!({"type": "TOOL_CALL", "tool": "exec", "command": command});
    ok(member
        .post(
            "/policy/evaluate",
            json!({"agentId": member.id, "action": action}),
        )
        .await)
}

fn fields(error: &Value) -> Vec<String> {
    let errors = error["details"]["errors"].as_array().expect("errors");
    errors.iter().map(|error| error.text("field")).collect()
}

#[tokio::test]
async fn an_approval_is_shown_whole_and_decided_in_every_spelling() {
    let api = Api::start();
    let jordan = member(&api, "jordan", "SPECIALIST", &[]).await;
    let made = requested(&jordan, request(PUSH)).await;
    let expected = [
        ("status", json!("PENDING")),
        ("requestorAgentId", json!("jordan")),
        ("actionType", json!("TOOL_EXEC")),
        ("actionSummary", json!(PUSH)),
        ("riskLevel", json!("RED")),
        ("escalated", json!(false)),
        ("created", json!(true)),
        ("decidedBy", Value::Null),
        ("usedAt", Value::Null),
    ];
    for (name, value) in expected {
        assert_eq!(made[name], value, "{name}: {made}");
    }
    assert!(!made["violations"].as_array().unwrap().is_empty(), "{made}");
    let again = jordan.post("/approvals", request(PUSH)).await;
    assert_eq!(again.status, 200);
    assert_eq!(
        (&again.json()["created"], again.json().id()),
        (&json!(false), made.id())
    );

    let pending = shown(&api, "/approvals/pending").await;
    assert_eq!(
        (
            pending["approvals"].as_array().unwrap().len(),
            &pending["urgentCount"]
        ),
        (1, &json!(0))
    );
    let path = format!("/approvals/{}/decide", made.id());
    let wrong = ask(&api, &path, json!({"decision": "MAYBE"})).await;
    assert_eq!(
        fields(&refused(&wrong, 400, "VALIDATION_ERROR")),
        ["decision"]
    );
    let decided = ok(ask(&api, &path, json!({"decision": "APPROVED", "reason": "go"})).await);
    assert_eq!(
        (&decided["status"], &decided["decidedByType"]),
        (&json!("APPROVED"), &json!("HUMAN"))
    );
    assert_eq!(decided["grant"]["usesLeft"], 1);
    let list = shown(&api, "/approvals?status=APPROVED,DENIED&requestorId=jordan").await;
    assert_eq!(
        (&list["total"], &list["hasMore"]),
        (&json!(1), &json!(false))
    );
}

#[tokio::test]
async fn a_request_names_every_fault_and_green_needs_none() {
    let api = Api::start();
    let jordan = member(&api, "jordan", "SPECIALIST", &[]).await;
    let nothing = jordan.post("/approvals", json!({})).await;
    let mut found = fields(&refused(&nothing, 400, "VALIDATION_ERROR"));
    found.sort_unstable();
    assert_eq!(
        found,
        ["actionSummary", "actionType", "justification", "riskLevel"]
    );
    let mut green = request("ls");
    green["riskLevel"] = json!("GREEN");
    let error = refused(
        &jordan.post("/approvals", green).await,
        400,
        "VALIDATION_ERROR",
    );
    assert_eq!(fields(&error), ["riskLevel"]);
    let by_a_person = ask(&api, "/approvals", request(PUSH)).await;
    let error = refused(&by_a_person, 403, "FORBIDDEN");
    assert_eq!(error["details"]["requiredRole"], "AGENT");
}

#[tokio::test]
async fn who_sees_and_who_decides_an_approval() {
    let api = Api::start();
    let jordan = member(&api, "jordan", "SPECIALIST", &[]).await;
    let riley = member(&api, "riley", "SPECIALIST", &[]).await;
    let lead = member(&api, "lead", "LEAD", &[]).await;
    let id = requested(&jordan, request(PUSH)).await.id();
    let path = format!("/approvals/{id}");
    ok(jordan.get(&path).await);
    ok(lead.get(&path).await);
    refused(&riley.get(&path).await, 403, "FORBIDDEN");
    assert_eq!(ok(riley.get("/approvals").await)["total"], 0);
    refused(
        &riley.get("/approvals?requestorId=jordan").await,
        403,
        "FORBIDDEN",
    );
    refused(&jordan.get("/approvals/pending").await, 403, "FORBIDDEN");
    ok(lead.get("/approvals/pending").await);
    for who in [&jordan, &riley, &lead] {
        let answer = who.post(&format!("{path}/approve"), json!({})).await;
        let error = refused(&answer, 403, "FORBIDDEN");
        assert_eq!(error["details"]["requiredRole"], "OPERATOR");
    }
    refused(
        &riley.post(&format!("{path}/cancel"), json!({})).await,
        403,
        "FORBIDDEN",
    );
    let canceled = ok(jordan.post(&format!("{path}/cancel"), json!({})).await);
    assert_eq!(canceled["status"], "CANCELED");
    refused(
        &jordan.get("/approvals/approval_nothing").await,
        404,
        "NOT_FOUND",
    );
}

#[tokio::test]
async fn a_lead_decides_yellow_requests_where_the_rules_say_so() {
    let api = Api::start();
    let jordan = member(&api, "jordan", "SPECIALIST", &[]).await;
    let lead = member(&api, "lead", "LEAD", &[]).await;
    let mut yellow = request("make docs");
    yellow["riskLevel"] = json!("YELLOW");
    let id = requested(&jordan, yellow).await.id();
    assert_eq!(lead.beat().await["pendingApprovals"], json!([]));
    let body = json!({"document": {"approvals": {"leadMayApproveYellow": true}}});
    let operator = api.operator();
    ok(operator
        .send("PUT", "/api/v1/policy", Some(body.to_string().into()))
        .await);
    assert_eq!(lead.beat().await["pendingApprovals"][0].id(), id);
    let decided = ok(lead
        .post(&format!("/approvals/{id}/approve"), json!({}))
        .await);
    assert_eq!(
        (&decided["decidedBy"], &decided["decidedByType"]),
        (&json!("lead"), &json!("AGENT"))
    );
}

#[tokio::test]
async fn a_denial_says_why_and_where_the_task_goes() {
    let api = Api::start();
    let jordan = member(&api, "jordan", "SPECIALIST", &[]).await;
    let task = begun(&api, &jordan, "OPS").await;
    let mut body = request(PUSH);
    body["taskId"] = json!(task);
    let made = requested(&jordan, body).await;
    assert_eq!(made["task"]["status"], "NEEDS_APPROVAL");
    let path = format!("/approvals/{}/deny", made.id());
    let wrong = ask(&api, &path, json!({"reason": "no", "taskStatus": "DONE"})).await;
    assert_eq!(
        fields(&refused(&wrong, 400, "VALIDATION_ERROR")),
        ["taskStatus"]
    );
    let denied = ok(ask(
        &api,
        &path,
        json!({"reason": "Not on a Friday", "taskStatus": "IN_PROGRESS"}),
    )
    .await);
    assert_eq!(denied["task"]["status"], "IN_PROGRESS");
    let beat = jordan.beat().await;
    let told = beat["pendingNotifications"].as_array().unwrap();
    let decided = told
        .iter()
        .find(|it| it["type"] == "APPROVAL_DECIDED")
        .expect("told");
    assert!(
        decided.text("body").contains("Not on a Friday"),
        "{decided}"
    );
}

#[tokio::test]
async fn a_grant_can_be_widened_listed_and_taken_back() {
    let api = Api::start();
    let jordan = member(&api, "jordan", "SPECIALIST", &[]).await;
    let run = run(&jordan).await;
    let id = requested(&jordan, request(PUSH)).await.id();
    let path = format!("/approvals/{id}/approve");
    let wrong = json!({"grant": {"uses": "often", "for": "7d", "until": "2027-01-01T00:00:00Z"}});
    let error = refused(&ask(&api, &path, wrong).await, 400, "VALIDATION_ERROR");
    assert_eq!(fields(&error), ["grant.uses", "grant.until"]);
    let body = json!({"grant": {"uses": "unlimited", "for": "7d", "anyAgent": true}});
    let grant = ok(ask(&api, &path, body).await)["grant"].clone();
    assert_eq!(
        (&grant["usesLeft"], &grant["agentId"]),
        (&Value::Null, &Value::Null)
    );
    for _ in 0..3 {
        let made = call(&jordan, &run, PUSH).await;
        assert_eq!(made.status, 201, "{made:?}");
        assert_eq!(made.json()["policyResult"]["grantIds"], json!([grant.id()]));
    }
    let used = shown(&api, "/grants").await["grants"][0].clone();
    assert_eq!(
        (&used["used"], &used["approvalId"]),
        (&json!(3), &json!(id))
    );
    refused(&jordan.get("/grants").await, 403, "FORBIDDEN");
    let path = format!("/api/v1/grants/{}", grant.id());
    let revoked = ok(api.operator().send("DELETE", &path, None).await);
    assert!(revoked["revokedAt"].is_string(), "{revoked}");
    assert_eq!(call(&jordan, &run, PUSH).await.status, 403);
}

#[tokio::test]
async fn a_refused_tool_call_is_kept_told_and_replayed() {
    let api = Api::start();
    let jordan = member(&api, "jordan", "SPECIALIST", &[]).await;
    let run = run(&jordan).await;
    let keyed = Member {
        id: jordan.id.clone(),
        caller: jordan.caller.clone().header("X-Idempotency-Key", "call-1"),
    };
    let first = call(&keyed, &run, PUSH).await;
    let error = refused(&first, 403, "POLICY_VIOLATION");
    let details = &error["details"];
    assert_eq!(
        (&details["decision"], &details["riskLevel"]),
        (&json!("NEEDS_APPROVAL"), &json!("RED"))
    );
    assert_eq!(details["approvalRequired"]["type"], "TOOL_EXEC");
    let again = call(&keyed, &run, PUSH).await;
    assert_eq!(again.headers["idempotency-replayed"], "true");
    assert_eq!(first.text, again.text, "byte for byte");
    let id = details.text("toolCallId");
    let kept = shown(&api, &format!("/events/tool-call/{id}")).await;
    assert_eq!(
        (&kept["status"], &kept["riskLevel"]),
        (&json!("DENIED"), &json!("RED"))
    );
    assert_eq!(kept["reportedRiskLevel"], "YELLOW");
    let denied = call(&jordan, &run, "rm -rf x").await;
    refused(&denied, 403, "POLICY_DENIED");
    let trail = shown(&api, "/events/timeline?action=POLICY_VIOLATION").await;
    assert_eq!(trail["activities"].as_array().unwrap().len(), 2, "{trail}");
}

#[tokio::test]
async fn a_tool_call_is_followed_to_its_end() {
    let api = Api::start();
    let jordan = member(&api, "jordan", "SPECIALIST", &[]).await;
    let run = run(&jordan).await;
    let made = call(&jordan, &run, "git status").await;
    assert_eq!(made.status, 201, "{made:?}");
    let path = format!("/api/v1/events/tool-call/{}", made.json().id());
    let body = json!({"status": "SUCCESS", "endedAt": "2026-11-21T09:00:03Z", "outputPreview": "clean", "retryCount": 1});
    let ended = ok(jordan.caller.patch(&path, body.clone()).await);
    assert_eq!(
        (&ended["durationMs"], &ended["retryCount"]),
        (&json!(2000), &json!(1))
    );
    ok(jordan.caller.patch(&path, body).await);
    let other = jordan
        .caller
        .patch(&path, json!({"status": "FAILED"}))
        .await;
    refused(&other, 409, "ALREADY_PROCESSED");
    let early = jordan
        .caller
        .patch(&path, json!({"endedAt": "2026-11-21T08:00:00Z"}))
        .await;
    assert_eq!(
        fields(&refused(&early, 400, "VALIDATION_ERROR")),
        ["endedAt"]
    );
    let riley = member(&api, "riley", "SPECIALIST", &[]).await;
    refused(
        &riley.caller.patch(&path, json!({})).await,
        403,
        "FORBIDDEN",
    );
}

#[tokio::test]
async fn rules_are_checked_compared_tried_out_and_put_in_force() {
    let api = Api::start();
    let jordan = member(&api, "jordan", "SPECIALIST", &[]).await;
    assert_eq!(evaluate(&jordan, "rm -rf x").await["decision"], "DENY");
    let built_in = shown(&api, "/policy/active").await;
    assert_eq!(
        (&built_in["version"], &built_in["scope"]),
        (&json!(0), &json!("BUILT_IN"))
    );

    let faulty = ask(
        &api,
        "/policy/check",
        json!({"toml": "version = 1\n[spawn]\nmaxActive = \"many\"\n"}),
    )
    .await;
    let error = refused(&faulty, 400, "VALIDATION_ERROR");
    assert!(fields(&error)[0].starts_with("toml:3"), "{error}");
    let faulty = ask(
        &api,
        "/policy/check",
        json!({"document": {"spawn": {"maxActive": "many"}}}),
    )
    .await;
    assert_eq!(
        fields(&refused(&faulty, 400, "VALIDATION_ERROR")),
        ["document.spawn.maxActive"]
    );

    let toml = json!({"toml": "version = 1\n[shell]\nblocked = [\"dd\"]\n"});
    assert_eq!(
        ok(ask(&api, "/policy/check", toml.clone()).await)["valid"],
        true
    );
    let diff = ok(ask(&api, "/policy/diff", toml.clone()).await);
    assert_eq!(diff["changes"][0]["path"], "shell.blocked");
    assert_eq!(diff["changes"][0]["new"], json!(["dd"]));
    let trial = ok(ask(&api, "/policy/test", toml.clone()).await);
    assert_eq!(
        (&trial["tested"], &trial["policyVersion"]),
        (&json!(1), &json!(0))
    );
    let change = &trial["changes"][0];
    assert_eq!(
        (&change["agentId"], &change["before"]["decision"]),
        (&json!("jordan"), &json!("DENY"))
    );
    assert!(change.text("activityId").starts_with("act_"));
    assert_eq!(
        evaluate(&jordan, "rm -rf x").await["decision"],
        "DENY",
        "nothing changed yet"
    );

    let put = api
        .operator()
        .send("PUT", "/api/v1/policy", Some(toml.to_string().into()))
        .await;
    assert_eq!(ok(put)["version"], 1);
    let judged = evaluate(&jordan, "rm -rf x").await;
    assert_ne!(judged["decision"], "DENY");
    assert_eq!(
        (&judged["policyVersion"], &judged["policyScope"]),
        (&json!(1), &json!("GLOBAL"))
    );

    let mut own = json!({"document": {}, "scope": "AGENT", "scopeId": "jordan"});
    let put = api
        .operator()
        .send("PUT", "/api/v1/policy", Some(own.to_string().into()))
        .await;
    assert_eq!(ok(put)["scope"], "AGENT");
    assert_eq!(evaluate(&jordan, "rm -rf x").await["decision"], "DENY");
    let removed = api
        .operator()
        .send("DELETE", "/api/v1/policy?scope=AGENT&scopeId=jordan", None)
        .await;
    assert_eq!(ok(removed)["scope"], "GLOBAL");
    assert_ne!(evaluate(&jordan, "rm -rf x").await["decision"], "DENY");
    let versions = shown(&api, "/policy/versions?scope=AGENT&scopeId=jordan").await;
    assert_eq!(versions["versions"].as_array().unwrap().len(), 2);
    own["scopeId"] = json!("nobody");
    let put = api
        .operator()
        .send("PUT", "/api/v1/policy", Some(own.to_string().into()))
        .await;
    refused(&put, 404, "NOT_FOUND");
}

#[tokio::test]
async fn a_question_may_be_flat_or_nested_and_says_what_to_ask_for() {
    let api = Api::start();
    let jordan = member_with(&api, "jordan", json!({"budgetDaily": 5})).await;
    let nested = json!({"action": {"type": "TOOL_CALL", "tool": "exec", "args": {"cmd": PUSH}}});
    let found = ok(jordan.post("/policy/evaluate", nested).await);
    assert_eq!(
        (&found["decision"], &found["riskLevel"]),
        (&json!("NEEDS_APPROVAL"), &json!("RED"))
    );
    assert_eq!(found["approvalRequired"]["type"], "TOOL_EXEC");
    assert_eq!(
        (&found["budget"]["daily"], &found["budget"]["spentToday"]),
        (&json!(5.0), &json!(0.0))
    );
    assert_eq!(
        evaluate(&jordan, PUSH).await["fingerprint"],
        found["fingerprint"]
    );
    let allowed = evaluate(&jordan, "git status").await;
    assert_eq!(allowed["violations"], json!([]));
    assert!(allowed.get("approvalRequired").is_none(), "{allowed}");
    let unknown_task = json!({"action": {"type": "TOOL_CALL", "tool": "exec", "command": "git status"},
        "context": {"taskId": "task_nothing"}});
    ok(jordan.post("/policy/evaluate", unknown_task).await);
    let error = refused(
        &jordan.post("/policy/evaluate", json!({})).await,
        400,
        "VALIDATION_ERROR",
    );
    assert_eq!(fields(&error), ["action"]);
    let wrong = json!({"action": {"type": "DANCE"}});
    let error = refused(
        &jordan.post("/policy/evaluate", wrong).await,
        400,
        "VALIDATION_ERROR",
    );
    assert_eq!(fields(&error), ["action.type"]);
    let trail = shown(&api, "/events/timeline?action=POLICY_EVALUATED").await;
    assert_eq!(trail["activities"].as_array().unwrap().len(), 2, "{trail}");
}

#[tokio::test]
async fn an_unanswered_request_is_told_again_and_then_expires() {
    let moved = Moved::start();
    let api = &moved.api;
    let jordan = member_with(api, "jordan", json!({"heartbeatIntervalSec": 86_400 * 3})).await;
    let mut body = request(PUSH);
    body["expiresIn"] = json!("2h");
    let id = requested(&jordan, body).await.id();
    let path = format!("/approvals/{id}");
    moved.ahead(31 * 60);
    until("it is escalated", async || {
        shown(api, &path).await["escalated"] == true
    })
    .await;
    assert_eq!(shown(api, "/approvals/pending").await["urgentCount"], 0);
    moved.ahead(61 * 60);
    assert_eq!(shown(api, "/approvals/pending").await["urgentCount"], 1);
    moved.ahead(2 * 3600);
    assert_eq!(shown(api, &path).await["status"], "EXPIRED");
    assert_eq!(shown(api, "/approvals?status=EXPIRED").await["total"], 1);
    until("it is written down", async || {
        let trail = shown(api, "/events/timeline?action=APPROVAL_EXPIRED").await;
        !trail["activities"].as_array().unwrap().is_empty()
    })
    .await;
}

#[tokio::test]
async fn an_approval_without_an_action_is_good_for_the_one_it_is_named_for() {
    let api = Api::start();
    let jordan = member_with(&api, "jordan", json!({"canSpawn": false})).await;
    let approved = async |summary: &str, level: &str| {
        let body = json!({"actionType": "TOOL_EXEC", "actionSummary": summary, "riskLevel": level,
            "justification": "The release needs it"});
        let id = requested(&jordan, body).await.id();
        ok(ask(&api, &format!("/approvals/{id}/approve"), json!({})).await);
        id
    };
    let decision = async |approval: &str, action: Value| {
        let body =
            json!({"agentId": "jordan", "action": action, "context": {"approvalId": approval}});
        ok(jordan.post("/policy/evaluate", body).await)["decision"].clone()
    };
    let exec = |command: &str| json!({"type": "TOOL_CALL", "tool": "exec", "command": command});
    let payment = json!({"type": "TOOL_CALL", "tool": "payment", "args": {"amount": 1_000_000}});
    // Only a person reads prose, so the agent says what it is for; but no worse than it said, and of that kind.
    let push = approved("Push commits to the main branch", "RED").await;
    assert_eq!(decision(&push, exec("git push origin main")).await, "ALLOW");
    assert_eq!(decision(&push, exec("rm -rf /")).await, "DENY");
    let spawn = json!({"type": "SPAWN"});
    assert_ne!(decision(&push, spawn).await, "ALLOW");
    let look = approved("Look at the registry", "YELLOW").await;
    assert_eq!(decision(&look, exec("npm publish")).await, "NEEDS_APPROVAL");
    assert_eq!(decision(&look, payment.clone()).await, "NEEDS_APPROVAL");
    // A summary that is the action itself says all there is to know, as `mc` writes it too.
    for (summary, action) in [
        ("git push", exec("git push")),
        ("exec: make release", exec("make release")),
        ("payment", payment),
    ] {
        let id = approved(summary, "YELLOW").await;
        assert_eq!(decision(&id, action).await, "ALLOW", "{summary}");
    }
}
