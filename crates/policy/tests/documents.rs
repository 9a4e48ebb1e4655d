//! Reading, checking, writing and comparing documents.

use proptest::prelude::*;
use serde_json::json;
use stationmaster_policy::document::DEFAULT_TOML;
use stationmaster_policy::{Document, Fault, Rules};

fn faults(text: &str) -> Vec<(Option<usize>, String)> {
    let faults = Document::from_toml(text).unwrap_err();
    faults
        .into_iter()
        .map(|fault| (fault.line, fault.path))
        .collect()
}

fn check(text: &str, line: usize, path: &str) {
    assert_eq!(faults(text), [(Some(line), path.to_owned())], "{text}");
}

#[test]
fn the_built_in_rules_can_be_read_and_made_ready() {
    let document = Document::from_toml(DEFAULT_TOML).unwrap();
    assert_eq!(document, Document::built_in());
    assert!(Rules::compile(&document).is_ok());
    assert_eq!(Rules::built_in().document(), &document);
}

#[test]
fn a_document_is_the_same_after_it_was_written_and_read() {
    let document = Document::built_in();
    assert_eq!(Document::from_toml(&document.to_toml()).unwrap(), document);
    assert_eq!(Document::from_json(&document.to_json()).unwrap(), document);
    let text = serde_json::to_string(&document).unwrap();
    assert_eq!(serde_json::from_str::<Document>(&text).unwrap(), document);
}

#[test]
fn what_a_document_leaves_out_is_built_in() {
    assert_eq!(Document::from_toml("").unwrap(), Document::built_in());
    let document = Document::from_toml("[spawn]\nmaxActive = 7\n").unwrap();
    assert_eq!(document.spawn.max_active, 7);
    assert_eq!(document.spawn.lifetime.0, 6 * 3600);
    assert_eq!(document.budget.roles.specialist.daily.0, 5_000_000);
}

#[test]
fn a_fault_names_its_line_and_path() {
    for (text, line, path) in [
        ("version = 2", 1, "version"),
        ("\n\nversions = 1", 3, "versions"),
        ("[spawn]\nmaxActive = -1", 2, "spawn.maxActive"),
        ("[spawn]\nmaxActive = 1.5", 2, "spawn.maxActive"),
        ("[spawn]\nlifetime = \"6 hours\"", 2, "spawn.lifetime"),
        ("[spawn]\nlifetime = \"0s\"", 2, "spawn.lifetime"),
        ("[spawn]\nlifetime = 6", 2, "spawn.lifetime"),
        ("[autonomy.LEAD]\nred = \"allow\"", 2, "autonomy.LEAD.red"),
        (
            "[autonomy.LEAD]\nyellow = \"maybe\"",
            2,
            "autonomy.LEAD.yellow",
        ),
        (
            "[autonomy.LEAD]\ngreen = \"allowlisted\"\nyellow = \"allowlisted\"",
            2,
            "autonomy.LEAD.green",
        ),
        (
            "[autonomy.LEAD]\nyellow = \"deny\"",
            2,
            "autonomy.LEAD.yellow",
        ),
        ("[autonomy.CEO]\nred = \"deny\"", 1, "autonomy.CEO"),
        ("[tools]\nunknown = \"yellow\"", 2, "tools.unknown"),
        ("[tools]\nspawns = [\"other\"]", 2, "tools.spawns[0]"),
        (
            "[tools]\nfetches = [\n  \"write\",\n]",
            3,
            "tools.fetches[0]",
        ),
        (
            "[files]\nread = [\n  \"$WORKSPACE/**\",\n  \"src/[ab]\",\n]",
            4,
            "files.read[1]",
        ),
        ("[files]\nread = [\"\"]", 2, "files.read[0]"),
        ("[files]\nread = [\"a/../b\"]", 2, "files.read[0]"),
        ("[files]\nread = [\"$HOME/x\"]", 2, "files.read[0]"),
        ("[files]\nread = [\"{a,b\"]", 2, "files.read[0]"),
        ("[files]\nread = [\"a\", \"a\"]", 2, "files.read[1]"),
        ("[files]\nwrite = [\".env*\"]", 2, "files.write[0]"),
        (
            "[network]\nallow = [\"https://x.example\"]",
            2,
            "network.allow[0]",
        ),
        ("[network]\nallow = [\"*\"]", 2, "network.allow[0]"),
        ("[network]\ndeny = [\"10.0.0.0/40\"]", 2, "network.deny[0]"),
        (
            "[network]\nallow = [\"169.254.0.0/16\"]",
            2,
            "network.allow[0]",
        ),
        (
            "[[network.integrations]]\nname = \"x\"\non = true\nhosts = [\"a b\"]",
            4,
            "network.integrations[0].hosts[0]",
        ),
        (
            "[[network.integrations]]\nname = \"x\"\nhosts = []",
            1,
            "network.integrations[0].on",
        ),
        (
            "[shell]\ngreen = [{ command = \"ls; rm\" }]",
            2,
            "shell.green[0]",
        ),
        ("[shell]\ngreen = [\"sudo\"]", 2, "shell.green[0]"),
        (
            "[shell]\ngreen = [{ command = \"ls\", with = [] }]",
            2,
            "shell.green[0].with",
        ),
        (
            "[shell]\ngreen = [{ without = [] }]",
            2,
            "shell.green[0].command",
        ),
        ("[shell]\ngreen = [3]", 2, "shell.green[0]"),
        (
            "[shell]\ngreen = [{ command = \"ls\", without = [\"*\"] }]",
            2,
            "shell.green[0].without[0]",
        ),
        (
            "[shell]\nblocked = [\"rm -rf\", \"cat | bash\"]",
            2,
            "shell.blocked[1]",
        ),
        ("[shell]\nblocked = [\" \"]", 2, "shell.blocked[0]"),
        ("[secrets]\nkinds = [\"passwords\"]", 2, "secrets.kinds[0]"),
        (
            "[production]\nwords = [\"two words\"]",
            2,
            "production.words[0]",
        ),
        ("[budget]\nwarnPercent = 0", 2, "budget.warnPercent"),
        ("[budget]\nwarnPercent = 99", 2, "budget.warnPercent"),
        (
            "[budget.roles.LEAD]\nperRun = 50",
            2,
            "budget.roles.LEAD.perRun",
        ),
        (
            "[budget.roles.LEAD]\ndaily = \"12\"",
            2,
            "budget.roles.LEAD.daily",
        ),
        (
            "[budget.roles.INTERN]\ncanSpawn = true",
            2,
            "budget.roles.INTERN.canSpawn",
        ),
        ("[loops.reviews]\nmost = 0", 2, "loops.reviews.most"),
        (
            "[approvals]\ndualControlRed = 1",
            2,
            "approvals.dualControlRed",
        ),
        ("spawn = 3", 1, "spawn"),
    ] {
        match (path, line) {
            // An entry that is empty is no entry either.
            ("files.read[0]" | "shell.blocked[0]", _) => {
                let found = faults(text);
                assert!(
                    found
                        .iter()
                        .all(|fault| *fault == (Some(line), path.to_owned())),
                    "{text}: {found:?}"
                );
                assert!(!found.is_empty());
            }
            _ => check(text, line, path),
        }
    }
}

#[test]
fn all_faults_are_told_at_once() {
    let text = "[spawn]\nmaxActive = \"many\"\nmaxDeep = 2\n\n[network]\nallow = [\"*\", 3]\n\n[autonomy.LEAD]\nred = \"allow\"\n";
    let found = faults(text);
    let expected = [
        (2, "spawn.maxActive"),
        (3, "spawn.maxDeep"),
        (6, "network.allow[1]"),
        (9, "autonomy.LEAD.red"),
    ];
    assert_eq!(
        found,
        expected.map(|(line, path)| (Some(line), path.to_owned()))
    );
}

#[test]
fn what_is_no_toml_is_told_with_its_line() {
    let found = Document::from_toml("version = 1\n[spawn\nx = = 3\n").unwrap_err();
    assert_eq!(found[0].line, Some(2));
    assert!(found[0].message.starts_with("is no TOML: "), "{}", found[0]);
    assert!(Document::from_toml(&"#".repeat(2 << 20)).is_err());
}

#[test]
fn a_fault_reads_as_a_sentence() {
    let found = Document::from_toml("[spawn]\nmaxActive = true").unwrap_err();
    assert_eq!(
        found[0].to_string(),
        "line 2: spawn.maxActive is true or false; it must be a whole number from 0 to 1000000"
    );
    let found = Document::from_json(&json!([])).unwrap_err();
    assert_eq!(
        found[0].to_string(),
        "the document is a list; it must be a table"
    );
    let found = Document::from_json(&json!({"network": {"deny": [null]}})).unwrap_err();
    assert_eq!(
        found,
        [Fault {
            line: None,
            path: "network.deny[0]".to_owned(),
            message: "is null; it must be a string".to_owned()
        }]
    );
}

#[test]
fn two_documents_differ_by_their_keys() {
    let old = Document::built_in();
    assert_eq!(old.diff(&old), []);
    let new = json!({"spawn": {"maxDepth": 3}, "files": {"write": []}, "autonomy": {"SPECIALIST": {"yellow": "approval"}}});
    let new = Document::from_json(&new).unwrap();
    let found: Vec<String> = old
        .diff(&new)
        .into_iter()
        .map(|difference| difference.path)
        .collect();
    assert_eq!(
        found,
        [
            "autonomy.SPECIALIST.yellow",
            "files.write",
            "spawn.maxDepth"
        ]
    );
    assert_eq!(old.diff(&new)[2].old, json!(2));
    assert_eq!(old.diff(&new)[2].new, json!(3));
    let on = json!({"network": {"integrations": [{"name": "slack", "on": true, "hosts": ["*.slack.com"]}, {"name": "telegram", "on": false, "hosts": ["api.telegram.org"]}]}});
    let on = Document::from_json(&on).unwrap();
    assert_eq!(old.diff(&on)[0].path, "network.integrations[0].on");
}

proptest! {
    #[test]
    fn any_document_is_the_same_after_it_was_written_and_read(
        micros in 0_u64..1_000_000_000_000,
        seconds in 1_u64..31_536_000,
        hosts in prop::collection::btree_set("[a-z]{1,8}\\.example", 0..5),
        paths in prop::collection::btree_set("\\$WORKSPACE/[a-z*]{1,5}/\\*\\*", 0..5),
        words in prop::collection::btree_set("[a-z\"'é]{1,6}", 0..5),
        switch in any::<bool>(),
    ) {
        let mut document = Document::built_in();
        document.budget.roles.lead.daily.0 = micros;
        document.budget.roles.lead.per_run.0 = micros / 2;
        document.spawn.lifetime.0 = seconds;
        document.network.allow = hosts.into_iter().collect();
        document.files.write = paths.into_iter().collect();
        document.production.words = words.into_iter().collect();
        document.approvals.dual_control_red = switch;
        prop_assert_eq!(&Document::from_toml(&document.to_toml()).unwrap(), &document);
        prop_assert_eq!(&Document::from_json(&document.to_json()).unwrap(), &document);
    }

    #[test]
    fn any_text_is_read_or_refused(text in ".{0,200}") {
        let _is_read = Document::from_toml(&text).is_ok();
    }

    #[test]
    fn any_line_of_the_built_in_rules_may_be_missing(line in 0_usize..200) {
        let lines = DEFAULT_TOML.lines().enumerate().filter(|(index, _)| *index != line);
        let text: Vec<&str> = lines.map(|(_, line)| line).collect();
        let _is_read = Document::from_toml(&text.join("\n")).is_ok();
    }
}
