//! `mc task`: the work itself (§4 tasks, §5).

mod board;
mod hand_in;
mod state;
mod talk;

use clap::{Args, Subcommand};
use serde_json::Value;

use crate::call::Call;
use crate::failure::{Exit, Failure};
use crate::print::record::{Line, record, section};
use crate::print::table::{Column, table};
use crate::print::value::Kind;
use crate::print::{Shape, Style, clean};
use crate::session::Session;
use crate::words::{self, OneOf};

#[derive(Debug, Subcommand)]
pub(crate) enum Task {
    /// Tasks, most important first
    List(board::List),
    /// One task with all that belongs to it
    Get(board::Get),
    /// Put a task on the board
    Create(board::Create),
    /// Take a task
    Claim(state::Claim),
    /// Take the best task there is for you
    Next(state::Next),
    /// Begin, with a plan of 3 to 6 steps
    Start(state::Start),
    /// Say something about a task; `-` reads standard input
    Comment(talk::Comment),
    /// Add a file or an address to a task
    Artifact(talk::Artifact),
    /// Hand it in for review
    Submit(hand_in::Submit),
    /// Print the checklist of a type of tasks, to be filled in
    Checklist(hand_in::Checklist),
    /// Accept what was handed in: the task is done (operator)
    Approve(state::Approve),
    /// Send it back with what is to be better (operator)
    Reject(state::Reject),
    /// Give it to somebody (operator)
    Assign(state::Assign),
    /// Say that it cannot go on
    Block(state::Block),
    /// Let it go on (operator)
    Unblock(state::Unblock),
    /// Give it up (operator)
    Cancel(state::Cancel),
    /// Move it to any status that the rules allow
    Transition(state::Transition),
    /// All that happened with it, as Markdown
    Report(One),
    /// Be told what happens with it
    Subscribe(One),
    /// Be told no more
    Unsubscribe(One),
}

/// A task by its id.
#[derive(Debug, Args)]
pub(crate) struct One {
    /// Its id
    #[arg(value_parser = words::id)]
    id: String,
}

/// Tasks in a list.
pub(super) const LIST: &[Column] = &[
    ("ID", "id", Kind::Id),
    ("STATUS", "status", Kind::Word),
    ("P", "priority", Kind::Text),
    ("TYPE", "type", Kind::Text),
    ("ASSIGNEES", "assigneeIds", Kind::Text),
    ("DUE", "dueAt", Kind::When),
    ("UPDATED", "updatedAt", Kind::When),
    ("TITLE", "title", Kind::Long),
];

const BRIEF: &[Line] = &[
    ("Task", "id", Kind::Id),
    ("Title", "title", Kind::Text),
    ("Status", "status", Kind::Word),
    ("Blocked by", "blockedReason", Kind::Text),
    ("Type", "type", Kind::Text),
    ("Priority", "priority", Kind::Text),
    ("Assignees", "assigneeIds", Kind::Text),
];

const WHOLE: &[Line] = &[
    ("Task", "id", Kind::Id),
    ("Tenant", "tenantId", Kind::Id),
    ("Title", "title", Kind::Text),
    ("Status", "status", Kind::Word),
    ("Blocked by", "blockedReason", Kind::Text),
    ("Goes back to", "resumeStatus", Kind::Text),
    ("Type", "type", Kind::Text),
    ("Priority", "priority", Kind::Text),
    ("Assignees", "assigneeIds", Kind::Text),
    ("Reviewer", "reviewerId", Kind::Id),
    ("Parent", "parentTaskId", Kind::Id),
    ("Labels", "labels", Kind::Text),
    ("Due", "dueAt", Kind::When),
    ("Budget", "budget", Kind::Money),
    ("Estimated cost", "estimatedCost", Kind::Money),
    ("Cost", "actualCost", Kind::Money),
    ("Sent back", "reviewCycles", Kind::Text),
    ("Created", "createdAt", Kind::When),
    ("Started", "startedAt", Kind::When),
    ("Handed in", "submittedAt", Kind::When),
    ("Completed", "completedAt", Kind::When),
    ("Approved by", "completion.approvedBy", Kind::Text),
    ("You may move it to", "allowedTransitions", Kind::Text),
];

impl Task {
    pub(crate) async fn run(self, session: &Session) -> Result<Exit, Failure> {
        match self {
            Self::List(command) => command.run(session).await,
            Self::Get(command) => command.run(session).await,
            Self::Create(command) => command.run(session).await,
            Self::Claim(command) => command.run(session).await,
            Self::Next(command) => command.run(session).await,
            Self::Start(command) => command.run(session).await,
            Self::Comment(command) => command.run(session).await,
            Self::Artifact(command) => command.run(session).await,
            Self::Submit(command) => command.run(session).await,
            Self::Checklist(command) => command.run(session).await,
            Self::Approve(command) => command.run(session).await,
            Self::Reject(command) => command.run(session).await,
            Self::Assign(command) => command.run(session).await,
            Self::Block(command) => command.run(session).await,
            Self::Unblock(command) => command.run(session).await,
            Self::Cancel(command) => command.run(session).await,
            Self::Transition(command) => command.run(session).await,
            Self::Report(One { id }) => {
                let call = Call::get(&["tasks", &id, "report"]);
                session
                    .show(call, Shape::One, |_, body| markdown(&body["report"]))
                    .await
            }
            Self::Subscribe(One { id }) => {
                let call = Call::post(&["tasks", &id, "subscribe"], crate::call::Body::new());
                session
                    .show(call, Shape::One, |_, _| {
                        format!("subscribed to {}\n", clean::line(&id))
                    })
                    .await
            }
            Self::Unsubscribe(One { id }) => {
                let call = Call::delete(&["tasks", &id, "subscribe"]);
                session
                    .show(call, Shape::One, |_, _| {
                        format!("no longer subscribed to {}\n", clean::line(&id))
                    })
                    .await
            }
        }
    }
}

/// Text of several lines that ends with one.
pub(super) fn markdown(text: &Value) -> String {
    let text = clean::text(text.as_str().unwrap_or_default());
    format!("{}\n", text.trim_end())
}

/// A task in a few lines, after it was changed.
fn brief(style: &Style, task: &Value) -> String {
    record(style, task, BRIEF)
}

/// A task with all that belongs to it.
fn whole(style: &Style, task: &Value) -> String {
    let mut text = record(style, task, WHOLE);
    let words = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    text.push_str(&section(style, "Description", &words(&task["description"])));
    text.push_str(&section(
        style,
        "Plan",
        &numbered(&task["workPlan"]["bullets"]),
    ));
    let deliverable = &task["deliverable"];
    let summary = match words(&deliverable["summary"]) {
        summary if summary.is_empty() => words(&deliverable["content"]),
        summary => summary,
    };
    text.push_str(&section(style, "Deliverable", &summary));
    let checklist = task["reviewChecklist"]["items"]
        .as_array()
        .into_iter()
        .flatten();
    let items: Vec<String> = checklist.map(checked).collect();
    text.push_str(&section(style, "Checklist", &items.join("\n")));
    let parts: [(&str, &str, &[Column]); 4] = [
        ("Approvals", "approvals", super::approval::LIST),
        ("Runs", "runs", super::run::LIST),
        ("Documents", "documents", DOCUMENTS),
        ("History", "transitions", HISTORY),
    ];
    for (heading, member, columns) in parts {
        if task[member]
            .as_array()
            .is_some_and(|items| !items.is_empty())
        {
            text.push_str(&format!(
                "\n{heading}\n{}",
                table(style, &task[member], columns)
            ));
        }
    }
    text.push_str(&section(
        style,
        "Messages",
        &talk::thread(style, &task["messages"]),
    ));
    text
}

const DOCUMENTS: &[Column] = &[
    ("NAME", "artifact.name", Kind::Text),
    ("TYPE", "artifact.type", Kind::Text),
    ("BYTES", "artifact.sizeBytes", Kind::Text),
    ("FROM", "source", Kind::Text),
    ("WHEN", "createdAt", Kind::When),
    ("URL", "artifact.url", Kind::Long),
];

const HISTORY: &[Column] = &[
    ("WHEN", "createdAt", Kind::When),
    ("FROM", "fromStatus", Kind::Word),
    ("TO", "toStatus", Kind::Word),
    ("BY", "actorId", Kind::Text),
    ("REASON", "reason", Kind::Long),
];

fn numbered(steps: &Value) -> String {
    let steps = steps
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str);
    let lines: Vec<String> = steps
        .enumerate()
        .map(|(index, step)| format!("{}. {}", index + 1, clean::line(step)))
        .collect();
    lines.join("\n")
}

fn checked(item: &Value) -> String {
    let mark = if item["checked"] == true { 'x' } else { ' ' };
    let note = item["note"]
        .as_str()
        .map(|note| format!(" ({note})"))
        .unwrap_or_default();
    format!(
        "[{mark}] {}{note}",
        item["label"].as_str().unwrap_or_default()
    )
}

/// Where `--status` may lead.
const STATUS: OneOf = OneOf(words::TASK_STATUSES);
const TYPE: OneOf = OneOf(words::TASK_TYPES);
