//! The rules about files: which paths may be read and written, and which no approval opens (OpenClaw
//! contract §8.4, files).

use crate::Fault;
use crate::document::Files;
use crate::finding::{Findings, Violation};
use crate::path::{LONGEST, Located, PathPattern, Place};

#[derive(Debug)]
pub(crate) struct FileRules {
    read: Vec<PathPattern>,
    write: Vec<PathPattern>,
    deny: Vec<PathPattern>,
    deny_write: Vec<PathPattern>,
}

/// What a tool does with a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Access {
    Read,
    Write,
}

impl FileRules {
    pub(crate) fn new(files: &Files, faults: &mut Vec<Fault>) -> Self {
        let mut patterns = |list: &str, entries: &[String]| {
            let mut patterns = Vec::with_capacity(entries.len());
            for (index, entry) in entries.iter().enumerate() {
                match PathPattern::new(entry) {
                    Ok(pattern) => patterns.push(pattern),
                    Err(message) => {
                        faults.push(Fault::new(None, format!("files.{list}[{index}]"), message))
                    }
                }
            }
            patterns
        };
        Self {
            read: patterns("read", &files.read),
            write: patterns("write", &files.write),
            deny: patterns("deny", &files.deny),
            deny_write: patterns("denyWrite", &files.deny_write),
        }
    }

    pub(crate) fn may_read(&self, path: &Located<'_>) -> bool {
        self.read.iter().any(|pattern| pattern.covers(path))
    }

    pub(crate) fn may_write(&self, path: &Located<'_>) -> bool {
        self.write.iter().any(|pattern| pattern.covers(path))
    }

    /// The pattern that closes a path for everything.
    pub(crate) fn denied(&self, path: &Located<'_>) -> Option<&str> {
        written(&self.deny, path)
    }

    /// The pattern that closes a path for writing.
    pub(crate) fn denied_for_writing(&self, path: &Located<'_>) -> Option<&str> {
        self.denied(path)
            .or_else(|| written(&self.deny_write, path))
    }

    /// Denies what no approval opens, and says whether it did.
    pub(crate) fn check_denied(
        &self,
        path: &str,
        located: &Located<'_>,
        is_write: bool,
        found: &mut Findings,
    ) -> bool {
        let (denied, rule) = match is_write {
            true => (self.denied_for_writing(located), "file_write_denied"),
            false => (self.denied(located), "file_read_denied"),
        };
        let Some(pattern) = denied else { return false };
        let reason = format!("Path {path} matches the denied pattern {pattern}");
        found.deny(Violation::new(rule, pattern, reason));
        true
    }

    /// Judges the path that a tool is given.
    pub(crate) fn check(&self, path: &str, access: Access, place: &Place, found: &mut Findings) {
        let is_write = access == Access::Write;
        let located = place.locate(path);
        if self.check_denied(path, &located, is_write, found) {
            return;
        }
        let is_sound =
            path.len() <= LONGEST && !path.is_empty() && !path.contains(char::is_control);
        let is_listed = is_sound
            && if is_write {
                self.may_write(&located)
            } else {
                self.may_read(&located)
            };
        if is_listed {
            if is_write {
                found.yellow(true);
            }
            return;
        }
        let (rule, doing) = if is_write {
            ("file_write_not_allowlisted", "writing")
        } else {
            ("file_read_not_allowlisted", "reading")
        };
        let reason = format!("Path {path} is not on the allowlist for {doing}");
        found.raise(Violation::new(rule, path, reason));
    }
}

fn written<'a>(patterns: &'a [PathPattern], path: &Located<'_>) -> Option<&'a str> {
    patterns
        .iter()
        .find(|pattern| pattern.hits(path))
        .map(|pattern| pattern.written.as_str())
}
