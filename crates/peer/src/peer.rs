//! Sending requests to one peer.

use std::fmt;
use std::time::Duration;

use reqwest::redirect::Policy;
use reqwest::{Client, Response, Url};
use serde_json::Value;

use crate::failure::retry_after;
use crate::{Failure, FailureKind, Request};

/// The pause before the second try; the one before the third is four times as long.
const PAUSE: Duration = Duration::from_millis(100);
/// A longer `Retry-After` is the caller's to honour.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// Where a peer is, and how much patience it gets.
#[derive(Debug, Clone)]
pub struct PeerConfig {
    /// What it is called in messages: "backend", "daemon".
    pub name: &'static str,
    pub base_url: String,
    pub connect_timeout: Duration,
    /// For one try, from connecting to the last byte.
    pub timeout: Duration,
    /// Longer answers are not read to their end.
    pub max_response_bytes: usize,
}

impl PeerConfig {
    #[must_use]
    pub fn new(name: &'static str, base_url: impl Into<String>) -> Self {
        Self {
            name,
            base_url: base_url.into(),
            connect_timeout: Duration::from_secs(5),
            timeout: Duration::from_secs(30),
            max_response_bytes: 8 * 1024 * 1024,
        }
    }
}

/// Why a peer cannot be talked to at all.
#[derive(Debug, thiserror::Error)]
pub enum PeerError {
    #[error("the {0} URL is not usable: {1}")]
    BaseUrl(&'static str, String),
    #[error(
        "no TLS implementation is installed; the program must install one before it makes a client"
    )]
    NoTls,
    #[error("the HTTP client for the {0} could not be made: {1}")]
    Client(&'static str, String),
}

/// A peer and the connections to it. Clones share them.
#[derive(Clone)]
pub struct Peer {
    name: &'static str,
    client: Client,
    base: Url,
    max_response_bytes: usize,
}

impl fmt::Debug for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Peer")
            .field("host", &self.base.host_str())
            .finish_non_exhaustive()
    }
}

impl Peer {
    /// Makes the client; nothing is sent yet.
    ///
    /// # Errors
    /// When the base URL is not usable or no TLS implementation is installed.
    pub fn new(config: &PeerConfig) -> Result<Self, PeerError> {
        let name = config.name;
        let base = Url::parse(config.base_url.trim())
            .map_err(|error| PeerError::BaseUrl(name, error.to_string()))?;
        if !matches!(base.scheme(), "http" | "https") {
            let why = "it must begin with http:// or https://".to_owned();
            return Err(PeerError::BaseUrl(name, why));
        }
        if rustls::crypto::CryptoProvider::get_default().is_none() {
            return Err(PeerError::NoTls);
        }
        let client = Client::builder()
            .connect_timeout(config.connect_timeout)
            .timeout(config.timeout)
            .redirect(Policy::none())
            .user_agent(concat!("stationmaster/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|error| PeerError::Client(name, error.without_url().to_string()))?;
        Ok(Self {
            name,
            client,
            base,
            max_response_bytes: config.max_response_bytes,
        })
    }

    /// Where it is, without what a URL may hide.
    #[must_use]
    pub fn address(&self) -> String {
        self.base.origin().ascii_serialization()
    }

    /// The JSON of a 2xx.
    ///
    /// # Errors
    /// See [`FailureKind`].
    pub async fn json(&self, request: &Request) -> Result<Value, Failure> {
        let body = self.patiently(request, true).await?;
        serde_json::from_slice(&body)
            .map_err(|_| Failure::garbled(self.name, "its answer is not JSON"))
    }

    /// Waits for a 2xx, whatever it says.
    ///
    /// # Errors
    /// See [`FailureKind`]; never garbled.
    pub async fn accepts(&self, request: &Request) -> Result<(), Failure> {
        self.patiently(request, false).await.map(drop)
    }

    async fn patiently(&self, request: &Request, reads: bool) -> Result<Vec<u8>, Failure> {
        let (mut tried, mut pause) = (0, PAUSE);
        loop {
            tried += 1;
            let failure = match self.attempt(request, reads).await {
                Ok(body) => return Ok(body),
                Err(failure) => failure,
            };
            let asked = failure.retry_after.unwrap_or_default();
            if tried >= request.tries || !failure.passing() || asked > LONGEST_PAUSE {
                return Err(failure);
            }
            tracing::debug!(tried, reason = failure.message, "asking again");
            tokio::time::sleep(asked.max(pause.mul_f64(0.75 + fastrand::f64() / 2.0))).await;
            pause *= 4;
        }
    }

    /// Sends the request once. The body of its 2xx is read only where somebody `reads` it.
    async fn attempt(&self, request: &Request, reads: bool) -> Result<Vec<u8>, Failure> {
        let response = self.send(request).await?;
        if reads {
            self.bounded(response).await
        } else {
            Ok(Vec::new())
        }
    }

    /// The response is a 2xx whose body has not been read.
    async fn send(&self, request: &Request) -> Result<Response, Failure> {
        let url = request.url(&self.base).ok_or_else(|| {
            let message = format!("the {} URL has no path", self.name);
            Failure::new(FailureKind::Unsendable, message)
        })?;
        let mut builder = self
            .client
            .request(request.method.clone(), url)
            .headers(request.headers.clone());
        if let Some(body) = &request.body {
            builder = builder.json(body);
        }
        if let Some(limit) = request.within {
            builder = builder.timeout(limit);
        }
        let response = builder
            .send()
            .await
            .map_err(|error| Failure::network(self.name, error))?;
        let status = response.status();
        if status.is_success() {
            return Ok(response);
        }
        let retry_after = retry_after(response.headers());
        // What it says is only for people: the status stands without it.
        let body = self.bounded(response).await.unwrap_or_default();
        Err(Failure::status(self.name, status, retry_after, &body))
    }

    async fn bounded(&self, mut response: Response) -> Result<Vec<u8>, Failure> {
        let mut body = Vec::new();
        let broken = |error| Failure::network(self.name, error);
        while let Some(chunk) = response.chunk().await.map_err(broken)? {
            if body.len() + chunk.len() > self.max_response_bytes {
                let limit = self.max_response_bytes;
                let why = format!("its answer is longer than {limit} bytes");
                return Err(Failure::garbled(self.name, &why));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peer(base: &str) -> Result<Peer, PeerError> {
        let _ = rustls::crypto::ring::default_provider().install_default();
        Peer::new(&PeerConfig::new("backend", base))
    }

    #[test]
    fn a_base_that_cannot_be_called_is_refused() {
        for base in ["", "localhost:8000", "ftp://h", "data:text"] {
            assert!(matches!(peer(base), Err(PeerError::BaseUrl(..))), "{base}");
        }
        assert!(peer(" http://h:1 ").is_ok());
    }

    #[test]
    fn what_a_url_hides_is_hidden_from_logs() {
        let shown = format!("{:?}", peer("http://user:secret@h").unwrap());
        assert!(!shown.contains("secret"), "{shown}");
    }
}
