//! §5: what agents work from, on the command line and in turns.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use stationmaster_testkit::model::Step;
use tempfile::TempDir;

use super::crew::{Crew, thread, turn, write_all};
use crate::support::Json as _;
use crate::support::process::{Outcome, run};

fn example() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/workspace")
}

/// `stationmaster workspace …` with a data directory of its own.
fn workspace(environment: &[(&str, &str)], words: &[&str]) -> Outcome {
    let home = TempDir::new().unwrap();
    let mut environment = environment.to_vec();
    environment.push(("HOME", home.path().to_str().unwrap()));
    let words: Vec<&str> = ["workspace"]
        .into_iter()
        .chain(words.iter().copied())
        .collect();
    run(home.path(), &environment, &words)
}

fn shown(environment: &[(&str, &str)], words: &[&str]) -> Value {
    let outcome = workspace(environment, words);
    assert_eq!(outcome.code, 0, "{outcome:?}");
    serde_json::from_str(&outcome.stdout).unwrap()
}

/// The names of the parts of a prompt, in their order.
fn parts(shown: &Value) -> Vec<&str> {
    let parts = shown["parts"].as_array().unwrap();
    parts
        .iter()
        .map(|part| part["name"].as_str().unwrap())
        .collect()
}

#[test]
fn the_example_workspace_has_nothing_wrong() {
    let example = example();
    let outcome = workspace(&[], &["check", example.to_str().unwrap()]);
    assert_eq!(outcome.code, 0, "{outcome:?}");
    assert!(!outcome.stdout.contains("error:"), "{outcome:?}");
    // The one skill that needs something says so; with it, there is not even that.
    assert!(
        outcome.stdout.contains("CHANGELOG_REPOSITORY"),
        "{outcome:?}"
    );
    let bin = TempDir::new().unwrap();
    for program in ["git", "glab"] {
        executable(&bin.path().join(program));
    }
    let machine = [
        ("PATH", bin.path().to_str().unwrap()),
        ("CHANGELOG_REPOSITORY", "."),
    ];
    let outcome = workspace(
        &machine,
        &["check", example.to_str().unwrap(), "--role", "lead"],
    );
    assert!(outcome.stdout.ends_with(": no problems\n"), "{outcome:?}");
}

fn executable(path: &Path) {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::write(path, "").unwrap();
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
}

#[test]
fn show_prints_what_a_turn_sees_with_sizes() {
    let example = example();
    let dir = example.to_str().unwrap();
    let seen = shown(&[], &["show", dir, "--role", "researcher", "--json"]);
    let expected = [
        "persona", "rules", "identity", "tools", "user", "skills", "memory", "time",
    ];
    assert_eq!(parts(&seen), expected);
    assert_eq!(seen["parts"][0]["files"][0]["name"], "souls/researcher.md");
    let skills = json!({"enabled": 2, "total": 3, "catalog": false, "loadSkill": true});
    assert_eq!(seen["skills"], skills);
    let prompt = seen.text("prompt");
    assert_eq!(seen["characters"], prompt.chars().count());
    let sum: u64 = seen["parts"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| it["characters"].as_u64().unwrap())
        .sum();
    assert_eq!(sum + 2 * 7, prompt.chars().count() as u64);
    let plain = "### ✍️ plain-style\n\n- One idea";
    assert!(
        prompt.contains(&format!("## Skills\n\n{plain}")),
        "sorted by folder: {prompt}"
    );
    assert!(
        prompt.contains("\n\n---\n\n### 📚 source-notes\n\nWrite one line"),
        "{prompt}"
    );

    let beat = shown(
        &[],
        &["show", dir, "--role", "researcher", "--heartbeat", "--json"],
    );
    assert_eq!(parts(&beat), ["rules", "tools", "heartbeat", "time"]);
    let little = [("CLASPER_SKILLS_BUDGET", "100")];
    let catalog = shown(&little, &["show", dir, "--role", "writer", "--json"]);
    assert_eq!(catalog["skills"]["catalog"], true);
    assert!(catalog.text("prompt").contains("## Available Skills\n"));

    let people = workspace(&[], &["show", dir, "--role", "writer"]);
    assert_eq!(people.code, 0, "{people:?}");
    for part in [
        "souls/writer.md",
        "persona",
        "2 of 3 skills enabled",
        "without git-changelog: needs",
        "You are the crew's writer.",
    ] {
        assert!(people.stdout.contains(part), "{part}: {people:?}");
    }
    let outcome = workspace(&[], &["show", dir, "--role", "../x"]);
    assert_eq!(outcome.code, 2, "{outcome:?}");
}

#[test]
fn a_workspace_is_begun_without_losing_what_is_there() {
    let home = TempDir::new().unwrap();
    let here = |words: &[&str]| run(home.path(), &[("HOME", "/nonexistent")], words);
    let dir = home.path().join("workspace");
    assert_eq!(here(&["workspace", "init"]).code, 0);
    let files = [
        "AGENTS.md",
        "SOUL.md",
        "IDENTITY.md",
        "MEMORY.md",
        "souls/writer.md",
        "skills/handover/SKILL.md",
    ];
    for file in files {
        assert!(dir.join(file).is_file(), "{file}");
    }
    assert!(dir.join("memory").is_dir());
    let data = home.path().join("data");
    let checked = here(&["workspace", "check", "--data-dir", data.to_str().unwrap()]);
    assert_eq!(
        (checked.code, checked.stdout.as_str()),
        (0, "workspace: no problems\n"),
        "{checked:?}"
    );

    std::fs::write(dir.join("SOUL.md"), "mine").unwrap();
    std::fs::remove_file(dir.join("AGENTS.md")).unwrap();
    let again = here(&["workspace", "init"]);
    assert!(
        again.stdout.contains("kept     workspace/SOUL.md"),
        "{again:?}"
    );
    assert_eq!(
        std::fs::read_to_string(dir.join("SOUL.md")).unwrap(),
        "mine"
    );
    assert!(dir.join("AGENTS.md").is_file());
    assert_eq!(here(&["workspace", "init", "workspace", "--force"]).code, 0);
    assert_ne!(
        std::fs::read_to_string(dir.join("SOUL.md")).unwrap(),
        "mine"
    );
}

#[test]
fn check_names_every_problem_with_file_and_line() {
    let dir = TempDir::new().unwrap();
    let long = "x".repeat(20_001);
    write_all(
        dir.path(),
        &[
            ("AGENTS.md", &format!("\n\n{long}")),
            ("SOUL.md", "soul"),
            ("souls/no good.md", "x"),
            (
                "skills/bad/SKILL.md",
                "---\nname: x\nmetadata:\n  openclaw: [\n---\n",
            ),
            (
                "skills/off/SKILL.md",
                "---\nmetadata: {openclaw: {requires: {bins: [none-such]}}}\n---\nx",
            ),
        ],
    );
    std::fs::write(dir.path().join("USER.md"), b"one\n\xff").unwrap();
    let outcome = workspace(
        &[],
        &["check", dir.path().to_str().unwrap(), "--role", "ghost"],
    );
    assert_eq!(outcome.code, 1, "{outcome:?}");
    for part in [
        "/AGENTS.md:3: error: ",
        "/USER.md:2: error: ",
        "/souls/no good.md: error: ",
        "/skills/bad/SKILL.md:",
        "/skills/off/SKILL.md: warning: is disabled here: needs the program none-such",
        "/souls/ghost.md: warning: ",
    ] {
        assert!(outcome.stdout.contains(part), "{part}: {outcome:?}");
    }
    assert!(
        outcome.stderr.contains("the workspace has 4 errors"),
        "{outcome:?}"
    );
}

#[tokio::test]
async fn a_turn_in_the_example_workspace_shows_it_to_the_model() {
    let crew = Crew::with(|it| it.environment("CLASPER_WORKSPACE", example().to_str().unwrap()));
    let call = json!({"name": "plain-style", "resource": "references/words.md"});
    crew.model
        .push(Step::Tools(vec![("load_skill".to_owned(), call)]));
    crew.model.push(Step::text("Written."));
    let answer = crew.send(turn(json!({}))).await.ok();
    assert_eq!(answer["tool_calls"][0]["ok"], true, "{answer}");
    let asked = crew.asked();
    let prompt = asked[0]["messages"][0].text("content");
    let blocks = [
        "You are the crew's writer.",
        "\n\n## Operating Rules\n\n# How this crew works\n",
        "\n\n## Identity\n\n- The crew",
        "\n\n## Tools\n\n- `create_document`",
        "\n\n## User\n\nThe person",
        "\n\n## Skills\n\n### ✍️ plain-style\n\n",
        "\n\n---\n\n### 📚 source-notes\n\n",
        "\n\n## Recent Memory\n\n### Long-term Memory\n\n- The museum",
        "\n\n## Current Time\n\n",
    ];
    let mut rest = prompt.as_str();
    for block in blocks {
        let at = rest
            .find(block)
            .unwrap_or_else(|| panic!("{block:?} in its place: {prompt}"));
        rest = &rest[at + block.len()..];
    }
    assert!(
        !prompt.contains("HEARTBEAT_OK") && !prompt.contains("git-changelog"),
        "{prompt}"
    );
    let told = asked[1]["messages"]
        .as_array()
        .unwrap()
        .last()
        .unwrap()
        .text("content");
    assert!(told.contains("free of charge"), "{told}");
}

#[tokio::test]
async fn a_heartbeat_gets_a_minimal_prompt_and_its_all_clear_is_not_posted() {
    let crew = Crew::with(|it| {
        it.environment("CLASPER_WORKSPACE", example().to_str().unwrap())
            .environment("LLM_MODEL_CHEAP", "gpt-4.1-nano")
    });
    let owner = crew.owner();
    crew.model.push(Step::text("HEARTBEAT_OK\n"));
    crew.model.push(Step::text("Task 7 waits since Monday."));
    crew.model.push(Step::text("HEARTBEAT_OK"));
    let beat = |key: &str| {
        turn(json!({"metadata": {"type": "heartbeat"}, "message": "Look.", "idempotency_key": key}))
    };
    let quiet = crew.send(beat("one")).await.ok();
    assert_eq!(
        (&quiet["response"], &quiet["message_id"]),
        (&json!("HEARTBEAT_OK\n"), &Value::Null)
    );
    assert_eq!(crew.asked()[0]["model"], "gpt-4.1-nano");
    let prompt = crew.asked()[0]["messages"][0].text("content");
    assert!(
        prompt.starts_with("## Operating Rules\n\n# How this crew works"),
        "{prompt}"
    );
    assert!(
        prompt.contains("\n\n## Heartbeat\n\nLook at your open tasks."),
        "{prompt}"
    );
    for absent in [
        "You are the crew's writer",
        "## Skills",
        "## User",
        "## Recent Memory",
    ] {
        assert!(!prompt.contains(absent), "{absent}: {prompt}");
    }
    let task = quiet.text("task_id");
    assert!(thread(&owner, &task).await.is_empty());
    // It is kept all the same: the same key does not ask again.
    crew.send(beat("one")).await.ok();
    assert_eq!(crew.model.request_count(), 1);
    let loud = crew.send(beat("two")).await.ok();
    assert!(loud["message_id"].is_string(), "{loud}");
    // Said by anybody else, it is an answer like any other.
    crew.send(turn(json!({}))).await.ok();
    let said = thread(&owner, &task).await;
    let said: Vec<String> = said.iter().map(|it| it.text("content")).collect();
    assert_eq!(said, ["Task 7 waits since Monday.", "HEARTBEAT_OK"]);
}
