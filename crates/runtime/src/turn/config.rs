//! What a runtime is made of.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use stationmaster_model::Prices;

use crate::backend::Backend;
use crate::ledger::Ledger;
use crate::model::Model;
use crate::observe::Observer;
use crate::tracer::Tracer;
use crate::workspace::Workspace;

/// Tells the time of day that prompts show.
pub type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// Everything a [`Runtime`](super::Runtime) works with.
#[derive(Clone)]
pub struct Parts {
    /// `None` when none is configured: every turn then fails with `model_not_configured`.
    pub model: Option<Arc<dyn Model>>,
    pub backend: Arc<dyn Backend>,
    pub ledger: Arc<dyn Ledger>,
    pub workspace: Workspace,
    pub prices: Prices,
    pub observer: Option<Arc<dyn Observer>>,
    pub tracer: Option<Arc<dyn Tracer>>,
    pub clock: Clock,
    pub config: Config,
}

/// The settings of a runtime. [`Config::new`] fills in the contract's defaults.
#[derive(Debug, Clone)]
pub struct Config {
    /// Asked in the turns of every role without a model of its own, as the provider spells it.
    pub model: String,
    /// Whose models these are, for traces.
    pub provider: Option<String>,
    /// The models of roles that have their own.
    pub models_by_role: HashMap<String, String>,
    /// Asked where that one gives no answer, in this order.
    pub fallback_models: Vec<String>,
    /// Asked for summaries and in heartbeats, where it is not the one asked in turns.
    pub cheap_model: Option<String>,
    /// The title of the task for turns that name none.
    pub default_task: Option<String>,
    /// For finding the task, the model and its tools together.
    pub deadline: Duration,
    /// For posting the reply, after that: an answer that was paid for is not thrown away because
    /// it came in the last second.
    pub posting_time: Duration,
    pub temperature: f64,
    /// For each model call, so that its worst case has a price.
    pub max_tokens: u32,
    /// Whether the model is offered tools at all.
    pub offers_tools: bool,
    /// How often the model may ask for tools before it must answer.
    pub tool_rounds: u32,
    /// How long one tool call may take.
    pub tool_time: Duration,
    /// The part of the model's window, in percent, above which the caller is warned.
    pub context_warning_percent: f64,
}

impl Config {
    #[must_use]
    pub fn new(model: impl Into<String>) -> Self {
        Self {
            model: model.into(),
            provider: None,
            models_by_role: HashMap::new(),
            fallback_models: Vec::new(),
            cheap_model: None,
            default_task: None,
            deadline: Duration::from_secs(120),
            posting_time: Duration::from_secs(30),
            temperature: 0.4,
            max_tokens: 4096,
            offers_tools: true,
            tool_rounds: 8,
            tool_time: Duration::from_secs(30),
            context_warning_percent: 75.0,
        }
    }
    /// The model of one of the role's turns: the cheap one, where there is one, for a heartbeat
    /// (agent-runtime §13).
    #[must_use]
    pub fn model_for(&self, role: &str, is_heartbeat: bool) -> &str {
        let cheap = self.cheap_model.as_deref().filter(|_| is_heartbeat);
        cheap.unwrap_or_else(|| self.model_of(role))
    }

    /// The model of the role's turns.
    #[must_use]
    pub fn model_of(&self, role: &str) -> &str {
        self.models_by_role.get(role).unwrap_or(&self.model)
    }
}
