//! One failed try, and what its HTTP status and body mean.

use std::time::Duration;

use reqwest::StatusCode;
use serde_json::Value;

use crate::types::{Error, ErrorKind};

/// The longest message of one failure, in characters; what a provider says may be a page.
const LONGEST: usize = 300;

/// Why one try gave no reply.
#[derive(Debug, Clone)]
pub(crate) struct Failure {
    pub(crate) kind: ErrorKind,
    pub(crate) message: String,
    pub(crate) retry_after: Option<Duration>,
    /// Whether asking the same model again, shortly, can help.
    pub(crate) again: bool,
    /// A part of the request that this model cannot take, when the provider says so.
    pub(crate) unsupported: Option<Feature>,
}

/// A part of a request that some models refuse and that the request can do without.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Feature {
    Tools,
    Temperature,
    /// `max_tokens` as the name of the completion limit; newer OpenAI models have another.
    MaxTokens,
    /// `stream_options`, by which a stream ends with what it used.
    StreamUsage,
}

impl Failure {
    pub(crate) fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
            retry_after: None,
            again: kind.is_retryable(),
            unsupported: None,
        }
    }

    /// What an answer with an error status means, by the status and by what the body says.
    pub(crate) fn from_status(
        status: StatusCode,
        retry_after: Option<Duration>,
        body: &[u8],
    ) -> Self {
        let said = ProviderError::read(body);
        let kind = kind_of(status, said.code.as_deref());
        let message = match said.message {
            Some(message) => format!("HTTP {}: {message}", status.as_u16()),
            None if status.is_redirection() => {
                format!(
                    "HTTP {}: the API is at another address; correct the base URL",
                    status.as_u16()
                )
            }
            None => format!("HTTP {status}"),
        };
        // A spent quota is a 429 that no pause of ours can mend.
        let spent = said.code.as_deref() == Some("insufficient_quota");
        let unsupported = unsupported(status, said.param.as_deref(), &message);
        Self {
            kind,
            message,
            retry_after,
            again: kind.is_retryable() && !spent && status != 501,
            unsupported,
        }
    }

    /// Makes the message fit to show: without the API key, should the provider have echoed it, on
    /// one line, and cut. The key goes first, as a cut could leave a part of it that is not found.
    pub(crate) fn presentable(mut self, secret: Option<&str>) -> Self {
        if let Some(secret) = secret.filter(|secret| !secret.is_empty()) {
            self.message = self.message.replace(secret, "[key]");
        }
        self.message = shorten(&self.message);
        self
    }

    pub(crate) fn into_error(self, attempts: u32) -> Error {
        Error {
            kind: self.kind,
            message: self.message,
            retry_after: self.retry_after,
            attempts,
        }
    }
}

fn kind_of(status: StatusCode, code: Option<&str>) -> ErrorKind {
    if code == Some("model_not_found") && status.is_client_error() {
        return ErrorKind::UnknownModel;
    }
    match status.as_u16() {
        401 | 403 => ErrorKind::Unauthorized,
        404 => ErrorKind::UnknownModel,
        408 | 500..=599 => ErrorKind::Unavailable,
        429 => ErrorKind::RateLimited,
        _ => ErrorKind::Rejected,
    }
}

/// Finds out whether a provider refuses one part of the request rather than the request.
///
/// There is no common code for it, so this reads the sentence. It must speak of inability
/// ("does not support tools" from Ollama, "`tool calling` is not supported with this model" from
/// Groq, "No endpoints found that support tool use" from OpenRouter, "tools param requires --jinja"
/// from llama.cpp, "Unsupported parameter: 'max_tokens'" from OpenAI) and name the part, in the
/// sentence or as `param`. A sentence about a schema is about one of our tools, which is a fault to
/// report and not to hide by leaving the tools out.
fn unsupported(status: StatusCode, param: Option<&str>, message: &str) -> Option<Feature> {
    const INABILITY: [&str; 9] = [
        "not support",
        "n't support",
        "unsupported",
        "deprecated",
        "not permitted",
        "unrecognized",
        "unknown parameter",
        "found that support",
        "requires --",
    ];
    if !matches!(status.as_u16(), 400 | 404 | 422 | 500 | 501) {
        return None;
    }
    let message = message.to_lowercase();
    if message.contains("schema") || !INABILITY.iter().any(|phrase| message.contains(phrase)) {
        return None;
    }
    let names = |part: &str| param == Some(part) || message.contains(part);
    if names("max_tokens") {
        return message
            .contains("max_completion_tokens")
            .then_some(Feature::MaxTokens);
    }
    if names("stream_options") {
        return Some(Feature::StreamUsage);
    }
    if names("temperature") {
        return Some(Feature::Temperature);
    }
    (names("tool") || param == Some("tools") || message.contains("function call"))
        .then_some(Feature::Tools)
}

/// What an error body says, whichever server wrote it.
#[derive(Debug, Default)]
pub(crate) struct ProviderError {
    pub(crate) message: Option<String>,
    pub(crate) code: Option<String>,
    pub(crate) param: Option<String>,
}

impl ProviderError {
    /// Reads `{"error": {"message", "code" or "type", "param"}}` (OpenAI, Anthropic), `{"error":
    /// "…"}` (Ollama), `{"message": …}` and `{"detail": …}` (vLLM, FastAPI), or plain text. A page
    /// of HTML says nothing that is worth showing.
    fn read(body: &[u8]) -> Self {
        let text = String::from_utf8_lossy(body);
        let text = text.trim();
        match serde_json::from_str::<Value>(text) {
            Ok(Value::String(message)) => Self {
                message: Some(message),
                ..Self::default()
            },
            Ok(body) => Self::from_json(&body),
            Err(_) if text.is_empty() || text.starts_with('<') => Self::default(),
            Err(_) => Self {
                message: Some(text.to_owned()),
                ..Self::default()
            },
        }
    }

    pub(crate) fn from_json(body: &Value) -> Self {
        let error = match body.get("error") {
            Some(Value::String(message)) => {
                return Self {
                    message: Some(message.clone()),
                    ..Self::default()
                };
            }
            Some(error @ Value::Object(_)) => error,
            _ => body,
        };
        let text = |name: &str| {
            let text = match error.get(name)? {
                Value::String(text) => text.clone(),
                Value::Number(number) => number.to_string(),
                _ => return None,
            };
            Some(text).filter(|text| !text.trim().is_empty())
        };
        Self {
            message: text("message").or_else(|| text("detail")),
            code: text("code").or_else(|| text("type")),
            param: text("param"),
        }
    }
}

/// `text` on one line and cut to the longest message.
fn shorten(text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(LONGEST) {
        Some((cut, _)) => format!("{}…", &line[..cut]),
        None => line,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failure(status: u16, body: &str) -> Failure {
        let status = StatusCode::from_u16(status).unwrap();
        Failure::from_status(status, None, body.as_bytes()).presentable(Some("sk-secret-1"))
    }

    #[test]
    fn a_status_says_what_kind_of_failure_it_is_and_whether_to_try_again() {
        for (status, kind, again) in [
            (400, ErrorKind::Rejected, false),
            (401, ErrorKind::Unauthorized, false),
            (402, ErrorKind::Rejected, false),
            (403, ErrorKind::Unauthorized, false),
            (404, ErrorKind::UnknownModel, false),
            (408, ErrorKind::Unavailable, true),
            (413, ErrorKind::Rejected, false),
            (429, ErrorKind::RateLimited, true),
            (500, ErrorKind::Unavailable, true),
            (501, ErrorKind::Unavailable, false),
            (502, ErrorKind::Unavailable, true),
            (503, ErrorKind::Unavailable, true),
            (504, ErrorKind::Unavailable, true),
            (529, ErrorKind::Unavailable, true),
        ] {
            let failure = failure(status, "");
            assert_eq!((failure.kind, failure.again), (kind, again), "{status}");
        }
    }

    #[test]
    fn a_body_code_is_believed_over_the_status() {
        let unknown = failure(
            400,
            r#"{"error":{"message":"no such model","code":"model_not_found"}}"#,
        );
        assert_eq!(unknown.kind, ErrorKind::UnknownModel);
        let spent = failure(
            429,
            r#"{"error":{"message":"quota","type":"insufficient_quota"}}"#,
        );
        assert_eq!((spent.kind, spent.again), (ErrorKind::RateLimited, false));
    }

    #[test]
    fn the_providers_own_words_are_quoted_whoever_wrote_them() {
        for (body, expected) in [
            (
                r#"{"error":{"message":"Overloaded"}}"#,
                "HTTP 500: Overloaded",
            ),
            (
                r#"{"type":"error","error":{"type":"api_error","message":"Over\nloaded"}}"#,
                "HTTP 500: Over loaded",
            ),
            (
                r#"{"error":"model is loading"}"#,
                "HTTP 500: model is loading",
            ),
            (
                r#"{"object":"error","message":"out of memory"}"#,
                "HTTP 500: out of memory",
            ),
            (r#"{"detail":"nope"}"#, "HTTP 500: nope"),
            ("upstream connect error", "HTTP 500: upstream connect error"),
            (
                "<html><h1>500</h1></html>",
                "HTTP 500 Internal Server Error",
            ),
            ("", "HTTP 500 Internal Server Error"),
        ] {
            assert_eq!(failure(500, body).message, expected, "{body}");
        }
    }

    #[test]
    fn long_words_are_cut_and_the_key_is_taken_out_before() {
        let long = failure(400, &"ä".repeat(1000)).message;
        assert_eq!(long.chars().count(), LONGEST + 1);
        let echoed = failure(401, r#"{"error":{"message":"bad key sk-secret-1!"}}"#).message;
        assert_eq!(echoed, "HTTP 401: bad key [key]!");
        let at_the_cut = format!(
            "{}sk-secret-1",
            "x".repeat(LONGEST - "HTTP 401: ".len() - 8)
        );
        assert!(!failure(401, &at_the_cut).message.contains("sk-"));
    }

    #[test]
    fn a_model_that_cannot_do_something_is_told_from_a_bad_request() {
        for (status, message, expected) in [
            (
                400,
                "registry.ollama.ai/library/gemma:2b does not support tools",
                Some(Feature::Tools),
            ),
            (
                400,
                "`tool calling` is not supported with this model",
                Some(Feature::Tools),
            ),
            (
                404,
                "No endpoints found that support tool use.",
                Some(Feature::Tools),
            ),
            (
                500,
                "tools param requires --jinja flag",
                Some(Feature::Tools),
            ),
            (
                400,
                "This model doesn't support function calling",
                Some(Feature::Tools),
            ),
            (
                400,
                "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead.",
                Some(Feature::MaxTokens),
            ),
            (
                400,
                "Unsupported value: 'temperature' does not support 0.4 with this model.",
                Some(Feature::Temperature),
            ),
            (
                400,
                "`temperature` is deprecated for this model.",
                Some(Feature::Temperature),
            ),
            (
                400,
                "max_tokens is too large: 999999. This model supports at most 16384",
                None,
            ),
            (
                400,
                "Invalid schema for tool 'x': 'oneOf' is not supported",
                None,
            ),
            (
                400,
                "messages.2: tool_use ids were found without tool_result blocks",
                None,
            ),
            (401, "tools are not supported for this key", None),
            (400, "The model does not support images", None),
        ] {
            let body = serde_json::json!({"error": {"message": message}}).to_string();
            assert_eq!(failure(status, &body).unsupported, expected, "{message}");
        }
        let by_param = r#"{"error":{"message":"Unknown parameter.","param":"tools"}}"#;
        assert_eq!(failure(400, by_param).unsupported, Some(Feature::Tools));
    }
}
