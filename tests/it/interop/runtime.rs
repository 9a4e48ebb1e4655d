//! Our runtime with a backend that is not ours.

use serde_json::{Value, json};
use stationmaster_testkit::model::{Step, StubModel};
use stationmaster_testkit::server::ServerBuilder;

use super::backend::SmallBackend;
use crate::agent_runtime::crew::{SEND, thinking, turn};
use crate::support::Api;
use crate::support::api::{INTERNAL_TOKEN, JWT_SECRET, bare_builder};
use crate::support::wait::until;

fn runtime(model: &StubModel, backend: &SmallBackend) -> Api {
    Api::of(
        thinking(model)
            .environment("BACKEND_URL", backend.url())
            .start(),
    )
}

#[tokio::test]
async fn a_turn_leaves_its_reply_and_its_plan_there() {
    let (backend, model) = (SmallBackend::start(), StubModel::start());
    let runtime = runtime(&model, &backend);
    model.push(Step::text("Here is the plan."));
    let plan = json!({"metadata": {"kickoff_plan": true}});
    let answer = runtime.stranger().post(SEND, turn(plan)).await.ok();
    assert_eq!(answer["task_id"], "tasks-1");
    let rows = |kind| -> Vec<Value> { backend.rows(kind) };
    assert_eq!(rows("tasks")[0]["title"], "Launch");
    assert_eq!(rows("messages").len(), 1);
    assert_eq!(rows("messages")[0]["content"], "Here is the plan.");
    assert_eq!(rows("messages")[0]["agent_role"], "writer");
    assert_eq!(rows("messages")[0]["user_id"], "acme");
    assert_eq!(rows("documents").len(), 1);
    assert_eq!(rows("documents")[0]["doc_type"], "plan");
}

#[tokio::test]
async fn a_thread_has_one_task_however_many_others_its_list_begins_with() {
    let (backend, model) = (SmallBackend::start(), StubModel::start());
    for number in 0..60 {
        backend.add_task(&format!("Other {number}"));
    }
    let runtime = runtime(&model, &backend);
    let send = async |changes: Value| {
        let answer = runtime.stranger().post(SEND, turn(changes)).await.ok();
        answer["task_id"].clone()
    };
    let together = (0..4).map(|number| send(json!({"message": format!("{number}")})));
    let ids = futures::future::join_all(together).await;
    assert!(ids.iter().all(|id| *id == ids[0]), "{ids:?}");
    assert_eq!(send(json!({})).await, ids[0]);
    let launches = || {
        let tasks = backend.rows("tasks");
        tasks.iter().filter(|it| it["title"] == "Launch").count()
    };
    assert_eq!(launches(), 1);
    // Told otherwise, it still goes on, and always in the same place.
    let other = json!({"task_description": "Another one"});
    let first = send(other.clone()).await;
    assert_eq!(send(other).await, first);
    assert_eq!(send(json!({"task_description": "A third"})).await, first);
    assert!(launches() <= 2, "{}", launches());
    assert_eq!(backend.rows("messages").len(), 8);
}

/// A runtime that thinks with `model`, with what it needs to know of the backend.
fn server(model: &StubModel, backend: &SmallBackend) -> ServerBuilder {
    bare_builder()
        .environment("OPENAI_BASE_URL", model.base_url())
        .environment("AGENT_JWT_SECRET", JWT_SECRET)
        .environment("BACKEND_URL", backend.url())
        .environment("DISPATCH_MIN_INTERVAL_SEC", "0.05")
        .environment("DISPATCH_MAX_INTERVAL_SEC", "0.1")
}

#[tokio::test]
async fn its_own_dispatcher_serves_that_backend_when_it_was_given_the_token() {
    let (backend, model) = (SmallBackend::start(), StubModel::start());
    backend.add_task("Launch");
    backend.notify("n1", "writer", Some("tasks-1"));
    model.push(Step::text("On my way."));
    let builder = server(&model, &backend).environment("INTERNAL_API_TOKEN", INTERNAL_TOKEN);
    let _runtime = builder.start();
    until("it is delivered", async || backend.delivered() == ["n1"]).await;
    let messages = backend.rows("messages");
    assert_eq!(messages.len(), 1);
    assert_eq!(messages[0]["content"], "On my way.");
    assert_eq!(messages[0]["task_id"], "tasks-1");
    assert_eq!(model.request_count(), 1);
}

#[tokio::test]
async fn a_token_that_it_made_up_is_never_shown_to_that_backend() {
    let (backend, model) = (SmallBackend::start(), StubModel::start());
    backend.notify("n1", "writer", None);
    let runtime = Api::of(server(&model, &backend).start());
    runtime.stranger().post(SEND, turn(json!({}))).await.ok();
    let health = runtime.stranger().get("/health").await.ok();
    assert!(backend.looks().is_empty());
    assert_eq!(backend.count("dispatch"), 0, "{health}");
}
