//! A small HTTP server on a thread of its own that can go away and come back at the same address.

use std::collections::HashMap;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::thread::JoinHandle;

use axum::Router;
use axum::body::Bytes;
use axum::http::{HeaderMap, Method, Uri};
use axum::response::{IntoResponse as _, Response};
use futures::future::BoxFuture;
use serde_json::Value;
use tokio::sync::oneshot;

/// A request, read.
#[derive(Debug, Clone)]
pub(super) struct Asked {
    pub method: String,
    /// `/a/b` without the query.
    pub path: String,
    pub query: HashMap<String, String>,
    headers: HeaderMap,
    /// Null when there is none, or none that is JSON.
    pub body: Value,
}

impl Asked {
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}

/// A status, a body, and perhaps `Retry-After`.
pub(super) type Reply = (u16, Value, Option<u64>);
pub(super) type Handler = Arc<dyn Fn(Asked) -> BoxFuture<'static, Reply> + Send + Sync>;

pub(super) struct Site {
    address: SocketAddr,
    handler: Handler,
    running: Option<(oneshot::Sender<()>, JoinHandle<()>)>,
}

impl Site {
    /// A server on a free port.
    pub(super) fn start(handler: Handler) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut site = Self {
            address: listener.local_addr().unwrap(),
            handler,
            running: None,
        };
        site.serve(listener);
        site
    }

    pub(super) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Goes away: connections break, and new ones are refused.
    pub(super) fn go(&mut self) {
        if let Some((stop, thread)) = self.running.take() {
            drop(stop);
            thread.join().unwrap();
        }
    }

    /// Comes back at the same address.
    pub(super) fn come_back(&mut self) {
        let listener = TcpListener::bind(self.address).unwrap();
        self.serve(listener);
    }

    fn serve(&mut self, listener: TcpListener) {
        listener.set_nonblocking(true).unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        let handler = self.handler.clone();
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            runtime.block_on(async {
                let listener = tokio::net::TcpListener::from_std(listener).unwrap();
                let app = Router::new().fallback(move |method, uri, headers, body| {
                    answer(handler.clone(), method, uri, headers, body)
                });
                tokio::select! {
                    served = axum::serve(listener, app) => served.unwrap(),
                    _ = stopped => {}
                }
            });
        });
        self.running = Some((stop, thread));
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        self.go();
    }
}

async fn answer(
    handler: Handler,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let url = reqwest::Url::parse(&format!("http://site{uri}")).unwrap();
    let asked = Asked {
        method: method.to_string(),
        path: url.path().to_owned(),
        query: url.query_pairs().into_owned().collect(),
        headers,
        body: serde_json::from_slice(&body).unwrap_or_default(),
    };
    let (status, body, retry_after) = handler(asked).await;
    let status = axum::http::StatusCode::from_u16(status).unwrap();
    let mut response = (status, axum::Json(body)).into_response();
    if let Some(seconds) = retry_after {
        response.headers_mut().insert("retry-after", seconds.into());
    }
    response
}
