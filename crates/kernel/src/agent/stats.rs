//! What an agent has done, in numbers (OpenClaw contract §4).

use std::time::Duration;

use crate::cost::CostFilter;
use crate::run::{Run, RunFilter};
use crate::state::State;
use crate::task::{BoardFilter, BoardOrder, BoardPage, Task};
use crate::{MicroUsd, Result, Tx};

use super::Agent;

/// How many of its runs are shown with an agent.
const RECENT: u32 = 10;
/// Over how many finished tasks and runs averages are taken.
const LOOKED_AT: u32 = 100;
const WEEK: Duration = Duration::from_secs(7 * 86_400);

/// What an agent has done.
#[derive(Debug, Clone)]
pub struct Stats {
    pub tasks_completed: u64,
    pub tasks_in_progress: u64,
    pub spent_this_week: MicroUsd,
    /// From beginning to acceptance, over the last hundred; `None` before the first.
    pub average_task: Option<Duration>,
    /// Of the last hundred runs, those that failed; 0 to 1.
    pub error_rate: f64,
    pub recent_runs: Vec<Run>,
    pub current_task: Option<Task>,
}

/// What an agent has done, in numbers.
///
/// # Errors
/// Whatever the store meets.
pub fn stats(tx: &mut dyn Tx, agent: &Agent) -> Result<Stats> {
    let of = |state| BoardFilter {
        tenant: Some(agent.tenant.clone()),
        states: vec![state],
        assignee: Some(agent.handle.clone()),
        ..BoardFilter::default()
    };
    let runs = RunFilter {
        tenant: Some(agent.tenant.clone()),
        agent: Some(agent.handle.clone()),
        ..RunFilter::default()
    };
    let week = CostFilter {
        tenant: Some(agent.tenant.clone()),
        agent: Some(agent.handle.clone()),
        since: tx.now().before(WEEK),
    };
    let mut recent = tx.runs(&runs, 0, LOOKED_AT)?;
    let failed = recent.iter().filter(|run| run.status.is_failure()).count();
    let error_rate = if recent.is_empty() {
        0.0
    } else {
        failed as f64 / recent.len() as f64
    };
    recent.truncate(RECENT as usize);
    let newest = BoardPage {
        order: BoardOrder::UpdatedAt,
        descending: true,
        offset: 0,
        limit: LOOKED_AT,
    };
    let done = tx.board(&of(State::Done), newest)?;
    let current_task = match &agent.detail.current_task {
        Some(id) => tx.task(id)?,
        None => None,
    };
    Ok(Stats {
        tasks_completed: tx.board_count(&of(State::Done))?,
        tasks_in_progress: tx.board_count(&of(State::InProgress))?,
        spent_this_week: tx.cost(&week)?.cost,
        average_task: average(&done),
        error_rate,
        recent_runs: recent,
        current_task,
    })
}

fn average(done: &[Task]) -> Option<Duration> {
    let took: Vec<u64> = done
        .iter()
        .filter_map(|task| {
            let (from, to) = (task.detail.started_at?, task.detail.completed_at?);
            u64::try_from(to.0 - from.0).ok()
        })
        .collect();
    let count = u64::try_from(took.len()).ok().filter(|count| *count > 0)?;
    Some(Duration::from_millis(took.iter().sum::<u64>() / count))
}
