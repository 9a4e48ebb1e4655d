//! Words that say that production is meant (OpenClaw contract §8.4). Only whole words count: `product`,
//! `domain` and `deliver` are none of them.

use std::collections::HashSet;

use serde_json::Value;

use crate::finding::{Findings, Violation};
use crate::shell::Word;

/// The longest text in which words are looked for; prose is longer.
const LONGEST: usize = 256;

/// What of git changes a branch.
const CHANGES: [&str; 12] = [
    "push",
    "merge",
    "rebase",
    "reset",
    "checkout",
    "switch",
    "branch",
    "update-ref",
    "cherry-pick",
    "revert",
    "pull",
    "tag",
];

#[derive(Debug)]
pub(crate) struct ProductionRules {
    pub(crate) words: HashSet<String>,
    pub(crate) branches: HashSet<String>,
}

/// Looks through a command's words.
pub(crate) fn check_command(words: &[Word], rules: &ProductionRules, found: &mut Findings) {
    let git = words
        .iter()
        .position(|word| word.text == "git" || word.text.ends_with("/git"));
    let arguments = git.map_or(&[][..], |at| &words[at + 1..]);
    let has = |known: &[&str]| {
        arguments
            .iter()
            .any(|word| known.contains(&word.text.as_str()))
    };
    let is_change = has(&CHANGES);
    for word in words {
        check_tokens(&word.text, is_change, rules, found);
    }
    let is_push = has(&["push"]);
    let forces = |word: &Word| {
        let text = word.text.as_str();
        let is_cluster = text.starts_with('-') && !text.starts_with("--") && text.contains('f');
        is_cluster || text.starts_with('+') || text.starts_with("--force-")
    };
    if is_push && arguments.iter().any(forces) && rules.words.contains("--force") {
        raise("--force", found);
    }
}

/// Looks through a value that a tool is given.
pub(crate) fn check_value(value: &Value, rules: &ProductionRules, found: &mut Findings) {
    match value {
        Value::String(text) => check_tokens(text, true, rules, found),
        Value::Array(items) => items
            .iter()
            .for_each(|item| check_value(item, rules, found)),
        Value::Object(entries) => entries
            .values()
            .for_each(|value| check_value(value, rules, found)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// A word, and its parts between `/ : = , @`. Blanks make it prose.
fn check_tokens(text: &str, with_branches: bool, rules: &ProductionRules, found: &mut Findings) {
    if text.len() > LONGEST || text.contains(char::is_whitespace) {
        return;
    }
    let parts = text.split(['/', ':', '=', ',', '@', '+']);
    for token in std::iter::once(text).chain(parts) {
        if token.is_empty() {
            continue;
        }
        let lower;
        let token = if token.bytes().any(|byte| byte.is_ascii_uppercase()) {
            lower = token.to_ascii_lowercase();
            &lower
        } else {
            token
        };
        if rules.words.contains(token) || (with_branches && rules.branches.contains(token)) {
            raise(token, found);
        }
    }
}

fn raise(word: &str, found: &mut Findings) {
    let reason = format!("Action touches production: {word}");
    found.raise(Violation::new("production_impact", word, reason));
}
