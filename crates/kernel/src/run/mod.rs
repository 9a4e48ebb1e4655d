//! Runs: one agent turn each, with what it cost.
//!
//! A turn of our own runtime is taken under a lease (`turn`): while its holder lives nobody else
//! starts the same turn; when it dies, whoever asks with the same key takes the run over with a
//! higher fence, and what the dead one still writes is refused. An agent that runs elsewhere reports
//! its runs (`report`). Either way what they cost enters the same books (see [`budget`](crate::budget)).

mod report;
mod step;
mod take_up;
mod tool;
mod trace;
mod turn;

use std::time::Duration;

use serde::{Deserialize, Serialize};

pub use report::{
    Amended, Amendment, NewReport, Reported, Usage, amend, find, list, report, settle_due,
};
pub use step::{NewStep, StepKind, TurnStep, TurnSteps, hold, keep};
pub use take_up::{abandoned, take_up, wake};
pub use tool::{Done, NewToolCall, Start, finish_tool, start_tool};
pub use trace::{TraceFilter, Traced, trace, traces};
pub use turn::{Begun, Ending, NewRun, NewTrace, begin, end, renew};

use crate::budget::Booked;
use crate::lease::Lease;
use crate::money::MicroUsd;
use crate::page::Position;
use crate::{ApprovalId, Handle, Object, Result, RunId, TaskId, TenantId, Timestamp};

/// How long after we first heard of it a reported run is given up (OpenClaw contract §11).
pub const PATIENCE: Duration = Duration::from_secs(6 * 3600);

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
    /// A turn that has stopped until this is decided.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waits_for: Option<ApprovalId>,
    #[serde(default, skip_serializing_if = "Detail::is_blank")]
    pub detail: Box<Detail>,
}

impl Run {
    #[must_use]
    pub fn cost(&self) -> MicroUsd {
        MicroUsd(self.spend.cost_microusd)
    }

    /// Adds what was used.
    fn add(&mut self, spend: Spend) {
        let sum = |total: &mut u64, part: u64| *total = total.saturating_add(part);
        sum(&mut self.spend.input_tokens, spend.input_tokens);
        sum(&mut self.spend.output_tokens, spend.output_tokens);
        sum(&mut self.spend.cost_microusd, spend.cost_microusd);
    }

    /// All tokens that it used, those of a cache included.
    #[must_use]
    pub fn tokens(&self) -> u64 {
        let cached = [
            self.detail.cache_read_tokens,
            self.detail.cache_write_tokens,
        ];
        cached.into_iter().flatten().fold(
            self.spend
                .input_tokens
                .saturating_add(self.spend.output_tokens),
            u64::saturating_add,
        )
    }

    /// The run as it is at `now`: one whose end nobody told in time is over (rulings 12).
    #[must_use]
    pub fn as_of(mut self, now: Timestamp) -> Self {
        if self.is_overdue(now) {
            self.status = Status::Timeout;
            self.ended_at = self.due_at;
            self.error = Some("its end was not reported in time".to_owned());
        }
        self
    }

    /// Whether nobody told in time how it ended, written down yet or not (rulings 12).
    #[must_use]
    pub fn is_overdue(&self, now: Timestamp) -> bool {
        self.status == Status::Running && self.due_at.is_some_and(|at| at <= now)
    }
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
    /// It was allowed to cost more than a run of its agent may.
    pub may_pass_cap: bool,
    /// Which trace it is in.
    pub trace: Option<String>,
    /// What of the tenant's work it belongs to, as its caller named it; there where `trace` is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub workspace: Option<String>,
    /// Whose models it asks.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub provider: Option<String>,
    pub booked: Booked,
    /// `None`: it never changed.
    pub updated_at: Option<Timestamp>,
}

impl Detail {
    /// Nothing is known.
    #[must_use]
    pub fn is_blank(&self) -> bool {
        *self == Self::default()
    }
}

/// Keeps a run that changed.
///
/// # Errors
/// Whatever the store meets.
pub(crate) fn save(tx: &mut dyn crate::Tx, run: &mut Run) -> Result<()> {
    run.detail.updated_at = Some(tx.now());
    tx.update_run(run)
}

/// Which runs a list shows; all that are given must match.
#[derive(Debug, Clone, Default)]
pub struct RunFilter {
    /// `None`: every tenant's.
    pub tenant: Option<TenantId>,
    pub agent: Option<Handle>,
    pub task: Option<TaskId>,
    pub status: Option<Status>,
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

    /// Reported runs that nobody ended in time, longest due first.
    ///
    /// # Errors
    /// Whatever the store meets.
    fn due_runs(&mut self, now: Timestamp, limit: u32) -> Result<Vec<Run>>;

    /// Turns that go on but that nobody is at, longest abandoned first.
    ///
    /// # Errors
    /// Whatever the store meets.
    fn abandoned_runs(&mut self, now: Timestamp, limit: u32) -> Result<Vec<RunId>>;

    /// When the next turn is abandoned unless its holder renews it.
    ///
    /// # Errors
    /// Whatever the store meets.
    fn next_abandoned(&mut self, now: Timestamp) -> Result<Option<Timestamp>>;

    /// Turns that wait for this approval.
    ///
    /// # Errors
    /// Whatever the store meets.
    fn runs_waiting_for(&mut self, approval: &ApprovalId) -> Result<Vec<Run>>;

    /// Lets the run be found by the trace that it is in now.
    ///
    /// # Errors
    /// Whatever the store meets.
    fn retrace_run(&mut self, run: &Run) -> Result<()>;

    /// The latest of the runs in this trace.
    ///
    /// # Errors
    /// Whatever the store meets.
    fn run_of_trace(&mut self, tenant: &TenantId, trace: &str) -> Result<Option<Run>>;

    /// Runs that are in a trace, the last begun first.
    ///
    /// # Errors
    /// Whatever the store meets.
    fn traced_runs(
        &mut self,
        tenant: &TenantId,
        filter: &TraceFilter,
        offset: u32,
        limit: u32,
    ) -> Result<Vec<Run>>;

    /// # Errors
    /// Whatever the store meets.
    fn traced_run_count(&mut self, tenant: &TenantId, filter: &TraceFilter) -> Result<u64>;
}
