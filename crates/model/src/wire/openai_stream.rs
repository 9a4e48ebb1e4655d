//! Chat completions as they come.

use serde::Deserialize;

use super::openai::{Counts, usage};
use super::{Partial, Said, Streamed, garbled};
use crate::failure::Failure;
use crate::types::{Reply, Request};

/// What came so far.
#[derive(Debug, Default)]
pub(crate) struct Chunks {
    said: Said,
    calls: Vec<Partial>,
    finished: bool,
    /// Nothing comes after it.
    done: bool,
}

#[derive(Deserialize)]
struct Chunk {
    #[serde(default)]
    choices: Vec<Choice>,
    usage: Option<Counts>,
}

#[derive(Deserialize)]
struct Choice {
    #[serde(default)]
    index: u32,
    #[serde(default)]
    delta: Option<Delta>,
    finish_reason: Option<String>,
}

#[derive(Deserialize)]
struct Delta {
    content: Option<String>,
    refusal: Option<String>,
    tool_calls: Option<Vec<CallDelta>>,
}

#[derive(Deserialize)]
struct CallDelta {
    index: Option<u64>,
    id: Option<String>,
    function: Option<FunctionDelta>,
}

#[derive(Deserialize)]
struct FunctionDelta {
    name: Option<String>,
    arguments: Option<String>,
}

impl Streamed for Chunks {
    fn take(&mut self, data: &str) -> Result<Option<String>, Failure> {
        if data.trim() == "[DONE]" {
            self.done = true;
            return Ok(None);
        }
        let chunk: Chunk = serde_json::from_value(super::json(data.as_bytes())?)
            .map_err(|_| garbled("a chunk is none of a chat completion", data.as_bytes()))?;
        if let Some(counted) = chunk.usage.and_then(usage) {
            self.said.usage = Some(counted);
        }
        // One answer was asked for.
        let Some(choice) = chunk.choices.into_iter().find(|it| it.index == 0) else {
            return Ok(None);
        };
        match choice.finish_reason.as_deref() {
            None | Some("") => {}
            Some(reason) => {
                self.finished = true;
                self.said.cut = reason == "length";
                if reason == "content_filter" {
                    let words = "the provider's content filter stopped the answer";
                    self.said.refusal.get_or_insert_with(|| words.to_owned());
                }
            }
        }
        let Some(delta) = choice.delta else {
            return Ok(None);
        };
        if let Some(words) = delta.refusal.filter(|words| !words.is_empty()) {
            self.said.refusal.get_or_insert_default().push_str(&words);
        }
        for call in delta.tool_calls.unwrap_or_default() {
            self.add(call);
        }
        let text = delta.content.filter(|text| !text.is_empty());
        if let Some(text) = &text {
            self.said.text.push_str(text);
        }
        Ok(text)
    }

    fn is_done(&self) -> bool {
        self.done
    }

    fn finish(self: Box<Self>, request: &Request, model: &str) -> Result<Reply, Failure> {
        if !self.done && !self.finished {
            return Err(super::broke_off());
        }
        let mut said = self.said;
        said.tool_calls = self.calls.into_iter().map(Partial::whole).collect();
        said.judge(request, model)
    }
}

impl Chunks {
    /// Puts a piece to its call. Servers that do not number calls send each whole, or with a new id.
    fn add(&mut self, piece: CallDelta) {
        let id = piece.id.filter(|id| !id.is_empty());
        let place = match (piece.index, &id) {
            (Some(index), _) => self.calls.iter().position(|it| it.index == Some(index)),
            (None, Some(id)) => self.calls.iter().position(|it| it.id == *id),
            (None, None) => self.calls.len().checked_sub(1),
        };
        let place = place.unwrap_or_else(|| {
            self.calls.push(Partial {
                index: piece.index,
                ..Partial::default()
            });
            self.calls.len() - 1
        });
        let Some(call) = self.calls.get_mut(place) else {
            return;
        };
        if let Some(id) = id {
            call.id = id;
        }
        if let Some(function) = piece.function {
            // Some servers repeat the name with every piece.
            if let Some(name) = function.name.filter(|name| !name.is_empty()) {
                call.name = name;
            }
            call.arguments
                .push_str(&function.arguments.unwrap_or_default());
        }
    }
}
