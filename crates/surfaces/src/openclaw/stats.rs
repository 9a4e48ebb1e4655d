//! How the installation does, in numbers (§4).

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use stationmaster_http::App;
use stationmaster_kernel::Error;
use stationmaster_kernel::cost::CostSum;
use stationmaster_kernel::error::Problems;
use stationmaster_kernel::kind::TaskKind;
use stationmaster_kernel::state::State as TaskState;
use stationmaster_kernel::stats::{self, Costs, Period};
use stationmaster_kernel::task::Tally;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::error::{ErrorBody, Problem};
use super::money::Dollars;
use super::request::{Caller, Id, Query, read};

/// What costs are counted as that belong to no type of task.
const NO_TYPE: &str = "NONE";

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(overview))
        .routes(routes!(costs))
}

/// How things stand.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Overview {
    tasks: TaskCounts,
    agents: AgentCounts,
    approvals: ApprovalCounts,
    alerts: AlertCounts,
    cost: Spent,
}

/// How many tasks there are. Every status is named; of types those that there are.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct TaskCounts {
    total: u64,
    by_status: BTreeMap<&'static str, u64>,
    by_type: BTreeMap<&'static str, u64>,
}

#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct AgentCounts {
    total: u64,
    by_status: BTreeMap<&'static str, u64>,
}

#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct ApprovalCounts {
    pending: u64,
}

#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct AlertCounts {
    open: u64,
    critical: u64,
}

/// In US dollars.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct Spent {
    /// Since midnight in `MC_TIMEZONE`.
    today: Dollars,
    /// Since Monday.
    week: Dollars,
    /// Since the first of the month.
    month: Dollars,
}

impl From<stats::Overview> for Overview {
    fn from(it: stats::Overview) -> Self {
        let by_status: BTreeMap<_, _> = it
            .agents
            .iter()
            .map(|(status, count)| (status.as_str(), *count))
            .collect();
        Self {
            tasks: TaskCounts::of(&it.tasks),
            agents: AgentCounts {
                total: by_status.values().sum(),
                by_status,
            },
            approvals: ApprovalCounts {
                pending: it.pending_approvals,
            },
            alerts: AlertCounts {
                open: it.open_alerts,
                critical: it.critical_alerts,
            },
            cost: Spent {
                today: it.today.cost.into(),
                week: it.week.cost.into(),
                month: it.month.cost.into(),
            },
        }
    }
}

impl TaskCounts {
    fn of(tallies: &[Tally]) -> Self {
        let mut by_status: BTreeMap<_, _> = TaskState::ALL.map(|state| (state.as_str(), 0)).into();
        let mut by_type = BTreeMap::new();
        for tally in tallies {
            *by_status.entry(tally.state.as_str()).or_default() += tally.count;
            let kind = tally.kind.map_or(NO_TYPE, TaskKind::as_str);
            *by_type.entry(kind).or_default() += tally.count;
        }
        Self {
            total: by_status.values().sum(),
            by_status,
            by_type,
        }
    }
}

/// How things stand
#[utoipa::path(get, path = "/api/v1/stats/overview", tag = "OpenClaw", security(("operator" = [])),
    params(("tenantId" = Option<String>, Query)),
    responses((status = 200, body = Overview), (status = 401, body = ErrorBody), (status = 403, body = ErrorBody)))]
async fn overview(
    State(app): State<App>,
    caller: Caller,
    query: Query,
) -> Result<Json<Overview>, Problem> {
    caller.who.operate("see how things stand")?;
    let tenant = caller.scope(&query)?;
    read(&app, move |tx| {
        stats::overview(tx, tenant.as_ref()).map(Overview::from)
    })
    .await
}

/// What an agent's runs cost.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct AgentCosts {
    agent_id: String,
    /// `day` since midnight, `week` since Monday, `month` since the first.
    period: &'static str,
    since: String,
    /// In US dollars.
    total: Dollars,
    runs: u64,
    tokens: u64,
    avg_cost_per_run: Dollars,
    /// Dearest first.
    by_model: Vec<ModelCost>,
    /// Dearest first.
    by_task_type: Vec<TypeCost>,
}

#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct ModelCost {
    model: String,
    cost: Dollars,
    runs: u64,
    tokens: u64,
}

#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct TypeCost {
    /// `NONE` for work on no task, or on one of no type.
    #[serde(rename = "type")]
    kind: &'static str,
    cost: Dollars,
    runs: u64,
    tokens: u64,
}

impl AgentCosts {
    fn of(agent: String, period: Period, it: Costs) -> Self {
        let by_model = |(model, sum): (String, CostSum)| ModelCost {
            model,
            cost: sum.cost.into(),
            runs: sum.runs,
            tokens: sum.tokens,
        };
        let by_kind = |(kind, sum): (Option<TaskKind>, CostSum)| TypeCost {
            kind: kind.map_or(NO_TYPE, TaskKind::as_str),
            cost: sum.cost.into(),
            runs: sum.runs,
            tokens: sum.tokens,
        };
        Self {
            agent_id: agent,
            period: period.as_str(),
            since: it.since.into(),
            total: it.sum.cost.into(),
            runs: it.sum.runs,
            tokens: it.sum.tokens,
            avg_cost_per_run: it.average().into(),
            by_model: it.by_model.into_iter().map(by_model).collect(),
            by_task_type: it.by_kind.into_iter().map(by_kind).collect(),
        }
    }
}

/// What an agent's runs cost; an agent sees its own
#[utoipa::path(get, path = "/api/v1/stats/agents/{id}/costs", tag = "OpenClaw",
    security(("agent_bearer" = []), ("operator" = [])),
    params(("id" = String, Path, description = "or `me`"),
        ("period" = Option<String>, Query, description = "day (the default), week or month"),
        ("tenantId" = Option<String>, Query)),
    responses((status = 200, body = AgentCosts), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody),
        (status = 403, body = ErrorBody), (status = 404, body = ErrorBody)))]
async fn costs(
    State(app): State<App>,
    caller: Caller,
    Id(id): Id,
    query: Query,
) -> Result<Json<AgentCosts>, Problem> {
    let handle = caller.agent_named(&id)?;
    if caller.who.handle().is_some_and(|own| *own != handle) {
        return Err(
            Error::forbidden("forbidden", "an agent sees only its own costs")
                .with_detail("requiredRole", "OPERATOR")
                .into(),
        );
    }
    let mut problems = Problems::default();
    let period = query.word(&mut problems, "period", Period::parse, "day, week, month");
    problems.into_result()?;
    let period = period.unwrap_or(Period::Day);
    let who = caller.within(query.get("tenantId"))?;
    read(&app, move |tx| {
        let found = stats::costs(tx, who.tenant()?, &handle, period)?;
        Ok(AgentCosts::of(handle.to_string(), period, found))
    })
    .await
}
