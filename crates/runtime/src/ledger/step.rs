//! What a turn has done so far, as it is kept (rulings 17).

use std::time::Duration;

use serde::{Deserialize, Serialize};
use stationmaster_model::{Reply, Stop, ToolCall};

use crate::turn::{Spent, ToolCallRecord};

/// One thing that a turn did, told again to whoever takes it up.
#[derive(Debug, Clone, PartialEq)]
pub enum Step {
    /// A model answered with calls of tools.
    Answer(Box<Answered>),
    /// A call began. `call` is the name that the ledger gave it.
    Started { place: Place, call: String },
    /// A call waited for this approval.
    Waited { approval: String },
    /// A call ended.
    Result(Box<CallResult>),
}

/// Which call of which answer, both counted from where they begin: rounds from 1, calls from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    pub round: u32,
    pub index: usize,
}

/// What a model said before its tools ran.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Answered {
    pub text: String,
    pub tool_calls: Vec<ToolCall>,
    pub model: String,
    /// What all calls of models used by then.
    pub spent: Spent,
    #[serde(default)]
    pub call: ModelCall,
}

/// How one call of a model went; what it used is in [`Spent`], and when it ended is when it was kept.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ModelCall {
    pub duration_ms: u64,
    /// Of the output tokens, those spent on thinking.
    pub reasoning_tokens: u64,
    /// Why it stopped: `stop`, `tool_calls` or `length`; empty where that is not known.
    pub finish: String,
}

impl ModelCall {
    pub(crate) fn of(reply: &Reply, took: Duration) -> Self {
        Self {
            duration_ms: u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
            reasoning_tokens: reply.usage.reasoning_tokens,
            finish: match reply.stop {
                Stop::End => "stop",
                Stop::ToolCalls => "tool_calls",
                Stop::Length => "length",
            }
            .to_owned(),
        }
    }
}

/// What a call came to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CallResult {
    pub place: Place,
    /// The provider's id of the call.
    pub call_id: String,
    /// What the model is told.
    pub content: String,
    pub record: ToolCallRecord,
}
