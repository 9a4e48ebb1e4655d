//! Policy: which rules are in force, and what they say of an action.

use serde::{Deserialize, Serialize};

use crate::{Result, Timestamp};

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
