//! The same writes as function tools, for agents that call a backend's tools (§13). Who acts and
//! for which tenant comes from the token, never from the arguments.

use axum::Json;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde_json::{Value, json};
use stationmaster_http::App;
use stationmaster_http::fields::Fields;
use stationmaster_http::once::Once;
use stationmaster_kernel::notification::{self, NotificationFilter, Target};
use stationmaster_kernel::task::{self, TaskFilter};
use stationmaster_kernel::{Error, Object, Page, Principal, TaskId, approval, document, message};
use utoipa::{PartialSchema, ToSchema};

use super::document::Document;
use super::error::{ErrorBody, Problem};
use super::message::Message;
use super::notification::Notification;
use super::request::{AgentCaller, Id, Listed, Members, create, same_tenant};
use super::task::Task;
use super::tool_request::ToolRequest;

/// How many items a listing tool gives when not told.
const LISTED: i64 = 20;

/// What an agent may call.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Tool {
    #[schema(value_type = String)]
    name: &'static str,
    #[schema(value_type = String)]
    description: &'static str,
    /// A JSON Schema.
    #[schema(value_type = Object)]
    parameters: Value,
}

#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Tools {
    tools: Vec<Tool>,
}

fn tools() -> Vec<Tool> {
    let tool = |name, description, parameters| Tool {
        name,
        description,
        parameters,
    };
    vec![
        tool(
            "echo",
            "Answers with the message it is given.",
            schema::<EchoArguments>(),
        ),
        tool(
            "list_tasks",
            "Lists tasks, the newest first.",
            schema::<ListTasksArguments>(),
        ),
        tool(
            "create_task",
            "Creates a task.",
            schema::<super::task::TaskBody>(),
        ),
        tool(
            "update_task",
            "Changes a task: what is left out stays as it is.",
            update_schema(),
        ),
        tool(
            "post_message",
            "Posts a message to a task's thread.",
            schema::<super::message::MessageBody>(),
        ),
        tool(
            "create_document",
            "Keeps a text with a task.",
            schema::<super::document::DocumentBody>(),
        ),
        tool(
            "list_notifications",
            "Lists what the agent was notified of.",
            schema::<ListNotificationsArguments>(),
        ),
        tool(
            "request_tool",
            "Asks a person for approval.",
            schema::<super::tool_request::ToolRequestBody>(),
        ),
    ]
}

/// The schema that describes a route's body describes the tool's arguments too.
fn schema<T: PartialSchema>() -> Value {
    // A schema of our own types always becomes JSON; if it ever did not, the tool takes anything.
    serde_json::to_value(T::schema()).unwrap_or_else(|_| json!({"type": "object"}))
}

fn update_schema() -> Value {
    let mut schema = schema::<super::task::TaskPatch>();
    schema["properties"]["task_id"] = json!({"type": "string"});
    schema["required"] = json!(["task_id"]);
    schema
}

#[derive(ToSchema)]
#[expect(
    dead_code,
    reason = "only describes the arguments; they are read member by member"
)]
struct EchoArguments {
    message: String,
}

#[derive(ToSchema)]
#[expect(
    dead_code,
    reason = "only describes the arguments; they are read member by member"
)]
struct ListTasksArguments {
    title: Option<String>,
    status: Option<String>,
    /// The assignee.
    agent_role: Option<String>,
    /// 1 to 100; 20 when absent.
    limit: Option<i64>,
}

#[derive(ToSchema)]
#[expect(
    dead_code,
    reason = "only describes the arguments; they are read member by member"
)]
struct ListNotificationsArguments {
    unread: Option<bool>,
    /// 1 to 100; 20 when absent.
    limit: Option<i64>,
}

/// What a tool is run with.
#[derive(ToSchema)]
#[expect(
    dead_code,
    reason = "only describes the body; it is read member by member"
)]
pub(super) struct ToolRun {
    #[schema(value_type = Option<Object>)]
    arguments: Option<Object>,
    /// The token's own, if given at all.
    tenant_id: Option<String>,
    workspace_id: Option<String>,
    trace_id: Option<String>,
}

/// The tools that agents may call here
#[utoipa::path(get, path = "/api/tools", tag = "Mission Control", security(("agent_token" = [])),
    params(("X-Tenant-ID" = Option<String>, Header, description = "the token's own, if given at all")),
    responses((status = 200, body = Tools), (status = 401, body = ErrorBody), (status = 403, body = ErrorBody)))]
pub(super) async fn list(
    AgentCaller(who): AgentCaller,
    headers: HeaderMap,
) -> Result<Json<Tools>, Problem> {
    same_tenant(&who, tenant_header(&headers))?;
    Ok(Json(Tools { tools: tools() }))
}

/// Run a tool
#[utoipa::path(post, path = "/api/tools/{name}", tag = "Mission Control", security(("agent_token" = [])),
    params(("name" = String, Path),
        ("X-Tenant-ID" = Option<String>, Header, description = "the token's own, if given at all")),
    request_body = ToolRun,
    responses((status = 200, body = Object), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody),
        (status = 403, body = ErrorBody), (status = 404, body = ErrorBody), (status = 409, body = ErrorBody)))]
pub(super) async fn run(
    State(app): State<App>,
    AgentCaller(who): AgentCaller,
    Id(name): Id,
    headers: HeaderMap,
    Members(mut fields): Members,
) -> Result<Response, Problem> {
    same_tenant(&who, tenant_header(&headers))?;
    same_tenant(&who, fields.string("tenant_id").as_deref())?;
    let arguments = fields.object("arguments").unwrap_or_default();
    fields.finish()?;
    let once = Once::of(&headers, &arguments)?;
    same_tenant(&who, arguments.get("user_id").and_then(Value::as_str))?;
    call(&app, who, &name, Fields::new(arguments), once).await
}

fn tenant_header(headers: &HeaderMap) -> Option<&str> {
    headers
        .get("x-tenant-id")
        .and_then(|value| value.to_str().ok())
        .filter(|text| !text.is_empty())
}

async fn call(
    app: &App,
    who: Principal,
    name: &str,
    mut fields: Fields,
    once: Once,
) -> Result<Response, Problem> {
    match name {
        "echo" => {
            let message = fields.required_string("message");
            fields.finish()?;
            Ok(Json(json!({ "message": message })).into_response())
        }
        "list_tasks" => list_tasks(app, who, fields).await,
        "list_notifications" => list_notifications(app, who, fields).await,
        "create_task" => {
            let new = super::task::read_new(&mut fields);
            fields.finish()?;
            create(app, &who, "task", once, move |tx, who| {
                Ok(Task::from(task::create(tx, who, new.clone())?))
            })
            .await
        }
        "update_task" => {
            let id = TaskId::new(fields.required_id("task_id"));
            let change = super::task::read_change(&mut fields);
            fields.finish()?;
            let changed = app
                .database
                .write(move |tx| task::update(tx, &who, &id, change.clone()))
                .await?;
            Ok(Json(Task::from(changed)).into_response())
        }
        "post_message" => {
            let new = super::message::read_new(&mut fields);
            fields.finish()?;
            create(app, &who, "message", once, move |tx, who| {
                Ok(Message::from(message::post(tx, who, new.clone())?))
            })
            .await
        }
        "create_document" => {
            let new = super::document::read_new(&mut fields);
            fields.finish()?;
            create(app, &who, "document", once, move |tx, who| {
                Ok(Document::from(document::create(tx, who, new.clone())?))
            })
            .await
        }
        "request_tool" => {
            let new = super::tool_request::read_new(&mut fields);
            fields.finish()?;
            create(app, &who, "tool_request", once, move |tx, who| {
                Ok(ToolRequest::from(approval::request(tx, who, new.clone())?))
            })
            .await
        }
        other => Err(Problem(Error::not_found(
            "tool_not_found",
            format!("there is no tool {other:?}"),
        ))),
    }
}

async fn list_tasks(app: &App, who: Principal, mut fields: Fields) -> Result<Response, Problem> {
    let filter = TaskFilter {
        title: fields.string("title"),
        status: fields.string("status"),
        assignee: fields.string("agent_role"),
    };
    let page = page(&mut fields);
    fields.finish()?;
    let found = app
        .database
        .read(move |tx| task::list(tx, &who, &filter, page))
        .await?;
    Ok(Json(Listed::<Task>::of(found)).into_response())
}

async fn list_notifications(
    app: &App,
    who: Principal,
    mut fields: Fields,
) -> Result<Response, Problem> {
    let unread_only = fields.boolean("unread").unwrap_or(false);
    let page = page(&mut fields);
    fields.finish()?;
    let filter = NotificationFilter {
        target: who.handle().cloned().map(Target::Agent),
        unread_only,
        ..NotificationFilter::default()
    };
    let found = app
        .database
        .read(move |tx| notification::list(tx, &who, &filter, page))
        .await?;
    Ok(Json(Listed::<Notification>::of(found)).into_response())
}

fn page(fields: &mut Fields) -> Page {
    let limit = fields.integer("limit").unwrap_or(LISTED).clamp(1, 100);
    Page::first(u32::try_from(limit).unwrap_or(100))
}
