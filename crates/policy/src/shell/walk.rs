//! Goes through a command and all that it would run, and asks the rules about each part.

use super::read::{self, LONGEST, SUBSTITUTES, TOO_LONG, Variables};
use super::rules::ShellRules;
use super::script::{Command, Direction, Redirect, Script, Word};
use super::unwrap::{Inner, Unwrapped, unwrap};
use super::{fetch, paths};
use crate::finding::{Findings, Violation};
use crate::path::Place;
use crate::pattern::has_wildcard;
use crate::rules::Rules;
use crate::words;

/// How deep commands in commands may nest.
const DEEPEST: usize = 24;
/// How much text is read altogether, the same text in another light included.
const MOST_TEXT: usize = 4 * LONGEST;
/// How many commands and scripts are looked at altogether.
const MOST_COMMANDS: usize = 4096;
/// How many words are tried as the beginning of a command.
const MOST_STARTS: usize = 64;

/// What a command is judged by.
pub(crate) struct Surroundings<'a> {
    pub(crate) rules: &'a Rules,
    pub(crate) place: &'a Place,
}

/// How closely a script is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Look {
    /// It surely runs: every part must be allowed.
    Closely,
    /// It may run, and a person is asked anyway: only what is blocked matters.
    ForBlocked,
    /// The same, of words whose every end is looked at in turn.
    AtEnd,
}

/// What a command contains that matters to those that it is piped into.
#[derive(Debug, Clone, Default)]
struct Traits {
    downloader: Option<String>,
    is_shell: bool,
    /// Texts that it prints or is given, which a shell behind it would run.
    prints: Vec<String>,
    /// It prints the names of files that it was shown, and nothing else.
    lists_names: bool,
    /// It passes on lines that it gets.
    filters: bool,
    /// It makes arguments of what it gets.
    takes_arguments: bool,
}

/// Judges a command.
pub(crate) fn judge(command: &str, surroundings: &Surroundings<'_>, found: &mut Findings) {
    let mut walk = Walk {
        shell: &surroundings.rules.shell,
        surroundings,
        found,
        text_left: MOST_TEXT,
        commands_left: MOST_COMMANDS,
        downloads: Vec::new(),
        runs: Vec::new(),
    };
    walk.script(command, Vec::new(), Look::Closely, 0);
    walk.match_downloads();
}

struct Walk<'a, 'f> {
    shell: &'a ShellRules,
    surroundings: &'a Surroundings<'a>,
    found: &'f mut Findings,
    text_left: usize,
    commands_left: usize,
    /// Files that a downloader writes, with its name.
    downloads: Vec<(String, String)>,
    /// Files that are run.
    runs: Vec<String>,
}

impl Walk<'_, '_> {
    fn script(&mut self, text: &str, variables: Variables, look: Look, depth: usize) -> Traits {
        if depth > DEEPEST {
            self.doubt("nests too deep to be judged");
            return Traits::default();
        }
        let (text_left, commands_left) = (
            self.text_left.checked_sub(text.len()),
            self.commands_left.checked_sub(1),
        );
        let (Some(text_left), Some(commands_left)) = (text_left, commands_left) else {
            self.doubt(TOO_LONG);
            return Traits::default();
        };
        self.text_left = text_left;
        self.commands_left = commands_left;
        let script = read::read(text, variables);
        if look == Look::Closely {
            for doubt in &script.doubts {
                self.doubt(doubt);
            }
        } else if script.doubts.contains(&TOO_LONG) {
            self.doubt(TOO_LONG);
        }
        let traits: Vec<Traits> = script
            .commands
            .iter()
            .map(|command| self.command(command, &script, look, depth))
            .collect();
        self.pipelines(&script, &traits, look, depth);
        self.substitutions(&script, &traits);
        for word in &script.loose {
            paths::check_word(&word.text, self.surroundings, self.found);
        }
        for text in script.doubtful.iter().filter(|text| !text.is_empty()) {
            self.script(text, Vec::new(), Look::ForBlocked, depth + 1);
        }
        union(&traits)
    }

    fn doubt(&mut self, why: &str) {
        self.found.raise(Violation::new(
            "shell_unparseable",
            "",
            format!("Command {why}"),
        ));
    }

    /// One simple command with its assignments and redirections.
    fn command(&mut self, command: &Command, script: &Script, look: Look, depth: usize) -> Traits {
        if look == Look::Closely {
            self.assignments(command, depth);
            self.redirects(command);
            for word in &command.words {
                paths::check_address(&word.text, self.surroundings, self.found);
            }
            words::check_command(
                &command.words,
                &self.surroundings.rules.production,
                self.found,
            );
        }
        if look == Look::ForBlocked {
            paths_of(&command.words, self.surroundings, self.found);
        }
        let mut traits = self.words(&command.words, look, depth);
        for redirect in &command.redirects {
            let text = match redirect {
                Redirect::File(Direction::Write, word) => {
                    if let Some(downloader) = &traits.downloader {
                        self.downloads.push((word.text.clone(), downloader.clone()));
                    }
                    continue;
                }
                Redirect::File(Direction::Read, word) => {
                    if traits.is_shell {
                        self.runs.push(word.text.clone());
                    }
                    continue;
                }
                Redirect::Descriptor => continue,
                Redirect::HereDocument(body) => {
                    script.bodies.get(*body).cloned().unwrap_or_default()
                }
                Redirect::HereString(word) => word.text.clone(),
            };
            if traits.is_shell {
                self.script(&text, Vec::new(), look, depth + 1);
            }
            traits.prints.push(text);
        }
        let has_input = command.redirects.iter().any(|redirect| {
            matches!(
                redirect,
                Redirect::HereDocument(_) | Redirect::HereString(_)
            )
        });
        if traits.is_shell && traits.takes_arguments && !has_input && look == Look::Closely {
            // A shell with nothing to run but what it is fed.
            self.doubt("feeds a shell with what is not known before it runs");
        }
        traits
    }

    /// A command's words, and those that it would run.
    fn words(&mut self, words: &[Word], look: Look, depth: usize) -> Traits {
        let Some(first) = words.first() else {
            return Traits::default();
        };
        let Some(left) = self.commands_left.checked_sub(1) else {
            self.doubt(TOO_LONG);
            return Traits::default();
        };
        self.commands_left = left;
        if depth > DEEPEST {
            self.doubt("nests too deep to be judged");
            return Traits::default();
        }
        let program = program(&first.text);
        for entry in self.shell.blocked(program, words) {
            let reason = format!("Command matches blocked pattern: {entry}");
            self.found
                .deny(Violation::new("shell_blocklist", entry, reason));
        }
        let is_shell = self.shell.is_shell(program);
        let Unwrapped {
            mut instead,
            mut besides,
            adds_arguments,
        } = unwrap(program, words, is_shell);
        if !is_systems_own(&first.text) {
            besides.extend(instead.take());
        }
        if look == Look::Closely {
            self.own_paths(program, words, instead.as_ref());
            if words.iter().any(Word::is_unknown) {
                // What is unknown may well be nothing: `r${x}m` is `rm` where x is not set.
                let known = words.iter().map(Word::without_unknown);
                let known: Vec<Word> = known.filter(|word| !word.text.is_empty()).collect();
                self.words(&known, Look::ForBlocked, depth + 1);
            }
        }
        let only_prints = matches!(instead, Some(Inner::Words(inner)) if self.only_prints(inner));
        let mut traits = Traits {
            is_shell,
            takes_arguments: adds_arguments && !only_prints,
            downloader: self
                .shell
                .is_downloader(program)
                .then(|| program.to_owned()),
            ..Traits::default()
        };
        for inner in besides {
            if look == Look::AtEnd && matches!(inner, Inner::Anywhere(_)) {
                continue;
            }
            let inner = self.inner(inner, Look::ForBlocked, depth);
            traits.downloader = traits.downloader.or(inner.downloader);
            traits.is_shell |= inner.is_shell;
        }
        match instead {
            Some(inner) => {
                if matches!(inner, Inner::Input) {
                    traits.takes_arguments = true;
                }
                let inner = self.inner(inner, look, depth);
                traits.downloader = traits.downloader.or(inner.downloader);
                traits.is_shell |= inner.is_shell;
                traits.takes_arguments |= inner.takes_arguments;
                traits.prints = inner.prints;
            }
            None => {
                if look == Look::Closely {
                    self.listing(program, words);
                }
                self.innermost(program, words, &mut traits);
            }
        }
        traits
    }

    /// Whether a command is allowed whatever its arguments are, for it only prints them.
    fn only_prints(&self, words: &[Word]) -> bool {
        let Some(first) = words.first() else {
            return false;
        };
        let listed = self.shell.listed(program(&first.text), words);
        is_systems_own(&first.text)
            && listed.is_some_and(|listed| listed.is_green && listed.texts >= MOST_STARTS)
    }

    /// Looks at the paths of a command without those of one that is judged in its place. That a system's
    /// program is called by its path is no argument of it.
    fn own_paths(&mut self, program: &str, words: &[Word], instead: Option<&Inner<'_>>) {
        let inner = match instead {
            Some(Inner::Words(inner)) => inner.len(),
            _ => 0,
        };
        let own = &words[..words.len() - inner];
        let skipped = usize::from(own.first().is_some_and(|word| is_systems_own(&word.text)));
        let listed = self.shell.listed(program, words);
        let is_text = listed.map_or_else(Vec::new, |listed| paths::texts(words, listed));
        for (index, word) in own.iter().enumerate().skip(skipped) {
            if is_text.get(index) == Some(&true) {
                paths::check_text(&word.text, self.surroundings, self.found);
            } else {
                paths::check_word(&word.text, self.surroundings, self.found);
            }
        }
    }

    fn inner(&mut self, inner: Inner, look: Look, depth: usize) -> Traits {
        match inner {
            Inner::Words(words) => self.words(words, look, depth + 1),
            Inner::Owned(words) => {
                paths_of(&words, self.surroundings, self.found);
                self.words(&words, look, depth + 1)
            }
            Inner::Script(text, variables) => self.script(&text, variables, look, depth + 1),
            Inner::Anywhere(words) => self.anywhere(words, depth),
            Inner::Input => Traits::default(),
        }
    }

    /// Takes every word for a program with those behind it, and words with blanks for scripts.
    fn anywhere(&mut self, words: &[Word], depth: usize) -> Traits {
        let words = words.get(..MOST_STARTS).unwrap_or(words);
        let mut traits = Vec::new();
        for (at, word) in words.iter().enumerate() {
            traits.push(self.words(&words[at..], Look::AtEnd, depth + 1));
            let text = word.text.strip_prefix("-c").unwrap_or(&word.text);
            if text.contains([' ', '\t', '\n', ';', '|', '&']) {
                traits.push(self.script(text, Vec::new(), Look::ForBlocked, depth + 1));
                if let Some((_, value)) = text.split_once('=') {
                    traits.push(self.script(value, Vec::new(), Look::ForBlocked, depth + 1));
                }
            }
        }
        union(&traits)
    }

    /// What matters of a command that runs no other.
    fn innermost(&mut self, program: &str, words: &[Word], traits: &mut Traits) {
        let arguments = &words[1..];
        let operands = arguments
            .iter()
            .filter(|word| !word.text.starts_with('-'))
            .count();
        let has = |text: &str| arguments.iter().any(|word| word.text == text);
        traits.lists_names = match program {
            "find" | "ls" => true,
            "grep" => has("-l") || has("-rl") || has("--files-with-matches"),
            "git" => has("diff") && has("--name-only"),
            _ => false,
        };
        traits.filters = match program {
            "sort" | "uniq" | "head" | "tail" => operands == 0,
            "grep" => operands <= 1,
            _ => false,
        };
        if matches!(program, "echo" | "printf") {
            let texts: Vec<&str> = arguments
                .iter()
                .map(|word| word.text.as_str())
                .skip_while(|text| matches!(*text, "-n" | "-e" | "-ne" | "-en" | "--"))
                .collect();
            traits.prints.push(texts.join(" "));
            if texts.len() > 1 {
                // `printf '%s' …` prints its arguments without its format.
                traits.prints.push(texts[1..].join(" "));
            }
        }
        if let Some(downloader) = &traits.downloader {
            let files = fetch::outputs(arguments).into_iter();
            self.downloads
                .extend(files.map(|file| (file, downloader.clone())));
        }
        if traits.is_shell || matches!(program, "." | "source") {
            let files = arguments.iter().filter(|word| !word.text.starts_with('-'));
            self.runs.extend(files.map(|word| word.text.clone()));
        }
        if words[0].text.contains('/') {
            self.runs.push(words[0].text.clone());
        }
        if program == "chmod" {
            self.runs
                .extend(arguments.iter().map(|word| word.text.clone()));
        }
    }

    /// Asks the allowlists.
    fn listing(&mut self, program: &str, words: &[Word]) {
        let first = &words[0];
        if first.is_unknown() || (first.has_wildcard && has_wildcard(program)) || program.is_empty()
        {
            return self.doubt(SUBSTITUTES);
        }
        if let Some(dump) = self.shell.dump(program, words) {
            self.found.yellow(false);
            // What the entry itself names is as risky as it says, other places are as anywhere else.
            let named = |word: &&Word| !dump.parts.contains(&word.text);
            let others: Vec<Word> = words[1..].iter().filter(named).cloned().collect();
            let is_text = vec![false; others.len()];
            paths::check_operands(&others, &is_text, true, self.surroundings, self.found);
            return;
        }
        if self.shell.fetchers.contains(program) && is_systems_own(&first.text) {
            fetch::check(program, &words[1..], self.surroundings, self.found);
            return;
        }
        let is_own = is_systems_own(&first.text);
        let Some(listed) = self.shell.listed(program, words).filter(|_| is_own) else {
            let program = if is_own { program } else { &first.text };
            let reason = format!("Command runs {program}, which is not on the allowlist");
            self.found
                .raise(Violation::new("shell_not_allowlisted", program, reason));
            return;
        };
        if !listed.is_green {
            self.found.yellow(true);
        }
        let arguments = &words[1 + listed.words.len()..];
        let is_text = paths::texts(words, listed);
        paths::check_operands(
            arguments,
            &is_text[1 + listed.words.len()..],
            listed.names,
            self.surroundings,
            self.found,
        );
    }

    /// Variables change what programs do, so only harmless ones may be set.
    fn assignments(&mut self, command: &Command, depth: usize) {
        for (name, value) in &command.assignments {
            paths::check_word(&value.text, self.surroundings, self.found);
            let is_shown = !value.is_unknown() && value.text.contains(' ');
            if is_shown {
                self.script(&value.text, Vec::new(), Look::ForBlocked, depth + 1);
            }
            if !self.shell.may_set(name) {
                let reason = format!("Command sets {name}, which is not on the allowlist");
                self.found.raise(Violation::new(
                    "shell_not_allowlisted",
                    &format!("{name}="),
                    reason,
                ));
            }
        }
    }

    fn redirects(&mut self, command: &Command) {
        for redirect in &command.redirects {
            if let Redirect::File(direction, word) = redirect {
                if self.shell.is_device(&word.text) {
                    continue;
                }
                paths::check_redirect(*direction, word, self.surroundings, self.found);
            }
        }
    }

    /// What flows from one command into another.
    fn pipelines(&mut self, script: &Script, traits: &[Traits], look: Look, depth: usize) {
        for stages in &script.pipelines {
            let (Some(start), Some(end)) = (stages.first(), stages.last()) else {
                continue;
            };
            let last_shell = stages.windows(2).skip(1).rev().find(|stage| {
                let stage = traits.get(stage[0]..stage[1]).unwrap_or_default();
                stage.iter().any(|traits| traits.is_shell)
            });
            if let Some(stage) = last_shell {
                let before = traits.get(*start..stage[0]).unwrap_or_default();
                if let Some(downloader) = before.iter().find_map(|traits| traits.downloader.clone())
                {
                    self.deny_pipe(&downloader);
                }
                for text in before.iter().flat_map(|traits| &traits.prints) {
                    let text = text.replace("\\n", "\n");
                    self.script(&text, Vec::new(), Look::ForBlocked, depth + 1);
                }
            }
            for text in traits
                .get(*start..*end)
                .unwrap_or_default()
                .iter()
                .flat_map(|traits| &traits.prints)
            {
                // `echo -rf x | xargs rm`: what is printed becomes arguments.
                self.arguments_from(text, script, stages, depth);
            }
        }
        if look == Look::Closely {
            for (index, _) in traits
                .iter()
                .enumerate()
                .filter(|(_, traits)| traits.takes_arguments && !traits.is_shell)
            {
                if !arguments_are_known(index, script, traits) {
                    self.doubt("makes arguments of what is not known before it runs");
                }
            }
        }
    }

    fn arguments_from(&mut self, text: &str, script: &Script, stages: &[usize], depth: usize) {
        let (Some(start), Some(end)) = (stages.get(1), stages.last()) else {
            return;
        };
        for command in script.commands.get(*start..*end).unwrap_or_default() {
            let runs = command
                .words
                .iter()
                .position(|word| program(&word.text) == "xargs");
            if let Some(at) = runs {
                let mut words = command.words[at..].to_vec();
                words.extend(text.split_whitespace().take(64).map(Word::plain));
                paths_of(&words, self.surroundings, self.found);
                self.words(&words, Look::ForBlocked, depth + 1);
            }
        }
    }

    /// A shell that is handed what a downloader prints.
    fn substitutions(&mut self, script: &Script, traits: &[Traits]) {
        for (command, own) in script.commands.iter().zip(traits) {
            if let Some(downloader) = &own.downloader
                && command
                    .redirects
                    .iter()
                    .any(|redirect| feeds_shell(redirect, traits))
            {
                self.deny_pipe(downloader);
            }
            let runs_words = own.is_shell
                || command.words.first().is_some_and(|word| {
                    matches!(program(&word.text), "eval" | "." | "source") || word.is_unknown()
                });
            if !runs_words {
                continue;
            }
            let strings = command.redirects.iter().map(|redirect| match redirect {
                Redirect::File(_, word) | Redirect::HereString(word) => word.inner.clone(),
                Redirect::HereDocument(_) | Redirect::Descriptor => 0..0,
            });
            let inner = command
                .words
                .iter()
                .map(|word| word.inner.clone())
                .chain(strings);
            let inner: Vec<_> = inner.collect();
            for range in inner {
                let downloader = traits
                    .get(range)
                    .and_then(|traits| traits.iter().find_map(|traits| traits.downloader.clone()));
                if let Some(downloader) = downloader {
                    self.deny_pipe(&downloader);
                }
            }
        }
    }

    fn deny_pipe(&mut self, downloader: &str) {
        if let Some(entry) = self.shell.pipe(downloader) {
            let reason = format!("Command matches blocked pattern: {entry}");
            self.found
                .deny(Violation::new("shell_blocklist", entry, reason));
        }
    }

    /// A file that is downloaded and run is a downloader piped into a shell, with a stop on the way.
    fn match_downloads(&mut self) {
        let place = self.surroundings.place;
        let ran: Vec<String> = self
            .runs
            .iter()
            .map(|file| place.locate(file).to_string())
            .collect();
        let downloads = std::mem::take(&mut self.downloads);
        for (file, downloader) in downloads {
            let file = place.locate(&file).to_string();
            if ran.contains(&file) {
                self.deny_pipe(&downloader);
            }
        }
    }
}

/// Whether a redirection goes into a substitution with a shell in it.
fn feeds_shell(redirect: &Redirect, traits: &[Traits]) -> bool {
    let Redirect::File(Direction::Write, word) = redirect else {
        return false;
    };
    let inner = traits.get(word.inner.clone()).unwrap_or_default();
    inner.iter().any(|traits| traits.is_shell)
}

fn paths_of(words: &[Word], surroundings: &Surroundings<'_>, found: &mut Findings) {
    for word in words {
        paths::check_word(&word.text, surroundings, found);
    }
}

/// The names of files that other commands of the same pipeline were shown are as good as arguments.
fn arguments_are_known(index: usize, script: &Script, traits: &[Traits]) -> bool {
    let stages = script.pipelines.iter().find(|stages| {
        stages
            .windows(2)
            .skip(1)
            .any(|stage| (stage[0]..stage[1]).contains(&index))
    });
    let Some(stages) = stages else { return false };
    let before = traits.get(stages[0]..index).unwrap_or_default();
    let Some((first, rest)) = before.split_first() else {
        return false;
    };
    first.lists_names && rest.iter().all(|traits| traits.filters)
}

fn union(traits: &[Traits]) -> Traits {
    Traits {
        downloader: traits.iter().find_map(|traits| traits.downloader.clone()),
        is_shell: traits.iter().any(|traits| traits.is_shell),
        prints: traits
            .iter()
            .flat_map(|traits| traits.prints.clone())
            .collect(),
        ..Traits::default()
    }
}

/// Directories in which programs are what they are called.
const PROGRAMS: [&str; 8] = [
    "/bin",
    "/usr/bin",
    "/sbin",
    "/usr/sbin",
    "/usr/local/bin",
    "/usr/local/sbin",
    "/opt/homebrew/bin",
    "/snap/bin",
];

/// What a program is called, wherever it lies.
fn program(text: &str) -> &str {
    text.rsplit_once('/').map_or(text, |(_, name)| name)
}

/// Whether a program is surely the one that it is called: no directory is named, or one of the system's.
fn is_systems_own(text: &str) -> bool {
    text.rsplit_once('/')
        .is_none_or(|(directory, _)| PROGRAMS.contains(&directory))
}
