//! §8.2 and §8.3: messages and documents.

use serde_json::{Value, json};

use crate::support::{Api, Json as _};

#[tokio::test]
async fn a_message_of_a_content_alone_is_the_tokens_agents() {
    let api = Api::start();
    let agent = api.agent("acme", "writer");
    let task = agent.task("T").await;
    let body = json!({"task_id": task, "content": "Hello"});
    let message = agent.post("messages", body).await.ok();
    let expected = json!({
        "id": message["id"],
        "user_id": "acme",
        "task_id": task,
        "content": "Hello",
        "actor_type": "agent",
        "actor_id": null,
        "agent_role": "writer",
        "author_role": "writer",
        "attachments": null,
        "created_at": message["created_at"],
    });
    assert_eq!(message, expected);
    assert!(super::is_utc_time(&message.text("created_at")), "{message}");
    assert_eq!(agent.items("messages").await, [message]);
}

#[tokio::test]
async fn what_a_message_is_given_comes_back_and_its_author_is_the_tokens() {
    let api = Api::start();
    let agent = api.agent("acme", "writer");
    let task = agent.task("T").await;
    for (given, role) in [
        (json!({"agent_role": "jarvis"}), "jarvis"),
        (
            json!({"agent_role": "jarvis", "actor_type": "agent"}),
            "jarvis",
        ),
        (json!({"agent_role": null, "actor_type": null}), "writer"),
        (json!({"agent_role": "not a handle!"}), "not a handle!"),
        (json!({"actor_type": "user", "actor_id": "ann"}), "writer"),
        (
            json!({"attachments": {"files": [{"name": "a"}], "n": 1}}),
            "writer",
        ),
        (json!({"attachments": null, "actor_id": ""}), "writer"),
    ] {
        let mut body = json!({"task_id": task, "content": " two\nlines "});
        body.as_object_mut()
            .unwrap()
            .extend(given.as_object().unwrap().clone());
        let message = agent.post("messages", body).await.ok();
        assert_eq!(message["agent_role"], role);
        assert_eq!(message["author_role"], "writer", "{given}");
        assert_eq!(message["content"], " two\nlines ");
        for name in ["actor_id", "attachments"] {
            assert_eq!(
                &message[name],
                given.get(name).unwrap_or(&Value::Null),
                "{given}"
            );
        }
        let actor = given["actor_type"].as_str().unwrap_or("agent");
        assert_eq!(message["actor_type"], actor, "{given}");
        assert_eq!(agent.items("messages?limit=1").await, [message]);
    }
}

#[tokio::test]
async fn messages_are_listed_by_task_or_all_together() {
    let api = Api::start();
    let agent = api.agent("acme", "writer");
    let (one, two) = (agent.task("One").await, agent.task("Two").await);
    for (task, content) in [(&one, "a"), (&two, "b"), (&one, "c")] {
        let body = json!({"task_id": task, "content": content});
        agent.post("messages", body).await.ok();
    }
    for (query, expected) in [
        (String::new(), vec!["c", "b", "a"]),
        (format!("?task_id={one}"), vec!["c", "a"]),
        (format!("?task_id={two}"), vec!["b"]),
        ("?task_id=".to_owned(), vec!["c", "b", "a"]),
    ] {
        let found = agent.items(&format!("messages{query}")).await;
        let found: Vec<String> = found.iter().map(|it| it.text("content")).collect();
        assert_eq!(found, expected, "{query}");
    }
}

#[tokio::test]
async fn a_document_keeps_its_type_and_is_a_note_without_one() {
    let api = Api::start();
    let agent = api.agent("acme", "writer");
    let task = agent.task("T").await;
    for (given, expected) in [
        (Value::Null, "note"),
        (json!("note"), "note"),
        (json!("plan"), "plan"),
        (json!("deliverable"), "deliverable"),
        (json!("research"), "research"),
        (json!("standup"), "standup"),
        (json!("anything else"), "anything else"),
    ] {
        let body = json!({"task_id": task, "title": "T", "content": "C", "doc_type": given});
        let document = agent.post("documents", body).await.ok();
        assert_eq!(document["doc_type"], expected);
        let kept = agent
            .get(&format!("documents/{}", document.id()))
            .await
            .ok();
        assert_eq!(kept, document);
    }
    let body = json!({"task_id": task, "title": "T", "content": ""});
    let document = agent.post("documents", body).await.ok();
    let expected = json!({
        "id": document["id"],
        "user_id": "acme",
        "task_id": task,
        "title": "T",
        "content": "",
        "doc_type": "note",
        "agent_role": "writer",
        "created_at": document["created_at"],
        "updated_at": document["created_at"],
    });
    assert_eq!(document, expected);
    agent
        .get("documents/none")
        .await
        .refused(404, "document_not_found");
}

#[tokio::test]
async fn documents_are_listed_by_task_and_type() {
    let api = Api::start();
    let agent = api.agent("acme", "writer");
    let (one, two) = (agent.task("One").await, agent.task("Two").await);
    for (task, title, doc_type) in [
        (&one, "a", "plan"),
        (&two, "b", "plan"),
        (&one, "c", "note"),
    ] {
        let body = json!({"task_id": task, "title": title, "content": "", "doc_type": doc_type});
        agent.post("documents", body).await.ok();
    }
    for (query, expected) in [
        (String::new(), vec!["c", "b", "a"]),
        (format!("?task_id={one}"), vec!["c", "a"]),
        ("?doc_type=plan".to_owned(), vec!["b", "a"]),
        (format!("?doc_type=plan&task_id={two}"), vec!["b"]),
        ("?doc_type=research".to_owned(), vec![]),
    ] {
        let found = agent.items(&format!("documents{query}")).await;
        let found: Vec<String> = found.iter().map(|it| it.text("title")).collect();
        assert_eq!(found, expected, "{query}");
    }
}

#[tokio::test]
async fn a_message_or_document_for_no_task_is_task_not_found() {
    let api = Api::start();
    let agent = api.agent("acme", "writer");
    agent.task("T").await;
    let body = json!({"task_id": "none", "title": "T", "content": "C"});
    for path in ["messages", "documents"] {
        agent
            .post(path, body.clone())
            .await
            .refused(404, "task_not_found");
        assert!(agent.items(path).await.is_empty());
    }
}
