//! Sends requests: the right token, an idempotency key, and patience with a server that is busy (§1.1,
//! §1.3, §14).
//!
//! A request that changes something carries one key through all its tries, so that trying again never
//! does it twice. A busy server (429) is waited for as long as it asks; one that fails (5xx) or does
//! not answer is tried three times, a little later each time.

use std::error::Error as _;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use reqwest::header::{HeaderMap, RETRY_AFTER};
use reqwest::{RequestBuilder, Response, Url};
use serde_json::Value;
use tokio::time::{Instant, sleep};

use crate::call::{Actor, Call};
use crate::config::{Level, Settings, Token};
use crate::failure::Failure;
use crate::print::console;

/// How often a request is sent that the server fails at.
const TRIES: u32 = 3;
/// How long to wait after the first failure; twice as long after the second.
const FIRST_PAUSE: Duration = Duration::from_millis(200);
/// A server that fails may ask for a pause as long as this.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// How long a 429 without `Retry-After` means (§1.2).
const DEFAULT_RETRY_AFTER: u64 = 60;
/// How long all waiting for a busy server may take together.
const LONGEST_WAIT: Duration = Duration::from_secs(300);
/// How often a busy server is asked again.
const MOST_WAITS: u32 = 10;
/// No reply is larger.
const LARGEST_REPLY: usize = 64 * 1024 * 1024;
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// What the server said.
#[derive(Debug)]
pub(crate) struct Reply {
    pub status: u16,
    pub headers: HeaderMap,
    /// The body as it came.
    pub text: String,
    /// The body as JSON; null if it is none.
    pub body: Value,
}

impl Reply {
    /// `Retry-After`, in seconds.
    pub(crate) fn retry_after(&self) -> Option<u64> {
        self.headers
            .get(RETRY_AFTER)?
            .to_str()
            .ok()?
            .trim()
            .parse()
            .ok()
    }

    /// How long it asks to wait before the same request may be sent again.
    fn asks_to_wait(&self) -> Option<Duration> {
        let seconds = match self.status {
            429 => self.retry_after().unwrap_or(DEFAULT_RETRY_AFTER),
            // The first request with this key is still running (§1.2).
            409 if self.body["error"]["code"] == "IDEMPOTENCY_CONFLICT" => self.retry_after()?,
            _ => return None,
        };
        Some(Duration::from_secs(seconds))
    }

    /// The body of a success; the failure that anything else is.
    pub(crate) fn accepted(self) -> Result<Self, Failure> {
        if (200..300).contains(&self.status) && !self.body.is_null() {
            return Ok(self);
        }
        let mut failure = Failure::refused(self.status, &self.text, &self.body);
        if let Some(place) = self
            .headers
            .get("location")
            .and_then(|place| place.to_str().ok())
        {
            failure = failure.hint(format!(
                "the server is elsewhere: {place}; set MC_API_URL to it"
            ));
        }
        Err(failure)
    }
}

/// A server, and who we are to it.
pub(crate) struct Client {
    api_url: String,
    timeout: Duration,
    agent: Option<String>,
    agent_token: Option<Token>,
    admin_token: Option<Token>,
    level: Level,
    given_key: Option<String>,
    /// How many changes were sent with the given key.
    keys_used: AtomicU32,
    http: OnceLock<reqwest::Client>,
}

impl Client {
    pub(crate) fn new(settings: &Settings, given_key: Option<String>) -> Self {
        Self {
            api_url: settings.api_url.clone(),
            timeout: settings.timeout,
            agent: settings.agent.clone(),
            agent_token: settings.agent_token.clone(),
            admin_token: settings.admin_token.clone(),
            level: settings.level,
            given_key,
            keys_used: AtomicU32::new(0),
            http: OnceLock::new(),
        }
    }

    /// Sends a request until it is answered for good, and gives the reply of a success.
    pub(crate) async fn send(&self, call: &Call) -> Result<Reply, Failure> {
        let key = call.writes().then(|| self.key());
        let answer = self
            .send_with_key(call, key.as_deref(), LONGEST_WAIT)
            .await?;
        let failure = match answer.accepted() {
            Ok(reply) => return Ok(reply),
            Err(failure) => failure,
        };
        Err(match failure.code.as_deref() {
            Some("POLICY_VIOLATION") => failure.asking_for_approval(call.purpose.as_ref()),
            _ => failure,
        })
    }

    /// Sends a request until it is answered for good, whatever the answer is. A busy server is waited
    /// for so long at most.
    ///
    /// # Errors
    /// Only when there is no answer, or no token to ask with.
    pub(crate) async fn send_with_key(
        &self,
        call: &Call,
        key: Option<&str>,
        longest_wait: Duration,
    ) -> Result<Reply, Failure> {
        let started = Instant::now();
        let mut failures = 0;
        let mut waits = 0;
        loop {
            let answer = self.once(call, key).await;
            let pause = match &answer {
                Ok(reply) => match reply.asks_to_wait() {
                    Some(pause) => {
                        waits += 1;
                        if waits > MOST_WAITS || started.elapsed() + pause > longest_wait {
                            return answer;
                        }
                        self.say(
                            Level::Warn,
                            &format!("the server is busy; trying again in {} s", pause.as_secs()),
                        );
                        pause
                    }
                    None if reply.status < 500 => return answer,
                    None => {
                        failures += 1;
                        let asked = reply.retry_after().map(Duration::from_secs);
                        asked
                            .unwrap_or(Duration::ZERO)
                            .min(LONGEST_PAUSE)
                            .max(back_off(failures))
                    }
                },
                Err(failure) if failure.exit == crate::failure::Exit::Network => {
                    failures += 1;
                    back_off(failures)
                }
                Err(_) => return answer,
            };
            if failures >= TRIES {
                return answer;
            }
            sleep(pause).await;
        }
    }

    /// Sends a request once.
    async fn once(&self, call: &Call, key: Option<&str>) -> Result<Reply, Failure> {
        let started = Instant::now();
        let answered = match self.request(call, key)?.timeout(self.timeout).send().await {
            Ok(response) => read(response).await,
            Err(error) => Err(error),
        };
        let answer = answered.map_err(|error| self.unanswered(&error));
        if self.level >= Level::Debug {
            let end = match &answer {
                Ok(Ok(reply)) => reply.status.to_string(),
                _ => "no answer".to_owned(),
            };
            let took = started.elapsed().as_millis();
            self.say(
                Level::Debug,
                &format!("{} {} {end} {took} ms", call.method, call.path),
            );
        }
        answer?
    }

    /// Opens a stream; the caller reads it as it comes.
    pub(crate) async fn open(
        &self,
        call: &Call,
        last_event: Option<&str>,
    ) -> Result<Response, Failure> {
        let mut request = self
            .request(call, None)?
            .header("accept", "text/event-stream");
        if let Some(id) = last_event {
            request = request.header("last-event-id", id);
        }
        let response = tokio::time::timeout(self.timeout, request.send())
            .await
            .map_err(|_| self.late())?
            .map_err(|error| self.unanswered(&error))?;
        if response.status().is_success() {
            return Ok(response);
        }
        let reply = read(response)
            .await
            .map_err(|error| self.unanswered(&error))??;
        reply.accepted()?;
        Err(Failure::other(
            "the server answered a stream with something else",
        ))
    }

    fn request(&self, call: &Call, key: Option<&str>) -> Result<RequestBuilder, Failure> {
        let (token, is_agent) = self.token(call.actor)?;
        let url = format!("{}/api/v1{}", self.api_url, call.path);
        let mut request = self
            .http()?
            .request(call.method.clone(), url)
            .bearer_auth(token.expose());
        if let Some(agent) = &self.agent
            && (is_agent || call.may_be_done_for_an_agent())
        {
            request = request.header("X-Agent-Id", agent);
        }
        if let Some(key) = key {
            request = request.header("X-Idempotency-Key", key);
        }
        if let Some(body) = &call.body {
            request = request
                .header("content-type", "application/json")
                .body(body.to_string());
        }
        Ok(request)
    }

    /// The token to ask with, and whether it is the agent's.
    fn token(&self, actor: Actor) -> Result<(&Token, bool), Failure> {
        let agent = self.agent_token.as_ref().map(|token| (token, true));
        let admin = self.admin_token.as_ref().map(|token| (token, false));
        let found = match actor {
            Actor::Agent => agent.or(admin),
            Actor::Operator => admin.or(agent),
        };
        found.ok_or_else(|| match actor {
            Actor::Agent => Failure {
                exit: crate::failure::Exit::Unauthorized,
                ..Failure::usage("there is no token: MC_AGENT_TOKEN is not set")
            }
            .hint("an operator makes one: mc agent register --id ID --name NAME --workspace DIR --save (or mc agent token ID --save)"),
            Actor::Operator => Failure {
                exit: crate::failure::Exit::Unauthorized,
                ..Failure::usage("there is no token: MC_ADMIN_TOKEN is not set")
            }
            .hint("it is the token the server was started with, or printed at its first start"),
        })
    }

    /// Fails, with what to do about it, if there is no token to ask with.
    pub(crate) fn require_token(&self) -> Result<(), Failure> {
        self.token(Actor::Agent).map(|_| ())
    }

    pub(crate) fn has_agent_token(&self) -> bool {
        self.agent_token.is_some()
    }

    pub(crate) fn has_admin_token(&self) -> bool {
        self.admin_token.is_some()
    }

    /// Asks `GET /health`, which needs no token.
    pub(crate) async fn health(&self) -> Result<Reply, Failure> {
        let request = self.http()?.get(format!("{}/health", self.api_url));
        match request.timeout(self.timeout).send().await {
            Ok(response) => read(response)
                .await
                .map_err(|error| self.unanswered(&error))?,
            Err(error) => Err(self.unanswered(&error)),
        }
    }

    /// A key for the next change. A command with several changes makes several out of a given one.
    fn key(&self) -> String {
        let used = self.keys_used.fetch_add(1, Ordering::Relaxed);
        match &self.given_key {
            Some(key) if used == 0 => key.clone(),
            Some(key) => format!("{key}:{}", used + 1),
            None => uuid::Uuid::new_v4().to_string(),
        }
    }

    /// The HTTP client, made when first needed. An `http://` address costs no reading of certificates.
    fn http(&self) -> Result<&reqwest::Client, Failure> {
        if let Some(http) = self.http.get() {
            return Ok(http);
        }
        // Only the first call installs it; that it is there already is no error.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let url = Url::parse(&self.api_url)
            .map_err(|error| Failure::usage(format!("MC_API_URL: {error}")))?;
        let mut builder = reqwest::Client::builder()
            .user_agent(concat!("mc/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(CONNECT_TIMEOUT)
            // A redirected POST would become a GET.
            .redirect(reqwest::redirect::Policy::none());
        if url.scheme() == "http" {
            builder = builder.tls_certs_only([]);
        }
        if is_this_machine(&url) {
            builder = builder.no_proxy();
        }
        let http = builder
            .build()
            .map_err(|error| Failure::other(format!("cannot set up HTTP: {}", causes(&error))))?;
        Ok(self.http.get_or_init(|| http))
    }

    fn late(&self) -> Failure {
        let milliseconds = self.timeout.as_millis();
        let message = format!("no answer from {} within {milliseconds} ms", self.api_url);
        let mut failure = Failure::network(message)
            .hint("give it more time: --timeout 2m, or MC_DEFAULT_TIMEOUT in milliseconds");
        failure.is_late = true;
        failure
    }

    fn unanswered(&self, error: &reqwest::Error) -> Failure {
        if error.is_timeout() && !error.is_connect() {
            return self.late();
        }
        let failure = Failure::network(format!("cannot reach {}: {}", self.api_url, causes(error)));
        if error.is_connect() {
            failure.hint("is the server running? start it: stationmaster serve; or set MC_API_URL to where it is")
        } else {
            failure
        }
    }

    fn say(&self, level: Level, text: &str) {
        if level <= self.level {
            console::note(text);
        }
    }
}

/// Reads a reply, of a bounded size.
async fn read(mut response: Response) -> Result<Result<Reply, Failure>, reqwest::Error> {
    let status = response.status().as_u16();
    let headers = response.headers().clone();
    let mut bytes = Vec::new();
    while let Some(chunk) = response.chunk().await? {
        if bytes.len() + chunk.len() > LARGEST_REPLY {
            return Ok(Err(Failure::other(
                "the server's reply is larger than 64 MiB",
            )));
        }
        bytes.extend_from_slice(&chunk);
    }
    let text = String::from_utf8_lossy(&bytes).into_owned();
    let body = serde_json::from_str(&text).unwrap_or(Value::Null);
    Ok(Ok(Reply {
        status,
        headers,
        text,
        body,
    }))
}

/// How long to wait after so many failures: longer each time, and never all clients at once.
pub(crate) fn back_off(failures: u32) -> Duration {
    let pause = FIRST_PAUSE * 2_u32.pow(failures.clamp(1, 8) - 1);
    pause + pause.mul_f64(fastrand::f64() * 0.5)
}

fn is_this_machine(url: &Url) -> bool {
    match url.host_str() {
        Some(host) => {
            let host = host.trim_matches(['[', ']']);
            let address = host.parse::<std::net::IpAddr>();
            host.eq_ignore_ascii_case("localhost")
                || address.is_ok_and(|address| address.is_loopback())
        }
        None => false,
    }
}

/// An error's innermost cause says most: "connection refused".
fn causes(error: &reqwest::Error) -> String {
    let mut last = error.source();
    while let Some(next) = last.and_then(|cause| cause.source()) {
        last = Some(next);
    }
    last.map_or_else(|| error.to_string(), ToString::to_string)
}
