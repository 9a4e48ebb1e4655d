//! The rows, a file for each group of them.

mod board;
mod creates;
mod crew;
pub(crate) mod hello;
mod list;
mod postgres;
mod raw;
mod standing;
mod turns;
mod verdicts;
mod waiting;
mod woken;

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use clap::builder::PossibleValuesParser;
use tempfile::TempDir;

use crate::load::Pace;
use crate::table::Report;

/// Measures a group's rows and adds them to the report.
type Measure = fn(&Bench, &mut Report) -> Result<()>;

/// Every group, in the order of the tables.
pub(crate) const GROUPS: [(&str, Measure); 11] = [
    ("hello", hello::measure),
    ("creates", creates::measure),
    ("postgres", postgres::measure),
    ("list", list::measure),
    ("board", board::measure),
    ("crew", crew::measure),
    ("verdicts", verdicts::measure),
    ("turns", turns::measure),
    ("woken", woken::measure),
    ("waiting", waiting::measure),
    ("standing", standing::measure),
];

/// The groups' names, for the command line.
pub(crate) fn names() -> PossibleValuesParser {
    GROUPS.map(|(name, _)| name).into()
}

/// What all rows share.
pub(crate) struct Bench {
    directory: TempDir,
    pub pace: Pace,
}

impl Bench {
    pub(crate) fn new(pace: Pace) -> Result<Self> {
        let directory = tempfile::Builder::new()
            .prefix("bench-")
            .tempdir_in(env!("CARGO_TARGET_TMPDIR"))
            .context("making a directory for the data")?;
        // PostgreSQL, which will not run as root, must get to its own directory inside.
        fs::set_permissions(directory.path(), Permissions::from_mode(0o711))?;
        Ok(Self { directory, pace })
    }

    /// The directory that holds everything: on the same disk for all rows.
    pub(crate) fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// A directory of this name in it.
    pub(crate) fn place(&self, name: &str) -> PathBuf {
        self.directory().join(name)
    }
}
