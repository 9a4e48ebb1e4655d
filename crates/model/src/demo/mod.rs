//! The demo model: a script that shows the whole cycle with no key and no network.
//!
//! It reads the last user message for what is wanted, calls one tool, and then tells what came of
//! it, with the values the tool returned. The same request always gets the same reply. Whoever
//! reads an answer must see that no language model wrote it, so every answer says so.
//!
//! ```text
//! last message     tools offered            reply
//! user             create_document, …       one tool call, and a sentence of what it is about to do
//! user             none, or a kick-off      a text; for a kick-off, the plan itself
//! tool results     any                      a text about the results
//! ```

mod intent;
mod report;

use serde_json::{Map, Value, json};

use crate::types::{Message, Reply, Request, Stop, ToolCall, ToolSpec};
use crate::wire;
use intent::{Intent, Wish};

/// The name of the demo model; it stands in the price table with a price of nothing.
pub const MODEL: &str = "demo";

/// What the runtime's convention expects of a heartbeat with nothing to do, word for word.
const HEARTBEAT: &str = "HEARTBEAT_OK";

/// Answers `request`; cannot fail.
pub(crate) fn reply(request: &Request, model: &str) -> Reply {
    let (text, tool_calls) = answer(request);
    let usage = wire::estimate(request, &text, &tool_calls);
    let stop = if tool_calls.is_empty() {
        Stop::End
    } else {
        Stop::ToolCalls
    };
    Reply {
        text,
        tool_calls,
        stop,
        usage,
        model: model.to_owned(),
    }
}

fn answer(request: &Request) -> (String, Vec<ToolCall>) {
    let message = last_user_message(request);
    let wish = Wish::read(message);
    if matches!(request.messages.last(), Some(Message::ToolResult { .. })) {
        return (report::after_tools(request, &wish), Vec::new());
    }
    if message.contains(HEARTBEAT) {
        return (HEARTBEAT.to_owned(), Vec::new());
    }
    if wish.is_kickoff {
        return (report::plan(&wish), Vec::new());
    }
    let wanted = match wish.intent {
        Intent::Document => ["create_document", "list_tasks"],
        Intent::Task => ["create_task", "list_tasks"],
        Intent::Look => ["list_tasks", "list_tasks"],
    };
    let call = wanted.iter().find_map(|name| call(request, name, &wish));
    match call {
        Some(call) => (report::before(&call), vec![call]),
        None => (report::without_tools(&wish), Vec::new()),
    }
}

fn last_user_message(request: &Request) -> &str {
    let texts = request
        .messages
        .iter()
        .rev()
        .filter_map(|message| match message {
            Message::User(text) => Some(text.as_str()),
            _ => None,
        });
    texts.into_iter().next().unwrap_or_default()
}

/// A call of the tool `name`, if it is offered and its required arguments can be filled in.
fn call(request: &Request, name: &str, wish: &Wish) -> Option<ToolCall> {
    let tool = request.tools.iter().find(|tool| tool.name == name)?;
    let known = match name {
        "create_document" => json!({"title": wish.title, "content": report::draft(wish)}),
        "create_task" => {
            json!({"title": wish.title, "description": format!("Asked for: {}", wish.quote)})
        }
        _ => json!({"limit": 5}),
    };
    let arguments = arguments(request, tool, &known, wish)?;
    let number = request
        .messages
        .iter()
        .map(|message| message.tool_calls().len())
        .sum::<usize>()
        + 1;
    Some(ToolCall {
        id: format!("demo_{number}"),
        name: name.to_owned(),
        arguments,
    })
}

/// What the tool lists of `known`, and something fitting for all else that it requires.
fn arguments(request: &Request, tool: &ToolSpec, known: &Value, wish: &Wish) -> Option<Value> {
    let mut arguments = Map::new();
    let properties = tool.parameters.get("properties").and_then(Value::as_object);
    for (name, value) in known.as_object().into_iter().flatten() {
        if properties.is_none_or(|properties| properties.contains_key(name)) {
            arguments.insert(name.clone(), value.clone());
        }
    }
    let required = tool.parameters.get("required").and_then(Value::as_array);
    for name in required.into_iter().flatten().filter_map(Value::as_str) {
        if !arguments.contains_key(name) {
            let schema = properties
                .and_then(|properties| properties.get(name))
                .unwrap_or(&Value::Null);
            arguments.insert(
                name.to_owned(),
                required_value(request, name, schema, wish)?,
            );
        }
    }
    Some(Value::Object(arguments))
}

fn required_value(request: &Request, name: &str, schema: &Value, wish: &Wish) -> Option<Value> {
    // An id cannot be made up; it may have been mentioned.
    if name.ends_with("_id") {
        return mentioned(request, name).map(Value::String);
    }
    if let Some(first) = schema.get("enum").and_then(|values| values.get(0)) {
        return Some(first.clone());
    }
    Some(match schema.get("type").and_then(Value::as_str) {
        Some("integer" | "number") => schema.get("minimum").cloned().unwrap_or_else(|| json!(1)),
        Some("boolean") => json!(false),
        Some("array") => json!([]),
        Some("object") => json!({}),
        _ => json!(wish.quote),
    })
}

/// Finds `task_id: 0195…` and the like in the conversation, the newest first.
fn mentioned(request: &Request, name: &str) -> Option<String> {
    let texts = request
        .messages
        .iter()
        .rev()
        .filter_map(|message| match message {
            Message::System(text) | Message::User(text) => Some(text.as_str()),
            Message::ToolResult { content, .. } => Some(content.as_str()),
            Message::Assistant { .. } => None,
        });
    texts.chain([request.system.as_str()]).find_map(|text| {
        let (_, after) = text.split_once(name)?;
        let after = after.trim_start_matches([':', '=', ' ', '"', '`', '\'']);
        let id: String = after
            .chars()
            .take_while(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'))
            .collect();
        (!id.is_empty()).then_some(id)
    })
}

#[cfg(test)]
mod tests;
