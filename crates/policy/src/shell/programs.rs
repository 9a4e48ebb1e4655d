//! Programs that run other programs: what is known of each. To add one: a row here.

/// A program that runs the rest of its words, and its own options.
pub(super) struct Wrapper {
    pub(super) names: &'static [&'static str],
    /// Letters of options with a value, and without.
    pub(super) with_value: &'static str,
    pub(super) without_value: &'static str,
    /// The same by their long names.
    pub(super) long_with_value: &'static [&'static str],
    pub(super) long_without_value: &'static [&'static str],
    /// Its own operands before the command's.
    pub(super) operands: usize,
}

pub(super) const WRAPPERS: &[Wrapper] = &[
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
pub(super) const RUNNERS: &[\&str] = &[
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
    "valgrind",
    "xvfb-run",
    "npx",
    "pnpx",
    "with-contenv",
    "zsh-defer",
];

/// Programs that run what stands behind one of these words.
pub(super) const CONTAINERS: &[\&str] = &[
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

pub(super) const CONTAINER_VERBS: &[\&str] = &["exec", "run", "ssh", "debug", "-c"];

/// Languages whose code may stand in an argument.
pub(super) const INTERPRETERS: &[\&str] = &[
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
pub(super) const CARRIERS: &[(&str, &str, bool)] = &[
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
