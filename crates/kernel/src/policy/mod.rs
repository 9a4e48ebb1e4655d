//! Policy: which rules are in force, and what they say of an action (OpenClaw contract §8).
//!
//! The rules themselves and the verdict are `stationmaster-policy`'s, pure and without I/O. Here is
//! what that verdict is given: the document that governs (`force`), the facts about the agent, its
//! task, its budget and its grants (`facts`), and what is kept of a verdict (`judge`). Documents are
//! read, put in force and tried out in `document` and `rehearse`.

mod document;
mod facts;
mod force;
mod judge;
pub(crate) use judge::judge_listed;
mod rehearse;
mod scope;
mod settings;
mod step;

use serde::{Deserialize, Serialize};

use crate::{Result, Timestamp};

pub use document::{Active, Source, active, put, read, remove, versions};
pub use force::{InForce, in_force};
pub use judge::{
    Allowance, Evaluation, Question, Sketch, Verdict, evaluate, faults, judge, record, redact_all,
    sketch,
};
pub use rehearse::{Rehearsal, Shift, rehearse};
pub use scope::Scope;
pub use settings::{BudgetLimits, LoopLimits, Settings, SpawnLimits, Usual, settings};
pub use stationmaster_policy::{Decision, Difference, Document, Fault, Rules};

/// A version of the rules as an operator wrote them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Version {
    /// Counts up; 0 is what is built in.
    pub version: i64,
    /// What it governs: `GLOBAL`, `TENANT:<id>`, `AGENT:<tenant>:<handle>`, `TASK_TYPE:<type>` or
    /// `TASK:<id>` (see [`Scope`]).
    pub scope: String,
    /// The document, as JSON text.
    pub document: String,
    /// The SHA-256 of that text, in hex.
    pub digest: String,
    pub created_by: String,
    pub created_at: Timestamp,
    /// Whether the scope goes back to what governs it otherwise.
    pub removed: bool,
}

/// A version without its document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    pub scope: String,
    pub version: i64,
    pub digest: String,
    pub removed: bool,
}

/// Where versions of the rules are kept. None is ever changed or dropped.
pub trait Policies {
    /// The newest version of a scope.
    ///
    /// # Errors
    /// Whatever the store meets.
    fn policy(&mut self, scope: &str) -> Result<Option<Version>>;

    /// The newest version of each of these scopes that has any, without the documents.
    ///
    /// # Errors
    /// Whatever the store meets.
    fn policy_heads(&mut self, scopes: &[String]) -> Result<Vec<Head>>;

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

/// A text with what looks like a secret taken out, and the kinds of secrets that were.
#[must_use]
pub fn redact(text: &str) -> (String, Vec<String>) {
    let (clean, kinds) = stationmaster_policy::redact(text);
    (clean, kinds.into_iter().map(str::to_owned).collect())
}

/// SHA-256 in hex.
#[must_use]
pub fn digest(bytes: &[u8]) -> String {
    use sha2::Digest as _;
    use std::fmt::Write as _;
    let mut text = String::with_capacity(64);
    for byte in sha2::Sha256::digest(bytes) {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
    }
    text
}
