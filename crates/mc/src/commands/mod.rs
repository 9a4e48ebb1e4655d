//! The commands, a file each noun: its options, the requests it makes, how replies look.

pub(crate) mod agent;
pub(crate) mod alert;
pub(crate) mod approval;
pub(crate) mod completions;
pub(crate) mod doctor;
pub(crate) mod heartbeat;
pub(crate) mod mcp;
pub(crate) mod notification;
pub(crate) mod operator;
pub(crate) mod policy;
pub(crate) mod run;
pub(crate) mod status;
pub(crate) mod task;
pub(crate) mod timeline;
pub(crate) mod tool_call;
pub(crate) mod webhook;
