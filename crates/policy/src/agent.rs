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

/// How many spawned agents there are already, and what else stands in a new one's way (§9.4).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SpawnFacts {
    pub active_agents: u32,
    pub children_of_parent_task: u32,
    pub children_of_agent: u32,
    /// The most of them that the agent may have; `None` is not limited.
    pub most_children: Option<u32>,
    /// How deep the new agent would be: 1 for the child of an agent that a person registered.
    pub depth: u32,
    /// Why it may not have what is asked for it, which is more than its parent has.
    pub refused: Option<Refusal>,
}

/// How many agents agents may spawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SpawnLimits {
    pub active: u32,
    pub per_parent_task: u32,
    pub depth: u32,
}

/// A limit that one more agent would pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Passed {
    /// As a violation names it.
    pub rule: &'static str,
    pub would_be: u32,
    pub most: u32,
}

impl SpawnFacts {
    /// Every limit that one more agent would pass.
    #[must_use]
    pub fn passed(&self, limits: SpawnLimits) -> Vec<Passed> {
        let next = |count: u32| count.saturating_add(1);
        let (tasks, own) = (self.children_of_parent_task, self.children_of_agent);
        let counts = [
            ("spawn_max_active", next(self.active_agents), limits.active),
            ("spawn_max_per_parent", next(tasks), limits.per_parent_task),
            (
                "spawn_max_per_parent",
                next(own),
                self.most_children.unwrap_or(u32::MAX),
            ),
            ("spawn_depth", self.depth, limits.depth),
        ];
        let passed = counts
            .into_iter()
            .filter(|(_, would_be, most)| would_be > most);
        passed
            .map(|(rule, would_be, most)| Passed {
                rule,
                would_be,
                most,
            })
            .collect()
    }
}

/// What somebody else's rule says of an action: as a violation names it, and in a sentence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    pub rule: &'static str,
    pub detail: String,
    pub reason: String,
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
    /// There is no such arc, or this agent may not take it, or not as things stand; why.
    Invalid(String),
    /// The agent may not work on tasks of this type.
    TaskTypeNotAllowed(String),
}
