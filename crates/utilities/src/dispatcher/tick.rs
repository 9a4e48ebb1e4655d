//! What a tick came to, and when the next one is due.

use std::time::Duration;

use serde_json::json;
use tokio::time::Instant;

/// For how much longer than a turn may take what is taken is kept from others: it may have to wait
/// for a place, and is reported on at the end.
const SLACK: Duration = Duration::from_secs(120);

/// How fast the dispatcher works.
#[derive(Debug, Clone)]
pub struct Pace {
    /// How many users one look at the backend covers.
    pub users: u32,
    /// How many notifications of each user.
    pub notifications: u32,
    /// The pause after a tick that had something to do.
    pub shortest_pause: Duration,
    /// The longest pause while there is nothing to do.
    pub longest_pause: Duration,
    /// How many turns run at once.
    pub parallel: usize,
    /// How long one turn may take, its answer included.
    pub patience: Duration,
    /// For how long what is taken is hidden from other dispatchers; longer than `patience`.
    pub lease: Option<Duration>,
    /// The pause before the second try of a notification, where the backend keeps no count;
    /// it doubles.
    pub retry_delay: Duration,
}

impl Pace {
    /// The contract's pace, with room for one turn of `patience`.
    #[must_use]
    pub fn usual(patience: Duration) -> Self {
        Self {
            users: 25,
            notifications: 25,
            shortest_pause: Duration::from_secs(2),
            longest_pause: Duration::from_secs(30),
            parallel: 16,
            patience,
            lease: Some(patience + SLACK),
            retry_delay: Duration::from_secs(2),
        }
    }
}

/// One look at the backend, and what became of what was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tick {
    /// How many the backend listed, and acknowledgements that were still due.
    pub deliveries: u64,
    pub delivered: u64,
    pub failed: u64,
    /// From the look to the last of its deliveries.
    pub duration: Duration,
}

impl Tick {
    /// The line that tells of it (agent-runtime §12).
    #[must_use]
    pub fn line(&self) -> String {
        json!({
            "event": "dispatcher_tick",
            "deliveries": self.deliveries,
            "delivered": self.delivered,
            "failed": self.failed,
            "duration_sec": (self.duration.as_secs_f64() * 1000.0).round() / 1000.0,
        })
        .to_string()
    }
}

/// A tick whose deliveries are under way.
#[derive(Debug)]
pub(super) struct Batch {
    pub(super) started: Instant,
    pub(super) deliveries: u64,
    pub(super) delivered: u64,
    pub(super) failed: u64,
    /// How many of its deliveries have not ended.
    pub(super) open: u64,
}

impl Batch {
    pub(super) fn new(started: Instant) -> Self {
        Self {
            started,
            deliveries: 0,
            delivered: 0,
            failed: 0,
            open: 0,
        }
    }

    pub(super) fn tick(&self) -> Tick {
        Tick {
            deliveries: self.deliveries,
            delivered: self.delivered,
            failed: self.failed,
            duration: self.started.elapsed(),
        }
    }
}

/// The pause between looks: short while there is something to do, else doubling.
#[derive(Debug)]
pub(super) struct Pause {
    shortest: Duration,
    longest: Duration,
    current: Duration,
}

impl Pause {
    pub(super) fn new(pace: &Pace) -> Self {
        Self {
            shortest: pace.shortest_pause,
            longest: pace.longest_pause.max(pace.shortest_pause),
            current: pace.shortest_pause,
        }
    }

    /// The pause after a look.
    pub(super) fn after(&mut self, busy: bool) -> Duration {
        if busy {
            self.current = self.shortest;
            return self.current;
        }
        self.current = (self.current * 2).min(self.longest);
        self.current
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_is_the_contracts() {
        let tick = Tick {
            deliveries: 3,
            delivered: 2,
            failed: 1,
            duration: Duration::from_micros(1_234_567),
        };
        assert_eq!(
            tick.line(),
            r#"{"event":"dispatcher_tick","deliveries":3,"delivered":2,"failed":1,"duration_sec":1.235}"#
        );
    }

    #[test]
    fn the_pause_doubles_until_there_is_something_to_do() {
        let mut pause = Pause {
            shortest: Duration::from_secs(2),
            longest: Duration::from_secs(10),
            current: Duration::from_secs(2),
        };
        let looks = [false, false, false, false, true, true, false];
        let pauses = looks.map(|busy| pause.after(busy).as_secs());
        assert_eq!(pauses, [4, 8, 10, 10, 2, 2, 4]);
    }
}
