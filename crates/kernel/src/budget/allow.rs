//! More money: asked for when a budget is spent, allowed by an operator, or brought by a new day
//! (OpenClaw contract §9.3).

use std::time::Duration;

use super::{day, holds_up, system_for};
use crate::agent::{self, Agent, Status};
use crate::approval::{self, Approval, ApprovalFilter, Ask, Detail, PATIENCE, Risk};
use crate::event::{self, Happening};
use crate::message::{self, MessageKind, Post};
use crate::notification::{self, Target, Tell, Type};
use crate::state::State;
use crate::task::Task;
use crate::transition::{Step, shift};
use crate::{ApprovalId, MicroUsd, Object, Principal, Result, Tx};

/// How long such a request waits.
const WAIT: Duration = Duration::from_secs(24 * 3600);
/// How long after its expiry an approval is still good (§10.2).
const GRACE: Duration = Duration::from_secs(24 * 3600);
/// More requests of one agent than this are not looked at together.
const MOST: u32 = 200;

/// Which limit is to give way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Override {
    /// What the agent may spend today.
    Daily,
    /// What one run may cost.
    Run,
    /// What the task may cost.
    Task,
}

impl Override {
    fn as_str(self) -> &'static str {
        match self {
            Self::Daily => "DAILY",
            Self::Run => "RUN",
            Self::Task => "TASK",
        }
    }

    /// What an approval is about; `None` where an agent asked and did not say.
    fn of(approval: &Approval) -> Option<Self> {
        let scope = approval.detail.payload.as_ref()?.get("scope")?.as_str()?;
        [Self::Daily, Self::Run, Self::Task]
            .into_iter()
            .find(|it| it.as_str() == scope)
    }
}

/// Asks for more in the name of an agent (rulings 10). The task waits for the answer.
///
/// # Errors
/// Whatever the store meets.
pub(super) fn ask(
    tx: &mut dyn Tx,
    system: &Principal,
    agent: &Agent,
    task: Option<Task>,
    what: Override,
    more: MicroUsd,
    because: String,
) -> Result<()> {
    let task = task.filter(|task| !task.state.is_terminal());
    let mut payload = Object::new();
    payload.insert("scope".to_owned(), what.as_str().into());
    payload.insert("amountUsd".to_owned(), more.as_dollars().into());
    let title = match what {
        Override::Task => format!("Let the task cost {more} US dollars more"),
        Override::Daily | Override::Run => {
            format!("Let {} spend {more} US dollars more today", agent.handle)
        }
    };
    let approval = Approval {
        id: ApprovalId::new(tx.mint(ApprovalId::PREFIX)),
        position: tx.next_position()?,
        tenant: agent.tenant.clone(),
        requestor: agent.handle.clone(),
        task: task.as_ref().map(|task| task.id.clone()),
        title,
        justification: because,
        interface: None,
        scope: None,
        risk: Risk::Medium,
        status: approval::Status::Pending,
        created_at: tx.now(),
        decided_at: None,
        decided_by: None,
        decision_note: None,
        expires_at: Some(tx.now().after(WAIT)),
        detail: Box::new(Detail {
            ask: Some(Ask::BudgetOverride),
            payload: Some(payload),
            estimated_cost: Some(more),
            escalate_at: Some(tx.now().after(PATIENCE)),
            ..Detail::default()
        }),
    };
    tx.insert_approval(&approval)?;
    let what = Happening::ApprovalCreated(approval.clone());
    event::record(tx, system, &agent.tenant, what)?;
    if let Some(task) = task {
        hold(tx, system, task, &approval)?;
    }
    let tell = Tell {
        target: Target::Operator,
        kind: Type::ApprovalRequest,
        title: approval.title.clone(),
        body: approval.justification.clone(),
        task: approval.task.clone(),
        message: None,
        approval: Some(approval.id.clone()),
    };
    notification::tell(tx, system, &agent.tenant, tell).map(drop)
}

fn hold(tx: &mut dyn Tx, system: &Principal, task: Task, approval: &Approval) -> Result<()> {
    let content = format!(
        "{} ({}): {}",
        approval.title, approval.id, approval.justification
    );
    let post = Post::of(MessageKind::ApprovalRequest, content);
    message::write(tx, system, &task, post)?;
    if !task.state.may_become(State::NeedsApproval) {
        return Ok(());
    }
    let step = Step::because(format!("{} waits for a decision", approval.id));
    shift(tx, system, task, State::NeedsApproval, step).map(drop)
}

/// Does what an approved request for more money means: a limit gives way, and whoever was held up
/// for it goes on. The task is let go by whoever decides. Any other approval changes nothing.
///
/// # Errors
/// Whatever the store meets.
pub fn approved(tx: &mut dyn Tx, who: &Principal, approval: &Approval) -> Result<()> {
    if approval.detail.ask != Some(Ask::BudgetOverride) {
        return Ok(());
    }
    let more = approval.detail.estimated_cost.unwrap_or_default();
    match Override::of(approval) {
        // Taken by the run that needs it.
        Some(Override::Run) => Ok(()),
        Some(Override::Task) => {
            let Some(id) = &approval.task else {
                return Ok(());
            };
            if let Some(mut task) = tx.task(id)? {
                task.detail.extra_budget = task.detail.extra_budget.plus(more);
                task.detail.budget_exceeded = false;
                task.updated_at = tx.now();
                tx.update_task(&task)?;
            }
            approval::use_up(tx, approval.clone())
        }
        Some(Override::Daily) => {
            allow_today(tx, who, approval, more)?;
            approval::use_up(tx, approval.clone())
        }
        // What an agent asked for without a word on which limit lets one run past its cap too.
        None => allow_today(tx, who, approval, more),
    }
}

fn allow_today(
    tx: &mut dyn Tx,
    who: &Principal,
    approval: &Approval,
    more: MicroUsd,
) -> Result<()> {
    let Some(mut agent) = tx.agent(&approval.tenant, &approval.requestor)? else {
        return Ok(());
    };
    let today = day(tx)?;
    let mut purse = agent.detail.purse.today(today.now);
    purse.until = today.ends_at;
    purse.extra = purse.extra.plus(more);
    purse.exceeded = false;
    agent.detail.purse = purse;
    go_on(tx, &system_for(who, &approval.tenant)?, &mut agent)
}

/// Writes an agent that has money again, and lets it go on if it was held up for want of it.
fn go_on(tx: &mut dyn Tx, system: &Principal, agent: &mut Agent) -> Result<()> {
    if holds_up(agent) {
        return agent::set_status(tx, system, agent, Status::Active, None);
    }
    agent.updated_at = tx.now();
    tx.put_agent(agent)
}

/// A new day: what was spent yesterday does not count, so an agent that had spent all goes on, and
/// what was asked for is not needed any more.
///
/// # Errors
/// Whatever the store meets.
pub(crate) fn begin_day(tx: &mut dyn Tx, agent: &mut Agent) -> Result<()> {
    let today = day(tx)?;
    let system = Principal::system().within(agent.tenant.clone())?;
    agent.detail.purse = agent.detail.purse.today(today.now);
    agent.detail.purse.until = today.ends_at;
    go_on(tx, &system, agent)?;
    for approval in requests(tx, agent, approval::Status::Pending)? {
        if Override::of(&approval) == Some(Override::Daily) {
            take_back(tx, &system, approval)?;
        }
    }
    Ok(())
}

fn requests(tx: &mut dyn Tx, agent: &Agent, status: approval::Status) -> Result<Vec<Approval>> {
    let filter = ApprovalFilter {
        tenant: Some(agent.tenant.clone()),
        statuses: vec![status],
        requestor: Some(agent.handle.clone()),
        ask: Some(Ask::BudgetOverride),
        ..ApprovalFilter::default()
    };
    tx.approval_board(&filter, 0, MOST)
}

fn take_back(tx: &mut dyn Tx, system: &Principal, mut approval: Approval) -> Result<()> {
    approval.status = approval::Status::Canceled;
    approval.decided_at = Some(tx.now());
    approval.decided_by = Some(system.subject.clone());
    approval.detail.decided_by_kind = Some(system.kind());
    approval.decision_note = Some("a new day has begun".to_owned());
    approval::save(tx, &mut approval)?;
    let tenant = approval.tenant.clone();
    let what = Happening::ApprovalUpdated(approval.clone());
    event::record(tx, system, &tenant, what)?;
    let Some(id) = &approval.task else {
        return Ok(());
    };
    if !approval::pending_on(tx, id)?.is_empty() {
        return Ok(());
    }
    match tx.task(id)? {
        Some(task) if task.state == State::NeedsApproval => {
            let to = task.detail.resume_state.unwrap_or(State::InProgress);
            let step = Step::because(format!("{} is not needed any more", approval.id));
            shift(tx, system, task, to, step).map(drop)
        }
        _ => Ok(()),
    }
}

/// Takes an approval that lets one run of this agent cost so much although its cap is less; tells
/// whether there was one. It is good for one run.
///
/// # Errors
/// Whatever the store meets.
pub(crate) fn take_allowance(tx: &mut dyn Tx, agent: &Agent, cost: MicroUsd) -> Result<bool> {
    let now = tx.now();
    let is_good = |it: &Approval| {
        it.detail.used_at.is_none()
            && matches!(Override::of(it), None | Some(Override::Run))
            && it
                .detail
                .estimated_cost
                .is_some_and(|allowed| allowed >= cost)
            && it.expires_at.is_none_or(|at| now < at.after(GRACE))
    };
    let approved = requests(tx, agent, approval::Status::Approved)?;
    match approved.into_iter().find(is_good) {
        Some(approval) => approval::use_up(tx, approval).map(|()| true),
        None => Ok(false),
    }
}
