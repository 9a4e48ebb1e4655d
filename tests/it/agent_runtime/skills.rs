//! §6: skills, their gates, and how a model gets to read them.

use std::path::Path;

use serde_json::{Value, json};
use stationmaster_testkit::model::Step;
use tempfile::TempDir;

use super::crew::{Crew, turn, write_all};
use crate::support::Json as _;

fn working_from(directory: &Path, files: &[(&str, &str)], environment: &[(&str, &str)]) -> Crew {
    write_all(directory, files);
    Crew::with(|it| {
        let it = it.environment("CLASPER_WORKSPACE", directory.to_str().unwrap());
        environment
            .iter()
            .fold(it, |it, (name, value)| it.environment(name, *value))
    })
}

async fn skills(crew: &Crew) -> Value {
    crew.api.stranger().get("/skills").await.ok()
}

/// Name and reason of each skill that is off.
fn off(skills: &Value) -> Vec<(String, String)> {
    let skills = skills["skills"].as_array().unwrap();
    let off = skills.iter().filter(|it| it["enabled"] == false);
    off.map(|it| (it.text("name"), it.text("gateReason")))
        .collect()
}

/// The names of the tools that the model was offered last.
fn offered(crew: &Crew) -> Vec<String> {
    let asked = crew.asked().pop().unwrap();
    let tools = asked["tools"].as_array().unwrap();
    tools
        .iter()
        .map(|tool| tool["function"].text("name"))
        .collect()
}

fn prompt(crew: &Crew) -> String {
    crew.asked().pop().unwrap()["messages"][0].text("content")
}

#[tokio::test]
async fn skills_are_listed_with_what_their_heads_say() {
    let directory = TempDir::new().unwrap();
    let crew = working_from(
        directory.path(),
        &[
            (
                "skills/b-block/SKILL.md",
                "---\nname: Block\ndescription: >\n  In two\n  lines\nmetadata:\n  openclaw:\n    emoji: \"🧱\"\n    requires:\n      env:\n        - THE_KEY\n---\nbody",
            ),
            (
                "skills/a-inline/SKILL.md",
                "---\nname: \"Inline\"\nmetadata: {\"openclaw\":{\"always\":true,\"os\":[\"beos\"]}}\n---\nbody",
            ),
            ("skills/c-plain/SKILL.md", "Just text."),
        ],
        &[("THE_KEY", "k")],
    );
    let told = skills(&crew).await;
    let expected = json!({"enabled": 3, "total": 3, "skills": [
        {"name": "Inline", "description": "", "enabled": true, "location": "skills/a-inline/SKILL.md",
            "metadata": {"openclaw": {"always": true, "os": ["beos"]}}},
        {"name": "Block", "description": "In two lines", "enabled": true, "location": "skills/b-block/SKILL.md",
            "metadata": {"openclaw": {"emoji": "🧱", "requires": {"env": ["THE_KEY"]}}}},
        {"name": "c-plain", "description": "", "enabled": true, "location": "skills/c-plain/SKILL.md"},
    ]});
    assert_eq!(told, expected);
    crew.send(turn(json!({}))).await.ok();
    let expected = "## Skills\n\n### Inline\n\nbody\n\n---\n\n### 🧱 Block\n\nbody\n\n---\n\n### c-plain\n\nJust text.";
    assert!(prompt(&crew).contains(expected), "{}", prompt(&crew));
    assert!(
        !offered(&crew).contains(&"load_skill".to_owned()),
        "there is nothing to load"
    );
}

#[tokio::test]
async fn a_gate_that_is_shut_keeps_a_skill_out_and_says_why() {
    let directory = TempDir::new().unwrap();
    let needing = |what: &str| format!("---\nmetadata: {{openclaw: {what}}}\n---\nthe body of it");
    let files: Vec<(String, String)> = [
        ("os", "{os: [beos], requires: {env: [NONE]}}"),
        ("env", "{requires: {env: [SET, BLANK], bins: [none]}}"),
        ("bins", "{requires: {bins: [tool, none]}}"),
        ("any", "{requires: {anyBins: [none, neither]}}"),
    ]
    .map(|(name, what)| (format!("skills/{name}/SKILL.md"), needing(what)))
    .into();
    let files: Vec<(&str, &str)> = files
        .iter()
        .map(|(name, text)| (name.as_str(), text.as_str()))
        .collect();
    let bin = directory.path().join("bin");
    let environment = [("SET", "1"), ("BLANK", ""), ("PATH", bin.to_str().unwrap())];
    let crew = working_from(directory.path(), &files, &environment);
    let told = skills(&crew).await;
    assert_eq!((&told["enabled"], &told["total"]), (&json!(0), &json!(4)));
    let reasons = off(&told);
    for (name, part) in [
        ("os", "beos"),
        ("env", "BLANK"),
        ("bins", "tool"),
        ("any", "none, neither"),
    ] {
        let (_, reason) = reasons.iter().find(|(it, _)| it == name).unwrap();
        assert!(reason.contains(part), "{name}: {reason}");
    }
    crew.send(turn(json!({}))).await.ok();
    assert!(
        !prompt(&crew).contains("the body of it"),
        "{}",
        prompt(&crew)
    );

    // A program that comes later opens its gate without a restart.
    write_all(&bin, &[("tool", ""), ("none", "")]);
    for name in ["tool", "none"] {
        use std::os::unix::fs::PermissionsExt as _;
        std::fs::set_permissions(bin.join(name), std::fs::Permissions::from_mode(0o755)).unwrap();
    }
    let names: Vec<String> = off(&skills(&crew).await)
        .into_iter()
        .map(|(name, _)| name)
        .collect();
    assert_eq!(names, ["env", "os"]);
    crew.send(turn(json!({}))).await.ok();
    assert!(
        prompt(&crew).contains("### any\n\nthe body of it\n\n---\n\n### bins"),
        "{}",
        prompt(&crew)
    );
}

#[tokio::test]
async fn a_head_that_cannot_be_read_disables_its_skill_and_says_where() {
    let directory = TempDir::new().unwrap();
    let crew = working_from(
        directory.path(),
        &[
            (
                "skills/bad/SKILL.md",
                "---\nname: bad\nmetadata:\n  openclaw:\n    requires:\n      env: KEY\n---\nthe body of it",
            ),
            ("skills/good/SKILL.md", "good"),
        ],
        &[],
    );
    let told = skills(&crew).await;
    let reasons = off(&told);
    assert_eq!(reasons.len(), 1, "{told}");
    assert!(
        reasons[0].1.starts_with("skills/bad/SKILL.md:6: "),
        "{told}"
    );
    crew.send(turn(json!({}))).await.ok();
    assert!(
        !prompt(&crew).contains("the body of it"),
        "{}",
        prompt(&crew)
    );
    // Put right, it counts from the next turn on.
    write_all(
        directory.path(),
        &[("skills/bad/SKILL.md", "---\nname: bad\n---\nthe body of it")],
    );
    crew.send(turn(json!({}))).await.ok();
    assert!(
        prompt(&crew).contains("### bad\n\nthe body of it"),
        "{}",
        prompt(&crew)
    );
}

#[tokio::test]
async fn more_skills_than_fit_are_a_catalog_and_read_on_demand() {
    let directory = TempDir::new().unwrap();
    let long = "How to do it. ".repeat(50);
    let head = "---\nname: painting\ndescription: For walls & doors\n---\n";
    write_all(
        directory.path(),
        &[("AGENTS.md", "the rules"), ("secret.md", "the secret")],
    );
    let crew = working_from(
        directory.path(),
        &[
            ("skills/painting/SKILL.md", &format!("{head}{long}")),
            ("skills/painting/references/colours.md", "blue"),
            ("skills/plumbing/SKILL.md", &long),
            (
                "skills/off/SKILL.md",
                "---\nmetadata: {openclaw: {os: [beos]}}\n---\nx",
            ),
        ],
        &[("CLASPER_SKILLS_BUDGET", "1000")],
    );
    let load = |with: Value| ("load_skill".to_owned(), with);
    crew.model.push(Step::Tools(vec![
        load(json!({"name": "painting"})),
        load(json!({"name": "painting", "resource": "references/colours.md"})),
        load(json!({"name": "painting", "resource": "../../secret.md"})),
        load(json!({"name": "off"})),
        load(json!({"name": "carpentry"})),
        load(json!({"resource": "SKILL.md"})),
    ]));
    crew.model.push(Step::text("Painted."));
    let answer = crew.send(turn(json!({}))).await.ok();
    let asked = crew.asked();
    let prompt = asked[0]["messages"][0].text("content");
    assert!(prompt.contains("## Available Skills\n"), "{prompt}");
    let entry = "<name>painting</name>\n    <description>For walls &amp; doors</description>\n    <location>skills/painting/SKILL.md</location>";
    assert!(prompt.contains(entry), "{prompt}");
    assert!(
        prompt.contains("<name>plumbing</name>") && !prompt.contains("<name>off</name>"),
        "{prompt}"
    );
    assert!(!prompt.contains("How to do it."), "{prompt}");

    let calls = answer["tool_calls"].as_array().unwrap();
    let went: Vec<bool> = calls.iter().map(|call| call["ok"] == true).collect();
    assert_eq!(went, [true, true, false, false, false, false], "{answer}");
    let told: Vec<Value> = asked[1]["messages"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|it| it["role"] == "tool")
        .map(|it| serde_json::from_str(&it.text("content")).unwrap())
        .collect();
    let expected = json!({"name": "painting", "file": "SKILL.md", "content": long.trim(), "files": ["references/colours.md"]});
    assert_eq!(told[0], expected);
    assert_eq!(told[1]["content"], "blue");
    assert!(
        told[2].text("error").contains("references/colours.md"),
        "{}",
        told[2]
    );
    assert!(told[3].text("error").contains("beos"), "{}", told[3]);
    assert!(
        told[4].text("error").contains("painting, plumbing"),
        "{}",
        told[4]
    );
    assert!(!told.iter().any(|it| it.to_string().contains("the secret")));
}

#[tokio::test]
async fn a_skill_as_long_as_may_be_arrives_whole() {
    let directory = TempDir::new().unwrap();
    let long = "ü\n".repeat(9_990);
    let crew = working_from(
        directory.path(),
        &[("skills/long/SKILL.md", &long)],
        &[("CLASPER_SKILLS_BUDGET", "0")],
    );
    crew.model.push(Step::Tools(vec![(
        "load_skill".to_owned(),
        json!({"name": "long"}),
    )]));
    crew.model.push(Step::text("Read."));
    crew.send(turn(json!({}))).await.ok();
    let asked = crew.asked();
    let told = asked[1]["messages"]
        .as_array()
        .unwrap()
        .last()
        .unwrap()
        .text("content");
    let told: Value = serde_json::from_str(&told).unwrap();
    assert_eq!(told["content"], long.trim());
}

#[tokio::test]
async fn the_callers_own_prompt_has_no_skills_to_load() {
    let directory = TempDir::new().unwrap();
    let crew = working_from(
        directory.path(),
        &[("skills/a/SKILL.md", "text"), ("skills/a/more.md", "more")],
        &[],
    );
    crew.send(turn(json!({}))).await.ok();
    assert!(offered(&crew).contains(&"load_skill".to_owned()));
    crew.send(turn(json!({"metadata": {"system_prompt": "You sing."}})))
        .await
        .ok();
    assert!(!offered(&crew).contains(&"load_skill".to_owned()));
}
