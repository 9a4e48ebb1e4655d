//! Everything that happens, written in the transaction that caused it.
//!
//! Event streams, notifications, dashboards and the audit trail are readers of this one log. An
//! event holds the noun as it was right after the change. The nouns' serde form is the log's own
//! form on disk; what a contract shows is its surface's translation of it.

use serde::{Deserialize, Serialize};

use crate::agent::Agent;
use crate::approval::Approval;
use crate::document::Document;
use crate::heartbeat::Heartbeat;
use crate::message::Message;
use crate::notification::Notification;
use crate::run::Run;
use crate::standup::Standup;
use crate::task::Task;
use crate::{EventId, Principal, Result, TaskId, TenantId, Timestamp};

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
    #[serde(rename = "approval.created")]
    ApprovalCreated(Approval),
    #[serde(rename = "approval.updated")]
    ApprovalUpdated(Approval),
    #[serde(rename = "run.started")]
    RunStarted(Run),
    #[serde(rename = "run.ended")]
    RunEnded(Run),
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
        }
    }

    /// The task it happened on, if on one.
    #[must_use]
    pub fn task(&self) -> Option<&TaskId> {
        match self {
            Self::TaskCreated(task) | Self::TaskUpdated(task) => Some(&task.id),
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
            Self::RunStarted(run) | Self::RunEnded(run) => run.task.as_ref(),
            Self::AgentRegistered(_) | Self::HeartbeatRecorded(_) => None,
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
    pub what: Happening,
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
    fn append(&mut self, tenant: &TenantId, actor: &str, what: Happening) -> Result<EventId>;

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

    /// Drops at most `limit` of the events older than `before` and raises the floor; gives how
    /// many went.
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
    tx.append(tenant, &who.subject, what).map(drop)
}
