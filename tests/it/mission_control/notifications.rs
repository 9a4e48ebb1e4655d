//! §9.1: what wakes an agent.

use serde_json::{Value, json};

use crate::support::{Api, Caller, Json as _};

/// What was sent to each role: `role type`, oldest first.
async fn told(agent: &Caller) -> Vec<String> {
    let items = agent.items("notifications?all=true&limit=100").await;
    let line = |it: &Value| format!("{} {}", it.text("agent_role"), it.text("type"));
    items.iter().rev().map(line).collect()
}

async fn say(agent: &Caller, task: &str, actor: &str, content: &str) {
    let body = json!({"task_id": task, "content": content, "actor_type": actor});
    agent.post("messages", body).await.ok();
}

async fn task_of(agent: &Caller, role: Value) -> String {
    let body = json!({"title": "Launch", "agent_role": role});
    agent.post("tasks", body).await.ok().id()
}

#[tokio::test]
async fn a_message_tells_whom_it_concerns_once_and_never_its_own_author() {
    let api = Api::start();
    let cases: [(&str, Value, &str, &str, &[&str]); 12] = [
        (
            "a user, to the assignee",
            json!("editor"),
            "user",
            "hello",
            &["editor message"],
        ),
        (
            "a user, else to the maker",
            Value::Null,
            "user",
            "hello",
            &["writer message"],
        ),
        (
            "an agent, to nobody",
            json!("editor"),
            "agent",
            "hello",
            &[],
        ),
        (
            "a mention",
            Value::Null,
            "agent",
            "ask @lead-1, please",
            &["lead-1 mention"],
        ),
        (
            "a mention wins",
            json!("editor"),
            "user",
            "@editor go",
            &["editor mention"],
        ),
        (
            "mentions beside the assignee",
            json!("editor"),
            "user",
            "@lead and @qa",
            &["editor message", "lead mention", "qa mention"],
        ),
        (
            "one mention a role",
            Value::Null,
            "agent",
            "@a @a (@a) @a!",
            &["a mention"],
        ),
        (
            "not itself",
            json!("writer"),
            "agent",
            "@writer: I am on it",
            &[],
        ),
        (
            "a person may",
            json!("editor"),
            "user",
            "@writer?",
            &["editor message", "writer mention"],
        ),
        (
            "no mail address",
            Value::Null,
            "agent",
            "a@b.c x@y @ @-x",
            &[],
        ),
        (
            "in a sentence",
            Value::Null,
            "agent",
            "Done,\n@qa.",
            &["qa mention"],
        ),
        (
            "case counts",
            Value::Null,
            "agent",
            "@QA @qa",
            &["QA mention", "qa mention"],
        ),
    ];
    for (number, (what, assignee, actor, content, expected)) in cases.into_iter().enumerate() {
        let agent = api.agent(&format!("tenant {number}"), "writer");
        let task = task_of(&agent, assignee).await;
        let before = told(&agent).await.len();
        say(&agent, &task, actor, content).await;
        let mut new = told(&agent).await.split_off(before);
        new.sort();
        assert_eq!(new, expected, "{what}");
    }
}

#[tokio::test]
async fn a_role_that_the_body_claims_is_not_told_of_its_own_words() {
    let api = Api::start();
    let agent = api.agent("acme", "writer");
    let task = agent.task("T").await;
    let body = json!({"task_id": task, "content": "@jarvis @qa", "agent_role": "jarvis"});
    agent.post("messages", body).await.ok();
    assert_eq!(told(&agent).await, ["qa mention"]);
}

#[tokio::test]
async fn an_assignment_tells_the_assignee_unless_it_assigns_itself() {
    let api = Api::start();
    let agent = api.agent("acme", "writer");
    let task = task_of(&agent, json!("editor")).await;
    let path = format!("tasks/{task}");
    for (patch, expected) in [
        (json!({"title": "Again"}), 1),
        (json!({"agent_role": "editor"}), 1),
        (json!({"agent_role": "lead"}), 2),
        (json!({"agent_role": null}), 2),
        (json!({"agent_role": "writer"}), 2),
        (json!({"agent_role": "editor"}), 3),
    ] {
        agent.patch(&path, patch.clone()).await.ok();
        assert_eq!(told(&agent).await.len(), expected, "{patch}");
    }
    let expected = ["editor assignment", "lead assignment", "editor assignment"];
    assert_eq!(told(&agent).await, expected);
    task_of(&agent, json!("writer")).await;
    assert_eq!(told(&agent).await.len(), 3);
}

#[tokio::test]
async fn a_notification_shows_whom_it_wakes_where_and_why() {
    let api = Api::start();
    let agent = api.agent("acme", "writer");
    let task = agent.task("T").await;
    let body = json!({"content": "Go", "agent_role": "editor", "task_id": task,
        "type": "poke", "metadata": {"a": 1}});
    let made = agent.post("notifications", body).await.ok();
    let expected = json!({
        "id": made["id"],
        "user_id": "acme",
        "type": "poke",
        "content": "Go",
        "session_key": "user:acme:editor",
        "agent_role": "editor",
        "task_id": task,
        "metadata": {"a": 1},
        "attempts": 0,
        "last_error": null,
        "created_at": made["created_at"],
        "delivered_at": null,
        "read_at": null,
        "dead_at": null,
    });
    assert_eq!(made, expected);
    assert!(super::is_utc_time(&made.text("created_at")));
    assert_eq!(
        api.agent("acme", "editor").items("notifications").await,
        [made]
    );
}

#[tokio::test]
async fn a_notification_is_addressed_by_role_or_session() {
    let api = Api::start();
    let (agent, internal) = (api.agent("acme", "writer"), api.internal());
    let session = json!({"content": "C", "session_key": "user:acme:editor"});
    for (who, body) in [
        (&agent, json!({"content": "C", "agent_role": "editor"})),
        (&agent, session.clone()),
        (
            &agent,
            json!({"content": "C", "session_key": "user:acme:editor", "agent_role": "editor"}),
        ),
        (
            &internal,
            json!({"content": "C", "agent_role": "editor", "user_id": "acme"}),
        ),
        (
            &internal,
            json!({"content": "C", "session_key": "user:acme:editor", "user_id": "acme"}),
        ),
    ] {
        let made = who.post("notifications", body.clone()).await.ok();
        assert_eq!(made["session_key"], "user:acme:editor", "{body}");
        assert_eq!(made["type"], "system", "{body}");
    }
    for (who, body, field) in [
        (&agent, json!({"content": "C"}), "agent_role"),
        (
            &agent,
            json!({"content": "C", "session_key": "user:acme:editor", "agent_role": "lead"}),
            "session_key",
        ),
        (
            &internal,
            json!({"content": "C", "agent_role": "editor"}),
            "user_id",
        ),
        (
            &internal,
            json!({"content": "C", "agent_role": "editor", "user_id": ""}),
            "user_id",
        ),
        (
            &internal,
            json!({"content": "C", "user_id": "acme", "session_key": "user:globex:editor"}),
            "session_key",
        ),
    ] {
        let answer = who.post("notifications", body.clone()).await;
        assert!(
            answer.faults().contains(&field.to_owned()),
            "{body}: {answer:?}"
        );
    }
    assert_eq!(told(&agent).await.len(), 5);
    api.operator()
        .post("notifications", session)
        .await
        .refused(401, "unauthorized");
}

#[tokio::test]
async fn an_agent_sees_its_roles_unless_it_asks_for_all_and_unread_ones_alone() {
    let api = Api::start();
    let (writer, editor) = (api.agent("acme", "writer"), api.agent("acme", "editor"));
    for (role, content) in [("editor", "1"), ("lead", "2"), ("editor", "3")] {
        let body = json!({"content": content, "agent_role": role});
        writer.post("notifications", body).await.ok();
    }
    let contents = async |agent: &Caller, query: &str| -> Vec<String> {
        let items = agent.items(&format!("notifications?{query}")).await;
        items.iter().map(|it| it.text("content")).collect()
    };
    assert_eq!(contents(&editor, "").await, ["3", "1"]);
    assert_eq!(contents(&writer, "").await, Vec::<String>::new());
    assert_eq!(contents(&writer, "all=true").await, ["3", "2", "1"]);
    assert_eq!(
        contents(&editor, "all=false&unread=false").await,
        ["3", "1"]
    );

    let first = editor.items("notifications").await[1].clone();
    let path = format!("notifications/{}/read", first.id());
    let read = editor.post_nothing(&path).await.ok();
    assert!(super::is_utc_time(&read.text("read_at")));
    assert_eq!(
        editor.post_nothing(&path).await.ok(),
        read,
        "the first time stays"
    );
    assert_eq!(editor.post(&path, json!({})).await.ok(), read);
    assert_eq!(contents(&editor, "unread=true").await, ["3"]);
    assert_eq!(contents(&editor, "unread=1").await, ["3"]);
    assert_eq!(contents(&writer, "all=true&unread=true").await, ["3", "2"]);
    assert_eq!(
        contents(&editor, "").await,
        ["3", "1"],
        "a read one is still there"
    );
    let missing = editor.post_nothing("notifications/none/read").await;
    missing.refused(404, "notification_not_found");
}

/// Answers whatever woke the agent with a mention of `other`; whether anything had.
async fn answer_all(agent: &Caller, task: &str, other: &str) -> bool {
    let mut woken = agent.items("notifications?unread=true").await;
    woken.retain(|it| it["dead_at"].is_null());
    for it in &woken {
        let read = format!("notifications/{}/read", it.id());
        agent.post_nothing(&read).await.ok();
        say(agent, task, "agent", &format!("@{other} and you?")).await;
    }
    !woken.is_empty()
}

#[tokio::test]
async fn a_chain_of_agents_that_wake_each_other_ends_and_a_person_starts_a_new_one() {
    let api = Api::start();
    let (ping, pong) = (api.agent("acme", "ping"), api.agent("acme", "pong"));
    let task = ping.task("T").await;
    let mut lengths = Vec::new();
    for question in ["@ping how is it going?", "@ping what was that about?"] {
        let before = told(&ping).await.len();
        say(&ping, &task, "user", question).await;
        let mut rounds = 0;
        while answer_all(&ping, &task, "pong").await || answer_all(&pong, &task, "ping").await {
            rounds += 1;
            assert!(rounds < 50, "it goes on for ever");
        }
        lengths.push(told(&ping).await.len() - before);
    }
    assert!(lengths[0] > 2, "they may talk: {lengths:?}");
    assert_eq!(lengths[0], lengths[1]);
    // What the cap cuts is kept, dead and with its reason; so is what is asked for outright.
    let last = ping.items("notifications?all=true&limit=1").await[0].clone();
    let woken = if last["agent_role"] == "ping" {
        &ping
    } else {
        &pong
    };
    let body = json!({"content": "C", "agent_role": "lead", "task_id": task});
    let cut = woken.post("notifications", body).await.ok();
    for it in [last, cut] {
        assert!(it["dead_at"].is_string(), "{it}");
        assert!(it.text("last_error").contains("woke each other"), "{it}");
    }
    let waiting = api
        .internal()
        .get("dispatch/undelivered?limit_notifications=200")
        .await
        .ok();
    for it in waiting["deliveries"].as_array().unwrap() {
        assert_ne!(it["agent_role"], "lead", "nothing dead is given out");
    }
}
