//! A task and its parts as this contract shows them (§3).

use serde::Serialize;
use stationmaster_kernel::approval;
use stationmaster_kernel::kind::TaskKind;
use stationmaster_kernel::task::{self, Flow};
use stationmaster_kernel::{Object, Timestamp};
use utoipa::ToSchema;

use super::super::money::Dollars;

/// A task.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(in super::super) struct Task {
    id: String,
    tenant_id: String,
    title: String,
    description: Option<String>,
    /// `null` on a task born on a surface without types.
    #[serde(rename = "type")]
    kind: Option<&'static str>,
    /// `INBOX`, `ASSIGNED`, `IN_PROGRESS`, `REVIEW`, `NEEDS_APPROVAL`, `BLOCKED`, `DONE` or `CANCELED`.
    status: &'static str,
    /// 1 critical, 2 high, 3 normal, 4 low.
    priority: u8,
    creator_agent_id: Option<String>,
    creator_user_id: Option<String>,
    assignee_ids: Vec<String>,
    reviewer_id: Option<String>,
    parent_task_id: Option<String>,
    labels: Vec<String>,
    due_at: Option<String>,
    work_plan: Option<Plan>,
    deliverable: Option<Deliverable>,
    review_checklist: Option<Checklist>,
    review_cycles: u32,
    /// In US dollars.
    estimated_cost: Option<Dollars>,
    /// What it may cost; `null`: no limit.
    budget: Option<Dollars>,
    actual_cost: Dollars,
    cost_summary: CostSummary,
    blocked_reason: Option<String>,
    /// Where it goes back to after an approval.
    resume_status: Option<&'static str>,
    completion: Option<Completion>,
    started_at: Option<String>,
    submitted_at: Option<String>,
    completed_at: Option<String>,
    #[schema(value_type = Object)]
    metadata: Object,
    /// `gated` keeps to the arcs; `free` was born where any status may be written.
    flow: &'static str,
    created_at: String,
    updated_at: String,
}

/// What a task has cost.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct CostSummary {
    total_cost: Dollars,
    run_count: u32,
    token_count: u64,
}

/// How a task was accepted.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct Completion {
    approval_id: Option<String>,
    approved_by: String,
    approved_at: String,
    decision_note: Option<String>,
}

/// How an agent means to go about a task.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Plan {
    bullets: Vec<String>,
    estimated_cost: Option<Dollars>,
    estimated_duration: Option<String>,
    dependencies: Vec<String>,
}

/// What an agent hands in.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Deliverable {
    content: String,
    artifacts: Vec<Artifact>,
    summary: Option<String>,
    /// Kinds of secrets that were taken out.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    redacted_fields: Vec<String>,
}

/// A thing that a message or a deliverable brings along.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(in super::super) struct Artifact {
    name: String,
    /// `DELIVERABLE`, `EVIDENCE`, `CHECKLIST` or `REPORT`.
    #[serde(rename = "type")]
    kind: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    content: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    url: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    mime_type: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    size_bytes: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sha256: Option<String>,
}

impl From<task::Artifact> for Artifact {
    fn from(it: task::Artifact) -> Self {
        Self {
            name: it.name,
            kind: it.kind,
            content: it.content,
            url: it.url,
            mime_type: it.mime_type,
            size_bytes: it.size,
            sha256: it.sha256,
        }
    }
}

/// An agent's look at its own work.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(in super::super) struct Checklist {
    #[serde(rename = "type")]
    kind: String,
    items: Vec<ChecklistItem>,
    #[serde(skip_serializing_if = "Option::is_none")]
    notes: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    completed_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    completed_by: Option<String>,
}

#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct ChecklistItem {
    label: String,
    checked: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    note: Option<String>,
}

impl Checklist {
    /// One to fill in.
    pub(super) fn blank(kind: TaskKind) -> Self {
        let item = |label: &&str| ChecklistItem {
            label: (*label).to_owned(),
            checked: false,
            note: None,
        };
        Self {
            kind: kind.as_str().to_owned(),
            items: kind.checklist().iter().map(item).collect(),
            notes: None,
            completed_at: None,
            completed_by: None,
        }
    }
}

impl From<task::Checklist> for Checklist {
    fn from(it: task::Checklist) -> Self {
        let item = |it: task::ChecklistItem| ChecklistItem {
            label: it.label,
            checked: it.checked,
            note: it.note,
        };
        Self {
            kind: it.kind,
            items: it.items.into_iter().map(item).collect(),
            notes: it.notes,
            completed_at: it.completed_at.map(String::from),
            completed_by: it.completed_by,
        }
    }
}

impl From<task::Task> for Task {
    fn from(it: task::Task) -> Self {
        let assignee_ids = it.assignees().map(ToString::to_string).collect();
        let flow = if it.flow == Flow::Free {
            "free"
        } else {
            "gated"
        };
        let detail = *it.detail;
        Self {
            id: it.id.into(),
            tenant_id: it.tenant.into(),
            title: it.title,
            description: it.description,
            kind: it.kind.map(TaskKind::as_str),
            status: it.state.as_str(),
            priority: it.priority,
            creator_agent_id: it.creator.map(String::from),
            creator_user_id: detail.creator_user,
            assignee_ids,
            reviewer_id: it.reviewer.map(String::from),
            parent_task_id: it.parent.map(String::from),
            labels: detail.labels,
            due_at: it.due_at.map(String::from),
            work_plan: detail.plan.map(|plan| Plan {
                bullets: plan.bullets,
                estimated_cost: plan.estimated_cost.map(Dollars::from),
                estimated_duration: plan.estimated_duration,
                dependencies: plan.dependencies.into_iter().map(String::from).collect(),
            }),
            deliverable: detail.deliverable.map(|it| Deliverable {
                content: it.content,
                artifacts: it.artifacts.into_iter().map(Artifact::from).collect(),
                summary: it.summary,
                redacted_fields: it.redacted,
            }),
            review_checklist: detail.checklist.map(Checklist::from),
            review_cycles: detail.review_cycles,
            estimated_cost: detail.estimated_cost.map(Dollars::from),
            budget: detail.budget.map(|it| it.plus(detail.extra_budget).into()),
            actual_cost: detail.actual_cost.into(),
            cost_summary: CostSummary {
                total_cost: detail.actual_cost.into(),
                run_count: detail.run_count,
                token_count: detail.token_count,
            },
            blocked_reason: detail.blocked_reason,
            resume_status: detail.resume_state.map(|state| state.as_str()),
            completion: detail.completion.map(|it| Completion {
                approval_id: it.approval.map(String::from),
                approved_by: it.approved_by,
                approved_at: it.approved_at.into(),
                decision_note: it.note,
            }),
            started_at: detail.started_at.map(String::from),
            submitted_at: detail.submitted_at.map(String::from),
            completed_at: detail.completed_at.map(String::from),
            metadata: it.metadata.unwrap_or_default(),
            flow,
            created_at: it.created_at.into(),
            updated_at: it.updated_at.into(),
        }
    }
}

/// One step of a task from state to state.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(in super::super) struct Transition {
    id: String,
    task_id: String,
    from_status: &'static str,
    to_status: &'static str,
    /// `AGENT`, `HUMAN` or `SYSTEM`.
    actor_type: &'static str,
    actor_id: String,
    reason: Option<String>,
    session_key: Option<String>,
    artifacts_snapshot: Vec<String>,
    idempotency_key: Option<String>,
    /// An operator skipped the checks.
    forced: bool,
    created_at: String,
    /// As it was made: a step is never changed.
    updated_at: String,
}

impl From<task::Transition> for Transition {
    fn from(it: task::Transition) -> Self {
        Self {
            id: it.id.into(),
            task_id: it.task.into(),
            from_status: it.from.as_str(),
            to_status: it.to.as_str(),
            actor_type: it.actor_kind.as_str(),
            actor_id: it.actor,
            reason: it.reason,
            session_key: it.session_key,
            artifacts_snapshot: it.artifacts,
            idempotency_key: it.idempotency_key,
            forced: it.forced,
            created_at: it.at.into(),
            updated_at: it.at.into(),
        }
    }
}

/// An approval in a list.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct ApprovalLine {
    id: String,
    requestor_agent_id: String,
    action_type: Option<&'static str>,
    action_summary: String,
    risk_level: &'static str,
    status: &'static str,
    expires_at: Option<String>,
    created_at: String,
}

impl ApprovalLine {
    /// As it is at `now`: one that waited too long is expired, written down yet or not.
    pub(super) fn of(it: approval::Approval, now: Timestamp) -> Self {
        let status = if it.is_expired(now) {
            approval::Status::Expired
        } else {
            it.status
        };
        Self {
            id: it.id.into(),
            requestor_agent_id: it.requestor.into(),
            action_type: it.detail.ask.map(approval::Ask::as_str),
            action_summary: it.title,
            risk_level: if it.risk.is_red() { "RED" } else { "YELLOW" },
            status: status.as_str(),
            expires_at: it.expires_at.map(String::from),
            created_at: it.created_at.into(),
        }
    }
}
