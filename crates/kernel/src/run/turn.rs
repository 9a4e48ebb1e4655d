//! Turns of our own runtime, taken under a lease.

use std::time::Duration;

use super::step;
use super::{Run, Spend, Status, StepKind};
use crate::agent::{self, Act};
use crate::budget;
use crate::error::Problems;
use crate::event::{self, Happening};
use crate::lease::{Fence, Lease};
use crate::text;
use crate::{Error, Handle, MicroUsd, Principal, Result, RunId, TaskId, TenantId, Timestamp, Tx};

/// A turn about to start.
#[derive(Debug, Clone)]
pub struct NewRun {
    pub key: Option<String>,
    /// What is asked, in the runtime's own words: enough to do it again.
    pub request: String,
    pub task: Option<TaskId>,
    /// What the first call of a model may cost at most.
    pub worst: MicroUsd,
    pub trace: Option<NewTrace>,
    pub model: String,
    /// Which instance works on it.
    pub owner: String,
    /// How long it may go without renewing.
    pub lease: Duration,
}

/// Which trace a turn is in, and what such are looked for by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewTrace {
    /// The caller's own, which several turns may share, or a new one.
    pub id: String,
    /// What of the tenant's work it belongs to, as its caller named it.
    pub workspace: String,
    /// Whose models it asks.
    pub provider: Option<String>,
}

/// What asking for a turn came to.
#[derive(Debug, Clone, PartialEq)]
pub enum Begun {
    /// The caller holds the run and does the work.
    Ours(Run),
    /// It was done before; here is the answer.
    Answered(Run),
    /// It has stopped until an approval is decided.
    Waiting(Run),
    /// Somebody else is at it, at least until then.
    Busy { until: Timestamp },
}

/// How a turn ended.
#[derive(Debug, Clone)]
pub enum Ending {
    Completed { answer: String },
    Failed { error: String },
}

/// Asks for a turn (rulings 19).
///
/// # Errors
/// A bad key; callers that are no agent; `agent_paused` and its like, `operator_mode`,
/// `budget_exceeded` for an agent that may not begin one.
pub fn begin(tx: &mut dyn Tx, who: &Principal, new: &NewRun) -> Result<Begun> {
    let Some(handle) = who.handle().cloned() else {
        return Err(Error::forbidden("forbidden", "only an agent has turns"));
    };
    if let Some(key) = &new.key {
        let mut problems = Problems::default();
        text::check_present(&mut problems, "idempotency_key", key);
        if key.chars().count() > crate::idempotency::MAX_KEY {
            problems.add("idempotency_key", "must be at most 255 characters");
        }
        problems.into_result()?;
    }
    let tenant = agent::ensure_caller(tx, who)?;
    let now = tx.now();
    let known = match &new.key {
        Some(key) => tx.run_with_key(&tenant, &handle, key)?,
        None => None,
    };
    let (mut run, is_new) = match known {
        Some(run) if run.status == Status::Completed => return Ok(Begun::Answered(run)),
        Some(run) if run.status == Status::Running && run.waits_for.is_some() => {
            return Ok(Begun::Waiting(run));
        }
        Some(run) if run.status == Status::Running && run.lease.is_held(now) => {
            return Ok(Begun::Busy {
                until: run.lease.until,
            });
        }
        Some(run) => (run, false),
        None => (blank(tx, tenant, handle, new)?, true),
    };
    run.task.clone_from(&new.task);
    let is_retraced = enter_trace(&mut run, new.trace.as_ref());
    run.status = Status::Running;
    run.error = None;
    run.ended_at = None;
    admit(tx, who, &mut run, new.worst)?;
    run.lease.take(&new.owner, now, new.lease);
    if is_new {
        tx.insert_run(&run)?;
        step::add(tx, &run.id, StepKind::Request, None, new.request.clone())?;
    } else {
        super::save(tx, &mut run)?;
        if is_retraced {
            tx.retrace_run(&run)?;
        }
    }
    event::record(tx, who, &run.tenant, Happening::RunStarted(run.clone()))?;
    Ok(Begun::Ours(run))
}

/// Puts the run into this trace; tells whether it was in another one, or in none.
fn enter_trace(run: &mut Run, new: Option<&NewTrace>) -> bool {
    let (trace, workspace, provider) = match new.cloned() {
        Some(new) => (Some(new.id), Some(new.workspace), new.provider),
        None => (None, None, None),
    };
    let detail = &mut run.detail;
    let is_new = (&detail.trace, &detail.workspace) != (&trace, &workspace);
    (detail.trace, detail.workspace, detail.provider) = (trace, workspace, provider);
    is_new
}

/// Refuses a turn of an agent that is held up or has no money left.
pub(super) fn admit(
    tx: &mut dyn Tx,
    who: &Principal,
    run: &mut Run,
    worst: MicroUsd,
) -> Result<()> {
    let Some(agent) = agent::acting(tx, who)? else {
        return Ok(());
    };
    let task = match &run.task {
        Some(id) => tx.task(id)?,
        None => None,
    };
    agent::permit(tx, &agent, Act::Run(task.as_ref()))?;
    budget::hold(tx, run, worst)
}

fn blank(tx: &mut dyn Tx, tenant: TenantId, agent: Handle, new: &NewRun) -> Result<Run> {
    Ok(Run {
        id: RunId::new(tx.mint(RunId::PREFIX)),
        position: tx.next_position()?,
        tenant,
        agent,
        key: new.key.clone(),
        task: None,
        status: Status::Running,
        model: new.model.clone(),
        spend: Spend::default(),
        error: None,
        answer: None,
        started_at: tx.now(),
        ended_at: None,
        lease: Lease::free(),
        due_at: None,
        waits_for: None,
        detail: Box::default(),
    })
}

pub(super) fn held(tx: &mut dyn Tx, who: &Principal, id: &RunId, fence: Fence) -> Result<Run> {
    let run = tx
        .run(id)?
        .filter(|run| {
            who.sees(&run.tenant) && who.handle().is_none_or(|handle| *handle == run.agent)
        })
        .ok_or_else(|| Error::not_found("run_not_found", "there is no such run"))?;
    run.lease.check(fence)?;
    Ok(run)
}

/// Keeps a run longer.
///
/// # Errors
/// `run_not_found`; `lease_lost`.
pub fn renew(
    tx: &mut dyn Tx,
    who: &Principal,
    id: &RunId,
    fence: Fence,
    length: Duration,
) -> Result<()> {
    let mut run = held(tx, who, id, fence)?;
    run.lease.renew(fence, tx.now(), length)?;
    super::save(tx, &mut run)
}

/// Ends a run, adding what it used since it was taken, and enters that into the books.
///
/// # Errors
/// `run_not_found`; `lease_lost`; `run_ended` when it ended before.
pub fn end(
    tx: &mut dyn Tx,
    who: &Principal,
    id: &RunId,
    fence: Fence,
    task: Option<TaskId>,
    spend: Spend,
    ending: Ending,
) -> Result<Run> {
    let mut run = held(tx, who, id, fence)?;
    if run.status != Status::Running {
        return Err(Error::conflict("run_ended", "the run has ended already"));
    }
    run.task = task.or(run.task);
    run.add(spend);
    match ending {
        Ending::Completed { answer } => {
            run.status = Status::Completed;
            run.answer = Some(answer);
        }
        Ending::Failed { error } => {
            run.status = Status::Failed;
            run.error = Some(error.replace('\0', "\u{fffd}"));
        }
    }
    run.ended_at = Some(tx.now());
    run.lease.release();
    event::record(tx, who, &run.tenant, Happening::RunEnded(run.clone()))?;
    budget::book(tx, who, &mut run)?;
    super::save(tx, &mut run)?;
    Ok(run)
}
