//! The course of one delivery: to the daemon, and back to the backend.

use stationmaster_peer::Failure;

use super::lanes::Item;
use crate::{Daemon, Outbox, Undelivered};

/// What became of a delivery.
pub(super) enum Outcome {
    Delivered,
    /// The turn was accepted, and the backend does not know.
    Unacknowledged(Failure),
    Failed {
        why: Undelivered,
        /// The backend counts it.
        reported: bool,
    },
}

/// Sends a notification if that has not been done, and tells the backend.
pub(super) async fn see_through(outbox: &Outbox, daemon: &dyn Daemon, item: &Item) -> Outcome {
    let delivery = item.delivery.as_ref();
    if !item.accepted
        && let Err(why) = daemon.deliver(delivery).await
    {
        let reported = outbox.report(delivery, &why).await;
        return Outcome::Failed { why, reported };
    }
    match outbox.acknowledge(delivery).await {
        Ok(()) => Outcome::Delivered,
        Err(failure) => Outcome::Unacknowledged(failure),
    }
}
