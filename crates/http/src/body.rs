//! Reading a request's body: bounded in size and time, always all of it or none.

use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use futures::StreamExt;
use serde_json::Value;
use stationmaster_kernel::{Error, Object};

/// How long a body may take to arrive.
const ARRIVAL: Duration = Duration::from_secs(30);
/// How much of a body that is too large is read and thrown away, so that its sender gets to read
/// the answer instead of a broken connection.
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
    let mut length = 0usize;
    while let Some(chunk) = chunks.next().await {
        let chunk = chunk.map_err(|_| BodyError::Incomplete)?;
        length += chunk.len();
        if length <= limit {
            whole.extend_from_slice(&chunk);
        } else if length > limit + DRAINED {
            break;
        }
    }
    if length > limit {
        Err(BodyError::TooLarge(limit))
    } else {
        Ok(whole.into())
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
