//! Policy: whether an agent may do something, and by which rules (§8).

mod body;
mod document;

use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use serde::Serialize;
use stationmaster_http::App;
use stationmaster_http::fields::Fields;
use stationmaster_kernel::policy::{self, Allowance, Evaluation, Question, Verdict};
use stationmaster_kernel::{ApprovalId, Kind, Object, TaskId};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::error::{ErrorBody, Problem};
use super::read;
use super::request::{Answer, Caller, Change};

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(evaluate))
        .merge(document::routes())
}

/// What is asked about.
#[derive(ToSchema)]
#[expect(
    dead_code,
    reason = "only describes the body; it is read member by member"
)]
#[schema(rename_all = "camelCase")]
pub(super) struct EvaluateBody {
    /// The token's own.
    agent_id: Option<String>,
    /// `{type, tool, command, path, url, targetStatus, content, estimatedCost, args}`; members of
    /// `args` may stand beside them instead.
    #[schema(value_type = Object, example = json!({"type": "TOOL_CALL", "tool": "exec", "command": "git status"}))]
    action: Object,
    /// `{taskId, sessionKey, currentSpend, approvalId}`.
    #[schema(value_type = Option<Object>)]
    context: Option<Object>,
    tenant_id: Option<String>,
}

/// What the rules say.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Answered {
    /// `ALLOW`, `DENY` or `NEEDS_APPROVAL`.
    #[schema(example = "DENY")]
    decision: &'static str,
    /// `GREEN`, `YELLOW` or `RED`.
    #[schema(example = "RED")]
    risk_level: &'static str,
    #[schema(example = "Command matches blocked pattern: rm -rf")]
    reason: String,
    /// Empty when it is allowed.
    #[schema(example = json!(["shell_blocklist:rm -rf"]))]
    violations: Vec<String>,
    /// What to ask for, where an approval would let it through.
    #[serde(skip_serializing_if = "Option::is_none")]
    approval_required: Option<Required>,
    budget: Budget,
    /// What tells this action from others.
    fingerprint: String,
    /// The approval that lets it through, and the grants that it would use.
    #[serde(skip_serializing_if = "Option::is_none")]
    approval_id: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    grant_ids: Vec<String>,
    policy_version: i64,
    /// Whose rules: `GLOBAL`, `TENANT`, `AGENT`, `TASK_TYPE`, `TASK` or `BUILT_IN`.
    policy_scope: &'static str,
}

/// What to ask for.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Required {
    #[serde(rename = "type")]
    #[schema(example = "TOOL_EXEC")]
    #[schema(value_type = String)]
    kind: &'static str,
    suggested_justification: String,
}

impl Required {
    pub(super) fn of(verdict: &Verdict) -> Option<Self> {
        let (kind, justification) = verdict.approval_required.clone()?;
        Some(Self {
            kind,
            suggested_justification: justification,
        })
    }
}

/// How the agent's budget stands, in US dollars; `null` where there is no limit.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Budget {
    daily: Option<f64>,
    spent_today: f64,
    remaining: Option<f64>,
    per_run_cap: Option<f64>,
}

impl From<Allowance> for Budget {
    fn from(it: Allowance) -> Self {
        Self {
            daily: it.daily.map(|it| it.as_dollars()),
            spent_today: it.spent_today.as_dollars(),
            remaining: it.remaining.map(|it| it.as_dollars()),
            per_run_cap: it.per_run_cap.map(|it| it.as_dollars()),
        }
    }
}

impl From<Evaluation> for Answered {
    fn from(it: Evaluation) -> Self {
        let verdict = it.verdict;
        Self {
            decision: verdict.decision.as_str(),
            risk_level: verdict.level.as_str(),
            approval_required: Required::of(&verdict),
            reason: verdict.reason,
            violations: verdict.violations,
            budget: it.budget.into(),
            fingerprint: verdict.fingerprint,
            approval_id: verdict.approval.map(String::from),
            grant_ids: verdict.grants.into_iter().map(String::from).collect(),
            policy_version: verdict.version,
            policy_scope: verdict.scope.word(),
        }
    }
}

/// What a question is asked in the light of. How much was spent is the server's to know, and what an agent calls
/// its session plays no part; both have to be what they are said to be all the same.
fn context(fields: &mut Fields) -> (Option<TaskId>, Option<ApprovalId>) {
    let mut context = Fields::new(fields.object("context").unwrap_or_default());
    let task = context.string("taskId").map(TaskId::new);
    let approval = context.string("approvalId").map(ApprovalId::new);
    context.string("sessionKey");
    read::money(&mut context, "currentSpend");
    for problem in context.into_problems() {
        fields.problem(&format!("context.{}", problem.field), problem.message);
    }
    (task, approval)
}

/// Ask whether an agent may do something; nothing but the audit trail changes
#[utoipa::path(post, path = "/api/v1/policy/evaluate", tag = "OpenClaw",
    security(("agent_bearer" = []), ("operator" = [])), request_body = EvaluateBody,
    responses((status = 200, body = Answered), (status = 400, body = ErrorBody), (status = 403, body = ErrorBody),
        (status = 404, body = ErrorBody)))]
async fn evaluate(
    State(app): State<App>,
    caller: Caller,
    Change { mut fields, once }: Change,
) -> Result<Response, Problem> {
    let agent = fields.string("agentId");
    let tenant = fields.string("tenantId");
    if !fields.has("action") {
        fields.problem(
            "action",
            "is required: {\"type\": \"TOOL_CALL\", \"tool\": …}",
        );
    }
    let action = fields.object("action");
    for fault in action.iter().flat_map(policy::faults) {
        fields.problem(&fault.field, fault.message);
    }
    let (task, approval) = context(&mut fields);
    // Who asks is found out even of a request that is wrong in other members, so that one answer names all.
    let who = match caller.as_agent(agent.as_deref(), tenant.as_deref()) {
        Err(error) if error.kind == Kind::Invalid => Err(error.joined(fields.into_problems())),
        outcome => {
            fields.finish()?;
            outcome
        }
    }?;
    let question = Question {
        action: action.unwrap_or_default(),
        task,
        approval,
    };
    if !once.has_key() {
        // A yes leaves nothing to write, and most answers are.
        let (asker, asked) = (who.clone(), question.clone());
        let found = app
            .database
            .read(move |tx| policy::evaluate(tx, &asker, &asked))
            .await?;
        if found.verdict.decision == policy::Decision::Allow {
            return Ok(axum::Json(Answered::from(found)).into_response());
        }
    }
    once.run(&app, move |tx| {
        let found = policy::evaluate(tx, &who, &question)?;
        policy::record(tx, &who, &question, &found)?;
        Answer::ok(&Answered::from(found))
    })
    .await
}
