//! What a caller asks for, and what it means once checked (agent-runtime §§2–4, rulings 19).

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};
use stationmaster_model::Message;
use uuid::Uuid;

use super::TurnError;
use crate::SessionKey;
use crate::backend::{NewThread, TaskChoice};

/// Longer keys would not fit into a backend's 255 characters once a suffix is added.
const LONGEST_KEY: usize = 200;
const PREVIEW: usize = 120;
/// Where a turn belongs whose caller names nothing.
const USUAL_WORKSPACE: &str = "default";
const KICKOFF_NOTE: &str =
    "Start with a short plan: the goal, the first steps, and what you need to know.";

/// A request for a turn, as it came.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct SendRequest {
    pub user_id: String,
    pub session_key: Option<String>,
    /// Stands in for a missing session key.
    pub agent_role: Option<String>,
    pub message: String,
    /// What was said before, oldest first.
    pub messages: Vec<HistoryEntry>,
    pub task_id: Option<String>,
    pub task_title: Option<String>,
    /// For a task created by this turn.
    pub task_description: Option<String>,
    /// For a task created by this turn.
    pub task_metadata: Option<Map<String, Value>>,
    pub metadata: Map<String, Value>,
    /// From the body or the header; without one, `metadata.notification_id` counts.
    pub idempotency_key: Option<String>,
    /// The caller's own, where it is a usable one.
    pub trace_id: Option<String>,
    /// Where no task is given, the turn does without: it has no tools, and its reply is posted nowhere.
    pub may_lack_task: bool,
    /// The header of this name: what the request is part of.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub traceparent: Option<String>,
}

/// One earlier message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HistoryEntry {
    pub role: HistoryRole,
    pub content: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum HistoryRole {
    User,
    Assistant,
    /// Also how a compacted history begins; these reach the model like any other.
    System,
}

/// A request that was checked.
#[derive(Debug)]
pub(super) struct Turn {
    pub(super) session: SessionKey,
    pub(super) trace_id: String,
    /// What makes a repetition of this request the same turn.
    pub(super) key: Option<String>,
    /// What the keys of everything that this turn creates begin with.
    pub(super) turn_key: String,
    /// `None` where the reply is posted nowhere.
    pub(super) task: Option<TaskChoice>,
    pub(super) history: Vec<Message>,
    pub(super) user_turn: String,
    pub(super) preview: String,
    /// The title of the plan to write, for kickoff turns.
    pub(super) plan_title: Option<String>,
    pub(super) system_prompt: Option<String>,
    pub(super) timezone: Option<String>,
    /// What of the tenant's work it belongs to.
    pub(super) workspace: String,
    /// A look at what is to be done, and not a message of anybody's.
    pub(super) is_heartbeat: bool,
    /// All of the above as it can be kept, for whoever takes the turn up.
    pub(super) kept: SendRequest,
}

/// Who a request is for. Checked first, so that even a faulty request can be told whose it is.
pub(super) fn session(request: &SendRequest) -> Result<SessionKey, TurnError> {
    let given = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
    let (field, text) = match (given(&request.session_key), given(&request.agent_role)) {
        (Some(key), _) => ("session_key", key),
        (None, Some(role)) => ("agent_role", format!("user:{}:{role}", request.user_id)),
        (None, None) => return Err(TurnError::invalid("session_key", "is missing")),
    };
    if request.user_id.is_empty() {
        return Err(TurnError::invalid("user_id", "is missing"));
    }
    let session: SessionKey = text
        .parse()
        .map_err(|error| TurnError::invalid(field, format!("{error}")))?;
    if session.agent().user_id.as_str() != request.user_id {
        return Err(TurnError::invalid(
            "user_id",
            "is not the one in session_key",
        ));
    }
    Ok(session)
}

/// The caller's trace id where it fits a header and a log line, else a new one.
pub(super) fn trace_id(request: &SendRequest) -> String {
    let usable = |id: &&String| {
        (1..=128).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_graphic())
    };
    let given = request.trace_id.as_ref().filter(usable);
    given.cloned().unwrap_or_else(|| Uuid::now_v7().to_string())
}

impl Turn {
    pub(super) fn check(
        request: &SendRequest,
        session: SessionKey,
        trace_id: String,
        default_task: Option<&str>,
    ) -> Result<Self, TurnError> {
        if request.message.trim().is_empty() {
            return Err(TurnError::invalid("message", "must not be blank"));
        }
        let metadata = Metadata(&request.metadata);
        let key = key(request, &metadata)?;
        let turn_key = turn_key(key.as_deref(), request, &trace_id);
        let kickoff = metadata.is_truthy("kickoff_plan");
        let (note, title) = (metadata.text("kickoff_note")?, metadata.text("plan_title")?);
        let user_turn = if kickoff {
            let note = note.unwrap_or_else(|| KICKOFF_NOTE.to_owned());
            format!("{note}\n\nUser request: {}", request.message)
        } else {
            request.message.clone()
        };
        Ok(Self {
            preview: preview(&request.message),
            plan_title: kickoff.then(|| title.unwrap_or_else(|| "Plan".to_owned())),
            system_prompt: metadata.text("system_prompt")?,
            timezone: metadata.text("timezone")?,
            workspace: workspace(&metadata)?,
            is_heartbeat: request
                .metadata
                .get("type")
                .is_some_and(|it| it == "heartbeat"),
            history: request.messages.iter().filter_map(message).collect(),
            task: task(request, default_task)?,
            kept: kept(request, key.as_deref(), &trace_id, &turn_key),
            session,
            trace_id,
            key,
            turn_key,
            user_turn,
        })
    }
}

/// The request as it is told again to whoever takes the turn up: with the names that it was given.
fn kept(request: &SendRequest, key: Option<&str>, trace_id: &str, turn_key: &str) -> SendRequest {
    SendRequest {
        idempotency_key: Some(key.unwrap_or(turn_key).to_owned()),
        trace_id: Some(trace_id.to_owned()),
        ..request.clone()
    }
}

/// The request's `metadata`, whose members have no schema but the contract's words.
struct Metadata<'a>(&'a Map<String, Value>);

impl Metadata<'_> {
    /// A text that says something; absent, `null` and blank are the same.
    fn text(&self, name: &'static str) -> Result<Option<String>, TurnError> {
        match self.0.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => {
                Ok(Some(text.clone()).filter(|text| !text.trim().is_empty()))
            }
            Some(_) => Err(TurnError::invalid(
                "metadata",
                format!("{name} must be a string"),
            )),
        }
    }

    /// As JavaScript sees truth, since that is what callers were written against.
    fn is_truthy(&self, name: &str) -> bool {
        match self.0.get(name) {
            None | Some(Value::Null) => false,
            Some(Value::Bool(is)) => *is,
            Some(Value::String(text)) => !text.is_empty(),
            Some(Value::Number(number)) => number.as_f64() != Some(0.0),
            Some(Value::Array(_) | Value::Object(_)) => true,
        }
    }
}

fn key(request: &SendRequest, metadata: &Metadata<'_>) -> Result<Option<String>, TurnError> {
    let given = match &request.idempotency_key {
        Some(key) if !key.is_empty() => Some(("idempotency_key", key.clone())),
        _ => metadata.text("notification_id")?.map(|id| ("metadata", id)),
    };
    match given {
        Some((field, key)) if key.chars().count() > 255 || key.chars().any(char::is_control) => {
            let message = "the key must be at most 255 characters and hold no control character";
            Err(TurnError::invalid(field, message))
        }
        given => Ok(given.map(|(_, key)| key)),
    }
}

/// What traces are looked for by, so it must fit an index.
fn workspace(metadata: &Metadata<'_>) -> Result<String, TurnError> {
    let name = metadata.text("workspace_id")?;
    let name = name.unwrap_or_else(|| USUAL_WORKSPACE.to_owned());
    if name.chars().count() > 255 || name.chars().any(char::is_control) {
        let message = "workspace_id must be at most 255 characters and hold no control character";
        return Err(TurnError::invalid("metadata", message));
    }
    Ok(name)
}

/// A trace id that the caller brought may span several turns, whose replies must not be taken for
/// one another, so it is not a key by itself.
fn turn_key(key: Option<&str>, request: &SendRequest, trace_id: &str) -> String {
    match key {
        Some(key) if key.chars().count() <= LONGEST_KEY => key.to_owned(),
        Some(key) => hex::encode(Sha256::digest(key.as_bytes())),
        None if request.trace_id.as_deref() == Some(trace_id) => Uuid::now_v7().to_string(),
        None => trace_id.to_owned(),
    }
}

fn task(
    request: &SendRequest,
    default_task: Option<&str>,
) -> Result<Option<TaskChoice>, TurnError> {
    let given = |text: &Option<String>| text.clone().filter(|text| !text.trim().is_empty());
    if let Some(id) = given(&request.task_id) {
        return Ok(Some(TaskChoice::Id(id)));
    }
    let title = given(&request.task_title).or_else(|| default_task.map(str::to_owned));
    let Some(title) = title else {
        let without = request.may_lack_task.then_some(None);
        return without.ok_or(TurnError::NoTask);
    };
    let description = given(&request.task_description);
    let metadata = request.task_metadata.clone().unwrap_or_else(|| {
        Map::from_iter([("type".to_owned(), Value::String("agent_thread".to_owned()))])
    });
    Ok(Some(TaskChoice::Thread(NewThread {
        description: description.unwrap_or_else(|| format!("The conversation \"{title}\".")),
        title,
        metadata,
    })))
}

/// Providers refuse blank messages, and they say nothing.
fn message(entry: &HistoryEntry) -> Option<Message> {
    let content = entry.content.clone();
    if content.trim().is_empty() {
        return None;
    }
    Some(match entry.role {
        HistoryRole::User => Message::User(content),
        HistoryRole::Assistant => Message::Assistant {
            text: content,
            tool_calls: Vec::new(),
        },
        HistoryRole::System => Message::System(content),
    })
}

/// The start of `text` on one line.
pub(crate) fn preview(text: &str) -> String {
    let mut line: String = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if let Some((cut, _)) = line.char_indices().nth(PREVIEW) {
        line.truncate(cut);
        line.push('…');
    }
    line
}
