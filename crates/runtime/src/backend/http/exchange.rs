//! One call to the backend: token, tries, limits, and what the status means.

use std::fmt;
use std::time::Duration;

use reqwest::header::{HeaderMap, HeaderName, HeaderValue, RETRY_AFTER};
use reqwest::redirect::Policy;
use reqwest::{Client, Method, Response, StatusCode, Url};
use serde_json::Value;

use super::config::{HttpBackendConfig, HttpBackendError, TokenMinter};
use super::wire::garbled;
use crate::AgentIdentity;
use crate::backend::{BackendError, BackendErrorKind, BackendResult};

/// How often a call is tried that may be tried again.
const TRIES: u32 = 3;
/// The pause before the second try; the one before the third is four times as long.
const PAUSE: Duration = Duration::from_millis(100);
/// A longer `Retry-After` is the caller's to honour.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// What a person gets to see of a backend's own words.
const SHOWN: usize = 300;

/// A request before it has an address and a token.
pub(super) struct Call<'a> {
    method: Method,
    path: Vec<String>,
    query: Vec<(&'a str, String)>,
    headers: Vec<(&'static str, &'a str)>,
    body: Option<Value>,
    tries: u32,
    /// Less than what the client allows.
    within: Option<Duration>,
}

impl<'a> Call<'a> {
    pub(super) fn new(method: Method, path: &[&str]) -> Self {
        Self {
            method,
            path: path.iter().map(|&part| part.to_owned()).collect(),
            query: Vec::new(),
            headers: Vec::new(),
            body: None,
            tries: TRIES,
            within: None,
        }
    }

    pub(super) fn query(mut self, query: &[(&'a str, Option<String>)]) -> Self {
        let given = query.iter().filter_map(|(name, value)| Some((*name, value.clone()?)));
        self.query.extend(given);
        self
    }

    pub(super) fn headers(mut self, headers: &[(&'static str, &'a str)]) -> Self {
        self.headers.extend(headers);
        self
    }

    pub(super) fn body(mut self, body: Value) -> Self {
        self.body = Some(body);
        self
    }

    /// Not tried again, whatever happens.
    pub(super) fn once(mut self) -> Self {
        self.tries = 1;
        self
    }

    pub(super) fn within(mut self, limit: Duration) -> Self {
        self.within = Some(limit);
        self
    }
}

pub(super) struct Exchange {
    client: Client,
    base: Url,
    minter: Box<dyn TokenMinter>,
    max_response_bytes: usize,
}

impl fmt::Debug for Exchange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Exchange").field("host", &self.base.host_str()).finish_non_exhaustive()
    }
}

/// A try that failed, and whether another one may do better.
struct Failure {
    error: BackendError,
    /// The pause that the backend asked for.
    retry_after: Option<Duration>,
    passing: bool,
}

impl Exchange {
    pub(super) fn new(
        config: HttpBackendConfig,
        minter: Box<dyn TokenMinter>,
    ) -> Result<Self, HttpBackendError> {
        let base = Url::parse(config.base_url.trim())
            .map_err(|error| HttpBackendError::BaseUrl(error.to_string()))?;
        if !matches!(base.scheme(), "http" | "https") {
            return Err(HttpBackendError::BaseUrl("it must begin with http:// or https://".into()));
        }
        if rustls::crypto::CryptoProvider::get_default().is_none() {
            return Err(HttpBackendError::NoTls);
        }
        let client = Client::builder()
            .connect_timeout(config.connect_timeout)
            .timeout(config.timeout)
            .redirect(Policy::none())
            .user_agent(concat!("stationmaster/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|error| HttpBackendError::Client(error.without_url().to_string()))?;
        Ok(Self { client, base, minter, max_response_bytes: config.max_response_bytes })
    }

    /// Makes the call and gives the JSON of its 2xx.
    pub(super) async fn call(&self, who: &AgentIdentity, call: Call<'_>) -> BackendResult<Value> {
        let url = self.url(&call)?;
        let headers = self.headers(who, &call)?;
        let mut pause = PAUSE;
        for tried in 1.. {
            let failure = match self.try_once(&call, url.clone(), headers.clone()).await {
                Ok(value) => return Ok(value),
                Err(failure) => failure,
            };
            if tried >= call.tries || !failure.passing {
                return Err(failure.error);
            }
            let asked = failure.retry_after.unwrap_or_default();
            if asked > LONGEST_PAUSE {
                return Err(failure.error);
            }
            tracing::debug!(tried, reason = failure.error.message, "asking the backend again");
            tokio::time::sleep(asked.max(pause.mul_f64(0.75 + fastrand::f64() / 2.0))).await;
            pause *= 4;
        }
        Err(garbled("it was never asked"))
    }

    fn url(&self, call: &Call<'_>) -> BackendResult<Url> {
        let mut url = self.base.clone();
        url.set_query(None);
        url.path_segments_mut()
            .map_err(|()| BackendError::new(BackendErrorKind::Invalid, "the backend URL has no path"))?
            .pop_if_empty()
            .extend(&call.path);
        if !call.query.is_empty() {
            url.query_pairs_mut().extend_pairs(&call.query);
        }
        Ok(url)
    }

    fn headers(&self, who: &AgentIdentity, call: &Call<'_>) -> BackendResult<HeaderMap> {
        let untokened = |why: String| {
            let message = format!("no token can be made for the backend: {why}");
            BackendError::new(BackendErrorKind::RejectedToken, message)
        };
        let token = self.minter.mint(who).map_err(untokened)?;
        let mut token = HeaderValue::try_from(token)
            .map_err(|_| untokened("it does not fit into a header".to_owned()))?;
        token.set_sensitive(true);
        let mut headers = HeaderMap::from_iter([(HeaderName::from_static("x-agent-token"), token)]);
        for (name, value) in &call.headers {
            // What does not fit into a header is in the body as well.
            if let Ok(value) = HeaderValue::from_str(value) {
                headers.insert(*name, value);
            }
        }
        Ok(headers)
    }

    async fn try_once(&self, call: &Call<'_>, url: Url, headers: HeaderMap) -> Result<Value, Failure> {
        let mut request = self.client.request(call.method.clone(), url).headers(headers);
        if let Some(body) = &call.body {
            request = request.json(body);
        }
        if let Some(limit) = call.within {
            request = request.timeout(limit);
        }
        let response = request.send().await.map_err(Failure::network)?;
        let status = response.status();
        let retry_after = retry_after(response.headers());
        let body = self.bounded(response).await?;
        if !status.is_success() {
            return Err(Failure::status(status, retry_after, &body));
        }
        serde_json::from_slice(&body).map_err(|_| Failure {
            error: garbled("its answer is not JSON"),
            retry_after: None,
            passing: false,
        })
    }

    async fn bounded(&self, mut response: Response) -> Result<Vec<u8>, Failure> {
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(Failure::network)? {
            if body.len() + chunk.len() > self.max_response_bytes {
                let why = format!("its answer is longer than {} bytes", self.max_response_bytes);
                return Err(Failure { error: garbled(&why), retry_after: None, passing: false });
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body)
    }
}

impl Failure {
    fn network(error: reqwest::Error) -> Self {
        let (kind, message) = if error.is_connect() {
            (BackendErrorKind::Unreachable, "the backend cannot be reached")
        } else if error.is_timeout() {
            (BackendErrorKind::Unavailable, "the backend did not answer in time")
        } else {
            (BackendErrorKind::Unavailable, "the connection to the backend broke")
        };
        tracing::debug!(error = %error.without_url(), message);
        Self { error: BackendError::new(kind, message), retry_after: None, passing: true }
    }

    fn status(status: StatusCode, retry_after: Option<Duration>, body: &[u8]) -> Self {
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
        Self { error: BackendError::new(kind, message), retry_after, passing }
    }
}

/// The sentence in an error body, whichever of the known shapes it has.
fn said(body: &[u8]) -> Option<String> {
    let body: Value = serde_json::from_slice(body).ok()?;
    let sentence = ["message", "error", "detail"].iter().find_map(|name| body.get(name)?.as_str())?;
    Some(sentence.chars().filter(|c| !c.is_control()).take(SHOWN).collect())
}

/// `Retry-After` in seconds; its date form is not worth waiting for.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    headers.get(RETRY_AFTER)?.to_str().ok()?.trim().parse().ok().map(Duration::from_secs)
}
