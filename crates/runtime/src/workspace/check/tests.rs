use std::path::Path;

use super::*;

fn write(dir: &Path, name: &str, text: impl AsRef<[u8]>) {
    let path = dir.join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

/// The problems as `severity file:line`, with a part of each message.
fn check(dir: &Path, roles: &[&str], expected: &[(&str, &str)]) {
    let roles: Vec<Handle> = roles.iter().map(|role| role.parse().unwrap()).collect();
    let found = Workspace::new(dir).check(&roles);
    let told: Vec<String> = found
        .iter()
        .map(|it| match it.line {
            Some(line) => format!("{:?} {}:{line}", it.severity, it.file),
            None => format!("{:?} {}", it.severity, it.file),
        })
        .collect();
    let places: Vec<&str> = expected.iter().map(|(place, _)| *place).collect();
    assert_eq!(told, places, "{found:#?}");
    for (problem, (_, part)) in found.iter().zip(expected) {
        assert!(problem.message.contains(part), "{problem:?}");
    }
}

#[test]
fn a_good_workspace_has_no_problem() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), "SOUL.md", "soul");
    write(dir.path(), "souls/coach.md", "coach");
    write(dir.path(), "memory/2026-11-21.md", "x");
    write(
        dir.path(),
        "skills/a/SKILL.md",
        "---\ndescription: x\n---\nbody",
    );
    check(dir.path(), &["coach"], &[]);
}

#[test]
fn every_problem_has_its_place() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), "SOUL.md", b"one\ntwo \xff");
    write(
        dir.path(),
        "AGENTS.md",
        format!("\n\n{}", "x\n".repeat(10_001)),
    );
    fs::create_dir(dir.path().join("TOOLS.md")).unwrap();
    write(dir.path(), "souls/bad role.md", "x");
    write(dir.path(), "souls/mute.md", "\n");
    write(dir.path(), "souls/notes.txt", "x");
    write(dir.path(), "memory/today.md", "x");
    write(dir.path(), "memory/2026-13-01.md", "x");
    write(
        dir.path(),
        "skills/broken/SKILL.md",
        "---\nname: x\nname: y\n---\n",
    );
    write(
        dir.path(),
        "skills/gated/SKILL.md",
        "---\nmetadata: {openclaw: {requires: {env: [K]}}}\n---\n",
    );
    write(dir.path(), "skills/none/README.md", "x");
    write(
        dir.path(),
        "skills/one/SKILL.md",
        "---\nname: same\ndescription: x\n---\nx",
    );
    write(dir.path(), "skills/two/SKILL.md", "---\nname: same\n---\nx");
    check(
        dir.path(),
        &["ghost"],
        &[
            ("Error SOUL.md:2", "not UTF-8"),
            ("Error AGENTS.md:10003", "20000 characters"),
            ("Error TOOLS.md", "not a file"),
            ("Error souls/bad role.md", "cannot be a role"),
            ("Warning souls/notes.txt", "ROLE.md"),
            ("Warning souls/ghost.md", "is told SOUL.md"),
            ("Warning souls/mute.md", "is told SOUL.md"),
            ("Warning memory/2026-13-01.md", "YYYY-MM-DD"),
            ("Warning memory/today.md", "YYYY-MM-DD"),
            ("Warning skills/none", "holds no SKILL.md"),
            ("Error skills/broken/SKILL.md:3", ""),
            ("Warning skills/gated/SKILL.md", "environment variable K"),
            ("Warning skills/two/SKILL.md", "no description"),
            ("Warning skills/two/SKILL.md", "skills/one/SKILL.md"),
        ],
    );
}

#[test]
fn what_is_wrong_with_mcp_servers_is_told() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), "SOUL.md", "soul");
    write(
        dir.path(),
        "mcp.json",
        "{\"mcpServers\": {\n\"good\": {\"command\": \"x\", \"icon\": \"y\"},\n\"a b\": {\"command\": \"x\"},\n\n\"odd\": {\"args\": []}}}",
    );
    check(
        dir.path(),
        &[],
        &[
            (
                "Warning mcp.json:2",
                "\"good\": nothing reads its member \"icon\"",
            ),
            ("Error mcp.json:3", "\"a b\": the name"),
            ("Error mcp.json:5", "\"odd\": must have either"),
        ],
    );
    write(dir.path(), "mcp.json", "{\n\"mcpServers\": {,}}");
    check(dir.path(), &[], &[("Error mcp.json:2", "is not JSON")]);
}

#[test]
fn a_folder_that_is_not_there_is_an_error() {
    check(
        Path::new("/nonexistent/workspace"),
        &[],
        &[("Error .", "no such folder")],
    );
    let dir = tempfile::tempdir().unwrap();
    check(dir.path(), &[], &[("Warning SOUL.md", "is missing")]);
}

#[cfg(unix)]
#[test]
fn what_leads_out_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let outside = tempfile::tempdir().unwrap();
    write(outside.path(), "SKILL.md", "x");
    write(dir.path(), "SOUL.md", "x");
    fs::create_dir(dir.path().join("skills")).unwrap();
    std::os::unix::fs::symlink(outside.path(), dir.path().join("skills/far")).unwrap();
    check(
        dir.path(),
        &[],
        &[("Error skills/far/SKILL.md", "leads out")],
    );
}
