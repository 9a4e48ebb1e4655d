//! Spans on their way to the collector: a bounded queue, and the task that empties it.

use std::time::Duration;

use metrics::counter;
use opentelemetry_sdk::trace::{SpanData, SpanExporter};
use tokio::sync::mpsc::{self, Receiver, Sender};
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

/// How many spans may wait; what comes after them is dropped.
const LENGTH: usize = 2_048;
/// How many are sent at once.
const BATCH: usize = 512;
/// How long a span waits for others to be sent with.
const LINGER: Duration = Duration::from_secs(1);

pub(crate) const SPANS: &str = "stationmaster_trace_spans_total";

/// Where spans go. Clones share it.
#[derive(Debug, Clone)]
pub(crate) struct Queue(Sender<SpanData>);

impl Queue {
    pub(crate) fn new() -> (Self, Receiver<SpanData>) {
        let (queue, spans) = mpsc::channel(LENGTH);
        (Self(queue), spans)
    }

    /// Never waits: what does not fit, or comes after the end, is counted and gone.
    pub(crate) fn push(&self, span: SpanData) {
        if self.0.try_send(span).is_err() {
            counter!(SPANS, "outcome" => "dropped").increment(1);
        }
    }
}

/// Sends spans until `stopping`, then what is left of them.
pub(crate) async fn drain(
    mut spans: Receiver<SpanData>,
    exporter: impl SpanExporter,
    stopping: CancellationToken,
) {
    let mut is_failing = false;
    loop {
        let batch = gather(&mut spans, &stopping).await;
        if batch.is_empty() {
            return;
        }
        let count = batch.len() as u64;
        match exporter.export(batch).await {
            Ok(()) => {
                counter!(SPANS, "outcome" => "sent").increment(count);
                if std::mem::take(&mut is_failing) {
                    tracing::info!("the collector of traces takes them again");
                }
            }
            Err(error) => {
                counter!(SPANS, "outcome" => "failed").increment(count);
                // Said once: a collector may be away for days.
                if !std::mem::replace(&mut is_failing, true) {
                    tracing::warn!(%error, "the collector of traces does not take them; they are dropped until it does");
                }
            }
        }
    }
}

/// The next batch; empty when there will be none.
async fn gather(spans: &mut Receiver<SpanData>, stopping: &CancellationToken) -> Vec<SpanData> {
    let mut batch = Vec::new();
    tokio::select! {
        () = stopping.cancelled() => spans.close(),
        _ = spans.recv_many(&mut batch, BATCH) => {}
    }
    let until = Instant::now() + LINGER;
    while batch.len() < BATCH {
        let room = BATCH - batch.len();
        tokio::select! {
            // In this order: what has come is taken before anybody stops waiting for more.
            biased;
            count = spans.recv_many(&mut batch, room) => if count == 0 { break },
            () = sleep_until(until) => break,
            () = stopping.cancelled() => {
                spans.close();
            }
        }
    }
    batch
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;
    use std::sync::{Arc, Mutex};
    use std::time::SystemTime;

    use opentelemetry::InstrumentationScope;
    use opentelemetry::trace::{SpanContext, SpanId, SpanKind, Status};
    use opentelemetry_sdk::error::{OTelSdkError, OTelSdkResult};
    use opentelemetry_sdk::trace::{SpanEvents, SpanLinks};

    use super::*;

    /// Keeps the names of what it is given, unless it fails.
    #[derive(Debug, Clone, Default)]
    struct Collector {
        seen: Arc<Mutex<Vec<usize>>>,
        fails: bool,
    }

    impl SpanExporter for Collector {
        async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
            self.seen.lock().unwrap().push(batch.len());
            if self.fails {
                return Err(OTelSdkError::InternalFailure("away".to_owned()));
            }
            Ok(())
        }
    }

    fn span() -> SpanData {
        SpanData {
            span_context: SpanContext::empty_context(),
            parent_span_id: SpanId::INVALID,
            parent_span_is_remote: false,
            span_kind: SpanKind::Internal,
            name: Cow::Borrowed("span"),
            start_time: SystemTime::UNIX_EPOCH,
            end_time: SystemTime::UNIX_EPOCH,
            attributes: Vec::new(),
            dropped_attributes_count: 0,
            events: SpanEvents::default(),
            links: SpanLinks::default(),
            status: Status::Unset,
            instrumentation_scope: InstrumentationScope::default(),
        }
    }

    async fn drained(pushed: usize, fails: bool) -> Vec<usize> {
        let collector = Collector {
            fails,
            ..Collector::default()
        };
        let (queue, spans) = Queue::new();
        for _ in 0..pushed {
            queue.push(span());
        }
        let stopping = CancellationToken::new();
        stopping.cancel();
        drain(spans, collector.clone(), stopping).await;
        queue.push(span());
        collector.seen.lock().unwrap().clone()
    }

    #[tokio::test]
    async fn what_waits_is_sent_before_the_end() {
        assert_eq!(drained(0, false).await, [0; 0]);
        assert_eq!(drained(3, false).await, [3]);
        assert_eq!(drained(BATCH + 1, false).await, [BATCH, 1]);
    }

    #[tokio::test]
    async fn a_collector_that_is_away_is_tried_with_each_batch() {
        assert_eq!(drained(BATCH + 1, true).await, [BATCH, 1]);
    }

    #[tokio::test]
    async fn what_does_not_fit_is_dropped() {
        let sent: usize = drained(LENGTH + 7, false).await.iter().sum();
        assert_eq!(sent, LENGTH);
    }
}
