//! A task with all that belongs to it (§4, `GET /tasks/{id}`).

use serde::Serialize;
use stationmaster_kernel::agent::{self, Agent};
use stationmaster_kernel::approval::ApprovalFilter;
use stationmaster_kernel::document::{self, DocumentFilter};
use stationmaster_kernel::error::Problems;
use stationmaster_kernel::run::RunFilter;
use stationmaster_kernel::state::State;
use stationmaster_kernel::{Page, Principal, Result, TaskId, Tx, message, task};
use utoipa::ToSchema;

use super::super::agent::RunLine;
use super::super::message::Message;
use super::super::request::Query;
use super::shape::{ApprovalLine, Artifact, Task, Transition};

/// How many of each kind of thing are shown with a task.
const MESSAGES: u32 = 50;
const RUNS: u32 = 20;
const APPROVALS: u32 = 50;
const DOCUMENTS: u32 = 200;

/// A task, what happened on it, and what the caller may do with it.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Whole {
    #[serde(flatten)]
    task: Task,
    /// Oldest first.
    #[serde(skip_serializing_if = "Option::is_none")]
    transitions: Option<Vec<Transition>>,
    /// The newest 50, newest first.
    #[serde(skip_serializing_if = "Option::is_none")]
    messages: Option<Vec<Message>>,
    /// The newest 20.
    #[serde(skip_serializing_if = "Option::is_none")]
    runs: Option<Vec<RunLine>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    approvals: Option<Vec<ApprovalLine>>,
    /// Everything that was seen on the task.
    #[serde(skip_serializing_if = "Option::is_none")]
    documents: Option<Vec<Document>>,
    /// Where the caller may take the task.
    #[serde(skip_serializing_if = "Option::is_none")]
    allowed_transitions: Option<Vec<&'static str>>,
}

/// Something that was seen on a task.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct Document {
    /// `MESSAGE`, `DELIVERABLE`, or `DOCUMENT` for what its agents keep.
    source: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    message_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    document_id: Option<String>,
    created_at: Option<String>,
    artifact: Artifact,
}

impl Document {
    fn of(it: document::Document) -> Self {
        let kept = task::Artifact {
            name: it.title,
            kind: it.doc_type.to_uppercase(),
            size: Some(it.content.len() as u64),
            content: Some(it.content),
            mime_type: Some("text/markdown".to_owned()),
            ..task::Artifact::default()
        };
        Self {
            source: "DOCUMENT",
            message_id: None,
            document_id: Some(it.id.into()),
            created_at: Some(it.created_at.into()),
            artifact: kept.into(),
        }
    }

    fn all_of(it: message::Message) -> impl Iterator<Item = Self> {
        let (id, at) = (String::from(it.id), String::from(it.created_at));
        it.detail.artifacts.into_iter().map(move |artifact| Self {
            source: "MESSAGE",
            message_id: Some(id.clone()),
            document_id: None,
            created_at: Some(at.clone()),
            artifact: artifact.into(),
        })
    }
}

const PARTS: [&str; 6] = [
    "transitions",
    "messages",
    "runs",
    "approvals",
    "documents",
    "allowedTransitions",
];

/// Which parts to show beside the task itself.
#[derive(Debug, Clone)]
pub(super) struct Include {
    /// `None`: all of them.
    only: Option<Vec<String>>,
}

impl Include {
    pub(super) fn of(query: &Query, problems: &mut Problems) -> Self {
        let only = query.get("include").map(|_| {
            let named: Vec<String> = query.list("include").map(str::to_owned).collect();
            for part in named.iter().filter(|part| !PARTS.contains(&part.as_str())) {
                let parts = PARTS.join(", ");
                problems.add("include", format!("{part:?} is not one of {parts}"));
            }
            named
        });
        Self { only }
    }

    fn wants(&self, part: &str) -> bool {
        let only = self.only.as_ref();
        only.is_none_or(|named| named.iter().any(|it| it == part))
    }

    /// What `find` finds, if this part is wanted.
    fn part<T>(&self, part: &str, find: impl FnOnce() -> Result<T>) -> Result<Option<T>> {
        self.wants(part).then(find).transpose()
    }
}

/// The task with these parts, as this caller sees it.
///
/// # Errors
/// `task_not_found`.
pub(super) fn find(
    tx: &mut dyn Tx,
    who: &Principal,
    id: &TaskId,
    include: &Include,
) -> Result<Whole> {
    let task = task::get(tx, who, id)?;
    Ok(Whole {
        transitions: include.part("transitions", || {
            let found = tx.transitions(id)?;
            Ok(found.into_iter().map(Transition::from).collect())
        })?,
        messages: include.part("messages", || {
            let found = tx.thread(id, None, None, MESSAGES)?;
            Ok(found.into_iter().map(Message::from).collect())
        })?,
        runs: include.part("runs", || runs(tx, id))?,
        approvals: include.part("approvals", || approvals(tx, id))?,
        documents: include.part("documents", || documents(tx, &task))?,
        allowed_transitions: include.part("allowedTransitions", || allowed(tx, who, &task))?,
        task: task.into(),
    })
}

fn runs(tx: &mut dyn Tx, id: &TaskId) -> Result<Vec<RunLine>> {
    let filter = RunFilter {
        task: Some(id.clone()),
        ..RunFilter::default()
    };
    let found = tx.runs(&filter, 0, RUNS)?;
    Ok(found.into_iter().map(RunLine::from).collect())
}

fn approvals(tx: &mut dyn Tx, id: &TaskId) -> Result<Vec<ApprovalLine>> {
    let filter = ApprovalFilter {
        task: Some(id.clone()),
        ..ApprovalFilter::default()
    };
    let now = tx.now();
    let found = tx.approval_board(&filter, 0, APPROVALS)?;
    let lines = found.into_iter().map(|it| ApprovalLine::of(it, now));
    Ok(lines.collect())
}

/// What messages and the deliverable brought along, and what the task's agents keep.
fn documents(tx: &mut dyn Tx, task: &task::Task) -> Result<Vec<Document>> {
    let messages = tx.messages_with_artifacts(&task.id, DOCUMENTS)?;
    let mut found: Vec<Document> = messages.into_iter().flat_map(Document::all_of).collect();
    let deliverable = task.detail.deliverable.iter().flat_map(|it| &it.artifacts);
    found.extend(deliverable.map(|artifact| Document {
        source: "DELIVERABLE",
        message_id: None,
        document_id: None,
        created_at: task.detail.submitted_at.map(String::from),
        artifact: artifact.clone().into(),
    }));
    let filter = DocumentFilter {
        task: Some(task.id.clone()),
        doc_type: None,
    };
    let kept = tx.documents(&task.tenant, &filter, Page::first(DOCUMENTS))?;
    found.extend(kept.into_iter().take(DOCUMENTS as usize).map(Document::of));
    Ok(found)
}

fn allowed(tx: &mut dyn Tx, who: &Principal, task: &task::Task) -> Result<Vec<&'static str>> {
    let caller: Option<Agent> = match (who.handle(), &who.tenant) {
        (Some(handle), Some(tenant)) => Some(agent::find(tx, tenant, handle)?),
        _ => None,
    };
    let steps = task::allowed_steps(tx, who, caller.as_ref(), task)?;
    Ok(steps.into_iter().map(State::as_str).collect())
}
