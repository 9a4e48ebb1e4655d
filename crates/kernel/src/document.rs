//! Documents: what work leaves behind, kept with its task.

use serde::{Deserialize, Serialize};

use crate::agent;
use crate::error::Problems;
use crate::event::{self, Happening};
use crate::page::{List, Page, Placed, Position};
use crate::task;
use crate::text;
use crate::{DocumentId, Error, Handle, Principal, Result, TaskId, TenantId, Timestamp, Tx};

/// What a document without a type is.
pub const DEFAULT_TYPE: &str = "note";

/// A text that belongs to a task.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Document {
    pub id: DocumentId,
    pub position: Position,
    pub tenant: TenantId,
    pub task: TaskId,
    pub title: String,
    pub content: String,
    /// Kept as given: `plan`, `deliverable`, `research`, …
    pub doc_type: String,
    pub author: Option<Handle>,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

impl Placed for Document {
    fn position(&self) -> Position {
        self.position
    }
}

/// A document to keep.
#[derive(Debug, Clone)]
pub struct NewDocument {
    pub task: TaskId,
    pub title: String,
    pub content: String,
    /// `None`: [`DEFAULT_TYPE`].
    pub doc_type: Option<String>,
}

/// Which documents a list shows; all that are given must match.
#[derive(Debug, Clone, Default)]
pub struct DocumentFilter {
    pub task: Option<TaskId>,
    pub doc_type: Option<String>,
}

/// Where documents are kept.
pub trait Documents {
    /// # Errors
    /// Whatever the store meets.
    fn document(&mut self, id: &DocumentId) -> Result<Option<Document>>;

    /// # Errors
    /// Whatever the store meets.
    fn insert_document(&mut self, document: &Document) -> Result<()>;

    /// Writes title, content and time of change over the document of the same id.
    ///
    /// # Errors
    /// Whatever the store meets.
    fn update_document(&mut self, document: &Document) -> Result<()>;

    /// One row more than the page holds, when there is one.
    ///
    /// # Errors
    /// Whatever the store meets.
    fn documents(
        &mut self,
        tenant: &TenantId,
        filter: &DocumentFilter,
        page: Page,
    ) -> Result<Vec<Document>>;

    /// How many were made at or after `since`.
    ///
    /// # Errors
    /// Whatever the store meets.
    fn document_count(&mut self, tenant: &TenantId, since: Timestamp) -> Result<u64>;
}

/// Keeps a document.
///
/// # Errors
/// Every problem of the request; `task_not_found`.
pub fn create(tx: &mut dyn Tx, who: &Principal, new: NewDocument) -> Result<Document> {
    let mut problems = Problems::default();
    text::check_present(&mut problems, "title", &new.title);
    text::check(&mut problems, "content", &new.content);
    if let Some(doc_type) = &new.doc_type {
        text::check_present(&mut problems, "doc_type", doc_type);
        if doc_type.chars().count() > 64 {
            problems.add("doc_type", "must be at most 64 characters");
        }
    }
    problems.into_result()?;

    let task = task::get(tx, who, &new.task)?;
    agent::permit_caller(tx, &who.within(task.tenant.clone())?, agent::Act::Speak)?;
    let document = Document {
        id: DocumentId::new(tx.mint(DocumentId::PREFIX)),
        position: tx.next_position()?,
        tenant: task.tenant,
        task: task.id,
        title: new.title,
        content: new.content,
        doc_type: new.doc_type.unwrap_or_else(|| DEFAULT_TYPE.to_owned()),
        author: who.handle().cloned(),
        created_at: tx.now(),
        updated_at: tx.now(),
    };
    tx.insert_document(&document)?;
    event::record(
        tx,
        who,
        &document.tenant,
        Happening::DocumentCreated(document.clone()),
    )?;
    Ok(document)
}

/// The document, if it is there for this caller.
///
/// # Errors
/// `document_not_found`, for another tenant's too.
pub fn get(tx: &mut dyn Tx, who: &Principal, id: &DocumentId) -> Result<Document> {
    tx.document(id)?
        .filter(|document| who.sees(&document.tenant))
        .ok_or_else(|| Error::not_found("document_not_found", "there is no such document"))
}

/// The caller's documents.
///
/// # Errors
/// Whatever the store meets.
pub fn list(
    tx: &mut dyn Tx,
    who: &Principal,
    filter: &DocumentFilter,
    page: Page,
) -> Result<List<Document>> {
    let rows = tx.documents(who.tenant()?, filter, page)?;
    Ok(List::from_rows(rows, page))
}
