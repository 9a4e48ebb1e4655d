//! The one thing this crate needs from its surroundings: somebody who carries a request to the API.
//!
//! `mc mcp` carries it over HTTP to a server, the server's own `/mcp` hands it to its router in the same
//! process. Everything else (which request an action is, what a reply means to a model) stands here once.

use std::{fmt, time::Duration};

use async_trait::async_trait;
use serde_json::Value;

/// Carries requests to the OpenClaw API (contract section 4) and brings the replies back.
#[async_trait]
pub trait Carrier: Send + Sync + 'static {
    /// Sends `request` and gives the reply, whatever its status.
    ///
    /// # Errors
    /// Only when there is no reply at all: the server cannot be reached, or did not answer in time.
    async fn call(&self, request: ApiRequest) -> Result<ApiReply, CarrierError>;
}

/// The HTTP methods an action can need.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    Get,
    Post,
    Patch,
}

impl Method {
    /// The method's name in a request line.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
            Self::Patch => "PATCH",
        }
    }
}

impl fmt::Display for Method {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

/// A request to the API, in HTTP's shape.
#[derive(Debug, Clone, PartialEq)]
pub struct ApiRequest {
    pub method: Method,
    /// The path from `/api/v1` on, with its query, percent-encoded.
    pub path_and_query: String,
    /// The JSON body; `None` for a `GET`.
    pub body: Option<Value>,
    /// What to send as `X-Idempotency-Key`; every `POST` and `PATCH` has one (contract section 1.3).
    pub idempotency_key: Option<String>,
    /// On whose behalf the request is made.
    pub caller: Caller,
}

/// What the caller's own HTTP request says of who is asking. All of it is to be passed on unchanged.
///
/// It is empty over stdio, where the carrier knows the credential. Over HTTP it is taken anew from each
/// request: a session never lends one caller's credential to another.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Caller {
    /// The `Authorization` header.
    pub authorization: Option<String>,
    /// The `X-Agent-Id` header (contract section 1.1).
    pub agent_id: Option<String>,
    /// The `X-User-Id` header (contract section 1.1).
    pub user_id: Option<String>,
}

impl fmt::Debug for Caller {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hidden = self.authorization.as_ref().map(|_| "[hidden]");
        formatter
            .debug_struct("Caller")
            .field("authorization", &hidden)
            .field("agent_id", &self.agent_id)
            .field("user_id", &self.user_id)
            .finish()
    }
}

/// The API's reply to a request.
#[derive(Debug, Clone, PartialEq)]
pub struct ApiReply {
    /// The HTTP status code.
    pub status: u16,
    /// The JSON body.
    pub body: Value,
    /// The `Retry-After` header, if it was there.
    pub retry_after: Option<Duration>,
}

impl ApiReply {
    /// Whether the request was carried out: a status from 200 to 299.
    #[must_use]
    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }
}

/// Why there is no reply. The text is shown to the model, so it says what could help and no secret.
#[derive(Debug, thiserror::Error)]
pub enum CarrierError {
    /// Nobody answers where the API should be.
    #[error("the API cannot be reached: {0}")]
    Unreachable(String),
    /// The time for a reply is up. Whether the request was carried out is not known.
    #[error("no reply from the API within {0:?}; whether the request was carried out is not known")]
    TimedOut(Duration),
    /// What came back is not a reply of this API.
    #[error("the reply is not one of the API's: {0}")]
    Garbled(String),
}
