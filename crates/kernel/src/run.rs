//! Runs: one agent turn each, with what it cost.
//!
//! A run is taken under a lease. While its holder lives nobody else starts the same turn; when it
//! dies, whoever asks with the same key takes the run over with a higher fence, and what the dead
//! one still writes is refused.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::agent;
use crate::error::Problems;
use crate::event::{self, Happening};
use crate::kind::TaskKind;
use crate::lease::{Fence, Lease};
use crate::money::MicroUsd;
use crate::page::Position;
use crate::text;
use crate::{Error, Handle, Object, Principal, Result, RunId, TaskId, TenantId, Timestamp, Tx};

/// Where a run stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Status {
    Running,
    Completed,
    Failed,
    /// It was never heard of again.
    Timeout,
}

impl Status {
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Running => "RUNNING",
            Self::Completed => "COMPLETED",
            Self::Failed => "FAILED",
            Self::Timeout => "TIMEOUT",
        }
    }

    /// It did not end as it should.
    #[must_use]
    pub fn is_failure(self) -> bool {
        matches!(self, Self::Failed | Self::Timeout)
    }

    /// The status of this name, in upper case.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Running, Self::Completed, Self::Failed, Self::Timeout]
            .into_iter()
            .find(|status| status.as_str() == text)
    }
}

/// What a run used, in tokens and integer micro-dollars.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Spend {
    pub input_tokens: u64,
    pub output_tokens: u64,
    pub cost_microusd: u64,
}

/// One turn of one agent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Run {
    pub id: RunId,
    pub position: Position,
    pub tenant: TenantId,
    pub agent: Handle,
    /// Asked for with this key; the same key gives the first answer.
    pub key: Option<String>,
    /// Known once the turn has found or made its task.
    pub task: Option<TaskId>,
    pub status: Status,
    pub model: String,
    pub spend: Spend,
    /// Why it failed.
    pub error: Option<String>,
    /// The answer as the runtime gave it, opaque here.
    #[serde(skip)]
    pub answer: Option<String>,
    pub started_at: Timestamp,
    pub ended_at: Option<Timestamp>,
    pub lease: Lease,
    /// When a run that somebody reports is given up; `None` for a turn of our own runtime.
    #[serde(default)]
    pub due_at: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Detail::is_blank")]
    pub detail: Box<Detail>,
}

/// What is known of a run and never looked for.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Detail {
    /// Reported by somebody, as against run here.
    pub reported: bool,
    pub session_key: Option<String>,
    pub cache_read_tokens: Option<u64>,
    pub cache_write_tokens: Option<u64>,
    pub estimated_cost: Option<MicroUsd>,
    /// What of the agent's and the task's budget is still held for it.
    pub reserved: MicroUsd,
    pub metadata: Option<Object>,
    /// When we first heard of it, whatever it says of itself.
    pub received_at: Option<Timestamp>,
}

impl Detail {
    /// Nothing is known.
    #[must_use]
    pub fn is_blank(&self) -> bool {
        *self == Self::default()
    }
}

/// Which runs a list shows; all that are given must match.
#[derive(Debug, Clone, Default)]
pub struct RunFilter {
    /// `None`: every tenant's.
    pub tenant: Option<TenantId>,
    pub agent: Option<Handle>,
    pub task: Option<TaskId>,
    pub status: Option<Status>,
    /// Started at or after this.
    pub since: Option<Timestamp>,
}

/// What runs of one model on one kind of task cost together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CostRow {
    pub model: String,
    pub kind: Option<TaskKind>,
    pub runs: u64,
    pub cost: MicroUsd,
}

/// A turn about to start.
#[derive(Debug, Clone)]
pub struct NewRun {
    pub key: Option<String>,
    pub model: String,
    /// Which instance works on it.
    pub owner: String,
    /// How long it may go without renewing.
    pub lease: Duration,
}

/// What asking for a turn came to.
#[derive(Debug, Clone, PartialEq)]
pub enum Begun {
    /// The caller holds the run and does the work.
    Ours(Run),
    /// It was done before; here is the answer.
    Answered(Run),
    /// Somebody else is at it, at least until then.
    Busy { until: Timestamp },
}

/// How a turn ended.
#[derive(Debug, Clone)]
pub enum Ending {
    Completed { answer: String },
    Failed { error: String },
}

/// Where runs are kept.
pub trait Runs {
    /// # Errors
    /// Whatever the store meets.
    fn run(&mut self, id: &RunId) -> Result<Option<Run>>;

    /// # Errors
    /// Whatever the store meets.
    fn run_with_key(&mut self, tenant: &TenantId, agent: &Handle, key: &str)
    -> Result<Option<Run>>;

    /// # Errors
    /// Whatever the store meets.
    fn insert_run(&mut self, run: &Run) -> Result<()>;

    /// Writes the changed run over the one of the same id.
    ///
    /// # Errors
    /// Whatever the store meets.
    fn update_run(&mut self, run: &Run) -> Result<()>;

    /// Newest first.
    ///
    /// # Errors
    /// Whatever the store meets.
    fn runs(&mut self, filter: &RunFilter, offset: u32, limit: u32) -> Result<Vec<Run>>;

    /// # Errors
    /// Whatever the store meets.
    fn run_count(&mut self, filter: &RunFilter) -> Result<u64>;

    /// What the runs that the filter lets through cost, by model and kind of task.
    ///
    /// # Errors
    /// Whatever the store meets.
    fn run_costs(&mut self, filter: &RunFilter) -> Result<Vec<CostRow>>;

    /// Reported runs that nobody ended in time, longest due first.
    ///
    /// # Errors
    /// Whatever the store meets.
    fn due_runs(&mut self, now: Timestamp, limit: u32) -> Result<Vec<Run>>;
}

/// Asks for a turn (rulings 19).
///
/// # Errors
/// A bad key; callers that are no agent.
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
        Some(run) if run.status == Status::Running && run.lease.is_held(now) => {
            return Ok(Begun::Busy {
                until: run.lease.until,
            });
        }
        Some(run) => (run, false),
        None => (blank(tx, tenant, handle, new)?, true),
    };
    run.status = Status::Running;
    run.error = None;
    run.ended_at = None;
    run.lease.take(&new.owner, now, new.lease);
    if is_new {
        tx.insert_run(&run)?;
    } else {
        tx.update_run(&run)?;
    }
    event::record(tx, who, &run.tenant, Happening::RunStarted(run.clone()))?;
    Ok(Begun::Ours(run))
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
        detail: Box::default(),
    })
}

fn held(tx: &mut dyn Tx, who: &Principal, id: &RunId, fence: Fence) -> Result<Run> {
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
    tx.update_run(&run)
}

/// Ends a run, adding what it used since it was taken.
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
    run.spend.input_tokens += spend.input_tokens;
    run.spend.output_tokens += spend.output_tokens;
    run.spend.cost_microusd += spend.cost_microusd;
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
    tx.update_run(&run)?;
    event::record(tx, who, &run.tenant, Happening::RunEnded(run.clone()))?;
    Ok(run)
}
