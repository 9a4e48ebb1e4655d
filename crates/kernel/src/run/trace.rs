//! Turns as traces: what was asked, what was done for it step by step, and what came of it (agent-runtime §11).
//!
//! A trace is not kept beside the turn, it is the turn: the run and its steps.

use super::{Run, TurnStep};
use crate::{Error, Handle, Principal, Result, RunId, TenantId, Timestamp, Tx};

/// Which traces a list shows; all that are given must match.
#[derive(Debug, Clone, Default)]
pub struct TraceFilter {
    pub agent: Option<Handle>,
    pub workspace: Option<String>,
    /// Begun then or later.
    pub from: Option<Timestamp>,
    /// Begun then or earlier.
    pub until: Option<Timestamp>,
}

/// A turn with all that it did so far.
#[derive(Debug, Clone, PartialEq)]
pub struct Traced {
    pub run: Run,
    /// In order.
    pub steps: Vec<TurnStep>,
}

/// A page of the tenant's turns, the last begun first, and how many there are. An agent sees its own.
///
/// # Errors
/// Invalid for a caller that is bound to no tenant.
pub fn traces(
    tx: &mut dyn Tx,
    who: &Principal,
    filter: &TraceFilter,
    offset: u32,
    limit: u32,
) -> Result<(Vec<Run>, u64)> {
    let tenant = tenant_of(who)?;
    let mut filter = filter.clone();
    match (who.handle(), &filter.agent) {
        (Some(own), Some(asked)) if own != asked => return Ok((Vec::new(), 0)),
        (Some(own), _) => filter.agent = Some(own.clone()),
        (None, _) => {}
    }
    let count = tx.traced_run_count(tenant, &filter)?;
    Ok((tx.traced_runs(tenant, &filter, offset, limit)?, count))
}

/// One of the tenant's turns: the latest of those in the trace of this id, or the run of this id.
///
/// # Errors
/// `trace_not_found`, for other tenants' and other agents' too; invalid for a caller that is bound to no
/// tenant.
pub fn trace(tx: &mut dyn Tx, who: &Principal, id: &str) -> Result<Traced> {
    let tenant = tenant_of(who)?;
    let found = match tx.run_of_trace(tenant, id)? {
        Some(run) => Some(run),
        None => tx.run(&RunId::new(id))?,
    };
    let run = found
        .filter(|run| {
            run.tenant == *tenant
                && run.detail.trace.is_some()
                && who.handle().is_none_or(|own| *own == run.agent)
        })
        .ok_or_else(|| Error::not_found("trace_not_found", "there is no such trace"))?;
    let steps = tx.turn_steps(&run.id)?;
    Ok(Traced { run, steps })
}

fn tenant_of(who: &Principal) -> Result<&TenantId> {
    who.tenant
        .as_ref()
        .ok_or_else(|| Error::invalid("tenant_id", "is missing"))
}
