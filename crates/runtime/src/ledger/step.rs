//! What a turn has done so far, as it is kept (rulings 17).

use serde::{Deserialize, Serialize};
use stationmaster_model::ToolCall;

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
