//! The spans of a turn.

use std::borrow::Cow;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime};

use opentelemetry::trace::{
    SpanContext, SpanId, SpanKind, Status, TraceFlags, TraceId, TraceState,
};
use opentelemetry::{InstrumentationScope, KeyValue};
use opentelemetry_sdk::trace::{SpanData, SpanEvents, SpanLinks};
use stationmaster_model::{Reply, Stop};
use stationmaster_runtime::{
    ModelSpan, Outcome, ToolSpan, Tracer, TurnEnd, TurnError, TurnHead, TurnTrace,
};
use tokio::time::Instant;

use crate::Clock;
use crate::attributes::{self as names, count, list_of_one, text};
use crate::content;
use crate::ids::{new_span, trace_id};
use crate::queue::Queue;

/// Makes the traces.
pub(crate) struct Turns {
    queue: Queue,
    clock: Clock,
    content: bool,
    scope: InstrumentationScope,
}

impl Turns {
    pub(crate) fn new(queue: Queue, clock: Clock, content: bool, version: &'static str) -> Self {
        let scope = InstrumentationScope::builder("stationmaster")
            .with_version(version)
            .build();
        Self {
            queue,
            clock,
            content,
            scope,
        }
    }
}

impl Tracer for Turns {
    fn begin(&self, turn: &TurnHead<'_>) -> Box<dyn TurnTrace> {
        let parent = turn.parent;
        let (tenant, role) = (&turn.agent.user_id, &turn.agent.role);
        let mut common = vec![
            KeyValue::new(names::AGENT_ID, format!("{tenant}/{role}")),
            KeyValue::new(names::AGENT_NAME, role.to_string()),
            KeyValue::new(names::TENANT, tenant.to_string()),
        ];
        common.extend(
            turn.provider
                .map(|it| text(names::PROVIDER, names::provider(it))),
        );
        Box::new(Turn {
            // Whoever keeps the trace that this is part of decides whether it is kept.
            queue: parent
                .is_none_or(|it| it.sampled)
                .then(|| self.queue.clone()),
            content: self.content,
            scope: self.scope.clone(),
            trace: parent.map_or_else(|| trace_id(turn.trace_id), |it| it.trace.into()),
            parent: parent.map(|it| it.span.into()),
            span: new_span(),
            name: format!("invoke_agent {role}"),
            own: vec![
                KeyValue::new(names::OPERATION, "invoke_agent"),
                text(names::TRACE, turn.trace_id),
                text(names::REQUEST_MODEL, turn.model),
            ],
            common,
            task: OnceLock::new(),
            began: Instant::now(),
            began_at: (self.clock)(),
            has_ended: AtomicBool::new(false),
        })
    }
}

/// One turn under way.
struct Turn {
    /// `None` where nobody keeps the trace.
    queue: Option<Queue>,
    content: bool,
    scope: InstrumentationScope,
    trace: TraceId,
    parent: Option<SpanId>,
    span: SpanId,
    name: String,
    own: Vec<KeyValue>,
    /// What all of its spans say.
    common: Vec<KeyValue>,
    task: OnceLock<String>,
    /// Times are counted from here, so that spans lie within one another whatever clocks do.
    began: Instant,
    began_at: SystemTime,
    has_ended: AtomicBool,
}

/// What is particular to a span.
struct Part {
    id: SpanId,
    parent: Option<SpanId>,
    is_remote: bool,
    kind: SpanKind,
    name: Cow<'static, str>,
    took: Duration,
    attributes: Vec<KeyValue>,
    status: Status,
}

impl Turn {
    /// A span that ends now.
    fn emit(&self, part: Part) {
        let Some(queue) = &self.queue else { return };
        let mut attributes = part.attributes;
        attributes.extend(self.common.iter().cloned());
        let task = self.task.get();
        attributes.extend(task.map(|task| text(names::CONVERSATION, task)));
        let end_time = self.began_at + self.began.elapsed();
        let context = SpanContext::new(
            self.trace,
            part.id,
            TraceFlags::SAMPLED,
            false,
            TraceState::default(),
        );
        queue.push(SpanData {
            span_context: context,
            parent_span_id: part.parent.unwrap_or(SpanId::INVALID),
            parent_span_is_remote: part.is_remote,
            span_kind: part.kind,
            name: part.name,
            start_time: end_time.checked_sub(part.took).unwrap_or(end_time),
            end_time,
            attributes,
            dropped_attributes_count: 0,
            events: SpanEvents::default(),
            links: SpanLinks::default(),
            status: part.status,
            instrumentation_scope: self.scope.clone(),
        });
    }

    fn child(
        &self,
        kind: SpanKind,
        name: String,
        took: Duration,
        attributes: Vec<KeyValue>,
        status: Status,
    ) {
        self.emit(Part {
            id: new_span(),
            parent: Some(self.span),
            is_remote: false,
            kind,
            name: name.into(),
            took,
            attributes,
            status,
        });
    }

    fn end(&self, outcome: &'static str, more: Vec<KeyValue>, status: Status) {
        if self.has_ended.swap(true, Ordering::Relaxed) {
            return;
        }
        let mut attributes = self.own.clone();
        attributes.push(KeyValue::new(names::OUTCOME, outcome));
        attributes.extend(more);
        self.emit(Part {
            id: self.span,
            parent: self.parent,
            is_remote: self.parent.is_some(),
            kind: SpanKind::Internal,
            name: self.name.clone().into(),
            took: self.began.elapsed(),
            attributes,
            status,
        });
    }

    /// Why there is no answer. Providers' own words may quote what was said.
    fn reason(&self, error: &TurnError) -> String {
        match error {
            TurnError::ModelRejected { .. }
            | TurnError::ModelRefused { .. }
            | TurnError::ModelUnavailable { .. }
            | TurnError::UnknownModel { .. }
                if !self.content =>
            {
                error.code().to_owned()
            }
            _ => error.to_string(),
        }
    }

    fn said(&self, call: &ModelSpan<'_>, reply: Option<&Reply>) -> Vec<KeyValue> {
        let mut said = vec![
            KeyValue::new(names::SYSTEM, content::system(call.system)),
            KeyValue::new(names::INPUT_MESSAGES, content::input(call.messages)),
        ];
        said.extend(reply.map(|reply| {
            let output = content::output(reply, finish(reply.stop));
            KeyValue::new(names::OUTPUT_MESSAGES, output)
        }));
        said
    }
}

impl TurnTrace for Turn {
    fn has_task(&self, task_id: &str) {
        self.task.get_or_init(|| task_id.to_owned());
    }

    fn model_called(&self, call: &ModelSpan<'_>) {
        if self.queue.is_none() {
            return;
        }
        let mut attributes = vec![
            KeyValue::new(names::OPERATION, "chat"),
            text(names::REQUEST_MODEL, call.model),
            count(names::MAX_TOKENS, call.max_tokens.into()),
            KeyValue::new(names::TEMPERATURE, call.temperature),
            count(names::ROUND, call.round.into()),
        ];
        let status = match call.result {
            Ok(reply) => {
                attributes.extend(answered(reply));
                Status::Unset
            }
            Err(error) => {
                attributes.push(KeyValue::new(names::ERROR_TYPE, error.code()));
                Status::error(self.reason(error))
            }
        };
        if self.content {
            attributes.extend(self.said(call, call.result.ok()));
        }
        let name = format!("chat {}", names::shortened(call.model, 128));
        self.child(SpanKind::Client, name, call.took, attributes, status);
    }

    fn tool_called(&self, span: &ToolSpan<'_>) {
        if self.queue.is_none() {
            return;
        }
        let name = names::shortened(&span.call.name, 128);
        let mut attributes = vec![
            KeyValue::new(names::OPERATION, "execute_tool"),
            KeyValue::new(names::TOOL_NAME, name.to_owned()),
            text(names::TOOL_CALL_ID, &span.call.id),
            KeyValue::new(names::TOOL_TYPE, "function"),
        ];
        let status = if span.ok {
            Status::Unset
        } else {
            attributes.push(KeyValue::new(names::ERROR_TYPE, "tool_error"));
            // What went wrong may quote what was said.
            Status::error(if self.content {
                span.summary.to_owned()
            } else {
                String::new()
            })
        };
        if self.content {
            let arguments = content::text(&span.call.arguments.to_string());
            attributes.push(KeyValue::new(names::TOOL_ARGUMENTS, arguments));
            attributes.push(KeyValue::new(
                names::TOOL_RESULT,
                content::text(span.content),
            ));
        }
        let name = format!("execute_tool {name}");
        self.child(SpanKind::Internal, name, span.took, attributes, status);
    }

    fn ended(&self, end: &TurnEnd<'_>) {
        match end {
            TurnEnd::Answered(outcome) => self.end("answered", used(outcome), Status::Unset),
            TurnEnd::Replayed(outcome) => {
                self.has_task(&outcome.task_id);
                self.end("replayed", Vec::new(), Status::Unset);
            }
            TurnEnd::Paused(_) => self.end("paused", Vec::new(), Status::Unset),
            TurnEnd::Failed(error) => {
                let code = KeyValue::new(names::ERROR_TYPE, error.code());
                self.end("failed", vec![code], Status::error(self.reason(error)));
            }
        }
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.end("given_up", Vec::new(), Status::Unset);
    }
}

fn answered(reply: &Reply) -> [KeyValue; 7] {
    let usage = reply.usage;
    [
        text(names::RESPONSE_MODEL, &reply.model),
        list_of_one(names::FINISH_REASONS, finish(reply.stop)),
        count(names::INPUT_TOKENS, usage.input_tokens),
        count(names::OUTPUT_TOKENS, usage.output_tokens),
        count(names::CACHED_TOKENS, usage.cached_tokens),
        count(names::CACHE_WRITE_TOKENS, usage.cache_write_tokens),
        count(names::REASONING_TOKENS, usage.reasoning_tokens),
    ]
}

fn used(outcome: &Outcome) -> Vec<KeyValue> {
    let spent = outcome.spent;
    vec![
        text(names::RESPONSE_MODEL, &outcome.model),
        count(names::INPUT_TOKENS, spent.input_tokens),
        count(names::OUTPUT_TOKENS, spent.output_tokens),
        count(names::CACHED_TOKENS, spent.cached_tokens),
        count(names::COST, spent.cost_microusd()),
    ]
}

/// As the conventions spell it.
fn finish(stop: Stop) -> &'static str {
    match stop {
        Stop::End => "stop",
        Stop::ToolCalls => "tool_call",
        Stop::Length => "length",
    }
}
