//! Group commit: many commands, one transaction, one flush.
//!
//! Each command runs in a savepoint of its own, so one that is refused or panics leaves its
//! neighbours alone. That is not enough when the database itself gives up: an I/O error, a full
//! disk or a conflict takes the whole transaction with it (rulings 13). Then nobody is told `Ok`
//! and every command of the batch is run again by itself.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use stationmaster_kernel::{Error, Result, Timestamp, Work};

use crate::handle::Handle;
use crate::sql::{Driver, Failure, FailureKind};

/// How often a command is run again by itself before its caller is told to come back.
const TRIES: u32 = 5;

/// A connection that writes.
pub(crate) trait Connection: Driver {
    /// Begins a transaction; gives the time and the last position given out.
    fn begin(&mut self) -> Result<(Timestamp, i64), Failure>;
    /// Makes the transaction durable; `appended` says whether readers of the log are to be woken.
    /// Whatever follows, the transaction is over.
    fn commit(&mut self, position: i64, appended: bool) -> Result<(), CommitFailure>;
    /// Ends the transaction, if there still is one, with nothing kept.
    fn rollback(&mut self);
    /// Whether the transaction that was begun still stands.
    fn in_transaction(&self) -> bool;
    /// Runs a constant control statement.
    fn control(&mut self, sql: &'static str) -> Result<(), Failure>;
}

/// Why a commit did not answer `Ok`.
#[derive(Debug)]
pub(crate) enum CommitFailure {
    /// Nothing was kept.
    RolledBack(Failure),
    /// The connection went away while committing: nobody can know.
    Unknown(Failure),
}

/// Runs the works and completes each of them. Gives whether events were committed.
pub(crate) fn run(connection: &mut dyn Connection, works: Vec<Box<dyn Work>>) -> bool {
    let mut works = works;
    match attempt(connection, &mut works) {
        Attempt::Committed { outcomes, appended } => {
            for (work, outcome) in works.into_iter().zip(outcomes) {
                work.complete(outcome);
            }
            appended
        }
        Attempt::Unknown => {
            for work in works {
                work.complete(Err(outcome_unknown()));
            }
            false
        }
        Attempt::Spoilt(failure) => {
            tracing::warn!(commands = works.len(), cause = %failure.cause, "a batch was lost; running its commands one by one");
            let mut appended = false;
            for work in works {
                appended |= run_alone(connection, work);
            }
            appended
        }
    }
}

fn outcome_unknown() -> Error {
    Error::unavailable(
        "the connection to the database broke while it was committing; send it again with the same idempotency key",
        Duration::from_secs(1),
    )
}

fn run_alone(connection: &mut dyn Connection, work: Box<dyn Work>) -> bool {
    let mut works = vec![work];
    let mut failure = None;
    for turn in 0..TRIES {
        match attempt(connection, &mut works) {
            Attempt::Committed { outcomes, appended } => {
                for (work, outcome) in works.into_iter().zip(outcomes) {
                    work.complete(outcome);
                }
                return appended;
            }
            Attempt::Unknown => {
                for work in works {
                    work.complete(Err(outcome_unknown()));
                }
                return false;
            }
            Attempt::Spoilt(lost) => {
                let again = matches!(lost.kind, FailureKind::Conflict | FailureKind::Disconnected);
                failure = Some(lost);
                if !again {
                    break;
                }
                std::thread::sleep(Duration::from_millis(5 << turn));
            }
        }
    }
    let mut error = failure.map(Failure::into_error);
    for work in works {
        work.complete(Err(error.take().unwrap_or_else(outcome_unknown)));
    }
    false
}

enum Attempt {
    /// On disk; each command's own outcome.
    Committed {
        outcomes: Vec<Result<()>>,
        appended: bool,
    },
    /// Nothing is kept, of any command.
    Spoilt(Failure),
    Unknown,
}

fn attempt(connection: &mut dyn Connection, works: &mut [Box<dyn Work>]) -> Attempt {
    let (now, mut position) = match connection.begin() {
        Ok(begun) => begun,
        Err(failure) => {
            connection.rollback();
            return Attempt::Spoilt(failure);
        }
    };
    let mut outcomes = Vec::with_capacity(works.len());
    let mut appended = false;
    for work in works {
        match run_one(connection, work.as_mut(), now, &mut position, &mut appended) {
            Ok(outcome) => outcomes.push(outcome),
            Err(failure) => {
                connection.rollback();
                return Attempt::Spoilt(failure);
            }
        }
    }
    match connection.commit(position, appended) {
        Ok(()) => Attempt::Committed { outcomes, appended },
        Err(CommitFailure::RolledBack(failure)) => Attempt::Spoilt(failure),
        Err(CommitFailure::Unknown(failure)) => {
            tracing::error!(cause = %failure.cause, "the outcome of a commit is unknown");
            Attempt::Unknown
        }
    }
}

/// Runs one command in its savepoint. The outer error means that the transaction is lost.
fn run_one(
    connection: &mut dyn Connection,
    work: &mut dyn Work,
    now: Timestamp,
    position: &mut i64,
    appended: &mut bool,
) -> Result<Result<()>, Failure> {
    connection.control("SAVEPOINT command")?;
    let mut handle = Handle::new(as_driver(connection), now, *position);
    let outcome = catch_unwind(AssertUnwindSafe(|| work.run(&mut handle)));
    let (failed, last, wrote_events) = (handle.failure(), handle.position(), handle.has_appended());
    // Positions are not given out twice even when a command is rolled back: holes are harmless.
    *position = last;
    let refusal = match (outcome, failed) {
        (Ok(Ok(())), None) => {
            connection.control("RELEASE SAVEPOINT command")?;
            *appended |= wrote_events;
            return Ok(Ok(()));
        }
        (Ok(Err(error)), _) => error,
        // The rule swallowed a failed statement; what it then said cannot be believed.
        (Ok(Ok(())), Some(_)) => Error::internal("a rule went on after a failed statement"),
        (Err(_), _) => Error::internal("a command panicked"),
    };
    if let Some(kind) = failed
        && (kind != FailureKind::Fault || !connection.in_transaction())
    {
        return Err(Failure {
            kind,
            cause: Box::new(refusal),
        });
    }
    connection.control("ROLLBACK TO SAVEPOINT command")?;
    connection.control("RELEASE SAVEPOINT command")?;
    Ok(Err(refusal))
}

fn as_driver(connection: &mut dyn Connection) -> &mut dyn Driver {
    connection
}
