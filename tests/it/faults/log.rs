//! A reader of the event log that survives the end of the server.

use std::collections::BTreeMap;

use futures::StreamExt as _;
use reqwest::Client;
use serde_json::Value;

use crate::support::wait::PATIENCE;

/// What a reader saw: each event's id, type and the id of the object it shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Seen {
    pub id: i64,
    pub event: String,
    pub object: String,
}

/// Everything that a reader saw so far, over all its connections.
#[derive(Debug, Clone, Default)]
pub(super) struct Log(pub Vec<Seen>);

impl Log {
    /// Reads on from where it left off until the server ends or the object `last` is shown.
    pub(super) async fn follow(&mut self, client: &Client, url: &str, token: &str, last: &str) {
        let from = self.0.last().map_or(0, |seen| seen.id);
        let response = client
            .get(format!("{url}/api/mission-control/events"))
            .header("X-Agent-Token", token)
            .header("Last-Event-ID", from)
            .send()
            .await;
        let Ok(response) = response else { return };
        assert_eq!(response.status().as_u16(), 200);
        let mut chunks = response.bytes_stream();
        let mut buffer = Vec::new();
        loop {
            let next = tokio::time::timeout(PATIENCE, chunks.next()).await;
            let Some(Ok(chunk)) = next.expect("events arrive in time") else {
                return;
            };
            buffer.extend_from_slice(&chunk);
            while let Some(end) = buffer.windows(2).position(|two| two == b"\n\n") {
                let block: Vec<u8> = buffer.drain(..end + 2).collect();
                let Some(seen) = seen(std::str::from_utf8(&block).expect("text")) else {
                    continue;
                };
                let is_last = seen.object == last;
                self.0.push(seen);
                if is_last {
                    return;
                }
            }
        }
    }

    pub(super) fn ids(&self) -> Vec<i64> {
        self.0.iter().map(|seen| seen.id).collect()
    }

    /// How often an event of this type showed each object.
    pub(super) fn count(&self, event: &str) -> BTreeMap<&str, usize> {
        let mut counts = BTreeMap::new();
        for seen in self.0.iter().filter(|seen| seen.event == event) {
            *counts.entry(seen.object.as_str()).or_default() += 1;
        }
        counts
    }

    /// Every event has a place of its own after the one before.
    #[track_caller]
    pub(super) fn is_in_order(&self) {
        for pair in self.0.windows(2) {
            assert!(pair[0].id < pair[1].id, "{pair:#?}");
        }
    }
}

/// The event of a frame; `None` for a comment.
fn seen(block: &str) -> Option<Seen> {
    let line = |name: &str| block.lines().find_map(|line| line.strip_prefix(name));
    let event = line("event: ")?.to_owned();
    assert_ne!(event, "reset", "the log has lost its place");
    let data: Value = serde_json::from_str(line("data: ")?).expect("JSON");
    Some(Seen {
        id: line("id: ")?.parse().expect("a number"),
        event,
        object: data["data"]["id"].as_str().unwrap_or_default().to_owned(),
    })
}
