//! The operator's mode: one switch that holds up every agent at once.

use serde::{Deserialize, Serialize};

use crate::error::Problems;
use crate::event::{self, Happening};
use crate::text;
use crate::{Principal, Result, Timestamp, Tx};

/// How far agents may go.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Mode {
    #[default]
    Normal,
    /// Nothing starts, nothing is claimed, no tool runs.
    Paused,
    /// What is under way may be finished; nothing else starts.
    Draining,
    /// As paused, and nobody speaks.
    Quarantined,
}

impl Mode {
    pub const ALL: [Self; 4] = [
        Self::Normal,
        Self::Paused,
        Self::Draining,
        Self::Quarantined,
    ];

    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Normal => "NORMAL",
            Self::Paused => "PAUSED",
            Self::Draining => "DRAINING",
            Self::Quarantined => "QUARANTINED",
        }
    }

    /// The mode of this name, in upper case.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|it| it.as_str() == text)
    }
}

/// The mode as it stands, and who set it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stance {
    pub mode: Mode,
    pub reason: Option<String>,
    pub set_by: Option<String>,
    pub set_at: Option<Timestamp>,
}

/// Where the mode is kept.
pub trait Operators {
    /// # Errors
    /// Whatever the store meets.
    fn stance(&mut self) -> Result<Stance>;

    /// # Errors
    /// Whatever the store meets.
    fn put_stance(&mut self, stance: &Stance) -> Result<()>;
}

/// The tenant in whose log it stands that the mode, which is everybody's, was set.
const LOGGED_IN: &str = "default";
const LONGEST_REASON: usize = 10_000;

/// Sets the mode; the same mode again changes only the reason.
///
/// # Errors
/// Forbidden for agents; a reason that is too long.
pub fn set(tx: &mut dyn Tx, who: &Principal, mode: Mode, reason: Option<String>) -> Result<Stance> {
    who.operate("set the operator's mode")?;
    let mut problems = Problems::default();
    text::check_optional(&mut problems, "reason", reason.as_deref());
    if reason
        .as_deref()
        .is_some_and(|reason| reason.chars().count() > LONGEST_REASON)
    {
        problems.add(
            "reason",
            format!("must be at most {LONGEST_REASON} characters"),
        );
    }
    problems.into_result()?;
    let before = tx.stance()?;
    if before.mode == mode && before.reason == reason && before.set_at.is_some() {
        return Ok(before);
    }
    let stance = Stance {
        mode,
        reason,
        set_by: Some(who.subject.clone()),
        set_at: Some(tx.now()),
    };
    tx.put_stance(&stance)?;
    let tenant = LOGGED_IN.parse()?;
    tx.ensure_tenant(&tenant)?;
    let what = Happening::OperatorModeChanged {
        stance: stance.clone(),
        from: before.mode,
    };
    event::record(tx, who, &tenant, what)?;
    Ok(stance)
}
