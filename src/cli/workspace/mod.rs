//! `stationmaster workspace`: the files that agents work from, without a server.

mod check;
mod init;
mod show;

use std::path::PathBuf;

use anyhow::Result;
use clap::{Args, Subcommand};
use stationmaster_runtime::Workspace as Folder;

use super::options::DataOptions;
use crate::runtime;

#[derive(Debug, Subcommand)]
pub(super) enum Workspace {
    /// Write a workspace to start from; files that are there stay as they are
    Init(init::Init),
    /// Say what is wrong with a workspace; exits with 1 when something does not reach the agents
    Check(check::Check),
    /// Print what a turn of a role would see, with its sizes
    Show(show::Show),
}

impl Workspace {
    pub(super) fn run(self) -> Result<()> {
        match self {
            Self::Init(command) => command.run(),
            Self::Check(command) => command.run(),
            Self::Show(command) => command.run(),
        }
    }
}

/// Which workspace is meant.
#[derive(Debug, Args)]
struct Which {
    /// The folder [default: the one that the server would use]
    dir: Option<PathBuf>,
    #[command(flatten)]
    data: DataOptions,
}

impl Which {
    /// The workspace with everything that the settings say about it.
    fn open(self) -> Result<Folder> {
        let settings = self.data.settings()?;
        let dir = self
            .dir
            .unwrap_or_else(|| settings.runtime.workspace.clone());
        runtime::workspace(&settings, &dir)
    }
}
