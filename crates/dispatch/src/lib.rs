//! What happens later: notifications that are due, webhooks that are to be told, what time alone
//! brings about, and housekeeping.
//!
//! A worker sleeps until a commit wakes it or the next due time comes, takes
//! rows under a lease, and settles them with the fence it took them with; so any instance may do
//! the work, and one that dies loses its lease and nothing else.

mod deliver;
mod retention;
mod take_up;
mod upkeep;
mod webhook;

pub use deliver::{Daemon, Delivery, Dispatcher, Undelivered};
pub use retention::Retention;
pub use take_up::{Resumer, TakeUp};
pub use upkeep::{Settle, Upkeep};
pub use webhook::Webhooks;

/// Gives the metrics their help texts. Call once, after the recorder is installed.
pub fn describe_metrics() {
    metrics::describe_counter!(
        "stationmaster_dispatch_total",
        "Notifications dispatched, by outcome"
    );
}
