//! The ledger of a runtime that keeps nothing: replies go to the backend, answers stay in memory.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use stationmaster_kernel::TenantId;
use stationmaster_policy::{
    Action, Agent, Context, Decision, Rank, Rules, Status, Verdict, decide,
};
use tokio::time::timeout_at;

use super::journal::{Asked, Journal, Slot};
use super::{
    Answered, Begun, CallResult, Finished, Gate, Held, Ledger, NewCall, NewRun, OpenRun, Place,
    Step, TakenUp,
};
use crate::backend::{Backend, BackendError, BackendErrorKind, NewToolRequest};
use crate::turn::{Outcome, Spent, TurnError};
use crate::{AgentIdentity, SessionKey};

/// Posts through a [`Backend`] and remembers in a [`Journal`].
#[derive(Clone)]
pub struct PostingLedger {
    backend: Arc<dyn Backend>,
    journal: Journal,
}

struct Posting {
    who: AgentIdentity,
    task_id: String,
    turn_key: String,
    backend: Arc<dyn Backend>,
    /// `None` for a turn without a key.
    slot: Option<Slot>,
}

impl PostingLedger {
    #[must_use]
    pub fn new(backend: Arc<dyn Backend>, journal: Journal) -> Self {
        Self { backend, journal }
    }
}

#[async_trait]
impl Ledger for PostingLedger {
    /// What is under way is found by [`begin`](Self::begin), which waits for it.
    async fn look(&self, session: &SessionKey, key: &str) -> Result<Option<Begun>, TurnError> {
        let name = (session.to_string(), key.to_owned());
        let answered = self.journal.answered(&name);
        Ok(answered.map(|outcome| Begun::Answered(Box::new(Outcome::clone(&outcome)))))
    }

    /// It keeps no runs.
    async fn take_up(&self, _: &str) -> Result<Option<TakenUp>, TurnError> {
        Ok(None)
    }

    /// As for turns: whoever keeps the tasks keeps the budgets.
    async fn hold_aside(&self, tenant: &TenantId, _: u64, _: Duration) -> Result<Held, TurnError> {
        Ok(Held {
            tenant: tenant.clone(),
            name: None,
        })
    }

    async fn settle_aside(&self, _: Held, _: &str, _: &Spent) {}

    async fn begin(&self, run: NewRun) -> Result<Begun, TurnError> {
        let slot = match run.key {
            None => None,
            Some(key) => {
                let name = (run.session.to_string(), key);
                let asked = timeout_at(run.deadline, self.journal.ask(name)).await;
                match asked.map_err(|_| TurnError::Deadline)?? {
                    Asked::Fresh(slot) => Some(slot),
                    Asked::Answered(outcome) => {
                        return Ok(Begun::Answered(Box::new(Outcome::clone(&outcome))));
                    }
                }
            }
        };
        let who = run.session.agent().clone();
        Ok(Begun::Ours(Box::new(Posting {
            who,
            task_id: run.task_id,
            turn_key: run.request.idempotency_key.unwrap_or(run.trace_id),
            backend: Arc::clone(&self.backend),
            slot,
        })))
    }
}

#[async_trait]
impl OpenRun for Posting {
    fn steps(&mut self) -> Vec<Step> {
        Vec::new()
    }

    /// Whoever keeps the tasks keeps the budgets; a stateless runtime has none.
    async fn hold(&mut self, _: u64) -> Result<(), TurnError> {
        Ok(())
    }

    async fn answered(&mut self, _: Answered) -> Result<(), TurnError> {
        Ok(())
    }

    async fn start_tool(&mut self, call: NewCall) -> Result<Gate, TurnError> {
        let verdict = match judge(&call) {
            Ok(verdict) => verdict,
            Err(why) => return Ok(Gate::Refused(why)),
        };
        match verdict.decision {
            Decision::Allow => Ok(Gate::Go(String::new())),
            Decision::Deny => Ok(Gate::Refused(format!(
                "refused by policy: {}",
                verdict.reason
            ))),
            Decision::NeedsApproval => self.ask(&call, &verdict.reason).await,
        }
    }

    async fn finish_tool(
        &mut self,
        _: Option<String>,
        _: CallResult,
        _: Option<u64>,
    ) -> Result<(), TurnError> {
        Ok(())
    }

    fn leave(self: Box<Self>) {}

    async fn complete(self: Box<Self>, finished: Finished) -> Result<Outcome, TurnError> {
        match self.post(finished).await {
            Ok(outcome) => {
                if let Some(slot) = self.slot {
                    slot.answer(&outcome);
                }
                Ok(outcome)
            }
            Err(error) => {
                if let Some(slot) = self.slot {
                    slot.fail(&error);
                }
                Err(error)
            }
        }
    }

    async fn fail(self: Box<Self>, error: &TurnError, _: &Spent) {
        if let Some(slot) = self.slot {
            slot.fail(error);
        }
    }
}

/// Judges a call as the daemon of somebody else's backend can: by the rules that are built in, for an agent
/// of which nothing is known.
fn judge(call: &NewCall) -> Result<Verdict, String> {
    let mut action = call.arguments.clone();
    action.insert("type".to_owned(), "TOOL_CALL".into());
    action.insert("tool".to_owned(), call.tool.as_str().into());
    let action = Action::from_json(&action).map_err(|faults| {
        let told: Vec<String> = faults.iter().map(ToString::to_string).collect();
        told.join("; ")
    })?;
    let agent = Agent {
        rank: Rank::Specialist,
        status: Status::Active,
        allowed_tools: None,
        workspace: None,
        home: None,
        can_spawn: false,
    };
    let context = Context {
        is_listed: call.listed,
        ..Context::default()
    };
    Ok(decide(&Rules::built_in(), &action, &agent, &context))
}

impl Posting {
    /// Asks for a call at the backend, where somebody decides. The turn cannot wait for that: it keeps nothing.
    async fn ask(&self, call: &NewCall, reason: &str) -> Result<Gate, TurnError> {
        let Place { round, index } = call.place;
        let key = format!("{}:approval:{round}:{index}", self.turn_key);
        let request = NewToolRequest {
            title: format!("Call {}", call.tool),
            justification: reason.to_owned(),
            interface: Some(call.tool.clone()),
            scope: None,
            risk_level: None,
            task_id: Some(self.task_id.clone()),
        };
        let asked = self.backend.request_tool(&self.who, &request, &key).await;
        Ok(Gate::Refused(match asked {
            Ok(asked) => format!(
                "it needs an approval, which was asked for ({}): {reason}",
                asked.id
            ),
            Err(error) => format!(
                "it needs an approval, which could not be asked for ({}): {reason}",
                error.message
            ),
        }))
    }

    async fn post(&self, finished: Finished) -> Result<Outcome, TurnError> {
        let Finished {
            mut outcome,
            reply,
            document,
        } = finished;
        if let Some(reply) = reply {
            match self
                .backend
                .post_message(&self.who, &reply.what, &reply.key)
                .await
            {
                Ok(message) => outcome.message_id = Some(message.id),
                Err(error) if error.kind == BackendErrorKind::Conflict => {
                    outcome.message_error = Some(already_posted(&error));
                }
                Err(error) => return Err(TurnError::from_backend(error, &reply.what.task_id)),
            }
        }
        if let Some(document) = document {
            match self
                .backend
                .create_document(&self.who, &document.what, &document.key)
                .await
            {
                Ok(created) => outcome.document_id = Some(created.id),
                Err(error) => outcome.document_error = Some(error.message),
            }
        }
        Ok(outcome)
    }
}

/// An earlier attempt posted its reply, but nobody heard so: its process ended, or the answer got
/// lost. The thread has its one reply, so the turn is no failure.
fn already_posted(error: &BackendError) -> String {
    tracing::warn!(
        reason = error.message,
        "an earlier attempt at this turn has posted its reply"
    );
    "an earlier attempt with the same key has posted its reply; this one was not posted".to_owned()
}
