//! Everything that moves a task from one status to another (§5).

use clap::Args;
use serde_json::{Value, json};

use super::{STATUS, brief};
use crate::call::{Body, Call};
use crate::failure::{Exit, Failure};
use crate::plan;
use crate::print::{Shape, console};
use crate::session::Session;
use crate::words;

/// How many tasks `next` tries before it gives up: others claim at the same time.
const MOST_CANDIDATES: usize = 10;

#[derive(Debug, Args)]
pub(crate) struct Claim {
    /// Its id
    #[arg(value_parser = words::id)]
    id: String,
}

#[derive(Debug, Args)]
pub(crate) struct Next {
    /// Show it, and do not take it
    #[arg(long)]
    dry_run: bool,
    /// Only these types, separated by commas [default: those you may do]
    #[arg(long = "type", value_name = "TYPES", value_delimiter = ',', value_parser = super::TYPE)]
    types: Vec<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Start {
    /// Its id
    #[arg(value_parser = words::id)]
    id: String,
    /// The steps, 3 to 6, one a line; `\n` also ends a line
    #[arg(
        long,
        value_name = "TEXT",
        conflicts_with = "plan_file",
        allow_hyphen_values = true
    )]
    plan: Option<String>,
    /// The same from a file; `-` reads standard input
    #[arg(long, value_name = "FILE")]
    plan_file: Option<std::path::PathBuf>,
    /// What it will cost, in US dollars
    #[arg(long, value_name = "USD", value_parser = words::money)]
    estimated_cost: Option<f64>,
    /// How long it will take: 30m, 2h
    #[arg(long, value_name = "TIME", value_parser = words::api_duration)]
    estimated_duration: Option<String>,
    /// Tasks that must be done before, separated by commas
    #[arg(long, value_name = "IDS", value_delimiter = ',')]
    depends: Vec<String>,
    /// Why; kept in the record
    #[arg(long)]
    reason: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Approve {
    /// Its id
    #[arg(value_parser = words::id)]
    id: String,
    /// A word about the decision
    #[arg(long, alias = "reason")]
    note: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Reject {
    /// Its id
    #[arg(value_parser = words::id)]
    id: String,
    /// What is to be better
    #[arg(long, alias = "reason")]
    feedback: String,
}

#[derive(Debug, Args)]
pub(crate) struct Assign {
    /// Its id
    #[arg(value_parser = words::id)]
    id: String,
    /// Agents, separated by commas
    #[arg(
        long,
        value_name = "IDS",
        value_delimiter = ',',
        required_unless_present = "nobody"
    )]
    to: Vec<String>,
    /// Take it away from everybody
    #[arg(long, conflicts_with = "to")]
    nobody: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Block {
    /// Its id
    #[arg(value_parser = words::id)]
    id: String,
    /// What it waits for
    #[arg(long)]
    reason: String,
}

#[derive(Debug, Args)]
pub(crate) struct Unblock {
    /// Its id
    #[arg(value_parser = words::id)]
    id: String,
    /// What has changed
    #[arg(long)]
    reason: String,
    /// ASSIGNED or IN_PROGRESS [default: IN_PROGRESS if it was ever started]
    #[arg(long, value_name = "STATUS", value_parser = words::OneOf(&["ASSIGNED", "IN_PROGRESS"]))]
    to: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Cancel {
    /// Its id
    #[arg(value_parser = words::id)]
    id: String,
    /// Why
    #[arg(long)]
    reason: String,
}

#[derive(Debug, Args)]
pub(crate) struct Transition {
    /// Its id
    #[arg(value_parser = words::id)]
    id: String,
    /// Where to
    #[arg(value_parser = STATUS)]
    to: String,
    /// Why; kept in the record
    #[arg(long)]
    reason: Option<String>,
    /// Without plan, deliverable or checklist (operator); kept in the record
    #[arg(long)]
    force: bool,
}

/// The request that moves a task.
pub(super) fn transition(id: &str, to: &str, body: Body) -> Call {
    Call::post(
        &["tasks", id, "transition"],
        Body::new().with("toStatus", to).beside(members(body)),
    )
}

fn members(body: Body) -> serde_json::Map<String, Value> {
    match Value::from(body) {
        Value::Object(members) => members,
        _ => serde_json::Map::new(),
    }
}

fn claim(id: &str, agent: &str) -> Call {
    Call::patch(&["tasks", id], Body::new().with("assigneeIds", vec![agent]))
}

impl Claim {
    pub(super) async fn run(self, session: &Session) -> Result<Exit, Failure> {
        session
            .show(claim(&self.id, session.me()), Shape::One, brief)
            .await
    }
}

impl Next {
    pub(super) async fn run(self, session: &Session) -> Result<Exit, Failure> {
        let types = match self.types {
            types if types.is_empty() => {
                let me = session
                    .client
                    .send(&Call::get(&["agents", session.me()]))
                    .await?;
                let allowed = me.body["allowedTaskTypes"].as_array().into_iter().flatten();
                allowed
                    .filter_map(|it| it.as_str().map(str::to_owned))
                    .collect()
            }
            types => types,
        };
        let call = Call::get(&["tasks"])
            .query("status", Some("INBOX"))
            .query_list("type", &types)
            .query("limit", Some(MOST_CANDIDATES));
        // The list's own order is the right one: priority, then age.
        let board = session.client.send(&call).await?;
        let candidates = board.body["tasks"].as_array().cloned().unwrap_or_default();
        if self.dry_run {
            let Some(best) = candidates.first() else {
                return Err(nothing());
            };
            session.out.show_value(best, brief)?;
            return Ok(Exit::Done);
        }
        for id in candidates.iter().filter_map(|task| task["id"].as_str()) {
            match session.client.send(&claim(id, session.me())).await {
                Ok(reply) => {
                    session.out.show(&reply, Shape::One, brief)?;
                    return Ok(Exit::Done);
                }
                Err(failure) if failure.code.as_deref() == Some("ASSIGNMENT_CONFLICT") => {
                    console::note(&format!("somebody else was faster with {id}"));
                }
                Err(failure) => return Err(failure),
            }
        }
        Err(nothing())
    }
}

fn nothing() -> Failure {
    Failure::nothing("there is no task to claim")
        .hint("see what there is: mc task list --status INBOX; what you may do: mc agent get ID")
}

impl Start {
    pub(super) async fn run(self, session: &Session) -> Result<Exit, Failure> {
        let text = match (self.plan, self.plan_file) {
            (Some(text), _) => Some(plan::text_or_stdin(text)?),
            (None, Some(path)) => Some(plan::read_text(&path)?),
            (None, None) => None,
        };
        let bullets = text.map(|text| plan::bullets(&text)).transpose()?;
        let has_steps = bullets.is_some();
        let work_plan = Body::new()
            .maybe("bullets", bullets)
            .maybe("estimatedCost", self.estimated_cost)
            .maybe("estimatedDuration", self.estimated_duration)
            .list("dependencies", self.depends);
        if !has_steps && !work_plan.is_empty() {
            return Err(Failure::usage(
                "costs, durations and dependencies belong to a plan: --plan or --plan-file",
            ));
        }
        let body = Body::new()
            .maybe("workPlan", work_plan.if_any())
            .maybe("reason", self.reason);
        session
            .show(transition(&self.id, "IN_PROGRESS", body), Shape::One, brief)
            .await
    }
}

impl Approve {
    pub(super) async fn run(self, session: &Session) -> Result<Exit, Failure> {
        let body = Body::new().maybe("reason", self.note);
        session
            .show(
                transition(&self.id, "DONE", body).by_operator(),
                Shape::One,
                brief,
            )
            .await
    }
}

impl Reject {
    pub(super) async fn run(self, session: &Session) -> Result<Exit, Failure> {
        let body = Body::new().with("reason", self.feedback);
        session
            .show(
                transition(&self.id, "IN_PROGRESS", body).by_operator(),
                Shape::One,
                brief,
            )
            .await
    }
}

impl Assign {
    pub(super) async fn run(self, session: &Session) -> Result<Exit, Failure> {
        let body = Body::new().with("assigneeIds", json!(self.to));
        let call = Call::patch(&["tasks", &self.id], body).by_operator();
        session.show(call, Shape::One, brief).await
    }
}

impl Block {
    pub(super) async fn run(self, session: &Session) -> Result<Exit, Failure> {
        let body = Body::new().with("reason", self.reason);
        session
            .show(
                transition(&self.id, "BLOCKED", body).by_operator(),
                Shape::One,
                brief,
            )
            .await
    }
}

impl Unblock {
    pub(super) async fn run(self, session: &Session) -> Result<Exit, Failure> {
        let to = match self.to {
            Some(to) => to,
            None => {
                let task = session
                    .client
                    .send(&Call::get(&["tasks", &self.id]).by_operator())
                    .await?;
                let started = task.body["startedAt"].is_string();
                if started { "IN_PROGRESS" } else { "ASSIGNED" }.to_owned()
            }
        };
        let body = Body::new().with("reason", self.reason);
        session
            .show(
                transition(&self.id, &to, body).by_operator(),
                Shape::One,
                brief,
            )
            .await
    }
}

impl Cancel {
    pub(super) async fn run(self, session: &Session) -> Result<Exit, Failure> {
        let body = Body::new().with("reason", self.reason);
        session
            .show(
                transition(&self.id, "CANCELED", body).by_operator(),
                Shape::One,
                brief,
            )
            .await
    }
}

impl Transition {
    pub(super) async fn run(self, session: &Session) -> Result<Exit, Failure> {
        let body = Body::new()
            .maybe("reason", self.reason)
            .maybe("force", self.force.then_some(true));
        let call = transition(&self.id, &self.to, body);
        let call = if self.force { call.by_operator() } else { call };
        session.show(call, Shape::One, brief).await
    }
}
