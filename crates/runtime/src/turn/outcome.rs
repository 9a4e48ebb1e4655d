//! What a turn came to.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use stationmaster_model::{Prices, Reply, Usage};

use crate::ledger::ModelCall;

/// A turn that was answered. It can be stored, so that the same key gives the same answer again.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Outcome {
    pub trace_id: String,
    pub task_id: String,
    /// The posted reply; `None` with a `message_error`, and for a heartbeat that found nothing.
    pub message_id: Option<String>,
    /// The reply was not posted, because an earlier attempt had posted one.
    pub message_error: Option<String>,
    /// For kickoff plans.
    pub document_id: Option<String>,
    /// The reply was posted, the plan could not be.
    pub document_error: Option<String>,
    pub response: String,
    /// The model that was asked.
    pub model: String,
    pub spent: Spent,
    /// In the order in which they ran.
    pub tool_calls: Vec<ToolCallRecord>,
    /// Set when the conversation nears the model's limit.
    pub context_warning: Option<String>,
    /// The call that gave the answer.
    #[serde(default)]
    pub last_call: ModelCall,
}

/// What all model calls of a turn used together.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Spent {
    /// How often a model answered.
    pub model_calls: u32,
    /// Cached ones included.
    pub input_tokens: u64,
    pub output_tokens: u64,
    pub cached_tokens: u64,
    /// The part of `output_tokens` spent on reasoning.
    #[serde(default)]
    pub reasoning_tokens: u64,
    /// In millionths of a US dollar, each call rounded up.
    pub input_cost_microusd: u64,
    pub output_cost_microusd: u64,
}

/// One tool call of a turn.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ToolCallRecord {
    pub name: String,
    /// As the model gave them, unless they were too long to keep.
    pub arguments: Value,
    pub ok: bool,
    /// What it did, or why it did not, in a line.
    pub summary: String,
    pub duration_ms: u64,
}

impl Spent {
    #[must_use]
    pub fn total_tokens(&self) -> u64 {
        self.input_tokens.saturating_add(self.output_tokens)
    }

    #[must_use]
    pub fn cost_microusd(&self) -> u64 {
        self.input_cost_microusd
            .saturating_add(self.output_cost_microusd)
    }

    /// What was used since it was `before`.
    pub(crate) fn since(&self, before: &Self) -> Self {
        Self {
            model_calls: self.model_calls.saturating_sub(before.model_calls),
            input_tokens: self.input_tokens.saturating_sub(before.input_tokens),
            output_tokens: self.output_tokens.saturating_sub(before.output_tokens),
            cached_tokens: self.cached_tokens.saturating_sub(before.cached_tokens),
            reasoning_tokens: self
                .reasoning_tokens
                .saturating_sub(before.reasoning_tokens),
            input_cost_microusd: self
                .input_cost_microusd
                .saturating_sub(before.input_cost_microusd),
            output_cost_microusd: self
                .output_cost_microusd
                .saturating_sub(before.output_cost_microusd),
        }
    }

    pub(crate) fn add(&mut self, reply: &Reply, prices: &Prices) {
        let Usage {
            input_tokens,
            output_tokens,
            cached_tokens,
            reasoning_tokens,
            ..
        } = reply.usage;
        let cost = prices.cost_of(&reply.model, &reply.usage);
        let sum = |total: &mut u64, part: u64| *total = total.saturating_add(part);
        self.model_calls += 1;
        sum(&mut self.input_tokens, input_tokens);
        sum(&mut self.output_tokens, output_tokens);
        sum(&mut self.cached_tokens, cached_tokens);
        sum(&mut self.reasoning_tokens, reasoning_tokens);
        sum(&mut self.input_cost_microusd, cost.input_microusd);
        sum(&mut self.output_cost_microusd, cost.output_microusd);
    }
}
