//! The verdict: one pure function over an action, the agent, what is known around both, and the rules
//! (OpenClaw contract §8.2).

use crate::agent::{
    Agent, Context, OperatorMode, Rank, Scope, SpawnLimits, Standing, Status, TransitionOutcome,
};
use crate::document::Autonomy;
use crate::facts;
use crate::finding::{Findings, Violation};
use crate::verdict::{ApprovalKind, ApprovalRequired};
use crate::{Action, ActionKind, Decision, Risk, Rules, Verdict};

/// Judges an action. The same arguments give the same verdict: nothing is looked up, and nothing is
/// used up.
#[must_use]
pub fn decide(rules: &Rules, action: &Action, agent: &Agent, context: &Context) -> Verdict {
    let mut found = Findings::default();
    agents_state(agent, context, action.is_spawn(rules), &mut found);
    tool_list(rules, action, agent, &mut found);
    let secrets = facts::gather(rules, action, agent, context.is_listed, &mut found);
    spawn(rules, action, agent, context, &mut found);
    transition(action, context, &mut found);
    let fingerprint = action.fingerprint(rules);
    if !found.denied.is_empty() {
        return Verdict {
            decision: Decision::Deny,
            risk: Risk::Red,
            reason: found.denied[0].reason.clone(),
            violations: found.denied.iter().map(Violation::written).collect(),
            approval_required: None,
            fingerprint,
            standing: Vec::new(),
            secrets,
        };
    }
    let risk = found.risk;
    let matrix = autonomy(rules, action, agent, &found);
    if matrix == Some(Decision::Deny) {
        let violation = role(agent.rank, risk, "may not do");
        return Verdict {
            decision: Decision::Deny,
            risk,
            reason: violation.reason.clone(),
            violations: vec![violation.written()],
            approval_required: None,
            fingerprint,
            standing: Vec::new(),
            secrets,
        };
    }
    let mut violations = found.raised;
    let asks = matrix == Some(Decision::NeedsApproval);
    if asks && violations.is_empty() {
        violations.push(role(agent.rank, risk, "needs an approval for"));
    }
    budget(action, context, &mut violations);
    let standing = lift(&mut violations, &context.approvals, &fingerprint);
    if violations.is_empty() {
        return Verdict {
            decision: Decision::Allow,
            risk,
            reason: allowed(agent.rank, risk, &standing),
            violations: Vec::new(),
            approval_required: None,
            fingerprint,
            standing,
            secrets,
        };
    }
    let is_about_money = violations
        .iter()
        .all(|violation| violation.rule.starts_with("budget_"));
    let expired = context.approvals.iter().filter(|standing| standing.expired);
    violations.extend(expired.map(|standing| {
        let reason = format!("Approval {} has expired", standing.id);
        Violation::new("approval_expired", &standing.id, reason)
    }));
    Verdict {
        decision: Decision::NeedsApproval,
        risk,
        reason: violations[0].reason.clone(),
        violations: violations.iter().map(Violation::written).collect(),
        approval_required: Some(required(action, is_about_money, &violations[0])),
        fingerprint,
        standing: Vec::new(),
        secrets,
    }
}

/// Steps 1 and 2: whether the agent, and agents at all, may act.
fn agents_state(agent: &Agent, context: &Context, is_spawn: bool, found: &mut Findings) {
    // Who only finishes what is begun has no use for more hands.
    let finishes = context.task_in_progress_is_own && !is_spawn;
    let may_act = match agent.status {
        Status::Active => true,
        Status::Drained => finishes,
        Status::Paused | Status::Quarantined | Status::Offline => false,
    };
    if !may_act {
        let reason = format!("Agent is {}", agent.status);
        found.deny(Violation::new(
            "agent_status",
            agent.status.as_str(),
            reason,
        ));
    }
    let mode = context.operator_mode;
    let may_act = match mode {
        OperatorMode::Normal => true,
        OperatorMode::Draining => finishes,
        OperatorMode::Paused | OperatorMode::Quarantined => false,
    };
    if !may_act {
        let reason = format!("Operator mode is {mode}");
        found.deny(Violation::new("operator_mode", mode.as_str(), reason));
    }
}

/// Step 3: whether the agent has the tool.
fn tool_list(rules: &Rules, action: &Action, agent: &Agent, found: &mut Findings) {
    let Some(allowed) = &agent.allowed_tools else {
        return;
    };
    let tools = &rules.document.tools;
    let implied: &[String] = match action.kind {
        ActionKind::FileWrite => &tools.writes,
        ActionKind::Network => &tools.fetches,
        ActionKind::Spawn => &tools.spawns,
        ActionKind::ToolCall | ActionKind::Transition => &[],
    };
    let has = |tool: &str| {
        let tool = rules.family(tool);
        allowed
            .iter()
            .any(|known| rules.family(known).eq_ignore_ascii_case(tool))
    };
    let (is_allowed, called) = match &action.tool {
        Some(tool) => (has(tool), tool.as_str()),
        None if implied.is_empty() => return,
        None => (implied.iter().any(|tool| has(tool)), action.kind.as_str()),
    };
    if !is_allowed {
        let reason = format!("Agent is not allowed the tool {called}");
        found.deny(Violation::new("tool_not_allowed", called, reason));
    }
}

/// Spawning (§9.4): limits that no approval lifts, and a right that an approval gives for once.
fn spawn(rules: &Rules, action: &Action, agent: &Agent, context: &Context, found: &mut Findings) {
    if !action.is_spawn(rules) {
        return;
    }
    let reason = format!("Agent is {} and may not spawn agents", agent.rank);
    let violation = Violation::new("spawn_role", agent.rank.as_str(), reason);
    if agent.rank == Rank::Intern {
        found.deny(violation);
    } else if !agent.can_spawn {
        found.ask(violation);
    }
    let Some(facts) = &context.spawn else { return };
    let limits = &rules.document.spawn;
    let limits = SpawnLimits {
        active: limits.max_active,
        per_parent_task: limits.max_per_parent_task,
        depth: limits.max_depth,
    };
    for passed in facts.passed(limits) {
        let (would_be, most) = (passed.would_be, passed.most);
        let what = match passed.rule {
            "spawn_max_active" => "Active spawned agents",
            "spawn_depth" => "Depth of spawning",
            _ => "Agents spawned for the task or by the agent",
        };
        let reason = format!("{what} would be {would_be} of at most {most}");
        found.deny(Violation::new(
            passed.rule,
            &format!("{would_be}/{most}"),
            reason,
        ));
    }
    if let Some(refused) = &facts.refused {
        found.deny(Violation::new(
            refused.rule,
            &refused.detail,
            &refused.reason,
        ));
    }
}

/// Transitions (§8.4, other actions): what the dry run said.
fn transition(action: &Action, context: &Context, found: &mut Findings) {
    if action.kind != ActionKind::Transition {
        return;
    }
    let to = action.target_status.as_deref().unwrap_or("?");
    let Some(facts) = &context.transition else {
        let arc = format!("?->{to}");
        let reason = format!("No task is known that could become {to}");
        return found.deny(Violation::new("invalid_transition", &arc, reason));
    };
    let arc = format!("{}->{to}", facts.from);
    match &facts.outcome {
        TransitionOutcome::Allowed => {}
        TransitionOutcome::RequiresHuman => {
            let reason = format!("Transition {arc} is for a person to do");
            found.raise(Violation::new("transition_requires_human", &arc, reason));
        }
        TransitionOutcome::Invalid(why) => {
            let reason = format!("Transition {arc} cannot be taken: {why}");
            found.deny(Violation::new("invalid_transition", &arc, reason));
        }
        TransitionOutcome::TaskTypeNotAllowed(kind) => {
            let reason = format!("Agent may not work on tasks of type {kind}");
            found.deny(Violation::new("task_type_not_allowed", kind, reason));
        }
    }
}

/// Step 8: what the rank may do at this risk; `None` is anything.
fn autonomy(rules: &Rules, action: &Action, agent: &Agent, found: &Findings) -> Option<Decision> {
    let matrix = rules.document.autonomy.of(agent.rank);
    let autonomy = match found.risk {
        Risk::Green => matrix.green,
        Risk::Yellow => matrix.yellow,
        Risk::Red => matrix.red,
    };
    // Only a person finishes a task, whatever the matrix says of risks.
    let is_transition = action.kind == ActionKind::Transition;
    match autonomy {
        Autonomy::Allow => None,
        Autonomy::Allowlisted if found.is_listed => None,
        Autonomy::Allowlisted | Autonomy::Approval => Some(Decision::NeedsApproval),
        Autonomy::Deny if is_transition => Some(Decision::NeedsApproval),
        Autonomy::Deny => Some(Decision::Deny),
    }
}

fn role(rank: Rank, risk: Risk, phrase: &str) -> Violation {
    let rule = match risk {
        Risk::Green => "role_green",
        Risk::Yellow => "role_yellow",
        Risk::Red => "role_red",
    };
    Violation::new(
        rule,
        rank.as_str(),
        format!("{rank} agent {phrase} {risk} actions"),
    )
}

/// Step 9: whether the money is there.
fn budget(action: &Action, context: &Context, violations: &mut Vec<Violation>) {
    let (Some(facts), Some(need)) = (context.budget, action.estimated_cost) else {
        return;
    };
    let limits = [
        ("budget_daily", "the day", facts.daily_remaining),
        ("budget_per_run", "one run", facts.per_run_cap),
        ("budget_task", "the task", facts.task_remaining),
    ];
    for (rule, what, left) in limits {
        if let Some(left) = left.filter(|left| need > *left) {
            let (need, left) = (usd(need), usd(left));
            let reason =
                format!("Estimated cost {need} USD is more than the {left} USD left for {what}");
            violations.push(Violation::new(rule, &format!("{need}/{left}"), reason));
        }
    }
}

/// Micro-dollars as dollars, with two to six decimals.
fn usd(amount: u64) -> String {
    let text = format!("{}.{:06}", amount / 1_000_000, amount % 1_000_000);
    let kept = text.trim_end_matches('0').len();
    let whole = text.find('.').unwrap_or(text.len()) + 3;
    text[..kept.max(whole)].to_owned()
}

/// Step 7: takes away what standing approvals lift, and names those that were needed. One of exactly
/// this action comes first: it lifts everything, so no other is used.
fn lift(violations: &mut Vec<Violation>, approvals: &[Standing], fingerprint: &str) -> Vec<String> {
    if violations.is_empty() {
        return Vec::new();
    }
    let usable = approvals.iter().filter(|standing| !standing.expired);
    let exact = usable.clone().find(|standing| match &standing.scope {
        Scope::Exact(known) => known == fingerprint,
        Scope::Named => true,
        Scope::Rule(_) => false,
    });
    if let Some(exact) = exact {
        violations.clear();
        return vec![exact.id.clone()];
    }
    let mut used = Vec::new();
    violations.retain(|violation| {
        let written = violation.written();
        let lifting = usable.clone().find(|standing| match &standing.scope {
            Scope::Rule(scope) => *scope == written || *scope == violation.rule,
            Scope::Exact(_) | Scope::Named => false,
        });
        if let Some(standing) = lifting
            && !used.contains(&standing.id)
        {
            used.push(standing.id.clone());
        }
        lifting.is_none()
    });
    used
}

fn allowed(rank: Rank, risk: Risk, standing: &[String]) -> String {
    match standing {
        [] => format!("{risk} action is allowed for {rank} agents"),
        ids => format!("{risk} action is allowed by {}", ids.join(", ")),
    }
}

fn required(action: &Action, is_about_money: bool, first: &Violation) -> ApprovalRequired {
    let kind = match action.kind {
        _ if is_about_money => ApprovalKind::BudgetOverride,
        ActionKind::Transition => ApprovalKind::StateTransition,
        ActionKind::Spawn => ApprovalKind::Spawn,
        ActionKind::ToolCall | ActionKind::FileWrite | ActionKind::Network => {
            ApprovalKind::ToolExec
        }
    };
    let what = [
        &action.command,
        &action.path,
        &action.url,
        &action.domain,
        &action.target_status,
        &action.tool,
    ]
    .into_iter()
    .find_map(Option::as_deref)
    .unwrap_or(action.kind.as_str());
    let what: String = what.chars().take(120).collect();
    ApprovalRequired {
        kind,
        suggested_justification: format!(
            "The task needs `{what}`. It was stopped because: {}.",
            first.reason
        ),
    }
}
