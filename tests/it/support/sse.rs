//! A reader of server-sent events.

use futures::StreamExt as _;
use futures::stream::BoxStream;
use serde_json::Value;

use super::wait::PATIENCE;

/// One frame of a stream.
#[derive(Debug, Clone, Default)]
pub(crate) struct Frame {
    /// `None` where the frame carries none.
    pub id: Option<i64>,
    pub event: String,
    pub data: String,
    /// A line that only keeps the connection open.
    pub comment: bool,
}

impl Frame {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.data).expect("a frame's data is JSON")
    }
}

/// An open stream.
pub(crate) struct Events {
    chunks: BoxStream<'static, reqwest::Result<Vec<u8>>>,
    buffer: Vec<u8>,
    /// So much of the buffer holds no end of a frame.
    searched: usize,
}

impl Events {
    pub(crate) fn of(response: reqwest::Response) -> Self {
        let chunks = response.bytes_stream();
        Self {
            chunks: chunks.map(|chunk| chunk.map(Vec::from)).boxed(),
            buffer: Vec::new(),
            searched: 0,
        }
    }

    /// The next frame that is no comment.
    pub(crate) async fn next(&mut self) -> Frame {
        loop {
            let frame = self.next_of_any_kind().await.expect("the stream goes on");
            if !frame.comment {
                return frame;
            }
        }
    }

    /// The next frame, comments too; `None` at the end of the stream.
    pub(crate) async fn next_of_any_kind(&mut self) -> Option<Frame> {
        loop {
            let rest = &self.buffer[self.searched..];
            if let Some(end) = rest.windows(2).position(|two| two == b"\n\n") {
                let block: Vec<u8> = self.buffer.drain(..self.searched + end + 2).collect();
                self.searched = 0;
                return Some(parse(std::str::from_utf8(&block).expect("text")));
            }
            self.searched = self.buffer.len().saturating_sub(1);
            let chunk = tokio::time::timeout(PATIENCE, self.chunks.next())
                .await
                .expect("something arrives in time")?;
            self.buffer.extend(chunk.expect("the stream is not broken"));
        }
    }

    /// The next frames, so many.
    pub(crate) async fn take(&mut self, count: usize) -> Vec<Frame> {
        let mut frames = Vec::new();
        while frames.len() < count {
            frames.push(self.next().await);
        }
        frames
    }

    /// Every frame up to and with the first of this type.
    pub(crate) async fn until(&mut self, event: &str) -> Vec<Frame> {
        let mut frames = Vec::new();
        loop {
            frames.push(self.next().await);
            if frames.last().is_some_and(|frame| frame.event == event) {
                return frames;
            }
        }
    }
}

fn parse(block: &str) -> Frame {
    let mut frame = Frame {
        comment: true,
        ..Frame::default()
    };
    for line in block.lines().filter(|line| !line.is_empty()) {
        let (name, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match name {
            "" => continue,
            "id" => frame.id = Some(value.parse().expect("an id is a number")),
            "event" => value.clone_into(&mut frame.event),
            "data" => {
                assert!(frame.data.is_empty(), "data is one line: {block:?}");
                value.clone_into(&mut frame.data);
            }
            other => panic!("a frame has no field {other:?}: {block:?}"),
        }
        frame.comment = false;
    }
    frame
}
