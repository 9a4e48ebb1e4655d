//! `mc alert`: what went wrong with the crew (§9).

use clap::{Args, Subcommand};
use serde_json::Value;

use crate::call::{Body, Call};
use crate::failure::{Exit, Failure};
use crate::options::Page;
use crate::print::record::{record, section};
use crate::print::table::{Column, table};
use crate::print::value::Kind;
use crate::print::{Shape, Style};
use crate::session::Session;
use crate::words::{self, OneOf};

#[derive(Debug, Subcommand)]
pub(crate) enum Alert {
    /// Alerts, the latest first
    List(List),
    /// Say that somebody looks into it
    Ack(Ack),
    /// Say that it is dealt with, and how
    Resolve(Resolve),
}

#[derive(Debug, Args)]
pub(crate) struct List {
    /// OPEN, ACKNOWLEDGED, RESOLVED or IGNORED
    #[arg(long, value_parser = OneOf(words::ALERT_STATUSES))]
    status: Option<String>,
    /// INFO, WARNING, ERROR or CRITICAL
    #[arg(long, value_parser = OneOf(words::ALERT_SEVERITIES))]
    severity: Option<String>,
    /// Only about this agent
    #[arg(long, value_name = "AGENT", value_parser = words::id)]
    about: Option<String>,
    #[command(flatten)]
    page: Page,
}

#[derive(Debug, Args)]
pub(crate) struct Ack {
    /// Its id
    #[arg(value_parser = words::id)]
    id: String,
    /// A word about it
    #[arg(long)]
    note: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Resolve {
    /// Its id
    #[arg(value_parser = words::id)]
    id: String,
    /// What was done about it
    #[arg(long)]
    note: String,
}

const LIST: &[Column] = &[
    ("ALERT", "id", Kind::Id),
    ("SEVERITY", "severity", Kind::Word),
    ("STATUS", "status", Kind::Word),
    ("TYPE", "type", Kind::Text),
    ("AGENT", "agentId", Kind::Text),
    ("TASK", "taskId", Kind::Id),
    ("WHEN", "createdAt", Kind::When),
    ("TITLE", "title", Kind::Long),
];

fn whole(style: &Style, alert: &Value) -> String {
    let lines = [
        ("Alert", "id", Kind::Id),
        ("Severity", "severity", Kind::Word),
        ("Status", "status", Kind::Word),
        ("Title", "title", Kind::Text),
        ("Agent", "agentId", Kind::Id),
        ("Task", "taskId", Kind::Id),
        ("Note", "acknowledgementNote", Kind::Text),
        ("Resolution", "resolutionNote", Kind::Text),
    ];
    let description = alert["description"].as_str().unwrap_or_default();
    format!(
        "{}{}",
        record(style, alert, &lines),
        section(style, "What happened", description)
    )
}

impl Alert {
    pub(crate) async fn run(self, session: &Session) -> Result<Exit, Failure> {
        match self {
            Self::List(List {
                status,
                severity,
                about,
                page,
            }) => {
                let call = Call::get(&["alerts"])
                    .query("status", status)
                    .query("severity", severity)
                    .query("agentId", about)
                    .query("limit", page.limit)
                    .query("offset", page.offset)
                    .by_operator();
                session
                    .show(call, Shape::List("alerts"), |style, body| {
                        table(style, &body["alerts"], LIST)
                    })
                    .await
            }
            Self::Ack(Ack { id, note }) => {
                let body = Body::new().maybe("note", note);
                let call = Call::post(&["alerts", &id, "acknowledge"], body).by_operator();
                session.show(call, Shape::One, whole).await
            }
            Self::Resolve(Resolve { id, note }) => {
                let body = Body::new().with("resolutionNote", note);
                let call = Call::post(&["alerts", &id, "resolve"], body).by_operator();
                session.show(call, Shape::One, whole).await
            }
        }
    }
}
