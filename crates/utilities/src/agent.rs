//! What a scheduler calls: the heartbeat, the standup, and an agent's turn for its heartbeat
//! (agent-runtime §13, mission-control-backend §11).

use serde_json::{Value, json};
use stationmaster_credentials::Secret;
use stationmaster_peer::{Failure, FailureKind, Peer, Request};

use crate::daemon::send;

/// Arriving twice does no harm.
const TRIES: u32 = 3;

/// Who is calling a backend.
#[derive(Debug, Clone, Copy)]
pub enum Credential<'a> {
    /// An agent, with the token minted for it.
    Agent(&'a str),
    /// The internal token, for all users at once.
    Internal(&'a Secret),
}

/// Tells the backend that the agent is there; gives the backend's answer.
///
/// # Errors
/// When there is no answer, or none that is JSON.
pub async fn heartbeat(backend: &Peer, token: &str, user_id: &str) -> Result<Value, Failure> {
    let body = json!({"user_id": user_id});
    call(backend, "heartbeat", Credential::Agent(token), body).await
}

/// Has the backend sum up the day so far: of one user, or with the internal token of everybody.
///
/// # Errors
/// When there is no answer, or none that is JSON.
pub async fn standup(
    backend: &Peer,
    who: Credential<'_>,
    user_id: Option<&str>,
    timezone: &str,
) -> Result<Value, Failure> {
    let body = match user_id {
        Some(user_id) => json!({"user_id": user_id, "timezone": timezone}),
        None => json!({"timezone": timezone}),
    };
    call(backend, "standup", who, body).await
}

async fn call(
    backend: &Peer,
    route: &str,
    who: Credential<'_>,
    body: Value,
) -> Result<Value, Failure> {
    let request = Request::post(&["api", "mission-control", route])
        .body(body)
        .tries(TRIES);
    let request = match who {
        Credential::Agent(token) => request.credential("x-agent-token", token),
        Credential::Internal(token) => request.credential("x-internal-token", token.expose()),
    };
    backend.json(&request.ok_or_else(unsendable)?).await
}

/// A turn that no notification asks for.
#[derive(Debug, Clone, Copy)]
pub struct Turn<'a> {
    pub user_id: &'a str,
    pub role: &'a str,
    pub message: &'a str,
    pub task_title: &'a str,
    /// `metadata.type`, by which the daemon knows what kind of turn it is.
    pub kind: &'a str,
}

/// Has a daemon run a turn; gives its answer.
///
/// # Errors
/// When there is no answer, or none that is JSON.
pub async fn run_turn(
    daemon: &Peer,
    key: Option<&Secret>,
    turn: Turn<'_>,
) -> Result<Value, Failure> {
    let body = json!({
        "user_id": turn.user_id,
        "session_key": format!("user:{}:{}", turn.user_id, turn.role),
        "message": turn.message,
        "task_title": turn.task_title,
        "metadata": {"type": turn.kind},
    });
    daemon.json(&send(key, body).ok_or_else(unsendable)?).await
}

fn unsendable() -> Failure {
    Failure {
        kind: FailureKind::Unsendable,
        message: "the credential does not fit into a header".to_owned(),
        retry_after: None,
    }
}
