//! Tasks over HTTP: made, found, shown, changed, taken from state to state (§3, §4, §5).

use serde_json::{Value, json};

use super::envelope::refused;
use super::world::{Member, ask, begun, member, member_with, ok, shown, task};
use crate::support::Api;
use crate::support::api::{Answer, Json as _};
use crate::support::clock::Moved;

fn faults(error: &Value) -> Vec<String> {
    let errors = error["details"]["errors"].as_array().expect("errors");
    errors.iter().map(|it| it.text("field")).collect()
}

/// The names of a list's tasks.
fn titles(list: &Value) -> Vec<String> {
    let tasks = list["tasks"].as_array().expect("tasks");
    tasks.iter().map(|it| it.text("title")).collect()
}

async fn made(api: &Api, body: Value) -> Value {
    let made = ask(api, "/tasks", body).await;
    assert_eq!(made.status, 201, "{made:?}");
    made.json()
}

async fn step(api: &Api, id: &str, body: Value) -> Answer {
    ask(api, &format!("/tasks/{id}/transition"), body).await
}

async fn patch(api: &Api, id: &str, body: Value) -> Answer {
    api.operator()
        .patch(&format!("/api/v1/tasks/{id}"), body)
        .await
}

#[tokio::test]
async fn a_new_task_is_shown_with_everything_the_contract_names() {
    let api = Api::start();
    member(&api, "lee", "LEAD", &[]).await;
    let parent = task(&api, "OPS").await;
    let made = made(
        &api,
        json!({"title": "Write", "type": "CONTENT", "description": "A post", "priority": 2, "reviewerId": "lee",
            "parentTaskId": parent, "labels": ["blog", "q3"], "dueAt": "2026-12-24T12:00:00+01:00",
            "estimatedCost": 0.5, "metadata": {"z": 1, "a": [null]}, "unknown": "ignored"}),
    )
    .await;
    assert_eq!(made["created"], true);
    let seen = shown(&api, &format!("/tasks/{}", made.id())).await;
    for (name, value) in [
        ("tenantId", json!("default")),
        ("title", json!("Write")),
        ("type", json!("CONTENT")),
        ("status", json!("INBOX")),
        ("priority", json!(2)),
        ("creatorAgentId", Value::Null),
        ("creatorUserId", json!("operator")),
        ("assigneeIds", json!([])),
        ("reviewerId", json!("lee")),
        ("parentTaskId", json!(parent)),
        ("labels", json!(["blog", "q3"])),
        ("dueAt", json!("2026-12-24T11:00:00.000Z")),
        ("workPlan", Value::Null),
        ("deliverable", Value::Null),
        ("reviewChecklist", Value::Null),
        ("reviewCycles", json!(0)),
        ("estimatedCost", json!(0.5)),
        ("budget", json!(6)),
        ("actualCost", json!(0)),
        (
            "costSummary",
            json!({"totalCost": 0, "runCount": 0, "tokenCount": 0}),
        ),
        ("blockedReason", Value::Null),
        ("resumeStatus", Value::Null),
        ("completion", Value::Null),
        ("startedAt", Value::Null),
        ("metadata", json!({"z": 1, "a": [null]})),
        ("transitions", json!([])),
        ("messages", json!([])),
        ("runs", json!([])),
        ("approvals", json!([])),
        ("documents", json!([])),
        (
            "allowedTransitions",
            json!(["ASSIGNED", "BLOCKED", "CANCELED"]),
        ),
    ] {
        assert_eq!(seen[name], value, "{name} in {seen}");
    }
    let trimmed = shown(&api, &format!("/tasks/{}?include=runs", made.id())).await;
    assert!(trimmed.get("runs").is_some() && trimmed.get("messages").is_none());
    let path = format!("/api/v1/tasks/{}?include=everything", made.id());
    let answer = api.operator().get(&path).await;
    refused(&answer, 400, "VALIDATION_ERROR");
}

#[tokio::test]
async fn every_fault_of_a_new_task_is_named() {
    let api = Api::start();
    let bare = ask(&api, "/tasks", json!({"type": null})).await;
    let error = refused(&bare, 400, "VALIDATION_ERROR");
    assert_eq!(faults(&error), ["title", "type"]);
    let types = json!({"title": 7, "type": "content", "priority": "high", "labels": [1], "dueAt": "soon",
        "estimatedCost": -1, "metadata": [], "assigneeIds": "jordan"});
    let wrong = ask(&api, "/tasks", types).await;
    let named = faults(&refused(&wrong, 400, "VALIDATION_ERROR"));
    for field in [
        "title",
        "type",
        "priority",
        "labels[0]",
        "dueAt",
        "estimatedCost",
        "metadata",
        "assigneeIds",
    ] {
        assert!(named.iter().any(|it| it == field), "{field} in {named:?}");
    }
    let long =
        json!({"title": "t".repeat(501), "type": "OPS", "priority": 9, "reviewerId": "ghost"});
    let long = ask(&api, "/tasks", long).await;
    let error = refused(&long, 400, "VALIDATION_ERROR");
    assert_eq!(faults(&error), ["title", "priority", "reviewerId"]);
    assert_eq!(shown(&api, "/tasks").await["total"], 0);
}

#[tokio::test]
async fn tasks_are_found_by_all_that_the_contract_names() {
    let api = Api::start();
    let jordan = member(&api, "jordan", "SPECIALIST", &[]).await;
    made(
        &api,
        json!({"title": "Old post", "type": "CONTENT", "labels": ["blog", "q3"], "priority": 4}),
    )
    .await;
    let urgent = made(
        &api,
        json!({"title": "Fix it", "type": "ENGINEERING", "priority": 1, "dueAt": "2026-12-01T00:00:00Z",
            "description": "The 50% bug"}),
    )
    .await;
    ok(jordan.claim(&urgent.id()).await);
    ok(jordan
        .post("/tasks", json!({"title": "Mine", "type": "DOCS"}))
        .await);
    for (query, expected) in [
        ("", vec!["Fix it", "Mine", "Old post"]),
        ("?status=ASSIGNED", vec!["Fix it"]),
        (
            "?status=INBOX,ASSIGNED&type=CONTENT&type=ENGINEERING",
            vec!["Fix it", "Old post"],
        ),
        (
            "?status=INBOX&status=ASSIGNED",
            vec!["Fix it", "Mine", "Old post"],
        ),
        ("?assigneeId=jordan", vec!["Fix it"]),
        ("?creatorId=jordan", vec!["Mine"]),
        ("?priority=4", vec!["Old post"]),
        ("?labels=blog,q3", vec!["Old post"]),
        ("?labels=blog,q4", vec![]),
        ("?search=OLD", vec!["Old post"]),
        ("?search=50%25", vec!["Fix it"]),
        ("?search=BLOG", vec!["Old post"]),
        (
            "?orderBy=createdAt&orderDir=asc",
            vec!["Old post", "Fix it", "Mine"],
        ),
        ("?orderBy=dueAt", vec!["Fix it", "Old post", "Mine"]),
        (
            "?orderBy=priority&orderDir=desc",
            vec!["Old post", "Mine", "Fix it"],
        ),
        ("?tenantId=elsewhere", vec![]),
    ] {
        let list = shown(&api, &format!("/tasks{query}")).await;
        assert_eq!(titles(&list), expected, "{query}");
        assert_eq!(list["total"], expected.len(), "{query}");
        assert_eq!(list["hasMore"], false, "{query}");
    }
    let mine = ok(jordan.get("/tasks?assigneeId=me").await);
    assert_eq!(titles(&mine), ["Fix it"]);
    let page = shown(&api, "/tasks?limit=2&offset=1").await;
    assert_eq!(titles(&page), ["Mine", "Old post"]);
    let page = shown(&api, "/tasks?limit=2").await;
    assert_eq!(
        (&page["total"], &page["hasMore"]),
        (&json!(3), &json!(true))
    );
    let bad = api
        .operator()
        .get("/api/v1/tasks?status=OPEN&type=X&orderBy=size&orderDir=up&priority=7&limit=x")
        .await;
    let mut named = faults(&refused(&bad, 400, "VALIDATION_ERROR"));
    named.sort();
    assert_eq!(
        named,
        ["limit", "orderBy", "orderDir", "priority", "status", "type"]
    );
}

#[tokio::test]
async fn an_agent_sees_only_its_own_tenant() {
    let api = Api::start();
    let jordan = member(&api, "jordan", "SPECIALIST", &[]).await;
    let theirs = made(
        &api,
        json!({"title": "Theirs", "type": "OPS", "tenantId": "elsewhere"}),
    )
    .await
    .id();
    for (method, path) in [
        ("GET", format!("/api/v1/tasks/{theirs}")),
        ("GET", format!("/api/v1/tasks/{theirs}/transitions")),
        ("GET", format!("/api/v1/tasks/{theirs}/messages")),
        ("GET", format!("/api/v1/tasks/{theirs}/report")),
        ("PATCH", format!("/api/v1/tasks/{theirs}")),
        ("POST", format!("/api/v1/tasks/{theirs}/subscribe")),
        ("DELETE", format!("/api/v1/tasks/{theirs}/subscribe")),
    ] {
        let answer = jordan.caller.send(method, &path, None).await;
        refused(&answer, 404, "NOT_FOUND");
    }
    assert_eq!(ok(jordan.get("/tasks").await)["total"], 0);
    assert_eq!(
        shown(&api, "/tasks").await["total"],
        1,
        "an operator sees all"
    );
}

#[tokio::test]
async fn a_change_names_what_may_not_be_changed_so() {
    let api = Api::start();
    let jordan = member(&api, "jordan", "SPECIALIST", &[]).await;
    let id = task(&api, "CONTENT").await;
    let status = patch(&api, &id, json!({"status": "DONE"})).await;
    let error = refused(&status, 400, "VALIDATION_ERROR");
    assert_eq!(faults(&error), ["status"]);
    let path = format!("/api/v1/tasks/{id}");
    let stranger = jordan.caller.patch(&path, json!({"title": "x"})).await;
    refused(&stranger, 403, "FORBIDDEN");
    ok(jordan.claim(&id).await);
    let changed = json!({"title": "New", "priority": 1, "labels": ["a"], "dueAt": "2026-12-01T00:00:00Z",
        "metadata": {"k": 1}});
    let changed = ok(jordan.caller.patch(&path, changed).await);
    assert_eq!(
        (&changed["title"], &changed["priority"], &changed["labels"]),
        (&json!("New"), &json!(1), &json!(["a"]))
    );
    let cleared = ok(jordan
        .caller
        .patch(&path, json!({"dueAt": null, "description": null}))
        .await);
    assert_eq!(cleared["dueAt"], Value::Null);
    for more in [
        json!({"budget": 50}),
        json!({"reviewerId": "jordan"}),
        json!({"type": "OPS"}),
    ] {
        let error = refused(&jordan.caller.patch(&path, more).await, 403, "FORBIDDEN");
        assert_eq!(error["details"]["requiredRole"], "OPERATOR");
    }
    let changed = ok(patch(&api, &id, json!({"budget": 50, "type": "OPS"})).await);
    assert_eq!(
        (&changed["budget"], &changed["type"]),
        (&json!(50), &json!("OPS"))
    );
}

#[tokio::test]
async fn a_claim_is_the_agents_own_and_only_of_what_is_free() {
    let api = Api::start();
    let jordan = member(&api, "jordan", "SPECIALIST", &[]).await;
    let riley = member(&api, "riley", "SPECIALIST", &[]).await;
    let sam = member(&api, "sam", "INTERN", &[]).await;
    let lee = member(&api, "lee", "LEAD", &[]).await;
    let id = task(&api, "CONTENT").await;
    let path = format!("/api/v1/tasks/{id}");
    let error = refused(&sam.claim(&id).await, 403, "FORBIDDEN");
    assert_eq!(error["details"]["requiredRole"], "SPECIALIST");
    let me = jordan
        .caller
        .patch(&path, json!({"assigneeIds": ["me"]}))
        .await;
    let first = ok(me);
    assert_eq!(
        (&first["status"], &first["assigneeIds"]),
        (&json!("ASSIGNED"), &json!(["jordan"]))
    );
    assert_eq!(ok(jordan.claim(&id).await), first, "unchanged");
    let error = refused(&riley.claim(&id).await, 422, "ASSIGNMENT_CONFLICT");
    assert_eq!(error["details"]["assigneeIds"], json!(["jordan"]));
    let other = riley
        .caller
        .patch(&path, json!({"assigneeIds": ["jordan", "riley"]}))
        .await;
    refused(&other, 403, "FORBIDDEN");
    let given = ok(lee
        .caller
        .patch(&path, json!({"assigneeIds": ["riley", "sam"]}))
        .await);
    assert_eq!(given["assigneeIds"], json!(["riley", "sam"]));
    let ghost = patch(&api, &id, json!({"assigneeIds": ["ghost"]})).await;
    refused(&ghost, 400, "VALIDATION_ERROR");
    let cleared = ok(patch(&api, &id, json!({"assigneeIds": []})).await);
    assert_eq!(cleared["status"], "INBOX");
    ok(ask(&api, "/agents/jordan/control", json!({"action": "PAUSE"})).await);
    refused(&jordan.claim(&id).await, 403, "AGENT_PAUSED");
}

#[tokio::test]
async fn a_refused_step_tells_what_would_be_possible() {
    let api = Api::start();
    let jordan = member(&api, "jordan", "SPECIALIST", &[]).await;
    let id = begun(&api, &jordan, "CONTENT").await;
    let path = format!("/tasks/{id}/transition");
    for (body, status, code) in [
        (json!({"toStatus": "ASSIGNED"}), 422, "INVALID_TRANSITION"),
        (json!({"toStatus": "REVIEW"}), 400, "VALIDATION_ERROR"),
        (
            json!({"toStatus": "CANCELED", "reason": "x"}),
            403,
            "FORBIDDEN",
        ),
        (
            json!({"toStatus": "REVIEW", "force": true}),
            403,
            "FORBIDDEN",
        ),
    ] {
        let error = refused(&jordan.post(&path, body).await, status, code);
        let details = &error["details"];
        assert_eq!(details["success"], false, "{error}");
        assert_eq!(details["from"], "IN_PROGRESS", "{error}");
        assert_eq!(
            details["allowedTransitions"],
            json!(["REVIEW", "NEEDS_APPROVAL", "BLOCKED"]),
            "{error}"
        );
        assert!(!faults(&error).is_empty(), "{error}");
    }
    for body in [
        json!({"toStatus": "FINISHED"}),
        json!({"toStatus": null}),
        json!({"toStatus": 3}),
        json!({}),
    ] {
        let error = refused(&jordan.post(&path, body).await, 400, "VALIDATION_ERROR");
        assert_eq!(faults(&error), ["toStatus"]);
    }
    assert_eq!(
        shown(&api, &format!("/tasks/{id}")).await["status"],
        "IN_PROGRESS"
    );
}

#[tokio::test]
async fn a_step_keeps_its_record_and_its_effects() {
    let api = Api::start();
    let jordan = member(&api, "jordan", "SPECIALIST", &[]).await;
    let id = task(&api, "CONTENT").await;
    ok(jordan.claim(&id).await);
    let keyed = jordan.caller.clone().header("X-Idempotency-Key", "start-1");
    let body = json!({"toStatus": "IN_PROGRESS", "sessionKey": "s-1", "reason": "Now",
        "workPlan": {"bullets": ["a", "b", "c"], "estimatedCost": 0.25, "estimatedDuration": "2h", "dependencies": []}});
    let path = format!("/api/v1/tasks/{id}/transition");
    let first = keyed.post(&path, body.clone()).await;
    let stepped = ok(first.clone());
    let transition = &stepped["transition"];
    for (name, value) in [
        ("taskId", json!(id)),
        ("fromStatus", json!("ASSIGNED")),
        ("toStatus", json!("IN_PROGRESS")),
        ("actorType", json!("AGENT")),
        ("actorId", json!("jordan")),
        ("reason", json!("Now")),
        ("sessionKey", json!("s-1")),
        ("idempotencyKey", json!("start-1")),
        ("forced", json!(false)),
    ] {
        assert_eq!(transition[name], value, "{name}");
    }
    assert_eq!(stepped["workPlan"]["estimatedDuration"], "2h");
    let replay = keyed.post(&path, body.clone()).await;
    assert_eq!(replay.headers["idempotency-replayed"], "true");
    assert_eq!(replay.text, first.text);
    // Without the key the same step is still the same step, for five minutes.
    let again = ok(jordan.post(&format!("/tasks/{id}/transition"), body).await);
    assert_eq!(again["transition"]["id"], transition["id"]);
    let steps = shown(&api, &format!("/tasks/{id}/transitions")).await;
    assert_eq!(steps["transitions"].as_array().unwrap().len(), 2);
    assert_eq!(
        ok(jordan.get("/agents/me").await)["currentTaskId"],
        json!(id)
    );

    let submit = json!({"toStatus": "REVIEW",
        "deliverable": {"content": "", "summary": "Done", "artifacts": [
            {"name": "post.md", "type": "DELIVERABLE", "content": "abc"}, {"name": "link", "type": "EVIDENCE"}]},
        "reviewChecklist": {"type": "CONTENT", "items": [{"label": "x", "checked": false, "note": "no media"}]}});
    let submitted = ok(jordan
        .post(&format!("/tasks/{id}/transition"), submit)
        .await);
    let artifacts = &submitted["deliverable"]["artifacts"];
    assert_eq!(artifacts[0]["sizeBytes"], 3);
    assert_eq!(
        artifacts[0]["sha256"],
        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    );
    assert_eq!(artifacts[1], json!({"name": "link", "type": "EVIDENCE"}));
    assert_eq!(
        submitted["transition"]["artifactsSnapshot"],
        json!(["post.md", "link"])
    );
    assert_eq!(submitted["reviewChecklist"]["completedBy"], "jordan");
    let seen = shown(&api, &format!("/tasks/{id}")).await;
    let documents = seen["documents"].as_array().unwrap();
    assert_eq!(documents.len(), 2, "{seen}");
    assert_eq!(documents[0]["artifact"]["name"], "post.md");

    let back = step(&api, &id, json!({"toStatus": "IN_PROGRESS"})).await;
    assert_eq!(faults(&refused(&back, 400, "VALIDATION_ERROR")), ["reason"]);
    let back = json!({"toStatus": "IN_PROGRESS", "reason": "Cite sources"});
    assert_eq!(ok(step(&api, &id, back).await)["reviewCycles"], 1);
    let review = shown(&api, &format!("/tasks/{id}/messages?type=REVIEW")).await;
    assert_eq!(review["messages"][0]["content"], "Cite sources");
    assert_eq!(review["messages"][0]["authorType"], "HUMAN");
}

#[tokio::test]
async fn a_repeated_step_is_done_already_after_five_minutes() {
    let moved = Moved::start();
    let api = &moved.api;
    let jordan = member_with(api, "jordan", json!({"heartbeatIntervalSec": 86_400})).await;
    let id = begun(api, &jordan, "CONTENT").await;
    moved.ahead(299);
    ok(jordan.start(&id).await);
    moved.ahead(310);
    refused(&jordan.start(&id).await, 409, "ALREADY_PROCESSED");
}

#[tokio::test]
async fn a_forced_step_is_on_record_as_one() {
    let api = Api::start();
    let jordan = member(&api, "jordan", "SPECIALIST", &[]).await;
    let id = task(&api, "CONTENT").await;
    ok(jordan.claim(&id).await);
    let forced = json!({"toStatus": "IN_PROGRESS", "force": true});
    let stepped = ok(step(&api, &id, forced).await);
    assert_eq!(stepped["transition"]["forced"], true);
    let trail = shown(&api, &format!("/events/timeline?taskId={id}")).await;
    assert_eq!(
        trail["activities"][0]["action"], "TRANSITION_FORCED",
        "{trail}"
    );
    let steps = shown(&api, &format!("/tasks/{id}/messages?type=WORK_PLAN")).await;
    assert_eq!(steps["messages"], json!([]), "there is no plan to post");
}

#[tokio::test]
async fn a_task_waits_for_what_it_depends_on() {
    let api = Api::start();
    let jordan = member(&api, "jordan", "SPECIALIST", &[]).await;
    let (first, second) = (task(&api, "DOCS").await, task(&api, "DOCS").await);
    ok(jordan.claim(&second).await);
    let plan = json!({"bullets": ["a", "b", "c"], "dependencies": [first]});
    let body = json!({"toStatus": "IN_PROGRESS", "workPlan": plan});
    let path = format!("/tasks/{second}/transition");
    let error = refused(
        &jordan.post(&path, body.clone()).await,
        422,
        "DEPENDENCIES_NOT_DONE",
    );
    assert_eq!(error["details"]["dependencies"], json!([first]));
    ok(jordan.claim(&first).await);
    ok(jordan.start(&first).await);
    ok(jordan.submit(&first, "DOCS").await);
    ok(step(&api, &first, json!({"toStatus": "DONE"})).await);
    ok(jordan.post(&path, body).await);
}

#[tokio::test]
async fn a_gated_task_keeps_to_its_rules_on_the_other_surface() {
    let api = Api::start();
    let jordan = member(&api, "jordan", "SPECIALIST", &[]).await;
    let id = begun(&api, &jordan, "CONTENT").await;
    ok(jordan.submit(&id, "CONTENT").await);
    let there = api.agent("default", "jordan");
    let seen = there.get(&format!("tasks/{id}")).await.ok();
    assert_eq!(seen["status"], "in_progress", "REVIEW in its words");
    for word in ["completed", "cancelled", "pending", "anything"] {
        let answer = there
            .patch(&format!("tasks/{id}"), json!({"status": word}))
            .await;
        answer.refused(403, "transition_not_allowed");
    }
    let seen = shown(&api, &format!("/tasks/{id}")).await;
    assert_eq!(
        seen["status"], "REVIEW",
        "an agent never finishes its own work"
    );
}

#[tokio::test]
async fn a_task_of_the_other_surface_is_on_the_board() {
    let api = Api::start();
    let there = api.agent("default", "writer");
    let id = there
        .post("tasks", json!({"title": "Free", "agent_role": "writer"}))
        .await
        .ok()
        .id();
    let seen = shown(&api, &format!("/tasks/{id}")).await;
    assert_eq!(
        (
            &seen["type"],
            &seen["status"],
            &seen["flow"],
            &seen["budget"]
        ),
        (
            &Value::Null,
            &json!("IN_PROGRESS"),
            &json!("free"),
            &Value::Null
        )
    );
    there
        .patch(&format!("tasks/{id}"), json!({"status": "completed"}))
        .await
        .ok();
    let steps = shown(&api, &format!("/tasks/{id}/transitions")).await;
    let last = &steps["transitions"][0];
    assert_eq!(
        (&last["fromStatus"], &last["toStatus"], &last["actorId"]),
        (&json!("IN_PROGRESS"), &json!("DONE"), &json!("writer"))
    );
    let trail = shown(&api, &format!("/events/timeline?taskId={id}")).await;
    assert_eq!(trail["activities"][0]["action"], "TASK_TRANSITION");
    let further = step(&api, &id, json!({"toStatus": "IN_PROGRESS", "reason": "x"})).await;
    refused(&further, 422, "INVALID_TRANSITION");
}

#[tokio::test]
async fn checklists_can_be_filled_in_and_handed_back() {
    let api = Api::start();
    let jordan = member(&api, "jordan", "SPECIALIST", &[]).await;
    for (kind, topics) in [
        ("CONTENT", 8),
        ("SOCIAL", 8),
        ("EMAIL_MARKETING", 9),
        ("CUSTOMER_RESEARCH", 8),
        ("SEO_RESEARCH", 8),
        ("ENGINEERING", 9),
        ("DOCS", 8),
        ("OPS", 8),
    ] {
        let mut list = ok(jordan.get(&format!("/checklists/{kind}")).await);
        let items = list["items"].as_array_mut().expect("items");
        assert_eq!(items.len(), topics, "{kind}");
        assert!(items.iter().all(|it| it["checked"] == false), "{kind}");
        for item in items {
            item["checked"] = json!(true);
        }
        let id = begun(&api, &jordan, kind).await;
        let body =
            json!({"toStatus": "REVIEW", "deliverable": {"content": "x"}, "reviewChecklist": list});
        ok(jordan.post(&format!("/tasks/{id}/transition"), body).await);
    }
    refused(&jordan.get("/checklists/RESEARCH").await, 404, "NOT_FOUND");
}

#[tokio::test]
async fn a_report_tells_the_story_of_a_task() {
    let api = Api::start();
    let jordan: Member = member(&api, "jordan", "SPECIALIST", &[]).await;
    let id = begun(&api, &jordan, "CONTENT").await;
    ok(jordan.say(&id, "Half way there").await);
    ok(jordan.submit(&id, "CONTENT").await);
    let done = json!({"toStatus": "DONE", "reason": "Lovely"});
    ok(step(&api, &id, done).await);
    let report = ok(jordan.get(&format!("/tasks/{id}/report")).await).text("report");
    let mut rest = report.as_str();
    for line in [
        "# Some CONTENT work",
        "- Status: DONE",
        "- Assignees: jordan",
        "**INBOX → ASSIGNED** by jordan",
        "**ASSIGNED → IN_PROGRESS** by jordan",
        "COMMENT by jordan: Half way there",
        "**IN_PROGRESS → REVIEW** by jordan",
        "**REVIEW → DONE** by operator: Lovely",
    ] {
        let at = rest
            .find(line)
            .unwrap_or_else(|| panic!("{line:?} in its place in {report}"));
        rest = &rest[at..];
    }
}

#[tokio::test]
async fn tasks_are_found_by_who_made_them_be_it_an_agent_or_a_person() {
    let api = Api::start();
    let lead = member(&api, "lead", "LEAD", &[]).await;
    let by_operator = task(&api, "CONTENT").await;
    let body = json!({"title": "Mine", "type": "CONTENT"});
    let by_lead = ok(lead.post("/tasks", body).await);
    let by_lead = by_lead["task"].get("id").unwrap_or(&by_lead["id"]).clone();
    for (creator, expected) in [
        ("operator", json!([by_operator])),
        ("lead", json!([by_lead])),
        ("nobody", json!([])),
    ] {
        let list = shown(&api, &format!("/tasks?creatorId={creator}")).await;
        let ids: Vec<Value> = list["tasks"]
            .as_array()
            .expect("a list")
            .iter()
            .map(|task| task["id"].clone())
            .collect();
        assert_eq!(json!(ids), expected, "{creator}: {list}");
        assert_eq!(list["total"], ids.len(), "{creator}");
    }
}
