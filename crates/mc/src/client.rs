//! Sends requests: the right token, an idempotency key, and patience with a server that is busy (§1.1,
//! §1.3, §14).
//!
//! A request that changes something carries one key through all its tries, so that trying again never
//! does it twice.

use std::error::Error as _;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use reqwest::{RequestBuilder, Response, Url};
use tokio::time::{Instant, sleep};

use crate::call::{Actor, Call};
use crate::config::{Level, Settings, Token};
use crate::failure::Failure;
use crate::print::console;
use crate::reply::{Reply, Unreadable};
use crate::retry::{Next, Patience};

/// How long all waiting for a busy server may take together.
const LONGEST_WAIT: Duration = Duration::from_secs(300);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// A server, and who we are to it.
pub(crate) struct Client {
    api_url: String,
    timeout: Duration,
    agent: Option<String>,
    user: Option<String>,
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
            user: settings.user.clone(),
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
        let mut patience = Patience::new(longest_wait);
        loop {
            let answer = self.once(call, key).await;
            match patience.next(&answer) {
                Next::Keep => return answer,
                Next::Wait(pause) => {
                    let seconds = pause.as_secs();
                    self.say(
                        Level::Warn,
                        &format!("the server is busy; trying again in {seconds} s"),
                    );
                    sleep(pause).await;
                }
                Next::TryAgain(pause) => sleep(pause).await,
            }
        }
    }

    /// Sends a request once.
    async fn once(&self, call: &Call, key: Option<&str>) -> Result<Reply, Failure> {
        let started = Instant::now();
        let answer = self.exchange(self.request(call, key)?).await;
        if self.level >= Level::Debug {
            let end = match &answer {
                Ok(reply) => reply.status.to_string(),
                Err(_) => "no answer".to_owned(),
            };
            let took = started.elapsed().as_millis();
            self.say(
                Level::Debug,
                &format!("{} {} {end} {took} ms", call.method, call.path),
            );
        }
        answer
    }

    async fn exchange(&self, request: RequestBuilder) -> Result<Reply, Failure> {
        match request.timeout(self.timeout).send().await {
            Ok(response) => self.read(response).await,
            Err(error) => Err(self.unanswered(&error)),
        }
    }

    async fn read(&self, response: Response) -> Result<Reply, Failure> {
        Reply::read(response).await.map_err(|error| match error {
            Unreadable::Broken(error) => self.unanswered(&error),
            Unreadable::TooLarge => Failure::other("the server's reply is larger than 64 MiB"),
        })
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
        let reply = self.read(response).await?;
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
        let names_agent = match call.actor {
            Actor::Bearer => false,
            _ => is_agent || call.may_be_done_for_an_agent(),
        };
        if let (true, Some(agent)) = (names_agent, &self.agent) {
            request = request.header("X-Agent-Id", agent);
        }
        if let (false, Some(user)) = (is_agent, &self.user) {
            request = request.header("X-User-Id", user);
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
            Actor::Bearer => agent,
            Actor::Operator => admin.or(agent),
        };
        found.ok_or_else(|| match actor {
            Actor::Agent | Actor::Bearer => Failure::no_token("MC_AGENT_TOKEN is not set").hint(
                "an operator makes one: mc agent register --id ID --name NAME --workspace DIR --save, \
                 or mc agent token ID --save",
            ),
            Actor::Operator => Failure::no_token("MC_ADMIN_TOKEN is not set")
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
        self.exchange(request).await
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
        let cause = causes(error);
        let is_certificate = cause.contains("certificate");
        let failure = Failure::network(format!("cannot reach {}: {cause}", self.api_url));
        if is_certificate {
            failure.hint(
                "if you trust its authority, name its certificate: SSL_CERT_FILE=/path/to/ca.pem",
            )
        } else if error.is_connect() {
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
