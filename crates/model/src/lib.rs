//! Large language models behind small types of our own.
//!
//! The one crate that knows a model provider's library or wire format. It knows nothing of tasks,
//! agents or budgets: a caller hands it a [`Request`] and gets a [`Reply`] or an [`Error`] that
//! says whether trying again can help. A reply with no text and no tool call never leaves this
//! crate as a success: it is [`ErrorKind::Empty`].

mod types;

pub use types::{Error, ErrorKind, Message, Reply, Request, Stop, ToolCall, ToolSpec, Usage};
