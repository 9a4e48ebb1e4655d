//! Turns against the program's own kernel: the [`Backend`](crate::Backend) and
//! [`Ledger`](crate::Ledger) ports over one database.

mod backend;
mod ledger;

pub use backend::LocalBackend;
pub use ledger::KernelLedger;

use stationmaster_kernel::{Error, Kind, Principal};

use crate::AgentIdentity;
use crate::backend::{BackendError, BackendErrorKind};
use crate::turn::TurnError;

/// The kernel's view of whom a turn acts as.
fn principal(who: &AgentIdentity) -> Principal {
    Principal::agent(who.user_id.clone(), who.role.clone())
}

/// The kernel's errors in the port's words.
fn backend_error(error: Error) -> BackendError {
    let kind = match error.kind {
        Kind::NotFound => BackendErrorKind::NotFound,
        Kind::Conflict => BackendErrorKind::Conflict,
        Kind::Invalid => BackendErrorKind::Invalid,
        Kind::Forbidden | Kind::OverBudget => BackendErrorKind::Forbidden,
        Kind::Unauthenticated => BackendErrorKind::RejectedToken,
        Kind::Unavailable { .. } | Kind::Internal => BackendErrorKind::Unavailable,
    };
    if let Some(cause) = &error.cause {
        tracing::error!(code = error.code, %cause, "the local backend failed");
    }
    BackendError::new(kind, error.message)
}

/// What a kernel error about `task_id` means to the turn.
fn turn_error(error: Error, task_id: &str) -> TurnError {
    TurnError::from_backend(backend_error(error), task_id)
}
