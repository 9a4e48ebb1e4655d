//! A server that answers what a test tells it to, and remembers what it was asked.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::Request;
use axum::http::{HeaderMap, Response};
use serde_json::{Value, json};

/// A request as it came.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    pub method: String,
    /// With its query, without `/api/v1`.
    pub path: String,
    pub headers: HeaderMap,
    pub body: Value,
}

impl Seen {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }
}

/// What to answer.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    status: u16,
    headers: Vec<(&'static str, String)>,
    body: String,
}

impl Answer {
    pub(crate) fn ok(body: Value) -> Self {
        Self::status(200, body)
    }

    pub(crate) fn status(status: u16, body: Value) -> Self {
        Self::raw(status, body.to_string())
    }

    pub(crate) fn raw(status: u16, body: impl Into<String>) -> Self {
        Self {
            status,
            headers: Vec::new(),
            body: body.into(),
        }
    }

    /// A refusal in the contract's envelope.
    pub(crate) fn refusal(status: u16, code: &str, details: Value) -> Self {
        let error =
            json!({"code": code, "message": "because", "details": details, "requestId": "req_1"});
        Self::status(status, json!({"error": error}))
    }

    pub(crate) fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }
}

pub(crate) struct Stub {
    pub address: SocketAddr,
    seen: Arc<Mutex<Vec<Seen>>>,
}

impl Stub {
    /// Answers each request with what `script` makes of it.
    pub(crate) fn start(script: impl Fn(&Seen) -> Answer + Send + Sync + 'static) -> Self {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let (kept, script) = (Arc::clone(&seen), Arc::new(script));
        let app = Router::new().fallback(move |request: Request| {
            let (kept, script) = (Arc::clone(&kept), Arc::clone(&script));
            async move {
                let (parts, body) = request.into_parts();
                let bytes = to_bytes(body, 8 * 1024 * 1024).await.unwrap();
                let whole = parts.uri.path_and_query().unwrap().as_str();
                let seen = Seen {
                    method: parts.method.to_string(),
                    path: whole.strip_prefix("/api/v1").unwrap_or(whole).to_owned(),
                    headers: parts.headers,
                    body: serde_json::from_slice(&bytes).unwrap_or(Value::Null),
                };
                kept.lock().unwrap().push(seen.clone());
                let answer = script(&seen);
                let mut response = Response::builder().status(answer.status);
                if !answer
                    .headers
                    .iter()
                    .any(|(name, _)| *name == "content-type")
                {
                    response = response.header("content-type", "application/json");
                }
                for (name, value) in answer.headers {
                    response = response.header(name, value);
                }
                response.body(Body::from(answer.body)).unwrap()
            }
        });
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            runtime.block_on(async {
                let listener = tokio::net::TcpListener::from_std(listener).unwrap();
                axum::serve(listener, app).await.unwrap();
            });
        });
        Self { address, seen }
    }

    /// Answers everything with the same.
    pub(crate) fn saying(answer: Answer) -> Self {
        Self::start(move |_| answer.clone())
    }

    /// Answers with each of these in turn, then with the last.
    pub(crate) fn in_turn(answers: Vec<Answer>) -> Self {
        let next = Mutex::new(0);
        Self::start(move |_| {
            let mut next = next.lock().unwrap();
            let answer = answers[(*next).min(answers.len() - 1)].clone();
            *next += 1;
            answer
        })
    }

    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }

    /// The one request that was made.
    #[track_caller]
    pub(crate) fn only(&self) -> Seen {
        let seen = self.seen();
        assert_eq!(seen.len(), 1, "{seen:#?}");
        seen[0].clone()
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }
}
