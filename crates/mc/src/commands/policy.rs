//! `mc policy`: may I do this, and which rules are in force (§8).

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use serde_json::{Map, Value};

use crate::call::{Body, Call, Purpose};
use crate::failure::{Exit, Failure, approval_line};
use crate::plan;
use crate::print::record::record;
use crate::print::table::{Column, table};
use crate::print::value::Kind;
use crate::print::{Shape, Style, clean, console};
use crate::session::Session;
use crate::words::{self, OneOf};

#[derive(Debug, Subcommand)]
pub(crate) enum Policy {
    /// May this be done? Exit code 0 allowed, 10 needs approval, 11 denied
    Check(Box<Check>),
    /// The rules in force
    Show(Show),
    /// The versions of the rules, the latest first
    Versions(Show),
    /// Is a document without a fault? Every fault is named with its place
    Validate(Document),
    /// How a document would have judged what was judged lately
    Test(Test),
    /// What a document changes of the rules in force
    Diff(Document),
    /// Put a document in force; the old one is kept (operator)
    Set(Set),
}

#[derive(Debug, Args)]
pub(crate) struct Check {
    /// TOOL_CALL, FILE_WRITE, NETWORK, SPAWN or TRANSITION
    #[arg(long, value_name = "TYPE", default_value = "TOOL_CALL", value_parser = OneOf(words::POLICY_ACTIONS))]
    action_type: String,
    /// The tool, such as exec or read_file
    #[arg(long)]
    tool: Option<String>,
    /// Its arguments as a JSON object: '{"command":"ls"}'
    #[arg(long, value_name = "JSON", value_parser = words::object)]
    args: Option<Map<String, Value>>,
    /// The task it is for
    #[arg(long, value_name = "ID", value_parser = words::id)]
    task: Option<String>,
    /// The session it happens in [default: MC_SESSION_KEY]
    #[arg(long, value_name = "KEY")]
    session: Option<String>,
    /// What it will cost, in US dollars
    #[arg(long, value_name = "USD", value_parser = words::money)]
    estimated_cost: Option<f64>,
    /// An approval that allows it
    #[arg(long, value_name = "ID", value_parser = words::id)]
    approval: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Show {
    /// GLOBAL, AGENT or TASK_TYPE
    #[arg(long, value_parser = OneOf(words::SCOPES))]
    scope: Option<String>,
    /// Which agent or type of tasks
    #[arg(long, value_name = "ID", requires = "scope")]
    scope_id: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Document {
    /// A document, .toml or .json
    file: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct Test {
    /// A document, .toml or .json
    file: PathBuf,
    /// How many of the latest judgements to try
    #[arg(long, value_name = "N")]
    last: Option<u32>,
}

#[derive(Debug, Args)]
pub(crate) struct Set {
    /// A document, .toml or .json; what `mc policy show --json` prints will do
    file: PathBuf,
    /// GLOBAL, AGENT or TASK_TYPE [default: what the file says, else GLOBAL]
    #[arg(long, value_parser = OneOf(words::SCOPES))]
    scope: Option<String>,
    /// Which agent or type of tasks
    #[arg(long, value_name = "ID", requires = "scope")]
    scope_id: Option<String>,
}

impl Policy {
    pub(crate) async fn run(self, session: &Session) -> Result<Exit, Failure> {
        match self {
            Self::Check(command) => command.run(session).await,
            Self::Show(command) => command.run(session).await,
            Self::Versions(Show { scope, scope_id }) => {
                let call = Call::get(&["policy", "versions"])
                    .query("scope", scope)
                    .query("scopeId", scope_id)
                    .by_operator();
                let view = |style: &Style, body: &Value| table(style, &body["versions"], VERSIONS);
                session.show(call, Shape::List("versions"), view).await
            }
            Self::Validate(Document { file }) => {
                let call = Call::post(&["policy", "check"], document(&file)?).by_operator();
                let view = |_: &Style, _: &Value| "no fault\n".to_owned();
                session.show(call, Shape::One, view).await
            }
            Self::Test(command) => command.run(session).await,
            Self::Diff(Document { file }) => {
                let call = Call::post(&["policy", "diff"], document(&file)?).by_operator();
                session
                    .show(call, Shape::List("changes"), differences)
                    .await
            }
            Self::Set(command) => command.run(session).await,
        }
    }
}

impl Check {
    async fn run(self, session: &Session) -> Result<Exit, Failure> {
        let args = self.args.unwrap_or_default();
        let purpose = purpose(
            &self.action_type,
            self.tool.as_deref(),
            &args,
            self.task.clone(),
        );
        // The arguments stand beside the action's own members (§8.1), and never instead of them.
        let action = Body::new()
            .with("type", self.action_type)
            .maybe("tool", self.tool)
            .maybe("estimatedCost", self.estimated_cost)
            .beside(args);
        let context = Body::new()
            .maybe("taskId", self.task)
            .maybe(
                "sessionKey",
                self.session.or_else(|| session.settings.session.clone()),
            )
            .maybe("approvalId", self.approval);
        let body = Body::new()
            .with("agentId", session.me())
            .with("action", action)
            .maybe("context", context.if_any());
        let reply = session
            .client
            .send(&Call::post(&["policy", "evaluate"], body))
            .await?;
        session.out.show(&reply, Shape::One, decision)?;
        Ok(match reply.body["decision"].as_str() {
            Some("ALLOW") => Exit::Done,
            Some("NEEDS_APPROVAL") => {
                if session.out.is_table() {
                    console::note(&format!(
                        "hint: ask for approval: {}",
                        approval_line(&reply.body, Some(&purpose))
                    ));
                }
                Exit::Undecided
            }
            // Also what we do not know: whoever acts on exit code 0 must have been allowed to.
            _ => Exit::Refused,
        })
    }
}

/// What an action is, for whoever approves it: the tool, and what it is to work on.
pub(crate) fn purpose(
    kind: &str,
    tool: Option<&str>,
    args: &Map<String, Value>,
    task: Option<String>,
) -> Purpose {
    let names = ["command", "cmd", "path", "url", "domain", "targetStatus"];
    let object = names.iter().find_map(|name| args.get(*name)?.as_str());
    let name = tool.unwrap_or(kind);
    let summary = object.map_or_else(|| name.to_owned(), |object| format!("{name}: {object}"));
    let payload = Body::new()
        .with("type", kind)
        .maybe("tool", tool)
        .beside(args.clone());
    Purpose {
        summary: clean::line(&summary),
        task,
        payload: Some(payload.into()),
    }
}

/// Exactly three lines (§14); violations with -v.
fn decision(style: &Style, body: &Value) -> String {
    let text = |name: &str| clean::line(body[name].as_str().unwrap_or_default());
    let mut shown = format!(
        "Decision: {}\nRisk Level: {}\nReason: {}\n",
        text("decision"),
        text("riskLevel"),
        text("reason")
    );
    if style.verbose {
        let violations = body["violations"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(Value::as_str);
        for violation in violations {
            shown.push_str(&format!("Violation: {}\n", clean::line(violation)));
        }
    }
    shown
}

/// The body that carries a document: TOML as text, JSON as it is. A name that says neither is taken
/// for JSON if the text begins like an object.
fn document(path: &Path) -> Result<Body, Failure> {
    let text = plan::read_text(path)?;
    let shown = path.display();
    let extension = path.extension().and_then(|extension| extension.to_str());
    let kind = match extension {
        None if text.trim_start().starts_with('{') => Some("json"),
        other => other,
    };
    match kind {
        Some("toml") => Ok(Body::new().with("toml", text)),
        Some("json") => match serde_json::from_str::<Value>(&text) {
            // What `mc policy show` prints: the document, and for whom it is.
            Ok(Value::Object(shown)) if shown.get("document").is_some_and(Value::is_object) => {
                let kept = ["document", "scope", "scopeId"];
                let members = shown.into_iter().filter(|it| kept.contains(&it.0.as_str()));
                Ok(Body::new().beside(members.collect()))
            }
            Ok(Value::Object(document)) => Ok(Body::new().with("document", document)),
            Ok(_) => Err(Failure::usage(format!("{shown} must hold a JSON object"))),
            Err(error) => Err(Failure::usage(format!("{shown} is not JSON: {error}"))),
        },
        _ => Err(Failure::usage(format!(
            "{shown}: a policy document's name ends in .toml or .json"
        ))),
    }
}

impl Show {
    async fn run(self, session: &Session) -> Result<Exit, Failure> {
        let call = Call::get(&["policy", "active"])
            .query("scope", self.scope)
            .query("scopeId", self.scope_id);
        session
            .show(call, Shape::One, |_, body| {
                let text = serde_json::to_string_pretty(body).unwrap_or_else(|_| body.to_string());
                format!("{}\n", clean::json(&text))
            })
            .await
    }
}

impl Test {
    async fn run(self, session: &Session) -> Result<Exit, Failure> {
        let body = document(&self.file)?.maybe("last", self.last);
        let call = Call::post(&["policy", "test"], body).by_operator();
        session.show(call, Shape::List("changes"), judgements).await
    }
}

const VERSIONS: &[Column] = &[
    ("VERSION", "version", Kind::Id),
    ("WHEN", "createdAt", Kind::When),
    ("BY", "createdBy", Kind::Text),
    ("REMOVED", "removed", Kind::Text),
];

const JUDGEMENTS: &[Column] = &[
    ("ACTIVITY", "activityId", Kind::Id),
    ("AGENT", "agentId", Kind::Text),
    ("BEFORE", "before.decision", Kind::Word),
    ("RISK", "before.riskLevel", Kind::Word),
    ("AFTER", "after.decision", Kind::Word),
    ("RISK", "after.riskLevel", Kind::Word),
    ("ACTION", "action", Kind::Long),
];

fn judgements(style: &Style, body: &Value) -> String {
    let count = body["changes"].as_array().map_or(0, Vec::len);
    let tested = body["tested"].as_u64().unwrap_or(0);
    if count == 0 {
        return format!("{tested} tried; none would be judged differently\n");
    }
    format!(
        "{tested} tried; {count} would be judged differently\n\n{}",
        table(style, &body["changes"], JUDGEMENTS)
    )
}

const DIFFERENCES: &[Column] = &[
    ("RULE", "path", Kind::Id),
    ("OLD", "old", Kind::Long),
    ("NEW", "new", Kind::Long),
];

fn differences(style: &Style, body: &Value) -> String {
    match body["changes"].as_array() {
        Some(changes) if changes.is_empty() => "no difference\n".to_owned(),
        _ => table(style, &body["changes"], DIFFERENCES),
    }
}

impl Set {
    async fn run(self, session: &Session) -> Result<Exit, Failure> {
        let body = document(&self.file)?
            .maybe("scope", self.scope)
            .maybe("scopeId", self.scope_id);
        let call = Call::put(&["policy"], body).by_operator();
        let lines = [
            ("Version", "version", Kind::Text),
            ("Scope", "scope", Kind::Text),
            ("For", "scopeId", Kind::Id),
        ];
        session
            .show(call, Shape::One, |style, body| record(style, body, &lines))
            .await
    }
}
