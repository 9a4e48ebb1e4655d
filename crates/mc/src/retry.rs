//! When the same request is sent again, and how long before (§1.2, §14).
//!
//! A busy server is waited for as long as it asks. One that fails or does not answer is tried three
//! times, a little later each time.

use std::time::Duration;

use tokio::time::Instant;

use crate::failure::{Exit, Failure};
use crate::reply::Reply;

/// How often a request is sent that the server fails at.
const TRIES: u32 = 3;
/// How long to wait after the first failure; twice as long after the second.
const FIRST_PAUSE: Duration = Duration::from_millis(200);
/// A server that fails may ask for a pause as long as this.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// How long a 429 without `Retry-After` means (§1.2).
const DEFAULT_RETRY_AFTER: u64 = 60;
/// How often a busy server is asked again.
const MOST_WAITS: u32 = 10;

/// What to do about an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Next {
    /// It stands.
    Keep,
    /// The server is busy and says for how long.
    Wait(Duration),
    /// The server failed, or did not answer.
    TryAgain(Duration),
}

/// The patience with one request.
pub(crate) struct Patience {
    started: Instant,
    /// How long all waiting for a busy server may take together.
    longest_wait: Duration,
    failures: u32,
    waits: u32,
}

impl Patience {
    pub(crate) fn new(longest_wait: Duration) -> Self {
        Self {
            started: Instant::now(),
            longest_wait,
            failures: 0,
            waits: 0,
        }
    }

    pub(crate) fn next(&mut self, answer: &Result<Reply, Failure>) -> Next {
        match answer {
            Ok(reply) => match asked_wait(reply) {
                Some(wait) => self.wait(wait),
                None if reply.status >= 500 => self.try_again(reply.retry_after()),
                None => Next::Keep,
            },
            Err(failure) if failure.exit == Exit::Network => self.try_again(None),
            Err(_) => Next::Keep,
        }
    }

    fn wait(&mut self, wait: Duration) -> Next {
        self.waits += 1;
        let end = self.started.elapsed().saturating_add(wait);
        if self.waits > MOST_WAITS || end > self.longest_wait {
            return Next::Keep;
        }
        Next::Wait(wait)
    }

    fn try_again(&mut self, asked: Option<u64>) -> Next {
        self.failures += 1;
        if self.failures >= TRIES {
            return Next::Keep;
        }
        let asked = asked.map_or(Duration::ZERO, Duration::from_secs);
        Next::TryAgain(asked.min(LONGEST_PAUSE).max(back_off(self.failures)))
    }
}

/// How long a reply asks to wait before the same request may be sent again.
fn asked_wait(reply: &Reply) -> Option<Duration> {
    let seconds = match reply.status {
        429 => reply.retry_after().unwrap_or(DEFAULT_RETRY_AFTER),
        // The first request with this key is still running (§1.2).
        409 if reply.body["error"]["code"] == "IDEMPOTENCY_CONFLICT" => reply.retry_after()?,
        _ => return None,
    };
    Some(Duration::from_secs(seconds))
}

/// How long to wait after so many failures: longer each time, and never all clients at once.
pub(crate) fn back_off(failures: u32) -> Duration {
    let pause = FIRST_PAUSE * 2_u32.pow(failures.clamp(1, 8) - 1);
    pause + pause.mul_f64(fastrand::f64() * 0.5)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn reply(status: u16, retry_after: Option<&str>) -> Result<Reply, Failure> {
        let mut reply = Reply::ours(json!({"error": {"code": "IDEMPOTENCY_CONFLICT"}}));
        reply.status = status;
        if let Some(seconds) = retry_after {
            reply
                .headers
                .insert("retry-after", seconds.parse().unwrap());
        }
        Ok(reply)
    }

    #[test]
    fn a_server_that_asks_to_wait_for_ever_is_not_waited_for() {
        let mut patience = Patience::new(Duration::from_secs(300));
        assert_eq!(
            patience.next(&reply(429, Some("60"))),
            Next::Wait(Duration::from_secs(60))
        );
        assert_eq!(patience.next(&reply(429, Some("301"))), Next::Keep);
        let forever = u64::MAX.to_string();
        assert_eq!(patience.next(&reply(429, Some(&forever))), Next::Keep);
        assert_eq!(
            Patience::new(Duration::ZERO).next(&reply(429, Some("1"))),
            Next::Keep
        );
    }

    #[test]
    fn a_busy_server_that_does_not_say_for_how_long_is_given_a_minute() {
        let mut patience = Patience::new(Duration::from_secs(300));
        let minute = Next::Wait(Duration::from_secs(60));
        assert_eq!(patience.next(&reply(429, None)), minute);
        assert_eq!(patience.next(&reply(409, None)), Next::Keep);
    }

    #[test]
    fn pauses_grow_up_to_the_third_failure() {
        let mut patience = Patience::new(Duration::ZERO);
        let pauses = [(); 3].map(|()| patience.next(&Err(Failure::network("gone"))));
        for (pause, shortest, longest) in [(pauses[0], 200, 300), (pauses[1], 400, 600)] {
            let Next::TryAgain(pause) = pause else {
                panic!("{pauses:?}")
            };
            assert!((shortest..=longest).contains(&pause.as_millis()));
        }
        assert_eq!(pauses[2], Next::Keep);
        let asked = Patience::new(Duration::ZERO).next(&reply(503, Some("7")));
        assert_eq!(asked, Next::TryAgain(Duration::from_secs(7)));
    }
}
