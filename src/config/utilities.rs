//! Settings of the programs that talk to other people's servers (agent-runtime §§12–13).
//!
//! They take secrets from the environment alone, unless the data directory of a server is named
//! with a flag: what that server made up for itself must not be sent to anybody else's by accident.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use stationmaster_credentials::{Algorithm, Minter, Secret, TokenKey};
use stationmaster_utilities::Pace;

use super::dispatch::{self, GivenPace, PATIENCE};
use super::secrets;
use super::source::Source;

const BACKEND_URL: &str = "http://localhost:8000";
const DAEMON_URL: &str = "http://localhost:8081";

/// What is said in the environment, and in a data directory that the command line names.
#[derive(Debug)]
pub(crate) struct UtilitySettings(Source);

impl UtilitySettings {
    pub(crate) fn load(data_dir: Option<&Path>) -> Result<Self> {
        let mut source = Source::environment()?;
        if let Some(directory) = data_dir {
            if !directory.is_dir() {
                bail!("{} is not a directory", directory.display());
            }
            source = source
                .over(Source::file(&directory.join(super::FILE))?)
                .over(Source::file(&directory.join(secrets::FILE))?);
        }
        Ok(Self(source))
    }

    pub(crate) fn log_filter(&self) -> Option<String> {
        self.0
            .text("STATIONMASTER_LOG")
            .or_else(|| self.0.text("RUST_LOG"))
    }

    pub(crate) fn backend_url(&self, given: Option<String>) -> String {
        self.or(given, "BACKEND_URL")
            .unwrap_or_else(|| BACKEND_URL.to_owned())
    }

    pub(crate) fn daemon_url(&self, given: Option<String>) -> String {
        self.or(given, "AGENT_DAEMON_URL")
            .unwrap_or_else(|| DAEMON_URL.to_owned())
    }

    pub(crate) fn user_id(&self, given: Option<String>) -> Option<String> {
        self.or(given, "USER_ID")
    }

    pub(crate) fn agent_role(&self, given: Option<String>) -> String {
        self.or(given, "AGENT_ROLE")
            .unwrap_or_else(|| "agent".to_owned())
    }

    pub(crate) fn timezone(&self, given: Option<String>) -> String {
        self.or(given, "STANDUP_TIMEZONE")
            .unwrap_or_else(|| "UTC".to_owned())
    }

    pub(crate) fn default_task(&self) -> Option<String> {
        self.0.seed("DEFAULT_TASK")
    }

    pub(crate) fn workspace(&self) -> PathBuf {
        self.0
            .seed("WORKSPACE")
            .map_or_else(|| PathBuf::from("workspace"), PathBuf::from)
    }

    pub(crate) fn daemon_key(&self) -> Option<Secret> {
        self.secret(&["AGENT_DAEMON_API_KEY"])
    }

    pub(crate) fn internal_token(&self) -> Option<Secret> {
        self.secret(&["INTERNAL_API_TOKEN", "INTERNAL_TOKEN"])
    }

    /// Mints the tokens of agents.
    pub(crate) fn minter(&self) -> Result<Minter> {
        let secret = self.secret(&["AGENT_JWT_SECRET", "JWT_SECRET"]).context(
            "no token can be made without the backend's secret: set AGENT_JWT_SECRET to its value, in the \
             environment or in a .env file, or name the data directory of a server on this machine with --data-dir",
        )?;
        let algorithm: Algorithm = match self.0.text("AGENT_JWT_ALGORITHM") {
            None => Algorithm::Hs256,
            Some(name) => name
                .parse()
                .map_err(|error| anyhow::anyhow!("AGENT_JWT_ALGORITHM: {error}"))?,
        };
        Ok(Minter::new(TokenKey::new(&secret, algorithm)))
    }

    pub(crate) fn pace(&self, given: &GivenPace) -> Result<Pace> {
        dispatch::pace(&self.0, given, PATIENCE)
    }

    fn or(&self, given: Option<String>, name: &str) -> Option<String> {
        given
            .filter(|text| !text.trim().is_empty())
            .or_else(|| self.0.text(name))
    }

    fn secret(&self, names: &[&str]) -> Option<Secret> {
        let text = names.iter().find_map(|name| self.0.text(name))?;
        Secret::new(&text)
    }
}
