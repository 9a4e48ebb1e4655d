//! Why a backend did not do what it was asked.

/// A refusal or a fault of the backend.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct BackendError {
    pub kind: BackendErrorKind,
    /// A sentence fit to show to the model and to the caller; holds no token and no URL.
    pub message: String,
}

/// What callers tell apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BackendErrorKind {
    /// No connection to it.
    Unreachable,
    /// It answered 5xx, too late, or to come back later.
    Unavailable,
    /// It does not accept who we say we are.
    RejectedToken,
    /// It knows us and does not allow this.
    Forbidden,
    /// What was named does not exist, or is another tenant's.
    NotFound,
    /// A key was used before for something else, or the state of things forbids it.
    Conflict,
    /// It found the request faulty.
    Invalid,
    /// It answered in a form that is not the contract's.
    Garbled,
}

impl BackendError {
    #[must_use]
    pub fn new(kind: BackendErrorKind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
        }
    }
}
