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

/// What of the environment a person would have, too. The rest is what cargo tells a test of its package:
/// a build script that watches that (ring's does) would run again, and everything above it be built anew.
#[expect(
    clippy::disallowed_methods,
    reason = "the environment is what this test hands on"
)]
fn a_persons_environment() -> impl Iterator<Item = (&'static str, std::ffi::OsString)> {
    [
        "PATH",
        "HOME",
        "USER",
        "CARGO_HOME",
        "CARGO_TARGET_DIR",
        "RUSTUP_HOME",
        "RUSTUP_TOOLCHAIN",
    ]
    .into_iter()
    .filter_map(|name| Some((name, std::env::var_os(name)?)))
}

#[tokio::test]
async fn the_line_of_the_readme_installs_mc_under_both_names() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let readme = std::fs::read_to_string(root.join("README.md")).expect("the README");
    assert!(readme.contains(LINE), "the README has the line");
    let place = TempDir::new().expect("a directory");
    let mut words = LINE.split(' ');
    // Everything it is made of is here already; where it goes is the test's own directory.
    let mut install = Command::new(words.next().expect("a command"));
    install
        .args(words)
        .args(["--offline", "--root"])
        .arg(place.path())
        // What was built for this run is what is installed; anything else would take minutes.
        .args(if is_release() { &[][..] } else { &["--debug"] })
        .current_dir(root);
    install.env_clear().envs(a_persons_environment());
    let output = install.output().await.expect("cargo runs");
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
