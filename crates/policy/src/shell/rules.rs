//! The rules about commands, ready to be asked (OpenClaw contract §8.4, shell).

use std::collections::{HashMap, HashSet};

use super::mode;
use super::script::Word;
use crate::Fault;
use crate::document::{Allowed, Shell};
use crate::path::PathPattern;
use crate::pattern::{fits, has_wildcard, may_meet};

#[derive(Debug)]
pub(crate) struct ShellRules {
    blocked: Vec<Form>,
    /// The entries of each blocked program.
    blocked_by_program: HashMap<String, Vec<usize>>,
    pipes: Vec<Pipe>,
    dumps: Vec<Form>,
    listed: HashMap<String, Vec<Listed>>,
    pub(crate) blocked_paths: Vec<PathPattern>,
    pub(crate) fetchers: HashSet<String>,
    downloaders: HashSet<String>,
    shells: HashSet<String>,
    variables: Vec<String>,
    devices: HashSet<String>,
}

/// A program with words that it must have to be meant.
#[derive(Debug)]
pub(crate) struct Form {
    pub(crate) written: String,
    program: String,
    pub(crate) parts: Vec<String>,
}

/// A downloader into a shell.
#[derive(Debug)]
struct Pipe {
    written: String,
    downloader: String,
}

/// An entry of an allowlist.
#[derive(Debug)]
pub(crate) struct Listed {
    pub(crate) is_green: bool,
    pub(crate) names: bool,
    pub(crate) texts: usize,
    /// The words behind the program.
    pub(crate) words: Vec<String>,
    without: Vec<String>,
    operands: Option<usize>,
}

impl ShellRules {
    pub(crate) fn new(shell: &Shell, faults: &mut Vec<Fault>) -> Self {
        let mut blocked = Vec::new();
        let mut pipes = Vec::new();
        for (index, entry) in shell.blocked.iter().enumerate() {
            let path = format!("shell.blocked[{index}]");
            match entry.split_once('|') {
                Some((from, to)) => {
                    let (from, to) = (from.trim(), to.trim());
                    if !shell.downloaders.iter().any(|known| known == from) {
                        let message =
                            format!("pipes from {from:?}, which is not in shell.downloaders");
                        faults.push(Fault::new(None, &*path, message));
                    }
                    if !shell.shells.iter().any(|known| known == to) {
                        let message = format!("pipes into {to:?}, which is not in shell.shells");
                        faults.push(Fault::new(None, &*path, message));
                    }
                    pipes.push(Pipe {
                        written: entry.clone(),
                        downloader: from.to_owned(),
                    });
                }
                None => blocked.extend(form(entry, &path, faults)),
            }
        }
        let mut blocked_by_program: HashMap<String, Vec<usize>> = HashMap::new();
        for (index, form) in blocked.iter().enumerate() {
            blocked_by_program
                .entry(form.program.clone())
                .or_default()
                .push(index);
        }
        let dumps = shell.dumps.iter().enumerate();
        let dumps = dumps
            .filter_map(|(index, entry)| form(entry, &format!("shell.dumps[{index}]"), faults));
        let dumps = dumps.collect();
        let mut listed: HashMap<String, Vec<Listed>> = HashMap::new();
        for (list, entries, is_green) in [
            ("green", &shell.green, true),
            ("yellow", &shell.yellow, false),
        ] {
            for (index, entry) in entries.iter().enumerate() {
                let path = format!("shell.{list}[{index}]");
                if let Some((program, entry)) = Listed::new(entry, is_green, &path, faults) {
                    listed.entry(program).or_default().push(entry);
                }
            }
        }
        let mut blocked_paths = Vec::new();
        for (index, path) in shell.blocked_paths.iter().enumerate() {
            match PathPattern::directory(path) {
                Ok(pattern) => blocked_paths.push(pattern),
                Err(message) => faults.push(Fault::new(
                    None,
                    format!("shell.blockedPaths[{index}]"),
                    message,
                )),
            }
        }
        let set = |entries: &[String]| entries.iter().cloned().collect();
        Self {
            blocked,
            blocked_by_program,
            pipes,
            dumps,
            listed,
            blocked_paths,
            fetchers: set(&shell.fetchers),
            downloaders: set(&shell.downloaders),
            shells: set(&shell.shells),
            variables: shell.variables.clone(),
            devices: set(&shell.devices),
        }
    }

    pub(crate) fn is_shell(&self, program: &str) -> bool {
        self.shells.contains(program)
    }

    pub(crate) fn is_downloader(&self, program: &str) -> bool {
        self.downloaders.contains(program)
    }

    pub(crate) fn is_device(&self, path: &str) -> bool {
        self.devices.contains(path) || path.starts_with("/dev/fd/")
    }

    pub(crate) fn may_set(&self, variable: &str) -> bool {
        self.variables.iter().any(|pattern| fits(pattern, variable))
    }

    /// The entry for a downloader whose output a shell runs.
    pub(crate) fn pipe(&self, downloader: &str) -> Option<&str> {
        let exact = self.pipes.iter().find(|pipe| pipe.downloader == downloader);
        exact
            .or(self.pipes.first())
            .map(|pipe| pipe.written.as_str())
    }

    /// The entries that forbid a command. A program that is only known by a pattern is every blocked one
    /// that it could be.
    pub(crate) fn blocked<'a>(&'a self, program: &'a str, words: &'a [Word]) -> Vec<&'a str> {
        let mut found = Vec::new();
        let mut check = |indexes: &[usize]| {
            for index in indexes {
                let form = &self.blocked[*index];
                if form.matches(words) {
                    found.push(form.written.as_str());
                }
            }
        };
        if words.first().is_some_and(|word| word.has_wildcard) && has_wildcard(program) {
            for (known, indexes) in &self.blocked_by_program {
                if may_meet(known, program) {
                    check(indexes);
                }
            }
            found.sort_unstable();
            return found;
        }
        // `mkfs` also stands for mkfs.ext4, and `rm` for rm.exe.
        let stem = program.split_once('.').map_or(program, |(stem, _)| stem);
        if let Some(indexes) = self.blocked_by_program.get(program) {
            check(indexes);
        } else if let Some(indexes) = self.blocked_by_program.get(stem) {
            check(indexes);
        }
        found
    }

    /// The entry of the dumps that has a command.
    pub(crate) fn dump(&self, program: &str, words: &[Word]) -> Option<&Form> {
        self.dumps
            .iter()
            .find(|form| form.program == program && form.matches(words))
    }

    /// The entry of an allowlist that has a command; the mildest, where there are several.
    pub(crate) fn listed(&self, program: &str, words: &[Word]) -> Option<&Listed> {
        let entries = self
            .listed
            .get(program)?
            .iter()
            .filter(|entry| entry.matches(words));
        entries.max_by_key(|entry| entry.is_green)
    }
}

fn form(entry: &str, path: &str, faults: &mut Vec<Fault>) -> Option<Form> {
    let mut words = plain_words(entry, path, faults)?.into_iter();
    Some(Form {
        written: entry.to_owned(),
        program: words.next()?,
        parts: words.collect(),
    })
}

fn plain_words(entry: &str, path: &str, faults: &mut Vec<Fault>) -> Option<Vec<String>> {
    let words: Vec<String> = entry.split_whitespace().map(str::to_owned).collect();
    let wrong = if words.is_empty() {
        "is empty; it must begin with a program"
    } else if entry.contains(['\'', '"', '\\', '`', '$', ';', '&', '|', '<', '>', '(', ')']) {
        "has characters that a shell would read; write the plain words of one command"
    } else if words[0].contains(['*', '?', '[', '/']) || words[0].starts_with('-') {
        "must begin with the plain name of a program"
    } else {
        return Some(words);
    };
    faults.push(Fault::new(None, path, format!("{wrong} (it is {entry:?})")));
    None
}

impl Form {
    /// Whether a command of this program has all of the words that are asked for.
    fn matches(&self, words: &[Word]) -> bool {
        let arguments = words.get(1..).unwrap_or_default();
        self.parts
            .iter()
            .all(|part| has_part(&self.program, part, arguments))
    }
}

fn has_part(program: &str, part: &str, arguments: &[Word]) -> bool {
    let texts = || arguments.iter().map(|word| word.text.as_str());
    if let Some(letters) = part.strip_prefix('-') {
        let options = || texts().take_while(|text| *text != "--");
        return options().any(|option| option == part)
            || letters
                .chars()
                .all(|letter| options().any(|option| has_flag(option, letter)));
    }
    let asked = if program == "chmod" {
        mode::rights(part)
    } else {
        None
    };
    arguments.iter().any(|word| {
        let text = word.text.as_str();
        let gives = || {
            asked
                .is_some_and(|asked| mode::rights(text).is_some_and(|given| given & asked == asked))
        };
        text == part || gives() || (word.has_wildcard && may_meet(part, text))
    })
}

/// Whether an option is or contains a flag, by its letter or by its long name or the beginning of that.
fn has_flag(option: &str, letter: char) -> bool {
    if let Some(long) = option.strip_prefix("--") {
        let name = match letter {
            'r' | 'R' => "recursive",
            'f' => "force",
            _ => return false,
        };
        return !long.is_empty() && name.starts_with(long);
    }
    let Some(letters) = option.strip_prefix('-') else {
        return false;
    };
    // What the shell makes of a wildcard could be any letter.
    letters.contains(letter) || (letter == 'r' && letters.contains('R')) || has_wildcard(letters)
}

impl Listed {
    fn new(
        entry: &Allowed,
        is_green: bool,
        path: &str,
        faults: &mut Vec<Fault>,
    ) -> Option<(String, Self)> {
        let mut words = plain_words(&entry.command, path, faults)?.into_iter();
        let program = words.next()?;
        for (index, option) in entry.without.iter().enumerate() {
            if option.trim().is_empty() || option.chars().all(|letter| letter == '*') {
                let path = format!("{path}.without[{index}]");
                let message = format!("is {option:?}; it must be an option or a pattern of words");
                faults.push(Fault::new(None, path, message));
            }
        }
        Some((
            program,
            Self {
                is_green,
                names: entry.names,
                texts: entry.texts as usize,
                words: words.collect(),
                without: entry.without.clone(),
                operands: entry.operands.map(|most| most as usize),
            },
        ))
    }

    fn matches(&self, words: &[Word]) -> bool {
        let arguments = words.get(1..).unwrap_or_default();
        let begins = arguments.len() >= self.words.len()
            && self
                .words
                .iter()
                .zip(arguments)
                .all(|(pattern, word)| begins_with(pattern, word));
        if !begins {
            return false;
        }
        let rest = &arguments[self.words.len()..];
        let operands = rest
            .iter()
            .filter(|word| !word.text.starts_with('-'))
            .count();
        self.operands.is_none_or(|most| operands <= most)
            && !rest.iter().any(|word| {
                self.without
                    .iter()
                    .any(|option| is_option(option, &word.text))
            })
    }
}

/// Whether a word is what an entry asks for. A pattern is one of paths, for which `..` is undone first.
fn begins_with(pattern: &str, word: &Word) -> bool {
    if !pattern.contains('*') {
        return word.text == pattern;
    }
    let mut segments: Vec<&str> = Vec::new();
    for segment in word.text.split('/') {
        match segment {
            "" if segments.is_empty() && word.text.starts_with('/') => segments.push(""),
            "" | "." => {}
            ".." if segments.last().is_none_or(|last| *last == "..") => segments.push(".."),
            ".." => {
                segments.pop();
            }
            segment => segments.push(segment),
        }
    }
    let patterns: Vec<&str> = pattern.split('/').collect();
    patterns.len() == segments.len()
        && patterns
            .iter()
            .zip(&segments)
            .all(|(pattern, segment)| fits(pattern, segment))
        && !word.has_wildcard
}

/// Whether a word is an option, however it is written: alone, with its value, in a cluster, cut short.
fn is_option(option: &str, text: &str) -> bool {
    if option.contains('*') {
        return fits(option, text);
    }
    if let Some(name) = option.strip_prefix("--") {
        let Some(long) = text.strip_prefix("--") else {
            return false;
        };
        let long = long.split_once('=').map_or(long, |(long, _)| long);
        return !long.is_empty() && name.starts_with(long);
    }
    match option.strip_prefix('-') {
        Some(letter) if letter.len() == 1 => text
            .strip_prefix('-')
            .is_some_and(|letters| !letters.starts_with('-') && letters.contains(letter)),
        _ => text == option,
    }
}
