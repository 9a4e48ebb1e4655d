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

use std::collections::VecDeque;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use axum::body::{Body, Bytes};
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{HeaderMap, Response, StatusCode, Uri, header};
use axum::serve::ListenerExt;
use futures::StreamExt;
use futures::stream;
use serde_json::{Value, json};
use tokio::sync::{oneshot, watch};

/// What to do with one request.
#[derive(Debug, Clone)]
pub enum Step {
    /// Says this.
    Text(String),
    /// Says the last user message.
    Echo,
    /// Calls these tools: name and arguments. Arguments that are a JSON string go out as they are,
    /// so they need not be JSON themselves.
    Tools(Vec<(String, Value)>),
    /// Says something and calls tools.
    TextAndTools(String, Vec<(String, Value)>),
    /// Answers with an error status. A body of null becomes the provider's usual error object.
    Status {
        code: u16,
        retry_after: Option<u64>,
        body: Value,
    },
    /// 200 with neither text nor tool calls.
    Empty,
    /// Declines, with these words.
    Refusal(String),
    /// 200 with a body that is not JSON.
    Garbage,
    /// 200 with exactly this body.
    Json(Value),
    /// Sends the headers and a part of the body, and the rest only after [`StubModel::release`].
    Stall,
    /// Accepts the request and answers it only after [`StubModel::release`].
    Hang,
    /// Takes this step after a while.
    Delay(Duration, Box<Step>),
}

impl Step {
    #[must_use]
    pub fn text(text: impl Into<String>) -> Self {
        Self::Text(text.into())
    }

    /// One call of one tool.
    #[must_use]
    pub fn tool(name: impl Into<String>, arguments: Value) -> Self {
        Self::Tools(vec![(name.into(), arguments)])
    }

    /// An error status with the provider's usual error object.
    #[must_use]
    pub fn status(code: u16) -> Self {
        Self::Status {
            code,
            retry_after: None,
            body: Value::Null,
        }
    }

    /// 429 with a `Retry-After` in seconds.
    #[must_use]
    pub fn rate_limited(retry_after: u64) -> Self {
        Self::Status {
            code: 429,
            retry_after: Some(retry_after),
            body: Value::Null,
        }
    }
}

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

/// The server. Dropping it closes every connection.
#[derive(Debug)]
pub struct StubModel {
    address: SocketAddr,
    script: Arc<Script>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

type Answer = Arc<dyn Fn(&Value) -> Step + Send + Sync>;

struct Script {
    steps: Mutex<VecDeque<Step>>,
    answer: Mutex<Answer>,
    recorded: Mutex<Vec<Recorded>>,
    recording: AtomicBool,
    /// How many requests arrived.
    count: watch::Sender<usize>,
    /// How often `release` was called.
    released: watch::Sender<u64>,
    prompt_tokens: AtomicU64,
    completion_tokens: AtomicU64,
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

impl StubModel {
    /// Starts a server on a free port of 127.0.0.1; it listens when this returns.
    #[must_use]
    pub fn start() -> Self {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap();
        let script = Arc::new(Script {
            steps: Mutex::default(),
            answer: Mutex::new(Arc::new(|_| Step::Echo)),
            recorded: Mutex::default(),
            recording: AtomicBool::new(true),
            count: watch::Sender::new(0),
            released: watch::Sender::new(0),
            prompt_tokens: AtomicU64::new(200),
            completion_tokens: AtomicU64::new(50),
            next_id: AtomicU64::new(1),
        });
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

/// A test that panicked while it held a lock should report that panic, not this one.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner)
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
    let format = match uri.path() {
        "/v1/chat/completions" | "/chat/completions" => Format::OpenAi,
        "/v1/messages" | "/messages" => Format::Anthropic,
        _ => return plain(StatusCode::NOT_FOUND, "no such route"),
    };
    let request: Value = serde_json::from_slice(&body).unwrap_or_default();
    // The step is taken before the count rises, so that whoever waits for the count finds it taken.
    let step = script.next_step(&request);
    // And whoever then calls `release` must find this request waiting for it.
    let held = script.release();
    script.record(&uri, &headers, &request);
    answer(&script, format, &request, step, held).await
}

impl Script {
    fn next_step(&self, request: &Value) -> Step {
        if let Some(step) = lock(&self.steps).pop_front() {
            return step;
        }
        let answer = Arc::clone(&lock(&self.answer));
        answer(request)
    }

    fn record(&self, uri: &Uri, headers: &HeaderMap, request: &Value) {
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
    fn release(&self) -> impl Future<Output = ()> + Send + 'static {
        let mut released = self.released.subscribe();
        async move { released.changed().await.unwrap_or_default() }
    }

    fn say(&self, request: &Value, text: Option<String>, tools: Vec<(String, Value)>) -> Saying {
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

async fn answer(
    script: &Script,
    format: Format,
    request: &Value,
    mut step: Step,
    held: impl Future<Output = ()> + Send + 'static,
) -> Response<Body> {
    while let Step::Delay(pause, next) = step {
        tokio::time::sleep(pause).await;
        step = *next;
    }
    let saying = match step {
        Step::Status {
            code,
            retry_after,
            body,
        } => return status(format, code, retry_after, body),
        Step::Garbage => return json_bytes("{\"choices\": [ this is not JSON"),
        Step::Json(body) => return json_bytes(body.to_string()),
        Step::Text(text) => script.say(request, Some(text), Vec::new()),
        Step::Tools(tools) => script.say(request, None, tools),
        Step::TextAndTools(text, tools) => script.say(request, Some(text), tools),
        Step::Empty => script.say(request, None, Vec::new()),
        Step::Refusal(words) => Saying {
            refusal: Some(words),
            ..script.say(request, None, Vec::new())
        },
        Step::Echo => script.say(request, Some(last_user_text(request)), Vec::new()),
        Step::Hang => {
            held.await;
            script.say(request, Some(last_user_text(request)), Vec::new())
        }
        Step::Stall => {
            let saying = script.say(request, Some(last_user_text(request)), Vec::new());
            return stalled(&saying, format, is_stream(request), held);
        }
        Step::Delay(..) => unreachable!("the loop above took every delay"),
    };
    if is_stream(request) {
        return event_stream(Body::from(saying.events(format).concat()));
    }
    json_bytes(saying.whole(format).to_string())
}

fn is_stream(request: &Value) -> bool {
    request["stream"] == true
}

/// The last thing the user said, in either format.
fn last_user_text(request: &Value) -> String {
    let messages = request["messages"]
        .as_array()
        .map(Vec::as_slice)
        .unwrap_or_default();
    let of_user = messages
        .iter()
        .rev()
        .filter(|message| message["role"] == "user");
    of_user
        .map(|message| text_of(&message["content"]))
        .find(|text| !text.is_empty())
        .unwrap_or_default()
}

fn text_of(content: &Value) -> String {
    match content {
        Value::String(text) => text.clone(),
        Value::Array(blocks) => blocks
            .iter()
            .filter_map(|block| block["text"].as_str())
            .collect(),
        _ => String::new(),
    }
}

fn plain(status: StatusCode, text: &'static str) -> Response<Body> {
    let mut response = Response::new(Body::from(text));
    *response.status_mut() = status;
    response
}

fn typed(content_type: &'static str, body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    response.headers_mut().insert(
        header::CONTENT_TYPE,
        header::HeaderValue::from_static(content_type),
    );
    response
}

fn json_bytes(body: impl Into<Body>) -> Response<Body> {
    typed("application/json", body.into())
}

fn event_stream(body: Body) -> Response<Body> {
    typed("text/event-stream", body)
}

fn status(format: Format, code: u16, retry_after: Option<u64>, body: Value) -> Response<Body> {
    let message = format!("the stub was told to answer {code}");
    let body = match (body, format) {
        (Value::Null, Format::OpenAi) => {
            json!({"error": {"message": message, "type": "stub_error", "param": null, "code": null}})
        }
        (Value::Null, Format::Anthropic) => {
            json!({"type": "error", "error": {"type": "stub_error", "message": message}})
        }
        (body, _) => body,
    };
    let mut response = json_bytes(body.to_string());
    *response.status_mut() = StatusCode::from_u16(code).unwrap();
    if let Some(seconds) = retry_after {
        response
            .headers_mut()
            .insert(header::RETRY_AFTER, seconds.into());
    }
    response
}

/// The first part of an answer now, the rest when released.
fn stalled(
    saying: &Saying,
    format: Format,
    stream: bool,
    held: impl Future<Output = ()> + Send + 'static,
) -> Response<Body> {
    let (first, rest) = if stream {
        let mut events = saying.events(format);
        let rest = events.split_off(1);
        (events.concat(), rest.concat())
    } else {
        let mut whole = saying.whole(format).to_string();
        let rest = whole.split_off(whole.find('{').unwrap_or_default() + 1);
        (whole, rest)
    };
    let rest = stream::once(async move {
        held.await;
        Ok::<_, Infallible>(rest)
    });
    let body = Body::from_stream(stream::once(async { Ok(first) }).chain(rest));
    if stream {
        event_stream(body)
    } else {
        json_bytes(body)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Format {
    OpenAi,
    Anthropic,
}

/// An answer before it is put into a format.
struct Saying {
    id: u64,
    model: String,
    text: Option<String>,
    refusal: Option<String>,
    /// Number, name and arguments of each call.
    tools: Vec<(u64, String, Value)>,
    prompt_tokens: u64,
    completion_tokens: u64,
}

impl Saying {
    fn whole(&self, format: Format) -> Value {
        match format {
            Format::OpenAi => self.completion(),
            Format::Anthropic => self.message(),
        }
    }

    fn events(&self, format: Format) -> Vec<String> {
        match format {
            Format::OpenAi => self.chunks(),
            Format::Anthropic => self.message_events(),
        }
    }

    /// Text in pieces, cut at spaces, as streams bring it.
    fn pieces(text: &str) -> impl Iterator<Item = &str> {
        text.split_inclusive(' ')
    }

    // OpenAI

    fn completion(&self) -> Value {
        let mut message =
            json!({"role": "assistant", "content": self.text, "refusal": self.refusal});
        if !self.tools.is_empty() {
            message["tool_calls"] = self.tools.iter().map(openai_call).collect();
        }
        json!({
            "id": format!("chatcmpl-{}", self.id),
            "object": "chat.completion",
            "created": 1_700_000_000,
            "model": self.model,
            "choices": [{"index": 0, "message": message, "logprobs": null, "finish_reason": self.finish_reason()}],
            "usage": self.openai_usage(),
        })
    }

    fn finish_reason(&self) -> &'static str {
        if self.tools.is_empty() {
            "stop"
        } else {
            "tool_calls"
        }
    }

    fn openai_usage(&self) -> Value {
        json!({
            "prompt_tokens": self.prompt_tokens,
            "completion_tokens": self.completion_tokens,
            "total_tokens": self.prompt_tokens + self.completion_tokens,
            "prompt_tokens_details": {"cached_tokens": 0},
            "completion_tokens_details": {"reasoning_tokens": 0},
        })
    }

    fn chunks(&self) -> Vec<String> {
        let chunk = |choices: Value, usage: Value| {
            let chunk = json!({
                "id": format!("chatcmpl-{}", self.id),
                "object": "chat.completion.chunk",
                "created": 1_700_000_000,
                "model": self.model,
                "choices": choices,
                "usage": usage,
            });
            format!("data: {chunk}\n\n")
        };
        let delta = |delta: Value| {
            chunk(
                json!([{"index": 0, "delta": delta, "finish_reason": null}]),
                Value::Null,
            )
        };

        let mut chunks = vec![delta(json!({"role": "assistant", "content": ""}))];
        let text = self.text.as_deref().unwrap_or_default();
        chunks.extend(Self::pieces(text).map(|piece| delta(json!({"content": piece}))));
        chunks.extend(
            self.refusal
                .iter()
                .map(|words| delta(json!({"refusal": words}))),
        );
        for (index, call) in self.tools.iter().enumerate() {
            let mut call = openai_call(call);
            call["index"] = json!(index);
            let arguments = call["function"]["arguments"].take();
            call["function"]["arguments"] = json!("");
            chunks.push(delta(json!({"tool_calls": [call]})));
            chunks.push(delta(
                json!({"tool_calls": [{"index": index, "function": {"arguments": arguments}}]}),
            ));
        }
        let end = json!([{"index": 0, "delta": {}, "finish_reason": self.finish_reason()}]);
        chunks.push(chunk(end, Value::Null));
        chunks.push(chunk(json!([]), self.openai_usage()));
        chunks.push("data: [DONE]\n\n".to_owned());
        chunks
    }

    // Anthropic

    fn message(&self) -> Value {
        json!({
            "id": format!("msg_{}", self.id),
            "type": "message",
            "role": "assistant",
            "model": self.model,
            "content": self.blocks(),
            "stop_reason": self.stop_reason(),
            "stop_sequence": null,
            "usage": {
                "input_tokens": self.prompt_tokens,
                "cache_creation_input_tokens": 0,
                "cache_read_input_tokens": 0,
                "output_tokens": self.completion_tokens,
            },
        })
    }

    fn stop_reason(&self) -> &'static str {
        match (&self.refusal, self.tools.is_empty()) {
            (Some(_), _) => "refusal",
            (None, false) => "tool_use",
            (None, true) => "end_turn",
        }
    }

    fn blocks(&self) -> Vec<Value> {
        let words = self
            .text
            .iter()
            .chain(&self.refusal)
            .map(|text| json!({"type": "text", "text": text}));
        let calls = self.tools.iter().map(|(number, name, arguments)| {
            json!({"type": "tool_use", "id": format!("toolu_{number}"), "name": name, "input": arguments})
        });
        words.chain(calls).collect()
    }

    fn message_events(&self) -> Vec<String> {
        let event = |body: Value| {
            format!(
                "event: {}\ndata: {body}\n\n",
                body["type"].as_str().unwrap_or_default()
            )
        };
        let mut start = self.message();
        start["content"] = json!([]);
        start["stop_reason"] = Value::Null;
        start["usage"]["output_tokens"] = json!(1);

        let mut events = vec![event(json!({"type": "message_start", "message": start}))];
        for (index, mut block) in self.blocks().into_iter().enumerate() {
            let deltas: Vec<Value> = match block["text"].take() {
                Value::String(text) => {
                    block["text"] = json!("");
                    Self::pieces(&text)
                        .map(|piece| json!({"type": "text_delta", "text": piece}))
                        .collect()
                }
                _ => {
                    block.as_object_mut().unwrap().remove("text");
                    let input = std::mem::replace(&mut block["input"], json!({}));
                    vec![json!({"type": "input_json_delta", "partial_json": raw(&input)})]
                }
            };
            events.push(event(
                json!({"type": "content_block_start", "index": index, "content_block": block}),
            ));
            let deltas = deltas.into_iter();
            events.extend(deltas.map(|delta| {
                event(json!({"type": "content_block_delta", "index": index, "delta": delta}))
            }));
            events.push(event(json!({"type": "content_block_stop", "index": index})));
        }
        let delta = json!({"stop_reason": self.stop_reason(), "stop_sequence": null});
        let usage = json!({"output_tokens": self.completion_tokens});
        events.push(event(
            json!({"type": "message_delta", "delta": delta, "usage": usage}),
        ));
        events.push(event(json!({"type": "message_stop"})));
        events
    }
}

fn openai_call((number, name, arguments): &(u64, String, Value)) -> Value {
    let function = json!({"name": name, "arguments": raw(arguments)});
    json!({"id": format!("call_{number}"), "type": "function", "function": function})
}

/// Arguments as text: JSON, or a string as it is.
fn raw(arguments: &Value) -> String {
    arguments
        .as_str()
        .map_or_else(|| arguments.to_string(), str::to_owned)
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::TcpStream;

    use super::*;

    fn soon() -> Instant {
        Instant::now() + Duration::from_secs(20)
    }

    /// Sends a request; HTTP/1.0 makes the end of the connection the end of the body.
    fn send(stub: &StubModel, path: &str, body: &Value) -> TcpStream {
        let mut stream = TcpStream::connect(stub.address).unwrap();
        let body = body.to_string();
        write!(
            stream,
            "POST {path} HTTP/1.0\r\nx-api-key: k\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        )
        .unwrap();
        stream
    }

    /// Status line and body of the answer.
    fn receive(mut stream: TcpStream) -> (String, String) {
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        (head.lines().next().unwrap().to_owned(), body.to_owned())
    }

    fn ask(stub: &StubModel, path: &str, body: &Value) -> (String, String) {
        receive(send(stub, path, body))
    }

    fn user_says(text: &str, stream: bool) -> Value {
        json!({"model": "m", "stream": stream, "messages": [{"role": "user", "content": text}]})
    }

    /// The `data` of every event.
    fn events(body: &str) -> Vec<Value> {
        body.lines()
            .filter_map(|line| line.strip_prefix("data: "))
            .filter(|data| *data != "[DONE]")
            .map(|data| serde_json::from_str(data).unwrap())
            .collect()
    }

    fn joined(events: &[Value], pointer: &str) -> String {
        events
            .iter()
            .filter_map(|event| event.pointer(pointer)?.as_str())
            .collect()
    }

    #[test]
    fn the_queue_goes_first_and_then_the_closure() {
        let stub = StubModel::start();
        stub.push(Step::status(503));
        stub.answer_with(|request| Step::text(format!("for {}", request["model"])));
        let request = user_says("Hi", false);
        assert!(
            ask(&stub, "/v1/chat/completions", &request)
                .0
                .contains("503")
        );
        assert!(
            ask(&stub, "/chat/completions", &request)
                .1
                .contains(r#""content":"for \"m\"""#)
        );
        assert_eq!((stub.request_count(), stub.steps_left()), (2, 0));
        let recorded = stub.requests().remove(1);
        assert_eq!(
            (recorded.path.as_str(), recorded.api_key.as_deref()),
            ("/chat/completions", Some("k"))
        );
        assert_eq!(recorded.body, request);
    }

    #[test]
    fn unknown_routes_are_not_requests() {
        let stub = StubModel::start();
        assert!(ask(&stub, "/v1/responses", &json!({})).0.contains("404"));
        assert_eq!(stub.request_count(), 0);
    }

    #[test]
    fn openai_streams_text_and_tool_calls() {
        let stub = StubModel::start();
        stub.push(Step::TextAndTools(
            "Let me look.".to_owned(),
            vec![("t".to_owned(), json!({"a": 1}))],
        ));
        let (_, body) = ask(&stub, "/v1/chat/completions", &user_says("Hi", true));
        let events = events(&body);
        assert!(body.ends_with("data: [DONE]\n\n"));
        assert_eq!(joined(&events, "/choices/0/delta/content"), "Let me look.");
        assert_eq!(
            joined(&events, "/choices/0/delta/tool_calls/0/function/arguments"),
            r#"{"a":1}"#
        );
        assert_eq!(joined(&events, "/choices/0/finish_reason"), "tool_calls");
        assert_eq!(events.last().unwrap()["usage"]["total_tokens"], 250);
    }

    #[test]
    fn anthropic_streams_text_and_tool_calls() {
        let stub = StubModel::start();
        stub.set_usage(7, 3);
        stub.push(Step::TextAndTools(
            "Let me look.".to_owned(),
            vec![("t".to_owned(), json!({"a": 1}))],
        ));
        let (_, body) = ask(&stub, "/v1/messages", &user_says("Hi", true));
        let events = events(&body);
        assert_eq!(joined(&events, "/delta/text"), "Let me look.");
        assert_eq!(joined(&events, "/delta/partial_json"), r#"{"a":1}"#);
        assert_eq!(joined(&events, "/delta/stop_reason"), "tool_use");
        assert_eq!(events[0]["message"]["usage"]["input_tokens"], 7);
        assert_eq!(joined(&events[events.len() - 1..], "/type"), "message_stop");
    }

    #[test]
    fn a_stalled_or_hanging_answer_comes_when_released() {
        let stub = StubModel::start();
        stub.push_all([Step::Stall, Step::Hang, Step::Stall]);
        let held = [
            send(&stub, "/v1/chat/completions", &user_says("One two", false)),
            send(&stub, "/v1/messages", &user_says("One two", false)),
            send(&stub, "/v1/messages", &user_says("One two", true)),
        ];
        assert!(stub.wait_for_requests_blocking(3, soon()));
        stub.release();
        for stream in held {
            let (status, body) = receive(stream);
            assert!(
                status.contains("200") && body.contains("One ") && body.contains("two"),
                "{body}"
            );
        }
    }

    #[test]
    fn a_delayed_step_is_taken_in_the_end() {
        let stub = StubModel::start();
        stub.always(Step::Delay(
            Duration::from_millis(5),
            Box::new(Step::Refusal("No.".to_owned())),
        ));
        let (_, body) = ask(&stub, "/v1/messages", &user_says("Hi", false));
        assert!(body.contains(r#""stop_reason":"refusal""#), "{body}");
    }

    #[test]
    fn dropping_the_server_ends_what_it_holds() {
        let stub = StubModel::start();
        stub.push(Step::Hang);
        let mut stream = send(&stub, "/v1/messages", &user_says("Hi", false));
        assert!(stub.wait_for_requests_blocking(1, soon()));
        assert!(!stub.wait_for_requests_blocking(2, Instant::now()));
        drop(stub);
        let mut answer = Vec::new();
        // A closed or a reset connection, whichever the system makes of it.
        stream.read_to_end(&mut answer).ok();
        assert_eq!(answer, b"");
    }
}
