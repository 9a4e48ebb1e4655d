//! What an action would do, found out from all that it is given (OpenClaw contract §8.2, steps 4 to 6).

use serde_json::Value;

use crate::document::Raised;
use crate::files::Access;
use crate::finding::{Findings, Violation};
use crate::path::Place;
use crate::rules::ToolKind;
use crate::shell::{self, Surroundings};
use crate::{Action, ActionKind, Agent, Risk, Rules, host, network, secret, words};

/// How deep into a tool's arguments is looked.
const DEEPEST: usize = 32;

/// Whether an action makes a new agent.
pub(crate) fn is_spawn(rules: &Rules, action: &Action) -> bool {
    action.kind == ActionKind::Spawn
        || action
            .tool
            .as_deref()
            .is_some_and(|tool| rules.kind(tool) == ToolKind::Spawn)
}

/// Finds out all of it; returns the kinds of secrets that were seen.
pub(crate) fn gather(
    rules: &Rules,
    action: &Action,
    agent: &Agent,
    is_listed: bool,
    found: &mut Findings,
) -> Vec<&'static str> {
    let place = Place::new(agent.workspace.as_deref(), agent.home.as_deref());
    let tool = action.tool.as_deref();
    let kind = match action.kind {
        ActionKind::ToolCall => tool.map_or(ToolKind::Other, |tool| rules.kind(tool)),
        ActionKind::FileWrite => ToolKind::Write,
        ActionKind::Network => ToolKind::Fetch,
        ActionKind::Spawn => ToolKind::Spawn,
        ActionKind::Transition => ToolKind::Other,
    };
    let base = base_risk(rules, action, kind);
    command(rules, action, kind, &place, found);
    path(rules, action, kind, base, &place, found);
    address(rules, action, kind, found);
    // What is judged by what it is given has no other risk; the rest has its tool's.
    let is_judged = match kind {
        ToolKind::Shell => action.command.is_some(),
        ToolKind::Read | ToolKind::Write => action.path.is_some(),
        ToolKind::Fetch => action.url.is_some() || action.domain.is_some(),
        ToolKind::Spawn | ToolKind::Other => false,
    };
    if !is_judged {
        base_findings(rules, action, base, is_listed, found);
    }
    for raised in tool.into_iter().flat_map(|tool| rules.raised(tool)) {
        raise(raised, action, found);
    }
    production(rules, action, found);
    secrets(rules, action, found)
}

fn base_risk(rules: &Rules, action: &Action, kind: ToolKind) -> Risk {
    let unknown = rules.document.tools.unknown;
    match (&action.tool, action.kind) {
        (Some(tool), _) => rules.risk(tool).unwrap_or(unknown),
        (None, ActionKind::Transition) => Risk::Green,
        (None, _) if kind == ToolKind::Other => unknown,
        (None, _) => Risk::Yellow,
    }
}

fn base_findings(
    rules: &Rules,
    action: &Action,
    base: Risk,
    is_listed: bool,
    found: &mut Findings,
) {
    match base {
        Risk::Green => {}
        Risk::Yellow => found.yellow(is_listed),
        Risk::Red => {
            let tool = action.tool.as_deref().unwrap_or(action.kind.as_str());
            let how = if rules.risk(tool).is_some() {
                "is RED"
            } else {
                "is unknown, which is RED"
            };
            found.raise(Violation::new(
                "risk_red",
                tool,
                format!("Tool {tool} {how}"),
            ));
        }
    }
}

/// A command is judged as one whatever the tool is called.
fn command(rules: &Rules, action: &Action, kind: ToolKind, place: &Place, found: &mut Findings) {
    let command = action.command.as_deref();
    match command.filter(|command| !command.trim().is_empty()) {
        Some(command) => {
            let surroundings = Surroundings { rules, place };
            shell::judge(command, &surroundings, found);
        }
        // A blank one says no more than none: the tool may have another name for it.
        None if kind == ToolKind::Shell => {
            let reason = "Command is missing, so it cannot be judged".to_owned();
            found.raise(Violation::new("shell_unparseable", "", reason));
        }
        None => {}
    }
}

/// A tool that is not known to read is taken to write, unless it is harmless.
fn path(
    rules: &Rules,
    action: &Action,
    kind: ToolKind,
    base: Risk,
    place: &Place,
    found: &mut Findings,
) {
    let Some(path) = &action.path else { return };
    let access = match kind {
        ToolKind::Write => Access::Write,
        ToolKind::Read => Access::Read,
        // A shell's path is the directory that it starts in.
        ToolKind::Shell => Access::Read,
        ToolKind::Fetch | ToolKind::Spawn | ToolKind::Other if base == Risk::Green => Access::Read,
        ToolKind::Fetch | ToolKind::Spawn | ToolKind::Other => Access::Write,
    };
    rules.files.check(path, access, place, found);
}

fn address(rules: &Rules, action: &Action, kind: ToolKind, found: &mut Findings) {
    let method = action
        .method
        .as_deref()
        .unwrap_or(if action.content.is_some() {
            "POST"
        } else {
            "GET"
        });
    let sends = action.content.is_some()
        || ["body", "data", "json", "form"]
            .iter()
            .any(|name| action.args.contains_key(*name));
    let is_plain = kind == ToolKind::Fetch && matches!(method, "GET" | "HEAD") && !sends;
    match &action.url {
        Some(url) if !host::may_be_url(url) => network::deny_invalid(url, found),
        Some(url) => rules.network.check(url, is_plain, found),
        None => {}
    }
    if let Some(domain) = &action.domain {
        rules.network.check(domain, is_plain, found);
    }
    let is_missing = action.url.is_none() && action.domain.is_none();
    if action.kind == ActionKind::Network && is_missing {
        let reason = "Address is missing, so it cannot be judged".to_owned();
        found.deny(Violation::new("network_invalid_url", "", reason));
    }
}

/// A tool of which only some uses are harmless.
fn raise(raised: &Raised, action: &Action, found: &mut Findings) {
    let Some(value) = action.args.get(&raised.argument) else {
        return;
    };
    let is_harmless = value.as_str().is_some_and(|text| {
        let first = text
            .split(|letter: char| !letter.is_ascii_alphanumeric())
            .next();
        first.is_some_and(|first| {
            raised
                .unless
                .iter()
                .any(|word| word.eq_ignore_ascii_case(first))
        })
    });
    if !is_harmless {
        let reason = format!("Tool {} does more than read", raised.tool);
        found.raise(Violation::new("risk_red", &raised.tool, reason));
    }
}

fn production(rules: &Rules, action: &Action, found: &mut Findings) {
    if action
        .tool
        .as_deref()
        .is_some_and(|tool| rules.redacts(tool))
    {
        // Texts of one's own.
        return;
    }
    for (name, value) in &action.args {
        let is_prose = matches!(
            name.as_str(),
            "content" | "text" | "message" | "body" | "description" | "query" | "prompt"
        );
        if !is_prose {
            words::check_value(value, &rules.production, found);
        }
    }
}

fn secrets(rules: &Rules, action: &Action, found: &mut Findings) -> Vec<&'static str> {
    let mut kinds = Vec::new();
    let texts = [
        &action.command,
        &action.path,
        &action.url,
        &action.domain,
        &action.content,
    ];
    let mut look = |text: &str| {
        for kind in secret::find(text, &|kind| rules.looks_for(kind)) {
            if !kinds.contains(&kind) {
                kinds.push(kind);
            }
        }
    };
    for text in texts.into_iter().flatten() {
        look(text);
    }
    for (name, value) in &action.args {
        look_into(name, value, 0, &mut look);
    }
    let is_redacted = action
        .tool
        .as_deref()
        .is_some_and(|tool| rules.redacts(tool));
    if !is_redacted {
        for kind in &kinds {
            let reason = format!("Arguments contain what looks like a secret ({kind})");
            found.raise(Violation::new("secret_detected", kind, reason));
        }
    }
    kinds
}

/// A member is looked at together with its name, which may be what tells that it is a secret.
fn look_into(name: &str, value: &Value, depth: usize, look: &mut dyn FnMut(&str)) {
    if depth > DEEPEST {
        return;
    }
    match value {
        Value::String(text) => {
            look(text);
            look(&format!("{name}={text}"));
        }
        Value::Array(items) => items
            .iter()
            .for_each(|item| look_into(name, item, depth + 1, look)),
        Value::Object(entries) => entries
            .iter()
            .for_each(|(name, value)| look_into(name, value, depth + 1, look)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}
