//! What an action is worth: facts out of commands, paths and hosts, and the rules that judge them
//! (OpenClaw contract §8).
//!
//! [`decide`] is one pure function. What it judges by is a [`Document`], which people write and which is
//! checked as a whole when it is read, made ready once as [`Rules`]. What it judges is an [`Action`] of an
//! [`Agent`] in a [`Context`]; everything that would have to be looked up is brought along by the caller.
//! What is unclear is never allowed, and what is denied stays denied however it is wrapped.
//!
//! Start at `decide.rs`; `facts.rs` finds out what an action does; `shell/` knows about commands.
//! `docs/policy.md` says it to operators.

mod action;
mod agent;
mod compare;
mod decide;
pub mod document;
mod facts;
mod files;
mod finding;
mod given;
mod host;
mod network;
mod path;
mod pattern;
mod rules;
mod secret;
mod shell;
mod verdict;
mod words;

pub use action::{Action, ActionKind};
pub use agent::{
    Agent, BudgetFacts, Context, OperatorMode, Passed, Rank, Refusal, Scope, SpawnFacts,
    SpawnLimits, Standing, Status, TransitionFacts, TransitionOutcome, UnknownWord,
};
pub use compare::{Change, compare};
pub use decide::decide;
pub use document::{Difference, Document, Fault};
pub use rules::{Rules, redact};
pub use secret::secret_kinds;
pub use verdict::{ApprovalKind, ApprovalRequired, Decision, Risk, Verdict};
