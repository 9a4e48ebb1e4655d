//! Tasks.

use stationmaster_kernel::state::State;
use stationmaster_kernel::task::{Flow, Task, TaskCounts, TaskFilter, Tasks};
use stationmaster_kernel::{Handle as Name, Page, Position, Result, TaskId, TenantId, Timestamp};

use crate::handle::{Handle, from_optional_json, to_optional_json};
use crate::sql::{Row, Select, malformed, params};

const COLUMNS: &str = "SELECT position, id, tenant, flow, title, description, state, status, metadata, assignee, \
                       creator, created_at, updated_at FROM task";

fn select<'a>(tenant: &'a TenantId) -> Select<'a> {
    let mut select = Select::new(COLUMNS);
    select.push("WHERE tenant = ?", params![tenant.as_str()]);
    select
}

impl Tasks for Handle<'_> {
    fn task(&mut self, id: &TaskId) -> Result<Option<Task>> {
        let mut select = Select::new(COLUMNS);
        select.push("WHERE id = ?", params![id.as_str()]);
        Ok(self.all(&select, read)?.into_iter().next())
    }

    fn insert_task(&mut self, task: &Task) -> Result<()> {
        let metadata = to_optional_json(task.metadata.as_ref())?;
        self.execute(
            "INSERT INTO task (position, id, tenant, flow, title, description, state, status, metadata, assignee, \
             creator, created_at, updated_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)",
            params![
                task.position.0,
                task.id.as_str(),
                task.tenant.as_str(),
                task.flow.as_str(),
                &task.title,
                task.description.as_ref(),
                task.state.as_str(),
                &task.status,
                metadata.as_ref(),
                task.assignee.as_ref().map(Name::as_str),
                task.creator.as_ref().map(Name::as_str),
                task.created_at.0,
                task.updated_at.0,
            ],
        )
        .map(drop)
    }

    fn update_task(&mut self, task: &Task) -> Result<()> {
        let metadata = to_optional_json(task.metadata.as_ref())?;
        self.execute(
            "UPDATE task SET title = ?2, description = ?3, state = ?4, status = ?5, metadata = ?6, assignee = ?7, \
             updated_at = ?8 WHERE id = ?1",
            params![
                task.id.as_str(),
                &task.title,
                task.description.as_ref(),
                task.state.as_str(),
                &task.status,
                metadata.as_ref(),
                task.assignee.as_ref().map(Name::as_str),
                task.updated_at.0,
            ],
        )
        .map(drop)
    }

    fn tasks(&mut self, tenant: &TenantId, filter: &TaskFilter, page: Page) -> Result<Vec<Task>> {
        let mut select = select(tenant);
        if let Some(title) = &filter.title {
            select.push(
                "AND substr(title, 1, 200) = substr(?, 1, 200) AND title = ?",
                params![title, title],
            );
        }
        select
            .filter("AND status = ?", filter.status.as_ref())
            .filter("AND assignee = ?", filter.assignee.as_ref())
            .page(page);
        self.all(&select, read)
    }

    fn open_task_counts(&mut self, tenant: &TenantId, handle: &Name) -> Result<TaskCounts> {
        let rows = self.query(
            "SELECT state, COUNT(*) FROM task WHERE tenant = ?1 AND (assignee = ?2 OR assignee IS NULL) \
             AND state IN ('INBOX', 'ASSIGNED', 'IN_PROGRESS', 'REVIEW', 'NEEDS_APPROVAL', 'BLOCKED') GROUP BY state",
            params![tenant.as_str(), handle.as_str()],
        )?;
        counts(rows)
    }

    fn task_counts(&mut self, tenant: &TenantId) -> Result<TaskCounts> {
        let rows = self.query(
            "SELECT state, COUNT(*) FROM task WHERE tenant = ?1 GROUP BY state",
            params![tenant.as_str()],
        )?;
        counts(rows)
    }

    fn tasks_changed_since(
        &mut self,
        tenant: &TenantId,
        since: Timestamp,
        limit: u32,
    ) -> Result<Vec<Task>> {
        let mut select = select(tenant);
        select.push(
            "AND updated_at >= ? ORDER BY updated_at DESC, position DESC LIMIT ?",
            params![since.0, limit],
        );
        self.all(&select, read)
    }

    fn tasks_changed_count(&mut self, tenant: &TenantId, since: Timestamp) -> Result<u64> {
        self.number(
            "SELECT COUNT(*) FROM task WHERE tenant = ?1 AND updated_at >= ?2",
            params![tenant.as_str(), since.0],
        )
    }

    fn tasks_in_state(&mut self, tenant: &TenantId, state: State, limit: u32) -> Result<Vec<Task>> {
        let mut select = select(tenant);
        select.push(
            "AND state = ? ORDER BY position DESC LIMIT ?",
            params![state.as_str(), limit],
        );
        self.all(&select, read)
    }
}

fn counts(rows: Vec<Row>) -> Result<TaskCounts> {
    let mut counts = TaskCounts::default();
    for mut row in rows {
        let state = read_state(&row.text()?)?;
        counts.add(state, row.count()?);
    }
    Ok(counts)
}

fn read_state(text: &str) -> Result<State> {
    State::parse(text).ok_or_else(|| malformed("a state"))
}

fn read(mut row: Row) -> Result<Task> {
    Ok(Task {
        position: Position(row.int()?),
        id: TaskId::new(row.text()?),
        tenant: row.text()?.parse()?,
        flow: Flow::parse(&row.text()?).ok_or_else(|| malformed("a flow"))?,
        title: row.text()?,
        description: row.optional_text()?,
        state: read_state(&row.text()?)?,
        status: row.text()?,
        metadata: from_optional_json(row.optional_text()?.as_deref())?,
        assignee: row.optional_text()?.map(|text| text.parse()).transpose()?,
        creator: row.optional_text()?.map(|text| text.parse()).transpose()?,
        created_at: Timestamp(row.int()?),
        updated_at: Timestamp(row.int()?),
    })
}
