//! One thing of every kind, for tests that ask about each.

use serde_json::{Value, json};

use crate::support::{Caller, Json as _};

pub(super) struct World {
    pub task: String,
    pub document: String,
    pub notification: String,
    pub tool_request: String,
}

impl World {
    /// Makes a task, a message, a document, a notification for `writer` and a tool request.
    pub(super) async fn fill(owner: &Caller) -> Self {
        let task = owner.task("Launch").await;
        let made = async |path: &str, body: Value| owner.post(path, body).await.ok().id();
        made("messages", json!({"task_id": task, "content": "hello"})).await;
        let document = json!({"task_id": task, "title": "Plan", "content": "1."});
        let notification = json!({"task_id": task, "agent_role": "writer", "content": "Go"});
        let request = json!({"task_id": task, "title": "Deploy", "justification": "Ready"});
        Self {
            document: made("documents", document).await,
            notification: made("notifications", notification).await,
            tool_request: made("tool-requests", request).await,
            task,
        }
    }

    /// The id of each thing that has one in some path or body.
    pub(super) fn ids(&self) -> [(&'static str, String); 4] {
        [
            ("task", self.task.clone()),
            ("document", self.document.clone()),
            ("notification", self.notification.clone()),
            ("tool_request", self.tool_request.clone()),
        ]
    }

    /// Everything that the owner can see.
    pub(super) async fn state(&self, owner: &Caller) -> Vec<String> {
        let mut all = Vec::new();
        for list in LISTS {
            all.push(owner.get(list).await.text);
        }
        all
    }
}

/// Every list, unfiltered.
pub(super) const LISTS: [&str; 5] = [
    "tasks",
    "messages",
    "documents",
    "notifications?all=true",
    "tool-requests",
];
