//! A document made ready to judge by: everything read and looked up once.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, LazyLock};

use crate::document::{Document, Raised};
use crate::files::FileRules;
use crate::network::NetworkRules;
use crate::shell::rules::ShellRules;
use crate::words::ProductionRules;
use crate::{Fault, Risk, secret};

/// Rules to judge by. Made once of a document, then shared.
#[derive(Debug)]
pub struct Rules {
    pub(crate) document: Document,
    pub(crate) shell: ShellRules,
    pub(crate) files: FileRules,
    pub(crate) network: NetworkRules,
    pub(crate) production: ProductionRules,
    risks: HashMap<String, Risk>,
    shells: HashSet<String>,
    reads: HashSet<String>,
    writes: HashSet<String>,
    fetches: HashSet<String>,
    spawns: HashSet<String>,
    redacted: HashSet<String>,
    raised: Vec<Raised>,
}

/// What a tool is judged by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ToolKind {
    Shell,
    Read,
    Write,
    Fetch,
    Spawn,
    Other,
}

static BUILT_IN: LazyLock<Arc<Rules>> =
    LazyLock::new(|| match Rules::compile(&Document::built_in()) {
        Ok(rules) => Arc::new(rules),
        Err(faults) => unreachable!("a test compiles the built-in rules: {faults:?}"),
    });

impl Rules {
    /// Makes a document ready.
    ///
    /// # Errors
    /// Every fault of the document, as its reading would have said.
    pub fn compile(document: &Document) -> Result<Self, Vec<Fault>> {
        document.check()?;
        let mut faults = Vec::new();
        let rules = Self::assemble(document, &mut faults);
        if faults.is_empty() {
            Ok(rules)
        } else {
            Err(faults)
        }
    }

    /// The built-in rules, made ready once.
    #[must_use]
    pub fn built_in() -> Arc<Self> {
        Arc::clone(&BUILT_IN)
    }

    /// The document that these rules were made of.
    #[must_use]
    pub fn document(&self) -> &Document {
        &self.document
    }

    pub(crate) fn assemble(document: &Document, faults: &mut Vec<Fault>) -> Self {
        let tools = &document.tools;
        let mut risks = HashMap::new();
        for (names, risk) in [
            (&tools.green, Risk::Green),
            (&tools.yellow, Risk::Yellow),
            (&tools.red, Risk::Red),
        ] {
            for name in names {
                // Named twice, it has the higher risk; the check does not let that come.
                let known = risks.entry(folded(name)).or_insert(risk);
                *known = risk.max(*known);
            }
        }
        let set = |names: &[String]| names.iter().map(|name| folded(name)).collect();
        Self {
            shell: ShellRules::new(&document.shell, faults),
            files: FileRules::new(&document.files, faults),
            network: NetworkRules::new(&document.network, faults),
            production: ProductionRules {
                words: set(&document.production.words),
                branches: set(&document.production.branches),
            },
            risks,
            shells: set(&tools.shell),
            reads: set(&tools.reads),
            writes: set(&tools.writes),
            fetches: set(&tools.fetches),
            spawns: set(&tools.spawns),
            redacted: set(&document.secrets.redacted_tools),
            raised: tools.raised.clone(),
            document: document.clone(),
        }
    }

    /// The one name that approvals and lists of tools know a tool by: a shell's several names are one.
    pub(crate) fn family<'a>(&'a self, tool: &'a str) -> &'a str {
        let is_shell = self.shells.contains(&folded(tool));
        let first = self.document.tools.shell.first().filter(|_| is_shell);
        first.map_or(tool, String::as_str)
    }

    pub(crate) fn risk(&self, tool: &str) -> Option<Risk> {
        self.risks.get(&folded(tool)).copied()
    }

    pub(crate) fn kind(&self, tool: &str) -> ToolKind {
        let tool = folded(tool);
        let kinds = [
            (&self.shells, ToolKind::Shell),
            (&self.writes, ToolKind::Write),
            (&self.reads, ToolKind::Read),
            (&self.fetches, ToolKind::Fetch),
            (&self.spawns, ToolKind::Spawn),
        ];
        kinds
            .into_iter()
            .find(|(names, _)| names.contains(&tool))
            .map_or(ToolKind::Other, |(_, kind)| kind)
    }

    /// Whether a tool runs commands: one of the document's `tools.shell`.
    #[must_use]
    pub fn is_shell(&self, tool: &str) -> bool {
        self.kind(tool) == ToolKind::Shell
    }

    pub(crate) fn redacts(&self, tool: &str) -> bool {
        self.redacted.contains(&folded(tool))
    }

    pub(crate) fn raised<'a>(&'a self, tool: &'a str) -> impl Iterator<Item = &'a Raised> {
        self.raised
            .iter()
            .filter(move |raised| raised.tool.eq_ignore_ascii_case(tool))
    }

    pub(crate) fn looks_for(&self, kind: &str) -> bool {
        self.document
            .secrets
            .kinds
            .iter()
            .any(|known| known == kind)
    }

    /// A text with the secrets that these rules look for taken out, and their kinds.
    #[must_use]
    pub fn redact(&self, text: &str) -> (String, Vec<&'static str>) {
        let (text, kinds) = secret::redact(text, &|kind| self.looks_for(kind));
        (text.into_owned(), kinds)
    }
}

/// A text with secrets of every kind taken out, each as `[REDACTED:<kind>]`, and the kinds that were
/// found. A text with nothing like a secret in it is only looked through once.
#[must_use]
pub fn redact(text: &str) -> (String, Vec<&'static str>) {
    let (text, kinds) = secret::redact(text, &|_| true);
    (text.into_owned(), kinds)
}

fn folded(name: &str) -> String {
    name.to_ascii_lowercase()
}
