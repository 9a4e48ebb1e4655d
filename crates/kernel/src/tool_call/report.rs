//! What an agent reports of its tool calls, before and after (OpenClaw contract §11).

use super::{Judged, Level, Status, ToolCall, retry};
use crate::agent::{self, Agent};
use crate::alert::{self, NewAlert, Severity};
use crate::error::Problems;
use crate::event::{self, Happening};
use crate::policy::{self, Decision, Verdict};
use crate::run;
use crate::task::{self, Task};
use crate::{
    ApprovalId, Error, Object, Principal, Result, RunId, TaskId, Timestamp, ToolCallId, Tx, grant,
    text,
};

/// Previews are cut to so many characters (§1).
const PREVIEW: usize = 500;
const LONGEST_TOOL: usize = 200;
const LONGEST_ERROR: usize = 10_000;

/// A tool call about to begin.
#[derive(Debug, Clone)]
pub struct Report {
    pub run: RunId,
    pub tool: String,
    /// What the agent takes the risk to be.
    pub level: Level,
    pub started_at: Timestamp,
    /// `PENDING` or `RUNNING`.
    pub status: Status,
    /// `None`: the run's.
    pub task: Option<TaskId>,
    pub input_preview: Option<String>,
    pub input_hash: Option<String>,
    /// What the tool is called with: `command`, `path`, `url`, …
    pub input: Option<Object>,
    /// The approval that the agent says it has.
    pub approval: Option<ApprovalId>,
}

/// What a report came to (rulings 12: a refusal is kept, so it is no error).
#[derive(Debug, Clone, PartialEq)]
pub enum Reported {
    Admitted(ToolCall),
    /// Kept as denied; the tool must not run.
    Refused {
        call: ToolCall,
        verdict: Box<Verdict>,
    },
}

/// Judges and keeps a tool call, and uses up the grant that lets it through, if it takes one.
///
/// # Errors
/// Every problem of the report; `run_not_found`; `task_not_found`; forbidden for callers that
/// speak for no agent.
pub fn report(tx: &mut dyn Tx, who: &Principal, report: Report) -> Result<Reported> {
    let Some(agent) = agent::acting(tx, who)? else {
        return Err(Error::forbidden(
            "forbidden",
            "only an agent, or an operator acting for one, reports tool calls",
        )
        .with_detail("requiredRole", "AGENT"));
    };
    check(&report)?;
    let run = run::find(tx, who, &report.run)?;
    if run.tenant != agent.tenant || run.agent != agent.handle {
        return Err(Error::not_found("run_not_found", "there is no such run"));
    }
    let task = match (&report.task, &run.task) {
        (Some(named), _) => Some(task::get(tx, who, named)?),
        (None, Some(own)) => tx.task(own)?,
        (None, None) => None,
    };
    let action = action_of(tx, &agent, task.as_ref(), &report)?;
    let verdict = policy::judge(tx, &agent, task.as_ref(), &action, report.approval.as_ref())?;
    let call = new_call(tx, &agent, task.as_ref(), report, &action, &verdict)?;
    if verdict.decision == Decision::Allow {
        admit(tx, who, &call, &verdict)?;
        return Ok(Reported::Admitted(call));
    }
    refuse(tx, who, &call, &verdict)?;
    Ok(Reported::Refused {
        call,
        verdict: Box::new(verdict),
    })
}

/// What a call of a turn of our own runtime came to.
pub(crate) enum Judgement {
    Go(ToolCall),
    /// Kept as denied.
    Refused {
        verdict: Box<Verdict>,
    },
    /// Kept as pending: it takes an approval.
    Ask {
        call: ToolCall,
        verdict: Box<Verdict>,
    },
}

/// Judges and keeps a tool call of a turn of our own, or judges again one that waited for an approval.
///
/// # Errors
/// Every problem of the action; whatever the store meets.
pub(crate) fn weigh(
    tx: &mut dyn Tx,
    who: &Principal,
    agent: &Agent,
    task: Option<&Task>,
    report: Report,
    listed: bool,
    waiting: Option<ToolCall>,
) -> Result<Judgement> {
    let action = action_of(tx, agent, task, &report)?;
    let verdict = policy::judge_listed(tx, agent, task, &action, report.approval.as_ref(), listed)?;
    let made = new_call(tx, agent, task, report, &action, &verdict)?;
    let mut call = match waiting {
        Some(waiting) => ToolCall {
            id: waiting.id,
            position: waiting.position,
            created_at: waiting.created_at,
            ..made
        },
        None => made,
    };
    match verdict.decision {
        Decision::Allow => {
            admit(tx, who, &call, &verdict)?;
            Ok(Judgement::Go(call))
        }
        Decision::NeedsApproval => {
            (call.status, call.ended_at) = (Status::Pending, None);
            tx.put_tool_call(&call)?;
            let verdict = Box::new(verdict);
            Ok(Judgement::Ask { call, verdict })
        }
        Decision::Deny => {
            refuse(tx, who, &call, &verdict)?;
            let verdict = Box::new(verdict);
            Ok(Judgement::Refused { verdict })
        }
    }
}

/// Keeps a call that may run, and uses up what lets it.
fn admit(tx: &mut dyn Tx, who: &Principal, call: &ToolCall, verdict: &Verdict) -> Result<()> {
    tx.put_tool_call(call)?;
    for id in &verdict.grants {
        grant::consume(tx, who, id)?;
    }
    let what = Happening::ToolCallStarted(call.clone());
    event::record(tx, who, &call.tenant, what)
}

fn check(report: &Report) -> Result<()> {
    let mut problems = Problems::default();
    text::check_present(&mut problems, "toolName", &report.tool);
    if report.tool.chars().count() > LONGEST_TOOL {
        problems.add(
            "toolName",
            format!("must be at most {LONGEST_TOOL} characters"),
        );
    }
    if report.status.is_over() {
        problems.add("status", "must be PENDING or RUNNING for a new tool call");
    }
    check_hash(&mut problems, "inputHash", report.input_hash.as_deref());
    problems.into_result()
}

fn check_hash(problems: &mut Problems, field: &str, hash: Option<&str>) {
    let Some(hash) = hash else { return };
    if hash.len() != 64 || !hash.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        problems.add(field, "must be a SHA-256 in 64 hexadecimal digits");
    }
}

/// The action as policy reads it. A preview stands in for an input that was not given: as the
/// object it is, or else as the command line of a tool that runs commands. Of any other tool it is
/// prose, which says nothing that could be judged.
fn action_of(
    tx: &mut dyn Tx,
    agent: &Agent,
    task: Option<&Task>,
    report: &Report,
) -> Result<Object> {
    let mut action = match (&report.input, report.input_preview.as_deref()) {
        (Some(input), _) => input.clone(),
        (None, None) => Object::new(),
        (None, Some(preview)) => match serde_json::from_str(preview) {
            Ok(object) => object,
            Err(_) => {
                let force = policy::in_force(tx, &agent.tenant, Some(&agent.handle), task)?;
                let is_command = force.rules.is_shell(&report.tool);
                let command = is_command.then(|| ("command".to_owned(), preview.into()));
                command.into_iter().collect()
            }
        },
    };
    action.insert("type".to_owned(), "TOOL_CALL".into());
    action.insert("tool".to_owned(), report.tool.as_str().into());
    Ok(action)
}

fn new_call(
    tx: &mut dyn Tx,
    agent: &Agent,
    task: Option<&Task>,
    report: Report,
    action: &Object,
    verdict: &Verdict,
) -> Result<ToolCall> {
    let now = tx.now();
    let denied = verdict.decision != Decision::Allow;
    let input = match (report.input_preview, &report.input) {
        (Some(preview), _) => Some(preview),
        (None, Some(input)) => Some(serde_json::to_string(input).map_err(Error::internal)?),
        (None, None) => None,
    };
    Ok(ToolCall {
        id: ToolCallId::new(tx.mint(ToolCallId::PREFIX)),
        position: tx.next_position()?,
        tenant: agent.tenant.clone(),
        run: report.run,
        agent: agent.handle.clone(),
        task: task.map(|task| task.id.clone()),
        tool: report.tool,
        level: report.level.max(verdict.level),
        reported_level: report.level,
        judged: Some(Judged {
            decision: verdict.decision.as_str().to_owned(),
            reason: verdict.reason.clone(),
            violations: verdict.violations.clone(),
            grants: verdict.grants.clone(),
            approval: verdict.approval.clone(),
        }),
        fingerprint: Some(verdict.fingerprint.clone()),
        action: Some(policy::redact_all(action)),
        input_hash: report
            .input_hash
            .or_else(|| input.as_deref().map(|text| policy::digest(text.as_bytes()))),
        input_preview: input.as_deref().map(preview_of),
        output_preview: None,
        output_hash: None,
        started_at: report.started_at,
        ended_at: denied.then_some(now),
        status: if denied {
            Status::Denied
        } else {
            report.status
        },
        error: None,
        retry_count: 0,
        created_at: now,
        updated_at: now,
    })
}

/// What is shown of an input or output: without secrets, and not much of it.
fn preview_of(text: &str) -> String {
    let (clean, _) = policy::redact(text);
    match clean.char_indices().nth(PREVIEW) {
        Some((end, _)) => clean[..end].to_owned(),
        None => clean,
    }
}

fn refuse(tx: &mut dyn Tx, who: &Principal, call: &ToolCall, verdict: &Verdict) -> Result<()> {
    tx.put_tool_call(call)?;
    let what =
        Happening::PolicyViolated(verdict.for_the_record(call.action.clone().unwrap_or_default()));
    event::record(tx, who, &call.tenant, what)?;
    let alert = NewAlert {
        severity: Severity::Warning,
        kind: "POLICY_VIOLATION",
        title: format!(
            "{} reported a call of {} that it may not make",
            call.agent, call.tool
        ),
        description: verdict.reason.clone(),
        agent: Some(call.agent.clone()),
        task: call.task.clone(),
        run: Some(call.run.clone()),
        metadata: None,
    };
    alert::raise(tx, who, &call.tenant, alert).map(drop)
}

/// What became of a tool call; `None` leaves what is known.
#[derive(Debug, Clone, Default)]
pub struct Change {
    pub ended_at: Option<Timestamp>,
    pub status: Option<Status>,
    pub output_preview: Option<String>,
    pub output_hash: Option<String>,
    pub error: Option<String>,
    pub retry_count: Option<u32>,
}

/// The tool call, if it is there for this caller: an agent sees its own.
///
/// # Errors
/// `tool_call_not_found`, for another tenant's too; forbidden for another agent's.
pub fn get(tx: &mut dyn Tx, who: &Principal, id: &ToolCallId) -> Result<ToolCall> {
    let call = tx
        .tool_call(id)?
        .filter(|call| who.sees(&call.tenant))
        .ok_or_else(|| Error::not_found("tool_call_not_found", "there is no such tool call"))?;
    if who.handle().is_some_and(|own| *own != call.agent) {
        return Err(Error::forbidden(
            "forbidden",
            format!(
                "{id} is a call of {}; an agent sees only its own",
                call.agent
            ),
        )
        .with_detail("requiredRole", "OPERATOR"));
    }
    Ok(call)
}

/// Keeps what became of a tool call. Of one that is over, all but the status may still be
/// corrected.
///
/// # Errors
/// `tool_call_not_found`; every problem of the change; `already_processed` for another status
/// than the one it ended with.
pub fn update(
    tx: &mut dyn Tx,
    who: &Principal,
    id: &ToolCallId,
    change: Change,
) -> Result<ToolCall> {
    agent::acting(tx, who)?;
    let before = get(tx, who, id)?;
    check_change(&before, &change)?;
    let mut call = before.clone();
    if let Some(status) = change.status {
        call.status = next_status(&before, status)?;
    }
    call.ended_at = change.ended_at.or(before.ended_at);
    if call.status.is_over() {
        let now = tx.now();
        call.ended_at.get_or_insert(now);
    }
    if let Some(output) = &change.output_preview {
        call.output_preview = Some(preview_of(output));
        call.output_hash = Some(policy::digest(output.as_bytes()));
    }
    call.output_hash = change.output_hash.or(call.output_hash);
    if let Some(error) = change.error {
        call.error = Some(policy::redact(&error).0);
    }
    call.retry_count = change.retry_count.unwrap_or(call.retry_count);
    if call == before {
        return Ok(call);
    }
    call.updated_at = tx.now();
    tx.put_tool_call(&call)?;
    if call.status.is_over() && !before.status.is_over() {
        let what = Happening::ToolCallCompleted(call.clone());
        event::record(tx, who, &call.tenant, what)?;
        retry::watch(tx, who, &call)?;
    }
    Ok(call)
}

fn check_change(call: &ToolCall, change: &Change) -> Result<()> {
    let mut problems = Problems::default();
    if change.ended_at.is_some_and(|at| at < call.started_at) {
        problems.add("endedAt", "must not be before startedAt");
    }
    if let Some(error) = &change.error {
        text::check(&mut problems, "error", error);
        if error.chars().count() > LONGEST_ERROR {
            problems.add(
                "error",
                format!("must be at most {LONGEST_ERROR} characters"),
            );
        }
    }
    check_hash(&mut problems, "outputHash", change.output_hash.as_deref());
    problems.into_result()
}

fn next_status(call: &ToolCall, to: Status) -> Result<Status> {
    if call.status == to || !call.status.is_over() && to != Status::Pending {
        return Ok(to);
    }
    Err(Error::conflict(
        "already_processed",
        format!("{} is {} already", call.id, call.status.as_str()),
    )
    .with_detail("status", call.status.as_str()))
}
