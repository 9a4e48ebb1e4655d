//! Why a turn has no answer.

use std::time::Duration;

use stationmaster_model as model;

use crate::backend::{BackendError, BackendErrorKind};
use crate::workspace::WorkspaceError;

/// Every way in which a turn can fail. [`code`](Self::code) is stable; what status goes with it is
/// the surface's business (agent-runtime §3). Cloneable, because everyone who waited for the same
/// turn gets the same error.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TurnError {
    /// The request is wrong.
    #[error("{field}: {message}")]
    Invalid {
        field: &'static str,
        message: String,
    },
    /// Neither a task, nor a title, nor a default title.
    #[error("no task given: send task_id or task_title, or configure a default task")]
    NoTask,
    /// The backend does not know the task that the caller named.
    #[error("there is no task {task_id}")]
    TaskNotFound { task_id: String },
    /// Unreachable, 5xx, too late, or unreadable, after all tries.
    #[error("{message}")]
    BackendUnavailable { message: String },
    /// It does not accept the runtime's tokens, or does not allow the agent this.
    #[error("{message}")]
    BackendRejectedToken { message: String },
    /// It found fault with what the turn wanted to write.
    #[error("{message}")]
    BackendRefused { message: String },
    /// No answer after all tries; may be better later.
    #[error("{message}")]
    ModelUnavailable {
        message: String,
        retry_after: Option<Duration>,
    },
    /// The provider limits us, after all tries.
    #[error("{message}")]
    RateLimited {
        message: String,
        retry_after: Option<Duration>,
    },
    /// The provider refused our key or our request.
    #[error("{message}")]
    ModelRejected { message: String },
    /// The model declined to answer.
    #[error("{message}")]
    ModelRefused { message: String },
    /// The model answered with nothing.
    #[error("{message}")]
    ModelEmpty { message: String },
    #[error("{message}")]
    UnknownModel { message: String },
    /// What the next call of a model may cost is more than the tenant, the agent or the task has left.
    #[error("{message}")]
    OverBudget {
        message: String,
        /// In millionths of a US dollar, where it is known.
        remaining: Option<u64>,
        /// When there may be more.
        retry_after: Option<Duration>,
    },
    /// The agent, or everybody, is held up.
    #[error("{message}")]
    HeldUp { code: &'static str, message: String },
    /// There is no model to ask.
    #[error("no model is configured")]
    ModelNotConfigured,
    /// The turn took longer than it may.
    #[error("the turn did not end in time")]
    Deadline,
    /// A fault on our side, fit to show.
    #[error("{message}")]
    Internal { message: String },
}

impl TurnError {
    /// Lower snake case, for programs and metrics.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Invalid { .. } => "invalid_request",
            Self::NoTask => "task_required",
            Self::TaskNotFound { .. } => "task_not_found",
            Self::BackendUnavailable { .. } => "backend_unavailable",
            Self::BackendRejectedToken { .. } => "backend_rejected_token",
            Self::BackendRefused { .. } => "backend_refused",
            Self::ModelUnavailable { .. } => "model_unavailable",
            Self::RateLimited { .. } => "model_rate_limited",
            Self::ModelRejected { .. } => "model_rejected",
            Self::ModelRefused { .. } => "model_refused",
            Self::ModelEmpty { .. } => "model_empty",
            Self::UnknownModel { .. } => "model_unknown",
            Self::OverBudget { .. } => "budget_exceeded",
            Self::HeldUp { code, .. } => code,
            Self::ModelNotConfigured => "model_not_configured",
            Self::Deadline => "deadline_exceeded",
            Self::Internal { .. } => "internal_error",
        }
    }

    /// How long the caller should wait before it asks again, where that is known.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::ModelUnavailable { retry_after, .. }
            | Self::RateLimited { retry_after, .. }
            | Self::OverBudget { retry_after, .. } => *retry_after,
            _ => None,
        }
    }

    pub(crate) fn invalid(field: &'static str, message: impl Into<String>) -> Self {
        Self::Invalid {
            field,
            message: message.into(),
        }
    }

    /// What a backend's error about `task_id` means to the turn.
    pub fn from_backend(error: BackendError, task_id: &str) -> Self {
        let message = error.message;
        match error.kind {
            BackendErrorKind::NotFound if !task_id.is_empty() => Self::TaskNotFound {
                task_id: task_id.to_owned(),
            },
            // A backend that lacks the contract's own routes is not one.
            BackendErrorKind::NotFound
            | BackendErrorKind::Unreachable
            | BackendErrorKind::Unavailable
            | BackendErrorKind::Garbled => Self::BackendUnavailable { message },
            BackendErrorKind::RejectedToken | BackendErrorKind::Forbidden => {
                Self::BackendRejectedToken { message }
            }
            BackendErrorKind::Conflict | BackendErrorKind::Invalid => {
                Self::BackendRefused { message }
            }
        }
    }
}

impl From<model::Error> for TurnError {
    fn from(error: model::Error) -> Self {
        use model::ErrorKind as Kind;
        let message = error.to_string();
        let retry_after = error.retry_after;
        match error.kind {
            Kind::RateLimited => Self::RateLimited {
                message,
                retry_after,
            },
            Kind::Unavailable | Kind::Garbled => Self::ModelUnavailable {
                message,
                retry_after,
            },
            Kind::Deadline => Self::Deadline,
            Kind::Unauthorized | Kind::Rejected => Self::ModelRejected { message },
            Kind::UnknownModel => Self::UnknownModel { message },
            Kind::Refused => Self::ModelRefused { message },
            Kind::Empty => Self::ModelEmpty { message },
        }
    }
}

impl From<WorkspaceError> for TurnError {
    fn from(error: WorkspaceError) -> Self {
        match error {
            WorkspaceError::UnknownTimezone(_) => {
                Self::invalid("metadata.timezone", error.to_string())
            }
            WorkspaceError::Unreadable { .. } => Self::Internal {
                message: error.to_string(),
            },
        }
    }
}
