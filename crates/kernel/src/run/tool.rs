//! Tool calls of a turn: judged as the agent whose turn it is, before they run (design §4, rulings 17).

use super::StepKind;
use super::step::{self, NewStep, running};
use crate::agent;
use crate::approval::{self, Approval};
use crate::lease::Fence;
use crate::tool_call::{self, Change, Judgement, Level, Report, Status};
use crate::{ApprovalId, Error, Object, Principal, Result, RunId, ToolCallId, Tx};

/// Of an error, in characters; the whole is what the model was told.
const LONGEST_ERROR: usize = 1_000;

/// A tool call that a model asked for.
#[derive(Debug, Clone)]
pub struct NewToolCall {
    pub tool: String,
    pub arguments: Object,
    /// Whoever set the agent up lets it use this tool: an entry of an allowlist.
    pub listed: bool,
    /// What was asked for this call before, if the turn stopped for it.
    pub asked: Option<ApprovalId>,
    /// What is kept with a step of this call, in the runtime's own words.
    pub body: String,
}

/// Whether a tool call may run.
#[derive(Debug, Clone, PartialEq)]
pub enum Start {
    /// It runs, under this name.
    Go(ToolCallId),
    /// It does not; why, for the model.
    Refused(String),
    /// The turn has stopped until this is decided; nobody is at it any more.
    Waits(Box<Approval>),
}

/// Judges a tool call of a turn that the caller holds, keeps it, and says whether it may run. One that
/// needs an approval asks for it and stops the turn.
///
/// # Errors
/// `run_not_found`; `lease_lost`; `run_ended`; `agent_paused` and its like, `operator_mode`.
pub fn start_tool(
    tx: &mut dyn Tx,
    who: &Principal,
    id: &RunId,
    fence: Fence,
    call: NewToolCall,
) -> Result<Start> {
    let mut run = running(tx, who, id, fence)?;
    let Some(agent) = agent::acting(tx, who)? else {
        return Err(Error::forbidden("forbidden", "only an agent has turns"));
    };
    agent::permit(tx, &agent, agent::Act::Write)?;
    let task = match &run.task {
        Some(id) => tx.task(id)?,
        None => None,
    };
    let asked = match &call.asked {
        Some(id) => tx.approval(id)?,
        None => None,
    };
    if let Some(refusal) = asked.as_ref().and_then(no) {
        return Ok(Start::Refused(refusal));
    }
    let known = match asked.as_ref().and_then(|it| it.detail.tool_call.as_ref()) {
        Some(id) => tx.tool_call(id)?,
        None => None,
    };
    let report = Report {
        run: run.id.clone(),
        tool: call.tool,
        level: Level::Green,
        started_at: tx.now(),
        status: Status::Running,
        task: run.task.clone(),
        input_preview: None,
        input_hash: None,
        input: Some(call.arguments),
        approval: asked.map(|it| it.id),
    };
    let judgement = tool_call::weigh(tx, who, &agent, task.as_ref(), report, call.listed, known)?;
    match judgement {
        Judgement::Go(made) => {
            let name = Some(made.id.clone());
            step::add(tx, &run.id, StepKind::Started, name, call.body)?;
            tx.update_run(&run)?;
            Ok(Start::Go(made.id))
        }
        Judgement::Refused { verdict } => Ok(Start::Refused(format!(
            "refused by policy: {} ({})",
            verdict.reason,
            verdict.violations.join(", ")
        ))),
        Judgement::Ask {
            call: made,
            verdict,
        } => {
            let approval = approval::ask_for_call(tx, who, task, &made, &verdict)?;
            step::add(tx, &run.id, StepKind::Waits, None, approval.id.to_string())?;
            run.waits_for = Some(approval.id.clone());
            run.lease.release();
            tx.update_run(&run)?;
            Ok(Start::Waits(Box::new(approval)))
        }
    }
}

/// Why what was asked for will not come, if it will not.
fn no(approval: &Approval) -> Option<String> {
    let how = match approval.status {
        approval::Status::Pending | approval::Status::Approved => return None,
        approval::Status::Denied => "was denied",
        approval::Status::Expired => "was not decided in time",
        approval::Status::Canceled => "was withdrawn",
    };
    let note = approval.decision_note.as_deref();
    let note = note.map(|note| format!(": {note}")).unwrap_or_default();
    Some(format!("the approval that this call needs {how}{note}"))
}

/// What became of a tool call that ran.
#[derive(Debug, Clone)]
pub struct Done {
    /// `None` for one that was refused.
    pub call: Option<ToolCallId>,
    pub ok: bool,
    /// What the model is told.
    pub output: String,
    /// Kept as the step's body.
    pub body: String,
}

/// Keeps what a tool call came to.
///
/// # Errors
/// As [`keep`](super::keep).
pub fn finish_tool(
    tx: &mut dyn Tx,
    who: &Principal,
    id: &RunId,
    fence: Fence,
    done: Done,
) -> Result<()> {
    step::keep(tx, who, id, fence, NewStep::of(StepKind::Result, done.body))?;
    let Some(call) = done.call else {
        return Ok(());
    };
    let status = if done.ok {
        Status::Success
    } else {
        Status::Failed
    };
    let change = Change {
        status: Some(status),
        error: (!done.ok).then(|| done.output.chars().take(LONGEST_ERROR).collect()),
        output_preview: Some(done.output),
        ..Change::default()
    };
    tool_call::update(tx, who, &call, change).map(drop)
}
