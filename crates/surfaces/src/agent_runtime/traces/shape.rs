//! Traces in this contract's words.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;
use stationmaster_kernel::run::{Run, Status};
use stationmaster_runtime::{Deed, Outcome, SendRequest, Trace, TraceStep};
use utoipa::ToSchema;

use crate::agent_runtime::send::dollars;

/// What a turn was, without what was said and done in it.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = TraceHead)]
#[serde(rename_all = "camelCase")]
pub(in crate::agent_runtime) struct Head {
    /// The trace, as `send` named it; turns may share one.
    id: String,
    /// This turn alone.
    run_id: String,
    tenant_id: String,
    /// `metadata.workspace_id` of the request.
    workspace_id: String,
    agent_role: String,
    /// `running`, `pending_approval`, `completed` or `failed`.
    #[schema(value_type = String)]
    status: &'static str,
    started_at: String,
    completed_at: Option<String>,
    duration_ms: Option<i64>,
    /// The model that was asked for.
    model: String,
    provider: Option<String>,
    usage: Usage,
    error: Option<String>,
    labels: BTreeMap<String, String>,
    task_id: Option<String>,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = TraceUsage)]
#[serde(rename_all = "camelCase")]
struct Usage {
    input_tokens: u64,
    output_tokens: u64,
    /// In US dollars.
    total_cost: f64,
}

/// What a turn was and did.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Trace)]
#[serde(rename_all = "camelCase")]
pub(in crate::agent_runtime) struct TraceBody {
    #[serde(flatten)]
    head: Head,
    /// `null` where it was kept by a version of this program that said it otherwise.
    input: Option<Input>,
    steps: Vec<Step>,
    /// `null` until there is an answer.
    output: Option<Output>,
    message_id: Option<String>,
    document_id: Option<String>,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = TraceInput)]
#[serde(rename_all = "camelCase")]
struct Input {
    message: String,
    /// How many earlier messages came with it.
    message_history: usize,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = TraceOutput)]
#[serde(rename_all = "camelCase")]
struct Output {
    message: String,
    tool_calls: Vec<ToolCall>,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = TraceToolCall)]
#[serde(rename_all = "camelCase")]
struct ToolCall {
    name: String,
    #[schema(value_type = Object)]
    arguments: Value,
    success: bool,
    /// What it did, or why not, in a line.
    summary: String,
    duration_ms: u64,
}

/// One thing that the turn did. `data` depends on `type`: `llm_call` has `model`, `provider`, `inputTokens`,
/// `outputTokens`, `cachedTokens`, `reasoningTokens`, `cost`, `hasToolCalls`, `finishReason`; `tool_call` has
/// `toolCallId`, `toolName`, `arguments`, `permitted`, `permissionReason`; `tool_result` has `toolCallId`,
/// `toolName`, `success` and `result` or `error`; `error` has `code`, `message`, `recoverable`.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = TraceStep)]
#[serde(rename_all = "camelCase")]
struct Step {
    #[serde(rename = "type")]
    #[schema(value_type = String)]
    kind: &'static str,
    /// When it began.
    timestamp: String,
    duration_ms: u64,
    #[schema(value_type = Object)]
    data: Data,
}

#[derive(Debug, Serialize)]
#[serde(untagged, rename_all_fields = "camelCase")]
enum Data {
    LlmCall {
        model: String,
        provider: Option<String>,
        input_tokens: u64,
        output_tokens: u64,
        cached_tokens: u64,
        reasoning_tokens: u64,
        cost: f64,
        has_tool_calls: bool,
        finish_reason: Option<String>,
    },
    ToolCall {
        tool_call_id: String,
        tool_name: String,
        arguments: Value,
        permitted: bool,
        #[serde(skip_serializing_if = "Option::is_none")]
        permission_reason: Option<String>,
    },
    ToolResult {
        tool_call_id: String,
        tool_name: String,
        success: bool,
        #[serde(skip_serializing_if = "Option::is_none")]
        result: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        error: Option<String>,
    },
    Error {
        code: &'static str,
        message: String,
        recoverable: bool,
    },
}

impl From<&Run> for Head {
    fn from(run: &Run) -> Self {
        let detail = &run.detail;
        let spend = run.spend;
        let lasted = run
            .ended_at
            .map(|end| end.0.saturating_sub(run.started_at.0));
        Self {
            id: detail.trace.clone().unwrap_or_default(),
            run_id: run.id.to_string(),
            tenant_id: run.tenant.to_string(),
            workspace_id: detail.workspace.clone().unwrap_or_default(),
            agent_role: run.agent.to_string(),
            status: match run.status {
                Status::Running if run.waits_for.is_some() => "pending_approval",
                Status::Running => "running",
                Status::Completed => "completed",
                Status::Failed | Status::Timeout => "failed",
            },
            started_at: run.started_at.to_string(),
            completed_at: run.ended_at.map(String::from),
            duration_ms: lasted.map(|it| it.max(0)),
            model: run.model.clone(),
            provider: detail.provider.clone(),
            usage: Usage {
                input_tokens: spend.input_tokens,
                output_tokens: spend.output_tokens,
                total_cost: dollars(spend.cost_microusd),
            },
            error: run.error.clone(),
            labels: BTreeMap::new(),
            task_id: run.task.as_ref().map(ToString::to_string),
        }
    }
}

impl From<Trace> for TraceBody {
    fn from(it: Trace) -> Self {
        let provider = it.run.detail.provider.as_deref();
        let may_be_repeated = it.run.key.is_some();
        let steps = it.steps.into_iter();
        let (message_id, document_id) = match &it.outcome {
            Some(outcome) => (outcome.message_id.clone(), outcome.document_id.clone()),
            None => (None, None),
        };
        Self {
            head: Head::from(&it.run),
            input: it.request.map(Input::from),
            steps: steps
                .map(|step| Step::of(step, provider, may_be_repeated))
                .collect(),
            output: it.outcome.map(Output::from),
            message_id,
            document_id,
        }
    }
}

impl From<SendRequest> for Input {
    fn from(it: SendRequest) -> Self {
        Self {
            message: it.message,
            message_history: it.messages.len(),
        }
    }
}

impl From<Outcome> for Output {
    fn from(it: Outcome) -> Self {
        let calls = it.tool_calls.into_iter().map(|call| ToolCall {
            name: call.name,
            arguments: call.arguments,
            success: call.ok,
            summary: call.summary,
            duration_ms: call.duration_ms,
        });
        Self {
            message: it.response,
            tool_calls: calls.collect(),
        }
    }
}

impl Step {
    fn of(step: TraceStep, provider: Option<&str>, may_be_repeated: bool) -> Self {
        let (kind, data) = match step.deed {
            Deed::ModelCall {
                model,
                spent,
                reasoning_tokens,
                calls_tools,
                finish,
            } => {
                let data = Data::LlmCall {
                    model,
                    provider: provider.map(str::to_owned),
                    input_tokens: spent.input_tokens,
                    output_tokens: spent.output_tokens,
                    cached_tokens: spent.cached_tokens,
                    reasoning_tokens,
                    cost: dollars(spent.cost_microusd()),
                    has_tool_calls: calls_tools,
                    finish_reason: Some(finish).filter(|it| !it.is_empty()),
                };
                ("llm_call", data)
            }
            Deed::ToolCall {
                call_id,
                name,
                arguments,
                refused,
            } => {
                let data = Data::ToolCall {
                    tool_call_id: call_id,
                    tool_name: name,
                    arguments,
                    permitted: refused.is_none(),
                    permission_reason: refused,
                };
                ("tool_call", data)
            }
            Deed::ToolResult {
                call_id,
                name,
                ok,
                content,
            } => {
                let (result, error) = match ok {
                    true => (Some(content), None),
                    false => (None, Some(content)),
                };
                let data = Data::ToolResult {
                    tool_call_id: call_id,
                    tool_name: name,
                    success: ok,
                    result,
                    error,
                };
                ("tool_result", data)
            }
            Deed::Failure { message } => {
                let data = Data::Error {
                    code: "turn_failed",
                    message,
                    recoverable: may_be_repeated,
                };
                ("error", data)
            }
        };
        Self {
            kind,
            timestamp: step.began_at.to_string(),
            duration_ms: step.duration_ms,
            data,
        }
    }
}
