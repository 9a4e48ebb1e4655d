//! The dispatcher's side of a backend (mission-control-backend §9).

use serde_json::{Map, Value, json};
use stationmaster_credentials::Secret;
use stationmaster_peer::{Failure, FailureKind, Peer, Request};
use std::time::Duration;

use crate::daemon::Undelivered;

/// How often an acknowledgement or a report is tried in one go; arriving twice does no harm.
const TRIES: u32 = 3;
/// What a backend gets to keep of why a try failed, in characters.
const REASON: usize = 1000;

/// One notification to hand to a daemon.
#[derive(Debug, Clone, PartialEq)]
pub struct Delivery {
    pub notification_id: String,
    pub user_id: String,
    /// `user:<user_id>:<role>`
    pub session_key: String,
    pub content: String,
    pub task_id: Option<String>,
    pub metadata: Map<String, Value>,
}

/// How much to ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ask {
    pub users: u32,
    /// Of each user.
    pub notifications: u32,
    /// Hide what is given out from other dispatchers for so long, where the backend can.
    pub lease: Option<Duration>,
}

/// What a backend has to deliver.
#[derive(Debug, Default)]
pub struct Listed {
    pub deliveries: Vec<Delivery>,
    /// How many more there were that lack what a delivery needs.
    pub malformed: u64,
}

/// A backend's undelivered notifications.
#[derive(Debug, Clone)]
pub struct Outbox {
    peer: Peer,
    token: Secret,
}

impl Outbox {
    /// `token` is the backend's `INTERNAL_API_TOKEN`.
    #[must_use]
    pub fn new(peer: Peer, token: Secret) -> Self {
        Self { peer, token }
    }

    /// What waits to be delivered, in the backend's order.
    ///
    /// # Errors
    /// When the backend does not answer, refuses, or does not speak the contract.
    pub async fn undelivered(&self, ask: Ask) -> Result<Listed, Failure> {
        let lease = ask.lease.map(|length| length.as_secs().to_string());
        let request = Request::get(&dispatch(&["undelivered"])).query(&[
            ("limit_users", Some(ask.users.to_string())),
            ("limit_notifications", Some(ask.notifications.to_string())),
            ("lease_seconds", lease),
        ]);
        let answer = self.peer.json(&self.signed(request)?).await?;
        Ok(read(&answer))
    }

    /// Marks it as delivered; again is fine.
    ///
    /// # Errors
    /// When the backend does not take it.
    pub async fn acknowledge(&self, delivery: &Delivery) -> Result<(), Failure> {
        let request = about(delivery, "deliver").tries(TRIES);
        self.peer.accepts(&self.signed(request)?).await
    }

    /// Tells the backend that a try failed; false where it keeps no count of that.
    pub async fn report(&self, delivery: &Delivery, why: &Undelivered) -> bool {
        let reason: String = why.error.chars().take(REASON).collect();
        let mut body = json!({"error": reason, "retryable": why.retryable});
        if let Some(pause) = why.retry_after {
            body["retry_after_seconds"] = pause.as_secs().into();
        }
        // Counted twice it would count double, so it is sent once.
        let request = about(delivery, "fail").body(body);
        let reported = match self.signed(request) {
            Ok(request) => self.peer.accepts(&request).await,
            Err(failure) => Err(failure),
        };
        match reported {
            Ok(()) => true,
            // The route is an extra: most backends have none.
            Err(failure) => {
                tracing::debug!(reason = failure.message, "the backend keeps no failures");
                false
            }
        }
    }

    fn signed(&self, request: Request) -> Result<Request, Failure> {
        request
            .credential("x-internal-token", self.token.expose())
            .ok_or_else(|| Failure {
                kind: FailureKind::Unsendable,
                message: "the internal token does not fit into a header".to_owned(),
                retry_after: None,
            })
    }
}

fn dispatch<'a>(path: &[&'a str]) -> Vec<&'a str> {
    ["api", "mission-control", "dispatch"]
        .into_iter()
        .chain(path.iter().copied())
        .collect()
}

fn about(delivery: &Delivery, what: &str) -> Request {
    let path = dispatch(&["notifications", &delivery.notification_id, what]);
    Request::post(&path).query(&[("user_id", Some(delivery.user_id.clone()))])
}

/// A member that is missing means that nothing waits.
fn read(answer: &Value) -> Listed {
    let mut listed = Listed::default();
    let items = answer.get("deliveries").and_then(Value::as_array);
    for item in items.into_iter().flatten() {
        match delivery(item) {
            Some(delivery) => listed.deliveries.push(delivery),
            None => listed.malformed += 1,
        }
    }
    listed
}

fn delivery(item: &Value) -> Option<Delivery> {
    let text = |name: &str| {
        let text = item.get(name)?.as_str()?;
        (!text.is_empty()).then(|| text.to_owned())
    };
    Some(Delivery {
        notification_id: text("notification_id")?,
        user_id: text("user_id")?,
        session_key: text("session_key")?,
        content: text("content")?,
        task_id: text("task_id"),
        metadata: item
            .get("metadata")
            .and_then(Value::as_object)
            .cloned()
            .unwrap_or_default(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_lacks_a_member_is_counted_and_not_delivered() {
        let whole = json!({"notification_id": "n", "user_id": "u", "session_key": "user:u:r",
            "content": "c", "task_id": null, "metadata": 7, "more": true});
        let mut items = vec![whole.clone(), json!(7)];
        for name in ["notification_id", "user_id", "session_key", "content"] {
            let mut without = whole.clone();
            without[name] = json!("");
            items.push(without);
        }
        let listed = read(&json!({ "deliveries": items }));
        assert_eq!(listed.malformed, 5);
        assert_eq!(listed.deliveries.len(), 1);
        assert_eq!(listed.deliveries[0].task_id, None);
        for nothing in [json!({}), json!([]), json!({"deliveries": null})] {
            assert!(read(&nothing).deliveries.is_empty(), "{nothing}");
        }
    }
}
