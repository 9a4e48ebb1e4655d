//! Large language models behind small types of our own.
//!
//! The one crate that knows a model provider's wire format. It knows nothing of tasks, agents or
//! budgets: a caller hands a [`Client`] a [`Request`] and gets a [`Reply`] or an [`Error`] that
//! says whether trying again can help. A reply with no text and no tool call never leaves this
//! crate as a success: it is [`ErrorKind::Empty`]. No error ever carries the API key.
//!
//! A call passes the [client](Client) (which model, and which after it), the retries of one model, a
//! wire format (`wire`) and the HTTP exchange; the `demo` provider takes the place of the last
//! three. To add a provider, add a variant to [`Provider`] and, if it has a format of its own, one to
//! `Wire` and a file to `wire/`; the compiler then names the `match`es that want an arm.
//!
//! # Why the two wire formats are ours
//!
//! genai 0.7.2 was read for this job and left out, because of what it cannot be told:
//! - it reads a response with `text().await`, so the size of a body has no bound;
//! - one tool call whose arguments are not JSON, or that lacks an id, fails the whole reply, where
//!   the model only needs to be told;
//! - OpenAI's `refusal` field is not read, so a refusal looks like an empty answer, unless one parses
//!   the captured body again oneself;
//! - a 200 whose content type is not exactly JSON is an error, which some local servers send;
//! - it brings 47 crates to the 111 that this one builds on, and turns on tokio's `test-util` for the
//!   whole program.
//!
//! What it would have saved is the two files in `wire/`.

mod client;
mod config;
mod demo;
mod endpoint;
mod exchange;
mod failure;
mod listener;
mod names;
mod plain;
mod prices;
mod provider;
mod retry;
mod sse;
mod types;
mod window;
mod wire;

pub use client::Client;
pub use config::{Config, ConfigError, Retry};
pub use demo::MODEL as DEMO_MODEL;
pub use listener::Listener;
pub use prices::{Cost, PriceError, Prices};
pub use provider::Provider;
pub use types::{
    Error, ErrorKind, Message, Reply, Request, Schema, Stop, ToolCall, ToolSpec, Usage,
};
pub use window::context_window;
