//! The facts that a verdict is given: looked up here, judged in `stationmaster-policy`.

use stationmaster_policy as engine;

use super::step;
use crate::agent::{self, Agent};
use crate::approval::{self, Approval, Ask};
use crate::budget;
use crate::grant::{Grant, Scope};
use crate::operator::Mode;
use crate::state::State;
use crate::task::Task;
use crate::tool_call::Level;
use crate::{ApprovalId, Result, Timestamp, Tx};

/// The agent as policy sees it. One that is absent is judged as if it were back, since acting
/// brings it back; so is one whose pause is over.
pub(super) fn agent_of(agent: &Agent, now: Timestamp) -> engine::Agent {
    let agent = agent.clone().as_of(now);
    engine::Agent {
        rank: match agent.rank {
            agent::Rank::Intern => engine::Rank::Intern,
            agent::Rank::Specialist => engine::Rank::Specialist,
            agent::Rank::Lead => engine::Rank::Lead,
        },
        status: match agent.status {
            agent::Status::Offline if agent.detail.closed => engine::Status::Offline,
            agent::Status::Active | agent::Status::Offline => engine::Status::Active,
            agent::Status::Paused => engine::Status::Paused,
            agent::Status::Drained => engine::Status::Drained,
            agent::Status::Quarantined => engine::Status::Quarantined,
        },
        allowed_tools: agent.detail.allowed_tools,
        workspace: agent.detail.workspace_path,
        home: None,
        can_spawn: agent.detail.can_spawn,
    }
}

/// What else the verdict on an action needs to know.
pub(super) fn context_of(
    tx: &mut dyn Tx,
    agent: &Agent,
    task: Option<&Task>,
    action: &engine::Action,
    rules: &engine::Rules,
) -> Result<engine::Context> {
    let operator_mode = match tx.stance()?.mode {
        Mode::Normal => engine::OperatorMode::Normal,
        Mode::Paused => engine::OperatorMode::Paused,
        Mode::Draining => engine::OperatorMode::Draining,
        Mode::Quarantined => engine::OperatorMode::Quarantined,
    };
    let spawn = match action.is_spawn(rules) {
        true => Some(agent::spawn_facts(tx, agent, task, &action.args)?),
        false => None,
    };
    let target = action.target_status.as_deref().and_then(State::parse);
    let transition = match (task, target) {
        (Some(task), Some(target)) if action.kind == engine::ActionKind::Transition => {
            Some(step::rehearsed(tx, agent, task, target, &action.args)?)
        }
        _ => None,
    };
    Ok(engine::Context {
        is_listed: false,
        operator_mode,
        task_in_progress_is_own: task.is_some_and(|task| {
            task.state == State::InProgress && task.is_assigned_to(&agent.handle)
        }),
        approvals: Vec::new(),
        budget: Some(budget_facts(agent, task, tx.now())),
        spawn,
        transition,
    })
}

fn budget_facts(agent: &Agent, task: Option<&Task>, now: Timestamp) -> engine::BudgetFacts {
    let remaining = budget::remaining(agent, task, now);
    engine::BudgetFacts {
        daily_remaining: remaining.daily.map(|it| it.0),
        per_run_cap: remaining.per_run.map(|it| it.0),
        task_remaining: remaining.task.map(|it| it.0),
    }
}

/// What stands for an approval of this action: the agent's good grants, and the approval that it
/// names. The ones that cost nothing to use come first.
pub(super) fn standings(
    tx: &mut dyn Tx,
    agent: &Agent,
    task: Option<&Task>,
    (action, level): (&engine::Action, Level),
    rules: &engine::Rules,
    named: Option<&ApprovalId>,
) -> Result<Vec<engine::Standing>> {
    let approval = match named {
        Some(id) => tx.approval(id)?,
        None => None,
    };
    let named = approval
        .as_ref()
        .map(|it| (&it.id, covers(it, (action, level), rules)));
    let now = tx.now();
    let task = task.map(|task| &task.id);
    let mut good = tx.good_grants(&agent.tenant, &agent.handle, now)?;
    good.retain(|grant| grant.is_for(&agent.handle, task));
    good.sort_by_key(|grant| {
        (
            matches!(grant.scope, Scope::Rule(_)),
            grant.uses_left.is_some(),
        )
    });
    let mut found: Vec<engine::Standing> = good
        .iter()
        .filter_map(|grant| standing(grant, named, false))
        .collect();
    let own = approval
        .as_ref()
        .filter(|it| it.tenant == agent.tenant && it.status == approval::Status::Approved);
    if let Some(own) = own {
        let over = tx.grants_of(&own.id)?;
        let over = over.iter().filter(|grant| {
            !grant.is_good(now) && grant.agent.as_ref().is_none_or(|it| *it == agent.handle)
        });
        found.extend(over.filter_map(|it| standing(it, named, true)));
    }
    Ok(found)
}

/// Whether an approval that names no action, only what a person made of its summary, is good for this one
/// because the agent says so (§8.2, `context.approvalId`): something of its kind, and no worse than it said.
fn covers(
    approval: &Approval,
    (action, level): (&engine::Action, Level),
    rules: &engine::Rules,
) -> bool {
    if says(&approval.title, action, rules) {
        return true;
    }
    let ask = match action.kind {
        engine::ActionKind::Transition => Ask::StateTransition,
        engine::ActionKind::Spawn => Ask::Spawn,
        engine::ActionKind::ToolCall
        | engine::ActionKind::FileWrite
        | engine::ActionKind::Network => Ask::ToolExec,
    };
    approval.detail.ask == Some(ask) && level <= approval.risk.level()
}

/// Whether a summary is this very action: its command, path or address, be it with the tool's name
/// before it as `mc` writes it; or the tool's name, of a tool that is given none of these.
fn says(summary: &str, action: &engine::Action, rules: &engine::Rules) -> bool {
    if action.has_other_places(rules) {
        return false;
    }
    let objects = [
        &action.command,
        &action.path,
        &action.url,
        &action.domain,
        &action.target_status,
    ];
    let mut objects = objects.into_iter().flatten().map(|object| object.trim());
    let name = action.tool.as_deref().unwrap_or(action.kind.as_str());
    let summary = summary.trim();
    match (objects.next(), objects.next()) {
        (None, _) => summary == name,
        // What is sent there is more than the address says.
        (Some(_), None) if action.method.as_deref().is_some_and(|it| it != "GET") => false,
        (Some(object), None) => summary == object || summary == format!("{name}: {object}"),
        // A line of text does not say which of two is which.
        (Some(_), Some(_)) => false,
    }
}

/// `named` is the approval that the agent says it has, and whether that covers the action.
fn standing(
    grant: &Grant,
    named: Option<(&ApprovalId, bool)>,
    expired: bool,
) -> Option<engine::Standing> {
    let scope = match &grant.scope {
        Scope::Action(own) => engine::Scope::Exact(own.clone()),
        Scope::Rule(rule) => engine::Scope::Rule(rule.clone()),
        Scope::Named if named == Some((&grant.approval, true)) => engine::Scope::Named,
        Scope::Named => return None,
    };
    Some(engine::Standing {
        id: grant.id.to_string(),
        scope,
        expired,
    })
}
