//! Documents (§8.3).

use axum::Json;
use axum::extract::State;
use axum::response::Response;
use serde::Serialize;
use stationmaster_http::App;
use stationmaster_http::fields::Fields;
use stationmaster_kernel::document::{self, DocumentFilter, NewDocument};
use stationmaster_kernel::error::Problems;
use stationmaster_kernel::{DocumentId, TaskId};
use utoipa::ToSchema;

use super::error::{ErrorBody, Problem};
use super::request::{AgentCaller, Body, Id, Listed, Query, create as create_once, same_tenant};

/// A document as this contract shows it.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Document {
    id: String,
    user_id: String,
    task_id: String,
    title: String,
    content: String,
    /// `deliverable`, `research`, `plan`, `standup`, `note`, or any other text.
    doc_type: String,
    agent_role: Option<String>,
    created_at: String,
    updated_at: String,
}

impl From<document::Document> for Document {
    fn from(document: document::Document) -> Self {
        Self {
            id: document.id.into(),
            user_id: document.tenant.into(),
            task_id: document.task.into(),
            title: document.title,
            content: document.content,
            doc_type: document.doc_type,
            agent_role: document.author.map(String::from),
            created_at: document.created_at.into(),
            updated_at: document.updated_at.into(),
        }
    }
}

/// What a document is made of.
#[derive(ToSchema)]
#[expect(
    dead_code,
    reason = "only describes the body; it is read member by member"
)]
pub(super) struct DocumentBody {
    task_id: String,
    title: String,
    content: String,
    /// `note` when absent.
    doc_type: Option<String>,
    idempotency_key: Option<String>,
}

/// A page of documents.
#[derive(ToSchema)]
#[expect(dead_code, reason = "only describes the answer; see Listed")]
pub(super) struct DocumentList {
    items: Vec<Document>,
    next_cursor: Option<String>,
}

pub(super) fn read_new(fields: &mut Fields) -> NewDocument {
    NewDocument {
        task: TaskId::new(fields.required_id("task_id")),
        title: fields.required_string("title"),
        content: fields.required_string("content"),
        doc_type: fields.string("doc_type"),
    }
}

/// The tenant's documents, newest first
#[utoipa::path(get, path = "/api/mission-control/documents", tag = "Mission Control",
    security(("agent_token" = [])),
    params(
        ("task_id" = Option<String>, Query),
        ("doc_type" = Option<String>, Query),
        ("limit" = Option<i64>, Query, description = "1 to 100, default 50"),
        ("cursor" = Option<String>, Query)),
    responses((status = 200, body = DocumentList), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody)))]
pub(super) async fn list(
    State(app): State<App>,
    AgentCaller(who): AgentCaller,
    query: Query,
) -> Result<Json<Listed<Document>>, Problem> {
    let mut problems = Problems::default();
    let page = query.page(&mut problems);
    problems.into_result()?;
    let filter = DocumentFilter {
        task: query.text("task_id").map(TaskId::new),
        doc_type: query.text("doc_type"),
    };
    let found = app
        .database
        .read(move |tx| document::list(tx, &who, &filter, page))
        .await?;
    Ok(Json(Listed::of(found)))
}

/// Keep a document with a task
#[utoipa::path(post, path = "/api/mission-control/documents", tag = "Mission Control",
    security(("agent_token" = [])), request_body = DocumentBody,
    responses((status = 200, body = Document), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody),
        (status = 403, body = ErrorBody), (status = 404, body = ErrorBody), (status = 409, body = ErrorBody),
        (status = 413, body = ErrorBody)))]
pub(super) async fn create(
    State(app): State<App>,
    AgentCaller(who): AgentCaller,
    Body { mut fields, once }: Body,
) -> Result<Response, Problem> {
    same_tenant(&who, fields.string("user_id").as_deref())?;
    let new = read_new(&mut fields);
    fields.finish()?;
    create_once(&app, &who, "document", once, move |tx, who| {
        Ok(Document::from(document::create(tx, who, new.clone())?))
    })
    .await
}

/// One document
#[utoipa::path(get, path = "/api/mission-control/documents/{id}", tag = "Mission Control",
    security(("agent_token" = [])), params(("id" = String, Path)),
    responses((status = 200, body = Document), (status = 401, body = ErrorBody), (status = 404, body = ErrorBody)))]
pub(super) async fn get(
    State(app): State<App>,
    AgentCaller(who): AgentCaller,
    Id(id): Id,
) -> Result<Json<Document>, Problem> {
    let id = DocumentId::new(id);
    let found = app
        .database
        .read(move |tx| document::get(tx, &who, &id))
        .await?;
    Ok(Json(found.into()))
}
