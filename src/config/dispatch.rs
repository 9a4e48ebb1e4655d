//! The dispatcher's pace (agent-runtime §12).

use std::time::Duration;

use anyhow::{Result, bail};
use stationmaster_utilities::Pace;

use super::source::Source;

/// How long a turn may take: a daemon's own limit, and a little to answer.
pub(crate) const PATIENCE: Duration = Duration::from_secs(150);
/// The longest lease that backends give (backend §9.2), in seconds.
const LONGEST_LEASE: u64 = 3600;

/// What the command line says of it.
#[derive(Debug, Default, Clone)]
pub(crate) struct GivenPace {
    pub users: Option<u32>,
    pub notifications: Option<u32>,
    pub shortest_pause: Option<f64>,
    pub longest_pause: Option<f64>,
    pub parallel: Option<usize>,
    pub patience: Option<f64>,
    pub lease: Option<u64>,
}

/// `patience` holds where nothing else is said.
pub(super) fn pace(source: &Source, given: &GivenPace, patience: Duration) -> Result<Pace> {
    let seconds = |name: &str, given: Option<f64>, usual: Duration, least: f64| -> Result<_> {
        let number = match given {
            Some(number) => number,
            None => source.number(name, usual.as_secs_f64())?,
        };
        // A day is as good as for ever, and whatever is less than `least` would be no pause at all.
        if !(0.0..=86_400.0).contains(&number) {
            bail!("{name}={number} is not a number of seconds from 0 to 86400");
        }
        Ok(Duration::from_secs_f64(number.max(least)))
    };
    let patience = patience.min(Duration::from_secs(86_400));
    let usual = Pace::usual(patience);
    let patience = seconds("DISPATCH_TIMEOUT_SEC", given.patience, patience, 0.1)?;
    let lease = match given.lease {
        Some(lease) => lease,
        None => {
            let usual = Pace::usual(patience).lease.unwrap_or_default().as_secs();
            // Where no lease is long enough, none is better.
            let usual = if usual > LONGEST_LEASE { 0 } else { usual };
            source.number("DISPATCH_LEASE_SEC", usual)?
        }
    };
    if lease != 0 && (lease > LONGEST_LEASE || Duration::from_secs(lease) <= patience) {
        bail!(
            "DISPATCH_LEASE_SEC={lease} must be longer than DISPATCH_TIMEOUT_SEC and at most {LONGEST_LEASE}; \
             0 takes no lease"
        );
    }
    let users = match given.users {
        Some(users) => users,
        None => source.number("DISPATCH_LIMIT_USERS", usual.users)?,
    };
    let notifications = match given.notifications {
        Some(notifications) => notifications,
        None => source.number("DISPATCH_LIMIT_NOTIFICATIONS", usual.notifications)?,
    };
    let parallel = match given.parallel {
        Some(parallel) => parallel,
        None => source.number("DISPATCH_PARALLEL", usual.parallel)?,
    };
    for (name, number) in [
        ("DISPATCH_LIMIT_USERS", users as usize),
        ("DISPATCH_LIMIT_NOTIFICATIONS", notifications as usize),
        ("DISPATCH_PARALLEL", parallel),
    ] {
        if !(1..=1000).contains(&number) {
            bail!("{name}={number} is not between 1 and 1000");
        }
    }
    Ok(Pace {
        users,
        notifications,
        parallel,
        shortest_pause: seconds(
            "DISPATCH_MIN_INTERVAL_SEC",
            given.shortest_pause,
            usual.shortest_pause,
            0.01,
        )?,
        longest_pause: seconds(
            "DISPATCH_MAX_INTERVAL_SEC",
            given.longest_pause,
            usual.longest_pause,
            0.01,
        )?,
        retry_delay: seconds("DISPATCH_RETRY_DELAY_SEC", None, usual.retry_delay, 0.01)?,
        patience,
        lease: (lease != 0).then(|| Duration::from_secs(lease)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(pairs: &[(&str, &str)], given: &GivenPace) -> Result<Pace, String> {
        pace(&Source::of(pairs), given, PATIENCE).map_err(|error| error.to_string())
    }

    #[test]
    fn the_contracts_names_and_defaults_hold() {
        let pace = check(&[], &GivenPace::default()).unwrap();
        assert_eq!((pace.users, pace.notifications), (25, 25));
        assert_eq!(pace.shortest_pause.as_secs(), 2);
        assert_eq!(pace.longest_pause.as_secs(), 30);
        assert!(pace.lease.unwrap() > pace.patience);
        let pace = check(
            &[
                ("DISPATCH_LIMIT_USERS", "3"),
                ("DISPATCH_LIMIT_NOTIFICATIONS", "4"),
                ("DISPATCH_MIN_INTERVAL_SEC", "0.5"),
                ("DISPATCH_MAX_INTERVAL_SEC", "1"),
                ("DISPATCH_TIMEOUT_SEC", "10"),
            ],
            &GivenPace {
                users: Some(5),
                ..GivenPace::default()
            },
        )
        .unwrap();
        assert_eq!((pace.users, pace.notifications), (5, 4));
        assert_eq!(pace.shortest_pause, Duration::from_millis(500));
        assert_eq!(pace.lease, Some(Duration::from_secs(130)));
    }

    #[test]
    fn what_cannot_be_is_refused() {
        for (name, value) in [
            ("DISPATCH_LIMIT_USERS", "0"),
            ("DISPATCH_LIMIT_USERS", "many"),
            ("DISPATCH_PARALLEL", "100000"),
            ("DISPATCH_MIN_INTERVAL_SEC", "-1"),
            ("DISPATCH_MAX_INTERVAL_SEC", "NaN"),
            ("DISPATCH_LEASE_SEC", "150"),
            ("DISPATCH_LEASE_SEC", "4000"),
        ] {
            let error = check(&[(name, value)], &GivenPace::default()).unwrap_err();
            assert!(error.contains(name), "{error}");
        }
    }
}
