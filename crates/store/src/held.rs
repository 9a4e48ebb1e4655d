//! What an agent has, and what it might take: asked with every heartbeat, so the cost of either
//! must not grow with the board.

use stationmaster_kernel::kind::TaskKind;
use stationmaster_kernel::state::State;
use stationmaster_kernel::task::{BoardOrder, BoardPage, Task};
use stationmaster_kernel::{Handle as Name, Result, TenantId};

use crate::board::order;
use crate::handle::Handle;
use crate::sql::{Param, Select, params};
use crate::task::{COLUMNS, read};

impl Handle<'_> {
    pub(crate) fn held_page(
        &mut self,
        tenant: &TenantId,
        handle: &Name,
        states: &[State],
        page: BoardPage,
    ) -> Result<Vec<Task>> {
        let mut select = Select::new("SELECT * FROM (");
        held(&mut select, COLUMNS, tenant, handle, states);
        select
            .push(") AS held", &[])
            .push(order(page), params![page.limit, page.offset]);
        self.all(&select, read)
    }

    pub(crate) fn count_held(
        &mut self,
        tenant: &TenantId,
        handle: &Name,
        states: &[State],
    ) -> Result<u64> {
        let mut select = Select::new("SELECT COUNT(*) FROM (");
        held(&mut select, "SELECT id FROM task", tenant, handle, states);
        select.push(") AS held", &[]);
        let (sql, params) = select.parts();
        self.number(sql, params)
    }

    /// The first rows of each kind, put in order together: the index is by kind.
    pub(crate) fn claimable_page(
        &mut self,
        tenant: &TenantId,
        kinds: &[TaskKind],
        limit: u32,
    ) -> Result<Vec<Task>> {
        let first = BoardPage {
            order: BoardOrder::Priority,
            descending: false,
            offset: 0,
            limit,
        };
        let any: Vec<_> = TaskKind::ALL.into_iter().map(Some).chain([None]).collect();
        let some: Vec<_> = kinds.iter().copied().map(Some).collect();
        let wanted = if kinds.is_empty() { any } else { some };
        let mut select = Select::new("SELECT * FROM (");
        for (index, kind) in wanted.iter().enumerate() {
            let branch = if index == 0 {
                "SELECT * FROM ("
            } else {
                "UNION ALL SELECT * FROM ("
            };
            select.push(branch, &[]).push(COLUMNS, &[]).push(
                "WHERE tenant = ? AND state = 'INBOX' AND assignee IS NULL",
                params![tenant.as_str()],
            );
            match kind {
                Some(kind) => select.push("AND kind = ?", params![kind.as_str()]),
                None => select.push("AND kind IS NULL", &[]),
            };
            select
                .push(order(first), params![limit, 0i64])
                .push(") AS branch", &[]);
        }
        select
            .push(") AS merged", &[])
            .push(order(first), params![limit, 0i64]);
        self.all(&select, read)
    }
}

/// The tasks that an agent leads, and those it helps with.
fn held<'a>(
    select: &mut Select<'a>,
    columns: &str,
    tenant: &'a TenantId,
    handle: &'a Name,
    states: &[State],
) {
    let states: Vec<Param<'_>> = states.iter().map(|it| it.as_str().into()).collect();
    let (tenant, handle) = (tenant.as_str(), handle.as_str());
    select
        .push(columns, &[])
        .push("WHERE tenant = ? AND assignee = ?", params![tenant, handle])
        .any_of("AND state IN", &states)
        .push("UNION ALL", &[])
        .push(columns, &[])
        .push(
            "WHERE id IN (SELECT task FROM task_helper WHERE tenant = ? AND handle = ?)",
            params![tenant, handle],
        )
        // Not the bare column: the few tasks it helps with are looked up, not the many in a state.
        .any_of("AND state || '' IN", &states);
}
