//! What an agent may still spend today (OpenClaw contract §9.2).

use std::time::Duration;

use super::Agent;
use crate::{MicroUsd, Timestamp};

const DAY_MILLIS: i64 = 86_400_000;

/// An agent's money of one day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Balance {
    pub spent: MicroUsd,
    /// What is neither spent nor reserved. `None`: there is no limit.
    pub remaining: Option<MicroUsd>,
    /// When the day ends and everything spent counts as nothing.
    pub resets_at: Timestamp,
}

impl Agent {
    /// Its money at `now`; days are counted in UTC.
    #[must_use]
    pub fn balance(&self, now: Timestamp) -> Balance {
        let day = now.0.div_euclid(DAY_MILLIS);
        let purse = &self.detail.purse;
        let (spent, extra) = match purse.day == day {
            true => (purse.spent, purse.extra),
            false => (MicroUsd::ZERO, MicroUsd::ZERO),
        };
        let remaining = self
            .detail
            .budget_daily
            .map(|daily| daily.plus(extra).minus(spent).minus(purse.reserved));
        Balance {
            spent,
            remaining,
            resets_at: Timestamp(day * DAY_MILLIS).after(Duration::from_secs(86_400)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::agent::Purse;
    use crate::agent::tests::agent;

    #[test]
    fn yesterdays_spending_counts_as_nothing_but_reservations_hold() {
        let mut agent = agent();
        agent.detail.budget_daily = Some(MicroUsd::dollars(5));
        agent.detail.purse = Purse {
            day: 1,
            spent: MicroUsd::dollars(3),
            extra: MicroUsd::dollars(1),
            reserved: MicroUsd::cents(50),
            ..Purse::default()
        };
        let today = agent.balance(Timestamp(DAY_MILLIS + 1));
        assert_eq!(today.spent, MicroUsd::dollars(3));
        assert_eq!(today.remaining, Some(MicroUsd::cents(250)));
        assert_eq!(today.resets_at, Timestamp(2 * DAY_MILLIS));
        let tomorrow = agent.balance(Timestamp(2 * DAY_MILLIS));
        assert_eq!(tomorrow.spent, MicroUsd::ZERO);
        assert_eq!(tomorrow.remaining, Some(MicroUsd::cents(450)));
        agent.detail.budget_daily = None;
        assert_eq!(agent.balance(Timestamp(0)).remaining, None);
    }
}
