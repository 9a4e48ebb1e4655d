//! The steps of a script.

use std::time::Duration;

use serde_json::Value;

/// What to do with one request.
#[derive(Debug, Clone)]
pub enum Step {
    /// Says this.
    Text(String),
    /// Says the last user message.
    Echo,
    /// Calls these tools: name and arguments. Arguments that are a JSON string go out as they are,
    /// so they need not be JSON themselves.
    Tools(Vec<(String, Value)>),
    /// Says something and calls tools.
    TextAndTools(String, Vec<(String, Value)>),
    /// Answers with an error status. A body of null becomes the provider's usual error object.
    Status {
        code: u16,
        retry_after: Option<u64>,
        body: Value,
    },
    /// 200 with neither text nor tool calls.
    Empty,
    /// Declines, with these words.
    Refusal(String),
    /// 200 with a body that is not JSON.
    Garbage,
    /// 200 with exactly this body.
    Json(Value),
    /// Sends the headers and a part of the body, and the rest only after [`release`](super::StubModel::release).
    Stall,
    /// Streams this text as far as its first so many words, and then something happens. An answer that is not
    /// streamed is whole.
    Cut {
        text: String,
        words: usize,
        then: Cut,
    },
    /// Accepts the request and answers it only after [`release`](super::StubModel::release).
    Hang,
    /// Takes this step after a while.
    Delay(Duration, Box<Step>),
}

/// What happens in the middle of a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cut {
    /// The rest comes only after [`release`](super::StubModel::release).
    Stall,
    /// The connection breaks: at once, or where there were words, after [`release`](super::StubModel::release).
    Drop,
    /// The body ends as if that were all.
    End,
    /// Something comes that is not JSON.
    Garbage,
    /// An error in the provider's form.
    Error,
}

impl Step {
    /// A stream of `text` that does not get past its first so many words.
    #[must_use]
    pub fn cut(text: impl Into<String>, words: usize, then: Cut) -> Self {
        Self::Cut {
            text: text.into(),
            words,
            then,
        }
    }

    #[must_use]
    pub fn text(text: impl Into<String>) -> Self {
        Self::Text(text.into())
    }

    /// One call of one tool.
    #[must_use]
    pub fn tool(name: impl Into<String>, arguments: Value) -> Self {
        Self::Tools(vec![(name.into(), arguments)])
    }

    /// An error status with the provider's usual error object.
    #[must_use]
    pub fn status(code: u16) -> Self {
        Self::Status {
            code,
            retry_after: None,
            body: Value::Null,
        }
    }

    /// 429 with a `Retry-After` in seconds.
    #[must_use]
    pub fn rate_limited(retry_after: u64) -> Self {
        Self::Status {
            code: 429,
            retry_after: Some(retry_after),
            body: Value::Null,
        }
    }
}
