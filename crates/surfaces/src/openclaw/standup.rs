//! The standup: a look at the crew and its day (§13).

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use jiff::civil::Date;
use serde::Serialize;
use stationmaster_http::App;
use stationmaster_kernel::Error;
use stationmaster_kernel::standup::{self, AlertLine, ApprovalLine, Member, Report, TaskLine};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::error::{ErrorBody, Problem};
use super::money::Dollars;
use super::request::{Caller, Query, read};

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(get))
}

/// A crew's day.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct CrewStandup {
    tenant_id: String,
    #[schema(example = "2026-11-21")]
    date: String,
    timezone: String,
    generated_at: String,
    agents: StandupAgents,
    /// How many tasks there are, by status.
    tasks: BTreeMap<&'static str, u64>,
    /// Done since midnight, newest first.
    completed: Vec<StandupTask>,
    /// Blocked longest first.
    blocked: Vec<StandupTask>,
    approvals: StandupApprovals,
    /// Open ones, newest first.
    alerts: Vec<StandupAlert>,
    burn_rate: BurnRate,
    markdown: String,
}

#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct StandupAgents {
    total: u64,
    active: u64,
    paused: u64,
    list: Vec<StandupAgent>,
}

#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct StandupAgent {
    id: String,
    name: String,
    role: &'static str,
    status: &'static str,
    /// In US dollars.
    spend_today: Dollars,
    budget_daily: Option<Dollars>,
    /// How many of its tasks were done since midnight.
    completed: u64,
    /// How many of its tasks are in progress.
    working: u64,
}

impl From<Member> for StandupAgent {
    fn from(it: Member) -> Self {
        Self {
            id: it.handle.into(),
            name: it.name,
            role: it.rank.as_str(),
            status: it.status.as_str(),
            spend_today: it.spent_today.into(),
            budget_daily: it.budget_daily.map(Dollars::from),
            completed: it.completed,
            working: it.working,
        }
    }
}

#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct StandupTask {
    id: String,
    title: String,
    assignee_id: Option<String>,
    /// Why it is blocked.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    /// When it was done or last changed.
    at: String,
}

impl From<TaskLine> for StandupTask {
    fn from(it: TaskLine) -> Self {
        Self {
            id: it.id.into(),
            title: it.title,
            assignee_id: it.assignee.map(String::from),
            reason: it.reason,
            at: it.at.into(),
        }
    }
}

#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct StandupApprovals {
    pending: u64,
    items: Vec<StandupApproval>,
}

#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct StandupApproval {
    id: String,
    action_summary: String,
    requestor_agent_id: String,
    risk_level: &'static str,
    created_at: String,
}

impl From<ApprovalLine> for StandupApproval {
    fn from(it: ApprovalLine) -> Self {
        Self {
            id: it.id.into(),
            action_summary: it.title,
            requestor_agent_id: it.requestor.into(),
            risk_level: if it.is_red { "RED" } else { "YELLOW" },
            created_at: it.created_at.into(),
        }
    }
}

#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct StandupAlert {
    id: String,
    severity: &'static str,
    #[serde(rename = "type")]
    kind: String,
    title: String,
    created_at: String,
}

impl From<AlertLine> for StandupAlert {
    fn from(it: AlertLine) -> Self {
        Self {
            id: it.id.into(),
            severity: it.severity.as_str(),
            kind: it.kind,
            title: it.title,
            created_at: it.created_at.into(),
        }
    }
}

/// In US dollars.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct BurnRate {
    /// Since midnight.
    today: Dollars,
    /// To the quarter of an hour.
    last24h: Dollars,
}

impl From<Report> for CrewStandup {
    fn from(it: Report) -> Self {
        let markdown = it.to_markdown();
        Self {
            tenant_id: it.tenant.into(),
            date: it.date,
            timezone: it.timezone,
            generated_at: it.at.into(),
            agents: StandupAgents {
                total: it.agents.total,
                active: it.agents.active,
                paused: it.agents.paused,
                list: it.agents.list.into_iter().map(StandupAgent::from).collect(),
            },
            tasks: it
                .tasks
                .iter()
                .map(|(state, count)| (state.as_str(), *count))
                .collect(),
            completed: it.completed.into_iter().map(StandupTask::from).collect(),
            blocked: it.blocked.into_iter().map(StandupTask::from).collect(),
            approvals: StandupApprovals {
                pending: it.pending_approvals,
                items: it
                    .approvals
                    .into_iter()
                    .map(StandupApproval::from)
                    .collect(),
            },
            alerts: it.alerts.into_iter().map(StandupAlert::from).collect(),
            burn_rate: BurnRate {
                today: it.spent_today.into(),
                last24h: it.spent_last_day.into(),
            },
            markdown,
        }
    }
}

/// The crew's day: as it is now, or as it was kept in the morning of an earlier one
#[utoipa::path(get, path = "/api/v1/standup", tag = "OpenClaw",
    security(("agent_bearer" = []), ("operator" = [])),
    params(("date" = Option<String>, Query, description = "2026-11-21; today when missing"),
        ("tenantId" = Option<String>, Query)),
    responses((status = 200, body = CrewStandup), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody),
        (status = 404, body = ErrorBody)))]
async fn get(
    State(app): State<App>,
    caller: Caller,
    query: Query,
) -> Result<Json<CrewStandup>, Problem> {
    let date = query.get("date").map(str::parse::<Date>).transpose();
    let date = date.map_err(|_| Error::invalid("date", "must be a date such as 2026-11-21"))?;
    let who = caller.within(query.get("tenantId"))?;
    read(&app, move |tx| {
        standup::report(tx, who.tenant()?, date).map(CrewStandup::from)
    })
    .await
}
