//! What a [`Client`](crate::Client) must be told.

use std::time::Duration;

use secrecy::SecretString;

use crate::provider::{Provider, Wire};

/// Everything a client is made of. [`Config::new`] fills in the defaults.
#[derive(Debug, Clone)]
pub struct Config {
    pub provider: Provider,
    /// May be absent when `base_url` is given: local servers want none.
    pub api_key: Option<SecretString>,
    /// Where the provider's API is; `None` means the provider's own address.
    pub base_url: Option<String>,
    /// The model for requests that name none, as the provider spells it.
    pub default_model: String,
    /// The models to ask when the first one cannot answer, in this order.
    pub fallback_models: Vec<String>,
    /// Ask OpenAI's Responses API and not chat completions, which most compatible servers speak.
    pub responses: bool,
    pub retry: Retry,
    /// How long to wait for a connection.
    pub connect_timeout: Duration,
    /// How long to wait for the response headers; most servers send them only once the answer is
    /// complete, so this is the longest a model may think.
    pub response_timeout: Duration,
    /// The longest silence within a response body.
    pub stall_timeout: Duration,
    /// Responses larger than this are not read to their end.
    pub max_response_bytes: usize,
    /// How long the demo model pretends to think.
    pub demo_latency: Duration,
}

impl Config {
    /// The defaults for `provider`: its own address, no key, no fallback model.
    #[must_use]
    pub fn new(provider: Provider) -> Self {
        Self {
            provider,
            api_key: None,
            base_url: None,
            default_model: provider.default_model().to_owned(),
            fallback_models: Vec::new(),
            responses: false,
            retry: Retry::default(),
            connect_timeout: Duration::from_secs(10),
            response_timeout: Duration::from_secs(90),
            stall_timeout: Duration::from_secs(30),
            max_response_bytes: 8 * 1024 * 1024,
            demo_latency: Duration::ZERO,
        }
    }

    /// The format of calls; `None` for the demo provider, which makes none.
    pub(crate) fn wire(&self) -> Option<Wire> {
        match self.provider {
            Provider::Demo => None,
            Provider::Anthropic => Some(Wire::Messages),
            _ if self.responses => Some(Wire::Responses),
            _ => Some(Wire::Chat),
        }
    }
}

/// How often to ask one model, and how long to wait in between.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Retry {
    /// Tries per model, the first one included; 0 counts as 1.
    pub attempts: u32,
    /// The pause before the second try; it doubles with each further one.
    pub delay: Duration,
    /// No pause of our own is longer. A longer `Retry-After` is still honoured.
    pub max_delay: Duration,
    /// The fraction by which a pause is made longer or shorter at random, 0 to 1.
    pub jitter: f64,
}

impl Default for Retry {
    fn default() -> Self {
        Self {
            attempts: 3,
            delay: Duration::from_secs(1),
            max_delay: Duration::from_secs(30),
            jitter: 0.1,
        }
    }
}

/// Why a client cannot be made. Every sentence says what to change.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum ConfigError {
    #[error(
        "there is no model provider \"{0}\"; choose openai, anthropic, google, xai, groq, mistral, openrouter or demo"
    )]
    UnknownProvider(String),
    #[error("the provider {0} needs an API key, or the base URL of a server that wants none")]
    MissingKey(Provider),
    #[error("the API key for {0} holds characters that an HTTP header cannot carry")]
    KeyUnfitForHeader(Provider),
    #[error("the model base URL \"{url}\" is not usable: {reason}")]
    BaseUrl { url: String, reason: String },
    #[error("the retry jitter must be between 0 and 1, not {0}")]
    Jitter(String),
    #[error("the name of the default model is empty")]
    NoModel,
    #[error(
        "no TLS implementation is installed; the program must install one before it makes a model client"
    )]
    NoTls,
    #[error("the HTTP client for the model provider could not be made: {0}")]
    Http(String),
}
