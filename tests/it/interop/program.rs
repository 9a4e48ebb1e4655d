//! Our dispatcher as a program of its own.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};

use serde_json::Value;
use stationmaster_testkit::server::program;
use tempfile::TempDir;

use super::daemon::DAEMON_KEY;
use crate::support::api::INTERNAL_TOKEN;
use crate::support::process::{Outcome, run};
use crate::support::wait::eventually;

/// The environment of a dispatcher that is quick about everything.
pub(super) fn environment(backend: &str, daemon: &str) -> Vec<(String, String)> {
    [
        ("INTERNAL_API_TOKEN", INTERNAL_TOKEN),
        ("BACKEND_URL", backend),
        ("AGENT_DAEMON_URL", daemon),
        ("AGENT_DAEMON_API_KEY", DAEMON_KEY),
        ("DISPATCH_MIN_INTERVAL_SEC", "0.05"),
        ("DISPATCH_MAX_INTERVAL_SEC", "0.2"),
        ("DISPATCH_RETRY_DELAY_SEC", "0.1"),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .to_vec()
}

/// One tick of it, to its end.
pub(super) fn once(environment: &[(String, String)]) -> Outcome {
    let directory = TempDir::new().unwrap();
    let pairs: Vec<(&str, &str)> = environment
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    run(directory.path(), &pairs, &["dispatcher", "--once"])
}

/// A dispatcher at work; it is killed when dropped.
pub(super) struct Dispatcher {
    child: Child,
    ticks: Arc<Mutex<Vec<Value>>>,
    _directory: TempDir,
}

impl Dispatcher {
    pub(super) fn start(backend: &str, daemon: &str, more: &[(&str, &str)]) -> Self {
        let directory = TempDir::new().unwrap();
        let mut child = Command::new(program(env!("CARGO_BIN_EXE_stationmaster")))
            .arg("dispatcher")
            .env_clear()
            .envs(environment(backend, daemon))
            .envs(more.iter().copied())
            .current_dir(directory.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()
            .unwrap();
        let ticks = Arc::new(Mutex::new(Vec::new()));
        let (output, seen) = (child.stdout.take().unwrap(), ticks.clone());
        std::thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                let tick = serde_json::from_str(&line).expect("every line is JSON");
                seen.lock().unwrap().push(tick);
            }
        });
        Self {
            child,
            ticks,
            _directory: directory,
        }
    }

    pub(super) fn ticks(&self) -> Vec<Value> {
        self.ticks.lock().unwrap().clone()
    }

    /// The sum of a member over all ticks so far.
    pub(super) fn sum(&self, member: &str) -> u64 {
        let ticks = self.ticks();
        ticks.iter().filter_map(|it| it[member].as_u64()).sum()
    }

    /// Waits until so many more ticks have been told of.
    pub(super) async fn ticks_more(&self, number: usize) {
        let before = self.ticks().len();
        eventually("it goes on", async || {
            (self.ticks().len() >= before + number).then_some(())
        })
        .await;
    }

    pub(super) fn is_running(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// Asks it to stop (SIGTERM).
    pub(super) fn terminate(&self) {
        let id = self.child.id().to_string();
        let told = Command::new("kill").args(["-TERM", &id]).status().unwrap();
        assert!(told.success());
    }

    /// Waits for its end; its exit code.
    pub(super) async fn end(&mut self) -> i32 {
        let status = eventually("it ends", async || self.child.try_wait().unwrap()).await;
        status.code().unwrap_or(-1)
    }
}

impl Drop for Dispatcher {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
