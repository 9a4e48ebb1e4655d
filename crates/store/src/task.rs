//! Tasks.

use stationmaster_kernel::event::Happening;
use stationmaster_kernel::kind::TaskKind;
use stationmaster_kernel::state::State;
use stationmaster_kernel::task::{
    BoardFilter, BoardPage, Flow, Tally, Task, TaskCounts, TaskFilter, Tasks, Transition,
};
use stationmaster_kernel::{Handle as Name, Page, Position, Result, TaskId, TenantId, Timestamp};

use crate::board;
use crate::handle::{Handle, from_json, from_optional_json, to_optional_json};
use crate::sql::{Row, Select, malformed, params};

pub(crate) const COLUMNS: &str = "SELECT position, id, tenant, flow, title, description, state, status, metadata, \
                                  assignee, creator, created_at, updated_at, kind, priority, reviewer, parent, \
                                  due_at, detail FROM task";

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
        let detail = detail_text(task)?;
        self.execute(
            "INSERT INTO task (position, id, tenant, flow, title, description, state, status, metadata, assignee, \
             creator, created_at, updated_at, kind, priority, reviewer, parent, due_at, detail, haystack, creator_user) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21)",
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
                task.kind.map(TaskKind::as_str),
                i64::from(task.priority),
                task.reviewer.as_ref().map(Name::as_str),
                task.parent.as_ref().map(TaskId::as_str),
                task.due_at.map(|at| at.0),
                detail.as_ref(),
                &board::haystack(task),
                task.detail.creator_user.as_ref(),
            ],
        )?;
        self.count_task(task, 1)?;
        self.keep_labels(task)?;
        self.keep_helpers(task)
    }

    fn update_task(&mut self, task: &Task) -> Result<()> {
        let Some(before) = self.task(&task.id)? else {
            return Ok(());
        };
        let metadata = to_optional_json(task.metadata.as_ref())?;
        let detail = detail_text(task)?;
        self.execute(
            "UPDATE task SET title = ?2, description = ?3, state = ?4, status = ?5, metadata = ?6, assignee = ?7, \
             updated_at = ?8, kind = ?9, priority = ?10, reviewer = ?11, due_at = ?12, detail = ?13, haystack = ?14 \
             WHERE id = ?1",
            params![
                task.id.as_str(),
                &task.title,
                task.description.as_ref(),
                task.state.as_str(),
                &task.status,
                metadata.as_ref(),
                task.assignee.as_ref().map(Name::as_str),
                task.updated_at.0,
                task.kind.map(TaskKind::as_str),
                i64::from(task.priority),
                task.reviewer.as_ref().map(Name::as_str),
                task.due_at.map(|at| at.0),
                detail.as_ref(),
                &board::haystack(task),
            ],
        )?;
        if (before.state, before.kind, before.priority) != (task.state, task.kind, task.priority) {
            self.count_task(&before, -1)?;
            self.count_task(task, 1)?;
        }
        if before.detail.labels != task.detail.labels {
            self.execute(
                "DELETE FROM task_label WHERE task = ?1",
                params![task.id.as_str()],
            )?;
            self.keep_labels(task)?;
        }
        if before.detail.others != task.detail.others {
            self.execute(
                "DELETE FROM task_helper WHERE task = ?1",
                params![task.id.as_str()],
            )?;
            self.keep_helpers(task)?;
        }
        Ok(())
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
        let mut counts = TaskCounts::default();
        for tally in self.tallies(Some(tenant))? {
            counts.add(tally.state, tally.count);
        }
        Ok(counts)
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

    fn board(&mut self, filter: &BoardFilter, page: BoardPage) -> Result<Vec<Task>> {
        self.board_page(filter, page)
    }

    fn board_count(&mut self, filter: &BoardFilter) -> Result<u64> {
        self.count_board(filter)
    }

    fn held_tasks(
        &mut self,
        tenant: &TenantId,
        handle: &Name,
        states: &[State],
        page: BoardPage,
    ) -> Result<Vec<Task>> {
        self.held_page(tenant, handle, states, page)
    }

    fn held_task_count(
        &mut self,
        tenant: &TenantId,
        handle: &Name,
        states: &[State],
    ) -> Result<u64> {
        self.count_held(tenant, handle, states)
    }

    fn claimable_tasks(
        &mut self,
        tenant: &TenantId,
        kinds: &[TaskKind],
        limit: u32,
    ) -> Result<Vec<Task>> {
        self.claimable_page(tenant, kinds, limit)
    }

    fn tallies(&mut self, tenant: Option<&TenantId>) -> Result<Vec<Tally>> {
        let mut select = Select::new(
            "SELECT state, kind, priority, CAST(SUM(count) AS BIGINT) FROM task_tally WHERE count <> 0",
        );
        select
            .filter("AND tenant = ?", tenant.map(TenantId::as_str))
            .push("GROUP BY state, kind, priority", &[]);
        self.all(&select, |mut row| {
            Ok(Tally {
                state: read_state(&row.text()?)?,
                kind: TaskKind::parse(&row.text()?),
                priority: row.count()?,
                count: row.count()?,
            })
        })
    }

    fn transitions(&mut self, task: &TaskId) -> Result<Vec<Transition>> {
        let rows = self.query(
            "SELECT body FROM event WHERE task = ?1 AND kind = 'task.transitioned' ORDER BY id",
            params![task.as_str()],
        )?;
        let mut steps = Vec::with_capacity(rows.len());
        for mut row in rows {
            if let Happening::TaskTransitioned { transition, .. } = from_json(&row.text()?)? {
                steps.push(transition);
            }
        }
        Ok(steps)
    }
}

fn detail_text(task: &Task) -> Result<Option<String>> {
    to_optional_json(Some(&task.detail).filter(|detail| !detail.is_blank()))
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

pub(crate) fn read(mut row: Row) -> Result<Task> {
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
        kind: row.optional_text()?.as_deref().and_then(TaskKind::parse),
        priority: row.count()?,
        reviewer: row.optional_text()?.map(|text| text.parse()).transpose()?,
        parent: row.optional_text()?.map(TaskId::new),
        due_at: row.optional_int()?.map(Timestamp),
        detail: from_optional_json(row.optional_text()?.as_deref())?.unwrap_or_default(),
    })
}
