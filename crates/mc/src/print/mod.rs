//! How replies are shown: as tables for people, as JSON for programs, as ids for pipes (§14).

pub(crate) mod clean;
pub(crate) mod console;
pub(crate) mod record;
pub(crate) mod table;
pub(crate) mod time;
pub(crate) mod value;

use jiff::Timestamp;
use serde_json::Value;

use crate::failure::Failure;
use crate::options::{Format, Global};
use crate::reply::Reply;
use console::Console;

/// What a reply is: one thing, or a list under a name.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Shape<'a> {
    One,
    List(&'a str),
}

/// What text for people depends on.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Style {
    pub colours: bool,
    /// Columns of the terminal; `None` when nothing needs to fit.
    pub width: Option<usize>,
    pub now: Timestamp,
    pub verbose: bool,
}

/// Where replies go, and in which form.
pub(crate) struct Output {
    console: Console,
    format: Format,
    quiet: bool,
    verbose: bool,
}

impl Output {
    pub(crate) fn new(console: Console, global: &Global) -> Self {
        let json = global.json.then_some(Format::Json);
        Self {
            console,
            format: json.or(global.output).unwrap_or(Format::Table),
            quiet: global.quiet,
            verbose: global.verbose,
        }
    }

    pub(crate) fn console(&self) -> &Console {
        &self.console
    }

    pub(crate) fn is_json(&self) -> bool {
        self.format == Format::Json && !self.quiet
    }

    pub(crate) fn is_quiet(&self) -> bool {
        self.quiet
    }

    pub(crate) fn format(&self) -> Format {
        self.format
    }

    /// Whether people read it.
    pub(crate) fn is_table(&self) -> bool {
        self.format == Format::Table && !self.quiet
    }

    pub(crate) fn style(&self) -> Style {
        Style {
            colours: self.console.colours,
            width: self.console.width,
            now: time::now(),
            verbose: self.verbose,
        }
    }

    /// Shows a reply; `view` makes the text for people.
    pub(crate) fn show(
        &self,
        reply: &Reply,
        shape: Shape<'_>,
        view: impl Fn(&Style, &Value) -> String,
    ) -> Result<(), Failure> {
        self.write(&self.render(reply, shape, &view))?;
        if let Shape::List(_) = shape
            && self.is_table()
        {
            tell_of_more(&reply.body);
        }
        Ok(())
    }

    /// A reply as it is shown.
    pub(crate) fn render(
        &self,
        reply: &Reply,
        shape: Shape<'_>,
        view: &impl Fn(&Style, &Value) -> String,
    ) -> String {
        let items = || match shape {
            Shape::One => vec![&reply.body],
            Shape::List(name) => reply.body[name].as_array().into_iter().flatten().collect(),
        };
        if self.quiet {
            return lines(
                items()
                    .into_iter()
                    .filter_map(|item| item["id"].as_str().map(clean::line)),
            );
        }
        match self.format {
            Format::Json => self.safe(format!("{}\n", reply.text.trim_end())),
            Format::Ndjson => self.safe(lines(items().into_iter().map(Value::to_string))),
            Format::Table => view(&self.style(), &reply.body),
        }
    }

    /// Shows a value of our own making, which has no reply behind it.
    pub(crate) fn show_value(
        &self,
        value: &Value,
        view: impl Fn(&Style, &Value) -> String,
    ) -> Result<(), Failure> {
        let text = match self.format {
            _ if self.quiet => lines(value["id"].as_str().map(clean::line)),
            Format::Json | Format::Ndjson => self.safe(format!("{value}\n")),
            Format::Table => view(&self.style(), value),
        };
        self.write(&text)
    }

    /// Writes JSON that is not of our own making.
    pub(crate) fn write_json(&self, text: &str) -> Result<(), Failure> {
        self.write(&self.safe(format!("{}\n", text.trim_end())))
    }

    /// JSON as it came; on a terminal, what would act on it is written as an escape.
    fn safe(&self, json: String) -> String {
        if self.console.is_terminal {
            clean::json(&json)
        } else {
            json
        }
    }

    /// Writes text whose parts were made safe to standard output.
    pub(crate) fn write(&self, text: &str) -> Result<(), Failure> {
        self.console.write(text)
    }

    /// Writes what replaces the text before it, where that can be done.
    pub(crate) fn redraw(&self, text: &str) -> Result<(), Failure> {
        if self.console.is_terminal && self.is_table() {
            self.console.clear()?;
        }
        self.write(text)
    }
}

fn lines(items: impl IntoIterator<Item = impl std::fmt::Display>) -> String {
    items.into_iter().map(|item| format!("{item}\n")).collect()
}

/// Says how to read on, if a list is longer than what was shown.
fn tell_of_more(body: &Value) {
    if body["hasMore"] != true {
        return;
    }
    if let Some(before) = body["nextBefore"].as_str() {
        console::note(&format!("there is more: --before {before}"));
        return;
    }
    let shown = body
        .as_object()
        .into_iter()
        .flatten()
        .find_map(|(_, value)| value.as_array());
    let count = shown.map_or(0, Vec::len);
    match body["total"].as_u64() {
        Some(total) => console::note(&format!("{count} of {total} shown; read on with --offset")),
        None => console::note(&format!("{count} shown; read on with --offset")),
    }
}
