//! Reads a kept turn as a trace: one step for each call of a model, each call of a tool and each result
//! (agent-runtime §11).

use serde_json::Value;
use stationmaster_kernel::Timestamp;
use stationmaster_kernel::run::{Run, Status, StepKind, Traced, TurnStep};
use stationmaster_model::ToolCall;

use super::steps;
use crate::ledger::{CallResult, ModelCall, Place, Step};
use crate::turn::{Outcome, SendRequest, Spent};

/// A turn and what it did.
#[derive(Debug, Clone)]
pub struct Trace {
    pub run: Run,
    /// What was asked; `None` where another version of this program kept it and it cannot be read.
    pub request: Option<SendRequest>,
    /// In order.
    pub steps: Vec<TraceStep>,
    /// What came of it; `None` until it is answered.
    pub outcome: Option<Outcome>,
}

/// One thing that the turn did.
#[derive(Debug, Clone, PartialEq)]
pub struct TraceStep {
    pub began_at: Timestamp,
    pub duration_ms: u64,
    pub deed: Deed,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Deed {
    /// A model answered.
    ModelCall {
        model: String,
        /// What this call alone used.
        spent: Spent,
        reasoning_tokens: u64,
        calls_tools: bool,
        /// Empty where it is not known.
        finish: String,
    },
    /// It asked for a tool.
    ToolCall {
        call_id: String,
        name: String,
        arguments: Value,
        /// Why it did not run.
        refused: Option<String>,
    },
    /// What a tool call came to, refused ones included.
    ToolResult {
        call_id: String,
        name: String,
        ok: bool,
        /// What the model was told.
        content: String,
    },
    /// The turn ended without an answer.
    Failure { message: String },
}

impl From<Traced> for Trace {
    fn from(Traced { run, steps }: Traced) -> Self {
        let request = steps::request(&steps).ok();
        let kept = run.answer.as_deref();
        let outcome = kept.and_then(|text| serde_json::from_str(text).ok());
        let mut told = Told::default();
        for step in steps {
            if step.kind != StepKind::Request && !told.tell(step) {
                // What follows cannot be understood without it.
                break;
            }
        }
        let steps = told.end(&run, outcome.as_ref());
        Self {
            run,
            request,
            steps,
            outcome,
        }
    }
}

/// What was told so far.
#[derive(Default)]
struct Told {
    steps: Vec<TraceStep>,
    spent: Spent,
    /// The calls that the last answer asked for.
    asked: Vec<ToolCall>,
    /// The call that began and did not end yet.
    started: Option<(Place, Timestamp)>,
}

impl Told {
    /// Whether the step could be read.
    fn tell(&mut self, step: TurnStep) -> bool {
        let (at, waits) = (step.at, step.kind == StepKind::Waits);
        let Ok(step) = steps::one(step) else {
            return false;
        };
        match step {
            Step::Answer(answer) => {
                let used = answer.spent.since(&self.spent);
                self.model(at, answer.model, used, answer.call, true);
                (self.spent, self.asked) = (answer.spent, answer.tool_calls);
            }
            Step::Started { place, .. } => {
                self.started = Some((place, at));
                self.tool_call(at, place, None);
            }
            Step::Waited { approval } if waits => {
                // The calls of an answer run one by one, so it is the first that has no result yet.
                let index = self.results_of_answer();
                let why = format!("waits for approval {approval}");
                self.tool_call(at, Place { round: 0, index }, Some(why));
            }
            Step::Waited { .. } => {}
            Step::Result(result) => self.result(at, *result),
        }
        true
    }

    fn push(&mut self, began_at: Timestamp, duration_ms: u64, deed: Deed) {
        self.steps.push(TraceStep {
            began_at,
            duration_ms,
            deed,
        });
    }

    fn model(
        &mut self,
        at: Timestamp,
        model: String,
        spent: Spent,
        call: ModelCall,
        calls_tools: bool,
    ) {
        let deed = Deed::ModelCall {
            model,
            spent,
            reasoning_tokens: call.reasoning_tokens,
            calls_tools,
            finish: call.finish,
        };
        self.push(ago(at, call.duration_ms), call.duration_ms, deed);
    }

    fn tool_call(&mut self, at: Timestamp, place: Place, refused: Option<String>) {
        let Some(call) = self.asked.get(place.index).cloned() else {
            return;
        };
        let deed = Deed::ToolCall {
            call_id: call.id,
            name: call.name,
            arguments: call.arguments,
            refused,
        };
        self.push(at, 0, deed);
    }

    fn result(&mut self, at: Timestamp, result: CallResult) {
        let record = result.record;
        let began_at = match self.started.take() {
            Some((place, began_at)) if place == result.place => began_at,
            _ => {
                let began_at = ago(at, record.duration_ms);
                self.tool_call(began_at, result.place, Some(record.summary));
                began_at
            }
        };
        let deed = Deed::ToolResult {
            call_id: result.call_id,
            name: record.name,
            ok: record.ok,
            content: result.content,
        };
        self.push(began_at, record.duration_ms, deed);
    }

    /// How many calls of the last answer have a result.
    fn results_of_answer(&self) -> usize {
        self.steps
            .iter()
            .rev()
            .take_while(|step| !matches!(step.deed, Deed::ModelCall { .. }))
            .filter(|step| matches!(step.deed, Deed::ToolResult { .. }))
            .count()
    }

    /// Adds how the turn ended, which is kept with the run and not as a step.
    fn end(mut self, run: &Run, outcome: Option<&Outcome>) -> Vec<TraceStep> {
        let at = run.ended_at.unwrap_or(run.started_at);
        if let Some(outcome) = outcome {
            let used = outcome.spent.since(&self.spent);
            let (model, call) = (outcome.model.clone(), outcome.last_call.clone());
            self.model(at, model, used, call, false);
        }
        if run.status == Status::Failed {
            let message = run.error.clone().unwrap_or_default();
            self.push(at, 0, Deed::Failure { message });
        }
        self.steps
    }
}

fn ago(at: Timestamp, milliseconds: u64) -> Timestamp {
    Timestamp(at.0.saturating_sub_unsigned(milliseconds))
}
