//! What the dispatcher knows of notifications that the backend may list again.
//!
//! A backend without a lease lists what is under way, one without a `fail` route lists what was
//! given up, and any may list what was delivered a moment ago.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use crate::{Delivery, Undelivered};

/// How much is remembered.
const CAPACITY: usize = 10_000;
/// After so many tries a notification is given up (backend §9.3).
const MOST_ATTEMPTS: u32 = 8;
const LONGEST_DELAY: Duration = Duration::from_secs(600);
/// For how long a listing may be older than a report that the backend has taken.
const STALE: Duration = Duration::from_millis(500);

/// A user and a notification.
type Key = (String, String);

#[derive(Debug)]
enum State {
    /// Waiting or being sent.
    UnderWay,
    /// Not before then.
    Parked(Instant),
    /// Never again.
    GivenUp,
    /// Its turn was accepted, and the backend could not be told.
    Accepted(Arc<Delivery>),
    Done,
}

#[derive(Debug)]
struct Entry {
    state: State,
    /// Tries that failed and that the backend does not count.
    attempts: u32,
    /// The look that last had to do with it.
    seen: u64,
}

#[derive(Debug, Default)]
pub(super) struct Memory {
    entries: HashMap<Key, Entry>,
    look: u64,
}

impl Memory {
    /// A look begins to be worked off.
    pub(super) fn begin_look(&mut self) {
        self.look += 1;
        self.trim();
    }

    /// Whether a listed notification is to be seen to now; and if so, whether its turn has been
    /// accepted before.
    pub(super) fn take(&mut self, delivery: &Delivery) -> Option<bool> {
        let look = self.look;
        let entry = self.entries.entry(key(delivery)).or_insert(Entry {
            state: State::Parked(Instant::now()),
            attempts: 0,
            seen: look,
        });
        entry.seen = look;
        let accepted = match entry.state {
            State::UnderWay | State::GivenUp => return None,
            State::Parked(until) if until > Instant::now() => return None,
            State::Parked(_) => false,
            State::Accepted(_) | State::Done => true,
        };
        entry.state = State::UnderWay;
        Some(accepted)
    }

    /// Takes every notification that the backend has still to be told about.
    pub(super) fn take_owed(&mut self) -> Vec<Arc<Delivery>> {
        let mut owed = Vec::new();
        for entry in self.entries.values_mut() {
            if let State::Accepted(delivery) = &entry.state {
                owed.push(delivery.clone());
                entry.state = State::UnderWay;
            }
        }
        owed
    }

    pub(super) fn owed(&self) -> usize {
        let owed = |entry: &&Entry| matches!(entry.state, State::Accepted(_));
        self.entries.values().filter(owed).count()
    }

    pub(super) fn forget(&mut self, delivery: &Delivery) {
        self.entries.remove(&key(delivery));
    }

    pub(super) fn done(&mut self, delivery: &Delivery) {
        self.set(delivery, State::Done);
    }

    pub(super) fn accepted(&mut self, delivery: &Arc<Delivery>) {
        self.set(delivery, State::Accepted(delivery.clone()));
    }

    /// The backend counts the try that failed, and says when the next one is due.
    pub(super) fn failed_there(&mut self, delivery: &Delivery) {
        self.set(delivery, State::Parked(Instant::now() + STALE));
        if let Some(entry) = self.entries.get_mut(&key(delivery)) {
            entry.attempts = 0;
        }
    }

    /// Counts a try that failed; false when it was the last.
    pub(super) fn failed_here(
        &mut self,
        delivery: &Delivery,
        why: &Undelivered,
        first_delay: Duration,
    ) -> bool {
        let Some(entry) = self.entries.get_mut(&key(delivery)) else {
            return true;
        };
        entry.attempts += 1;
        if !why.retryable || entry.attempts >= MOST_ATTEMPTS {
            entry.state = State::GivenUp;
            return false;
        }
        let pause = first_delay
            .saturating_mul(1 << (entry.attempts - 1).min(20))
            .min(LONGEST_DELAY)
            .mul_f64(1.0 + 0.2 * fastrand::f64())
            .max(why.retry_after.unwrap_or_default().min(LONGEST_DELAY));
        entry.state = State::Parked(Instant::now() + pause);
        true
    }

    /// How many users have notifications that the backend lists in vain, and how many one user has
    /// at most. So many more must be asked for, lest they hide what comes after them.
    pub(super) fn in_the_way(&self) -> (u32, u32) {
        let mut of_user: HashMap<&str, u32> = HashMap::new();
        for ((user, _), entry) in &self.entries {
            if entry.attempts > 0 && !matches!(entry.state, State::Done | State::Accepted(_)) {
                *of_user.entry(user).or_default() += 1;
            }
        }
        let users = u32::try_from(of_user.len()).unwrap_or(u32::MAX);
        (users, of_user.into_values().max().unwrap_or_default())
    }

    fn set(&mut self, delivery: &Delivery, state: State) {
        if let Some(entry) = self.entries.get_mut(&key(delivery)) {
            entry.state = state;
        }
    }

    /// Forgets what no look had to do with for the longest time.
    fn trim(&mut self) {
        if self.entries.len() <= CAPACITY {
            return;
        }
        let is_over = |entry: &Entry| !matches!(entry.state, State::UnderWay | State::Accepted(_));
        let over = self.entries.iter().filter(|(_, entry)| is_over(entry));
        let mut oldest: Vec<(u64, Key)> =
            over.map(|(key, entry)| (entry.seen, key.clone())).collect();
        oldest.sort_unstable();
        oldest.truncate(self.entries.len() - CAPACITY * 9 / 10);
        let forgotten: HashSet<Key> = oldest.into_iter().map(|(_, key)| key).collect();
        self.entries.retain(|key, _| !forgotten.contains(key));
    }
}

fn key(delivery: &Delivery) -> Key {
    (delivery.user_id.clone(), delivery.notification_id.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn delivery(id: &str) -> Arc<Delivery> {
        Arc::new(Delivery {
            notification_id: id.to_owned(),
            user_id: "u".to_owned(),
            session_key: "user:u:r".to_owned(),
            content: "c".to_owned(),
            task_id: None,
            metadata: serde_json::Map::new(),
        })
    }

    fn failure(retryable: bool, retry_after: Option<u64>) -> Undelivered {
        Undelivered {
            error: "no".to_owned(),
            retryable,
            retry_after: retry_after.map(Duration::from_secs),
            unreachable: false,
        }
    }

    const SECOND: Duration = Duration::from_secs(1);

    #[tokio::test(start_paused = true)]
    async fn tries_back_off_and_end() {
        let mut memory = Memory::default();
        let one = delivery("1");
        let mut waited = Vec::new();
        loop {
            assert_eq!(memory.take(&one), Some(false));
            assert_eq!(memory.take(&one), None, "it is under way");
            if !memory.failed_here(&one, &failure(true, None), 2 * SECOND) {
                break;
            }
            let parked = Instant::now();
            while memory.take(&one).is_none() {
                tokio::time::advance(SECOND / 10).await;
            }
            waited.push(parked.elapsed().as_secs());
            memory.entries.get_mut(&key(&one)).unwrap().state = State::Parked(parked);
        }
        assert_eq!(waited.len(), 7, "eight tries");
        for (waited, expected) in waited.iter().zip([2, 4, 8, 16, 32, 64, 128]) {
            assert!((expected..=expected * 6 / 5 + 1).contains(waited));
        }
        tokio::time::advance(3600 * SECOND).await;
        assert_eq!(memory.take(&one), None, "given up");
        assert_eq!(memory.in_the_way(), (1, 1));
    }

    #[tokio::test(start_paused = true)]
    async fn who_asks_to_wait_is_waited_for_and_a_refusal_is_final() {
        let mut memory = Memory::default();
        let (one, two) = (delivery("1"), delivery("2"));
        for it in [&one, &two] {
            assert_eq!(memory.take(it), Some(false));
        }
        assert!(memory.failed_here(&one, &failure(true, Some(60)), SECOND));
        assert!(!memory.failed_here(&two, &failure(false, None), SECOND));
        tokio::time::advance(59 * SECOND).await;
        assert_eq!(memory.take(&one), None);
        tokio::time::advance(2 * SECOND).await;
        assert_eq!((memory.take(&one), memory.take(&two)), (Some(false), None));
    }

    #[tokio::test]
    async fn what_was_accepted_is_only_acknowledged_again() {
        let mut memory = Memory::default();
        let one = delivery("1");
        assert_eq!(memory.take(&one), Some(false));
        memory.accepted(&one);
        assert_eq!(memory.owed(), 1);
        assert_eq!(memory.take(&one), Some(true));
        memory.accepted(&one);
        assert_eq!(memory.take_owed().len(), 1);
        assert_eq!(memory.take(&one), None, "it is under way");
        memory.done(&one);
        assert_eq!(memory.take(&one), Some(true), "an old listing");
    }

    #[tokio::test]
    async fn memory_has_an_end_and_keeps_what_matters() {
        let mut memory = Memory::default();
        let owed = delivery("owed");
        memory.take(&owed);
        memory.accepted(&owed);
        for number in 0..=CAPACITY {
            memory.begin_look();
            let one = delivery(&number.to_string());
            assert_eq!(memory.take(&one), Some(false));
            memory.done(&one);
        }
        memory.begin_look();
        assert!(memory.entries.len() <= CAPACITY);
        assert_eq!(memory.owed(), 1);
        assert_eq!(memory.take(&delivery(&CAPACITY.to_string())), Some(true));
        assert_eq!(memory.take(&delivery("0")), Some(false), "forgotten");
    }
}
