//! Who runs the turns that notifications ask for (agent-runtime §3).

use std::time::Duration;

use async_trait::async_trait;
use serde_json::{Value, json};
use stationmaster_credentials::Secret;
use stationmaster_peer::{Failure, FailureKind, Peer, Request};

use crate::Delivery;

/// For asking whether anybody is there.
const PROBE: Duration = Duration::from_secs(5);

/// Why a notification was not delivered.
#[derive(Debug, Clone)]
pub struct Undelivered {
    pub error: String,
    /// Whether another try can help.
    pub retryable: bool,
    /// How long to wait at least.
    pub retry_after: Option<Duration>,
    /// Nobody was there to take it, so the next one need not be tried either.
    pub unreachable: bool,
}

/// Whoever wakes agents.
#[async_trait]
pub trait Daemon: Send + Sync {
    /// Runs the turn that the notification asks for. The same notification may come again after a
    /// crash: its id is the key that makes a repeat harmless.
    async fn deliver(&self, delivery: &Delivery) -> Result<(), Undelivered>;

    /// Whether anybody is there, asked after somebody was not.
    async fn is_there(&self) -> bool;
}

/// A daemon over HTTP.
#[derive(Debug, Clone)]
pub struct HttpDaemon {
    peer: Peer,
    key: Option<Secret>,
    default_task: Option<String>,
}

impl HttpDaemon {
    /// `key` is the daemon's `AGENT_DAEMON_API_KEY`; `default_task` is the title of the task of
    /// notifications that name none, where the daemon is to be told.
    #[must_use]
    pub fn new(peer: Peer, key: Option<Secret>, default_task: Option<String>) -> Self {
        Self {
            peer,
            key,
            default_task,
        }
    }

    fn request(&self, delivery: &Delivery) -> Option<Request> {
        let mut metadata = delivery.metadata.clone();
        metadata.insert("type".to_owned(), "mc.notification".into());
        let id = delivery.notification_id.as_str();
        metadata.insert("notification_id".to_owned(), id.into());
        let mut body = json!({
            "user_id": delivery.user_id,
            "session_key": delivery.session_key,
            "message": delivery.content,
            "metadata": metadata,
            "idempotency_key": id,
        });
        match (&delivery.task_id, &self.default_task) {
            (Some(task), _) => body["task_id"] = json!(task),
            (None, Some(title)) => body["task_title"] = json!(title),
            (None, None) => {}
        }
        send(self.key.as_ref(), body)
    }
}

/// A call of `POST /api/agents/send`; `None` when the key does not fit into a header.
pub(crate) fn send(key: Option<&Secret>, body: Value) -> Option<Request> {
    let request = Request::post(&["api", "agents", "send"]).body(body);
    match key {
        Some(key) => request.credential("x-agent-daemon-key", key.expose()),
        None => Some(request),
    }
}

#[async_trait]
impl Daemon for HttpDaemon {
    async fn deliver(&self, delivery: &Delivery) -> Result<(), Undelivered> {
        let request = self.request(delivery).ok_or_else(|| Undelivered {
            error: "the daemon key does not fit into a header".to_owned(),
            retryable: true,
            retry_after: None,
            unreachable: false,
        })?;
        // 202 says that a person has to decide first: the turn is the daemon's from here on.
        self.peer.accepts(&request).await.map_err(Undelivered::from)
    }

    async fn is_there(&self) -> bool {
        let request = Request::get(&["health"]).within(PROBE);
        // Any answer is an answer.
        !matches!(self.peer.accepts(&request).await, Err(failure) if failure.kind == FailureKind::Unreachable)
    }
}

impl From<Failure> for Undelivered {
    fn from(failure: Failure) -> Self {
        let retryable = match failure.kind {
            // These say something about us and not about the notification: a key that somebody
            // will put right must not cost everybody's mail.
            FailureKind::Status(401 | 403) => true,
            FailureKind::Status(400..500) => failure.passing(),
            _ => true,
        };
        Self {
            retryable,
            retry_after: failure.retry_after,
            unreachable: failure.kind == FailureKind::Unreachable,
            error: failure.message,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_the_daemon_finds_wrong_with_it_ends_the_tries() {
        let check = |kind, expected| {
            let failure = Failure {
                kind,
                message: String::new(),
                retry_after: None,
            };
            assert_eq!(Undelivered::from(failure).retryable, expected, "{kind:?}");
        };
        for status in [400, 404, 409, 413, 422] {
            check(FailureKind::Status(status), false);
        }
        for status in [301, 401, 403, 429, 500, 502, 503] {
            check(FailureKind::Status(status), true);
        }
        check(FailureKind::Unreachable, true);
        check(FailureKind::TimedOut, true);
        check(FailureKind::Broken, true);
    }
}
