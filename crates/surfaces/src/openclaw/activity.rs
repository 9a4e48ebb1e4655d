//! The audit trail in this contract's words (§3 Activity, §11): one entry for each thing somebody
//! did, with who, what, when, on what, from which state to which.

use serde::Serialize;
use serde_json::{Value, json};
use stationmaster_kernel::event::{ActorKind, Event, Happening, Judgement, TrailQuery};
use stationmaster_kernel::notification::Target;
use stationmaster_kernel::{EventId, Object, Result, Tx, approval, run};
use utoipa::ToSchema;

/// What an entry's id begins with.
const PREFIX: &str = "act_";

/// One entry of the audit trail.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Activity {
    id: String,
    tenant_id: String,
    /// `AGENT`, `HUMAN` or `SYSTEM`.
    actor_type: &'static str,
    actor_id: Option<String>,
    /// What was done, such as `TASK_TRANSITION` (§11).
    action: &'static str,
    description: String,
    target_type: Option<&'static str>,
    target_id: Option<String>,
    task_id: Option<String>,
    agent_id: Option<String>,
    #[schema(value_type = Option<Object>)]
    before_state: Option<Value>,
    #[schema(value_type = Option<Object>)]
    after_state: Option<Value>,
    #[schema(value_type = Object)]
    metadata: Object,
    /// The request in which it was done.
    request_id: Option<String>,
    created_at: String,
}

/// What an entry says of what happened.
struct Told {
    action: &'static str,
    description: String,
    target: Option<(&'static str, String)>,
    before: Option<Value>,
    after: Option<Value>,
    metadata: Value,
}

impl Activity {
    /// The entry of an event; `None` for what is no part of the trail.
    pub(crate) fn of(event: &Event) -> Option<Self> {
        let told = tell(&event.what)?;
        let metadata = match told.metadata {
            Value::Object(members) => members,
            _ => Object::new(),
        };
        let (target_type, target_id) = told.target.unzip();
        Some(Self {
            id: format!("{PREFIX}{}", event.id),
            tenant_id: event.tenant.to_string(),
            actor_type: event.actor_kind.as_str(),
            actor_id: actor_id(event),
            action: told.action,
            description: told.description,
            target_type,
            target_id,
            task_id: event.what.task().map(ToString::to_string),
            agent_id: event.what.agent().map(ToString::to_string),
            before_state: told.before,
            after_state: told.after,
            metadata,
            request_id: event.request.clone(),
            created_at: event.at.into(),
        })
    }

    pub(crate) fn id(&self) -> &str {
        &self.id
    }

    pub(crate) fn action(&self) -> &'static str {
        self.action
    }
}

fn actor_id(event: &Event) -> Option<String> {
    match event.actor_kind {
        ActorKind::Agent => event.actor.strip_prefix("agent:").map(str::to_owned),
        ActorKind::Human | ActorKind::System => Some(event.actor.clone()),
    }
}

/// The event that an entry's id names.
pub(crate) fn event_id(text: &str) -> Option<EventId> {
    let number = text.strip_prefix(PREFIX).unwrap_or(text);
    number.parse().ok().filter(|id| *id > 0).map(EventId)
}

/// An event as a webhook is told of it: its kind and the body. Beside the trail that is whatever
/// the operator is notified of.
#[must_use]
pub fn news(event: &Event) -> Option<(String, String)> {
    let (kind, data) = match (&event.what, Activity::of(event)) {
        (_, Some(activity)) => (activity.action.to_owned(), json!(activity)),
        (Happening::NotificationCreated(it), None) if it.target == Target::Operator => (
            it.kind.as_str().to_uppercase(),
            json!({
                "id": it.id.as_str(),
                "tenantId": it.tenant.as_str(),
                "type": it.kind.as_str().to_uppercase(),
                "title": it.title,
                "body": it.content,
                "taskId": it.task.as_ref().map(ToString::to_string),
                "approvalId": it.approval.as_ref().map(ToString::to_string),
                "createdAt": it.created_at.to_string(),
            }),
        ),
        _ => return None,
    };
    let body = json!({"type": kind, "timestamp": event.at.to_string(), "data": data});
    Some((kind, body.to_string()))
}

fn tell(what: &Happening) -> Option<Told> {
    let told = |action, description: String, target| Told {
        action,
        description,
        target: Some(target),
        before: None,
        after: None,
        metadata: Value::Null,
    };
    Some(match what {
        Happening::AgentRegistered(it) => told(
            "AGENT_REGISTERED",
            format!(
                "Agent {} ({}) was registered",
                it.detail.name,
                it.rank.as_str()
            ),
            ("AGENT", it.handle.to_string()),
        ),
        Happening::AgentUpdated(it) => told(
            "AGENT_UPDATED",
            format!("Agent {} was changed", it.handle),
            ("AGENT", it.handle.to_string()),
        ),
        Happening::AgentStatusChanged { agent, from } => Told {
            before: Some(json!({"status": from.as_str()})),
            after: Some(json!({"status": agent.status.as_str()})),
            metadata: json!({"reason": agent.detail.status_reason}),
            ..told(
                "AGENT_STATUS_CHANGED",
                format!(
                    "Agent {} went from {} to {}",
                    agent.handle,
                    from.as_str(),
                    agent.status.as_str()
                ),
                ("AGENT", agent.handle.to_string()),
            )
        },
        Happening::AgentTokenIssued(it) => Told {
            metadata: json!({"tokenId": it.id.as_str(), "expiresAt": it.expires_at.map(|at| at.to_string())}),
            ..told(
                "AGENT_TOKEN_ISSUED",
                format!("A token was issued to agent {}", it.agent),
                ("AGENT", it.agent.to_string()),
            )
        },
        Happening::AgentTokenRevoked(it) => Told {
            metadata: json!({"tokenId": it.id.as_str()}),
            ..told(
                "AGENT_TOKEN_REVOKED",
                format!("A token of agent {} was revoked", it.agent),
                ("AGENT", it.agent.to_string()),
            )
        },
        Happening::TaskCreated(it) => Told {
            after: Some(json!({"status": it.state.as_str(), "title": it.title})),
            ..told(
                "TASK_CREATED",
                format!("Task {:?} was created", it.title),
                ("TASK", it.id.to_string()),
            )
        },
        Happening::TaskUpdated(it) => told(
            "TASK_UPDATED",
            format!("Task {:?} was changed", it.title),
            ("TASK", it.id.to_string()),
        ),
        Happening::TaskAssigned { task, before } => {
            let names = |handles: Vec<&stationmaster_kernel::Handle>| {
                handles
                    .into_iter()
                    .map(ToString::to_string)
                    .collect::<Vec<_>>()
            };
            let after = names(task.assignees().collect());
            Told {
                before: Some(json!({"assigneeIds": names(before.iter().collect())})),
                after: Some(json!({"assigneeIds": after})),
                ..told(
                    "TASK_ASSIGNED",
                    if after.is_empty() {
                        format!("Task {:?} was taken from everybody", task.title)
                    } else {
                        format!("Task {:?} was given to {}", task.title, after.join(", "))
                    },
                    ("TASK", task.id.to_string()),
                )
            }
        }
        Happening::TaskTransitioned { task, transition } => Told {
            before: Some(json!({"status": transition.from.as_str()})),
            after: Some(json!({"status": transition.to.as_str()})),
            metadata: json!({"transitionId": transition.id.as_str(), "reason": transition.reason}),
            ..told(
                if transition.forced {
                    "TRANSITION_FORCED"
                } else {
                    "TASK_TRANSITION"
                },
                format!(
                    "Task {:?} went from {} to {}",
                    task.title,
                    transition.from.as_str(),
                    transition.to.as_str()
                ),
                ("TASK", task.id.to_string()),
            )
        },
        Happening::MessageCreated(it) => Told {
            metadata: match it.detail.redacted.is_empty() {
                true => json!({}),
                false => json!({"redactedFields": it.detail.redacted}),
            },
            ..told(
                "MESSAGE_POSTED",
                format!("A message was posted on {}", it.task),
                ("MESSAGE", it.id.to_string()),
            )
        },
        Happening::DocumentCreated(it) => told(
            "DOCUMENT_CREATED",
            format!("Document {:?} was kept", it.title),
            ("DOCUMENT", it.id.to_string()),
        ),
        Happening::DocumentUpdated(it) => told(
            "DOCUMENT_UPDATED",
            format!("Document {:?} was changed", it.title),
            ("DOCUMENT", it.id.to_string()),
        ),
        Happening::RunStarted(it) => Told {
            metadata: json!({"model": it.model}),
            ..told(
                "RUN_STARTED",
                format!("Agent {} began a run with {}", it.agent, it.model),
                ("RUN", it.id.to_string()),
            )
        },
        Happening::RunEnded(it) => Told {
            after: Some(json!({"status": it.status.as_str()})),
            metadata: json!({"costUsd": stationmaster_kernel::MicroUsd(it.spend.cost_microusd).as_dollars(),
                "error": it.error}),
            ..told(
                run_action(it.status),
                format!("A run of agent {} ended: {}", it.agent, it.status.as_str()),
                ("RUN", it.id.to_string()),
            )
        },
        Happening::RunUpdated(it) => Told {
            after: Some(json!({"status": it.status.as_str()})),
            metadata: json!({"costUsd": it.cost().as_dollars(), "tokens": it.tokens()}),
            ..told(
                "RUN_UPDATED",
                format!("More is known of a run of agent {}", it.agent),
                ("RUN", it.id.to_string()),
            )
        },
        Happening::ToolCallStarted(it) => Told {
            metadata: json!({"toolName": it.tool, "riskLevel": it.level.as_str(),
                "policyResult": it.judged.as_ref().map(|judged| judged.decision.clone()),
                "grantIds": it.judged.as_ref().map(|judged| ids(&judged.grants))}),
            ..told(
                "TOOL_CALL_STARTED",
                format!("Agent {} called {}", it.agent, it.tool),
                ("TOOL_CALL", it.id.to_string()),
            )
        },
        Happening::ToolCallCompleted(it) => Told {
            after: Some(json!({"status": it.status.as_str()})),
            metadata: json!({"toolName": it.tool, "error": it.error}),
            ..told(
                "TOOL_CALL_COMPLETED",
                format!(
                    "{} of agent {} ended: {}",
                    it.tool,
                    it.agent,
                    it.status.as_str()
                ),
                ("TOOL_CALL", it.id.to_string()),
            )
        },
        Happening::PolicyEvaluated(it) => judged("POLICY_EVALUATED", it),
        Happening::PolicyViolated(it) => judged("POLICY_VIOLATION", it),
        Happening::PolicyUpdated { version, scope } => Told {
            after: Some(json!({"version": version})),
            ..told(
                "POLICY_UPDATED",
                format!("The rules of {scope} are at version {version}"),
                ("POLICY", scope.clone()),
            )
        },
        Happening::ApprovalCreated(it) => approval_told("APPROVAL_REQUESTED", it),
        Happening::ApprovalUpdated(it) => approval_told(approval_action(it), it),
        Happening::GrantChanged { grant, change } => Told {
            metadata: json!({"approvalId": grant.approval.as_str(), "change": change, "usesLeft": grant.uses_left}),
            ..told(
                "GRANT_CHANGED",
                format!("Grant {} of {} was {change}", grant.id, grant.approval),
                ("GRANT", grant.id.to_string()),
            )
        },
        Happening::LoopDetected {
            task,
            loop_kind,
            alert,
        } => Told {
            metadata: json!({"type": loop_kind, "alertId": alert.as_str()}),
            ..told(
                "LOOP_DETECTED",
                format!("{loop_kind} on task {:?}", task.title),
                ("TASK", task.id.to_string()),
            )
        },
        Happening::BudgetExceeded {
            agent,
            spent_microusd,
            limit_microusd,
            ..
        } => Told {
            metadata: json!({
                "spent": stationmaster_kernel::MicroUsd(*spent_microusd).as_dollars(),
                "limit": stationmaster_kernel::MicroUsd(*limit_microusd).as_dollars(),
            }),
            ..told(
                "BUDGET_EXCEEDED",
                format!("Agent {} has spent its budget", agent.handle),
                ("AGENT", agent.handle.to_string()),
            )
        },
        Happening::AlertRaised(it) => Told {
            metadata: json!({"type": it.kind, "severity": it.severity.as_str()}),
            ..told(
                "ALERT_RAISED",
                it.title.clone(),
                ("ALERT", it.id.to_string()),
            )
        },
        Happening::AlertChanged(it) => Told {
            after: Some(json!({"status": it.status.as_str()})),
            ..told(
                "ALERT_UPDATED",
                format!("Alert {:?} is {}", it.title, it.status.as_str()),
                ("ALERT", it.id.to_string()),
            )
        },
        Happening::OperatorModeChanged { stance, from } => Told {
            before: Some(json!({"mode": from.as_str()})),
            after: Some(json!({"mode": stance.mode.as_str()})),
            metadata: json!({"reason": stance.reason}),
            ..told(
                "OPERATOR_MODE_UPDATED",
                format!("The operator's mode is {}", stance.mode.as_str()),
                ("OPERATOR", "mode".to_owned()),
            )
        },
        Happening::StandupCreated(it) | Happening::StandupUpdated(it) => told(
            "STANDUP_REPORT",
            format!("The standup of {}", it.date),
            ("DOCUMENT", it.document.to_string()),
        ),
        Happening::StandupReported(it) => Told {
            metadata: json!({"date": it.date, "spentTodayUsd": it.spent_today.as_dollars(),
                "pendingApprovals": it.pending_approvals}),
            ..told(
                "STANDUP_REPORT",
                format!("The standup of {}", it.date),
                ("STANDUP", it.date.clone()),
            )
        },
        Happening::NotificationCreated(_)
        | Happening::NotificationDelivered(_)
        | Happening::NotificationFailed(_)
        | Happening::NotificationDead(_)
        | Happening::NotificationRead(_)
        | Happening::NotificationSuppressed(_)
        | Happening::HeartbeatRecorded(_) => return None,
    })
}

fn run_action(status: run::Status) -> &'static str {
    match status {
        run::Status::Running => "RUN_STARTED",
        run::Status::Completed => "RUN_COMPLETED",
        run::Status::Failed | run::Status::Timeout => "RUN_FAILED",
    }
}

fn approval_action(it: &approval::Approval) -> &'static str {
    match it.status {
        // One that still waits was told of again, or approved by the first of two.
        approval::Status::Pending if it.detail.escalated => "APPROVAL_ESCALATED",
        approval::Status::Pending => "APPROVAL_APPROVED",
        approval::Status::Approved => "APPROVAL_APPROVED",
        approval::Status::Denied => "APPROVAL_DENIED",
        approval::Status::Expired => "APPROVAL_EXPIRED",
        approval::Status::Canceled => "APPROVAL_CANCELED",
    }
}

fn approval_told(action: &'static str, it: &approval::Approval) -> Told {
    Told {
        action,
        description: format!(
            "{:?} of agent {} is {}",
            it.title,
            it.requestor,
            it.status.as_str()
        ),
        target: Some(("APPROVAL", it.id.to_string())),
        before: None,
        after: Some(json!({"status": it.status.as_str()})),
        metadata: json!({"reason": it.decision_note, "decidedBy": it.decided_by,
            "approvedBy": it.detail.approvers}),
    }
}

fn judged(action: &'static str, it: &Judgement) -> Told {
    Told {
        action,
        description: format!("An action of agent {} was judged {}", it.agent, it.decision),
        target: Some(("AGENT", it.agent.to_string())),
        before: None,
        after: None,
        metadata: json!({
            "decision": it.decision,
            "riskLevel": it.risk,
            "violations": it.violations,
            "action": it.action,
            "grantIds": ids(&it.grants),
            "policyVersion": it.policy_version,
        }),
    }
}

fn ids(grants: &[stationmaster_kernel::GrantId]) -> Vec<String> {
    grants.iter().map(ToString::to_string).collect()
}

/// Every action, and under which names the log keeps what it names.
const ACTIONS: &[(&str, &[&str])] = &[
    ("AGENT_REGISTERED", &["agent.registered"]),
    ("AGENT_UPDATED", &["agent.updated"]),
    ("AGENT_STATUS_CHANGED", &["agent.status_changed"]),
    ("AGENT_TOKEN_ISSUED", &["agent.token_issued"]),
    ("AGENT_TOKEN_REVOKED", &["agent.token_revoked"]),
    ("TASK_CREATED", &["task.created"]),
    ("TASK_UPDATED", &["task.updated"]),
    ("TASK_ASSIGNED", &["task.assigned"]),
    ("TASK_TRANSITION", &["task.transitioned"]),
    ("TRANSITION_FORCED", &["task.transitioned"]),
    ("MESSAGE_POSTED", &["message.created"]),
    ("DOCUMENT_CREATED", &["document.created"]),
    ("DOCUMENT_UPDATED", &["document.updated"]),
    ("RUN_STARTED", &["run.started"]),
    ("RUN_UPDATED", &["run.updated"]),
    ("RUN_COMPLETED", &["run.ended"]),
    ("RUN_FAILED", &["run.ended"]),
    ("TOOL_CALL_STARTED", &["tool_call.started"]),
    ("TOOL_CALL_COMPLETED", &["tool_call.completed"]),
    ("POLICY_EVALUATED", &["policy.evaluated"]),
    ("POLICY_VIOLATION", &["policy.violated"]),
    ("POLICY_UPDATED", &["policy.updated"]),
    ("APPROVAL_REQUESTED", &["approval.created"]),
    ("APPROVAL_APPROVED", &["approval.updated"]),
    ("APPROVAL_DENIED", &["approval.updated"]),
    ("APPROVAL_EXPIRED", &["approval.updated"]),
    ("APPROVAL_CANCELED", &["approval.updated"]),
    ("APPROVAL_ESCALATED", &["approval.updated"]),
    ("GRANT_CHANGED", &["grant.changed"]),
    ("LOOP_DETECTED", &["loop.detected"]),
    ("BUDGET_EXCEEDED", &["budget.exceeded"]),
    ("ALERT_RAISED", &["alert.raised"]),
    ("ALERT_UPDATED", &["alert.changed"]),
    ("OPERATOR_MODE_UPDATED", &["operator.mode_changed"]),
    (
        "STANDUP_REPORT",
        &["standup.created", "standup.updated", "standup.reported"],
    ),
];

/// Under which names the log keeps what an action names; empty for an action that there is not.
fn kinds(action: &str) -> &'static [&'static str] {
    ACTIONS
        .iter()
        .find(|(name, _)| *name == action)
        .map_or(&[], |(_, kinds)| kinds)
}

/// Whether an entry may have this action.
pub(super) fn is_action(action: &str) -> bool {
    !kinds(action).is_empty()
}

/// What a webhook may be told of, as [`news`] calls it: the actions, and what an operator is
/// notified of.
pub(super) fn told() -> impl Iterator<Item = &'static str> {
    let actions = ACTIONS.iter().map(|(name, _)| *name);
    // Some notifications bear the name of an action.
    let notices = super::notification::TYPES
        .into_iter()
        .filter(|name| !is_action(name));
    actions.chain(notices)
}

/// At most `limit` entries, newest first, and whether there are more. Those of one action only, if
/// one is named: several actions share a name in the log, so what is read is looked through.
pub(super) fn trail(
    tx: &mut dyn Tx,
    mut query: TrailQuery,
    action: Option<&str>,
) -> Result<(Vec<Activity>, bool)> {
    /// How often the log is read on for one page before it is given as it is.
    const LOOKS: usize = 20;
    let limit = query.limit as usize;
    query.kinds = action
        .map(|action| {
            kinds(action)
                .iter()
                .map(|kind| (*kind).to_owned())
                .collect()
        })
        .unwrap_or_default();
    query.limit += 1;
    let mut found = Vec::new();
    for _ in 0..LOOKS {
        let events = tx.trail(&query)?;
        let is_end = events.len() < query.limit as usize;
        query.before = events.last().map(|event| event.id);
        found.extend(
            events
                .iter()
                .filter_map(Activity::of)
                .filter(|activity| action.is_none_or(|wanted| wanted == activity.action)),
        );
        if is_end || found.len() > limit {
            break;
        }
    }
    let has_more = found.len() > limit;
    found.truncate(limit);
    Ok((found, has_more))
}
