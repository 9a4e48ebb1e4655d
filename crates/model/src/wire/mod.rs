//! The wire formats: what a [`Request`] looks like as JSON, and what a body says.
//!
//! Each format is a file with three functions, `headers`, `body` and `reply`, and one more file for how it
//! streams ([`Streamed`]); nothing else in the crate knows a provider's words. Bodies are read leniently: what a compatible server leaves out
//! or adds is no reason to lose an answer that is there.

pub(crate) mod anthropic;
pub(crate) mod anthropic_stream;
pub(crate) mod openai;
pub(crate) mod openai_stream;
pub(crate) mod responses;
pub(crate) mod responses_stream;

use std::collections::HashSet;

use serde_json::Value;

use crate::failure::{Failure, Feature, ProviderError};
use crate::types::{ErrorKind, Message, Reply, Request, Stop, ToolCall, Usage};

/// Which optional parts a request has. A model that refuses one is asked again without it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Shape {
    pub(crate) tools: bool,
    pub(crate) temperature: bool,
    /// Whether the completion limit has its old name, `max_tokens`, which compatible servers know.
    pub(crate) max_tokens: bool,
    /// Whether a stream is asked to end with what it used.
    pub(crate) stream_usage: bool,
}

impl Shape {
    /// Everything the request has. OpenAI's reasoning models are known to refuse two parts.
    pub(crate) fn of(request: &Request, model: &str) -> Self {
        let reasoning = openai::is_reasoning_model(model);
        Self {
            tools: !request.tools.is_empty(),
            temperature: !reasoning,
            max_tokens: !reasoning,
            stream_usage: true,
        }
    }

    /// Leaves out `feature`; false when it was left out already, so that nothing is asked twice.
    pub(crate) fn leave_out(&mut self, feature: Feature) -> bool {
        let part = match feature {
            Feature::Tools => &mut self.tools,
            Feature::Temperature => &mut self.temperature,
            Feature::MaxTokens => &mut self.max_tokens,
            Feature::StreamUsage => &mut self.stream_usage,
        };
        std::mem::take(part)
    }
}

/// What a body said, before it is judged.
#[derive(Debug, Default)]
struct Said {
    text: String,
    tool_calls: Vec<ToolCall>,
    /// The model's or the filter's words for why it declined.
    refusal: Option<String>,
    /// It ran into the completion limit.
    cut: bool,
    /// `None` when the server does not count.
    usage: Option<Usage>,
}

impl Said {
    /// Turns what was said into a reply, or into the failure that it really is.
    fn judge(self, request: &Request, model: &str) -> Result<Reply, Failure> {
        if let Some(refusal) = self.refusal {
            return Err(Failure::new(ErrorKind::Refused, refusal));
        }
        if self.text.trim().is_empty() && self.tool_calls.is_empty() {
            let why = if self.cut {
                "it used up all its tokens before saying anything"
            } else {
                "neither text nor a tool call"
            };
            return Err(Failure::new(ErrorKind::Empty, format!("{model}: {why}")));
        }
        let stop = match (self.cut, self.tool_calls.is_empty()) {
            (true, _) => Stop::Length,
            (false, false) => Stop::ToolCalls,
            (false, true) => Stop::End,
        };
        let usage = self
            .usage
            .unwrap_or_else(|| estimate(request, &self.text, &self.tool_calls));
        let tool_calls = with_unique_ids(self.tool_calls, request);
        Ok(Reply {
            text: self.text,
            tool_calls,
            stop,
            usage,
            model: model.to_owned(),
        })
    }
}

/// An answer that comes in pieces.
pub(crate) trait Streamed: Send {
    /// Takes the data of one event, and gives the text in it.
    fn take(&mut self, data: &str) -> Result<Option<String>, Failure>;

    /// Whether the answer is complete, whatever else the connection does.
    fn is_done(&self) -> bool;

    /// What was said in all.
    fn finish(self: Box<Self>, request: &Request, model: &str) -> Result<Reply, Failure>;
}

/// A call of a tool that comes in pieces.
#[derive(Debug, Default)]
struct Partial {
    /// Which call it is, where the provider counts.
    index: Option<u64>,
    id: String,
    name: String,
    /// JSON, as far as it came.
    arguments: String,
}

impl Partial {
    fn whole(self) -> ToolCall {
        ToolCall {
            id: self.id,
            name: self.name,
            arguments: arguments(self.arguments),
        }
    }
}

/// A stream that ended without saying so.
fn broke_off() -> Failure {
    let message = "the provider ended the connection in the middle of its answer";
    Failure::new(ErrorKind::Unavailable, message)
}

/// Counts tokens as a quarter of the characters, rounded up.
pub(crate) fn estimate(request: &Request, text: &str, tool_calls: &[ToolCall]) -> Usage {
    let said = |text: &str, calls: &[ToolCall]| {
        text.chars().count()
            + calls
                .iter()
                .map(|call| call.name.len() + json_length(&call.arguments))
                .sum::<usize>()
    };
    let messages = request.messages.iter().map(|message| match message {
        Message::System(text) | Message::User(text) => text.chars().count(),
        Message::Assistant { text, tool_calls } => said(text, tool_calls),
        Message::ToolResult { content, .. } => content.chars().count(),
    });
    let tools = request.tools.iter().map(|tool| {
        tool.name.len() + tool.description.chars().count() + json_length(&tool.parameters)
    });
    let input = request.system.chars().count() + messages.sum::<usize>() + tools.sum::<usize>();
    let tokens = |characters: usize| characters.div_ceil(4) as u64;
    Usage {
        input_tokens: tokens(input),
        output_tokens: tokens(said(text, tool_calls)),
        ..Usage::default()
    }
}

fn json_length(value: &Value) -> usize {
    value.to_string().chars().count()
}

/// Gives calls without an id, or with one that the reply or the conversation already has, an id of
/// their own: results are matched to calls by it, and some servers count from 0 in every reply.
fn with_unique_ids(mut calls: Vec<ToolCall>, request: &Request) -> Vec<ToolCall> {
    let mut taken: HashSet<String> = request
        .messages
        .iter()
        .flat_map(Message::tool_calls)
        .map(|call| call.id.clone())
        .collect();
    let earlier = taken.len();
    for (index, call) in calls.iter_mut().enumerate() {
        let number = earlier + index;
        if call.id.trim().is_empty() {
            call.id = format!("call_{number}");
        }
        while !taken.insert(call.id.clone()) {
            call.id.push_str(&format!("_{number}"));
        }
    }
    calls
}

/// The arguments of a call as the caller gets them: parsed, or the raw text when it is not JSON.
fn arguments(raw: String) -> Value {
    if raw.trim().is_empty() {
        return Value::Object(serde_json::Map::new());
    }
    serde_json::from_str(&raw).unwrap_or(Value::String(raw))
}

/// Reads a 200's body as JSON. Some gateways answer 200 with an `error` inside; that is one.
fn json(body: &[u8]) -> Result<Value, Failure> {
    let body: Value =
        serde_json::from_slice(body).map_err(|_| garbled("the answer is not JSON", body))?;
    let error = body.get("error").filter(|error| !error.is_null());
    if error.is_none() {
        return Ok(body);
    }
    let status = error
        .and_then(|error| error.get("code"))
        .and_then(Value::as_u64);
    let status =
        status.and_then(|code| reqwest::StatusCode::from_u16(u16::try_from(code).ok()?).ok());
    Err(
        match status.filter(|status| status.is_client_error() || status.is_server_error()) {
            Some(status) => Failure::from_status(status, None, body.to_string().as_bytes()),
            None => {
                let message = ProviderError::from_json(&body)
                    .message
                    .unwrap_or_else(|| "an error without a message".to_owned());
                Failure::new(ErrorKind::Unavailable, message)
            }
        },
    )
}

fn garbled(what: &str, body: &[u8]) -> Failure {
    // More than a message shows, so that the end of this piece is never seen.
    let start = String::from_utf8_lossy(&body[..body.len().min(4096)]);
    Failure::new(
        ErrorKind::Garbled,
        format!("{what}; it begins with: {start}"),
    )
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn request(messages: Vec<Message>) -> Request {
        Request {
            model: "m".to_owned(),
            system: "12345".to_owned(),
            messages,
            tools: [].into(),
            temperature: None,
            max_tokens: 100,
        }
    }

    #[test]
    fn what_a_server_does_not_count_is_estimated() {
        let said = Said {
            text: "12345".to_owned(),
            ..Said::default()
        };
        let reply = said
            .judge(&request(vec![Message::User("1234".to_owned())]), "m")
            .unwrap();
        assert_eq!(
            reply.usage,
            Usage {
                input_tokens: 3,
                output_tokens: 2,
                ..Usage::default()
            }
        );
    }

    #[test]
    fn arguments_are_parsed_or_handed_on_as_they_are() {
        let parsed = |raw: &str| arguments(raw.to_owned());
        assert_eq!(parsed(r#"{"a": 1}"#), json!({"a": 1}));
        assert_eq!(parsed(""), json!({}));
        assert_eq!(parsed("{broken"), json!("{broken"));
    }

    #[test]
    fn call_ids_are_unique_even_if_the_provider_repeats_or_forgets_them() {
        let call = |id: &str| ToolCall {
            id: id.to_owned(),
            name: "t".to_owned(),
            arguments: json!({}),
        };
        let unique = |ids: &[&str], earlier: &[&str]| {
            let tool_calls = earlier.iter().copied().map(call).collect();
            let request = request(vec![Message::Assistant {
                text: String::new(),
                tool_calls,
            }]);
            let calls = with_unique_ids(ids.iter().copied().map(call).collect(), &request);
            calls.into_iter().map(|call| call.id).collect::<Vec<_>>()
        };
        assert_eq!(
            unique(&["", "a", "a", "call_0", "a_2", ""], &[]),
            ["call_0", "a", "a_2", "call_0_3", "a_2_4", "call_5"]
        );
        assert_eq!(unique(&["", "a"], &["a", "call_2"]), ["call_2_2", "a_3"]);
    }

    #[test]
    fn a_part_is_left_out_only_once() {
        let mut shape = Shape {
            tools: true,
            temperature: true,
            max_tokens: true,
            stream_usage: true,
        };
        assert!(shape.leave_out(Feature::Tools));
        assert!(!shape.leave_out(Feature::Tools));
        assert_eq!(
            shape,
            Shape {
                tools: false,
                temperature: true,
                max_tokens: true,
                stream_usage: true
            }
        );
    }

    #[test]
    fn an_error_inside_a_200_is_an_error() {
        let limited = json(br#"{"error": {"message": "slow down", "code": 429}}"#).unwrap_err();
        assert_eq!(
            (limited.kind, limited.message.as_str()),
            (ErrorKind::RateLimited, "HTTP 429: slow down")
        );
        let vague = json(br#"{"error": {"message": "oops"}}"#).unwrap_err();
        assert_eq!(
            (vague.kind, vague.message.as_str()),
            (ErrorKind::Unavailable, "oops")
        );
        assert!(json(br#"{"error": null, "choices": []}"#).is_ok());
    }
}
