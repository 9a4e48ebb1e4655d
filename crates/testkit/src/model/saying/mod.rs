//! An answer in each wire format, whole and as a stream.

mod responses;

use serde_json::{Value, json};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    OpenAi,
    Responses,
    Anthropic,
}

impl Format {
    /// The format spoken on a route; none for routes that no provider has.
    pub(super) fn of_route(path: &str) -> Option<Self> {
        match path {
            "/v1/chat/completions" | "/chat/completions" => Some(Self::OpenAi),
            "/v1/responses" | "/responses" => Some(Self::Responses),
            "/v1/messages" | "/messages" => Some(Self::Anthropic),
            _ => None,
        }
    }
}

/// An answer before it is put into a format.
pub(super) struct Saying {
    pub(super) id: u64,
    pub(super) model: String,
    pub(super) text: Option<String>,
    pub(super) refusal: Option<String>,
    /// Number, name and arguments of each call.
    pub(super) tools: Vec<(u64, String, Value)>,
    pub(super) prompt_tokens: u64,
    pub(super) completion_tokens: u64,
}

impl Saying {
    pub(super) fn whole(&self, format: Format) -> Value {
        match format {
            Format::OpenAi => self.completion(),
            Format::Responses => self.response(),
            Format::Anthropic => self.message(),
        }
    }

    pub(super) fn events(&self, format: Format) -> Vec<String> {
        match format {
            Format::OpenAi => self.chunks(),
            Format::Responses => self.response_events(),
            Format::Anthropic => self.message_events(),
        }
    }

    /// Text in pieces, cut at spaces, as streams bring it.
    fn pieces(text: &str) -> impl Iterator<Item = &str> {
        text.split_inclusive(' ')
    }

    // OpenAI

    fn completion(&self) -> Value {
        let mut message =
            json!({"role": "assistant", "content": self.text, "refusal": self.refusal});
        if !self.tools.is_empty() {
            message["tool_calls"] = self.tools.iter().map(openai_call).collect();
        }
        json!({
            "id": format!("chatcmpl-{}", self.id),
            "object": "chat.completion",
            "created": 1_700_000_000,
            "model": self.model,
            "choices": [{"index": 0, "message": message, "logprobs": null, "finish_reason": self.finish_reason()}],
            "usage": self.openai_usage(),
        })
    }

    fn finish_reason(&self) -> &'static str {
        if self.tools.is_empty() {
            "stop"
        } else {
            "tool_calls"
        }
    }

    fn openai_usage(&self) -> Value {
        json!({
            "prompt_tokens": self.prompt_tokens,
            "completion_tokens": self.completion_tokens,
            "total_tokens": self.prompt_tokens + self.completion_tokens,
            "prompt_tokens_details": {"cached_tokens": 0},
            "completion_tokens_details": {"reasoning_tokens": 0},
        })
    }

    fn chunks(&self) -> Vec<String> {
        let chunk = |choices: Value, usage: Value| {
            let chunk = json!({
                "id": format!("chatcmpl-{}", self.id),
                "object": "chat.completion.chunk",
                "created": 1_700_000_000,
                "model": self.model,
                "choices": choices,
                "usage": usage,
            });
            format!("data: {chunk}\n\n")
        };
        let delta = |delta: Value| {
            chunk(
                json!([{"index": 0, "delta": delta, "finish_reason": null}]),
                Value::Null,
            )
        };

        let mut chunks = vec![delta(json!({"role": "assistant", "content": ""}))];
        let text = self.text.as_deref().unwrap_or_default();
        chunks.extend(Self::pieces(text).map(|piece| delta(json!({"content": piece}))));
        chunks.extend(
            self.refusal
                .iter()
                .map(|words| delta(json!({"refusal": words}))),
        );
        for (index, call) in self.tools.iter().enumerate() {
            let mut call = openai_call(call);
            call["index"] = json!(index);
            let arguments = call["function"]["arguments"].take();
            call["function"]["arguments"] = json!("");
            chunks.push(delta(json!({"tool_calls": [call]})));
            chunks.push(delta(
                json!({"tool_calls": [{"index": index, "function": {"arguments": arguments}}]}),
            ));
        }
        let end = json!([{"index": 0, "delta": {}, "finish_reason": self.finish_reason()}]);
        chunks.push(chunk(end, Value::Null));
        chunks.push(chunk(json!([]), self.openai_usage()));
        chunks.push("data: [DONE]\n\n".to_owned());
        chunks
    }

    // Anthropic

    fn message(&self) -> Value {
        json!({
            "id": format!("msg_{}", self.id),
            "type": "message",
            "role": "assistant",
            "model": self.model,
            "content": self.blocks(),
            "stop_reason": self.stop_reason(),
            "stop_sequence": null,
            "usage": {
                "input_tokens": self.prompt_tokens,
                "cache_creation_input_tokens": 0,
                "cache_read_input_tokens": 0,
                "output_tokens": self.completion_tokens,
            },
        })
    }

    fn stop_reason(&self) -> &'static str {
        match (&self.refusal, self.tools.is_empty()) {
            (Some(_), _) => "refusal",
            (None, false) => "tool_use",
            (None, true) => "end_turn",
        }
    }

    fn blocks(&self) -> Vec<Value> {
        let words = self
            .text
            .iter()
            .chain(&self.refusal)
            .map(|text| json!({"type": "text", "text": text}));
        let calls = self.tools.iter().map(|(number, name, arguments)| {
            json!({"type": "tool_use", "id": format!("toolu_{number}"), "name": name, "input": arguments})
        });
        words.chain(calls).collect()
    }

    fn message_events(&self) -> Vec<String> {
        let event = |body: Value| {
            format!(
                "event: {}\ndata: {body}\n\n",
                body["type"].as_str().unwrap_or_default()
            )
        };
        let mut start = self.message();
        start["content"] = json!([]);
        start["stop_reason"] = Value::Null;
        start["usage"]["output_tokens"] = json!(1);

        let mut events = vec![event(json!({"type": "message_start", "message": start}))];
        for (index, mut block) in self.blocks().into_iter().enumerate() {
            let deltas: Vec<Value> = match block["text"].take() {
                Value::String(text) => {
                    block["text"] = json!("");
                    Self::pieces(&text)
                        .map(|piece| json!({"type": "text_delta", "text": piece}))
                        .collect()
                }
                _ => {
                    block.as_object_mut().unwrap().remove("text");
                    let input = std::mem::replace(&mut block["input"], json!({}));
                    vec![json!({"type": "input_json_delta", "partial_json": raw(&input)})]
                }
            };
            events.push(event(
                json!({"type": "content_block_start", "index": index, "content_block": block}),
            ));
            let deltas = deltas.into_iter();
            events.extend(deltas.map(|delta| {
                event(json!({"type": "content_block_delta", "index": index, "delta": delta}))
            }));
            events.push(event(json!({"type": "content_block_stop", "index": index})));
        }
        let delta = json!({"stop_reason": self.stop_reason(), "stop_sequence": null});
        let usage = json!({"output_tokens": self.completion_tokens});
        events.push(event(
            json!({"type": "message_delta", "delta": delta, "usage": usage}),
        ));
        events.push(event(json!({"type": "message_stop"})));
        events
    }
}

fn openai_call((number, name, arguments): &(u64, String, Value)) -> Value {
    let function = json!({"name": name, "arguments": raw(arguments)});
    json!({"id": format!("call_{number}"), "type": "function", "function": function})
}

/// Arguments as text: JSON, or a string as it is.
fn raw(arguments: &Value) -> String {
    arguments
        .as_str()
        .map_or_else(|| arguments.to_string(), str::to_owned)
}
