//! `stationmaster serve`

use anyhow::Result;
use clap::Args;

use super::options::ServerOptions;
use crate::{logs, serve};

/// Runs the server until it is told to stop (SIGTERM or Ctrl-C).
#[derive(Debug, Args)]
pub(super) struct Serve {
    #[command(flatten)]
    server: ServerOptions,
}

impl Serve {
    pub(super) fn run(self) -> Result<()> {
        let settings = self.server.settings()?;
        logs::start(settings.log_filter.as_deref(), "info");
        serve::run(&settings, None, async |started| {
            serve::say_how_it_thinks(started);
            serve::show_new_token(started.secrets);
            Ok(())
        })
    }
}
