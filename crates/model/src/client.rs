//! The client: which model is asked, and which one after it.

use std::sync::Arc;

use reqwest::header::HeaderMap;
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::config::{Config, ConfigError};
use crate::demo;
use crate::endpoint::endpoint;
use crate::exchange::{Exchange, Heed};
use crate::failure::Failure;
use crate::listener::{Heard, Listener};
use crate::provider::{Provider, Wire};
use crate::retry::Budget;
use crate::types::{Error, ErrorKind, Reply, Request};
use crate::wire::{
    Shape, Streamed, anthropic, anthropic_stream, openai, openai_stream, responses,
    responses_stream,
};

/// Asks one provider's models. Clones share connections and cost nothing.
#[derive(Debug, Clone)]
pub struct Client(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    config: Config,
    /// `None` for the demo provider, which has no network.
    line: Option<(Wire, Exchange)>,
}

impl Client {
    /// Checks `config` and makes a client; nothing is sent yet.
    ///
    /// # Errors
    ///
    /// When a key is missing, the base URL is not one, or no TLS provider was installed.
    pub fn new(mut config: Config) -> Result<Self, ConfigError> {
        config.api_key = config.api_key.as_ref().and_then(usable_key);
        config.base_url = config.base_url.filter(|url| !url.trim().is_empty());
        config
            .fallback_models
            .retain(|model| !model.trim().is_empty());
        if config.default_model.trim().is_empty() {
            return Err(ConfigError::NoModel);
        }
        if !(0.0..=1.0).contains(&config.retry.jitter) {
            return Err(ConfigError::Jitter(config.retry.jitter.to_string()));
        }
        let line = match config.wire() {
            None => None,
            Some(wire) => {
                let headers = headers(&config, wire)?;
                let url = endpoint(config.provider, wire, config.base_url.as_deref())?;
                Some((wire, Exchange::new(&config, url, headers)?))
            }
        };
        Ok(Self(Arc::new(Inner { config, line })))
    }

    #[must_use]
    pub fn provider(&self) -> Provider {
        self.0.config.provider
    }

    /// The model for requests that name none.
    #[must_use]
    pub fn default_model(&self) -> &str {
        &self.0.config.default_model
    }

    /// Asks the model, and again while that can help, then the fallback models in their order; never
    /// beyond `deadline`.
    ///
    /// Passing faults (429, 5xx, network, an empty or unreadable answer) are tried again after a
    /// pause, at least as long as the provider's `Retry-After`. If that pause does not fit before
    /// the deadline, the fault is reported at once.
    ///
    /// # Errors
    ///
    /// The error's kind says what went wrong and whether the same call may succeed later. When
    /// fallback models failed too, its sentence tells of all.
    pub async fn complete(
        &self,
        request: Request,
        deadline: impl Into<Instant>,
    ) -> Result<Reply, Error> {
        self.answer(&request, deadline.into(), None).await
    }

    /// The same, and `listener` hears the text as it comes. What it has heard cannot be taken back, so from the
    /// first piece on nothing is tried again and no other model asked.
    ///
    /// # Errors
    ///
    /// As [`complete`](Self::complete), also after the listener has heard a part.
    pub async fn stream(
        &self,
        request: Request,
        deadline: impl Into<Instant>,
        listener: &dyn Listener,
    ) -> Result<Reply, Error> {
        let heard = Heard::new(listener);
        self.answer(&request, deadline.into(), Some(&heard)).await
    }

    async fn answer(
        &self,
        request: &Request,
        deadline: Instant,
        heard: Option<&Heard<'_>>,
    ) -> Result<Reply, Error> {
        let mut budget = Budget {
            retry: self.0.config.retry,
            deadline,
            asked: 0,
        };
        let model = if request.model.is_empty() {
            self.default_model()
        } else {
            &request.model
        };

        let fallbacks = self.0.config.fallback_models.iter().map(String::as_str);
        let others = fallbacks.filter(|other| *other != model);
        let mut failures = Vec::new();
        for model in std::iter::once(model).chain(others) {
            let failure = match self.ask(request, model, &mut budget, heard).await {
                Ok(reply) => return Ok(reply),
                Err(failure) => failure,
            };
            let (attempts, reason) = (budget.asked, &failure.message);
            tracing::warn!(model, attempts, reason, "the model gave no reply");
            let goes_on = may_fall_back(failure.kind) && !heard.is_some_and(Heard::any);
            failures.push((model, failure));
            if !goes_on {
                break;
            }
        }
        Err(one_of(failures).into_error(budget.asked))
    }

    async fn ask(
        &self,
        request: &Request,
        model: &str,
        budget: &mut Budget,
        heard: Option<&Heard<'_>>,
    ) -> Result<Reply, Failure> {
        let ask = |shape| self.ask_once(request, model, shape, heard);
        let adapt = |shape: &mut Shape, failure: &Failure| {
            failure
                .unsupported
                .is_some_and(|part| shape.leave_out(part))
        };
        budget.spend(Shape::of(request, model), ask, adapt).await
    }

    async fn ask_once(
        &self,
        request: &Request,
        model: &str,
        shape: Shape,
        heard: Option<&Heard<'_>>,
    ) -> Result<Reply, Failure> {
        let config = &self.0.config;
        let Some((wire, exchange)) = &self.0.line else {
            tokio::time::sleep(config.demo_latency).await;
            let reply = demo::reply(request, model);
            if let Some(heard) = heard {
                reply
                    .text
                    .split_inclusive(' ')
                    .for_each(|word| heard.say(word));
            }
            return Ok(reply);
        };
        let body = body(*wire, request, model, shape, heard.is_some());
        let reply = match heard {
            None => {
                let answer = exchange.post(body).await;
                answer.and_then(|answer| read(*wire, &answer, request, model))
            }
            Some(heard) => follow(*wire, exchange, body, (request, model), heard).await,
        };
        let key = config.api_key.as_ref().map(ExposeSecret::expose_secret);
        reply.map_err(|failure| failure.presentable(key))
    }
}

/// What is asked. As text it waits for the answer in a tenth of the memory.
fn body(wire: Wire, request: &Request, model: &str, shape: Shape, streams: bool) -> String {
    let mut body = match wire {
        Wire::Chat => openai::body(request, model, shape),
        Wire::Responses => responses::body(request, model, shape),
        Wire::Messages => anthropic::body(request, model, shape),
    };
    if streams {
        body["stream"] = Value::Bool(true);
    }
    if streams && wire == Wire::Chat && shape.stream_usage {
        body["stream_options"] = json!({"include_usage": true});
    }
    body.to_string()
}

/// Reads a whole answer.
fn read(wire: Wire, answer: &[u8], request: &Request, model: &str) -> Result<Reply, Failure> {
    match wire {
        Wire::Chat => openai::reply(answer, request, model),
        Wire::Responses => responses::reply(answer, request, model),
        Wire::Messages => anthropic::reply(answer, request, model),
    }
}

/// Reads an answer as it comes. One that fails after a part of it was heard is not asked for again.
async fn follow(
    wire: Wire,
    exchange: &Exchange,
    body: String,
    (request, model): (&Request, &str),
    heard: &Heard<'_>,
) -> Result<Reply, Failure> {
    let mut streamed: Box<dyn Streamed> = match wire {
        Wire::Chat => Box::<openai_stream::Chunks>::default(),
        Wire::Responses => Box::<responses_stream::Events>::default(),
        Wire::Messages => Box::<anthropic_stream::Events>::default(),
    };
    heard.begin();
    let take = |data: &str| {
        if let Some(text) = streamed.take(data)? {
            heard.say(&text);
        }
        Ok(if streamed.is_done() {
            Heed::Enough
        } else {
            Heed::More
        })
    };
    let reply = match exchange.stream(body, take).await {
        Ok(None) => streamed.finish(request, model),
        Ok(Some(whole)) => read(wire, &whole, request, model).inspect(|reply| {
            heard.say(&reply.text);
        }),
        Err(failure) => Err(failure),
    };
    reply.map_err(|failure| Failure {
        again: failure.again && !heard.any(),
        unsupported: failure.unsupported.filter(|_| !heard.any()),
        ..failure
    })
}

/// Keys read from files end in a newline, and an empty setting is no key.
fn usable_key(key: &SecretString) -> Option<SecretString> {
    let key = key.expose_secret().trim();
    (!key.is_empty()).then(|| SecretString::from(key))
}

fn headers(config: &Config, wire: Wire) -> Result<HeaderMap, ConfigError> {
    let provider = config.provider;
    if config.api_key.is_none() && config.base_url.is_none() {
        return Err(ConfigError::MissingKey(provider));
    }
    let key = config.api_key.as_ref().map(ExposeSecret::expose_secret);
    let headers = match wire {
        Wire::Messages => anthropic::headers(key),
        Wire::Chat | Wire::Responses => openai::headers(key),
    };
    headers.map_err(|_| ConfigError::KeyUnfitForHeader(provider))
}

/// Another model helps against a model that is overloaded, unknown or silent. It does not help
/// against a bad key or a bad request, and a refusal is an answer, not a fault to work around.
fn may_fall_back(kind: ErrorKind) -> bool {
    match kind {
        ErrorKind::RateLimited
        | ErrorKind::Unavailable
        | ErrorKind::UnknownModel
        | ErrorKind::Empty
        | ErrorKind::Garbled => true,
        ErrorKind::Deadline
        | ErrorKind::Unauthorized
        | ErrorKind::Rejected
        | ErrorKind::Refused => false,
    }
}

/// One failure out of those of several models. The last one's kind counts, unless an earlier one leaves the
/// caller more hope: if the first model is only overloaded, a misspelt fallback does not make the call
/// hopeless.
fn one_of(failures: Vec<(&str, Failure)>) -> Failure {
    let is_one = failures.len() == 1;
    let told = |(model, failure): (&str, Failure)| match is_one {
        true => failure,
        false => Failure {
            message: format!("{model}: {}", failure.message),
            ..failure
        },
    };
    let joined = failures.into_iter().map(told).reduce(|earlier, later| {
        let message = format!("{}; then {}", earlier.message, later.message);
        let retry_after = earlier.retry_after.or(later.retry_after);
        let earlier_wins = earlier.kind.is_retryable() && !later.kind.is_retryable();
        Failure {
            message,
            retry_after,
            ..if earlier_wins { earlier } else { later }
        }
    });
    joined.unwrap_or_else(|| Failure::new(ErrorKind::Deadline, "no model was asked"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(config: Config) -> ConfigError {
        Client::new(config).unwrap_err()
    }

    #[test]
    fn a_key_may_be_missing_only_when_the_server_is_named() {
        let config = Config::new(Provider::OpenAi);
        assert_eq!(
            refused(config.clone()),
            ConfigError::MissingKey(Provider::OpenAi)
        );
        let blank = Config {
            api_key: Some(" \n".into()),
            base_url: Some("  ".to_owned()),
            ..config.clone()
        };
        assert_eq!(refused(blank), ConfigError::MissingKey(Provider::OpenAi));
        // With a base URL the next thing missed is TLS, which no unit test installs.
        let local = Config {
            base_url: Some("http://localhost:11434".to_owned()),
            ..config
        };
        assert_eq!(refused(local), ConfigError::NoTls);
    }

    #[test]
    fn a_key_with_line_breaks_inside_is_refused_and_not_shown() {
        let config = Config {
            api_key: Some("sk-1\nsk-2".into()),
            ..Config::new(Provider::Anthropic)
        };
        let error = refused(config);
        assert_eq!(error, ConfigError::KeyUnfitForHeader(Provider::Anthropic));
        assert!(!error.to_string().contains("sk-"));
    }

    #[test]
    fn a_client_does_not_show_its_key() {
        let config = Config {
            api_key: Some("sk-hidden".into()),
            ..Config::new(Provider::Demo)
        };
        assert!(!format!("{:?}", Client::new(config).unwrap()).contains("sk-hidden"));
    }

    #[test]
    fn jitter_beyond_a_whole_pause_is_refused() {
        let mut config = Config::new(Provider::Demo);
        config.retry.jitter = 1.5;
        assert_eq!(refused(config), ConfigError::Jitter("1.5".to_owned()));
    }

    #[test]
    fn a_misspelt_fallback_does_not_hide_that_waiting_would_help() {
        let overloaded = Failure::new(ErrorKind::RateLimited, "HTTP 429");
        let unknown = Failure::new(ErrorKind::UnknownModel, "HTTP 404");
        let failure = one_of(vec![("a", overloaded), ("b", unknown)]);
        assert_eq!(
            (failure.kind, failure.message.as_str()),
            (ErrorKind::RateLimited, "a: HTTP 429; then b: HTTP 404")
        );
    }
}
