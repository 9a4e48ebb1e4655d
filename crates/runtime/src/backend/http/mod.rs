//! A Mission Control backend somewhere on the network (mission-control-backend §§2–9, 12, 13).
//!
//! Nothing is kept between calls but connections: every call carries a token minted for it, which
//! costs microseconds and leaves no cache in which one tenant's token could be found for another.
//! A call that carries a key, or only reads, is tried again after a network fault or a 5xx.
//! Redirects are not followed, since the token would go with them.

mod exchange;
mod thread;
mod wire;

use std::time::Duration;

use async_trait::async_trait;
use serde_json::{Map, Value, json};
use stationmaster_model::ToolSpec;
use stationmaster_peer::{Peer, Request};

use super::{
    Backend, BackendErrorKind, BackendResult, DocumentRef, ExtraCall, MessageRef, NewDocument,
    NewMessage, NewTask, NewToolRequest, NotificationFilter, NotificationRef, TaskChange,
    TaskChoice, TaskFilter, TaskRef, ToolRequestRef,
};
use crate::AgentIdentity;
use exchange::{Exchange, TRIES};

pub use exchange::TokenMinter;

/// How long `/health` may take to answer (mission-control-backend §1).
const PROBE_TIMEOUT: Duration = Duration::from_secs(5);
/// A list of extras is not worth a longer wait.
const TOOLS_TIMEOUT: Duration = Duration::from_secs(5);

/// A [`Backend`] over HTTP. One per program: it holds the connection pool.
#[derive(Debug)]
pub struct HttpBackend {
    exchange: Exchange,
}

impl HttpBackend {
    /// A backend at `peer`, where agents show what `minter` makes.
    #[must_use]
    pub fn new(peer: Peer, minter: impl TokenMinter + 'static) -> Self {
        Self {
            exchange: Exchange {
                peer,
                minter: Box::new(minter),
            },
        }
    }

    /// A create: `body` with its key, tried again when it may not have arrived.
    async fn create<T: wire::Answer>(
        &self,
        who: &AgentIdentity,
        path: &[&str],
        mut body: Value,
        key: &str,
    ) -> BackendResult<T> {
        body["idempotency_key"] = json!(key);
        let call = Request::post(&mission_control(path))
            .body(body)
            .tries(TRIES);
        wire::read(&self.exchange.call(who, call).await?)
    }

    async fn list<T: wire::Answer>(
        &self,
        who: &AgentIdentity,
        path: &[&str],
        query: &[(&'static str, Option<String>)],
    ) -> BackendResult<wire::List<T>> {
        let call = Request::get(&mission_control(path))
            .query(query)
            .tries(TRIES);
        wire::read_list(&self.exchange.call(who, call).await?)
    }
}

fn mission_control<'a>(path: &[&'a str]) -> Vec<&'a str> {
    ["api", "mission-control"]
        .into_iter()
        .chain(path.iter().copied())
        .collect()
}

#[async_trait]
impl Backend for HttpBackend {
    async fn probe(&self) -> BackendResult<()> {
        self.exchange.probe(PROBE_TIMEOUT).await
    }

    async fn open_task(&self, who: &AgentIdentity, choice: &TaskChoice) -> BackendResult<TaskRef> {
        match choice {
            TaskChoice::Id(id) => Ok(TaskRef {
                id: id.clone(),
                ..TaskRef::default()
            }),
            TaskChoice::Thread(thread) => self.open_thread(who, thread).await,
        }
    }

    async fn list_tasks(
        &self,
        who: &AgentIdentity,
        filter: &TaskFilter,
    ) -> BackendResult<Vec<TaskRef>> {
        let filters = [&filter.title, &filter.status, &filter.agent_role];
        let filtered = filters.iter().any(|filter| filter.is_some());
        // Backends ignore the filters that they do not know, so enough is asked for to sift here.
        let limit = if filtered { 100 } else { filter.limit };
        let query = [
            ("limit", Some(limit.to_string())),
            ("title", filter.title.clone()),
            ("status", filter.status.clone()),
            ("agent_role", filter.agent_role.clone()),
        ];
        let list: wire::List<TaskRef> = self.list(who, &["tasks"], &query).await?;
        let fits = |wanted: &Option<String>, is: &Option<String>| wanted.is_none() || wanted == is;
        let found = list.items.into_iter().filter(|task| {
            fits(&filter.title, &task.title)
                && fits(&filter.status, &task.status)
                && fits(&filter.agent_role, &task.agent_role)
        });
        Ok(found.take(filter.limit as usize).collect())
    }

    async fn create_task(
        &self,
        who: &AgentIdentity,
        task: &NewTask,
        key: &str,
    ) -> BackendResult<TaskRef> {
        let body = present([
            ("title", Some(json!(task.title))),
            (
                "description",
                task.description.as_ref().map(|text| json!(text)),
            ),
            ("status", task.status.as_ref().map(|text| json!(text))),
            (
                "agent_role",
                task.agent_role.as_ref().map(|text| json!(text)),
            ),
            (
                "metadata",
                task.metadata.as_ref().map(|object| json!(object)),
            ),
        ]);
        self.create(who, &["tasks"], body, key).await
    }

    async fn update_task(
        &self,
        who: &AgentIdentity,
        task_id: &str,
        change: &TaskChange,
    ) -> BackendResult<TaskRef> {
        let body = present([
            ("title", change.title.as_ref().map(|text| json!(text))),
            (
                "description",
                change.description.as_ref().map(|text| json!(text)),
            ),
            ("status", change.status.as_ref().map(|text| json!(text))),
            (
                "agent_role",
                change.agent_role.as_ref().map(|text| json!(text)),
            ),
            (
                "metadata",
                change.metadata.as_ref().map(|object| json!(object)),
            ),
        ]);
        // The same change twice is the same change, so this is tried again without a key.
        let call = Request::patch(&mission_control(&["tasks", task_id]))
            .body(body)
            .tries(TRIES);
        wire::read(&self.exchange.call(who, call).await?)
    }

    async fn post_message(
        &self,
        who: &AgentIdentity,
        message: &NewMessage,
        key: &str,
    ) -> BackendResult<MessageRef> {
        let body = json!({
            "task_id": message.task_id,
            "content": message.content,
            "actor_type": "agent",
            "agent_role": who.role.as_str(),
        });
        self.create(who, &["messages"], body, key).await
    }

    async fn create_document(
        &self,
        who: &AgentIdentity,
        document: &NewDocument,
        key: &str,
    ) -> BackendResult<DocumentRef> {
        let body = present([
            ("task_id", Some(json!(document.task_id))),
            ("title", Some(json!(document.title))),
            ("content", Some(json!(document.content))),
            (
                "doc_type",
                document.doc_type.as_ref().map(|text| json!(text)),
            ),
        ]);
        self.create(who, &["documents"], body, key).await
    }

    async fn list_notifications(
        &self,
        who: &AgentIdentity,
        filter: &NotificationFilter,
    ) -> BackendResult<Vec<NotificationRef>> {
        let query = [
            ("unread", filter.unread.then(|| "true".to_owned())),
            ("limit", Some(filter.limit.to_string())),
        ];
        let list: wire::List<NotificationRef> = self.list(who, &["notifications"], &query).await?;
        let wanted = list
            .items
            .into_iter()
            .filter(|one| !filter.unread || one.read_at.is_none());
        Ok(wanted.take(filter.limit as usize).collect())
    }

    async fn request_tool(
        &self,
        who: &AgentIdentity,
        request: &NewToolRequest,
        key: &str,
    ) -> BackendResult<ToolRequestRef> {
        let body = present([
            ("title", Some(json!(request.title))),
            ("justification", Some(json!(request.justification))),
            (
                "interface",
                request.interface.as_ref().map(|text| json!(text)),
            ),
            ("scope", request.scope.as_ref().map(|text| json!(text))),
            (
                "risk_level",
                request.risk_level.as_ref().map(|text| json!(text)),
            ),
            ("task_id", request.task_id.as_ref().map(|text| json!(text))),
        ]);
        self.create(who, &["tool-requests"], body, key).await
    }

    async fn extra_tools(&self, who: &AgentIdentity) -> BackendResult<Vec<ToolSpec>> {
        let call = Request::get(&["api", "tools"]).within(TOOLS_TIMEOUT);
        match self.exchange.call(who, call).await {
            Ok(body) => Ok(wire::tools(&body)),
            // The route is an extra: many backends have none, or none for this token.
            Err(error) if error.kind == BackendErrorKind::Unreachable => Err(error),
            Err(error) => {
                tracing::debug!(reason = error.message, "the backend lists no tools");
                Ok(Vec::new())
            }
        }
    }

    async fn call_extra_tool(&self, who: &AgentIdentity, call: &ExtraCall) -> BackendResult<Value> {
        let body = json!({
            "arguments": call.arguments,
            "tenant_id": who.user_id.as_str(),
            "workspace_id": call.workspace_id,
            "trace_id": call.trace_id,
        });
        let request = Request::post(&["api", "tools", &call.name])
            .header("x-tenant-id", who.user_id.as_str())
            .header("x-workspace-id", &call.workspace_id)
            .header("x-trace-id", &call.trace_id)
            .header("idempotency-key", &call.key)
            .body(body);
        self.exchange.call(who, request).await
    }
}

/// A JSON object of the members that are there.
fn present<const N: usize>(members: [(&str, Option<Value>); N]) -> Value {
    let there = members
        .into_iter()
        .filter_map(|(name, value)| Some((name.to_owned(), value?)));
    Value::Object(there.collect::<Map<_, _>>())
}
