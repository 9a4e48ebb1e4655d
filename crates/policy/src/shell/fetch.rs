//! What `curl` and its like fetch and where they put it. Only what surely does no more than fetch from
//! allowlisted hosts is allowlisted.

use super::script::Word;
use super::walk::Surroundings;
use crate::finding::{Findings, Violation};
use crate::host;

/// Letters of options that change nothing but what is shown.
const FLAGS: &str = "sSLfivIGgN46#";
/// Letters of options with a value that goes to the host.
const VALUES: &str = "HXdAmew";
const LONG_FLAGS: [&str; 17] = [
    "silent",
    "show-error",
    "location",
    "fail",
    "fail-with-body",
    "include",
    "head",
    "verbose",
    "get",
    "ipv4",
    "ipv6",
    "no-buffer",
    "compressed",
    "globoff",
    "progress-bar",
    "http1.1",
    "http2",
];
const LONG_VALUES: [&str; 16] = [
    "header",
    "request",
    "data",
    "data-raw",
    "data-ascii",
    "data-binary",
    "data-urlencode",
    "json",
    "user-agent",
    "max-time",
    "connect-timeout",
    "retry",
    "retry-delay",
    "referer",
    "write-out",
    "max-redirs",
];

/// Judges a program that fetches, by all of its arguments.
pub(super) fn check(
    program: &str,
    arguments: &[Word],
    surroundings: &Surroundings<'_>,
    found: &mut Findings,
) {
    let mut addresses = Vec::new();
    let mut is_plain = true;
    let mut words = arguments.iter();
    while let Some(word) = words.next() {
        let text = word.text.as_str();
        let value = match option(text) {
            Some(Value::None) => continue,
            Some(Value::Here(value)) => value,
            Some(Value::Next) => words.next().map_or("", |word| word.text.as_str()),
            Some(Value::Address(address)) => {
                addresses.extend(address.or_else(|| words.next().map(|word| word.text.as_str())));
                continue;
            }
            Some(Value::Output(file)) => {
                let file = file.or_else(|| words.next().map(|word| word.text.as_str()));
                is_plain &= file.is_some_and(|file| surroundings.rules.shell.is_device(file));
                continue;
            }
            None if text.starts_with('-') => {
                is_plain = false;
                continue;
            }
            None => {
                addresses.push(text);
                continue;
            }
        };
        // A value that begins so is the name of a file that is sent.
        is_plain &= !value.starts_with('@') && !value.contains("=@");
    }
    if addresses.is_empty() || !is_plain || arguments.iter().any(|word| word.is_unknown()) {
        let reason = format!("Command runs {program} for more than a plain fetch");
        found.raise(Violation::new("shell_not_allowlisted", program, reason));
    }
    for address in addresses {
        if !is_plain && !address.contains("://") {
            // Perhaps only the value of an option that is not known.
            let target = host::target(address).filter(|target| !target.has_user);
            if let Some(target) = target {
                surroundings.rules.network.check_denied(&target, found);
            }
            continue;
        }
        if address.contains(['{', '}', '[', ']']) && !address.contains("://[") {
            let reason = format!("Address {address} stands for several");
            found.raise(Violation::new("shell_not_allowlisted", program, reason));
            continue;
        }
        surroundings.rules.network.check(address, false, found);
    }
}

enum Value<'a> {
    None,
    Here(&'a str),
    Next,
    Address(Option<&'a str>),
    Output(Option<&'a str>),
}

/// Reads an option, if it is known.
fn option(text: &str) -> Option<Value<'_>> {
    if let Some(long) = text.strip_prefix("--") {
        let (name, value) = match long.split_once('=') {
            Some((name, value)) => (name, Some(value)),
            None => (long, None),
        };
        return match name {
            "url" => Some(Value::Address(value)),
            "output" => Some(Value::Output(value)),
            name if LONG_FLAGS.contains(&name) => Some(Value::None),
            name if LONG_VALUES.contains(&name) => Some(value.map_or(Value::Next, Value::Here)),
            _ => None,
        };
    }
    let letters = text
        .strip_prefix('-')
        .filter(|letters| !letters.is_empty())?;
    for (at, letter) in letters.char_indices() {
        let rest = &letters[at + letter.len_utf8()..];
        let rest = (!rest.is_empty()).then_some(rest);
        if letter == 'o' {
            return Some(Value::Output(rest));
        }
        if VALUES.contains(letter) {
            return Some(rest.map_or(Value::Next, Value::Here));
        }
        if !FLAGS.contains(letter) {
            return None;
        }
    }
    Some(Value::None)
}

/// The files that a downloader writes, as far as its arguments say.
pub(super) fn outputs(arguments: &[Word]) -> Vec<String> {
    let mut files = Vec::new();
    let mut keeps_name = false;
    for (at, word) in arguments.iter().enumerate() {
        let text = word.text.as_str();
        let next = || arguments.get(at + 1).map(|word| word.text.clone());
        if let Some(file) = text
            .strip_prefix("--output-document=")
            .or_else(|| text.strip_prefix("--output="))
        {
            files.push(file.to_owned());
        } else if matches!(text, "--output" | "--output-document") {
            files.extend(next());
        } else if let Some(letters) = text
            .strip_prefix('-')
            .filter(|letters| !letters.starts_with('-'))
        {
            keeps_name |= letters.contains('O');
            if let Some(at) = letters.find(['o', 'O']) {
                let rest = &letters[at + 1..];
                files.extend(if rest.is_empty() {
                    next()
                } else {
                    Some(rest.to_owned())
                });
            }
        }
        keeps_name |= matches!(text, "--remote-name" | "--remote-name-all");
    }
    // wget keeps the name of what it fetches unless it is told otherwise; for others that is harmless.
    if keeps_name || files.is_empty() {
        let addresses = arguments
            .iter()
            .filter(|word| word.text.contains('/') && !word.text.starts_with('-'));
        let names = addresses.filter_map(|word| {
            let address = word.text.split(['?', '#']).next()?;
            host::target(address)?;
            address.rsplit('/').next().filter(|name| !name.is_empty())
        });
        files.extend(names.map(str::to_owned));
    }
    files
}
