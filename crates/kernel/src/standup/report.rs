//! A look at a tenant's crew: who works, what is done, what waits, what it costs (OpenClaw contract
//! §13). Anybody may ask for today's; each morning's is kept.

use std::collections::HashMap;
use std::time::Duration;

use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use crate::agent::{self, AgentFilter};
use crate::alert::{self, AlertFilter};
use crate::budget;
use crate::cost::CostFilter;
use crate::event::{self, Happening};
use crate::notification::{self, Target, Tell, Type};
use crate::state::State;
use crate::task::{BoardFilter, BoardOrder, BoardPage, Task};
use crate::{
    AlertId, ApprovalId, Error, Handle, MicroUsd, Principal, Result, TaskId, TenantId, Timestamp,
    Tx, stats,
};

/// The hour of the morning at which a report is kept.
const HOUR: i8 = 9;
const DAY: Duration = Duration::from_secs(86_400);
/// How many of each a report names.
const AGENTS: u32 = 200;
const COMPLETED: usize = 10;
const BLOCKED: u32 = 50;
const APPROVALS: u32 = 20;
const ALERTS: u32 = 5;
/// How many tasks are looked at to see what each agent did.
const LOOKED_AT: u32 = 500;

/// A tenant's crew at a moment of a day.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Report {
    pub tenant: TenantId,
    /// The local date, `2026-11-21`.
    pub date: String,
    pub timezone: String,
    pub at: Timestamp,
    pub agents: Crew,
    /// How many tasks there are in each state, the states in which there are none included.
    pub tasks: Vec<(State, u64)>,
    /// What was finished since midnight, newest first.
    pub completed: Vec<TaskLine>,
    /// Blocked longest first.
    pub blocked: Vec<TaskLine>,
    pub pending_approvals: u64,
    pub approvals: Vec<ApprovalLine>,
    /// Open ones, newest first.
    pub alerts: Vec<AlertLine>,
    pub spent_today: MicroUsd,
    /// In the last 24 hours, to the quarter of an hour.
    pub spent_last_day: MicroUsd,
}

/// Who is there.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Crew {
    pub total: u64,
    pub active: u64,
    pub paused: u64,
    pub list: Vec<Member>,
}

/// One of the crew.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Member {
    pub handle: Handle,
    pub name: String,
    pub rank: agent::Rank,
    pub status: agent::Status,
    pub spent_today: MicroUsd,
    pub budget_daily: Option<MicroUsd>,
    /// How many of its tasks were finished since midnight.
    pub completed: u64,
    /// How many of its tasks are in progress.
    pub working: u64,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TaskLine {
    pub id: TaskId,
    pub title: String,
    pub assignee: Option<Handle>,
    /// Why it is blocked.
    pub reason: Option<String>,
    pub at: Timestamp,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ApprovalLine {
    pub id: ApprovalId,
    pub title: String,
    pub requestor: Handle,
    pub is_red: bool,
    pub created_at: Timestamp,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AlertLine {
    pub id: AlertId,
    pub severity: alert::Severity,
    pub kind: String,
    pub title: String,
    pub created_at: Timestamp,
}

/// The report of a day: as things are now for today, as it was kept that morning for an earlier day.
///
/// # Errors
/// A day that is still to come; `standup_not_found` for a day of which none was kept.
pub fn report(tx: &mut dyn Tx, tenant: &TenantId, date: Option<Date>) -> Result<Report> {
    let today = today(tx);
    match date {
        Some(date) if date > today => Err(Error::invalid(
            "date",
            format!("must not be after today, {today}"),
        )),
        Some(date) if date < today => {
            tx.standup_report(tenant, &date.to_string())?
                .ok_or_else(|| {
                    Error::not_found(
                        "standup_not_found",
                        format!("no standup was kept on {date}"),
                    )
                })
        }
        _ => look(tx, tenant),
    }
}

fn today(tx: &mut dyn Tx) -> Date {
    tx.now().to_calendar().to_zoned(tx.zone().clone()).date()
}

fn look(tx: &mut dyn Tx, tenant: &TenantId) -> Result<Report> {
    let day = budget::day(tx)?;
    let timezone = tx.zone().iana_name().unwrap_or("UTC").to_owned();
    let mut done = newest(tx, tenant, State::Done)?;
    done.retain(|task| ended_at(task) >= day.begins_at);
    done.sort_by_key(|task| std::cmp::Reverse(ended_at(task)));
    let working = newest(tx, tenant, State::InProgress)?;
    let agents = crew(tx, tenant, &done, &working, day.now)?;
    let spent_since = |since| CostFilter {
        tenant: Some(tenant.clone()),
        agent: None,
        since,
    };
    done.truncate(COMPLETED);
    Ok(Report {
        tenant: tenant.clone(),
        date: today(tx).to_string(),
        timezone,
        at: day.now,
        agents,
        tasks: counts(tx, tenant)?,
        completed: done.into_iter().map(TaskLine::done).collect(),
        blocked: blocked(tx, tenant)?,
        pending_approvals: tx.approval_count(&stats::pending(Some(tenant)))?,
        approvals: approvals(tx, tenant)?,
        alerts: alerts(tx, tenant)?,
        spent_today: tx.cost(&spent_since(day.begins_at))?.cost,
        spent_last_day: tx.cost(&spent_since(day.now.before(DAY)))?.cost,
    })
}

fn ended_at(task: &Task) -> Timestamp {
    task.detail.completed_at.unwrap_or(task.updated_at)
}

fn newest(tx: &mut dyn Tx, tenant: &TenantId, state: State) -> Result<Vec<Task>> {
    on_board(tx, tenant, state, true, LOOKED_AT)
}

/// Tasks in a state, by when they were changed.
fn on_board(
    tx: &mut dyn Tx,
    tenant: &TenantId,
    state: State,
    descending: bool,
    limit: u32,
) -> Result<Vec<Task>> {
    let filter = BoardFilter {
        tenant: Some(tenant.clone()),
        states: vec![state],
        ..BoardFilter::default()
    };
    let page = BoardPage {
        order: BoardOrder::UpdatedAt,
        descending,
        offset: 0,
        limit,
    };
    tx.board(&filter, page)
}

fn crew(
    tx: &mut dyn Tx,
    tenant: &TenantId,
    done: &[Task],
    working: &[Task],
    now: Timestamp,
) -> Result<Crew> {
    let (done, working) = (by_assignee(done), by_assignee(working));
    let all = AgentFilter {
        tenant: Some(tenant.clone()),
        ..AgentFilter::default()
    };
    let of = |status| AgentFilter {
        status: Some(status),
        ..all.clone()
    };
    let list = tx.agents(&all, 0, AGENTS)?.into_iter().map(|agent| Member {
        completed: done.get(&agent.handle).copied().unwrap_or(0),
        working: working.get(&agent.handle).copied().unwrap_or(0),
        spent_today: agent.detail.purse.today(now).spent,
        budget_daily: budget::limit(&agent, now),
        handle: agent.handle,
        name: agent.detail.name,
        rank: agent.rank,
        status: agent.status,
    });
    Ok(Crew {
        list: list.collect(),
        total: tx.agent_count(&all)?,
        active: tx.agent_count(&of(agent::Status::Active))?,
        paused: tx.agent_count(&of(agent::Status::Paused))?,
    })
}

fn by_assignee(tasks: &[Task]) -> HashMap<Handle, u64> {
    let mut counts = HashMap::new();
    for handle in tasks.iter().flat_map(Task::assignees) {
        *counts.entry(handle.clone()).or_default() += 1;
    }
    counts
}

fn counts(tx: &mut dyn Tx, tenant: &TenantId) -> Result<Vec<(State, u64)>> {
    let tallies = tx.tallies(Some(tenant))?;
    let of = |state| {
        let counts = tallies.iter().filter(|it| it.state == state);
        counts.map(|it| it.count).sum()
    };
    Ok(State::ALL.map(|state| (state, of(state))).into())
}

impl TaskLine {
    fn done(task: Task) -> Self {
        Self {
            at: ended_at(&task),
            id: task.id,
            title: task.title,
            assignee: task.assignee,
            reason: None,
        }
    }
}

fn blocked(tx: &mut dyn Tx, tenant: &TenantId) -> Result<Vec<TaskLine>> {
    let tasks = on_board(tx, tenant, State::Blocked, false, BLOCKED)?;
    let lines = tasks.into_iter().map(|task| TaskLine {
        id: task.id,
        title: task.title,
        assignee: task.assignee,
        reason: task.detail.blocked_reason,
        at: task.updated_at,
    });
    Ok(lines.collect())
}

fn approvals(tx: &mut dyn Tx, tenant: &TenantId) -> Result<Vec<ApprovalLine>> {
    let found = tx.approval_board(&stats::pending(Some(tenant)), 0, APPROVALS)?;
    let lines = found.into_iter().map(|it| ApprovalLine {
        is_red: it.risk.is_red(),
        id: it.id,
        title: it.title,
        requestor: it.requestor,
        created_at: it.created_at,
    });
    Ok(lines.collect())
}

fn alerts(tx: &mut dyn Tx, tenant: &TenantId) -> Result<Vec<AlertLine>> {
    let open = AlertFilter {
        tenant: Some(tenant.clone()),
        status: Some(alert::Status::Open),
        ..AlertFilter::default()
    };
    let lines = tx
        .alerts(&open, 0, ALERTS)?
        .into_iter()
        .map(|it| AlertLine {
            id: it.id,
            severity: it.severity,
            kind: it.kind,
            title: it.title,
            created_at: it.created_at,
        });
    Ok(lines.collect())
}

/// Keeps this morning's report of every tenant in which something happened in the last 24 hours,
/// once it is nine o'clock, and tells the operator; at most so many tenants at a time. Tells how
/// many it kept.
///
/// # Errors
/// Whatever the store meets.
pub fn settle_due(tx: &mut dyn Tx, limit: u32) -> Result<u32> {
    let local = tx.now().to_calendar().to_zoned(tx.zone().clone());
    let date = local.date().to_string();
    if local.hour() < HOUR || tx.are_standups_kept(&date)? {
        return Ok(0);
    }
    let since = tx.now().before(DAY);
    let (mut kept, mut after) = (0, None);
    loop {
        let tenants = tx.active_tenants(since, after.as_ref(), limit)?;
        let is_last = tenants.len() < limit as usize;
        for tenant in tenants {
            if kept == limit {
                return Ok(kept);
            }
            if tx.standup_report(&tenant, &date)?.is_none() {
                keep(tx, &tenant)?;
                kept += 1;
            }
            after = Some(tenant);
        }
        if is_last {
            tx.mark_standups_kept(&date)?;
            return Ok(kept);
        }
    }
}

fn keep(tx: &mut dyn Tx, tenant: &TenantId) -> Result<()> {
    let system = Principal::system().within(tenant.clone())?;
    let report = look(tx, tenant)?;
    tx.put_standup_report(&report)?;
    let tell = Tell {
        target: Target::Operator,
        kind: Type::Digest,
        title: format!("Standup {}", report.date),
        body: report.to_markdown(),
        task: None,
        message: None,
        approval: None,
    };
    let what = Happening::StandupReported(Box::new(report));
    event::record(tx, &system, tenant, what)?;
    notification::tell(tx, &system, tenant, tell).map(drop)
}
