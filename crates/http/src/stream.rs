//! The event log as server-sent events.

use std::convert::Infallible;
use std::time::Duration;

use axum::response::sse::{Event as Frame, KeepAlive, Sse};
use futures::Stream;
use futures::stream;
use stationmaster_access::Tail;
use stationmaster_kernel::event::Event;
use tokio_util::sync::CancellationToken;

/// A comment goes out when nothing else did for so long, so that proxies keep the line open.
const KEEP_ALIVE: Duration = Duration::from_secs(15);
/// How long to wait after the store refused a read.
const PAUSE: Duration = Duration::from_millis(500);

/// Streams `first`, then every event of `tail` for which `render` gives a frame, until the server
/// stops. Frames are made as the reader takes them: a slow one costs nothing, and one that takes
/// none at all is cut by the server's write deadline.
pub fn events(
    first: Option<Frame>,
    tail: Tail,
    stopping: CancellationToken,
    render: impl Fn(&Event) -> Option<Frame> + Send + 'static,
) -> Sse<impl Stream<Item = Result<Frame, Infallible>>> {
    let state = (first, tail, stopping, render);
    let frames = stream::unfold(
        state,
        |(mut first, mut tail, stopping, render)| async move {
            if let Some(frame) = first.take() {
                return Some((Ok(frame), (None, tail, stopping, render)));
            }
            loop {
                let next = tokio::select! {
                    next = tail.next() => next,
                    () = stopping.cancelled() => return None,
                };
                match next {
                    Ok(event) => {
                        if let Some(frame) = render(&event) {
                            return Some((Ok(frame), (None, tail, stopping, render)));
                        }
                    }
                    Err(error) => {
                        tracing::warn!(cause = ?error.cause, "reading the event log failed; trying again");
                        tokio::time::sleep(PAUSE).await;
                    }
                }
            }
        },
    );
    Sse::new(frames).keep_alive(KeepAlive::new().interval(KEEP_ALIVE))
}
