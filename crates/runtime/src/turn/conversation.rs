//! The model and its tools take turns until there is an answer (agent-runtime §9).

use std::time::Duration;

use stationmaster_model::{Message, Prices, Reply, Request, ToolCall, ToolSpec};
use tokio::time::{Instant, timeout_at};

use super::{Config, Spent, ToolCallRecord, TurnError, preview};
use crate::model::Model;
use crate::observe::Recorder;
use crate::tools::{Toolbox, kept_arguments};

const NO_MORE_TOOLS: &str = "The limit of tool calls for this turn is reached. Give your final answer now, without calling any tool.";

pub(super) struct Conversation<'a> {
    pub(super) model: &'a dyn Model,
    pub(super) toolbox: &'a Toolbox,
    pub(super) prices: &'a Prices,
    pub(super) config: &'a Config,
    pub(super) recorder: &'a Recorder,
    pub(super) deadline: Instant,
    pub(super) system: String,
    /// What was said so far.
    pub(super) messages: Vec<Message>,
    /// Outlives a conversation that fails: what it cost counts all the same.
    pub(super) spent: &'a mut Spent,
    /// The model that answered last, which is the one asked for or its fallback.
    pub(super) model_name: String,
    pub(super) tool_calls: Vec<ToolCallRecord>,
}

impl Conversation<'_> {
    /// The model's final answer; never blank.
    pub(super) async fn run(&mut self) -> Result<String, TurnError> {
        let tools = if self.config.offers_tools {
            self.toolbox.specs()
        } else {
            Vec::new()
        };
        let rounds = if tools.is_empty() {
            0
        } else {
            self.config.tool_rounds
        };
        for round in 1..=rounds {
            let reply = self.ask(round, tools.clone()).await?;
            if reply.tool_calls.is_empty() {
                return spoken(reply);
            }
            self.run_tools(round, reply).await?;
        }
        if rounds > 0 {
            self.messages.push(Message::User(NO_MORE_TOOLS.to_owned()));
        }
        spoken(self.ask(rounds + 1, Vec::new()).await?)
    }

    async fn ask(&mut self, round: u32, tools: Vec<ToolSpec>) -> Result<Reply, TurnError> {
        let request = Request {
            model: self.config.model.clone(),
            system: self.system.clone(),
            messages: self.messages.clone(),
            tools,
            temperature: Some(self.config.temperature),
            max_tokens: self.config.max_tokens,
        };
        let began = Instant::now();
        let asked = timeout_at(self.deadline, self.model.complete(request, self.deadline)).await;
        let reply = asked.map_err(|_| TurnError::Deadline)??;
        self.spent.add(&reply, self.prices);
        self.model_name.clone_from(&reply.model);
        self.recorder.model_called(round, &reply, began.elapsed());
        Ok(reply)
    }

    async fn run_tools(&mut self, round: u32, reply: Reply) -> Result<(), TurnError> {
        let Reply {
            text, tool_calls, ..
        } = reply;
        self.messages.push(Message::Assistant {
            text,
            tool_calls: tool_calls.clone(),
        });
        for (index, call) in tool_calls.into_iter().enumerate() {
            let content = self.run_tool(round, index, &call).await?;
            self.messages.push(Message::ToolResult {
                call_id: call.id,
                content,
            });
        }
        Ok(())
    }

    /// What the model is told about one call. Only the turn's own end is an error here.
    async fn run_tool(
        &mut self,
        round: u32,
        index: usize,
        call: &ToolCall,
    ) -> Result<String, TurnError> {
        let began = Instant::now();
        let until = self.deadline.min(began + self.config.tool_time);
        let answer = match timeout_at(until, self.toolbox.run(round, index, call)).await {
            Ok(answer) => answer,
            Err(_) if Instant::now() >= self.deadline => return Err(TurnError::Deadline),
            Err(_) => self.toolbox.timed_out(self.config.tool_time),
        };
        let took = began.elapsed();
        let name = preview(&call.name);
        self.recorder
            .tool_called(&name, answer.ok, took, &answer.summary);
        self.tool_calls.push(ToolCallRecord {
            name,
            arguments: kept_arguments(&call.arguments),
            ok: answer.ok,
            summary: answer.summary,
            duration_ms: milliseconds(took),
        });
        Ok(answer.content)
    }
}

/// The text of a reply. What a model says beside calls that it was not offered counts, the calls
/// do not.
fn spoken(reply: Reply) -> Result<String, TurnError> {
    if reply.text.trim().is_empty() {
        let message = format!("{} gave no final answer", reply.model);
        return Err(TurnError::ModelEmpty { message });
    }
    Ok(reply.text)
}

fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
