//! Tasks as MCP resources: `task://{id}` is the task, `task://{id}/thread` its messages.

use rmcp::{
    ErrorData,
    model::{
        ListResourceTemplatesResult, ListResourcesResult, ReadResourceResult, Resource,
        ResourceContents, ResourceTemplate,
    },
};
use serde_json::{Value, json};

use crate::{
    action::{Actor, is_id},
    carrier::{ApiReply, Caller, CarrierError},
    desk::Desk,
    reply::Answer,
};

/// How many of the caller's tasks are listed at most.
const MOST_LISTED: usize = 50;
/// Statuses of tasks that can still need their assignee.
const LISTED_STATUSES: &str = "IN_PROGRESS,ASSIGNED,REVIEW,NEEDS_APPROVAL,BLOCKED";
const JSON: &str = "application/json";

/// The two templates.
pub(crate) fn templates() -> ListResourceTemplatesResult {
    ListResourceTemplatesResult::with_all_items(vec![
        ResourceTemplate::new("task://{id}", "task")
            .with_title("Task")
            .with_description(
                "A task with its plan, deliverable, runs, approvals and open transitions",
            )
            .with_mime_type(JSON),
        ResourceTemplate::new("task://{id}/thread", "task-thread")
            .with_title("Task thread")
            .with_description("The messages of a task, newest first")
            .with_mime_type(JSON),
    ])
}

/// The tasks assigned to the caller that are not over, as resources.
pub(crate) async fn list(
    desk: &Desk,
    actor: &Actor,
    caller: Caller,
) -> Result<ListResourcesResult, ErrorData> {
    let path = format!(
        "/api/v1/tasks?assigneeId={}&status={LISTED_STATUSES}&limit={MOST_LISTED}",
        actor.agent
    );
    let body = body_of(desk.read(path, caller).await, "your tasks")?;
    let tasks = body
        .get("tasks")
        .and_then(Value::as_array)
        .map(Vec::as_slice)
        .unwrap_or_default();
    Ok(ListResourcesResult::with_all_items(
        tasks.iter().take(MOST_LISTED).filter_map(listed).collect(),
    ))
}

fn listed(task: &Value) -> Option<Resource> {
    let text = |name: &str| task.get(name).and_then(Value::as_str);
    let id = text("id").filter(|id| is_id(id))?;
    let described = [text("status"), text("type")]
        .into_iter()
        .flatten()
        .collect::<Vec<_>>()
        .join(", ");
    let resource = Resource::new(format!("task://{id}"), id)
        .with_title(text("title").unwrap_or(id))
        .with_description(described)
        .with_mime_type(JSON);
    Some(resource)
}

/// Reads the resource at `uri`.
pub(crate) async fn read(
    desk: &Desk,
    uri: &str,
    caller: Caller,
) -> Result<ReadResourceResult, ErrorData> {
    let Some(path) = path_of(uri) else {
        return Err(ErrorData::resource_not_found(
            "there is no such resource: it must be task://{id} or task://{id}/thread",
            Some(json!({ "uri": uri })),
        ));
    };
    let body = body_of(desk.read(path, caller).await, uri)?;
    let contents = ResourceContents::text(format!("{body:#}"), uri).with_mime_type(JSON);
    Ok(ReadResourceResult::new(vec![contents]))
}

fn path_of(uri: &str) -> Option<String> {
    let rest = uri.strip_prefix("task://")?;
    let (id, thread) = match rest.strip_suffix("/thread") {
        Some(id) => (id, true),
        None => (rest, false),
    };
    is_id(id).then(|| match thread {
        true => format!("/api/v1/tasks/{id}/messages?limit=200"),
        false => format!("/api/v1/tasks/{id}"),
    })
}

/// The body of a successful reply, or the error of JSON-RPC that says why there is none. The API's own error
/// is its `data`.
fn body_of(reply: Result<ApiReply, CarrierError>, what: &str) -> Result<Value, ErrorData> {
    let (status, answer) = match reply {
        Ok(reply) => (reply.status, Answer::from_reply(reply)),
        Err(failure) => (503, Answer::unreachable(&failure)),
    };
    if !answer.is_error {
        return Ok(answer.body);
    }
    let said = answer.body["error"]["message"]
        .as_str()
        .unwrap_or("no reason given");
    let message = format!("cannot read {what}: {said}");
    Err(match status {
        404 => ErrorData::resource_not_found(message, Some(answer.body)),
        400..=499 => ErrorData::invalid_request(message, Some(answer.body)),
        _ => ErrorData::internal_error(message, Some(answer.body)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_task_addresses_lead_anywhere() {
        let check = |uri: &str, expected: Option<&str>| {
            assert_eq!(path_of(uri).as_deref(), expected, "{uri}")
        };
        check("task://task_1", Some("/api/v1/tasks/task_1"));
        check(
            "task://task_1/thread",
            Some("/api/v1/tasks/task_1/messages?limit=200"),
        );
        check("task://", None);
        check("task://..", None);
        check("task://../agents", None);
        check("task://a?b=c", None);
        check("file:///etc/passwd", None);
    }
}
