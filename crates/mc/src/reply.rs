//! What the server said.

use reqwest::Response;
use reqwest::header::{HeaderMap, LOCATION, RETRY_AFTER};
use serde_json::Value;

use crate::failure::Failure;

/// No reply is larger.
const LARGEST: usize = 64 * 1024 * 1024;

/// A reply, whatever its status.
#[derive(Debug)]
pub(crate) struct Reply {
    pub status: u16,
    pub headers: HeaderMap,
    /// The body as it came.
    pub text: String,
    /// The body as JSON; null if it is none.
    pub body: Value,
}

/// Why a reply could not be read.
pub(crate) enum Unreadable {
    Broken(reqwest::Error),
    TooLarge,
}

impl Reply {
    /// Reads a reply to its end.
    pub(crate) async fn read(mut response: Response) -> Result<Self, Unreadable> {
        let status = response.status().as_u16();
        let headers = response.headers().clone();
        let mut bytes = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(Unreadable::Broken)? {
            if bytes.len() + chunk.len() > LARGEST {
                return Err(Unreadable::TooLarge);
            }
            bytes.extend_from_slice(&chunk);
        }
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let body = serde_json::from_str(&text).unwrap_or(Value::Null);
        Ok(Self {
            status,
            headers,
            text,
            body,
        })
    }

    /// Several replies put together.
    pub(crate) fn ours(body: Value) -> Self {
        Self {
            status: 200,
            headers: HeaderMap::new(),
            text: body.to_string(),
            body,
        }
    }

    /// `Retry-After`, in seconds.
    pub(crate) fn retry_after(&self) -> Option<u64> {
        let text = self.headers.get(RETRY_AFTER)?.to_str().ok()?;
        text.trim().parse().ok()
    }

    /// The reply of a success; the failure that any other is.
    pub(crate) fn accepted(self) -> Result<Self, Failure> {
        if (200..300).contains(&self.status) && !self.body.is_null() {
            return Ok(self);
        }
        let failure = Failure::refused(self.status, &self.text, &self.body);
        let elsewhere = self.headers.get(LOCATION);
        Err(match elsewhere.and_then(|place| place.to_str().ok()) {
            Some(place) if !self.body.is_object() => failure.hint(format!(
                "the server is elsewhere: {place}; set MC_API_URL to it"
            )),
            _ => failure,
        })
    }
}
