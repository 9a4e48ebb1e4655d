//! `mc completions`: what a shell needs to complete the command line.

use clap::{Args, CommandFactory as _};
use clap_complete::Shell;

use crate::failure::{Exit, Failure};
use crate::options::Arguments;
use crate::print::console::Console;

#[derive(Debug, Args)]
pub(crate) struct Completions {
    /// Which shell
    shell: Shell,
}

impl Completions {
    pub(crate) fn run(&self, console: &Console) -> Result<Exit, Failure> {
        let mut text = Vec::new();
        clap_complete::generate(self.shell, &mut Arguments::command(), "mc", &mut text);
        console.write(&String::from_utf8_lossy(&text))?;
        Ok(Exit::Done)
    }
}
