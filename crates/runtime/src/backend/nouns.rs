//! What is said to a backend, and what it answers.
//!
//! What derives `Serialize` is shown to the model as it stands.

use serde::Serialize;
use serde_json::{Map, Value};

/// Which task a turn belongs to.
#[derive(Debug, Clone, PartialEq)]
pub enum TaskChoice {
    /// The caller named it. An external backend is not asked about it beforehand.
    Id(String),
    /// Found by title, or created.
    Thread(NewThread),
}

/// A conversation's task.
#[derive(Debug, Clone, PartialEq)]
pub struct NewThread {
    pub title: String,
    /// For a task created now.
    pub description: String,
    /// For a task created now.
    pub metadata: Map<String, Value>,
}

/// A task as agents see it. Only the id is certain.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct TaskRef {
    pub id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// The assignee.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub agent_role: Option<String>,
}

/// Which tasks to list; what is `None` does not matter.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TaskFilter {
    /// Exactly this title.
    pub title: Option<String>,
    pub status: Option<String>,
    /// Assigned to this role.
    pub agent_role: Option<String>,
    /// 1 to 100.
    pub limit: u32,
}

#[derive(Debug, Clone, Default, PartialEq)]
pub struct NewTask {
    pub title: String,
    pub description: Option<String>,
    /// The backend's own default when absent.
    pub status: Option<String>,
    pub agent_role: Option<String>,
    pub metadata: Option<Map<String, Value>>,
}

/// What to change about a task; what is `None` stays.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct TaskChange {
    pub title: Option<String>,
    pub description: Option<String>,
    pub status: Option<String>,
    pub agent_role: Option<String>,
    /// Merged at the top level; `null` removes a member.
    pub metadata: Option<Map<String, Value>>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewMessage {
    pub task_id: String,
    /// Never blank.
    pub content: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct MessageRef {
    pub id: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewDocument {
    pub task_id: String,
    pub title: String,
    pub content: String,
    /// The backend's own default when absent.
    pub doc_type: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DocumentRef {
    pub id: String,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NotificationFilter {
    pub unread: bool,
    /// 1 to 100.
    pub limit: u32,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct NotificationRef {
    pub id: String,
    /// `mention`, `assignment`, `message`, …
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub task_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub created_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub read_at: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewToolRequest {
    pub title: String,
    pub justification: String,
    /// What it is used through, in words.
    pub interface: Option<String>,
    pub scope: Option<String>,
    /// `low`, `medium` or `high`.
    pub risk_level: Option<String>,
    pub task_id: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ToolRequestRef {
    pub id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<String>,
}

/// One call of a tool that the backend itself runs.
#[derive(Debug, Clone, PartialEq)]
pub struct ExtraCall {
    pub name: String,
    pub arguments: Map<String, Value>,
    pub trace_id: String,
    /// `default` unless the caller of the turn named another.
    pub workspace_id: String,
    /// The same for the same call of the same turn, should the backend know what to do with it.
    pub key: String,
}
