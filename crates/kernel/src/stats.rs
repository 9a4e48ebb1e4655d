//! How an installation does, in numbers (OpenClaw contract §4).

use std::time::Duration;

use crate::agent::{self, AgentFilter};
use crate::alert::{self, AlertFilter, Severity};
use crate::approval::{self, ApprovalFilter};
use crate::budget;
use crate::cost::{CostFilter, CostSum};
use crate::kind::TaskKind;
use crate::task::Tally;
use crate::{Handle, MicroUsd, Result, TenantId, Timestamp, Tx};

const WEEK: Duration = Duration::from_secs(7 * 86_400);
const MONTH: Duration = Duration::from_secs(30 * 86_400);
/// How many models are named; what the others cost is in the total.
const MODELS: u32 = 100;

/// A span of time up to now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Period {
    /// Since midnight in the installation's time zone.
    Day,
    /// The last seven days, to the quarter of an hour.
    Week,
    /// The last thirty days, to the quarter of an hour.
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
        Ok(match self {
            Self::Day => budget::day(tx)?.begins_at,
            Self::Week => tx.now().before(WEEK),
            Self::Month => tx.now().before(MONTH),
        })
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
pub fn costs(
    tx: &mut dyn Tx,
    tenant: &TenantId,
    agent: &Handle,
    period: Period,
) -> Result<Costs> {
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
