//! Turns as they happen: events for whoever watches, metrics, log lines.

use std::sync::Arc;
use std::time::Duration;

use metrics::{counter, histogram};

use crate::ledger::Pause;
use crate::tools::metric_name;
use crate::tracer::{TurnEnd, TurnTrace};
use crate::turn::{Outcome, Spent, TurnError};
use crate::{AgentIdentity, TaskRef};

/// Watches turns. It is called on the turn's own path, so it must neither block nor take long.
pub trait Observer: Send + Sync {
    fn observe(&self, event: TurnEvent);
}

/// Something that happened in a turn.
#[derive(Debug, Clone, PartialEq)]
pub struct TurnEvent {
    pub trace_id: String,
    pub agent: AgentIdentity,
    pub kind: TurnEventKind,
}

#[derive(Debug, Clone, PartialEq)]
pub enum TurnEventKind {
    /// The turn has its task and goes on to the model.
    Started {
        task: TaskRef,
        /// The start of the message, on one line.
        preview: String,
    },
    ModelCalled {
        /// Counted from 1.
        round: u32,
        model: String,
        input_tokens: u64,
        output_tokens: u64,
        /// How many tools it asked for.
        tool_calls: usize,
        took: Duration,
    },
    ToolCalled {
        name: String,
        ok: bool,
        took: Duration,
        /// What it did, or why not, in a line.
        summary: String,
    },
    ReplyPosted {
        task_id: String,
        message_id: Option<String>,
        document_id: Option<String>,
        cost_microusd: u64,
        took: Duration,
    },
    /// It goes on when this is decided.
    Paused {
        task_id: String,
        approval_id: String,
        took: Duration,
    },
    /// The answer of an earlier turn with the same key was given again.
    Replayed { task_id: String },
    Failed {
        code: &'static str,
        message: String,
        took: Duration,
    },
}

/// Gives the metrics their help texts. Call once, after the recorder is installed.
pub fn describe_metrics() {
    use metrics::{Unit, describe_counter, describe_histogram};
    describe_counter!("stationmaster_turns_total", "Agent turns by outcome");
    describe_counter!(
        "stationmaster_model_tokens_total",
        "Model tokens by direction; input_cached and output_reasoning are parts of input and output"
    );
    describe_counter!(
        "stationmaster_model_cost_microusd_total",
        "Model cost in millionths of a US dollar"
    );
    describe_histogram!(
        "stationmaster_turn_seconds",
        Unit::Seconds,
        "How long agent turns take"
    );
    describe_counter!(
        "stationmaster_tool_calls_total",
        "Tool calls of agents by tool and outcome"
    );
}

/// Tells one turn's story.
pub(crate) struct Recorder {
    observer: Option<Arc<dyn Observer>>,
    trace: Option<Box<dyn TurnTrace>>,
    trace_id: String,
    agent: AgentIdentity,
}

impl Recorder {
    pub(crate) fn new(
        observer: Option<Arc<dyn Observer>>,
        trace: Option<Box<dyn TurnTrace>>,
        trace_id: String,
        agent: AgentIdentity,
    ) -> Self {
        Self {
            observer,
            trace,
            trace_id,
            agent,
        }
    }

    /// Does this where traces are collected.
    pub(crate) fn traced(&self, tell: impl FnOnce(&dyn TurnTrace)) {
        if let Some(trace) = &self.trace {
            tell(&**trace);
        }
    }

    fn tell(&self, kind: TurnEventKind) {
        if let Some(observer) = &self.observer {
            let (trace_id, agent) = (self.trace_id.clone(), self.agent.clone());
            observer.observe(TurnEvent {
                trace_id,
                agent,
                kind,
            });
        }
    }

    pub(crate) fn started(&self, task: &TaskRef, preview: &str) {
        tracing::debug!(trace_id = self.trace_id, agent = %self.agent.role, task = task.id, "turn started");
        self.traced(|trace| trace.has_task(&task.id));
        self.tell(TurnEventKind::Started {
            task: task.clone(),
            preview: preview.to_owned(),
        });
    }

    pub(crate) fn model_called(
        &self,
        round: u32,
        reply: &stationmaster_model::Reply,
        took: Duration,
    ) {
        let usage = reply.usage;
        counter!("stationmaster_model_tokens_total", "direction" => "input")
            .increment(usage.input_tokens);
        counter!("stationmaster_model_tokens_total", "direction" => "output")
            .increment(usage.output_tokens);
        counter!("stationmaster_model_tokens_total", "direction" => "input_cached")
            .increment(usage.cached_tokens);
        counter!("stationmaster_model_tokens_total", "direction" => "output_reasoning")
            .increment(usage.reasoning_tokens);
        self.tell(TurnEventKind::ModelCalled {
            round,
            model: reply.model.clone(),
            input_tokens: usage.input_tokens,
            output_tokens: usage.output_tokens,
            tool_calls: reply.tool_calls.len(),
            took,
        });
    }

    pub(crate) fn tool_called(&self, name: &str, ok: bool, took: Duration, summary: &str) {
        let outcome = if ok { "ok" } else { "error" };
        let tool = metric_name(name);
        counter!("stationmaster_tool_calls_total", "tool" => tool, "outcome" => outcome)
            .increment(1);
        tracing::debug!(
            trace_id = self.trace_id,
            tool = name,
            outcome,
            summary,
            "tool called"
        );
        let (name, summary) = (name.to_owned(), summary.to_owned());
        self.tell(TurnEventKind::ToolCalled {
            name,
            ok,
            took,
            summary,
        });
    }

    /// What the models of this turn cost, whether or not it succeeded.
    pub(crate) fn spent(&self, spent: &Spent) {
        counter!("stationmaster_model_cost_microusd_total").increment(spent.cost_microusd());
    }

    pub(crate) fn posted(&self, outcome: &Outcome, took: Duration) {
        self.ended("ok", took);
        tracing::info!(
            trace_id = self.trace_id,
            user_id = %self.agent.user_id,
            agent = %self.agent.role,
            task = outcome.task_id,
            tools = outcome.tool_calls.len(),
            ms = took.as_millis(),
            "turn answered"
        );
        self.traced(|trace| trace.ended(&TurnEnd::Answered(outcome)));
        self.tell(TurnEventKind::ReplyPosted {
            task_id: outcome.task_id.clone(),
            message_id: outcome.message_id.clone(),
            document_id: outcome.document_id.clone(),
            cost_microusd: outcome.spent.cost_microusd(),
            took,
        });
    }

    pub(crate) fn paused(&self, pause: &Pause, took: Duration) {
        self.ended("paused", took);
        tracing::info!(
            trace_id = self.trace_id,
            agent = %self.agent.role,
            task = pause.task_id,
            approval = pause.approval_id,
            "turn paused"
        );
        self.traced(|trace| trace.ended(&TurnEnd::Paused(pause)));
        self.tell(TurnEventKind::Paused {
            task_id: pause.task_id.clone(),
            approval_id: pause.approval_id.clone(),
            took,
        });
    }

    pub(crate) fn replayed(&self, outcome: &Outcome, took: Duration) {
        self.ended("replayed", took);
        self.traced(|trace| trace.ended(&TurnEnd::Replayed(outcome)));
        self.tell(TurnEventKind::Replayed {
            task_id: outcome.task_id.clone(),
        });
    }

    pub(crate) fn failed(&self, error: &TurnError, took: Duration) {
        self.ended(error.code(), took);
        tracing::warn!(
            trace_id = self.trace_id,
            user_id = %self.agent.user_id,
            agent = %self.agent.role,
            code = error.code(),
            reason = %error,
            "turn failed"
        );
        self.traced(|trace| trace.ended(&TurnEnd::Failed(error)));
        let (code, message) = (error.code(), error.to_string());
        self.tell(TurnEventKind::Failed {
            code,
            message,
            took,
        });
    }

    fn ended(&self, outcome: &'static str, took: Duration) {
        counter!("stationmaster_turns_total", "outcome" => outcome).increment(1);
        histogram!("stationmaster_turn_seconds").record(took);
    }
}
