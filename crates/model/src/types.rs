//! What goes to a model and what comes back.

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;

/// One call to a model.
#[derive(Debug, Clone)]
pub struct Request {
    /// Model name without its provider prefix, as the provider spells it; empty means the client's
    /// default model.
    pub model: String,
    /// The system prompt; empty means none.
    pub system: String,
    /// The conversation, oldest first. The last one is a user message or tool results.
    pub messages: Vec<Message>,
    /// Function tools the model may call; empty means none are offered. Shared: a crew's turns offer much
    /// the same ones.
    pub tools: Arc<[ToolSpec]>,
    /// Sampling temperature; `None` leaves the provider's default.
    pub temperature: Option<f64>,
    /// Upper bound on completion tokens. Always sent, so that a call's worst case has a price.
    pub max_tokens: u32,
}

/// One entry of a conversation.
#[derive(Debug, Clone, PartialEq)]
pub enum Message {
    System(String),
    User(String),
    /// What the model said: text (may be empty when it only calls tools) and the calls it asked for.
    Assistant {
        text: String,
        tool_calls: Vec<ToolCall>,
    },
    /// The result of one tool call, as text (JSON for structured results).
    ToolResult {
        call_id: String,
        content: String,
    },
}

impl Message {
    /// The calls this message asks for; none unless the model wrote it.
    #[must_use]
    pub fn tool_calls(&self) -> &[ToolCall] {
        match self {
            Self::Assistant { tool_calls, .. } => tool_calls,
            Self::System(_) | Self::User(_) | Self::ToolResult { .. } => &[],
        }
    }
}

/// A function the model may call.
#[derive(Debug, Clone, PartialEq)]
pub struct ToolSpec {
    /// `[a-zA-Z0-9_-]{1,64}`, the character set that every provider accepts.
    pub name: String,
    pub description: String,
    /// JSON Schema of the arguments; its type is `object`.
    pub parameters: Schema,
}

/// A JSON Schema, shared by whoever has a clone, that knows how long it is as text.
#[derive(Debug, Clone, PartialEq)]
pub struct Schema(Arc<(Value, usize)>);

impl Schema {
    /// The length of its JSON in bytes.
    #[must_use]
    pub fn length(&self) -> usize {
        self.0.1
    }
}

impl From<Value> for Schema {
    fn from(schema: Value) -> Self {
        let length = schema.to_string().len();
        Self(Arc::new((schema, length)))
    }
}

impl std::ops::Deref for Schema {
    type Target = Value;

    fn deref(&self) -> &Value {
        &self.0.0
    }
}

impl serde::Serialize for Schema {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.0.serialize(serializer)
    }
}

/// A call the model asked for.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct ToolCall {
    /// The provider's id of this call, unique within its reply.
    pub id: String,
    pub name: String,
    /// Parsed arguments. Text that is not JSON arrives as [`Value::String`], so that the caller can
    /// tell the model so.
    pub arguments: Value,
}

/// Why the model stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stop {
    /// It said all it wanted.
    End,
    /// It waits for tool results.
    ToolCalls,
    /// It ran into `max_tokens`.
    Length,
}

/// Tokens of one call, as the provider counted them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Usage {
    /// All input tokens, those read from the provider's cache included.
    pub input_tokens: u64,
    pub output_tokens: u64,
    /// The part of `input_tokens` that came from the provider's cache.
    pub cached_tokens: u64,
    /// The part of `input_tokens` that the provider put into its cache, where it charges for that.
    pub cache_write_tokens: u64,
    /// The part of `output_tokens` spent on reasoning.
    pub reasoning_tokens: u64,
}

/// A successful answer: text, tool calls, or both; never neither.
#[derive(Debug, Clone, PartialEq)]
pub struct Reply {
    pub text: String,
    pub tool_calls: Vec<ToolCall>,
    pub stop: Stop,
    pub usage: Usage,
    /// The model that was asked for; what the call is priced by.
    pub model: String,
}

/// Why there is no reply.
#[derive(Debug, thiserror::Error)]
#[error("{kind}: {message}")]
pub struct Error {
    pub kind: ErrorKind,
    /// A sentence fit to show to the caller; holds no secret and no token-bearing URL.
    pub message: String,
    /// How long the provider asked us to wait.
    pub retry_after: Option<Duration>,
    /// How many times the provider was asked, retries included.
    pub attempts: u32,
}

/// The kinds of failure that callers tell apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorKind {
    /// 429 after all retries.
    RateLimited,
    /// Network failure, 5xx or a stall, after all retries.
    Unavailable,
    /// The overall deadline passed.
    Deadline,
    /// The provider refused our key.
    Unauthorized,
    /// The provider does not know the model.
    UnknownModel,
    /// Any other 4xx.
    Rejected,
    /// The model declined to answer (a refusal or a content filter).
    Refused,
    /// 200 with neither text nor a tool call.
    Empty,
    /// 200 with something that is not the provider's format.
    Garbled,
}

impl ErrorKind {
    /// Whether the same call may succeed later.
    #[must_use]
    pub fn is_retryable(self) -> bool {
        matches!(
            self,
            Self::RateLimited | Self::Unavailable | Self::Deadline | Self::Empty | Self::Garbled
        )
    }
}

impl std::fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::RateLimited => "the model provider is rate limiting us",
            Self::Unavailable => "the model provider is unavailable",
            Self::Deadline => "the model did not answer in time",
            Self::Unauthorized => "the model provider refused the API key",
            Self::UnknownModel => "the model provider does not know this model",
            Self::Rejected => "the model provider rejected the request",
            Self::Refused => "the model declined to answer",
            Self::Empty => "the model answered with nothing",
            Self::Garbled => "the model provider sent something unreadable",
        })
    }
}
