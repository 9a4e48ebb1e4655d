//! One turn, from request to posted reply (agent-runtime §3, order of work).

mod config;
mod context;
mod conversation;
mod error;
mod outcome;
mod request;

use std::sync::Arc;

use tokio::time::{Instant, timeout_at};

use crate::backend::{BackendError, NewDocument, NewMessage, TaskRef};
use crate::ledger::{Begun, Finished, Keyed, NewRun};
use crate::model::Model;
use crate::observe::Recorder;
use crate::tools::{Caller, Toolbox};
use crate::usage::{Tally, Usage};
use crate::workspace::{Prompt, PromptRequest, Workspace};
use conversation::Conversation;
use request::Turn;

pub use config::{Clock, Config, Parts};
pub use error::TurnError;
pub use outcome::{Outcome, Spent, ToolCallRecord};
pub(crate) use request::preview;
pub use request::{HistoryEntry, HistoryRole, SendRequest};

/// Runs turns. Clones share everything.
#[derive(Clone)]
pub struct Runtime {
    parts: Arc<Parts>,
    tally: Arc<Tally>,
}

impl Runtime {
    #[must_use]
    pub fn new(parts: Parts) -> Self {
        Self {
            parts: Arc::new(parts),
            tally: Arc::default(),
        }
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

    /// Runs one turn, or gives the answer of an earlier one with the same session and key.
    ///
    /// Dropping the future gives the turn up: whoever asks with the same key next starts it anew,
    /// and what it had created by then is not created again.
    ///
    /// # Errors
    /// [`TurnError`]; nothing was posted as a reply then.
    pub async fn send(&self, request: SendRequest) -> Result<Outcome, TurnError> {
        let began = Instant::now();
        let parts = &self.parts;
        let session = request::session(&request)?;
        let trace_id = request::trace_id(&request);
        let recorder = Recorder::new(
            parts.observer.clone(),
            trace_id.clone(),
            session.agent().clone(),
        );
        let turn = Turn::check(
            &request,
            session,
            trace_id,
            parts.config.default_task.as_deref(),
        );
        let result = match turn {
            Ok(turn) => self.run(&turn, began, &recorder).await,
            Err(error) => Err(error),
        };
        if let Err(error) = &result {
            recorder.failed(error, began.elapsed());
        }
        result
    }

    async fn run(
        &self,
        turn: &Turn,
        began: Instant,
        recorder: &Recorder,
    ) -> Result<Outcome, TurnError> {
        let Parts {
            model,
            ledger,
            config,
            ..
        } = &*self.parts;
        let model = model.as_deref().ok_or(TurnError::ModelNotConfigured)?;
        let deadline = began + config.deadline;
        let new = NewRun {
            session: turn.session.clone(),
            key: turn.key.clone(),
            trace_id: turn.trace_id.clone(),
            model: config.model.clone(),
            deadline,
        };
        let run = match by(deadline, ledger.begin(new)).await? {
            Begun::Ours(run) => run,
            Begun::Answered(outcome) => {
                recorder.replayed(&outcome, began.elapsed());
                return Ok(*outcome);
            }
        };

        let mut spent = Spent::default();
        let result = self
            .converse(turn, model, deadline, recorder, &mut spent)
            .await;
        recorder.spent(&spent);
        self.tally.add(&spent);
        // Ending a run has its own time: the turn's may be used up.
        let last = Instant::now() + config.posting_time;
        match result {
            Ok(finished) => {
                let outcome = by(last, run.complete(finished)).await?;
                recorder.posted(&outcome, began.elapsed());
                Ok(outcome)
            }
            Err(error) => {
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
        model: &dyn Model,
        deadline: Instant,
        recorder: &Recorder,
        spent: &mut Spent,
    ) -> Result<Finished, TurnError> {
        let Parts { prices, config, .. } = &*self.parts;
        let task = by(deadline, self.open_task(turn)).await?;
        recorder.started(&task, &turn.preview);
        let (prompt, toolbox) = by(deadline, self.prepare(turn, &task)).await?;
        let system = prompt.text();

        let opening = context::opening(turn);
        let context_warning = context::warning(&system, &opening, config);
        let mut talk = Conversation {
            model,
            toolbox: &toolbox,
            prices,
            config,
            recorder,
            deadline,
            system,
            messages: opening,
            spent,
            model_name: config.model.clone(),
            tool_calls: Vec::new(),
        };
        let response = talk.run().await?;
        let (model, tool_calls) = (talk.model_name, talk.tool_calls);
        let outcome = Outcome {
            trace_id: turn.trace_id.clone(),
            task_id: task.id,
            response,
            model,
            spent: *spent,
            tool_calls,
            context_warning,
            ..Outcome::default()
        };
        Ok(posts(turn, outcome))
    }

    async fn open_task(&self, turn: &Turn) -> Result<TaskRef, TurnError> {
        let opened = self
            .parts
            .backend
            .open_task(turn.session.agent(), &turn.task)
            .await;
        let named = match &turn.task {
            crate::TaskChoice::Id(id) => id,
            crate::TaskChoice::Thread(_) => "",
        };
        opened.map_err(|error| TurnError::from_backend(error, named))
    }

    /// The system prompt and the tools, at the same time.
    async fn prepare(&self, turn: &Turn, task: &TaskRef) -> Result<(Prompt, Toolbox), TurnError> {
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
            can_load_skills: config.offers_tools,
        });
        let extra = async {
            if config.offers_tools {
                backend.extra_tools(who).await
            } else {
                Ok(Vec::new())
            }
        };
        let (prompt, extra) = tokio::join!(prompt, extra);
        // A backend that cannot be reached now will hardly take the reply.
        let extra = extra.map_err(|error| TurnError::from_backend(error, ""))?;
        let prompt = prompt?;
        let caller = Caller {
            backend: Arc::clone(backend),
            who: who.clone(),
            task_id: task.id.clone(),
            trace_id: turn.trace_id.clone(),
            turn_key: turn.turn_key.clone(),
            skills: prompt.loader(),
        };
        Ok((prompt, Toolbox::new(caller, extra)))
    }
}

/// What an agent answers to a heartbeat that found nothing to do (agent-runtime §13).
const NOTHING_TO_DO: &str = "HEARTBEAT_OK";

/// What to post for an answer (agent-runtime §10); a heartbeat that found nothing is kept and not
/// posted.
fn posts(turn: &Turn, outcome: Outcome) -> Finished {
    if turn.is_heartbeat && outcome.response.trim() == NOTHING_TO_DO {
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
