//! The runtime's own tools: the table, and what each of them does.

use std::pin::Pin;

use serde_json::json;

use super::arguments::{Arguments, Field, Kind};
use super::{Caller, Done, Refusal};
use crate::backend::{
    NewDocument, NewMessage, NewTask, NewToolRequest, NotificationFilter, TaskChange, TaskFilter,
};

pub(super) struct OwnTool {
    pub(super) name: &'static str,
    pub(super) description: &'static str,
    pub(super) fields: &'static [Field],
    pub(super) run: for<'a> fn(Call<'a>) -> Running<'a>,
}

type Running<'a> = Pin<Box<dyn Future<Output = Result<Done, Refusal>> + Send + 'a>>;

/// One call whose arguments fit.
pub(super) struct Call<'a> {
    pub(super) caller: &'a Caller,
    pub(super) key: String,
    pub(super) arguments: Arguments,
}

const LISTED: u32 = 20;

pub(super) const fn required(name: &'static str, kind: Kind, about: &'static str) -> Field {
    Field {
        name,
        kind,
        required: true,
        about,
    }
}

pub(super) const fn optional(name: &'static str, kind: Kind, about: &'static str) -> Field {
    Field {
        name,
        kind,
        required: false,
        about,
    }
}

const THIS_TASK: &str = "The task's id; the task of this conversation when left out";
const STATUS: &str = "pending, in_progress, blocked, completed or cancelled";

pub(super) static TOOLS: [OwnTool; 7] = [
    OwnTool {
        name: "list_tasks",
        description: "Lists tasks, the newest first.",
        fields: &[
            optional("status", Kind::Text, "Only tasks with this status"),
            optional("title", Kind::Text, "Only tasks with exactly this title"),
            optional("agent_role", Kind::Text, "Only tasks assigned to this role"),
            optional("limit", Kind::Count, "How many at most; 20 when left out"),
        ],
        run: |call| Box::pin(list_tasks(call)),
    },
    OwnTool {
        name: "create_task",
        description: "Creates a task. Its result holds the new task's id.",
        fields: &[
            required("title", Kind::Text, "What is to be done, in a few words"),
            optional("description", Kind::Prose, "All that is needed to do it"),
            optional("status", Kind::Text, STATUS),
            optional("agent_role", Kind::Text, "The role that shall do it"),
            optional("metadata", Kind::Object, "Anything else worth keeping"),
        ],
        run: |call| Box::pin(create_task(call)),
    },
    OwnTool {
        name: "update_task",
        description: "Changes a task: what is left out stays as it is.",
        fields: &[
            optional("task_id", Kind::Text, THIS_TASK),
            optional("title", Kind::Text, "The new title"),
            optional("description", Kind::Prose, "The new description"),
            optional("status", Kind::Text, STATUS),
            optional("agent_role", Kind::Text, "The role that shall do it"),
            optional("metadata", Kind::Object, "Members to set; null removes one"),
        ],
        run: |call| Box::pin(update_task(call)),
    },
    OwnTool {
        name: "post_message",
        description: "Posts a message to a task. Not needed for the final answer, which is posted anyway. \
                      Writing @role in it notifies that role.",
        fields: &[
            required("content", Kind::Text, "The message, in Markdown"),
            optional("task_id", Kind::Text, THIS_TASK),
        ],
        run: |call| Box::pin(post_message(call)),
    },
    OwnTool {
        name: "create_document",
        description: "Keeps a longer text, such as a plan or a report, with a task.",
        fields: &[
            required("title", Kind::Text, "The document's title"),
            required("content", Kind::Text, "The whole text, in Markdown"),
            optional(
                "doc_type",
                Kind::Text,
                "deliverable, research, plan or note",
            ),
            optional("task_id", Kind::Text, THIS_TASK),
        ],
        run: |call| Box::pin(create_document(call)),
    },
    OwnTool {
        name: "list_notifications",
        description: "Lists what this agent was notified of, the newest first.",
        fields: &[
            optional("unread", Kind::Flag, "Only unread ones"),
            optional("limit", Kind::Count, "How many at most; 20 when left out"),
        ],
        run: |call| Box::pin(list_notifications(call)),
    },
    OwnTool {
        name: "request_tool",
        description: "Asks a person for the use of a tool that this agent does not have. \
                      The answer comes later, as a notification.",
        fields: &[
            required("title", Kind::Text, "Which tool, in a few words"),
            required("justification", Kind::Text, "What it is needed for"),
            optional(
                "interface",
                Kind::Text,
                "How it would be used, such as a command or an API",
            ),
            optional("scope", Kind::Text, "What it may be used on"),
            optional(
                "risk_level",
                Kind::Choice(&["low", "medium", "high"]),
                "medium when left out",
            ),
            optional("task_id", Kind::Text, THIS_TASK),
        ],
        run: |call| Box::pin(request_tool(call)),
    },
];

impl Call<'_> {
    fn task_id(&mut self) -> String {
        self.arguments
            .text("task_id")
            .unwrap_or_else(|| self.caller.task_id.clone())
    }
}

async fn list_tasks(mut call: Call<'_>) -> Result<Done, Refusal> {
    let filter = TaskFilter {
        title: call.arguments.text("title"),
        status: call.arguments.text("status"),
        agent_role: call.arguments.text("agent_role"),
        limit: call.arguments.count("limit").unwrap_or(LISTED),
    };
    let tasks = call
        .caller
        .backend
        .list_tasks(&call.caller.who, &filter)
        .await?;
    let summary = format!("{} tasks", tasks.len());
    Ok(Done {
        result: json!({ "tasks": tasks }),
        summary,
    })
}

async fn create_task(mut call: Call<'_>) -> Result<Done, Refusal> {
    let new = NewTask {
        title: call.arguments.required("title"),
        description: call.arguments.text("description"),
        status: call.arguments.text("status"),
        agent_role: call.arguments.text("agent_role"),
        metadata: call.arguments.object("metadata"),
    };
    let task = call
        .caller
        .backend
        .create_task(&call.caller.who, &new, &call.key)
        .await?;
    let summary = format!("created {}: {}", task.id, new.title);
    Ok(Done {
        result: json!({ "task": task }),
        summary,
    })
}

async fn update_task(mut call: Call<'_>) -> Result<Done, Refusal> {
    let id = call.task_id();
    let change = TaskChange {
        title: call.arguments.text("title"),
        description: call.arguments.text("description"),
        status: call.arguments.text("status"),
        agent_role: call.arguments.text("agent_role"),
        metadata: call.arguments.object("metadata"),
    };
    if change == TaskChange::default() {
        return Err(Refusal(
            "nothing to change: give at least one argument beside task_id".into(),
        ));
    }
    let task = call
        .caller
        .backend
        .update_task(&call.caller.who, &id, &change)
        .await?;
    let status = change
        .status
        .map_or_else(String::new, |status| format!(": now {status}"));
    let summary = format!("updated {id}{status}");
    Ok(Done {
        result: json!({ "task": task }),
        summary,
    })
}

async fn post_message(mut call: Call<'_>) -> Result<Done, Refusal> {
    let task_id = call.task_id();
    let new = NewMessage {
        content: call.arguments.required("content"),
        task_id,
    };
    let message = call
        .caller
        .backend
        .post_message(&call.caller.who, &new, &call.key)
        .await?;
    let summary = format!("posted to {}: {}", new.task_id, new.content);
    Ok(Done {
        result: json!({ "message": message }),
        summary,
    })
}

async fn create_document(mut call: Call<'_>) -> Result<Done, Refusal> {
    let new = NewDocument {
        task_id: call.task_id(),
        title: call.arguments.required("title"),
        content: call.arguments.required("content"),
        doc_type: call.arguments.text("doc_type"),
    };
    let document = call
        .caller
        .backend
        .create_document(&call.caller.who, &new, &call.key)
        .await?;
    let summary = format!("created {}: {}", document.id, new.title);
    Ok(Done {
        result: json!({ "document": document }),
        summary,
    })
}

async fn list_notifications(mut call: Call<'_>) -> Result<Done, Refusal> {
    let filter = NotificationFilter {
        unread: call.arguments.flag("unread"),
        limit: call.arguments.count("limit").unwrap_or(LISTED),
    };
    let notifications = call
        .caller
        .backend
        .list_notifications(&call.caller.who, &filter)
        .await?;
    let summary = format!("{} notifications", notifications.len());
    Ok(Done {
        result: json!({ "notifications": notifications }),
        summary,
    })
}

async fn request_tool(mut call: Call<'_>) -> Result<Done, Refusal> {
    let new = NewToolRequest {
        task_id: Some(call.task_id()),
        title: call.arguments.required("title"),
        justification: call.arguments.required("justification"),
        interface: call.arguments.text("interface"),
        scope: call.arguments.text("scope"),
        risk_level: call.arguments.text("risk_level"),
    };
    let request = call
        .caller
        .backend
        .request_tool(&call.caller.who, &new, &call.key)
        .await?;
    let summary = format!("requested {}: {}", request.id, new.title);
    Ok(Done {
        result: json!({ "tool_request": request }),
        summary,
    })
}
