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
mod step;

use std::time::Duration;

use async_trait::async_trait;
use serde_json::{Map, Value};
use stationmaster_kernel::TenantId;
use tokio::time::Instant;

use crate::SessionKey;
use crate::backend::{NewDocument, NewMessage};
use crate::turn::{Outcome, SendRequest, Spent, TurnError};

pub use journal::{Journal, JournalLimits};
pub use posting::PostingLedger;
pub use step::{Answered, CallResult, ModelCall, Place, Step};

/// A turn about to start.
#[derive(Debug, Clone)]
pub struct NewRun {
    pub session: SessionKey,
    /// Asked for with this key; the same key and session give the first answer. A turn without one
    /// is always new.
    pub key: Option<String>,
    pub trace_id: String,
    /// What of the tenant's work the turn belongs to, as its caller named it.
    pub workspace: String,
    /// Whose models it asks.
    pub provider: Option<String>,
    /// What is asked, for whoever takes the turn up.
    pub request: SendRequest,
    pub task_id: String,
    pub model: String,
    /// What the first call of a model may cost at most, in millionths of a US dollar.
    pub worst: u64,
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
    /// It has stopped for an approval.
    Paused(Pause),
}

/// A turn that was taken up.
pub struct TakenUp {
    pub run: Box<dyn OpenRun>,
    pub request: SendRequest,
}

/// What a turn waits for (rulings 19).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pause {
    pub task_id: String,
    pub run_id: String,
    pub approval_id: String,
    /// The same request under its other name.
    pub tool_request_id: String,
}

/// A tool call about to run.
#[derive(Debug, Clone)]
pub struct NewCall {
    pub place: Place,
    pub tool: String,
    pub arguments: Map<String, Value>,
    /// The workspace lets this role use the tool.
    pub listed: bool,
    /// The approval that it waited for, if it did.
    pub asked: Option<String>,
}

/// Whether a tool call may run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Gate {
    /// It runs, under the name that the ledger gives it.
    Go(String),
    /// It does not; why, for the model.
    Refused(String),
    /// The turn has stopped.
    Paused(Pause),
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

    /// What became of an earlier turn with this key, where that is known: its answer, or what it waits
    /// for. It begins nothing and waits for nobody.
    ///
    /// # Errors
    /// As [`begin`](Self::begin).
    async fn look(&self, session: &SessionKey, key: &str) -> Result<Option<Begun>, TurnError>;

    /// Takes a turn that nobody is at any more; `None` where somebody was faster.
    ///
    /// # Errors
    /// As [`begin`](Self::begin).
    async fn take_up(&self, run: &str) -> Result<Option<TakenUp>, TurnError>;

    /// Holds what one call of a model outside any turn may cost at most, in millionths of a US dollar, of what
    /// the tenant may spend. What is not settled within `time` lapses.
    ///
    /// # Errors
    /// [`TurnError::OverBudget`].
    async fn hold_aside(
        &self,
        tenant: &TenantId,
        worst: u64,
        time: Duration,
    ) -> Result<Held, TurnError>;

    /// Enters what such a call cost, and lets go of what was held for it.
    async fn settle_aside(&self, held: Held, model: &str, spent: &Spent);
}

/// Whose budget a call outside any turn is on.
#[derive(Debug, Clone)]
pub struct Held {
    pub tenant: TenantId,
    /// What the ledger calls it; `None` where nothing is held.
    pub name: Option<String>,
}

/// A run under way. Dropping it gives it up: the next one with the same key starts anew.
#[async_trait]
pub trait OpenRun: Send + Sync {
    /// What the turn has done before this one took it up. Given once.
    fn steps(&mut self) -> Vec<Step>;

    /// Holds what the next call of a model may cost at most, in millionths of a US dollar.
    ///
    /// # Errors
    /// [`TurnError::OverBudget`].
    async fn hold(&mut self, worst: u64) -> Result<(), TurnError>;

    /// Keeps an answer that calls tools, before they run.
    ///
    /// # Errors
    /// When it cannot be kept: the turn must not go on then.
    async fn answered(&mut self, answer: Answered) -> Result<(), TurnError>;

    /// Asks policy whether a call may run, as the agent whose turn it is; it is noted as begun then.
    ///
    /// # Errors
    /// As [`answered`](Self::answered).
    async fn start_tool(&mut self, call: NewCall) -> Result<Gate, TurnError>;

    /// Keeps what a call came to. `call` is the name it was started under, `None` for one that was refused;
    /// `next` is as for [`hold`](Self::hold), where this was the last call before the next answer.
    ///
    /// # Errors
    /// As [`answered`](Self::answered) and [`hold`](Self::hold).
    async fn finish_tool(
        &mut self,
        call: Option<String>,
        result: CallResult,
        next: Option<u64>,
    ) -> Result<(), TurnError>;

    /// Leaves a turn that has stopped for an approval as it is.
    fn leave(self: Box<Self>);

    /// Posts the reply and the document and ends the run. A document that cannot be created is a
    /// remark in the outcome, since the reply has been posted by then.
    ///
    /// # Errors
    /// When the reply could not be posted; the run has failed then.
    async fn complete(self: Box<Self>, finished: Finished) -> Result<Outcome, TurnError>;

    /// Ends the run without an answer; what it cost counts all the same.
    async fn fail(self: Box<Self>, error: &TurnError, spent: &Spent);
}
