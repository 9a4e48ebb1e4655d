//! §§5 and 7: what the model gets to read.

use std::os::unix::fs::symlink;
use std::path::Path;

use serde_json::{Value, json};
use tempfile::TempDir;

use super::crew::{Crew, turn, write_all};
use crate::support::Json as _;

/// A crew that works from a workspace with these files.
fn working_from(directory: &Path, files: &[(&str, &str)]) -> Crew {
    write_all(directory, files);
    Crew::with(|it| it.environment("CLASPER_WORKSPACE", directory.to_str().unwrap()))
}

/// The system prompt of the turn that these members ask for.
async fn prompt(crew: &Crew, changes: Value) -> String {
    crew.send(turn(changes)).await.ok();
    let asked = crew.asked().pop().unwrap();
    assert_eq!(asked["messages"][0]["role"], "system", "{asked}");
    asked["messages"][0].text("content")
}

/// The prompt without its last block, and that block.
fn split(prompt: &str) -> (&str, &str) {
    prompt
        .split_once("## Current Time\n")
        .unwrap_or((prompt, ""))
}

#[tokio::test]
async fn the_prompt_is_put_together_from_the_workspace_in_the_contracts_order() {
    let directory = TempDir::new().unwrap();
    let crew = working_from(
        directory.path(),
        &[
            ("MEMORY.md", "We like short texts.\n"),
            ("AGENTS.md", "\n\nBe kind.\n\n"),
            ("IDENTITY.md", "You are from Mars."),
            ("USER.md", "They are from Venus."),
            ("TOOLS.md", "Hammer."),
            ("SOUL.md", "You are anybody."),
            ("souls/writer.md", "You write.\n"),
            ("souls/editor.md", "  \n"),
            ("HEARTBEAT.md", "Only on heartbeats."),
        ],
    );
    let shared = "## Operating Rules\n\nBe kind.\n\n## Identity\n\nYou are from Mars.\n\n## Tools\n\nHammer.\n\n\
         ## User\n\nThey are from Venus.\n\n## Recent Memory\n\n### Long-term Memory\n\nWe like short texts.\n\n";
    for (role, persona) in [
        ("writer", "You write."),
        // A blank file says nothing, and a role without one is anybody.
        ("editor", "You are anybody."),
        ("Writer", "You are anybody."),
    ] {
        let key = format!("user:acme:{role}");
        let prompt = prompt(&crew, json!({"session_key": key})).await;
        assert_eq!(split(&prompt).0, format!("{persona}\n\n{shared}"), "{role}");
    }
}

#[tokio::test]
async fn the_prompt_ends_with_the_time_in_the_callers_zone() {
    let directory = TempDir::new().unwrap();
    let crew = working_from(directory.path(), &[("SOUL.md", "You write.")]);
    for zone in ["UTC", "America/New_York", "Pacific/Auckland"] {
        let prompt = prompt(&crew, json!({"metadata": {"timezone": zone}})).await;
        let time = split(&prompt).1.trim();
        let bullets: Vec<&str> = time.lines().collect();
        assert_eq!(bullets.len(), 3, "{time}");
        assert!(
            bullets[0].starts_with("- Date: ") && bullets[0].contains("day, "),
            "{time}"
        );
        assert!(
            bullets[1].starts_with("- Time: ") && bullets[1].ends_with('M'),
            "{time}"
        );
        assert_eq!(bullets[2], format!("- Timezone: {zone}"));
    }
}

#[tokio::test]
async fn the_zone_and_whether_the_time_is_told_can_be_set() {
    for (name, value, end) in [
        (
            "CLASPER_DEFAULT_TIMEZONE",
            "Asia/Tokyo",
            "- Timezone: Asia/Tokyo",
        ),
        (
            "WOMBAT_DEFAULT_TIMEZONE",
            "Asia/Tokyo",
            "- Timezone: Asia/Tokyo",
        ),
        ("CLASPER_INCLUDE_TIME_CONTEXT", "false", "You write."),
        ("CLASPER_INCLUDE_TIME_CONTEXT", "no", "- Timezone: "),
    ] {
        let directory = TempDir::new().unwrap();
        write_all(directory.path(), &[("SOUL.md", "You write.")]);
        let crew = Crew::with(|it| {
            it.environment("WOMBAT_WORKSPACE", directory.path().to_str().unwrap())
                .environment(name, value)
        });
        let prompt = prompt(&crew, json!({})).await;
        let last = prompt.lines().last().unwrap();
        assert!(last.starts_with(end), "{name}={value}: {prompt}");
    }
}

#[tokio::test]
async fn an_edit_counts_from_the_next_turn_on() {
    let directory = TempDir::new().unwrap();
    let crew = working_from(directory.path(), &[("SOUL.md", "You write.")]);
    assert!(prompt(&crew, json!({})).await.starts_with("You write.\n"));
    // Of the same length, so that only the content differs.
    write_all(directory.path(), &[("SOUL.md", "You waltz.")]);
    assert!(prompt(&crew, json!({})).await.starts_with("You waltz.\n"));
    write_all(directory.path(), &[("souls/writer.md", "You paint.")]);
    assert!(prompt(&crew, json!({})).await.starts_with("You paint.\n"));
    std::fs::remove_dir_all(directory.path().join("souls")).unwrap();
    assert!(prompt(&crew, json!({})).await.starts_with("You waltz.\n"));
}

#[tokio::test]
async fn a_prompt_of_the_callers_own_replaces_the_workspace_but_not_the_time() {
    let directory = TempDir::new().unwrap();
    let files = [("SOUL.md", "You write."), ("MEMORY.md", "Much.")];
    let crew = working_from(directory.path(), &files);
    let own = json!({"metadata": {"system_prompt": "You sing."}});
    let prompt = prompt(&crew, own).await;
    assert_eq!(split(&prompt).0, "You sing.\n\n");
    assert!(prompt.contains("- Timezone: "), "{prompt}");
}

#[tokio::test]
async fn without_files_the_prompt_is_a_sentence_that_names_the_role() {
    let directory = TempDir::new().unwrap();
    for (crew, memory) in [
        (working_from(&directory.path().join("none"), &[]), ""),
        (
            working_from(directory.path(), &[("MEMORY.md", "Much."), ("SOUL.md", "")]),
            "## Recent Memory\n\n### Long-term Memory\n\nMuch.\n\n",
        ),
    ] {
        let prompt = prompt(&crew, json!({"session_key": "user:acme:scout-7"})).await;
        let (sentence, rest) = split(&prompt).0.split_once("\n\n").unwrap();
        assert!(
            sentence.contains("scout-7") && sentence.contains("assistant"),
            "{prompt}"
        );
        assert_eq!(rest, memory);
    }
}

#[tokio::test]
async fn a_long_file_is_cut_at_twenty_thousand_characters() {
    let directory = TempDir::new().unwrap();
    let long = "ü".repeat(30_000);
    let fitting = "ü".repeat(20_000);
    let files = [("SOUL.md", fitting.as_str()), ("AGENTS.md", long.as_str())];
    let crew = working_from(directory.path(), &files);
    let prompt = prompt(&crew, json!({})).await;
    let (soul, rules) = split(&prompt)
        .0
        .split_once("\n\n## Operating Rules\n\n")
        .unwrap();
    assert_eq!(soul, fitting);
    let rules = rules.trim_end();
    assert_eq!(rules.chars().count(), 20_000);
    assert!(
        rules.contains("cut"),
        "it says so: {}",
        &rules[rules.len() - 80..]
    );
}

#[tokio::test]
async fn no_role_reaches_a_file_outside_the_workspace() {
    let directory = TempDir::new().unwrap();
    let files = [("x.md", "the secret"), ("ws/SOUL.md", "You write.")];
    write_all(directory.path(), &files);
    let workspace = directory.path().join("ws");
    let crew = working_from(&workspace, &[("souls/other.md", "You wait.")]);
    symlink(
        directory.path().join("x.md"),
        workspace.join("souls/evil.md"),
    )
    .unwrap();
    let prompt = prompt(&crew, json!({"session_key": "user:acme:evil"})).await;
    assert!(prompt.starts_with("You write.\n"), "{prompt}");
}

#[tokio::test]
async fn history_reaches_the_model_in_order_and_before_the_message() {
    let crew = Crew::start();
    // What a compaction leaves is a system entry, and it must not get lost.
    let history = json!([
        {"role": "system", "content": "[Previous conversation summary] We met."},
        {"role": "user", "content": "Hello"},
        {"role": "assistant", "content": "Good day"},
        {"role": "user", "content": "How are you?"},
    ]);
    crew.send(turn(json!({"messages": history, "message": "Well?"})))
        .await
        .ok();
    let asked = crew.asked().pop().unwrap();
    let mut expected = history.as_array().unwrap().clone();
    expected.push(json!({"role": "user", "content": "Well?"}));
    assert_eq!(asked["messages"].as_array().unwrap()[1..], expected);
    assert_eq!(asked["model"], "gpt-4o-mini");
    assert_eq!(asked["temperature"], 0.4);
    assert_eq!(asked["max_tokens"], 4096);
    // A turn without history has none, whatever was said in the task before.
    crew.send(turn(json!({"messages": [], "message": "Again"})))
        .await
        .ok();
    let asked = crew.asked().pop().unwrap();
    assert_eq!(asked["messages"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn a_conversation_near_the_models_limit_is_warned_of() {
    let crew = Crew::with(|it| it.environment("LLM_MODEL_DEFAULT", "gpt-4"));
    crew.model
        .always(stationmaster_testkit::model::Step::text("read"));
    let of_length =
        |length: usize| json!({"messages": [{"role": "user", "content": "x".repeat(length)}]});
    // The window is 8192 tokens of four characters; 75 % of it is 24,576 characters.
    let answer = crew.send(turn(of_length(24_000))).await.ok();
    assert_eq!(answer.get("context_warning"), None);
    let answer = crew.send(turn(of_length(32_768))).await.ok();
    let warning = answer.text("context_warning");
    assert!(
        warning.contains("8192") && warning.contains("10") && warning.contains('%'),
        "{warning}"
    );
}
