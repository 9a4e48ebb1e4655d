use std::fs;

use super::*;

const TIME: &str =
    "## Current Time\n\n- Date: Saturday, November 21, 2026\n- Time: 1:05 PM\n- Timezone: UTC";

fn request(role: &str) -> PromptRequest {
    PromptRequest {
        role: role.parse().unwrap(),
        system_prompt: None,
        timezone: None,
        now: "2026-11-21T13:05:09Z".parse().unwrap(),
        is_heartbeat: false,
        can_load_skills: true,
    }
}

fn workspace(files: &[(&str, &str)]) -> (tempfile::TempDir, Workspace) {
    let dir = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let path = dir.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    let workspace = Workspace::new(dir.path())
        .with_default_timezone("UTC")
        .unwrap();
    (dir, workspace)
}

/// The prompt without its time block, which every one of them has.
async fn check(files: &[(&str, &str)], role: &str, expected: &str) {
    let (_dir, workspace) = workspace(files);
    let prompt = workspace.prompt(request(role)).await.unwrap().text();
    assert_eq!(prompt, format!("{expected}\n\n{TIME}"), "{files:?}");
}

#[tokio::test]
async fn every_file_has_its_place() {
    let files = [
        ("SOUL.md", "the soul"),
        ("AGENTS.md", "\n\nthe rules\n"),
        ("IDENTITY.md", "the identity"),
        ("TOOLS.md", "the tools"),
        ("USER.md", "the user"),
        ("BOOT.md", "the boot"),
        ("HEARTBEAT.md", "only on heartbeats"),
        ("skills/zip/SKILL.md", "how to zip"),
        (
            "skills/art/SKILL.md",
            "---\nname: Art\nmetadata: {openclaw: {emoji: \"🎨\"}}\n---\n\nhow to paint\n",
        ),
        ("MEMORY.md", "the long term"),
        ("memory/2026-11-20.md", "the day before"),
        ("memory/2026-11-21.md", "the day"),
        ("memory/2026-11-19.md", "too long ago"),
    ];
    let expected = "the soul\n\n## Operating Rules\n\nthe rules\n\n## Identity\n\nthe identity\n\n\
        ## Tools\n\nthe tools\n\n## User\n\nthe user\n\n## Boot\n\nthe boot\n\n\
        ## Skills\n\n### 🎨 Art\n\nhow to paint\n\n---\n\n### zip\n\nhow to zip\n\n\
        ## Recent Memory\n\n### Long-term Memory\n\nthe long term\n\n\
        ### Yesterday (2026-11-20)\n\nthe day before\n\n### Today (2026-11-21)\n\nthe day";
    check(&files, "agent", expected).await;
}

#[tokio::test]
async fn what_is_missing_leaves_no_trace() {
    let nobody = "You are jarvis, a helpful assistant.";
    check(&[], "jarvis", nobody).await;
    check(&[("SOUL.md", "  \n")], "jarvis", nobody).await;
    check(
        &[("AGENTS.md", "rules")],
        "jarvis",
        "## Operating Rules\n\nrules",
    )
    .await;
    let remembered = format!("{nobody}\n\n## Recent Memory\n\n### Long-term Memory\n\nfacts");
    check(&[("MEMORY.md", "facts")], "jarvis", &remembered).await;
}

#[tokio::test]
async fn a_role_has_its_own_soul_unless_it_is_empty() {
    let files = [
        ("SOUL.md", "common"),
        ("souls/coach.md", "coach"),
        ("souls/mute.md", "\n"),
    ];
    check(&files, "coach", "coach").await;
    check(&files, "mute", "common").await;
    check(&files, "other", "common").await;
}

#[tokio::test]
async fn boot_is_told_until_it_is_complete() {
    let files = [
        ("SOUL.md", "soul"),
        ("BOOT.md", "first steps"),
        (".boot-complete", ""),
    ];
    check(&files[..2], "agent", "soul\n\n## Boot\n\nfirst steps").await;
    check(&files, "agent", "soul").await;
}

#[tokio::test]
async fn the_callers_prompt_replaces_all_but_the_time() {
    let (_dir, workspace) = workspace(&[("SOUL.md", "soul"), ("MEMORY.md", "facts")]);
    let request = PromptRequest {
        system_prompt: Some(" be brief ".to_owned()),
        ..request("agent")
    };
    assert_eq!(
        workspace.prompt(request.clone()).await.unwrap().text(),
        format!("be brief\n\n{TIME}")
    );
    let timeless = workspace.with_time(false);
    assert_eq!(timeless.prompt(request).await.unwrap().text(), "be brief");
}

#[tokio::test]
async fn the_callers_zone_tells_the_time_and_the_workspaces_the_day() {
    let (_dir, workspace) = workspace(&[("memory/2026-11-21.md", "here")]);
    let there = |zone: &str| PromptRequest {
        timezone: Some(zone.to_owned()),
        now: "2026-11-21T23:00:00Z".parse().unwrap(),
        ..request("agent")
    };
    let prompt = workspace.prompt(there("Asia/Tokyo")).await.unwrap().text();
    assert!(
        prompt.contains("### Today (2026-11-21)\n\nhere"),
        "{prompt}"
    );
    assert!(
        prompt.contains("- Date: Sunday, November 22, 2026\n- Time: 8:00 AM"),
        "{prompt}"
    );
    let error = workspace.prompt(there("Nowhere")).await.err().unwrap();
    assert_eq!(error, WorkspaceError::UnknownTimezone("Nowhere".to_owned()));
}

#[tokio::test]
async fn a_missing_folder_is_an_empty_one() {
    let workspace = Workspace::new("/nonexistent/workspace").with_time(false);
    let prompt = workspace.prompt(request("agent")).await.unwrap().text();
    assert_eq!(prompt, "You are agent, a helpful assistant.");
}

#[tokio::test]
async fn a_heartbeat_is_told_rules_tools_and_what_to_look_after() {
    let files = [
        ("SOUL.md", "soul"),
        ("AGENTS.md", "rules"),
        ("TOOLS.md", "hammer"),
        ("USER.md", "user"),
        ("BOOT.md", "boot"),
        ("HEARTBEAT.md", "look at the mail"),
        ("MEMORY.md", "facts"),
        ("skills/a/SKILL.md", "---\nname: a\n---\nbody"),
    ];
    let heartbeat = PromptRequest {
        is_heartbeat: true,
        ..request("agent")
    };
    let (_dir, full) = workspace(&files);
    let prompt = full.prompt(heartbeat.clone()).await.unwrap();
    let expected =
        "## Operating Rules\n\nrules\n\n## Tools\n\nhammer\n\n## Heartbeat\n\nlook at the mail";
    assert_eq!(prompt.text(), format!("{expected}\n\n{TIME}"));
    assert!(!prompt.offers_skills());
    let (_dir, empty) = workspace(&files[..1]);
    let prompt = empty.prompt(heartbeat).await.unwrap().text();
    assert!(
        prompt.starts_with("You are agent, a helpful assistant."),
        "{prompt}"
    );
}

#[tokio::test]
async fn the_report_counts_what_is_told() {
    let long = "x".repeat(20_001);
    let (_dir, workspace) = workspace(&[
        ("SOUL.md", " soul "),
        ("souls/coach.md", "the coach"),
        ("AGENTS.md", &long),
        ("HEARTBEAT.md", "beat"),
        ("MEMORY.md", "facts"),
    ]);
    let now = request("coach").now;
    let report = workspace
        .context("coach".parse().unwrap(), now)
        .await
        .unwrap();
    let told: Vec<_> = report
        .files
        .iter()
        .filter(|it| it.exists)
        .map(|it| {
            (
                it.name.as_str(),
                it.raw_characters,
                it.injected_characters,
                it.is_truncated,
            )
        })
        .collect();
    assert_eq!(
        told,
        [
            ("souls/coach.md", 9, 9, false),
            ("SOUL.md", 6, 0, false),
            ("AGENTS.md", 20_001, 20_000, true),
            ("HEARTBEAT.md", 4, 0, false),
            ("MEMORY.md", 5, 5, false),
        ]
    );
    let lasting = "the coach\n\n## Operating Rules\n\n".len() + 20_000;
    assert_eq!(report.prompt_characters, lasting);
    let glance = workspace.glance().await.unwrap();
    assert!(
        glance.exists && glance.is_booted && glance.skills == 0,
        "{glance:?}"
    );
}
