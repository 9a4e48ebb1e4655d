//! Which of a tool's arguments say where it goes: paths and addresses, under whatever name they stand
//! (OpenClaw contract §8.4, files and network).
//!
//! Every tool calls its arguments as it likes. So names are only half of it: what is written like a path or
//! an address is one under any name, but for those under which tools are given texts.

use std::borrow::Cow;

use serde_json::{Map, Value};

use crate::rules::ToolKind;

/// How deep into a tool's arguments is looked.
pub(crate) const DEEPEST: usize = 32;

/// Names of texts, in which nothing is a place.
const TEXTS: [&str; 34] = [
    "content",
    "contents",
    "text",
    "body",
    "message",
    "description",
    "title",
    "summary",
    "comment",
    "oldstring",
    "newstring",
    "oldstr",
    "newstr",
    "oldtext",
    "newtext",
    "inserttext",
    "filetext",
    "newsource",
    "replacement",
    "replace",
    "diff",
    "patch",
    "prompt",
    "regex",
    "regexp",
    "instructions",
    "reason",
    "justification",
    "code",
    "data",
    "json",
    "form",
    "snippet",
    "note",
];

/// Names of paths, beside those that end like one.
const PATHS: [&str; 38] = [
    "path",
    "paths",
    "file",
    "files",
    "filename",
    "filenames",
    "dir",
    "dirs",
    "directory",
    "directories",
    "folder",
    "folders",
    "cwd",
    "root",
    "roots",
    "base",
    "location",
    "from",
    "to",
    "source",
    "sources",
    "src",
    "destination",
    "dest",
    "dst",
    "target",
    "targets",
    "newname",
    "oldname",
    "new",
    "old",
    "output",
    "outfile",
    "input",
    "glob",
    "globs",
    "include",
    "notebook",
];

/// How names of paths end.
const PATH_ENDS: [&str; 7] = [
    "path",
    "paths",
    "file",
    "files",
    "dir",
    "directory",
    "folder",
];

/// Names under which a shell is told where to start.
const STARTS: [&str; 8] = [
    "cwd",
    "dir",
    "directory",
    "workdir",
    "workingdir",
    "workingdirectory",
    "folder",
    "root",
];

/// Names of addresses, beside those that end like one.
const ADDRESSES: [&str; 16] = [
    "href",
    "hrefs",
    "link",
    "links",
    "endpoint",
    "endpoints",
    "address",
    "addresses",
    "host",
    "hosts",
    "hostname",
    "domain",
    "domains",
    "site",
    "website",
    "proxy",
];

/// How names of addresses end.
const ADDRESS_ENDS: [&str; 4] = ["url", "urls", "uri", "uris"];

/// Names of addresses that are told and not visited.
const TOLD: [&str; 3] = ["origin", "referer", "referrer"];

/// Names of words with a slash in them that are no paths.
const KINDS: [&str; 5] = ["mime", "mimetype", "mediatype", "contenttype", "type"];

/// What a text says about where a tool goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sort {
    /// A path that the tool works on.
    Path,
    /// An address that the tool goes to.
    Address,
    /// It may be a path or an address that plays a part: only what is closed to everybody matters.
    Hint,
}

/// An argument that says where a tool goes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Given<'a> {
    pub(crate) name: &'a str,
    pub(crate) text: &'a str,
    pub(crate) sort: Sort,
}

/// All places that a tool of some kind is given.
pub(crate) fn places<'a>(
    args: &'a Map<String, Value>,
    kind: ToolKind,
    tool: &str,
) -> Vec<Given<'a>> {
    let mut found = Vec::new();
    let tool = folded(tool);
    for (name, value) in args {
        collect(name, value, kind, &tool, 0, &mut found);
    }
    found
}

fn collect<'a>(
    name: &'a str,
    value: &'a Value,
    kind: ToolKind,
    tool: &str,
    depth: usize,
    found: &mut Vec<Given<'a>>,
) {
    if depth > DEEPEST {
        return;
    }
    match value {
        Value::String(text) => {
            let sort = sort(&folded(name), text, kind, tool);
            found.extend(sort.map(|sort| Given { name, text, sort }));
        }
        Value::Array(items) => items
            .iter()
            .for_each(|item| collect(name, item, kind, tool, depth + 1, found)),
        Value::Object(entries) if !is_text(&folded(name), tool) => entries
            .iter()
            .for_each(|(name, value)| collect(name, value, kind, tool, depth + 1, found)),
        Value::Object(_) | Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// `name` and `tool` are folded.
fn sort(name: &str, text: &str, kind: ToolKind, tool: &str) -> Option<Sort> {
    if text.trim().is_empty() || is_text(name, tool) {
        return None;
    }
    if TOLD.contains(&name) {
        return Some(Sort::Hint);
    }
    let is_place = is_url(text) || is_rooted(text);
    match kind {
        ToolKind::Read | ToolKind::Write if is_url(text) => Some(Sort::Address),
        ToolKind::Read | ToolKind::Write if names_path(name) || moves(tool) => Some(Sort::Path),
        ToolKind::Read | ToolKind::Write => {
            let is_relative = text.contains('/') && !text.contains(char::is_whitespace);
            let is_path = is_rooted(text) || (is_relative && !KINDS.contains(&name));
            Some(if is_path { Sort::Path } else { Sort::Hint })
        }
        ToolKind::Fetch if is_url(text) || names_address(name) => Some(Sort::Address),
        ToolKind::Shell if STARTS.contains(&name) => Some(Sort::Path),
        _ => is_place.then_some(Sort::Hint),
    }
}

/// Whether a tool is given a text by this name. What a tool looks for in texts is one, what it looks for
/// among names is a path.
fn is_text(name: &str, tool: &str) -> bool {
    let lists = tool == "ls" || tool.contains("glob") || tool.contains("list");
    let looks_into = tool.contains("grep") || tool.contains("search");
    match name {
        "pattern" => looks_into,
        "query" | "q" | "search" | "find" => !lists,
        _ => TEXTS.contains(&name),
    }
}

fn names_path(name: &str) -> bool {
    ["pattern", "query", "q", "search", "find"].contains(&name)
        || PATHS.contains(&name)
        || PATH_ENDS.iter().any(|end| name.ends_with(end))
}

fn names_address(name: &str) -> bool {
    ADDRESSES.contains(&name) || ADDRESS_ENDS.iter().any(|end| name.ends_with(end))
}

/// Whether all that a tool is given are paths.
fn moves(tool: &str) -> bool {
    ["rename", "move", "copy", "link"]
        .iter()
        .any(|verb| tool.contains(verb))
}

/// Whether a text is written like an address that is not one of a file here.
pub(crate) fn is_url(text: &str) -> bool {
    let scheme = text
        .trim_start()
        .split_once("://")
        .map(|(scheme, _)| scheme);
    scheme.is_some_and(|scheme| {
        let is_word = |byte: u8| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte);
        !scheme.is_empty() && scheme.bytes().all(is_word) && !scheme.eq_ignore_ascii_case("file")
    })
}

/// Whether a text is written like a path that does not simply begin here.
fn is_rooted(text: &str) -> bool {
    text.starts_with(['/', '~', '.', '$'])
        || has_file_scheme(text)
        || text.split('/').any(|segment| segment == "..")
}

fn has_file_scheme(text: &str) -> bool {
    text.get(..5)
        .is_some_and(|scheme| scheme.eq_ignore_ascii_case("file:"))
}

/// The path in a `file:` address; any other text as it is.
pub(crate) fn local(text: &str) -> Cow<'_, str> {
    if !has_file_scheme(text) {
        return Cow::Borrowed(text);
    }
    let rest = &text[5..];
    let path = match rest.strip_prefix("//") {
        // What stands before the path is the machine, which is this one.
        Some(rest) => rest.find('/').map_or(rest, |at| &rest[at..]),
        None => rest,
    };
    Cow::Owned(decoded(path))
}

/// A text with its `%2F` and the like undone.
fn decoded(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        let code = text.get(at + 1..at + 3).filter(|_| *byte == b'%');
        match code.and_then(|code| u8::from_str_radix(code, 16).ok()) {
            Some(code) => {
                out.push(code);
                at += 3;
            }
            None => {
                out.push(*byte);
                at += 1;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

/// A name without what only sets it in type: `new_path`, `newPath` and `new-path` are one.
fn folded(name: &str) -> String {
    name.chars()
        .filter(char::is_ascii_alphanumeric)
        .map(|letter| letter.to_ascii_lowercase())
        .collect()
}
