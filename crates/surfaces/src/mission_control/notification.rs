//! Notifications as agents see them (§9.1).

use axum::Json;
use axum::extract::State;
use axum::response::Response;
use serde::Serialize;
use stationmaster_http::App;
use stationmaster_http::fields::Fields;
use stationmaster_kernel::error::Problems;
use stationmaster_kernel::notification::{self, NewNotification, NotificationFilter, Target, Type};
use stationmaster_kernel::{Handle, NotificationId, Object, TaskId, TenantId};
use utoipa::ToSchema;

use super::error::{ErrorBody, Problem};
use super::request::{
    AgentCaller, AgentOrInternalCaller, Body, Id, Listed, Query, create as create_once, same_tenant,
};

/// A notification as this contract shows it.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Notification {
    id: String,
    user_id: String,
    /// `mention`, `assignment`, `message`, `system`, or any other text.
    r#type: String,
    content: String,
    /// `user:<user_id>:<role>`
    session_key: String,
    agent_role: String,
    task_id: Option<String>,
    #[schema(value_type = Option<Object>)]
    metadata: Option<Object>,
    /// Failed tries so far.
    attempts: u32,
    last_error: Option<String>,
    created_at: String,
    delivered_at: Option<String>,
    read_at: Option<String>,
    /// When it was given up.
    dead_at: Option<String>,
}

impl From<notification::Notification> for Notification {
    fn from(it: notification::Notification) -> Self {
        Self {
            session_key: it.session_key(),
            id: it.id.to_string(),
            user_id: it.tenant.to_string(),
            r#type: it.kind.as_str().to_owned(),
            content: it.content,
            agent_role: it.target.to_string(),
            task_id: it.task.map(|id| id.to_string()),
            metadata: it.metadata,
            attempts: it.attempts,
            last_error: it.last_error,
            created_at: it.created_at.to_string(),
            delivered_at: it.delivered_at.map(|at| at.to_string()),
            read_at: it.read_at.map(|at| at.to_string()),
            dead_at: it.dead_at.map(|at| at.to_string()),
        }
    }
}

/// What a notification is made of.
#[derive(ToSchema)]
#[expect(
    dead_code,
    reason = "only describes the body; it is read member by member"
)]
pub(super) struct NotificationBody {
    content: String,
    /// The agent to wake; this or `session_key` is required.
    agent_role: Option<String>,
    /// `user:<user_id>:<role>`
    session_key: Option<String>,
    /// Required with an internal token.
    user_id: Option<String>,
    task_id: Option<String>,
    /// `system` when absent.
    r#type: Option<String>,
    #[schema(value_type = Option<Object>)]
    metadata: Option<Object>,
    idempotency_key: Option<String>,
}

/// A page of notifications.
#[derive(ToSchema)]
#[expect(dead_code, reason = "only describes the answer; see Listed")]
pub(super) struct NotificationList {
    items: Vec<Notification>,
    next_cursor: Option<String>,
}

/// The notifications of the token's role, newest first
#[utoipa::path(get, path = "/api/mission-control/notifications", tag = "Mission Control",
    security(("agent_token" = [])),
    params(
        ("unread" = Option<bool>, Query),
        ("all" = Option<bool>, Query, description = "those of every role of the tenant"),
        ("limit" = Option<i64>, Query, description = "1 to 100, default 50"),
        ("cursor" = Option<String>, Query)),
    responses((status = 200, body = NotificationList), (status = 400, body = ErrorBody),
        (status = 401, body = ErrorBody)))]
pub(super) async fn list(
    State(app): State<App>,
    AgentCaller(who): AgentCaller,
    query: Query,
) -> Result<Json<Listed<Notification>>, Problem> {
    let mut problems = Problems::default();
    let page = query.page(&mut problems);
    let all = query.flag(&mut problems, "all");
    let unread_only = query.flag(&mut problems, "unread");
    problems.into_result()?;
    let own = who.handle().cloned().map(Target::Agent);
    let filter = NotificationFilter {
        target: own.filter(|_| !all),
        unread_only,
        ..NotificationFilter::default()
    };
    let found = app
        .database
        .read(move |tx| notification::list(tx, &who, &filter, page))
        .await?;
    Ok(Json(Listed::of(found)))
}

/// Wake an agent
#[utoipa::path(post, path = "/api/mission-control/notifications", tag = "Mission Control",
    security(("agent_token" = []), ("internal_token" = [])), request_body = NotificationBody,
    responses((status = 200, body = Notification), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody),
        (status = 403, body = ErrorBody), (status = 404, body = ErrorBody), (status = 409, body = ErrorBody),
        (status = 413, body = ErrorBody)))]
pub(super) async fn create(
    State(app): State<App>,
    AgentOrInternalCaller(who): AgentOrInternalCaller,
    Body { mut fields, once }: Body,
) -> Result<Response, Problem> {
    let user_id = fields.string("user_id");
    same_tenant(&who, user_id.as_deref())?;
    let mut tenant: Option<TenantId> = user_id.and_then(|text| match text.parse() {
        Ok(tenant) => Some(tenant),
        Err(_) => {
            fields.problem(
                "user_id",
                "must be 1 to 255 characters and hold no control character",
            );
            None
        }
    });
    let addressed = read_address(&mut fields);
    if let Some((Some(session_tenant), _)) = &addressed {
        same_tenant(&who, Some(session_tenant.as_str()))?;
        if tenant
            .as_ref()
            .is_some_and(|tenant| tenant != session_tenant)
        {
            fields.problem("session_key", "names another user than user_id");
        }
        tenant = Some(session_tenant.clone());
    }
    let new = NewNotification {
        target: match addressed {
            Some((_, handle)) => handle,
            // A problem was noted; this one is never used.
            None => "unknown".parse()?,
        },
        kind: Type::named(fields.string("type").as_deref().unwrap_or("system")),
        content: fields.required_string("content"),
        task: fields
            .string("task_id")
            .filter(|id| !id.is_empty())
            .map(TaskId::new),
        metadata: fields.object("metadata"),
    };
    if who.tenant.is_none() && tenant.is_none() {
        fields.problem("user_id", "is required with an internal token");
    }
    fields.finish()?;
    let who = match tenant {
        Some(tenant) => who.within(tenant)?,
        None => who,
    };
    create_once(&app, &who, "notification", once, move |tx, who| {
        Ok(Notification::from(notification::create(
            tx,
            who,
            new.clone(),
        )?))
    })
    .await
}

/// Whom it is for: `agent_role`, or `session_key` with the tenant that it names.
fn read_address(fields: &mut Fields) -> Option<(Option<TenantId>, Handle)> {
    let role = fields.handle("agent_role");
    let session = fields.string("session_key");
    match (role, session) {
        (Some(role), None) => Some((None, role)),
        (role, Some(session)) => {
            let parts: Vec<&str> = session.split(':').collect();
            let named = match parts[..] {
                ["user", tenant, handle] => tenant.parse().ok().zip(handle.parse::<Handle>().ok()),
                _ => None,
            };
            match named {
                None => fields.problem("session_key", "must be user:<user_id>:<role>"),
                Some((_, ref handle)) if role.as_ref().is_some_and(|role| role != handle) => {
                    fields.problem("session_key", "names another role than agent_role");
                }
                Some((tenant, handle)) => return Some((Some(tenant), handle)),
            }
            None
        }
        (None, None) => {
            fields.problem("agent_role", "is required, or session_key");
            None
        }
    }
}

/// Mark a notification as read
#[utoipa::path(post, path = "/api/mission-control/notifications/{id}/read", tag = "Mission Control",
    security(("agent_token" = [])), params(("id" = String, Path)),
    responses((status = 200, body = Notification), (status = 401, body = ErrorBody), (status = 403, body = ErrorBody),
        (status = 404, body = ErrorBody)))]
pub(super) async fn read(
    State(app): State<App>,
    AgentCaller(who): AgentCaller,
    Id(id): Id,
) -> Result<Json<Notification>, Problem> {
    let id = NotificationId::new(id);
    let read = app
        .database
        .write(move |tx| notification::mark_read(tx, &who, &id))
        .await?;
    Ok(Json(read.into()))
}
