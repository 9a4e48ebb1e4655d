//! Runs.

use stationmaster_kernel::lease::{Fence, Lease};
use stationmaster_kernel::run::{Run, RunFilter, Runs, Spend, Status, TraceFilter};
use stationmaster_kernel::{
    ApprovalId, Handle as Name, Position, Result, RunId, TaskId, TenantId, Timestamp,
};

use crate::handle::{Handle, from_optional_json, to_optional_json};
use crate::sql::{Row, Select, malformed, params};

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT position, id, tenant, agent, idempotency_key, task, status, model, input_tokens, output_tokens, ",
            "cost_microusd, error, answer, started_at, ended_at, lease_owner, lease_until, lease_fence, due_at, detail, waits_for ",
            "FROM run ",
            $rest
        )
    };
}

impl Runs for Handle<'_> {
    fn run(&mut self, id: &RunId) -> Result<Option<Run>> {
        self.one(select!("WHERE id = ?1"), params![id.as_str()], read)
    }

    fn run_with_key(&mut self, tenant: &TenantId, agent: &Name, key: &str) -> Result<Option<Run>> {
        self.one(
            select!("WHERE tenant = ?1 AND agent = ?2 AND idempotency_key = ?3"),
            params![tenant.as_str(), agent.as_str(), key],
            read,
        )
    }

    fn insert_run(&mut self, run: &Run) -> Result<()> {
        let detail = detail_text(run)?;
        self.execute(
            "INSERT INTO run (position, id, tenant, agent, idempotency_key, task, status, model, input_tokens, \
             output_tokens, cost_microusd, error, answer, started_at, ended_at, lease_owner, lease_until, \
             lease_fence, due_at, detail, waits_for, trace, workspace) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, \
             ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21, ?22, ?23)",
            params![
                run.position.0,
                run.id.as_str(),
                run.tenant.as_str(),
                run.agent.as_str(),
                run.key.as_ref(),
                run.task.as_ref().map(TaskId::as_str),
                run.status.as_str(),
                &run.model,
                run.spend.input_tokens.cast_signed(),
                run.spend.output_tokens.cast_signed(),
                run.spend.cost_microusd.cast_signed(),
                run.error.as_ref(),
                run.answer.as_ref(),
                run.started_at.0,
                run.ended_at.map(|at| at.0),
                run.lease.owner.as_ref(),
                run.lease.until.0,
                run.lease.fence.0,
                run.due_at.map(|at| at.0),
                detail.as_ref(),
                run.waits_for.as_ref().map(ApprovalId::as_str),
                run.detail.trace.as_ref(),
                run.detail.workspace.as_ref(),
            ],
        )
        .map(drop)
    }

    fn update_run(&mut self, run: &Run) -> Result<()> {
        let detail = detail_text(run)?;
        self.execute(
            "UPDATE run SET task = ?2, status = ?3, input_tokens = ?4, output_tokens = ?5, cost_microusd = ?6, \
             error = ?7, answer = ?8, ended_at = ?9, lease_owner = ?10, lease_until = ?11, lease_fence = ?12, \
             due_at = ?13, detail = ?14, waits_for = ?15 WHERE id = ?1",
            params![
                run.id.as_str(),
                run.task.as_ref().map(TaskId::as_str),
                run.status.as_str(),
                run.spend.input_tokens.cast_signed(),
                run.spend.output_tokens.cast_signed(),
                run.spend.cost_microusd.cast_signed(),
                run.error.as_ref(),
                run.answer.as_ref(),
                run.ended_at.map(|at| at.0),
                run.lease.owner.as_ref(),
                run.lease.until.0,
                run.lease.fence.0,
                run.due_at.map(|at| at.0),
                detail.as_ref(),
                run.waits_for.as_ref().map(ApprovalId::as_str),
            ],
        )
        .map(drop)
    }

    fn runs(&mut self, filter: &RunFilter, offset: u32, limit: u32) -> Result<Vec<Run>> {
        let mut select = Select::new(select!(""));
        narrow(&mut select, filter);
        select.push(
            "ORDER BY position DESC LIMIT ? OFFSET ?",
            params![limit, offset],
        );
        self.all(&select, read)
    }

    fn run_count(&mut self, filter: &RunFilter) -> Result<u64> {
        let mut select = Select::new("SELECT COUNT(*) FROM run");
        narrow(&mut select, filter);
        let (sql, params) = select.parts();
        self.number(sql, params)
    }

    fn due_runs(&mut self, now: Timestamp, limit: u32) -> Result<Vec<Run>> {
        self.query(
            select!("WHERE status = 'RUNNING' AND due_at IS NOT NULL AND due_at <= ?1 ORDER BY due_at LIMIT ?2"),
            params![now.0, limit],
        )?
        .into_iter()
        .map(read)
        .collect()
    }

    fn abandoned_runs(&mut self, now: Timestamp, limit: u32) -> Result<Vec<RunId>> {
        self.query(
            "SELECT id FROM run WHERE status = 'RUNNING' AND due_at IS NULL AND waits_for IS NULL \
             AND lease_until <= ?1 ORDER BY lease_until LIMIT ?2",
            params![now.0, limit],
        )?
        .into_iter()
        .map(|mut row| Ok(RunId::new(row.text()?)))
        .collect()
    }

    fn next_abandoned(&mut self, now: Timestamp) -> Result<Option<Timestamp>> {
        let next = self.one(
            "SELECT MIN(lease_until) FROM run WHERE status = 'RUNNING' AND due_at IS NULL AND waits_for IS NULL \
             AND lease_until > ?1",
            params![now.0],
            |mut row| row.optional_int(),
        )?;
        Ok(next.flatten().map(Timestamp))
    }

    fn runs_waiting_for(&mut self, approval: &ApprovalId) -> Result<Vec<Run>> {
        self.query(select!("WHERE waits_for = ?1"), params![approval.as_str()])?
            .into_iter()
            .map(read)
            .collect()
    }

    fn retrace_run(&mut self, run: &Run) -> Result<()> {
        self.execute(
            "UPDATE run SET trace = ?2, workspace = ?3 WHERE id = ?1",
            params![
                run.id.as_str(),
                run.detail.trace.as_ref(),
                run.detail.workspace.as_ref(),
            ],
        )
        .map(drop)
    }

    fn run_of_trace(&mut self, tenant: &TenantId, trace: &str) -> Result<Option<Run>> {
        self.one(
            select!("WHERE tenant = ?1 AND trace = ?2 ORDER BY position DESC LIMIT 1"),
            params![tenant.as_str(), trace],
            read,
        )
    }

    fn traced_runs(
        &mut self,
        tenant: &TenantId,
        filter: &TraceFilter,
        offset: u32,
        limit: u32,
    ) -> Result<Vec<Run>> {
        let mut select = Select::new(select!(""));
        narrow_to_traces(&mut select, tenant, filter);
        select.push(
            "ORDER BY started_at DESC, position DESC LIMIT ? OFFSET ?",
            params![limit, offset],
        );
        self.all(&select, read)
    }

    fn traced_run_count(&mut self, tenant: &TenantId, filter: &TraceFilter) -> Result<u64> {
        let mut select = Select::new("SELECT COUNT(*) FROM run");
        narrow_to_traces(&mut select, tenant, filter);
        let (sql, params) = select.parts();
        self.number(sql, params)
    }
}

fn narrow_to_traces<'a>(select: &mut Select<'a>, tenant: &'a TenantId, filter: &'a TraceFilter) {
    select
        .push(
            // The lower bound is always given: without one a planner may take another index.
            "WHERE workspace IS NOT NULL AND tenant = ? AND started_at >= ?",
            params![tenant.as_str(), filter.from.map_or(i64::MIN, |at| at.0)],
        )
        .filter("AND agent = ?", filter.agent.as_ref().map(Name::as_str))
        .filter("AND workspace = ?", filter.workspace.as_ref())
        .filter("AND started_at <= ?", filter.until.map(|at| at.0));
}

fn narrow<'a>(select: &mut Select<'a>, filter: &'a RunFilter) {
    select
        .push("WHERE run.position > 0", &[])
        .filter(
            "AND run.tenant = ?",
            filter.tenant.as_ref().map(TenantId::as_str),
        )
        .filter("AND run.agent = ?", filter.agent.as_ref().map(Name::as_str))
        .filter("AND run.task = ?", filter.task.as_ref().map(TaskId::as_str))
        .filter("AND run.status = ?", filter.status.map(Status::as_str));
}

fn detail_text(run: &Run) -> Result<Option<String>> {
    to_optional_json(Some(&run.detail).filter(|detail| !detail.is_blank()))
}

fn read(mut row: Row) -> Result<Run> {
    Ok(Run {
        position: Position(row.int()?),
        id: RunId::new(row.text()?),
        tenant: row.text()?.parse()?,
        agent: row.text()?.parse()?,
        key: row.optional_text()?,
        task: row.optional_text()?.map(TaskId::new),
        status: Status::parse(&row.text()?).ok_or_else(|| malformed("a status"))?,
        model: row.text()?,
        spend: Spend {
            input_tokens: row.count()?,
            output_tokens: row.count()?,
            cost_microusd: row.count()?,
        },
        error: row.optional_text()?,
        answer: row.optional_text()?,
        started_at: Timestamp(row.int()?),
        ended_at: row.optional_int()?.map(Timestamp),
        lease: Lease {
            owner: row.optional_text()?,
            until: Timestamp(row.int()?),
            fence: Fence(row.int()?),
        },
        due_at: row.optional_int()?.map(Timestamp),
        detail: from_optional_json(row.optional_text()?.as_deref())?.unwrap_or_default(),
        waits_for: row.optional_text()?.map(ApprovalId::new),
    })
}
