//! What calls of a model will cost (agent-runtime §11).

use stationmaster_model::Usage;

use crate::turn::{Parts, Runtime, Spent};

/// What so many calls of a model cost together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Forecast {
    pub model: String,
    /// Whether the price table has the model; without a price nothing is all it is known to cost.
    pub is_priced: bool,
    pub spent: Spent,
}

impl Runtime {
    /// What `calls` calls cost, each of so many tokens; nothing is asked and nothing is spent. The usual model
    /// and the longest answer that is let through stand for what is left out.
    #[must_use]
    pub fn forecast(
        &self,
        model: Option<String>,
        input_tokens: u64,
        output_tokens: Option<u64>,
        calls: u32,
    ) -> Forecast {
        let Parts { prices, config, .. } = self.parts();
        let model = model.unwrap_or_else(|| config.model.clone());
        let output_tokens = output_tokens.unwrap_or(config.max_tokens.into());
        let cost = prices.cost_of(
            &model,
            &Usage {
                input_tokens,
                output_tokens,
                ..Usage::default()
            },
        );
        let times = |one: u64| one.saturating_mul(calls.into());
        Forecast {
            is_priced: prices.knows(&model),
            model,
            spent: Spent {
                model_calls: calls,
                input_tokens: times(input_tokens),
                output_tokens: times(output_tokens),
                input_cost_microusd: times(cost.input_microusd),
                output_cost_microusd: times(cost.output_microusd),
                ..Spent::default()
            },
        }
    }
}
