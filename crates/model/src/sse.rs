//! Taking server-sent events out of the bytes of a body.

/// The longest line, in bytes: a chunk of text is short, and the arguments of a call come in pieces.
const LONGEST_LINE: usize = 1024 * 1024;

/// A line was longer than any should be.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct LineTooLong;

/// Puts lines together, and events out of lines. Only the `data` of an event counts here: the formats repeat
/// their event's name in it.
#[derive(Debug, Default)]
pub(crate) struct Decoder {
    line: Vec<u8>,
    data: String,
}

impl Decoder {
    /// The events that end with these bytes.
    pub(crate) fn feed(&mut self, bytes: &[u8]) -> Result<Vec<String>, LineTooLong> {
        let mut events = Vec::new();
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            if self.line.len() + piece.len() > LONGEST_LINE {
                return Err(LineTooLong);
            }
            self.line.extend_from_slice(piece);
            if piece.ends_with(b"\n") {
                let line = std::mem::take(&mut self.line);
                events.extend(self.read(&line)?);
            }
        }
        Ok(events)
    }

    /// What is left when the body ends: some servers forget the last line break.
    pub(crate) fn finish(&mut self) -> Result<Option<String>, LineTooLong> {
        let line = std::mem::take(&mut self.line);
        let event = self.read(&line)?;
        Ok(event.or_else(|| self.event()))
    }

    fn read(&mut self, line: &[u8]) -> Result<Option<String>, LineTooLong> {
        let line = String::from_utf8_lossy(line);
        let line = line.trim_end_matches(['\r', '\n']);
        if line.is_empty() {
            return Ok(self.event());
        }
        if let Some(data) = line.strip_prefix("data:") {
            if self.data.len() + data.len() > LONGEST_LINE {
                return Err(LineTooLong);
            }
            if !self.data.is_empty() {
                self.data.push('\n');
            }
            self.data.push_str(data.strip_prefix(' ').unwrap_or(data));
        }
        Ok(None)
    }

    fn event(&mut self) -> Option<String> {
        Some(std::mem::take(&mut self.data)).filter(|data| !data.trim().is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_found_wherever_the_bytes_are_cut() {
        let body = ": hello\r\ndata: {\"a\":1}\r\n\r\nevent: x\ndata:two\ndata: lines\n\n\n\ndata: ü\n\nid: 1\ndata: [DONE]";
        let whole = ["{\"a\":1}", "two\nlines", "ü", "[DONE]"];
        for size in [1, 2, 3, 7, 1000] {
            let mut decoder = Decoder::default();
            let mut events = Vec::new();
            for piece in body.as_bytes().chunks(size) {
                events.extend(decoder.feed(piece).unwrap());
            }
            events.extend(decoder.finish().unwrap());
            assert_eq!(events, whole, "{size}");
        }
    }

    #[test]
    fn a_line_without_end_is_not_collected_for_ever() {
        let mut decoder = Decoder::default();
        let piece = [b'x'; 4096];
        let fed = (0..1000).try_for_each(|_| decoder.feed(&piece).map(drop));
        assert_eq!(fed, Err(LineTooLong));
        let mut decoder = Decoder::default();
        let fed = (0..1000).try_for_each(|_| {
            let line = format!("data: {}\n", "x".repeat(4096));
            decoder.feed(line.as_bytes()).map(drop)
        });
        assert_eq!(fed, Err(LineTooLong));
    }
}
