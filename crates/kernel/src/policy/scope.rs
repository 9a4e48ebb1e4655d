//! What a document of rules governs.

use crate::kind::TaskKind;
use crate::task::Task;
use crate::{Handle, TaskId, TenantId};

/// What a document governs; the narrowest that there is wins (OpenClaw contract §8.4).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scope {
    /// The rules that came with the program.
    BuiltIn,
    Global,
    Tenant(TenantId),
    TaskType(TaskKind),
    Agent(TenantId, Handle),
    Task(TaskId),
}

impl Scope {
    /// Every scope that could govern an agent at work on a task, the one that wins first.
    #[must_use]
    pub fn candidates(tenant: &TenantId, agent: Option<&Handle>, task: Option<&Task>) -> Vec<Self> {
        let mut found = Vec::with_capacity(5);
        if let Some(task) = task {
            found.push(Self::Task(task.id.clone()));
        }
        if let Some(agent) = agent {
            found.push(Self::Agent(tenant.clone(), agent.clone()));
        }
        if let Some(kind) = task.and_then(|task| task.kind) {
            found.push(Self::TaskType(kind));
        }
        found.push(Self::Tenant(tenant.clone()));
        found.push(Self::Global);
        found
    }

    /// The name under which its versions are kept.
    #[must_use]
    pub fn key(&self) -> String {
        match self {
            Self::BuiltIn => "BUILT_IN".to_owned(),
            Self::Global => "GLOBAL".to_owned(),
            Self::Tenant(tenant) => format!("TENANT:{tenant}"),
            Self::TaskType(kind) => format!("TASK_TYPE:{}", kind.as_str()),
            Self::Agent(tenant, handle) => format!("AGENT:{tenant}:{handle}"),
            Self::Task(task) => format!("TASK:{task}"),
        }
    }

    /// What kind of scope it is.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self {
            Self::BuiltIn => "BUILT_IN",
            Self::Global => "GLOBAL",
            Self::Tenant(_) => "TENANT",
            Self::TaskType(_) => "TASK_TYPE",
            Self::Agent(..) => "AGENT",
            Self::Task(_) => "TASK",
        }
    }

    /// Which one of its kind it is, where there are several.
    #[must_use]
    pub fn id(&self) -> Option<String> {
        match self {
            Self::BuiltIn | Self::Global => None,
            Self::Tenant(tenant) => Some(tenant.to_string()),
            Self::TaskType(kind) => Some(kind.as_str().to_owned()),
            Self::Agent(_, handle) => Some(handle.to_string()),
            Self::Task(task) => Some(task.to_string()),
        }
    }

    /// Lower wins.
    pub(super) fn rank(&self) -> u8 {
        match self {
            Self::Task(_) => 0,
            Self::Agent(..) => 1,
            Self::TaskType(_) => 2,
            Self::Tenant(_) => 3,
            Self::Global => 4,
            Self::BuiltIn => 5,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_narrowest_scope_comes_first() {
        let (tenant, agent) = ("t".parse().unwrap(), "a".parse().unwrap());
        let found = Scope::candidates(&tenant, Some(&agent), None);
        let keys: Vec<String> = found.iter().map(Scope::key).collect();
        assert_eq!(keys, ["AGENT:t:a", "TENANT:t", "GLOBAL"]);
        assert!(found.is_sorted_by_key(Scope::rank));
    }
}
