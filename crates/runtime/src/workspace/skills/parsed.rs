//! What `SKILL.md` files say, understood once for as long as they stay the same: reading YAML costs
//! more than all the rest of a prompt.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use super::MAX_SKILLS;
use super::front_matter::{self, Fault, Head};

/// A `SKILL.md` that was read.
#[derive(Debug)]
pub(super) struct Parsed {
    pub(super) head: Result<Head, Fault>,
    pub(super) body: Arc<str>,
}

impl Parsed {
    /// A file that nobody can read.
    pub(super) fn broken(reason: &str) -> Arc<Self> {
        let reason = reason.to_owned();
        Arc::new(Self {
            head: Err(Fault { line: 1, reason }),
            body: Arc::from(""),
        })
    }
}

/// A text and what it says.
type Reading = (Arc<str>, Arc<Parsed>);

/// The last readings, by folder.
#[derive(Debug, Default)]
pub(in crate::workspace) struct Readings(Mutex<HashMap<String, Reading>>);

impl Readings {
    /// What `text` of this folder says. The same text, as [`Files`](crate::workspace::files::Files)
    /// keeps it, is not read again.
    pub(super) fn of(&self, folder: &str, text: &Arc<str>) -> Arc<Parsed> {
        let mut readings = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((read, parsed)) = readings.get(folder)
            && Arc::ptr_eq(read, text)
        {
            return Arc::clone(parsed);
        }
        let (head, body) = front_matter::read(text);
        let body = Arc::from(body);
        let parsed = Arc::new(Parsed { head, body });
        if readings.len() >= MAX_SKILLS {
            readings.clear();
        }
        readings.insert(folder.to_owned(), (Arc::clone(text), Arc::clone(&parsed)));
        parsed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_text_is_read_once() {
        let readings = Readings::default();
        let text: Arc<str> = "---\nname: x\n---\nbody".into();
        let first = readings.of("a", &text);
        assert_eq!(&*first.body, "body");
        assert!(Arc::ptr_eq(&first, &readings.of("a", &text)));
        let edited: Arc<str> = "edited".into();
        assert_eq!(&*readings.of("a", &edited).body, "edited");
        for folder in 0..=2 * MAX_SKILLS {
            readings.of(&folder.to_string(), &text);
        }
        assert!(readings.0.lock().unwrap().len() <= MAX_SKILLS);
    }
}
