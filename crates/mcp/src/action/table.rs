//! The table of contract section 15: every action with what it requires and takes, and every parameter.

use std::fmt;

use Action as A;

/// What the tool can be asked to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Action {
    Heartbeat,
    TaskList,
    TaskGet,
    TaskClaim,
    TaskStart,
    TaskComment,
    TaskSubmit,
    TaskArtifact,
    ApprovalRequest,
    ApprovalCheck,
    PolicyCheck,
    ReportRun,
    ReportToolCall,
}

impl Action {
    /// The action named `name`, if there is one.
    pub(crate) fn parse(name: &str) -> Option<Self> {
        ACTIONS
            .iter()
            .find(|row| row.name == name)
            .map(|row| row.action)
    }

    /// Every action's name, in the order of the table.
    pub(crate) fn names() -> impl Iterator<Item = &'static str> {
        ACTIONS.iter().map(|row| row.name)
    }
}

impl fmt::Display for Action {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let row = ACTIONS.iter().find(|row| row.action == *self);
        formatter.write_str(row.map_or("", |row| row.name))
    }
}

/// A row of the table of actions.
pub(crate) struct ActionRow {
    pub(crate) action: Action,
    pub(crate) name: &'static str,
    /// What the action does, for the model that chooses among them.
    pub(crate) does: &'static str,
}

const fn action(action: Action, name: &'static str, does: &'static str) -> ActionRow {
    ActionRow { action, name, does }
}

pub(crate) const ACTIONS: &[ActionRow] = &[
    action(
        A::Heartbeat,
        "heartbeat",
        "say that you are alive; the answer has your notifications, assigned and claimable tasks, budget and status",
    ),
    action(A::TaskList, "task_list", "find tasks"),
    action(
        A::TaskGet,
        "task_get",
        "read one task with its messages, runs, approvals and the transitions open to you",
    ),
    action(
        A::TaskClaim,
        "task_claim",
        "take an INBOX task for yourself",
    ),
    action(
        A::TaskStart,
        "task_start",
        "begin an ASSIGNED task with a work plan of 3 to 6 steps",
    ),
    action(A::TaskComment, "task_comment", "write a message on a task"),
    action(
        A::TaskSubmit,
        "task_submit",
        "hand in an IN_PROGRESS task for review: the deliverable and your self-review checklist",
    ),
    action(
        A::TaskArtifact,
        "task_artifact",
        "attach a file (content) or a link (url) to a task",
    ),
    action(
        A::ApprovalRequest,
        "approval_request",
        "ask a person to allow something that policy does not allow you to do alone",
    ),
    action(
        A::ApprovalCheck,
        "approval_check",
        "see whether an approval was decided",
    ),
    action(
        A::PolicyCheck,
        "policy_check",
        "ask whether you may run a tool, before you run it; nothing is changed",
    ),
    action(
        A::ReportRun,
        "report_run",
        "report a model run: without runId it starts one, with runId it updates tokens, cost and status",
    ),
    action(
        A::ReportToolCall,
        "report_tool_call",
        "report a tool call of a run: without toolCallId it starts one, with toolCallId it updates the outcome",
    ),
];

/// What a parameter's value looks like.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Shape {
    /// Any text.
    Text,
    /// One of these words.
    Word(&'static [&'static str]),
    /// A list of texts.
    Texts,
    /// A list of these words.
    Words(&'static [&'static str]),
    /// One word, or several: a comma-separated text or a list.
    WordOrWords,
    /// A whole number from 0.
    Count,
    /// US dollars from 0.
    Money,
    /// A time, RFC 3339 in UTC.
    Time,
    /// A JSON object.
    Object,
    /// A list of `{label, checked, note?}`.
    Checklist,
    /// A list of `{name, type?, content?, url?, mimeType?}`.
    Artifacts,
}

/// A row of the table of parameters.
pub(crate) struct ParameterRow {
    pub(crate) name: &'static str,
    pub(crate) shape: Shape,
    pub(crate) says: &'static str,
    /// The actions that cannot do without it.
    pub(crate) required: &'static [Action],
    /// The actions that take it.
    pub(crate) optional: &'static [Action],
}

const fn parameter(
    name: &'static str,
    shape: Shape,
    says: &'static str,
    required: &'static [Action],
    optional: &'static [Action],
) -> ParameterRow {
    ParameterRow {
        name,
        shape,
        says,
        required,
        optional,
    }
}

const TASK_TYPES: &[&str] = &[
    "CONTENT",
    "SOCIAL",
    "EMAIL_MARKETING",
    "CUSTOMER_RESEARCH",
    "SEO_RESEARCH",
    "ENGINEERING",
    "DOCS",
    "OPS",
];

/// Every parameter but `action` and `idempotencyKey`, which all actions take.
pub(crate) const PARAMETERS: &[ParameterRow] = &[
    parameter(
        "taskId",
        Shape::Text,
        "The task's id, such as task_…",
        &[
            A::TaskGet,
            A::TaskClaim,
            A::TaskStart,
            A::TaskComment,
            A::TaskSubmit,
            A::TaskArtifact,
        ],
        &[
            A::Heartbeat,
            A::ApprovalRequest,
            A::PolicyCheck,
            A::ReportRun,
            A::ReportToolCall,
        ],
    ),
    parameter(
        "status",
        Shape::WordOrWords,
        "heartbeat: your health, HEALTHY (default), BUSY, IDLE, DEGRADED or ERROR. task_list: one or more of INBOX, ASSIGNED, \
         IN_PROGRESS, REVIEW, NEEDS_APPROVAL, BLOCKED, DONE, CANCELED, separated by commas (a list is understood too). \
         report_run: RUNNING, COMPLETED, FAILED or TIMEOUT. report_tool_call: PENDING, RUNNING, SUCCESS, FAILED or DENIED.",
        &[],
        &[A::Heartbeat, A::TaskList, A::ReportRun, A::ReportToolCall],
    ),
    parameter(
        "type",
        Shape::Words(TASK_TYPES),
        "Only tasks of these types.",
        &[],
        &[A::TaskList],
    ),
    parameter(
        "assigneeId",
        Shape::Text,
        "Only tasks of this agent; \"me\" is you.",
        &[],
        &[A::TaskList],
    ),
    parameter(
        "limit",
        Shape::Count,
        "How many at most, 1 to 200 (50 if left out).",
        &[],
        &[A::TaskList],
    ),
    parameter(
        "search",
        Shape::Text,
        "Only tasks with this text in title, description or labels.",
        &[],
        &[A::TaskList],
    ),
    parameter(
        "bullets",
        Shape::Texts,
        "The work plan: 3 to 6 steps, one text each. Either this or content is needed.",
        &[],
        &[A::TaskStart],
    ),
    parameter(
        "content",
        Shape::Text,
        "task_start: the work plan as text, one step a line, instead of bullets. task_comment: the message; @name notifies. \
         task_submit: the deliverable. task_artifact: the file's text (or give url).",
        &[A::TaskComment, A::TaskSubmit],
        &[A::TaskStart, A::TaskArtifact],
    ),
    parameter(
        "estimatedCost",
        Shape::Money,
        "What it will cost, in US dollars.",
        &[],
        &[A::TaskStart, A::ApprovalRequest, A::PolicyCheck],
    ),
    parameter(
        "estimatedDuration",
        Shape::Text,
        "How long it will take, such as 2h or 30m.",
        &[],
        &[A::TaskStart],
    ),
    parameter(
        "dependencies",
        Shape::Texts,
        "Ids of tasks that must be DONE before this one can start.",
        &[],
        &[A::TaskStart],
    ),
    parameter(
        "reason",
        Shape::Text,
        "Why, for the record.",
        &[],
        &[A::TaskStart, A::TaskSubmit],
    ),
    parameter(
        "messageType",
        Shape::Word(&["COMMENT", "PROGRESS", "REVIEW"]),
        "What kind of message; COMMENT if left out.",
        &[],
        &[A::TaskComment],
    ),
    parameter(
        "mentions",
        Shape::Texts,
        "Ids of agents to notify.",
        &[],
        &[A::TaskComment],
    ),
    parameter(
        "checklist",
        Shape::Checklist,
        "Your self-review. Each item is checked, or its note says why it is not. The checklist's type is filled in from the task.",
        &[A::TaskSubmit],
        &[],
    ),
    parameter(
        "checklistNotes",
        Shape::Text,
        "A remark on the whole checklist.",
        &[],
        &[A::TaskSubmit],
    ),
    parameter(
        "summary",
        Shape::Text,
        "task_submit: the deliverable in a sentence or two. approval_request: what you want to do, in one line.",
        &[A::ApprovalRequest],
        &[A::TaskSubmit],
    ),
    parameter(
        "artifacts",
        Shape::Artifacts,
        "Files or links that belong to the deliverable.",
        &[],
        &[A::TaskSubmit],
    ),
    parameter(
        "name",
        Shape::Text,
        "The artifact's file name.",
        &[A::TaskArtifact],
        &[],
    ),
    parameter(
        "url",
        Shape::Text,
        "Where the artifact is, if its content is not given.",
        &[],
        &[A::TaskArtifact],
    ),
    parameter(
        "artifactType",
        Shape::Word(&["DELIVERABLE", "EVIDENCE", "CHECKLIST", "REPORT"]),
        "What kind of artifact; DELIVERABLE if left out.",
        &[],
        &[A::TaskArtifact],
    ),
    parameter(
        "mimeType",
        Shape::Text,
        "The artifact's media type, such as text/markdown.",
        &[],
        &[A::TaskArtifact],
    ),
    parameter(
        "note",
        Shape::Text,
        "The message that goes with the artifact.",
        &[],
        &[A::TaskArtifact],
    ),
    parameter(
        "approvalActionType",
        Shape::Word(&["TOOL_EXEC", "BUDGET_OVERRIDE", "STATE_TRANSITION", "SPAWN"]),
        "What kind of thing is to be allowed.",
        &[A::ApprovalRequest],
        &[],
    ),
    parameter(
        "riskLevel",
        Shape::Word(&["GREEN", "YELLOW", "RED"]),
        "approval_request: YELLOW or RED. report_tool_call: the risk as you see it; the server judges for itself.",
        &[A::ApprovalRequest],
        &[A::ReportToolCall],
    ),
    parameter(
        "justification",
        Shape::Text,
        "Why it has to be done.",
        &[A::ApprovalRequest],
        &[],
    ),
    parameter(
        "toolCallId",
        Shape::Text,
        "The tool call's id, such as tc_…; for report_tool_call, the call to update.",
        &[],
        &[A::ApprovalRequest, A::ReportToolCall],
    ),
    parameter(
        "rollbackPlan",
        Shape::Text,
        "How it can be undone; give one for RED.",
        &[],
        &[A::ApprovalRequest],
    ),
    parameter(
        "payload",
        Shape::Object,
        "Exactly what is to be allowed, such as {\"tool\":\"exec\",\"command\":\"git push\"}.",
        &[],
        &[A::ApprovalRequest],
    ),
    parameter(
        "expiresIn",
        Shape::Text,
        "How long the request stays open, such as 24h (the default); at most 7d.",
        &[],
        &[A::ApprovalRequest],
    ),
    parameter(
        "approvalId",
        Shape::Text,
        "The approval's id, such as approval_…",
        &[A::ApprovalCheck],
        &[],
    ),
    parameter(
        "policyActionType",
        Shape::Word(&["TOOL_CALL", "FILE_WRITE", "NETWORK", "SPAWN", "TRANSITION"]),
        "What kind of act is meant; TOOL_CALL if left out.",
        &[],
        &[A::PolicyCheck],
    ),
    parameter(
        "tool",
        Shape::Text,
        "The tool you want to run, such as exec. Needed when policyActionType is TOOL_CALL.",
        &[],
        &[A::PolicyCheck],
    ),
    parameter(
        "args",
        Shape::Object,
        "What you would give the tool, such as {\"command\":\"npm test\"}, {\"path\":\"docs/a.md\"} or {\"url\":\"https://…\"}.",
        &[],
        &[A::PolicyCheck],
    ),
    parameter(
        "sessionKey",
        Shape::Text,
        "Your session's key, if it has one. report_run needs one to start a run, here or in the server's settings.",
        &[],
        &[A::Heartbeat, A::PolicyCheck, A::ReportRun],
    ),
    parameter(
        "ackNotificationIds",
        Shape::Texts,
        "Ids of notifications you have dealt with; unacknowledged ones come again.",
        &[],
        &[A::Heartbeat],
    ),
    parameter(
        "runId",
        Shape::Text,
        "The run's id, such as run_…. report_run: the run to update; leave it out to start one. report_tool_call: the run \
         the call belongs to, needed to start one.",
        &[],
        &[A::ReportRun, A::ReportToolCall],
    ),
    parameter(
        "model",
        Shape::Text,
        "The model that runs. Needed to start a run.",
        &[],
        &[A::ReportRun],
    ),
    parameter(
        "startedAt",
        Shape::Time,
        "When it started; now if left out.",
        &[],
        &[A::ReportRun, A::ReportToolCall],
    ),
    parameter(
        "endedAt",
        Shape::Time,
        "When it ended.",
        &[],
        &[A::ReportRun, A::ReportToolCall],
    ),
    parameter(
        "inputTokens",
        Shape::Count,
        "Tokens read, of the whole run so far.",
        &[],
        &[A::ReportRun],
    ),
    parameter(
        "outputTokens",
        Shape::Count,
        "Tokens written, of the whole run so far.",
        &[],
        &[A::ReportRun],
    ),
    parameter(
        "costUsd",
        Shape::Money,
        "What the whole run has cost so far, in US dollars.",
        &[],
        &[A::ReportRun],
    ),
    parameter(
        "error",
        Shape::Text,
        "What went wrong.",
        &[],
        &[A::ReportRun, A::ReportToolCall],
    ),
    parameter(
        "toolName",
        Shape::Text,
        "The tool that is called. Needed, with riskLevel, to start a tool call.",
        &[],
        &[A::ReportToolCall],
    ),
    parameter(
        "inputPreview",
        Shape::Text,
        "The beginning of the tool's input. No secrets.",
        &[],
        &[A::ReportToolCall],
    ),
    parameter(
        "outputPreview",
        Shape::Text,
        "The beginning of the tool's output. No secrets.",
        &[],
        &[A::ReportToolCall],
    ),
];
