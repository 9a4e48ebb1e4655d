//! Tasks (§8.1).

use axum::Json;
use axum::extract::State;
use axum::response::Response;
use serde::Serialize;
use stationmaster_http::App;
use stationmaster_http::fields::Fields;
use stationmaster_kernel::error::Problems;
use stationmaster_kernel::task::{self, NewTask, TaskChange, TaskFilter};
use stationmaster_kernel::{Object, Result, TaskId};
use utoipa::ToSchema;

use super::error::{ErrorBody, Problem};
use super::request::{
    AgentCaller, Body, Id, Listed, Members, Query, create as create_once, same_tenant,
};

/// A task as this contract shows it.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Task {
    id: String,
    user_id: String,
    title: String,
    description: Option<String>,
    /// `pending`, `in_progress`, `blocked`, `completed`, `cancelled`, or any other text.
    status: String,
    #[schema(value_type = Option<Object>)]
    metadata: Option<Object>,
    /// Whose turn it is.
    agent_role: Option<String>,
    created_by_role: Option<String>,
    created_at: String,
    updated_at: String,
}

impl From<task::Task> for Task {
    fn from(task: task::Task) -> Self {
        Self {
            id: task.id.into(),
            user_id: task.tenant.into(),
            title: task.title,
            description: task.description,
            status: task.status,
            metadata: task.metadata,
            agent_role: task.assignee.map(String::from),
            created_by_role: task.creator.map(String::from),
            created_at: task.created_at.into(),
            updated_at: task.updated_at.into(),
        }
    }
}

/// What a task is made of.
#[derive(ToSchema)]
#[expect(
    dead_code,
    reason = "only describes the body; it is read member by member"
)]
pub(super) struct TaskBody {
    title: String,
    description: Option<String>,
    /// 1 to 64 characters; `in_progress` when absent.
    status: Option<String>,
    #[schema(value_type = Option<Object>)]
    metadata: Option<Object>,
    /// The assignee.
    agent_role: Option<String>,
    idempotency_key: Option<String>,
}

/// What to change of a task; what is absent stays.
#[derive(ToSchema)]
#[expect(
    dead_code,
    reason = "only describes the body; it is read member by member"
)]
pub(super) struct TaskPatch {
    title: Option<String>,
    /// `null` removes it.
    description: Option<String>,
    status: Option<String>,
    /// Merged at top level; a member that is `null` is removed.
    #[schema(value_type = Option<Object>)]
    metadata: Option<Object>,
    /// `null` takes the task from its assignee.
    agent_role: Option<String>,
}

/// A page of tasks.
#[derive(ToSchema)]
#[expect(dead_code, reason = "only describes the answer; see Listed")]
pub(super) struct TaskList {
    items: Vec<Task>,
    next_cursor: Option<String>,
}

pub(super) fn read_new(fields: &mut Fields) -> NewTask {
    NewTask {
        title: fields.required_string("title"),
        description: fields.string("description"),
        status: fields.string("status"),
        metadata: fields.object("metadata"),
        assignee: fields.handle("agent_role"),
    }
}

pub(super) fn read_change(fields: &mut Fields) -> TaskChange {
    let (describes, assigns) = (fields.has("description"), fields.has("agent_role"));
    TaskChange {
        title: fields.string("title"),
        description: describes.then(|| fields.string("description")),
        status: fields.string("status"),
        metadata: fields.object("metadata"),
        assignee: assigns.then(|| fields.handle("agent_role")),
    }
}

/// The tenant's tasks, newest first
#[utoipa::path(get, path = "/api/mission-control/tasks", tag = "Mission Control", security(("agent_token" = [])),
    params(
        ("limit" = Option<i64>, Query, description = "1 to 100, default 50"),
        ("cursor" = Option<String>, Query),
        ("title" = Option<String>, Query, description = "exactly this title"),
        ("status" = Option<String>, Query),
        ("agent_role" = Option<String>, Query, description = "the assignee")),
    responses((status = 200, body = TaskList), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody)))]
pub(super) async fn list(
    State(app): State<App>,
    AgentCaller(who): AgentCaller,
    query: Query,
) -> Result<Json<Listed<Task>>, Problem> {
    let mut problems = Problems::default();
    let page = query.page(&mut problems);
    problems.into_result()?;
    let filter = TaskFilter {
        title: query.text("title"),
        status: query.text("status"),
        assignee: query.text("agent_role"),
    };
    let found = app
        .database
        .read(move |tx| task::list(tx, &who, &filter, page))
        .await?;
    Ok(Json(Listed::of(found)))
}

/// Make a task
#[utoipa::path(post, path = "/api/mission-control/tasks", tag = "Mission Control", security(("agent_token" = [])),
    request_body = TaskBody,
    responses((status = 200, body = Task), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody),
        (status = 403, body = ErrorBody), (status = 409, body = ErrorBody), (status = 413, body = ErrorBody)))]
pub(super) async fn create(
    State(app): State<App>,
    AgentCaller(who): AgentCaller,
    Body { mut fields, once }: Body,
) -> Result<Response, Problem> {
    same_tenant(&who, fields.string("user_id").as_deref())?;
    let new = read_new(&mut fields);
    fields.finish()?;
    create_once(&app, &who, "task", once, move |tx, who| {
        Ok(Task::from(task::create(tx, who, new.clone())?))
    })
    .await
}

/// One task
#[utoipa::path(get, path = "/api/mission-control/tasks/{id}", tag = "Mission Control",
    security(("agent_token" = [])), params(("id" = String, Path)),
    responses((status = 200, body = Task), (status = 401, body = ErrorBody), (status = 404, body = ErrorBody)))]
pub(super) async fn get(
    State(app): State<App>,
    AgentCaller(who): AgentCaller,
    Id(id): Id,
) -> Result<Json<Task>, Problem> {
    let id = TaskId::new(id);
    let found = app
        .database
        .read(move |tx| task::get(tx, &who, &id))
        .await?;
    Ok(Json(found.into()))
}

/// Change a task
#[utoipa::path(patch, path = "/api/mission-control/tasks/{id}", tag = "Mission Control",
    security(("agent_token" = [])), params(("id" = String, Path)), request_body = TaskPatch,
    responses((status = 200, body = Task), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody),
        (status = 403, body = ErrorBody), (status = 404, body = ErrorBody)))]
pub(super) async fn update(
    State(app): State<App>,
    AgentCaller(who): AgentCaller,
    Id(id): Id,
    Members(mut fields): Members,
) -> Result<Json<Task>, Problem> {
    same_tenant(&who, fields.string("user_id").as_deref())?;
    let change = read_change(&mut fields);
    fields.finish()?;
    let id = TaskId::new(id);
    let changed = app
        .database
        .write(move |tx| task::update(tx, &who, &id, change.clone()))
        .await?;
    Ok(Json(changed.into()))
}
