//! Reads a script into its simple commands, in one pass and without going back.
//!
//! A shell runs a script line by line and stops at the first error; so does nothing here. Whatever stands
//! where a command may stand is reported as one, also in a script that is wrong further on. What is read
//! differently by some shells is read as the worse of both.

mod compound;
mod expand;
mod redirect;
mod word;

use super::script::{Command, Script, UNKNOWN};
use redirect::Pending;

/// The longest script, in bytes.
pub(crate) const LONGEST: usize = 32 * 1024;
/// How deep substitutions may nest.
pub(crate) const DEEPEST: usize = 24;
/// The most words of a script.
const MOST_WORDS: usize = 2048;
/// The longest text between `((` and `))`.
const LONGEST_ARITHMETIC: usize = 1024;

pub(crate) const TOO_LONG: &str = "is too long to be judged";
const TOO_DEEP: &str = "nests too deep to be judged";
const BROKEN: &str = "is not well-formed";
const CONTROL: &str = "contains control characters";
pub(crate) const SUBSTITUTES: &str = "substitutes what is not known before it runs";

/// Values that a script gives to its variables, and the arguments it is given.
pub(crate) type Variables = Vec<(String, String)>;

/// Reads a script.
pub(crate) fn read(text: &str, variables: Variables) -> Script {
    let mut script = Script::default();
    if text.len() > LONGEST {
        script.doubt(TOO_LONG);
    }
    let text = cut(text, LONGEST);
    let cleaned: String;
    let text = if text
        .bytes()
        .any(|byte| byte < b' ' && !matches!(byte, b'\t' | b'\n'))
    {
        // Some shells drop these, some take them for letters; what is left is read as if dropped. The mark
        // of what is unknown stays: a script out of an argument has it where a value goes.
        script.doubt(CONTROL);
        cleaned = text
            .chars()
            .filter(|c| *c >= ' ' || matches!(*c, '\t' | '\n' | UNKNOWN))
            .collect();
        &cleaned
    } else {
        text
    };
    let mut reader = Reader {
        text: text.as_bytes(),
        whole: text,
        at: 0,
        depth: 0,
        words: 0,
        pending: Vec::new(),
        variables,
        script,
    };
    reader.list(false);
    reader.script
}

fn cut(text: &str, most: usize) -> &str {
    if text.len() <= most {
        return text;
    }
    let mut end = most;
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

struct Reader<'a> {
    text: &'a [u8],
    whole: &'a str,
    at: usize,
    depth: usize,
    words: usize,
    pending: Vec<Pending>,
    variables: Variables,
    script: Script,
}

/// What an opened compound command ends with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Closer {
    Paren,
    Brace,
    Fi,
    Done,
    Esac,
}

/// A list of pipelines inside of a compound command, or outside of all.
struct Level {
    closer: Option<Closer>,
    /// Where the present pipeline's stages begin.
    stages: Vec<usize>,
    /// The next word is a pattern of `case`.
    awaits_pattern: bool,
}

impl Reader<'_> {
    fn peek(&self, ahead: usize) -> u8 {
        self.text.get(self.at + ahead).copied().unwrap_or(0)
    }

    fn is_at(&self, text: &str) -> bool {
        self.text[self.at..].starts_with(text.as_bytes())
    }

    /// Goes on behind a text if it stands here.
    fn takes(&mut self, text: &str) -> bool {
        let is_here = self.is_at(text);
        if is_here {
            self.at += text.len();
        }
        is_here
    }

    fn is_over(&self) -> bool {
        self.at >= self.text.len()
    }

    fn give_up(&mut self, why: &'static str) {
        self.script.doubt(why);
        self.at = self.text.len();
    }

    fn skip_blanks(&mut self) {
        loop {
            match self.peek(0) {
                b' ' | b'\t' => self.at += 1,
                b'\\' if self.peek(1) == b'\n' => self.at += 2,
                _ => return,
            }
        }
    }

    fn skip_space(&mut self) {
        loop {
            self.skip_blanks();
            match self.peek(0) {
                b'\n' => self.newline(),
                b'#' => self.skip_comment(),
                _ => return,
            }
        }
    }

    fn skip_comment(&mut self) {
        while !self.is_over() && self.peek(0) != b'\n' {
            self.at += 1;
        }
    }

    /// Reads commands up to the end, or to the `)` that closes a substitution.
    fn list(&mut self, is_substitution: bool) {
        self.depth += 1;
        if self.depth > DEEPEST {
            self.give_up(TOO_DEEP);
            return;
        }
        let mut levels = vec![Level::new(None, self.script.commands.len())];
        let mut command = Command::default();
        loop {
            self.skip_blanks();
            if self.is_over() {
                if is_substitution || levels.len() > 1 {
                    self.script.doubt(BROKEN);
                }
                break;
            }
            if self.words > MOST_WORDS {
                self.give_up(TOO_LONG);
                break;
            }
            match self.peek(0) {
                b'\n' => {
                    self.end_pipeline(&mut command, &mut levels);
                    self.newline();
                }
                b'#' => self.skip_comment(),
                b';' => {
                    self.at += 1;
                    let ends_case = self.takes(";&") || self.takes(";") || self.takes("&");
                    self.end_pipeline(&mut command, &mut levels);
                    if ends_case {
                        self.await_pattern(&mut levels);
                        if levels.last().is_some_and(|level| !level.awaits_pattern) {
                            self.script.doubt(BROKEN);
                        }
                    }
                }
                b'&' if self.is_at("&>") => self.redirect(&mut command),
                b'&' => {
                    self.at += 1;
                    self.takes("&");
                    self.end_pipeline(&mut command, &mut levels);
                }
                b'|' if self.is_at("||") => {
                    self.at += 2;
                    self.end_pipeline(&mut command, &mut levels);
                }
                b'|' => {
                    self.at += 1;
                    self.takes("&");
                    self.end_command(&mut command);
                    let next = self.script.commands.len();
                    if let Some(level) = levels.last_mut() {
                        level.stages.push(next);
                    }
                }
                b'(' if levels.last().is_some_and(|level| level.awaits_pattern) => self.at += 1,
                b'(' => self.open_paren(&mut command, &mut levels),
                b')' => {
                    self.at += 1;
                    self.end_pipeline(&mut command, &mut levels);
                    if !self.close(Closer::Paren, &mut levels) {
                        if is_substitution && levels.len() == 1 {
                            self.depth -= 1;
                            return;
                        }
                        // A `)` after a case's pattern is taken with the pattern; any other is an error.
                        self.script.doubt(BROKEN);
                    }
                }
                b'<' | b'>' if self.peek(1) != b'(' => self.redirect(&mut command),
                _ => self.word_of_list(&mut command, &mut levels),
            }
        }
        self.end_pipeline(&mut command, &mut levels);
        while levels.len() > 1 {
            levels.pop();
            self.end_pipeline(&mut command, &mut levels);
        }
        self.depth = self.depth.saturating_sub(1);
    }

    fn end_command(&mut self, command: &mut Command) {
        let command = std::mem::take(command);
        let is_empty = command.words.is_empty()
            && command.assignments.is_empty()
            && command.redirects.is_empty();
        if is_empty {
            return;
        }
        for (name, value) in &command.assignments {
            self.remember(name, &value.text);
        }
        self.script.commands.push(command);
    }

    fn end_pipeline(&mut self, command: &mut Command, levels: &mut [Level]) {
        self.end_command(command);
        let end = self.script.commands.len();
        if let Some(level) = levels.last_mut() {
            let mut stages = std::mem::replace(&mut level.stages, vec![end]);
            if stages.len() > 1 {
                stages.push(end);
                self.script.pipelines.push(stages);
            }
        }
    }

    fn open(&mut self, closer: Closer, levels: &mut Vec<Level>) {
        if levels.len() >= DEEPEST * 4 {
            self.give_up(TOO_DEEP);
        }
        levels.push(Level::new(Some(closer), self.script.commands.len()));
    }

    /// Ends a compound command, if it is one that ends so.
    fn close(&mut self, closer: Closer, levels: &mut Vec<Level>) -> bool {
        let fits = levels
            .last()
            .is_some_and(|level| level.closer == Some(closer));
        if fits {
            levels.pop();
        }
        fits
    }

    fn await_pattern(&mut self, levels: &mut [Level]) {
        if let Some(level) = levels.last_mut() {
            level.awaits_pattern = level.closer == Some(Closer::Esac);
        }
    }

    fn open_paren(&mut self, command: &mut Command, levels: &mut Vec<Level>) {
        let is_first = command.words.is_empty() && command.assignments.is_empty();
        if is_first && self.is_at("((") && self.arithmetic(2) {
            return;
        }
        self.at += 1;
        if command.words.len() == 1 && command.assignments.is_empty() {
            let start = self.at;
            self.skip_blanks();
            if self.takes(")") {
                // The name of a function: what it does comes next.
                command.words.clear();
                self.skip_space();
                return;
            }
            self.at = start;
        }
        if !is_first {
            self.script.doubt(BROKEN);
            self.end_command(command);
        }
        self.open(Closer::Paren, levels);
    }

    /// Reads `((…))` if it is closed so; the text is kept, for it might be a subshell after all.
    fn arithmetic(&mut self, opening: usize) -> bool {
        let start = self.at + opening;
        let Some(length) = arithmetic_end(&self.text[start..]) else {
            return false;
        };
        let inner = &self.whole[start..start + length];
        self.script.doubtful.push(inner.to_owned());
        self.at = start + length + 2;
        true
    }

    fn word_of_list(&mut self, command: &mut Command, levels: &mut Vec<Level>) {
        let start = self.at;
        let words = self.word();
        if levels.last().is_some_and(|level| level.awaits_pattern) {
            self.pattern(&words, levels);
            return;
        }
        if words.len() == 1 && self.at > start && matches!(self.peek(0), b'<' | b'>') {
            let raw = &self.whole[start..self.at];
            let is_descriptor = raw.bytes().all(|byte| byte.is_ascii_digit())
                || (raw.starts_with('{') && raw.ends_with('}'));
            if is_descriptor && self.peek(1) != b'(' {
                return;
            }
        }
        let is_first = command.words.is_empty();
        let is_at_start =
            is_first && command.assignments.is_empty() && command.redirects.is_empty();
        if is_at_start && words.len() == 1 && !words[0].is_quoted {
            let text = words[0].text.clone();
            if self.keyword(&text, command, levels) {
                return;
            }
        }
        if is_first && self.assignment(start, &words, command) {
            return;
        }
        command.words.extend(words);
    }

}

impl Level {
    fn new(closer: Option<Closer>, start: usize) -> Self {
        Self {
            closer,
            stages: vec![start],
            awaits_pattern: false,
        }
    }
}

/// Bytes that stand for themselves in a word.
fn is_literal(byte: u8) -> bool {
    !matches!(
        byte,
        0 | b' '
            | b'\t'
            | b'\n'
            | b';'
            | b'&'
            | b'|'
            | b'('
            | b')'
            | b'<'
            | b'>'
            | b'\\'
            | b'\''
            | b'"'
            | b'$'
            | b'`'
    )
}

/// The length of arithmetic up to its `))`.
fn arithmetic_end(text: &[u8]) -> Option<usize> {
    let mut depth = 0_usize;
    for (at, byte) in text.iter().enumerate().take(LONGEST_ARITHMETIC) {
        match byte {
            b'(' => depth += 1,
            b')' if depth > 0 => depth -= 1,
            b')' => return (text.get(at + 1) == Some(&b')')).then_some(at),
            _ => {}
        }
    }
    None
}
