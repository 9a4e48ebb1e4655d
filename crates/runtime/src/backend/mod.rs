//! What a turn needs from the place where tasks, messages and documents are kept.
//!
//! The port is the agent's view of a Mission Control backend in the runtime's own words. There are
//! two kinds behind it: [`HttpBackend`] for somebody else's, and the local kernel. Whoever
//! implements it keeps these promises, because nothing above checks them again:
//!
//! - every call acts as the [`AgentIdentity`] it is given, and sees that tenant alone;
//! - a create with a key that was used before for the same thing gives the first result and
//!   writes nothing; with something else it is a [`Conflict`](BackendErrorKind::Conflict);
//! - every call ends: the implementation bounds its own waiting.

mod error;
mod http;
mod nouns;

use async_trait::async_trait;
use serde_json::Value;
use stationmaster_model::ToolSpec;

use crate::AgentIdentity;

pub use error::{BackendError, BackendErrorKind};
pub use http::{HttpBackend, TokenMinter};
pub use nouns::{
    DocumentRef, ExtraCall, MessageRef, NewDocument, NewMessage, NewTask, NewThread,
    NewToolRequest, NotificationFilter, NotificationRef, TaskChange, TaskChoice, TaskFilter,
    TaskRef, ToolRequestRef,
};

pub type BackendResult<T> = Result<T, BackendError>;

/// The agent's side of a Mission Control backend.
#[async_trait]
pub trait Backend: Send + Sync {
    /// The task that a turn belongs to (agent-runtime §4). A thread is found by its exact title,
    /// whatever its status, and otherwise created: turns that ask for one title at the same time
    /// get the same task.
    async fn open_task(&self, who: &AgentIdentity, choice: &TaskChoice) -> BackendResult<TaskRef>;

    /// Newest first, at most `filter.limit`.
    async fn list_tasks(
        &self,
        who: &AgentIdentity,
        filter: &TaskFilter,
    ) -> BackendResult<Vec<TaskRef>>;

    async fn create_task(
        &self,
        who: &AgentIdentity,
        task: &NewTask,
        key: &str,
    ) -> BackendResult<TaskRef>;

    /// Changes what `change` names and leaves the rest.
    async fn update_task(
        &self,
        who: &AgentIdentity,
        task_id: &str,
        change: &TaskChange,
    ) -> BackendResult<TaskRef>;

    /// Posts as the agent itself.
    async fn post_message(
        &self,
        who: &AgentIdentity,
        message: &NewMessage,
        key: &str,
    ) -> BackendResult<MessageRef>;

    async fn create_document(
        &self,
        who: &AgentIdentity,
        document: &NewDocument,
        key: &str,
    ) -> BackendResult<DocumentRef>;

    /// Those addressed to the agent's role, newest first.
    async fn list_notifications(
        &self,
        who: &AgentIdentity,
        filter: &NotificationFilter,
    ) -> BackendResult<Vec<NotificationRef>>;

    /// Asks a person for the use of a tool.
    async fn request_tool(
        &self,
        who: &AgentIdentity,
        request: &NewToolRequest,
        key: &str,
    ) -> BackendResult<ToolRequestRef>;

    /// Tools beyond the runtime's own that this backend runs for the agent. A backend without any
    /// answers with an empty list, not with an error.
    async fn extra_tools(&self, who: &AgentIdentity) -> BackendResult<Vec<ToolSpec>>;

    /// Whether the backend answers at all, asked once and for at most five seconds. One inside
    /// this process does.
    async fn probe(&self) -> BackendResult<()> {
        Ok(())
    }

    /// Runs one of them once: an unanswered call is not tried again.
    async fn call_extra_tool(&self, who: &AgentIdentity, call: &ExtraCall) -> BackendResult<Value>;
}
