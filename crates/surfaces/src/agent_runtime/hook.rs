//! Telling a caller's webhook how its turn ended (§11): once, signed, in the background.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::http::{HeaderMap, HeaderName, HeaderValue};
use jiff::Timestamp;
use metrics::counter;
use serde_json::{Value, json};
use stationmaster_credentials::Secret;
use stationmaster_http::fields::Fields;
use stationmaster_kernel::Object;
use stationmaster_peer::{Courier, Reach, Url, hex_signature, hook_url, standard_signature};
use stationmaster_runtime::{Ended, Outcome, SendRequest, SessionKey, TurnError};
use tokio::sync::Semaphore;
use tokio::time::Instant;
use tokio_util::task::TaskTracker;
use uuid::Uuid;

use super::send::{Cost, Usage};

/// How many may wait to be told; past that nobody is.
const QUEUE: usize = 256;
/// How many are told at once.
const PARALLEL: usize = 16;
/// How many turns that wait for a decision have their webhook remembered, and for how long: as long as a
/// request for a tool waits.
const WAITING: usize = 1_024;
const PATIENCE: Duration = Duration::from_secs(24 * 3600);
const MOST_HEADERS: usize = 32;
/// Of all headers together, in bytes.
const LONGEST_HEADERS: usize = 8 * 1024;
const LONGEST_SECRET: usize = 1_024;

/// What the connection says of itself, and what this program says.
const RESERVED: [&str; 19] = [
    "connection",
    "content-encoding",
    "content-length",
    "content-type",
    "expect",
    "host",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "user-agent",
    "webhook-id",
    "webhook-signature",
    "webhook-timestamp",
    "x-clasper-signature",
];

/// Whom to tell.
#[derive(Debug, Clone)]
pub(super) struct Target {
    url: Url,
    secret: Option<Secret>,
    headers: HeaderMap,
}

/// Whom to tell of which turn.
#[derive(Debug, Clone)]
pub(super) struct Call {
    target: Target,
    task_id: Option<String>,
    user_id: String,
    role: String,
    metadata: Object,
}

/// Tells them. Clones share everything.
#[derive(Debug, Clone)]
pub struct Hooks(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    courier: Courier,
    tasks: TaskTracker,
    queue: Arc<Semaphore>,
    parallel: Semaphore,
    /// By the run that waits. In memory only: a secret in the database would be there for everybody who reads
    /// a copy of it.
    waiting: Mutex<HashMap<String, (Instant, Call)>>,
}

/// Reads `webhook`; `None` where it has a fault, each of which is a problem.
pub(super) fn read(fields: &mut Fields, members: Object, reach: Reach) -> Option<Target> {
    let mut inner = Fields::new(members);
    let text = inner.required_id("url");
    let url = match hook_url(&text, reach) {
        Ok(url) => Some(url),
        Err(_) if text.is_empty() => None,
        Err(error) => {
            inner.problem("url", error.to_string());
            None
        }
    };
    let secret = inner.string("secret").filter(|it| !it.is_empty());
    if secret.as_ref().is_some_and(|it| it.len() > LONGEST_SECRET) {
        let message = format!("must not be longer than {LONGEST_SECRET} bytes");
        inner.problem("secret", message);
    }
    let headers = inner.object("headers").unwrap_or_default();
    let headers = headers_of(&mut inner, &headers);
    let problems = inner.into_problems();
    let is_sound = problems.is_empty();
    for problem in problems {
        fields.problem(&format!("webhook.{}", problem.field), problem.message);
    }
    Some(Target {
        url: url.filter(|_| is_sound)?,
        secret: secret.as_deref().and_then(Secret::new),
        headers,
    })
}

fn headers_of(fields: &mut Fields, given: &Object) -> HeaderMap {
    let mut headers = HeaderMap::new();
    let length = |(name, value): (&String, &Value)| name.len() + value.as_str().map_or(0, str::len);
    if given.len() > MOST_HEADERS || given.iter().map(length).sum::<usize>() > LONGEST_HEADERS {
        let message =
            format!("must be at most {MOST_HEADERS}, of {LONGEST_HEADERS} bytes together");
        fields.problem("headers", message);
        return headers;
    }
    for (name, value) in given {
        let field = format!("headers.{name}");
        let Ok(known) = HeaderName::try_from(name.as_str()) else {
            fields.problem(&field, "is not the name of a header");
            continue;
        };
        let is_ours = known == "x-wombat-signature" || RESERVED.contains(&known.as_str());
        if is_ours {
            fields.problem(&field, "is not the caller's to set");
            continue;
        }
        match value.as_str().map(HeaderValue::from_str) {
            Some(Ok(mut value)) => {
                value.set_sensitive(true);
                headers.insert(known, value);
            }
            _ => fields.problem(&field, "must be a string that a header can carry"),
        }
    }
    headers
}

impl Call {
    pub(super) fn new(target: Target, request: &SendRequest) -> Self {
        let session = request.session_key.as_deref().unwrap_or_default();
        let role = match session.parse::<SessionKey>() {
            Ok(session) => session.agent().role.to_string(),
            Err(_) => request.agent_role.clone().unwrap_or_default(),
        };
        Self {
            target,
            task_id: request.task_id.clone().filter(|id| !id.is_empty()),
            user_id: request.user_id.clone(),
            role,
            metadata: request.metadata.clone(),
        }
    }

    fn completed(&self, at: Timestamp, outcome: &Outcome) -> Value {
        json!({
            "event": "agent.completed",
            "timestamp": at.to_string(),
            "task_id": outcome.task_id,
            "user_id": self.user_id,
            "role": self.role,
            "response": outcome.response,
            "usage": Usage::from(&outcome.spent),
            "cost": Cost::of(outcome.model.clone(), &outcome.spent),
            "metadata": self.metadata,
        })
    }

    fn failed(&self, at: Timestamp, error: &TurnError) -> Value {
        json!({
            "event": "agent.error",
            "timestamp": at.to_string(),
            "task_id": self.task_id,
            "user_id": self.user_id,
            "role": self.role,
            "error": error.to_string(),
            "code": error.code(),
            "metadata": self.metadata,
        })
    }
}

impl Hooks {
    /// `tasks` gets what goes on in the background.
    #[must_use]
    pub fn new(courier: Courier, tasks: TaskTracker) -> Self {
        Self(Arc::new(Inner {
            courier,
            tasks,
            queue: Arc::new(Semaphore::new(QUEUE)),
            parallel: Semaphore::new(PARALLEL),
            waiting: Mutex::default(),
        }))
    }

    pub(super) fn reach(&self) -> Reach {
        self.0.courier.reach()
    }

    /// Tells how a turn ended. One that was answered before has been told of, one that waits for a decision is
    /// told of when it has gone on, and a request that was refused was never a turn.
    pub(super) fn tell(&self, call: Call, at: Timestamp, ended: &Result<Ended, TurnError>) {
        let body = match ended {
            Ok(Ended::Answered(outcome)) => call.completed(at, outcome),
            Ok(Ended::Replayed(_)) => return,
            Ok(Ended::Paused(pause)) => return self.remember(pause.run_id.clone(), call),
            Err(TurnError::Invalid { .. } | TurnError::NoTask | TurnError::TaskNotFound { .. }) => {
                return;
            }
            Err(error) => call.failed(at, error),
        };
        let Ok(place) = self.0.queue.clone().try_acquire_owned() else {
            count("dropped");
            tracing::warn!("too many webhooks wait to be told; one is not");
            return;
        };
        let hooks = self.clone();
        self.0.tasks.spawn(async move {
            // Never closed, so never refused.
            let _turn = hooks.0.parallel.acquire().await;
            hooks.post(&call.target, at, body.to_string()).await;
            drop(place);
        });
    }

    /// Tells how a turn went on that had waited for a decision.
    pub fn resumed(&self, run: &str, at: Timestamp, ended: &Result<Option<Ended>, TurnError>) {
        let ended = match ended {
            Ok(None) => return,
            Ok(Some(ended)) => Ok(ended.clone()),
            Err(error) => Err(error.clone()),
        };
        let known = self.waiting().remove(run);
        if let Some((_, call)) = known {
            self.tell(call, at, &ended);
        }
    }

    fn remember(&self, run: String, call: Call) {
        let now = Instant::now();
        let mut waiting = self.waiting();
        waiting.retain(|_, (until, _)| now < *until);
        if waiting.len() >= WAITING && !waiting.contains_key(&run) {
            count("dropped");
            tracing::warn!(
                run,
                "too many webhooks wait for a decision; one is forgotten"
            );
            return;
        }
        waiting.insert(run, (now + PATIENCE, call));
    }

    fn waiting(&self) -> MutexGuard<'_, HashMap<String, (Instant, Call)>> {
        let waiting = self.0.waiting.lock();
        waiting.unwrap_or_else(PoisonError::into_inner)
    }

    async fn post(&self, target: &Target, at: Timestamp, body: String) {
        let headers = signed(target, at, &body);
        let told = self.0.courier.post(target.url.clone(), headers, body).await;
        let host = target.url.host_str().unwrap_or_default();
        match told {
            Ok(answer) if answer.status().is_success() => count("ok"),
            Ok(answer) => {
                count("failed");
                tracing::warn!(
                    host,
                    status = answer.status().as_u16(),
                    "a webhook refused what it was told"
                );
            }
            Err(error) => {
                count("failed");
                tracing::warn!(host, %error, "a webhook could not be told");
            }
        }
    }
}

/// The caller's headers with ours.
fn signed(target: &Target, at: Timestamp, body: &str) -> HeaderMap {
    let id = format!("msg_{}", Uuid::now_v7().simple());
    let seconds = at.as_second();
    let mut ours = vec![
        ("webhook-id", id.clone()),
        ("webhook-timestamp", seconds.to_string()),
    ];
    if let Some(secret) = &target.secret {
        let plain = hex_signature(secret.expose(), body);
        let standard = standard_signature(secret.expose(), &id, seconds, body);
        ours.extend([
            ("webhook-signature", standard),
            ("x-clasper-signature", plain.clone()),
            ("x-wombat-signature", plain),
        ]);
    }
    let mut headers = target.headers.clone();
    for (name, value) in ours {
        // Digits and letters all of them.
        if let Ok(value) = HeaderValue::try_from(value) {
            headers.insert(name, value);
        }
    }
    headers
}

fn count(outcome: &'static str) {
    counter!("stationmaster_agent_webhooks_total", "outcome" => outcome).increment(1);
}

/// Gives the metric its help text. Call once, after the recorder is installed.
pub fn describe_metrics() {
    metrics::describe_counter!(
        "stationmaster_agent_webhooks_total",
        "Webhooks of turns told, by outcome"
    );
}
