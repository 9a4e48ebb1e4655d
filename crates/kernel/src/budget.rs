//! What agents and tasks may spend, and have spent (OpenClaw contract §9; design §5).
//!
//! Money enters through runs. What a run may cost is reserved in the transaction that admits it
//! and settled as it reports, so that runs that race cannot promise more than there is.

use crate::agent::{Agent, Purse};
use crate::{MicroUsd, Timestamp};

/// The day that budgets count by, as days since 1970 in UTC.
fn day_of(now: Timestamp) -> i64 {
    now.0.div_euclid(86_400_000)
}

impl Purse {
    /// The figures of this moment's day: a new day begins with nothing spent.
    #[must_use]
    pub fn today(&self, now: Timestamp) -> Self {
        let day = day_of(now);
        if self.day == day {
            return self.clone();
        }
        Self {
            day,
            reserved: self.reserved,
            ..Self::default()
        }
    }
}

/// When the next day begins.
#[must_use]
pub fn next_day(now: Timestamp) -> Timestamp {
    Timestamp((day_of(now) + 1) * 86_400_000)
}

/// What an agent may still spend today, reservations counted as spent; `None` where it has no limit.
#[must_use]
pub fn left(agent: &Agent, now: Timestamp) -> Option<MicroUsd> {
    let purse = agent.detail.purse.today(now);
    let daily = agent.detail.budget_daily?;
    Some(
        daily
            .plus(purse.extra)
            .minus(purse.spent)
            .minus(purse.reserved),
    )
}
