//! `mc status`, `mc stats` and `mc standup`: how it goes.

use clap::{Args, Subcommand};
use serde_json::{Map, Value};

use super::task::markdown;
use crate::call::Call;
use crate::failure::{Exit, Failure};
use crate::options::Watch;
use crate::print::record::record;
use crate::print::value::{Kind, bold};
use crate::print::{Shape, Style, clean};
use crate::reply::Reply;
use crate::session::Session;
use crate::words::{self, OneOf};

#[derive(Debug, Args)]
pub(crate) struct Status {
    #[command(flatten)]
    watch: Watch,
}

/// Without a subcommand: the whole crew.
#[derive(Debug, Args)]
pub(crate) struct Stats {
    #[command(subcommand)]
    of: Option<Of>,
}

#[derive(Debug, Subcommand)]
enum Of {
    /// What an agent costs
    Costs(Costs),
}

#[derive(Debug, Args)]
pub(crate) struct Costs {
    /// Which agent [default: the one you are]
    #[arg(value_parser = words::id)]
    id: Option<String>,
    /// DAY, WEEK or MONTH
    #[arg(long, default_value = "DAY", value_parser = OneOf(&["DAY", "WEEK", "MONTH"]))]
    period: String,
}

#[derive(Debug, Args)]
pub(crate) struct Standup {
    /// Which day [default: today]
    #[arg(long, value_name = "YYYY-MM-DD", value_parser = words::day)]
    date: Option<String>,
}

impl Status {
    /// The server's health, the agent we are, and the crew, as far as our tokens show them.
    pub(crate) async fn run(self, session: &Session) -> Result<Exit, Failure> {
        let ask = async || {
            let mut found = Map::new();
            found.insert(
                "server".to_owned(),
                session.client.health().await?.accepted()?.body,
            );
            if session.client.has_agent_token() {
                let agent = session
                    .client
                    .send(&Call::get(&["agents", session.me()]))
                    .await?;
                found.insert("agent".to_owned(), agent.body);
            }
            if session.client.has_admin_token() {
                let crew = session.client.send(&overview()).await?;
                found.insert("overview".to_owned(), crew.body);
            }
            Ok(Reply::ours(Value::Object(found)))
        };
        session.watch(&self.watch, ask, Shape::One, view).await
    }
}

fn view(style: &Style, body: &Value) -> String {
    let server = [
        ("Server", "server.status", Kind::Word),
        ("Version", "server.version", Kind::Text),
        ("Store", "server.store.database", Kind::Text),
    ];
    let mut text = record(style, body, &server);
    if body["agent"].is_object() {
        text.push_str(&format!(
            "\n{}\n{}",
            bold("You", style),
            super::agent::status(style, &body["agent"])
        ));
    }
    if body["overview"].is_object() {
        text.push_str(&format!(
            "\n{}\n{}",
            bold("Crew", style),
            tree(&body["overview"])
        ));
    }
    if body["agent"].is_null() && body["overview"].is_null() {
        text.push_str("\nNo token is set: nothing more to see. See: mc doctor\n");
    }
    text
}

fn overview() -> Call {
    Call::get(&["stats", "overview"]).by_operator()
}

impl Stats {
    pub(crate) async fn run(self, session: &Session) -> Result<Exit, Failure> {
        let call = match self.of {
            None => overview(),
            Some(Of::Costs(Costs { id, period })) => {
                let id = id.as_deref().unwrap_or_else(|| session.me());
                Call::get(&["stats", "agents", id, "costs"])
                    .query("period", Some(period.to_lowercase()))
            }
        };
        session.show(call, Shape::One, |_, body| tree(body)).await
    }
}

/// Numbers under their names, as deep as they go.
fn tree(value: &Value) -> String {
    let mut text = String::new();
    branch(value, 0, &mut text);
    text
}

fn branch(value: &Value, depth: usize, text: &mut String) {
    for (name, value) in value.as_object().into_iter().flatten() {
        text.push_str(&"  ".repeat(depth));
        text.push_str(&clean::line(name));
        match value {
            Value::Object(_) => {
                text.push('\n');
                branch(value, depth + 1, text);
            }
            other => {
                text.push_str("  ");
                text.push_str(&clean::line(&crate::print::value::plain(other)));
                text.push('\n');
            }
        }
    }
}

impl Standup {
    pub(crate) async fn run(self, session: &Session) -> Result<Exit, Failure> {
        let call = Call::get(&["standup"]).query("date", self.date);
        session
            .show(call, Shape::One, |_, body| markdown(&body["markdown"]))
            .await
    }
}
