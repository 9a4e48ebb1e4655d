//! What an agent wants to do, as the contract's callers write it (OpenClaw contract §8.1).

use std::fmt;
use std::str::FromStr;

use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use crate::agent::{UnknownWord, words};
use crate::given::{Given, Sort};
use crate::rules::ToolKind;
use crate::{Fault, Rules, facts};

/// What kind of action it is (§2, PolicyActionType).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ActionKind {
    ToolCall,
    FileWrite,
    Network,
    Spawn,
    Transition,
}

words!(ActionKind {
    ToolCall = "TOOL_CALL",
    FileWrite = "FILE_WRITE",
    Network = "NETWORK",
    Spawn = "SPAWN",
    Transition = "TRANSITION",
});

/// An action to be judged.
#[derive(Debug, Clone, PartialEq)]
pub struct Action {
    pub kind: ActionKind,
    pub tool: Option<String>,
    pub command: Option<String>,
    pub path: Option<String>,
    pub url: Option<String>,
    pub domain: Option<String>,
    pub target_status: Option<String>,
    pub content: Option<String>,
    /// HTTP's, in capitals.
    pub method: Option<String>,
    /// In micro-dollars.
    pub estimated_cost: Option<u64>,
    /// Everything else that the tool is given.
    pub args: Map<String, Value>,
}

/// Names under which tools say the path that they work on.
const PATHS: [&str; 5] = ["path", "file_path", "filePath", "file", "filename"];

/// More than any tool is given, and little enough to look through.
const MOST_ARGUMENTS: usize = 256;

impl Action {
    /// An action with nothing but its kind.
    #[must_use]
    pub fn new(kind: ActionKind) -> Self {
        Self {
            kind,
            tool: None,
            command: None,
            path: None,
            url: None,
            domain: None,
            target_status: None,
            content: None,
            method: None,
            estimated_cost: None,
            args: Map::new(),
        }
    }

    /// A tool called with a command.
    #[must_use]
    pub fn command(tool: &str, command: &str) -> Self {
        Self {
            tool: Some(tool.to_owned()),
            command: Some(command.to_owned()),
            ..Self::new(ActionKind::ToolCall)
        }
    }

    /// Reads an action whose tool arguments stand under `args` or beside it; what stands in both places
    /// must be the same.
    ///
    /// # Errors
    /// Every fault, by the member's name.
    pub fn from_json(object: &Map<String, Value>) -> Result<Self, Vec<Fault>> {
        let mut faults = Vec::new();
        let mut members = flattened(object, &mut faults);
        let kind = kind(&mut members, &mut faults);
        let mut text = |names: &[&str]| take_text(&mut members, names, &mut faults);
        let tool = text(&["tool", "toolName"]);
        let command = text(&["command", "cmd"]);
        let path = text(&PATHS);
        let url = text(&["url", "uri"]);
        let domain = text(&["domain", "host"]);
        let target_status = text(&["targetStatus", "toStatus"]);
        let content = text(&["content"]);
        let method = text(&["method"]).map(|method| method.to_ascii_uppercase());
        let estimated_cost = take_money(&mut members, &mut faults);
        if members.len() > MOST_ARGUMENTS {
            faults.push(Fault::new(
                None,
                "args",
                format!("has more than {MOST_ARGUMENTS} members"),
            ));
        }
        if kind == Some(ActionKind::ToolCall) && tool.is_none() {
            faults.push(Fault::new(
                None,
                "tool",
                "is missing; a TOOL_CALL names its tool",
            ));
        }
        match kind {
            Some(kind) if faults.is_empty() => Ok(Self {
                kind,
                tool,
                command,
                path,
                url,
                domain,
                target_status,
                content,
                method,
                estimated_cost,
                args: members,
            }),
            _ => Err(faults),
        }
    }

    /// Whether it makes a new agent.
    #[must_use]
    pub fn is_spawn(&self, rules: &Rules) -> bool {
        facts::kind(rules, self) == ToolKind::Spawn
    }

    /// Whether the tool is given places that the action's own path and address do not say, such as where a
    /// file is moved to.
    #[must_use]
    pub fn has_other_places(&self, rules: &Rules) -> bool {
        !self.other_places(rules).is_empty()
    }

    /// Where a shell starts is left out: of a command, its words are what an approval is about.
    fn other_places(&self, rules: &Rules) -> Vec<Given<'_>> {
        let mut places = facts::places(rules, self);
        places.retain(|place| matches!(place.sort, Sort::Path | Sort::Address));
        if facts::kind(rules, self) == ToolKind::Shell {
            places.clear();
        }
        places.sort_by_key(|place| (place.name, place.text));
        places
    }

    /// What an approval of exactly this action is bound to: SHA-256 in hex of the tool and its command,
    /// path or address. What has none of these is known by all that it is given, so that a yes to one
    /// e-mail is no yes to the next.
    #[must_use]
    pub fn fingerprint(&self, rules: &Rules) -> String {
        let mut digest = Sha256::new();
        let mut part = |name: &str, value: &str| {
            // The lengths keep two parts from being read as one.
            digest.update(format!("{name}:{}:", value.len()));
            digest.update(value);
        };
        match &self.tool {
            Some(tool) => part("tool", rules.family(tool)),
            None => part("kind", self.kind.as_str()),
        }
        let parts = [
            ("command", self.command.as_deref().map(str::trim)),
            ("path", self.path.as_deref()),
            ("url", self.url.as_deref()),
            ("domain", self.domain.as_deref()),
            ("targetStatus", self.target_status.as_deref()),
        ];
        let mut is_bound = false;
        for (name, value) in parts {
            if let Some(value) = value {
                part(name, value);
                is_bound = true;
            }
        }
        if self.method.as_deref().is_some_and(|method| method != "GET") {
            part("method", self.method.as_deref().unwrap_or_default());
        }
        if is_bound {
            for place in self.other_places(rules) {
                part(place.name, place.text);
            }
        } else {
            part("content", self.content.as_deref().unwrap_or_default());
            let mut names: Vec<&String> = self.args.keys().collect();
            names.sort_unstable();
            for name in names {
                part(name, &canonical(&self.args[name]));
            }
        }
        hex::encode(digest.finalize())
    }
}

/// A value with the keys of its objects in order.
fn canonical(value: &Value) -> String {
    match value {
        Value::Object(entries) => {
            let mut parts: Vec<String> = entries
                .iter()
                .map(|(key, value)| format!("{}:{}", Value::from(key.as_str()), canonical(value)))
                .collect();
            parts.sort_unstable();
            format!("{{{}}}", parts.join(","))
        }
        Value::Array(items) => {
            let items: Vec<String> = items.iter().map(canonical).collect();
            format!("[{}]", items.join(","))
        }
        other => other.to_string(),
    }
}

fn flattened(object: &Map<String, Value>, faults: &mut Vec<Fault>) -> Map<String, Value> {
    let mut members = object.clone();
    let args = match members.remove("args") {
        None | Some(Value::Null) => return members,
        Some(Value::Object(args)) => args,
        Some(_) => {
            faults.push(Fault::new(None, "args", "must be an object"));
            return members;
        }
    };
    for (name, value) in args {
        if name == "type" {
            // A tool's own argument of this name is not the action's.
            members.insert("args.type".to_owned(), value);
            continue;
        }
        let beside = members.get(&name).filter(|beside| !beside.is_null());
        if beside.is_some_and(|beside| *beside != value) {
            let message = format!("differs from {name} beside args; say it once");
            faults.push(Fault::new(None, format!("args.{name}"), message));
        }
        members.insert(name, value);
    }
    members
}

fn kind(members: &mut Map<String, Value>, faults: &mut Vec<Fault>) -> Option<ActionKind> {
    let right = "one of TOOL_CALL FILE_WRITE NETWORK SPAWN TRANSITION";
    let word = match members.remove("type") {
        Some(Value::String(word)) => word,
        Some(_) => {
            faults.push(Fault::new(None, "type", format!("must be {right}")));
            return None;
        }
        None => {
            faults.push(Fault::new(
                None,
                "type",
                format!("is missing; it must be {right}"),
            ));
            return None;
        }
    };
    match word.parse() {
        Ok(kind) => Some(kind),
        Err(UnknownWord { .. }) => {
            faults.push(Fault::new(
                None,
                "type",
                format!("is {word:?}; it must be {right}"),
            ));
            None
        }
    }
}

/// The first of some names that is there. A second one that says something else is a fault: nobody
/// could know which of them the tool would follow.
fn take_text(
    members: &mut Map<String, Value>,
    names: &[&str],
    faults: &mut Vec<Fault>,
) -> Option<String> {
    let mut found: Option<String> = None;
    for name in names {
        match members.remove(*name) {
            None | Some(Value::Null) => {}
            Some(Value::String(text)) => match &found {
                Some(first) if *first != text => {
                    let message = format!("says another thing than its other name {}", names[0]);
                    faults.push(Fault::new(None, *name, message));
                }
                _ => found = Some(text),
            },
            Some(_) if *name == names[0] => {
                faults.push(Fault::new(None, *name, "must be a string"));
            }
            // Under another name it is some argument of the tool's own.
            Some(other) => {
                members.insert((*name).to_owned(), other);
            }
        }
    }
    found
}

fn take_money(members: &mut Map<String, Value>, faults: &mut Vec<Fault>) -> Option<u64> {
    let usd = match members.remove("estimatedCost") {
        None | Some(Value::Null) => return None,
        Some(value) => value.as_f64(),
    };
    match usd {
        // Rounded up, as all costs are; a billion is more than anybody means.
        Some(usd) if (0.0..=1e9).contains(&usd) => Some((usd * 1e6 - 1e-6).ceil().max(0.0) as u64),
        _ => {
            let message = "must be USD, a number from 0 to 1000000000";
            faults.push(Fault::new(None, "estimatedCost", message));
            None
        }
    }
}
