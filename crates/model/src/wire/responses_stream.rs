//! Responses as they come. The last event repeats all of it, so only the text is taken from the others.

use serde::Deserialize;
use serde_json::Value;

use super::{Streamed, garbled, responses};
use crate::failure::{Failure, ProviderError};
use crate::types::{ErrorKind, Reply, Request};

/// What came so far.
#[derive(Debug, Default)]
pub(crate) struct Events {
    /// The whole, once it is there.
    response: Option<Value>,
}

#[derive(Deserialize)]
struct Event {
    #[serde(rename = "type")]
    kind: String,
    delta: Option<Value>,
    response: Option<Value>,
}

impl Streamed for Events {
    fn take(&mut self, data: &str) -> Result<Option<String>, Failure> {
        if data.trim() == "[DONE]" {
            return Ok(None);
        }
        let value = super::json(data.as_bytes())?;
        if value.get("type").is_some_and(|kind| kind == "error") {
            let message = ProviderError::from_json(&value).message;
            let message = message.unwrap_or_else(|| "an error without a message".to_owned());
            return Err(Failure::new(ErrorKind::Unavailable, message));
        }
        let event: Event = serde_json::from_value(value)
            .map_err(|_| garbled("an event is none of a response", data.as_bytes()))?;
        match event.kind.as_str() {
            "response.completed" | "response.incomplete" | "response.failed" => {
                self.response = event.response;
                Ok(None)
            }
            "response.output_text.delta" => {
                let text = event.delta.as_ref().and_then(Value::as_str);
                Ok(text.filter(|text| !text.is_empty()).map(str::to_owned))
            }
            _ => Ok(None),
        }
    }

    fn is_done(&self) -> bool {
        self.response.is_some()
    }

    fn finish(self: Box<Self>, request: &Request, model: &str) -> Result<Reply, Failure> {
        let response = self.response.ok_or_else(super::broke_off)?;
        responses::reply(response.to_string().as_bytes(), request, model)
    }
}
