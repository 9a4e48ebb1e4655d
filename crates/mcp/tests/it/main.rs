//! The MCP side over its real transports, with a scripted API behind it.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that cannot go on fails"
)]

mod actions;
mod http;
mod parameters;
mod protocol;
mod refusals;
mod resources;
mod schema;
mod support;
