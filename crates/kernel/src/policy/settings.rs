//! What the rules set beyond verdicts: limits, and what leads may do.

use std::time::Duration;

use stationmaster_policy::document::RoleBudget;

use super::{Document, in_force};
use crate::agent::Rank;
use crate::money::MicroUsd;
use crate::task::Task;
use crate::{Handle, Result, TenantId, Tx};

/// What the rules set beyond verdicts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    pub spawn: SpawnLimits,
    pub loops: LoopLimits,
    pub budget: BudgetLimits,
    interns: Usual,
    specialists: Usual,
    leads: Usual,
    /// A LEAD may finish a task that it does not work on itself.
    pub lead_may_complete: bool,
    /// A LEAD may decide other agents' YELLOW requests to run a tool.
    pub lead_may_approve_yellow: bool,
    /// A RED request takes two people.
    pub dual_control_red: bool,
}

/// How many agents agents may spawn (OpenClaw contract §9.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SpawnLimits {
    pub max_active: u32,
    pub max_per_parent_task: u32,
    pub max_depth: u32,
    pub lifetime: Duration,
}

/// What counts as a loop (OpenClaw contract §9.5): more than so many within so long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LoopLimits {
    pub comments: u32,
    pub comments_within: Duration,
    pub reviews: u32,
    pub ping_pong: u32,
    pub ping_pong_within: Duration,
    pub tool_retries: u32,
    pub tool_retries_within: Duration,
}

/// When an agent's spending is spoken of, in hundredths of the day's limit (OpenClaw contract §9.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BudgetLimits {
    /// The agent is told.
    pub warn: u64,
    /// The operator is alerted.
    pub critical: u64,
    /// What is asked for when all is gone, as a share of the limit.
    pub more: u64,
}

/// What an agent of a rank gets unless somebody says otherwise (OpenClaw contract §9.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Usual {
    pub budget_daily: MicroUsd,
    pub budget_per_run: MicroUsd,
    pub can_spawn: bool,
}

impl From<&RoleBudget> for Usual {
    fn from(it: &RoleBudget) -> Self {
        Self {
            budget_daily: MicroUsd(it.daily.0),
            budget_per_run: MicroUsd(it.per_run.0),
            can_spawn: it.can_spawn,
        }
    }
}

/// What the rules in force for an agent at work on a task set beyond verdicts.
///
/// # Errors
/// As [`in_force`].
pub fn settings(
    tx: &mut dyn Tx,
    tenant: &TenantId,
    agent: Option<&Handle>,
    task: Option<&Task>,
) -> Result<Settings> {
    let force = in_force(tx, tenant, agent, task)?;
    Ok(Settings::of(force.rules.document()))
}

impl Settings {
    /// What an agent of this rank gets unless somebody says otherwise.
    #[must_use]
    pub fn usual(&self, rank: Rank) -> Usual {
        match rank {
            Rank::Intern => self.interns,
            Rank::Specialist => self.specialists,
            Rank::Lead => self.leads,
        }
    }

    fn of(document: &Document) -> Self {
        let span = Duration::from_secs;
        let (spawn, loops, budget) = (&document.spawn, &document.loops, &document.budget);
        Self {
            spawn: SpawnLimits {
                max_active: spawn.max_active,
                max_per_parent_task: spawn.max_per_parent_task,
                max_depth: spawn.max_depth,
                lifetime: span(spawn.lifetime.0),
            },
            loops: LoopLimits {
                comments: loops.comments.most,
                comments_within: span(loops.comments.within.0),
                reviews: loops.reviews.most,
                ping_pong: loops.ping_pong.most,
                ping_pong_within: span(loops.ping_pong.within.0),
                tool_retries: loops.tool_retries.most,
                tool_retries_within: span(loops.tool_retries.within.0),
            },
            budget: BudgetLimits {
                warn: budget.warn_percent.into(),
                critical: budget.critical_percent.into(),
                more: budget.override_percent.into(),
            },
            interns: Usual::from(&budget.roles.intern),
            specialists: Usual::from(&budget.roles.specialist),
            leads: Usual::from(&budget.roles.lead),
            lead_may_complete: document.approvals.lead_may_complete,
            lead_may_approve_yellow: document.approvals.lead_may_approve_yellow,
            dual_control_red: document.approvals.dual_control_red,
        }
    }
}
