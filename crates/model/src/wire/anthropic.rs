//! Anthropic's messages.

use reqwest::header::{HeaderMap, HeaderName, HeaderValue, InvalidHeaderValue};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Said, Shape, garbled};
use crate::failure::Failure;
use crate::plain;
use crate::types::{Message, Reply, Request, ToolCall, ToolSpec, Usage};

pub(crate) fn headers(key: Option<&str>) -> Result<HeaderMap, InvalidHeaderValue> {
    let version = (
        HeaderName::from_static("anthropic-version"),
        HeaderValue::from_static("2023-06-01"),
    );
    let mut headers = HeaderMap::from_iter([version]);
    if let Some(key) = key {
        let mut value = HeaderValue::from_str(key)?;
        value.set_sensitive(true);
        headers.insert("x-api-key", value);
    }
    Ok(headers)
}

pub(crate) fn body(request: &Request, model: &str, shape: Shape) -> Value {
    // Tool calls in a conversation without tools are refused.
    let request = if shape.tools {
        std::borrow::Cow::Borrowed(request)
    } else {
        plain::without_tools(request)
    };
    let mut turns = turns(&request.messages);
    let system = system(&request);
    let length = system.len() + request.messages.iter().map(length).sum::<usize>();
    if length >= WORTH_KEEPING {
        keep_last(&mut turns);
    }
    let mut body = json!({
        "model": model,
        "max_tokens": request.max_tokens,
        "messages": turns,
    });
    if system.len() >= WORTH_KEEPING {
        body["system"] = json!([kept(text(&system))]);
    } else if !system.is_empty() {
        body["system"] = json!(system);
    }
    // This API ends at 1, where OpenAI's ends at 2.
    if let Some(temperature) = request.temperature.filter(|_| shape.temperature) {
        body["temperature"] = json!(temperature.min(1.0));
    }
    if !request.tools.is_empty() {
        body["tools"] = request.tools.iter().map(tool).collect();
    }
    body
}

/// The system prompt with the conversation's system messages after it: this API knows no other
/// place for them.
fn system(request: &Request) -> String {
    let within = request.messages.iter().filter_map(|message| match message {
        Message::System(text) => Some(text.as_str()),
        _ => None,
    });
    let texts = std::iter::once(request.system.as_str()).chain(within);
    texts
        .filter(|text| !text.trim().is_empty())
        .collect::<Vec<_>>()
        .join("\n\n")
}

/// The conversation as turns that alternate and begin with the user, as this API wants them.
/// Results of one round of tool calls thereby share a turn, which is required too.
fn turns(messages: &[Message]) -> Vec<Value> {
    let mut turns: Vec<(&str, Vec<Value>)> = Vec::new();
    for message in messages {
        let (role, blocks) = blocks(message);
        if blocks.is_empty() {
            continue;
        }
        match turns.last_mut() {
            Some((last, content)) if *last == role => content.extend(blocks),
            _ => turns.push((role, blocks)),
        }
    }
    if turns.first().is_none_or(|(role, _)| *role != "user") {
        turns.insert(0, ("user", vec![text("(The conversation so far.)")]));
    }
    turns
        .into_iter()
        .map(|(role, content)| json!({"role": role, "content": content}))
        .collect()
}

/// Blank text is refused, so it makes no block.
fn blocks(message: &Message) -> (&'static str, Vec<Value>) {
    let said = |words: &str| Some(text(words)).filter(|_| !words.trim().is_empty());
    match message {
        Message::System(_) => ("user", Vec::new()),
        Message::User(words) => ("user", said(words).into_iter().collect()),
        Message::Assistant { text, tool_calls } => (
            "assistant",
            said(text)
                .into_iter()
                .chain(tool_calls.iter().map(call))
                .collect(),
        ),
        Message::ToolResult { call_id, content } => (
            "user",
            vec![json!({"type": "tool_result", "tool_use_id": call_id, "content": content})],
        ),
    }
}

fn text(words: &str) -> Value {
    json!({"type": "text", "text": words})
}

/// The shortest prompt that the provider keeps is 1,024 tokens, about so many bytes.
const WORTH_KEEPING: usize = 4096;

/// Asks the provider to remember everything up to the end of this block: a turn's next call of the model
/// begins with the same tools, the same system prompt and the same conversation. Both ends are marked, so
/// that another turn of the agent finds the prompt even if its conversation is another.
fn kept(mut block: Value) -> Value {
    block["cache_control"] = json!({"type": "ephemeral"});
    block
}

fn keep_last(turns: &mut [Value]) {
    let last = turns.last_mut();
    let blocks = last.and_then(|turn| turn.get_mut("content")?.as_array_mut());
    if let Some(block) = blocks.and_then(|blocks| blocks.last_mut()) {
        *block = kept(block.take());
    }
}

fn length(message: &Message) -> usize {
    match message {
        Message::System(text) | Message::User(text) => text.len(),
        Message::Assistant { text, .. } => text.len(),
        Message::ToolResult { content, .. } => content.len(),
    }
}

fn call(call: &ToolCall) -> Value {
    // The input must be an object; text that never was one is kept for the model to see.
    let input = match &call.arguments {
        object @ Value::Object(_) => object.clone(),
        other => json!({"not_an_object": other}),
    };
    json!({"type": "tool_use", "id": call.id, "name": call.name, "input": input})
}

fn tool(tool: &ToolSpec) -> Value {
    json!({"name": tool.name, "description": tool.description, "input_schema": tool.parameters})
}

#[derive(Deserialize)]
struct Answer {
    content: Vec<Block>,
    stop_reason: Option<String>,
    usage: Option<Counts>,
}

#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Block {
    Text {
        text: String,
    },
    ToolUse {
        #[serde(default)]
        id: String,
        name: String,
        #[serde(default)]
        input: Value,
    },
    /// Thinking, and whatever comes next.
    #[serde(other)]
    Other,
}

#[derive(Debug, Default, Deserialize)]
pub(super) struct Counts {
    pub(super) input_tokens: Option<u64>,
    pub(super) output_tokens: Option<u64>,
    pub(super) cache_creation_input_tokens: Option<u64>,
    pub(super) cache_read_input_tokens: Option<u64>,
}

/// Reads the body of a 200.
pub(crate) fn reply(body: &[u8], request: &Request, model: &str) -> Result<Reply, Failure> {
    let answer: Answer = serde_json::from_value(super::json(body)?)
        .map_err(|_| garbled("the answer is not a message", body))?;
    let mut said = Said {
        cut: was_cut(answer.stop_reason.as_deref()),
        usage: answer.usage.as_ref().and_then(usage),
        ..Said::default()
    };
    for block in answer.content {
        match block {
            Block::Text { text } => said.text.push_str(&text),
            Block::ToolUse { id, name, input } => {
                let arguments = if input.is_null() { json!({}) } else { input };
                said.tool_calls.push(ToolCall {
                    id,
                    name,
                    arguments,
                });
            }
            Block::Other => {}
        }
    }
    said.refusal = refusal(answer.stop_reason.as_deref(), &said.text);
    said.judge(request, model)
}

pub(super) fn was_cut(stop_reason: Option<&str>) -> bool {
    matches!(
        stop_reason,
        Some("max_tokens" | "model_context_window_exceeded")
    )
}

/// Why it declined, if it did.
pub(super) fn refusal(stop_reason: Option<&str>, text: &str) -> Option<String> {
    let words = if text.trim().is_empty() {
        "it gave no reason"
    } else {
        text
    };
    (stop_reason == Some("refusal")).then(|| words.to_owned())
}

/// This API counts tokens that touch its cache apart from the others; we count them as input.
pub(super) fn usage(counts: &Counts) -> Option<Usage> {
    let cached = counts.cache_read_input_tokens.unwrap_or_default();
    let written = counts.cache_creation_input_tokens.unwrap_or_default();
    Some(Usage {
        input_tokens: counts
            .input_tokens?
            .saturating_add(cached)
            .saturating_add(written),
        output_tokens: counts.output_tokens.unwrap_or_default(),
        cached_tokens: cached,
        cache_write_tokens: written,
        reasoning_tokens: 0,
    })
}
