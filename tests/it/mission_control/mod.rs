//! The Mission Control backend contract, sentence by sentence. `§` is that contract's section.

mod capabilities;
mod conformance;
mod credentials;
mod dispatch;
mod errors;
mod events;
mod heartbeat;
mod idempotency;
mod messages;
mod notifications;
mod openapi;
mod paging;
mod program;
mod routes;
mod strange;
mod tasks;
mod tenancy;
mod tool_requests;
mod tools;
mod world;

/// Whether the text is a time as RFC 3339 writes it, in UTC.
fn is_utc_time(text: &str) -> bool {
    text.ends_with('Z') && text.parse::<jiff::Timestamp>().is_ok()
}
