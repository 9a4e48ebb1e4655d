//! What an [`HttpBackend`](super::HttpBackend) must be told.

use std::fmt;
use std::time::Duration;

use crate::AgentIdentity;

/// Where the backend is, and how long to wait for it.
#[derive(Debug, Clone)]
pub struct HttpBackendConfig {
    /// Without `/api/mission-control`; `BACKEND_URL`.
    pub base_url: String,
    pub connect_timeout: Duration,
    /// For one try, from connecting to the last byte.
    pub timeout: Duration,
    /// Longer answers are not read to their end.
    pub max_response_bytes: usize,
}

impl HttpBackendConfig {
    #[must_use]
    pub fn new(base_url: impl Into<String>) -> Self {
        Self {
            base_url: base_url.into(),
            connect_timeout: Duration::from_secs(5),
            timeout: Duration::from_secs(30),
            max_response_bytes: 8 * 1024 * 1024,
        }
    }
}

/// Why a backend client cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum HttpBackendError {
    #[error("the backend URL is not usable: {0}")]
    BaseUrl(String),
    #[error(
        "no TLS implementation is installed; the program must install one before it makes a backend client"
    )]
    NoTls,
    #[error("the HTTP client for the backend could not be made: {0}")]
    Client(String),
}

/// Makes the token that says who is calling (mission-control-backend §2.1).
///
/// Any closure from an identity to a token will do.
pub trait TokenMinter: Send + Sync {
    /// # Errors
    /// A sentence that holds no secret.
    fn mint(&self, who: &AgentIdentity) -> Result<String, String>;
}

impl<F, E> TokenMinter for F
where
    F: Fn(&AgentIdentity) -> Result<String, E> + Send + Sync,
    E: fmt::Display,
{
    fn mint(&self, who: &AgentIdentity) -> Result<String, String> {
        self(who).map_err(|error| error.to_string())
    }
}
