//! The README's line that puts `mc` in the place of the npm package.

use std::path::Path;

use tempfile::TempDir;
use tokio::process::Command;

/// What the README says, word for word.
const LINE: &str = "cargo install --path . --locked";

/// Whether the tests run against the release build (see `./test`).
#[expect(
    clippy::disallowed_methods,
    reason = "a test is told so in its environment"
)]
fn is_release() -> bool {
    std::env::var_os("STATIONMASTER_BIN").is_some()
}

#[tokio::test]
async fn the_line_of_the_readme_installs_mc_under_both_names() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let readme = std::fs::read_to_string(root.join("README.md")).expect("the README");
    assert!(readme.contains(LINE), "the README has the line");
    let place = TempDir::new().expect("a directory");
    let mut words = LINE.split(' ');
    // Everything it is made of is here already; where it goes is the test's own directory.
    let output = Command::new(words.next().expect("a command"))
        .args(words)
        .args(["--offline", "--root"])
        .arg(place.path())
        // What was built for this run is what is installed; anything else would take minutes.
        .args(if is_release() { &[][..] } else { &["--debug"] })
        .current_dir(root)
        .output()
        .await
        .expect("cargo runs");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    for name in ["mc", "mission-control", "stationmaster"] {
        let output = Command::new(place.path().join("bin").join(name))
            .arg("--version")
            .output()
            .await
            .expect("it is there");
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(
            output.status.success() && said.contains(env!("CARGO_PKG_VERSION")),
            "{name}: {said}"
        );
    }
}
