//! How often somebody may ask: so many times in each window of time.
//!
//! Windows are fixed, not sliding: one of the contracts demands it, and "so many a minute" is what
//! callers can reason about. A window begins with a caller's first request.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// The window of every limit.
pub const WINDOW: Duration = Duration::from_secs(60);
/// How many callers are remembered before those whose window has ended are forgotten.
const REMEMBERED: usize = 4096;

/// Counts requests by caller.
#[derive(Debug, Default)]
pub struct Limiter {
    windows: Mutex<HashMap<String, Window>>,
}

#[derive(Debug)]
struct Window {
    began: Instant,
    count: u32,
}

/// Where a caller stands after asking.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    /// How many times it may ask in a window.
    pub limit: u32,
    /// How many are left in this one.
    pub left: u32,
    /// When this one ends.
    pub resets_in: Duration,
    /// Whether it may ask now.
    pub admitted: bool,
}

impl Limiter {
    /// Counts one request of `caller` against `limit` a window.
    pub fn admit(&self, caller: &str, limit: u32, now: Instant) -> Standing {
        let mut windows = self.windows.lock().unwrap_or_else(PoisonError::into_inner);
        if windows.len() >= REMEMBERED && !windows.contains_key(caller) {
            windows.retain(|_, window| now.duration_since(window.began) < WINDOW);
        }
        let window = windows.entry(caller.to_owned()).or_insert(Window {
            began: now,
            count: 0,
        });
        if now.duration_since(window.began) >= WINDOW {
            *window = Window {
                began: now,
                count: 0,
            };
        }
        let admitted = window.count < limit;
        if admitted {
            window.count += 1;
        }
        Standing {
            limit,
            left: limit.saturating_sub(window.count),
            resets_in: WINDOW.saturating_sub(now.duration_since(window.began)),
            admitted,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_admits_so_many_and_the_next_one_begins_anew() {
        let limiter = Limiter::default();
        let start = Instant::now();
        let ask = |after: u64| limiter.admit("a", 2, start + Duration::from_secs(after));
        assert_eq!((ask(0).admitted, ask(10).left), (true, 0));
        let refused = ask(20);
        assert!(!refused.admitted);
        assert_eq!(refused.resets_in, Duration::from_secs(40));
        assert!(
            limiter.admit("b", 2, start).admitted,
            "others are counted apart"
        );
        assert_eq!(ask(60).left, 1);
    }
}
