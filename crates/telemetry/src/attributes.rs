//! The names of attributes, as OpenTelemetry's conventions for generative AI have them, and our own.

use opentelemetry::{KeyValue, StringValue, Value};

pub(crate) const OPERATION: &str = "gen_ai.operation.name";
pub(crate) const PROVIDER: &str = "gen_ai.provider.name";
pub(crate) const AGENT_ID: &str = "gen_ai.agent.id";
pub(crate) const AGENT_NAME: &str = "gen_ai.agent.name";
pub(crate) const CONVERSATION: &str = "gen_ai.conversation.id";
pub(crate) const REQUEST_MODEL: &str = "gen_ai.request.model";
pub(crate) const MAX_TOKENS: &str = "gen_ai.request.max_tokens";
pub(crate) const TEMPERATURE: &str = "gen_ai.request.temperature";
pub(crate) const RESPONSE_MODEL: &str = "gen_ai.response.model";
pub(crate) const FINISH_REASONS: &str = "gen_ai.response.finish_reasons";
pub(crate) const INPUT_TOKENS: &str = "gen_ai.usage.input_tokens";
pub(crate) const OUTPUT_TOKENS: &str = "gen_ai.usage.output_tokens";
pub(crate) const CACHED_TOKENS: &str = "gen_ai.usage.cache_read.input_tokens";
pub(crate) const CACHE_WRITE_TOKENS: &str = "gen_ai.usage.cache_creation.input_tokens";
pub(crate) const REASONING_TOKENS: &str = "gen_ai.usage.reasoning.output_tokens";
pub(crate) const TOOL_NAME: &str = "gen_ai.tool.name";
pub(crate) const TOOL_CALL_ID: &str = "gen_ai.tool.call.id";
pub(crate) const TOOL_TYPE: &str = "gen_ai.tool.type";
pub(crate) const ERROR_TYPE: &str = "error.type";

// What was said; only where the configuration says so.
pub(crate) const SYSTEM: &str = "gen_ai.system_instructions";
pub(crate) const INPUT_MESSAGES: &str = "gen_ai.input.messages";
pub(crate) const OUTPUT_MESSAGES: &str = "gen_ai.output.messages";
pub(crate) const TOOL_ARGUMENTS: &str = "gen_ai.tool.call.arguments";
pub(crate) const TOOL_RESULT: &str = "gen_ai.tool.call.result";

// Our own.
pub(crate) const TENANT: &str = "stationmaster.tenant";
/// What `send` called the trace, and `GET /traces` finds it by.
pub(crate) const TRACE: &str = "stationmaster.trace_id";
pub(crate) const OUTCOME: &str = "stationmaster.outcome";
pub(crate) const ROUND: &str = "stationmaster.round";
pub(crate) const COST: &str = "stationmaster.cost_microusd";

/// In bytes, of an attribute that somebody else chose.
const LONGEST: usize = 256;

/// A provider as the conventions call it.
pub(crate) fn provider(name: &str) -> &str {
    match name {
        "google" => "gcp.gemini",
        "mistral" => "mistral_ai",
        "xai" => "x_ai",
        other => other,
    }
}

/// A text of bounded length.
pub(crate) fn text(name: &'static str, value: &str) -> KeyValue {
    KeyValue::new(name, shortened(value, LONGEST).to_owned())
}

pub(crate) fn count(name: &'static str, value: u64) -> KeyValue {
    KeyValue::new(name, i64::try_from(value).unwrap_or(i64::MAX))
}

pub(crate) fn list_of_one(name: &'static str, value: &'static str) -> KeyValue {
    let list = vec![StringValue::from(value)];
    KeyValue::new(name, Value::Array(list.into()))
}

/// The start of a text, of at most so many bytes.
pub(crate) fn shortened(text: &str, longest: usize) -> &str {
    &text[..text.floor_char_boundary(longest)]
}
