//! Agents that agents spawn: for one task, within what their parent may do, and not for long
//! (OpenClaw contract §9.4, rulings 5).

use std::time::Duration;

use super::gate::{Act, acting, permit};
use super::{Agent, AgentFilter, NewAgent, Rank};
use crate::approval::{self, Approval, ApprovalFilter, Ask};
use crate::error::Problems;
use crate::kind::TaskKind;
use crate::policy::{self, SpawnLimits};
use crate::task::Task;
use crate::{Error, Principal, Result, TaskId, Tx, budget};

/// How far spawning has gone, from one agent's place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    /// Spawned agents that live now, of the tenant.
    pub active: u64,
    /// Those of the task.
    pub of_task: u64,
    /// Those of the agent itself.
    pub of_agent: u64,
    /// How deep its next child would stand.
    pub depth: u32,
}

/// How far spawning has gone, for an agent that is to spawn for a task.
///
/// # Errors
/// Whatever the store meets.
pub fn standing(tx: &mut dyn Tx, agent: &Agent, task: Option<&TaskId>) -> Result<Standing> {
    let living = AgentFilter {
        tenant: Some(agent.tenant.clone()),
        spawned: true,
        open: true,
        ..AgentFilter::default()
    };
    let of_task = AgentFilter {
        parent_task: task.cloned(),
        ..living.clone()
    };
    let of_agent = AgentFilter {
        parent: Some(agent.handle.clone()),
        ..living.clone()
    };
    Ok(Standing {
        active: tx.agent_count(&living)?,
        of_task: match task {
            Some(_) => tx.agent_count(&of_task)?,
            None => 0,
        },
        of_agent: tx.agent_count(&of_agent)?,
        depth: agent.detail.depth + 1,
    })
}

impl Standing {
    /// The first limit that one more child would pass, as a policy names it, and the limit.
    fn passed(&self, limits: SpawnLimits, children: u32) -> Option<(&'static str, u32)> {
        let per_task = limits.max_per_parent_task;
        [
            ("spawn_max_active", self.active + 1, limits.max_active),
            ("spawn_max_per_parent", self.of_task + 1, per_task),
            ("spawn_max_per_parent", self.of_agent + 1, children),
            ("spawn_depth", self.depth.into(), limits.max_depth),
        ]
        .into_iter()
        .find(|(_, next, most)| *next > u64::from(*most))
        .map(|(rule, _, most)| (rule, most))
    }
}

/// An agent that may spawn, what for, and what lets it where it may not by itself.
pub(super) struct Spawner {
    agent: Agent,
    task: TaskId,
    approval: Option<Approval>,
    life: Duration,
}

/// The calling agent, if it may spawn the new one.
///
/// # Errors
/// `agent_mismatch` for another's child; every problem of the request; `spawn_limit`; forbidden
/// for interns and by status; `policy_violation` for one that needs a `SPAWN` approval first.
pub(super) fn spawner(tx: &mut dyn Tx, who: &Principal, new: &NewAgent) -> Result<Spawner> {
    let Some(agent) = acting(tx, who)? else {
        return Err(Error::forbidden("forbidden", "only an agent spawns"));
    };
    if let Some(parent) = new.parent.as_ref().filter(|it| **it != agent.handle) {
        return Err(Error::forbidden(
            "agent_mismatch",
            format!("{} cannot spawn for {parent}", agent.handle),
        ));
    }
    permit(tx, &agent, Act::Start)?;
    if agent.rank == Rank::Intern {
        return Err(Error::forbidden("forbidden", "an INTERN never spawns")
            .with_detail("requiredRole", Rank::Specialist.as_str()));
    }
    let task = task_of(tx, &agent, new)?;
    let limits = policy::settings(tx, &agent.tenant, Some(&agent.handle), Some(&task))?.spawn;
    let passed = standing(tx, &agent, Some(&task.id))?.passed(limits, agent.detail.max_sub_agents);
    if let Some((rule, most)) = passed {
        return Err(Error::conflict(
            "spawn_limit",
            format!("one more agent would pass the limit {rule} of {most}"),
        )
        .with_detail("limit", rule)
        .with_detail("most", most));
    }
    let approval = match agent.detail.can_spawn {
        true => None,
        false => Some(permission(tx, &agent)?),
    };
    Ok(Spawner {
        agent,
        task: task.id,
        approval,
        life: limits.lifetime,
    })
}

/// The open task that the child is for, on which its parent has a say.
fn task_of(tx: &mut dyn Tx, agent: &Agent, new: &NewAgent) -> Result<Task> {
    let mut problems = Problems::default();
    let said = |name: &str| {
        let value = new.metadata.as_ref().and_then(|members| members.get(name));
        let text = value.and_then(serde_json::Value::as_str).map(str::trim);
        text.filter(|text| !text.is_empty())
    };
    if new.parent.is_none() {
        problems.add("parentAgentId", "is required: the agent that spawns");
    }
    if said("purpose").is_none() {
        problems.add("metadata.purpose", "is required: what the agent is for");
    }
    let found = match said("parentTaskId") {
        Some(id) => tx.task(&TaskId::new(id))?,
        None => None,
    };
    let found = found.filter(|task| task.tenant == agent.tenant);
    match (said("parentTaskId"), &found) {
        (None, _) => problems.add(
            "metadata.parentTaskId",
            "is required: the task that it is for",
        ),
        (Some(_), None) => problems.add("metadata.parentTaskId", "there is no such task"),
        (Some(_), Some(task)) if task.state.is_terminal() => {
            problems.add("metadata.parentTaskId", "the task has ended");
        }
        _ => {}
    }
    problems.into_result()?;
    let Some(task) = found else {
        return Err(Error::not_found("task_not_found", "there is no such task"));
    };
    let has_a_say = agent.rank == Rank::Lead
        || task.is_assigned_to(&agent.handle)
        || task.creator.as_ref() == Some(&agent.handle);
    if !has_a_say {
        return Err(Error::forbidden(
            "forbidden",
            "an agent spawns for a task it works on or made; a LEAD for any",
        )
        .with_detail("requiredRole", Rank::Lead.as_str()));
    }
    Ok(task)
}

/// The approval that lets this one agent spawn once.
fn permission(tx: &mut dyn Tx, agent: &Agent) -> Result<Approval> {
    let filter = ApprovalFilter {
        tenant: Some(agent.tenant.clone()),
        statuses: vec![approval::Status::Approved],
        requestor: Some(agent.handle.clone()),
        ask: Some(Ask::Spawn),
        ..ApprovalFilter::default()
    };
    let now = tx.now();
    let is_good = |it: &Approval| {
        it.detail.used_at.is_none() && it.expires_at.is_none_or(|at| at.after(GRACE) > now)
    };
    let found = tx.approval_board(&filter, 0, 50)?.into_iter().find(is_good);
    found.ok_or_else(|| {
        let rule = format!("spawn_role:{}", agent.rank.as_str());
        Error::forbidden(
            "policy_violation",
            format!(
                "{} may not spawn; ask for approval with actionType SPAWN",
                agent.handle
            ),
        )
        .with_detail("decision", "NEEDS_APPROVAL")
        .with_detail("riskLevel", "YELLOW")
        .with_detail("violations", vec![rule])
    })
}

/// What was approved may still be done so long after the request would have expired (§10.2).
const GRACE: Duration = Duration::from_secs(24 * 3600);

/// What the child is to be, where it is not said what its parent gives; never more than that.
///
/// # Errors
/// Forbidden past the parent's rank and tools; `task_type_not_allowed`; over budget.
pub(super) fn bounded(tx: &mut dyn Tx, spawner: &Spawner, mut new: NewAgent) -> Result<NewAgent> {
    let parent = &spawner.agent;
    let rank = new.rank.unwrap_or(Rank::Specialist.min(parent.rank));
    if rank > parent.rank {
        return Err(Error::forbidden(
            "forbidden",
            format!(
                "a {} cannot spawn a {}",
                parent.rank.as_str(),
                rank.as_str()
            ),
        )
        .with_detail("requiredRole", rank.as_str()));
    }
    new.rank = Some(rank);
    new.allowed_kinds = Some(kinds(parent, new.allowed_kinds)?);
    new.allowed_tools = tools(parent, new.allowed_tools)?;
    let now = tx.now();
    if let Some(left) = budget::left(parent, now) {
        let usual = policy::settings(tx, &parent.tenant, Some(&parent.handle), None)?.usual(rank);
        let daily = new.budget_daily.unwrap_or(usual.budget_daily.min(left));
        let most = parent.detail.budget_per_run.map_or(left, |it| it.min(left));
        let per_run = new.budget_per_run.unwrap_or(usual.budget_per_run.min(most));
        if daily > left || per_run > left {
            return Err(Error::over_budget(format!(
                "the child may not have more than what is left of its parent's budget: {left}"
            ))
            .with_detail("remaining", left.as_dollars()));
        }
        (new.budget_daily, new.budget_per_run) = (Some(daily), Some(per_run));
    }
    Ok(new)
}

/// A parent's kinds bound its children's; none means all.
fn kinds(parent: &Agent, asked: Option<Vec<TaskKind>>) -> Result<Vec<TaskKind>> {
    let own = &parent.detail.allowed_kinds;
    let Some(asked) = asked.filter(|asked| !asked.is_empty()) else {
        return Ok(own.clone());
    };
    match asked
        .iter()
        .find(|kind| !own.is_empty() && !own.contains(kind))
    {
        Some(kind) => Err(Error::conflict(
            "task_type_not_allowed",
            format!("{} itself may not do {}", parent.handle, kind.as_str()),
        )),
        None => Ok(asked),
    }
}

/// A parent's tools bound its children's.
fn tools(parent: &Agent, asked: Option<Vec<String>>) -> Result<Option<Vec<String>>> {
    let own = &parent.detail.allowed_tools;
    let (Some(own), Some(asked)) = (own, &asked) else {
        return Ok(asked.or_else(|| own.clone()));
    };
    match asked.iter().find(|tool| !own.contains(tool)) {
        Some(tool) => Err(Error::forbidden(
            "forbidden",
            format!("{} itself may not use {tool}", parent.handle),
        )),
        None => Ok(Some(asked.clone())),
    }
}

/// Ties a child to its parent and its task, and uses up what let the parent spawn it.
pub(super) fn bind(tx: &mut dyn Tx, child: &mut Agent, spawner: Spawner) -> Result<()> {
    let parent = spawner.agent;
    child.detail.depth = parent.detail.depth + 1;
    child.detail.closes_at = Some(tx.now().after(spawner.life));
    child.detail.parent_task = Some(spawner.task);
    if let Some(mut approval) = spawner.approval {
        approval.detail.used_at = Some(tx.now());
        approval::save(tx, &mut approval)?;
    }
    Ok(())
}
