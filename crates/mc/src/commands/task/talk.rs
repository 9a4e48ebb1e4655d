//! What is said on a task, and what is added to it.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::{Value, json};

use crate::call::{Body, Call};
use crate::failure::{Exit, Failure};
use crate::plan;
use crate::print::record::record;
use crate::print::value::{Kind, bold};
use crate::print::{Shape, Style, clean, time};
use crate::session::Session;
use crate::words::{self, OneOf};

#[derive(Debug, Args)]
pub(crate) struct Comment {
    /// Its id
    #[arg(value_parser = words::id)]
    id: String,
    /// What to say; `-` reads standard input
    #[arg(allow_hyphen_values = true)]
    text: String,
    /// COMMENT, PROGRESS or REVIEW
    #[arg(long = "type", value_name = "TYPE", default_value = "COMMENT", value_parser = OneOf(words::MESSAGE_TYPES))]
    kind: String,
    /// Agents to tell, separated by commas
    #[arg(long, value_name = "IDS", value_delimiter = ',')]
    mention: Vec<String>,
    /// The message this answers
    #[arg(long, value_name = "ID", value_parser = words::id)]
    reply_to: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Artifact {
    /// Its id
    #[arg(value_parser = words::id)]
    id: String,
    /// What to call it [default: the file's name]
    #[arg(long)]
    name: Option<String>,
    /// A text of 1 MiB or less; `-` reads standard input
    #[arg(long, required_unless_present = "url")]
    file: Option<PathBuf>,
    /// Where it is, for what is larger or no text
    #[arg(long, conflicts_with = "file")]
    url: Option<String>,
    /// DELIVERABLE, EVIDENCE, CHECKLIST or REPORT
    #[arg(long = "type", value_name = "TYPE", default_value = "DELIVERABLE", value_parser = OneOf(words::ARTIFACT_TYPES))]
    kind: String,
    /// Its media type, such as text/markdown
    #[arg(long, value_name = "TYPE")]
    mime: Option<String>,
    /// What to say with it
    #[arg(long, value_name = "TEXT")]
    note: Option<String>,
}

impl Comment {
    pub(super) async fn run(self, session: &Session) -> Result<Exit, Failure> {
        let body = Body::new()
            .with("type", self.kind)
            .with("content", plan::text_or_stdin(self.text)?)
            .list("mentions", self.mention)
            .maybe("replyToId", self.reply_to);
        session
            .show(
                Call::post(&["tasks", &self.id, "messages"], body),
                Shape::One,
                said,
            )
            .await
    }
}

impl Artifact {
    pub(super) async fn run(self, session: &Session) -> Result<Exit, Failure> {
        let name = match (&self.name, &self.file) {
            (Some(name), _) => name.clone(),
            (None, Some(path)) if path.as_os_str() != "-" => base_name(path)?,
            _ => return Err(Failure::usage("what is it called? --name NAME")),
        };
        let content = self.file.as_deref().map(plan::read_text).transpose()?;
        let artifact = Body::new()
            .with("name", name.as_str())
            .with("type", self.kind)
            .maybe("content", content)
            .maybe("url", self.url)
            .maybe("mimeType", self.mime);
        let body = Body::new()
            .with("type", "ARTIFACT")
            .with(
                "content",
                self.note.unwrap_or_else(|| format!("Artifact: {name}")),
            )
            .with("artifacts", json!([Value::from(artifact)]));
        session
            .show(
                Call::post(&["tasks", &self.id, "messages"], body),
                Shape::One,
                said,
            )
            .await
    }
}

/// A file's name without the way to it.
pub(super) fn base_name(path: &Path) -> Result<String, Failure> {
    path.file_name()
        .map(|name| name.to_string_lossy().into_owned())
        .ok_or_else(|| Failure::usage(format!("{} is not a file", path.display())))
}

fn said(style: &Style, message: &Value) -> String {
    let mut text = record(
        style,
        message,
        &[
            ("Message", "id", Kind::Id),
            ("Task", "taskId", Kind::Id),
            ("Type", "type", Kind::Text),
            ("Redacted", "redactedFields", Kind::Text),
        ],
    );
    for told in message["notifications"].as_array().into_iter().flatten() {
        let agent = clean::line(told["agentId"].as_str().unwrap_or_default());
        let outcome = if told["queued"] == true {
            "is told"
        } else {
            "is unknown, and not told"
        };
        // Writing to a string cannot fail.
        _ = writeln!(text, "{agent} {outcome}");
    }
    text
}

/// Messages, the oldest first; the API gives the newest first.
pub(super) fn thread(style: &Style, messages: &Value) -> String {
    let mut text = String::new();
    let mut messages: Vec<&Value> = messages.as_array().into_iter().flatten().collect();
    // Reversed first, so that messages of the same moment are in their order too.
    messages.reverse();
    messages.sort_by_key(|message| {
        message["createdAt"]
            .as_str()
            .and_then(|at| at.parse::<jiff::Timestamp>().ok())
    });
    for message in messages {
        let member = |name: &str| clean::line(message[name].as_str().unwrap_or_default());
        let who = bold(&member("authorId"), style);
        let when = clean::line(&time::relative(
            message["createdAt"].as_str().unwrap_or_default(),
            style.now,
        ));
        _ = writeln!(text, "{who} ({}, {when})", member("type"));
        for line in clean::text(message["content"].as_str().unwrap_or_default()).lines() {
            _ = writeln!(text, "  {line}");
        }
        for artifact in message["artifacts"].as_array().into_iter().flatten() {
            let name = clean::line(artifact["name"].as_str().unwrap_or_default());
            let kind = clean::line(artifact["type"].as_str().unwrap_or_default());
            _ = writeln!(text, "  + {name} ({kind})");
        }
    }
    text
}
