//! Which rules are in force, compiled once and kept.

use std::collections::VecDeque;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use stationmaster_policy::{Document, Rules};

use super::{Head, Scope};
use crate::task::Task;
use crate::{Error, Handle, Result, TenantId, Tx};

/// The rules that govern something.
#[derive(Debug, Clone)]
pub struct InForce {
    pub scope: Scope,
    /// Of that scope; 0: built in.
    pub version: i64,
    pub rules: Arc<Rules>,
}

/// The rules that govern an agent at work on a task (OpenClaw contract §8.4): the newest document
/// of the narrowest scope that has one, else what is built in.
///
/// # Errors
/// An internal error when a document cannot be read any more: nothing is let through then.
pub fn in_force(
    tx: &mut dyn Tx,
    tenant: &TenantId,
    agent: Option<&Handle>,
    task: Option<&Task>,
) -> Result<InForce> {
    narrowest(tx, Scope::candidates(tenant, agent, task))
}

/// The rules of the first of these scopes that has any, else what is built in.
pub(super) fn narrowest(tx: &mut dyn Tx, candidates: Vec<Scope>) -> Result<InForce> {
    let keys: Vec<String> = candidates.iter().map(Scope::key).collect();
    let heads = tx.policy_heads(&keys)?;
    for (scope, key) in candidates.into_iter().zip(&keys) {
        if let Some(head) = heads.iter().find(|it| it.scope == *key && !it.removed) {
            return Ok(InForce {
                scope,
                version: head.version,
                rules: compiled(tx, head)?,
            });
        }
    }
    Ok(InForce {
        scope: Scope::BuiltIn,
        version: 0,
        rules: Rules::built_in(),
    })
}

/// How many compiled documents are kept.
const KEPT: usize = 64;

/// Compiled documents by the digest of their text, the one used longest ago first. The digest and
/// not scope and version, so that several databases in one process do not mix.
static COMPILED: LazyLock<Mutex<VecDeque<Compiled>>> =
    LazyLock::new(|| Mutex::new(VecDeque::with_capacity(KEPT)));

struct Compiled {
    digest: String,
    rules: Arc<Rules>,
}

fn compiled(tx: &mut dyn Tx, head: &Head) -> Result<Arc<Rules>> {
    if let Some(known) = known(&head.digest) {
        return Ok(known);
    }
    let stale = |why: String| {
        Error::internal(format!(
            "version {} of the rules of {} cannot be used: {why}",
            head.version, head.scope
        ))
    };
    let version = tx
        .policy(&head.scope)?
        .ok_or_else(|| stale("it is not there".to_owned()))?;
    let value = serde_json::from_str(&version.document).map_err(|it| stale(it.to_string()))?;
    let rules = Document::from_json(&value)
        .and_then(|document| Rules::compile(&document))
        .map_err(|faults| stale(format!("{faults:?}")))?;
    let rules = Arc::new(rules);
    let mut kept = COMPILED.lock().unwrap_or_else(PoisonError::into_inner);
    if kept.len() >= KEPT {
        kept.pop_front();
    }
    kept.push_back(Compiled {
        digest: head.digest.clone(),
        rules: Arc::clone(&rules),
    });
    Ok(rules)
}

fn known(digest: &str) -> Option<Arc<Rules>> {
    let mut kept = COMPILED.lock().unwrap_or_else(PoisonError::into_inner);
    let place = kept.iter().rposition(|it| it.digest == digest)?;
    let entry = kept.remove(place)?;
    let rules = Arc::clone(&entry.rules);
    kept.push_back(entry);
    Some(rules)
}
