//! What agents and tasks may spend, and have spent (OpenClaw contract §9; design §5).
//!
//! Money enters through runs. What a run may cost is reserved in the transaction that admits it
//! ([`reserve`](book::reserve)) and settled as it reports ([`book`](book::book)), so that runs that
//! race cannot promise more than there is. The books are brought in line with the run as it is now,
//! whatever was entered for it before; so no report is counted twice. [`watch`] says what follows
//! when a limit comes near or is passed, [`allow`] how more is allowed, and how a new day begins.

mod allow;
mod aside;
mod book;
mod tenant;
mod watch;

use crate::agent::{Agent, Purse, Status};
use crate::task::Task;
use crate::{Error, MicroUsd, Principal, Result, TenantId, Timestamp, Tx};

pub use allow::approved;
pub(crate) use allow::{begin_day, take_allowance};
pub use aside::{Hold, hold_aside, settle_aside};
pub use book::Booked;
use book::Delta;
pub(crate) use book::{book, hold, hold_for_tenant, reserve};
pub use tenant::{NewTenantBudget, TenantBudget, TenantBudgets, of_tenant, set_for_tenant};
pub use watch::Warning;
pub(crate) use watch::standing;

/// Why an agent is paused whose money is gone.
pub const PAUSED_BECAUSE: &str = "BUDGET";

/// A day as budgets count them: from midnight to midnight in the installation's time zone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Day {
    /// The moment at which this day was asked for.
    pub now: Timestamp,
    pub begins_at: Timestamp,
    pub ends_at: Timestamp,
}

/// The day of this transaction.
///
/// # Errors
/// Only at the ends of the calendar.
pub fn day(tx: &mut dyn Tx) -> Result<Day> {
    let now = tx.now();
    let local = now.to_calendar().to_zoned(tx.zone().clone());
    let begins = local.start_of_day().map_err(Error::internal)?;
    let ends = begins
        .tomorrow()
        .and_then(|next| next.start_of_day())
        .map_err(Error::internal)?;
    Ok(Day {
        now,
        begins_at: Timestamp(begins.timestamp().as_millisecond()),
        ends_at: Timestamp(ends.timestamp().as_millisecond()),
    })
}

impl Purse {
    /// When there is money again, if all of the day's is gone.
    #[must_use]
    pub fn replenished_at(&self) -> Option<Timestamp> {
        self.exceeded.then_some(self.until)
    }

    /// The figures of this moment's day: a new day begins with nothing spent.
    #[must_use]
    pub fn today(&self, now: Timestamp) -> Self {
        if now < self.until {
            return self.clone();
        }
        Self {
            reserved: self.reserved,
            ..Self::default()
        }
    }
}

/// What may still be spent; `None` where there is no limit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Remaining {
    /// By the agent today.
    pub daily: Option<MicroUsd>,
    /// By the agent on one run.
    pub per_run: Option<MicroUsd>,
    /// On the task.
    pub task: Option<MicroUsd>,
}

/// What an agent may still spend, on this task if on one; reservations count as spent (rulings 10).
#[must_use]
pub fn remaining(agent: &Agent, task: Option<&Task>, now: Timestamp) -> Remaining {
    Remaining {
        daily: left(agent, now),
        per_run: agent.detail.budget_per_run,
        task: task.and_then(left_of_task),
    }
}

/// What an agent may still spend today, reservations counted as spent; `None` where it has no limit.
#[must_use]
pub fn left(agent: &Agent, now: Timestamp) -> Option<MicroUsd> {
    let purse = agent.detail.purse.today(now);
    let limit = limit_of(agent, &purse)?;
    Some(limit.minus(purse.spent).minus(purse.reserved))
}

/// What may still be spent on a task; `None` where it has no limit.
#[must_use]
pub fn left_of_task(task: &Task) -> Option<MicroUsd> {
    let limit = limit_of_task(task)?;
    Some(
        limit
            .minus(task.detail.actual_cost)
            .minus(task.detail.reserved),
    )
}

/// What an agent may spend today, with what was allowed beyond its usual; `None` where it has no
/// limit.
#[must_use]
pub fn limit(agent: &Agent, now: Timestamp) -> Option<MicroUsd> {
    limit_of(agent, &agent.detail.purse.today(now))
}

fn limit_of(agent: &Agent, today: &Purse) -> Option<MicroUsd> {
    Some(agent.detail.budget_daily?.plus(today.extra))
}

fn limit_of_task(task: &Task) -> Option<MicroUsd> {
    Some(task.detail.budget?.plus(task.detail.extra_budget))
}

/// Whether it is for want of money that an agent is paused.
#[must_use]
pub fn holds_up(agent: &Agent) -> bool {
    agent.status == Status::Paused && agent.detail.status_reason.as_deref() == Some(PAUSED_BECAUSE)
}

/// The installation, acting because of what `who` did.
fn system_for(who: &Principal, tenant: &TenantId) -> Result<Principal> {
    let mut system = Principal::system().within(tenant.clone())?;
    system.request.clone_from(&who.request);
    Ok(system)
}

/// Whether this many hundredths of a limit are gone. Of no money at all, all is gone.
fn is_gone(spent: MicroUsd, limit: MicroUsd, percent: u64) -> bool {
    u128::from(spent.0) * 100 >= u128::from(limit.0) * u128::from(percent)
}
