//! Reading documents of rules and putting them in force (OpenClaw contract §4, §8.4).

use serde_json::Value;
use stationmaster_policy::{Document, Fault, Rules};

use super::force::narrowest;
use super::judge::invalid;
use super::{InForce, Scope, Version, digest, in_force};
use crate::event::{self, Happening};
use crate::{Error, Principal, Result, TenantId, Tx};

/// In bytes, as JSON.
const LARGEST: usize = 256 << 10;

/// A document as somebody wrote it.
#[derive(Debug, Clone, Copy)]
pub enum Source<'a> {
    Json(&'a Value),
    Toml(&'a str),
}

/// Reads a document and checks all of it.
///
/// # Errors
/// Every fault, each with its path or its line.
pub fn read(source: Source<'_>) -> Result<Document> {
    let (field, size) = match source {
        Source::Json(value) => ("document", value.to_string().len()),
        Source::Toml(text) => ("toml", text.len()),
    };
    if size > LARGEST {
        return Err(Error::invalid(
            field,
            format!("must be at most {LARGEST} bytes"),
        ));
    }
    parse(source).map_err(|faults| invalid(field, faults))
}

fn parse(source: Source<'_>) -> Result<Document, Vec<Fault>> {
    let document = match source {
        Source::Json(value) => Document::from_json(value)?,
        Source::Toml(text) => Document::from_toml(text)?,
    };
    Rules::compile(&document)?;
    Ok(document)
}

/// Puts a document in force for a scope, as a new version of it; the versions before are kept.
///
/// # Errors
/// Forbidden for agents; not found when there is no such agent or task.
pub fn put(
    tx: &mut dyn Tx,
    who: &Principal,
    scope: &Scope,
    document: &Document,
) -> Result<Version> {
    who.operate("change the rules")?;
    check_scope(tx, scope)?;
    let text = serde_json::to_string(&document.to_json()).map_err(Error::internal)?;
    add(tx, who, scope, text, false)
}

/// Takes a scope's document out of force: what governs it otherwise does so again.
///
/// # Errors
/// Forbidden for agents; `policy_not_found` when the scope has none.
pub fn remove(tx: &mut dyn Tx, who: &Principal, scope: &Scope) -> Result<Version> {
    who.operate("change the rules")?;
    match tx.policy(&scope.key())? {
        Some(newest) if !newest.removed => add(tx, who, scope, newest.document, true),
        _ => Err(Error::not_found(
            "policy_not_found",
            format!("{} has no rules of its own", scope.key()),
        )),
    }
}

fn add(
    tx: &mut dyn Tx,
    who: &Principal,
    scope: &Scope,
    document: String,
    removed: bool,
) -> Result<Version> {
    let newest = tx.policy(&scope.key())?;
    let version = Version {
        version: newest.map_or(1, |it| it.version + 1),
        scope: scope.key(),
        digest: digest(document.as_bytes()),
        document,
        created_by: who.subject.clone(),
        created_at: tx.now(),
        removed,
    };
    tx.insert_policy(&version)?;
    let tenant = tenant_of(tx, who, scope)?;
    let what = Happening::PolicyUpdated {
        version: version.version,
        scope: version.scope.clone(),
    };
    event::record(tx, who, &tenant, what)?;
    Ok(version)
}

/// In whose part of the log a change of the rules is told.
fn tenant_of(tx: &mut dyn Tx, who: &Principal, scope: &Scope) -> Result<TenantId> {
    Ok(match scope {
        Scope::Tenant(tenant) | Scope::Agent(tenant, _) => tenant.clone(),
        Scope::Task(id) => match tx.task(id)? {
            Some(task) => task.tenant,
            None => who.tenant()?.clone(),
        },
        Scope::BuiltIn | Scope::Global | Scope::TaskType(_) => who.tenant()?.clone(),
    })
}

fn check_scope(tx: &mut dyn Tx, scope: &Scope) -> Result<()> {
    match scope {
        Scope::Agent(tenant, handle) if tx.agent(tenant, handle)?.is_none() => Err(
            Error::not_found("agent_not_found", format!("there is no agent {handle}")),
        ),
        Scope::Task(id) if tx.task(id)?.is_none() => Err(Error::not_found(
            "task_not_found",
            format!("there is no task {id}"),
        )),
        _ => Ok(()),
    }
}

/// The rules that govern a scope, and where they come from.
#[derive(Debug, Clone, PartialEq)]
pub struct Active {
    /// Whose document it is: the scope's own, or that of one that includes it.
    pub scope: Scope,
    /// 0: built in.
    pub version: i64,
    pub document: Document,
    /// `None` for what is built in.
    pub written: Option<Version>,
}

/// The rules that govern a scope of this tenant.
///
/// # Errors
/// `task_not_found`.
pub fn active(tx: &mut dyn Tx, who: &Principal, scope: &Scope) -> Result<Active> {
    let force = match scope {
        Scope::Task(id) => {
            let task = tx
                .task(id)?
                .filter(|task| who.sees(&task.tenant))
                .ok_or_else(|| Error::not_found("task_not_found", "there is no such task"))?;
            let assignee = task.assignee.clone();
            in_force(tx, &task.tenant, assignee.as_ref(), Some(&task))?
        }
        Scope::Agent(tenant, handle) => in_force(tx, tenant, Some(handle), None)?,
        Scope::Tenant(tenant) => in_force(tx, tenant, None, None)?,
        Scope::TaskType(_) | Scope::Global | Scope::BuiltIn => first_of(tx, scope)?,
    };
    Ok(Active {
        written: tx.policy(&force.scope.key())?,
        version: force.version,
        document: force.rules.document().clone(),
        scope: force.scope,
    })
}

/// What governs where no tenant is named.
fn first_of(tx: &mut dyn Tx, scope: &Scope) -> Result<InForce> {
    let candidates = match scope {
        Scope::TaskType(_) => vec![scope.clone(), Scope::Global],
        Scope::Global => vec![Scope::Global],
        _ => Vec::new(),
    };
    narrowest(tx, candidates)
}

/// Every version of a scope's document, newest first.
///
/// # Errors
/// Forbidden for agents.
pub fn versions(
    tx: &mut dyn Tx,
    who: &Principal,
    scope: &Scope,
    limit: u32,
) -> Result<Vec<Version>> {
    who.operate("look back at the rules")?;
    tx.policy_versions(&scope.key(), limit)
}
