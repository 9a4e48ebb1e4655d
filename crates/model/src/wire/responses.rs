//! OpenAI's Responses.

use serde::Deserialize;
use serde_json::{Value, json};

use super::{Said, Shape, arguments, garbled};
use crate::failure::Failure;
use crate::plain;
use crate::types::{Message, Reply, Request, ToolCall, ToolSpec, Usage};

pub(crate) fn body(request: &Request, model: &str, shape: Shape) -> Value {
    let request = if request.tools.is_empty() || shape.tools {
        std::borrow::Cow::Borrowed(request)
    } else {
        plain::without_tools(request)
    };
    let input: Vec<Value> = request.messages.iter().flat_map(items).collect();
    // The conversation is ours to keep; the provider need not.
    let mut body = json!({
        "model": model,
        "input": input,
        "max_output_tokens": request.max_tokens,
        "store": false,
    });
    if !request.system.trim().is_empty() {
        body["instructions"] = json!(request.system);
    }
    if let Some(temperature) = request.temperature.filter(|_| shape.temperature) {
        body["temperature"] = json!(temperature);
    }
    if !request.tools.is_empty() {
        body["tools"] = request.tools.iter().map(tool).collect();
    }
    body
}

/// One message is an item for what was said, and one for each call.
fn items(message: &Message) -> Vec<Value> {
    let said = |role: &str, text: &str| json!({"role": role, "content": text});
    match message {
        Message::System(text) => vec![said("system", text)],
        Message::User(text) => vec![said("user", text)],
        Message::ToolResult { call_id, content } => {
            vec![json!({"type": "function_call_output", "call_id": call_id, "output": content})]
        }
        Message::Assistant { text, tool_calls } => {
            let words =
                (!text.is_empty() || tool_calls.is_empty()).then(|| said("assistant", text));
            words
                .into_iter()
                .chain(tool_calls.iter().map(call))
                .collect()
        }
    }
}

fn call(call: &ToolCall) -> Value {
    let arguments = match &call.arguments {
        Value::String(raw) => raw.clone(),
        parsed => parsed.to_string(),
    };
    json!({"type": "function_call", "call_id": call.id, "name": call.name, "arguments": arguments})
}

/// Not strict: that would want schemas in which nothing is optional.
fn tool(tool: &ToolSpec) -> Value {
    json!({
        "type": "function",
        "name": tool.name,
        "description": tool.description,
        "parameters": tool.parameters,
        "strict": false,
    })
}

#[derive(Deserialize)]
struct Answer {
    output: Vec<Item>,
    incomplete_details: Option<Incomplete>,
    usage: Option<Counts>,
}

#[derive(Deserialize)]
struct Incomplete {
    reason: Option<String>,
}

#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Item {
    Message {
        #[serde(default)]
        content: Vec<Part>,
    },
    FunctionCall {
        #[serde(default)]
        call_id: String,
        name: String,
        #[serde(default)]
        arguments: Value,
    },
    /// Reasoning, and whatever comes next.
    #[serde(other)]
    Other,
}

#[derive(Deserialize)]
struct Part {
    text: Option<String>,
    refusal: Option<String>,
}

#[derive(Deserialize)]
struct Counts {
    input_tokens: Option<u64>,
    output_tokens: Option<u64>,
    input_tokens_details: Option<Details>,
    output_tokens_details: Option<Details>,
}

#[derive(Default, Deserialize)]
struct Details {
    cached_tokens: Option<u64>,
    reasoning_tokens: Option<u64>,
}

/// Reads the body of a 200.
pub(crate) fn reply(body: &[u8], request: &Request, model: &str) -> Result<Reply, Failure> {
    let answer: Answer = serde_json::from_value(super::json(body)?)
        .map_err(|_| garbled("the answer is not a response", body))?;
    let why_cut = answer.incomplete_details.and_then(|it| it.reason);
    let mut said = Said {
        cut: why_cut.as_deref() == Some("max_output_tokens"),
        usage: answer.usage.and_then(usage),
        ..Said::default()
    };
    if why_cut.as_deref() == Some("content_filter") {
        said.refusal = Some("the provider's content filter stopped the answer".to_owned());
    }
    for item in answer.output {
        match item {
            Item::Message { content } => {
                for part in content {
                    said.text.extend(part.text);
                    said.refusal = said.refusal.or(part.refusal);
                }
            }
            Item::FunctionCall {
                call_id,
                name,
                arguments,
            } => said.tool_calls.push(read_call(call_id, name, arguments)),
            Item::Other => {}
        }
    }
    said.judge(request, model)
}

fn read_call(id: String, name: String, given: Value) -> ToolCall {
    let arguments = match given {
        Value::String(raw) => arguments(raw),
        Value::Null => json!({}),
        parsed => parsed,
    };
    ToolCall {
        id,
        name,
        arguments,
    }
}

fn usage(counts: Counts) -> Option<Usage> {
    let input = counts.input_tokens_details.unwrap_or_default();
    let output = counts.output_tokens_details.unwrap_or_default();
    Some(Usage {
        input_tokens: counts.input_tokens?,
        output_tokens: counts.output_tokens.unwrap_or_default(),
        cached_tokens: input.cached_tokens.unwrap_or_default(),
        reasoning_tokens: output.reasoning_tokens.unwrap_or_default(),
        ..Usage::default()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::{ErrorKind, Stop};

    fn request() -> Request {
        let call = ToolCall {
            id: "call_1".to_owned(),
            name: "look".to_owned(),
            arguments: json!({"at": "it"}),
        };
        Request {
            model: String::new(),
            system: "Be brief.".to_owned(),
            messages: vec![
                Message::System("Summary".to_owned()),
                Message::User("Look!".to_owned()),
                Message::Assistant {
                    text: String::new(),
                    tool_calls: vec![call],
                },
                Message::ToolResult {
                    call_id: "call_1".to_owned(),
                    content: "seen".to_owned(),
                },
            ],
            tools: [ToolSpec {
                name: "look".to_owned(),
                description: "Looks".to_owned(),
                parameters: json!({"type": "object"}).into(),
            }]
            .into(),
            temperature: Some(0.4),
            max_tokens: 100,
        }
    }

    #[test]
    fn a_conversation_becomes_items() {
        let request = request();
        let body = body(&request, "gpt-4.1", Shape::of(&request, "gpt-4.1"));
        let expected = json!({
            "model": "gpt-4.1",
            "instructions": "Be brief.",
            "input": [
                {"role": "system", "content": "Summary"},
                {"role": "user", "content": "Look!"},
                {"type": "function_call", "call_id": "call_1", "name": "look", "arguments": "{\"at\":\"it\"}"},
                {"type": "function_call_output", "call_id": "call_1", "output": "seen"}
            ],
            "tools": [{"type": "function", "name": "look", "description": "Looks",
                "parameters": {"type": "object"}, "strict": false}],
            "temperature": 0.4,
            "max_output_tokens": 100,
            "store": false
        });
        assert_eq!(body, expected);
    }

    #[test]
    fn text_calls_and_counts_are_read() {
        let body = json!({
            "id": "resp_1", "status": "completed", "error": null, "incomplete_details": null,
            "output": [
                {"type": "reasoning", "summary": []},
                {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "I look"}]},
                {"type": "function_call", "call_id": "c", "name": "look", "arguments": "{\"at\": 1}"}
            ],
            "usage": {"input_tokens": 10, "input_tokens_details": {"cached_tokens": 4}, "output_tokens": 7,
                "output_tokens_details": {"reasoning_tokens": 5}, "total_tokens": 17}
        });
        let reply = reply(body.to_string().as_bytes(), &request(), "o3").unwrap();
        assert_eq!(
            (reply.text.as_str(), reply.stop),
            ("I look", Stop::ToolCalls)
        );
        assert_eq!(reply.tool_calls[0].arguments, json!({"at": 1}));
        let usage = reply.usage;
        assert_eq!((usage.cached_tokens, usage.reasoning_tokens), (4, 5));
        assert_eq!((usage.input_tokens, usage.output_tokens), (10, 7));
    }

    #[test]
    fn what_is_no_answer_is_told_as_what_it_is() {
        let kind = |body: Value| {
            reply(body.to_string().as_bytes(), &request(), "m")
                .unwrap_err()
                .kind
        };
        let refusal = json!({"output": [{"type": "message", "content": [{"type": "refusal", "refusal": "No."}]}]});
        assert_eq!(kind(refusal), ErrorKind::Refused);
        assert_eq!(kind(json!({"output": []})), ErrorKind::Empty);
        assert_eq!(kind(json!({"choices": []})), ErrorKind::Garbled);
        let cut = json!({"output": [{"type": "reasoning"}], "incomplete_details": {"reason": "max_output_tokens"}});
        assert_eq!(kind(cut), ErrorKind::Empty);
        let failed = json!({"output": [], "error": {"code": "server_error", "message": "oops"}});
        assert_eq!(kind(failed), ErrorKind::Unavailable);
    }
}
