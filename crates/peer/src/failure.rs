//! What a try that failed says about the peer.

use std::fmt;
use std::time::Duration;

use reqwest::StatusCode;
use reqwest::header::{HeaderMap, RETRY_AFTER};
use serde_json::Value;

/// What a person gets to see of a peer's own words, in characters.
const SHOWN: usize = 300;

/// A request that was not answered as it should have been.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    pub kind: FailureKind,
    /// A sentence fit to show: it holds no credential and no URL.
    pub message: String,
    /// The pause that the peer asked for.
    pub retry_after: Option<Duration>,
}

/// How it failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FailureKind {
    /// No connection; the request has not arrived.
    Unreachable,
    /// No answer in time.
    TimedOut,
    /// The connection broke before the answer was there.
    Broken,
    /// Another status than 2xx.
    Status(u16),
    /// A 2xx that cannot be read.
    Garbled,
    /// The request cannot be put into words of HTTP.
    Unsendable,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Failure {}

impl Failure {
    /// Whether the same request may do better later: after a network fault, 429 or 5xx.
    #[must_use]
    pub fn passing(&self) -> bool {
        match self.kind {
            FailureKind::Unreachable | FailureKind::TimedOut | FailureKind::Broken => true,
            FailureKind::Status(status) => status == 429 || status >= 500,
            FailureKind::Garbled | FailureKind::Unsendable => false,
        }
    }

    pub(crate) fn new(kind: FailureKind, message: String) -> Self {
        Self {
            kind,
            message,
            retry_after: None,
        }
    }

    pub(crate) fn network(name: &str, error: reqwest::Error) -> Self {
        let (kind, message) = if error.is_connect() {
            (
                FailureKind::Unreachable,
                format!("the {name} cannot be reached"),
            )
        } else if error.is_timeout() {
            (
                FailureKind::TimedOut,
                format!("the {name} did not answer in time"),
            )
        } else {
            (
                FailureKind::Broken,
                format!("the connection to the {name} broke"),
            )
        };
        tracing::debug!(error = %error.without_url(), message);
        Self::new(kind, message)
    }

    pub(crate) fn garbled(name: &str, why: &str) -> Self {
        let message = format!("the {name} does not speak the contract: {why}");
        Self::new(FailureKind::Garbled, message)
    }

    pub(crate) fn status(
        name: &str,
        status: StatusCode,
        retry_after: Option<Duration>,
        body: &[u8],
    ) -> Self {
        let status = status.as_u16();
        let message = match said(body) {
            Some(words) => format!("the {name} answered {status}: {words}"),
            None => format!("the {name} answered {status}"),
        };
        Self {
            kind: FailureKind::Status(status),
            message,
            retry_after,
        }
    }
}

/// The sentence in an error body, whichever of the known shapes it has.
fn said(body: &[u8]) -> Option<String> {
    let body: Value = serde_json::from_slice(body).ok()?;
    let sentence = ["message", "error", "detail"]
        .iter()
        .find_map(|name| body.get(name)?.as_str())?;
    Some(
        sentence
            .chars()
            .filter(|c| !c.is_control())
            .take(SHOWN)
            .collect(),
    )
}

/// `Retry-After` in seconds; its date form is not worth waiting for.
pub(crate) fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    headers
        .get(RETRY_AFTER)?
        .to_str()
        .ok()?
        .trim()
        .parse()
        .ok()
        .map(Duration::from_secs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_may_pass_is_worth_another_try() {
        for (status, passing) in [
            (302, false),
            (400, false),
            (401, false),
            (404, false),
            (409, false),
            (429, true),
            (500, true),
            (503, true),
        ] {
            let code = StatusCode::from_u16(status).unwrap();
            let failure = Failure::status("backend", code, None, b"");
            assert_eq!(failure.passing(), passing, "{status}");
            assert_eq!(failure.message, format!("the backend answered {status}"));
        }
    }

    #[test]
    fn the_words_of_every_known_error_shape_are_shown() {
        let long = format!(r#"{{"error":"{}"}}"#, "x".repeat(1_000));
        for (body, words) in [
            (
                r#"{"error":"no title","code":"invalid_request"}"#,
                Some("no title"),
            ),
            (
                r#"{"statusCode":404,"error":"Not Found","message":"no route"}"#,
                Some("no route"),
            ),
            (r#"{"detail":"bad token"}"#, Some("bad token")),
            (
                r#"{"detail":[{"loc":["body"]}],"error":"two\nlines"}"#,
                Some("twolines"),
            ),
            (&long, Some(&"x".repeat(SHOWN))),
            ("<html>", None),
            ("[]", None),
        ] {
            assert_eq!(said(body.as_bytes()).as_deref(), words, "{body}");
        }
    }

    #[test]
    fn only_seconds_are_waited_for() {
        let asked = |value: &'static str| {
            retry_after(&HeaderMap::from_iter([(
                RETRY_AFTER,
                value.parse().unwrap(),
            )]))
        };
        assert_eq!(asked("3"), Some(Duration::from_secs(3)));
        assert_eq!(asked("Wed, 21 Oct 2015 07:28:00 GMT"), None);
        assert_eq!(asked("-1"), None);
    }
}
