//! What the demo model says.

use serde_json::Value;

use super::intent::{Wish, cut};
use crate::types::{Message, Request, ToolCall};

const WHO: &str = "I am stationmaster's built-in demo model";

/// How many entries of a list are named.
const SHOWN: usize = 5;

/// The sentence that goes with a tool call.
pub(super) fn before(call: &ToolCall) -> String {
    let doing = match call.name.as_str() {
        "create_document" => "I will write a draft and store it as a document.",
        "create_task" => "I will put this on the task list.",
        _ => "I will look at the task list first.",
    };
    format!("{WHO}. {doing}")
}

/// The answer when there is nothing to call.
pub(super) fn without_tools(wish: &Wish) -> String {
    format!(
        "{WHO}, so this answer follows a script.\n\n\
         You asked: “{}”\n\n\
         Your message reached the agent, ran through its whole turn and came back here. \
         Configure a model provider to have it answered by a language model.",
        wish.quote
    )
}

/// The answer to a kick-off: the plan itself.
pub(super) fn plan(wish: &Wish) -> String {
    format!("{}\n\n_{WHO}; this plan follows a script._", draft(wish))
}

/// A short document about the wish.
pub(super) fn draft(wish: &Wish) -> String {
    format!(
        "# {title}\n\n\
         > {quote}\n\n\
         ## Steps\n\n\
         1. Agree on what the result must look like, and by when.\n\
         2. Collect what is already known in the task's thread and documents.\n\
         3. Split the work into small tasks, each with one owner.\n\
         4. Do them in order of risk and post the result of each in the thread.\n\
         5. Let a person check the whole, then close the task.\n\n\
         ## Open questions\n\n\
         - Who decides that it is done?\n\
         - What must not change on the way?\n\n\
         _Draft by stationmaster's built-in demo model._",
        title = wish.title,
        quote = wish.quote,
    )
}

/// The answer once tools have run: what came of each call, in the words of its result.
pub(super) fn after_tools(request: &Request, wish: &Wish) -> String {
    let calls: Vec<&ToolCall> = request
        .messages
        .iter()
        .flat_map(Message::tool_calls)
        .collect();
    let results: Vec<(&str, &str)> = request
        .messages
        .iter()
        .rev()
        .map_while(|message| match message {
            Message::ToolResult { call_id, content } => Some((call_id.as_str(), content.as_str())),
            _ => None,
        })
        .collect();
    let told = results.into_iter().rev().map(|(id, content)| {
        let call = calls.iter().rev().find(|call| call.id == id);
        let name = call.map_or("The tool", |call| call.name.as_str());
        told(
            name,
            call.map_or(&Value::Null, |call| &call.arguments),
            content,
        )
    });
    let told = told.collect::<Vec<_>>().join("\n\n");
    format!(
        "{WHO}, so this answer follows a script.\n\nYou asked: “{}”\n\n{told}",
        wish.quote
    )
}

/// One result, told.
fn told(name: &str, arguments: &Value, content: &str) -> String {
    let result: Value = serde_json::from_str(content).unwrap_or(Value::Null);
    if let Some(reason) = failed(&result, content) {
        return format!("I tried `{name}`, but it failed: {}", cut(&reason, 300));
    }
    match name {
        "list_tasks" => match items(&result) {
            Some(tasks) => list(
                tasks,
                result
                    .get("next_cursor")
                    .is_some_and(|cursor| !cursor.is_null()),
            ),
            None => quoted(name, content),
        },
        "create_task" => match thing(&result, arguments) {
            Some(task) => format!("I created the task {task}. You find it on the task list."),
            None => quoted(name, content),
        },
        "create_document" => match thing(&result, arguments) {
            Some(document) => format!(
                "I wrote the document {document}. It is a draft: please read it before you rely on it."
            ),
            None => quoted(name, content),
        },
        _ => quoted(name, content),
    }
}

fn quoted(name: &str, content: &str) -> String {
    if content.trim().is_empty() {
        return format!("I called `{name}`; it had nothing to say.");
    }
    format!("I called `{name}`; it answered: {}", cut(content, 300))
}

/// The reason, if a result is an error: an `error` or `detail` in JSON, or text that says so.
fn failed(result: &Value, content: &str) -> Option<String> {
    let error = result
        .get("error")
        .or_else(|| result.get("detail"))
        .filter(|error| !error.is_null());
    if let Some(error) = error {
        let message = error
            .as_str()
            .or_else(|| error.get("message").and_then(Value::as_str));
        return Some(message.map_or_else(|| error.to_string(), str::to_owned));
    }
    content
        .trim_start()
        .to_lowercase()
        .starts_with("error")
        .then(|| content.to_owned())
}

fn items(result: &Value) -> Option<&Vec<Value>> {
    let lists = ["items", "tasks", "data", "results"];
    result
        .as_array()
        .or_else(|| lists.iter().find_map(|name| result.get(name)?.as_array()))
}

fn list(tasks: &[Value], more: bool) -> String {
    let count = match (tasks.len(), more) {
        (0, _) => return "I looked at the task list: there are no tasks yet.".to_owned(),
        (1, false) => "there is 1 task".to_owned(),
        (count, false) => format!("there are {count} tasks"),
        (count, true) => format!("there are more than {count} tasks"),
    };
    let lines = tasks.iter().take(SHOWN).map(|task| {
        let title = text(task, &["title", "name", "id"]).unwrap_or("(without a title)");
        match text(task, &["status", "state"]) {
            Some(status) => format!("- **{}** ({})", cut(title, 100), status.replace('_', " ")),
            None => format!("- **{}**", cut(title, 100)),
        }
    });
    let lines = lines.collect::<Vec<_>>().join("\n");
    let left = tasks.len().saturating_sub(SHOWN);
    let rest = if left > 0 {
        format!("\n- and {left} more")
    } else {
        String::new()
    };
    format!("I looked at the task list: {count}.\n\n{lines}{rest}")
}

/// `**title** (`id`)` of what a call created; the title is the one we gave unless the result has
/// its own. Results may wrap the thing: `{"task": {…}}`.
fn thing(result: &Value, arguments: &Value) -> Option<String> {
    let wrapped = ["task", "document", "data", "result"]
        .iter()
        .find_map(|name| result.get(name).filter(|v| v.is_object()));
    let thing = wrapped.unwrap_or(result);
    let id = text(thing, &["id", "task_id", "document_id"]);
    let title = text(thing, &["title"]).or_else(|| text(arguments, &["title"]));
    match (title, id) {
        (Some(title), Some(id)) => Some(format!("**{title}** (`{id}`)")),
        (Some(title), None) => Some(format!("**{title}**")),
        (None, Some(id)) => Some(format!("`{id}`")),
        (None, None) => None,
    }
}

fn text<'a>(value: &'a Value, names: &[&str]) -> Option<&'a str> {
    names
        .iter()
        .find_map(|name| value.get(name)?.as_str())
        .filter(|text| !text.trim().is_empty())
}
