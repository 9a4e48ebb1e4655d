//! What was said, as attributes: JSON in the form of OpenTelemetry's conventions, the newest first to be kept
//! where all of it is too long.

use serde_json::{Value, json};
use stationmaster_model::{Message, Reply, ToolCall};

use crate::attributes::shortened;

/// In bytes, of one text.
const LONGEST_TEXT: usize = 16 << 10;
/// In bytes, of all messages of a call together.
const MOST: usize = 64 << 10;

pub(crate) fn system(text: &str) -> String {
    json!([{"type": "text", "content": shortened(text, LONGEST_TEXT)}]).to_string()
}

/// The last messages that fit.
pub(crate) fn input(messages: &[Message]) -> String {
    let mut left = MOST;
    let mut kept: Vec<String> = Vec::new();
    for message in messages.iter().rev() {
        let text = told(message).to_string();
        let Some(rest) = left.checked_sub(text.len()) else {
            break;
        };
        left = rest;
        kept.push(text);
    }
    kept.reverse();
    format!("[{}]", kept.join(","))
}

pub(crate) fn output(reply: &Reply, finish: &str) -> String {
    let mut message = assistant(&reply.text, &reply.tool_calls);
    message["finish_reason"] = finish.into();
    json!([message]).to_string()
}

pub(crate) fn text(text: &str) -> String {
    shortened(text, LONGEST_TEXT).to_owned()
}

fn told(message: &Message) -> Value {
    let said = |role: &str, text: &str| json!({"role": role, "parts": [part(text)]});
    match message {
        Message::System(text) => said("system", text),
        Message::User(text) => said("user", text),
        Message::Assistant { text, tool_calls } => assistant(text, tool_calls),
        Message::ToolResult { call_id, content } => json!({
            "role": "tool",
            "parts": [{"type": "tool_call_response", "id": call_id, "response": shortened(content, LONGEST_TEXT)}],
        }),
    }
}

fn part(text: &str) -> Value {
    json!({"type": "text", "content": shortened(text, LONGEST_TEXT)})
}

fn assistant(text: &str, tool_calls: &[ToolCall]) -> Value {
    let words = (!text.is_empty()).then(|| part(text));
    let calls = tool_calls.iter().map(|call| {
        let arguments = call.arguments.to_string();
        let arguments = if arguments.len() <= LONGEST_TEXT {
            call.arguments.clone()
        } else {
            shortened(&arguments, LONGEST_TEXT).into()
        };
        json!({"type": "tool_call", "id": call.id, "name": call.name, "arguments": arguments})
    });
    let parts: Vec<Value> = words.into_iter().chain(calls).collect();
    json!({"role": "assistant", "parts": parts})
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_messages_are_kept_where_not_all_fit() {
        let messages: Vec<Message> = (0..20)
            .map(|number| Message::User(format!("{number}{}", "ü".repeat(5_000))))
            .collect();
        let kept: Vec<Value> = serde_json::from_str(&input(&messages)).unwrap();
        assert_eq!(kept.len(), 6);
        let last = kept[5]["parts"][0]["content"].as_str().unwrap();
        assert!(last.starts_with("19ü"), "{last}");
        assert!(input(&messages).len() < MOST + 100);
    }

    #[test]
    fn what_a_model_said_and_asked_for_is_in_one_message() {
        let call = ToolCall {
            id: "c".to_owned(),
            name: "echo".to_owned(),
            arguments: json!({"text": "hi"}),
        };
        let messages = [
            Message::Assistant {
                text: "Let me see.".to_owned(),
                tool_calls: vec![call],
            },
            Message::ToolResult {
                call_id: "c".to_owned(),
                content: "hi".to_owned(),
            },
        ];
        let told: Value = serde_json::from_str(&input(&messages)).unwrap();
        assert_eq!(
            told,
            json!([
                {"role": "assistant", "parts": [
                    {"type": "text", "content": "Let me see."},
                    {"type": "tool_call", "id": "c", "name": "echo", "arguments": {"text": "hi"}},
                ]},
                {"role": "tool", "parts": [{"type": "tool_call_response", "id": "c", "response": "hi"}]},
            ])
        );
    }
}
