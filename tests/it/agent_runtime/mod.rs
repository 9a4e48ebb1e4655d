//! The agent runtime daemon's contract, sentence by sentence. `§` is that contract's section.

mod answers;
mod approvals;
mod aside;
mod backend_down;
mod backend_url;
mod bodies;
mod budgets;
mod credentials;
pub(crate) mod crew;
mod daemon;
mod dispatcher;
mod failures;
mod idempotency;
mod mcp;
mod metrics;
mod prompt;
mod skills;
mod stream;
mod tasks;
mod telemetry;
mod tools;
mod traces;
mod up;
mod webhook;
mod workspace;
