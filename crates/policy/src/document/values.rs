//! The small values of a document: money, spans of time, choices, and entries of an allowlist.

use serde::{Serialize, Serializer};

use super::Fault;
use super::read::{Read, Table, wrong};
use super::tree::{Kind, Tree};
use crate::{Rank, Risk};

/// An amount in micro-dollars, written as a number of USD.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Money(pub u64);

impl Serialize for Money {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_f64(self.0 as f64 / 1e6)
    }
}

impl Read for Money {
    fn read(tree: &Tree, path: &str, faults: &mut Vec<Fault>) -> Option<Self> {
        match tree.kind {
            // Above a billion dollars a float no longer tells micro-dollars apart.
            Kind::Number(usd) if (0.0..=1e9).contains(&usd) => {
                Some(Self((usd * 1e6).round() as u64))
            }
            _ => wrong(tree, path, "USD, a number from 0 to 1000000000", faults),
        }
    }
}

/// A span of time in seconds, written as `90s`, `30m`, `24h` or `7d`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Span(pub u64);

const UNITS: [(&str, u64); 4] = [("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1)];

impl Serialize for Span {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let unit = UNITS
            .into_iter()
            .find(|(_, seconds)| self.0.is_multiple_of(*seconds));
        let (unit, seconds) = unit.unwrap_or(("s", 1));
        serializer.collect_str(&format_args!("{}{unit}", self.0 / seconds))
    }
}

impl Read for Span {
    fn read(tree: &Tree, path: &str, faults: &mut Vec<Fault>) -> Option<Self> {
        let right = "a span of time such as \"90s\", \"30m\", \"24h\" or \"7d\", at most 365 days";
        let Kind::Text(text) = &tree.kind else {
            return wrong(tree, path, right, faults);
        };
        let span = UNITS.into_iter().find_map(|(unit, seconds)| {
            let count: u64 = text.strip_suffix(unit)?.parse().ok()?;
            let total = count.checked_mul(seconds)?;
            (total <= 365 * 86_400).then_some(Self(total))
        });
        if span.is_none() {
            let message = format!("is {text:?}; it must be {right}");
            faults.push(Fault::new(tree.line, path, message));
        }
        span
    }
}

/// A value out of a few words, its words in a document, and how it is read and written.
macro_rules! choice {
    ($name:ident { $($variant:ident = $word:literal,)* }) => {
        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(match self { $(Self::$variant => $word,)* })
            }
        }

        impl Read for $name {
            fn read(tree: &Tree, path: &str, faults: &mut Vec<Fault>) -> Option<Self> {
                let right = concat!("one of" $(, " ", $word)*);
                match &tree.kind {
                    $(Kind::Text(text) if text == $word => Some(Self::$variant),)*
                    Kind::Text(text) => {
                        let message = format!("is {text:?}; it must be {right}");
                        faults.push(Fault::new(tree.line, path, message));
                        None
                    }
                    _ => wrong(tree, path, right, faults),
                }
            }
        }
    };
}

/// What a rank may do at a risk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Autonomy {
    Allow,
    /// Allowed if an allowlist has it, else asked for.
    Allowlisted,
    Approval,
    Deny,
}

choice!(Autonomy {
    Allow = "allow",
    Allowlisted = "allowlisted",
    Approval = "approval",
    Deny = "deny",
});

choice!(Risk {
    Green = "GREEN",
    Yellow = "YELLOW",
    Red = "RED",
});

/// One value a rank.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub struct Ranked<T> {
    pub intern: T,
    pub specialist: T,
    pub lead: T,
}

impl<T> Ranked<T> {
    #[must_use]
    pub fn of(&self, rank: Rank) -> &T {
        match rank {
            Rank::Intern => &self.intern,
            Rank::Specialist => &self.specialist,
            Rank::Lead => &self.lead,
        }
    }
}

impl<T: Read> Read for Ranked<T> {
    fn read(tree: &Tree, path: &str, faults: &mut Vec<Fault>) -> Option<Self> {
        let table = Table::open(tree, path, faults)?;
        table.has_only(&["INTERN", "SPECIALIST", "LEAD"], faults);
        let (intern, specialist, lead) = (
            table.get("INTERN", faults),
            table.get("SPECIALIST", faults),
            table.get("LEAD", faults),
        );
        Some(Self {
            intern: intern?,
            specialist: specialist?,
            lead: lead?,
        })
    }
}

/// A command on an allowlist: its first words, and what takes it off the list again. Written as the
/// words alone where nothing does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Allowed {
    /// The program and its first words; `*` stands for part of one path segment.
    pub command: String,
    /// Options, or patterns of words, that it must not have.
    pub without: Vec<String>,
    /// The most operands it may have beyond its first words.
    pub operands: Option<u32>,
    /// It shows what is in directories, so that a lone `/` is a path and no separator.
    pub names: bool,
    /// How many of its first operands are texts and no paths.
    pub texts: u32,
}

impl Read for Allowed {
    fn read(tree: &Tree, path: &str, faults: &mut Vec<Fault>) -> Option<Self> {
        if let Kind::Text(command) = &tree.kind {
            return Some(Self {
                command: command.clone(),
                without: Vec::new(),
                operands: None,
                names: false,
                texts: 0,
            });
        }
        let Kind::Table(entries) = &tree.kind else {
            return wrong(tree, path, "a command, or a table with one", faults);
        };
        let table = Table::open(tree, path, faults)?;
        table.has_only(
            &["command", "without", "operands", "names", "texts"],
            faults,
        );
        let has = |key: &str| entries.iter().any(|(known, _)| known == key);
        let command = table.get("command", faults);
        let without = if has("without") {
            table.get("without", faults)
        } else {
            Some(Vec::new())
        };
        let operands = if has("operands") {
            table.get("operands", faults).map(Some)
        } else {
            Some(None)
        };
        let names = if has("names") {
            table.get("names", faults)
        } else {
            Some(false)
        };
        let texts = if has("texts") {
            table.get("texts", faults)
        } else {
            Some(0)
        };
        Some(Self {
            command: command?,
            without: without?,
            operands: operands?,
            names: names?,
            texts: texts?,
        })
    }
}

impl Serialize for Allowed {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use serde::ser::SerializeMap;
        if self.without.is_empty() && self.operands.is_none() && !self.names && self.texts == 0 {
            return serializer.serialize_str(&self.command);
        }
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("command", &self.command)?;
        if !self.without.is_empty() {
            map.serialize_entry("without", &self.without)?;
        }
        if let Some(operands) = self.operands {
            map.serialize_entry("operands", &operands)?;
        }
        if self.names {
            map.serialize_entry("names", &true)?;
        }
        if self.texts > 0 {
            map.serialize_entry("texts", &self.texts)?;
        }
        map.end()
    }
}
