//! How far a turn had come when it was taken up.

use stationmaster_model::{Message, ToolCall};

use super::{Spent, ToolCallRecord};
use crate::ledger::Step;

/// The calls of the last answer that are still to run.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Calls {
    /// Which answer it is, counted from 1; 0 before the first.
    pub(super) round: u32,
    /// In order, each with its place among all calls of the answer.
    pub(super) open: Vec<(usize, ToolCall)>,
    /// The first of them had begun, under this name, and nobody knows what came of it.
    pub(super) cut_off: Option<String>,
    /// The first of them waited for this approval.
    pub(super) asked: Option<String>,
    /// Said to the model after the results.
    pub(super) remark: Option<&'static str>,
}

impl Calls {
    pub(super) fn of(round: u32, calls: Vec<ToolCall>) -> Self {
        Self {
            round,
            open: calls.into_iter().enumerate().collect(),
            ..Self::default()
        }
    }
}

/// Tells a turn's steps again: what was said goes into `messages`, what it cost and which tools it called is
/// taken over. Gives what is left of the last answer's calls.
pub(super) fn replay(
    steps: Vec<Step>,
    messages: &mut Vec<Message>,
    spent: &mut Spent,
    tool_calls: &mut Vec<ToolCallRecord>,
) -> Calls {
    let mut calls = Calls::default();
    for step in steps {
        match step {
            Step::Answer(answer) => {
                messages.push(Message::Assistant {
                    text: answer.text,
                    tool_calls: answer.tool_calls.clone(),
                });
                *spent = answer.spent;
                calls = Calls::of(calls.round + 1, answer.tool_calls);
            }
            Step::Started { call, .. } => calls.cut_off = Some(call),
            Step::Waited { approval } => calls.asked = Some(approval),
            Step::Result(result) => {
                messages.push(Message::ToolResult {
                    call_id: result.call_id,
                    content: result.content,
                });
                tool_calls.push(result.record);
                calls.open.retain(|(index, _)| *index != result.place.index);
                (calls.cut_off, calls.asked) = (None, None);
            }
        }
    }
    calls
}
