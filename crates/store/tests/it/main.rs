//! One suite, run on SQLite and on PostgreSQL: the kernel's rules and the promises of the store.
//!
//! A case is a plain function over [`TestStore`](support::TestStore); `on_both!` makes two tests of
//! it. To add one, write the function and name it in its file's list.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests"
)]

mod agents;
mod approvals;
mod asked;
mod batches;
mod board;
mod budgets;
mod crew;
mod documents;
mod events;
mod faults;
mod grants;
mod idempotency;
mod instances;
mod ledger;
mod limits;
mod lost;
mod notifications;
mod opening;
mod overview;
mod policies;
mod properties;
mod reports;
mod runs;
mod standups;
mod steps;
mod support;
mod talk;
mod tasks;
mod threads;
mod traces;
mod wire;
mod workers;
