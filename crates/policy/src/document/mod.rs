//! The rules as people write them: one typed, versioned document, in TOML on disk and in JSON on the
//! wire, with the same keys (OpenClaw contract §8.4, and §§9, 10.3 for what is set beyond verdicts).
//!
//! Reading a document checks all of it. Every fault names its line or path and what would be right, and
//! all of them are found at once. A key left out has its built-in value, so that a short document holds
//! what an operator wants different and nothing else.

mod check;
mod diff;
mod read;
mod tree;
mod values;

use std::sync::LazyLock;

use serde::{Deserialize, Deserializer};
use serde_json::Value;

pub use diff::Difference;
pub use values::{Allowed, Autonomy, Money, Ranked, Span};

use crate::Risk;
use read::{Read as _, section};
use tree::Tree;

/// What is wrong with a document or an action, where, and what would be right.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", self.shown())]
pub struct Fault {
    /// The line of a TOML text, counted from 1.
    pub line: Option<usize>,
    /// Where in the document: `shell.green[3].command`; empty for all of it.
    pub path: String,
    /// A phrase that goes on from the path: `is 3; it must be a string`.
    pub message: String,
}

impl Fault {
    pub(crate) fn new(
        line: Option<usize>,
        path: impl Into<String>,
        message: impl Into<String>,
    ) -> Self {
        Self {
            line,
            path: path.into(),
            message: message.into(),
        }
    }

    fn shown(&self) -> String {
        let subject = if self.path.is_empty() {
            "the document"
        } else {
            &self.path
        };
        match self.line {
            Some(line) => format!("line {line}: {subject} {}", self.message),
            None => format!("{subject} {}", self.message),
        }
    }
}

section! {
    /// A whole set of rules. `default.toml` beside this file says what each key means.
    Document {
        /// The form of the document, not its revision. Only 1 exists.
        version: u32,
        autonomy: Ranked<AutonomyByRisk>,
        approvals: Approvals,
        tools: Tools,
        shell: Shell,
        files: Files,
        network: Network,
        secrets: Secrets,
        production: Production,
        spawn: Spawn,
        loops: Loops,
        budget: Budget,
    }
}

section! {
    /// What one rank may do (§8.3).
    AutonomyByRisk {
        green: Autonomy,
        yellow: Autonomy,
        red: Autonomy,
    }
}

section! {
    /// Who may say yes (§§5.2, 10.3).
    Approvals {
        /// A LEAD may finish a task that it does not work on itself.
        lead_may_complete: bool,
        /// A LEAD may decide other agents' YELLOW requests to run a tool.
        lead_may_approve_yellow: bool,
        /// A RED request takes two different people.
        dual_control_red: bool,
    }
}

section! {
    /// The risk of each tool by its name, and which tools are judged by what they are given.
    Tools {
        /// The risk of a tool that no list names.
        unknown: Risk,
        green: Vec<String>,
        yellow: Vec<String>,
        red: Vec<String>,
        /// One tool under several names, judged by its command.
        shell: Vec<String>,
        reads: Vec<String>,
        writes: Vec<String>,
        fetches: Vec<String>,
        spawns: Vec<String>,
        raised: Vec<Raised>,
    }
}

section! {
    /// A tool that is RED unless an argument, if there is one, begins with one of some words.
    Raised {
        tool: String,
        argument: String,
        unless: Vec<String>,
    }
}

section! {
    /// What is known of commands.
    Shell {
        blocked: Vec<String>,
        blocked_paths: Vec<String>,
        green: Vec<Allowed>,
        yellow: Vec<Allowed>,
        dumps: Vec<String>,
        fetchers: Vec<String>,
        downloaders: Vec<String>,
        shells: Vec<String>,
        variables: Vec<String>,
        devices: Vec<String>,
    }
}

section! {
    /// Patterns of paths.
    Files {
        read: Vec<String>,
        write: Vec<String>,
        deny: Vec<String>,
        deny_write: Vec<String>,
    }
}

section! {
    /// Hosts.
    Network {
        allow: Vec<String>,
        deny: Vec<String>,
        integrations: Vec<Integration>,
    }
}

section! {
    /// Hosts that are allowed while an integration is on.
    Integration {
        name: String,
        on: bool,
        hosts: Vec<String>,
    }
}

section! {
    /// What is looked for in texts.
    Secrets {
        /// The kinds that are looked for, of `crate::secret_kinds`.
        kinds: Vec<String>,
        /// Tools whose text is stored redacted, and so is not judged for secrets.
        redacted_tools: Vec<String>,
    }
}

section! {
    /// Whole words that raise an action to RED.
    Production {
        words: Vec<String>,
        branches: Vec<String>,
    }
}

section! {
    /// How many agents agents may spawn (§9.4).
    Spawn {
        max_active: u32,
        max_per_parent_task: u32,
        max_depth: u32,
        lifetime: Span,
    }
}

section! {
    /// What counts as going round in circles (§9.5).
    Loops {
        comments: Limit,
        reviews: Count,
        ping_pong: Limit,
        tool_retries: Limit,
    }
}

section! {
    /// More than so many within so long.
    Limit {
        most: u32,
        within: Span,
    }
}

section! {
    /// More than so many, whenever.
    Count {
        most: u32,
    }
}

section! {
    /// Budgets (§§9.1, 9.3).
    Budget {
        warn_percent: u32,
        critical_percent: u32,
        /// What an override asks for, as a share of the day's limit.
        override_percent: u32,
        roles: Ranked<RoleBudget>,
    }
}

section! {
    /// What an agent of a rank gets unless its registration says otherwise.
    RoleBudget {
        daily: Money,
        per_run: Money,
        can_spawn: bool,
    }
}

/// The text of the built-in rules, with its comments: what an operator copies and edits.
pub const DEFAULT_TOML: &str = include_str!("../default.toml");

static DEFAULT: LazyLock<(Tree, Document)> = LazyLock::new(|| {
    let read = Tree::from_toml(DEFAULT_TOML).and_then(|tree| {
        let document = Document::checked(&tree)?;
        Ok((tree, document))
    });
    match read {
        Ok(default) => default,
        Err(faults) => unreachable!("a test reads the built-in rules: {faults:?}"),
    }
});

impl Document {
    /// The rules that hold where no operator has written others.
    #[must_use]
    pub fn built_in() -> Self {
        DEFAULT.1.clone()
    }

    /// Reads a TOML text, and fills in what it leaves out.
    ///
    /// # Errors
    /// Every fault, in the order of the text.
    pub fn from_toml(text: &str) -> Result<Self, Vec<Fault>> {
        Self::filled(Tree::from_toml(text)?)
    }

    /// Reads a JSON value, and fills in what it leaves out.
    ///
    /// # Errors
    /// Every fault.
    pub fn from_json(value: &Value) -> Result<Self, Vec<Fault>> {
        Self::filled(Tree::from_json(value)?)
    }

    fn filled(mut tree: Tree) -> Result<Self, Vec<Fault>> {
        tree.fill(&DEFAULT.0);
        Self::checked(&tree).map_err(|mut faults| {
            // What cannot be read hides the sense of all the rest: with it out of the way, the rest is
            // checked too, so that one reading tells everything.
            for fault in &faults {
                tree.mend(&DEFAULT.0, &fault.path);
            }
            if let Err(more) = Self::checked(&tree) {
                faults.extend(more);
            }
            faults.sort_by_key(|fault| fault.line);
            faults.dedup();
            faults
        })
    }

    fn checked(tree: &Tree) -> Result<Self, Vec<Fault>> {
        let mut faults = Vec::new();
        let document = Self::read(tree, "", &mut faults);
        if let Some(document) = &document {
            check::document(document, &mut faults);
        }
        for fault in faults.iter_mut().filter(|fault| fault.line.is_none()) {
            fault.line = tree.line_of(&fault.path);
        }
        faults.sort_by_key(|fault| fault.line);
        match document {
            Some(document) if faults.is_empty() => Ok(document),
            _ => Err(faults),
        }
    }

    /// Checks a document that was put together in code.
    ///
    /// # Errors
    /// Every fault, by its path.
    pub fn check(&self) -> Result<(), Vec<Fault>> {
        let mut faults = Vec::new();
        check::document(self, &mut faults);
        if faults.is_empty() {
            Ok(())
        } else {
            Err(faults)
        }
    }

    /// The document with all its keys, to be read by [`Document::from_json`].
    #[must_use]
    pub fn to_json(&self) -> Value {
        // Serialising plain structs with string keys into memory cannot fail.
        serde_json::to_value(self).unwrap_or_default()
    }

    /// The document with all its keys, to be read by [`Document::from_toml`].
    #[must_use]
    pub fn to_toml(&self) -> String {
        // As for JSON; the declared order keeps TOML's own rule that tables come last, or the writer does.
        toml::to_string_pretty(self).unwrap_or_default()
    }
}

impl<'de> Deserialize<'de> for Document {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = Value::deserialize(deserializer)?;
        Self::from_json(&value).map_err(|faults| {
            let faults: Vec<String> = faults.iter().map(ToString::to_string).collect();
            serde::de::Error::custom(faults.join("; "))
        })
    }
}
