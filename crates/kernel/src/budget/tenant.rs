//! What a tenant may spend in a period, all its agents together (agent-runtime §14, rulings 10).

use jiff::ToSpan as _;
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

use super::{Delta, Hold};
use crate::alert::{self, NewAlert, Severity};
use crate::cost::CostFilter;
use crate::error::Problems;
use crate::{Error, MicroUsd, Principal, Result, TenantId, Timestamp, Tx};

/// What a tenant may spend, and has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TenantBudget {
    pub tenant: TenantId,
    pub limit: MicroUsd,
    pub begins_at: Timestamp,
    pub ends_at: Timestamp,
    /// It is for a calendar month and begins anew with the next.
    pub monthly: bool,
    /// Whether it stops anybody. Otherwise it only warns.
    pub hard: bool,
    /// Hundredths of the limit after which the operator is told, once a period.
    pub alert_percent: u64,
    pub alerted: bool,
    pub spent: MicroUsd,
    /// Held for calls of models in runs.
    pub reserved: MicroUsd,
    /// For calls of models outside runs.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub holds: Vec<Hold>,
}

impl TenantBudget {
    /// What may still be spent; reservations count as spent.
    #[must_use]
    pub fn left(&self) -> MicroUsd {
        self.limit.minus(self.spent).minus(self.held())
    }

    /// What is held for calls of models under way.
    #[must_use]
    pub fn held(&self) -> MicroUsd {
        self.reserved.plus(self.held_aside())
    }

    fn is_in_force(&self, now: Timestamp) -> bool {
        self.begins_at <= now && now < self.ends_at
    }

    /// The budget as it is at `now`: a monthly one begins anew with the month, and what nobody settled in its
    /// time is not held any more.
    pub(super) fn at(mut self, now: Timestamp) -> Result<Self> {
        self.holds.retain(|hold| now < hold.until);
        if self.monthly && now >= self.ends_at {
            (self.begins_at, self.ends_at) = month_of(now)?;
            (self.spent, self.alerted) = (MicroUsd::ZERO, false);
        }
        Ok(self)
    }
}

/// Where tenants' budgets are kept.
pub trait TenantBudgets {
    /// # Errors
    /// Whatever the store meets.
    fn tenant_budget(&mut self, tenant: &TenantId) -> Result<Option<TenantBudget>>;

    /// Writes a new budget or the changed one of the same tenant.
    ///
    /// # Errors
    /// Whatever the store meets.
    fn put_tenant_budget(&mut self, budget: &TenantBudget) -> Result<()>;
}

/// A budget about to be set.
#[derive(Debug, Clone, Copy)]
pub struct NewTenantBudget {
    pub limit: MicroUsd,
    /// The whole of this UTC month when left out.
    pub begins_at: Option<Timestamp>,
    /// With neither, the budget begins anew each month.
    pub ends_at: Option<Timestamp>,
    pub hard: bool,
    /// Between 0 and 1.
    pub alert_threshold: f64,
}

/// Sets what the caller's tenant may spend. What it has spent in the period counts already.
///
/// # Errors
/// Every problem of the request; forbidden for agents.
pub fn set_for_tenant(
    tx: &mut dyn Tx,
    who: &Principal,
    new: NewTenantBudget,
) -> Result<TenantBudget> {
    who.operate("set a tenant's budget")?;
    let tenant = who.tenant()?.clone();
    let mut problems = Problems::default();
    if new.limit == MicroUsd::ZERO {
        problems.add("budget_usd", "must be more than 0");
    }
    if !(0.0..=1.0).contains(&new.alert_threshold) {
        problems.add("alert_threshold", "must be 0 to 1");
    }
    let (month_begins, month_ends) = month_of(tx.now())?;
    let begins_at = new.begins_at.unwrap_or(month_begins);
    let ends_at = new.ends_at.unwrap_or(month_ends);
    if begins_at >= ends_at {
        problems.add("period_end", "must be after period_start");
    }
    problems.into_result()?;
    tx.ensure_tenant(&tenant)?;
    let spent = tx.cost(&CostFilter {
        tenant: Some(tenant.clone()),
        agent: None,
        since: begins_at,
    })?;
    let (reserved, holds) = match tx.tenant_budget(&tenant)? {
        Some(before) => (before.reserved, before.holds),
        None => (MicroUsd::ZERO, Vec::new()),
    };
    let budget = TenantBudget {
        tenant,
        limit: new.limit,
        begins_at,
        ends_at,
        monthly: new.begins_at.is_none() && new.ends_at.is_none(),
        hard: new.hard,
        alert_percent: (new.alert_threshold * 100.0).round() as u64,
        alerted: false,
        spent: spent.cost,
        reserved,
        holds,
    };
    tx.put_tenant_budget(&budget)?;
    Ok(budget)
}

/// What the caller's tenant may spend, and has.
///
/// # Errors
/// `budget_not_found`.
pub fn of_tenant(tx: &mut dyn Tx, who: &Principal) -> Result<TenantBudget> {
    let tenant = who.tenant()?;
    let found = tx.tenant_budget(tenant)?;
    let budget = found
        .ok_or_else(|| Error::not_found("budget_not_found", format!("{tenant} has no budget")))?;
    budget.at(tx.now())
}

/// Holds `more` of the tenant's budget after letting go of `before`; refuses where there is less.
pub(super) fn hold(
    tx: &mut dyn Tx,
    tenant: &TenantId,
    before: MicroUsd,
    more: MicroUsd,
) -> Result<()> {
    let Some(known) = tx.tenant_budget(tenant)? else {
        return Ok(());
    };
    let now = tx.now();
    let mut budget = known.clone().at(now)?;
    budget.reserved = budget.reserved.minus(before);
    check(&budget, more, now)?;
    budget.reserved = budget.reserved.plus(more);
    if budget == known {
        return Ok(());
    }
    tx.put_tenant_budget(&budget)
}

/// Refuses where less than `more` is left.
pub(super) fn check(budget: &TenantBudget, more: MicroUsd, now: Timestamp) -> Result<()> {
    if !budget.hard || !budget.is_in_force(now) {
        return Ok(());
    }
    let (whose, left) = (format!("tenant {}", budget.tenant), budget.left());
    super::book::check_left(&whose, more, Some(left)).map_err(|error| {
        let until = (budget.ends_at.0 - now.0).max(0) / 1000;
        error.with_detail("retryAfterSec", until)
    })
}

/// Enters what was spent, and lets go of what was held for it.
pub(super) fn enter(
    tx: &mut dyn Tx,
    who: &Principal,
    tenant: &TenantId,
    delta: Delta,
    let_go: impl FnOnce(&mut TenantBudget),
) -> Result<()> {
    let Some(known) = tx.tenant_budget(tenant)? else {
        return Ok(());
    };
    let now = tx.now();
    let mut budget = known.clone().at(now)?;
    let_go(&mut budget);
    if budget.is_in_force(now) {
        budget.spent = delta.apply(budget.spent);
    }
    let is_near = super::is_gone(budget.spent, budget.limit, budget.alert_percent);
    let tells = is_near && !budget.alerted && budget.is_in_force(now);
    budget.alerted |= tells;
    if budget == known {
        return Ok(());
    }
    tx.put_tenant_budget(&budget)?;
    if !tells {
        return Ok(());
    }
    let alert = NewAlert {
        severity: Severity::Warning,
        kind: "TENANT_BUDGET",
        title: format!("Tenant {tenant} has spent most of its budget"),
        description: format!("{} of {} US dollars are spent.", budget.spent, budget.limit),
        agent: None,
        task: None,
        run: None,
        metadata: None,
    };
    alert::raise(tx, &super::system_for(who, tenant)?, tenant, alert).map(drop)
}

/// The UTC month that `now` lies in.
fn month_of(now: Timestamp) -> Result<(Timestamp, Timestamp)> {
    let first = now
        .to_calendar()
        .to_zoned(TimeZone::UTC)
        .first_of_month()
        .and_then(|first| first.start_of_day())
        .map_err(Error::internal)?;
    let next = first.checked_add(1.month()).map_err(Error::internal)?;
    Ok((
        Timestamp(first.timestamp().as_millisecond()),
        Timestamp(next.timestamp().as_millisecond()),
    ))
}
