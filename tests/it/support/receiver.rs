//! Somebody who is told what happens.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;

/// Something out there that is told what happens.
#[derive(Clone, Default)]
pub(crate) struct Receiver {
    heard: Arc<Mutex<Vec<(HeaderMap, Bytes)>>>,
    /// What it answers, in turn; 200 when nothing is left.
    answers: Arc<Mutex<VecDeque<u16>>>,
}

impl Receiver {
    /// One that answers these in turn, and its address.
    pub(crate) async fn start(answers: &[u16]) -> (Self, String) {
        let receiver = Self {
            answers: Arc::new(Mutex::new(answers.iter().copied().collect())),
            ..Self::default()
        };
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
            .await
            .expect("a port");
        let address = listener.local_addr().expect("an address");
        #[expect(
            clippy::disallowed_methods,
            reason = "a stand-in for somebody else's program"
        )]
        let router = Router::new()
            .route("/hook", post(hear))
            .with_state(receiver.clone());
        #[expect(clippy::disallowed_methods, reason = "it ends with the test")]
        tokio::spawn(async move { axum::serve(listener, router).await });
        (receiver, format!("http://{address}/hook"))
    }

    pub(crate) fn heard(&self) -> Vec<(HeaderMap, Bytes)> {
        self.heard.lock().unwrap().clone()
    }
}

async fn hear(State(receiver): State<Receiver>, headers: HeaderMap, body: Bytes) -> StatusCode {
    receiver.heard.lock().unwrap().push((headers, body));
    let answer = receiver.answers.lock().unwrap().pop_front().unwrap_or(200);
    StatusCode::from_u16(answer).expect("a status")
}
