//! Who acts, and what else a verdict depends on. Nothing here is looked up: a caller brings it along.

use std::fmt;
use std::str::FromStr;

/// What kind of agent it is (OpenClaw contract §2, AgentRole), lowest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Rank {
    Intern,
    Specialist,
    Lead,
}

/// Whether an agent may work (§6).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Status {
    Active,
    Paused,
    Drained,
    Quarantined,
    Offline,
}

/// Whether agents may work at all (§4, `/operator/mode`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum OperatorMode {
    #[default]
    Normal,
    Paused,
    Draining,
    Quarantined,
}

/// A word that an enum does not have.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{word:?} is none of {known}")]
pub struct UnknownWord {
    pub word: String,
    pub known: &'static str,
}

/// The contract's words for an enum: how it is shown and read.
macro_rules! words {
    ($name:ident { $($variant:ident = $word:literal,)* }) => {
        impl $name {
            /// The contract's word for it.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word,)* }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.pad(self.as_str())
            }
        }

        impl FromStr for $name {
            type Err = UnknownWord;

            fn from_str(word: &str) -> Result<Self, UnknownWord> {
                match word {
                    $($word => Ok(Self::$variant),)*
                    _ => Err(UnknownWord {
                        word: word.to_owned(),
                        known: concat!($($word, " ",)*).trim_ascii_end(),
                    }),
                }
            }
        }
    };
}
pub(crate) use words;

words!(Rank {
    Intern = "INTERN",
    Specialist = "SPECIALIST",
    Lead = "LEAD",
});

words!(Status {
    Active = "ACTIVE",
    Paused = "PAUSED",
    Drained = "DRAINED",
    Quarantined = "QUARANTINED",
    Offline = "OFFLINE",
});

words!(OperatorMode {
    Normal = "NORMAL",
    Paused = "PAUSED",
    Draining = "DRAINING",
    Quarantined = "QUARANTINED",
});

/// The agent that wants to act.
#[derive(Debug, Clone)]
pub struct Agent {
    pub rank: Rank,
    pub status: Status,
    /// The only tools it may use, if it is held to some. An empty list allows none.
    pub allowed_tools: Option<Vec<String>>,
    /// Its `workspacePath`, absolute. Without one, relative paths still have a place of their own.
    pub workspace: Option<String>,
    /// What `~` stands for. Without it, any user's home is taken for the agent's where that is stricter.
    pub home: Option<String>,
    pub can_spawn: bool,
}

/// What is known around an action. What is `None` is not judged, a transition excepted.
#[derive(Debug, Clone, Default)]
pub struct Context {
    pub operator_mode: OperatorMode,
    /// The action is for a task that is IN_PROGRESS and the agent's own: what a DRAINED agent may finish.
    pub task_in_progress_is_own: bool,
    /// Whoever set the agent up has put the action's tool on its list: it counts as on an allowlist.
    pub is_listed: bool,
    /// What people have said yes to, for this agent and task.
    pub approvals: Vec<Standing>,
    pub budget: Option<BudgetFacts>,
    pub spawn: Option<SpawnFacts>,
    pub transition: Option<TransitionFacts>,
}

/// An approval or a grant that is this agent's and this task's, and not used up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// What the verdict calls it.
    pub id: String,
    pub scope: Scope,
    /// It was named by the caller and is too old. Pass others that have expired only if named.
    pub expired: bool,
}

/// What a standing approval covers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scope {
    /// The one action with this fingerprint: everything that an approval can lift.
    Exact(String),
    /// One violation as a whole (`shell_not_allowlisted:make`), or every violation of a rule
    /// (`shell_not_allowlisted`).
    Rule(String),
    /// Whatever is asked, because the caller named the approval itself (§8.1, `context.approvalId`).
    Named,
}

/// Money left, in micro-dollars. `None` is not limited.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct BudgetFacts {
    pub daily_remaining: Option<u64>,
    pub per_run_cap: Option<u64>,
    pub task_remaining: Option<u64>,
}

/// How many spawned agents there are already (§9.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SpawnFacts {
    pub active_agents: u32,
    pub children_of_parent_task: u32,
    /// How deep the new agent would be: 1 for the child of an agent that a person registered.
    pub depth: u32,
}

/// What a dry run of a transition said (§8.4, other actions).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TransitionFacts {
    pub from: String,
    pub outcome: TransitionOutcome,
}

/// How a transition would end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TransitionOutcome {
    Allowed,
    /// Only a person may do it.
    RequiresHuman,
    /// There is no such arc, or this agent may not take it.
    Invalid,
    /// The agent may not work on tasks of this type.
    TaskTypeNotAllowed(String),
}
