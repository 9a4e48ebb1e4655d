//! What follows when money runs out (OpenClaw contract §9.3). Each thing is told once: once a day
//! for an agent's budget, once for a run and for a task.

use super::allow::{self, Override};
use super::{PAUSED_BECAUSE, is_gone, left, left_of_task, limit_of, limit_of_task, system_for};
use crate::agent::{self, Agent, Status};
use crate::alert::{self, NewAlert, Severity};
use crate::event::{self, Happening};
use crate::message::{self, MessageKind, Post};
use crate::notification::{self, Target, Tell, Type};
use crate::run::{Run, RunFilter};
use crate::task::Task;
use crate::{MicroUsd, Object, Principal, Result, TaskId, Tx, policy};

/// How many runs an alert names.
const NAMED: u32 = 3;

/// How an agent stands that comes near a limit, or is past one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Warning {
    /// The limit is passed, as against near.
    pub exceeded: bool,
    /// What is left of what it is about.
    pub remaining: MicroUsd,
    /// For people.
    pub message: String,
}

/// Does what follows from what was just entered, and tells how things stand. `grew`: the run costs
/// more than was known.
///
/// # Errors
/// Whatever the store meets.
pub(super) fn look(
    tx: &mut dyn Tx,
    who: &Principal,
    run: &mut Run,
    bearers: &[TaskId],
    grew: bool,
) -> Result<Option<Warning>> {
    let system = system_for(who, &run.tenant)?;
    if grew {
        look_at_day(tx, &system, run)?;
        look_at_cap(tx, &system, run)?;
        for id in bearers {
            if let Some(task) = tx.task(id)? {
                look_at_task(tx, &system, run, task)?;
            }
        }
    }
    standing(tx, run)
}

/// The gravest of what there is to say of a run's agent and task.
///
/// # Errors
/// Whatever the store meets.
pub(crate) fn standing(tx: &mut dyn Tx, run: &Run) -> Result<Option<Warning>> {
    let Some(agent) = tx.agent(&run.tenant, &run.agent)? else {
        return Ok(None);
    };
    let task = match &run.task {
        Some(id) => tx.task(id)?,
        None => None,
    };
    let limits = policy::settings(tx, &run.tenant, Some(&run.agent), task.as_ref())?.budget;
    let now = tx.now();
    let purse = agent.detail.purse.today(now);
    let gone =
        |percent| limit_of(&agent, &purse).is_some_and(|it| is_gone(purse.spent, it, percent));
    let remaining = left(&agent, now).unwrap_or_default();
    if gone(100) {
        return Ok(Some(Warning {
            exceeded: true,
            remaining,
            message: format!("agent {} has spent its budget of today", agent.handle),
        }));
    }
    if let Some(task) = &task
        && limit_of_task(task).is_some_and(|it| is_gone(task.detail.actual_cost, it, 100))
    {
        return Ok(Some(Warning {
            exceeded: true,
            remaining: left_of_task(task).unwrap_or_default(),
            message: format!("the budget of task {} is spent", task.id),
        }));
    }
    let of_day = format!(
        "agent {} has spent {} today and has {remaining} US dollars left",
        agent.handle, purse.spent
    );
    // What the agent is told and alerts are raised of does not depend on which is named here.
    if let Some(cap) = agent.detail.budget_per_run.filter(|cap| run.cost() > *cap) {
        return Ok(Some(Warning {
            exceeded: true,
            remaining: MicroUsd::ZERO,
            message: match gone(limits.warn) {
                true => format!(
                    "the run cost {} of at most {cap} US dollars; {of_day}",
                    run.cost()
                ),
                false => format!("the run cost {} of at most {cap} US dollars", run.cost()),
            },
        }));
    }
    Ok(gone(limits.warn).then_some(Warning {
        exceeded: false,
        remaining,
        message: of_day,
    }))
}

fn look_at_day(tx: &mut dyn Tx, system: &Principal, run: &Run) -> Result<()> {
    let Some(mut agent) = tx.agent(&run.tenant, &run.agent)? else {
        return Ok(());
    };
    let purse = agent.detail.purse.today(tx.now());
    let Some(limit) = limit_of(&agent, &purse) else {
        return Ok(());
    };
    let limits = policy::settings(tx, &run.tenant, Some(&run.agent), None)?.budget;
    let gone = |percent| is_gone(purse.spent, limit, percent);
    let (warn, alarm, stop) = (
        gone(limits.warn) && !purse.warned,
        gone(limits.critical) && !purse.critical,
        gone(100) && !purse.exceeded,
    );
    if !(warn || alarm || stop) {
        return Ok(());
    }
    let flags = &mut agent.detail.purse;
    flags.warned |= warn;
    flags.critical |= alarm;
    flags.exceeded |= stop;
    tx.put_agent(&agent)?;
    let how = format!(
        "{} of {limit} US dollars are spent, {} are held for running runs.",
        purse.spent, purse.reserved
    );
    if warn {
        warn_agent(tx, system, &agent, limits.warn, &how)?;
    }
    if alarm {
        raise(
            tx,
            system,
            run,
            Severity::Warning,
            "BUDGET_CRITICAL",
            format!("Agent {} has almost spent its budget", agent.handle),
            how,
        )?;
    }
    if stop {
        stop_agent(tx, system, run, agent, limit)?;
    }
    Ok(())
}

fn warn_agent(
    tx: &mut dyn Tx,
    system: &Principal,
    agent: &Agent,
    percent: u64,
    how: &str,
) -> Result<()> {
    let tell = Tell {
        target: Target::Agent(agent.handle.clone()),
        kind: Type::Alert,
        title: format!("More than {percent} % of today's budget are spent"),
        body: how.to_owned(),
        task: agent.detail.current_task.clone(),
        message: None,
        approval: None,
    };
    notification::tell(tx, system, &agent.tenant, tell).map(drop)
}

/// The day's money is gone: the agent is paused, its task waits, and more is asked for in its name.
fn stop_agent(
    tx: &mut dyn Tx,
    system: &Principal,
    run: &Run,
    mut agent: Agent,
    limit: MicroUsd,
) -> Result<()> {
    let spent = agent.detail.purse.spent;
    if agent.status == Status::Active {
        let reason = Some(PAUSED_BECAUSE.to_owned());
        agent::set_status(tx, system, &mut agent, Status::Paused, reason)?;
    }
    let tenant = agent.tenant.clone();
    event::record(
        tx,
        system,
        &tenant,
        Happening::BudgetExceeded {
            agent: agent.clone(),
            task: agent.detail.current_task.clone(),
            spent_microusd: spent.0,
            limit_microusd: limit.0,
        },
    )?;
    let last = last_costs(tx, run)?;
    raise(
        tx,
        system,
        run,
        Severity::Error,
        "BUDGET_EXCEEDED",
        format!("Agent {} has spent its budget of today", agent.handle),
        format!(
            "{spent} of {limit} US dollars are spent; it is paused until midnight or until more is allowed. \
             Its last runs cost {}.",
            last.join(", ")
        ),
    )?;
    let task = match &agent.detail.current_task {
        Some(id) => tx.task(id)?,
        None => None,
    };
    let share = policy::settings(tx, &tenant, Some(&agent.handle), None)?
        .budget
        .more;
    let more = agent.detail.budget_daily.unwrap_or_default().percent(share);
    let because = format!("{spent} of {limit} US dollars are spent today.");
    allow::ask(tx, system, &agent, task, Override::Daily, more, because)
}

/// What the agent's last runs cost, this one first.
fn last_costs(tx: &mut dyn Tx, run: &Run) -> Result<Vec<String>> {
    let filter = RunFilter {
        tenant: Some(run.tenant.clone()),
        agent: Some(run.agent.clone()),
        ..RunFilter::default()
    };
    let mut costs = vec![run.cost().to_string()];
    // The run itself may stand there with what it cost before, or not at all.
    let others = tx.runs(&filter, 0, NAMED + 1)?;
    costs.extend(
        others
            .iter()
            .filter(|it| it.id != run.id)
            .map(|it| it.cost().to_string()),
    );
    costs.truncate(NAMED as usize);
    Ok(costs)
}

fn look_at_cap(tx: &mut dyn Tx, system: &Principal, run: &mut Run) -> Result<()> {
    let Some(agent) = tx.agent(&run.tenant, &run.agent)? else {
        return Ok(());
    };
    let Some(cap) = agent.detail.budget_per_run else {
        return Ok(());
    };
    if run.cost() <= cap || run.detail.booked.past_cap {
        return Ok(());
    }
    run.detail.booked.past_cap = true;
    raise(
        tx,
        system,
        run,
        Severity::Warning,
        "RUN_COST_EXCEEDED",
        format!("A run of agent {} costs more than one may", agent.handle),
        format!("It cost {} of at most {cap} US dollars.", run.cost()),
    )
}

fn look_at_task(tx: &mut dyn Tx, system: &Principal, run: &Run, mut task: Task) -> Result<()> {
    let detail = &mut task.detail;
    let cost = detail.actual_cost;
    let of_plan = detail.plan.as_ref().and_then(|plan| plan.estimated_cost);
    let estimate = detail.estimated_cost.or(of_plan);
    let past_estimate = estimate.filter(|it| cost > *it && !detail.estimate_passed);
    let limit = detail.budget.map(|it| it.plus(detail.extra_budget));
    let is_past = limit.is_some_and(|it| is_gone(cost, it, 100));
    let past_limit = limit.filter(|_| is_past && !detail.budget_exceeded);
    // A limit that was raised meanwhile may be passed again.
    if past_estimate.is_some() || detail.budget_exceeded != is_past {
        detail.estimate_passed |= past_estimate.is_some();
        detail.budget_exceeded = is_past;
        tx.update_task(&task)?;
    }
    if let Some(estimate) = past_estimate {
        let content = format!("The task has cost {cost} US dollars; {estimate} were estimated.");
        message::write(tx, system, &task, Post::of(MessageKind::System, content))?;
    }
    let Some(limit) = past_limit.filter(|_| !task.state.is_terminal()) else {
        return Ok(());
    };
    let Some(agent) = tx.agent(&run.tenant, &run.agent)? else {
        return Ok(());
    };
    let share = policy::settings(tx, &task.tenant, Some(&agent.handle), Some(&task))?
        .budget
        .more;
    let more = task.detail.budget.unwrap_or_default().percent(share);
    let because = format!("The task has cost {cost} of {limit} US dollars.");
    allow::ask(
        tx,
        system,
        &agent,
        Some(task),
        Override::Task,
        more,
        because,
    )
}

fn raise(
    tx: &mut dyn Tx,
    system: &Principal,
    run: &Run,
    severity: Severity,
    kind: &'static str,
    title: String,
    description: String,
) -> Result<()> {
    let mut metadata = Object::new();
    metadata.insert("runCostUsd".to_owned(), run.cost().as_dollars().into());
    let new = NewAlert {
        severity,
        kind,
        title,
        description,
        agent: Some(run.agent.clone()),
        task: run.task.clone(),
        run: Some(run.id.clone()),
        metadata: Some(metadata),
    };
    alert::raise(tx, system, &run.tenant, new).map(drop)
}
