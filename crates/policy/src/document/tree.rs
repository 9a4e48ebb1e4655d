//! A document as it was written, before anybody asks what it means: one tree for TOML and JSON, in which
//! TOML's values know their lines.

use serde_json::Value;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::Fault;

/// The longest document that is read, in bytes.
pub(crate) const LONGEST: usize = 1 << 20;

/// How deep a document may nest: far more than any section of one does.
const DEEPEST: usize = 16;

#[derive(Debug, Clone)]
pub(crate) struct Tree {
    /// Counted from 1; nothing knows it of JSON, nor of what was filled in.
    pub(crate) line: Option<usize>,
    pub(crate) kind: Kind,
}

#[derive(Debug, Clone)]
pub(crate) enum Kind {
    /// What neither form of a document has a use for: JSON's null, TOML's dates.
    Other(&'static str),
    Bool(bool),
    Number(f64),
    Text(String),
    List(Vec<Tree>),
    Table(Vec<(String, Tree)>),
}

impl Tree {
    pub(crate) fn from_toml(text: &str) -> Result<Self, Vec<Fault>> {
        if text.len() > LONGEST {
            return Err(vec![Fault::new(
                None,
                "",
                format!("is longer than {LONGEST} bytes"),
            )]);
        }
        let lines = Lines::of(text);
        let (table, errors) = DeTable::parse_recoverable(text);
        if errors.is_empty() {
            return Ok(Self {
                line: Some(1),
                kind: lines.table(table.get_ref()),
            });
        }
        let fault = |error: &toml::de::Error| {
            let line = error.span().map(|span| lines.at(span.start));
            Fault::new(
                line,
                "",
                format!("is no TOML: {}", error.message().replace('\n', ", ")),
            )
        };
        Err(errors.iter().map(fault).collect())
    }

    pub(crate) fn from_json(value: &Value) -> Result<Self, Vec<Fault>> {
        json(value, 0).ok_or_else(|| {
            vec![Fault::new(
                None,
                "",
                format!("nests deeper than {DEEPEST} levels"),
            )]
        })
    }

    /// What a table lacks, taken from another.
    pub(crate) fn fill(&mut self, from: &Self) {
        let (Kind::Table(entries), Kind::Table(others)) = (&mut self.kind, &from.kind) else {
            return;
        };
        for (key, other) in others {
            match entries.iter_mut().find(|(known, _)| known == key) {
                Some((_, entry)) => entry.fill(other),
                None => entries.push((key.clone(), other.clone())),
            }
        }
    }

    /// Puts another tree's value in the place of the one key of a section that a path leads through.
    pub(crate) fn mend(&mut self, from: &Self, path: &str) {
        let steps: Vec<&str> = path.split(['.', '[']).take(2).collect();
        self.mend_at(from, &steps);
    }

    fn mend_at(&mut self, from: &Self, steps: &[&str]) {
        let below = steps.split_first().and_then(|(step, rest)| {
            let (Kind::Table(entries), Kind::Table(sounds)) = (&mut self.kind, &from.kind) else {
                return None;
            };
            let (_, sound) = sounds.iter().find(|(key, _)| key == step)?;
            let (_, entry) = entries.iter_mut().find(|(key, _)| key == step)?;
            Some((entry, sound, rest))
        });
        match below {
            Some((entry, sound, rest)) => entry.mend_at(sound, rest),
            None => *self = from.clone(),
        }
    }

    /// The line of what stands at a path such as `shell.green[3].command`, or of the nearest thing
    /// around it that has one.
    pub(crate) fn line_of(&self, path: &str) -> Option<usize> {
        let mut tree = self;
        let mut line = None;
        for step in path.split(['.', '[']) {
            let next = match &tree.kind {
                Kind::Table(entries) => entries
                    .iter()
                    .find(|(key, _)| key == step)
                    .map(|(_, tree)| tree),
                Kind::List(items) => step
                    .trim_end_matches(']')
                    .parse()
                    .ok()
                    .and_then(|index: usize| items.get(index)),
                _ => None,
            };
            let Some(next) = next else { break };
            line = next.line.or(line);
            tree = next;
        }
        line
    }

    /// What a value is called in a fault.
    pub(crate) fn called(&self) -> &'static str {
        match self.kind {
            Kind::Other(called) => called,
            Kind::Bool(_) => "true or false",
            Kind::Number(_) => "a number",
            Kind::Text(_) => "a string",
            Kind::List(_) => "a list",
            Kind::Table(_) => "a table",
        }
    }
}

fn json(value: &Value, depth: usize) -> Option<Tree> {
    if depth > DEEPEST {
        return None;
    }
    let kind = match value {
        Value::Null => Kind::Other("null"),
        Value::Bool(value) => Kind::Bool(*value),
        Value::Number(number) => Kind::Number(number.as_f64()?),
        Value::String(text) => Kind::Text(text.clone()),
        Value::Array(items) => {
            let items = items.iter().map(|item| json(item, depth + 1));
            Kind::List(items.collect::<Option<_>>()?)
        }
        Value::Object(entries) => {
            let entries = entries
                .iter()
                .map(|(key, value)| Some((key.clone(), json(value, depth + 1)?)));
            Kind::Table(entries.collect::<Option<_>>()?)
        }
    };
    Some(Tree { line: None, kind })
}

/// Where the lines of a text begin.
struct Lines(Vec<usize>);

impl Lines {
    fn of(text: &str) -> Self {
        Self(text.match_indices('\n').map(|(at, _)| at).collect())
    }

    fn at(&self, byte: usize) -> usize {
        self.0.partition_point(|newline| *newline < byte) + 1
    }

    fn table(&self, table: &DeTable<'_>) -> Kind {
        let mut entries: Vec<_> = table
            .iter()
            .map(|(key, value)| {
                let mut tree = self.tree(value);
                // A table's own span may begin at its first entry; its key's line is where people look.
                tree.line = Some(self.at(key.span().start));
                (key.get_ref().to_string(), tree)
            })
            .collect();
        entries.sort_by_key(|(_, tree)| tree.line);
        Kind::Table(entries)
    }

    fn tree(&self, value: &Spanned<DeValue<'_>>) -> Tree {
        let kind = match value.get_ref() {
            DeValue::String(text) => Kind::Text(text.to_string()),
            DeValue::Boolean(value) => Kind::Bool(*value),
            DeValue::Integer(number) => {
                match i64::from_str_radix(number.as_str(), number.radix()) {
                    // Nothing in a document comes near the numbers that this rounds.
                    Ok(number) => Kind::Number(number as f64),
                    Err(_) => Kind::Other("a number that is too large"),
                }
            }
            DeValue::Float(number) => match number.as_str().parse() {
                Ok(number) => Kind::Number(number),
                Err(_) => Kind::Other("no number"),
            },
            DeValue::Datetime(_) => Kind::Other("a date"),
            DeValue::Array(items) => Kind::List(items.iter().map(|item| self.tree(item)).collect()),
            DeValue::Table(table) => self.table(table),
        };
        Tree {
            line: Some(self.at(value.span().start)),
            kind,
        }
    }
}
