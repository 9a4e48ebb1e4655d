//! What is said on a task (§4, §12).

use axum::Json;
use axum::extract::State;
use axum::response::Response;
use serde::Serialize;
use stationmaster_http::App;
use stationmaster_kernel::error::Problems;
use stationmaster_kernel::message::{self, ActorType, MessageKind, Post};
use stationmaster_kernel::{MessageId, TaskId, task};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::error::{ErrorBody, Problem};
use super::read;
use super::request::{Answer, Caller, Change, Id, Query, read as look};
use super::task::{Artifact, ArtifactBody, artifacts};

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(list, post))
}

/// One entry of a task's thread.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Message {
    id: String,
    tenant_id: String,
    task_id: String,
    /// `AGENT`, `HUMAN` or `SYSTEM`.
    author_type: &'static str,
    author_id: Option<String>,
    #[serde(rename = "type")]
    kind: &'static str,
    content: String,
    artifacts: Vec<Artifact>,
    mentions: Vec<String>,
    reply_to_id: Option<String>,
    /// Kinds of secrets that were taken out.
    redacted_fields: Vec<String>,
    created_at: String,
    updated_at: String,
}

impl From<message::Message> for Message {
    fn from(it: message::Message) -> Self {
        let detail = *it.detail;
        let author_type = match (detail.author_kind, it.actor_type) {
            (Some(kind), _) => kind.as_str(),
            (None, ActorType::Agent) => "AGENT",
            (None, ActorType::User) => "HUMAN",
        };
        let author_id = detail
            .author_name
            .or_else(|| it.author.map(String::from))
            .or(it.actor_id)
            .or(it.agent_role);
        let at: String = it.created_at.into();
        Self {
            id: it.id.into(),
            tenant_id: it.tenant.into(),
            task_id: it.task.into(),
            author_type,
            author_id,
            kind: detail.kind.unwrap_or(MessageKind::Comment).as_str(),
            content: it.content,
            artifacts: detail.artifacts.into_iter().map(Artifact::from).collect(),
            mentions: detail.mentions,
            reply_to_id: detail.reply_to.map(String::from),
            redacted_fields: detail.redacted,
            created_at: at.clone(),
            updated_at: at,
        }
    }
}

/// A page of a thread, newest first.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Messages {
    messages: Vec<Message>,
    has_more: bool,
    /// What to ask for as `before` to read on.
    next_before: Option<String>,
}

fn kinds() -> String {
    MessageKind::ALL.map(MessageKind::as_str).join(", ")
}

/// What was said, newest first
#[utoipa::path(get, path = "/api/v1/tasks/{id}/messages", tag = "OpenClaw",
    security(("agent_bearer" = []), ("operator" = [])),
    params(("id" = String, Path), ("type" = Option<String>, Query), ("limit" = Option<u32>, Query),
        ("before" = Option<String>, Query, description = "a message's id")),
    responses((status = 200, body = Messages), (status = 400, body = ErrorBody), (status = 404, body = ErrorBody)))]
async fn list(
    State(app): State<App>,
    caller: Caller,
    Id(id): Id,
    query: Query,
) -> Result<Json<Messages>, Problem> {
    let mut problems = Problems::default();
    let (limit, _) = query.page(&mut problems);
    let kind = query.word(&mut problems, "type", MessageKind::parse, &kinds());
    problems.into_result()?;
    let (id, before) = (TaskId::new(id), query.text("before").map(MessageId::new));
    look(&app, move |tx| {
        task::get(tx, &caller.who, &id)?;
        let before = match &before {
            Some(before) => {
                let known = tx.message(before)?.filter(|message| message.task == id);
                let known = known.ok_or_else(|| {
                    stationmaster_kernel::Error::invalid(
                        "before",
                        "must be the id of a message of this task",
                    )
                })?;
                Some(known.position)
            }
            None => None,
        };
        let mut found = tx.thread(&id, kind, before, limit + 1)?;
        let has_more = found.len() > limit as usize;
        found.truncate(limit as usize);
        let last = found.last().map(|message| message.id.to_string());
        Ok(Messages {
            messages: found.into_iter().map(Message::from).collect(),
            has_more,
            next_before: last.filter(|_| has_more),
        })
    })
    .await
}

/// What to say.
#[derive(ToSchema)]
#[expect(
    dead_code,
    reason = "only describes the body; it is read member by member"
)]
#[schema(rename_all = "camelCase")]
pub(super) struct MessageBody {
    /// `COMMENT`, `PROGRESS`, `ARTIFACT` or `REVIEW`.
    #[schema(rename = "type")]
    kind: String,
    /// May be absent where an `ARTIFACT` brings something along.
    content: Option<String>,
    artifacts: Option<Vec<ArtifactBody>>,
    /// Names beyond those that the content mentions as `@name`.
    mentions: Option<Vec<String>>,
    reply_to_id: Option<String>,
}

/// What became of a mention.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Mention {
    agent_id: String,
    /// `false` for a name that nobody has.
    queued: bool,
}

/// A message just posted.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Posted {
    #[serde(flatten)]
    message: Message,
    notifications: Vec<Mention>,
}

/// Say something on a task
#[utoipa::path(post, path = "/api/v1/tasks/{id}/messages", tag = "OpenClaw",
    security(("agent_bearer" = []), ("operator" = [])), params(("id" = String, Path)), request_body = MessageBody,
    responses((status = 201, body = Posted), (status = 400, body = ErrorBody), (status = 403, body = ErrorBody),
        (status = 404, body = ErrorBody)))]
async fn post(
    State(app): State<App>,
    caller: Caller,
    Id(id): Id,
    Change { mut fields, once }: Change,
) -> Result<Response, Problem> {
    let kind = read::required_word(&mut fields, "type", MessageKind::parse, &kinds());
    let content = fields.string("content").unwrap_or_default();
    let artifacts = artifacts(&mut fields);
    let mentions = read::strings(&mut fields, "mentions", 50).unwrap_or_default();
    let reply_to = fields.string("replyToId").map(MessageId::new);
    let new = Post {
        // What is no kind is refused below; what every kind needs is asked for all the same.
        kind: kind.unwrap_or(MessageKind::Comment),
        content,
        artifacts,
        mentions,
        reply_to,
    };
    let id = TaskId::new(id);
    once.run_whole(&app, fields, move |tx| {
        let posted = message::say(tx, &caller.who, &id, new.clone())?;
        let mention = |(agent_id, queued)| Mention { agent_id, queued };
        Answer::created(&Posted {
            message: posted.message.into(),
            notifications: posted.told.into_iter().map(mention).collect(),
        })
    })
    .await
}
