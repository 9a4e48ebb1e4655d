//! The paths in a command's words (OpenClaw contract §8.4: blocked paths in arguments, files).

use super::rules::Listed;
use super::script::{Direction, Word};
use super::walk::Surroundings;
use crate::finding::{Findings, Violation};
use crate::host;
use crate::path::{LONGEST, Located};

/// Looks for a place that no command may name, in any part of a word that is a text and no path.
pub(super) fn check_text(text: &str, surroundings: &Surroundings<'_>, found: &mut Findings) {
    for part in parts(text).filter(|part| part.len() <= LONGEST) {
        let located = surroundings.place.locate(part);
        denied_place(part, &located, surroundings, found);
    }
}

/// Looks for a place that no command may name, and for files that none may open, in any part of a word
/// that could be a path.
pub(super) fn check_word(text: &str, surroundings: &Surroundings<'_>, found: &mut Findings) {
    for part in parts(text) {
        if part.len() > LONGEST {
            let reason = "Command has a path that is too long to be judged".to_owned();
            found.raise(Violation::new("shell_unparseable", "", reason));
            continue;
        }
        let located = surroundings.place.locate(part);
        if !denied_place(part, &located, surroundings, found)
            && let Some(pattern) = surroundings.rules.files.denied(&located)
        {
            let reason = format!("Path {part} matches the denied pattern {pattern}");
            found.deny(Violation::new("file_read_denied", pattern, reason));
        }
    }
}

fn denied_place(
    part: &str,
    located: &Located<'_>,
    surroundings: &Surroundings<'_>,
    found: &mut Findings,
) -> bool {
    let rules = surroundings.rules;
    let blocked = rules
        .shell
        .blocked_paths
        .iter()
        .find(|pattern| pattern.hits(located));
    let reason = match blocked {
        _ if rules.shell.is_device(part) => return false,
        Some(pattern) => format!("Path {part} lies in {}, which is blocked", pattern.written),
        None if located.escapes() && !rules.files.may_read(located) => {
            format!("Path {part} leaves the workspace")
        }
        None => return false,
    };
    found.deny(Violation::new("path_traversal", part, reason));
    true
}

/// The parts of a word that could be paths: all of it, what stands behind `=`, `:`, `,` or `@`, and what
/// follows an option's letter.
fn parts(text: &str) -> impl Iterator<Item = &str> {
    let may_be = text.contains(['/', '~', '.']);
    let is_address = text.contains("://") && !text.contains("file://");
    let whole = (may_be && !is_address).then_some(text);
    let behind = text
        .match_indices(['=', ':', ',', '@'])
        .filter(move |_| may_be && !is_address)
        .map(|(at, _)| &text[at + 1..]);
    let option = text
        .strip_prefix('-')
        .and_then(|rest| rest.find(['/', '~', '.']).map(|at| &rest[at..]))
        .filter(move |_| may_be && !is_address);
    whole.into_iter().chain(
        behind
            .chain(option)
            .filter(|part| part.starts_with(['/', '~', '.'])),
    )
}

/// Looks for an address that no tool may reach.
pub(super) fn check_address(text: &str, surroundings: &Surroundings<'_>, found: &mut Findings) {
    if let Some(at) = text.find("://") {
        let before = text[..at]
            .char_indices()
            .rev()
            .find(|(_, letter)| !letter.is_ascii_alphanumeric());
        let start = before.map_or(0, |(before, letter)| before + letter.len_utf8());
        let end = text[start..]
            .find([' ', '"', '\''])
            .map_or(text.len(), |length| start + length);
        if let Some(target) = host::target(&text[start..end]) {
            surroundings.rules.network.check_denied(&target, found);
        }
    }
}

/// Which words of an allowlisted command are texts and no paths.
pub(super) fn texts(words: &[Word], listed: &Listed) -> Vec<bool> {
    let mut is_text = vec![false; words.len()];
    let names_its_text = words.iter().any(|word| {
        matches!(
            word.text.as_str(),
            "-e" | "-f" | "--regexp" | "--file" | "--from-file"
        )
    });
    let mut left = if names_its_text { 0 } else { listed.texts };
    let mut only_operands = false;
    for (index, word) in words.iter().enumerate().skip(1 + listed.words.len()) {
        if left == 0 {
            break;
        }
        let is_option = word.text.starts_with('-') && !only_operands;
        only_operands |= word.text == "--";
        if !is_option {
            is_text[index] = true;
            left -= 1;
        }
    }
    is_text
}

/// Asks whether an allowlisted command may look at what it is given.
pub(super) fn check_operands(
    arguments: &[Word],
    is_text: &[bool],
    listed: &Listed,
    surroundings: &Surroundings<'_>,
    found: &mut Findings,
) {
    let files = &surroundings.rules.files;
    let words = arguments
        .iter()
        .zip(is_text)
        .filter(|(_, is_text)| !**is_text);
    for (word, _) in words {
        for part in parts(&word.text).filter(|part| is_elsewhere(part, listed)) {
            let located = surroundings.place.locate(part);
            if files.may_read(&located) || surroundings.rules.shell.is_device(part) {
                continue;
            }
            if listed.names {
                found.yellow(false);
                continue;
            }
            let reason = format!("Path {part} is not on the allowlist for reading");
            found.raise(Violation::new("file_read_not_allowlisted", part, reason));
        }
    }
}

/// Relative paths begin in the workspace; a lone `/` is a place only where names are shown.
fn is_elsewhere(part: &str, listed: &Listed) -> bool {
    let is_rooted = part.starts_with(['/', '~']) || part.split('/').any(|segment| segment == "..");
    is_rooted && (part != "/" || listed.names)
}

/// Judges the file of a redirection.
pub(super) fn check_redirect(
    direction: Direction,
    word: &Word,
    surroundings: &Surroundings<'_>,
    found: &mut Findings,
) {
    let path = word.text.as_str();
    let files = &surroundings.rules.files;
    let located = surroundings.place.locate(path);
    if denied_place(path, &located, surroundings, found) {
        return;
    }
    let is_write = direction == Direction::Write;
    if files.check_denied(path, &located, is_write, found) {
        return;
    }
    let is_known = !word.is_unknown() && !word.has_wildcard && path.len() <= LONGEST;
    if is_write {
        if is_known && files.may_write(&located) {
            found.yellow(true);
        } else {
            let reason = format!("Command writes to {path}, which is outside the write paths");
            found.raise(Violation::new("shell_unparseable", "", reason));
        }
    } else if !(is_known && files.may_read(&located)) {
        let reason = format!("Path {path} is not on the allowlist for reading");
        found.raise(Violation::new("file_read_not_allowlisted", path, reason));
    }
}
