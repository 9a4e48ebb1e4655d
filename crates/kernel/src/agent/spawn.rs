//! Agents that agents spawn: for one task, within what their parent may do, and not for long
//! (OpenClaw contract §9.4, rulings 5).

use std::time::Duration;

use stationmaster_policy as engine;

use super::gate::{Act, acting, permit};
use super::{Agent, AgentFilter, NewAgent, Rank};
use crate::approval::{self, Approval, ApprovalFilter, Ask};
use crate::error::Problems;
use crate::kind::TaskKind;
use crate::money::MicroUsd;
use crate::policy::{self, SpawnLimits};
use crate::task::Task;
use crate::{Error, Object, Principal, Result, TaskId, Tx, budget};

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
    /// As policy judges it.
    fn facts(&self, agent: &Agent) -> engine::SpawnFacts {
        let count = |number: u64| u32::try_from(number).unwrap_or(u32::MAX);
        engine::SpawnFacts {
            active_agents: count(self.active),
            children_of_parent_task: count(self.of_task),
            children_of_agent: count(self.of_agent),
            most_children: Some(agent.detail.max_sub_agents),
            depth: self.depth,
            refused: None,
        }
    }

    /// The first limit that one more child would pass.
    fn passed(&self, agent: &Agent, limits: SpawnLimits) -> Option<engine::Passed> {
        let limits = engine::SpawnLimits {
            active: limits.max_active,
            per_parent_task: limits.max_per_parent_task,
            depth: limits.max_depth,
        };
        self.facts(agent).passed(limits).into_iter().next()
    }
}

/// What stands in the way of an agent that asks whether it may spawn: the same that it would meet if
/// it did. `asked` is what its child is to have, in the words of a registration; what cannot be read
/// of it is left to that.
///
/// # Errors
/// Whatever the store meets.
pub(crate) fn facts(
    tx: &mut dyn Tx,
    agent: &Agent,
    task: Option<&Task>,
    asked: &Object,
) -> Result<engine::SpawnFacts> {
    let metadata = asked.get("metadata").and_then(serde_json::Value::as_object);
    let named = metadata
        .and_then(|it| it.get("parentTaskId"))
        .and_then(serde_json::Value::as_str);
    let named = match named.filter(|_| task.is_none()) {
        Some(id) => tx
            .task(&TaskId::new(id))?
            .filter(|it| it.tenant == agent.tenant),
        None => None,
    };
    let task = task.or(named.as_ref());
    let standing = standing(tx, agent, task.map(|task| &task.id))?;
    let outcome = match task.map_or(Ok(()), |task| has_a_say(agent, task)) {
        Ok(()) => bounded(tx, agent, child_asked_for(asked)).map(|_| ()),
        refused => refused,
    };
    let refused = match outcome {
        Ok(()) => None,
        Err(error) if error.is_refusal() => Some(as_violation(error)),
        Err(fault) => return Err(fault),
    };
    Ok(engine::SpawnFacts {
        refused,
        ..standing.facts(agent)
    })
}

/// What an action says of the child that it asks for.
fn child_asked_for(asked: &Object) -> NewAgent {
    let text = |name: &str| asked.get(name).and_then(serde_json::Value::as_str);
    let money = |name: &str| {
        let amount = asked.get(name).and_then(serde_json::Value::as_f64);
        amount.and_then(MicroUsd::from_dollars)
    };
    let texts = |name: &str| {
        let items = asked.get(name).and_then(serde_json::Value::as_array)?;
        let texts = items.iter().filter_map(serde_json::Value::as_str);
        Some(texts.map(str::to_owned).collect::<Vec<_>>())
    };
    let kinds = texts("allowedTaskTypes");
    NewAgent {
        handle: String::new(),
        name: String::new(),
        emoji: None,
        rank: text("role").and_then(Rank::parse),
        workspace_path: String::new(),
        allowed_kinds: kinds
            .map(|kinds| kinds.iter().filter_map(|it| TaskKind::parse(it)).collect()),
        allowed_tools: texts("allowedTools"),
        budget_daily: money("budgetDaily"),
        budget_per_run: money("budgetPerRun"),
        can_spawn: None,
        max_sub_agents: None,
        parent: None,
        heartbeat_interval: None,
        metadata: None,
    }
}

/// A refusal in the words of violations (§8.5).
fn as_violation(error: Error) -> engine::Refusal {
    let detail = |name: &str| {
        let value = error.details.as_ref().and_then(|it| it.get(name));
        value.map(|it| it.as_str().map_or_else(|| it.to_string(), str::to_owned))
    };
    let (rule, detail) = match error.code {
        "task_type_not_allowed" => ("task_type_not_allowed", detail("taskType")),
        "budget_exceeded" => (
            "budget_daily",
            detail("asked")
                .zip(detail("remaining"))
                .map(|(asked, left)| format!("{asked}/{left}")),
        ),
        _ => match detail("tool") {
            Some(tool) => ("tool_not_allowed", Some(tool)),
            None => ("spawn_role", detail("requiredRole")),
        },
    };
    engine::Refusal {
        rule,
        detail: detail.unwrap_or_default(),
        reason: error.message,
    }
}

/// Whether an approval lets this agent spawn where it may not by itself.
///
/// # Errors
/// Whatever the store meets.
pub(crate) fn may_spawn(tx: &mut dyn Tx, agent: &Agent) -> Result<bool> {
    Ok(agent.detail.can_spawn || permission_of(tx, agent)?.is_some())
}

/// An agent that may spawn, what for, and what lets it where it may not by itself.
pub(super) struct Spawner {
    pub(super) agent: Agent,
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
    let passed = standing(tx, &agent, Some(&task.id))?.passed(&agent, limits);
    if let Some(engine::Passed { rule, most, .. }) = passed {
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
    has_a_say(agent, &task)?;
    Ok(task)
}

fn has_a_say(agent: &Agent, task: &Task) -> Result<()> {
    let may = agent.rank == Rank::Lead
        || task.is_assigned_to(&agent.handle)
        || task.creator.as_ref() == Some(&agent.handle);
    if may {
        return Ok(());
    }
    Err(Error::forbidden(
        "forbidden",
        "an agent spawns for a task it works on or made; a LEAD for any",
    )
    .with_detail("requiredRole", Rank::Lead.as_str()))
}

/// The approval that lets this one agent spawn once, if there is one.
fn permission_of(tx: &mut dyn Tx, agent: &Agent) -> Result<Option<Approval>> {
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
    Ok(tx.approval_board(&filter, 0, 50)?.into_iter().find(is_good))
}

/// That approval, or the refusal of an agent without one.
fn permission(tx: &mut dyn Tx, agent: &Agent) -> Result<Approval> {
    permission_of(tx, agent)?.ok_or_else(|| {
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
pub(super) fn bounded(tx: &mut dyn Tx, parent: &Agent, mut new: NewAgent) -> Result<NewAgent> {
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
            .with_detail("asked", daily.max(per_run).as_dollars())
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
        )
        .with_detail("taskType", kind.as_str())),
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
        )
        .with_detail("tool", tool.as_str())),
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
