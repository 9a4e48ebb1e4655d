//! Bringing the books in line with what runs say they cost (OpenClaw contract §9.2).

use serde::{Deserialize, Serialize};

use super::watch::{self, Warning};
use super::{Day, day, left, left_of_task, tenant};
use crate::agent::Agent;
use crate::cost::{Entry, Quarter};
use crate::kind::TaskKind;
use crate::run::{Run, Status};
use crate::task::Task;
use crate::{Error, MicroUsd, Principal, Result, TaskId, Timestamp, Tx};

/// What of a run stands in the books.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Booked {
    /// When it was last entered; `None`: not at all.
    pub at: Option<Timestamp>,
    pub cost: MicroUsd,
    pub tokens: u64,
    /// Of the cost, what was entered on the day of `at`: no more than this is taken back from the
    /// day's spending when a report is corrected.
    pub cost_of_day: MicroUsd,
    /// What the tasks that bear the cost were told.
    pub borne: Vec<Borne>,
    /// The alert that it cost more than a run may was raised.
    pub past_cap: bool,
}

/// What one task bears of a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Borne {
    pub task: TaskId,
    pub cost: MicroUsd,
    pub tokens: u64,
}

/// A change for the better or the worse.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Delta {
    More(MicroUsd),
    Less(MicroUsd),
}

impl Delta {
    fn between(before: MicroUsd, after: MicroUsd) -> Self {
        if after >= before {
            Self::More(after.minus(before))
        } else {
            Self::Less(before.minus(after))
        }
    }

    fn is_nothing(self) -> bool {
        matches!(self, Self::More(MicroUsd::ZERO))
    }

    pub(super) fn apply(self, to: MicroUsd) -> MicroUsd {
        match self {
            Self::More(amount) => to.plus(amount),
            Self::Less(amount) => to.minus(amount),
        }
    }

    fn signed(self) -> i64 {
        match self {
            Self::More(amount) => amount.0.cast_signed(),
            Self::Less(amount) => -amount.0.cast_signed(),
        }
    }
}

/// Refuses a run whose worst case is more than its agent or its task has left, else holds that much
/// for it. The caller writes run, agent and task.
///
/// # Errors
/// `budget_exceeded`.
pub(crate) fn reserve(
    run: &mut Run,
    agent: &mut Agent,
    task: Option<&mut Task>,
    now: Timestamp,
) -> Result<()> {
    let wanted = run.detail.estimated_cost.unwrap_or_default();
    check_left(
        &format!("agent {} today", agent.handle),
        wanted,
        left(agent, now),
    )?;
    if let Some(task) = &task {
        check_left(&format!("task {}", task.id), wanted, left_of_task(task))?;
    }
    run.detail.reserved = wanted;
    let purse = &mut agent.detail.purse;
    purse.reserved = purse.reserved.plus(wanted);
    if let Some(task) = task {
        task.detail.reserved = task.detail.reserved.plus(wanted);
    }
    Ok(())
}

/// Holds what a run that somebody reports may cost of what its tenant may spend.
///
/// # Errors
/// `budget_exceeded`.
pub(crate) fn hold_for_tenant(tx: &mut dyn Tx, run: &Run) -> Result<()> {
    let wanted = run.detail.estimated_cost.unwrap_or_default();
    tenant::hold(tx, &run.tenant, MicroUsd::ZERO, wanted)
}

/// Holds what the next call of a model may cost at most, instead of what was held for the one before. The
/// caller writes the run; agent and task are written here.
///
/// # Errors
/// `budget_exceeded`, also where the run would pass what one run of its agent may cost.
pub(crate) fn hold(tx: &mut dyn Tx, run: &mut Run, worst: MicroUsd) -> Result<()> {
    let Some(mut agent) = tx.agent(&run.tenant, &run.agent)? else {
        return Ok(());
    };
    let mut task = match &run.task {
        Some(id) => tx.task(id)?,
        None => None,
    };
    let before = std::mem::take(&mut run.detail.reserved);
    tenant::hold(tx, &run.tenant, before, worst)?;
    agent.detail.purse.reserved = agent.detail.purse.reserved.minus(before);
    if let Some(task) = &mut task {
        task.detail.reserved = task.detail.reserved.minus(before);
    }
    let whole = run.cost().plus(worst);
    let cap = agent.detail.budget_per_run.filter(|cap| whole > *cap);
    if let Some(cap) = cap
        && !run.detail.may_pass_cap
    {
        if !super::take_allowance(tx, &agent, whole)? {
            let message = format!(
                "a run of agent {} may cost {cap} US dollars and this one may cost {whole}",
                agent.handle
            );
            return Err(Error::over_budget(message)
                .with_detail("remaining", cap.minus(run.cost()).as_dollars())
                .with_detail("needed", worst.as_dollars()));
        }
        run.detail.may_pass_cap = true;
    }
    run.detail.estimated_cost = Some(worst);
    let today = day(tx)?;
    let until_midnight = (today.ends_at.0 - today.now.0).max(0) / 1000;
    reserve(run, &mut agent, task.as_mut(), today.now)
        .map_err(|error| error.with_detail("retryAfterSec", until_midnight))?;
    run.detail.estimated_cost = Some(whole);
    if before == MicroUsd::ZERO && worst == MicroUsd::ZERO {
        return Ok(());
    }
    tx.put_agent(&agent)?;
    match &task {
        Some(task) => tx.update_task(task),
        None => Ok(()),
    }
}

pub(super) fn check_left(whose: &str, wanted: MicroUsd, left: Option<MicroUsd>) -> Result<()> {
    let Some(left) = left else { return Ok(()) };
    // With nothing left nothing starts, whatever it says it would cost.
    if wanted <= left && left > MicroUsd::ZERO {
        return Ok(());
    }
    let message = format!("{whose} has {left} US dollars left and the run may cost {wanted}");
    Err(Error::over_budget(message)
        .with_detail("remaining", left.as_dollars())
        .with_detail("needed", wanted.as_dollars()))
}

/// Enters what is new of a run: its cost and tokens, and what it still holds back. What follows
/// from limits that are passed is done, and the caller hears how its agent stands. Agent and tasks
/// are written here; the run is the caller's to write, afterwards.
///
/// # Errors
/// Whatever the store meets.
pub(crate) fn book(tx: &mut dyn Tx, who: &Principal, run: &mut Run) -> Result<Option<Warning>> {
    let Some(mut agent) = tx.agent(&run.tenant, &run.agent)? else {
        return Ok(None);
    };
    let today = day(tx)?;
    let kind = match &run.task {
        Some(id) => tx.task(id)?.and_then(|task| task.kind),
        None => None,
    };
    enter_cost(tx, run, kind, today)?;
    let delta = enter_agent(run, &mut agent, today);
    let released = release(run);
    agent.detail.purse.reserved = agent.detail.purse.reserved.minus(released);
    tenant::enter(tx, who, &run.tenant, delta, |budget| {
        budget.reserved = budget.reserved.minus(released);
    })?;
    agent.updated_at = today.now;
    tx.put_agent(&agent)?;
    let bearers = bearers(run, &agent);
    for id in &bearers {
        let Some(mut task) = tx.task(id)? else {
            continue;
        };
        enter_task(run, &mut task);
        if run.task.as_ref() == Some(id) {
            task.detail.reserved = task.detail.reserved.minus(released);
        }
        task.updated_at = today.now;
        tx.update_task(&task)?;
    }
    run.detail.booked.at = Some(today.now);
    run.detail.booked.tokens = run.tokens();
    let grew = matches!(delta, Delta::More(amount) if amount > MicroUsd::ZERO);
    watch::look(tx, who, run, &bearers, grew)
}

/// The tasks that bear what a run costs: the one it works on and, for a spawned agent, the one it
/// was spawned for.
fn bearers(run: &Run, agent: &Agent) -> Vec<TaskId> {
    let mut found: Vec<TaskId> = run.task.iter().cloned().collect();
    let spawned_for = agent.detail.parent_task.iter().cloned();
    found.extend(spawned_for.filter(|id| run.task.as_ref() != Some(id)));
    found
}

/// Enters what this task has not been told of the run: all of it where the task is known only now.
fn enter_task(run: &mut Run, task: &mut Task) {
    let (cost, tokens) = (run.cost(), run.tokens());
    let borne = &mut run.detail.booked.borne;
    let place = match borne.iter().position(|it| it.task == task.id) {
        Some(place) => place,
        None => {
            task.detail.run_count = task.detail.run_count.saturating_add(1);
            borne.push(Borne {
                task: task.id.clone(),
                cost: MicroUsd::ZERO,
                tokens: 0,
            });
            borne.len() - 1
        }
    };
    let Some(told) = borne.get_mut(place) else {
        return;
    };
    let detail = &mut task.detail;
    detail.actual_cost = Delta::between(told.cost, cost).apply(detail.actual_cost);
    detail.token_count = detail
        .token_count
        .saturating_add(tokens)
        .saturating_sub(told.tokens);
    (told.cost, told.tokens) = (cost, tokens);
}

/// Enters the change of cost into the day's spending, and gives it.
fn enter_agent(run: &mut Run, agent: &mut Agent, today: Day) -> Delta {
    let cost = run.cost();
    let booked = &mut run.detail.booked;
    let mut purse = agent.detail.purse.today(today.now);
    purse.until = today.ends_at;
    if booked.at.is_none_or(|at| at < today.begins_at) {
        booked.cost_of_day = MicroUsd::ZERO;
    }
    let delta = Delta::between(booked.cost, cost);
    let of_day = match delta {
        Delta::More(amount) => Delta::More(amount),
        Delta::Less(amount) => Delta::Less(amount.min(booked.cost_of_day)),
    };
    purse.spent = of_day.apply(purse.spent);
    booked.cost_of_day = of_day.apply(booked.cost_of_day);
    booked.cost = cost;
    agent.detail.purse = purse;
    delta
}

/// Lets go of what the run does not need any more: what it has cost by now, and all when it has
/// ended. Gives how much.
fn release(run: &mut Run) -> MicroUsd {
    let needed = match run.status {
        Status::Running => {
            let estimate = run.detail.estimated_cost.unwrap_or_default();
            estimate.minus(run.cost()).min(run.detail.reserved)
        }
        Status::Completed | Status::Failed | Status::Timeout => MicroUsd::ZERO,
    };
    let released = run.detail.reserved.minus(needed);
    run.detail.reserved = needed;
    released
}

/// Enters the change into what statistics add up.
fn enter_cost(tx: &mut dyn Tx, run: &Run, kind: Option<TaskKind>, today: Day) -> Result<()> {
    let booked = &run.detail.booked;
    let delta = Delta::between(booked.cost, run.cost());
    let tokens = run.tokens().cast_signed() - booked.tokens.cast_signed();
    let is_first = booked.at.is_none();
    if delta.is_nothing() && tokens == 0 && !is_first {
        return Ok(());
    }
    // What is taken back is taken from where it was entered.
    let at = match (delta, booked.at) {
        (Delta::Less(_), Some(at)) => at,
        _ => today.now,
    };
    tx.enter_cost(&Entry {
        tenant: &run.tenant,
        agent: Some(&run.agent),
        quarter: Quarter::of(at),
        model: &run.model,
        kind,
        runs: i64::from(is_first),
        tokens,
        cost: delta.signed(),
    })
}
