//! Alerts: what an operator should look at (§4).

use axum::Json;
use axum::extract::State;
use axum::response::Response;
use serde::Serialize;
use stationmaster_http::App;
use stationmaster_kernel::alert::{self, AlertFilter, Severity, Status};
use stationmaster_kernel::error::Problems;
use stationmaster_kernel::{AlertId, Object};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::error::{ErrorBody, Problem};
use super::request::{Answer, Caller, Change, Id, Query, read};

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(list))
        .routes(routes!(acknowledge))
        .routes(routes!(resolve))
}

/// An alert as this contract shows it.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Alert {
    id: String,
    tenant_id: String,
    /// `INFO`, `WARNING`, `ERROR` or `CRITICAL`.
    severity: &'static str,
    /// Such as `BUDGET_EXCEEDED`.
    #[serde(rename = "type")]
    kind: String,
    title: String,
    description: String,
    agent_id: Option<String>,
    task_id: Option<String>,
    run_id: Option<String>,
    /// `OPEN`, `ACKNOWLEDGED`, `RESOLVED` or `IGNORED`.
    status: &'static str,
    acknowledged_by: Option<String>,
    acknowledged_at: Option<String>,
    acknowledgement_note: Option<String>,
    resolved_by: Option<String>,
    resolved_at: Option<String>,
    resolution_note: Option<String>,
    #[schema(value_type = Object)]
    metadata: Object,
    created_at: String,
    updated_at: String,
}

impl From<alert::Alert> for Alert {
    fn from(it: alert::Alert) -> Self {
        Self {
            id: it.id.into(),
            tenant_id: it.tenant.into(),
            severity: it.severity.as_str(),
            kind: it.kind,
            title: it.title,
            description: it.description,
            agent_id: it.agent.map(String::from),
            task_id: it.task.map(String::from),
            run_id: it.run.map(String::from),
            status: it.status.as_str(),
            acknowledged_by: it.acknowledged_by,
            acknowledged_at: it.acknowledged_at.map(String::from),
            acknowledgement_note: it.acknowledgement_note,
            resolved_by: it.resolved_by,
            resolved_at: it.resolved_at.map(String::from),
            resolution_note: it.resolution_note,
            metadata: it.metadata.unwrap_or_default(),
            created_at: it.created_at.into(),
            updated_at: it.updated_at.into(),
        }
    }
}

/// Alerts, newest first.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Alerts {
    alerts: Vec<Alert>,
    total: u64,
    has_more: bool,
    /// How many are open, whatever status and severity were asked for.
    open_count: u64,
    /// How many of those are critical.
    critical_count: u64,
}

/// Alerts, newest first
#[utoipa::path(get, path = "/api/v1/alerts", tag = "OpenClaw", security(("operator" = [])),
    params(("status" = Option<String>, Query), ("severity" = Option<String>, Query),
        ("agentId" = Option<String>, Query), ("limit" = Option<u32>, Query), ("offset" = Option<u32>, Query),
        ("tenantId" = Option<String>, Query)),
    responses((status = 200, body = Alerts), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody),
        (status = 403, body = ErrorBody)))]
async fn list(
    State(app): State<App>,
    caller: Caller,
    query: Query,
) -> Result<Json<Alerts>, Problem> {
    caller.who.operate("see alerts")?;
    let mut problems = Problems::default();
    let (limit, offset) = query.page(&mut problems);
    let statuses = Status::ALL.map(Status::as_str).join(", ");
    let severities = Severity::ALL.map(Severity::as_str).join(", ");
    let status = query.word(&mut problems, "status", Status::parse, &statuses);
    let severity = query.word(&mut problems, "severity", Severity::parse, &severities);
    problems.into_result()?;
    let agent = query
        .get("agentId")
        .map(|name| caller.agent_named(name))
        .transpose()?;
    let filter = AlertFilter {
        tenant: caller.scope(&query)?,
        status,
        severity,
        agent,
    };
    read(&app, move |tx| {
        let found = alert::list(tx, &caller.who, &filter, offset, limit)?;
        let shown = u64::from(offset) + found.alerts.len() as u64;
        Ok(Alerts {
            has_more: shown < found.total,
            alerts: found.alerts.into_iter().map(Alert::from).collect(),
            total: found.total,
            open_count: found.open,
            critical_count: found.critical,
        })
    })
    .await
}

/// Who looks after an alert.
#[derive(ToSchema)]
#[expect(
    dead_code,
    reason = "only describes the body; it is read member by member"
)]
pub(super) struct AcknowledgeBody {
    note: Option<String>,
}

/// Say that an alert is being looked after
#[utoipa::path(post, path = "/api/v1/alerts/{id}/acknowledge", tag = "OpenClaw", security(("operator" = [])),
    params(("id" = String, Path)), request_body = AcknowledgeBody,
    responses((status = 200, body = Alert), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody),
        (status = 403, body = ErrorBody), (status = 404, body = ErrorBody), (status = 409, body = ErrorBody)))]
async fn acknowledge(
    State(app): State<App>,
    caller: Caller,
    Id(id): Id,
    Change { mut fields, once }: Change,
) -> Result<Response, Problem> {
    caller.who.operate("acknowledge alerts")?;
    let note = fields.string("note");
    fields.finish()?;
    let id = AlertId::new(id);
    once.run(&app, move |tx| {
        let changed = alert::acknowledge(tx, &caller.who, &id, note.clone())?;
        Answer::ok(&Alert::from(changed))
    })
    .await
}

/// How an alert was put right.
#[derive(ToSchema)]
#[expect(
    dead_code,
    reason = "only describes the body; it is read member by member"
)]
#[schema(rename_all = "camelCase")]
pub(super) struct ResolveBody {
    resolution_note: String,
}

/// Say how what an alert is about was put right
#[utoipa::path(post, path = "/api/v1/alerts/{id}/resolve", tag = "OpenClaw", security(("operator" = [])),
    params(("id" = String, Path)), request_body = ResolveBody,
    responses((status = 200, body = Alert), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody),
        (status = 403, body = ErrorBody), (status = 404, body = ErrorBody), (status = 409, body = ErrorBody)))]
async fn resolve(
    State(app): State<App>,
    caller: Caller,
    Id(id): Id,
    Change { mut fields, once }: Change,
) -> Result<Response, Problem> {
    caller.who.operate("resolve alerts")?;
    let note = fields.required_string("resolutionNote");
    fields.finish()?;
    let id = AlertId::new(id);
    once.run(&app, move |tx| {
        let changed = alert::resolve(tx, &caller.who, &id, note.clone())?;
        Answer::ok(&Alert::from(changed))
    })
    .await
}
