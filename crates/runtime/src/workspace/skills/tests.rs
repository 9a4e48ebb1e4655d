use std::fs;
use std::path::Path;

use super::*;

/// A workspace with these files in its folder of skills.
fn workspace(files: &[(&str, &str)]) -> (tempfile::TempDir, Files) {
    let dir = tempfile::tempdir().unwrap();
    for (name, text) in files {
        write(&dir.path().join(FOLDER).join(name), text);
    }
    let files = Files::new(dir.path().to_owned());
    (dir, files)
}

fn write(path: &Path, text: &str) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

fn read_all(files: &Files) -> Vec<Skill> {
    read(files, &Readings::default(), &Machine::default()).unwrap()
}

#[test]
fn skills_come_by_folder_and_say_why_they_are_off() {
    let (_dir, files) = workspace(&[
        ("zip/SKILL.md", "---\nname: a first name\n---\nzip"),
        ("art/SKILL.md", "no head"),
        ("bad/SKILL.md", "---\nname: [\n---\nx"),
        (
            "gated/SKILL.md",
            "---\nmetadata: {openclaw: {requires: {bins: [none]}}}\n---\nx",
        ),
        ("notes/README.md", "no skill"),
        ("blank/SKILL.md", "\n"),
        (".hidden/SKILL.md", "x"),
        ("SKILL.md", "in no folder"),
    ]);
    let skills = read_all(&files);
    let told: Vec<(&str, &str, Option<String>)> = skills
        .iter()
        .map(|it| (it.folder.as_str(), it.name.as_str(), it.gate_reason()))
        .collect();
    assert_eq!(told.len(), 4, "{told:?}");
    assert_eq!(told[0], ("art", "art", None));
    assert_eq!((told[1].0, told[1].1), ("bad", "bad"));
    let reason = told[1].2.as_ref().unwrap();
    assert!(reason.starts_with("skills/bad/SKILL.md:"), "{reason}");
    let gate = "needs the program none on the PATH".to_owned();
    assert_eq!(told[2], ("gated", "gated", Some(gate)));
    assert_eq!(told[3], ("zip", "a first name", None));
    assert_eq!(read_all(&Files::new("/nonexistent".into())).len(), 0);
}

#[cfg(unix)]
#[test]
fn a_skill_from_beyond_the_workspace_is_off() {
    let outside = tempfile::tempdir().unwrap();
    write(&outside.path().join(FILE), "far");
    let (dir, files) = workspace(&[("near/SKILL.md", "near")]);
    std::os::unix::fs::symlink(outside.path(), dir.path().join("skills/far")).unwrap();
    std::os::unix::fs::symlink(
        dir.path().join("skills/near"),
        dir.path().join("skills/other"),
    )
    .unwrap();
    let skills = read_all(&files);
    let off: Vec<&str> = skills
        .iter()
        .filter(|it| !it.is_enabled())
        .map(|it| it.folder.as_str())
        .collect();
    assert_eq!((off, skills.len()), (vec!["far"], 3));
}

#[test]
fn skills_that_do_not_fit_are_a_catalog() {
    let body = "b".repeat(100);
    let heads = "---\nname: One\ndescription: a < b & c\n---\n";
    let (_dir, files) = workspace(&[
        ("one/SKILL.md", &format!("{heads}{body}")),
        ("two/SKILL.md", &body),
        (
            "off/SKILL.md",
            "---\nmetadata: {openclaw: {os: [beos]}}\n---\nx",
        ),
    ]);
    let told = |budget, can_ask| told(read_all(&files), budget, can_ask);
    // Each is a heading of seven characters, a blank line and the body.
    let full = told(218, true);
    assert_eq!(
        full.text,
        format!("## Skills\n\n### One\n\n{body}\n\n---\n\n### two\n\n{body}")
    );
    assert!(!full.is_catalog && full.shelf.is_none());
    assert!(!told(0, false).is_catalog, "nothing can be asked for");

    let catalog = told(217, true);
    assert!(catalog.is_catalog && catalog.shelf.is_some());
    assert!(
        catalog.text.starts_with("## Available Skills\n\n"),
        "{}",
        catalog.text
    );
    assert!(catalog.text.contains("load_skill"));
    let entry = "  <skill>\n    <name>One</name>\n    <description>a &lt; b &amp; c</description>\n    \
        <location>skills/one/SKILL.md</location>\n  </skill>\n";
    assert!(catalog.text.contains(entry), "{}", catalog.text);
    assert!(!catalog.text.contains(&body) && !catalog.text.contains("off"));
    assert_eq!(told_nothing().text, "");
}

fn told_nothing() -> Told {
    told(Vec::new(), 0, true)
}

#[test]
fn a_folder_with_more_than_its_text_can_be_asked_for() {
    let (_dir, files) = workspace(&[("a/SKILL.md", "a"), ("a/references/style.md", "s")]);
    let told = told(read_all(&files), 1_000, true);
    assert!(!told.is_catalog && told.shelf.is_some());
}

mod loading {
    use super::*;
    use crate::workspace::{Loader, PromptRequest, Workspace};

    async fn loader(dir: &Path) -> Loader {
        let request = PromptRequest {
            role: "agent".parse().unwrap(),
            system_prompt: None,
            timezone: None,
            now: "2026-11-21T13:05:09Z".parse().unwrap(),
            is_heartbeat: false,
            can_load_skills: true,
        };
        let prompt = Workspace::new(dir)
            .with_skills_budget(0)
            .prompt(request)
            .await;
        prompt.unwrap().loader().unwrap()
    }

    #[tokio::test]
    async fn a_model_gets_the_text_and_the_files_of_a_skill() {
        let (dir, _) = workspace(&[
            ("a/SKILL.md", "---\nname: Art\n---\nhow to paint"),
            ("a/references/style.md", "bold"),
            ("a/data.bin", "\0\0"),
            (
                "off/SKILL.md",
                "---\nmetadata: {openclaw: {os: [beos]}}\n---\nx",
            ),
        ]);
        let loader = loader(dir.path()).await;
        let load = async |name: &str, file: Option<&str>| {
            loader.load(name.to_owned(), file.map(str::to_owned)).await
        };
        for name in ["Art", "a", " Art "] {
            let loaded = load(name, None).await.unwrap();
            assert_eq!(
                (loaded.name.as_str(), loaded.content.as_str()),
                ("Art", "how to paint")
            );
            assert_eq!(loaded.files, ["data.bin", "references/style.md"]);
        }
        let style = load("Art", Some("references/style.md")).await.unwrap();
        assert_eq!(
            (style.file.as_str(), style.content.as_str()),
            ("references/style.md", "bold")
        );
        for (name, file, part) in [
            ("none", None, "there are Art"),
            ("off", None, "needs beos"),
            ("Art", Some("none.md"), "references/style.md"),
            ("Art", Some("data.bin"), "no text file"),
            ("Art", Some("references"), "no text file"),
        ] {
            let refusal = load(name, file).await.unwrap_err();
            assert!(refusal.contains(part), "{name} {file:?}: {refusal}");
        }
    }

    #[tokio::test]
    async fn nothing_beyond_the_skills_own_folder_is_read() {
        let (dir, _) = workspace(&[
            ("a/SKILL.md", "a"),
            ("b/SKILL.md", "b"),
            ("b/own.md", "own"),
        ]);
        write(&dir.path().join("AGENTS.md"), "rules");
        let secret = dir.path().join("secret.md");
        write(&secret, "secret");
        #[cfg(unix)]
        std::os::unix::fs::symlink(&secret, dir.path().join("skills/a/link.md")).unwrap();
        let loader = loader(dir.path()).await;
        let absolute = secret.to_str().unwrap();
        for file in [
            "../b/own.md",
            "../../AGENTS.md",
            "link.md",
            absolute,
            "/etc/passwd",
            "..",
            "./../b/SKILL.md",
        ] {
            let read = loader.load("a".to_owned(), Some(file.to_owned())).await;
            assert!(read.is_err(), "{file}: {read:?}");
        }
        let twisted = loader
            .load("b".to_owned(), Some("../b/own.md".to_owned()))
            .await;
        assert_eq!(twisted.unwrap().content, "own");
        assert!(loader.load("../b".to_owned(), None).await.is_err());
    }

    #[tokio::test]
    async fn a_long_file_is_cut() {
        let long = "x".repeat(30_000);
        let (dir, _) = workspace(&[("a/SKILL.md", "a"), ("a/long.md", &long)]);
        let loader = loader(dir.path()).await;
        let loaded = loader
            .load("a".to_owned(), Some("long.md".to_owned()))
            .await
            .unwrap();
        assert_eq!(loaded.content.chars().count(), crate::MAX_FILE_CHARS);
    }
}
