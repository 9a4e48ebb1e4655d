//! Runs that agents report, and what they cost (§9.2, §11).

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use serde::Serialize;
use serde_json::Value;
use stationmaster_http::App;
use stationmaster_http::fields::Fields;
use stationmaster_kernel::budget;
use stationmaster_kernel::error::Problems;
use stationmaster_kernel::run::{self, Amended, Amendment, NewReport, RunFilter, Status, Usage};
use stationmaster_kernel::tool_call;
use stationmaster_kernel::{Error, Object, RunId, TaskId, Timestamp, agent};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::error::{self, ErrorBody, Problem};
use super::read;
use super::request::{Answer, Caller, Change, Id, Query, read as look};

const STATUSES: &str = "RUNNING, COMPLETED, FAILED, TIMEOUT";

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(report))
        .routes(routes!(amend))
        .routes(routes!(list))
        .routes(routes!(get))
        .routes(routes!(tool_calls))
}

/// A run as this contract shows it.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Run {
    id: String,
    tenant_id: String,
    agent_id: String,
    task_id: Option<String>,
    session_key: Option<String>,
    model: String,
    /// `RUNNING`, `COMPLETED`, `FAILED` or `TIMEOUT`.
    status: &'static str,
    started_at: String,
    ended_at: Option<String>,
    duration_ms: Option<i64>,
    input_tokens: u64,
    output_tokens: u64,
    cache_read_tokens: Option<u64>,
    cache_write_tokens: Option<u64>,
    /// In US dollars.
    cost_usd: f64,
    estimated_cost: Option<f64>,
    /// What of its agent's budget is held for it while it runs.
    reserved: f64,
    error: Option<String>,
    #[schema(value_type = Object)]
    metadata: Object,
    /// When it was first heard of.
    created_at: String,
}

impl Run {
    /// The run as it is at `now`.
    pub(super) fn of(it: run::Run, now: Timestamp) -> Self {
        let it = it.as_of(now);
        let cost_usd = it.cost().as_dollars();
        let detail = it.detail;
        Self {
            id: it.id.into(),
            tenant_id: it.tenant.into(),
            agent_id: it.agent.into(),
            task_id: it.task.map(String::from),
            session_key: detail.session_key,
            model: it.model,
            status: it.status.as_str(),
            started_at: it.started_at.into(),
            ended_at: it.ended_at.map(String::from),
            duration_ms: it.ended_at.map(|end| end.0 - it.started_at.0),
            input_tokens: it.spend.input_tokens,
            output_tokens: it.spend.output_tokens,
            cache_read_tokens: detail.cache_read_tokens,
            cache_write_tokens: detail.cache_write_tokens,
            cost_usd,
            estimated_cost: detail.estimated_cost.map(|it| it.as_dollars()),
            reserved: detail.reserved.as_dollars(),
            error: it.error,
            metadata: detail.metadata.unwrap_or_default(),
            created_at: detail.received_at.unwrap_or(it.started_at).into(),
        }
    }
}

/// How near a limit is, or that it is passed (§9.3).
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct BudgetWarning {
    /// `APPROACHING_LIMIT` or `EXCEEDED`.
    #[serde(rename = "type")]
    kind: &'static str,
    /// In US dollars.
    remaining: f64,
    message: String,
}

impl From<budget::Warning> for BudgetWarning {
    fn from(it: budget::Warning) -> Self {
        Self {
            kind: if it.exceeded {
                "EXCEEDED"
            } else {
                "APPROACHING_LIMIT"
            },
            remaining: it.remaining.as_dollars(),
            message: it.message,
        }
    }
}

/// A run as it was taken down.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Reported {
    #[serde(flatten)]
    run: Run,
    /// Only when a limit is near or passed.
    #[serde(skip_serializing_if = "Option::is_none")]
    budget_warning: Option<BudgetWarning>,
}

impl Reported {
    fn of(it: run::Reported, now: Timestamp) -> Self {
        Self {
            run: Run::of(it.run, now),
            budget_warning: it.warning.map(BudgetWarning::from),
        }
    }
}

/// A run that begins, or one that is over already.
#[derive(ToSchema)]
#[expect(
    dead_code,
    reason = "only describes the body; it is read member by member"
)]
#[schema(rename_all = "camelCase")]
pub(super) struct RunBody {
    agent_id: String,
    session_key: String,
    model: String,
    /// RFC 3339.
    started_at: String,
    task_id: Option<String>,
    /// `RUNNING` unless `endedAt` is given.
    status: Option<String>,
    ended_at: Option<String>,
    input_tokens: Option<u64>,
    output_tokens: Option<u64>,
    cache_read_tokens: Option<u64>,
    cache_write_tokens: Option<u64>,
    /// In US dollars, 0 when missing.
    cost_usd: Option<f64>,
    /// What it may cost, which is held back while it runs.
    estimated_cost: Option<f64>,
    error: Option<String>,
    #[schema(value_type = Option<Object>)]
    metadata: Option<Object>,
}

/// What more is known of a run. Costs and tokens are all so far, so that a repeat counts nothing
/// twice.
#[derive(ToSchema)]
#[expect(
    dead_code,
    reason = "only describes the body; it is read member by member"
)]
#[schema(rename_all = "camelCase")]
pub(super) struct RunChangeBody {
    ended_at: Option<String>,
    input_tokens: Option<u64>,
    output_tokens: Option<u64>,
    cache_read_tokens: Option<u64>,
    cache_write_tokens: Option<u64>,
    cost_usd: Option<f64>,
    /// Final once it is not `RUNNING`.
    status: Option<String>,
    error: Option<String>,
}

fn usage(fields: &mut Fields) -> Usage {
    Usage {
        input_tokens: read::large_count(fields, "inputTokens"),
        output_tokens: read::large_count(fields, "outputTokens"),
        cache_read_tokens: read::large_count(fields, "cacheReadTokens"),
        cache_write_tokens: read::large_count(fields, "cacheWriteTokens"),
        cost: read::money(fields, "costUsd"),
    }
}
