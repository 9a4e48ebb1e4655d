//! Messages (§8.2).

use axum::Json;
use axum::extract::State;
use axum::response::Response;
use serde::Serialize;
use stationmaster_http::App;
use stationmaster_http::fields::Fields;
use stationmaster_kernel::error::Problems;
use stationmaster_kernel::message::{self, ActorType, NewMessage};
use stationmaster_kernel::{Object, TaskId};
use utoipa::ToSchema;

use super::error::{ErrorBody, Problem};
use super::request::{AgentCaller, Body, Listed, Query, create, same_tenant};

/// A message as this contract shows it.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Message {
    id: String,
    user_id: String,
    task_id: String,
    content: String,
    /// `agent` or `user`.
    #[schema(value_type = String)]
    actor_type: &'static str,
    actor_id: Option<String>,
    /// The role the message says it comes from.
    agent_role: Option<String>,
    /// The role whose token posted it.
    author_role: Option<String>,
    #[schema(value_type = Option<Object>)]
    attachments: Option<Object>,
    created_at: String,
}

impl From<message::Message> for Message {
    fn from(message: message::Message) -> Self {
        Self {
            id: message.id.into(),
            user_id: message.tenant.into(),
            task_id: message.task.into(),
            content: message.content,
            actor_type: message.actor_type.as_str(),
            actor_id: message.actor_id,
            agent_role: message.agent_role,
            author_role: message.author.map(String::from),
            attachments: message.attachments,
            created_at: message.created_at.into(),
        }
    }
}

/// What a message is made of.
#[derive(ToSchema)]
#[expect(
    dead_code,
    reason = "only describes the body; it is read member by member"
)]
pub(super) struct MessageBody {
    task_id: String,
    content: String,
    /// `agent` (when absent) or `user`.
    actor_type: Option<String>,
    actor_id: Option<String>,
    /// The token's own when absent.
    agent_role: Option<String>,
    #[schema(value_type = Option<Object>)]
    attachments: Option<Object>,
    idempotency_key: Option<String>,
}

/// A page of messages.
#[derive(ToSchema)]
#[expect(dead_code, reason = "only describes the answer; see Listed")]
pub(super) struct MessageList {
    items: Vec<Message>,
    next_cursor: Option<String>,
}

pub(super) fn read_new(fields: &mut Fields) -> NewMessage {
    NewMessage {
        task: TaskId::new(fields.required_id("task_id")),
        content: fields.required_string("content"),
        actor_type: fields
            .word("actor_type", ActorType::parse, "agent, user")
            .unwrap_or(ActorType::Agent),
        actor_id: fields.string("actor_id"),
        agent_role: fields.string("agent_role"),
        attachments: fields.object("attachments"),
    }
}

/// The tenant's messages, newest first
#[utoipa::path(get, path = "/api/mission-control/messages", tag = "Mission Control", security(("agent_token" = [])),
    params(
        ("task_id" = Option<String>, Query),
        ("limit" = Option<i64>, Query, description = "1 to 100, default 50"),
        ("cursor" = Option<String>, Query),
        ("order" = Option<String>, Query, description = "desc (default) or asc")),
    responses((status = 200, body = MessageList), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody),
        (status = 404, body = ErrorBody)))]
pub(super) async fn list(
    State(app): State<App>,
    AgentCaller(who): AgentCaller,
    query: Query,
) -> Result<Json<Listed<Message>>, Problem> {
    let mut problems = Problems::default();
    let page = query.page(&mut problems);
    problems.into_result()?;
    let task = query.text("task_id").map(TaskId::new);
    let found = app
        .database
        .read(move |tx| message::list(tx, &who, task.as_ref(), page))
        .await?;
    Ok(Json(Listed::of(found)))
}

/// Post a message to a task's thread
#[utoipa::path(post, path = "/api/mission-control/messages", tag = "Mission Control",
    security(("agent_token" = [])), request_body = MessageBody,
    responses((status = 200, body = Message), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody),
        (status = 403, body = ErrorBody), (status = 404, body = ErrorBody), (status = 409, body = ErrorBody),
        (status = 413, body = ErrorBody)))]
pub(super) async fn post(
    State(app): State<App>,
    AgentCaller(who): AgentCaller,
    Body { mut fields, once }: Body,
) -> Result<Response, Problem> {
    same_tenant(&who, fields.string("user_id").as_deref())?;
    let new = read_new(&mut fields);
    fields.finish()?;
    create(&app, &who, "message", once, move |tx, who| {
        Ok(Message::from(message::post(tx, who, new.clone())?))
    })
    .await
}
