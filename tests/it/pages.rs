//! The pages, in a real browser without a network.

use std::process::Command;

use stationmaster_testkit::server::{ServerBuilder, program};

const BROWSERS: [&str; 3] = ["chromium", "chromium-browser", "google-chrome"];

#[test]
fn the_api_page_shows_every_route_without_a_network() {
    let server = ServerBuilder::new(program(env!("CARGO_BIN_EXE_stationmaster"))).start();
    let profile = tempfile::tempdir().unwrap();
    let page = BROWSERS.iter().find_map(|browser| {
        let output = Command::new(browser)
            .args([
                "--headless",
                "--no-sandbox",
                "--disable-gpu",
                "--disable-quic",
                "--no-first-run",
            ])
            .args([
                "--disable-background-networking",
                "--disable-component-update",
                "--disable-sync",
            ])
            // Whatever is not this machine does not exist.
            .arg("--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1")
            .arg(format!("--user-data-dir={}", profile.path().display()))
            .args(["--virtual-time-budget=20000", "--dump-dom"])
            .arg(format!("{}/api-docs", server.url()))
            .output()
            .ok()?;
        Some(String::from_utf8_lossy(&output.stdout).into_owned())
    });
    let page = page.expect("a browser; Debian's package chromium has one");
    for shown in [
        "/api/agents/send",
        "/api/mission-control/tasks",
        "Make a task",
        "/health",
        "OAS 3.1",
    ] {
        assert!(page.contains(shown), "{shown} is not on the page: {page}");
    }
}
