//! A turn of our own runtime asks for a tool call in the name of its agent (design §4): the request that
//! both contracts show, as a tool request and as an approval.

use super::ask::{hold, tell_operator};
use super::{Approval, Ask, Detail, PATIENCE, Risk, Status};
use crate::event::{self, Happening};
use crate::policy::Verdict;
use crate::task::{Flow, Task};
use crate::tool_call::{Level, ToolCall};
use crate::{ApprovalId, Principal, Result, Tx};

/// Asks. It waits until somebody decides, however long that takes (rulings 7); a gated task that is being
/// worked on waits too.
///
/// # Errors
/// Whatever the store meets.
pub(crate) fn ask_for_call(
    tx: &mut dyn Tx,
    who: &Principal,
    task: Option<Task>,
    call: &ToolCall,
    verdict: &Verdict,
) -> Result<Approval> {
    let now = tx.now();
    let wanted = call.input_preview.as_deref().unwrap_or_default();
    let approval = Approval {
        id: ApprovalId::new(tx.mint(ApprovalId::PREFIX)),
        position: tx.next_position()?,
        tenant: call.tenant.clone(),
        requestor: call.agent.clone(),
        task: call.task.clone(),
        title: format!("Call {}", call.tool),
        justification: format!(
            "{}. It is about to call {} with {wanted}",
            verdict.reason, call.tool
        ),
        interface: Some(call.tool.clone().into()),
        scope: None,
        risk: match verdict.level {
            Level::Green | Level::Yellow => Risk::Medium,
            Level::Red => Risk::High,
        },
        status: Status::Pending,
        created_at: now,
        decided_at: None,
        decided_by: None,
        decision_note: None,
        expires_at: None,
        detail: Box::new(Detail {
            ask: Some(Ask::ToolExec),
            tool_call: Some(call.id.clone()),
            payload: call.action.clone(),
            fingerprint: call.fingerprint.clone(),
            violations: verdict.violations.clone(),
            escalate_at: Some(now.after(PATIENCE)),
            ..Detail::default()
        }),
    };
    tx.insert_approval(&approval)?;
    let what = Happening::ApprovalCreated(approval.clone());
    event::record(tx, who, &approval.tenant, what)?;
    // A free task's status is its users' word; nobody but them changes it.
    if let Some(task) = task.filter(|task| task.flow == Flow::Gated) {
        hold(tx, who, task, &approval)?;
    }
    tell_operator(tx, who, &approval)?;
    Ok(approval)
}
