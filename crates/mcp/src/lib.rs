//! The MCP side of the OpenClaw contract (its section 15): one tool, `mission_control`, and tasks as resources.
//!
//! The tool turns an action into a request to the API and the reply into an answer a model can use. Who
//! carries the request is up to the [`Carrier`]: `mc mcp` sends it to a server, the server's own `/mcp` gives
//! it to its router. So both offer the same tool, and no rule of the API stands here a second time.
//!
//! * [`serve_stdio`] speaks MCP over standard input and output.
//! * [`http_service`] speaks it over streamable HTTP.
//!
//! Both speak every published version of the protocol, from 2024-11-05 to 2026-07-28.
//!
//! The other direction is [`Connection`]: a client of somebody else's server, a program or an address. It knows
//! nothing of what the tools are for.
//!
//! rmcp, the SDK underneath, breaks its API often, so none of its types leave this crate.

mod action;
mod carrier;
mod client;
mod conformance;
mod desk;
mod http_service;
mod reply;
mod resource;
mod schema;
mod server;
mod stdio;

pub use carrier::{ApiReply, ApiRequest, Caller, Carrier, CarrierError, Method};
pub use client::{Connection, Failure, Given, Reach, ServerTool};
pub use http_service::{HttpOptions, HttpService, http_service};
pub use server::Identity;
pub use stdio::{Error, StdioOptions, serve_connection, serve_stdio};
