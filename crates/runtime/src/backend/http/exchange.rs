//! One call to the backend: token, tries, limits, and what the status means.

use std::fmt;
use std::time::Duration;

use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use reqwest::redirect::Policy;
use reqwest::{Client, Method, Response, Url};
use serde_json::Value;

use super::config::{HttpBackendConfig, HttpBackendError, TokenMinter};
use super::failure::{Failure, retry_after};
use crate::AgentIdentity;
use crate::backend::{BackendError, BackendErrorKind, BackendResult};

/// How often a call is tried that may be tried again.
const TRIES: u32 = 3;
/// The pause before the second try; the one before the third is four times as long.
const PAUSE: Duration = Duration::from_millis(100);
/// A longer `Retry-After` is the caller's to honour.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

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
        let given = query
            .iter()
            .filter_map(|(name, value)| Some((*name, value.clone()?)));
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
        f.debug_struct("Exchange")
            .field("host", &self.base.host_str())
            .finish_non_exhaustive()
    }
}

impl Exchange {
    pub(super) fn new(
        config: &HttpBackendConfig,
        minter: Box<dyn TokenMinter>,
    ) -> Result<Self, HttpBackendError> {
        let base = Url::parse(config.base_url.trim())
            .map_err(|error| HttpBackendError::BaseUrl(error.to_string()))?;
        if !matches!(base.scheme(), "http" | "https") {
            return Err(HttpBackendError::BaseUrl(
                "it must begin with http:// or https://".into(),
            ));
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
        Ok(Self {
            client,
            base,
            minter,
            max_response_bytes: config.max_response_bytes,
        })
    }

    /// Makes the call and gives the JSON of its 2xx.
    pub(super) async fn call(&self, who: &AgentIdentity, call: Call<'_>) -> BackendResult<Value> {
        let url = self.url(&call)?;
        let headers = self.headers(who, &call)?;
        let (mut tried, mut pause) = (0, PAUSE);
        loop {
            tried += 1;
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
            tracing::debug!(
                tried,
                reason = failure.error.message,
                "asking the backend again"
            );
            tokio::time::sleep(asked.max(pause.mul_f64(0.75 + fastrand::f64() / 2.0))).await;
            pause *= 4;
        }
    }

    /// Whether `/health` answers 2xx within `limit`. No token goes along.
    pub(super) async fn probe(&self, limit: Duration) -> BackendResult<()> {
        let call = Call::new(Method::GET, &["health"]).once().within(limit);
        let url = self.url(&call)?;
        let sent = self.client.get(url).timeout(limit).send().await;
        let response = sent.map_err(|error| Failure::network(error).error)?;
        let status = response.status();
        if status.is_success() {
            return Ok(());
        }
        let retry_after = retry_after(response.headers());
        let body = self
            .bounded(response)
            .await
            .map_err(|failure| failure.error)?;
        Err(Failure::status(status, retry_after, &body).error)
    }

    fn url(&self, call: &Call<'_>) -> BackendResult<Url> {
        let mut url = self.base.clone();
        url.set_query(None);
        url.path_segments_mut()
            .map_err(|()| {
                BackendError::new(BackendErrorKind::Invalid, "the backend URL has no path")
            })?
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

    async fn try_once(
        &self,
        call: &Call<'_>,
        url: Url,
        headers: HeaderMap,
    ) -> Result<Value, Failure> {
        let mut request = self
            .client
            .request(call.method.clone(), url)
            .headers(headers);
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
        serde_json::from_slice(&body).map_err(|_| Failure::garbled("its answer is not JSON"))
    }

    async fn bounded(&self, mut response: Response) -> Result<Vec<u8>, Failure> {
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(Failure::network)? {
            if body.len() + chunk.len() > self.max_response_bytes {
                let why = format!(
                    "its answer is longer than {} bytes",
                    self.max_response_bytes
                );
                return Err(Failure::garbled(&why));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exchange(base: &str) -> Result<Exchange, HttpBackendError> {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let minter = |who: &AgentIdentity| Ok::<_, String>(format!("{}/{}", who.user_id, who.role));
        Exchange::new(&HttpBackendConfig::new(base), Box::new(minter))
    }

    #[test]
    fn ids_are_one_part_of_the_path_whatever_they_hold() {
        let url = |base: &str, path: &[&str]| {
            let call = Call::new(Method::GET, path).query(&[("title", Some("a&b".to_owned()))]);
            exchange(base).unwrap().url(&call).unwrap().to_string()
        };
        for base in ["http://h:1", " http://h:1/ ", "http://h:1/?x=1"] {
            assert_eq!(url(base, &["api", "t"]), "http://h:1/api/t?title=a%26b");
        }
        assert_eq!(
            url("http://h:1/mc/", &["tasks", "../a?b#c"]),
            "http://h:1/mc/tasks/..%2Fa%3Fb%23c?title=a%26b"
        );
    }

    #[test]
    fn a_base_that_cannot_be_called_is_refused() {
        for base in ["", "localhost:8000", "ftp://h", "data:text"] {
            assert!(
                matches!(exchange(base), Err(HttpBackendError::BaseUrl(_))),
                "{base}"
            );
        }
    }

    #[test]
    fn the_token_is_hidden_from_logs() {
        let exchange = exchange("http://user:secret@h").unwrap();
        let who = AgentIdentity {
            user_id: "u1".parse().unwrap(),
            role: "agent".parse().unwrap(),
        };
        let headers = exchange
            .headers(&who, &Call::new(Method::GET, &[]))
            .unwrap();
        assert!(!format!("{headers:?}").contains("u1/agent"));
        assert!(!format!("{exchange:?}").contains("secret"));
    }
}
