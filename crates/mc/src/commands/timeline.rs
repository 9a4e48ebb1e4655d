//! `mc timeline`: who did what (§4, §11), looked up or followed live.

use std::time::Duration;

use clap::Args;
use serde_json::Value;

use crate::call::Call;
use crate::failure::{Exit, Failure};
use crate::options::Format;
use crate::print::table::{Column, table};
use crate::print::value::{Kind, bold};
use crate::print::{Shape, Style, clean, console};
use crate::retry::back_off;
use crate::session::{Session, is_passing};
use crate::stream::{Event, Events};
use crate::words;

/// The longest pause before a stream that broke is opened again.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// How many entries a watch begins with.
const FIRST_SHOWN: u32 = 20;

#[derive(Debug, Args)]
pub(crate) struct Timeline {
    /// Only on this task
    #[arg(long, value_name = "ID", value_parser = words::id)]
    task: Option<String>,
    /// Only about this agent
    #[arg(long, value_name = "AGENT", value_parser = words::id)]
    about: Option<String>,
    /// Only this, such as TASK_TRANSITION
    #[arg(long, value_parser = upper)]
    action: Option<String>,
    /// How many to show, 200 at most
    #[arg(long, value_name = "N")]
    limit: Option<u32>,
    /// Only those before this one
    #[arg(long, value_name = "ID", value_parser = words::id, conflicts_with = "watch")]
    before: Option<String>,
    /// Go on with what happens from now on, the latest last
    #[arg(long)]
    watch: bool,
}

fn upper(text: &str) -> Result<String, String> {
    Ok(text.trim().to_uppercase().replace('-', "_"))
}

const LIST: &[Column] = &[
    ("ENTRY", "id", Kind::Id),
    ("WHEN", "createdAt", Kind::When),
    ("WHO", "actorId", Kind::Text),
    ("ACTION", "action", Kind::Text),
    ("WHAT", "description", Kind::Long),
];

impl Timeline {
    pub(crate) async fn run(self, session: &Session) -> Result<Exit, Failure> {
        let limit = if self.watch {
            Some(self.limit.unwrap_or(FIRST_SHOWN))
        } else {
            self.limit
        };
        let call = Call::get(&["events", "timeline"])
            .query("taskId", self.task.as_deref())
            .query("agentId", self.about.as_deref())
            .query("action", self.action.as_deref())
            .query("limit", limit)
            .query("before", self.before.as_deref());
        if self.watch {
            return self.follow(session, &call).await;
        }
        session
            .show(call, Shape::List("activities"), |style, body| {
                table(style, &body["activities"], LIST)
            })
            .await
    }

    /// Shows the latest entries, then what comes after them, without a gap.
    async fn follow(&self, session: &Session, latest: &Call) -> Result<Exit, Failure> {
        // Where the log ends now; what is not ours to see or filtered out still moves the place on.
        let end = session
            .client
            .send(&Call::get(&["events", "timeline"]).query("limit", Some(1)))
            .await?;
        let mut place = end.body["activities"][0]["id"].as_str().map(str::to_owned);
        let page = session.client.send(latest).await?;
        for entry in page.body["activities"]
            .as_array()
            .into_iter()
            .flatten()
            .rev()
        {
            // What is newer than the place comes through the stream.
            if !newer(entry["id"].as_str(), place.as_deref()) {
                show(session, entry, &entry.to_string())?;
            }
        }
        let call = Call::get(&["events", "stream"])
            .query("taskId", self.task.as_deref())
            .query("actions", self.action.as_deref());
        let mut failures = 0;
        loop {
            let ended = self.listen(session, &call, &mut place, &mut failures).await;
            match ended {
                Ok(()) => {}
                Err(failure) if is_passing(&failure) => console::explain(&failure),
                Err(failure) => return Err(failure),
            }
            failures += 1;
            let pause = back_off(failures).min(LONGEST_PAUSE);
            tokio::time::sleep(pause).await;
        }
    }

    /// Shows what a stream brings until it ends.
    async fn listen(
        &self,
        session: &Session,
        call: &Call,
        place: &mut Option<String>,
        failures: &mut u32,
    ) -> Result<(), Failure> {
        let response = session.client.open(call, place.as_deref()).await?;
        let mut events = Events::new(response);
        while let Some(Event { name, id, data }) = events.next().await? {
            *failures = 0;
            if name == "reset" {
                console::note("warning: some entries are missing here: they are no longer kept");
            }
            if let Some(id) = id {
                *place = Some(id);
            }
            let Ok(entry) = serde_json::from_str::<Value>(&data) else {
                continue;
            };
            if name != "reset"
                && self
                    .about
                    .as_deref()
                    .is_none_or(|agent| entry["agentId"] == agent)
            {
                show(session, &entry, &data)?;
            }
        }
        Ok(())
    }
}

/// Whether an entry is newer than a place; ids are `act_` and a number.
fn newer(id: Option<&str>, place: Option<&str>) -> bool {
    let number = |id: Option<&str>| id.and_then(|id| id.strip_prefix("act_")?.parse::<u64>().ok());
    matches!((number(id), number(place)), (Some(id), Some(place)) if id > place)
}

/// An entry as one line.
fn show(session: &Session, entry: &Value, raw: &str) -> Result<(), Failure> {
    if session.out.is_quiet() {
        return session.out.write(&format!(
            "{}\n",
            clean::line(entry["id"].as_str().unwrap_or_default())
        ));
    }
    match session.out.format() {
        Format::Json | Format::Ndjson => session.out.write_json(raw),
        Format::Table => session.out.write(&line(&session.out.style(), entry)),
    }
}

fn line(style: &Style, entry: &Value) -> String {
    let text = |name: &str| clean::line(entry[name].as_str().unwrap_or_default());
    let who = match text("actorId") {
        who if who.is_empty() => text("actorType"),
        who => who,
    };
    format!(
        "{}  {}  {}  {}\n",
        text("createdAt"),
        bold(&who, style),
        text("action"),
        text("description")
    )
}
