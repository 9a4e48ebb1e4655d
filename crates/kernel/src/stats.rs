//! How an installation does, in numbers (OpenClaw contract §4).

use jiff::ToSpan as _;
use jiff::civil::Date;

use crate::agent::{self, AgentFilter};
use crate::alert::{self, AlertFilter, Severity};
use crate::approval::{self, ApprovalFilter};
use crate::cost::{CostFilter, CostSum};
use crate::kind::TaskKind;
use crate::task::Tally;
use crate::{Error, Handle, MicroUsd, Result, TenantId, Timestamp, Tx};

/// How many models are named; what the others cost is in the total.
const MODELS: u32 = 100;

/// A span of time up to now, in the installation's time zone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Period {
    /// Since midnight.
    Day,
    /// Since Monday.
    Week,
    /// Since the first of the month.
    Month,
}

impl Period {
    const ALL: [Self; 3] = [Self::Day, Self::Week, Self::Month];

    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Day => "day",
            Self::Week => "week",
            Self::Month => "month",
        }
    }

    /// The period of this name.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|it| it.as_str() == text)
    }

    /// When it began.
    ///
    /// # Errors
    /// Only at the ends of the calendar.
    pub fn since(self, tx: &mut dyn Tx) -> Result<Timestamp> {
        let now = tx.now().to_calendar().to_zoned(tx.zone().clone());
        let first = self.first(now.date()).to_zoned(tx.zone().clone());
        let first = first.map_err(Error::internal)?;
        Ok(Timestamp(first.timestamp().as_millisecond()))
    }

    /// The day on which it began, of one that goes on at `date`.
    fn first(self, date: Date) -> Date {
        let back = match self {
            Self::Day => 0,
            Self::Week => date.weekday().to_monday_zero_offset(),
            Self::Month => date.day() - 1,
        };
        date.saturating_sub(i64::from(back).days())
    }
}

/// How things stand, of one tenant or of all.
#[derive(Debug, Clone)]
pub struct Overview {
    /// By state, kind and priority.
    pub tasks: Vec<Tally>,
    pub agents: Vec<(agent::Status, u64)>,
    pub pending_approvals: u64,
    pub open_alerts: u64,
    pub critical_alerts: u64,
    pub today: CostSum,
    pub week: CostSum,
    pub month: CostSum,
}

/// How things stand; of every tenant when none is named.
///
/// # Errors
/// Whatever the store meets.
pub fn overview(tx: &mut dyn Tx, tenant: Option<&TenantId>) -> Result<Overview> {
    let mut agents = Vec::with_capacity(agent::Status::ALL.len());
    for status in agent::Status::ALL {
        let filter = AgentFilter {
            tenant: tenant.cloned(),
            status: Some(status),
            ..AgentFilter::default()
        };
        agents.push((status, tx.agent_count(&filter)?));
    }
    let open = AlertFilter {
        tenant: tenant.cloned(),
        status: Some(alert::Status::Open),
        ..AlertFilter::default()
    };
    let critical = AlertFilter {
        severity: Some(Severity::Critical),
        ..open.clone()
    };
    Ok(Overview {
        tasks: tx.tallies(tenant)?,
        agents,
        pending_approvals: tx.approval_count(&pending(tenant))?,
        open_alerts: tx.alert_count(&open)?,
        critical_alerts: tx.alert_count(&critical)?,
        today: spent(tx, tenant, Period::Day)?,
        week: spent(tx, tenant, Period::Week)?,
        month: spent(tx, tenant, Period::Month)?,
    })
}

/// Requests that wait for a decision.
pub(crate) fn pending(tenant: Option<&TenantId>) -> ApprovalFilter {
    ApprovalFilter {
        tenant: tenant.cloned(),
        statuses: vec![approval::Status::Pending],
        ..ApprovalFilter::default()
    }
}

fn spent(tx: &mut dyn Tx, tenant: Option<&TenantId>, period: Period) -> Result<CostSum> {
    let since = period.since(tx)?;
    tx.cost(&CostFilter {
        tenant: tenant.cloned(),
        agent: None,
        since,
    })
}

/// What an agent's runs cost.
#[derive(Debug, Clone)]
pub struct Costs {
    pub since: Timestamp,
    pub sum: CostSum,
    /// Dearest first, at most a hundred.
    pub by_model: Vec<(String, CostSum)>,
    /// Dearest first; `None` is work on no task or on one of no kind.
    pub by_kind: Vec<(Option<TaskKind>, CostSum)>,
}

impl Costs {
    /// What a run cost on average; nothing where there was none.
    #[must_use]
    pub fn average(&self) -> MicroUsd {
        match self.sum.runs {
            0 => MicroUsd::ZERO,
            runs => MicroUsd(self.sum.cost.0 / runs),
        }
    }
}

/// What an agent's runs cost in a period.
///
/// # Errors
/// `agent_not_found`.
pub fn costs(tx: &mut dyn Tx, tenant: &TenantId, agent: &Handle, period: Period) -> Result<Costs> {
    agent::find(tx, tenant, agent)?;
    let since = period.since(tx)?;
    let filter = CostFilter {
        tenant: Some(tenant.clone()),
        agent: Some(agent.clone()),
        since,
    };
    Ok(Costs {
        since,
        sum: tx.cost(&filter)?,
        by_model: tx.cost_by_model(&filter, MODELS)?,
        by_kind: tx.cost_by_kind(&filter)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn periods_begin_on_midnight_on_monday_and_on_the_first() {
        let cases = [
            ("2026-11-21", "2026-11-21", "2026-11-16", "2026-11-01"),
            ("2026-11-16", "2026-11-16", "2026-11-16", "2026-11-01"),
            ("2026-11-22", "2026-11-22", "2026-11-16", "2026-11-01"),
            ("2027-01-01", "2027-01-01", "2026-12-28", "2027-01-01"),
            ("2028-02-29", "2028-02-29", "2028-02-28", "2028-02-01"),
        ];
        for (now, day, week, month) in cases {
            let now: Date = now.parse().unwrap();
            let first = |period: Period| period.first(now).to_string();
            assert_eq!(
                [
                    first(Period::Day),
                    first(Period::Week),
                    first(Period::Month)
                ],
                [day, week, month]
            );
        }
    }
}
