//! `stationmaster workspace init`

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::Args;

use crate::console;
use crate::welcome::sample;

#[derive(Debug, Args)]
pub(in crate::cli) struct Init {
    /// The folder, made where it is missing
    #[arg(default_value = "workspace")]
    dir: PathBuf,
    /// Write over files that are there
    #[arg(long)]
    force: bool,
}

impl Init {
    pub(super) fn run(self) -> Result<()> {
        for folder in sample::FOLDERS {
            make(&self.dir.join(folder))?;
        }
        let mut kept = 0;
        for (name, text) in sample::FILES {
            let path = self.dir.join(name);
            if path.symlink_metadata().is_ok() && !self.force {
                console::line(format_args!("kept     {}", path.display()));
                kept += 1;
                continue;
            }
            make(path.parent().unwrap_or(&self.dir))?;
            fs::write(&path, text)
                .with_context(|| format!("{} cannot be written", path.display()))?;
            console::line(format_args!("written  {}", path.display()));
        }
        if kept > 0 {
            console::line(format_args!(
                "{kept} files were there already; --force writes over them"
            ));
        }
        console::line(format_args!(
            "\nLook at it:  stationmaster workspace show {} --role writer",
            self.dir.display()
        ));
        Ok(())
    }
}

fn make(folder: &std::path::Path) -> Result<()> {
    fs::create_dir_all(folder).with_context(|| format!("{} cannot be made", folder.display()))
}
