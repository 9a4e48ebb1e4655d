//! Documents.

use stationmaster_kernel::document::{Document, DocumentFilter, Documents};
use stationmaster_kernel::{
    DocumentId, Handle as Name, Page, Position, Result, TaskId, TenantId, Timestamp,
};

use crate::handle::Handle;
use crate::sql::{Row, Select, params};

const COLUMNS: &str = "SELECT position, id, tenant, task, title, content, doc_type, author, created_at, updated_at FROM document";

impl Documents for Handle<'_> {
    fn document(&mut self, id: &DocumentId) -> Result<Option<Document>> {
        let mut select = Select::new(COLUMNS);
        select.push("WHERE id = ?", params![id.as_str()]);
        Ok(self.all(&select, read)?.into_iter().next())
    }

    fn insert_document(&mut self, document: &Document) -> Result<()> {
        self.execute(
            "INSERT INTO document (position, id, tenant, task, title, content, doc_type, author, created_at, \
             updated_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
            params![
                document.position.0,
                document.id.as_str(),
                document.tenant.as_str(),
                document.task.as_str(),
                &document.title,
                &document.content,
                &document.doc_type,
                document.author.as_ref().map(Name::as_str),
                document.created_at.0,
                document.updated_at.0,
            ],
        )
        .map(drop)
    }

    fn update_document(&mut self, document: &Document) -> Result<()> {
        self.execute(
            "UPDATE document SET title = ?2, content = ?3, updated_at = ?4 WHERE id = ?1",
            params![
                document.id.as_str(),
                &document.title,
                &document.content,
                document.updated_at.0
            ],
        )
        .map(drop)
    }

    fn documents(
        &mut self,
        tenant: &TenantId,
        filter: &DocumentFilter,
        page: Page,
    ) -> Result<Vec<Document>> {
        let mut select = Select::new(COLUMNS);
        select
            .push("WHERE tenant = ?", params![tenant.as_str()])
            .filter("AND task = ?", filter.task.as_ref().map(TaskId::as_str))
            .filter("AND doc_type = ?", filter.doc_type.as_ref())
            .page(page);
        self.all(&select, read)
    }

    fn document_count(&mut self, tenant: &TenantId, since: Timestamp) -> Result<u64> {
        self.number(
            "SELECT COUNT(*) FROM document WHERE tenant = ?1 AND created_at >= ?2",
            params![tenant.as_str(), since.0],
        )
    }
}

fn read(mut row: Row) -> Result<Document> {
    Ok(Document {
        position: Position(row.int()?),
        id: DocumentId::new(row.text()?),
        tenant: row.text()?.parse()?,
        task: TaskId::new(row.text()?),
        title: row.text()?,
        content: row.text()?,
        doc_type: row.text()?,
        author: row.optional_text()?.map(|text| text.parse()).transpose()?,
        created_at: Timestamp(row.int()?),
        updated_at: Timestamp(row.int()?),
    })
}
