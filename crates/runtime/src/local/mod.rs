//! Turns against the program's own kernel: the [`Backend`](crate::Backend) and
//! [`Ledger`](crate::Ledger) ports over one database.

mod backend;
mod ledger;
mod steps;
mod trace;

pub use backend::LocalBackend;
pub use ledger::KernelLedger;
pub use trace::{Deed, Trace, TraceStep};

use std::time::Duration;

use stationmaster_kernel::{Error, Kind, MicroUsd, Principal};

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

/// What the kernel says of agents that may not work now, whatever they are at.
const HELD_UP: [&str; 5] = [
    "agent_paused",
    "agent_drained",
    "agent_quarantined",
    "agent_closed",
    "operator_mode",
];

fn over_budget(error: Error) -> TurnError {
    let detail = |name: &str| error.details.as_ref()?.get(name)?.as_f64();
    TurnError::OverBudget {
        remaining: detail("remaining")
            .and_then(MicroUsd::from_dollars)
            .map(|it| it.0),
        retry_after: detail("retryAfterSec")
            .map(|seconds| Duration::from_secs_f64(seconds.max(1.0))),
        message: error.message,
    }
}

/// What a kernel error about `task_id` means to the turn.
fn turn_error(error: Error, task_id: &str) -> TurnError {
    match error.kind {
        Kind::OverBudget => return over_budget(error),
        Kind::Forbidden if HELD_UP.contains(&error.code) => {
            return TurnError::HeldUp {
                code: error.code,
                message: error.message,
            };
        }
        _ => {}
    }
    TurnError::from_backend(backend_error(error), task_id)
}
