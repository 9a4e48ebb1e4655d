//! Server-sent events, read as they come.

use std::time::Duration;

use reqwest::Response;

use crate::failure::Failure;

/// A stream that is silent this long is dead: the server sends a comment far more often.
const LONGEST_SILENCE: Duration = Duration::from_secs(90);
/// No event is larger.
const LARGEST_EVENT: usize = 4 * 1024 * 1024;

/// One event of a stream.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Event {
    pub name: String,
    /// Where to go on from after this event.
    pub id: Option<String>,
    pub data: String,
}

/// The events of a response.
pub(crate) struct Events {
    response: Response,
    parser: Parser,
}

impl Events {
    pub(crate) fn new(response: Response) -> Self {
        Self {
            response,
            parser: Parser::default(),
        }
    }

    /// The next event; `None` when the stream ends.
    pub(crate) async fn next(&mut self) -> Result<Option<Event>, Failure> {
        loop {
            if let Some(event) = self.parser.next() {
                return Ok(Some(event));
            }
            let chunk = tokio::time::timeout(LONGEST_SILENCE, self.response.chunk())
                .await
                .map_err(|_| Failure::network("the stream is silent; opening it again"))?
                .map_err(|error| Failure::network(format!("the stream broke: {error}")))?;
            let Some(chunk) = chunk else { return Ok(None) };
            self.parser.take(&chunk)?;
        }
    }
}

/// Cuts bytes into events.
#[derive(Debug, Default)]
struct Parser {
    bytes: Vec<u8>,
    /// The event that is being read.
    event: Event,
}

impl Parser {
    fn take(&mut self, chunk: &[u8]) -> Result<(), Failure> {
        if self.bytes.len() + self.event.data.len() + chunk.len() > LARGEST_EVENT {
            return Err(Failure::other(
                "an event of the stream is larger than 4 MiB",
            ));
        }
        self.bytes.extend_from_slice(chunk);
        Ok(())
    }

    /// The next whole event there is.
    fn next(&mut self) -> Option<Event> {
        loop {
            let end = self.bytes.iter().position(|byte| *byte == b'\n')?;
            let line: Vec<u8> = self.bytes.drain(..=end).collect();
            let line = String::from_utf8_lossy(&line);
            let line = line.trim_end_matches(['\n', '\r']);
            if line.is_empty() {
                let event = std::mem::take(&mut self.event);
                // Comments alone make no event.
                if !event.data.is_empty() {
                    return Some(event);
                }
                continue;
            }
            let (field, value) = line.split_once(':').unwrap_or((line, ""));
            let value = value.strip_prefix(' ').unwrap_or(value);
            match field {
                "event" => value.clone_into(&mut self.event.name),
                "id" => self.event.id = Some(value.to_owned()),
                "data" => {
                    if !self.event.data.is_empty() {
                        self.event.data.push('\n');
                    }
                    self.event.data.push_str(value);
                }
                _ => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_read_however_they_are_cut() {
        let text = ": hello\n\nid: act_1\nevent: TASK_CREATED\ndata: {\"a\":\ndata: \"é\"}\n\n:\r\n\r\ndata:x\r\n\r\n";
        for size in 1..text.len() {
            let mut parser = Parser::default();
            let mut events = Vec::new();
            for chunk in text.as_bytes().chunks(size) {
                parser.take(chunk).unwrap();
                events.extend(std::iter::from_fn(|| parser.next()));
            }
            let first = Event {
                name: "TASK_CREATED".to_owned(),
                id: Some("act_1".to_owned()),
                data: "{\"a\":\n\"é\"}".to_owned(),
            };
            let second = Event {
                data: "x".to_owned(),
                ..Event::default()
            };
            assert_eq!(events, [first, second], "{size}");
        }
    }

    #[test]
    fn an_endless_event_is_refused() {
        let mut parser = Parser::default();
        let chunk = vec![b'x'; 1024 * 1024];
        assert!((0..5).any(|_| parser.take(&chunk).is_err()));
    }
}
