//! Messages: what is said in a task's thread, and whom it wakes.

use serde::{Deserialize, Serialize};

use crate::agent;
use crate::error::Problems;
use crate::event::ActorKind;
use crate::event::{self, Happening};
use crate::loops;
use crate::notification::{self, Target, Tell, Type, Wake};
use crate::page::{List, Page, Placed, Position};
use crate::policy;
use crate::task::{self, Artifact, Flow, Task};
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
    /// Whom it names: agents by their ids, and `operator`.
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

    /// Whether only the server posts such messages, of what else somebody does (§2).
    #[must_use]
    pub fn is_servers_own(self) -> bool {
        matches!(self, Self::WorkPlan | Self::ApprovalRequest | Self::System)
    }
}

/// A message without its words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remark {
    /// `None`: no agent's.
    pub author: Option<Handle>,
    pub kind: Option<MessageKind>,
    pub at: Timestamp,
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

    /// Who posted what on a task at or after `since`, oldest first, at most `limit` of the newest.
    ///
    /// # Errors
    /// Whatever the store meets.
    fn recent_remarks(
        &mut self,
        task: &TaskId,
        since: Timestamp,
        limit: u32,
    ) -> Result<Vec<Remark>>;

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
/// Every problem of the request; `task_not_found`; what the agent's status or the operator's mode forbids.
pub fn post(tx: &mut dyn Tx, who: &Principal, new: NewMessage) -> Result<Message> {
    let mut problems = Problems::default();
    text::check_present(&mut problems, "content", &new.content);
    text::check_optional(&mut problems, "actor_id", new.actor_id.as_deref());
    text::check_optional(&mut problems, "agent_role", new.agent_role.as_deref());
    problems.into_result()?;

    let task = task::get(tx, who, &new.task)?;
    agent::permit_caller(tx, &who.within(task.tenant.clone())?, agent::Act::Speak)?;
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
    // On a free task only the number of times that agents wake each other is bounded.
    if task.flow == Flow::Gated {
        loops::after_message(tx, who, &task)?;
    }
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

/// Something to say on a task, in the OpenClaw contract's sense (§4, §12).
#[derive(Debug, Clone)]
pub struct Post {
    pub kind: MessageKind,
    pub content: String,
    pub artifacts: Vec<Artifact>,
    /// Names beyond those that the content mentions.
    pub mentions: Vec<String>,
    pub reply_to: Option<MessageId>,
}

impl Post {
    /// Just these words.
    pub fn of(kind: MessageKind, content: impl Into<String>) -> Self {
        Self {
            kind,
            content: content.into(),
            artifacts: Vec::new(),
            mentions: Vec::new(),
            reply_to: None,
        }
    }
}

/// A message that was posted, and what became of each name it mentions.
#[derive(Debug, Clone)]
pub struct Posted {
    pub message: Message,
    /// Each name once, and whether somebody of that name is told.
    pub told: Vec<(String, bool)>,
}

const LONGEST_CONTENT: usize = 10_000;

/// Says something on a task, tells whom it mentions, and looks whether too much is said.
///
/// # Errors
/// `task_not_found`; every problem of the request; what the agent's status forbids.
pub fn say(tx: &mut dyn Tx, who: &Principal, id: &TaskId, post: Post) -> Result<Posted> {
    let task = task::get(tx, who, id)?;
    if let Some(caller) = agent::acting(tx, who)? {
        agent::permit(tx, &caller, agent::Act::Speak)?;
    }
    let mut problems = Problems::default();
    check_post(tx, &mut problems, &task, &post)?;
    problems.into_result()?;
    let posted = write(tx, who, &task, post)?;
    loops::after_message(tx, who, &task)?;
    Ok(posted)
}

fn check_post(tx: &mut dyn Tx, problems: &mut Problems, task: &Task, post: &Post) -> Result<()> {
    if post.kind.is_servers_own() {
        problems.add(
            "type",
            format!("{} is posted by the server", post.kind.as_str()),
        );
    }
    let is_artifact = post.kind == MessageKind::Artifact;
    if !is_artifact || post.artifacts.is_empty() {
        text::check_present(problems, "content", &post.content);
    }
    if is_artifact {
        task::check_content(problems, "content", Some(&post.content));
    } else if post.content.chars().count() > LONGEST_CONTENT {
        problems.add(
            "content",
            format!("must be at most {LONGEST_CONTENT} characters"),
        );
    }
    task::check_artifacts(problems, "artifacts", &post.artifacts);
    if let Some(reply_to) = &post.reply_to
        && tx
            .message(reply_to)?
            .is_none_or(|message| message.task != task.id)
    {
        problems.add("replyToId", "must name a message of this task");
    }
    Ok(())
}

/// Posts what the rules have let through, or what the installation itself has to say.
///
/// # Errors
/// Whatever the store meets.
pub(crate) fn write(tx: &mut dyn Tx, who: &Principal, task: &Task, post: Post) -> Result<Posted> {
    let author = who.handle().cloned();
    let actor_type = match who.kind() {
        ActorKind::Human => ActorType::User,
        ActorKind::Agent | ActorKind::System => ActorType::Agent,
    };
    let (content, kinds) = policy::redact(&post.content);
    let mut redacted: Vec<String> = Vec::new();
    if !kinds.is_empty() {
        redacted.push("content".to_owned());
    }
    let mut artifacts = post.artifacts;
    task::seal_artifacts(&mut artifacts, &mut redacted);
    let mut names: Vec<String> = Vec::new();
    for name in post.mentions.into_iter().chain(names_in(&content)) {
        let name = name.trim_start_matches('@').to_owned();
        if !name.is_empty() && !names.iter().any(|known| known.eq_ignore_ascii_case(&name)) {
            names.push(name);
        }
    }
    names.truncate(MENTION_CAP);
    let mut named = Vec::new();
    for name in names {
        let targets = targets_of(tx, task, &name)?;
        named.push((name, targets));
    }
    let mut mentions: Vec<String> = Vec::new();
    for target in named.iter().flat_map(|(_, targets)| targets) {
        let shown = shown(target);
        if !mentions.contains(&shown) {
            mentions.push(shown);
        }
    }
    let message = Message {
        id: MessageId::new(tx.mint(MessageId::PREFIX)),
        position: tx.next_position()?,
        tenant: task.tenant.clone(),
        task: task.id.clone(),
        content,
        actor_type,
        actor_id: author.is_none().then(|| who.subject.clone()),
        agent_role: author.as_ref().map(ToString::to_string),
        author: author.clone(),
        attachments: None,
        created_at: tx.now(),
        detail: Box::new(Detail {
            kind: Some(post.kind),
            author_kind: Some(who.kind()),
            author_name: Some(
                author
                    .as_ref()
                    .map_or_else(|| who.subject.clone(), ToString::to_string),
            ),
            artifacts,
            mentions,
            reply_to: post.reply_to,
            redacted,
        }),
    };
    tx.insert_message(&message)?;
    event::record(
        tx,
        who,
        &task.tenant,
        Happening::MessageCreated(message.clone()),
    )?;
    match &author {
        Some(handle) => tx.subscribe(&task.id, &Target::Agent(handle.clone()))?,
        None if who.is_operator() => tx.subscribe(&task.id, &Target::Operator)?,
        None => {}
    }
    let told = tell_mentioned(tx, who, task, &message, named)?;
    wake_role(tx, who, task, &message, &told)?;
    Ok(Posted { message, told })
}

/// Tells everybody of these names, but not the author.
fn tell_mentioned(
    tx: &mut dyn Tx,
    who: &Principal,
    task: &Task,
    message: &Message,
    named: Vec<(String, Vec<Target>)>,
) -> Result<Vec<(String, bool)>> {
    let own = who.handle().map(|handle| Target::Agent(handle.clone()));
    let own = own.or_else(|| who.is_operator().then_some(Target::Operator));
    let mut told: Vec<(String, bool)> = Vec::new();
    let mut reached: Vec<Target> = own.into_iter().collect();
    for (name, targets) in named {
        if targets.is_empty() {
            told.push((name, false));
        }
        for target in targets {
            if reached.contains(&target) {
                continue;
            }
            let shown = shown(&target);
            let tell = Tell {
                target: target.clone(),
                kind: Type::Mention,
                title: format!("@{shown} {}", first_words(&message.content)),
                body: message.content.clone(),
                task: Some(task.id.clone()),
                message: Some(message.id.clone()),
                approval: None,
            };
            let queued = notification::tell(tx, who, &task.tenant, tell)?.is_some();
            tx.subscribe(&task.id, &target)?;
            told.push((shown, queued));
            reached.push(target);
        }
    }
    Ok(told)
}

fn shown(target: &Target) -> String {
    match target {
        Target::Agent(handle) => handle.to_string(),
        Target::Operator => "operator".to_owned(),
    }
}

/// Whom a name means: `operator` and `human`, `all` who work on the task or follow it, or an agent
/// by its id, else by what people call it.
fn targets_of(tx: &mut dyn Tx, task: &Task, name: &str) -> Result<Vec<Target>> {
    if name.eq_ignore_ascii_case("operator") || name.eq_ignore_ascii_case("human") {
        return Ok(vec![Target::Operator]);
    }
    if name.eq_ignore_ascii_case("all") {
        let mut all: Vec<Target> = task.assignees().cloned().map(Target::Agent).collect();
        all.extend(tx.subscribers(&task.id)?);
        return Ok(all);
    }
    for id in [name.to_owned(), name.to_lowercase()] {
        if let Ok(handle) = id.parse::<Handle>()
            && tx.agent(&task.tenant, &handle)?.is_some()
        {
            return Ok(vec![Target::Agent(handle)]);
        }
    }
    Ok(tx
        .agent_called(&task.tenant, name)?
        .map(Target::Agent)
        .into_iter()
        .collect())
}

/// A person speaks on the task of an agent that is woken, not one that asks: it is woken, as on
/// the surface where it was born, unless a mention did so already.
fn wake_role(
    tx: &mut dyn Tx,
    who: &Principal,
    task: &Task,
    message: &Message,
    told: &[(String, bool)],
) -> Result<()> {
    let Some(handle) = task.agent().filter(|_| who.is_operator()) else {
        return Ok(());
    };
    let is_told = told.iter().any(|(name, _)| name == handle.as_str());
    let is_woken = tx
        .agent(&task.tenant, handle)?
        .is_some_and(|agent| !agent.detail.registered);
    if is_told || !is_woken {
        return Ok(());
    }
    notification::wake(
        tx,
        who,
        Wake {
            target: handle,
            kind: Type::Message,
            content: &message.content,
            task: Some(task),
            message: Some(message),
        },
    )
}

/// The beginning of a text, without what it mentions.
fn first_words(text: &str) -> String {
    let words = text
        .split_whitespace()
        .filter(|word| !word.starts_with('@'));
    let mut line = String::new();
    for word in words {
        if line.len() + word.len() > 60 {
            line.push('…');
            break;
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    line
}

/// The names that a text mentions as `@name`, each as it stands: not inside code, and not in what
/// looks like a mail address (OpenClaw contract §12).
#[must_use]
pub fn names_in(content: &str) -> Vec<String> {
    let prose = without_code(content);
    let mut found = Vec::new();
    let mut before = ' ';
    for (at, character) in prose.char_indices() {
        let starts = character == '@' && !(before.is_alphanumeric() || "_.-@/`".contains(before));
        before = character;
        if !starts {
            continue;
        }
        let rest = &prose[at + 1..];
        let end = rest
            .find(|c: char| !(c.is_alphanumeric() || c == '_' || c == '-'))
            .unwrap_or(rest.len());
        let name = rest[..end].trim_end_matches('-');
        if !name.is_empty() && name.len() <= 200 {
            found.push(name.to_owned());
        }
    }
    found
}

/// A text with its fenced and inline code taken out.
fn without_code(content: &str) -> String {
    let mut prose = String::with_capacity(content.len());
    let mut rest = content;
    while let Some(start) = rest.find('`') {
        prose.push_str(&rest[..start]);
        let fence = rest[start..]
            .bytes()
            .take_while(|byte| *byte == b'`')
            .count();
        let mark = &rest[start..start + fence];
        let after = &rest[start + fence..];
        match after.find(mark) {
            Some(end) => {
                prose.push(' ');
                rest = &after[end + fence..];
            }
            None => {
                // A mark that nothing closes is no code.
                prose.push(' ');
                rest = after;
            }
        }
    }
    prose.push_str(rest);
    prose
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
    fn names_are_found_in_prose_and_not_in_code() {
        let cases: [(&str, &[&str]); 7] = [
            ("@jordan please", &["jordan"]),
            (
                "ask @Jordan_2 and @ana-maria, or @all.",
                &["Jordan_2", "ana-maria", "all"],
            ),
            ("mail me@example.com", &[]),
            ("run `npm i @scope/x` @riley", &["riley"]),
            ("```\n@nobody\n``` @somebody", &["somebody"]),
            ("a ` b @c", &["c"]),
            ("@ @- @@x", &[]),
        ];
        for (content, expected) in cases {
            assert_eq!(names_in(content), expected, "{content:?}");
        }
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
