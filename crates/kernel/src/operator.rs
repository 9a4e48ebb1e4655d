//! The operator's mode: one switch that holds up every agent at once.

use serde::{Deserialize, Serialize};

use crate::{Result, Timestamp};

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
