//! What a script says, once read: its commands, which of them feed which, and what nobody can know of it.

use std::ops::Range;

/// Stands in a word's text for what only the shell will know. No input may contain it.
pub(crate) const UNKNOWN: char = '\u{1}';

/// One word after its quotes are gone.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Word {
    pub(crate) text: String,
    /// Some of it was quoted, so it is no keyword.
    pub(crate) is_quoted: bool,
    /// It has unquoted wildcards: the shell makes file names of it.
    pub(crate) has_wildcard: bool,
    /// The commands whose output becomes part of it.
    pub(crate) inner: Range<usize>,
}

impl Word {
    pub(crate) fn plain(text: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            ..Self::default()
        }
    }

    /// The word as it is if everything unknown in it is nothing.
    pub(crate) fn without_unknown(&self) -> Self {
        Self {
            text: self.text.replace(UNKNOWN, ""),
            ..self.clone()
        }
    }

    pub(crate) fn is_unknown(&self) -> bool {
        self.text.contains(UNKNOWN)
    }
}

/// What a redirection does with its file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Direction {
    Read,
    Write,
}

/// A redirection to a file, or a text that a command is given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Redirect {
    File(Direction, Word),
    /// To or from what is open already.
    Descriptor,
    /// An index of `Script::bodies`.
    HereDocument(usize),
    HereString(Word),
}

/// One simple command.
#[derive(Debug, Clone, Default)]
pub(crate) struct Command {
    pub(crate) assignments: Vec<(String, Word)>,
    pub(crate) words: Vec<Word>,
    pub(crate) redirects: Vec<Redirect>,
}

impl Command {
    pub(crate) fn is_empty(&self) -> bool {
        self.words.is_empty() && self.assignments.is_empty() && self.redirects.is_empty()
    }
}

/// A script read into the simple commands that stand anywhere in it, in the order in which they are
/// written; those of a substitution before the command that they are substituted into.
#[derive(Debug, Default)]
pub(crate) struct Script {
    pub(crate) commands: Vec<Command>,
    /// For each pipeline of more than one stage, where its stages begin, and where the last one ends.
    pub(crate) pipelines: Vec<Vec<usize>>,
    pub(crate) bodies: Vec<String>,
    /// Words outside of commands: what a loop goes through, what a `case` looks at, array members.
    pub(crate) loose: Vec<Word>,
    /// Arithmetic, which might be a subshell after all.
    pub(crate) doubtful: Vec<String>,
    /// Why a person has to look: phrases that go on from "Command".
    pub(crate) doubts: Vec<&'static str>,
}

impl Script {
    pub(crate) fn doubt(&mut self, why: &'static str) {
        if !self.doubts.contains(&why) {
            self.doubts.push(why);
        }
    }
}
