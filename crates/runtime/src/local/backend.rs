//! The agent's view of the local kernel. Rules, rights and tenancy are the kernel's; this only
//! translates.

use async_trait::async_trait;
use serde::Serialize;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use stationmaster_access::Database;
use stationmaster_kernel::approval::{self, Risk};
use stationmaster_kernel::idempotency::{self, Key, Reply};
use stationmaster_kernel::message::ActorType;
use stationmaster_kernel::{
    Error, Handle, Page, Principal, Result, TaskId, Tx, document, message, notification, task,
};
use stationmaster_model::ToolSpec;

use super::{backend_error, principal};
use crate::AgentIdentity;
use crate::backend::{
    Backend, BackendError, BackendErrorKind, BackendResult, DocumentRef, ExtraCall, MessageRef,
    NewDocument, NewMessage, NewTask, NewThread, NewToolRequest, NotificationFilter,
    NotificationRef, TaskChange, TaskChoice, TaskFilter, TaskRef, ToolRequestRef,
};

/// The kernel in this process.
#[derive(Clone)]
pub struct LocalBackend {
    database: Database,
}

impl LocalBackend {
    #[must_use]
    pub fn new(database: Database) -> Self {
        Self { database }
    }

    /// Creates once for `key`: a repeat gets the first result, something else under the same key
    /// is a conflict.
    async fn create<N, T, F>(
        &self,
        who: &AgentIdentity,
        resource: &'static str,
        key: &str,
        asked: Value,
        read: fn(String, Option<String>) -> T,
        create: F,
    ) -> BackendResult<T>
    where
        N: Serialize,
        F: Fn(&mut dyn Tx, &Principal) -> Result<N> + Send + 'static,
    {
        let fingerprint = hex::encode(Sha256::digest(asked.to_string()));
        let key =
            Key::new(who.user_id.clone(), resource, key, fingerprint).map_err(backend_error)?;
        let who = principal(who);
        let reply = self.database.write(move |tx| {
            idempotency::once(tx, Some(&key), |tx| {
                let body = serde_json::to_string(&create(tx, &who)?).map_err(Error::internal)?;
                Ok(Reply { status: 200, body })
            })
        });
        let made: Made = serde_json::from_str(&reply.await.map_err(backend_error)?.body)
            .map_err(|error| backend_error(Error::internal(error)))?;
        Ok(read(made.id, made.status))
    }
}

/// What is kept of a create for its repeat.
#[derive(Serialize, serde::Deserialize)]
struct Made {
    id: String,
    status: Option<String>,
}

#[async_trait]
impl Backend for LocalBackend {
    async fn open_task(&self, who: &AgentIdentity, choice: &TaskChoice) -> BackendResult<TaskRef> {
        let who = principal(who);
        match choice {
            TaskChoice::Id(id) => {
                let id = TaskId::new(id.clone());
                self.database.read(move |tx| task::get(tx, &who, &id)).await
            }
            TaskChoice::Thread(thread) => {
                let (asked, caller) = (thread.clone(), who.clone());
                let found = self
                    .database
                    .read(move |tx| find_thread(tx, &caller, &asked))
                    .await;
                match found.map_err(backend_error)? {
                    Some(found) => Ok(found),
                    None => {
                        let asked = thread.clone();
                        // Looked for again where nothing can come between: turns that ask for one
                        // title at the same time get one task.
                        self.database
                            .write(move |tx| match find_thread(tx, &who, &asked)? {
                                Some(found) => Ok(found),
                                None => task::create(tx, &who, new_thread(&asked)),
                            })
                            .await
                    }
                }
            }
        }
        .map(task_ref)
        .map_err(backend_error)
    }

    async fn list_tasks(
        &self,
        who: &AgentIdentity,
        filter: &TaskFilter,
    ) -> BackendResult<Vec<TaskRef>> {
        let who = principal(who);
        let page = Page::first(filter.limit.clamp(1, 100));
        let filter = task::TaskFilter {
            title: filter.title.clone(),
            status: filter.status.clone(),
            assignee: filter.agent_role.clone(),
        };
        let found = self
            .database
            .read(move |tx| task::list(tx, &who, &filter, page))
            .await
            .map_err(backend_error)?;
        Ok(found.items.into_iter().map(task_ref).collect())
    }

    async fn create_task(
        &self,
        who: &AgentIdentity,
        new: &NewTask,
        key: &str,
    ) -> BackendResult<TaskRef> {
        let asked = json!([
            new.title,
            new.description,
            new.status,
            new.agent_role,
            new.metadata
        ]);
        let wanted = task::NewTask {
            title: new.title.clone(),
            description: new.description.clone(),
            status: new.status.clone(),
            metadata: new.metadata.clone(),
            assignee: assignee(new.agent_role.as_deref())?,
        };
        let made = self
            .create(
                who,
                "turn.task",
                key,
                asked,
                |id, status| (id, status),
                move |tx, who| {
                    let task = task::create(tx, who, wanted.clone())?;
                    Ok(Made {
                        id: task.id.to_string(),
                        status: Some(task.status),
                    })
                },
            )
            .await?;
        Ok(TaskRef {
            id: made.0,
            title: Some(new.title.clone()),
            status: made.1,
            description: new.description.clone(),
            agent_role: new.agent_role.clone(),
        })
    }

    async fn update_task(
        &self,
        who: &AgentIdentity,
        task_id: &str,
        change: &TaskChange,
    ) -> BackendResult<TaskRef> {
        let who = principal(who);
        let id = TaskId::new(task_id);
        let change = task::TaskChange {
            title: change.title.clone(),
            description: change.description.clone().map(Some),
            status: change.status.clone(),
            metadata: change.metadata.clone(),
            assignee: assignee(change.agent_role.as_deref())?.map(Some),
        };
        let changed = self
            .database
            .write(move |tx| task::update(tx, &who, &id, change.clone()))
            .await;
        changed.map(task_ref).map_err(backend_error)
    }

    async fn post_message(
        &self,
        who: &AgentIdentity,
        new: &NewMessage,
        key: &str,
    ) -> BackendResult<MessageRef> {
        let asked = json!([new.task_id, new.content]);
        let wanted = new_message(new);
        self.create(
            who,
            "turn.message",
            key,
            asked,
            |id, _| MessageRef { id },
            move |tx, who| {
                let message = message::post(tx, who, wanted.clone())?;
                Ok(Made {
                    id: message.id.to_string(),
                    status: None,
                })
            },
        )
        .await
    }

    async fn create_document(
        &self,
        who: &AgentIdentity,
        new: &NewDocument,
        key: &str,
    ) -> BackendResult<DocumentRef> {
        let asked = json!([new.task_id, new.title, new.content, new.doc_type]);
        let wanted = new_document(new);
        self.create(
            who,
            "turn.document",
            key,
            asked,
            |id, _| DocumentRef { id },
            move |tx, who| {
                let document = document::create(tx, who, wanted.clone())?;
                Ok(Made {
                    id: document.id.to_string(),
                    status: None,
                })
            },
        )
        .await
    }

    async fn list_notifications(
        &self,
        who: &AgentIdentity,
        filter: &NotificationFilter,
    ) -> BackendResult<Vec<NotificationRef>> {
        let (target, who) = (who.role.clone(), principal(who));
        let page = Page::first(filter.limit.clamp(1, 100));
        let filter = notification::NotificationFilter {
            target: Some(target.into()),
            unread_only: filter.unread,
            ..Default::default()
        };
        let found = self
            .database
            .read(move |tx| notification::list(tx, &who, &filter, page))
            .await;
        Ok(found
            .map_err(backend_error)?
            .items
            .into_iter()
            .map(notification_ref)
            .collect())
    }

    async fn request_tool(
        &self,
        who: &AgentIdentity,
        new: &NewToolRequest,
        key: &str,
    ) -> BackendResult<ToolRequestRef> {
        let asked = json!([
            new.title,
            new.justification,
            new.interface,
            new.scope,
            new.risk_level,
            new.task_id
        ]);
        let risk = match new.risk_level.as_deref() {
            None => Risk::Medium,
            Some(word) => Risk::parse(word).ok_or_else(|| {
                BackendError::new(
                    BackendErrorKind::Invalid,
                    "risk_level: must be one of low, medium, high",
                )
            })?,
        };
        let wanted = approval::NewApproval {
            task: new.task_id.clone().map(TaskId::new),
            title: new.title.clone(),
            justification: new.justification.clone(),
            interface: new.interface.clone().map(Value::String),
            scope: new.scope.clone(),
            risk,
        };
        let read = |id, status| ToolRequestRef { id, status };
        self.create(
            who,
            "turn.tool_request",
            key,
            asked,
            read,
            move |tx, who| {
                let approval = approval::request(tx, who, wanted.clone())?;
                Ok(Made {
                    id: approval.id.to_string(),
                    status: Some("pending".to_owned()),
                })
            },
        )
        .await
    }

    /// None: what the local kernel can do, the runtime's own tools do.
    async fn extra_tools(&self, _: &AgentIdentity) -> BackendResult<Vec<ToolSpec>> {
        Ok(Vec::new())
    }

    async fn call_extra_tool(&self, _: &AgentIdentity, call: &ExtraCall) -> BackendResult<Value> {
        Err(BackendError::new(
            BackendErrorKind::NotFound,
            format!("there is no tool {:?}", call.name),
        ))
    }
}

fn find_thread(tx: &mut dyn Tx, who: &Principal, thread: &NewThread) -> Result<Option<task::Task>> {
    let filter = task::TaskFilter {
        title: Some(thread.title.clone()),
        ..task::TaskFilter::default()
    };
    Ok(task::list(tx, who, &filter, Page::first(1))?
        .items
        .into_iter()
        .next())
}

fn new_thread(thread: &NewThread) -> task::NewTask {
    task::NewTask {
        title: thread.title.clone(),
        description: Some(thread.description.clone()),
        metadata: Some(thread.metadata.clone()),
        ..task::NewTask::default()
    }
}

/// A message that the agent posts as itself.
pub(super) fn new_message(new: &NewMessage) -> message::NewMessage {
    message::NewMessage {
        task: TaskId::new(new.task_id.clone()),
        content: new.content.clone(),
        actor_type: ActorType::Agent,
        actor_id: None,
        agent_role: None,
        attachments: None,
    }
}

pub(super) fn new_document(new: &NewDocument) -> document::NewDocument {
    document::NewDocument {
        task: TaskId::new(new.task_id.clone()),
        title: new.title.clone(),
        content: new.content.clone(),
        doc_type: new.doc_type.clone(),
    }
}

fn assignee(role: Option<&str>) -> BackendResult<Option<Handle>> {
    role.map(str::parse).transpose().map_err(backend_error)
}

fn task_ref(task: task::Task) -> TaskRef {
    TaskRef {
        id: task.id.to_string(),
        title: Some(task.title),
        status: Some(task.status),
        description: task.description,
        agent_role: task.assignee.map(|handle| handle.to_string()),
    }
}

fn notification_ref(it: notification::Notification) -> NotificationRef {
    NotificationRef {
        id: it.id.to_string(),
        kind: Some(it.kind.as_str().to_owned()),
        content: Some(it.content),
        task_id: it.task.map(|id| id.to_string()),
        created_at: Some(it.created_at.to_string()),
        read_at: it.read_at.map(|at| at.to_string()),
    }
}
