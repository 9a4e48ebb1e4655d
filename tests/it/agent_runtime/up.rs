//! `stationmaster up`: the first minutes of a newcomer (design §8).

use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};

use serde_json::Value;
use stationmaster_testkit::server::program;
use tempfile::TempDir;

use crate::support::process;
use crate::support::wait::eventually;

/// A program whose output is read as it comes.
struct Running {
    child: Child,
    lines: Arc<Mutex<Vec<String>>>,
}

impl Running {
    fn up(directory: &Path, environment: &[(&str, &str)]) -> Self {
        let mut child = Command::new(program(env!("CARGO_BIN_EXE_stationmaster")))
            .args(["up", "--listen", "127.0.0.1:0", "--data-dir"])
            .arg(directory)
            .env_clear()
            .envs(environment.iter().copied())
            .current_dir(directory)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()
            .unwrap();
        let lines: Arc<Mutex<Vec<String>>> = Arc::default();
        let (output, told) = (child.stdout.take().unwrap(), lines.clone());
        std::thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                told.lock().unwrap().push(line);
            }
        });
        Self { child, lines }
    }

    fn lines(&self) -> Vec<String> {
        self.lines.lock().unwrap().clone()
    }

    /// The first line with this text, as soon as there is one.
    async fn line(&self, text: &str) -> String {
        eventually(text, async || {
            self.lines().into_iter().find(|line| line.contains(text))
        })
        .await
    }

    /// Tells it to stop; gives its exit code and everything that it said.
    async fn stop(mut self, signal: &str) -> (Option<i32>, Vec<String>) {
        let id = self.child.id().to_string();
        let told = Command::new("kill").args([signal, &id]).status().unwrap();
        assert!(told.success());
        let status = eventually("it ends", async || self.child.try_wait().unwrap()).await;
        (status.code(), self.lines())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The request that a printed `curl` makes: its address and its body.
fn curl(lines: &[String]) -> (String, Value) {
    let at = lines
        .iter()
        .position(|line| line.contains("curl "))
        .unwrap();
    let command = lines[at..].join("\n");
    let address = command
        .split_whitespace()
        .find(|word| word.starts_with("http://"))
        .unwrap();
    let body = command.split('\'').find(|part| part.starts_with('{'));
    (
        address.to_owned(),
        serde_json::from_str(body.unwrap()).unwrap(),
    )
}

async fn post(address: &str, body: &Value) -> Value {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = reqwest::Client::builder()
        .no_proxy()
        .tls_certs_only([])
        .build();
    let response = client
        .unwrap()
        .post(address)
        .json(body)
        .send()
        .await
        .unwrap();
    assert_eq!(response.status().as_u16(), 200);
    response.json().await.unwrap()
}

#[tokio::test]
async fn a_newcomer_sees_a_crew_at_work_without_configuring_anything() {
    let directory = TempDir::new().unwrap();
    let up = Running::up(directory.path(), &[]);
    let mut places = Vec::new();
    // In the order in which things happen.
    for text in [
        "stationmaster listens on http://127.0.0.1:",
        "demo",
        "admin      mc_adm_",
        "curl -s http://127.0.0.1:",
        "created \"",
        "thinks with",
        "uses create_document",
        "replied: ",
        "done: ",
    ] {
        let line = up.line(text).await;
        places.push(up.lines().iter().position(|it| *it == line).unwrap());
    }
    assert!(places.is_sorted(), "{places:?}: {:#?}", up.lines());
    let (code, lines) = up.stop("-TERM").await;
    assert_eq!(code, Some(0));
    let secrets = lines.iter().filter(|line| line.contains("mc_adm_"));
    assert_eq!(secrets.count(), 1, "shown once: {lines:#?}");
}

#[tokio::test]
async fn the_request_that_is_printed_works() {
    let directory = TempDir::new().unwrap();
    let up = Running::up(directory.path(), &[]);
    up.line("What the crew does").await;
    let (address, body) = curl(&up.lines());
    let answer = post(&address, &body).await;
    assert_eq!(answer["status"], "ok");
    let reply = answer["response"].as_str().unwrap();
    assert!(reply.contains("demo"), "it names itself: {reply}");
    assert_eq!(answer["cost"]["totalCost"], 0.0);
    // It shows in the timeline too.
    let title = body["task_title"].as_str().unwrap();
    up.line(&format!("created \"{title}\"")).await;
}

#[tokio::test]
async fn the_second_run_on_a_directory_works_and_keeps_its_secrets_to_itself() {
    let directory = TempDir::new().unwrap();
    let up = Running::up(directory.path(), &[]);
    up.line("done: ").await;
    let (code, first) = up.stop("-INT").await;
    assert_eq!(code, Some(0));
    let token = first
        .iter()
        .find_map(|line| line.split_whitespace().find(|it| it.starts_with("mc_adm_")))
        .expect("the token is printed the first time");

    let up = Running::up(directory.path(), &[]);
    up.line("What the crew does").await;
    let (address, body) = curl(&up.lines());
    let answer = post(&address, &body).await;
    up.line("done: ").await;
    let (code, second) = up.stop("-TERM").await;
    assert_eq!(code, Some(0));
    for line in &second {
        assert!(!line.contains(token) && !line.contains("mc_adm_"), "{line}");
    }
    assert!(
        !second.iter().any(|line| line.contains("Welcome aboard")),
        "the first task is given once: {second:#?}"
    );
    assert!(answer["task_id"].is_string());
    // Nothing that a person wrote into the workspace or the settings is written over.
    let workspace = directory.path().join("workspace");
    assert!(workspace.join("AGENTS.md").is_file());
    std::fs::write(workspace.join("AGENTS.md"), "Mine.").unwrap();
    let up = Running::up(directory.path(), &[]);
    up.line("What the crew does").await;
    assert_eq!(up.stop("-TERM").await.0, Some(0));
    let kept = std::fs::read_to_string(workspace.join("AGENTS.md")).unwrap();
    assert_eq!(kept, "Mine.");
}

#[tokio::test]
async fn a_second_one_beside_it_is_refused_by_name() {
    let directory = TempDir::new().unwrap();
    let up = Running::up(directory.path(), &[]);
    up.line("What the crew does").await;
    let data = directory.path().to_str().unwrap();
    let arguments = ["up", "--listen", "127.0.0.1:0", "--data-dir", data];
    let second = process::run(directory.path(), &[], &arguments);
    assert_eq!(second.code, 1, "{second:?}");
    let holder = format!("process {}", up.child.id());
    assert!(
        second.stderr.contains(data) && second.stderr.contains(&holder),
        "{second:?}"
    );
    assert!(!second.stdout.contains("mc_adm_"), "{second:?}");
    let (address, body) = curl(&up.lines());
    post(&address, &body).await;
    assert_eq!(up.stop("-TERM").await.0, Some(0));
}

#[tokio::test]
async fn a_model_that_costs_money_is_not_asked_unless_somebody_asks() {
    let model = stationmaster_testkit::model::StubModel::start();
    let directory = TempDir::new().unwrap();
    let base = model.base_url();
    let environment = [("OPENAI_BASE_URL", base.as_str())];
    let up = Running::up(directory.path(), &environment);
    up.line("What the crew does").await;
    let (address, body) = curl(&up.lines());
    assert_eq!(post(&address, &body).await["response"], body["message"]);
    up.line("done: ").await;
    assert_eq!(up.stop("-TERM").await.0, Some(0));
    assert_eq!(model.request_count(), 1);
}

#[tokio::test]
async fn everything_in_the_data_directory_is_its_owners_alone() {
    let directory = TempDir::new().unwrap();
    let up = Running::up(directory.path(), &[]);
    up.line("done: ").await;
    let mut seen = 0;
    let mut left = vec![directory.path().to_owned()];
    while let Some(path) = left.pop() {
        let metadata = std::fs::metadata(&path).unwrap();
        let mode = metadata.permissions().mode() & 0o077;
        assert_eq!(mode, 0, "{} is {mode:o} to others", path.display());
        if metadata.is_dir() {
            let entries = std::fs::read_dir(&path).unwrap();
            left.extend(entries.map(|entry| entry.unwrap().path()));
        }
        seen += 1;
    }
    assert!(seen > 8, "{seen}");
}

#[tokio::test]
async fn the_printed_request_names_the_key_where_one_is_needed() {
    let directory = TempDir::new().unwrap();
    let up = Running::up(directory.path(), &[("AGENT_DAEMON_API_KEY", "sesame")]);
    up.line("What the crew does").await;
    let lines = up.lines().join("\n");
    assert!(lines.contains("X-Agent-Daemon-Key"), "{lines}");
    assert!(!lines.contains("sesame"), "{lines}");
    let (address, body) = curl(&up.lines());
    let client = reqwest::Client::builder().no_proxy().tls_certs_only([]);
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = client.build().unwrap();
    for (key, status) in [("", 403), ("sesame", 200)] {
        let request = client.post(&address).header("X-Agent-Daemon-Key", key);
        let response = request.json(&body).send().await.unwrap();
        assert_eq!(response.status().as_u16(), status);
    }
}
