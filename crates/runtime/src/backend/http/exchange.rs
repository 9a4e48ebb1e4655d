//! One call to the backend: who is calling, and what a failure means to the turn.

use std::fmt;
use std::time::Duration;

use stationmaster_peer::{Failure, FailureKind, Peer, Request};

use crate::AgentIdentity;
use crate::backend::{BackendError, BackendErrorKind, BackendResult};

/// How often a call is tried that may be tried again.
pub(super) const TRIES: u32 = 3;

/// Makes the token that says who is calling (mission-control-backend §2.1).
///
/// Any closure from an identity to a token will do.
pub trait TokenMinter: Send + Sync {
    /// # Errors
    /// A sentence that holds no secret.
    fn mint(&self, who: &AgentIdentity) -> Result<String, String>;
}

impl<F, E> TokenMinter for F
where
    F: Fn(&AgentIdentity) -> Result<String, E> + Send + Sync,
    E: fmt::Display,
{
    fn mint(&self, who: &AgentIdentity) -> Result<String, String> {
        self(who).map_err(|error| error.to_string())
    }
}

pub(super) struct Exchange {
    pub(super) peer: Peer,
    pub(super) minter: Box<dyn TokenMinter>,
}

impl fmt::Debug for Exchange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.peer.fmt(f)
    }
}

impl Exchange {
    /// Whether `/health` answers 2xx within `limit`. No token goes along.
    pub(super) async fn probe(&self, limit: Duration) -> BackendResult<()> {
        let request = Request::get(&["health"]).within(limit);
        self.peer
            .accepts(&request)
            .await
            .map_err(BackendError::from)
    }

    /// Makes the call and gives the JSON of its 2xx.
    pub(super) async fn call(
        &self,
        who: &AgentIdentity,
        request: Request,
    ) -> BackendResult<serde_json::Value> {
        let untokened = |why: &str| {
            let message = format!("no token can be made for the backend: {why}");
            BackendError::new(BackendErrorKind::RejectedToken, message)
        };
        let token = self.minter.mint(who).map_err(|why| untokened(&why))?;
        let request = request
            .credential("x-agent-token", &token)
            .ok_or_else(|| untokened("it does not fit into a header"))?;
        self.peer.json(&request).await.map_err(BackendError::from)
    }
}

impl From<Failure> for BackendError {
    fn from(failure: Failure) -> Self {
        let passing = failure.passing();
        let kind = match failure.kind {
            FailureKind::Unreachable => BackendErrorKind::Unreachable,
            FailureKind::TimedOut | FailureKind::Broken => BackendErrorKind::Unavailable,
            FailureKind::Unsendable => BackendErrorKind::Invalid,
            FailureKind::Garbled => BackendErrorKind::Garbled,
            FailureKind::Status(401) => BackendErrorKind::RejectedToken,
            FailureKind::Status(403) => BackendErrorKind::Forbidden,
            FailureKind::Status(404) => BackendErrorKind::NotFound,
            FailureKind::Status(409) => BackendErrorKind::Conflict,
            FailureKind::Status(_) if passing => BackendErrorKind::Unavailable,
            FailureKind::Status(400..500) => BackendErrorKind::Invalid,
            FailureKind::Status(_) => BackendErrorKind::Garbled,
        };
        Self::new(kind, failure.message)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_says_what_can_be_done() {
        use BackendErrorKind as Kind;
        for (status, kind) in [
            (302, Kind::Garbled),
            (400, Kind::Invalid),
            (401, Kind::RejectedToken),
            (403, Kind::Forbidden),
            (404, Kind::NotFound),
            (409, Kind::Conflict),
            (413, Kind::Invalid),
            (422, Kind::Invalid),
            (429, Kind::Unavailable),
            (500, Kind::Unavailable),
            (503, Kind::Unavailable),
        ] {
            let failure = Failure {
                kind: FailureKind::Status(status),
                message: format!("the backend answered {status}"),
                retry_after: None,
            };
            let error = BackendError::from(failure);
            assert_eq!(error.kind, kind, "{status}");
        }
    }
}
