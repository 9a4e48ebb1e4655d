//! What the server was told to do, and what it was asked.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Instant;

use axum::http::{HeaderMap, Uri};
use serde_json::Value;
use tokio::sync::watch;

use super::saying::Saying;
use super::step::Step;

/// One request as it arrived.
#[derive(Debug, Clone)]
pub struct Recorded {
    pub path: String,
    /// The body; null when it was not JSON.
    pub body: Value,
    pub authorization: Option<String>,
    /// The `x-api-key` header.
    pub api_key: Option<String>,
    pub at: Instant,
}

pub(super) type Answer = Arc<dyn Fn(&Value) -> Step + Send + Sync>;

pub(super) struct Script {
    pub(super) steps: Mutex<VecDeque<Step>>,
    pub(super) answer: Mutex<Answer>,
    pub(super) recorded: Mutex<Vec<Recorded>>,
    pub(super) recording: AtomicBool,
    /// How many requests arrived.
    pub(super) count: watch::Sender<usize>,
    /// How often `release` was called.
    pub(super) released: watch::Sender<u64>,
    pub(super) prompt_tokens: AtomicU64,
    pub(super) completion_tokens: AtomicU64,
    /// Numbers answers and tool calls.
    next_id: AtomicU64,
}

impl std::fmt::Debug for Script {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Script")
            .field("requests", &*self.count.borrow())
            .finish_non_exhaustive()
    }
}

impl Script {
    pub(super) fn new() -> Self {
        Self {
            steps: Mutex::default(),
            answer: Mutex::new(Arc::new(|_| Step::Echo)),
            recorded: Mutex::default(),
            recording: AtomicBool::new(true),
            count: watch::Sender::new(0),
            released: watch::Sender::new(0),
            prompt_tokens: AtomicU64::new(200),
            completion_tokens: AtomicU64::new(50),
            next_id: AtomicU64::new(1),
        }
    }

    pub(super) fn next_step(&self, request: &Value) -> Step {
        if let Some(step) = lock(&self.steps).pop_front() {
            return step;
        }
        let answer = Arc::clone(&lock(&self.answer));
        answer(request)
    }

    pub(super) fn record(&self, uri: &Uri, headers: &HeaderMap, request: &Value) {
        let text = |name: &str| Some(headers.get(name)?.to_str().ok()?.to_owned());
        if self.recording.load(Ordering::Relaxed) {
            lock(&self.recorded).push(Recorded {
                path: uri.path().to_owned(),
                body: request.clone(),
                authorization: text("authorization"),
                api_key: text("x-api-key"),
                at: Instant::now(),
            });
        }
        self.count.send_modify(|count| *count += 1);
    }

    fn id(&self) -> u64 {
        self.next_id.fetch_add(1, Ordering::Relaxed)
    }

    /// Waits for the next `release` after the call, even if the future is polled later.
    pub(super) fn release(&self) -> impl Future<Output = ()> + Send + 'static {
        let mut released = self.released.subscribe();
        async move { released.changed().await.unwrap_or_default() }
    }

    pub(super) fn say(
        &self,
        request: &Value,
        text: Option<String>,
        tools: Vec<(String, Value)>,
    ) -> Saying {
        Saying {
            id: self.id(),
            model: request["model"].as_str().unwrap_or("stub").to_owned(),
            text,
            refusal: None,
            tools: tools
                .into_iter()
                .map(|(name, arguments)| (self.id(), name, arguments))
                .collect(),
            prompt_tokens: self.prompt_tokens.load(Ordering::Relaxed),
            completion_tokens: self.completion_tokens.load(Ordering::Relaxed),
        }
    }
}

/// A test that panicked while it held a lock should report that panic, not this one.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner)
}
