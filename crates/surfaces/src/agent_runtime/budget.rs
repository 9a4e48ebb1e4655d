//! What a tenant may spend (§§11, 14). The kernel keeps it and holds every call of a model to it.

use std::sync::Arc;

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, Uri};
use serde::Serialize;
use serde_json::Value;
use stationmaster_http::body;
use stationmaster_http::fields::Fields;
use stationmaster_http::query::Query;
use stationmaster_kernel::budget::{self, NewTenantBudget, TenantBudget};
use stationmaster_kernel::error::Problems;
use stationmaster_kernel::{Error, Kind, MicroUsd, Principal, Result, TenantId, Timestamp};
use utoipa::ToSchema;

use super::Daemon;
use super::error::{ErrorBody, Problem};
use super::send::{BODY_LIMIT, dollars};
use super::traces::{A_MOMENT, moment};

const USUAL_THRESHOLD: f64 = 0.8;

/// What a tenant may spend in a period, in US dollars.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct BudgetBody {
    tenant_id: String,
    budget_usd: f64,
    spent_usd: f64,
    period_start: String,
    period_end: String,
    /// Whether calls past it are refused; otherwise it only warns.
    hard_limit: bool,
    alert_threshold: f64,
}

/// How a budget stands.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct StatsBody {
    spent_usd: f64,
    /// Held for calls of models under way.
    reserved_usd: f64,
    remaining_usd: f64,
    percent_used: f64,
}

#[derive(Debug, Serialize, ToSchema)]
pub(super) struct SetReply {
    #[schema(value_type = String, example = "ok")]
    status: &'static str,
    budget: BudgetBody,
}

#[derive(Debug, Serialize, ToSchema)]
pub(super) struct BudgetReply {
    budget: BudgetBody,
    stats: StatsBody,
}

#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct CheckReply {
    /// Whether a call of this cost would be made.
    allowed: bool,
    budget: Option<BudgetBody>,
    /// In US dollars; `null` where there is no limit.
    remaining: Option<f64>,
    percent_used: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    warning: Option<String>,
}

impl From<&TenantBudget> for BudgetBody {
    fn from(it: &TenantBudget) -> Self {
        Self {
            tenant_id: it.tenant.to_string(),
            budget_usd: dollars(it.limit.0),
            spent_usd: dollars(it.spent.0),
            period_start: it.begins_at.to_calendar().to_string(),
            period_end: it.ends_at.to_calendar().to_string(),
            hard_limit: it.hard,
            alert_threshold: it.alert_percent as f64 / 100.0,
        }
    }
}

impl From<&TenantBudget> for StatsBody {
    fn from(it: &TenantBudget) -> Self {
        Self {
            spent_usd: dollars(it.spent.0),
            reserved_usd: dollars(it.held().0),
            remaining_usd: dollars(it.left().0),
            percent_used: percent_used(it),
        }
    }
}

fn percent_used(it: &TenantBudget) -> f64 {
    let used = 100.0 * it.spent.0 as f64 / it.limit.0.max(1) as f64;
    (used * 10.0).round() / 10.0
}

/// Whoever holds the daemon's key speaks for the tenants it serves.
pub(super) fn keeper(tenant: &str) -> Result<Principal> {
    let tenant: TenantId = tenant
        .parse()
        .map_err(|_| Error::invalid("tenant_id", "must be the id of a tenant"))?;
    Principal::system().within(tenant)
}

/// Budgets are kept with the tasks: against somebody else's backend there are none here.
fn own_budgets(daemon: &Daemon) -> Result<()> {
    if daemon.keeps_budgets {
        return Ok(());
    }
    Err(Error::not_found(
        "budget_not_found",
        "this runtime works for another backend, which keeps the budgets",
    ))
}

/// Set what a tenant may spend
#[utoipa::path(post, path = "/budget", tag = "Agent runtime", security(("daemon_key" = []), ()),
    request_body(content = Object, description = "`tenant_id`, `budget_usd` > 0, `period_start` and `period_end` (this UTC month when left out), `hard_limit` (true), `alert_threshold` 0 to 1 (0.8)"),
    responses((status = 200, body = SetReply), (status = 400, body = ErrorBody), (status = 403, body = ErrorBody)))]
pub(super) async fn set(
    State(daemon): State<Arc<Daemon>>,
    headers: HeaderMap,
    content: Body,
) -> std::result::Result<Json<SetReply>, Problem> {
    daemon.app.gate.daemon(&headers)?;
    own_budgets(&daemon)?;
    let bytes = body::read(content, BODY_LIMIT)
        .await
        .map_err(Problem::Body)?;
    let (tenant, new) = read(Fields::new(body::object(&bytes)?))?;
    let who = keeper(&tenant)?;
    let database = &daemon.app.database;
    let budget = database
        .write(move |tx| budget::set_for_tenant(tx, &who, new))
        .await?;
    Ok(Json(SetReply {
        status: "ok",
        budget: BudgetBody::from(&budget),
    }))
}

fn read(mut fields: Fields) -> Result<(String, NewTenantBudget)> {
    let tenant = fields.required_id("tenant_id");
    let limit = fields.value("budget_usd");
    let amount = limit.as_ref().and_then(Value::as_f64);
    let limit = amount
        .filter(|it| *it > 0.0)
        .and_then(MicroUsd::from_dollars);
    if limit.is_none() {
        fields.problem(
            "budget_usd",
            "must be a number of US dollars greater than 0",
        );
    }
    let threshold = match fields.value("alert_threshold") {
        None => USUAL_THRESHOLD,
        Some(value) => value
            .as_f64()
            .filter(|it| (0.0..=1.0).contains(it))
            .unwrap_or_else(|| {
                fields.problem("alert_threshold", "must be a number from 0 to 1");
                USUAL_THRESHOLD
            }),
    };
    let begins_at = time(&mut fields, "period_start");
    let ends_at = time(&mut fields, "period_end");
    let hard = fields.boolean("hard_limit").unwrap_or(true);
    fields.finish()?;
    let new = NewTenantBudget {
        limit: limit.unwrap_or_default(),
        begins_at,
        ends_at,
        hard,
        alert_threshold: threshold,
    };
    Ok((tenant, new))
}

fn time(fields: &mut Fields, name: &str) -> Option<Timestamp> {
    let text = fields.string(name)?;
    let moment = moment(&text, 0);
    if moment.is_none() {
        fields.problem(name, A_MOMENT);
    }
    moment
}

/// What a tenant may spend, and has
#[utoipa::path(get, path = "/budget", tag = "Agent runtime", security(("daemon_key" = []), ()),
    params(("tenant_id" = String, Query)),
    responses((status = 200, body = BudgetReply), (status = 400, body = ErrorBody), (status = 403, body = ErrorBody), (status = 404, body = ErrorBody)))]
pub(super) async fn show(
    State(daemon): State<Arc<Daemon>>,
    headers: HeaderMap,
    uri: Uri,
) -> std::result::Result<Json<BudgetReply>, Problem> {
    daemon.app.gate.daemon(&headers)?;
    own_budgets(&daemon)?;
    let who = keeper(&tenant_of(&Query::of(&uri)?)?)?;
    let database = &daemon.app.database;
    let budget = database.read(move |tx| budget::of_tenant(tx, &who)).await?;
    Ok(Json(BudgetReply {
        budget: BudgetBody::from(&budget),
        stats: StatsBody::from(&budget),
    }))
}

pub(super) fn tenant_of(query: &Query) -> Result<String> {
    query
        .text("tenant_id")
        .ok_or_else(|| Error::invalid("tenant_id", "is missing"))
}

/// Whether a tenant may spend so much more
#[utoipa::path(get, path = "/budget/check", tag = "Agent runtime", security(("daemon_key" = []), ()),
    params(("tenant_id" = String, Query), ("estimated_cost" = Option<f64>, Query)),
    responses((status = 200, body = CheckReply), (status = 400, body = ErrorBody), (status = 403, body = ErrorBody)))]
pub(super) async fn check(
    State(daemon): State<Arc<Daemon>>,
    headers: HeaderMap,
    uri: Uri,
) -> std::result::Result<Json<CheckReply>, Problem> {
    daemon.app.gate.daemon(&headers)?;
    own_budgets(&daemon)?;
    let query = Query::of(&uri)?;
    let mut problems = Problems::default();
    let cost = match query.get("estimated_cost") {
        None => Some(MicroUsd::ZERO),
        Some(text) => text.parse().ok().and_then(MicroUsd::from_dollars),
    };
    if cost.is_none() {
        problems.add("estimated_cost", "must be a number of US dollars");
    }
    problems.into_result()?;
    let who = keeper(&tenant_of(&query)?)?;
    let database = &daemon.app.database;
    let found = database.read(move |tx| budget::of_tenant(tx, &who)).await;
    let budget = match found {
        Ok(budget) => Some(budget),
        Err(error) if error.kind == Kind::NotFound => None,
        Err(error) => return Err(error.into()),
    };
    Ok(Json(checked(budget.as_ref(), cost.unwrap_or_default())))
}

fn checked(budget: Option<&TenantBudget>, cost: MicroUsd) -> CheckReply {
    let Some(budget) = budget else {
        return CheckReply {
            allowed: true,
            budget: None,
            remaining: None,
            percent_used: 0.0,
            reason: None,
            warning: None,
        };
    };
    let left = budget.left();
    let fits = cost <= left && left > MicroUsd::ZERO;
    let percent = percent_used(budget);
    let passed = format!("{left} US dollars are left of {}", budget.limit);
    let is_near = percent >= budget.alert_percent as f64;
    CheckReply {
        allowed: fits || !budget.hard,
        budget: Some(BudgetBody::from(budget)),
        remaining: Some(dollars(left.0)),
        percent_used: percent,
        reason: (!fits && budget.hard).then(|| passed.clone()),
        warning: (is_near || !fits && !budget.hard).then_some(passed),
    }
}
