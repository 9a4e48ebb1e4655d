//! An agent that fails at the same call over and over is stopped (OpenClaw contract §9.5,
//! `TOOL_RETRY_LOOP`).

use std::time::Duration;

use super::{Status, ToolCall};
use crate::agent;
use crate::alert::{self, NewAlert, Severity};
use crate::event::{self, Happening};
use crate::message::{self, ActorType, Message, MessageKind};
use crate::state::State;
use crate::task::{Artifact, Task};
use crate::transition::{Step, shift};
use crate::{MessageId, Principal, Result, Tx, policy};

const KIND: &str = "TOOL_RETRY_LOOP";

/// Looks whether a call that has just ended is one failure too many.
///
/// # Errors
/// Whatever the store meets.
pub(super) fn watch(tx: &mut dyn Tx, who: &Principal, call: &ToolCall) -> Result<()> {
    let (Status::Failed, Some(error)) = (call.status, &call.error) else {
        return Ok(());
    };
    let limit = policy::settings(tx, &call.tenant)?.tool_retries;
    let mut since = tx.now().before(limit.window);
    if let Some(id) = &call.task
        && let Some(task) = tx.task(id)?
    {
        // Failures from before the task was last unblocked have been looked at.
        since = since.max(task.detail.loops_from.unwrap_or(since));
    }
    let failures = tx.failed_call_count(&call.run, &call.tool, error, since)?;
    if failures < u64::from(limit.count) {
        return Ok(());
    }
    let mut system = Principal::system().within(call.tenant.clone())?;
    system.request.clone_from(&who.request);
    let seen = Seen {
        call,
        error,
        failures,
        window: limit.window,
    };
    block(tx, &system, &seen)?;
    quarantine(tx, &system, &seen)
}

struct Seen<'a> {
    call: &'a ToolCall,
    error: &'a str,
    failures: u64,
    window: Duration,
}

impl Seen<'_> {
    fn sentence(&self) -> String {
        format!(
            "{} of {} failed {} times within {} minutes: {}",
            self.call.tool,
            self.call.agent,
            self.failures,
            self.window.as_secs() / 60,
            self.error
        )
    }
}

/// Blocks the task, once until it is taken out of `BLOCKED`.
fn block(tx: &mut dyn Tx, system: &Principal, seen: &Seen<'_>) -> Result<()> {
    let Some(id) = &seen.call.task else {
        return Ok(());
    };
    let Some(mut task) = tx.task(id)? else {
        return Ok(());
    };
    if !task.state.may_become(State::Blocked) || task.detail.loops.iter().any(|it| it == KIND) {
        return Ok(());
    }
    task.detail.loops.push(KIND.to_owned());
    let step = Step::because(format!("Loop detected: {KIND}"));
    let (task, _) = shift(tx, system, task, State::Blocked, step)?;
    let alert = NewAlert {
        severity: Severity::Warning,
        kind: "LOOP_DETECTED",
        title: format!("{KIND} on {:?}", task.title),
        description: seen.sentence(),
        agent: Some(seen.call.agent.clone()),
        task: Some(task.id.clone()),
        run: Some(seen.call.run.clone()),
        metadata: None,
    };
    let alert = alert::raise(tx, system, &task.tenant, alert)?;
    summarise(tx, system, &task, seen)?;
    let tenant = task.tenant.clone();
    let what = Happening::LoopDetected {
        task,
        loop_kind: KIND.to_owned(),
        alert: alert.id,
    };
    event::record(tx, system, &tenant, what)
}

/// Leaves a report of what happened in the task's thread.
fn summarise(tx: &mut dyn Tx, system: &Principal, task: &Task, seen: &Seen<'_>) -> Result<()> {
    let steps = tx.transitions(&task.id)?;
    let recent: Vec<String> = steps
        .iter()
        .rev()
        .take(5)
        .map(|it| {
            let (from, to) = (it.from.as_str(), it.to.as_str());
            format!("- {} {from} → {to} by {}", it.at, it.actor)
        })
        .collect();
    let report = format!(
        "# {KIND}\n\n{}\n\n## Last steps\n\n{}\n\n## Suggestion\n\nFind out why the call fails before \
         anything tries it again, then take the task out of BLOCKED and resume {}.\n",
        seen.sentence(),
        recent.join("\n"),
        seen.call.agent
    );
    let name = format!("loop-summary-{KIND}.md");
    let message = Message {
        id: MessageId::new(tx.mint(MessageId::PREFIX)),
        position: tx.next_position()?,
        tenant: task.tenant.clone(),
        task: task.id.clone(),
        content: format!("The task is blocked: {}", seen.sentence()),
        actor_type: ActorType::Agent,
        actor_id: Some(system.subject.clone()),
        agent_role: None,
        author: None,
        attachments: None,
        created_at: tx.now(),
        detail: Box::new(message::Detail {
            kind: Some(MessageKind::Artifact),
            author_kind: Some(system.kind()),
            author_name: Some(system.subject.clone()),
            artifacts: vec![Artifact {
                name,
                kind: "REPORT".to_owned(),
                mime_type: Some("text/markdown".to_owned()),
                size: Some(report.len() as u64),
                content: Some(report),
                ..Artifact::default()
            }],
            ..message::Detail::default()
        }),
    };
    tx.insert_message(&message)?;
    event::record(tx, system, &task.tenant, Happening::MessageCreated(message))
}

fn quarantine(tx: &mut dyn Tx, system: &Principal, seen: &Seen<'_>) -> Result<()> {
    let Some(mut agent) = tx.agent(&seen.call.tenant, &seen.call.agent)? else {
        return Ok(());
    };
    if agent.status == agent::Status::Quarantined {
        return Ok(());
    }
    let reason = Some(format!("Loop detected: {KIND}: {}", seen.sentence()));
    agent::set_status(tx, system, &mut agent, agent::Status::Quarantined, reason)
}
