//! `mc approval` and `mc grant`: asking before acting, deciding, and what a decision goes on allowing (§10).

use std::time::Duration;

use clap::{Args, Subcommand};
use serde_json::{Map, Value};
use tokio::time::Instant;

use crate::call::{Body, Call};
use crate::failure::{Exit, Failure};
use crate::options::{Page, Watch};
use crate::print::record::{Line, record, section};
use crate::print::table::{Column, table};
use crate::print::value::Kind;
use crate::print::{Shape, Style, clean, console};
use crate::reply::Reply;
use crate::session::{Session, is_passing};
use crate::words::{self, OneOf};

/// How long a wait for a decision pauses between looks: longer and longer, up to the last.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(15);
/// How often in a row a look may fail before a wait is given up.
const MOST_FAILURES: u32 = 20;

#[derive(Debug, Subcommand)]
pub(crate) enum Approval {
    /// Ask for leave to do something
    Request(Box<Request>),
    /// Is it decided? Exit code 0 approved, 10 pending, 11 denied, expired or canceled
    Check(Check),
    /// Requests, and what became of them
    List(List),
    /// Say yes (operator)
    Approve(Approve),
    /// Say no (operator)
    Deny(Deny),
    /// Take a request back
    Cancel(Cancel),
}

#[derive(Debug, Subcommand)]
pub(crate) enum Grant {
    /// What approvals still allow
    List(GrantList),
    /// Allow it no more (operator)
    Revoke(Revoke),
}

#[derive(Debug, Args)]
pub(crate) struct Request {
    /// The task it is for; it waits until the decision
    #[arg(long, value_name = "ID", value_parser = words::id)]
    task: Option<String>,
    /// TOOL_EXEC, BUDGET_OVERRIDE, STATE_TRANSITION or SPAWN
    #[arg(long, value_name = "TYPE", value_parser = OneOf(words::APPROVAL_ACTIONS))]
    action_type: String,
    /// What you want to do
    #[arg(long)]
    summary: String,
    /// YELLOW or RED
    #[arg(long, value_parser = OneOf(words::APPROVAL_RISKS))]
    risk: String,
    /// Why it is needed
    #[arg(long)]
    justification: String,
    /// How to undo it; wanted for RED
    #[arg(long, value_name = "TEXT")]
    rollback: Option<String>,
    /// What it will cost, in US dollars
    #[arg(long, value_name = "USD", value_parser = words::money)]
    estimated_cost: Option<f64>,
    /// How long the request stands, 7d at most [default: 24h]
    #[arg(long, value_name = "TIME", value_parser = words::api_duration)]
    expires_in: Option<String>,
    /// The action itself, as a JSON object
    #[arg(long, value_name = "JSON", value_parser = words::object)]
    payload: Option<Map<String, Value>>,
    /// The tool call that waits for it
    #[arg(long, value_name = "ID", value_parser = words::id)]
    tool_call: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Check {
    /// Its id
    #[arg(value_parser = words::id)]
    id: String,
    /// Wait for the decision; --timeout then says how long at most
    #[arg(long)]
    wait: bool,
}

#[derive(Debug, Args)]
pub(crate) struct List {
    /// PENDING, APPROVED, DENIED, EXPIRED, CANCELED, separated by commas
    #[arg(long, value_delimiter = ',', value_parser = OneOf(words::APPROVAL_STATUSES))]
    status: Vec<String>,
    /// All that wait for a decision (operator)
    #[arg(long, conflicts_with_all = ["status", "task", "requestor", "action_type", "limit", "offset"])]
    pending: bool,
    /// Only on this task
    #[arg(long, value_name = "ID", value_parser = words::id)]
    task: Option<String>,
    /// Only this agent's
    #[arg(long, value_name = "ID", value_parser = words::id)]
    requestor: Option<String>,
    /// Only this kind of action
    #[arg(long, value_name = "TYPE", value_parser = OneOf(words::APPROVAL_ACTIONS))]
    action_type: Option<String>,
    #[command(flatten)]
    page: Page,
    #[command(flatten)]
    watch: Watch,
}

/// A yes, and how far it reaches. Without more it is good for exactly this action, once.
#[derive(Debug, Args)]
pub(crate) struct Approve {
    /// Its id
    #[arg(value_parser = words::id)]
    id: String,
    /// Why; kept in the record
    #[arg(long)]
    reason: Option<String>,
    /// How often it may be done: a number, or `unlimited` [default: 1]
    #[arg(long, value_name = "N|unlimited", value_parser = uses)]
    uses: Option<Uses>,
    /// For how long: 8h, 7d
    #[arg(long = "for", value_name = "TIME", value_parser = words::api_duration)]
    duration: Option<String>,
    /// On any task
    #[arg(long)]
    any_task: bool,
    /// On this task only; said for clearness, as it is so anyhow
    #[arg(long = "this-task", conflicts_with = "any_task")]
    _this_task: bool,
    /// By any agent
    #[arg(long)]
    any_agent: bool,
    /// Everything that this rule holds back, such as 'shell_not_allowlisted:git', not this action only
    #[arg(long, value_name = "RULE")]
    rule: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Deny {
    /// Its id
    #[arg(value_parser = words::id)]
    id: String,
    /// Why not
    #[arg(long)]
    reason: String,
    /// Where its task goes: IN_PROGRESS, ASSIGNED or CANCELED [default: BLOCKED]
    #[arg(long, value_name = "STATUS", value_parser = OneOf(&["IN_PROGRESS", "ASSIGNED", "CANCELED", "BLOCKED"]))]
    task_status: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Cancel {
    /// Its id
    #[arg(value_parser = words::id)]
    id: String,
    /// Why; kept in the record
    #[arg(long)]
    reason: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct GrantList {
    #[command(flatten)]
    page: Page,
}

#[derive(Debug, Args)]
pub(crate) struct Revoke {
    /// Its id
    #[arg(value_parser = words::id)]
    id: String,
}

/// How often a grant may be used.
#[derive(Debug, Clone, Copy)]
enum Uses {
    Times(u32),
    Unlimited,
}

fn uses(text: &str) -> Result<Uses, String> {
    match text.trim().to_lowercase().as_str() {
        "unlimited" => Ok(Uses::Unlimited),
        number => match number.parse() {
            Ok(times) if times > 0 => Ok(Uses::Times(times)),
            _ => Err("must be a number from 1 on, or unlimited".to_owned()),
        },
    }
}

impl From<Uses> for Value {
    fn from(uses: Uses) -> Self {
        match uses {
            Uses::Times(times) => times.into(),
            Uses::Unlimited => "unlimited".into(),
        }
    }
}

pub(crate) const LIST: &[Column] = &[
    ("APPROVAL", "id", Kind::Id),
    ("STATUS", "status", Kind::Word),
    ("RISK", "riskLevel", Kind::Word),
    ("ACTION", "actionType", Kind::Text),
    ("AGENT", "requestorAgentId", Kind::Text),
    ("TASK", "taskId", Kind::Id),
    ("EXPIRES", "expiresAt", Kind::When),
    ("SUMMARY", "actionSummary", Kind::Long),
];

const WHOLE: &[Line] = &[
    ("Approval", "id", Kind::Id),
    ("Status", "status", Kind::Word),
    ("Action", "actionType", Kind::Text),
    ("Summary", "actionSummary", Kind::Text),
    ("Risk", "riskLevel", Kind::Word),
    ("Agent", "requestorAgentId", Kind::Id),
    ("Task", "taskId", Kind::Id),
    ("Estimated cost", "estimatedCost", Kind::Money),
    ("Escalated", "escalated", Kind::Text),
    ("Expires", "expiresAt", Kind::When),
    ("Decided by", "decidedBy", Kind::Text),
    ("Decided", "decidedAt", Kind::When),
    ("Decision", "decisionReason", Kind::Text),
    ("Used", "usedAt", Kind::When),
    ("Grant", "grant.id", Kind::Id),
    ("Uses left", "grant.usesLeft", Kind::Text),
    ("Good until", "grant.until", Kind::When),
    ("Good for", "grant.matches", Kind::Text),
];

const GRANTS: &[Column] = &[
    ("GRANT", "id", Kind::Id),
    ("AGENT", "agentId", Kind::Text),
    ("TASK", "taskId", Kind::Id),
    ("USED", "used", Kind::Text),
    ("LEFT", "usesLeft", Kind::Text),
    ("UNTIL", "until", Kind::When),
    ("REVOKED", "revokedAt", Kind::When),
    ("APPROVAL", "approvalId", Kind::Id),
    ("FOR", "scope", Kind::Text),
    ("MATCHES", "matches", Kind::Long),
];

impl Approval {
    pub(crate) async fn run(self, session: &Session) -> Result<Exit, Failure> {
        match self {
            Self::Request(command) => command.run(session).await,
            Self::Check(command) => command.run(session).await,
            Self::List(command) => command.run(session).await,
            Self::Approve(command) => command.run(session).await,
            Self::Deny(command) => command.run(session).await,
            Self::Cancel(Cancel { id, reason }) => {
                let body = Body::new().maybe("reason", reason);
                session
                    .show(
                        Call::post(&["approvals", &id, "cancel"], body),
                        Shape::One,
                        whole,
                    )
                    .await
            }
        }
    }
}

impl Grant {
    pub(crate) async fn run(self, session: &Session) -> Result<Exit, Failure> {
        match self {
            Self::List(GrantList { page }) => {
                let call = Call::get(&["grants"])
                    .query("limit", page.limit)
                    .query("offset", page.offset)
                    .by_operator();
                session
                    .show(call, Shape::List("grants"), |style, body| {
                        table(style, &body["grants"], GRANTS)
                    })
                    .await
            }
            Self::Revoke(Revoke { id }) => {
                let call = Call::delete(&["grants", &id]).by_operator();
                session
                    .show(call, Shape::One, |_, _| {
                        format!("{} is revoked\n", clean::line(&id))
                    })
                    .await
            }
        }
    }
}

fn whole(style: &Style, approval: &Value) -> String {
    let text = |name: &str| approval[name].as_str().unwrap_or_default().to_owned();
    let mut shown = record(style, approval, WHOLE);
    shown.push_str(&section(style, "Why", &text("justification")));
    shown.push_str(&section(style, "How to undo it", &text("rollbackPlan")));
    shown
}

impl Request {
    async fn run(self, session: &Session) -> Result<Exit, Failure> {
        let body = Body::new()
            .maybe("taskId", self.task)
            .maybe("toolCallId", self.tool_call)
            .with("actionType", self.action_type)
            .with("actionSummary", self.summary)
            .with("riskLevel", self.risk)
            .with("justification", self.justification)
            .maybe("rollbackPlan", self.rollback)
            .maybe("estimatedCost", self.estimated_cost)
            .maybe("expiresIn", self.expires_in)
            .maybe("actionPayload", self.payload);
        let reply = session
            .client
            .send(&Call::post(&["approvals"], body))
            .await?;
        session.out.show(&reply, Shape::One, whole)?;
        if let (true, Some(id)) = (session.out.is_table(), reply.body["id"].as_str()) {
            console::note(&format!(
                "wait for the decision: mc approval check {id} --wait"
            ));
        }
        Ok(Exit::Done)
    }
}

impl Check {
    async fn run(self, session: &Session) -> Result<Exit, Failure> {
        let call = Call::get(&["approvals", &self.id]);
        // With --wait, --timeout bounds the wait, and not one look at it.
        let patience = session.settings.patience.filter(|_| self.wait);
        let started = Instant::now();
        let mut pause = FIRST_PAUSE;
        let mut failures = 0;
        let reply = loop {
            let answer = session.client.send(&call).await;
            let left = patience.map(|patience| patience.saturating_sub(started.elapsed()));
            let is_last = !self.wait || left.is_some_and(|left| left.is_zero());
            match answer {
                Ok(reply) if is_last || exit_of(&reply) != Exit::Undecided => break reply,
                Ok(_) => failures = 0,
                // A server that is restarted does not end a wait.
                Err(failure) if !is_last && is_passing(&failure) && failures < MOST_FAILURES => {
                    console::explain(&failure);
                    failures += 1;
                }
                Err(failure) => return Err(failure),
            }
            let jittered = pause.mul_f64(0.9 + fastrand::f64() * 0.2);
            tokio::time::sleep(left.map_or(jittered, |left| left.min(jittered))).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        };
        session.out.show(&reply, Shape::One, whole)?;
        Ok(exit_of(&reply))
    }
}

fn exit_of(reply: &Reply) -> Exit {
    match reply.body["status"].as_str() {
        Some("APPROVED") => Exit::Done,
        Some("PENDING") => Exit::Undecided,
        // Also what we do not know: whoever acts on exit code 0 must have been allowed to.
        _ => Exit::Refused,
    }
}

impl List {
    async fn run(self, session: &Session) -> Result<Exit, Failure> {
        let call = if self.pending {
            Call::get(&["approvals", "pending"]).by_operator()
        } else {
            Call::get(&["approvals"]).query_list("status", &self.status)
        };
        let call = call
            .query("taskId", self.task)
            .query("requestorId", self.requestor)
            .query("actionType", self.action_type)
            .query("limit", self.page.limit)
            .query("offset", self.page.offset);
        let ask = async || session.client.send(&call).await;
        let view = |style: &_, body: &Value| table(style, &body["approvals"], LIST);
        session
            .watch(&self.watch, ask, Shape::List("approvals"), view)
            .await
    }
}

impl Approve {
    async fn run(self, session: &Session) -> Result<Exit, Failure> {
        let grant = Body::new()
            .maybe("uses", self.uses)
            .maybe("for", self.duration)
            .maybe("anyTask", self.any_task.then_some(true))
            .maybe("anyAgent", self.any_agent.then_some(true))
            .maybe("rule", self.rule);
        let body = Body::new()
            .maybe("reason", self.reason)
            .maybe("grant", grant.if_any());
        let call = Call::post(&["approvals", &self.id, "approve"], body).by_operator();
        session.show(call, Shape::One, whole).await
    }
}

impl Deny {
    async fn run(self, session: &Session) -> Result<Exit, Failure> {
        let body = Body::new().with("reason", self.reason);
        // Only `decide` takes a status for the task.
        let call = match self.task_status {
            None => Call::post(&["approvals", &self.id, "deny"], body),
            Some(status) => {
                let body = body.with("decision", "DENIED").with("taskStatus", status);
                Call::post(&["approvals", &self.id, "decide"], body)
            }
        };
        session.show(call.by_operator(), Shape::One, whole).await
    }
}
