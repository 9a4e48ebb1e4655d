//! The kernel's steps of a turn in the runtime's words.

use stationmaster_kernel::run::{StepKind, TurnStep};

use crate::ledger::Step;
use crate::turn::{SendRequest, TurnError};

/// What was asked.
///
/// # Errors
/// When it was not kept, or by another version of this program.
pub(super) fn request(steps: &[TurnStep]) -> Result<SendRequest, TurnError> {
    let first = steps.iter().find(|step| step.kind == StepKind::Request);
    let body = first.map(|step| step.body.as_str()).unwrap_or_default();
    serde_json::from_str(body).map_err(unreadable)
}

/// What the turn did, up to the first step that cannot be read: what comes after it cannot be understood
/// without it, and is done again.
pub(super) fn told(steps: Vec<TurnStep>) -> Vec<Step> {
    steps
        .into_iter()
        .filter(|step| step.kind != StepKind::Request)
        .map_while(|step| one(step).ok())
        .collect()
}

pub(super) fn one(step: TurnStep) -> Result<Step, serde_json::Error> {
    Ok(match step.kind {
        StepKind::Request | StepKind::Waits => Step::Waited {
            approval: step.body,
        },
        StepKind::Answer => Step::Answer(serde_json::from_str(&step.body)?),
        StepKind::Started => Step::Started {
            place: serde_json::from_str(&step.body)?,
            call: step.call.map(|call| call.to_string()).unwrap_or_default(),
        },
        StepKind::Result => Step::Result(serde_json::from_str(&step.body)?),
    })
}

#[expect(clippy::needless_pass_by_value, reason = "it is given to map_err")]
pub(super) fn unreadable(error: serde_json::Error) -> TurnError {
    TurnError::Internal {
        message: format!("a step of the turn cannot be kept or read: {error}"),
    }
}
