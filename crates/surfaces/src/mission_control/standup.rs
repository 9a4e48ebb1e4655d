//! Standups (§11.2).

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use stationmaster_http::App;
use stationmaster_kernel::standup;
use stationmaster_kernel::{Principal, TenantId};
use utoipa::ToSchema;

use super::error::{ErrorBody, Problem};
use super::request::{AgentOrInternalCaller, Members, same_tenant};

/// How many tenants one request sums up.
const TENANTS: usize = 1000;
const CHUNK: u32 = 100;

/// A tenant's day so far.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Standup {
    #[schema(value_type = String, example = "ok")]
    status: &'static str,
    user_id: String,
    #[schema(example = "2026-11-21")]
    date: String,
    timezone: String,
    document_id: String,
    task_id: String,
    content: String,
    counts: Counts,
}

/// The day in numbers.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Counts {
    tasks: Tasks,
    tasks_changed: u64,
    messages: u64,
    documents: u64,
    blocked: u64,
    open_tool_requests: u64,
}

/// All tasks, by where they stand.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Tasks {
    pending: u64,
    in_progress: u64,
    blocked: u64,
    completed: u64,
    cancelled: u64,
}

impl From<standup::Standup> for Standup {
    fn from(it: standup::Standup) -> Self {
        let tasks = it.counts.tasks;
        Self {
            status: "ok",
            user_id: it.tenant.to_string(),
            date: it.date,
            timezone: it.timezone,
            document_id: it.document.to_string(),
            task_id: it.task.to_string(),
            content: it.content,
            counts: Counts {
                tasks: Tasks {
                    pending: tasks.pending,
                    in_progress: tasks.in_progress,
                    blocked: tasks.blocked,
                    completed: tasks.completed,
                    cancelled: tasks.cancelled,
                },
                tasks_changed: it.counts.tasks_changed,
                messages: it.counts.messages,
                documents: it.counts.documents,
                blocked: tasks.blocked,
                open_tool_requests: it.counts.open_approvals,
            },
        }
    }
}

/// One tenant's, or everybody's.
#[derive(Debug, Serialize, ToSchema)]
#[serde(untagged)]
pub(super) enum StandupReply {
    One(Box<Standup>),
    Everybody {
        #[schema(value_type = String, example = "ok")]
        status: &'static str,
        results: Vec<Standup>,
    },
}

/// Whose day, and where midnight is.
#[derive(ToSchema)]
#[expect(
    dead_code,
    reason = "only describes the body; it is read member by member"
)]
pub(super) struct StandupBody {
    /// Absent with an internal token: every user with activity that day.
    user_id: Option<String>,
    /// An IANA name; `UTC` when absent.
    timezone: Option<String>,
}

/// Sum up the day so far and keep it as a document
#[utoipa::path(post, path = "/api/mission-control/standup", tag = "Mission Control",
    security(("agent_token" = []), ("internal_token" = [])), request_body = StandupBody,
    responses((status = 200, body = StandupReply), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody),
        (status = 403, body = ErrorBody)))]
pub(super) async fn hold(
    State(app): State<App>,
    AgentOrInternalCaller(who): AgentOrInternalCaller,
    Members(mut fields): Members,
) -> Result<Json<StandupReply>, Problem> {
    let user_id = fields.string("user_id").filter(|text| !text.is_empty());
    same_tenant(&who, user_id.as_deref())?;
    let timezone = fields.string("timezone").filter(|text| !text.is_empty());
    fields.finish()?;
    let tenant: Option<TenantId> = user_id.map(|text| text.parse()).transpose()?;
    if who.tenant.is_some() || tenant.is_some() {
        let who = match tenant {
            Some(tenant) => who.within(tenant)?,
            None => who,
        };
        return Ok(Json(StandupReply::One(Box::new(
            hold_one(&app, who, timezone).await?,
        ))));
    }
    let mut results = Vec::new();
    let mut last: Option<TenantId> = None;
    while results.len() < TENANTS {
        let (caller, zone, after) = (who.clone(), timezone.clone(), last.clone());
        let tenants = app
            .database
            .read(move |tx| {
                standup::active_tenants(tx, &caller, zone.as_deref(), after.as_ref(), CHUNK)
            })
            .await?;
        let Some(newest) = tenants.last() else { break };
        last = Some(newest.clone());
        for tenant in tenants {
            results.push(hold_one(&app, who.within(tenant)?, timezone.clone()).await?);
        }
    }
    Ok(Json(StandupReply::Everybody {
        status: "ok",
        results,
    }))
}

async fn hold_one(app: &App, who: Principal, timezone: Option<String>) -> Result<Standup, Problem> {
    let held = app
        .database
        .write(move |tx| standup::hold(tx, &who, timezone.as_deref()))
        .await?;
    Ok(held.into())
}
