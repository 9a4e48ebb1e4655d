//! A conversation retold without tools, for models that cannot have any.

use std::borrow::Cow;
use std::sync::Arc;

use crate::types::{Message, Request, ToolCall};

/// `request` with no tools, its earlier tool calls and their results turned into text.
///
/// Needed when a model does not support tools, and where a provider refuses a conversation that
/// holds tool calls while no tools are offered.
pub(crate) fn without_tools(request: &Request) -> Cow<'_, Request> {
    let talks_of_tools = request.messages.iter().any(is_tool_talk);
    if request.tools.is_empty() && !talks_of_tools {
        return Cow::Borrowed(request);
    }
    let mut request = request.clone();
    request.tools = Arc::default();
    let calls: Vec<ToolCall> = request
        .messages
        .iter()
        .flat_map(Message::tool_calls)
        .cloned()
        .collect();
    request.messages = request
        .messages
        .into_iter()
        .map(|message| retold(message, &calls))
        .collect();
    Cow::Owned(request)
}

fn is_tool_talk(message: &Message) -> bool {
    matches!(message, Message::ToolResult { .. }) || !message.tool_calls().is_empty()
}

fn retold(message: Message, calls: &[ToolCall]) -> Message {
    match message {
        Message::Assistant {
            mut text,
            tool_calls,
        } => {
            for call in tool_calls {
                let gap = if text.is_empty() { "" } else { "\n\n" };
                text.push_str(&format!(
                    "{gap}I called {} with {}.",
                    call.name, call.arguments
                ));
            }
            Message::Assistant {
                text,
                tool_calls: Vec::new(),
            }
        }
        Message::ToolResult { call_id, content } => {
            let name = calls
                .iter()
                .find(|call| call.id == call_id)
                .map_or("the tool", |call| call.name.as_str());
            Message::User(format!("{name} answered: {content}"))
        }
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn request(messages: Vec<Message>) -> Request {
        Request {
            model: String::new(),
            system: String::new(),
            messages,
            tools: Arc::default(),
            temperature: None,
            max_tokens: 100,
        }
    }

    #[test]
    fn calls_and_results_become_text() {
        let call = ToolCall {
            id: "1".to_owned(),
            name: "list_tasks".to_owned(),
            arguments: json!({"limit": 5}),
        };
        let request = request(vec![
            Message::User("What is open?".to_owned()),
            Message::Assistant {
                text: "Let me look.".to_owned(),
                tool_calls: vec![call],
            },
            Message::ToolResult {
                call_id: "1".to_owned(),
                content: "[]".to_owned(),
            },
        ]);
        assert_eq!(
            without_tools(&request).messages,
            [
                Message::User("What is open?".to_owned()),
                Message::Assistant {
                    text: "Let me look.\n\nI called list_tasks with {\"limit\":5}.".to_owned(),
                    tool_calls: Vec::new(),
                },
                Message::User("list_tasks answered: []".to_owned()),
            ]
        );
    }

    #[test]
    fn a_plain_conversation_is_not_copied() {
        let request = request(vec![Message::User("Hi".to_owned())]);
        assert!(matches!(without_tools(&request), Cow::Borrowed(_)));
    }
}
