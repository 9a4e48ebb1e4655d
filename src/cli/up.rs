//! `stationmaster up`

use anyhow::Result;
use clap::Args;

use super::options::ServerOptions;
use crate::{logs, serve};

/// Starts everything and shows what the crew does.
#[derive(Debug, Args)]
pub(super) struct Up {
    #[command(flatten)]
    server: ServerOptions,
}

impl Up {
    pub(super) fn run(self) -> Result<()> {
        let settings = self.server.settings()?;
        logs::start(settings.log_filter.as_deref(), "warn");
        serve::run(settings, |_| Ok(()))
    }
}
