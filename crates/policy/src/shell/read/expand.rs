//! Words: their quotes, and what the shell puts in their places.

use super::super::script::Word;
use super::word::{self, Raw};
use super::{BROKEN, DEEPEST, Reader, SUBSTITUTES, TOO_DEEP, is_literal};

/// The most variables whose values are kept, and the longest value.
const MOST_VARIABLES: usize = 64;

const LONGEST_VALUE: usize = 512;

impl Reader<'_> {
    /// Reads one word; brace expansion and fields make several of it.
    pub(super) fn word(&mut self) -> Vec<Word> {
        self.words += 1;
        let before = self.at;
        let mut raw = Raw::starting_at(self.script.commands.len());
        self.pieces(&mut raw);
        if self.at == before {
            // Nothing of a word stands here: go on, or it would be read for ever.
            self.at = self.text.len().min(self.at + 1);
            self.script.doubt(BROKEN);
            return Vec::new();
        }
        if raw.is_beyond_expansion() {
            self.script.doubt(SUBSTITUTES);
        }
        let words = raw.finish(self.script.commands.len());
        self.words += words.len();
        words
    }

    pub(super) fn pieces(&mut self, raw: &mut Raw) {
        loop {
            let start = self.at;
            while is_literal(self.peek(0)) && !self.is_over() {
                self.at += 1;
            }
            raw.unquoted(&self.whole[start..self.at]);
            match self.peek(0) {
                b'\\' if self.peek(1) == b'\n' => self.at += 2,
                b'\\' => {
                    self.at += 1;
                    let rest = &self.whole[self.at..];
                    let length = rest.chars().next().map_or(0, char::len_utf8);
                    raw.quoted(&rest[..length]);
                    self.at += length;
                }
                b'\'' => self.single_quoted(raw),
                b'"' => {
                    self.at += 1;
                    raw.quoted("");
                    self.double_quoted(raw, b'"');
                }
                b'$' => self.dollar(raw, false),
                b'`' => self.backquoted(raw),
                b'<' | b'>' if self.peek(1) == b'(' => {
                    self.at += 2;
                    self.substitution(raw);
                }
                // An extended pattern such as `@(a|b)`.
                b'(' if raw.ends_with_pattern_prefix() => {
                    let start = self.at;
                    self.skip_group();
                    if self.at == start {
                        return;
                    }
                    raw.unquoted("*");
                }
                _ => return,
            }
        }
    }

    pub(super) fn single_quoted(&mut self, raw: &mut Raw) {
        let start = self.at + 1;
        let rest = &self.whole[start..];
        match rest.find('\'') {
            Some(length) => {
                raw.quoted(&rest[..length]);
                self.at = start + length + 1;
            }
            None => {
                raw.quoted(rest);
                self.give_up(BROKEN);
            }
        }
    }

    /// Reads up to a closing quote or brace, or to the end where there is none.
    pub(super) fn double_quoted(&mut self, raw: &mut Raw, end: u8) {
        loop {
            let start = self.at;
            while !matches!(self.peek(0), b'\\' | b'$' | b'`' | b'"' | 0) {
                self.at += 1;
            }
            raw.quoted(&self.whole[start..self.at]);
            match self.peek(0) {
                b'"' if end == b'"' => {
                    self.at += 1;
                    return;
                }
                b'"' => {
                    raw.quoted("\"");
                    self.at += 1;
                }
                b'\\' => {
                    match self.peek(1) {
                        b'\n' => {}
                        escaped @ (b'$' | b'`' | b'"' | b'\\') => raw.quoted_byte(escaped),
                        _ => {
                            raw.quoted("\\");
                            self.at += 1;
                            continue;
                        }
                    }
                    self.at += 2;
                }
                b'$' => self.dollar(raw, true),
                b'`' => self.backquoted(raw),
                _ => {
                    if end != 0 {
                        self.script.doubt(BROKEN);
                    }
                    return;
                }
            }
        }
    }

    /// What begins with a dollar.
    pub(super) fn dollar(&mut self, raw: &mut Raw, is_quoted: bool) {
        self.at += 1;
        match self.peek(0) {
            b'(' => {
                if self.is_at("((") && self.arithmetic(2) {
                    self.script.doubt(SUBSTITUTES);
                    raw.unknown();
                    return;
                }
                self.at += 1;
                self.substitution(raw);
            }
            b'{' => {
                self.at += 1;
                self.braced(raw, is_quoted);
            }
            b'[' => {
                // The old form of arithmetic: what is in it is read as text.
                self.script.doubt(SUBSTITUTES);
                raw.unknown();
                self.at += 1;
            }
            b'\'' if !is_quoted => {
                self.at += 1;
                self.ansi_quoted(raw);
            }
            b'"' if !is_quoted => {}
            byte if byte.is_ascii_alphabetic() || byte == b'_' => {
                let name = self.name().to_owned();
                self.variable(&name, raw, is_quoted);
            }
            byte if byte.is_ascii_digit() || b"@*#?-$!".contains(&byte) => {
                self.at += 1;
                self.variable(&char::from(byte).to_string(), raw, is_quoted);
            }
            _ => raw.quoted("$"),
        }
    }

    pub(super) fn name(&mut self) -> &str {
        let start = self.at;
        while self.peek(0).is_ascii_alphanumeric() || self.peek(0) == b'_' {
            self.at += 1;
        }
        &self.whole[start..self.at]
    }

    /// Puts in a variable's value, as far as it is known.
    pub(super) fn variable(&mut self, name: &str, raw: &mut Raw, is_quoted: bool) {
        match name {
            "HOME" if raw.is_empty() && !self.is_set("HOME") => return raw.quoted("~"),
            "PWD" if raw.is_empty() && !self.is_set("PWD") => return raw.quoted("."),
            "IFS" if !is_quoted && !self.is_set("IFS") => raw.split(),
            _ => {
                let value = self.variables.iter().rev().find(|(known, _)| known == name);
                match value {
                    Some((_, value)) if is_quoted && name != "@" => raw.quoted(&value.clone()),
                    Some((_, value)) => raw.fields(&value.clone()),
                    None => raw.unknown(),
                }
            }
        }
        self.script.doubt(SUBSTITUTES);
    }

    /// Keeps what a variable was given. What is not kept is unknown, which a person looks at.
    pub(super) fn remember(&mut self, name: &str, value: &str) {
        if self.variables.len() < MOST_VARIABLES && value.len() <= LONGEST_VALUE {
            self.variables.push((name.to_owned(), value.to_owned()));
        }
    }

    pub(super) fn is_set(&self, name: &str) -> bool {
        self.variables.iter().any(|(known, _)| known == name)
    }

    /// `${…}`: the value where it is plain; what a default would put in its place; else unknown.
    pub(super) fn braced(&mut self, raw: &mut Raw, is_quoted: bool) {
        self.depth += 1;
        if self.depth > DEEPEST {
            self.give_up(TOO_DEEP);
            return;
        }
        let doubts = self.script.doubts.clone();
        self.script.doubt(SUBSTITUTES);
        if matches!(self.peek(0), b'#' | b'!') && self.peek(1) != b'}' {
            self.at += 1;
            raw.unknown();
        }
        let is_special = b"@*#?-$!0123456789".contains(&self.peek(0));
        let name = if is_special {
            self.at += 1;
            self.whole[self.at - 1..self.at].to_owned()
        } else {
            self.name().to_owned()
        };
        if self.takes("}") {
            // As doubtful as `$name` would be.
            self.script.doubts = doubts;
            self.variable(&name, raw, is_quoted);
            self.depth -= 1;
            return;
        }
        let operator = self.peek(0);
        let is_value = matches!(operator, b'-' | b'=' | b'+')
            || (operator == b':' && matches!(self.peek(1), b'-' | b'=' | b'+'));
        let mut inner = Raw::starting_at(raw.start());
        if is_value {
            self.at += if operator == b':' { 2 } else { 1 };
        } else if name == "IFS" && !is_quoted {
            raw.split();
        } else {
            raw.unknown();
        }
        self.up_to_brace(&mut inner);
        if is_value {
            raw.fields(&inner.text());
        }
        self.depth -= 1;
    }

    pub(super) fn up_to_brace(&mut self, raw: &mut Raw) {
        loop {
            match self.peek(0) {
                0 => {
                    self.script.doubt(BROKEN);
                    return;
                }
                b'}' => {
                    self.at += 1;
                    return;
                }
                b'\\' => {
                    self.at += 1;
                    let length = self.whole[self.at..]
                        .chars()
                        .next()
                        .map_or(0, char::len_utf8);
                    raw.quoted(&self.whole[self.at..self.at + length]);
                    self.at += length;
                }
                b'\'' => self.single_quoted(raw),
                b'"' => {
                    self.at += 1;
                    self.double_quoted(raw, b'"');
                }
                b'$' => self.dollar(raw, true),
                b'`' => self.backquoted(raw),
                _ => {
                    let start = self.at;
                    while !matches!(self.peek(0), 0 | b'}' | b'\\' | b'\'' | b'"' | b'$' | b'`') {
                        self.at += 1;
                    }
                    raw.quoted(&self.whole[start..self.at]);
                }
            }
        }
    }

    /// The commands up to the closing parenthesis; their output is unknown.
    pub(super) fn substitution(&mut self, raw: &mut Raw) {
        self.script.doubt(SUBSTITUTES);
        raw.unknown();
        self.list(true);
    }

    pub(super) fn backquoted(&mut self, raw: &mut Raw) {
        self.script.doubt(SUBSTITUTES);
        raw.unknown();
        self.at += 1;
        let mut inner = String::new();
        loop {
            let start = self.at;
            while !matches!(self.peek(0), 0 | b'`' | b'\\') {
                self.at += 1;
            }
            inner.push_str(&self.whole[start..self.at]);
            match self.peek(0) {
                b'`' => {
                    self.at += 1;
                    break;
                }
                b'\\' => {
                    if matches!(self.peek(1), b'`' | b'\\' | b'$') {
                        inner.push(char::from(self.peek(1)));
                        self.at += 2;
                    } else {
                        inner.push('\\');
                        self.at += 1;
                    }
                }
                _ => {
                    self.script.doubt(BROKEN);
                    break;
                }
            }
        }
        let mut reader = Reader {
            text: inner.as_bytes(),
            whole: &inner,
            at: 0,
            depth: self.depth,
            words: self.words,
            pending: Vec::new(),
            variables: std::mem::take(&mut self.variables),
            script: std::mem::take(&mut self.script),
        };
        reader.list(false);
        self.words = reader.words;
        self.variables = reader.variables;
        self.script = reader.script;
    }

    pub(super) fn ansi_quoted(&mut self, raw: &mut Raw) {
        let rest = &self.whole[self.at..];
        let (text, length) = word::ansi(rest);
        raw.quoted(&text);
        match length {
            Some(length) => self.at += length,
            None => self.give_up(BROKEN),
        }
    }
}
