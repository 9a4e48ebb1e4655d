//! Telling somebody's webhook: signed, once, without following it anywhere.

mod signature;
mod target;

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use reqwest::header::HeaderMap;
use reqwest::{Client, Response, Url, redirect};

pub use signature::{hex_signature, standard_signature};
use target::{Guarded, is_public, literal};

/// How long a receiver may take, from connecting to the last byte.
const PATIENCE: Duration = Duration::from_secs(10);
/// Longer addresses are a mistake.
const LONGEST_URL: usize = 2_048;

/// Whom a webhook's address may lead to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// Anybody: an operator chose it.
    Anywhere,
    /// Nobody on this machine or in its private networks, whatever a name resolves to.
    Public,
}

/// Why an address is not one to post to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum HookError {
    #[error("must be an address that begins with http:// or https://")]
    NotHttp,
    #[error("must not be longer than {LONGEST_URL} characters")]
    TooLong,
    #[error("must not lead to this machine or a private network")]
    Private,
}

/// Reads a webhook's address. What a name resolves to is judged when it is connected to.
///
/// # Errors
/// [`HookError`], each fit to show.
pub fn hook_url(text: &str, reach: Reach) -> Result<Url, HookError> {
    if text.len() > LONGEST_URL {
        return Err(HookError::TooLong);
    }
    let url = Url::parse(text).map_err(|_| HookError::NotHttp)?;
    if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
        return Err(HookError::NotHttp);
    }
    match reach {
        Reach::Public if !may_be_public(&url) => Err(HookError::Private),
        Reach::Public | Reach::Anywhere => Ok(url),
    }
}

/// Whether nothing is known yet that speaks against it.
fn may_be_public(url: &Url) -> bool {
    let name = url.host_str().unwrap_or_default().trim_end_matches('.');
    let is_local = name == "localhost" || name.ends_with(".localhost");
    !is_local && literal(url).is_none_or(is_public)
}

/// Why a webhook could not be told. No message holds the address, which may hold a secret.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Untold(String);

/// Posts to webhooks. It follows no redirect, so what is told goes where it was to go and nowhere else. Its
/// client is set up with the first post: that reads the system's certificates, which a server without webhooks
/// does not need. Clones share it.
#[derive(Debug, Clone)]
pub struct Courier {
    reach: Reach,
    agent: &'static str,
    client: Arc<OnceLock<Client>>,
}

impl Courier {
    /// One that calls itself `agent` in `User-Agent`.
    #[must_use]
    pub fn new(reach: Reach, agent: &'static str) -> Self {
        Self {
            reach,
            agent,
            client: Arc::default(),
        }
    }

    /// Whom it posts to.
    #[must_use]
    pub fn reach(&self) -> Reach {
        self.reach
    }

    fn client(&self) -> Result<&Client, Untold> {
        if let Some(client) = self.client.get() {
            return Ok(client);
        }
        if rustls::crypto::CryptoProvider::get_default().is_none() {
            return Err(Untold("no TLS implementation is installed".to_owned()));
        }
        let mut client = Client::builder()
            .redirect(redirect::Policy::none())
            .connect_timeout(PATIENCE)
            .timeout(PATIENCE)
            .user_agent(self.agent);
        if self.reach == Reach::Public {
            // A proxy would resolve the name itself, where nobody looks at what comes of it.
            client = client.no_proxy().dns_resolver(Arc::new(Guarded));
        }
        let client = client
            .build()
            .map_err(|error| Untold(format!("TLS could not be set up: {error}")))?;
        Ok(self.client.get_or_init(|| client))
    }

    /// Posts JSON, once.
    ///
    /// # Errors
    /// When there is no answer within ten seconds. An answer with an error status is one.
    pub async fn post(
        &self,
        url: Url,
        headers: HeaderMap,
        body: String,
    ) -> Result<Response, Untold> {
        if self.reach == Reach::Public && !may_be_public(&url) {
            return Err(Untold(HookError::Private.to_string()));
        }
        let request = self.client()?.post(url).headers(headers).body(body);
        let answer = request
            .header("content-type", "application/json")
            .send()
            .await;
        answer.map_err(|error| {
            let error = error.without_url();
            let mut cause: &dyn std::error::Error = &error;
            while let Some(deeper) = cause.source() {
                cause = deeper;
            }
            Untold(format!("{error}: {cause}"))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_that_lead_inside_are_refused_however_they_are_written() {
        for url in [
            "http://localhost/",
            "http://LOCALHOST.:1/",
            "http://a.localhost/",
            "http://127.0.0.1/",
            "http://127.1/",
            "http://0x7f000001/",
            "http://2130706433/",
            "http://0/",
            "http://10.1.2.3/",
            "http://172.31.0.1/",
            "http://192.168.0.1/",
            "http://169.254.169.254/latest/meta-data",
            "http://100.64.0.1/",
            "http://[::1]/",
            "http://[::]/",
            "http://[::ffff:127.0.0.1]/",
            "http://[64:ff9b::7f00:1]/",
            "http://[2002:7f00:1::]/",
            "http://[fd00::1]/",
            "http://[fe80::1]/",
            "http://224.0.0.1/",
        ] {
            assert_eq!(
                hook_url(url, Reach::Public),
                Err(HookError::Private),
                "{url}"
            );
            assert!(hook_url(url, Reach::Anywhere).is_ok(), "{url}");
        }
        for url in [
            "https://example.com/x?y",
            "http://172.32.0.1/",
            "http://8.8.8.8:81/",
            "http://[2606:4700::1]/",
        ] {
            assert!(hook_url(url, Reach::Public).is_ok(), "{url}");
        }
    }

    #[test]
    fn what_is_no_web_address_is_refused() {
        for url in [
            "",
            "x",
            "/x",
            "ftp://example.com/",
            "file:///etc/passwd",
            "http://",
        ] {
            assert_eq!(
                hook_url(url, Reach::Anywhere),
                Err(HookError::NotHttp),
                "{url}"
            );
        }
        let long = format!("http://example.com/{}", "x".repeat(LONGEST_URL));
        assert_eq!(hook_url(&long, Reach::Anywhere), Err(HookError::TooLong));
    }
}
