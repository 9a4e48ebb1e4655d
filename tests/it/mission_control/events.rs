//! §10: what happens, live.

use std::io::Write as _;
use std::net::TcpStream;

use futures::future::join_all;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::api::{JWT_SECRET, agent_token, builder};
use crate::support::jwt::hs256;
use crate::support::sse::Frame;
use crate::support::wait::eventually;
use crate::support::{Api, Caller, Json as _};

fn ids(frames: &[Frame]) -> Vec<i64> {
    frames.iter().filter_map(|frame| frame.id).collect()
}

#[tokio::test]
async fn a_stream_begins_at_once_and_shows_only_what_happens_from_then_on() {
    let api = Api::start();
    let agent = api.agent("acme", "writer");
    agent.task("before").await;
    // The headers come although nothing happens.
    let mut events = agent.events("").await;
    let task = agent.post("tasks", json!({"title": "after"})).await.ok();
    let frame = events.next().await;
    assert_eq!(frame.event, "task.created");
    let data = frame.json();
    let expected = json!({
        "id": frame.id,
        "type": "task.created",
        "user_id": "acme",
        "task_id": task["id"],
        "at": data["at"],
        "data": task,
    });
    assert_eq!(data, expected);
    assert!(super::is_utc_time(&data.text("at")));
}

#[tokio::test]
async fn every_kind_of_event_carries_the_whole_new_object() {
    let api = Api::start();
    let (agent, internal) = (api.agent("acme", "writer"), api.internal());
    let mut events = agent.events("").await;
    let mut expect = async |name: &str, data: &Value| {
        let frame = events.until(name).await.pop().unwrap().json();
        assert_eq!(&frame["data"], data, "{name}");
        assert_eq!(frame["user_id"], "acme", "{name}");
        let task = data.get("task_id").filter(|_| name != "heartbeat.recorded");
        if !name.starts_with("task.") {
            assert_eq!(&frame["task_id"], task.unwrap_or(&Value::Null), "{name}");
        }
    };
    let task = agent.post("tasks", json!({"title": "T"})).await.ok();
    expect("task.created", &task).await;
    let id = task.id();
    let path = format!("tasks/{id}");
    let updated = agent.patch(&path, json!({"status": "blocked"})).await.ok();
    expect("task.updated", &updated).await;
    let of_task = |more: Value| {
        let mut body = json!({"task_id": id, "title": "T", "content": "C", "justification": "J"});
        body.as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        body
    };
    let message = agent.post("messages", of_task(json!({}))).await.ok();
    expect("message.created", &message).await;
    let document = agent.post("documents", of_task(json!({}))).await.ok();
    expect("document.created", &document).await;
    for (settle, body, name) in [
        ("deliver", json!({}), "notification.delivered"),
        (
            "fail",
            json!({"retryable": false, "error": "no"}),
            "notification.dead",
        ),
    ] {
        let role = json!({"agent_role": "editor"});
        let mut made = agent.post("notifications", of_task(role)).await.ok();
        expect("notification.created", &made).await;
        let path = format!("dispatch/notifications/{}/{settle}?user_id=acme", made.id());
        let settled = internal.post(&path, body).await.ok();
        if settle == "deliver" {
            made["delivered_at"] = settled["delivered_at"].clone();
        } else {
            made = settled;
        }
        expect(name, &made).await;
    }
    let request = agent.post("tool-requests", of_task(json!({}))).await.ok();
    expect("tool_request.created", &request).await;
    let path = format!("tool-requests/{}", request.id());
    let decided = api
        .operator()
        .patch(&path, json!({"status": "denied"}))
        .await
        .ok();
    expect("tool_request.updated", &decided).await;
    let standup = agent.post("standup", json!({})).await.ok();
    expect("standup.created", &standup).await;
}

#[tokio::test]
async fn a_stream_resumes_after_the_event_it_is_told() {
    let api = Api::start();
    let agent = api.agent("acme", "writer");
    let mut live = agent.events("").await;
    for number in 0..6 {
        agent.task(&format!("{number}")).await;
    }
    let frames = live.take(6).await;
    let all = ids(&frames);
    assert!(all.is_sorted_by(|a, b| a < b), "{all:?}");
    for (seen, at) in all.iter().enumerate() {
        let rest = &all[seen + 1..];
        let by_header = agent.clone().header("Last-Event-ID", &at.to_string());
        for mut events in [
            by_header.events("").await,
            by_header.events("?last_event_id=0").await,
            agent.events(&format!("?last_event_id={at}")).await,
        ] {
            assert_eq!(ids(&events.take(rest.len()).await), rest);
        }
    }
    let mut again = agent.events("?last_event_id=0").await;
    let first = again.take(6).await;
    assert_eq!(ids(&first), all);
    assert_eq!(
        first[3].data, frames[3].data,
        "it is told the same way again"
    );
    // What happens next comes next.
    agent.task("next").await;
    let next = again.next().await;
    assert_eq!(next.json()["data"]["title"], "next");
    for bad in ["x", "-1", "1.5", "99999999999999999999"] {
        let answer = agent.get(&format!("events?last_event_id={bad}")).await;
        assert_eq!(answer.faults(), ["last_event_id"]);
    }
}

#[tokio::test]
async fn a_reader_that_resumes_while_much_happens_misses_nothing() {
    let api = Api::start();
    let agent = api.agent("acme", "writer");
    let titles: Vec<String> = (0..100).map(|number| format!("{number:03}")).collect();
    let writes = join_all(titles.iter().map(|title| agent.task(title)));
    let reads = async {
        let mut seen: Vec<Frame> = Vec::new();
        while seen.len() < titles.len() {
            let last = seen.last().and_then(|frame| frame.id).unwrap_or(0);
            let mut events = agent
                .events(&format!("?types=task.created&last_event_id={last}"))
                .await;
            seen.extend(events.take(7.min(titles.len() - seen.len())).await);
        }
        seen
    };
    let (_, seen) = tokio::join!(writes, reads);
    assert!(ids(&seen).is_sorted_by(|a, b| a < b));
    let mut found: Vec<String> = seen
        .iter()
        .map(|it| it.json()["data"].text("title"))
        .collect();
    found.sort();
    assert_eq!(found, titles);
}

#[tokio::test]
async fn a_stream_shows_only_the_types_and_the_task_that_are_asked_for() {
    let api = Api::start();
    let agent = api.agent("acme", "writer");
    let mut messages = agent.events("?types=message.created").await;
    let mut two = agent.events("?types=task.created,%20message.created").await;
    let mut unknown = agent.events("?types=no.such,task.updated").await;
    let (one, other) = (agent.task("one").await, agent.task("other").await);
    let mut of_task = agent.events(&format!("?task_id={other}")).await;
    for (task, content) in [(&one, "a"), (&other, "b")] {
        let body = json!({"task_id": task, "content": content});
        agent.post("messages", body).await.ok();
    }
    agent
        .patch(&format!("tasks/{one}"), json!({"title": "new"}))
        .await
        .ok();
    let names =
        |frames: Vec<Frame>| -> Vec<String> { frames.into_iter().map(|it| it.event).collect() };
    assert_eq!(names(messages.take(2).await), ["message.created"; 2]);
    let expected = [
        "task.created",
        "task.created",
        "message.created",
        "message.created",
    ];
    assert_eq!(names(two.take(4).await), expected);
    assert_eq!(unknown.next().await.event, "task.updated");
    assert_eq!(of_task.next().await.json()["data"]["content"], "b");
    agent
        .patch(&format!("tasks/{other}"), json!({"title": "new"}))
        .await
        .ok();
    assert_eq!(of_task.next().await.event, "task.updated");
}

#[tokio::test]
async fn nobody_sees_another_tenants_events() {
    let api = Api::start();
    let (acme, globex) = (api.agent("acme", "writer"), api.agent("globex", "writer"));
    let theirs = globex.task("theirs").await;
    let mut live = acme.events("").await;
    let mut all = acme.events("?last_event_id=0").await;
    let mut of_task = acme
        .events(&format!("?last_event_id=0&task_id={theirs}"))
        .await;
    globex.task("theirs too").await;
    acme.task("ours").await;
    for events in [&mut live, &mut all] {
        assert_eq!(events.next().await.json()["data"]["title"], "ours");
    }
    globex
        .patch(&format!("tasks/{theirs}"), json!({"title": "still theirs"}))
        .await
        .ok();
    acme.task("ours too").await;
    assert_eq!(all.next().await.json()["data"]["title"], "ours too");
    // Nothing ever comes here but what keeps the line open.
    let kept = of_task.next_of_any_kind().await.unwrap();
    assert!(kept.comment, "{kept:?}");
}

#[tokio::test]
async fn a_token_in_the_query_opens_the_stream_and_nothing_else() {
    let api = Api::start();
    let (stranger, token) = (api.stranger(), agent_token("acme", "writer"));
    let mut events = stranger.events(&format!("?token={token}")).await;
    api.agent("acme", "writer").task("T").await;
    assert_eq!(events.next().await.event, "task.created");
    for path in [
        "tasks",
        "capabilities",
        "notifications",
        "/api/tools",
        "messages",
        "documents",
    ] {
        let answer = stranger.get(&format!("{path}?token={token}")).await;
        answer.refused(401, "unauthorized");
    }
    let expired = hs256(
        &json!({"type": "agent", "user_id": "acme", "agent_role": "writer", "exp": 1}),
        JWT_SECRET,
    );
    for bad in ["", "x", &expired] {
        let answer = stranger.get(&format!("events?token={bad}")).await;
        answer.refused(401, "unauthorized");
    }
    for caller in [api.internal(), api.operator(), stranger] {
        caller.get("events").await.refused(401, "unauthorized");
    }
}

#[tokio::test]
async fn a_place_that_is_not_in_the_log_is_answered_with_reset() {
    let directory = TempDir::new().unwrap();
    let data = directory.path().join("data");
    let started = || builder().directory(&data);
    std::fs::create_dir(&data).unwrap();
    let mut api = Api::of(started().start());
    let agent = api.agent("acme", "writer");
    agent.task("old").await;
    // A place that has not been yet.
    let mut events = agent.events("?last_event_id=1000000").await;
    let reset = events.next().await;
    assert_eq!((reset.event.as_str(), reset.id), ("reset", None));
    assert_eq!(reset.json()["user_id"], "acme");
    // It goes on with what there is.
    agent.task("new").await;
    for title in ["old", "new"] {
        assert_eq!(events.next().await.json()["data"]["title"], title);
    }
    drop(events);
    assert_eq!(api.server.stop(), 0);

    // Forty days later the log has been swept.
    let clock = directory.path().join("clock");
    std::fs::write(&clock, (40 * 86_400_000_i64).to_string()).unwrap();
    let clock = clock.to_str().unwrap();
    let api = Api::of(started().argument("--test-clock").argument(clock).start());
    let agent = api.agent("acme", "writer");
    let mut events = eventually("the log is swept", async || {
        let marker = agent.task("marker").await;
        let mut events = agent.events("?last_event_id=1").await;
        let first = events.next().await;
        assert!(first.event == "reset" || first.id.is_some(), "{marker}");
        (first.event == "reset").then_some(events)
    })
    .await;
    let next = events.next().await;
    assert_eq!(next.json()["data"]["title"], "marker");
}

/// Opens a stream and never reads it.
fn stall(api: &Api, token: &str) -> TcpStream {
    let mut stream = TcpStream::connect(api.server.url().trim_start_matches("http://")).unwrap();
    let head = "GET /api/mission-control/events HTTP/1.1\r\nHost: x\r\nX-Agent-Token:";
    write!(stream, "{head} {token}\r\n\r\n").unwrap();
    stream
}

#[tokio::test]
async fn a_reader_that_stalls_slows_nobody() {
    let api = Api::start();
    let agent = api.agent("acme", "writer");
    let stalled: Vec<TcpStream> = (0..2)
        .map(|_| stall(&api, &agent_token("acme", "writer")))
        .collect();
    let mut events = agent.events("?types=message.created").await;
    let task = agent.task("T").await;
    let content = "x".repeat(500_000);
    // Far more than a connection's buffers hold.
    for _ in 0..24 {
        post(&agent, &task, &content).await;
        let frame = events.next().await;
        assert_eq!(frame.json()["data"].text("content").len(), content.len());
    }
    agent.get("tasks").await.ok();
    drop(stalled);
}

async fn post(agent: &Caller, task: &str, content: &str) {
    let body = json!({"task_id": task, "content": content});
    agent.post("messages", body).await.ok();
}
