//! What runs cost, kept as it comes in: how much, by whom, with which model, on which kind of task,
//! in which quarter of an hour.
//!
//! Statistics add up these rows instead of the runs, of which there are far more. A quarter of an
//! hour, because every time zone's midnight falls on one.

use crate::kind::TaskKind;
use crate::{Handle, MicroUsd, Result, TenantId, Timestamp};

const QUARTER_MS: i64 = 15 * 60 * 1000;

/// A quarter of an hour, counted from 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Quarter(pub i64);

impl Quarter {
    /// The one that `at` lies in.
    #[must_use]
    pub fn of(at: Timestamp) -> Self {
        Self(at.0.div_euclid(QUARTER_MS))
    }
}

/// A change of what was spent. Amounts may be negative: a report that is corrected.
#[derive(Debug, Clone)]
pub struct Entry<'a> {
    pub tenant: &'a TenantId,
    /// `None`: a call of a model outside any run.
    pub agent: Option<&'a Handle>,
    pub quarter: Quarter,
    pub model: &'a str,
    pub kind: Option<TaskKind>,
    /// 1 when the run is new.
    pub runs: i64,
    pub tokens: i64,
    /// In micro-dollars.
    pub cost: i64,
}

/// Whose costs, and since when; all that are given must match.
#[derive(Debug, Clone)]
pub struct CostFilter {
    /// `None`: every tenant's.
    pub tenant: Option<TenantId>,
    pub agent: Option<Handle>,
    /// From the quarter of an hour that this lies in.
    pub since: Timestamp,
}

/// What some runs cost together.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CostSum {
    pub runs: u64,
    pub tokens: u64,
    pub cost: MicroUsd,
}

/// Where costs are kept.
pub trait Costs {
    /// Adds to what is known already.
    ///
    /// # Errors
    /// Whatever the store meets.
    fn enter_cost(&mut self, entry: &Entry<'_>) -> Result<()>;

    /// All that the filter lets through, together.
    ///
    /// # Errors
    /// Whatever the store meets.
    fn cost(&mut self, filter: &CostFilter) -> Result<CostSum>;

    /// By model, dearest first.
    ///
    /// # Errors
    /// Whatever the store meets.
    fn cost_by_model(&mut self, filter: &CostFilter, limit: u32) -> Result<Vec<(String, CostSum)>>;

    /// By kind of task, dearest first; `None` is work on no task or on one of no kind.
    ///
    /// # Errors
    /// Whatever the store meets.
    fn cost_by_kind(&mut self, filter: &CostFilter) -> Result<Vec<(Option<TaskKind>, CostSum)>>;
}
