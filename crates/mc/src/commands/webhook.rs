//! `mc webhook`: who is told outside what happens.

use clap::{Args, Subcommand};
use serde_json::Value;

use crate::call::{Body, Call};
use crate::failure::{Exit, Failure};
use crate::print::record::record;
use crate::print::table::{Column, table};
use crate::print::value::Kind;
use crate::print::{Shape, Style, clean, console};
use crate::session::Session;
use crate::words;

#[derive(Debug, Subcommand)]
pub(crate) enum Webhook {
    /// All webhooks
    List,
    /// Tell an address what happens from now on
    Add(Add),
    /// Tell it nothing more
    Remove(One),
    /// What it was told, the latest first
    Deliveries(Deliveries),
    /// Tell it again
    Replay(Replay),
}

#[derive(Debug, Args)]
pub(crate) struct Add {
    /// Where to send it
    url: String,
    /// Which events, separated by commas; none means all
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    events: Vec<String>,
    /// What to sign with [default: the server makes one and shows it once]
    #[arg(long)]
    secret: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct One {
    /// Its id
    #[arg(value_parser = words::id)]
    id: String,
}

#[derive(Debug, Args)]
pub(crate) struct Deliveries {
    /// Its id
    #[arg(value_parser = words::id)]
    id: String,
    /// How many to show, 200 at most
    #[arg(long, value_name = "N")]
    limit: Option<u32>,
    /// Only those before this one
    #[arg(long, value_name = "ID", value_parser = words::id)]
    before: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Replay {
    /// Its id
    #[arg(value_parser = words::id)]
    id: String,
    /// The id of the delivery
    #[arg(value_parser = words::id)]
    delivery: String,
}

const LIST: &[Column] = &[
    ("WEBHOOK", "id", Kind::Id),
    ("URL", "url", Kind::Text),
    ("CREATED", "createdAt", Kind::When),
    ("EVENTS", "events", Kind::Long),
];

const DELIVERIES: &[Column] = &[
    ("DELIVERY", "id", Kind::Id),
    ("STATUS", "status", Kind::Word),
    ("EVENT", "event", Kind::Text),
    ("TRIES", "attempts", Kind::Text),
    ("ANSWER", "responseStatus", Kind::Text),
    ("WHEN", "createdAt", Kind::When),
    ("ERROR", "lastError", Kind::Long),
];

fn delivery(style: &Style, body: &Value) -> String {
    let lines = [
        ("Delivery", "id", Kind::Id),
        ("Event", "event", Kind::Text),
        ("Status", "status", Kind::Word),
        ("Again of", "replayOf", Kind::Id),
    ];
    record(style, body, &lines)
}

impl Webhook {
    pub(crate) async fn run(self, session: &Session) -> Result<Exit, Failure> {
        match self {
            Self::List => {
                let call = Call::get(&["webhooks"]).by_operator();
                session
                    .show(call, Shape::List("webhooks"), |style, body| {
                        table(style, &body["webhooks"], LIST)
                    })
                    .await
            }
            Self::Add(command) => command.run(session).await,
            Self::Remove(One { id }) => {
                let call = Call::delete(&["webhooks", &id]).by_operator();
                session
                    .show(call, Shape::One, |_, _| {
                        format!("{} is removed\n", clean::line(&id))
                    })
                    .await
            }
            Self::Deliveries(Deliveries { id, limit, before }) => {
                let call = Call::get(&["webhooks", &id, "deliveries"])
                    .query("limit", limit)
                    .query("before", before)
                    .by_operator();
                let view =
                    |style: &Style, body: &Value| table(style, &body["deliveries"], DELIVERIES);
                session.show(call, Shape::List("deliveries"), view).await
            }
            Self::Replay(Replay {
                id,
                delivery: which,
            }) => {
                let path = ["webhooks", &id, "deliveries", &which, "replay"];
                session
                    .show(
                        Call::post(&path, Body::new()).by_operator(),
                        Shape::One,
                        delivery,
                    )
                    .await
            }
        }
    }
}

impl Add {
    async fn run(self, session: &Session) -> Result<Exit, Failure> {
        if session.out.is_quiet() && self.secret.is_none() {
            return Err(Failure::usage(
                "with --quiet the secret, which is shown once, would be lost",
            )
            .hint("give one with --secret, or use --json"));
        }
        let body = Body::new()
            .with("url", self.url)
            .list("events", self.events)
            .maybe("secret", self.secret);
        let reply = session
            .client
            .send(&Call::post(&["webhooks"], body).by_operator())
            .await?;
        session.out.show(&reply, Shape::One, |style, body| {
            let lines = [
                ("Webhook", "id", Kind::Id),
                ("URL", "url", Kind::Text),
                ("Events", "events", Kind::Text),
                ("Secret", "secret", Kind::Id),
            ];
            record(style, body, &lines)
        })?;
        if session.out.is_table() {
            console::note("the secret is shown once; check webhook-signature with it");
        }
        Ok(Exit::Done)
    }
}
