//! What is said on tasks and who is told of it, over HTTP (§3, §4, §12).

use serde_json::{Value, json};

use super::envelope::refused;
use super::world::{Member, ask, begun, member, ok, shown, task};
use crate::support::Api;
use crate::support::api::Json as _;
use crate::support::clock::Moved;

fn faults(error: &Value) -> Vec<String> {
    let errors = error["details"]["errors"].as_array().expect("errors");
    errors.iter().map(|it| it.text("field")).collect()
}

fn contents(list: &Value) -> Vec<String> {
    let messages = list["messages"].as_array().expect("messages");
    messages.iter().map(|it| it.text("content")).collect()
}

async fn told(member: &Member, query: &str) -> Vec<Value> {
    let list = ok(member.get(&format!("/notifications{query}")).await);
    list["notifications"].as_array().expect("a list").clone()
}

#[tokio::test]
async fn a_message_is_shown_as_it_was_posted() {
    let api = Api::start();
    let jordan = member(&api, "jordan", "SPECIALIST", &[]).await;
    let id = task(&api, "CONTENT").await;
    let first = ok(jordan.say(&id, "First").await);
    let body = json!({"type": "ARTIFACT", "content": "See\u{0}\u{7} it", "mentions": ["operator"],
        "replyToId": first.id(), "artifacts": [
            {"name": "a.md", "type": "REPORT", "content": "hé", "mimeType": "text/markdown"},
            {"name": "b", "type": "EVIDENCE", "url": "https://x.example/b"}]});
    let posted = jordan.post(&format!("/tasks/{id}/messages"), body).await;
    assert_eq!(posted.status, 201, "{posted:?}");
    let posted = posted.json();
    for (name, value) in [
        ("taskId", json!(id)),
        ("authorType", json!("AGENT")),
        ("authorId", json!("jordan")),
        ("type", json!("ARTIFACT")),
        ("content", json!("See it")),
        ("mentions", json!(["operator"])),
        ("replyToId", json!(first.id())),
        ("redactedFields", json!([])),
        (
            "notifications",
            json!([{"agentId": "operator", "queued": true}]),
        ),
    ] {
        assert_eq!(posted[name], value, "{name} in {posted}");
    }
    let artifact = &posted["artifacts"][0];
    assert_eq!(artifact["sizeBytes"], 3, "bytes, not characters");
    assert_eq!(artifact["sha256"].as_str().map(str::len), Some(64));
    assert_eq!(posted["artifacts"][1]["url"], "https://x.example/b");
    let list = shown(&api, &format!("/tasks/{id}/messages")).await;
    assert_eq!(contents(&list), ["See it", "First"], "newest first");
}

#[tokio::test]
async fn every_fault_of_a_message_is_named() {
    let api = Api::start();
    let jordan = member(&api, "jordan", "SPECIALIST", &[]).await;
    let id = task(&api, "CONTENT").await;
    let path = format!("/tasks/{id}/messages");
    for (body, expected) in [
        (json!({}), vec!["type", "content"]),
        (json!({"type": null, "content": "x"}), vec!["type"]),
        (json!({"type": "COMMENT"}), vec!["content"]),
        (json!({"type": "NOTE", "content": "x"}), vec!["type"]),
        (json!({"type": "SYSTEM", "content": "x"}), vec!["type"]),
        (
            json!({"type": "COMMENT", "content": "x".repeat(10_001)}),
            vec!["content"],
        ),
        (
            json!({"type": "COMMENT", "content": "x", "replyToId": "msg_none"}),
            vec!["replyToId"],
        ),
        (
            json!({"type": "ARTIFACT", "artifacts": [{"type": "PICTURE"}, "x"]}),
            vec!["artifacts[0].name", "artifacts[0].type", "artifacts[1]"],
        ),
        (
            json!({"type": "ARTIFACT", "artifacts": [{"name": "a", "content": "x".repeat((1 << 20) + 1)}]}),
            vec!["artifacts[0].content"],
        ),
    ] {
        let error = refused(&jordan.post(&path, body).await, 400, "VALIDATION_ERROR");
        assert_eq!(faults(&error), expected, "{error}");
    }
    let nowhere = jordan.say("task_none", "x").await;
    refused(&nowhere, 404, "NOT_FOUND");
    let list = shown(&api, &path).await;
    assert_eq!(contents(&list), [""; 0]);
}

#[tokio::test]
async fn a_thread_is_read_page_by_page() {
    let api = Api::start();
    let id = task(&api, "CONTENT").await;
    let path = format!("/tasks/{id}/messages");
    for number in 0..5 {
        let kind = if number == 2 { "PROGRESS" } else { "COMMENT" };
        let body = json!({"type": kind, "content": number.to_string()});
        ok(ask(&api, &path, body).await);
    }
    let mut seen = Vec::new();
    let mut before = String::new();
    for more in [true, true, false] {
        let page = shown(&api, &format!("{path}?limit=2{before}")).await;
        seen.extend(contents(&page));
        assert_eq!(page["hasMore"], more, "{page}");
        match page["nextBefore"].as_str() {
            Some(next) => before = format!("&before={next}"),
            None => assert!(!more),
        }
    }
    assert_eq!(seen, ["4", "3", "2", "1", "0"]);
    let progress = shown(&api, &format!("{path}?type=PROGRESS")).await;
    assert_eq!(contents(&progress), ["2"]);
    for query in ["?before=msg_none", "?type=SHOUT", "?limit=x"] {
        let answer = api.operator().get(&format!("/api/v1{path}{query}")).await;
        refused(&answer, 400, "VALIDATION_ERROR");
    }
    assert_eq!(
        shown(&api, &format!("{path}?limit=9999")).await["hasMore"],
        false
    );
}

#[tokio::test]
async fn who_is_held_up_may_speak_but_not_from_quarantine() {
    let api = Api::start();
    let jordan = member(&api, "jordan", "SPECIALIST", &[]).await;
    let id = task(&api, "CONTENT").await;
    ok(ask(&api, "/agents/jordan/control", json!({"action": "PAUSE"})).await);
    ok(jordan.say(&id, "I am paused").await);
    let body = json!({"action": "QUARANTINE", "reason": "It went wild"});
    ok(ask(&api, "/agents/jordan/control", body).await);
    refused(&jordan.say(&id, "x").await, 403, "AGENT_QUARANTINED");
}

#[tokio::test]
async fn following_a_task_can_be_begun_and_ended_again_and_again() {
    let api = Api::start();
    let jordan = member(&api, "jordan", "SPECIALIST", &[]).await;
    let riley = member(&api, "riley", "SPECIALIST", &[]).await;
    let id = begun(&api, &jordan, "CONTENT").await;
    let path = format!("/tasks/{id}/subscribe");
    for _ in 0..2 {
        let answer = ok(riley.post(&path, json!({})).await);
        assert_eq!(answer, json!({"subscribed": true}));
    }
    ok(jordan.submit(&id, "CONTENT").await);
    let heard = told(&riley, "?type=TASK_TRANSITION").await;
    assert_eq!(heard.len(), 1, "{heard:?}");
    assert_eq!(heard[0]["title"], "Some CONTENT work is REVIEW");
    for _ in 0..2 {
        let full = format!("/api/v1{path}");
        let answer = ok(riley.caller.send("DELETE", &full, None).await);
        assert_eq!(answer, json!({"subscribed": false}));
    }
    let done = json!({"toStatus": "DONE"});
    ok(ask(&api, &format!("/tasks/{id}/transition"), done).await);
    assert_eq!(told(&riley, "").await.len(), 1, "it follows no more");
    assert_eq!(told(&jordan, "?type=TASK_TRANSITION").await.len(), 1);
}

#[tokio::test]
async fn notifications_are_found_acknowledged_and_only_ones_own() {
    let api = Api::start();
    let jordan = member(&api, "jordan", "SPECIALIST", &[]).await;
    let riley = member(&api, "riley", "SPECIALIST", &[]).await;
    let id = task(&api, "CONTENT").await;
    for number in 0..3 {
        ok(jordan.say(&id, &format!("@riley thing {number}")).await);
    }
    let body = json!({"assigneeIds": ["riley"]});
    let path = format!("/api/v1/tasks/{id}");
    ok(api.operator().patch(&path, body).await);
    let all = told(&riley, "").await;
    assert_eq!(all.len(), 4);
    assert_eq!(
        (
            &all[0]["type"],
            &all[0]["status"],
            &all[0]["targetAgentId"],
            &all[0]["taskId"]
        ),
        (
            &json!("ASSIGNMENT"),
            &json!("PENDING"),
            &json!("riley"),
            &json!(id)
        )
    );
    assert_eq!(all[1]["title"], "@riley thing 2");
    assert_eq!(told(&riley, "?type=MENTION&limit=2").await.len(), 2);

    let one = all[3].id();
    let ack = format!("/notifications/{one}/ack");
    refused(&jordan.post(&ack, json!({})).await, 403, "FORBIDDEN");
    let first = ok(riley.post(&ack, json!({"externalId": "x"})).await);
    assert_eq!(first["status"], "ACKED");
    let again = ok(riley.post(&ack, json!({})).await);
    assert_eq!(again["ackedAt"], first["ackedAt"]);
    assert_eq!(told(&riley, "?status=ACKED").await.len(), 1);
    assert_eq!(told(&riley, "?status=PENDING").await.len(), 3);

    let bulk = "/notifications/ack";
    let bare = riley.post(bulk, json!({})).await;
    assert_eq!(faults(&refused(&bare, 400, "VALIDATION_ERROR")), ["ids"]);
    let two = json!({"ids": [all[1].id(), all[2].id()]});
    refused(&jordan.post(bulk, two.clone()).await, 403, "FORBIDDEN");
    assert_eq!(
        told(&riley, "?status=PENDING").await.len(),
        3,
        "none of them"
    );
    assert_eq!(ok(riley.post(bulk, two).await), json!({"acked": 2}));
    assert_eq!(
        ok(riley.post(bulk, json!({"all": true})).await),
        json!({"acked": 1})
    );
    assert_eq!(told(&riley, "?status=PENDING").await.len(), 0);
    let others = jordan.get("/notifications?agentId=riley").await;
    refused(&others, 403, "FORBIDDEN");
    assert_eq!(
        shown(&api, "/notifications?agentId=riley").await["notifications"]
            .as_array()
            .unwrap()
            .len(),
        4,
        "an operator looks at anybody's"
    );
}

#[tokio::test]
async fn a_notification_is_repeated_for_a_day() {
    let moved = Moved::start();
    let api = &moved.api;
    let jordan = member(api, "jordan", "SPECIALIST", &[]).await;
    let riley = member(api, "riley", "SPECIALIST", &[]).await;
    let id = task(api, "CONTENT").await;
    ok(jordan.say(&id, "@riley look").await);
    moved.ahead(23 * 3600);
    assert_eq!(told(&riley, "").await[0]["status"], "PENDING");
    moved.ahead(24 * 3600 + 5);
    assert_eq!(told(&riley, "").await[0]["status"], "EXPIRED");
    let beat = riley.beat().await;
    assert_eq!(beat["pendingNotifications"], json!([]));
}

#[tokio::test]
async fn the_very_same_words_are_told_once_and_names_are_those_that_there_are() {
    let api = Api::start();
    let jordan = member(&api, "jordan", "SPECIALIST", &[]).await;
    let body = json!({"id": "casey", "name": "zoe", "role": "SPECIALIST", "workspacePath": "/w"});
    let casey = api.operator().post("/api/v1/agents", body).await;
    assert_eq!(casey.status, 201, "{casey:?}");
    let id = task(&api, "CONTENT").await;
    for told in [true, false] {
        let posted = ok(jordan.say(&id, "@casey @zoe and @nobody: ping").await);
        assert_eq!(posted["mentions"], json!(["casey"]));
        let expected =
            json!([{"agentId": "casey", "queued": told}, {"agentId": "nobody", "queued": false}]);
        assert_eq!(posted["notifications"], expected);
    }
    let other = ok(jordan.say(&id, "@casey: pong").await);
    assert_eq!(other["notifications"][0]["queued"], true);
}

#[tokio::test]
async fn what_is_taken_out_is_named_and_stands_in_the_trail() {
    let api = Api::start();
    let jordan = member(&api, "jordan", "SPECIALIST", &[]).await;
    let id = task(&api, "CONTENT").await;
    let secret = format!("token ghp_{}", "a1B2".repeat(9));
    let body = json!({"type": "ARTIFACT", "content": secret,
        "artifacts": [{"name": "a", "type": "REPORT", "content": "fine"}, {"name": "b", "type": "REPORT", "content": secret}]});
    let posted = ok(jordan.post(&format!("/tasks/{id}/messages"), body).await);
    let fields = json!(["content", "artifacts[1].content"]);
    assert_eq!(posted["redactedFields"], fields);
    let trail = shown(&api, "/events/timeline?action=MESSAGE_POSTED").await;
    assert_eq!(trail["activities"][0]["metadata"]["redactedFields"], fields);
}
