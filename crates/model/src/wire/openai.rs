//! OpenAI's chat completions, as OpenAI and compatible servers speak them.

use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderValue, InvalidHeaderValue};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Said, Shape, arguments, garbled};
use crate::failure::Failure;
use crate::plain;
use crate::types::{Message, Reply, Request, ToolCall, ToolSpec, Usage};

pub(crate) fn headers(key: Option<&str>) -> Result<HeaderMap, InvalidHeaderValue> {
    let Some(key) = key else {
        return Ok(HeaderMap::new());
    };
    let mut value = HeaderValue::from_str(&format!("Bearer {key}"))?;
    value.set_sensitive(true);
    Ok(HeaderMap::from_iter([(AUTHORIZATION, value)]))
}

/// Whether the model is one of OpenAI's reasoning models, which refuse `max_tokens` and any
/// temperature but their own. A name that is not recognised costs one refused request.
pub(super) fn is_reasoning_model(model: &str) -> bool {
    let name = model.rsplit('/').next().unwrap_or(model);
    let numbered_o = name
        .strip_prefix('o')
        .is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()));
    numbered_o || name.starts_with("gpt-5")
}

pub(crate) fn body(request: &Request, model: &str, shape: Shape) -> Value {
    let request = if request.tools.is_empty() || shape.tools {
        std::borrow::Cow::Borrowed(request)
    } else {
        plain::without_tools(request)
    };
    let system = Some(&request.system).filter(|system| !system.trim().is_empty());
    let system = system.map(|text| json!({"role": "system", "content": text}));
    let messages: Vec<Value> = system
        .into_iter()
        .chain(request.messages.iter().map(message))
        .collect();

    let limit = if shape.max_tokens {
        "max_tokens"
    } else {
        "max_completion_tokens"
    };
    let mut body = json!({"model": model, "messages": messages, limit: request.max_tokens});
    if let Some(temperature) = request.temperature.filter(|_| shape.temperature) {
        body["temperature"] = json!(temperature);
    }
    if !request.tools.is_empty() {
        body["tools"] = request.tools.iter().map(tool).collect();
    }
    body
}

fn message(message: &Message) -> Value {
    match message {
        Message::System(text) => json!({"role": "system", "content": text}),
        Message::User(text) => json!({"role": "user", "content": text}),
        Message::ToolResult { call_id, content } => {
            json!({"role": "tool", "tool_call_id": call_id, "content": content})
        }
        Message::Assistant { text, tool_calls } if tool_calls.is_empty() => {
            json!({"role": "assistant", "content": text})
        }
        Message::Assistant { text, tool_calls } => {
            let content = if text.is_empty() {
                Value::Null
            } else {
                json!(text)
            };
            let calls: Vec<Value> = tool_calls.iter().map(call).collect();
            json!({"role": "assistant", "content": content, "tool_calls": calls})
        }
    }
}

fn call(call: &ToolCall) -> Value {
    let arguments = match &call.arguments {
        Value::String(raw) => raw.clone(),
        parsed => parsed.to_string(),
    };
    json!({"id": call.id, "type": "function", "function": {"name": call.name, "arguments": arguments}})
}

fn tool(tool: &ToolSpec) -> Value {
    let function =
        json!({"name": tool.name, "description": tool.description, "parameters": tool.parameters});
    json!({"type": "function", "function": function})
}

#[derive(Deserialize)]
struct Completion {
    choices: Vec<Choice>,
    usage: Option<Counts>,
}

#[derive(Deserialize)]
struct Choice {
    message: Answer,
    finish_reason: Option<String>,
}

#[derive(Deserialize)]
struct Answer {
    content: Option<Content>,
    refusal: Option<String>,
    tool_calls: Option<Vec<Call>>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Content {
    Text(String),
    Parts(Vec<Part>),
}

#[derive(Deserialize)]
struct Part {
    text: Option<String>,
    refusal: Option<String>,
}

#[derive(Deserialize)]
struct Call {
    id: Option<String>,
    function: Function,
}

#[derive(Deserialize)]
struct Function {
    name: String,
    #[serde(default)]
    arguments: Value,
}

#[derive(Deserialize)]
pub(super) struct Counts {
    prompt_tokens: Option<u64>,
    completion_tokens: Option<u64>,
    prompt_tokens_details: Option<Details>,
    completion_tokens_details: Option<Details>,
}

#[derive(Default, Deserialize)]
struct Details {
    cached_tokens: Option<u64>,
    reasoning_tokens: Option<u64>,
}

/// Reads the body of a 200.
pub(crate) fn reply(body: &[u8], request: &Request, model: &str) -> Result<Reply, Failure> {
    let completion: Completion = serde_json::from_value(super::json(body)?)
        .map_err(|_| garbled("the answer is not a chat completion", body))?;
    let usage = completion.usage.and_then(usage);
    let Some(choice) = completion.choices.into_iter().next() else {
        return Said {
            usage,
            ..Said::default()
        }
        .judge(request, model);
    };
    let filtered = choice.finish_reason.as_deref() == Some("content_filter");
    let (text, refused) = content(choice.message.content);
    let refusal = [choice.message.refusal, refused]
        .into_iter()
        .flatten()
        .find(|text| !text.trim().is_empty());
    Said {
        text,
        tool_calls: choice
            .message
            .tool_calls
            .unwrap_or_default()
            .into_iter()
            .map(read_call)
            .collect(),
        refusal: refusal.or_else(|| {
            filtered.then(|| "the provider's content filter stopped the answer".to_owned())
        }),
        cut: choice.finish_reason.as_deref() == Some("length"),
        usage,
    }
    .judge(request, model)
}

/// The text and the refusal in a message's content.
fn content(content: Option<Content>) -> (String, Option<String>) {
    match content {
        None => (String::new(), None),
        Some(Content::Text(text)) => (text, None),
        Some(Content::Parts(parts)) => {
            let refusal = parts.iter().find_map(|part| part.refusal.clone());
            (
                parts.into_iter().filter_map(|part| part.text).collect(),
                refusal,
            )
        }
    }
}

fn read_call(call: Call) -> ToolCall {
    let arguments = match call.function.arguments {
        Value::String(raw) => arguments(raw),
        Value::Null => json!({}),
        parsed => parsed,
    };
    ToolCall {
        id: call.id.unwrap_or_default(),
        name: call.function.name,
        arguments,
    }
}

pub(super) fn usage(counts: Counts) -> Option<Usage> {
    Some(Usage {
        input_tokens: counts.prompt_tokens?,
        output_tokens: counts.completion_tokens.unwrap_or_default(),
        cached_tokens: counts
            .prompt_tokens_details
            .unwrap_or_default()
            .cached_tokens
            .unwrap_or_default(),
        reasoning_tokens: counts
            .completion_tokens_details
            .unwrap_or_default()
            .reasoning_tokens
            .unwrap_or_default(),
        ..Usage::default()
    })
}
