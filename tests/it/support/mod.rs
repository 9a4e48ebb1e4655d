//! What every contract's tests share: a server with known secrets, callers, tokens, streams.

pub(crate) mod api;
pub(crate) mod clock;
pub(crate) mod jwt;
pub(crate) mod process;
pub(crate) mod receiver;
pub(crate) mod sse;
pub(crate) mod wait;

pub(crate) use api::{Answer, Api, Caller, Json};
