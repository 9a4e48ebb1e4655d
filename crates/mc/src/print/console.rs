//! The one place that prints. Data goes to standard output, everything else to standard error.

use std::io::{ErrorKind, IsTerminal, Write};

use super::clean;
use crate::failure::Failure;

/// Standard output, and what it can show.
#[derive(Debug)]
pub(crate) struct Console {
    pub is_terminal: bool,
    pub colours: bool,
    /// Columns, if it is a terminal.
    pub width: Option<usize>,
}

impl Console {
    pub(crate) fn new(no_colour: bool) -> Self {
        let is_terminal = std::io::stdout().is_terminal();
        let size = is_terminal.then(terminal_size::terminal_size).flatten();
        Self {
            is_terminal,
            colours: is_terminal && !no_colour,
            width: size
                .map(|(width, _)| usize::from(width.0))
                .filter(|width| *width > 0),
        }
    }

    /// Writes text whose parts were made safe.
    pub(crate) fn write(&self, text: &str) -> Result<(), Failure> {
        write(text.as_bytes())
    }

    /// Clears the terminal.
    pub(crate) fn clear(&self) -> Result<(), Failure> {
        write(b"\x1b[H\x1b[2J\x1b[3J")
    }
}

fn write(bytes: &[u8]) -> Result<(), Failure> {
    let mut out = std::io::stdout().lock();
    out.write_all(bytes)
        .and_then(|()| out.flush())
        .map_err(|error| match error.kind() {
            ErrorKind::BrokenPipe => Failure::reader_gone(),
            _ => Failure::other(format!("cannot write: {error}")),
        })
}

/// Says something that is not data.
pub(crate) fn note(text: &str) {
    // If standard error is gone, nobody is left to tell.
    let _ = writeln!(std::io::stderr().lock(), "{}", clean::line(text));
}

/// Says what went wrong and what to do about it.
pub(crate) fn explain(failure: &Failure) {
    if failure.message.is_empty() {
        return;
    }
    note(&format!("error: {}", failure.message));
    for detail in &failure.details {
        note(&format!("  {detail}"));
    }
    for hint in &failure.hints {
        note(&format!("hint: {hint}"));
    }
}
