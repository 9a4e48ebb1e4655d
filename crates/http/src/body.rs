//! Reading a request's body: bounded in size and time, always all of it or none. What nobody read
//! is thrown away before the answer goes out.

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::Body;
use axum::extract::Request;
use axum::http::header::EXPECT;
use axum::middleware::Next;
use axum::response::Response;
use bytes::Bytes;
use futures::StreamExt;
use hyper::body::{Body as _, Frame, SizeHint};
use serde_json::Value;
use stationmaster_kernel::{Error, Object};

/// How long a body may take to arrive.
const ARRIVAL: Duration = Duration::from_secs(30);
/// How much of a body that nobody wants is read and thrown away.
const DRAINED: usize = 32 << 20;

/// Why there is no body.
#[derive(Debug)]
pub enum BodyError {
    /// It is larger than this many bytes.
    TooLarge(usize),
    /// It did not arrive whole in time.
    Incomplete,
}

/// Reads the whole body, at most `limit` bytes.
///
/// # Errors
/// Too large, or not whole in time.
pub async fn read(body: Body, limit: usize) -> Result<Bytes, BodyError> {
    tokio::time::timeout(ARRIVAL, collect(body, limit))
        .await
        .unwrap_or(Err(BodyError::Incomplete))
}

async fn collect(body: Body, limit: usize) -> Result<Bytes, BodyError> {
    let mut chunks = body.into_data_stream();
    let mut whole = Vec::new();
    while let Some(chunk) = chunks.next().await {
        let chunk = chunk.map_err(|_| BodyError::Incomplete)?;
        if whole.len() + chunk.len() > limit {
            return Err(BodyError::TooLarge(limit));
        }
        whole.extend_from_slice(&chunk);
    }
    Ok(whole.into())
}

/// Reads what was left of the request's body, within bounds, before the answer is sent: a sender
/// that is cut off while it sends never gets to read why it was refused.
pub async fn drain(request: Request, next: Next) -> Response {
    // Whoever asks before it sends has sent nothing yet.
    if request.body().is_end_stream() || request.headers().contains_key(EXPECT) {
        return next.run(request).await;
    }
    let rest = Rest::default();
    let lent = request.map(|body| {
        Body::new(Lent {
            body: Some(body),
            rest: rest.clone(),
        })
    });
    let response = next.run(lent).await;
    let rest = rest.lock().unwrap_or_else(PoisonError::into_inner).take();
    if let Some(body) = rest {
        // A sender too slow or too lavish is cut off after all.
        let _ = tokio::time::timeout(ARRIVAL, discard(body)).await;
    }
    response
}

async fn discard(body: Body) {
    let mut chunks = body.into_data_stream();
    let mut length = 0;
    while let Some(Ok(chunk)) = chunks.next().await {
        length += chunk.len();
        if length > DRAINED {
            break;
        }
    }
}

/// Where a body goes that was not read to its end.
type Rest = Arc<Mutex<Option<Body>>>;

/// A body that goes back when it is dropped.
struct Lent {
    /// `None` once it has ended.
    body: Option<Body>,
    rest: Rest,
}

impl hyper::body::Body for Lent {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let Some(body) = &mut self.body else {
            return Poll::Ready(None);
        };
        let polled = Pin::new(body).poll_frame(cx);
        if matches!(polled, Poll::Ready(None | Some(Err(_)))) {
            self.body = None;
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body
            .as_ref()
            .is_none_or(hyper::body::Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.body
            .as_ref()
            .map_or_else(|| SizeHint::with_exact(0), hyper::body::Body::size_hint)
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        if let Some(body) = self.body.take().filter(|body| !body.is_end_stream()) {
            *self.rest.lock().unwrap_or_else(PoisonError::into_inner) = Some(body);
        }
    }
}

/// The JSON object that `bytes` hold; an empty body is an empty object.
///
/// # Errors
/// Not JSON (with the place), or not an object.
pub fn object(bytes: &[u8]) -> Result<Object, Error> {
    if bytes.iter().all(u8::is_ascii_whitespace) {
        return Ok(Object::new());
    }
    match serde_json::from_slice(bytes) {
        Ok(Value::Object(object)) => Ok(object),
        Ok(_) => Err(Error::invalid("", "the body must be a JSON object")),
        Err(error) => Err(
            Error::invalid("", format!("the body is not valid JSON: {error}"))
                .with_code("invalid_json"),
        ),
    }
}
