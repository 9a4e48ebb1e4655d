//! Reading what a backend answers. Only what is used must be right; members that are missing or of
//! another type are no reason to lose the rest.

use serde_json::{Value, json};
use stationmaster_model::ToolSpec;

use crate::backend::{
    BackendError, BackendErrorKind, BackendResult, DocumentRef, MessageRef, NotificationRef,
    TaskRef, ToolRequestRef,
};

/// Something that a backend answers with, by its id.
pub(super) trait Answer: Sized {
    const NOUN: &'static str;

    fn from_parts(id: String, rest: &Value) -> Self;
}

/// One page.
pub(super) struct List<T> {
    pub(super) items: Vec<T>,
    pub(super) next_cursor: Option<String>,
}

pub(super) fn read<T: Answer>(body: &Value) -> BackendResult<T> {
    parse(body).ok_or_else(|| garbled(&format!("its answer holds no {} id", T::NOUN)))
}

pub(super) fn read_list<T: Answer>(body: &Value) -> BackendResult<List<T>> {
    let items = body.get("items").and_then(Value::as_array);
    let items = items.ok_or_else(|| garbled(&format!("its list of {}s has no items", T::NOUN)))?;
    Ok(List {
        items: items.iter().filter_map(parse).collect(),
        next_cursor: text(body, "next_cursor").filter(|cursor| !cursor.is_empty()),
    })
}

/// The tools of `GET /api/tools` that have a name.
pub(super) fn tools(body: &Value) -> Vec<ToolSpec> {
    let listed = body.get("tools").and_then(Value::as_array);
    let specs = listed.into_iter().flatten().filter_map(|tool| {
        Some(ToolSpec {
            name: text(tool, "name")?,
            description: text(tool, "description").unwrap_or_default(),
            parameters: tool
                .get("parameters")
                .cloned()
                .unwrap_or_else(|| json!({}))
                .into(),
        })
    });
    specs.collect()
}

fn parse<T: Answer>(value: &Value) -> Option<T> {
    let id = text(value, "id").filter(|id| !id.is_empty())?;
    Some(T::from_parts(id, value))
}

fn text(value: &Value, name: &str) -> Option<String> {
    value.get(name).and_then(Value::as_str).map(str::to_owned)
}

pub(super) fn garbled(why: &str) -> BackendError {
    let message = format!("the backend does not speak the contract: {why}");
    BackendError::new(BackendErrorKind::Garbled, message)
}

impl Answer for TaskRef {
    const NOUN: &'static str = "task";

    fn from_parts(id: String, rest: &Value) -> Self {
        Self {
            id,
            title: text(rest, "title"),
            status: text(rest, "status"),
            description: text(rest, "description"),
            agent_role: text(rest, "agent_role"),
        }
    }
}

impl Answer for MessageRef {
    const NOUN: &'static str = "message";

    fn from_parts(id: String, _: &Value) -> Self {
        Self { id }
    }
}

impl Answer for DocumentRef {
    const NOUN: &'static str = "document";

    fn from_parts(id: String, _: &Value) -> Self {
        Self { id }
    }
}

impl Answer for NotificationRef {
    const NOUN: &'static str = "notification";

    fn from_parts(id: String, rest: &Value) -> Self {
        Self {
            id,
            kind: text(rest, "type"),
            content: text(rest, "content"),
            task_id: text(rest, "task_id"),
            created_at: text(rest, "created_at"),
            read_at: text(rest, "read_at"),
        }
    }
}

impl Answer for ToolRequestRef {
    const NOUN: &'static str = "tool request";

    fn from_parts(id: String, rest: &Value) -> Self {
        Self {
            id,
            status: text(rest, "status"),
        }
    }
}
