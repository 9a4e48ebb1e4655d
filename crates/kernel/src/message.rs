//! Messages: what is said in a task's thread, and whom it wakes.

use serde::{Deserialize, Serialize};

use crate::agent;
use crate::error::Problems;
use crate::event::ActorKind;
use crate::event::{self, Happening};
use crate::notification::{self, Type, Wake};
use crate::page::{List, Page, Placed, Position};
use crate::task::{self, Artifact, Task};
use crate::text;
use crate::{Handle, MessageId, Object, Principal, Result, TaskId, TenantId, Timestamp, Tx};

/// In whose name a message speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ActorType {
    Agent,
    User,
}

impl ActorType {
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Agent => "agent",
            Self::User => "user",
        }
    }

    /// The actor type of this name.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Agent, Self::User]
            .into_iter()
            .find(|actor| actor.as_str() == text)
    }
}

/// One entry of a task's thread.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Message {
    pub id: MessageId,
    pub position: Position,
    pub tenant: TenantId,
    pub task: TaskId,
    pub content: String,
    pub actor_type: ActorType,
    /// Kept as given.
    pub actor_id: Option<String>,
    /// The role the message says it comes from; kept as given, not authenticated.
    pub agent_role: Option<String>,
    /// The agent whose credential posted it.
    pub author: Option<Handle>,
    pub attachments: Option<Object>,
    pub created_at: Timestamp,
    #[serde(default, skip_serializing_if = "Detail::is_blank")]
    pub detail: Box<Detail>,
}

/// What else a message brings.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Detail {
    /// What it is meant as.
    pub kind: Option<MessageKind>,
    /// What kind of caller posted it.
    pub author_kind: Option<ActorKind>,
    /// Who posted it, for the record.
    pub author_name: Option<String>,
    pub artifacts: Vec<Artifact>,
    /// Whom it names, as it names them.
    pub mentions: Vec<String>,
    pub reply_to: Option<MessageId>,
    /// Where secrets were taken out.
    pub redacted: Vec<String>,
}

impl Detail {
    /// Nothing is known.
    #[must_use]
    pub fn is_blank(&self) -> bool {
        *self == Self::default()
    }
}

/// What a message is meant as (OpenClaw contract §2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum MessageKind {
    Comment,
    Progress,
    Artifact,
    Review,
    WorkPlan,
    ApprovalRequest,
    System,
}

impl MessageKind {
    pub const ALL: [Self; 7] = [
        Self::Comment,
        Self::Progress,
        Self::Artifact,
        Self::Review,
        Self::WorkPlan,
        Self::ApprovalRequest,
        Self::System,
    ];

    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Comment => "COMMENT",
            Self::Progress => "PROGRESS",
            Self::Artifact => "ARTIFACT",
            Self::Review => "REVIEW",
            Self::WorkPlan => "WORK_PLAN",
            Self::ApprovalRequest => "APPROVAL_REQUEST",
            Self::System => "SYSTEM",
        }
    }

    /// The kind of this name, in upper snake case.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|it| it.as_str() == text)
    }
}

impl Placed for Message {
    fn position(&self) -> Position {
        self.position
    }
}

/// A message to post.
#[derive(Debug, Clone)]
pub struct NewMessage {
    pub task: TaskId,
    pub content: String,
    pub actor_type: ActorType,
    pub actor_id: Option<String>,
    /// `None`: the poster's own.
    pub agent_role: Option<String>,
    pub attachments: Option<Object>,
}

/// Where messages are kept.
pub trait Messages {
    /// # Errors
    /// Whatever the store meets.
    fn insert_message(&mut self, message: &Message) -> Result<()>;

    /// # Errors
    /// Whatever the store meets.
    fn message(&mut self, id: &MessageId) -> Result<Option<Message>>;

    /// The newest of a task first, earlier than `before`, of one kind if one is named.
    ///
    /// # Errors
    /// Whatever the store meets.
    fn thread(
        &mut self,
        task: &TaskId,
        kind: Option<MessageKind>,
        before: Option<Position>,
        limit: u32,
    ) -> Result<Vec<Message>>;

    /// Those of a task that brought something along, oldest first.
    ///
    /// # Errors
    /// Whatever the store meets.
    fn messages_with_artifacts(&mut self, task: &TaskId, limit: u32) -> Result<Vec<Message>>;

    /// Who posted on a task at or after `since`, oldest first, at most `limit` of the newest:
    /// agents by name, `None` for anybody else.
    ///
    /// # Errors
    /// Whatever the store meets.
    fn recent_authors(
        &mut self,
        task: &TaskId,
        since: Timestamp,
        limit: u32,
    ) -> Result<Vec<(Option<Handle>, Timestamp)>>;

    /// One row more than the page holds, when there is one.
    ///
    /// # Errors
    /// Whatever the store meets.
    fn messages(
        &mut self,
        tenant: &TenantId,
        task: Option<&TaskId>,
        page: Page,
    ) -> Result<Vec<Message>>;

    /// How many were posted at or after `since`.
    ///
    /// # Errors
    /// Whatever the store meets.
    fn message_count(&mut self, tenant: &TenantId, since: Timestamp) -> Result<u64>;
}

/// Posts a message and wakes whom it concerns: every role it mentions and, when a user speaks, the
/// task's agent. One message wakes an agent at most once; a mention wins (rulings 6).
///
/// # Errors
/// Every problem of the request; `task_not_found`.
pub fn post(tx: &mut dyn Tx, who: &Principal, new: NewMessage) -> Result<Message> {
    let mut problems = Problems::default();
    text::check_present(&mut problems, "content", &new.content);
    text::check_optional(&mut problems, "actor_id", new.actor_id.as_deref());
    text::check_optional(&mut problems, "agent_role", new.agent_role.as_deref());
    problems.into_result()?;

    let task = task::get(tx, who, &new.task)?;
    agent::ensure_caller(tx, &who.within(task.tenant.clone())?)?;
    let author = who.handle().cloned();
    let message = Message {
        id: MessageId::new(tx.mint(MessageId::PREFIX)),
        position: tx.next_position()?,
        tenant: task.tenant.clone(),
        task: task.id.clone(),
        content: new.content,
        actor_type: new.actor_type,
        actor_id: new.actor_id,
        agent_role: new
            .agent_role
            .or_else(|| author.as_ref().map(ToString::to_string)),
        author,
        attachments: new.attachments,
        created_at: tx.now(),
        detail: Box::default(),
    };
    tx.insert_message(&message)?;
    event::record(
        tx,
        who,
        &message.tenant,
        Happening::MessageCreated(message.clone()),
    )?;
    wake_concerned(tx, who, &task, &message)?;
    Ok(message)
}

/// Posts what the installation has to say on a task. Nobody is woken by it.
///
/// # Errors
/// Whatever the store meets.
pub(crate) fn remark(
    tx: &mut dyn Tx,
    system: &Principal,
    task: &Task,
    kind: MessageKind,
    content: String,
) -> Result<Message> {
    let message = Message {
        id: MessageId::new(tx.mint(MessageId::PREFIX)),
        position: tx.next_position()?,
        tenant: task.tenant.clone(),
        task: task.id.clone(),
        content,
        actor_type: ActorType::Agent,
        actor_id: Some(system.subject.clone()),
        agent_role: None,
        author: None,
        attachments: None,
        created_at: tx.now(),
        detail: Box::new(Detail {
            kind: Some(kind),
            author_kind: Some(system.kind()),
            author_name: Some(system.subject.clone()),
            ..Detail::default()
        }),
    };
    tx.insert_message(&message)?;
    let what = Happening::MessageCreated(message.clone());
    event::record(tx, system, &task.tenant, what)?;
    Ok(message)
}

/// The caller's messages, of one task or of all.
///
/// # Errors
/// `task_not_found` when a task is named that is not there for the caller.
pub fn list(
    tx: &mut dyn Tx,
    who: &Principal,
    task: Option<&TaskId>,
    page: Page,
) -> Result<List<Message>> {
    if let Some(id) = task {
        task::get(tx, who, id)?;
    }
    let rows = tx.messages(who.tenant()?, task, page)?;
    Ok(List::from_rows(rows, page))
}

/// At most this many roles are woken by the mentions of one message; more is a mistake or an abuse.
const MENTION_CAP: usize = 20;

fn wake_concerned(tx: &mut dyn Tx, who: &Principal, task: &Task, message: &Message) -> Result<()> {
    // An agent's own message never wakes its own role, whichever role its body claims to be.
    let speaks_for_itself = |handle: &Handle| {
        message.actor_type == ActorType::Agent
            && (message.author.as_ref() == Some(handle)
                || message.agent_role.as_deref() == Some(handle.as_str()))
    };
    let mentioned: Vec<Handle> = mentions(&message.content)
        .into_iter()
        .filter(|handle| !speaks_for_itself(handle))
        .take(MENTION_CAP)
        .collect();
    let wake = |tx: &mut dyn Tx, target: &Handle, kind| {
        notification::wake(
            tx,
            who,
            Wake {
                target,
                kind,
                content: &message.content,
                task: Some(task),
                message: Some(message),
            },
        )
    };
    for target in &mentioned {
        wake(tx, target, Type::Mention)?;
    }
    match task.agent() {
        Some(agent) if message.actor_type == ActorType::User && !mentioned.contains(agent) => {
            wake(tx, agent, Type::Message)
        }
        _ => Ok(()),
    }
}

/// The roles that `content` mentions as `@role`, each once, in order of appearance. An `@` inside
/// a word (as in a mail address) mentions nobody.
#[must_use]
pub fn mentions(content: &str) -> Vec<Handle> {
    let mut found: Vec<Handle> = Vec::new();
    let mut before = ' ';
    for (at, character) in content.char_indices() {
        let starts = character == '@' && !(before.is_alphanumeric() || "_.-@/".contains(before));
        before = character;
        if !starts {
            continue;
        }
        let rest = &content[at + 1..];
        let end = rest
            .find(|c: char| !(c.is_ascii_alphanumeric() || c == '_' || c == '-'))
            .unwrap_or(rest.len());
        if let Ok(handle) = rest[..end].parse::<Handle>()
            && !found.contains(&handle)
        {
            found.push(handle);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(content: &str, expected: &[&str]) {
        let found = mentions(content);
        let found: Vec<&str> = found.iter().map(Handle::as_str).collect();
        assert_eq!(found, expected, "{content:?}");
    }

    #[test]
    fn roles_are_found_where_they_are_mentioned() {
        check("@writer please", &["writer"]);
        check("ask @lead-1, then @writer.", &["lead-1", "writer"]);
        check("(@a) @a @b", &["a", "b"]);
        check("mail me@example.com or x@y", &[]);
        check("@ @@ @-x", &[]);
        check("päck@x @ü @ok", &["ok"]);
        check(&format!("@{}", "x".repeat(65)), &[]);
    }
}
