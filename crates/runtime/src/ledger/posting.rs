//! The ledger of a runtime that keeps nothing: replies go to the backend, answers stay in memory.

use std::sync::Arc;

use async_trait::async_trait;
use tokio::time::timeout_at;

use super::journal::{Asked, Journal, Slot};
use super::{Begun, Finished, Ledger, NewRun, OpenRun};
use crate::AgentIdentity;
use crate::backend::{Backend, BackendError, BackendErrorKind};
use crate::turn::{Outcome, Spent, TurnError};

/// Posts through a [`Backend`] and remembers in a [`Journal`].
#[derive(Clone)]
pub struct PostingLedger {
    backend: Arc<dyn Backend>,
    journal: Journal,
}

struct Posting {
    who: AgentIdentity,
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
            backend: Arc::clone(&self.backend),
            slot,
        })))
    }
}

#[async_trait]
impl OpenRun for Posting {
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

impl Posting {
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
