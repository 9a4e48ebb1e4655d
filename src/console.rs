//! What a person sees: the one place that prints.

use std::fmt::Arguments;
use std::io::{IsTerminal, Write};

/// Prints a line to standard output. A reader that went away is no error of ours.
pub(crate) fn line(text: Arguments<'_>) {
    let mut out = std::io::stdout().lock();
    let _ = writeln!(out, "{text}").and_then(|()| out.flush());
}

/// Prints what a person should know beside the output.
pub(crate) fn note(text: Arguments<'_>) {
    let _ = writeln!(std::io::stderr().lock(), "note: {text}");
}

/// Prints an error and what caused it, one cause a line.
pub(crate) fn error(error: &anyhow::Error) {
    let mut err = std::io::stderr().lock();
    let _ = writeln!(err, "error: {error}");
    for cause in error.chain().skip(1) {
        let _ = writeln!(err, "  because: {cause}");
    }
}

/// Whether standard output can show colours and wants to.
pub(crate) fn has_colours(no_colour: bool) -> bool {
    !no_colour && std::io::stdout().is_terminal()
}
