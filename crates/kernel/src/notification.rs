//! Notifications: what wakes an agent, and whether it has.
//!
//! A row that is neither delivered nor dead is work that is due at `next_attempt_at`. Dispatchers
//! take it (with a lease, when several may), hand it to a runtime, and settle it as delivered or
//! failed. Nothing is taken out of the queue by reading it.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::agent;
use crate::error::Problems;
use crate::event::{self, Happening};
use crate::lease::{Fence, Lease};
use crate::message::{ActorType, Message};
use crate::page::{List, Page, Placed, Position};
use crate::task::{self, Task};
use crate::text;
use crate::{
    ApprovalId, Error, Handle, MessageId, NotificationId, Object, Principal, Result, Right, TaskId,
    TenantId, Timestamp, Tx,
};

/// How many agents may wake each other in a row before the chain is cut: a message of a person
/// starts at 0, each answer of an agent that wakes another adds 1.
pub const HOP_CAP: u32 = 5;
/// What woke an agent longer ago than this has nothing to do with what it does now.
const HOP_MEMORY: Duration = Duration::from_secs(3600);
/// After this many failed tries a notification is dead.
pub const MAX_ATTEMPTS: u32 = 8;
const FIRST_DELAY: Duration = Duration::from_secs(2);
const MAX_DELAY: Duration = Duration::from_secs(600);

/// Why an agent is woken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Type {
    /// A message names the agent.
    Mention,
    /// A task became the agent's.
    Assignment,
    /// A person spoke on the agent's task.
    Message,
    /// Something the agent asked for was decided.
    System,
    /// Somebody asks for approval.
    ApprovalRequest,
    /// An approval was decided, or expired.
    ApprovalDecided,
    /// A task that the target follows changed its state.
    TaskTransition,
    /// Something an operator should look at.
    Alert,
    Digest,
    /// What its maker called it.
    Other(String),
}

impl Type {
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::Mention => "mention",
            Self::Assignment => "assignment",
            Self::Message => "message",
            Self::System => "system",
            Self::ApprovalRequest => "approval_request",
            Self::ApprovalDecided => "approval_decided",
            Self::TaskTransition => "task_transition",
            Self::Alert => "alert",
            Self::Digest => "digest",
            Self::Other(name) => name,
        }
    }

    /// The type of this name; an unknown name is kept as it is.
    #[must_use]
    pub fn named(name: &str) -> Self {
        match name {
            "mention" => Self::Mention,
            "assignment" => Self::Assignment,
            "message" => Self::Message,
            "system" => Self::System,
            "approval_request" => Self::ApprovalRequest,
            "approval_decided" => Self::ApprovalDecided,
            "task_transition" => Self::TaskTransition,
            "alert" => Self::Alert,
            "digest" => Self::Digest,
            other => Self::Other(other.to_owned()),
        }
    }
}

/// Who is to be told.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Target {
    Agent(Handle),
    Operator,
}

impl Target {
    /// An agent's name, or `@operator`, which no agent can be called.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::Agent(handle) => handle.as_str(),
            Self::Operator => "@operator",
        }
    }

    #[must_use]
    pub fn agent(&self) -> Option<&Handle> {
        match self {
            Self::Agent(handle) => Some(handle),
            Self::Operator => None,
        }
    }
}

impl std::str::FromStr for Target {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        if text == Self::Operator.as_str() {
            return Ok(Self::Operator);
        }
        text.parse().map(Self::Agent)
    }
}

impl std::fmt::Display for Target {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

impl TryFrom<String> for Target {
    type Error = Error;

    fn try_from(text: String) -> Result<Self> {
        text.parse()
    }
}

impl From<Target> for String {
    fn from(target: Target) -> Self {
        target.as_str().to_owned()
    }
}

impl From<Handle> for Target {
    fn from(handle: Handle) -> Self {
        Self::Agent(handle)
    }
}

/// Something somebody is to be told.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Notification {
    pub id: NotificationId,
    pub position: Position,
    pub tenant: TenantId,
    pub target: Target,
    pub kind: Type,
    /// One line, where there is one besides the content.
    #[serde(default)]
    pub title: Option<String>,
    pub content: String,
    pub task: Option<TaskId>,
    /// The message it is about.
    pub message: Option<MessageId>,
    /// The approval it is about.
    #[serde(default)]
    pub approval: Option<ApprovalId>,
    /// The target fetches it; no dispatcher hands it over.
    #[serde(default)]
    pub fetched: bool,
    pub metadata: Option<Object>,
    /// How many agents woke each other before this one (see [`HOP_CAP`]).
    pub hops: u32,
    pub created_at: Timestamp,
    pub delivered_at: Option<Timestamp>,
    pub read_at: Option<Timestamp>,
    /// When it was given up.
    pub dead_at: Option<Timestamp>,
    /// Failed tries so far.
    pub attempts: u32,
    pub next_attempt_at: Timestamp,
    pub last_error: Option<String>,
    pub lease: Lease,
}

impl Placed for Notification {
    fn position(&self) -> Position {
        self.position
    }
}

impl Notification {
    /// The session in which the agent is to be woken.
    #[must_use]
    pub fn session_key(&self) -> String {
        format!("user:{}:{}", self.tenant, self.target.as_str())
    }

    /// When it is not worth repeating any more (OpenClaw contract §7).
    #[must_use]
    pub fn expires_at(&self) -> Timestamp {
        self.created_at.after(KEPT)
    }

    /// Where it stands at `now`.
    #[must_use]
    pub fn standing(&self, now: Timestamp) -> Standing {
        if self.read_at.is_some() {
            Standing::Acked
        } else if self.dead_at.is_some() {
            Standing::Failed
        } else if self.expires_at() <= now {
            Standing::Expired
        } else if self.delivered_at.is_some() {
            Standing::Delivered
        } else {
            Standing::Pending
        }
    }

    /// Still to be delivered, now or later.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.delivered_at.is_none() && self.dead_at.is_none()
    }
}

/// How long a notification is repeated to whoever fetches it.
const KEPT: Duration = Duration::from_secs(86_400);

/// Where a notification stands (OpenClaw contract §3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    Pending,
    Delivered,
    Acked,
    Failed,
    Expired,
}

impl Standing {
    pub const ALL: [Self; 5] = [
        Self::Pending,
        Self::Delivered,
        Self::Acked,
        Self::Failed,
        Self::Expired,
    ];

    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "PENDING",
            Self::Delivered => "DELIVERED",
            Self::Acked => "ACKED",
            Self::Failed => "FAILED",
            Self::Expired => "EXPIRED",
        }
    }

    /// The standing of this name, in upper case.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|it| it.as_str() == text)
    }
}

/// A notification asked for by itself, not caused by a message or a task.
#[derive(Debug, Clone)]
pub struct NewNotification {
    pub target: Handle,
    pub kind: Type,
    pub content: String,
    pub task: Option<TaskId>,
    pub metadata: Option<Object>,
}

/// Which notifications a list shows.
#[derive(Debug, Clone, Default)]
pub struct NotificationFilter {
    /// `None`: those of every agent of the tenant.
    pub target: Option<Target>,
    pub unread_only: bool,
    /// Only those made at or after this.
    pub since: Option<Timestamp>,
    pub kind: Option<Type>,
}

/// How much a dispatcher takes at once.
#[derive(Debug, Clone, Copy)]
pub struct Batch {
    /// How many tenants at most.
    pub tenants: u32,
    /// How many notifications of each tenant at most.
    pub each: u32,
    /// How many in all at most.
    pub total: u32,
}

/// Where notifications are kept.
pub trait Notifications {
    /// # Errors
    /// Whatever the store meets.
    fn notification(&mut self, id: &NotificationId) -> Result<Option<Notification>>;

    /// # Errors
    /// Whatever the store meets.
    fn insert_notification(&mut self, notification: &Notification) -> Result<()>;

    /// Writes the delivery state over the notification of the same id.
    ///
    /// # Errors
    /// Whatever the store meets.
    fn update_notification(&mut self, notification: &Notification) -> Result<()>;

    /// One row more than the page holds, when there is one.
    ///
    /// # Errors
    /// Whatever the store meets.
    fn notifications(
        &mut self,
        tenant: &TenantId,
        filter: &NotificationFilter,
        page: Page,
    ) -> Result<Vec<Notification>>;

    /// The newest of a target in any tenant, or in one.
    ///
    /// # Errors
    /// Whatever the store meets.
    fn notifications_of(
        &mut self,
        tenant: Option<&TenantId>,
        filter: &NotificationFilter,
        limit: u32,
    ) -> Result<Vec<Notification>>;

    /// How many of the agent's are neither delivered, dead nor read.
    ///
    /// # Errors
    /// Whatever the store meets.
    fn pending_notification_count(&mut self, tenant: &TenantId, target: &Handle) -> Result<u64>;

    /// The newest one of the agent, on `task` if one is given.
    ///
    /// # Errors
    /// Whatever the store meets.
    fn latest_notification(
        &mut self,
        tenant: &TenantId,
        target: &Handle,
        task: Option<&TaskId>,
    ) -> Result<Option<Notification>>;

    /// Tenants with a notification that is due and not leased, longest-waiting first.
    ///
    /// # Errors
    /// Whatever the store meets.
    fn waiting_tenants(&mut self, now: Timestamp, limit: u32) -> Result<Vec<TenantId>>;

    /// What is due and not leased of one tenant, oldest first.
    ///
    /// # Errors
    /// Whatever the store meets.
    fn due_notifications(
        &mut self,
        tenant: &TenantId,
        now: Timestamp,
        limit: u32,
    ) -> Result<Vec<Notification>>;

    /// What is due and not leased of agents that have nothing under lease, oldest first.
    ///
    /// # Errors
    /// Whatever the store meets.
    fn due_of_idle_agents(&mut self, now: Timestamp, limit: u32) -> Result<Vec<Notification>>;

    /// When the next open notification becomes due or its lease ends, if one waits for that.
    ///
    /// # Errors
    /// Whatever the store meets.
    fn next_notification_due(&mut self, now: Timestamp) -> Result<Option<Timestamp>>;
}

/// What wakes an agent as a consequence of something else.
pub(crate) struct Wake<'a> {
    pub target: &'a Handle,
    pub kind: Type,
    pub content: &'a str,
    pub task: Option<&'a Task>,
    pub message: Option<&'a Message>,
}

/// Queues a notification that something else causes.
pub(crate) fn wake(tx: &mut dyn Tx, who: &Principal, wake: Wake<'_>) -> Result<()> {
    let tenant = match wake.task {
        Some(task) => task.tenant.clone(),
        None => who.tenant()?.clone(),
    };
    let person_speaks = wake
        .message
        .is_some_and(|message| message.actor_type == ActorType::User);
    let hops = match who.handle() {
        Some(handle) if !person_speaks => {
            hops_after(tx, &tenant, handle, wake.task.map(|task| &task.id))?
        }
        _ => 0,
    };
    let notification = Notification {
        kind: wake.kind,
        content: wake.content.to_owned(),
        task: wake.task.map(|task| task.id.clone()),
        message: wake.message.map(|message| message.id.clone()),
        hops,
        ..blank(tx, tenant, Target::Agent(wake.target.clone()))?
    };
    queue(tx, who, notification).map(drop)
}

/// Something that the installation tells an agent or the operator.
#[derive(Debug, Clone)]
pub struct Tell {
    pub target: Target,
    pub kind: Type,
    /// One line.
    pub title: String,
    pub body: String,
    pub task: Option<TaskId>,
    pub message: Option<MessageId>,
    pub approval: Option<ApprovalId>,
}

/// How long ago the same notification makes another one superfluous.
const ECHO: Duration = Duration::from_secs(300);

/// Queues what an agent or the operator is to be told, unless the very same was told within five
/// minutes (OpenClaw contract §1.3). Gives the notification, or `None` when it was told already.
///
/// # Errors
/// Whatever the store meets.
pub fn tell(
    tx: &mut dyn Tx,
    who: &Principal,
    tenant: &TenantId,
    tell: Tell,
) -> Result<Option<Notification>> {
    queue_once(tx, who, tenant, tell, false)
}

/// As [`tell`], to be read when the agent looks; it wakes nobody.
///
/// # Errors
/// Whatever the store meets.
pub(crate) fn note(
    tx: &mut dyn Tx,
    who: &Principal,
    tenant: &TenantId,
    tell: Tell,
) -> Result<Option<Notification>> {
    queue_once(tx, who, tenant, tell, true)
}

fn queue_once(
    tx: &mut dyn Tx,
    who: &Principal,
    tenant: &TenantId,
    tell: Tell,
    is_quiet: bool,
) -> Result<Option<Notification>> {
    let recent = NotificationFilter {
        target: Some(tell.target.clone()),
        unread_only: false,
        since: Some(tx.now().before(ECHO)),
        kind: Some(tell.kind.clone()),
    };
    let same = |it: &Notification| {
        it.title.as_deref() == Some(tell.title.as_str())
            && it.content == tell.body
            && it.task == tell.task
            && it.approval == tell.approval
    };
    if tx
        .notifications_of(Some(tenant), &recent, 50)?
        .iter()
        .any(same)
    {
        return Ok(None);
    }
    let hops = match (who.handle(), &tell.target) {
        (Some(handle), Target::Agent(_)) => hops_after(tx, tenant, handle, tell.task.as_ref())?,
        _ => 0,
    };
    let mut notification = Notification {
        kind: tell.kind,
        title: Some(tell.title),
        content: tell.body,
        task: tell.task,
        message: tell.message,
        approval: tell.approval,
        hops,
        ..blank(tx, tenant.clone(), tell.target)?
    };
    notification.fetched |= is_quiet;
    queue(tx, who, notification).map(Some)
}

/// How far down the chain an agent's own act is: one further than what last woke it.
fn hops_after(
    tx: &mut dyn Tx,
    tenant: &TenantId,
    handle: &Handle,
    task: Option<&TaskId>,
) -> Result<u32> {
    let woken_by = match tx.latest_notification(tenant, handle, task)? {
        Some(found) => Some(found),
        None if task.is_some() => tx.latest_notification(tenant, handle, None)?,
        None => None,
    };
    let recent = woken_by.filter(|it| it.created_at.after(HOP_MEMORY) > tx.now());
    Ok(recent.map_or(1, |it| it.hops.saturating_add(1)))
}

fn blank(tx: &mut dyn Tx, tenant: TenantId, target: Target) -> Result<Notification> {
    let fetched = match &target {
        Target::Operator => true,
        Target::Agent(handle) => tx
            .agent(&tenant, handle)?
            .is_some_and(|agent| agent.detail.registered),
    };
    Ok(Notification {
        title: None,
        approval: None,
        fetched,
        id: NotificationId::new(tx.mint(NotificationId::PREFIX)),
        position: tx.next_position()?,
        tenant,
        target,
        kind: Type::System,
        content: String::new(),
        task: None,
        message: None,
        metadata: None,
        hops: 0,
        created_at: tx.now(),
        delivered_at: None,
        read_at: None,
        dead_at: None,
        attempts: 0,
        next_attempt_at: tx.now(),
        last_error: None,
        lease: Lease::free(),
    })
}

/// Puts a notification into the queue; one past [`HOP_CAP`] is dead from the start, and says why.
fn queue(tx: &mut dyn Tx, who: &Principal, mut notification: Notification) -> Result<Notification> {
    // Who fetches is not woken, so nothing runs away with it.
    let capped = notification.hops > HOP_CAP && !notification.fetched;
    if capped {
        notification.dead_at = Some(tx.now());
        notification.last_error = Some(format!("agents woke each other {HOP_CAP} times in a row"));
    }
    tx.insert_notification(&notification)?;
    let what = if capped {
        Happening::NotificationSuppressed
    } else {
        Happening::NotificationCreated
    };
    let tenant = notification.tenant.clone();
    event::record(tx, who, &tenant, what(notification.clone()))?;
    Ok(notification)
}

/// Queues a notification that somebody asks for.
///
/// # Errors
/// Every problem of the request; `task_not_found`.
pub fn create(tx: &mut dyn Tx, who: &Principal, new: NewNotification) -> Result<Notification> {
    who.require(Right::Work)?;
    let mut problems = Problems::default();
    text::check_present(&mut problems, "content", &new.content);
    text::check_present(&mut problems, "type", new.kind.as_str());
    if new.kind.as_str().chars().count() > 64 {
        problems.add("type", "must be at most 64 characters");
    }
    problems.into_result()?;
    if let Some(task) = &new.task {
        task::get(tx, who, task)?;
    }
    let tenant = agent::ensure_caller(tx, who)?;
    let hops = match who.handle() {
        Some(handle) => hops_after(tx, &tenant, handle, new.task.as_ref())?,
        None => 0,
    };
    let notification = Notification {
        kind: new.kind,
        content: new.content,
        task: new.task,
        metadata: new.metadata,
        hops,
        ..blank(tx, tenant, Target::Agent(new.target))?
    };
    queue(tx, who, notification)
}

/// The caller's notifications.
///
/// # Errors
/// Whatever the store meets.
pub fn list(
    tx: &mut dyn Tx,
    who: &Principal,
    filter: &NotificationFilter,
    page: Page,
) -> Result<List<Notification>> {
    who.require(Right::Work)?;
    let rows = tx.notifications(who.tenant()?, filter, page)?;
    Ok(List::from_rows(rows, page))
}

fn find(tx: &mut dyn Tx, who: &Principal, id: &NotificationId) -> Result<Notification> {
    tx.notification(id)?
        .filter(|it| who.sees(&it.tenant))
        .ok_or_else(|| Error::not_found("notification_not_found", "there is no such notification"))
}

/// Marks one as read; again is no change.
///
/// # Errors
/// `notification_not_found`; forbidden for any agent but the one it is for.
pub fn mark_read(tx: &mut dyn Tx, who: &Principal, id: &NotificationId) -> Result<Notification> {
    let mut notification = find(tx, who, id)?;
    if who
        .handle()
        .is_some_and(|handle| notification.target.agent() != Some(handle))
    {
        return Err(Error::forbidden(
            "forbidden",
            "only the agent it is for may mark a notification as read",
        ));
    }
    if notification.read_at.is_none() {
        notification.read_at = Some(tx.now());
        tx.update_notification(&notification)?;
        let tenant = notification.tenant.clone();
        event::record(
            tx,
            who,
            &tenant,
            Happening::NotificationRead(notification.clone()),
        )?;
    }
    Ok(notification)
}

/// So many are marked at once by [`mark_all_read`].
const MOST_MARKED: u32 = 2_000;

/// Marks all that a caller is told and has not read, the newest 2,000 at most; what is too old to
/// be repeated is left as it is. Gives how many were marked.
///
/// # Errors
/// Whatever the store meets.
pub fn mark_all_read(tx: &mut dyn Tx, who: &Principal) -> Result<u32> {
    let own = who.handle().cloned();
    let filter = NotificationFilter {
        target: Some(own.map_or(Target::Operator, Target::Agent)),
        unread_only: true,
        since: Some(tx.now().before(KEPT)),
        kind: None,
    };
    let found = tx.notifications_of(who.tenant.as_ref(), &filter, MOST_MARKED)?;
    let count = u32::try_from(found.len()).unwrap_or(MOST_MARKED);
    for notification in found {
        mark_read(tx, who, &notification.id)?;
    }
    Ok(count)
}

/// What waits to be delivered, fairly: one of each tenant in turn, the longest-waiting tenant
/// first. With a lease length, what is given out is hidden from the next caller that long;
/// without one this only reads.
///
/// # Errors
/// Forbidden for agents.
pub fn undelivered(
    tx: &mut dyn Tx,
    who: &Principal,
    batch: Batch,
    lease: Option<Duration>,
) -> Result<Vec<Notification>> {
    who.require(Right::Dispatch)?;
    let now = tx.now();
    let mut queues = Vec::new();
    for tenant in tx.waiting_tenants(now, batch.tenants)? {
        queues.push(tx.due_notifications(&tenant, now, batch.each)?.into_iter());
    }
    let mut found = Vec::new();
    while found.len() < batch.total as usize {
        let round: Vec<_> = queues.iter_mut().filter_map(Iterator::next).collect();
        if round.is_empty() {
            break;
        }
        found.extend(round);
    }
    found.truncate(batch.total as usize);
    if let Some(length) = lease {
        for notification in &mut found {
            notification.lease.take(&who.subject, now, length);
            tx.update_notification(notification)?;
        }
    }
    Ok(found)
}

/// Takes due notifications for `owner`, at most one of each agent and none of an agent that has
/// one under lease: what keeps an agent's notifications in order.
///
/// # Errors
/// Forbidden for agents.
pub fn take_due(
    tx: &mut dyn Tx,
    who: &Principal,
    owner: &str,
    limit: u32,
    length: Duration,
) -> Result<Vec<Notification>> {
    who.require(Right::Dispatch)?;
    let now = tx.now();
    // More than asked for: one busy agent's backlog must not hide the others.
    let candidates = tx.due_of_idle_agents(now, limit.saturating_mul(8).saturating_add(32))?;
    let mut taken: Vec<Notification> = Vec::new();
    for mut notification in candidates {
        if taken.len() >= limit as usize {
            break;
        }
        let same_agent = |other: &Notification| {
            other.tenant == notification.tenant && other.target == notification.target
        };
        if taken.iter().any(same_agent) {
            continue;
        }
        notification.lease.take(owner, now, length);
        tx.update_notification(&notification)?;
        taken.push(notification);
    }
    Ok(taken)
}

/// Keeps a taken notification longer.
///
/// # Errors
/// `lease_lost`; `notification_not_found`.
pub fn renew(
    tx: &mut dyn Tx,
    who: &Principal,
    id: &NotificationId,
    fence: Fence,
    length: Duration,
) -> Result<()> {
    who.require(Right::Dispatch)?;
    let mut notification = find(tx, who, id)?;
    notification.lease.renew(fence, tx.now(), length)?;
    tx.update_notification(&notification)
}

/// Marks one as delivered. Again, it keeps the first time. A worker that took it names its fence.
///
/// # Errors
/// Forbidden for agents; `notification_not_found`; `lease_lost`.
pub fn deliver(
    tx: &mut dyn Tx,
    who: &Principal,
    id: &NotificationId,
    fence: Option<Fence>,
) -> Result<Notification> {
    who.require(Right::Dispatch)?;
    let mut notification = find(tx, who, id)?;
    if notification.delivered_at.is_some() {
        return Ok(notification);
    }
    if let Some(fence) = fence {
        notification.lease.check(fence)?;
    }
    notification.delivered_at = Some(tx.now());
    notification.dead_at = None;
    notification.lease.release();
    tx.update_notification(&notification)?;
    let tenant = notification.tenant.clone();
    event::record(
        tx,
        who,
        &tenant,
        Happening::NotificationDelivered(notification.clone()),
    )?;
    Ok(notification)
}

/// A try that did not succeed.
#[derive(Debug, Clone)]
pub struct Failure {
    pub error: String,
    /// Whether another try can help.
    pub retryable: bool,
    /// How long to wait at least, if the other side said.
    pub retry_after: Option<Duration>,
}

/// Counts a failed try: the next one is due later and later, the last one makes it dead.
///
/// # Errors
/// Forbidden for agents; `notification_not_found`; `already_delivered`; `lease_lost`.
pub fn fail(
    tx: &mut dyn Tx,
    who: &Principal,
    id: &NotificationId,
    fence: Option<Fence>,
    failure: Failure,
) -> Result<Notification> {
    who.require(Right::Dispatch)?;
    let mut problems = Problems::default();
    text::check(&mut problems, "error", &failure.error);
    problems.into_result()?;
    let mut notification = find(tx, who, id)?;
    if notification.delivered_at.is_some() {
        return Err(Error::conflict(
            "already_delivered",
            "the notification is delivered already",
        ));
    }
    if notification.dead_at.is_some() {
        return Ok(notification);
    }
    if let Some(fence) = fence {
        notification.lease.check(fence)?;
    }
    notification.attempts += 1;
    notification.last_error = Some(failure.error);
    notification.lease.release();
    let dead = !failure.retryable || notification.attempts >= MAX_ATTEMPTS;
    if dead {
        notification.dead_at = Some(tx.now());
    } else {
        let wait = backoff(notification.attempts, tx.random())
            .max(failure.retry_after.unwrap_or_default());
        notification.next_attempt_at = tx.now().after(wait.min(MAX_DELAY * 2));
    }
    tx.update_notification(&notification)?;
    let tenant = notification.tenant.clone();
    let what = if dead {
        Happening::NotificationDead(notification.clone())
    } else {
        Happening::NotificationFailed(notification.clone())
    };
    event::record(tx, who, &tenant, what)?;
    Ok(notification)
}

/// Two seconds, doubling, at most ten minutes, and up to a fifth more of jitter.
fn backoff(attempts: u32, random: f64) -> Duration {
    let doubled = FIRST_DELAY.saturating_mul(1 << attempts.saturating_sub(1).min(20));
    doubled.min(MAX_DELAY).mul_f64(1.0 + 0.2 * random)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_ten_minutes() {
        let seconds = |attempts| backoff(attempts, 0.0).as_secs();
        assert_eq!([1, 2, 3, 8, 9, 30].map(seconds), [2, 4, 8, 256, 512, 600]);
        assert!(backoff(1, 0.999) < Duration::from_millis(2400));
    }

    #[test]
    fn an_unknown_type_keeps_its_name() {
        for name in ["mention", "assignment", "message", "system", "poke"] {
            assert_eq!(Type::named(name).as_str(), name);
        }
    }
}
