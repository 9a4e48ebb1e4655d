//! `mc heartbeat`: I am alive, what is new? (§7)

use std::time::Duration;

use clap::Args;
use serde_json::Value;

use crate::call::{Body, Call};
use crate::failure::{Exit, Failure};
use crate::print::record::record;
use crate::print::table::{Column, table};
use crate::print::value::Kind;
use crate::print::{Shape, Style, console};
use crate::reply::Reply;
use crate::session::{Session, is_passing};
use crate::words::{self, OneOf};

/// How long to wait between heartbeats if the server does not say.
const DEFAULT_INTERVAL: u64 = 300;
/// Heartbeats of a watch are at least this far apart.
const SHORTEST_INTERVAL: u64 = 5;

#[derive(Debug, Args)]
pub(crate) struct Heartbeat {
    /// How you are: HEALTHY, BUSY, IDLE, DEGRADED, ERROR
    #[arg(long, default_value = "HEALTHY", value_parser = OneOf(words::HEALTH))]
    status: String,
    /// The task you are working on
    #[arg(long, value_name = "ID", value_parser = words::id)]
    task: Option<String>,
    /// The session you are in [default: MC_SESSION_KEY]
    #[arg(long, value_name = "KEY")]
    session: Option<String>,
    /// What went wrong
    #[arg(long, value_name = "TEXT")]
    error: Option<String>,
    /// Notifications you have dealt with: ids separated by commas, or `all` that this heartbeat shows
    #[arg(long, value_name = "IDS", value_delimiter = ',')]
    ack: Vec<String>,
    /// Send one again and again, as often as the server asks for
    #[arg(long)]
    watch: bool,
}

const NOTIFICATIONS: &[Column] = &[
    ("NOTIFICATION", "id", Kind::Id),
    ("TYPE", "type", Kind::Text),
    ("TASK", "taskId", Kind::Id),
    ("WHEN", "createdAt", Kind::When),
    ("TITLE", "title", Kind::Long),
];

const TASKS: &[Column] = &[
    ("TASK", "id", Kind::Id),
    ("STATUS", "status", Kind::Word),
    ("P", "priority", Kind::Text),
    ("TYPE", "type", Kind::Text),
    ("DUE", "dueAt", Kind::When),
    ("TITLE", "title", Kind::Long),
];

impl Heartbeat {
    pub(crate) async fn run(self, session: &Session) -> Result<Exit, Failure> {
        let mut interval = DEFAULT_INTERVAL;
        // What was to be acked by name is acked once.
        let mut named: Vec<String> = self.ack.iter().filter(|id| *id != "all").cloned().collect();
        loop {
            match self.beat(session, std::mem::take(&mut named)).await {
                Ok(reply) => {
                    interval = reply.body["nextHeartbeatSec"]
                        .as_u64()
                        .unwrap_or(DEFAULT_INTERVAL)
                }
                Err(failure) if self.watch && is_passing(&failure) => console::explain(&failure),
                Err(failure) => return Err(failure),
            }
            if !self.watch {
                return Ok(Exit::Done);
            }
            tokio::time::sleep(Duration::from_secs(interval.max(SHORTEST_INTERVAL))).await;
        }
    }

    async fn beat(&self, session: &Session, named: Vec<String>) -> Result<Reply, Failure> {
        let key = self
            .session
            .clone()
            .or_else(|| session.settings.session.clone());
        let body = Body::new()
            .with("status", self.status.as_str())
            .maybe("sessionKey", key)
            .maybe("currentTaskId", self.task.clone())
            .maybe("error", self.error.clone())
            .list("ackNotificationIds", named);
        let call = Call::post(&["agents", session.me(), "heartbeat"], body);
        let reply = session.client.send(&call).await?;
        // A heartbeat has no id; what it brings has.
        session.out.show(&reply, shape(session), view)?;
        if self.ack.iter().any(|id| id == "all") {
            ack_shown(session, &reply.body).await?;
        }
        Ok(reply)
    }
}

fn shape(session: &Session) -> Shape<'static> {
    if session.out.is_quiet() {
        Shape::List("assignedTasks")
    } else {
        Shape::One
    }
}

/// Acks exactly what was shown: what arrived in between is still new.
async fn ack_shown(session: &Session, body: &Value) -> Result<(), Failure> {
    let shown = body["pendingNotifications"]
        .as_array()
        .into_iter()
        .flatten();
    let ids: Vec<String> = shown
        .filter_map(|it| it["id"].as_str().map(str::to_owned))
        .collect();
    if ids.is_empty() {
        return Ok(());
    }
    let call = Call::post(&["notifications", "ack"], Body::new().with("ids", ids));
    session.client.send(&call).await.map(|_| ())
}

fn view(style: &Style, body: &Value) -> String {
    let mut text = record(
        style,
        body,
        &[
            ("Agent status", "agent.status", Kind::Word),
            ("Reason", "agent.statusReason", Kind::Text),
            ("Health", "agent.health", Kind::Word),
            ("Spent today", "budget.spentToday", Kind::Money),
            ("Remaining", "budget.remaining", Kind::Money),
            ("Warnings", "warnings", Kind::Text),
        ],
    );
    if text.is_empty() {
        text.push_str("acknowledged\n");
    }
    let parts: [(&str, &str, &[Column]); 4] = [
        ("Notifications", "pendingNotifications", NOTIFICATIONS),
        (
            "Approvals to decide",
            "pendingApprovals",
            super::approval::LIST,
        ),
        ("Your tasks", "assignedTasks", TASKS),
        ("Tasks to claim", "claimableTasks", TASKS),
    ];
    for (heading, member, columns) in parts {
        if body[member]
            .as_array()
            .is_some_and(|items| !items.is_empty())
        {
            text.push_str(&format!(
                "\n{heading}\n{}",
                table(style, &body[member], columns)
            ));
        }
    }
    text
}
