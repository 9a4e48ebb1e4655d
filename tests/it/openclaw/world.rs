//! A crew on a board: the setting of most tests.

use serde_json::{Value, json};

use crate::support::Api;
use crate::support::api::{Answer, Caller, Json as _};

/// An agent that was registered, and what speaks for it.
pub(super) struct Member {
    pub id: String,
    pub caller: Caller,
}

/// Registers an agent of this role that may do these types of tasks.
pub(super) async fn member(api: &Api, id: &str, role: &str, types: &[&str]) -> Member {
    member_with(api, id, json!({"role": role, "allowedTaskTypes": types})).await
}

/// Registers an agent with these members beside the required ones.
pub(super) async fn member_with(api: &Api, id: &str, more: Value) -> Member {
    let mut body = json!({"id": id, "name": id, "role": "SPECIALIST", "workspacePath": format!("/tmp/ws/{id}")});
    let members = body.as_object_mut().expect("an object");
    members.extend(more.as_object().cloned().unwrap_or_default());
    let made = api.operator().post("/api/v1/agents", body).await;
    assert_eq!(made.status, 201, "{made:?}");
    Member {
        id: id.to_owned(),
        caller: api.stranger().bearer(&made.json().text("token")),
    }
}

impl Member {
    pub(super) async fn post(&self, path: &str, body: Value) -> Answer {
        self.caller.post(&full(path), body).await
    }

    pub(super) async fn get(&self, path: &str) -> Answer {
        self.caller.get(&full(path)).await
    }

    /// Asks to be the one who works on it.
    pub(super) async fn claim(&self, task: &str) -> Answer {
        let body = json!({"assigneeIds": [self.id]});
        self.caller
            .patch(&format!("/api/v1/tasks/{task}"), body)
            .await
    }

    /// Begins, with a plan of three steps.
    pub(super) async fn start(&self, task: &str) -> Answer {
        let plan = json!({"bullets": ["Look around", "Do it", "Check it"]});
        let body = json!({"toStatus": "IN_PROGRESS", "workPlan": plan});
        self.post(&format!("/tasks/{task}/transition"), body).await
    }

    /// Hands in, with a checklist of this type.
    pub(super) async fn submit(&self, task: &str, kind: &str) -> Answer {
        let items = json!([{"label": "It works", "checked": true}]);
        let body = json!({"toStatus": "REVIEW", "deliverable": {"content": "Here it is."},
            "reviewChecklist": {"type": kind, "items": items}});
        self.post(&format!("/tasks/{task}/transition"), body).await
    }

    /// Says something on a task.
    pub(super) async fn say(&self, task: &str, content: &str) -> Answer {
        let body = json!({"type": "COMMENT", "content": content});
        self.post(&format!("/tasks/{task}/messages"), body).await
    }

    pub(super) async fn beat(&self) -> Value {
        let path = format!("/agents/{}/heartbeat", self.id);
        ok(self.post(&path, json!({"status": "HEALTHY"})).await)
    }
}

/// A task of this type that nobody has; its id.
pub(super) async fn task(api: &Api, kind: &str) -> String {
    let body = json!({"title": format!("Some {kind} work"), "type": kind});
    let made = api.operator().post("/api/v1/tasks", body).await;
    assert_eq!(made.status, 201, "{made:?}");
    made.json().id()
}

/// A task that this agent has begun; its id.
pub(super) async fn begun(api: &Api, member: &Member, kind: &str) -> String {
    let id = task(api, kind).await;
    ok(member.claim(&id).await);
    ok(member.start(&id).await);
    id
}

/// What the operator sees of it.
pub(super) async fn shown(api: &Api, path: &str) -> Value {
    ok(api.operator().get(&full(path)).await)
}

/// What the operator asks for.
pub(super) async fn ask(api: &Api, path: &str, body: Value) -> Answer {
    api.operator().post(&full(path), body).await
}

fn full(path: &str) -> String {
    format!("/api/v1{path}")
}

/// The body of a 2xx.
#[track_caller]
#[expect(clippy::needless_pass_by_value, reason = "an answer is looked at once")]
pub(super) fn ok(answer: Answer) -> Value {
    assert!((200..300).contains(&answer.status), "{answer:#?}");
    answer.json()
}
