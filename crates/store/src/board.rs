//! The board: numbered pages of tasks, and how many there are.
//!
//! A board of a million tasks is read a page at a time, most urgent first. Sorting it, or counting
//! it, for every page would cost as much as the board is large. So the index is by state and
//! priority; a page of several states is put together from the first rows of each; and how many
//! there are is counted as tasks change, in `task_tally`.

use std::collections::BTreeSet;

use stationmaster_kernel::kind::TaskKind;
use stationmaster_kernel::state::State;
use stationmaster_kernel::task::{BoardFilter, BoardOrder, BoardPage, Task};
use stationmaster_kernel::{Handle as Name, Result, TaskId, TenantId};

use crate::handle::Handle;
use crate::sql::{Param, Select, params};
use crate::task::{COLUMNS, read};

/// Up to so many (tenant, state) pairs are read one by one and put together.
const BRANCHES: usize = 64;

/// What search looks into.
pub(crate) fn haystack(task: &Task) -> String {
    let mut text = task.title.to_lowercase();
    if let Some(description) = &task.description {
        text.push(' ');
        text.push_str(&description.to_lowercase());
    }
    for label in &task.detail.labels {
        text.push(' ');
        text.push_str(&label.to_lowercase());
    }
    text
}

impl Handle<'_> {
    /// Counts `task` in or out.
    pub(crate) fn count_task(&mut self, task: &Task, by: i64) -> Result<()> {
        self.execute(
            "INSERT INTO task_tally (tenant, state, kind, priority, count) VALUES (?1, ?2, ?3, ?4, ?5) \
             ON CONFLICT (tenant, state, kind, priority) DO UPDATE SET count = task_tally.count + excluded.count",
            params![
                task.tenant.as_str(),
                task.state.as_str(),
                task.kind.map_or("", TaskKind::as_str),
                i64::from(task.priority),
                by,
            ],
        )
        .map(drop)
    }

    pub(crate) fn keep_labels(&mut self, task: &Task) -> Result<()> {
        let labels: BTreeSet<&String> = task.detail.labels.iter().collect();
        for label in labels {
            self.execute(
                "INSERT INTO task_label (tenant, label, task) VALUES (?1, ?2, ?3)",
                params![task.tenant.as_str(), label, task.id.as_str()],
            )?;
        }
        Ok(())
    }

    pub(crate) fn keep_helpers(&mut self, task: &Task) -> Result<()> {
        for handle in &task.detail.others {
            self.execute(
                "INSERT INTO task_helper (tenant, handle, task) VALUES (?1, ?2, ?3)",
                params![task.tenant.as_str(), handle.as_str(), task.id.as_str()],
            )?;
        }
        Ok(())
    }

    pub(crate) fn board_page(
        &mut self,
        filter: &BoardFilter,
        page: BoardPage,
    ) -> Result<Vec<Task>> {
        if page.order == BoardOrder::Priority && is_broad(filter) {
            let places = self.places(filter)?;
            if places.len() <= BRANCHES {
                return self.merged_page(filter, page, &places);
            }
        }
        let needle = needle(filter);
        let mut select = Select::new(COLUMNS);
        narrow(&mut select, filter, needle.as_deref());
        select.push(order(page), params![page.limit, page.offset]);
        self.all(&select, read)
    }

    /// Which pairs of tenant and state hold any task that the filter may let through.
    fn places(&mut self, filter: &BoardFilter) -> Result<Vec<(String, String)>> {
        let mut select = Select::new("SELECT tenant, state FROM task_tally");
        narrow_tally(&mut select, filter);
        select.push(
            "GROUP BY tenant, state ORDER BY tenant, state LIMIT ?",
            params![BRANCHES as i64 + 1],
        );
        self.all(&select, |mut row| Ok((row.text()?, row.text()?)))
    }

    /// The first rows of each place, put in order together.
    fn merged_page(
        &mut self,
        filter: &BoardFilter,
        page: BoardPage,
        places: &[(String, String)],
    ) -> Result<Vec<Task>> {
        let reach = page.offset.saturating_add(page.limit);
        let kinds: Vec<Param<'_>> = filter
            .kinds
            .iter()
            .map(|kind| kind.as_str().into())
            .collect();
        let mut select = Select::new("SELECT * FROM (");
        for (index, (tenant, state)) in places.iter().enumerate() {
            let branch = if index == 0 {
                "SELECT * FROM ("
            } else {
                "UNION ALL SELECT * FROM ("
            };
            select
                .push(branch, &[])
                .push(COLUMNS, &[])
                .push("WHERE tenant = ? AND state = ?", params![tenant, state])
                .any_of("AND kind IN", &kinds)
                .filter("AND priority = ?", filter.priority.map(i64::from))
                .push(order(page), params![reach, 0i64])
                .push(") AS branch", &[]);
        }
        if places.is_empty() {
            return Ok(Vec::new());
        }
        select
            .push(") AS merged", &[])
            .push(order(page), params![page.limit, page.offset]);
        self.all(&select, read)
    }

    pub(crate) fn count_board(&mut self, filter: &BoardFilter) -> Result<u64> {
        if is_broad(filter) {
            let mut select =
                Select::new("SELECT CAST(COALESCE(SUM(count), 0) AS BIGINT) FROM task_tally");
            narrow_tally(&mut select, filter);
            let (sql, params) = select.parts();
            return self.number(sql, params);
        }
        let needle = needle(filter);
        let mut select = Select::new("SELECT COUNT(*) FROM task");
        narrow(&mut select, filter, needle.as_deref());
        let (sql, params) = select.parts();
        self.number(sql, params)
    }
}

/// Whether the tally knows all that the filter asks for.
fn is_broad(filter: &BoardFilter) -> bool {
    filter.assignee.is_none()
        && filter.creator.is_none()
        && filter.creator_user.is_none()
        && filter.reviewer.is_none()
        && filter.parent.is_none()
        && filter.labels.is_empty()
        && filter.search.is_none()
        && !filter.unassigned
}

fn narrow_tally<'a>(select: &mut Select<'a>, filter: &'a BoardFilter) {
    let states: Vec<Param<'_>> = filter.states.iter().map(|it| it.as_str().into()).collect();
    let kinds: Vec<Param<'_>> = filter.kinds.iter().map(|it| it.as_str().into()).collect();
    select
        .push("WHERE count <> 0", &[])
        .filter(
            "AND tenant = ?",
            filter.tenant.as_ref().map(TenantId::as_str),
        )
        .any_of("AND state IN", &states)
        .any_of("AND kind IN", &kinds)
        .filter("AND priority = ?", filter.priority.map(i64::from));
}

fn narrow<'a>(select: &mut Select<'a>, filter: &'a BoardFilter, needle: Option<&'a str>) {
    let states: Vec<Param<'_>> = filter
        .states
        .iter()
        .copied()
        .map(State::as_str)
        .map(Param::from)
        .collect();
    let kinds: Vec<Param<'_>> = filter.kinds.iter().map(|it| it.as_str().into()).collect();
    select
        .push("WHERE 1 = 1", &[])
        .filter(
            "AND tenant = ?",
            filter.tenant.as_ref().map(TenantId::as_str),
        )
        .any_of("AND state IN", &states)
        .any_of("AND kind IN", &kinds)
        .filter("AND priority = ?", filter.priority.map(i64::from))
        .filter("AND creator = ?", filter.creator.as_ref().map(Name::as_str))
        .filter("AND creator_user = ?", filter.creator_user.as_deref())
        .filter(
            "AND reviewer = ?",
            filter.reviewer.as_ref().map(Name::as_str),
        )
        .filter("AND parent = ?", filter.parent.as_ref().map(TaskId::as_str));
    if let Some(handle) = &filter.assignee {
        // By the index that begins with the tenant, of which there are few: looking at every task of
        // a large board for somebody's few would hold up everybody.
        let handle = handle.as_str();
        let tenant = filter.tenant.as_ref().map(TenantId::as_str);
        select
            .push("AND position IN (SELECT mine.position FROM task mine WHERE mine.assignee = ?", params![handle])
            .push(if tenant.is_some() { "AND mine.tenant = ?" } else { "AND mine.tenant IN (SELECT id FROM tenant)" },
                tenant.map(Param::from).as_slice())
            .push("UNION SELECT helped.position FROM task_helper JOIN task helped ON helped.id = task_helper.task \
                 WHERE task_helper.handle = ?", params![handle])
            .push(if tenant.is_some() { "AND task_helper.tenant = ?)" } else { "AND task_helper.tenant IN (SELECT id FROM tenant))" },
                tenant.map(Param::from).as_slice());
    }
    if filter.unassigned {
        select.push("AND assignee IS NULL", &[]);
    }
    for label in &filter.labels {
        select.push(
            "AND id IN (SELECT task FROM task_label WHERE label = ?)",
            params![label],
        );
    }
    select.filter("AND haystack LIKE ? ESCAPE '\\'", needle);
}

/// The pattern of a search.
fn needle(filter: &BoardFilter) -> Option<String> {
    let text = filter.search.as_ref()?.to_lowercase();
    let mut pattern = String::from("%");
    for character in text.chars() {
        if matches!(character, '%' | '_' | '\\') {
            pattern.push('\\');
        }
        pattern.push(character);
    }
    pattern.push('%');
    Some(pattern)
}

pub(crate) fn order(page: BoardPage) -> &'static str {
    match (page.order, page.descending) {
        (BoardOrder::Priority, false) => "ORDER BY priority, position LIMIT ? OFFSET ?",
        (BoardOrder::Priority, true) => "ORDER BY priority DESC, position LIMIT ? OFFSET ?",
        (BoardOrder::CreatedAt, false) => "ORDER BY position LIMIT ? OFFSET ?",
        (BoardOrder::CreatedAt, true) => "ORDER BY position DESC LIMIT ? OFFSET ?",
        (BoardOrder::UpdatedAt, false) => "ORDER BY updated_at, position LIMIT ? OFFSET ?",
        (BoardOrder::UpdatedAt, true) => "ORDER BY updated_at DESC, position DESC LIMIT ? OFFSET ?",
        (BoardOrder::DueAt, false) => "ORDER BY due_at IS NULL, due_at, position LIMIT ? OFFSET ?",
        (BoardOrder::DueAt, true) => {
            "ORDER BY due_at IS NULL, due_at DESC, position LIMIT ? OFFSET ?"
        }
    }
}
