//! The actions of the tool (contract section 15): their names, what each needs, and which API calls it is.
//!
//! [`table`] is the one list of actions and parameters: the schema a client sees, the check of what it sends
//! and the words of a complaint all come from it. To add an action, give it a row there, a function in the
//! file of its noun and an arm in [`plan`].

mod approval;
mod arguments;
mod heartbeat;
mod policy;
mod report;
pub(crate) mod table;
mod task;

use serde_json::{Map, Value};

use arguments::Arguments;
pub(crate) use arguments::{Problem, is_id};

use crate::carrier::Method;
use table::Action;

/// The agent an action is done as.
#[derive(Debug, Clone)]
pub(crate) struct Actor {
    /// The agent's id, or `me` where only the credential knows it.
    pub(crate) agent: String,
    /// The session key to report where an action names none.
    pub(crate) session_key: Option<String>,
}

/// One API call, before it has a caller and a key.
#[derive(Debug, PartialEq)]
pub(crate) struct Call {
    pub(crate) method: Method,
    pub(crate) path: String,
    pub(crate) body: Option<Value>,
}

impl Call {
    pub(crate) fn get(path: String) -> Self {
        Self {
            method: Method::Get,
            path,
            body: None,
        }
    }

    fn post(path: String, body: Members) -> Self {
        Self {
            method: Method::Post,
            path,
            body: Some(body.into()),
        }
    }

    fn patch(path: String, body: Members) -> Self {
        Self {
            method: Method::Patch,
            path,
            body: Some(body.into()),
        }
    }
}

/// What comes after an action's first call succeeded: the second call, made from the first reply. `None` if the
/// reply has not what the second call needs; then the first reply is the answer.
pub(crate) type Sequel = Box<dyn FnOnce(&Value) -> Option<Call> + Send>;

/// The API calls an action is.
pub(crate) struct Plan {
    pub(crate) first: Call,
    pub(crate) then: Option<Sequel>,
}

impl From<Call> for Plan {
    fn from(first: Call) -> Self {
        Self { first, then: None }
    }
}

/// Turns an action and its parameters into API calls.
///
/// # Errors
/// Every problem with the parameters at once.
pub(crate) fn plan(
    action: Action,
    given: &Map<String, Value>,
    actor: &Actor,
) -> Result<Plan, Vec<Problem>> {
    let mut arguments = Arguments::new(action, given);
    let plan = match action {
        Action::Heartbeat => heartbeat::beat(&mut arguments, actor),
        Action::TaskList => task::list(&mut arguments),
        Action::TaskGet => task::get(&mut arguments),
        Action::TaskClaim => task::claim(&mut arguments, actor),
        Action::TaskStart => task::start(&mut arguments),
        Action::TaskComment => task::comment(&mut arguments),
        Action::TaskSubmit => task::submit(&mut arguments),
        Action::TaskArtifact => task::artifact(&mut arguments),
        Action::ApprovalRequest => approval::request(&mut arguments),
        Action::ApprovalCheck => approval::check(&mut arguments),
        Action::PolicyCheck => policy::check(&mut arguments, actor),
        Action::ReportRun => report::run(&mut arguments, actor),
        Action::ReportToolCall => report::tool_call(&mut arguments, actor),
    };
    arguments.finish()?;
    Ok(plan)
}

/// A JSON object under construction that leaves out what is not there.
#[derive(Default)]
pub(crate) struct Members(Map<String, Value>);

impl Members {
    fn set(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.0.insert(name.to_owned(), value.into());
        self
    }

    fn maybe(self, name: &str, value: Option<impl Into<Value>>) -> Self {
        match value {
            Some(value) => self.set(name, value),
            None => self,
        }
    }

    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl From<Members> for Value {
    fn from(members: Members) -> Self {
        Self::Object(members.0)
    }
}
