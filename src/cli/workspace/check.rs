//! `stationmaster workspace check`

use anyhow::{Result, bail};
use clap::Args;
use stationmaster_kernel::Handle;
use stationmaster_runtime::{Problem, Severity};

use super::Which;
use crate::console;

#[derive(Debug, Args)]
pub(in crate::cli) struct Check {
    #[command(flatten)]
    which: Which,
    /// A role that will work from it, beside those with a file in souls/; may be repeated
    #[arg(long, value_name = "ROLE")]
    role: Vec<Handle>,
}

impl Check {
    pub(super) fn run(self) -> Result<()> {
        let workspace = self.which.open()?;
        let problems = workspace.check(&self.role);
        for problem in &problems {
            tell(&workspace.dir().join(&problem.file), problem);
        }
        let errors = problems
            .iter()
            .filter(|it| it.severity == Severity::Error)
            .count();
        if errors > 0 {
            bail!("the workspace has {}", counted(errors, "error"));
        }
        let warnings = problems.len();
        let all = if warnings == 0 {
            "no problems".to_owned()
        } else {
            counted(warnings, "warning")
        };
        console::line(format_args!("{}: {all}", workspace.dir().display()));
        Ok(())
    }
}

fn tell(path: &std::path::Path, problem: &Problem) {
    let line = problem
        .line
        .map(|line| format!(":{line}"))
        .unwrap_or_default();
    let severity = match problem.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
    };
    console::line(format_args!(
        "{}{line}: {severity}: {}",
        path.display(),
        problem.message
    ));
}

fn counted(number: usize, what: &str) -> String {
    format!("{number} {what}{}", if number == 1 { "" } else { "s" })
}
