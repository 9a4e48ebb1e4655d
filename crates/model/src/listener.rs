//! Who hears an answer while it comes.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

/// Hears an answer's text piece by piece. It is called on the answer's own path, so it must not block.
pub trait Listener: Send + Sync {
    fn heard(&self, text: &str);
}

/// What of one answer was given to its listener.
pub(crate) struct Heard<'a> {
    listener: &'a dyn Listener,
    /// From here on the answer cannot be taken back.
    any: AtomicBool,
    /// Blanks that nothing has come after yet: an answer of blanks alone is none.
    blanks: Mutex<String>,
}

impl<'a> Heard<'a> {
    pub(crate) fn new(listener: &'a dyn Listener) -> Self {
        Self {
            listener,
            any: AtomicBool::new(false),
            blanks: Mutex::default(),
        }
    }

    pub(crate) fn say(&self, text: &str) {
        if self.any() {
            self.listener.heard(text);
            return;
        }
        let mut blanks = self.blanks.lock().unwrap_or_else(PoisonError::into_inner);
        blanks.push_str(text);
        if !blanks.trim().is_empty() {
            self.any.store(true, Ordering::Relaxed);
            self.listener.heard(&std::mem::take(&mut *blanks));
        }
    }

    /// Forgets the blanks of a try that failed.
    pub(crate) fn begin(&self) {
        let mut blanks = self.blanks.lock().unwrap_or_else(PoisonError::into_inner);
        blanks.clear();
    }

    /// Whether the listener has heard anything.
    pub(crate) fn any(&self) -> bool {
        self.any.load(Ordering::Relaxed)
    }
}
