//! `BACKEND_URL`: the same turns against somebody else's Mission Control backend.

use serde_json::{Value, json};
use stationmaster_testkit::model::{Step, StubModel};

use super::crew::{SEND, bodies, refused, said, thinking, turn};
use crate::support::api::{JWT_SECRET, builder};
use crate::support::{Api, Caller, Json as _};

/// A runtime that keeps nothing, and the backend that it serves.
struct Pair {
    runtime: Api,
    backend: Api,
    model: StubModel,
}

impl Pair {
    fn start() -> Self {
        let backend = Api::of(builder().argument("--without").argument("runtime").start());
        let model = StubModel::start();
        let runtime = Self::runtime(&model, backend.server.url());
        Self {
            runtime,
            backend,
            model,
        }
    }

    fn runtime(model: &StubModel, backend: &str) -> Api {
        Api::of(thinking(model).environment("BACKEND_URL", backend).start())
    }

    fn owner(&self) -> Caller {
        self.backend.agent("acme", "owner")
    }

    async fn send(&self, body: Value) -> crate::support::api::Answer {
        self.runtime.stranger().post(SEND, body).await
    }
}

/// A turn that uses most of what there is.
fn script() -> [Step; 3] {
    let call = |name: &str, arguments: Value| (name.to_owned(), arguments);
    [
        Step::Tools(vec![
            call(
                "create_task",
                json!({"title": "Sub", "description": "All", "status": "pending", "metadata": {"n": 1}}),
            ),
            call(
                "update_task",
                json!({"status": "blocked", "description": "New", "metadata": {"m": 2}}),
            ),
            call("post_message", json!({"content": "Half way, @editor"})),
            call(
                "create_document",
                json!({"title": "Draft", "content": "# Hi", "doc_type": "research"}),
            ),
            call(
                "request_tool",
                json!({"title": "Deploy", "justification": "Ready", "risk_level": "high"}),
            ),
        ]),
        Step::Tools(vec![
            call("list_tasks", json!({})),
            call("list_notifications", json!({})),
            call("create_task", json!({"title": 7})),
            call(
                "update_task",
                json!({"task_id": "nope", "status": "completed"}),
            ),
        ]),
        Step::text("All done."),
    ]
}

/// What the turn answered and left behind, and what its model was told, without ids and times.
async fn run_script(runtime: &Api, model: &StubModel, owner: &Caller) -> Value {
    model.push_all(script());
    let plan = json!({"kickoff_plan": true, "plan_title": "Roadmap"});
    let asked = turn(json!({"metadata": plan, "task_metadata": {"own": true}}));
    let answer = runtime.stranger().post(SEND, asked).await.ok();
    let lists = [
        "tasks",
        "messages",
        "documents",
        "tool-requests",
        "notifications?all=true",
    ];
    let mut left = serde_json::Map::new();
    for list in lists {
        left.insert(list.to_owned(), Value::Array(owner.items(list).await));
    }
    let mut ids = Vec::new();
    for (list, items) in &left {
        for (number, item) in items.as_array().unwrap().iter().enumerate() {
            ids.push((item.id(), format!("<{list} {number}>")));
        }
    }
    ids.push((answer.text("trace_id"), "<trace>".to_owned()));
    let told: Vec<Value> = bodies(&model.requests())
        .iter()
        .map(|body| body["messages"].clone())
        .collect();
    let mut all = json!({"answer": answer, "left": left, "told": told}).to_string();
    for (id, name) in ids {
        all = all.replace(&id, &name);
    }
    // How a tool's refusal got here is no part of it.
    let all = all.replace("the backend answered 404: ", "");
    let mut all = serde_json::from_str(&all).unwrap();
    timeless(&mut all);
    all
}

/// Takes out what no two runs have in common.
fn timeless(value: &mut Value) {
    match value {
        Value::Object(members) => {
            members.retain(|name, _| !name.ends_with("_at") && name != "duration_ms");
            members.values_mut().for_each(timeless);
        }
        Value::Array(items) => items.iter_mut().for_each(timeless),
        // What the model was told is JSON within JSON, and the prompt tells the time.
        Value::String(text) => {
            if let Ok(mut inner @ Value::Object(_)) = serde_json::from_str(text) {
                timeless(&mut inner);
                *text = inner.to_string();
            } else if let Some((before, _)) = text.split_once("## Current Time") {
                *text = before.to_owned();
            }
        }
        _ => {}
    }
}

#[tokio::test]
async fn a_turn_is_the_same_against_the_own_kernel_and_over_http() {
    let model = StubModel::start();
    let own = Api::of(thinking(&model).start());
    let here = run_script(&own, &model, &own.agent("acme", "owner")).await;
    let pair = Pair::start();
    let there = run_script(&pair.runtime, &pair.model, &pair.owner()).await;
    assert_eq!(here["answer"], there["answer"]);
    for (list, items) in here["left"].as_object().unwrap() {
        assert!(!items.as_array().unwrap().is_empty(), "{list}");
        assert_eq!(*items, there["left"][list], "{list}");
    }
    assert_eq!(here["told"], there["told"]);
    // The runtime itself keeps nothing.
    let kept = pair.runtime.agent("acme", "owner").items("tasks").await;
    assert_eq!(kept, [Value::Null; 0]);
}

#[tokio::test]
async fn the_tools_of_the_backend_are_offered_beside_the_own_ones() {
    let pair = Pair::start();
    pair.model
        .push(Step::tool("echo", json!({"message": "Hello"})));
    pair.model.push(Step::text("Done."));
    let answer = pair.send(turn(json!({}))).await.ok();
    assert_eq!(answer["tool_calls"][0]["ok"], true, "{answer}");
    let asked = bodies(&pair.model.requests());
    let told = asked[1]["messages"].as_array().unwrap().last().unwrap();
    assert_eq!(told.text("content"), r#"{"message":"Hello"}"#);
}

#[tokio::test]
async fn an_unknown_task_of_the_backend_is_404() {
    let pair = Pair::start();
    let answer = pair.send(turn(json!({"task_id": "nope"}))).await;
    refused(&answer, 404, "task_not_found");
    assert_eq!(said(&pair.owner()).await, [""; 0]);
}

#[tokio::test]
async fn a_backend_that_is_down_is_502() {
    let mut pair = Pair::start();
    pair.backend.server.kill();
    refused(
        &pair.send(turn(json!({}))).await,
        502,
        "backend_unavailable",
    );
    assert_eq!(pair.model.request_count(), 0);
}

#[tokio::test]
async fn a_backend_with_another_secret_is_502() {
    let other = builder()
        .environment("AGENT_JWT_SECRET", format!("not {JWT_SECRET}"))
        .argument("--without")
        .argument("runtime");
    let other = Api::of(other.start());
    let model = StubModel::start();
    let runtime = Pair::runtime(&model, other.server.url());
    let answer = runtime.stranger().post(SEND, turn(json!({}))).await;
    refused(&answer, 502, "backend_rejected_token");
    let answer = runtime
        .stranger()
        .post(SEND, turn(json!({"task_id": "t"})))
        .await;
    assert_eq!(answer.status, 502, "{answer:?}");
    assert_eq!(said(&runtime.agent("acme", "owner")).await, [""; 0]);
}

#[tokio::test]
async fn what_is_no_backend_is_unavailable() {
    let model = StubModel::start();
    // The model's own server knows none of the routes.
    let runtime = Pair::runtime(&model, &model.anthropic_url());
    let answer = runtime.stranger().post(SEND, turn(json!({}))).await;
    refused(&answer, 502, "backend_unavailable");
}

#[tokio::test]
async fn keys_work_over_http_too_and_a_restart_repeats_no_reply() {
    let mut pair = Pair::start();
    let asked = || turn(json!({"idempotency_key": "k", "metadata": {"kickoff_plan": true}}));
    pair.model.push(Step::status(401));
    refused(&pair.send(asked()).await, 502, "model_rejected");
    pair.model.push(Step::text("First."));
    let first = pair.send(asked()).await;
    first.ok();
    assert_eq!(pair.send(asked()).await.text, first.text);
    assert_eq!(pair.model.request_count(), 2);

    // A stateless runtime forgets its answers, and its backend does not forget the posts.
    pair.runtime.server.kill();
    pair.runtime = Pair::runtime(&pair.model, pair.backend.server.url());
    for words in ["First.", "Second thoughts."] {
        pair.runtime = Pair::runtime(&pair.model, pair.backend.server.url());
        pair.model.push(Step::text(words));
        assert_eq!(pair.send(asked()).await.ok()["response"], words);
        assert_eq!(said(&pair.owner()).await, ["First."]);
        assert_eq!(pair.owner().items("documents").await.len(), 1);
    }
}

#[tokio::test]
async fn eight_turns_at_once_with_one_new_title_share_one_task_of_the_backend() {
    let pair = Pair::start();
    for number in 0..60 {
        pair.owner().task(&format!("Other {number}")).await;
    }
    let sends = (0..8).map(|number| pair.send(turn(json!({"message": format!("{number}")}))));
    let answers = futures::future::join_all(sends).await;
    let ids: Vec<Value> = answers
        .iter()
        .map(|it| it.ok()["task_id"].clone())
        .collect();
    assert!(ids.iter().all(|id| *id == ids[0]), "{ids:?}");
    assert_eq!(pair.owner().items("tasks?title=Launch").await.len(), 1);
    assert_eq!(said(&pair.owner()).await.len(), 8);
    // Found again, however many tasks came later.
    for number in 0..110 {
        pair.owner().task(&format!("Later {number}")).await;
    }
    assert_eq!(pair.send(turn(json!({}))).await.ok()["task_id"], ids[0]);
}

#[tokio::test]
async fn a_runtime_that_keeps_nothing_has_no_traces_to_show() {
    let pair = Pair::start();
    pair.send(turn(json!({}))).await.ok();
    let caller = pair.runtime.stranger();
    for path in ["/traces?tenant_id=acme", "/traces/x?tenant_id=acme"] {
        refused(&caller.get(path).await, 404, "trace_not_found");
    }
}
