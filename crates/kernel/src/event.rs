//! Everything that happens, written in the transaction that caused it.
//!
//! Event streams, notifications, dashboards and the audit trail are readers of this one log. An
//! event holds the noun as it was right after the change. The nouns' serde form is the log's own
//! form on disk; what a contract shows is its surface's translation of it.

use serde::{Deserialize, Serialize};

use crate::agent::{self, Agent};
use crate::alert::Alert;
use crate::approval::Approval;
use crate::document::Document;
use crate::heartbeat::Heartbeat;
use crate::message::Message;
use crate::notification::Notification;
use crate::operator::Stance;
use crate::run::Run;
use crate::standup::{Report, Standup};
use crate::task::{Task, Transition};
use crate::token::Token;
use crate::tool_call::ToolCall;
use crate::{EventId, Handle, Object, Principal, Result, TaskId, TenantId, Timestamp};

/// What happened, with the noun as it is now.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", content = "noun")]
pub enum Happening {
    #[serde(rename = "agent.registered")]
    AgentRegistered(Agent),
    #[serde(rename = "task.created")]
    TaskCreated(Task),
    #[serde(rename = "task.updated")]
    TaskUpdated(Task),
    #[serde(rename = "message.created")]
    MessageCreated(Message),
    #[serde(rename = "document.created")]
    DocumentCreated(Document),
    #[serde(rename = "document.updated")]
    DocumentUpdated(Document),
    #[serde(rename = "notification.created")]
    NotificationCreated(Notification),
    #[serde(rename = "notification.delivered")]
    NotificationDelivered(Notification),
    /// A try failed and another is due.
    #[serde(rename = "notification.failed")]
    NotificationFailed(Notification),
    /// It will not be tried again.
    #[serde(rename = "notification.dead")]
    NotificationDead(Notification),
    #[serde(rename = "notification.read")]
    NotificationRead(Notification),
    /// A chain of agents waking agents reached its cap; this one is dead from the start.
    #[serde(rename = "notification.suppressed")]
    NotificationSuppressed(Notification),
    #[serde(rename = "heartbeat.recorded")]
    HeartbeatRecorded(Heartbeat),
    #[serde(rename = "standup.created")]
    StandupCreated(Standup),
    #[serde(rename = "standup.updated")]
    StandupUpdated(Standup),
    /// A morning's look at a tenant's crew was written down.
    #[serde(rename = "standup.reported")]
    StandupReported(Box<Report>),
    #[serde(rename = "approval.created")]
    ApprovalCreated(Approval),
    #[serde(rename = "approval.updated")]
    ApprovalUpdated(Approval),
    #[serde(rename = "run.started")]
    RunStarted(Run),
    #[serde(rename = "run.ended")]
    RunEnded(Run),
    /// More is known of what it used or cost.
    #[serde(rename = "run.updated")]
    RunUpdated(Run),
    #[serde(rename = "agent.updated")]
    AgentUpdated(Agent),
    /// Its administrative status changed; who and why is in the agent and the event.
    #[serde(rename = "agent.status_changed")]
    AgentStatusChanged { agent: Agent, from: agent::Status },
    /// A credential was made for an agent.
    #[serde(rename = "agent.token_issued")]
    AgentTokenIssued(Token),
    #[serde(rename = "agent.token_revoked")]
    AgentTokenRevoked(Token),
    /// It went from one state to another, whichever surface moved it.
    #[serde(rename = "task.transitioned")]
    TaskTransitioned { task: Task, transition: Transition },
    /// Other people work on it now.
    #[serde(rename = "task.assigned")]
    TaskAssigned { task: Task, before: Vec<Handle> },
    #[serde(rename = "tool_call.started")]
    ToolCallStarted(ToolCall),
    #[serde(rename = "tool_call.completed")]
    ToolCallCompleted(ToolCall),
    /// An action was judged and not simply allowed.
    #[serde(rename = "policy.evaluated")]
    PolicyEvaluated(Judgement),
    /// An agent reported an action that it may not take.
    #[serde(rename = "policy.violated")]
    PolicyViolated(Judgement),
    /// Other rules are in force.
    #[serde(rename = "policy.updated")]
    PolicyUpdated { version: i64, scope: String },
    /// A standing permission let an action through, was made, or was taken back.
    #[serde(rename = "grant.changed")]
    GrantChanged {
        grant: crate::grant::Grant,
        change: String,
    },
    #[serde(rename = "loop.detected")]
    LoopDetected {
        task: Task,
        loop_kind: String,
        alert: crate::AlertId,
    },
    #[serde(rename = "budget.exceeded")]
    BudgetExceeded {
        agent: Agent,
        task: Option<TaskId>,
        spent_microusd: u64,
        limit_microusd: u64,
    },
    #[serde(rename = "alert.raised")]
    AlertRaised(Alert),
    #[serde(rename = "alert.changed")]
    AlertChanged(Alert),
    #[serde(rename = "operator.mode_changed")]
    OperatorModeChanged {
        stance: Stance,
        from: crate::operator::Mode,
    },
}

/// What was judged, how, and what decided it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Judgement {
    pub agent: Handle,
    pub task: Option<TaskId>,
    /// The action as it was asked about, secrets redacted: enough to judge it again.
    pub action: Object,
    pub decision: String,
    pub risk: String,
    pub violations: Vec<String>,
    /// The grants that let it through, if any did.
    pub grants: Vec<crate::GrantId>,
    pub policy_version: i64,
}

impl Happening {
    /// The name under which the log keeps it.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::AgentRegistered(_) => "agent.registered",
            Self::TaskCreated(_) => "task.created",
            Self::TaskUpdated(_) => "task.updated",
            Self::MessageCreated(_) => "message.created",
            Self::DocumentCreated(_) => "document.created",
            Self::DocumentUpdated(_) => "document.updated",
            Self::NotificationCreated(_) => "notification.created",
            Self::NotificationDelivered(_) => "notification.delivered",
            Self::NotificationFailed(_) => "notification.failed",
            Self::NotificationDead(_) => "notification.dead",
            Self::NotificationRead(_) => "notification.read",
            Self::NotificationSuppressed(_) => "notification.suppressed",
            Self::HeartbeatRecorded(_) => "heartbeat.recorded",
            Self::StandupCreated(_) => "standup.created",
            Self::StandupUpdated(_) => "standup.updated",
            Self::ApprovalCreated(_) => "approval.created",
            Self::ApprovalUpdated(_) => "approval.updated",
            Self::RunStarted(_) => "run.started",
            Self::RunEnded(_) => "run.ended",
            Self::RunUpdated(_) => "run.updated",
            Self::StandupReported(_) => "standup.reported",
            Self::AgentUpdated(_) => "agent.updated",
            Self::AgentStatusChanged { .. } => "agent.status_changed",
            Self::AgentTokenIssued(_) => "agent.token_issued",
            Self::AgentTokenRevoked(_) => "agent.token_revoked",
            Self::TaskTransitioned { .. } => "task.transitioned",
            Self::TaskAssigned { .. } => "task.assigned",
            Self::ToolCallStarted(_) => "tool_call.started",
            Self::ToolCallCompleted(_) => "tool_call.completed",
            Self::PolicyEvaluated(_) => "policy.evaluated",
            Self::PolicyViolated(_) => "policy.violated",
            Self::PolicyUpdated { .. } => "policy.updated",
            Self::GrantChanged { .. } => "grant.changed",
            Self::LoopDetected { .. } => "loop.detected",
            Self::BudgetExceeded { .. } => "budget.exceeded",
            Self::AlertRaised(_) => "alert.raised",
            Self::AlertChanged(_) => "alert.changed",
            Self::OperatorModeChanged { .. } => "operator.mode_changed",
        }
    }

    /// Whether it belongs to the audit trail: what somebody did, as against what the installation
    /// does for itself. The audit trail is kept for good (OpenClaw contract §11).
    #[must_use]
    pub fn is_audit(&self) -> bool {
        !matches!(
            self,
            Self::NotificationCreated(_)
                | Self::NotificationDelivered(_)
                | Self::NotificationFailed(_)
                | Self::NotificationDead(_)
                | Self::NotificationRead(_)
                | Self::NotificationSuppressed(_)
                | Self::HeartbeatRecorded(_)
        )
    }

    /// The agent it is about, if about one.
    #[must_use]
    pub fn agent(&self) -> Option<&Handle> {
        match self {
            Self::AgentRegistered(agent)
            | Self::AgentUpdated(agent)
            | Self::AgentStatusChanged { agent, .. }
            | Self::BudgetExceeded { agent, .. } => Some(&agent.handle),
            Self::AgentTokenIssued(token) | Self::AgentTokenRevoked(token) => Some(&token.agent),
            Self::RunStarted(run) | Self::RunEnded(run) | Self::RunUpdated(run) => Some(&run.agent),
            Self::ToolCallStarted(call) | Self::ToolCallCompleted(call) => Some(&call.agent),
            Self::PolicyEvaluated(it) | Self::PolicyViolated(it) => Some(&it.agent),
            Self::ApprovalCreated(it) | Self::ApprovalUpdated(it) => Some(&it.requestor),
            Self::GrantChanged { grant, .. } => grant.agent.as_ref(),
            Self::AlertRaised(alert) | Self::AlertChanged(alert) => alert.agent.as_ref(),
            Self::HeartbeatRecorded(heartbeat) => Some(&heartbeat.handle),
            Self::MessageCreated(message) => message.author.as_ref(),
            Self::DocumentCreated(document) | Self::DocumentUpdated(document) => {
                document.author.as_ref()
            }
            Self::TaskCreated(_)
            | Self::TaskUpdated(_)
            | Self::TaskTransitioned { .. }
            | Self::TaskAssigned { .. }
            | Self::NotificationCreated(_)
            | Self::NotificationDelivered(_)
            | Self::NotificationFailed(_)
            | Self::NotificationDead(_)
            | Self::NotificationRead(_)
            | Self::NotificationSuppressed(_)
            | Self::StandupCreated(_)
            | Self::StandupUpdated(_)
            | Self::StandupReported(_)
            | Self::PolicyUpdated { .. }
            | Self::LoopDetected { .. }
            | Self::OperatorModeChanged { .. } => None,
        }
    }

    /// The task it happened on, if on one.
    #[must_use]
    pub fn task(&self) -> Option<&TaskId> {
        match self {
            Self::TaskCreated(task)
            | Self::TaskUpdated(task)
            | Self::TaskTransitioned { task, .. }
            | Self::TaskAssigned { task, .. }
            | Self::LoopDetected { task, .. } => Some(&task.id),
            Self::MessageCreated(message) => Some(&message.task),
            Self::DocumentCreated(document) | Self::DocumentUpdated(document) => {
                Some(&document.task)
            }
            Self::NotificationCreated(it)
            | Self::NotificationDelivered(it)
            | Self::NotificationFailed(it)
            | Self::NotificationDead(it)
            | Self::NotificationRead(it)
            | Self::NotificationSuppressed(it) => it.task.as_ref(),
            Self::StandupCreated(standup) | Self::StandupUpdated(standup) => Some(&standup.task),
            Self::ApprovalCreated(approval) | Self::ApprovalUpdated(approval) => {
                approval.task.as_ref()
            }
            Self::RunStarted(run) | Self::RunEnded(run) | Self::RunUpdated(run) => {
                run.task.as_ref()
            }
            Self::ToolCallStarted(call) | Self::ToolCallCompleted(call) => call.task.as_ref(),
            Self::PolicyEvaluated(it) | Self::PolicyViolated(it) => it.task.as_ref(),
            Self::GrantChanged { grant, .. } => grant.task.as_ref(),
            Self::BudgetExceeded { task, .. } => task.as_ref(),
            Self::AlertRaised(alert) | Self::AlertChanged(alert) => alert.task.as_ref(),
            Self::AgentRegistered(_)
            | Self::AgentUpdated(_)
            | Self::AgentStatusChanged { .. }
            | Self::AgentTokenIssued(_)
            | Self::AgentTokenRevoked(_)
            | Self::PolicyUpdated { .. }
            | Self::OperatorModeChanged { .. }
            | Self::StandupReported(_)
            | Self::HeartbeatRecorded(_) => None,
        }
    }
}

/// An entry of the log.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    pub id: EventId,
    pub tenant: TenantId,
    pub at: Timestamp,
    /// Who caused it: a principal's subject.
    pub actor: String,
    /// What kind of caller that was.
    pub actor_kind: ActorKind,
    /// The request in which it happened, for the record.
    pub request: Option<String>,
    pub what: Happening,
}

/// What kind of caller did something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum ActorKind {
    Agent,
    Human,
    System,
}

impl ActorKind {
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Agent => "AGENT",
            Self::Human => "HUMAN",
            Self::System => "SYSTEM",
        }
    }

    /// The kind of this name, in upper case.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Agent, Self::Human, Self::System]
            .into_iter()
            .find(|kind| kind.as_str() == text)
    }
}

/// Which part of the audit trail a reader wants, newest first; all that are given must match.
#[derive(Debug, Clone, Default)]
pub struct TrailQuery {
    /// `None`: every tenant's.
    pub tenant: Option<TenantId>,
    pub task: Option<TaskId>,
    /// What it is about, or who did it.
    pub agent: Option<Handle>,
    /// Any of these kinds (see [`Happening::kind`]); empty means any at all.
    pub kinds: Vec<String>,
    /// Only events earlier than this one.
    pub before: Option<EventId>,
    /// Only events at or after this.
    pub since: Option<Timestamp>,
    /// How many at most.
    pub limit: u32,
}

/// Which part of the log a reader wants.
#[derive(Debug, Clone)]
pub struct EventQuery {
    /// `None`: every tenant's.
    pub tenant: Option<TenantId>,
    pub task: Option<TaskId>,
    /// Only events later than this one.
    pub after: EventId,
    /// How many at most.
    pub limit: u32,
}

/// Where the log is kept.
pub trait Events {
    /// Writes one event with the next id and the transaction's time.
    ///
    /// # Errors
    /// Whatever the store meets.
    fn append(&mut self, tenant: &TenantId, who: &Principal, what: Happening) -> Result<EventId>;

    /// The audit trail, newest first.
    ///
    /// # Errors
    /// Whatever the store meets.
    fn trail(&mut self, query: &TrailQuery) -> Result<Vec<Event>>;

    /// Oldest first.
    ///
    /// # Errors
    /// Whatever the store meets.
    fn events(&mut self, query: &EventQuery) -> Result<Vec<Event>>;

    /// The newest event's id that this snapshot can see; 0 in an empty log.
    ///
    /// # Errors
    /// Whatever the store meets.
    fn newest_event(&mut self) -> Result<EventId>;

    /// The newest event that was dropped for its age: a reader that resumes at or after it misses
    /// nothing, one that resumes before it does.
    ///
    /// # Errors
    /// Whatever the store meets.
    fn event_floor(&mut self) -> Result<EventId>;

    /// Looks at the next `limit` events past the floor, drops those older than `before` that are
    /// not part of the audit trail, and raises the floor; gives how many it passed.
    ///
    /// # Errors
    /// Whatever the store meets.
    fn drop_events(&mut self, before: Timestamp, limit: u32) -> Result<u64>;

    /// Tenants with an event at or after `since`, in order of name, past `after`.
    ///
    /// # Errors
    /// Whatever the store meets.
    fn active_tenants(
        &mut self,
        since: Timestamp,
        after: Option<&TenantId>,
        limit: u32,
    ) -> Result<Vec<TenantId>>;
}

/// Appends an event in the name of `who`.
pub(crate) fn record(
    tx: &mut dyn crate::Tx,
    who: &Principal,
    tenant: &TenantId,
    what: Happening,
) -> Result<()> {
    tx.append(tenant, who, what).map(drop)
}
