//! Calls of models outside any run (agent-runtime §11): they have no agent and no task, so their tenant alone pays.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Delta;
use super::tenant::{self, TenantBudget};
use crate::cost::{Entry, Quarter};
use crate::run::Spend;
use crate::{MicroUsd, Principal, Result, Timestamp, Tx};

/// What is held for one such call. Nobody renews it: what its holder does not settle lapses.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hold {
    pub id: String,
    pub amount: MicroUsd,
    pub until: Timestamp,
}

/// Holds what one call of a model may cost at most of what the caller's tenant may spend, for at most `time`.
/// `None` where the tenant has no budget.
///
/// # Errors
/// `budget_exceeded`.
pub fn hold_aside(
    tx: &mut dyn Tx,
    who: &Principal,
    worst: MicroUsd,
    time: Duration,
) -> Result<Option<String>> {
    let Some(known) = tx.tenant_budget(who.tenant()?)? else {
        return Ok(None);
    };
    let now = tx.now();
    let mut budget = known.at(now)?;
    tenant::check(&budget, worst, now)?;
    let id = tx.mint("hold");
    budget.holds.push(Hold {
        id: id.clone(),
        amount: worst,
        until: now.after(time),
    });
    tx.put_tenant_budget(&budget)?;
    Ok(Some(id))
}

/// Enters what such a call cost, and lets go of what was held for it.
///
/// # Errors
/// Whatever the store meets.
pub fn settle_aside(
    tx: &mut dyn Tx,
    who: &Principal,
    hold: Option<&str>,
    model: &str,
    spend: Spend,
) -> Result<()> {
    let tenant = who.tenant()?;
    let cost = MicroUsd(spend.cost_microusd);
    let tokens = spend.input_tokens.saturating_add(spend.output_tokens);
    if cost > MicroUsd::ZERO || tokens > 0 {
        let quarter = Quarter::of(tx.now());
        tx.ensure_tenant(tenant)?;
        tx.enter_cost(&Entry {
            tenant,
            agent: None,
            quarter,
            model,
            kind: None,
            runs: 0,
            tokens: tokens.cast_signed(),
            cost: cost.0.cast_signed(),
        })?;
    }
    tenant::enter(tx, who, tenant, Delta::More(cost), |budget| {
        budget.holds.retain(|it| hold != Some(it.id.as_str()));
    })
}

impl TenantBudget {
    /// What is held for calls outside runs.
    pub(super) fn held_aside(&self) -> MicroUsd {
        let amounts = self.holds.iter().map(|it| it.amount);
        amounts.fold(MicroUsd::ZERO, MicroUsd::plus)
    }
}
