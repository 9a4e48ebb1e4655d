//! How an agent has been doing (OpenClaw contract §4, `GET /agents/{id}`).

use std::time::Duration;

use super::{Agent, find};
use crate::cost::CostFilter;
use crate::run::{self, Run, RunFilter};
use crate::state::State;
use crate::stats::Period;
use crate::task::{BoardOrder, BoardPage, Task};
use crate::{Handle, MicroUsd, Result, TaskId, TenantId, Tx};

/// So many runs are shown.
const RUNS_SHOWN: u32 = 10;
/// How long tasks take is told from so many that ended last.
const TASKS_TIMED: u32 = 100;

/// An agent and how it has been doing.
#[derive(Debug, Clone)]
pub struct Portrait {
    pub agent: Agent,
    pub tasks_completed: u64,
    pub tasks_in_progress: u64,
    /// Since Monday, in the installation's time zone.
    pub spent_this_week: MicroUsd,
    /// From the start to the end of its latest tasks; `None` when none has ended.
    pub average_task: Option<Duration>,
    /// How many of its ended runs failed, from 0 to 1.
    pub error_rate: f64,
    /// Newest first.
    pub recent_runs: Vec<Run>,
    pub current_task: Option<Task>,
}

/// An agent and how it has been doing.
///
/// # Errors
/// `agent_not_found`.
pub fn portrait(tx: &mut dyn Tx, tenant: &TenantId, handle: &Handle) -> Result<Portrait> {
    let agent = find(tx, tenant, handle)?;
    let latest = BoardPage {
        order: BoardOrder::UpdatedAt,
        descending: true,
        offset: 0,
        limit: TASKS_TIMED,
    };
    let done = tx.held_tasks(tenant, handle, &[State::Done], latest)?;
    let current_task = match agent.detail.current_task.clone() {
        Some(id) => visible(tx, tenant, &id)?,
        None => None,
    };
    let runs = RunFilter {
        tenant: Some(tenant.clone()),
        agent: Some(handle.clone()),
        ..RunFilter::default()
    };
    let this_week = CostFilter {
        tenant: Some(tenant.clone()),
        agent: Some(handle.clone()),
        since: Period::Week.since(tx)?,
    };
    Ok(Portrait {
        tasks_completed: tx.held_task_count(tenant, handle, &[State::Done])?,
        tasks_in_progress: tx.held_task_count(tenant, handle, &[State::InProgress])?,
        spent_this_week: tx.cost(&this_week)?.cost,
        average_task: average(&done),
        error_rate: error_rate(tx, &runs)?,
        recent_runs: tx.runs(&runs, 0, RUNS_SHOWN)?,
        current_task,
        agent,
    })
}

fn visible(tx: &mut dyn Tx, tenant: &TenantId, id: &TaskId) -> Result<Option<Task>> {
    Ok(tx.task(id)?.filter(|task| task.tenant == *tenant))
}

fn error_rate(tx: &mut dyn Tx, runs: &RunFilter) -> Result<f64> {
    let mut count = |status| {
        tx.run_count(&RunFilter {
            status: Some(status),
            ..runs.clone()
        })
    };
    let failed = count(run::Status::Failed)? + count(run::Status::Timeout)?;
    let ended = failed + count(run::Status::Completed)?;
    Ok(match ended {
        0 => 0.0,
        ended => failed as f64 / ended as f64,
    })
}

fn average(done: &[Task]) -> Option<Duration> {
    let lengths: Vec<u64> = done
        .iter()
        .filter_map(|task| {
            let (from, to) = (task.detail.started_at?, task.detail.completed_at?);
            u64::try_from(to.0 - from.0).ok()
        })
        .collect();
    let sum: u64 = lengths.iter().sum();
    Some(Duration::from_millis(
        sum.checked_div(lengths.len() as u64)?,
    ))
}
