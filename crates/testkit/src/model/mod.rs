//! A scripted model provider: a real HTTP server that speaks OpenAI's chat completions and
//! Anthropic's messages, whole or as a stream, and misbehaves on request.
//!
//! ```no_run
//! # use stationmaster_testkit::model::{Step, StubModel};
//! let model = StubModel::start();
//! model.push(Step::status(500));
//! model.push(Step::text("Done."));
//! // point OPENAI_BASE_URL at model.base_url(), run the program, then look at model.requests()
//! ```
//!
//! What to answer is decided per request: the next [`Step`] of the queue, else what
//! [`StubModel::answer_with`] was given, else [`Step::Echo`]. The server has a thread and a runtime
//! of its own, so tests may be async or not, and it ends when the value is dropped.

#![expect(
    clippy::unwrap_used,
    reason = "a helper for tests: what fails here should fail the test"
)]

mod answer;
mod saying;
mod script;
mod step;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::JoinHandle;
use std::time::Instant;

use axum::body::{Body, Bytes};
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{HeaderMap, Response, Uri};
use axum::serve::ListenerExt;
use serde_json::Value;
use tokio::sync::oneshot;

use saying::Format;
pub use script::Recorded;
use script::{Script, lock};
pub use step::{Cut, Step};

/// The server. Dropping it closes every connection.
#[derive(Debug)]
pub struct StubModel {
    address: SocketAddr,
    script: Arc<Script>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl StubModel {
    /// Starts a server on a free port of 127.0.0.1; it listens when this returns.
    #[must_use]
    pub fn start() -> Self {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap();
        let script = Arc::new(Script::new());
        let (stop, stopped) = oneshot::channel();
        let state = Arc::clone(&script);
        let thread = std::thread::Builder::new()
            .name("stub-model".to_owned())
            .spawn(move || run(listener, state, stopped))
            .unwrap();
        Self {
            address,
            script,
            stop: Some(stop),
            thread: Some(thread),
        }
    }

    /// For `OPENAI_BASE_URL`: `http://127.0.0.1:PORT/v1`.
    #[must_use]
    pub fn base_url(&self) -> String {
        format!("http://{}/v1", self.address)
    }

    /// For `ANTHROPIC_BASE_URL`: `http://127.0.0.1:PORT`.
    #[must_use]
    pub fn anthropic_url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Appends a step to the queue.
    pub fn push(&self, step: Step) {
        lock(&self.script.steps).push_back(step);
    }

    /// Appends steps to the queue.
    pub fn push_all(&self, steps: impl IntoIterator<Item = Step>) {
        lock(&self.script.steps).extend(steps);
    }

    /// How many steps have not been taken yet.
    #[must_use]
    pub fn steps_left(&self) -> usize {
        lock(&self.script.steps).len()
    }

    /// Decides by the request's body whenever the queue is empty, which is what tests with several
    /// callers at once need.
    pub fn answer_with(&self, answer: impl Fn(&Value) -> Step + Send + Sync + 'static) {
        *lock(&self.script.answer) = Arc::new(answer);
    }

    /// Takes this step whenever the queue is empty.
    pub fn always(&self, step: Step) {
        self.answer_with(move |_| step.clone());
    }

    /// The usage that every answer reports; 200 and 50 unless changed.
    pub fn set_usage(&self, prompt_tokens: u64, completion_tokens: u64) {
        self.script
            .prompt_tokens
            .store(prompt_tokens, Ordering::Relaxed);
        self.script
            .completion_tokens
            .store(completion_tokens, Ordering::Relaxed);
    }

    /// Whether requests are kept for [`requests`](Self::requests). A benchmark turns it off.
    pub fn set_recording(&self, recording: bool) {
        self.script.recording.store(recording, Ordering::Relaxed);
    }

    /// Every request so far, in the order of arrival.
    #[must_use]
    pub fn requests(&self) -> Vec<Recorded> {
        lock(&self.script.recorded).clone()
    }

    /// How many requests arrived so far, recorded or not.
    #[must_use]
    pub fn request_count(&self) -> usize {
        *self.script.count.borrow()
    }

    /// Waits until `n` requests have arrived in all; false when `deadline` passes before.
    pub async fn wait_for_requests(&self, n: usize, deadline: Instant) -> bool {
        let mut count = self.script.count.subscribe();
        tokio::time::timeout_at(deadline.into(), count.wait_for(|count| *count >= n))
            .await
            .is_ok()
    }

    /// The same for tests that are not async.
    #[must_use]
    pub fn wait_for_requests_blocking(&self, n: usize, deadline: Instant) -> bool {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .build()
            .unwrap();
        runtime.block_on(self.wait_for_requests(n, deadline))
    }

    /// Lets every answer go on that is held by [`Step::Stall`] or [`Step::Hang`] now.
    pub fn release(&self) {
        self.script.released.send_modify(|times| *times += 1);
    }
}

impl Drop for StubModel {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // A panic in there has already failed the request that caused it.
            thread.join().ok();
        }
    }
}

fn run(listener: std::net::TcpListener, script: Arc<Script>, stopped: oneshot::Receiver<()>) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let listener = tokio::net::TcpListener::from_std(listener).unwrap();
        let listener = listener.tap_io(|stream| stream.set_nodelay(true).unwrap_or_default());
        let app = axum::Router::new()
            .fallback(handle)
            .layer(DefaultBodyLimit::disable())
            .with_state(script);
        tokio::select! {
            served = axum::serve(listener, app) => served.unwrap(),
            // An answer that is held never ends, so there is nothing to wait for.
            _ = stopped => {}
        }
    });
    // Dropping the runtime drops every connection.
}

async fn handle(
    State(script): State<Arc<Script>>,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response<Body> {
    let Some(format) = Format::of_route(uri.path()) else {
        return answer::no_such_route();
    };
    let request: Value = serde_json::from_slice(&body).unwrap_or_default();
    // The step is taken before the count rises, so that whoever waits for the count finds it taken.
    let step = script.next_step(&request);
    // And whoever then calls `release` must find this request waiting for it.
    let held = script.release();
    script.record(&uri, &headers, &request);
    answer::to(&script, format, &request, step, held).await
}

#[cfg(test)]
mod tests;
