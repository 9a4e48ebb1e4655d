//! The model and its tools take turns until there is an answer (agent-runtime §9). What was done is kept
//! before what comes next begins, so that whoever takes the turn up goes on from there (rulings 17).

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use stationmaster_model::{Listener, Message, Prices, Reply, Request, ToolCall, ToolSpec};
use tokio::time::{Instant, timeout_at};

use super::progress::{Calls, replay};
use super::{Config, Follower, Spent, ToolCallRecord, TurnError, preview};
use crate::ledger::{Answered, CallResult, Gate, ModelCall, NewCall, OpenRun, Pause, Place};
use crate::model::Model;
use crate::observe::Recorder;
use crate::tools::{Answer, Toolbox, kept_arguments};
use crate::tracer::{ModelSpan, ToolSpan};

const NO_MORE_TOOLS: &str = "The limit of tool calls for this turn is reached. Give your final answer now, without calling any tool.";

pub(super) struct Conversation<'a> {
    pub(super) model: &'a dyn Model,
    pub(super) toolbox: &'a Toolbox,
    pub(super) prices: &'a Prices,
    pub(super) config: &'a Config,
    pub(super) recorder: &'a Recorder,
    pub(super) run: &'a mut dyn OpenRun,
    pub(super) deadline: Instant,
    /// The one asked for.
    pub(super) model_name: String,
    pub(super) system: String,
    /// What was said so far.
    pub(super) messages: Vec<Message>,
    /// Outlives a conversation that fails: what it cost counts all the same.
    pub(super) spent: &'a mut Spent,
    /// What the turn had cost before it was taken up.
    pub(super) known: &'a mut Spent,
    /// The model that answered last, which is the one asked for or a fallback.
    pub(super) answered_by: String,
    /// How the call went that gave the last answer.
    pub(super) last_call: ModelCall,
    pub(super) tool_calls: Vec<ToolCallRecord>,
    /// What the next call of the model may cost is held already.
    pub(super) is_held: bool,
    pub(super) offers_tools: bool,
    pub(super) follower: Option<&'a dyn Follower>,
    /// The follower has heard something.
    pub(super) said: bool,
}

/// Hears one answer for the follower of the turn, and sets it apart from the one before.
struct Paragraph<'a> {
    follower: &'a dyn Follower,
    after_another: AtomicBool,
    said: AtomicBool,
}

impl Listener for Paragraph<'_> {
    fn heard(&self, text: &str) {
        if text.is_empty() {
            return;
        }
        if self.after_another.swap(false, Ordering::Relaxed) {
            self.follower.heard("\n\n");
        }
        self.said.store(true, Ordering::Relaxed);
        self.follower.heard(text);
    }
}

/// Why a conversation has no answer.
pub(super) enum Stop {
    Failed(TurnError),
    Paused(Pause),
}

impl From<TurnError> for Stop {
    fn from(error: TurnError) -> Self {
        Self::Failed(error)
    }
}

impl Conversation<'_> {
    /// The model's final answer; never blank.
    pub(super) async fn run(&mut self) -> Result<String, Stop> {
        let tools = match self.offers_tools {
            true => self.toolbox.specs(),
            false => Arc::default(),
        };
        let none: Arc<[ToolSpec]> = Arc::default();
        let rounds = if tools.is_empty() {
            0
        } else {
            self.config.tool_rounds
        };
        let steps = self.run.steps();
        let mut calls = replay(steps, &mut self.messages, self.spent, &mut self.tool_calls);
        *self.known = *self.spent;
        loop {
            let round = calls.round + 1;
            let is_last = round > rounds;
            if is_last && rounds > 0 {
                // Told with the results, so that the price of the last call is known before they are kept.
                calls.remark = Some(NO_MORE_TOOLS);
            }
            let tools = if is_last { &none } else { &tools };
            self.run_tools(calls, tools).await?;
            let reply = self.ask(round, tools).await?;
            if is_last || reply.tool_calls.is_empty() {
                return Ok(spoken(reply)?);
            }
            calls = self.keep(round, reply).await?;
        }
    }

    async fn ask(&mut self, round: u32, tools: &Arc<[ToolSpec]>) -> Result<Reply, TurnError> {
        if !std::mem::take(&mut self.is_held) {
            let worst = self.worst(tools);
            self.run.hold(worst).await?;
        }
        let request = Request {
            model: self.model_name.clone(),
            system: self.system.clone(),
            messages: self.messages.clone(),
            tools: Arc::clone(tools),
            temperature: Some(self.config.temperature),
            max_tokens: self.config.max_tokens,
        };
        let began = Instant::now();
        let asked = timeout_at(self.deadline, self.complete(request)).await;
        let took = began.elapsed();
        let result = asked.map_err(|_| TurnError::Deadline);
        let result = result.and_then(|result| result.map_err(TurnError::from));
        self.recorder.traced(|trace| {
            trace.model_called(&ModelSpan {
                round,
                model: &self.model_name,
                max_tokens: self.config.max_tokens,
                temperature: self.config.temperature,
                system: &self.system,
                messages: &self.messages,
                result: result.as_ref(),
                took,
            });
        });
        let reply = result?;
        self.spent.add(&reply, self.prices);
        self.answered_by.clone_from(&reply.model);
        self.recorder.model_called(round, &reply, took);
        self.last_call = ModelCall::of(&reply, took);
        Ok(reply)
    }

    async fn complete(&mut self, request: Request) -> Result<Reply, stationmaster_model::Error> {
        let Some(follower) = self.follower else {
            return self.model.complete(request, self.deadline).await;
        };
        let paragraph = Paragraph {
            follower,
            after_another: AtomicBool::new(self.said),
            said: AtomicBool::new(false),
        };
        let reply = self
            .model
            .stream(request, self.deadline, &paragraph)
            .await?;
        self.said |= paragraph.said.into_inner();
        Ok(reply)
    }

    /// What the next call of the model may cost at most, in millionths of a US dollar.
    fn worst(&self, tools: &[ToolSpec]) -> u64 {
        worst(
            self.prices,
            self.config,
            &self.model_name,
            &self.system,
            &self.messages,
            tools,
        )
    }

    /// Keeps an answer that calls tools.
    async fn keep(&mut self, round: u32, reply: Reply) -> Result<Calls, TurnError> {
        let answer = Answered {
            text: reply.text,
            tool_calls: reply.tool_calls,
            model: reply.model,
            spent: *self.spent,
            call: self.last_call.clone(),
        };
        self.run.answered(answer.clone()).await?;
        self.messages.push(Message::Assistant {
            text: answer.text,
            tool_calls: answer.tool_calls.clone(),
        });
        Ok(Calls::of(round, answer.tool_calls))
    }

    /// Runs what is left of an answer's calls; `tools` is what the next call of the model is offered.
    async fn run_tools(&mut self, mut calls: Calls, tools: &[ToolSpec]) -> Result<(), Stop> {
        let last = calls.open.len().checked_sub(1);
        for (number, (index, call)) in std::mem::take(&mut calls.open).into_iter().enumerate() {
            let place = Place {
                round: calls.round,
                index,
            };
            let (name, result) = self.run_tool(place, &call, &mut calls).await?;
            self.messages.push(Message::ToolResult {
                call_id: call.id,
                content: result.content.clone(),
            });
            self.tool_calls.push(result.record.clone());
            let next = (Some(number) == last).then(|| {
                self.messages.extend(calls.remark.take().map(user));
                self.worst(tools)
            });
            self.run.finish_tool(name, result, next).await?;
            self.is_held |= next.is_some();
        }
        self.messages.extend(calls.remark.take().map(user));
        Ok(())
    }

    /// What the model is told about one call, and the name it ran under. Only the turn's own end is an error
    /// here.
    async fn run_tool(
        &mut self,
        place: Place,
        call: &ToolCall,
        calls: &mut Calls,
    ) -> Result<(Option<String>, CallResult), Stop> {
        let began = Instant::now();
        let cut_off = calls.cut_off.take();
        let (name, answer) = match cut_off {
            Some(started) if !self.toolbox.is_repeatable(&call.name) => {
                (Some(started), Answer::cut_off())
            }
            // Its effect carries a key of its own, so it happens once.
            Some(started) => (Some(started), self.call(place, call).await?),
            None => match self.gate(place, call, calls).await? {
                Gate::Go(started) => (Some(started), self.call(place, call).await?),
                Gate::Refused(why) => (None, Answer::error(&why)),
                Gate::Paused(pause) => return Err(Stop::Paused(pause)),
            },
        };
        let took = began.elapsed();
        let shown = preview(&call.name);
        self.recorder
            .tool_called(&shown, answer.ok, took, &answer.summary);
        self.recorder.traced(|trace| {
            trace.tool_called(&ToolSpan {
                call,
                ok: answer.ok,
                summary: &answer.summary,
                content: &answer.content,
                took,
            });
        });
        let record = ToolCallRecord {
            name: shown,
            arguments: kept_arguments(&call.arguments),
            ok: answer.ok,
            summary: answer.summary,
            duration_ms: milliseconds(took),
        };
        let result = CallResult {
            place,
            call_id: call.id.clone(),
            content: answer.content,
            record,
        };
        Ok((name, result))
    }

    /// What cannot be a call at all needs nobody's leave to be refused.
    async fn gate(
        &mut self,
        place: Place,
        call: &ToolCall,
        calls: &mut Calls,
    ) -> Result<Gate, TurnError> {
        let arguments = match self.toolbox.check(place.index, call) {
            Ok(arguments) => arguments,
            Err(why) => return Ok(Gate::Refused(why)),
        };
        self.run
            .start_tool(NewCall {
                place,
                tool: call.name.clone(),
                arguments,
                listed: self.toolbox.is_listed(&call.name),
                asked: calls.asked.take(),
            })
            .await
    }

    async fn call(&self, place: Place, call: &ToolCall) -> Result<Answer, TurnError> {
        let own = self.toolbox.limit(&call.name);
        let limit = own.unwrap_or(self.config.tool_time);
        let until = self.deadline.min(Instant::now() + limit);
        match timeout_at(until, self.toolbox.run(place, call)).await {
            Ok(answer) => Ok(answer),
            Err(_) if Instant::now() >= self.deadline => Err(TurnError::Deadline),
            Err(_) => Ok(self.toolbox.timed_out(limit)),
        }
    }
}

/// What a call of the model may cost at most: no token is shorter than a byte, and the answer has a bound
/// (rulings 10). Of the models that may be asked, the dearest counts.
pub(super) fn worst(
    prices: &Prices,
    config: &Config,
    model: &str,
    system: &str,
    messages: &[Message],
    tools: &[ToolSpec],
) -> u64 {
    let asked = Asked {
        model,
        max_tokens: config.max_tokens,
        system,
        messages,
        tools,
    };
    worst_of(prices, config, &asked)
}

/// What a model is asked with.
pub(crate) struct Asked<'a> {
    pub(crate) model: &'a str,
    pub(crate) max_tokens: u32,
    pub(crate) system: &'a str,
    pub(crate) messages: &'a [Message],
    pub(crate) tools: &'a [ToolSpec],
}

/// The same for any call.
pub(crate) fn worst_of(prices: &Prices, config: &Config, asked: &Asked<'_>) -> u64 {
    let Asked {
        model,
        max_tokens,
        system,
        messages,
        tools,
    } = *asked;
    /// For what providers put around an entry.
    const AROUND: usize = 16;
    let entries = messages.iter().map(|message| AROUND + bytes(message));
    let offered = tools
        .iter()
        .map(|tool| AROUND + tool.name.len() + tool.description.len() + tool.parameters.length());
    let input = system.len() + entries.sum::<usize>() + offered.sum::<usize>();
    let price = |model: &str| prices.worst(model, input as u64, max_tokens.into());
    let others = config.fallback_models.iter().map(String::as_str);
    let asked = std::iter::once(model).chain(others);
    asked.map(price).max().unwrap_or_default()
}

fn bytes(message: &Message) -> usize {
    match message {
        Message::System(text) | Message::User(text) => text.len(),
        Message::Assistant { text, tool_calls } => {
            let calls = tool_calls
                .iter()
                .map(|call| call.id.len() + call.name.len() + call.arguments.to_string().len());
            text.len() + calls.sum::<usize>()
        }
        Message::ToolResult { call_id, content } => call_id.len() + content.len(),
    }
}

fn user(text: &str) -> Message {
    Message::User(text.to_owned())
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
