//! Redirections and here-documents.

use super::super::script::{Command, Direction, Redirect, Word};
use super::word::Raw;
use super::{BROKEN, DEEPEST, Reader, TOO_DEEP};

/// A here-document whose text has yet to come.
pub(super) struct Pending {
    body: usize,
    delimiter: String,
    strips_tabs: bool,
    is_literal: bool,
}

impl Reader<'_> {
    pub(super) fn redirect(&mut self, command: &mut Command) {
        if self.takes("<<<") {
            self.skip_blanks();
            let words = self.word();
            let text = words
                .iter()
                .map(|word| word.text.as_str())
                .collect::<Vec<_>>()
                .join(" ");
            let start = words.first().map_or(0, |word| word.inner.start);
            let end = words.last().map_or(0, |word| word.inner.end);
            command.redirects.push(Redirect::HereString(Word {
                inner: start..end,
                ..Word::plain(text)
            }));
            return;
        }
        if self.takes("<<") {
            let strips_tabs = self.takes("-");
            self.skip_blanks();
            let start = self.at;
            let words = self.word();
            let is_literal = self.text[start..self.at]
                .iter()
                .any(|byte| b"'\"\\".contains(byte));
            let delimiter = words.into_iter().next().unwrap_or_default().text;
            self.pending.push(Pending {
                body: self.script.bodies.len(),
                delimiter,
                strips_tabs,
                is_literal,
            });
            command
                .redirects
                .push(Redirect::HereDocument(self.script.bodies.len()));
            self.script.bodies.push(String::new());
            return;
        }
        let direction = if self.takes("<>") {
            Direction::Write
        } else if self.takes("<&") || self.takes("<") {
            Direction::Read
        } else {
            // Longest first.
            let _is_one = ["&>>", "&>", ">>", ">&", ">|", ">"]
                .iter()
                .any(|operator| self.takes(operator));
            Direction::Write
        };
        let is_duplicate = self.text[..self.at].ends_with(b"&");
        self.skip_blanks();
        let words = self.word();
        let Some(word) = words.into_iter().next() else {
            self.script.doubt(BROKEN);
            return;
        };
        let is_descriptor = !word.text.is_empty()
            && word
                .text
                .bytes()
                .all(|byte| byte.is_ascii_digit() || byte == b'-');
        let redirect = if is_duplicate && is_descriptor {
            Redirect::Descriptor
        } else {
            Redirect::File(direction, word)
        };
        command.redirects.push(redirect);
    }

    /// Goes over a line's end and reads the here-documents that begin behind it.
    pub(super) fn newline(&mut self) {
        self.at += 1;
        for pending in std::mem::take(&mut self.pending) {
            let body = self.here_document(&pending);
            if !pending.is_literal {
                self.expand_body(&body);
            }
            self.script.bodies[pending.body] = body;
        }
    }

    pub(super) fn here_document(&mut self, pending: &Pending) -> String {
        let mut body = String::new();
        while !self.is_over() {
            let rest = &self.whole[self.at..];
            let (line, length) = match rest.split_once('\n') {
                Some((line, _)) => (line, line.len() + 1),
                None => (rest, rest.len()),
            };
            self.at += length;
            let line = if pending.strips_tabs {
                line.trim_start_matches('\t')
            } else {
                line
            };
            if line == pending.delimiter {
                break;
            }
            body.push_str(line);
            body.push('\n');
        }
        body
    }

    /// Finds the substitutions of a here-document.
    pub(super) fn expand_body(&mut self, body: &str) {
        if !body.contains(['$', '`']) {
            return;
        }
        self.depth += 1;
        if self.depth > DEEPEST {
            self.give_up(TOO_DEEP);
            return;
        }
        let mut inner = Reader {
            text: body.as_bytes(),
            whole: body,
            at: 0,
            depth: self.depth,
            words: self.words,
            pending: Vec::new(),
            variables: std::mem::take(&mut self.variables),
            script: std::mem::take(&mut self.script),
        };
        inner.double_quoted(&mut Raw::default(), 0);
        self.words = inner.words;
        self.variables = inner.variables;
        self.script = inner.script;
        self.depth -= 1;
    }
}
