//! Messages as they come.

use serde::Deserialize;
use serde_json::Value;

use super::anthropic::{Counts, refusal, usage, was_cut};
use super::{Partial, Said, Streamed, garbled};
use crate::failure::Failure;
use crate::types::{Reply, Request};

/// What came so far.
#[derive(Debug, Default)]
pub(crate) struct Events {
    said: Said,
    calls: Vec<Partial>,
    counts: Counts,
    stop_reason: Option<String>,
    /// Nothing comes after it.
    done: bool,
}

#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Event {
    MessageStart {
        message: Start,
    },
    ContentBlockStart {
        index: u64,
        content_block: Block,
    },
    ContentBlockDelta {
        index: u64,
        delta: Delta,
    },
    MessageDelta {
        delta: End,
        usage: Option<Counts>,
    },
    MessageStop,
    /// A ping, and whatever comes next.
    #[serde(other)]
    Other,
}

#[derive(Deserialize)]
struct Start {
    usage: Option<Counts>,
}

#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Block {
    Text {
        #[serde(default)]
        text: String,
    },
    ToolUse {
        #[serde(default)]
        id: String,
        name: String,
        #[serde(default)]
        input: Value,
    },
    #[serde(other)]
    Other,
}

#[derive(Deserialize)]
#[serde(tag = "type")]
enum Delta {
    #[serde(rename = "text_delta")]
    Text { text: String },
    #[serde(rename = "input_json_delta")]
    Json { partial_json: String },
    #[serde(other)]
    Other,
}

#[derive(Deserialize)]
struct End {
    stop_reason: Option<String>,
}

impl Streamed for Events {
    fn take(&mut self, data: &str) -> Result<Option<String>, Failure> {
        let event: Event = serde_json::from_value(super::json(data.as_bytes())?)
            .map_err(|_| garbled("an event is none of a message", data.as_bytes()))?;
        let text = match event {
            Event::MessageStart { message } => {
                self.count(message.usage);
                None
            }
            Event::ContentBlockStart {
                content_block: Block::Text { text },
                ..
            } => Some(text),
            Event::ContentBlockStart {
                index,
                content_block: Block::ToolUse { id, name, input },
            } => {
                let whole = input.as_object().filter(|input| !input.is_empty());
                self.calls.push(Partial {
                    index: Some(index),
                    id,
                    name,
                    arguments: whole.map(|_| input.to_string()).unwrap_or_default(),
                });
                None
            }
            Event::ContentBlockDelta {
                delta: Delta::Text { text },
                ..
            } => Some(text),
            Event::ContentBlockDelta {
                index,
                delta: Delta::Json { partial_json },
            } => {
                let call = self.calls.iter_mut().find(|it| it.index == Some(index));
                if let Some(call) = call {
                    call.arguments.push_str(&partial_json);
                }
                None
            }
            Event::MessageDelta { delta, usage } => {
                self.count(usage);
                self.stop_reason = delta.stop_reason.or(self.stop_reason.take());
                None
            }
            Event::MessageStop => {
                self.done = true;
                None
            }
            Event::ContentBlockStart { .. } | Event::ContentBlockDelta { .. } | Event::Other => {
                None
            }
        };
        let text = text.filter(|text| !text.is_empty());
        if let Some(text) = &text {
            self.said.text.push_str(text);
        }
        Ok(text)
    }

    fn is_done(&self) -> bool {
        self.done
    }

    fn finish(self: Box<Self>, request: &Request, model: &str) -> Result<Reply, Failure> {
        if !self.done && self.stop_reason.is_none() {
            return Err(super::broke_off());
        }
        let mut said = self.said;
        said.usage = usage(&self.counts);
        said.cut = was_cut(self.stop_reason.as_deref());
        said.refusal = refusal(self.stop_reason.as_deref(), &said.text);
        said.tool_calls = self.calls.into_iter().map(Partial::whole).collect();
        said.judge(request, model)
    }
}

impl Events {
    /// Later counts stand in for earlier ones, where they are given.
    fn count(&mut self, new: Option<Counts>) {
        let Some(new) = new else { return };
        let known = &mut self.counts;
        for (known, new) in [
            (&mut known.input_tokens, new.input_tokens),
            (&mut known.output_tokens, new.output_tokens),
            (
                &mut known.cache_creation_input_tokens,
                new.cache_creation_input_tokens,
            ),
            (
                &mut known.cache_read_input_tokens,
                new.cache_read_input_tokens,
            ),
        ] {
            if new.is_some() {
                *known = new;
            }
        }
    }
}
