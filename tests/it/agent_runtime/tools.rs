//! §9: agents that call the backend.

use serde_json::{Value, json};
use stationmaster_testkit::model::Step;

use super::crew::{Crew, thread, turn};
use crate::support::Json as _;

/// What the model was told about its calls in the last request, in their order.
fn results(crew: &Crew) -> Vec<Value> {
    let asked = crew.asked().pop().unwrap();
    let messages = asked["messages"].as_array().unwrap();
    let of_tools = messages.iter().filter(|it| it["role"] == "tool");
    of_tools
        .map(|it| serde_json::from_str(&it.text("content")).expect("a result is JSON"))
        .collect()
}

#[tokio::test]
async fn the_model_is_offered_the_tools_of_the_contract() {
    let crew = Crew::start();
    crew.send(turn(json!({}))).await.ok();
    let asked = &crew.asked()[0];
    let names: Vec<String> = asked["tools"]
        .as_array()
        .unwrap()
        .iter()
        .map(|tool| {
            assert_eq!(tool["type"], "function");
            assert_eq!(tool["function"]["parameters"]["type"], "object");
            tool["function"].text("name")
        })
        .collect();
    let contract = [
        "list_tasks",
        "create_task",
        "update_task",
        "post_message",
        "create_document",
        "list_notifications",
        "request_tool",
    ];
    assert_eq!(names, contract);
}

#[tokio::test]
async fn what_tools_are_asked_for_is_really_done() {
    let crew = Crew::start();
    let owner = crew.owner();
    let note = json!({"agent_role": "writer", "content": "Wake up"});
    owner.post("notifications", note).await.ok();
    let calls = [
        (
            "create_task",
            json!({"title": "Sub", "description": "All of it", "status": "pending", "metadata": {"n": 1}}),
        ),
        (
            "update_task",
            json!({"status": "blocked", "metadata": {"why": "rain"}}),
        ),
        ("post_message", json!({"content": "Half way"})),
        (
            "create_document",
            json!({"title": "Draft", "content": "# Hi", "doc_type": "research"}),
        ),
        (
            "request_tool",
            json!({"title": "Deploy", "justification": "It is ready", "risk_level": "high"}),
        ),
        ("list_tasks", json!({"status": "pending"})),
        ("list_notifications", json!({"unread": true})),
    ];
    let asked = calls
        .iter()
        .map(|(name, with)| ((*name).to_owned(), with.clone()));
    crew.model.push(Step::Tools(asked.collect()));
    crew.model.push(Step::text("Done."));
    let answer = crew.send(turn(json!({}))).await.ok();
    let task = answer.text("task_id");

    let sub = &owner.items("tasks?title=Sub").await[0];
    for (name, value) in [
        ("description", json!("All of it")),
        ("status", json!("pending")),
        ("metadata", json!({"n": 1})),
        ("created_by_role", json!("writer")),
    ] {
        assert_eq!(sub[name], value, "{name}");
    }
    let own = owner.get(&format!("tasks/{task}")).await.ok();
    assert_eq!(own["status"], "blocked");
    assert_eq!(
        own["metadata"],
        json!({"type": "agent_thread", "why": "rain"})
    );
    let posted = thread(&owner, &task).await;
    let said: Vec<_> = posted
        .iter()
        .map(|it| (it.text("content"), it.text("agent_role")))
        .collect();
    let by_writer = |text: &str| (text.to_owned(), "writer".to_owned());
    assert_eq!(said, [by_writer("Half way"), by_writer("Done.")]);
    let document = &owner.items(&format!("documents?task_id={task}")).await[0];
    assert_eq!(
        (
            document.text("title"),
            document.text("content"),
            document.text("doc_type")
        ),
        ("Draft".into(), "# Hi".into(), "research".into())
    );
    let request = &owner.items(&format!("tool-requests?task_id={task}")).await[0];
    assert_eq!(
        (
            request.text("title"),
            request.text("risk_level"),
            request.text("status")
        ),
        ("Deploy".into(), "high".into(), "pending".into())
    );

    // The model was told, call by call.
    let told = results(&crew);
    assert_eq!(told[0]["task"]["id"], sub["id"]);
    assert_eq!(told[1]["task"]["status"], "blocked");
    assert_eq!(told[2]["message"]["id"], posted[0]["id"]);
    assert_eq!(told[3]["document"]["id"], document["id"]);
    assert_eq!(told[4]["tool_request"]["id"], request["id"]);
    assert_eq!(told[5]["tasks"].as_array().unwrap().len(), 1);
    assert_eq!(told[5]["tasks"][0]["id"], sub["id"]);
    assert_eq!(told[6]["notifications"][0]["content"], "Wake up");

    // And so was the caller.
    let reported = answer["tool_calls"].as_array().unwrap();
    for (call, (name, arguments)) in reported.iter().zip(&calls) {
        assert_eq!(call["name"], *name);
        assert_eq!(call["arguments"], *arguments);
        assert_eq!(call["ok"], true, "{call}");
        assert!(
            call["summary"].is_string() && call["duration_ms"].is_u64(),
            "{call}"
        );
    }
    assert_eq!(reported.len(), calls.len());
    assert_eq!(
        answer["usage"],
        json!({"prompt_tokens": 400, "completion_tokens": 100, "total_tokens": 500})
    );
    assert_eq!(answer["cost"]["totalCost"], 0.000_12);
}

#[tokio::test]
async fn results_answer_the_calls_that_the_model_made() {
    let crew = Crew::start();
    let list = || ("list_tasks".to_owned(), json!({}));
    let calls = vec![list(), list()];
    crew.model
        .push(Step::TextAndTools("Let me see".into(), calls));
    crew.model.push(Step::text("Done."));
    let answer = crew.send(turn(json!({}))).await.ok();
    assert_eq!(answer["response"], "Done.");
    let asked = &crew.asked()[1]["messages"];
    assert_eq!(asked[2]["role"], "assistant");
    assert_eq!(asked[2]["content"], "Let me see");
    let made = asked[2]["tool_calls"].as_array().unwrap();
    assert_eq!(made.len(), 2);
    for (index, call) in made.iter().enumerate() {
        assert_eq!(asked[3 + index]["role"], "tool");
        assert_eq!(asked[3 + index]["tool_call_id"], call["id"]);
    }
    // What was said beside the calls is no answer, so it is not posted.
    let posted = thread(&crew.owner(), &answer.text("task_id")).await;
    assert_eq!(posted.len(), 1);
}

#[tokio::test]
async fn a_call_that_cannot_be_made_is_told_to_the_model_and_ends_nothing() {
    let crew = Crew::start();
    let foreign = crew.api.agent("globex", "owner").task("Theirs").await;
    let calls = [
        ("create_task", json!({"title": 7})),
        ("create_task", json!({})),
        ("create_task", json!("{\"title\": \"cut off")),
        ("create_task", json!([1, 2])),
        ("create_task", json!({"title": "Sub", "user_id": "globex"})),
        ("launch_rocket", json!({})),
        ("", json!({})),
        ("update_task", json!({"task_id": "nope", "status": "done"})),
        ("post_message", json!({"task_id": foreign, "content": "Hi"})),
        (
            "create_document",
            json!({"task_id": foreign, "title": "T", "content": "C"}),
        ),
        (
            "request_tool",
            json!({"title": "T", "justification": "J", "risk_level": "none"}),
        ),
    ];
    let asked = calls
        .iter()
        .map(|(name, with)| ((*name).to_owned(), with.clone()));
    crew.model.push(Step::Tools(asked.collect()));
    crew.model.push(Step::text("I gave up."));
    let answer = crew.send(turn(json!({}))).await.ok();
    assert_eq!(answer["response"], "I gave up.");
    let told = results(&crew);
    let reported = answer["tool_calls"].as_array().unwrap();
    assert_eq!((told.len(), reported.len()), (calls.len(), calls.len()));
    for ((name, arguments), (told, reported)) in calls.iter().zip(told.iter().zip(reported)) {
        assert!(told["error"].is_string(), "{name} {arguments}: {told}");
        assert_eq!(reported["ok"], false, "{name} {arguments}: {reported}");
    }
    // Nothing was made, here or there.
    let owner = crew.owner();
    assert_eq!(owner.items("tasks").await.len(), 1);
    assert_eq!(owner.items("documents").await.len(), 0);
    assert_eq!(owner.items("tool-requests").await.len(), 0);
    let theirs = crew.api.agent("globex", "owner");
    assert_eq!(theirs.items("messages").await.len(), 0);
    assert_eq!(theirs.items("documents").await.len(), 0);
}

#[tokio::test]
async fn after_eight_rounds_of_tools_the_model_must_answer() {
    for (environment, rounds) in [(None, 8), (Some("2"), 2)] {
        let crew = Crew::with(|it| match environment {
            Some(rounds) => it.environment("CLASPER_MAX_TOOL_ROUNDS", rounds),
            None => it,
        });
        crew.model.answer_with(|request| {
            if request["tools"].is_array() {
                Step::tool("create_task", json!({"title": "More"}))
            } else {
                Step::text("Enough.")
            }
        });
        let answer = crew.send(turn(json!({}))).await.ok();
        assert_eq!(answer["response"], "Enough.");
        assert_eq!(answer["tool_calls"].as_array().unwrap().len(), rounds);
        assert_eq!(crew.model.request_count(), rounds + 1);
        let made = crew.owner().items("tasks?title=More").await;
        assert_eq!(made.len(), rounds, "each call counts once");
    }
}

#[tokio::test]
async fn a_model_that_never_stops_calling_tools_has_no_answer() {
    let crew = Crew::start();
    crew.model.always(Step::tool("list_tasks", json!({})));
    let answer = crew.send(turn(json!({}))).await;
    super::crew::refused(&answer, 502, "model_empty");
    assert_eq!(crew.owner().items("messages").await.len(), 0);
}

#[tokio::test]
async fn a_model_without_tools_is_asked_without_them() {
    let crew = Crew::start();
    crew.model.answer_with(|request| {
        if request["tools"].is_array() {
            let words = "this model does not support tools";
            Step::Status {
                code: 400,
                retry_after: None,
                body: json!({"error": {"message": words}}),
            }
        } else {
            Step::text("Plain words.")
        }
    });
    let answer = crew.send(turn(json!({}))).await.ok();
    assert_eq!(answer["response"], "Plain words.");
}

#[tokio::test]
async fn a_mention_by_an_agent_wakes_the_one_it_names() {
    let crew = Crew::start();
    crew.model
        .push(Step::text("@editor please read, says @writer"));
    crew.send(turn(json!({}))).await.ok();
    let woken = crew.owner().items("notifications?all=true").await;
    assert_eq!(woken.len(), 1, "nobody wakes itself: {woken:#?}");
    assert_eq!(woken[0]["agent_role"], "editor");
    assert_eq!(woken[0]["type"], "mention");
}
