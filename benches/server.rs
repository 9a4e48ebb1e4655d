//! The program under measurement, on a data directory of its own.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};
use stationmaster_credentials::{Algorithm, Minter, Secret, TokenKey};

use crate::load::Request;
use crate::process::{Process, Told};

/// The tenant that everything is made for.
pub(crate) const TENANT: &str = "bench";
const TASKS: &str = "/api/mission-control/tasks";
const TOKEN: &str = "x-agent-token";

/// A running server with the settings that anybody gets, logs at their usual level included.
pub(crate) struct Server {
    process: Process,
    address: SocketAddr,
    token: String,
    admin_token: String,
}

impl Server {
    /// Starts it on a directory, fresh or used, and waits until it listens.
    pub(crate) fn start(directory: &Path, settings: &[(&str, &str)]) -> Result<Self> {
        fs::create_dir_all(directory)?;
        let mut command = Command::new(env!("CARGO_BIN_EXE_stationmaster"));
        command
            .args(["serve", "--listen", "127.0.0.1:0", "--data-dir"])
            .arg(directory)
            .env_clear()
            .envs(settings.iter().copied())
            // Away from any .env of the developer's.
            .current_dir(directory);
        let (process, address) = start(command, directory)?;
        Ok(Self {
            process,
            address,
            token: agent_token(directory)?,
            admin_token: secret(directory, "mc_admin_token")?,
        })
    }

    /// What an operator's requests carry.
    pub(crate) fn operator(&self) -> String {
        format!("Bearer {}", self.admin_token)
    }

    pub(crate) fn id(&self) -> u32 {
        self.process.id()
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Makes a task of a plain body.
    pub(crate) fn create_task(&self) -> Request {
        let body = r#"{"title":"Write the report of the week"}"#;
        Request::post(TASKS, &[(TOKEN, &self.token)], body)
    }

    /// Makes a task that nobody has begun.
    pub(crate) fn create_inbox_task(&self) -> Request {
        let body = r#"{"title":"Write the report of the week","status":"pending"}"#;
        Request::post(TASKS, &[(TOKEN, &self.token)], body)
    }

    /// The same with an idempotency key, each time another.
    pub(crate) fn create_task_once(&self) -> Request {
        let body = format!(
            r#"{{"title":"Write the report of the week","idempotency_key":"bench-{}"}}"#,
            crate::load::NUMBER
        );
        Request::post(TASKS, &[(TOKEN, &self.token)], &body)
    }

    /// Says something in a task's thread as a person does, which wakes the agent whose task it is.
    pub(crate) fn say(&self, task: &str) -> Request {
        let body = format!(r#"{{"task_id":"{task}","content":"Go on","actor_type":"user"}}"#);
        let path = "/api/mission-control/messages";
        Request::post(path, &[(TOKEN, &self.token)], &body)
    }

    /// The newest 50 tasks.
    pub(crate) fn list_tasks(&self) -> Request {
        Request::get(&format!("{TASKS}?limit=50"), &[(TOKEN, &self.token)])
    }
}

/// Starts a program that prints where it listens.
pub(crate) fn start(command: Command, directory: &Path) -> Result<(Process, SocketAddr)> {
    let log = directory.join("bench.log");
    let (process, line) = Process::start(command, &log, Told::Output, "http://")?;
    let address = line
        .split_once("http://")
        .and_then(|(_, address)| address.trim().parse().ok())
        .with_context(|| format!("no address in {line:?}"))?;
    Ok((process, address))
}

/// A secret that the server made for itself.
fn secret(directory: &Path, name: &str) -> Result<String> {
    let secrets: toml::Table = fs::read_to_string(directory.join("secrets.toml"))?.parse()?;
    let secret = secrets.get(name).and_then(|secret| secret.as_str());
    Ok(secret
        .with_context(|| format!("the server's {name}"))?
        .to_owned())
}

fn agent_token(directory: &Path) -> Result<String> {
    let secret = Secret::new(&secret(directory, "agent_jwt_secret")?)
        .context("the server's secret for agents' tokens")?;
    let minter = Minter::new(TokenKey::new(&secret, Algorithm::Hs256));
    Ok(minter.mint(TENANT, "writer")?)
}
