//! Secrets, known by their shape (OpenClaw contract §8.4). A word such as `max_tokens` is none.

use std::borrow::Cow;
use std::sync::LazyLock;

use regex::{Captures, Regex};

/// A kind of secret: its name in a violation, and what it looks like. Where there is a group, only that
/// part is the secret.
struct Shape {
    kind: &'static str,
    regex: Regex,
}

/// The kinds and their shapes. A longer shape stands before those that it contains.
const SHAPES: [(&str, &str); 8] = [
    (
        "private_key",
        r"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----(?s:.*?)(?:-----END [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----|\z)",
    ),
    ("mission_control", r"\bmc_(?:agt|adm)_[A-Za-z0-9_-]{8,}"),
    (
        "github",
        r"\b(?:gh[opusr]_[A-Za-z0-9]{16,}|github_pat_[A-Za-z0-9_]{20,})",
    ),
    ("slack", r"\bxox[a-z]-[A-Za-z0-9-]{8,}"),
    ("aws", r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b"),
    (
        "api_key",
        r"\b[sp]k(?:-[A-Za-z0-9_-]{20,}|_(?:live|test)_[A-Za-z0-9]{16,})",
    ),
    ("bearer", r"(?i)\bbearer\s+([A-Za-z0-9._~+/-]{16,}=*)"),
    (
        "assignment",
        r#"(?i)(?:^|[^A-Za-z0-9])(?:[A-Za-z0-9]+[_-]){0,6}(?:api_?key|access_?key|private_?key|secret_?key|auth_?token|access_?token|key|token|secret|password|passwd|pwd)["']?\s{0,4}(?:=|:)\s{0,4}["']?([A-Za-z0-9+/_.~!@\#%^&*-]{3,}={0,2})"#,
    ),
];

static KINDS: LazyLock<Vec<Shape>> = LazyLock::new(|| {
    SHAPES
        .into_iter()
        .filter_map(|(kind, shape)| {
            Some(Shape {
                kind,
                regex: Regex::new(shape).ok()?,
            })
        })
        .collect()
});

/// The names of all kinds.
#[must_use]
pub fn secret_kinds() -> [&'static str; 8] {
    SHAPES.map(|(kind, _)| kind)
}

/// Whether there is anything to look at more closely: without one of these, no shape can match.
fn may_hold(text: &str) -> bool {
    static HINTS: LazyLock<Option<Regex>> = LazyLock::new(|| {
        Regex::new(
            r"(?i)-----BEGIN|mc_a|gh[opusr]_|github_pat_|xox[a-z]-|AKIA|ASIA|[sp]k[-_]|bearer\s|(?:key|token|secret|passw(?:or)?d|pwd)[^A-Za-z0-9]{0,6}[=:]",
        )
        .ok()
    });
    HINTS.as_ref().is_none_or(|hints| hints.is_match(text))
}

/// The kinds found in a text, each once.
pub(crate) fn find(text: &str, is_on: &dyn Fn(&str) -> bool) -> Vec<&'static str> {
    if !may_hold(text) {
        return Vec::new();
    }
    KINDS
        .iter()
        .filter(|shape| is_on(shape.kind))
        .filter(|shape| {
            shape
                .regex
                .captures_iter(text)
                .any(|found| is_secret(shape.kind, &found, text))
        })
        .map(|shape| shape.kind)
        .collect()
}

/// A text with its secrets taken out.
pub(crate) fn redact<'a>(
    text: &'a str,
    is_on: &dyn Fn(&str) -> bool,
) -> (Cow<'a, str>, Vec<&'static str>) {
    let mut kinds = Vec::new();
    if !may_hold(text) {
        return (Cow::Borrowed(text), kinds);
    }
    let mut text = Cow::Borrowed(text);
    for shape in KINDS.iter().filter(|shape| is_on(shape.kind)) {
        let mut was_found = false;
        let replaced = shape.regex.replace_all(&text, |found: &Captures<'_>| {
            let whole = &found[0];
            if !is_secret(shape.kind, found, &text) {
                return whole.to_owned();
            }
            was_found = true;
            let before = found
                .get(1)
                .map_or("", |secret| &whole[..whole.len() - secret.len()]);
            format!("{before}[REDACTED:{}]", shape.kind)
        });
        if was_found {
            text = Cow::Owned(replaced.into_owned());
            kinds.push(shape.kind);
        }
    }
    (text, kinds)
}

/// Whether what stands behind a name such as `token` is a value and no word of a program or a sentence.
///
/// Written in one piece (`secret=foo`, `"secret": "foo"`) it is one behind a name that can mean nothing else;
/// behind `token` and `key`, which also name harmless things, and in a sentence it has to look like one:
/// long, or with a digit in it.
fn is_secret(kind: &str, found: &Captures<'_>, text: &str) -> bool {
    if kind != "assignment" {
        return true;
    }
    let Some(value) = found.get(1) else {
        return false;
    };
    let (whole, rest) = (&found[0], &text[value.end()..]);
    // What stands before the name is no part of it.
    let before = whole[..whole.len() - value.len()].trim_start();
    let value = value.as_str();
    let has = |test: fn(&u8) -> bool| value.as_bytes().iter().any(test);
    let has_digit = has(u8::is_ascii_digit);
    let has_letter = has(u8::is_ascii_alphabetic);
    let name = before.to_ascii_lowercase();
    let names = |words: &[&str]| words.iter().any(|word| name.contains(word));
    let is_password = names(&["password", "passwd", "pwd", "secret"]);
    let is_named = is_password
        || names(&[
            "api_key",
            "apikey",
            "access_key",
            "accesskey",
            "private_key",
            "privatekey",
            "auth_token",
            "authtoken",
            "access_token",
            "accesstoken",
        ]);
    let quote = before
        .chars()
        .last()
        .filter(|letter| "\"'".contains(*letter));
    let is_whole = match quote {
        Some(quote) => rest.starts_with(quote),
        None => before.ends_with('=') && !before.contains(char::is_whitespace),
    };
    if is_named && is_whole && (has_digit || has_letter) && (has_digit || !is_word(value, rest)) {
        return true;
    }
    if is_password {
        return value.len() >= 6 && (has_digit || value.len() >= 12);
    }
    let is_short = name.contains("token") || is_named;
    (value.len() >= 6 && has_digit && has_letter && (is_short || value.len() >= 8))
        || (value.len() >= 8 && has_digit)
        || value.len() >= 24
}

/// Whether a text without digits is a word of a program: a name with dots, a call, or nothing at all.
fn is_word(value: &str, rest: &str) -> bool {
    let nothing = [
        "null",
        "none",
        "nil",
        "true",
        "false",
        "undefined",
        "string",
        "required",
        "optional",
    ];
    value.contains('.')
        || rest.starts_with(['(', '['])
        || nothing.iter().any(|word| value.eq_ignore_ascii_case(word))
}
