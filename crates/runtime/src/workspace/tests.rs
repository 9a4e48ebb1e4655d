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
    let prompt = workspace.prompt(request(role)).await.unwrap();
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
        ("MEMORY.md", "the long term"),
        ("memory/2026-11-20.md", "the day before"),
        ("memory/2026-11-21.md", "the day"),
        ("memory/2026-11-19.md", "too long ago"),
    ];
    let expected = "the soul\n\n## Operating Rules\n\nthe rules\n\n## Identity\n\nthe identity\n\n\
        ## Tools\n\nthe tools\n\n## User\n\nthe user\n\n## Boot\n\nthe boot\n\n\
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
        workspace.prompt(request.clone()).await.unwrap(),
        format!("be brief\n\n{TIME}")
    );
    let timeless = workspace.with_time(false);
    assert_eq!(timeless.prompt(request).await.unwrap(), "be brief");
}

#[tokio::test]
async fn the_callers_zone_tells_the_time_and_the_workspaces_the_day() {
    let (_dir, workspace) = workspace(&[("memory/2026-11-21.md", "here")]);
    let there = |zone: &str| PromptRequest {
        timezone: Some(zone.to_owned()),
        now: "2026-11-21T23:00:00Z".parse().unwrap(),
        ..request("agent")
    };
    let prompt = workspace.prompt(there("Asia/Tokyo")).await.unwrap();
    assert!(
        prompt.contains("### Today (2026-11-21)\n\nhere"),
        "{prompt}"
    );
    assert!(
        prompt.contains("- Date: Sunday, November 22, 2026\n- Time: 8:00 AM"),
        "{prompt}"
    );
    let error = workspace.prompt(there("Nowhere")).await.unwrap_err();
    assert_eq!(error, WorkspaceError::UnknownTimezone("Nowhere".to_owned()));
}

#[tokio::test]
async fn a_missing_folder_is_an_empty_one() {
    let workspace = Workspace::new("/nonexistent/workspace").with_time(false);
    let prompt = workspace.prompt(request("agent")).await.unwrap();
    assert_eq!(prompt, "You are agent, a helpful assistant.");
}
