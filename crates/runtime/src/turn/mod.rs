//! One turn, from request to posted reply (agent-runtime §3, order of work).

mod config;
mod context;
mod conversation;
mod error;
mod outcome;
mod progress;
mod request;

use std::sync::Arc;

use stationmaster_model::{Listener, Message};
use tokio::time::{Instant, timeout_at};

use crate::SessionKey;
use crate::backend::{BackendError, NewDocument, NewMessage, TaskRef};
use crate::ledger::{Begun, Finished, Keyed, ModelCall, NewRun, OpenRun, Pause, TakenUp};
use crate::mcp::{Hub, Offer};
use crate::model::Model;
use crate::observe::Recorder;
use crate::tools::{Caller, Toolbox};
use crate::tracer::{TraceParent, TurnEnd, TurnHead};
use crate::usage::{Tally, Usage};
use crate::workspace::{Prompt, PromptRequest, Workspace};
use conversation::{Conversation, Stop};
use request::Turn;

pub use config::{Clock, Config, Parts};
pub(crate) use conversation::{Asked, worst_of};
pub use error::TurnError;
pub use outcome::{Outcome, Spent, ToolCallRecord};
pub(crate) use request::preview;
pub use request::{HistoryEntry, HistoryRole, SendRequest};

/// How a turn ended, for now.
#[derive(Debug, Clone, PartialEq)]
pub enum Ended {
    Answered(Box<Outcome>),
    /// The answer of an earlier turn with the same key, given again.
    Replayed(Box<Outcome>),
    /// It goes on when an approval is decided (rulings 19).
    Paused(Pause),
}

/// Hears a turn while it goes on, on the turn's own path: it must neither block nor take long.
pub trait Follower: Listener {
    /// The turn goes on to the model. Nothing is heard of one that was answered before.
    fn began(&self, task_id: &str, trace_id: &str);
}

/// What a conversation begins with.
struct Prepared {
    /// Without an id for a turn that has none.
    task: TaskRef,
    offers_tools: bool,
    /// The role's.
    model: String,
    system: String,
    toolbox: Toolbox,
    opening: Vec<Message>,
    context_warning: Option<String>,
    /// What the first call of the model may cost at most, in millionths of a US dollar.
    worst: u64,
}

/// A conversation about to begin, or to go on.
struct Talk<'a> {
    model: &'a dyn Model,
    prepared: Prepared,
    deadline: Instant,
    /// What the next call of the model may cost is held already.
    is_held: bool,
    follower: Option<&'a dyn Follower>,
}

/// What an earlier turn with the same key says, if it says anything.
fn told_again(known: Begun, recorder: &Recorder, began: Instant) -> Option<Ended> {
    match known {
        Begun::Ours(_) => None,
        Begun::Answered(outcome) => {
            recorder.replayed(&outcome, began.elapsed());
            Some(Ended::Replayed(outcome))
        }
        Begun::Paused(pause) => {
            recorder.traced(|trace| trace.ended(&TurnEnd::Paused(&pause)));
            Some(Ended::Paused(pause))
        }
    }
}

/// Runs turns. Clones share everything.
#[derive(Clone)]
pub struct Runtime {
    parts: Arc<Parts>,
    tally: Arc<Tally>,
    hub: Arc<Hub>,
}

impl Runtime {
    #[must_use]
    pub fn new(parts: Parts) -> Self {
        Self {
            parts: Arc::new(parts),
            tally: Arc::default(),
            hub: Arc::default(),
        }
    }

    pub(crate) fn parts(&self) -> &Parts {
        &self.parts
    }

    /// Adds to what was used since the start.
    pub(crate) fn count(&self, spent: &Spent) {
        self.tally.add(spent);
    }

    /// Where agents work from.
    #[must_use]
    pub fn workspace(&self) -> &Workspace {
        &self.parts.workspace
    }

    /// The time of day that prompts show.
    #[must_use]
    pub fn now(&self) -> jiff::Timestamp {
        (self.parts.clock)()
    }

    /// What all turns since the start used.
    #[must_use]
    pub fn usage(&self) -> Usage {
        self.tally.sum()
    }

    /// Whether the backend answers, within five seconds.
    ///
    /// # Errors
    /// Why it does not.
    pub async fn probe_backend(&self) -> Result<(), BackendError> {
        self.parts.backend.probe().await
    }

    /// How every MCP server that the workspace names fares, within some ten seconds: the number of its tools,
    /// or why it has none. Those that are not running are started.
    pub async fn probe_servers(&self) -> Vec<(String, Result<usize, String>)> {
        self.hub.look(&self.parts.workspace).await
    }

    /// Runs one turn, or gives the answer of an earlier one with the same session and key.
    ///
    /// Dropping the future gives the turn up: whoever asks with the same key next goes on with it, and what
    /// it had done by then is not done again.
    ///
    /// # Errors
    /// [`TurnError`]; nothing was posted as a reply then.
    pub async fn send(&self, request: SendRequest) -> Result<Ended, TurnError> {
        self.send_heard(request, None).await
    }

    /// The same, and `follower` hears the model's words as they come, those beside calls of tools too.
    ///
    /// # Errors
    /// As [`send`](Self::send), also after a part of the reply was heard.
    pub async fn send_heard(
        &self,
        request: SendRequest,
        follower: Option<&dyn Follower>,
    ) -> Result<Ended, TurnError> {
        let began = Instant::now();
        let session = request::session(&request)?;
        let trace_id = request::trace_id(&request);
        let recorder = self.recorder(&request, &session, &trace_id);
        let default_task = self.parts.config.default_task.as_deref();
        let result = match Turn::check(&request, session, trace_id, default_task) {
            Ok(turn) => self.begin(&turn, began, &recorder, follower).await,
            Err(error) => Err(error),
        };
        if let Err(error) = &result {
            recorder.failed(error, began.elapsed());
        }
        result
    }

    /// Goes on with a turn that nobody is at any more; `None` where somebody was faster. Its reply goes
    /// where it was to go.
    ///
    /// # Errors
    /// As [`send`](Self::send).
    pub async fn resume(&self, run: &str) -> Result<Option<Ended>, TurnError> {
        let began = Instant::now();
        let Some(TakenUp { run, request }) = self.parts.ledger.take_up(run).await? else {
            return Ok(None);
        };
        let session = request::session(&request)?;
        let trace_id = request::trace_id(&request);
        let recorder = self.recorder(&request, &session, &trace_id);
        let default_task = self.parts.config.default_task.as_deref();
        let result = match Turn::check(&request, session, trace_id, default_task) {
            Ok(turn) => self.go_on(&turn, began, &recorder, run).await,
            Err(error) => {
                run.fail(&error, &Spent::default()).await;
                Err(error)
            }
        };
        if let Err(error) = &result {
            recorder.failed(error, began.elapsed());
        }
        result.map(Some)
    }

    fn recorder(&self, request: &SendRequest, session: &SessionKey, trace_id: &str) -> Recorder {
        let Parts {
            observer,
            tracer,
            config,
            ..
        } = &*self.parts;
        let agent = session.agent();
        let trace = tracer.as_ref().map(|tracer| {
            let parent = request.traceparent.as_deref();
            tracer.begin(&TurnHead {
                trace_id,
                parent: parent.and_then(TraceParent::parse),
                agent,
                provider: config.provider.as_deref(),
                model: config.model_of(agent.role.as_str()),
            })
        });
        Recorder::new(observer.clone(), trace, trace_id.to_owned(), agent.clone())
    }

    /// Looks for an earlier turn with the key, and else begins one.
    async fn begin(
        &self,
        turn: &Turn,
        began: Instant,
        recorder: &Recorder,
        follower: Option<&dyn Follower>,
    ) -> Result<Ended, TurnError> {
        let Parts { ledger, config, .. } = &*self.parts;
        let model = self.model()?;
        let deadline = began + config.deadline;
        if let Some(key) = &turn.key
            && let Some(known) = by(deadline, ledger.look(&turn.session, key)).await?
            && let Some(ended) = told_again(known, recorder, began)
        {
            return Ok(ended);
        }
        let prepared = self.prepare(turn, deadline, recorder).await?;
        let new = NewRun {
            session: turn.session.clone(),
            key: turn.key.clone(),
            trace_id: turn.trace_id.clone(),
            workspace: turn.workspace.clone(),
            provider: config.provider.clone(),
            request: turn.kept.clone(),
            task_id: prepared.task.id.clone(),
            model: prepared.model.clone(),
            worst: prepared.worst,
            deadline,
        };
        let run = match by(deadline, ledger.begin(new)).await? {
            Begun::Ours(run) => run,
            known => {
                let ended = told_again(known, recorder, began);
                return ended.ok_or_else(|| TurnError::Internal {
                    message: "the turn was neither begun nor answered".to_owned(),
                });
            }
        };
        let talk = Talk {
            model,
            prepared,
            deadline,
            is_held: true,
            follower,
        };
        self.see_through(turn, talk, began, recorder, run).await
    }

    /// Goes on with a run that was taken up.
    async fn go_on(
        &self,
        turn: &Turn,
        began: Instant,
        recorder: &Recorder,
        run: Box<dyn OpenRun>,
    ) -> Result<Ended, TurnError> {
        let deadline = began + self.parts.config.deadline;
        let ready = match self.model() {
            Ok(model) => self
                .prepare(turn, deadline, recorder)
                .await
                .map(|prepared| (model, prepared)),
            Err(error) => Err(error),
        };
        match ready {
            Ok((model, prepared)) => {
                let talk = Talk {
                    model,
                    prepared,
                    deadline,
                    is_held: false,
                    follower: None,
                };
                self.see_through(turn, talk, began, recorder, run).await
            }
            Err(error) => {
                run.fail(&error, &Spent::default()).await;
                Err(error)
            }
        }
    }

    fn model(&self) -> Result<&dyn Model, TurnError> {
        let model = self.parts.model.as_deref();
        model.ok_or(TurnError::ModelNotConfigured)
    }

    /// From the first call of the model to the end of the run.
    async fn see_through(
        &self,
        turn: &Turn,
        talk: Talk<'_>,
        began: Instant,
        recorder: &Recorder,
        mut run: Box<dyn OpenRun>,
    ) -> Result<Ended, TurnError> {
        if let Some(follower) = talk.follower {
            follower.began(&talk.prepared.task.id, &turn.trace_id);
        }
        let (mut spent, mut known) = (Spent::default(), Spent::default());
        let books = (&mut spent, &mut known);
        let result = self.converse(turn, talk, recorder, &mut *run, books).await;
        let new = spent.since(&known);
        recorder.spent(&new);
        self.tally.add(&new);
        // Ending a run has its own time: the turn's may be used up.
        let last = Instant::now() + self.parts.config.posting_time;
        match result {
            Ok(finished) => {
                let outcome = by(last, run.complete(finished)).await?;
                recorder.posted(&outcome, began.elapsed());
                Ok(Ended::Answered(Box::new(outcome)))
            }
            Err(Stop::Paused(pause)) => {
                run.leave();
                recorder.paused(&pause, began.elapsed());
                Ok(Ended::Paused(pause))
            }
            Err(Stop::Failed(error)) => {
                if timeout_at(last, run.fail(&error, &spent)).await.is_err() {
                    tracing::warn!(trace_id = turn.trace_id, "a failed run could not be ended");
                }
                Err(error)
            }
        }
    }

    /// Everything up to the answer.
    async fn converse(
        &self,
        turn: &Turn,
        talk: Talk<'_>,
        recorder: &Recorder,
        run: &mut dyn OpenRun,
        (spent, known): (&mut Spent, &mut Spent),
    ) -> Result<Finished, Stop> {
        let Parts { prices, config, .. } = &*self.parts;
        let Prepared {
            task,
            model,
            system,
            toolbox,
            opening,
            context_warning,
            offers_tools,
            ..
        } = talk.prepared;
        let mut conversation = Conversation {
            model: talk.model,
            toolbox: &toolbox,
            prices,
            config,
            recorder,
            run,
            deadline: talk.deadline,
            answered_by: model.clone(),
            model_name: model,
            system,
            messages: opening,
            spent,
            known,
            last_call: ModelCall::default(),
            tool_calls: Vec::new(),
            is_held: talk.is_held,
            offers_tools,
            follower: talk.follower,
            said: false,
        };
        let response = conversation.run().await?;
        let (model, tool_calls) = (conversation.answered_by, conversation.tool_calls);
        let last_call = conversation.last_call;
        let outcome = Outcome {
            trace_id: turn.trace_id.clone(),
            task_id: task.id,
            response,
            model,
            spent: *spent,
            tool_calls,
            context_warning,
            last_call,
            ..Outcome::default()
        };
        Ok(posts(turn, outcome))
    }

    /// What the model is told, and what that may cost.
    async fn prepare(
        &self,
        turn: &Turn,
        deadline: Instant,
        recorder: &Recorder,
    ) -> Result<Prepared, TurnError> {
        let Parts { prices, config, .. } = &*self.parts;
        let task = match &turn.task {
            Some(choice) => {
                let task = by(deadline, self.open_task(turn, choice)).await?;
                recorder.started(&task, &turn.preview);
                task
            }
            None => TaskRef::default(),
        };
        let offers_tools = config.offers_tools && turn.task.is_some();
        let (prompt, toolbox) = by(deadline, self.read(turn, &task, deadline)).await?;
        let mut system = prompt.text();
        // The caller's own prompt stands alone (agent-runtime §5).
        if let Some(note) = toolbox.note().filter(|_| turn.system_prompt.is_none()) {
            system = format!("{system}\n\n{note}");
        }
        let opening = context::opening(turn);
        let model = config.model_for(turn.session.agent().role.as_str(), turn.is_heartbeat);
        let context_warning = context::warning(model, &system, &opening, config);
        let offered = match offers_tools && config.tool_rounds > 0 {
            true => toolbox.specs(),
            false => Arc::default(),
        };
        Ok(Prepared {
            offers_tools,
            worst: conversation::worst(prices, config, model, &system, &opening, &offered),
            task,
            model: model.to_owned(),
            system,
            toolbox,
            opening,
            context_warning,
        })
    }

    async fn open_task(
        &self,
        turn: &Turn,
        choice: &crate::TaskChoice,
    ) -> Result<TaskRef, TurnError> {
        let opened = self
            .parts
            .backend
            .open_task(turn.session.agent(), choice)
            .await;
        let named = match choice {
            crate::TaskChoice::Id(id) => id,
            crate::TaskChoice::Thread(_) => "",
        };
        opened.map_err(|error| TurnError::from_backend(error, named))
    }

    /// The system prompt and the tools, at the same time.
    async fn read(
        &self,
        turn: &Turn,
        task: &TaskRef,
        deadline: Instant,
    ) -> Result<(Prompt, Toolbox), TurnError> {
        let Parts {
            backend,
            workspace,
            clock,
            config,
            ..
        } = &*self.parts;
        let who = turn.session.agent();
        let prompt = workspace.prompt(PromptRequest {
            role: who.role.clone(),
            system_prompt: turn.system_prompt.clone(),
            timezone: turn.timezone.clone(),
            now: clock(),
            is_heartbeat: turn.is_heartbeat,
            can_load_skills: config.offers_tools && turn.task.is_some(),
        });
        let extra = async {
            if config.offers_tools && turn.task.is_some() {
                backend.extra_tools(who).await
            } else {
                Ok(Vec::new())
            }
        };
        let offer = async {
            if config.offers_tools && turn.task.is_some() {
                self.hub.offer(workspace, &who.role, deadline).await
            } else {
                Offer::default()
            }
        };
        let (prompt, extra, offer) = tokio::join!(prompt, extra, offer);
        // A backend that cannot be reached now will hardly take the reply.
        let extra = extra.map_err(|error| TurnError::from_backend(error, ""))?;
        let prompt = prompt?;
        let caller = Caller {
            backend: Arc::clone(backend),
            who: who.clone(),
            task_id: task.id.clone(),
            trace_id: turn.trace_id.clone(),
            workspace_id: turn.workspace.clone(),
            turn_key: turn.turn_key.clone(),
            skills: prompt.loader(),
        };
        Ok((prompt, Toolbox::new(caller, extra, offer)))
    }
}

/// What an agent answers to a heartbeat that found nothing to do (agent-runtime §13).
const NOTHING_TO_DO: &str = "HEARTBEAT_OK";

/// What to post for an answer (agent-runtime §10); a heartbeat that found nothing, and what was asked without a
/// task, is kept and not posted.
fn posts(turn: &Turn, outcome: Outcome) -> Finished {
    if turn.task.is_none() || turn.is_heartbeat && outcome.response.trim() == NOTHING_TO_DO {
        return Finished {
            outcome,
            reply: None,
            document: None,
        };
    }
    let key = |what: &str| format!("{}:{what}", turn.turn_key);
    let (task_id, content) = (outcome.task_id.clone(), outcome.response.clone());
    let document = turn.plan_title.clone().map(|title| Keyed {
        key: key("doc"),
        what: NewDocument {
            task_id: task_id.clone(),
            title,
            content: content.clone(),
            doc_type: Some("plan".to_owned()),
        },
    });
    let reply = Keyed {
        key: key("msg"),
        what: NewMessage { task_id, content },
    };
    Finished {
        outcome,
        reply: Some(reply),
        document,
    }
}

/// The result of `work`, unless it takes too long.
async fn by<T>(
    deadline: Instant,
    work: impl Future<Output = Result<T, TurnError>>,
) -> Result<T, TurnError> {
    timeout_at(deadline, work)
        .await
        .unwrap_or(Err(TurnError::Deadline))
}

#[cfg(test)]
mod tests;
