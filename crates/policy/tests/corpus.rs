//! Judges a corpus of commands and actions, and tells all that are judged otherwise than expected.
//!
//! A file of the corpus is a list of groups. A group has `commands` (of the tool `exec`) or `actions` that
//! all come to the same: `expect = "DECISION RISK"` with `violations`. The agent is a SPECIALIST unless
//! `rank` says otherwise.

use std::fmt::Write as _;
use std::path::Path;

use serde::Deserialize;
use serde_json::{Map, Value};
use stationmaster_policy::{Action, Agent, Context, Rank, Rules, Status, Verdict, decide};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    group: Vec<Group>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Group {
    about: String,
    #[serde(default)]
    commands: Vec<String>,
    #[serde(default)]
    actions: Vec<Map<String, Value>>,
    rank: Option<String>,
    expect: String,
    #[serde(default)]
    violations: Vec<String>,
}

fn agent(rank: Rank) -> Agent {
    Agent {
        rank,
        status: Status::Active,
        allowed_tools: None,
        workspace: Some("/home/agent/.openclaw/agents/jordan/work".to_owned()),
        home: Some("/home/agent".to_owned()),
        can_spawn: rank != Rank::Intern,
    }
}

impl Group {
    fn actions(&self) -> Vec<(String, Action)> {
        let commands = self
            .commands
            .iter()
            .map(|command| (command.clone(), Action::command("exec", command)));
        let actions = self.actions.iter().map(|action| {
            let shown = Value::from(action.clone()).to_string();
            let action =
                Action::from_json(action).unwrap_or_else(|faults| panic!("{shown}: {faults:?}"));
            (shown, action)
        });
        commands.chain(actions).collect()
    }

    fn expected(&self) -> String {
        let mut violations = self.violations.clone();
        violations.sort();
        format!("{} {violations:?}", self.expect)
    }
}

fn found(verdict: &Verdict) -> String {
    let mut violations = verdict.violations.clone();
    violations.sort();
    format!("{} {} {violations:?}", verdict.decision, verdict.risk)
}

#[test]
fn the_corpus_is_judged_as_expected() {
    let rules = Rules::built_in();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus");
    let mut mismatches = String::new();
    let mut count = 0;
    let mut files: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|file| file.unwrap().path())
        .collect();
    files.sort();
    for path in files {
        let text = std::fs::read_to_string(&path).unwrap();
        let file: File =
            toml::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        for group in file.group {
            let rank = group
                .rank
                .as_deref()
                .unwrap_or("SPECIALIST")
                .parse()
                .unwrap();
            for (shown, action) in group.actions() {
                count += 1;
                let verdict = decide(&rules, &action, &agent(rank), &Context::default());
                let (expected, found) = (group.expected(), found(&verdict));
                if expected != found {
                    writeln!(
                        mismatches,
                        "{}: {shown:?}\n  expected {expected}\n  found    {found}",
                        group.about
                    )
                    .unwrap();
                }
            }
        }
    }
    assert!(mismatches.is_empty(), "\n{mismatches}");
    assert!(count >= 450, "only {count} cases");
}
