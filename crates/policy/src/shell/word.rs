//! A word while it is read: what of it was quoted decides what the shell does with it afterwards.

use super::script::{UNKNOWN, Word};

// Unquoted characters that mean something once the word is whole. No input contains these.
const OPEN: char = '\u{2}';
const COMMA: char = '\u{3}';
const CLOSE: char = '\u{4}';
const SPLIT: char = '\u{5}';

/// The most words that one word may become, and the longest one whose braces are expanded.
const MOST: usize = 64;
const LONGEST_BRACED: usize = 256;
/// The longest text that values of variables may add up to.
const LONGEST: usize = 4096;
/// How many braces of one word are expanded.
const DEEPEST: usize = 8;

#[derive(Debug, Default)]
pub(super) struct Raw {
    text: String,
    is_quoted: bool,
    has_wildcard: bool,
    has_marks: bool,
    start: usize,
}

impl Raw {
    pub(super) fn starting_at(start: usize) -> Self {
        Self {
            start,
            ..Self::default()
        }
    }

    pub(super) fn start(&self) -> usize {
        self.start
    }

    pub(super) fn is_empty(&self) -> bool {
        self.text.is_empty()
    }

    /// Whether a path may begin here: the word does, or one of the words in a text.
    pub(super) fn begins(&self) -> bool {
        self.text.is_empty() || self.text.ends_with(' ')
    }

    pub(super) fn text(&self) -> String {
        self.text.clone()
    }

    pub(super) fn quoted(&mut self, text: &str) {
        self.is_quoted = true;
        self.text.push_str(text);
    }

    pub(super) fn quoted_byte(&mut self, byte: u8) {
        self.quoted(char::from(byte).encode_utf8(&mut [0; 4]));
    }

    pub(super) fn unquoted(&mut self, text: &str) {
        if !text.contains(['{', '}', ',', '*', '?', '[']) {
            self.text.push_str(text);
            return;
        }
        for letter in text.chars() {
            let mark = match letter {
                '{' => OPEN,
                ',' => COMMA,
                '}' => CLOSE,
                _ => {
                    self.has_wildcard |= matches!(letter, '*' | '?' | '[');
                    self.text.push(letter);
                    continue;
                }
            };
            self.has_marks = true;
            self.text.push(mark);
        }
    }

    pub(super) fn unknown(&mut self) {
        self.is_quoted = true;
        self.text.push(UNKNOWN);
    }

    /// The shell makes two words of it here.
    pub(super) fn split(&mut self) {
        self.has_marks = true;
        self.is_quoted = true;
        self.text.push(SPLIT);
    }

    /// A value of which the shell makes several words.
    pub(super) fn fields(&mut self, value: &str) {
        if self.text.len() + value.len() > LONGEST {
            return self.unknown();
        }
        self.is_quoted = true;
        self.has_wildcard |= value.contains(['*', '?', '[']);
        for letter in value.chars() {
            if matches!(letter, ' ' | '\t' | '\n' | SPLIT) {
                self.split();
            } else {
                self.text.push(letter);
            }
        }
    }

    pub(super) fn ends_with_pattern_prefix(&self) -> bool {
        self.text.ends_with(['@', '!', '+', '?', '*'])
    }

    /// Whether its braces are too many to be expanded.
    pub(super) fn is_beyond_expansion(&self) -> bool {
        self.has_marks
            && (self.text.len() > LONGEST_BRACED || self.text.matches(OPEN).count() > DEEPEST)
            && self.text.contains(COMMA)
    }

    /// The words that it becomes.
    pub(super) fn finish(self, end: usize) -> Vec<Word> {
        let word = |text: String| Word {
            text,
            is_quoted: self.is_quoted,
            has_wildcard: self.has_wildcard,
            inner: self.start..end,
        };
        if !self.has_marks {
            return vec![word(self.text.clone())];
        }
        if self.is_beyond_expansion() {
            return self
                .text
                .split(SPLIT)
                .filter(|field| !field.is_empty())
                .map(|field| word(unmarked(field)))
                .collect();
        }
        let mut texts = Vec::new();
        for field in self.text.split(SPLIT) {
            if !field.is_empty() {
                expand(field, &mut texts, 0);
            }
        }
        texts
            .into_iter()
            .map(|text| word(unmarked(&text)))
            .collect()
    }
}

fn unmarked(text: &str) -> String {
    text.chars()
        .map(|letter| match letter {
            OPEN => '{',
            COMMA => ',',
            CLOSE => '}',
            letter => letter,
        })
        .collect()
}

/// Expands braces from the left: `a{b,c}d` and `{1..3}`. What is no expansion stays as it is.
fn expand(text: &str, out: &mut Vec<String>, depth: usize) {
    if out.len() >= MOST {
        return;
    }
    let group = text
        .char_indices()
        .filter(|(_, letter)| *letter == OPEN)
        .find_map(|(open, _)| {
            let (close, commas) = group(text, open)?;
            let inner = &text[open + 1..close];
            let choices = if commas.is_empty() {
                sequence(inner)?
            } else {
                let mut starts = vec![open + 1];
                starts.extend(commas.iter().map(|comma| comma + 1));
                let ends = commas.iter().copied().chain([close]);
                starts
                    .into_iter()
                    .zip(ends)
                    .map(|(start, end)| text[start..end].to_owned())
                    .collect()
            };
            Some((open, close, choices))
        });
    match group {
        Some((open, close, choices)) if depth < DEEPEST => {
            for choice in choices {
                let whole = format!("{}{choice}{}", unmarked(&text[..open]), &text[close + 1..]);
                expand(&whole, out, depth + 1);
            }
        }
        _ => out.push(text.to_owned()),
    }
}

/// Where the group that opens here closes, and its own commas.
fn group(text: &str, open: usize) -> Option<(usize, Vec<usize>)> {
    let mut depth = 0_usize;
    let mut commas = Vec::new();
    for (at, letter) in text[open..].char_indices() {
        match letter {
            OPEN => depth += 1,
            COMMA if depth == 1 => commas.push(open + at),
            CLOSE => {
                depth -= 1;
                if depth == 0 {
                    return Some((open + at, commas));
                }
            }
            _ => {}
        }
    }
    None
}

fn sequence(inner: &str) -> Option<Vec<String>> {
    let (first, last) = inner.split_once("..")?;
    let last = last.split_once("..").map_or(last, |(last, _)| last);
    let mut letters = [first, last].map(str::chars);
    if let [Some(from), Some(to)] = letters.each_mut().map(Iterator::next)
        && letters.iter().all(|rest| rest.as_str().is_empty())
        && from.is_ascii_alphabetic()
        && to.is_ascii_alphabetic()
    {
        let (low, high) = (from.min(to), from.max(to));
        return Some((low..=high).map(String::from).collect());
    }
    let (from, to): (i64, i64) = (first.parse().ok()?, last.parse().ok()?);
    let (low, high) = (from.min(to), from.max(to));
    Some(
        (low..=high)
            .take(MOST)
            .map(|number| number.to_string())
            .collect(),
    )
}

/// Reads the inside of `$'…'`: the text, and how long it is with its closing quote.
pub(super) fn ansi(rest: &str) -> (String, Option<usize>) {
    let bytes = rest.as_bytes();
    let mut out = Vec::new();
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        at += 1;
        match byte {
            b'\'' => return (cleaned(&out), Some(at)),
            b'\\' => at += escape(&rest[at..], &mut out),
            byte => out.push(*byte),
        }
    }
    (cleaned(&out), None)
}

fn cleaned(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    text.chars()
        .filter(|letter| *letter >= ' ' || matches!(letter, '\t' | '\n'))
        .collect()
}

/// Reads what follows a backslash, and says how many bytes that is.
fn escape(rest: &str, out: &mut Vec<u8>) -> usize {
    let bytes = rest.as_bytes();
    let Some(first) = bytes.first() else { return 0 };
    let digits = |from: usize, most: usize, radix: u32| {
        let digits = bytes[from..]
            .iter()
            .take(most)
            .take_while(|byte| char::from(**byte).is_digit(radix))
            .count();
        (
            digits,
            u32::from_str_radix(&rest[from..from + digits], radix).ok(),
        )
    };
    let (length, code) = match first {
        b'x' => digits(1, 2, 16),
        b'u' => digits(1, 4, 16),
        b'U' => digits(1, 8, 16),
        b'0'..=b'7' => {
            let (length, code) = digits(0, 3, 8);
            out.push((code.unwrap_or_default() & 0xff) as u8);
            return length;
        }
        b'c' => return 1 + rest[1..].chars().next().map_or(0, char::len_utf8),
        b'n' => (0, Some(u32::from(b'\n'))),
        b't' => (0, Some(u32::from(b'\t'))),
        b'r' | b'a' | b'b' | b'e' | b'E' | b'f' | b'v' => (0, None),
        b'\\' | b'\'' | b'"' | b'?' => (0, Some(u32::from(*first))),
        _ => {
            out.push(b'\\');
            return 0;
        }
    };
    match (first, code) {
        (b'x', Some(code)) => out.push((code & 0xff) as u8),
        (_, Some(code)) => {
            let letter = char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER);
            out.extend_from_slice(letter.encode_utf8(&mut [0; 4]).as_bytes());
        }
        (_, None) => {}
    }
    length + 1
}
