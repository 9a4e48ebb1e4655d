//! One thing, a line for each of its members.

use std::fmt::Write as _;

use serde_json::Value;
use unicode_width::UnicodeWidthStr as _;

use super::value::{Kind, bold, coloured, member, shown};
use super::{Style, clean};

/// A line: what it is called, which member it shows, and how.
pub(crate) type Line = (&'static str, &'static str, Kind);

/// The members of a thing, those it has, under each other.
pub(crate) fn record(style: &Style, value: &Value, lines: &[Line]) -> String {
    let texts = lines.iter().filter_map(|(name, path, kind)| {
        let text = shown(member(value, path), *kind, style);
        (!text.is_empty()).then_some((*name, *kind, text))
    });
    let texts: Vec<_> = texts.collect();
    let width = texts
        .iter()
        .map(|(name, ..)| name.width())
        .max()
        .unwrap_or(0);
    let mut out = String::new();
    for (name, kind, text) in texts {
        let text = if style.colours && kind == Kind::Word {
            coloured(&text, &text)
        } else {
            text
        };
        let space = " ".repeat(width - name.width() + 2);
        // Writing to a string cannot fail.
        _ = writeln!(out, "{}{space}{text}", bold(name, style));
    }
    out
}

/// A heading with text of several lines below it; nothing if there is no text.
pub(crate) fn section(style: &Style, heading: &str, text: &str) -> String {
    let text = clean::text(text);
    let text = text.trim_end();
    if text.is_empty() {
        return String::new();
    }
    let mut out = format!("\n{}\n", bold(heading, style));
    for line in text.lines() {
        out.push_str("  ");
        out.push_str(line);
        out.push('\n');
    }
    out
}
