//! The functions that the model may call (agent-runtime §9).
//!
//! Whatever goes wrong with a call is told to the model as `{"error": …}`; no call ends a turn.
//! Arguments are checked against the same table that the model's schema is made from. Who acts,
//! for which tenant and with which key comes from the [`Caller`], which the model cannot reach.
//!
//! To add a tool of our own, add an entry to [`own::TOOLS`] and the function that runs it. One that
//! only some turns have stands beside that table, as [`skill::LOAD`] does.

mod arguments;
mod own;
mod size;
mod skill;

use std::collections::HashMap;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use serde_json::{Map, Value, json};
use stationmaster_model::{ToolCall, ToolSpec};

use crate::AgentIdentity;
use crate::backend::{Backend, ExtraCall};
use crate::ledger::Place;
use crate::mcp::{Offer, Offered};
use crate::turn::preview;
use crate::workspace::Loader;
use arguments::Arguments;
use own::OwnTool;

pub(crate) use size::kept_arguments;

/// More than this in one answer of the model is a runaway.
const MOST_CALLS: usize = 16;
/// More extra tools than this only confuse a model.
const MOST_EXTRAS: usize = 64;
const LONGEST_DESCRIPTION: usize = 1_024;
const LONGEST_SCHEMA: usize = 16 * 1024;

/// The names of the runtime's own tools.
pub fn own_tool_names() -> impl Iterator<Item = &'static str> {
    let every = own::TOOLS.iter().chain([&skill::LOAD]);
    every.map(|tool| tool.name)
}

/// The name of a tool as a metric's label: anything that is not ours is `other`, so that no
/// backend or model can make up labels.
pub(crate) fn metric_name(name: &str) -> &'static str {
    own_tool_names().find(|own| *own == name).unwrap_or("other")
}

/// On whose behalf, and in which turn, tools run.
pub(crate) struct Caller {
    pub(crate) backend: Arc<dyn Backend>,
    pub(crate) who: AgentIdentity,
    /// The turn's task, which calls mean when they name none.
    pub(crate) task_id: String,
    pub(crate) trace_id: String,
    /// What the caller of the turn put it under.
    pub(crate) workspace_id: String,
    pub(crate) turn_key: String,
    /// The skills that the prompt does not tell in full, if there are any.
    pub(crate) skills: Option<Loader>,
}

/// The tools of one turn.
pub(crate) struct Toolbox {
    caller: Caller,
    extra: Vec<ToolSpec>,
    /// Those of MCP servers.
    offer: Offer,
}

/// What the model is told about a call, and a line about it for people.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) ok: bool,
    pub(crate) content: String,
    pub(crate) summary: String,
}

/// What a tool did.
struct Done {
    result: Value,
    summary: String,
}

/// Why a tool did nothing, in words for the model.
struct Refusal(String);

impl From<crate::BackendError> for Refusal {
    fn from(error: crate::BackendError) -> Self {
        Self(error.message)
    }
}

impl Toolbox {
    /// Our own tools, those of MCP servers, and those of `extra` that a model can be offered.
    pub(crate) fn new(caller: Caller, mut extra: Vec<ToolSpec>, offer: Offer) -> Self {
        extra.retain(|tool| offer.named(&tool.name).is_none());
        Self {
            caller,
            extra: usable(extra),
            offer,
        }
    }

    /// Our own tools that this turn has.
    fn own(&self) -> impl Iterator<Item = &'static OwnTool> {
        let load = self.caller.skills.as_ref().map(|_| &skill::LOAD);
        own::TOOLS.iter().chain(load)
    }

    /// What the model is offered.
    pub(crate) fn specs(&self) -> Arc<[ToolSpec]> {
        let own = self.own().filter_map(|tool| own_specs().get(tool.name));
        let served = self.offer.specs().cloned().map(fitted);
        own.cloned()
            .chain(served)
            .chain(self.extra.iter().cloned())
            .collect()
    }

    /// The call's arguments, if it is one that can be made at all; `index` is its place in its answer.
    pub(crate) fn check(
        &self,
        index: usize,
        call: &ToolCall,
    ) -> Result<Map<String, Value>, String> {
        if index >= MOST_CALLS {
            return Err(format!(
                "at most {MOST_CALLS} calls at once; this one was not made"
            ));
        }
        let is_known = self.own_named(&call.name).is_some()
            || self.offer.named(&call.name).is_some()
            || self.is_extra(&call.name);
        if !is_known {
            return Err(self.unknown(&call.name).0);
        }
        arguments::object(&call.arguments).cloned()
    }

    /// Whether a call that was cut off may simply be made again: our own tools carry keys, so that what
    /// they do happens once; of others a server has to say so.
    pub(crate) fn is_repeatable(&self, name: &str) -> bool {
        let served = || {
            self.offer
                .named(name)
                .is_some_and(|tool| tool.is_repeatable)
        };
        self.own_named(name).is_some() || served()
    }

    /// How long a call of the tool may take, where that is its own affair.
    pub(crate) fn limit(&self, name: &str) -> Option<Duration> {
        Some(self.offer.named(name)?.limit())
    }

    fn own_named(&self, name: &str) -> Option<&'static OwnTool> {
        self.own().find(|tool| tool.name == name)
    }

    /// What the model has to be told of tools that are missing.
    pub(crate) fn note(&self) -> Option<String> {
        self.offer.note()
    }

    /// Whether the workspace lets the role use the tool, or the backend that the agent works for offers it.
    pub(crate) fn is_listed(&self, name: &str) -> bool {
        let served = self.offer.named(name).map(|tool| tool.is_listed);
        served.unwrap_or_else(|| self.is_extra(name))
    }

    fn is_extra(&self, name: &str) -> bool {
        self.extra.iter().any(|tool| tool.name == name)
    }

    /// Runs a call.
    pub(crate) async fn run(&self, place: Place, call: &ToolCall) -> Answer {
        let Place { round, index } = place;
        let key = format!("{}:{round}:{index}", self.caller.turn_key);
        let result = if let Some(tool) = self.own_named(&call.name) {
            self.run_own(tool, call, key).await
        } else if let Some(tool) = self.offer.named(&call.name) {
            run_served(tool, call).await
        } else if self.is_extra(&call.name) {
            self.run_extra(call, key).await
        } else {
            Err(self.unknown(&call.name))
        };
        match result {
            Ok(done) => {
                let is_served = self.offer.named(&call.name).is_some();
                let content = size::content(&done.result, size::longest(&call.name, is_served));
                Answer {
                    ok: true,
                    content,
                    summary: preview(&done.summary),
                }
            }
            Err(refusal) => Answer::error(&refusal.0),
        }
    }

    /// For a call that did not end.
    pub(crate) fn timed_out(&self, limit: Duration) -> Answer {
        let seconds = limit.as_secs_f64();
        Answer::error(&format!(
            "no result within {seconds} s; it may or may not have been done"
        ))
    }

    async fn run_own(&self, tool: &OwnTool, call: &ToolCall, key: String) -> Result<Done, Refusal> {
        let arguments = Arguments::check(tool.fields, &call.arguments).map_err(Refusal)?;
        (tool.run)(own::Call {
            caller: &self.caller,
            key,
            arguments,
        })
        .await
    }

    async fn run_extra(&self, call: &ToolCall, key: String) -> Result<Done, Refusal> {
        let arguments = arguments::object(&call.arguments).map_err(Refusal)?.clone();
        let (name, trace_id) = (call.name.clone(), self.caller.trace_id.clone());
        let extra = ExtraCall {
            name,
            arguments,
            trace_id,
            workspace_id: self.caller.workspace_id.clone(),
            key,
        };
        let result = self
            .caller
            .backend
            .call_extra_tool(&self.caller.who, &extra)
            .await?;
        Ok(Done {
            summary: result.to_string(),
            result,
        })
    }

    fn unknown(&self, name: &str) -> Refusal {
        if let Some(why) = self.offer.lacks(name) {
            return Refusal(why);
        }
        let mut known: Vec<&str> = self.own().map(|tool| tool.name).collect();
        known.extend(self.offer.specs().map(|tool| tool.name.as_str()));
        known.extend(self.extra.iter().map(|tool| tool.name.as_str()));
        Refusal(format!(
            "there is no tool {:?}; there are {}",
            preview(name),
            known.join(", ")
        ))
    }
}

async fn run_served(tool: &Offered, call: &ToolCall) -> Result<Done, Refusal> {
    let arguments = arguments::object(&call.arguments).map_err(Refusal)?.clone();
    let result = tool.call(arguments).await.map_err(Refusal)?;
    let summary = match result.get("text").and_then(Value::as_str) {
        Some(text) => text.to_owned(),
        None => result.to_string(),
    };
    Ok(Done { result, summary })
}

impl Answer {
    /// For a call that had begun when its turn broke off.
    pub(crate) fn cut_off() -> Self {
        Self::error(
            "the call was cut off; it may or may not have been done, so look before you repeat it",
        )
    }

    pub(crate) fn error(message: &str) -> Self {
        let content = size::content(&json!({ "error": message }), size::LONGEST_RESULT);
        Self {
            ok: false,
            content,
            summary: preview(message),
        }
    }
}

/// Those with a name and a schema that every provider accepts. Ours win over theirs.
fn usable(extra: Vec<ToolSpec>) -> Vec<ToolSpec> {
    let mut kept: Vec<ToolSpec> = Vec::new();
    for tool in extra {
        let taken = kept.iter().any(|other| other.name == tool.name)
            || own_tool_names().any(|own| own == tool.name);
        if taken || !is_name(&tool.name) || kept.len() >= MOST_EXTRAS {
            continue;
        }
        kept.push(fitted(tool));
    }
    kept
}

/// Our own tools as models get to know them, which never changes.
fn own_specs() -> &'static HashMap<&'static str, ToolSpec> {
    static SPECS: OnceLock<HashMap<&str, ToolSpec>> = OnceLock::new();
    let spec = |tool: &'static OwnTool| {
        let spec = ToolSpec {
            name: tool.name.to_owned(),
            description: tool.description.to_owned(),
            parameters: arguments::schema(tool.fields).into(),
        };
        (tool.name, spec)
    };
    let all = || own::TOOLS.iter().chain([&skill::LOAD]);
    SPECS.get_or_init(|| all().map(spec).collect())
}

/// With a description and a schema that every provider accepts.
fn fitted(mut tool: ToolSpec) -> ToolSpec {
    let is_schema = tool
        .parameters
        .get("type")
        .is_some_and(|kind| kind == "object");
    if !is_schema || tool.parameters.length() > LONGEST_SCHEMA {
        tool.parameters = json!({ "type": "object" }).into();
    }
    if let Some((end, _)) = tool.description.char_indices().nth(LONGEST_DESCRIPTION) {
        tool.description.truncate(end);
    }
    tool
}

fn is_name(name: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
    (1..=64).contains(&name.len()) && name.bytes().all(fits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_extras_that_a_model_can_be_offered_are_kept() {
        let tool = |name: &str, parameters: Value| ToolSpec {
            name: name.to_owned(),
            description: "ü".repeat(2_000),
            parameters: parameters.into(),
        };
        let schema = json!({ "type": "object", "properties": { "message": {} } });
        let kept = usable(vec![
            tool("echo", schema.clone()),
            tool("echo", json!({})),
            tool("create_task", schema.clone()),
            tool("with space", schema.clone()),
            tool(&"x".repeat(65), schema.clone()),
            tool("", schema.clone()),
            tool("odd", json!([1])),
            tool(
                "long",
                json!({ "type": "object", "x": "y".repeat(LONGEST_SCHEMA) }),
            ),
        ]);
        let names: Vec<&str> = kept.iter().map(|tool| tool.name.as_str()).collect();
        assert_eq!(names, ["echo", "odd", "long"]);
        assert_eq!(*kept[0].parameters, schema);
        assert_eq!(kept[0].description.chars().count(), LONGEST_DESCRIPTION);
        assert_eq!(*kept[1].parameters, json!({ "type": "object" }));
        assert_eq!(*kept[2].parameters, json!({ "type": "object" }));
        let many = (0..100)
            .map(|number| tool(&format!("t{number}"), json!({})))
            .collect();
        assert_eq!(usable(many).len(), MOST_EXTRAS);
    }

    #[test]
    fn labels_are_few() {
        assert_eq!(metric_name("create_task"), "create_task");
        assert_eq!(metric_name("echo"), "other");
        assert_eq!(metric_name(""), "other");
    }

    #[test]
    fn our_tools_are_those_of_the_contract() {
        let names: Vec<&str> = own_tool_names().collect();
        let contract = [
            "list_tasks",
            "create_task",
            "update_task",
            "post_message",
            "create_document",
            "list_notifications",
            "request_tool",
            "load_skill",
        ];
        assert_eq!(names, contract);
        assert!(names.iter().all(|name| is_name(name)));
    }
}
