//! What a try that failed says about the backend.

use std::time::Duration;

use reqwest::StatusCode;
use reqwest::header::{HeaderMap, RETRY_AFTER};
use serde_json::Value;

use super::wire;
use crate::backend::{BackendError, BackendErrorKind};

/// What a person gets to see of a backend's own words, in characters.
const SHOWN: usize = 300;

/// A try that failed, and whether another one may do better.
pub(super) struct Failure {
    pub(super) error: BackendError,
    /// The pause that the backend asked for.
    pub(super) retry_after: Option<Duration>,
    pub(super) passing: bool,
}

impl Failure {
    pub(super) fn network(error: reqwest::Error) -> Self {
        let (kind, message) = if error.is_connect() {
            (
                BackendErrorKind::Unreachable,
                "the backend cannot be reached",
            )
        } else if error.is_timeout() {
            (
                BackendErrorKind::Unavailable,
                "the backend did not answer in time",
            )
        } else {
            (
                BackendErrorKind::Unavailable,
                "the connection to the backend broke",
            )
        };
        tracing::debug!(error = %error.without_url(), message);
        Self {
            error: BackendError::new(kind, message),
            retry_after: None,
            passing: true,
        }
    }

    pub(super) fn garbled(why: &str) -> Self {
        Self {
            error: wire::garbled(why),
            retry_after: None,
            passing: false,
        }
    }

    pub(super) fn status(status: StatusCode, retry_after: Option<Duration>, body: &[u8]) -> Self {
        let words = said(body);
        let passing = status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS;
        let kind = match status {
            StatusCode::UNAUTHORIZED => BackendErrorKind::RejectedToken,
            StatusCode::FORBIDDEN => BackendErrorKind::Forbidden,
            StatusCode::NOT_FOUND => BackendErrorKind::NotFound,
            StatusCode::CONFLICT => BackendErrorKind::Conflict,
            _ if passing => BackendErrorKind::Unavailable,
            _ if status.is_client_error() => BackendErrorKind::Invalid,
            _ => BackendErrorKind::Garbled,
        };
        let message = match words {
            Some(words) => format!("the backend answered {}: {words}", status.as_u16()),
            None => format!("the backend answered {}", status.as_u16()),
        };
        Self {
            error: BackendError::new(kind, message),
            retry_after,
            passing,
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
pub(super) fn retry_after(headers: &HeaderMap) -> Option<Duration> {
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
    fn a_status_says_what_can_be_done() {
        use BackendErrorKind as Kind;
        for (status, kind, passing) in [
            (302, Kind::Garbled, false),
            (400, Kind::Invalid, false),
            (401, Kind::RejectedToken, false),
            (403, Kind::Forbidden, false),
            (404, Kind::NotFound, false),
            (409, Kind::Conflict, false),
            (413, Kind::Invalid, false),
            (422, Kind::Invalid, false),
            (429, Kind::Unavailable, true),
            (500, Kind::Unavailable, true),
            (503, Kind::Unavailable, true),
        ] {
            let failure = Failure::status(StatusCode::from_u16(status).unwrap(), None, b"");
            assert_eq!(
                (failure.error.kind, failure.passing),
                (kind, passing),
                "{status}"
            );
            assert_eq!(
                failure.error.message,
                format!("the backend answered {status}")
            );
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
