//! Reads a script into its simple commands, in one pass and without going back.
//!
//! A shell runs a script line by line and stops at the first error; so does nothing here. Whatever stands
//! where a command may stand is reported as one, also in a script that is wrong further on. What is read
//! differently by some shells is read as the worse of both.

use super::script::{Command, Direction, Redirect, Script, UNKNOWN, Word};
use super::word::Raw;

/// The longest script, in bytes.
pub(crate) const LONGEST: usize = 32 * 1024;
/// How deep substitutions may nest.
pub(crate) const DEEPEST: usize = 24;
/// The most words of a script.
const MOST_WORDS: usize = 4096;
/// The most variables whose values are kept, and the longest value.
const MOST_VARIABLES: usize = 64;
const LONGEST_VALUE: usize = 512;
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

/// A here-document whose text has yet to come.
struct Pending {
    body: usize,
    delimiter: String,
    strips_tabs: bool,
    is_literal: bool,
}

pub(super) struct Reader<'a> {
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
    /// A command stands where the last separator or operator awaits one.
    stands: bool,
    /// The last one is an operator, which cannot do without: a line may end behind it, a list may not.
    needs: bool,
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

    /// Goes over a line's end and reads the here-documents that begin behind it.
    fn newline(&mut self) {
        self.at += 1;
        for pending in std::mem::take(&mut self.pending) {
            let body = self.here_document(&pending);
            if !pending.is_literal {
                self.expand_body(&body);
            }
            self.script.bodies[pending.body] = body;
        }
    }

    fn here_document(&mut self, pending: &Pending) -> String {
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
    fn expand_body(&mut self, body: &str) {
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
                    self.end_line(&mut command, &mut levels);
                    self.newline();
                }
                b'#' => self.skip_comment(),
                b';' => {
                    self.at += 1;
                    let ends_case = self.takes(";&") || self.takes(";") || self.takes("&");
                    self.end_pipeline(&mut command, &mut levels);
                    if ends_case {
                        self.require(&levels);
                        self.await_pattern(&mut levels);
                        if levels.last().is_some_and(|level| !level.awaits_pattern) {
                            self.script.doubt(BROKEN);
                        }
                    } else {
                        self.separate(false, &mut levels);
                    }
                }
                b'&' if self.is_at("&>") => self.redirect(&mut command),
                b'&' => {
                    self.at += 1;
                    let needs = self.takes("&");
                    self.end_pipeline(&mut command, &mut levels);
                    self.separate(needs, &mut levels);
                }
                b'|' if self.is_at("||") => {
                    self.at += 2;
                    self.end_pipeline(&mut command, &mut levels);
                    self.separate(true, &mut levels);
                }
                b'|' => {
                    self.at += 1;
                    self.takes("&");
                    self.end_command(&mut command, &mut levels);
                    self.separate(true, &mut levels);
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
                            self.require(&levels);
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
        self.require(&levels);
        while levels.len() > 1 {
            levels.pop();
            self.end_pipeline(&mut command, &mut levels);
        }
        self.depth = self.depth.saturating_sub(1);
    }

    /// Goes on behind a separator or an operator, before which a command must stand.
    fn separate(&mut self, needs: bool, levels: &mut [Level]) {
        if levels.last_mut().is_some_and(|level| !level.next(needs)) {
            self.script.doubt(BROKEN);
        }
    }

    /// The end of a list, at which no operator may still await a command.
    fn require(&mut self, levels: &[Level]) {
        if levels.last().is_some_and(Level::lacks) {
            self.script.doubt(BROKEN);
        }
    }

    /// The end of a line, which an operator with nothing behind it goes over.
    fn end_line(&mut self, command: &mut Command, levels: &mut [Level]) {
        let is_empty = command.is_empty();
        if is_empty && levels.last().is_some_and(Level::lacks) {
            return;
        }
        self.end_pipeline(command, levels);
        if let Some(level) = levels.last_mut() {
            level.next(false);
        }
    }

    fn end_command(&mut self, command: &mut Command, levels: &mut [Level]) {
        let command = std::mem::take(command);
        if command.is_empty() {
            return;
        }
        if let Some(level) = levels.last_mut() {
            level.stands = true;
        }
        for (name, value) in &command.assignments {
            self.remember(name, &value.text);
        }
        self.script.commands.push(command);
    }

    fn end_pipeline(&mut self, command: &mut Command, levels: &mut [Level]) {
        self.end_command(command, levels);
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
            self.require(levels);
            levels.pop();
            if let Some(level) = levels.last_mut() {
                level.stands = true;
            }
        }
        fits
    }

    fn await_pattern(&mut self, levels: &mut [Level]) {
        if let Some(level) = levels.last_mut() {
            level.awaits_pattern = level.closer == Some(Closer::Esac);
            level.next(false);
        }
    }

    fn open_paren(&mut self, command: &mut Command, levels: &mut Vec<Level>) {
        let is_first = command.words.is_empty() && command.assignments.is_empty();
        if is_first && self.is_at("((") && self.arithmetic(2) {
            if let Some(level) = levels.last_mut() {
                level.stands = true;
            }
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
                await_body(levels);
                return;
            }
            self.at = start;
        }
        if !is_first {
            self.script.doubt(BROKEN);
            self.end_command(command, levels);
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
        if is_at_start && levels.last().is_some_and(|level| level.stands) {
            // Only redirections may follow a compound command.
            self.script.doubt(BROKEN);
        }
        if is_first && self.assignment(start, &words, command) {
            return;
        }
        command.words.extend(words);
    }

    /// A pattern of `case`, up to its `)`; or the end of the `case`.
    fn pattern(&mut self, words: &[Word], levels: &mut Vec<Level>) {
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
    fn skip_group(&mut self) {
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

    /// Takes a word for a keyword, if it is one here.
    fn keyword(&mut self, text: &str, command: &mut Command, levels: &mut Vec<Level>) -> bool {
        match text {
            "if" => self.open(Closer::Fi, levels),
            "while" | "until" => self.open(Closer::Done, levels),
            "{" => self.open(Closer::Brace, levels),
            "for" | "select" => {
                self.open(Closer::Done, levels);
                self.for_header();
                if let Some(level) = levels.last_mut() {
                    // It ends like a command.
                    level.stands = true;
                }
            }
            "case" => {
                self.open(Closer::Esac, levels);
                self.case_header(levels);
            }
            "then" | "else" | "elif" => self.part(Closer::Fi, levels),
            "do" => self.part(Closer::Done, levels),
            "!" => {}
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
                await_body(levels);
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

    /// The next part of a compound command that has several.
    fn part(&mut self, of: Closer, levels: &mut [Level]) {
        self.require(levels);
        let fits = levels.last_mut().is_some_and(|level| {
            level.next(false);
            level.closer == Some(of)
        });
        if !fits {
            self.script.doubt(BROKEN);
        }
    }

    fn close_or_doubt(&mut self, closer: Closer, levels: &mut Vec<Level>) {
        let mut nothing = Command::default();
        self.end_pipeline(&mut nothing, levels);
        if !self.close(closer, levels) {
            self.script.doubt(BROKEN);
        }
    }

    /// `for name in words`, or `for ((…))`.
    fn for_header(&mut self) {
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

    fn case_header(&mut self, levels: &mut [Level]) {
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
    fn coprocess(&mut self) {
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
    fn test(&mut self, command: &mut Command) {
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
    fn assignment(&mut self, start: usize, words: &[Word], command: &mut Command) -> bool {
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

    fn array(&mut self, value: &mut Word) {
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

    fn redirect(&mut self, command: &mut Command) {
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

    fn pieces(&mut self, raw: &mut Raw) {
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

    fn single_quoted(&mut self, raw: &mut Raw) {
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
    fn dollar(&mut self, raw: &mut Raw, is_quoted: bool) {
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

    fn name(&mut self) -> &str {
        let start = self.at;
        while self.peek(0).is_ascii_alphanumeric() || self.peek(0) == b'_' {
            self.at += 1;
        }
        &self.whole[start..self.at]
    }

    /// Puts in a variable's value, as far as it is known.
    fn variable(&mut self, name: &str, raw: &mut Raw, is_quoted: bool) {
        match name {
            "HOME" if raw.begins() && !self.is_set("HOME") => return raw.quoted("~"),
            // Paths that begin so are known as such.
            "WORKSPACE" if raw.begins() && !self.is_set("WORKSPACE") => {
                return raw.quoted("$WORKSPACE");
            }
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
    fn remember(&mut self, name: &str, value: &str) {
        if self.variables.len() < MOST_VARIABLES && value.len() <= LONGEST_VALUE {
            self.variables.push((name.to_owned(), value.to_owned()));
        }
    }

    fn is_set(&self, name: &str) -> bool {
        self.variables.iter().any(|(known, _)| known == name)
    }

    /// `${…}`: the value where it is plain; what a default would put in its place; else unknown.
    fn braced(&mut self, raw: &mut Raw, is_quoted: bool) {
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

    fn up_to_brace(&mut self, raw: &mut Raw) {
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
    fn substitution(&mut self, raw: &mut Raw) {
        self.script.doubt(SUBSTITUTES);
        raw.unknown();
        self.list(true);
    }

    fn backquoted(&mut self, raw: &mut Raw) {
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

    fn ansi_quoted(&mut self, raw: &mut Raw) {
        let rest = &self.whole[self.at..];
        let (text, length) = super::word::ansi(rest);
        raw.quoted(&text);
        match length {
            Some(length) => self.at += length,
            None => self.give_up(BROKEN),
        }
    }
}

impl Level {
    fn new(closer: Option<Closer>, start: usize) -> Self {
        Self {
            closer,
            stages: vec![start],
            awaits_pattern: false,
            stands: false,
            needs: false,
        }
    }

    /// Begins the next command; says whether one stands before it.
    fn next(&mut self, needs: bool) -> bool {
        self.needs = needs;
        std::mem::replace(&mut self.stands, false)
    }

    fn lacks(&self) -> bool {
        self.needs && !self.stands
    }
}

/// A function's name is nothing without its body.
fn await_body(levels: &mut [Level]) {
    if let Some(level) = levels.last_mut() {
        level.next(true);
    }
}

/// Keywords that open a compound command, or stand in front of one.
const OPENING: [&str; 11] = [
    "{", "if", "while", "until", "for", "case", "select", "[[", "!", "time", "coproc",
];

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
