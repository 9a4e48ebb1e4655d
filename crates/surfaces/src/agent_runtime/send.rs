//! One turn of one agent (§3).

use std::sync::Arc;

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde_json::Value;
use stationmaster_http::body;
use stationmaster_runtime::{Ended, Outcome, Pause, Spent, ToolCallRecord, TraceParent};
use utoipa::ToSchema;

use super::Daemon;
use super::error::{ErrorBody, Problem};
use super::hook::Call;
use super::request::{self, Asked};
use super::stream;

/// The largest body: 1 MiB (§1).
pub(super) const BODY_LIMIT: usize = 1 << 20;
pub(super) const TRACE_ID: HeaderName = HeaderName::from_static("x-trace-id");

/// What to ask an agent.
#[derive(ToSchema)]
#[expect(
    dead_code,
    reason = "only describes the body; it is read member by member"
)]
pub(super) struct SendBody {
    user_id: String,
    /// `user:<user_id>:<role>`; or give `agent_role`.
    session_key: Option<String>,
    agent_role: Option<String>,
    message: String,
    /// What was said before, oldest first.
    messages: Option<Vec<HistoryBody>>,
    task_id: Option<String>,
    /// Found by this title, or made.
    task_title: Option<String>,
    task_description: Option<String>,
    #[schema(value_type = Option<Object>)]
    task_metadata: Option<Value>,
    /// `kickoff_plan`, `kickoff_note`, `plan_title`, `system_prompt`, `timezone`, `notification_id`.
    #[schema(value_type = Option<Object>)]
    metadata: Option<Value>,
    /// The same key and session give the first answer again.
    idempotency_key: Option<String>,
    /// The answer is wanted as it comes, like that of `/api/agents/stream`.
    stream: Option<bool>,
    /// Told once the turn has ended; of no effect where the answer is streamed.
    webhook: Option<WebhookBody>,
}

/// Whom to tell when the turn has ended: `{event: "agent.completed", timestamp, task_id, user_id, role, response, usage, cost,
/// metadata}`, or `agent.error` with `error` and `code`.
#[derive(ToSchema)]
#[schema(as = TurnWebhook)]
#[expect(
    dead_code,
    reason = "only describes the body; it is read member by member"
)]
pub(super) struct WebhookBody {
    /// `http` or `https`, on the public internet.
    url: String,
    /// What the posts are signed with: `X-Wombat-Signature`, `X-Clasper-Signature`, `webhook-signature`.
    secret: Option<String>,
    /// Sent along.
    #[schema(value_type = Option<Object>)]
    headers: Option<Value>,
}

#[derive(ToSchema)]
#[expect(
    dead_code,
    reason = "only describes the body; it is read member by member"
)]
pub(super) struct HistoryBody {
    /// `user`, `assistant` or `system`.
    role: String,
    content: String,
}

/// The agent's answer, which is in the task's thread already.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct SendReply {
    #[schema(value_type = String, example = "ok")]
    status: &'static str,
    task_id: String,
    trace_id: String,
    response: String,
    /// `null` for a heartbeat that found nothing, which is not posted.
    message_id: Option<String>,
    document_id: Option<String>,
    usage: Usage,
    cost: Cost,
    tool_calls: Vec<ToolCall>,
    /// Only above the threshold.
    #[serde(skip_serializing_if = "Option::is_none")]
    context_warning: Option<String>,
    /// Only when the reply had been posted by an earlier attempt.
    #[serde(skip_serializing_if = "Option::is_none")]
    message_error: Option<String>,
    /// Only when the reply was posted and the plan could not be.
    #[serde(skip_serializing_if = "Option::is_none")]
    document_error: Option<String>,
}

#[derive(Debug, Serialize, ToSchema)]
#[expect(clippy::struct_field_names, reason = "the contract's words")]
pub(super) struct Usage {
    prompt_tokens: u64,
    completion_tokens: u64,
    total_tokens: u64,
}

/// What the answer to a turn that waits for a person's decision says (rulings 19). The reply is posted to
/// the task's thread when the turn has gone on.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct PausedReply {
    #[schema(value_type = String, example = "pending_approval")]
    status: &'static str,
    task_id: String,
    run_id: String,
    approval_id: String,
    tool_request_id: String,
}

impl From<Pause> for PausedReply {
    fn from(it: Pause) -> Self {
        Self {
            status: "pending_approval",
            task_id: it.task_id,
            run_id: it.run_id,
            approval_id: it.approval_id,
            tool_request_id: it.tool_request_id,
        }
    }
}

/// In US dollars.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Cost {
    model: String,
    input_tokens: u64,
    output_tokens: u64,
    input_cost: f64,
    output_cost: f64,
    total_cost: f64,
    #[schema(value_type = String)]
    currency: &'static str,
}

#[derive(Debug, Serialize, ToSchema)]
struct ToolCall {
    name: String,
    #[schema(value_type = Object)]
    arguments: Value,
    ok: bool,
    /// What it did, or why it did not.
    summary: String,
    duration_ms: u64,
}

impl From<ToolCallRecord> for ToolCall {
    fn from(it: ToolCallRecord) -> Self {
        let ToolCallRecord {
            name,
            arguments,
            ok,
            summary,
            duration_ms,
        } = it;
        Self {
            name,
            arguments,
            ok,
            summary,
            duration_ms,
        }
    }
}

impl From<Outcome> for SendReply {
    fn from(it: Outcome) -> Self {
        let spent = it.spent;
        Self {
            status: "ok",
            task_id: it.task_id,
            trace_id: it.trace_id,
            response: it.response,
            message_id: it.message_id,
            document_id: it.document_id,
            usage: Usage::from(&spent),
            cost: Cost::of(it.model, &spent),
            tool_calls: it.tool_calls.into_iter().map(ToolCall::from).collect(),
            context_warning: it.context_warning,
            message_error: it.message_error,
            document_error: it.document_error,
        }
    }
}

impl From<&Spent> for Usage {
    fn from(spent: &Spent) -> Self {
        Self {
            prompt_tokens: spent.input_tokens,
            completion_tokens: spent.output_tokens,
            total_tokens: spent.total_tokens(),
        }
    }
}

impl Cost {
    pub(super) fn of(model: String, spent: &Spent) -> Self {
        Self {
            model,
            input_tokens: spent.input_tokens,
            output_tokens: spent.output_tokens,
            input_cost: dollars(spent.input_cost_microusd),
            output_cost: dollars(spent.output_cost_microusd),
            total_cost: dollars(spent.cost_microusd()),
            currency: "USD",
        }
    }
}

/// Whole micro-dollars are exactly six decimals.
pub(super) fn dollars(microusd: u64) -> f64 {
    microusd as f64 / 1_000_000.0
}

/// Ask an agent; its answer is posted to the task's thread and returned
#[utoipa::path(post, path = "/api/agents/send", tag = "Agent runtime", security(("daemon_key" = []), ()),
    params(("Idempotency-Key" = Option<String>, Header), ("X-Trace-Id" = Option<String>, Header), ("traceparent" = Option<String>, Header)),
    request_body = SendBody,
    responses((status = 200, content((SendReply = "application/json"), (String = "text/event-stream"))), (status = 202, body = PausedReply), (status = 400, body = ErrorBody), (status = 403, body = ErrorBody),
        (status = 404, body = ErrorBody), (status = 429, body = ErrorBody), (status = 413, body = ErrorBody), (status = 500, body = ErrorBody),
        (status = 502, body = ErrorBody), (status = 503, body = ErrorBody), (status = 504, body = ErrorBody)))]
pub(super) async fn send(
    State(daemon): State<Arc<Daemon>>,
    headers: HeaderMap,
    content: Body,
) -> Result<Response, Problem> {
    let asked = read(&daemon, &headers, content).await?;
    if asked.streams {
        return stream::answer(&daemon, asked).await;
    }
    let (runtime, hooks) = (daemon.runtime.clone(), daemon.hooks.clone());
    let ended = daemon
        .see_through(async move {
            let call = asked.target.map(|target| Call::new(target, &asked.turn));
            let ended = runtime.send(asked.turn).await;
            if let Some(call) = call {
                hooks.tell(call, runtime.now(), &ended);
            }
            ended
        })
        .await?;
    let outcome = match ended {
        Ended::Answered(outcome) | Ended::Replayed(outcome) => *outcome,
        Ended::Paused(pause) => {
            return Ok((StatusCode::ACCEPTED, Json(PausedReply::from(pause))).into_response());
        }
    };
    let trace_id = HeaderValue::from_str(&outcome.trace_id);
    let mut response = Json(SendReply::from(outcome)).into_response();
    if let Ok(value) = trace_id {
        response.headers_mut().insert(TRACE_ID, value);
    }
    Ok(response)
}

/// What a caller that may ask asks for.
pub(super) async fn read(
    daemon: &Daemon,
    headers: &HeaderMap,
    content: Body,
) -> Result<Asked, Problem> {
    daemon.app.gate.daemon(headers)?;
    let bytes = body::read(content, BODY_LIMIT)
        .await
        .map_err(Problem::Body)?;
    let header = |name: &str| {
        headers
            .get(name)
            .and_then(|value| value.to_str().ok())
            .map(str::to_owned)
    };
    let traceparent = header("traceparent");
    let parent = traceparent.as_deref().and_then(TraceParent::parse);
    let trace_id = header("x-trace-id").or_else(|| parent.map(|parent| parent.trace_id()));
    let key = header("idempotency-key");
    let reach = daemon.hooks.reach();
    let mut asked = request::read(body::object(&bytes)?, key, trace_id, reach)?;
    asked.turn.traceparent = traceparent.filter(|_| parent.is_some());
    Ok(asked)
}
