//! Options that several commands share.

use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::Args;
use stationmaster_peer::{Peer, PeerConfig};

use crate::config::{Given, Settings, UtilitySettings};
use crate::logs;

/// Where and how a server runs.
#[derive(Debug, Args)]
pub(crate) struct ServerOptions {
    /// Address to listen on; may be repeated [default: 127.0.0.1:3100]
    #[arg(long, value_name = "ADDR")]
    listen: Vec<String>,
    /// Listen on the ports of the five systems too: 8000, 8081, 3305 and 8080
    #[arg(long)]
    seed_ports: bool,
    #[command(flatten)]
    data: DataOptions,
    /// PostgreSQL URL; without it an embedded database in the data directory is used
    #[arg(long, value_name = "URL")]
    database: Option<String>,
    /// Leave parts out: runtime, dispatcher
    #[arg(long, value_name = "PART", value_delimiter = ',')]
    without: Vec<String>,
    /// File with an offset in milliseconds that moves the clock, for tests; loopback only
    #[arg(long, value_name = "FILE")]
    test_clock: Option<PathBuf>,
    /// Serve the fixtures of the MCP conformance suite at /mcp too
    #[arg(long)]
    conformance: bool,
}

/// Where things are kept.
#[derive(Debug, Args)]
pub(crate) struct DataOptions {
    /// Directory for the database, secrets and settings [default: ~/.local/share/stationmaster]
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
}

impl DataOptions {
    /// The settings as they are without a server's options.
    pub(crate) fn settings(self) -> Result<Settings> {
        Settings::load(Given {
            data_dir: self.data_dir,
            ..Given::default()
        })
    }
}

impl ServerOptions {
    pub(crate) fn settings(self) -> Result<Settings> {
        Settings::load(Given {
            listen: self.listen,
            seed_ports: self.seed_ports,
            data_dir: self.data.data_dir,
            database: self.database,
            without: self.without,
            test_clock: self.test_clock,
            conformance: self.conformance,
        })
    }
}

/// Who calls which backend.
#[derive(Debug, Args)]
pub(crate) struct UtilityOptions {
    /// The agent that calls [env: AGENT_ROLE] [default: agent]
    #[arg(long, value_name = "ROLE")]
    pub(super) role: Option<String>,
    /// The backend [env: BACKEND_URL] [default: http://localhost:8000]
    #[arg(long, value_name = "URL")]
    backend_url: Option<String>,
    /// Take settings and secrets of the server that keeps its data there
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
}

impl UtilityOptions {
    /// Reads the settings and starts logging.
    pub(super) fn settings(&self) -> Result<UtilitySettings> {
        let settings = UtilitySettings::load(self.data_dir.as_deref())?;
        logs::start(settings.log_filter().as_deref(), "warn");
        Ok(settings)
    }

    pub(super) fn backend(&self, settings: &UtilitySettings) -> Result<Peer> {
        let url = settings.backend_url(self.backend_url.clone());
        Peer::new(&PeerConfig::new("backend", url)).context("BACKEND_URL")
    }
}

/// Runs to its end what needs no more than one thread.
pub(super) fn wait_for(work: impl Future<Output = Result<()>>) -> Result<()> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("starting the runtime")?
        .block_on(work)
}
