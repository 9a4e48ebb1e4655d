//! The nouns of a crew at work and every rule about them.
//!
//! A rule is a plain synchronous function over [`Tx`]: it reads, decides, writes and appends the
//! [`Event`](event::Event)s that say what happened, all in one transaction. It has no effect but
//! through its transaction and may therefore be run again after a conflict.
//!
//! What is absent on purpose: HTTP, SQL, the wire words of any contract, anything async, the
//! system clock and random numbers (they come through [`Tx`], so that tests are exact).
//!
//! To add a noun: a file here with its type, its storage trait (a supertrait of [`Tx`]) and its
//! rules; the same file name in `store` with the SQL; a migration; and the same file name again in
//! every surface that shows it.

pub mod agent;
pub mod alert;
pub mod approval;
pub mod budget;
pub mod cost;
pub mod document;
pub mod error;
pub mod event;
pub mod grant;
pub mod heartbeat;
pub mod idempotency;
pub mod ids;
pub mod kind;
pub mod lease;
pub mod loops;
pub mod message;
pub mod money;
pub mod notification;
pub mod operator;
pub mod page;
pub mod policy;
pub mod principal;
pub mod run;
pub mod standup;
pub mod state;
pub mod stats;
pub mod store;
pub mod subscription;
pub mod task;
pub mod tenant;
pub mod text;
pub mod time;
pub mod token;
pub mod tool_call;
pub mod transition;
pub mod webhook;

pub use error::{Error, Kind, Result};
pub use ids::{
    AgentId, AlertId, ApprovalId, DeliveryId, DocumentId, EventId, GrantId, Handle, MessageId,
    NotificationId, RunId, TaskId, TenantId, TokenId, ToolCallId, TransitionId, WebhookId,
};
pub use money::MicroUsd;
pub use page::{List, Page, Position};
pub use principal::{Principal, Right, Role};
pub use store::{Store, Tx, Work};
pub use time::Timestamp;

/// A JSON object that somebody else gave us to keep: stored and returned as it came, member order
/// included.
pub type Object = serde_json::Map<String, serde_json::Value>;
