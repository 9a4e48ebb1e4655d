//! §16: upstream's acceptance script, check by check, and on both databases.

use futures::future::join_all;
use serde_json::json;
use stationmaster_testkit::postgres;

use crate::support::api::{JWT_SECRET, builder};
use crate::support::jwt::hs256;
use crate::support::{Api, Caller, Json as _};

/// The six checks; `run` makes the titles and keys those of one run.
async fn conforms(agent: &Caller, run: &str) {
    // 1. capabilities
    let told = agent.get("capabilities").await.ok();
    assert_eq!(told["contract_version"], "v1");
    for feature in ["tasks", "messages", "documents"] {
        assert_eq!(told["features"][feature], true, "{feature}");
    }
    // 2. an idempotent create and its repeat
    let title = format!("Conformance {run}");
    let body = json!({
        "title": title,
        "description": "Contract validation task",
        "status": "in_progress",
        "metadata": {"source": "conformance"},
        "idempotency_key": format!("conformance-{run}"),
    });
    let first = agent.post("tasks", body.clone()).await;
    let task = first.ok();
    let second = agent.post("tasks", body).await;
    assert_eq!(second.ok()["id"], task["id"]);
    assert_eq!(second.text, first.text);
    // 3. the list shows it
    let listed = agent.get("tasks?limit=50").await.ok();
    let items = listed["items"].as_array().unwrap();
    assert!(
        items.iter().any(|item| item["id"] == task["id"]),
        "run {run}"
    );
    assert!(listed.get("next_cursor").is_some());
    // 4. a message, by a role that need not be the token's
    let message = json!({
        "task_id": task["id"],
        "content": "Contract validation message",
        "actor_type": "agent",
        "agent_role": "jarvis",
        "idempotency_key": format!("message-{run}"),
    });
    let message = agent.post("messages", message).await.ok();
    assert_eq!(message["task_id"], task["id"]);
    assert!(!message.id().is_empty());
    // 5. a document
    let document = json!({
        "task_id": task["id"],
        "title": "Plan",
        "content": "# Plan",
        "doc_type": "plan",
        "idempotency_key": format!("document-{run}"),
    });
    let document = agent.post("documents", document).await.ok();
    assert_eq!(document["task_id"], task["id"]);
    assert_eq!(document["doc_type"], "plan");
    // 6. that every create answers exactly 200 is what `ok` has checked
}

/// Somebody whose token says no more than it must.
fn without_expiry(api: &Api) -> Caller {
    let claims = json!({"type": "agent", "user_id": "user-123", "agent_role": "writer"});
    api.stranger()
        .header("X-Agent-Token", &hs256(&claims, JWT_SECRET))
}

async fn conforms_sixty_times(api: &Api) {
    let agent = without_expiry(api);
    for run in 0..60 {
        conforms(&agent, &format!("{run}")).await;
    }
    // Once more with the keys of an earlier run.
    let before = agent.items("messages?limit=100").await.len();
    let body = json!({"title": "Conformance 3", "description": "Contract validation task",
        "metadata": {"source": "conformance"}, "status": "in_progress",
        "idempotency_key": "conformance-3"});
    let replayed = agent.post("tasks", body).await.ok();
    assert_eq!(replayed["title"], "Conformance 3");
    assert_eq!(agent.items("messages?limit=100").await.len(), before);
}

#[tokio::test]
async fn upstreams_six_checks_pass_sixty_times_in_a_row() {
    conforms_sixty_times(&Api::start()).await;
}

#[tokio::test]
async fn upstreams_six_checks_pass_sixty_times_in_a_row_on_postgresql() {
    let database = postgres::database();
    let server = builder().environment("DATABASE", database.url()).start();
    let api = Api::of(server);
    let health = api.stranger().get("/health").await.ok();
    assert_eq!(health["store"]["database"], "postgres");
    conforms_sixty_times(&api).await;
}

#[tokio::test]
async fn two_instances_on_postgresql_make_one_row_for_one_key() {
    let database = postgres::database();
    let start = || Api::of(builder().environment("DATABASE", database.url()).start());
    let (one, two) = (start(), start());
    let agents = [without_expiry(&one), without_expiry(&two)];
    let mut events = agents[1].events("?types=task.created").await;
    for round in 0..5 {
        let body = json!({"title": "T", "idempotency_key": format!("k{round}")});
        let posts = (0..20).map(|number| agents[number % 2].post("tasks", body.clone()));
        let answers = join_all(posts).await;
        for answer in &answers {
            answer.ok();
            assert_eq!(answer.text, answers[0].text);
        }
        for agent in &agents {
            assert_eq!(agent.items("tasks").await.len(), round + 1);
        }
        // The other instance's stream tells it once.
        assert_eq!(events.next().await.json()["data"], answers[0].json());
    }
}

#[tokio::test]
async fn postgresql_and_sqlite_answer_alike_to_strange_text() {
    let database = postgres::database();
    let postgres = Api::of(builder().environment("DATABASE", database.url()).start());
    let sqlite = Api::start();
    let mut told = Vec::new();
    for api in [&sqlite, &postgres] {
        told.push(super::strange::answers(api).await);
    }
    for (sqlite, postgres) in told[0].iter().zip(&told[1]) {
        assert_eq!(sqlite, postgres);
    }
}
