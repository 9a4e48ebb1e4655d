//! The small programs beside a Mission Control backend and a daemon (agent-runtime §§12–13): the
//! dispatcher that carries notifications from the one to the other, the heartbeat, the standup.
//!
//! They work with anybody's backend and anybody's daemon, so they know only the contracts' routes:
//! no kernel, no store. What a backend may or may not have is found out by asking. What must stay
//! true: a notification whose turn was accepted is never sent again by this process, one agent's
//! notifications go one after the other, and nothing that the other side does ends the dispatcher.

mod agent;
mod daemon;
mod dispatcher;
mod outbox;

pub use agent::{Credential, Turn, heartbeat, run_turn, standup};
pub use daemon::{Daemon, HttpDaemon, Undelivered};
pub use dispatcher::{Dispatcher, Pace, Tick};
pub use outbox::{Ask, Delivery, Listed, Outbox};
