//! `mc notification`: what others want you to know (§12).

use clap::{Args, Subcommand};
use serde_json::Value;

use crate::call::{Body, Call};
use crate::failure::{Exit, Failure};
use crate::print::Shape;
use crate::print::record::record;
use crate::print::table::{Column, table};
use crate::print::value::Kind;
use crate::session::Session;
use crate::words::{self, OneOf};

#[derive(Debug, Subcommand)]
pub(crate) enum Notification {
    /// Notifications for you
    List(List),
    /// Say that you have dealt with them
    Ack(Ack),
}

#[derive(Debug, Args)]
pub(crate) struct List {
    /// PENDING, DELIVERED, ACKED, FAILED or EXPIRED
    #[arg(long, value_parser = OneOf(words::NOTIFICATION_STATUSES))]
    status: Option<String>,
    /// Only this type
    #[arg(long = "type", value_name = "TYPE", value_parser = OneOf(words::NOTIFICATION_TYPES))]
    kind: Option<String>,
    /// How many to show, 200 at most
    #[arg(long, value_name = "N")]
    limit: Option<u32>,
}

#[derive(Debug, Args)]
pub(crate) struct Ack {
    /// Which
    #[arg(value_name = "ID", value_parser = words::id, required_unless_present = "all")]
    ids: Vec<String>,
    /// All there are
    #[arg(long, conflicts_with = "ids")]
    all: bool,
}

const LIST: &[Column] = &[
    ("NOTIFICATION", "id", Kind::Id),
    ("STATUS", "status", Kind::Word),
    ("TYPE", "type", Kind::Text),
    ("TASK", "taskId", Kind::Id),
    ("WHEN", "createdAt", Kind::When),
    ("TITLE", "title", Kind::Long),
];

impl Notification {
    pub(crate) async fn run(self, session: &Session) -> Result<Exit, Failure> {
        match self {
            Self::List(List {
                status,
                kind,
                limit,
            }) => {
                let call = Call::get(&["notifications"])
                    .query("status", status)
                    .query("type", kind)
                    .query("limit", limit);
                let view = |style: &_, body: &Value| table(style, &body["notifications"], LIST);
                session.show(call, Shape::List("notifications"), view).await
            }
            Self::Ack(Ack { ids, .. }) => {
                let lines = [
                    ("Notification", "id", Kind::Id),
                    ("Status", "status", Kind::Word),
                    ("Acknowledged", "acked", Kind::Text),
                ];
                let call = match ids.as_slice() {
                    [one] => Call::post(&["notifications", one, "ack"], Body::new()),
                    [] => Call::post(&["notifications", "ack"], Body::new().with("all", true)),
                    _ => Call::post(&["notifications", "ack"], Body::new().with("ids", ids)),
                };
                session
                    .show(call, Shape::One, |style, body| record(style, body, &lines))
                    .await
            }
        }
    }
}
