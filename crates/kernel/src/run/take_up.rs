//! Taking up turns that nobody is at any more: their process ended, or what they waited for was decided.

use std::time::Duration;

use super::turn::{self, admit};
use super::{Ending, Run, Spend, Status};
use crate::{ApprovalId, Kind, MicroUsd, Principal, Result, RunId, Timestamp, Tx};

/// How long an agent that may not work now is left alone before its turn is looked at again.
const PATIENCE: Duration = Duration::from_secs(30);
/// A turn that was taken this often is one that kills whoever takes it.
const MOST_TAKEN: i64 = 100;

/// Turns that go on but that nobody is at, and when there may be more.
///
/// # Errors
/// Whatever the store meets.
pub fn abandoned(tx: &mut dyn Tx, limit: u32) -> Result<(Vec<RunId>, Option<Timestamp>)> {
    let now = tx.now();
    Ok((tx.abandoned_runs(now, limit)?, tx.next_abandoned(now)?))
}

/// Takes a turn that nobody is at, for whoever goes on with it; `None` when somebody was faster, or when
/// its agent may not work now: it is looked at again later.
///
/// # Errors
/// Whatever the store meets.
pub fn take_up(tx: &mut dyn Tx, id: &RunId, owner: &str, lease: Duration) -> Result<Option<Run>> {
    let now = tx.now();
    let Some(mut run) = tx.run(id)? else {
        return Ok(None);
    };
    let is_abandoned = run.status == Status::Running
        && run.due_at.is_none()
        && run.waits_for.is_none()
        && !run.lease.is_held(now)
        && run.lease.until <= now;
    if !is_abandoned {
        return Ok(None);
    }
    let who = Principal::agent(run.tenant.clone(), run.agent.clone());
    if run.lease.fence.0 >= MOST_TAKEN {
        let fence = run.lease.fence;
        let error = format!("it was begun {MOST_TAKEN} times and never ended");
        turn::end(
            tx,
            &who,
            id,
            fence,
            None,
            Spend::default(),
            Ending::Failed { error },
        )?;
        return Ok(None);
    }
    match admit(tx, &who, &mut run, MicroUsd::ZERO) {
        Ok(()) => {}
        Err(error) if matches!(error.kind, Kind::Forbidden | Kind::OverBudget) => {
            run.lease.until = now.after(PATIENCE);
            tx.update_run(&run)?;
            return Ok(None);
        }
        Err(error) => return Err(error),
    }
    run.lease.take(owner, now, lease);
    tx.update_run(&run)?;
    Ok(Some(run))
}

/// What turns waited for is decided: they may be taken up.
///
/// # Errors
/// Whatever the store meets.
pub fn wake(tx: &mut dyn Tx, approval: &ApprovalId) -> Result<()> {
    for mut run in tx.runs_waiting_for(approval)? {
        run.waits_for = None;
        tx.update_run(&run)?;
    }
    Ok(())
}
