//! Looking at the board, and putting tasks on it.

use clap::Args;

use super::{LIST, STATUS, TYPE, brief, talk, whole};
use crate::call::{Body, Call};
use crate::failure::{Exit, Failure};
use crate::options::{Page, Watch};
use crate::plan;
use crate::print::Shape;
use crate::print::table::table;
use crate::session::Session;
use crate::words;

#[derive(Debug, Args)]
pub(crate) struct List {
    /// Only these statuses, separated by commas
    #[arg(long, value_delimiter = ',', value_parser = STATUS)]
    status: Vec<String>,
    /// Only these types, separated by commas
    #[arg(long = "type", value_name = "TYPES", value_delimiter = ',', value_parser = TYPE)]
    types: Vec<String>,
    /// Only this agent's; `me` for yours
    #[arg(long, value_name = "ID", value_parser = words::id)]
    assignee: Option<String>,
    /// Only these: 1 (critical), 2 (high), 3 (normal), 4 (low)
    #[arg(long, value_parser = words::priority)]
    priority: Option<u8>,
    /// Only with all of these labels, separated by commas
    #[arg(long = "label", value_name = "LABELS", value_delimiter = ',')]
    labels: Vec<String>,
    /// Only with this in title, description or labels
    #[arg(long, value_name = "TEXT")]
    search: Option<String>,
    /// Only parts of this task
    #[arg(long, value_name = "ID", value_parser = words::id)]
    parent: Option<String>,
    /// createdAt, updatedAt, priority or dueAt; `-` before it turns the order
    #[arg(long, value_name = "BY", value_parser = order, allow_hyphen_values = true)]
    sort: Option<(String, &'static str)>,
    #[command(flatten)]
    page: Page,
    #[command(flatten)]
    watch: Watch,
}

#[derive(Debug, Args)]
pub(crate) struct Get {
    /// Its id
    #[arg(value_parser = words::id)]
    id: String,
    /// Its messages instead, the oldest first
    #[arg(long)]
    thread: bool,
    /// With --thread: messages before this one
    #[arg(long, value_name = "ID", requires = "thread", value_parser = words::id)]
    before: Option<String>,
    #[command(flatten)]
    watch: Watch,
}

#[derive(Debug, Args)]
pub(crate) struct Create {
    /// What it is, in a line
    #[arg(long)]
    title: String,
    /// CONTENT, SOCIAL, EMAIL_MARKETING, CUSTOMER_RESEARCH, SEO_RESEARCH, ENGINEERING, DOCS or OPS
    #[arg(long = "type", value_name = "TYPE", value_parser = TYPE)]
    kind: String,
    /// What is to be done; `-` reads standard input
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true)]
    description: Option<String>,
    /// 1 (critical), 2 (high), 3 (normal) or 4 (low) [default: 3]
    #[arg(long, value_parser = words::priority)]
    priority: Option<u8>,
    /// Agents to give it to, separated by commas
    #[arg(long, value_name = "IDS", value_delimiter = ',')]
    assign: Vec<String>,
    /// Who reviews it
    #[arg(long, value_name = "ID", value_parser = words::id)]
    reviewer: Option<String>,
    /// 2026-12-01T17:00:00Z, 2026-12-01, or from now: 24h, 7d
    #[arg(long, value_name = "WHEN", value_parser = words::due)]
    due: Option<String>,
    /// May be repeated, or separated by commas
    #[arg(long = "label", value_name = "LABEL", value_delimiter = ',')]
    labels: Vec<String>,
    /// The task it is a part of
    #[arg(long, value_name = "ID", value_parser = words::id)]
    parent: Option<String>,
    /// What it will cost, in US dollars
    #[arg(long, value_name = "USD", value_parser = words::money)]
    estimated_cost: Option<f64>,
    /// What it may cost, in US dollars (operator)
    #[arg(long, value_name = "USD", value_parser = words::money)]
    budget: Option<f64>,
}

fn order(text: &str) -> Result<(String, &'static str), String> {
    let (text, direction) = match text.strip_prefix('-') {
        Some(rest) => (rest, "desc"),
        None => (text, "asc"),
    };
    let by = match text.to_lowercase().as_str() {
        "createdat" | "created" => "createdAt",
        "updatedat" | "updated" => "updatedAt",
        "priority" => "priority",
        "dueat" | "due" => "dueAt",
        _ => return Err("must be createdAt, updatedAt, priority or dueAt".to_owned()),
    };
    Ok((by.to_owned(), direction))
}

impl List {
    pub(super) async fn run(self, session: &Session) -> Result<Exit, Failure> {
        let (by, direction) = self.sort.unzip();
        let call = Call::get(&["tasks"])
            .query_list("status", &self.status)
            .query_list("type", &self.types)
            .query("assigneeId", self.assignee)
            .query("priority", self.priority)
            .query_list("labels", &self.labels)
            .query("search", self.search)
            .query("parentTaskId", self.parent)
            .query("orderBy", by)
            .query("orderDir", direction)
            .query("limit", self.page.limit)
            .query("offset", self.page.offset);
        let ask = async || session.client.send(&call).await;
        let view = |style: &_, body: &serde_json::Value| table(style, &body["tasks"], LIST);
        session
            .watch(&self.watch, ask, Shape::List("tasks"), view)
            .await
    }
}

impl Get {
    pub(super) async fn run(self, session: &Session) -> Result<Exit, Failure> {
        if !self.thread {
            let call = Call::get(&["tasks", &self.id]);
            let ask = async || session.client.send(&call).await;
            return session.watch(&self.watch, ask, Shape::One, whole).await;
        }
        let call = Call::get(&["tasks", &self.id, "messages"])
            .query("limit", Some(200))
            .query("before", self.before);
        let ask = async || session.client.send(&call).await;
        let view = |style: &_, body: &serde_json::Value| talk::thread(style, &body["messages"]);
        session
            .watch(&self.watch, ask, Shape::List("messages"), view)
            .await
    }
}

impl Create {
    pub(super) async fn run(self, session: &Session) -> Result<Exit, Failure> {
        let body = Body::new()
            .with("title", self.title)
            .with("type", self.kind)
            .maybe(
                "description",
                self.description.map(plan::text_or_stdin).transpose()?,
            )
            .maybe("priority", self.priority)
            .list("assigneeIds", self.assign)
            .maybe("reviewerId", self.reviewer)
            .maybe("dueAt", self.due)
            .list("labels", self.labels)
            .maybe("parentTaskId", self.parent)
            .maybe("estimatedCost", self.estimated_cost)
            .maybe("budget", self.budget);
        session
            .show(Call::post(&["tasks"], body), Shape::One, brief)
            .await
    }
}
