//! Judging an action, and what is kept of the verdict.

use serde_json::Value;
use stationmaster_policy as engine;

use super::facts::{agent_of, context_of, standings};
use super::{Decision, Fault, InForce, Scope, in_force, redact};
use crate::agent::{self, Agent};
use crate::budget;
use crate::error::Problem;
use crate::event::{self, Happening};
use crate::money::MicroUsd;
use crate::state::State;
use crate::task::Task;
use crate::tool_call::Level;
use crate::{ApprovalId, Error, GrantId, Handle, Object, Principal, Result, TaskId, Tx};

/// What the rules say of an action of an agent.
#[derive(Debug, Clone, PartialEq)]
pub struct Verdict {
    pub agent: Handle,
    pub task: Option<TaskId>,
    pub decision: Decision,
    pub level: Level,
    /// One sentence.
    pub reason: String,
    pub violations: Vec<String>,
    /// What to ask for, where an approval would let it through.
    pub approval_required: Option<(&'static str, String)>,
    pub fingerprint: String,
    /// The grants that let it through, if it takes any.
    pub grants: Vec<GrantId>,
    /// What the first of them comes from.
    pub approval: Option<ApprovalId>,
    pub version: i64,
    pub scope: Scope,
}

impl Verdict {
    /// As the log keeps it, with the action in a form without secrets.
    #[must_use]
    pub fn for_the_record(&self, action: Object) -> event::Judgement {
        event::Judgement {
            agent: self.agent.clone(),
            task: self.task.clone(),
            action,
            decision: self.decision.as_str().to_owned(),
            risk: self.level.as_str().to_owned(),
            violations: self.violations.clone(),
            grants: self.grants.clone(),
            policy_version: self.version,
        }
    }
}

/// Judges an action in the form of the wire (`{type, tool, command, …}`): the rules that are in
/// force, with every fact about agent, task, budget and grants. Changes nothing.
///
/// # Errors
/// Every fault of the action, as `action.…`.
pub fn judge(
    tx: &mut dyn Tx,
    agent: &Agent,
    task: Option<&Task>,
    action: &Object,
    named: Option<&ApprovalId>,
) -> Result<Verdict> {
    judge_listed(tx, agent, task, action, named, false)
}

/// As [`judge`]; `is_listed`: whoever set the agent up has put the tool on its list.
///
/// # Errors
/// As [`judge`].
pub(crate) fn judge_listed(
    tx: &mut dyn Tx,
    agent: &Agent,
    task: Option<&Task>,
    action: &Object,
    named: Option<&ApprovalId>,
    is_listed: bool,
) -> Result<Verdict> {
    let action = read(action).map_err(|faults| invalid("action", faults))?;
    let force = in_force(tx, &agent.tenant, Some(&agent.handle), task)?;
    let mut subject = agent_of(agent, tx.now());
    if action.is_spawn(&force.rules) {
        subject.can_spawn = agent::may_spawn(tx, agent)?;
    }
    let context = engine::Context {
        is_listed,
        ..context_of(tx, agent, task, &action, &force.rules)?
    };
    let found = engine::decide(&force.rules, &action, &subject, &context);
    if found.decision != Decision::NeedsApproval {
        return finish(tx, agent, task, force, found);
    }
    let asked = (&action, level(found.risk));
    let approvals = standings(tx, agent, task, asked, &force.rules, named)?;
    if approvals.is_empty() {
        return finish(tx, agent, task, force, found);
    }
    let context = engine::Context {
        approvals,
        ..context
    };
    let found = engine::decide(&force.rules, &action, &subject, &context);
    finish(tx, agent, task, force, found)
}

/// Reads an action; its states are the kernel's to know.
fn read(object: &Object) -> Result<engine::Action, Vec<Fault>> {
    let action = engine::Action::from_json(object);
    let is_transition = object.get("type").is_some_and(|kind| kind == "TRANSITION");
    let said = match &action {
        Ok(action) => action.target_status.as_deref(),
        Err(_) => ["targetStatus", "toStatus"].iter().find_map(|name| {
            object
                .get(*name)
                .or(object.get("args")?.get(*name))?
                .as_str()
        }),
    };
    let known = State::ALL.map(State::as_str).join(", ");
    let message = match said {
        _ if !is_transition => return action,
        Some(word) if State::parse(word).is_some() => return action,
        Some(word) => format!("is {word:?}; it must be one of {known}"),
        None => format!("is missing; it must be one of {known}"),
    };
    let mut faults = action.err().unwrap_or_default();
    if !faults.iter().any(|fault| fault.path == "targetStatus") {
        faults.push(Fault {
            line: None,
            path: "targetStatus".to_owned(),
            message,
        });
    }
    Err(faults)
}

/// Everything that is wrong with an action, as `action.…`.
#[must_use]
pub fn faults(action: &Object) -> Vec<Problem> {
    let faults = read(action).err().unwrap_or_default();
    problems("action", faults)
}

fn finish(
    tx: &mut dyn Tx,
    agent: &Agent,
    task: Option<&Task>,
    force: InForce,
    found: engine::Verdict,
) -> Result<Verdict> {
    let grants: Vec<GrantId> = found.standing.into_iter().map(GrantId::new).collect();
    let approval = match grants.first() {
        Some(id) => tx.grant(id)?.map(|grant| grant.approval),
        None => None,
    };
    Ok(Verdict {
        agent: agent.handle.clone(),
        task: task.map(|task| task.id.clone()),
        decision: found.decision,
        level: level(found.risk),
        reason: found.reason,
        violations: found.violations,
        approval_required: found
            .approval_required
            .map(|it| (it.kind.as_str(), it.suggested_justification)),
        fingerprint: found.fingerprint,
        grants,
        approval,
        version: force.version,
        scope: force.scope,
    })
}

pub(super) fn level(risk: engine::Risk) -> Level {
    match risk {
        engine::Risk::Green => Level::Green,
        engine::Risk::Yellow => Level::Yellow,
        engine::Risk::Red => Level::Red,
    }
}

/// Faults of a document or an action as problems of the request that brought it.
pub(super) fn invalid(prefix: &str, faults: Vec<Fault>) -> Error {
    Error::invalid_all(problems(prefix, faults))
}

fn problems(prefix: &str, faults: Vec<Fault>) -> Vec<Problem> {
    faults
        .into_iter()
        .map(|fault| {
            let field = match (fault.line, fault.path.as_str()) {
                (Some(line), "") => format!("{prefix}:{line}"),
                (Some(line), path) => format!("{prefix}:{line} {path}"),
                (None, "") => prefix.to_owned(),
                (None, path) => format!("{prefix}.{path}"),
            };
            Problem {
                field,
                message: fault.message,
            }
        })
        .collect()
}

/// Which action a request to run a tool is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sketch {
    pub fingerprint: String,
    /// What holds it back now.
    pub violations: Vec<String>,
}

/// Reads the payload of a request as an action; `None` when it is none. A command that names no
/// tool is one for a shell.
///
/// # Errors
/// As [`in_force`].
pub fn sketch(
    tx: &mut dyn Tx,
    agent: &Agent,
    task: Option<&Task>,
    payload: &Object,
) -> Result<Option<Sketch>> {
    let mut action = match payload.get("action") {
        Some(Value::Object(action)) => action.clone(),
        _ => payload.clone(),
    };
    action.entry("type").or_insert_with(|| "TOOL_CALL".into());
    let names_command = ["command", "cmd"].iter().any(|name| {
        action.contains_key(*name)
            || action
                .get("args")
                .is_some_and(|args| args.get(*name).is_some())
    });
    if names_command {
        action.entry("tool").or_insert_with(|| "exec".into());
    }
    let names_something = ["tool", "path", "url", "domain", "targetStatus"]
        .iter()
        .any(|name| action.contains_key(*name));
    if !names_something || read(&action).is_err() {
        return Ok(None);
    }
    let verdict = judge(tx, agent, task, &action, None)?;
    Ok(Some(Sketch {
        fingerprint: verdict.fingerprint,
        violations: verdict.violations,
    }))
}

/// Whether an agent may do something (OpenClaw contract §8.1).
#[derive(Debug, Clone)]
pub struct Question {
    pub action: Object,
    /// An unknown one is ignored (rulings 9).
    pub task: Option<TaskId>,
    /// The approval that the agent says it has.
    pub approval: Option<ApprovalId>,
}

/// What the rules say, and how the agent's budget stands.
#[derive(Debug, Clone, PartialEq)]
pub struct Evaluation {
    pub verdict: Verdict,
    pub budget: Allowance,
}

/// How an agent's budget stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Allowance {
    /// `None`: there is no limit.
    pub daily: Option<MicroUsd>,
    pub spent_today: MicroUsd,
    pub remaining: Option<MicroUsd>,
    pub per_run_cap: Option<MicroUsd>,
}

/// Answers an agent's question. Changes nothing, not even whether the agent counts as absent.
///
/// # Errors
/// Every fault of the action; `agent_not_found`; forbidden for callers that speak for no agent.
pub fn evaluate(tx: &mut dyn Tx, who: &Principal, question: &Question) -> Result<Evaluation> {
    let (Some(handle), tenant) = (who.handle(), who.tenant()?) else {
        return Err(Error::forbidden(
            "forbidden",
            "only an agent, or an operator acting for one, asks what it may do",
        )
        .with_detail("requiredRole", "AGENT"));
    };
    let agent = tx
        .agent(tenant, handle)?
        .ok_or_else(|| Error::not_found("agent_not_found", "there is no such agent"))?;
    let task = match &question.task {
        Some(id) => tx.task(id)?.filter(|task| task.tenant == agent.tenant),
        None => None,
    };
    let verdict = judge(
        tx,
        &agent,
        task.as_ref(),
        &question.action,
        question.approval.as_ref(),
    )?;
    let now = tx.now();
    Ok(Evaluation {
        verdict,
        budget: Allowance {
            daily: agent.detail.budget_daily,
            spent_today: agent.detail.purse.today(now).spent,
            remaining: budget::left(&agent, now),
            per_run_cap: agent.detail.budget_per_run,
        },
    })
}

/// Keeps an answer in the audit trail, unless it simply was yes (OpenClaw contract §11).
///
/// # Errors
/// Whatever the store meets.
pub fn record(
    tx: &mut dyn Tx,
    who: &Principal,
    question: &Question,
    evaluation: &Evaluation,
) -> Result<()> {
    let verdict = &evaluation.verdict;
    if verdict.decision == Decision::Allow {
        return Ok(());
    }
    let judgement = verdict.for_the_record(redact_all(&question.action));
    let tenant = who.tenant()?.clone();
    event::record(tx, who, &tenant, Happening::PolicyEvaluated(judgement))
}

/// No text of a kept action is longer, in characters.
const LONGEST_KEPT: usize = 4000;
/// No list or object of a kept action has more members.
const MOST_KEPT: usize = 100;
/// Nothing of a kept action lies deeper.
const DEEPEST_KEPT: usize = 8;

/// An action as it is kept: without secrets, and without what is too much.
#[must_use]
pub fn redact_all(action: &Object) -> Object {
    action
        .iter()
        .take(MOST_KEPT)
        .map(|(name, value)| (name.clone(), kept(name, value, 1)))
        .collect()
}

fn kept(name: &str, value: &Value, depth: usize) -> Value {
    match value {
        Value::String(text) => {
            // `password` and its value are a secret only together.
            let (both, _) = redact(&format!("{name}={text}"));
            let clean = match both.split_once('=') {
                Some((before, after)) if before == name => after.to_owned(),
                _ => both,
            };
            match clean.char_indices().nth(LONGEST_KEPT) {
                Some((end, _)) => clean[..end].into(),
                None => clean.into(),
            }
        }
        Value::Array(_) | Value::Object(_) if depth >= DEEPEST_KEPT => Value::Null,
        Value::Array(items) => items
            .iter()
            .take(MOST_KEPT)
            .map(|item| kept(name, item, depth + 1))
            .collect(),
        Value::Object(members) => members
            .iter()
            .take(MOST_KEPT)
            .map(|(name, value)| (name.clone(), kept(name, value, depth + 1)))
            .collect(),
        other => other.clone(),
    }
}
