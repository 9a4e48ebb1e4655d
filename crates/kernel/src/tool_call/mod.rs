//! Tool calls: what an agent did or tried within a run, as policy judged it.
//!
//! `report` takes what an agent says it does and judges it again; `retry` stops an agent that fails
//! at the same thing over and over.

mod report;
mod retry;

use serde::{Deserialize, Serialize};

use crate::page::Position;
use crate::{GrantId, Handle, Object, Result, RunId, TaskId, TenantId, Timestamp, ToolCallId};

pub use report::{Change, Report, Reported, get, report, update};
pub(crate) use report::{Judgement, weigh};

/// Where a tool call stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Status {
    Pending,
    Running,
    Success,
    Failed,
    Denied,
}

impl Status {
    pub const ALL: [Self; 5] = [
        Self::Pending,
        Self::Running,
        Self::Success,
        Self::Failed,
        Self::Denied,
    ];

    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "PENDING",
            Self::Running => "RUNNING",
            Self::Success => "SUCCESS",
            Self::Failed => "FAILED",
            Self::Denied => "DENIED",
        }
    }

    /// The status of this name, in upper case.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|it| it.as_str() == text)
    }

    /// Nothing more is expected of it.
    #[must_use]
    pub fn is_over(self) -> bool {
        matches!(self, Self::Success | Self::Failed | Self::Denied)
    }
}

/// How much harm an action could do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Level {
    Green,
    Yellow,
    Red,
}

impl Level {
    pub const ALL: [Self; 3] = [Self::Green, Self::Yellow, Self::Red];

    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Green => "GREEN",
            Self::Yellow => "YELLOW",
            Self::Red => "RED",
        }
    }

    /// The level of this name, in upper case.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|it| it.as_str() == text)
    }
}

/// How policy judged a call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Judged {
    pub decision: String,
    pub reason: String,
    pub violations: Vec<String>,
    /// The grants that let it through, if any did.
    pub grants: Vec<GrantId>,
    /// What the first of them comes from.
    pub approval: Option<crate::ApprovalId>,
}

/// One call of one tool.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ToolCall {
    pub id: ToolCallId,
    pub position: Position,
    pub tenant: TenantId,
    pub run: RunId,
    pub agent: Handle,
    pub task: Option<TaskId>,
    pub tool: String,
    /// The higher of what was reported and what policy found.
    pub level: Level,
    pub reported_level: Level,
    pub judged: Option<Judged>,
    /// Which action it is (see the policy's fingerprint).
    #[serde(default)]
    pub fingerprint: Option<String>,
    /// The action as it was judged, secrets redacted: enough to judge it again.
    #[serde(default)]
    pub action: Option<Object>,
    pub input_preview: Option<String>,
    pub input_hash: Option<String>,
    pub output_preview: Option<String>,
    pub output_hash: Option<String>,
    pub started_at: Timestamp,
    pub ended_at: Option<Timestamp>,
    pub status: Status,
    pub error: Option<String>,
    pub retry_count: u32,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

/// Where tool calls are kept.
pub trait ToolCalls {
    /// # Errors
    /// Whatever the store meets.
    fn tool_call(&mut self, id: &ToolCallId) -> Result<Option<ToolCall>>;

    /// Writes a new call or the changed one of the same id.
    ///
    /// # Errors
    /// Whatever the store meets.
    fn put_tool_call(&mut self, call: &ToolCall) -> Result<()>;

    /// Of one run, oldest first, at most `limit` past `offset`.
    ///
    /// # Errors
    /// Whatever the store meets.
    fn tool_calls_of_run(&mut self, run: &RunId, offset: u32, limit: u32) -> Result<Vec<ToolCall>>;

    /// Of one task, oldest first.
    ///
    /// # Errors
    /// Whatever the store meets.
    fn tool_calls_of_task(&mut self, task: &TaskId, limit: u32) -> Result<Vec<ToolCall>>;

    /// How many calls of this run, tool and error failed at or after `since`.
    ///
    /// # Errors
    /// Whatever the store meets.
    fn failed_call_count(
        &mut self,
        run: &RunId,
        tool: &str,
        error: &str,
        since: Timestamp,
    ) -> Result<u64>;
}
