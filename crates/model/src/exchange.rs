//! One HTTP exchange with a provider: send JSON, read a bounded body, never wait for ever.

use std::error::Error as _;
use std::ops::Deref;
use std::time::Duration;

use jiff::Timestamp;
use jiff::fmt::rfc2822;
use reqwest::header::{CONTENT_TYPE, DATE, HeaderMap, RETRY_AFTER};
use reqwest::{Response, Url, redirect};
use tokio::time::timeout;

use crate::config::{Config, ConfigError};
use crate::failure::Failure;
use crate::sse::{Decoder, LineTooLong};
use crate::types::ErrorKind;

/// Whether there is more to read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Heed {
    More,
    Enough,
}

/// A provider's one address, with the headers and limits that go with every call to it.
#[derive(Debug)]
pub(crate) struct Exchange {
    http: reqwest::Client,
    url: Url,
    headers: HeaderMap,
    response_timeout: Duration,
    stall_timeout: Duration,
    max_response_bytes: usize,
}

impl Exchange {
    pub(crate) fn new(config: &Config, url: Url, headers: HeaderMap) -> Result<Self, ConfigError> {
        // reqwest panics when it finds none.
        if rustls::crypto::CryptoProvider::get_default().is_none() {
            return Err(ConfigError::NoTls);
        }
        let mut http = reqwest::Client::builder()
            .user_agent(concat!("stationmaster/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(config.connect_timeout)
            // A redirect would take the prompt, and with `x-api-key` the key, to another host.
            .redirect(redirect::Policy::none());
        if is_loopback(&url) {
            http = http.no_proxy();
        }
        Ok(Self {
            http: http
                .build()
                .map_err(|error| ConfigError::Http(deepest(&error)))?,
            url,
            headers,
            response_timeout: config.response_timeout,
            stall_timeout: config.stall_timeout,
            max_response_bytes: config.max_response_bytes,
        })
    }

    /// Sends `body` as JSON and returns the body of a 2xx answer; anything else is a failure.
    pub(crate) async fn post(&self, body: String) -> Result<Vec<u8>, Failure> {
        let response = self.send(body).await?;
        self.read(response).await
    }

    async fn send(&self, body: String) -> Result<Response, Failure> {
        let request = self
            .http
            .post(self.url.clone())
            .headers(self.headers.clone())
            .header(CONTENT_TYPE, "application/json")
            .body(body);
        let response = match timeout(self.response_timeout, request.send()).await {
            Ok(Ok(response)) => response,
            Ok(Err(error)) => return Err(self.broken(&error)),
            Err(_) => return Err(self.silent("gave no answer", self.response_timeout)),
        };
        let status = response.status();
        if status.is_success() {
            return Ok(response);
        }
        let retry_after = retry_after(response.headers());
        // An error status speaks for itself; the body, when there is one, only explains it.
        let body = self.read(response).await.unwrap_or_default();
        Err(Failure::from_status(status, retry_after, &body))
    }

    /// Sends `body` and hands every event of a 2xx answer to `take`, until that has enough or the answer ends.
    /// A server that does not stream gives its whole body instead.
    pub(crate) async fn stream(
        &self,
        body: String,
        mut take: impl FnMut(&str) -> Result<Heed, Failure>,
    ) -> Result<Option<Vec<u8>>, Failure> {
        let mut response = self.send(body).await?;
        let content_type = response.headers().get(CONTENT_TYPE);
        let content_type = content_type.and_then(|it| it.to_str().ok());
        if !content_type.is_some_and(|it| it.trim_start().starts_with("text/event-stream")) {
            return self.read(response).await.map(Some);
        }
        let mut decoder = Decoder::default();
        let mut length = 0;
        loop {
            let chunk = self.chunk(&mut response, &mut length).await?;
            let events = match &chunk {
                Some(chunk) => decoder.feed(chunk),
                None => decoder.finish().map(Vec::from_iter),
            };
            let events = events.map_err(|LineTooLong| {
                let message = format!("{} sent a line without end", self.host());
                Failure::new(ErrorKind::Garbled, message)
            })?;
            for event in events {
                if take(&event)? == Heed::Enough {
                    return Ok(None);
                }
            }
            if chunk.is_none() {
                return Ok(None);
            }
        }
    }

    async fn read(&self, mut response: Response) -> Result<Vec<u8>, Failure> {
        let mut body = Vec::new();
        let mut length = 0;
        while let Some(chunk) = self.chunk(&mut response, &mut length).await? {
            body.extend_from_slice(&chunk);
        }
        Ok(body)
    }

    /// The next bytes; `None` at the end. `length` counts them.
    async fn chunk(
        &self,
        response: &mut Response,
        length: &mut usize,
    ) -> Result<Option<impl Deref<Target = [u8]> + use<>>, Failure> {
        let chunk = match timeout(self.stall_timeout, response.chunk()).await {
            Ok(Ok(Some(chunk))) => chunk,
            Ok(Ok(None)) => return Ok(None),
            Ok(Err(error)) => return Err(self.broken(&error)),
            Err(_) => {
                return Err(self.silent("stopped in the middle of its answer", self.stall_timeout));
            }
        };
        *length += chunk.len();
        if *length > self.max_response_bytes {
            let message = format!(
                "{} sent more than {} bytes",
                self.host(),
                self.max_response_bytes
            );
            return Err(Failure::new(ErrorKind::Garbled, message));
        }
        Ok(Some(chunk))
    }

    fn broken(&self, error: &reqwest::Error) -> Failure {
        let doing = if error.is_connect() {
            "connecting to"
        } else {
            "talking to"
        };
        Failure::new(
            ErrorKind::Unavailable,
            format!("{doing} {}: {}", self.host(), deepest(error)),
        )
    }

    fn silent(&self, what: &str, waited: Duration) -> Failure {
        Failure::new(
            ErrorKind::Unavailable,
            format!("{} {what} within {waited:?}", self.host()),
        )
    }

    /// What an error may show of the address: its query could hold a secret.
    fn host(&self) -> String {
        let host = self.url.host_str().unwrap_or("the provider");
        self.url
            .port()
            .map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
    }
}

fn is_loopback(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
    host == "localhost"
        || host
            .parse::<std::net::IpAddr>()
            .is_ok_and(|address| address.is_loopback())
}

/// reqwest's own sentences name the URL and not the cause; the cause is at the end of the chain.
fn deepest(error: &reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    if error.source().is_none() {
        return "the request failed".to_owned();
    }
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    cause.to_string()
}

/// Whole seconds, or a time, which is as far away as it is from the answer's own.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = |name| headers.get(name)?.to_str().ok().map(str::trim);
    let after = text(RETRY_AFTER)?;
    if let Ok(seconds) = after.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let time = |text| Some(rfc2822::parse(text).ok()?.timestamp());
    let sent = text(DATE).and_then(time);
    let wait = time(after)?.duration_since(sent.unwrap_or_else(Timestamp::now));
    Some(Duration::try_from(wait).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use reqwest::header::HeaderValue;

    use super::*;

    #[test]
    fn a_retry_after_is_seconds_or_a_time() {
        let read = |after: &'static str| {
            retry_after(&HeaderMap::from_iter([
                (RETRY_AFTER, HeaderValue::from_static(after)),
                (
                    DATE,
                    HeaderValue::from_static("Wed, 21 Oct 2026 07:28:00 GMT"),
                ),
            ]))
        };
        let seconds = |number| Some(Duration::from_secs(number));
        assert_eq!(read("7"), seconds(7));
        assert_eq!(read("Wed, 21 Oct 2026 07:29:05 GMT"), seconds(65));
        assert_eq!(read("Wed, 21 Oct 2026 07:27:00 GMT"), seconds(0));
        assert_eq!(read("-1"), None);
        assert_eq!(read("soon"), None);
    }

    #[test]
    fn a_local_server_is_reached_without_a_proxy() {
        let local = |url: &str| is_loopback(&Url::parse(url).unwrap());
        assert!(local("http://localhost:1/"));
        assert!(local("http://127.0.0.2:1/"));
        assert!(local("http://[::1]:1/"));
        assert!(!local("https://api.openai.com/"));
    }
}
