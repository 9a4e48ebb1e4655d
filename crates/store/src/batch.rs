//! Group commit: many commands, one transaction, one flush.
//!
//! Each command runs in a savepoint of its own, so one that is refused or panics leaves its
//! neighbours alone. That is not enough when the database itself gives up: an I/O error, a full
//! disk or a conflict takes the whole transaction with it (rulings 13). Then nobody is told `Ok`
//! and every command of the batch is run again by itself.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use stationmaster_kernel::{Error, Result, Work};

use crate::clock::Moment;
use crate::handle::Handle;
use crate::sql::{Driver, Failure, FailureKind};

/// How often something lost is tried again before its caller is told to come back.
const TRIES: u32 = 5;

/// A connection that writes.
pub(crate) trait Connection: Driver {
    /// Begins a transaction; gives its moment and the last position given out.
    fn begin(&mut self) -> Result<(Moment, i64), Failure>;
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
pub(crate) fn run(connection: &mut dyn Connection, mut works: Vec<Box<dyn Work>>) -> bool {
    match attempt(connection, &mut works) {
        Attempt::Spoilt(failure) if works.len() > 1 => {
            tracing::warn!(commands = works.len(), cause = ?failure.cause, "a batch was lost; running its commands one by one");
            run_one_by_one(connection, works)
        }
        Attempt::Spoilt(_) => run_one_by_one(connection, works),
        settled => settle(works, settled),
    }
}

/// Runs commands again, each in a transaction of its own.
fn run_one_by_one(connection: &mut dyn Connection, works: Vec<Box<dyn Work>>) -> bool {
    let mut appended = false;
    let mut waiting = works.into_iter();
    while let Some(work) = waiting.next() {
        let mut alone = vec![work];
        let settled = run_alone(connection, &mut alone);
        if matches!(settled, Attempt::NotBegun(_)) {
            // Nor will the others get a transaction, and waiting for each of them adds up.
            alone.extend(waiting.by_ref());
        }
        appended |= settle(alone, settled);
    }
    appended
}

/// Runs one command until it is settled, or lost too often.
fn run_alone(connection: &mut dyn Connection, alone: &mut [Box<dyn Work>]) -> Attempt {
    let mut turn = 0;
    loop {
        match attempt(connection, alone) {
            Attempt::Spoilt(lost) if turn < TRIES && lost.kind.may_pass() => {
                std::thread::sleep(Duration::from_millis(5 << turn));
                turn += 1;
            }
            settled => return settled,
        }
    }
}

/// Tells every command what became of it.
fn settle(works: Vec<Box<dyn Work>>, attempt: Attempt) -> bool {
    match attempt {
        Attempt::Committed { outcomes, appended } => {
            for (work, outcome) in works.into_iter().zip(outcomes) {
                work.complete(outcome);
            }
            appended
        }
        Attempt::Spoilt(failure) | Attempt::NotBegun(failure) => {
            tracing::error!(commands = works.len(), cause = ?failure.cause, "commands could not be committed");
            refuse(works, "the database cannot do this now; try again")
        }
        Attempt::Unknown(failure) => {
            tracing::error!(commands = works.len(), cause = ?failure.cause, "the outcome of a commit is unknown");
            let message = "the connection to the database broke while it was committing; \
                           send it again with the same idempotency key";
            refuse(works, message)
        }
    }
}

fn refuse(works: Vec<Box<dyn Work>>, message: &str) -> bool {
    for work in works {
        work.complete(Err(Error::unavailable(message, Duration::from_secs(1))));
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
    /// No transaction could be had: none of the commands was tried, and trying each of them by
    /// itself would only make all of them wait for one another.
    NotBegun(Failure),
    /// The connection broke while committing.
    Unknown(Failure),
}

fn begin(connection: &mut dyn Connection) -> Result<(Moment, i64), Failure> {
    let mut turn = 0;
    loop {
        match connection.begin() {
            Ok(begun) => return Ok(begun),
            Err(failure) => {
                connection.rollback();
                if turn == TRIES || !failure.kind.may_pass() {
                    return Err(failure);
                }
            }
        }
        std::thread::sleep(Duration::from_millis(5 << turn));
        turn += 1;
    }
}

fn attempt(connection: &mut dyn Connection, works: &mut [Box<dyn Work>]) -> Attempt {
    let (moment, mut position) = match begin(connection) {
        Ok(begun) => begun,
        Err(failure) => return Attempt::NotBegun(failure),
    };
    let mut outcomes = Vec::with_capacity(works.len());
    let mut appended = false;
    for work in works {
        match run_one(
            connection,
            work.as_mut(),
            &moment,
            &mut position,
            &mut appended,
        ) {
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
        Err(CommitFailure::Unknown(failure)) => Attempt::Unknown(failure),
    }
}

/// Runs one command in its savepoint. The outer error means that the transaction is lost.
fn run_one(
    connection: &mut dyn Connection,
    work: &mut dyn Work,
    moment: &Moment,
    position: &mut i64,
    appended: &mut bool,
) -> Result<Result<()>, Failure> {
    connection.control("SAVEPOINT command")?;
    let mut handle = Handle::new(as_driver(connection), moment.clone(), *position);
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
