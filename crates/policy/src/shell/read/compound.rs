//! Compound commands, and the words that are assignments.

use super::super::script::{Command, Word};
use super::{BROKEN, Closer, Level, Reader, is_literal};

/// Keywords that open a compound command, or stand in front of one.
const OPENING: [&str; 11] = [
    "{", "if", "while", "until", "for", "case", "select", "[[", "!", "time", "coproc",
];

impl Reader<'_> {
    /// Takes a word for a keyword, if it is one here.
    pub(super) fn keyword(&mut self, text: &str, command: &mut Command, levels: &mut Vec<Level>) -> bool {
        match text {
            "if" => self.open(Closer::Fi, levels),
            "while" | "until" => self.open(Closer::Done, levels),
            "{" => self.open(Closer::Brace, levels),
            "for" | "select" => {
                self.open(Closer::Done, levels);
                self.for_header();
            }
            "case" => {
                self.open(Closer::Esac, levels);
                self.case_header(levels);
            }
            "then" | "else" | "elif" | "do" | "!" => {}
            "fi" => self.close_or_doubt(Closer::Fi, levels),
            "done" => self.close_or_doubt(Closer::Done, levels),
            "}" => self.close_or_doubt(Closer::Brace, levels),
            "esac" => self.close_or_doubt(Closer::Esac, levels),
            "function" => {
                self.skip_blanks();
                self.word();
                self.skip_blanks();
                if self.takes("(") {
                    self.skip_blanks();
                    self.takes(")");
                }
                self.skip_space();
            }
            "coproc" => self.coprocess(),
            "time" => {
                self.skip_blanks();
                let start = self.at;
                if self.peek(0) == b'-' {
                    let option = self.word();
                    let is_keyword = option.first().is_some_and(|word| word.text == "-p");
                    if !is_keyword {
                        // With any other option it is the program.
                        self.at = start;
                        return false;
                    }
                }
            }
            "[[" => self.test(command),
            _ => return false,
        }
        true
    }

    pub(super) fn close_or_doubt(&mut self, closer: Closer, levels: &mut Vec<Level>) {
        let mut nothing = Command::default();
        self.end_pipeline(&mut nothing, levels);
        if !self.close(closer, levels) {
            self.script.doubt(BROKEN);
        }
    }

    /// A pattern of `case`, up to its `)`; or the end of the `case`.
    pub(super) fn pattern(&mut self, words: &[Word], levels: &mut Vec<Level>) {
        if let [word] = words
            && word.text == "esac"
            && !word.is_quoted
        {
            self.close(Closer::Esac, levels);
            return;
        }
        loop {
            self.skip_blanks();
            match self.peek(0) {
                b')' => {
                    self.at += 1;
                    break;
                }
                b'|' => self.at += 1,
                b'(' => self.skip_group(),
                // No pattern at all: what follows is read as commands.
                0 | b'\n' | b';' | b'&' | b'<' | b'>' => {
                    self.script.doubt(BROKEN);
                    break;
                }
                _ => {
                    self.word();
                }
            }
        }
        if let Some(level) = levels.last_mut() {
            level.awaits_pattern = false;
        }
    }

    /// The parentheses of an extended pattern; a shell without such patterns may see a subshell.
    pub(super) fn skip_group(&mut self) {
        let start = self.at;
        let mut depth = 0_usize;
        while !self.is_over() && self.peek(0) != b'\n' {
            match self.peek(0) {
                b'(' => depth += 1,
                b')' => depth = depth.saturating_sub(1),
                _ => {}
            }
            self.at += 1;
            if depth == 0 {
                break;
            }
        }
        let inner = self.whole[start..self.at].trim_start_matches('(');
        self.script
            .doubtful
            .push(inner.strip_suffix(')').unwrap_or(inner).to_owned());
    }

    /// `for name in words`, or `for ((…))`.
    pub(super) fn for_header(&mut self) {
        self.skip_blanks();
        if self.is_at("((") && self.arithmetic(2) {
            return;
        }
        let names = self.word();
        self.skip_space();
        if !(self.is_at("in") && matches!(self.peek(2), b' ' | b'\t' | b'\n' | b';' | b'\\')) {
            return;
        }
        self.at += 2;
        loop {
            self.skip_blanks();
            match self.peek(0) {
                0 | b'\n' | b';' | b'&' | b'|' | b'(' | b')' => return,
                b'<' | b'>' if self.peek(1) != b'(' => return,
                _ => {
                    let words = self.word();
                    if let (Some(name), Some(value)) = (names.first(), words.first()) {
                        self.remember(&name.text, &value.text);
                    }
                    self.script.loose.extend(words);
                }
            }
        }
    }

    pub(super) fn case_header(&mut self, levels: &mut [Level]) {
        self.skip_blanks();
        let subject = self.word();
        self.script.loose.extend(subject);
        self.skip_space();
        if self.is_at("in") {
            self.at += 2;
            self.await_pattern(levels);
        } else {
            self.script.doubt(BROKEN);
        }
    }

    /// `coproc name { …; }` names what follows; `coproc program` does not.
    pub(super) fn coprocess(&mut self) {
        self.skip_blanks();
        let start = self.at;
        if !is_literal(self.peek(0)) {
            return;
        }
        let words = self.word();
        self.skip_blanks();
        let opens = self.peek(0) == b'('
            || OPENING.iter().any(|word| {
                self.is_at(word) && matches!(self.peek(word.len()), b' ' | b'\t' | b'\n')
            });
        let is_name = words
            .first()
            .is_some_and(|word| !OPENING.contains(&word.text.as_str()));
        if !(opens && is_name) {
            self.at = start;
        }
    }

    /// `[[ … ]]`, in which operators are none.
    pub(super) fn test(&mut self, command: &mut Command) {
        command.words.push(Word::plain("[["));
        loop {
            self.skip_space();
            match self.peek(0) {
                0 => {
                    self.script.doubt(BROKEN);
                    return;
                }
                b';' => {
                    self.script.doubt(BROKEN);
                    return;
                }
                b'&' | b'|' | b'(' | b')' => self.at += 1,
                b'<' | b'>' if self.peek(1) != b'(' => self.at += 1,
                _ => {
                    let words = self.word();
                    let ends =
                        matches!(words.as_slice(), [word] if word.text == "]]" && !word.is_quoted);
                    command.words.extend(words);
                    if ends {
                        return;
                    }
                }
            }
        }
    }

    /// Takes a word for an assignment, if it is one: `name=`, `name+=`, `name[index]=`.
    pub(super) fn assignment(&mut self, start: usize, words: &[Word], command: &mut Command) -> bool {
        let raw = &self.text[start..self.at];
        let Some(name) = assigned_name(raw) else {
            return false;
        };
        let name = String::from_utf8_lossy(name).into_owned();
        // Brace expansion and field splitting do not happen in an assignment.
        let mut value = words.first().cloned().unwrap_or_default();
        for more in words.iter().skip(1) {
            value.text.push(' ');
            value.text.push_str(&more.text);
            value.inner.end = value.inner.end.max(more.inner.end);
        }
        if let Some((_, text)) = value.text.split_once('=') {
            value.text = text.to_owned();
        }
        if value.text.is_empty() && self.peek(0) == b'(' {
            self.at += 1;
            self.array(&mut value);
        }
        command.assignments.push((name, value));
        true
    }

    pub(super) fn array(&mut self, value: &mut Word) {
        loop {
            self.skip_space();
            match self.peek(0) {
                b')' => {
                    self.at += 1;
                    return;
                }
                0 => {
                    self.script.doubt(BROKEN);
                    return;
                }
                b'(' | b';' | b'&' | b'|' => {
                    self.script.doubt(BROKEN);
                    self.at += 1;
                }
                b'<' | b'>' if self.peek(1) != b'(' => self.at += 1,
                _ => {
                    let words = self.word();
                    for word in &words {
                        if !value.text.is_empty() {
                            value.text.push(' ');
                        }
                        value.text.push_str(&word.text);
                    }
                    self.script.loose.extend(words);
                }
            }
        }
    }
}

fn assigned_name(raw: &[u8]) -> Option<&[u8]> {
    let length = raw
        .iter()
        .position(|byte| !(byte.is_ascii_alphanumeric() || *byte == b'_'))?;
    let (name, rest) = raw.split_at(length);
    let starts = name.first().is_some_and(|byte| !byte.is_ascii_digit());
    let assigns = rest.starts_with(b"=")
        || rest.starts_with(b"+=")
        || (rest.starts_with(b"[") && rest.windows(2).any(|pair| pair == b"]=" || pair == b"]+"));
    (starts && assigns).then_some(name)
}
