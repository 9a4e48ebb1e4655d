//! Trying rules out on what agents did: which verdicts would have been others.

use std::collections::HashMap;

use stationmaster_policy as engine;

use super::facts::agent_of;
use super::judge::level;
use super::{Decision, Document, InForce, Scope, in_force};
use crate::agent::Agent;
use crate::error::Error;
use crate::event::{Event, Happening, TrailQuery};
use crate::task::Task;
use crate::tool_call::Level;
use crate::{EventId, Handle, Object, Principal, Result, TaskId, TenantId, Tx};

/// What trying rules out came to.
#[derive(Debug, Clone, PartialEq)]
pub struct Rehearsal {
    /// The version of the scope's rules that it was compared with; 0: built in.
    pub version: i64,
    /// How many actions were judged again.
    pub tested: u32,
    /// Newest first.
    pub shifts: Vec<Shift>,
}

/// An action whose verdict would be another.
#[derive(Debug, Clone, PartialEq)]
pub struct Shift {
    /// Where the log has it.
    pub event: EventId,
    pub agent: Handle,
    pub action: Object,
    pub before: (Decision, Level),
    pub after: (Decision, Level),
}

/// Judges the last actions that the log has twice, by the rules in force and by `document`, as if
/// that were put in force for `scope`. Both times everything else is left out that changes by the
/// hour: status, budgets, grants. Changes nothing.
///
/// # Errors
/// Forbidden for agents; whatever is wrong with the document.
pub fn rehearse(
    tx: &mut dyn Tx,
    who: &Principal,
    scope: &Scope,
    document: &Document,
    last: u32,
) -> Result<Rehearsal> {
    who.operate("try rules out")?;
    let rules = engine::Rules::compile(document)
        .map_err(|faults| super::judge::invalid("document", faults))?;
    let trail = tx.trail(&TrailQuery {
        tenant: who.tenant.clone(),
        kinds: ["policy.evaluated", "policy.violated", "tool_call.started"]
            .map(str::to_owned)
            .into(),
        limit: last,
        ..TrailQuery::default()
    })?;
    let mut cast = Cast::default();
    let mut tested = 0;
    let mut shifts = Vec::new();
    for event in trail {
        let Some(judged) = Judged::of(&event) else {
            continue;
        };
        let Some(role) = cast.role(tx, &event.tenant, &judged, scope)? else {
            continue;
        };
        let Ok(action) = engine::Action::from_json(judged.action) else {
            continue;
        };
        tested += 1;
        let verdict = |rules: &engine::Rules| {
            let context = engine::Context::default();
            let found = engine::decide(rules, &action, &role.agent, &context);
            (found.decision, level(found.risk))
        };
        let (before, after) = (verdict(&role.force.rules), verdict(&rules));
        if before != after {
            shifts.push(Shift {
                event: event.id,
                agent: judged.agent.clone(),
                action: judged.action.clone(),
                before,
                after,
            });
        }
    }
    let newest = tx.policy(&scope.key())?.filter(|it| !it.removed);
    Ok(Rehearsal {
        version: newest.map_or(0, |it| it.version),
        tested,
        shifts,
    })
}

/// An action that the log has.
struct Judged<'a> {
    agent: &'a Handle,
    task: Option<&'a TaskId>,
    action: &'a Object,
}

impl<'a> Judged<'a> {
    fn of(event: &'a Event) -> Option<Self> {
        let (agent, task, action) = match &event.what {
            Happening::PolicyEvaluated(it) | Happening::PolicyViolated(it) => {
                (&it.agent, &it.task, &it.action)
            }
            Happening::ToolCallStarted(it) => (&it.agent, &it.task, it.action.as_ref()?),
            _ => return None,
        };
        Some(Self {
            agent,
            task: task.as_ref(),
            action,
        })
    }
}

/// Who judged actions are judged for again, looked up once each.
#[derive(Default)]
struct Cast {
    known: HashMap<(TenantId, Handle, Option<TaskId>), Option<Role>>,
}

#[derive(Clone)]
struct Role {
    agent: engine::Agent,
    force: InForce,
}

impl Cast {
    /// `None`: the agent is gone, or a narrower document than the scope's governs it.
    fn role(
        &mut self,
        tx: &mut dyn Tx,
        tenant: &TenantId,
        judged: &Judged<'_>,
        scope: &Scope,
    ) -> Result<Option<Role>, Error> {
        let key = (tenant.clone(), judged.agent.clone(), judged.task.cloned());
        if let Some(known) = self.known.get(&key) {
            return Ok(known.clone());
        }
        let task = match judged.task {
            Some(id) => tx.task(id)?,
            None => None,
        };
        let role = match tx.agent(tenant, judged.agent)? {
            Some(agent) => role_of(tx, &agent, task.as_ref(), scope)?,
            None => None,
        };
        self.known.insert(key, role.clone());
        Ok(role)
    }
}

fn role_of(
    tx: &mut dyn Tx,
    agent: &Agent,
    task: Option<&Task>,
    scope: &Scope,
) -> Result<Option<Role>> {
    let governs = Scope::candidates(&agent.tenant, Some(&agent.handle), task).contains(scope);
    let force = in_force(tx, &agent.tenant, Some(&agent.handle), task)?;
    if !governs || force.scope.rank() < scope.rank() {
        return Ok(None);
    }
    Ok(Some(Role {
        agent: engine::Agent {
            status: engine::Status::Active,
            ..agent_of(agent, tx.now())
        },
        force,
    }))
}
