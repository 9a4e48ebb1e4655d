//! An agent that fails at the same call over and over is stopped (OpenClaw contract §9.5,
//! `TOOL_RETRY_LOOP`).

use super::{Status, ToolCall};
use crate::agent;
use crate::loops::{self, LoopKind};
use crate::{Principal, Result, Tx, policy};

/// Looks whether a call that has just ended is one failure too many: the task is blocked, and the
/// agent put into quarantine.
///
/// # Errors
/// Whatever the store meets.
pub(super) fn watch(tx: &mut dyn Tx, who: &Principal, call: &ToolCall) -> Result<()> {
    let (Status::Failed, Some(error)) = (call.status, &call.error) else {
        return Ok(());
    };
    let task = match &call.task {
        Some(id) => tx.task(id)?,
        None => None,
    };
    let limits = policy::settings(tx, &call.tenant, Some(&call.agent), task.as_ref())?.loops;
    let mut since = tx.now().before(limits.tool_retries_within);
    if let Some(looked_at) = task.as_ref().and_then(|task| task.detail.loops_from) {
        since = since.max(looked_at);
    }
    let failures = tx.failed_call_count(&call.run, &call.tool, error, since)?;
    if failures < u64::from(limits.tool_retries) {
        return Ok(());
    }
    let detail = format!(
        "{} of {} failed {failures} times within {} min: {error}",
        call.tool,
        call.agent,
        limits.tool_retries_within.as_secs() / 60
    );
    if let Some(task) = task {
        loops::block(tx, task, LoopKind::ToolRetryLoop, &detail)?;
    }
    let Some(mut agent) = tx.agent(&call.tenant, &call.agent)? else {
        return Ok(());
    };
    if agent.status == agent::Status::Quarantined {
        return Ok(());
    }
    let mut system = Principal::system().within(call.tenant.clone())?;
    system.request.clone_from(&who.request);
    agent::quarantine(tx, &system, &mut agent, &detail).map(drop)
}
