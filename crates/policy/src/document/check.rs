//! Whether a document that could be read also makes sense: no entry that is empty, unreadable, said twice
//! or said against another.

use std::collections::HashMap;

use super::values::Autonomy;
use super::{Document, Fault, Loops, Span};
use crate::{Rank, Rules, secret_kinds};

/// The most entries of one list.
const MOST: usize = 2000;

pub(super) fn document(document: &Document, faults: &mut Vec<Fault>) {
    if document.version != 1 {
        let message = format!("is {}; the only form of document is 1", document.version);
        faults.push(Fault::new(None, "version", message));
    }
    // Reads every entry, and says which it cannot read.
    Rules::assemble(document, faults);
    autonomy(document, faults);
    tools(document, faults);
    lists(document, faults);
    contradictions(document, faults);
    secrets(document, faults);
    production(document, faults);
    numbers(document, faults);
}

fn autonomy(document: &Document, faults: &mut Vec<Fault>) {
    for rank in [Rank::Intern, Rank::Specialist, Rank::Lead] {
        let matrix = document.autonomy.of(rank);
        if matches!(matrix.red, Autonomy::Allow | Autonomy::Allowlisted) {
            let message = "lets RED actions pass without a person; it must be approval or deny";
            faults.push(Fault::new(None, format!("autonomy.{rank}.red"), message));
        }
        if matrix.green == Autonomy::Allowlisted {
            let message = "is allowlisted, but no allowlist is about GREEN actions; it must be allow, approval or deny";
            faults.push(Fault::new(None, format!("autonomy.{rank}.green"), message));
        }
        let strictness = |autonomy| match autonomy {
            Autonomy::Allow => 0,
            Autonomy::Allowlisted => 1,
            Autonomy::Approval => 2,
            Autonomy::Deny => 3,
        };
        for (mild, milder, bad, worse) in [
            ("green", matrix.green, "yellow", matrix.yellow),
            ("yellow", matrix.yellow, "red", matrix.red),
        ] {
            if strictness(milder) > strictness(worse) {
                let message = format!("is stricter than {bad}, which is the higher risk");
                faults.push(Fault::new(None, format!("autonomy.{rank}.{mild}"), message));
            }
        }
    }
}

fn tools(document: &Document, faults: &mut Vec<Fault>) {
    let tools = &document.tools;
    let mut risks: HashMap<String, String> = HashMap::new();
    for (list, names) in [
        ("green", &tools.green),
        ("yellow", &tools.yellow),
        ("red", &tools.red),
    ] {
        for (index, name) in names.iter().enumerate() {
            let path = format!("tools.{list}[{index}]");
            if let Some(other) = risks.insert(name.to_ascii_lowercase(), path.clone()) {
                let message =
                    format!("names {name:?}, which {other} names too; a tool has one risk");
                faults.push(Fault::new(None, path, message));
            }
        }
    }
    let kinds = [
        ("shell", &tools.shell),
        ("reads", &tools.reads),
        ("writes", &tools.writes),
        ("fetches", &tools.fetches),
        ("spawns", &tools.spawns),
    ];
    let mut seen: HashMap<String, &str> = HashMap::new();
    for (list, names) in kinds {
        for (index, name) in names.iter().enumerate() {
            let name = name.to_ascii_lowercase();
            if !risks.contains_key(&name) {
                let message = format!(
                    "names {name:?}, which has no risk; put it into green, yellow or red as well"
                );
                faults.push(Fault::new(None, format!("tools.{list}[{index}]"), message));
            }
            if let Some(other) = seen
                .insert(name.clone(), list)
                .filter(|other| *other != list)
            {
                let message = format!(
                    "names {name:?}, which tools.{other} names too; a tool is judged in one way"
                );
                faults.push(Fault::new(None, format!("tools.{list}[{index}]"), message));
            }
        }
    }
    for (index, raised) in tools.raised.iter().enumerate() {
        for (key, text) in [("tool", &raised.tool), ("argument", &raised.argument)] {
            if text.trim().is_empty() {
                faults.push(Fault::new(
                    None,
                    format!("tools.raised[{index}].{key}"),
                    "is empty; it must be a name",
                ));
            }
        }
    }
}

/// Entries that are empty or said twice, and lists that are too long.
fn lists(document: &Document, faults: &mut Vec<Fault>) {
    let (tools, shell, files) = (&document.tools, &document.shell, &document.files);
    let (network, production) = (&document.network, &document.production);
    let commands = |entries: &[super::Allowed]| -> Vec<String> {
        entries.iter().map(|entry| entry.command.clone()).collect()
    };
    let (green, yellow) = (commands(&shell.green), commands(&shell.yellow));
    let lists = [
        ("tools.green", &tools.green),
        ("tools.yellow", &tools.yellow),
        ("tools.red", &tools.red),
        ("tools.shell", &tools.shell),
        ("tools.reads", &tools.reads),
        ("tools.writes", &tools.writes),
        ("tools.fetches", &tools.fetches),
        ("tools.spawns", &tools.spawns),
        ("shell.blocked", &shell.blocked),
        ("shell.blockedPaths", &shell.blocked_paths),
        ("shell.green", &green),
        ("shell.yellow", &yellow),
        ("shell.dumps", &shell.dumps),
        ("shell.fetchers", &shell.fetchers),
        ("shell.downloaders", &shell.downloaders),
        ("shell.shells", &shell.shells),
        ("shell.variables", &shell.variables),
        ("shell.devices", &shell.devices),
        ("files.read", &files.read),
        ("files.write", &files.write),
        ("files.deny", &files.deny),
        ("files.denyWrite", &files.deny_write),
        ("network.allow", &network.allow),
        ("network.deny", &network.deny),
        ("secrets.redactedTools", &document.secrets.redacted_tools),
        ("production.words", &production.words),
        ("production.branches", &production.branches),
    ];
    for (path, entries) in lists {
        entries_of(path, entries, faults);
    }
}

fn entries_of(path: &str, entries: &[String], faults: &mut Vec<Fault>) {
    if entries.len() > MOST {
        let message = format!("has {} entries; the most is {MOST}", entries.len());
        faults.push(Fault::new(None, path, message));
    }
    let mut seen: HashMap<&str, usize> = HashMap::new();
    for (index, entry) in entries.iter().enumerate() {
        let at = format!("{path}[{index}]");
        if entry.is_empty() || entry.trim() != entry {
            let message = format!("is {entry:?}; it must be a text without blanks around it");
            faults.push(Fault::new(None, at, message));
        } else if let Some(first) = seen.insert(entry, index) {
            let message = format!("says {entry:?} again, as {path}[{first}] does");
            faults.push(Fault::new(None, at, message));
        }
    }
}

/// What one list forbids and another allows.
fn contradictions(document: &Document, faults: &mut Vec<Fault>) {
    let mut against = |path: &str, entries: &[String], other: &str, others: &[String]| {
        for (index, entry) in entries.iter().enumerate() {
            if others.contains(entry) {
                let message = format!("says {entry:?}, which {other} forbids");
                faults.push(Fault::new(None, format!("{path}[{index}]"), message));
            }
        }
    };
    let (shell, files, network) = (&document.shell, &document.files, &document.network);
    for (list, entries) in [("green", &shell.green), ("yellow", &shell.yellow)] {
        let commands: Vec<String> = entries.iter().map(|entry| entry.command.clone()).collect();
        against(
            &format!("shell.{list}"),
            &commands,
            "shell.blocked",
            &shell.blocked,
        );
    }
    against("files.read", &files.read, "files.deny", &files.deny);
    against("files.write", &files.write, "files.deny", &files.deny);
    against(
        "files.write",
        &files.write,
        "files.denyWrite",
        &files.deny_write,
    );
    against(
        "network.allow",
        &network.allow,
        "network.deny",
        &network.deny,
    );
}

fn secrets(document: &Document, faults: &mut Vec<Fault>) {
    for (index, kind) in document.secrets.kinds.iter().enumerate() {
        if !secret_kinds().contains(&kind.as_str()) {
            let message = format!("is {kind:?}; known are {}", secret_kinds().join(", "));
            faults.push(Fault::new(None, format!("secrets.kinds[{index}]"), message));
        }
    }
}

fn production(document: &Document, faults: &mut Vec<Fault>) {
    let production = &document.production;
    for (list, words) in [
        ("words", &production.words),
        ("branches", &production.branches),
    ] {
        for (index, word) in words.iter().enumerate() {
            if word.contains(|letter: char| letter.is_whitespace() || "/:=,@+".contains(letter)) {
                let message =
                    format!("is {word:?}; it must be one word, without any of / : = , @ +");
                faults.push(Fault::new(
                    None,
                    format!("production.{list}[{index}]"),
                    message,
                ));
            }
        }
    }
}

fn numbers(document: &Document, faults: &mut Vec<Fault>) {
    let budget = &document.budget;
    let percents = [
        ("warnPercent", budget.warn_percent),
        ("criticalPercent", budget.critical_percent),
        ("overridePercent", budget.override_percent),
    ];
    for (key, percent) in percents {
        if !(1..=100).contains(&percent) {
            let message = format!("is {percent}; it must be from 1 to 100");
            faults.push(Fault::new(None, format!("budget.{key}"), message));
        }
    }
    if budget.warn_percent > budget.critical_percent {
        let message = "is more than budget.criticalPercent, which must come later";
        faults.push(Fault::new(None, "budget.warnPercent", message));
    }
    for rank in [Rank::Intern, Rank::Specialist, Rank::Lead] {
        let role = budget.roles.of(rank);
        if role.per_run > role.daily {
            let message = "is more than the daily budget, so that no run could use it up";
            faults.push(Fault::new(
                None,
                format!("budget.roles.{rank}.perRun"),
                message,
            ));
        }
    }
    if budget.roles.intern.can_spawn {
        let message = "is true, but an INTERN never spawns (it must be false)";
        faults.push(Fault::new(None, "budget.roles.INTERN.canSpawn", message));
    }
    let mut span = |path: &str, span: Span| {
        if span.0 == 0 {
            faults.push(Fault::new(
                None,
                path,
                "is no time at all; it must be at least 1s",
            ));
        }
    };
    span("spawn.lifetime", document.spawn.lifetime);
    let Loops {
        comments,
        reviews,
        ping_pong,
        tool_retries,
    } = &document.loops;
    span("loops.comments.within", comments.within);
    span("loops.pingPong.within", ping_pong.within);
    span("loops.toolRetries.within", tool_retries.within);
    let counts = [
        ("comments", comments.most),
        ("reviews", reviews.most),
        ("pingPong", ping_pong.most),
        ("toolRetries", tool_retries.most),
    ];
    for (key, most) in counts {
        if most == 0 {
            let message = "is 0, which would stop every task at once; it must be at least 1";
            faults.push(Fault::new(None, format!("loops.{key}.most"), message));
        }
    }
}
