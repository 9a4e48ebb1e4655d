//! A model that says what the test tells it to.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use serde_json::Value;
use stationmaster_model::{Error, ErrorKind, Message, Reply, Request, Stop, ToolCall, Usage};
use stationmaster_runtime::Model;
use tokio::sync::Notify;
use tokio::time::Instant;

pub(crate) enum Step {
    Say(&'static str),
    Call(Vec<(&'static str, Value)>),
    Fail(ErrorKind),
    Never,
    /// Says that it was asked and waits to be let go, then says this.
    Gate(&'static str),
}

/// Plays its steps in order; without any it says "Done."
#[derive(Default)]
pub(crate) struct Scripted {
    steps: Mutex<VecDeque<Step>>,
    asked: Mutex<Vec<Request>>,
    pub(crate) entered: Notify,
    pub(crate) release: Notify,
}

impl Scripted {
    pub(crate) fn new(steps: impl IntoIterator<Item = Step>) -> Arc<Self> {
        let steps = Mutex::new(steps.into_iter().collect());
        Arc::new(Self {
            steps,
            ..Self::default()
        })
    }

    pub(crate) fn asked(&self) -> Vec<Request> {
        self.asked.lock().unwrap().clone()
    }

    /// What the model was told about tool calls in its last request, parsed.
    pub(crate) fn told(&self) -> Vec<Value> {
        let asked = self.asked.lock().unwrap();
        let results = asked
            .last()
            .unwrap()
            .messages
            .iter()
            .filter_map(|message| match message {
                Message::ToolResult { content, .. } => Some(serde_json::from_str(content).unwrap()),
                _ => None,
            });
        results.collect()
    }
}

#[async_trait]
impl Model for Scripted {
    async fn complete(&self, request: Request, _: Instant) -> Result<Reply, Error> {
        let model = request.model.clone();
        self.asked.lock().unwrap().push(request);
        let step = self
            .steps
            .lock()
            .unwrap()
            .pop_front()
            .unwrap_or(Step::Say("Done."));
        let (text, calls) = match step {
            Step::Say(text) => (text, Vec::new()),
            Step::Call(calls) => ("", calls),
            Step::Gate(text) => {
                self.entered.notify_one();
                self.release.notified().await;
                (text, Vec::new())
            }
            Step::Never => std::future::pending().await,
            Step::Fail(kind) => {
                let message = "as the test wants".to_owned();
                let retry_after = Some(std::time::Duration::from_secs(7));
                return Err(Error {
                    kind,
                    message,
                    retry_after,
                    attempts: 3,
                });
            }
        };
        let numbered = calls.into_iter().enumerate();
        let tool_calls: Vec<ToolCall> = numbered
            .map(|(n, (name, arguments))| ToolCall {
                id: format!("c{n}"),
                name: name.into(),
                arguments,
            })
            .collect();
        let stop = if tool_calls.is_empty() {
            Stop::End
        } else {
            Stop::ToolCalls
        };
        let usage = Usage {
            input_tokens: 200,
            output_tokens: 50,
            ..Usage::default()
        };
        Ok(Reply {
            text: text.to_owned(),
            tool_calls,
            stop,
            usage,
            model,
        })
    }
}
