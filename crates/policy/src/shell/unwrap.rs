//! Programs that run other programs: what they would run.
//!
//! A few add nothing of their own, so that what they run is judged in their place. The rest is judged as
//! what it is, and looked through for what is blocked.

use super::read::Variables;
use super::script::{UNKNOWN, Word};

/// What a command would run.
#[derive(Debug, Default)]
pub(crate) struct Unwrapped<'a> {
    /// Judged in the place of the command.
    pub(crate) instead: Option<Inner<'a>>,
    /// Only looked through for what is blocked.
    pub(crate) besides: Vec<Inner<'a>>,
    /// It adds words that nobody knows.
    pub(crate) adds_arguments: bool,
}

#[derive(Debug)]
pub(crate) enum Inner<'a> {
    Words(&'a [Word]),
    /// Words that are nowhere written as such.
    Owned(Vec<Word>),
    /// Any of these may be the program.
    Anywhere(&'a [Word]),
    Script(String, Variables),
    /// What a shell reads from where its input comes from.
    Input,
}

/// A program that runs the rest of its words, and its own options.
struct Wrapper {
    names: &'static [&'static str],
    /// Letters of options with a value, and without.
    with_value: &'static str,
    without_value: &'static str,
    /// The same by their long names.
    long_with_value: &'static [&'static str],
    long_without_value: &'static [&'static str],
    /// Its own operands before the command's.
    operands: usize,
}

const WRAPPERS: [Wrapper; 11] = [
    Wrapper {
        names: &["env", "genv"],
        with_value: "uC",
        without_value: "i0v",
        long_with_value: &["unset", "chdir"],
        long_without_value: &[
            "ignore-environment",
            "null",
            "debug",
            "ignore-signal",
            "default-signal",
            "block-signal",
        ],
        operands: 0,
    },
    plain(&["nohup"], "", ""),
    Wrapper {
        long_with_value: &["adjustment"],
        ..plain(&["nice"], "n", "0123456789")
    },
    Wrapper {
        long_with_value: &["kill-after", "signal"],
        long_without_value: &["preserve-status", "foreground", "verbose"],
        operands: 1,
        ..plain(&["timeout", "gtimeout"], "ks", "vpf")
    },
    Wrapper {
        long_with_value: &["input", "output", "error"],
        ..plain(&["stdbuf", "gstdbuf"], "ioe", "")
    },
    Wrapper {
        long_without_value: &["ctty", "fork", "wait"],
        ..plain(&["setsid"], "", "cfw")
    },
    Wrapper {
        long_without_value: &["portability", "verbose", "quiet"],
        ..plain(&["time", "gtime"], "f", "pvq")
    },
    plain(&["command"], "", "pvV"),
    plain(&["builtin"], "", ""),
    plain(&["exec"], "a", "cl"),
    Wrapper {
        long_with_value: &[
            "delimiter",
            "eof",
            "max-lines",
            "max-args",
            "max-procs",
            "max-chars",
            "replace",
        ],
        long_without_value: &["null", "no-run-if-empty", "interactive", "verbose", "exit"],
        ..plain(&["xargs", "gxargs"], "dEILnPs", "0prtx")
    },
];

const fn plain(
    names: &'static [&'static str],
    with_value: &'static str,
    without_value: &'static str,
) -> Wrapper {
    Wrapper {
        names,
        with_value,
        without_value,
        long_with_value: &[],
        long_without_value: &[],
        operands: 0,
    }
}

/// Programs that run some of their words, somewhere, as somebody, or later.
const RUNNERS: [&str; 74] = [
    "alias",
    "at",
    "aws-vault",
    "batch",
    "bind",
    "bunx",
    "busybox",
    "bwrap",
    "caffeinate",
    "capsh",
    "chpst",
    "chroot",
    "chrt",
    "compgen",
    "complete",
    "daemonize",
    "dbus-run-session",
    "direnv",
    "doas",
    "dotenv",
    "dtach",
    "entr",
    "eval",
    "expect",
    "faketime",
    "fakeroot",
    "firejail",
    "flock",
    "fswatch",
    "gdb",
    "gosu",
    "hyperfine",
    "inotifywait",
    "ionice",
    "lldb",
    "ltrace",
    "mosh",
    "ncat",
    "nodemon",
    "nsenter",
    "numactl",
    "op",
    "parallel",
    "perf",
    "pkexec",
    "prlimit",
    "proot",
    "proxychains",
    "proxychains4",
    "rlwrap",
    "rsh",
    "runuser",
    "screen",
    "script",
    "setarch",
    "setpriv",
    "socat",
    "ssh",
    "sshpass",
    "start-stop-daemon",
    "strace",
    "su",
    "sudo",
    "su-exec",
    "systemd-run",
    "taskset",
    "tini",
    "tmux",
    "torsocks",
    "toybox",
    "trap",
    "unbuffer",
    "unshare",
    "watch",
];
const MORE_RUNNERS: [&str; 6] = [
    "valgrind",
    "xvfb-run",
    "npx",
    "pnpx",
    "with-contenv",
    "zsh-defer",
];

/// Programs that run what stands behind one of these words.
const CONTAINERS: [&str; 9] = [
    "docker",
    "podman",
    "nerdctl",
    "kubectl",
    "oc",
    "lxc",
    "crictl",
    "docker-compose",
    "vagrant",
];
const CONTAINER_VERBS: [&str; 5] = ["exec", "run", "ssh", "debug", "-c"];

/// Languages whose code may stand in an argument.
const INTERPRETERS: [&str; 26] = [
    "python",
    "python2",
    "python3",
    "pypy",
    "pypy3",
    "perl",
    "ruby",
    "node",
    "nodejs",
    "deno",
    "bun",
    "php",
    "lua",
    "luajit",
    "awk",
    "gawk",
    "mawk",
    "nawk",
    "sed",
    "gsed",
    "tclsh",
    "osascript",
    "R",
    "Rscript",
    "julia",
    "ghci",
];

/// Options of programs that are handed a command: the program, how the option begins, and whether the
/// command follows as the next word when nothing follows in this one.
const CARRIERS: [(&str, &str, bool); 15] = [
    ("tar", "--to-command", true),
    ("tar", "--checkpoint-action=exec", false),
    ("tar", "--use-compress-program", true),
    ("tar", "--rsh-command", true),
    ("tar", "--info-script", true),
    ("tar", "-I", true),
    ("tar", "-F", true),
    ("rsync", "--rsh", true),
    ("rsync", "-e", true),
    ("git", "-c", true),
    ("git", "--upload-pack", true),
    ("git", "--exec", true),
    ("git", "-x", true),
    ("make", "SHELL=", false),
    ("sort", "--compress-program", true),
];

/// What a command would run. `is_shell` says which programs are shells.
pub(crate) fn unwrap<'a>(program: &str, words: &'a [Word], is_shell: bool) -> Unwrapped<'a> {
    if is_shell {
        return shell(words);
    }
    if let Some(wrapper) = WRAPPERS
        .iter()
        .find(|wrapper| wrapper.names.contains(&program))
    {
        return wrapper.unwrap(words);
    }
    if RUNNERS.contains(&program) || MORE_RUNNERS.contains(&program) {
        return Unwrapped {
            besides: vec![Inner::Anywhere(&words[1..])],
            ..Unwrapped::default()
        };
    }
    if CONTAINERS.contains(&program) {
        let verb = words
            .iter()
            .position(|word| CONTAINER_VERBS.contains(&word.text.as_str()));
        let besides = verb.map_or_else(Vec::new, |verb| vec![Inner::Anywhere(&words[verb + 1..])]);
        return Unwrapped {
            besides,
            ..Unwrapped::default()
        };
    }
    if program == "find" || program == "gfind" || program == "fd" {
        return find(words);
    }
    let is_interpreter = INTERPRETERS.iter().any(|known| {
        let rest = program.strip_prefix(known);
        rest.is_some_and(|rest| {
            rest.bytes()
                .all(|byte| byte.is_ascii_digit() || byte == b'.')
        })
    });
    if is_interpreter {
        let besides = words[1..]
            .iter()
            .flat_map(|word| literals(&word.text))
            .collect();
        return Unwrapped {
            besides,
            ..Unwrapped::default()
        };
    }
    Unwrapped {
        besides: carried(program, words),
        ..Unwrapped::default()
    }
}

impl Wrapper {
    fn unwrap<'a>(&self, words: &'a [Word]) -> Unwrapped<'a> {
        let mut at = 1;
        while let Some(word) = words.get(at) {
            let text = word.text.as_str();
            if text == "--" {
                at += 1;
                break;
            }
            if self.names[0] == "env" && is_assignment(text) {
                at += 1;
                continue;
            }
            if text == "-" && self.names[0] == "env" {
                at += 1;
                continue;
            }
            if !text.starts_with('-') || text.len() == 1 {
                break;
            }
            match self.option(text) {
                Some(length) => at += length,
                None => return Self::unknown_option(words),
            }
        }
        // Behind `--`, too, `env` takes assignments.
        while self.names[0] == "env" && words.get(at).is_some_and(|word| is_assignment(&word.text))
        {
            at += 1;
        }
        let inner = words.get(at + self.operands..).unwrap_or_default();
        if inner.is_empty() {
            return Unwrapped::default();
        }
        Unwrapped {
            instead: Some(Inner::Words(inner)),
            besides: Vec::new(),
            adds_arguments: self.names[0] == "xargs",
        }
    }

    /// How many words an option takes, if it is known.
    fn option(&self, text: &str) -> Option<usize> {
        if let Some(long) = text.strip_prefix("--") {
            let (name, value) = match long.split_once('=') {
                Some((name, value)) => (name, Some(value)),
                None => (long, None),
            };
            if self.long_without_value.contains(&name) {
                return Some(1);
            }
            let takes_value = self.long_with_value.contains(&name);
            return takes_value.then_some(if value.is_some() { 1 } else { 2 });
        }
        let letters = &text[1..];
        for (at, letter) in letters.char_indices() {
            if self.with_value.contains(letter) {
                let is_last = at + letter.len_utf8() == letters.len();
                return Some(if is_last { 2 } else { 1 });
            }
            if !self.without_value.contains(letter) {
                return None;
            }
        }
        Some(1)
    }

    /// With an option that is not known, any word may be the program. Of `env -S` all the rest is one.
    fn unknown_option<'a>(words: &'a [Word]) -> Unwrapped<'a> {
        let mut besides = vec![Inner::Anywhere(&words[1..])];
        for word in words {
            let split = ["--split-string=", "-S", "-vS", "-iS"];
            if let Some(rest) = split
                .iter()
                .find_map(|option| word.text.strip_prefix(option))
            {
                besides.push(Inner::Script(rest.to_owned(), Vec::new()));
            }
        }
        let all: Vec<&str> = words[1..].iter().map(|word| word.text.as_str()).collect();
        besides.push(Inner::Script(all.join(" "), Vec::new()));
        Unwrapped {
            besides,
            ..Unwrapped::default()
        }
    }
}

fn is_assignment(text: &str) -> bool {
    text.split_once('=').is_some_and(|(name, _)| {
        !name.is_empty()
            && !name.starts_with('-')
            && name
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
    })
}

/// A shell with a script in an argument, in a file, or in its input.
fn shell(words: &[Word]) -> Unwrapped<'_> {
    let mut at = 1;
    let mut has_script = false;
    let mut is_clear = true;
    while let Some(word) = words.get(at) {
        let text = word.text.as_str();
        if text == "--" || text == "-" {
            at += 1;
            break;
        }
        if let Some(long) = text.strip_prefix("--") {
            let takes_value = matches!(long, "rcfile" | "init-file" | "command" | "init-command");
            is_clear &= matches!(
                long,
                "login" | "norc" | "noprofile" | "posix" | "restricted"
            );
            if takes_value && long.contains("command") {
                has_script = true;
                at += 1;
                break;
            }
            at += if takes_value { 2 } else { 1 };
            continue;
        }
        let Some(letters) = text.strip_prefix(['-', '+']) else {
            break;
        };
        has_script |= text.starts_with('-') && letters.contains('c');
        is_clear &= letters
            .bytes()
            .all(|letter| b"abefhiklmnprtuvxcosCEHO".contains(&letter));
        let values = letters
            .bytes()
            .filter(|letter| matches!(letter, b'o' | b'O'))
            .count();
        at += 1 + values;
    }
    let rest = words.get(at..).unwrap_or_default();
    let besides = if is_clear {
        Vec::new()
    } else {
        vec![Inner::Anywhere(&words[1..])]
    };
    let instead = match rest.split_first() {
        Some((script, arguments)) if has_script => {
            Some(Inner::Script(script.text.clone(), positional(arguments)))
        }
        None if has_script => None,
        Some(_) => None,
        None => Some(Inner::Input),
    };
    if is_clear {
        return Unwrapped {
            instead,
            ..Unwrapped::default()
        };
    }
    Unwrapped {
        instead: None,
        besides: besides.into_iter().chain(instead).collect(),
        adds_arguments: false,
    }
}

/// The arguments of a script as its variables.
fn positional(arguments: &[Word]) -> Variables {
    let mut variables: Variables = arguments
        .iter()
        .take(10)
        .enumerate()
        .map(|(index, word)| (index.to_string(), word.text.clone()))
        .collect();
    let all: Vec<&str> = arguments
        .iter()
        .skip(1)
        .map(|word| word.text.as_str())
        .collect();
    let all = all.join(" ");
    if all.len() <= 1024 {
        variables.push(("@".to_owned(), all.clone()));
        variables.push(("*".to_owned(), all));
    }
    variables
}

/// The most words that are tried as the beginning of a command.
const MOST_STARTS: usize = 64;

fn find(words: &[Word]) -> Unwrapped<'_> {
    let runs = [
        "-exec",
        "-execdir",
        "-ok",
        "-okdir",
        "-x",
        "-X",
        "--exec",
        "--exec-batch",
    ];
    let besides = words
        .iter()
        .enumerate()
        .filter(|(_, word)| runs.contains(&word.text.as_str()))
        .take(MOST_STARTS)
        .map(|(at, _)| {
            let command = &words[at + 1..];
            let end = command.iter().position(|word| word.text == ";");
            Inner::Words(&command[..end.unwrap_or(command.len())])
        })
        .collect();
    Unwrapped {
        besides,
        ..Unwrapped::default()
    }
}

/// The texts between quotes in a program of another language: each as a script, and all as words.
fn literals(code: &str) -> Vec<Inner<'static>> {
    let mut words = Vec::new();
    let mut rest = code;
    while let Some(open) = rest.find(['\'', '"', '`']) {
        let quote = rest.as_bytes()[open];
        rest = &rest[open + 1..];
        let Some(close) = rest.bytes().position(|byte| byte == quote) else {
            break;
        };
        words.push(rest[..close].to_owned());
        rest = &rest[close + 1..];
        if words.len() >= MOST_STARTS {
            break;
        }
    }
    let mut inner: Vec<Inner> = words
        .iter()
        .filter(|word| word.contains(' '))
        .map(|word| Inner::Script(word.clone(), Vec::new()))
        .collect();
    let words: Vec<Word> = words.into_iter().map(Word::plain).collect();
    for at in 0..words.len() {
        inner.push(Inner::Owned(words[at..].to_vec()));
    }
    inner
}

/// Commands in options.
fn carried(program: &str, words: &[Word]) -> Vec<Inner<'static>> {
    let mut inner = Vec::new();
    for (_, option, is_next) in CARRIERS.iter().filter(|(known, ..)| *known == program) {
        for (at, word) in words.iter().enumerate().skip(1).take(MOST_STARTS) {
            let Some(rest) = word.text.strip_prefix(option) else {
                continue;
            };
            let text = match words.get(at + 1) {
                Some(next) if rest.is_empty() && *is_next => next.text.as_str(),
                _ => rest,
            };
            let text = text.rsplit_once('!').map_or(text, |(_, command)| command);
            let text = text.strip_prefix('=').unwrap_or(text);
            inner.push(Inner::Script(text.to_owned(), Vec::new()));
            if let Some((_, value)) = text.split_once('=') {
                inner.push(Inner::Script(value.to_owned(), Vec::new()));
            }
        }
    }
    inner.retain(|inner| !matches!(inner, Inner::Script(text, _) if text.contains(UNKNOWN)));
    inner
}
