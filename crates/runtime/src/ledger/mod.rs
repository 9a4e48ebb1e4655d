//! Which turns were asked for, which are under way, and how they ended (rulings 17 and 19).
//!
//! Posting the reply and ending the run are one operation here, [`OpenRun::complete`], because with
//! the local kernel they are one transaction: neither a posted reply whose run is still open nor an
//! ended run without its reply can be seen. Against somebody else's backend there is no such
//! transaction; [`PostingLedger`] posts with keys and remembers answers in memory, which is all
//! that a stateless runtime can do.
//!
//! A run is an object and not a ticket, so that only who began it can end it, and only once, and
//! so that dropping it (a caller that went away, a panic) gives it up.

mod journal;
mod posting;

use async_trait::async_trait;
use tokio::time::Instant;

use crate::SessionKey;
use crate::backend::{NewDocument, NewMessage};
use crate::turn::{Outcome, Spent, TurnError};

pub use journal::{Journal, JournalLimits};
pub use posting::PostingLedger;

/// A turn about to start.
#[derive(Debug, Clone)]
pub struct NewRun {
    pub session: SessionKey,
    /// Asked for with this key; the same key and session give the first answer. A turn without one
    /// is always new.
    pub key: Option<String>,
    pub trace_id: String,
    pub model: String,
    /// How long to wait for somebody else who is at the same turn, and about how long this turn
    /// may last.
    pub deadline: Instant,
}

/// What asking for a turn came to.
pub enum Begun {
    /// The caller does the work and ends the run.
    Ours(Box<dyn OpenRun>),
    /// It was done before; this was the answer.
    Answered(Box<Outcome>),
}

/// Something to create, with the key that makes it happen once.
#[derive(Debug, Clone, PartialEq)]
pub struct Keyed<T> {
    pub key: String,
    pub what: T,
}

/// A turn whose model has answered.
#[derive(Debug, Clone)]
pub struct Finished {
    /// Complete but for the ids of what is posted now.
    pub outcome: Outcome,
    /// `None` for an answer that is kept and not posted.
    pub reply: Option<Keyed<NewMessage>>,
    /// For kickoff plans.
    pub document: Option<Keyed<NewDocument>>,
}

/// Keeps the runs.
#[async_trait]
pub trait Ledger: Send + Sync {
    /// Starts a run, gives the answer of an earlier one with the same key, or waits for one that
    /// is under way, until `run.deadline`.
    ///
    /// # Errors
    /// [`TurnError::Deadline`] when the wait was too long; the other's error when it failed while
    /// this one waited.
    async fn begin(&self, run: NewRun) -> Result<Begun, TurnError>;
}

/// A run under way. Dropping it gives it up: the next one with the same key starts anew.
#[async_trait]
pub trait OpenRun: Send {
    /// Posts the reply and the document and ends the run. A document that cannot be created is a
    /// remark in the outcome, since the reply has been posted by then.
    ///
    /// # Errors
    /// When the reply could not be posted; the run has failed then.
    async fn complete(self: Box<Self>, finished: Finished) -> Result<Outcome, TurnError>;

    /// Ends the run without an answer; what it cost counts all the same.
    async fn fail(self: Box<Self>, error: &TurnError, spent: &Spent);
}
