//! Who waits: one lane a session, in which one goes after the other.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use tokio::time::Instant;

use crate::Delivery;

/// One delivery on its way.
#[derive(Debug, Clone)]
pub(super) struct Item {
    pub(super) delivery: Arc<Delivery>,
    /// The tick that it belongs to.
    pub(super) batch: u64,
    /// The turn has been accepted; only the backend does not know yet.
    pub(super) accepted: bool,
    /// Until when nobody else is given it, where the backend does that.
    pub(super) leased_until: Option<Instant>,
}

/// Deliveries that wait for a place.
#[derive(Debug, Default)]
pub(super) struct Lanes {
    /// A lane is there while its session waits or has one under way.
    lanes: HashMap<String, VecDeque<Item>>,
    /// Sessions that wait and have none under way.
    ready: VecDeque<String>,
    waiting: usize,
}

impl Lanes {
    pub(super) fn push(&mut self, item: Item) {
        self.waiting += 1;
        let session = item.delivery.session_key.clone();
        let lane = self.lanes.entry(session.clone()).or_insert_with(|| {
            self.ready.push_back(session);
            VecDeque::new()
        });
        lane.push_back(item);
    }

    /// The next delivery of a session that has none under way; its lane is closed until [`done`](Self::done).
    pub(super) fn next(&mut self) -> Option<Item> {
        let session = self.ready.pop_front()?;
        let item = self.lanes.get_mut(&session)?.pop_front()?;
        self.waiting -= 1;
        Some(item)
    }

    /// The session's delivery has ended.
    pub(super) fn done(&mut self, session: &str) {
        match self.lanes.get(session) {
            Some(lane) if !lane.is_empty() => self.ready.push_back(session.to_owned()),
            _ => {
                self.lanes.remove(session);
            }
        }
    }

    pub(super) fn waiting(&self) -> usize {
        self.waiting
    }

    /// Nobody waits any more.
    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item(session: &str, id: &str) -> Item {
        Item {
            delivery: Arc::new(Delivery {
                notification_id: id.to_owned(),
                user_id: "u".to_owned(),
                session_key: session.to_owned(),
                content: "c".to_owned(),
                task_id: None,
                metadata: serde_json::Map::new(),
            }),
            batch: 0,
            accepted: false,
            leased_until: None,
        }
    }

    #[test]
    fn a_session_has_one_under_way_and_keeps_its_order() {
        let mut lanes = Lanes::default();
        for (session, id) in [("a", "a1"), ("a", "a2"), ("b", "b1"), ("a", "a3")] {
            lanes.push(item(session, id));
        }
        let mut next = |done: Option<&str>| {
            if let Some(session) = done {
                lanes.done(session);
            }
            lanes.next().map(|it| it.delivery.notification_id.clone())
        };
        assert_eq!(next(None).as_deref(), Some("a1"));
        assert_eq!(next(None).as_deref(), Some("b1"));
        assert_eq!(next(None), None);
        assert_eq!(next(Some("b")), None);
        assert_eq!(next(Some("a")).as_deref(), Some("a2"));
        assert_eq!(next(Some("a")).as_deref(), Some("a3"));
        assert_eq!(next(Some("a")), None);
        assert_eq!(lanes.waiting(), 0);
        lanes.push(item("a", "a4"));
        assert!(lanes.next().is_some());
    }
}
