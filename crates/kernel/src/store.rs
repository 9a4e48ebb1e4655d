//! What the kernel needs of a database: two small traits, no SQL.

use jiff::tz::TimeZone;

use crate::agent::Agents;
use crate::alert::Alerts;
use crate::approval::Approvals;
use crate::budget::TenantBudgets;
use crate::cost::Costs;
use crate::document::Documents;
use crate::event::Events;
use crate::grant::Grants;
use crate::idempotency::Replies;
use crate::message::Messages;
use crate::notification::Notifications;
use crate::operator::Operators;
use crate::page::Position;
use crate::policy::Policies;
use crate::run::{Runs, TurnSteps};
use crate::standup::Standups;
use crate::subscription::Subscriptions;
use crate::task::Tasks;
use crate::tenant::Tenants;
use crate::token::Tokens;
use crate::tool_call::ToolCalls;
use crate::webhook::Webhooks;
use crate::{Result, Timestamp};

/// One transaction: the nouns as they are in it, and the time and ids that rules are given.
///
/// After any method has failed, the transaction is lost; a rule passes the error on and never
/// goes on after it.
pub trait Tx:
    Tenants
    + Agents
    + Tasks
    + Messages
    + Documents
    + Notifications
    + Approvals
    + Runs
    + TurnSteps
    + Standups
    + Replies
    + Events
    + Alerts
    + Grants
    + Tokens
    + Subscriptions
    + ToolCalls
    + Policies
    + Operators
    + Webhooks
    + Costs
    + TenantBudgets
{
    /// The database's clock (plus the offset that tests may set). The same all through.
    fn now(&self) -> Timestamp;

    /// The time zone that days are counted in: of budgets, standups and statistics.
    fn zone(&self) -> &TimeZone;

    /// A new opaque id that begins with `prefix`; ids of one instance sort in the order they were made.
    fn mint(&mut self, prefix: &str) -> String;

    /// The next place in the order of commits, never given out twice; an event's id is one too.
    fn next_position(&mut self) -> Result<Position>;

    /// A number from 0 up to but not including 1, for jitter.
    fn random(&mut self) -> f64;
}

/// A command or a query on its way through the store.
pub trait Work: Send {
    /// Does it. May be called again after a conflict or when a neighbour spoilt the transaction,
    /// so it has no effect but through `tx` and keeps only the last result.
    ///
    /// # Errors
    /// Whatever the rule refuses or the store meets; nothing of this work is kept then.
    fn run(&mut self, tx: &mut dyn Tx) -> Result<()>;

    /// Called exactly once, after the commit (`Ok`) or when nothing will be kept (`Err`).
    fn complete(self: Box<Self>, outcome: Result<()>);
}

/// A database that runs work in transactions. Asking never blocks: a full queue completes the work
/// at once as [`Unavailable`](crate::Kind::Unavailable).
pub trait Store: Send + Sync {
    /// Runs `work` in a transaction that is on disk before `complete` hears `Ok`.
    fn enqueue_write(&self, work: Box<dyn Work>);

    /// Runs `work` on a snapshot; writing through it is an error.
    fn enqueue_read(&self, work: Box<dyn Work>);

    /// Calls `wake` after every commit that appended events, whichever instance made it. It is
    /// called from the store's own thread and must not block. A wake may come without news.
    fn on_commit(&self, wake: Box<dyn Fn() + Send + Sync>);
}
