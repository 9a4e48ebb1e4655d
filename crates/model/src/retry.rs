//! Asking one model until it answers, the tries are spent or time runs out.

use std::time::Duration;

use tokio::time::{Instant, sleep, timeout_at};

use crate::config::Retry;
use crate::failure::Failure;
use crate::types::{ErrorKind, Reply};

/// Counts requests over all models, and knows when to stop.
#[derive(Debug)]
pub(crate) struct Budget {
    pub(crate) retry: Retry,
    pub(crate) deadline: Instant,
    /// How many requests were sent.
    pub(crate) asked: u32,
}

/// An answer with nothing usable in it may be a fluke; twice the same is not.
const TRIES_FOR_AN_UNUSABLE_ANSWER: u32 = 2;

impl Budget {
    /// Calls `ask` until it gives a reply, within this budget.
    ///
    /// A failure with `unsupported` set is first shown to `adapt`, which may change the request:
    /// when it does, `ask` is called again at once and this costs no try.
    pub(crate) async fn spend<S, A>(
        &mut self,
        mut shape: S,
        ask: impl Fn(S) -> A,
        adapt: impl Fn(&mut S, &Failure) -> bool,
    ) -> Result<Reply, Failure>
    where
        S: Copy,
        // Not `AsyncFn`: its future cannot be shown to be `Send` for every lifetime.
        A: Future<Output = Result<Reply, Failure>>,
    {
        let mut tries = 0;
        let mut unusable = 0;
        let mut last: Option<Failure> = None;
        loop {
            if Instant::now() >= self.deadline {
                return Err(too_late(last));
            }
            self.asked += 1;
            let failure = match timeout_at(self.deadline, ask(shape)).await {
                Ok(Ok(reply)) => return Ok(reply),
                Ok(Err(failure)) => failure,
                Err(_) => return Err(too_late(last)),
            };
            if adapt(&mut shape, &failure) {
                tracing::debug!(
                    reason = failure.message,
                    "asking the model again with a simpler request"
                );
                continue;
            }
            tries += 1;
            unusable += u32::from(matches!(
                failure.kind,
                ErrorKind::Empty | ErrorKind::Garbled
            ));
            if !failure.again
                || tries >= self.retry.attempts
                || unusable >= TRIES_FOR_AN_UNUSABLE_ANSWER
            {
                return Err(failure);
            }
            let pause = self
                .retry
                .pause(tries, fastrand::f64())
                .max(failure.retry_after.unwrap_or_default());
            // A pause that ends after the deadline cannot end in an answer.
            if Instant::now()
                .checked_add(pause)
                .is_none_or(|end| end >= self.deadline)
            {
                return Err(failure);
            }
            tracing::debug!(
                reason = failure.message,
                ?pause,
                "asking the model again after a pause"
            );
            sleep(pause).await;
            last = Some(failure);
        }
    }
}

fn too_late(last: Option<Failure>) -> Failure {
    let message = match last {
        Some(failure) => format!(
            "the time for this call is over; the try before failed with: {}",
            failure.message
        ),
        None => "the time for this call is over".to_owned(),
    };
    Failure::new(ErrorKind::Deadline, message)
}

impl Retry {
    /// The pause after failed try number `tries`, counted from 1; `chance` is from 0 to 1.
    fn pause(&self, tries: u32, chance: f64) -> Duration {
        let doubled = self
            .delay
            .saturating_mul(2_u32.saturating_pow(tries.saturating_sub(1)));
        let jitter = 1.0 + self.jitter * (2.0 * chance - 1.0);
        let pause = Duration::try_from_secs_f64(doubled.as_secs_f64() * jitter);
        pause.unwrap_or(self.max_delay).min(self.max_delay)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_the_longest() {
        let retry = Retry {
            jitter: 0.0,
            ..Retry::default()
        };
        let pauses: Vec<_> = (1..=7)
            .map(|tries| retry.pause(tries, 0.3).as_secs())
            .collect();
        assert_eq!(pauses, [1, 2, 4, 8, 16, 30, 30]);
        assert_eq!(retry.pause(u32::MAX, 0.3).as_secs(), 30);
    }

    #[test]
    fn jitter_moves_a_pause_both_ways() {
        let retry = Retry {
            jitter: 0.1,
            ..Retry::default()
        };
        assert_eq!(retry.pause(1, 0.0), Duration::from_millis(900));
        assert_eq!(retry.pause(1, 0.5), Duration::from_secs(1));
        assert_eq!(retry.pause(1, 1.0), Duration::from_millis(1100));
        assert_eq!(retry.pause(7, 1.0), retry.max_delay);
    }
}
