//! Runs.

use stationmaster_kernel::lease::{Fence, Lease};
use stationmaster_kernel::run::{Run, Runs, Spend, Status};
use stationmaster_kernel::{Handle as Name, Position, Result, RunId, TaskId, TenantId, Timestamp};

use crate::handle::Handle;
use crate::sql::{Row, malformed, params};

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT position, id, tenant, agent, idempotency_key, task, status, model, input_tokens, output_tokens, ",
            "cost_microusd, error, answer, started_at, ended_at, lease_owner, lease_until, lease_fence FROM run ",
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
        self.execute(
            "INSERT INTO run (position, id, tenant, agent, idempotency_key, task, status, model, input_tokens, \
             output_tokens, cost_microusd, error, answer, started_at, ended_at, lease_owner, lease_until, \
             lease_fence) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18)",
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
            ],
        )
        .map(drop)
    }

    fn update_run(&mut self, run: &Run) -> Result<()> {
        self.execute(
            "UPDATE run SET task = ?2, status = ?3, input_tokens = ?4, output_tokens = ?5, cost_microusd = ?6, \
             error = ?7, answer = ?8, ended_at = ?9, lease_owner = ?10, lease_until = ?11, lease_fence = ?12 \
             WHERE id = ?1",
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
            ],
        )
        .map(drop)
    }
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
    })
}
