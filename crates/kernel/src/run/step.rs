//! What a turn has done so far, step by step (rulings 17): each is on disk before the next begins, so that
//! whoever takes the turn up again goes on from there.

use super::turn::held;
use super::{Run, Spend};
use crate::lease::Fence;
use crate::{Error, MicroUsd, Principal, Result, RunId, Timestamp, ToolCallId, Tx, budget};

/// More steps than this are a runaway.
const MOST_STEPS: u32 = 2_000;

/// What kind of step it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StepKind {
    /// What was asked; always the first.
    Request,
    /// A model answered.
    Answer,
    /// A tool call began whose effect is not the kernel's own.
    Started,
    /// A tool call waits for an approval.
    Waits,
    /// A tool call ended.
    Result,
}

impl StepKind {
    const ALL: [Self; 5] = [
        Self::Request,
        Self::Answer,
        Self::Started,
        Self::Waits,
        Self::Result,
    ];

    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Request => "REQUEST",
            Self::Answer => "ANSWER",
            Self::Started => "STARTED",
            Self::Waits => "WAITS",
            Self::Result => "RESULT",
        }
    }

    /// The kind of this name, in upper case.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }
}

/// One step of a turn.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TurnStep {
    pub run: RunId,
    /// Counted from 0.
    pub number: u32,
    pub kind: StepKind,
    /// The tool call that began.
    pub call: Option<ToolCallId>,
    /// In the runtime's own words; opaque here.
    pub body: String,
    pub at: Timestamp,
}

/// Where steps are kept.
pub trait TurnSteps {
    /// # Errors
    /// Whatever the store meets.
    fn insert_turn_step(&mut self, step: &TurnStep) -> Result<()>;

    /// In order.
    ///
    /// # Errors
    /// Whatever the store meets.
    fn turn_steps(&mut self, run: &RunId) -> Result<Vec<TurnStep>>;

    /// How many there are.
    ///
    /// # Errors
    /// Whatever the store meets.
    fn turn_step_count(&mut self, run: &RunId) -> Result<u32>;

    /// Drops steps of runs that have ended, the oldest first; gives how many.
    ///
    /// # Errors
    /// Whatever the store meets.
    fn drop_turn_steps(&mut self, before: Timestamp, limit: u32) -> Result<u64>;
}

/// A step about to be kept.
#[derive(Debug, Clone)]
pub struct NewStep {
    pub kind: StepKind,
    pub body: String,
    /// What it used, which is entered into the books with it.
    pub spend: Spend,
}

impl NewStep {
    /// A step that used nothing.
    #[must_use]
    pub fn of(kind: StepKind, body: String) -> Self {
        Self {
            kind,
            body,
            spend: Spend::default(),
        }
    }
}

/// Keeps a step of a turn that the caller holds, and enters what it used.
///
/// # Errors
/// `run_not_found`; `lease_lost`; `run_ended`; `too_many_steps`.
pub fn keep(
    tx: &mut dyn Tx,
    who: &Principal,
    id: &RunId,
    fence: Fence,
    step: NewStep,
) -> Result<()> {
    let mut run = running(tx, who, id, fence)?;
    add(tx, &run.id, step.kind, None, step.body)?;
    enter(tx, who, &mut run, step.spend)?;
    tx.update_run(&run)
}

/// Holds what the next call of a model may cost at most, instead of what was held for the one before.
///
/// # Errors
/// As [`keep`]; `budget_exceeded` when the tenant, the agent or the task has less left.
pub fn hold(
    tx: &mut dyn Tx,
    who: &Principal,
    id: &RunId,
    fence: Fence,
    worst: MicroUsd,
) -> Result<()> {
    let mut run = running(tx, who, id, fence)?;
    let before = run.detail.clone();
    budget::hold(tx, &mut run, worst)?;
    if run.detail == before {
        return Ok(());
    }
    tx.update_run(&run)
}

/// The run, if the caller holds it and it goes on.
pub(super) fn running(tx: &mut dyn Tx, who: &Principal, id: &RunId, fence: Fence) -> Result<Run> {
    let run = held(tx, who, id, fence)?;
    if run.status != super::Status::Running {
        return Err(Error::conflict("run_ended", "the run has ended already"));
    }
    Ok(run)
}

/// Adds what was used and lets go of what was held for it.
fn enter(tx: &mut dyn Tx, who: &Principal, run: &mut Run, spend: Spend) -> Result<()> {
    if spend == Spend::default() {
        return Ok(());
    }
    run.add(spend);
    run.detail.estimated_cost = Some(run.cost());
    budget::book(tx, who, run).map(drop)
}

/// Writes a step behind the others.
pub(super) fn add(
    tx: &mut dyn Tx,
    run: &RunId,
    kind: StepKind,
    call: Option<ToolCallId>,
    body: String,
) -> Result<()> {
    let number = tx.turn_step_count(run)?;
    if number >= MOST_STEPS {
        return Err(Error::conflict(
            "too_many_steps",
            format!("a turn has at most {MOST_STEPS} steps"),
        ));
    }
    tx.insert_turn_step(&TurnStep {
        run: run.clone(),
        number,
        kind,
        call,
        body,
        at: tx.now(),
    })
}
