//! Asking for approval (OpenClaw contract §10.1).

use std::time::Duration;

use super::{Approval, ApprovalFilter, Ask, Detail, PATIENCE, Risk, Status};
use crate::agent::{self, Act, Agent, Rank};
use crate::error::Problems;
use crate::event::{self, Happening};
use crate::message::{self, MessageKind, Post};
use crate::money::MicroUsd;
use crate::notification::{self, Target, Tell, Type};
use crate::state::State;
use crate::task::{self, Task};
use crate::tool_call::Level;
use crate::transition::{Step, shift};
use crate::{ApprovalId, Error, Object, Principal, Result, TaskId, ToolCallId, Tx, policy, text};

/// How long a request waits unless its asker says otherwise.
const USUAL_WAIT: Duration = Duration::from_secs(24 * 3600);
/// How long a request may wait.
const LONGEST_WAIT: Duration = Duration::from_secs(7 * 24 * 3600);
/// How many requests of one agent may wait at once.
const MOST_PENDING: u32 = 100;
const LONGEST_SUMMARY: usize = 500;
const LONGEST_TEXT: usize = 10_000;
/// In bytes, as JSON.
const LARGEST_PAYLOAD: usize = 64 << 10;

/// What an agent asks for.
#[derive(Debug, Clone)]
pub struct Request {
    pub ask: Ask,
    /// One line.
    pub summary: String,
    pub justification: String,
    /// Yellow or red; what is green needs no approval.
    pub level: Level,
    pub task: Option<TaskId>,
    pub tool_call: Option<ToolCallId>,
    pub payload: Option<Object>,
    pub estimated_cost: Option<MicroUsd>,
    pub rollback_plan: Option<String>,
    /// `None`: a day.
    pub expires_in: Option<Duration>,
}

/// What asking came to.
#[derive(Debug, Clone, PartialEq)]
pub struct Asked {
    pub approval: Approval,
    /// False: the same was asked before and still waits.
    pub created: bool,
    /// The task it is about, as it is now.
    pub task: Option<Task>,
}

/// An agent asks. The task it is about waits from now on.
///
/// # Errors
/// Every problem of the request; forbidden for anybody who is no agent, for agents that may do
/// nothing, and on somebody else's task; `task_not_found`; `tool_call_not_found`;
/// `invalid_transition` on a task that has ended; `too_many_pending`.
pub fn ask(tx: &mut dyn Tx, who: &Principal, request: Request) -> Result<Asked> {
    let Some(agent) = agent::acting(tx, who)? else {
        return Err(
            Error::forbidden("forbidden", "only an agent asks for approval")
                .with_detail("requiredRole", "AGENT"),
        );
    };
    agent::permit(tx, &agent, Act::Write)?;
    check(&request)?;
    if let Some(id) = &request.task {
        let task = task::get(tx, who, id)?;
        check_task(&agent, &task)?;
    }
    open(tx, who, &agent, request)
}

/// Files what an agent asks for; the request has been checked.
///
/// # Errors
/// `tool_call_not_found`; `too_many_pending`.
fn open(tx: &mut dyn Tx, who: &Principal, agent: &Agent, request: Request) -> Result<Asked> {
    let task = match &request.task {
        Some(id) => tx.task(id)?,
        None => None,
    };
    if let Some(known) = same_pending(tx, agent, &request)? {
        return Ok(Asked {
            approval: known,
            created: false,
            task,
        });
    }
    let (fingerprint, violations) = action_of(tx, agent, task.as_ref(), &request)?;
    let now = tx.now();
    let approval = Approval {
        id: ApprovalId::new(tx.mint(ApprovalId::PREFIX)),
        position: tx.next_position()?,
        tenant: agent.tenant.clone(),
        requestor: agent.handle.clone(),
        task: request.task,
        title: request.summary,
        justification: request.justification,
        interface: None,
        scope: None,
        risk: match request.level {
            Level::Green | Level::Yellow => Risk::Medium,
            Level::Red => Risk::High,
        },
        status: Status::Pending,
        created_at: now,
        decided_at: None,
        decided_by: None,
        decision_note: None,
        expires_at: Some(now.after(request.expires_in.unwrap_or(USUAL_WAIT))),
        detail: Box::new(Detail {
            ask: Some(request.ask),
            tool_call: request.tool_call,
            payload: request.payload,
            estimated_cost: request.estimated_cost,
            rollback_plan: request.rollback_plan,
            fingerprint,
            violations,
            escalate_at: Some(now.after(PATIENCE)),
            ..Detail::default()
        }),
    };
    tx.insert_approval(&approval)?;
    let what = Happening::ApprovalCreated(approval.clone());
    event::record(tx, who, &approval.tenant, what)?;
    let task = match task {
        Some(task) => Some(hold(tx, who, task, &approval)?),
        None => None,
    };
    tell_operator(tx, who, &approval)?;
    Ok(Asked {
        approval,
        created: true,
        task,
    })
}

fn check(request: &Request) -> Result<()> {
    let mut problems = Problems::default();
    let mut check_text = |field: &str, text: &str, longest: usize| {
        text::check_present(&mut problems, field, text);
        if text.chars().count() > longest {
            problems.add(field, format!("must be at most {longest} characters"));
        }
    };
    check_text("actionSummary", &request.summary, LONGEST_SUMMARY);
    check_text("justification", &request.justification, LONGEST_TEXT);
    if let Some(plan) = &request.rollback_plan {
        check_text("rollbackPlan", plan, LONGEST_TEXT);
    }
    if request.level == Level::Green {
        problems.add(
            "riskLevel",
            "must be YELLOW or RED; what is GREEN needs no approval",
        );
    }
    if let Some(wait) = request.expires_in
        && (wait.is_zero() || wait > LONGEST_WAIT)
    {
        problems.add("expiresIn", "must be more than nothing and at most 7d");
    }
    if let Some(payload) = &request.payload {
        let size = serde_json::to_string(payload).map_or(usize::MAX, |text| text.len());
        if size > LARGEST_PAYLOAD {
            problems.add(
                "actionPayload",
                format!("must be at most {LARGEST_PAYLOAD} bytes of JSON"),
            );
        }
    }
    if request.ask == Ask::StateTransition {
        check_target(&mut problems, request);
    }
    problems.into_result()
}

fn check_target(problems: &mut Problems, request: &Request) {
    let Some(target) = request.payload.as_ref().and_then(|it| it.get("toStatus")) else {
        return;
    };
    if target.as_str().and_then(State::parse).is_none() {
        let names = State::ALL.map(State::as_str).join(", ");
        problems.add("actionPayload.toStatus", format!("must be one of {names}"));
    }
    if request.task.is_none() {
        problems.add(
            "taskId",
            "is required where actionPayload.toStatus is given",
        );
    }
}

fn check_task(agent: &Agent, task: &Task) -> Result<()> {
    if !task.is_assigned_to(&agent.handle) && agent.rank != Rank::Lead {
        return Err(Error::forbidden(
            "forbidden",
            format!(
                "{} is not assigned to {}; only its assignees and leads ask for approval on it",
                task.id, agent.handle
            ),
        )
        .with_detail("requiredRole", "LEAD"));
    }
    if task.state.is_terminal() {
        let allowed = Vec::<&str>::new();
        return Err(Error::conflict(
            "invalid_transition",
            format!("{} is {}", task.id, task.state.as_str()),
        )
        .with_detail("from", task.state.as_str())
        .with_detail("to", State::NeedsApproval.as_str())
        .with_detail("allowedTransitions", allowed));
    }
    Ok(())
}

/// The same request, if it waits already (OpenClaw contract §1.3).
fn same_pending(tx: &mut dyn Tx, agent: &Agent, request: &Request) -> Result<Option<Approval>> {
    let filter = ApprovalFilter {
        tenant: Some(agent.tenant.clone()),
        statuses: vec![Status::Pending],
        requestor: Some(agent.handle.clone()),
        ..ApprovalFilter::default()
    };
    let pending = tx.approval_board(&filter, 0, MOST_PENDING)?;
    let is_same = |it: &Approval| {
        it.task == request.task && it.detail.ask == Some(request.ask) && it.title == request.summary
    };
    let is_full = pending.len() >= MOST_PENDING as usize;
    match pending.into_iter().find(is_same) {
        None if is_full => Err(Error::conflict(
            "too_many_pending",
            format!(
                "{MOST_PENDING} requests of {} wait for a decision; cancel some first",
                agent.handle
            ),
        )),
        found => Ok(found),
    }
}

/// The action it is about, as policy tells one from another, and what holds it back.
fn action_of(
    tx: &mut dyn Tx,
    agent: &Agent,
    task: Option<&Task>,
    request: &Request,
) -> Result<(Option<String>, Vec<String>)> {
    if request.ask != Ask::ToolExec {
        return Ok((None, Vec::new()));
    }
    if let Some(id) = &request.tool_call {
        let call = tx
            .tool_call(id)?
            .filter(|call| call.tenant == agent.tenant && call.agent == agent.handle)
            .ok_or_else(|| Error::not_found("tool_call_not_found", "there is no such tool call"))?;
        let violations = call.judged.map(|judged| judged.violations);
        return Ok((call.fingerprint, violations.unwrap_or_default()));
    }
    let Some(payload) = &request.payload else {
        return Ok((None, Vec::new()));
    };
    let sketch = policy::sketch(tx, agent, task, payload)?;
    Ok(sketch.map_or((None, Vec::new()), |it| {
        (Some(it.fingerprint), it.violations)
    }))
}

/// Makes the task wait, and says so in its thread.
pub(super) fn hold(
    tx: &mut dyn Tx,
    who: &Principal,
    task: Task,
    approval: &Approval,
) -> Result<Task> {
    let task = match task.state {
        State::InProgress | State::Review => {
            let step = Step::because(format!("{} waits for a decision", approval.id));
            shift(tx, who, task, State::NeedsApproval, step)?.0
        }
        _ => task,
    };
    let content = format!(
        "Approval requested ({}, {}): {}\n\n{}",
        approval.id,
        approval.risk.level().as_str(),
        approval.title,
        approval.justification
    );
    message::write(
        tx,
        who,
        &task,
        Post::of(MessageKind::ApprovalRequest, content),
    )?;
    Ok(task)
}

pub(super) fn tell_operator(tx: &mut dyn Tx, who: &Principal, approval: &Approval) -> Result<()> {
    notification::tell(
        tx,
        who,
        &approval.tenant,
        Tell {
            target: Target::Operator,
            kind: Type::ApprovalRequest,
            title: format!("{} asks: {}", approval.requestor, approval.title),
            body: approval.justification.clone(),
            task: approval.task.clone(),
            message: None,
            approval: Some(approval.id.clone()),
        },
    )
    .map(drop)
}
