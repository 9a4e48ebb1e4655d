//! What all turns since the start used (agent-runtime §11, `/usage`).

use std::sync::{Mutex, PoisonError};

use crate::turn::Spent;

/// What was used since the start. Calls that failed used nothing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Usage {
    /// How often a model answered.
    pub model_calls: u64,
    pub input_tokens: u64,
    pub output_tokens: u64,
    /// In millionths of a US dollar.
    pub cost_microusd: u64,
}

/// Adds it up.
#[derive(Debug, Default)]
pub(crate) struct Tally(Mutex<Usage>);

impl Tally {
    pub(crate) fn add(&self, spent: &Spent) {
        let mut sum = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Usage {
            model_calls,
            input_tokens,
            output_tokens,
            cost_microusd,
        } = *sum;
        *sum = Usage {
            model_calls: model_calls.saturating_add(spent.model_calls.into()),
            input_tokens: input_tokens.saturating_add(spent.input_tokens),
            output_tokens: output_tokens.saturating_add(spent.output_tokens),
            cost_microusd: cost_microusd.saturating_add(spent.cost_microusd()),
        };
    }

    pub(crate) fn sum(&self) -> Usage {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
