//! Answers by session and key, in memory.
//!
//! Only successes are remembered. Those who ask while a turn is under way get its result, error
//! included; when it is given up, one of them takes it over.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

use crate::turn::{Outcome, TurnError};

/// How much is remembered, and for how long.
#[derive(Debug, Clone, Copy)]
pub struct JournalLimits {
    pub answers: usize,
    pub lifetime: Duration,
}

impl Default for JournalLimits {
    /// Longer than a dispatcher goes on trying (eight times, ten minutes apart).
    fn default() -> Self {
        Self {
            answers: 2_048,
            lifetime: Duration::from_secs(6 * 3600),
        }
    }
}

type Ending = Result<Arc<Outcome>, TurnError>;
/// The session and the key.
type Name = (String, String);

/// Remembers the answers of one process. Clones share the memory.
#[derive(Debug, Clone, Default)]
pub struct Journal {
    limits: JournalLimits,
    inner: Arc<Mutex<Inner>>,
}

#[derive(Debug, Default)]
struct Inner {
    entries: HashMap<Name, Entry>,
    /// The answered ones, oldest first.
    answered: VecDeque<Name>,
}

#[derive(Debug)]
enum Entry {
    /// Held as long as somebody works on it.
    Running(watch::Receiver<Option<Ending>>),
    Answered {
        outcome: Arc<Outcome>,
        at: Instant,
    },
}

/// What asking came to.
pub(super) enum Asked {
    Fresh(Slot),
    Answered(Arc<Outcome>),
}

/// The right and the duty to answer. Dropping it unanswered lets somebody else try.
#[derive(Debug)]
pub(super) struct Slot {
    journal: Journal,
    name: Option<Name>,
    tell: watch::Sender<Option<Ending>>,
}

impl Journal {
    #[must_use]
    pub fn new(limits: JournalLimits) -> Self {
        Self {
            limits,
            inner: Arc::default(),
        }
    }

    /// The slot for this name, or its answer, waiting for whoever is at it.
    pub(super) async fn ask(&self, name: Name) -> Result<Asked, TurnError> {
        loop {
            let mut running = match self.look(&name) {
                Ok(asked) => return Ok(asked),
                Err(running) => running,
            };
            let ending = running
                .wait_for(Option::is_some)
                .await
                .map(|ending| ending.clone());
            if let Ok(Some(ending)) = ending {
                return ending.map(Asked::Answered);
            }
            // Given up: look again, and perhaps take it over.
        }
    }

    /// The answer that was given under this name, if one was.
    pub(super) fn answered(&self, name: &Name) -> Option<Arc<Outcome>> {
        let mut inner = self.lock();
        inner.forget(self.limits);
        match inner.entries.get(name) {
            Some(Entry::Answered { outcome, .. }) => Some(Arc::clone(outcome)),
            _ => None,
        }
    }

    fn look(&self, name: &Name) -> Result<Asked, watch::Receiver<Option<Ending>>> {
        let mut inner = self.lock();
        inner.forget(self.limits);
        match inner.entries.get(name) {
            Some(Entry::Answered { outcome, .. }) => Ok(Asked::Answered(Arc::clone(outcome))),
            Some(Entry::Running(running)) => Err(running.clone()),
            None => {
                let (tell, told) = watch::channel(None);
                inner.entries.insert(name.clone(), Entry::Running(told));
                let journal = self.clone();
                Ok(Asked::Fresh(Slot {
                    journal,
                    name: Some(name.clone()),
                    tell,
                }))
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    /// Drops the answers that are too old or too many.
    fn forget(&mut self, limits: JournalLimits) {
        while let Some(name) = self.answered.front() {
            let old = match self.entries.get(name) {
                Some(Entry::Answered { at, .. }) => at.elapsed() >= limits.lifetime,
                _ => true,
            };
            if !old && self.answered.len() <= limits.answers {
                return;
            }
            if let Some(name) = self.answered.pop_front() {
                self.entries.remove(&name);
            }
        }
    }
}

impl Slot {
    pub(super) fn answer(mut self, outcome: &Outcome) {
        let Some(name) = self.name.take() else { return };
        let outcome = Arc::new(outcome.clone());
        let mut inner = self.journal.lock();
        let entry = Entry::Answered {
            outcome: Arc::clone(&outcome),
            at: Instant::now(),
        };
        inner.entries.insert(name.clone(), entry);
        inner.answered.push_back(name);
        inner.forget(self.journal.limits);
        drop(inner);
        self.tell.send_replace(Some(Ok(outcome)));
    }

    /// Tells those who wait; who asks later starts anew.
    pub(super) fn fail(self, error: &TurnError) {
        self.tell.send_replace(Some(Err(error.clone())));
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        if let Some(name) = self.name.take() {
            self.journal.lock().entries.remove(&name);
        }
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;

    fn name(key: &str) -> Name {
        ("user:u:agent".to_owned(), key.to_owned())
    }

    fn outcome(response: &str) -> Outcome {
        Outcome {
            response: response.to_owned(),
            ..Outcome::default()
        }
    }

    fn failed() -> TurnError {
        TurnError::ModelEmpty {
            message: "nothing".to_owned(),
        }
    }

    async fn fresh(journal: &Journal, key: &str) -> Slot {
        match journal.ask(name(key)).now_or_never() {
            Some(Ok(Asked::Fresh(slot))) => slot,
            _ => panic!("{key} is not free"),
        }
    }

    async fn answer(journal: &Journal, key: &str) -> String {
        match journal.ask(name(key)).await {
            Ok(Asked::Answered(outcome)) => outcome.response.clone(),
            Ok(Asked::Fresh(_)) => "free".to_owned(),
            Err(error) => error.to_string(),
        }
    }

    #[tokio::test]
    async fn an_answer_is_given_again_and_a_failure_is_not() {
        let journal = Journal::default();
        fresh(&journal, "a").await.answer(&outcome("first"));
        assert_eq!(answer(&journal, "a").await, "first");
        fresh(&journal, "b").await.fail(&failed());
        assert_eq!(answer(&journal, "b").await, "free");
    }

    #[tokio::test]
    async fn who_waits_gets_the_result_whatever_it_is() {
        let journal = Journal::default();
        let slot = fresh(&journal, "a").await;
        let mut waiting = Box::pin(answer(&journal, "a"));
        assert!(waiting.as_mut().now_or_never().is_none());
        slot.answer(&outcome("first"));
        assert_eq!(waiting.await, "first");

        let slot = fresh(&journal, "b").await;
        let mut waiting = Box::pin(answer(&journal, "b"));
        assert!(waiting.as_mut().now_or_never().is_none());
        slot.fail(&failed());
        assert_eq!(waiting.await, failed().to_string());
    }

    #[tokio::test]
    async fn a_turn_that_was_given_up_is_taken_over() {
        let journal = Journal::default();
        let slot = fresh(&journal, "a").await;
        let mut waiting = Box::pin(journal.ask(name("a")));
        assert!(waiting.as_mut().now_or_never().is_none());
        drop(slot);
        let Ok(Asked::Fresh(slot)) = waiting.await else {
            panic!("not taken over")
        };
        slot.answer(&outcome("second"));
        assert_eq!(answer(&journal, "a").await, "second");
    }

    #[tokio::test]
    async fn the_oldest_answers_are_forgotten_first_and_in_time() {
        let limits = JournalLimits {
            answers: 2,
            lifetime: Duration::from_secs(3600),
        };
        let journal = Journal::new(limits);
        for key in ["a", "b", "c"] {
            fresh(&journal, key).await.answer(&outcome(key));
        }
        assert_eq!(answer(&journal, "a").await, "free");
        assert_eq!(answer(&journal, "c").await, "c");

        let journal = Journal::new(JournalLimits {
            lifetime: Duration::ZERO,
            ..limits
        });
        fresh(&journal, "a").await.answer(&outcome("a"));
        assert_eq!(answer(&journal, "a").await, "free");
        assert!(journal.lock().entries.is_empty());
    }
}
