//! What `decide` answers.

use std::fmt;
use std::str::FromStr;

use crate::agent::{UnknownWord, words};

/// What becomes of an action, mildest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Decision {
    Allow,
    NeedsApproval,
    Deny,
}

words!(Decision {
    Allow = "ALLOW",
    NeedsApproval = "NEEDS_APPROVAL",
    Deny = "DENY",
});

/// How much harm an action can do, least first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Risk {
    Green,
    Yellow,
    Red,
}

words!(Risk {
    Green = "GREEN",
    Yellow = "YELLOW",
    Red = "RED",
});

/// What an approval is asked for (OpenClaw contract §2, ApprovalActionType).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ApprovalKind {
    ToolExec,
    BudgetOverride,
    StateTransition,
    Spawn,
}

words!(ApprovalKind {
    ToolExec = "TOOL_EXEC",
    BudgetOverride = "BUDGET_OVERRIDE",
    StateTransition = "STATE_TRANSITION",
    Spawn = "SPAWN",
});

/// What to ask for so that the action may go on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApprovalRequired {
    pub kind: ApprovalKind,
    /// A sentence that an agent may send along, or better.
    pub suggested_justification: String,
}

/// What the rules say of an action (§8.1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    pub decision: Decision,
    pub risk: Risk,
    /// One sentence: of the first violation, or of why nothing stands in the way.
    pub reason: String,
    /// `rule:detail`, in the order of evaluation; empty on ALLOW. On DENY only those that deny.
    pub violations: Vec<String>,
    /// On NEEDS_APPROVAL.
    pub approval_required: Option<ApprovalRequired>,
    /// SHA-256 in hex of what an approval of exactly this action is bound to.
    pub fingerprint: String,
    /// The ids of the standing approvals without which this would not be ALLOW.
    pub standing: Vec<String>,
    /// The kinds of secrets found, whether or not they changed anything.
    pub secrets: Vec<&'static str>,
}
