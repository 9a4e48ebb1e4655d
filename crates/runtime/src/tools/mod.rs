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

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use stationmaster_model::{ToolCall, ToolSpec};

use crate::AgentIdentity;
use crate::backend::{Backend, ExtraCall};
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
    pub(crate) turn_key: String,
    /// The skills that the prompt does not tell in full, if there are any.
    pub(crate) skills: Option<Loader>,
}

/// The tools of one turn.
pub(crate) struct Toolbox {
    caller: Caller,
    extra: Vec<ToolSpec>,
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
    /// Our own tools and those of `extra` that a model can be offered.
    pub(crate) fn new(caller: Caller, extra: Vec<ToolSpec>) -> Self {
        Self {
            caller,
            extra: usable(extra),
        }
    }

    /// Our own tools that this turn has.
    fn own(&self) -> impl Iterator<Item = &'static OwnTool> {
        let load = self.caller.skills.as_ref().map(|_| &skill::LOAD);
        own::TOOLS.iter().chain(load)
    }

    pub(crate) fn specs(&self) -> Vec<ToolSpec> {
        let own = self.own().map(|tool| ToolSpec {
            name: tool.name.to_owned(),
            description: tool.description.to_owned(),
            parameters: arguments::schema(tool.fields),
        });
        own.chain(self.extra.iter().cloned()).collect()
    }

    /// Runs the call at `index` of `round`.
    pub(crate) async fn run(&self, round: u32, index: usize, call: &ToolCall) -> Answer {
        let key = format!("{}:{round}:{index}", self.caller.turn_key);
        let own = self.own().find(|tool| tool.name == call.name);
        let result = if index >= MOST_CALLS {
            Err(Refusal(format!(
                "at most {MOST_CALLS} calls at once; this one was not made"
            )))
        } else if let Some(tool) = own {
            self.run_own(tool, call, key).await
        } else if self.extra.iter().any(|tool| tool.name == call.name) {
            self.run_extra(call, key).await
        } else {
            Err(self.unknown(&call.name))
        };
        match result {
            Ok(done) => {
                let content = size::content(&done.result, size::longest(&call.name));
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
        let mut known: Vec<&str> = self.own().map(|tool| tool.name).collect();
        known.extend(self.extra.iter().map(|tool| tool.name.as_str()));
        Refusal(format!(
            "there is no tool {:?}; there are {}",
            preview(name),
            known.join(", ")
        ))
    }
}

impl Answer {
    fn error(message: &str) -> Self {
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
    for mut tool in extra {
        let taken = kept.iter().any(|other| other.name == tool.name)
            || own_tool_names().any(|own| own == tool.name);
        if taken || !is_name(&tool.name) || kept.len() >= MOST_EXTRAS {
            continue;
        }
        let is_schema = tool
            .parameters
            .get("type")
            .is_some_and(|kind| kind == "object");
        if !is_schema || tool.parameters.to_string().len() > LONGEST_SCHEMA {
            tool.parameters = json!({ "type": "object" });
        }
        if let Some((end, _)) = tool.description.char_indices().nth(LONGEST_DESCRIPTION) {
            tool.description.truncate(end);
        }
        kept.push(tool);
    }
    kept
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
            parameters,
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
        assert_eq!(kept[0].parameters, schema);
        assert_eq!(kept[0].description.chars().count(), LONGEST_DESCRIPTION);
        assert_eq!(kept[1].parameters, json!({ "type": "object" }));
        assert_eq!(kept[2].parameters, json!({ "type": "object" }));
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
