//! The rules themselves: looked at, checked, compared, tried out and put in force (§4, §8.4).

use axum::extract::State;
use axum::response::Response;
use serde::Serialize;
use serde_json::Value;
use stationmaster_http::App;
use stationmaster_kernel::error::Problems;
use stationmaster_kernel::policy::{self, Active, Decision, Scope, Shift, Version};
use stationmaster_kernel::tool_call::Level;
use stationmaster_kernel::{Error, Object, Principal, Tx};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::body::{DocumentBody, TrialBody, document, scope, scope_of};
use crate::openclaw::error::{ErrorBody, Problem};
use crate::openclaw::read::count;
use crate::openclaw::request::{Answer, Caller, Change, Query, read};

/// On how many actions a document is tried out unless somebody says otherwise.
const USUAL_TRIAL: u32 = 100;
const LONGEST_TRIAL: u32 = 1000;

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(put, remove))
        .routes(routes!(active))
        .routes(routes!(versions))
        .routes(routes!(check))
        .routes(routes!(diff))
        .routes(routes!(test))
}

/// The rules that are in force for something.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Policy {
    /// Whose they are: the scope asked for, or a wider one that governs it.
    scope: &'static str,
    scope_id: Option<String>,
    /// 0: built in.
    version: i64,
    #[schema(value_type = Object)]
    document: Value,
    created_by: Option<String>,
    created_at: Option<String>,
}

impl From<Active> for Policy {
    fn from(it: Active) -> Self {
        Self {
            scope: it.scope.word(),
            scope_id: it.scope.id(),
            version: it.version,
            document: it.document.to_json(),
            created_by: it
                .written
                .as_ref()
                .map(|version| version.created_by.clone()),
            created_at: it.written.map(|version| version.created_at.into()),
        }
    }
}

/// A version of a scope's rules.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Written {
    version: i64,
    #[schema(value_type = Object)]
    document: Value,
    /// It took the scope's rules out of force.
    removed: bool,
    created_by: String,
    created_at: String,
}

impl Written {
    fn of(it: Version) -> Result<Self, Error> {
        Ok(Self {
            version: it.version,
            document: serde_json::from_str(&it.document).map_err(Error::internal)?,
            removed: it.removed,
            created_by: it.created_by,
            created_at: it.created_at.into(),
        })
    }
}

#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Versions {
    versions: Vec<Written>,
}

/// A document without a fault.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Checked {
    /// Always true: a document with faults is answered with 400.
    valid: bool,
    /// The document with everything it leaves unsaid.
    #[schema(value_type = Object)]
    document: Value,
}

/// What a document would change in the rules in force.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Diff {
    policy_version: i64,
    changes: Vec<Difference>,
}

/// One place in which two documents differ.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Difference {
    #[schema(example = "approvals.leadMayApproveYellow")]
    path: String,
    /// `null`: it is not there.
    old: Value,
    new: Value,
}

/// What a document would have decided otherwise.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Trial {
    policy_version: i64,
    /// On how many actions it was tried out.
    tested: u32,
    changes: Vec<Changed>,
}

/// An action that would have been judged otherwise.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Changed {
    activity_id: String,
    agent_id: String,
    #[schema(value_type = Object)]
    action: Object,
    before: Judged,
    after: Judged,
}

#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Judged {
    decision: &'static str,
    risk_level: &'static str,
}

impl From<(Decision, Level)> for Judged {
    fn from((decision, level): (Decision, Level)) -> Self {
        Self {
            decision: decision.as_str(),
            risk_level: level.as_str(),
        }
    }
}

impl From<Shift> for Changed {
    fn from(it: Shift) -> Self {
        Self {
            activity_id: format!("act_{}", it.event),
            agent_id: it.agent.into(),
            action: it.action,
            before: it.before.into(),
            after: it.after.into(),
        }
    }
}

/// The scope that a query names.
fn asked_scope(caller: &Caller, query: &Query) -> Result<Scope, Error> {
    let who = caller.within(query.get("tenantId"))?;
    scope_of(query.get("scope"), query.get("scopeId"), who.tenant()?)
        .map_err(|(field, message)| Error::invalid(field, message))
}

/// The rules in force
#[utoipa::path(get, path = "/api/v1/policy/active", tag = "OpenClaw",
    security(("agent_bearer" = []), ("operator" = [])),
    params(("scope" = Option<String>, Query, description = "GLOBAL (when absent), TENANT, AGENT, TASK_TYPE or TASK"),
        ("scopeId" = Option<String>, Query), ("tenantId" = Option<String>, Query)),
    responses((status = 200, body = Policy), (status = 400, body = ErrorBody), (status = 404, body = ErrorBody)))]
async fn active(
    State(app): State<App>,
    caller: Caller,
    query: Query,
) -> Result<axum::Json<Policy>, Problem> {
    let scope = asked_scope(&caller, &query)?;
    read(&app, move |tx| {
        Ok(policy::active(tx, &caller.who, &scope)?.into())
    })
    .await
}

/// Every version of a scope's rules, newest first
#[utoipa::path(get, path = "/api/v1/policy/versions", tag = "OpenClaw", security(("operator" = [])),
    params(("scope" = Option<String>, Query), ("scopeId" = Option<String>, Query),
        ("tenantId" = Option<String>, Query), ("limit" = Option<u32>, Query)),
    responses((status = 200, body = Versions), (status = 400, body = ErrorBody), (status = 403, body = ErrorBody)))]
async fn versions(
    State(app): State<App>,
    caller: Caller,
    query: Query,
) -> Result<axum::Json<Versions>, Problem> {
    caller.who.operate("look back at the rules")?;
    let mut problems = Problems::default();
    let (limit, _) = query.page(&mut problems);
    problems.into_result()?;
    let scope = asked_scope(&caller, &query)?;
    read(&app, move |tx| {
        let found = policy::versions(tx, &caller.who, &scope, limit)?;
        let versions: Result<Vec<Written>, Error> = found.into_iter().map(Written::of).collect();
        Ok(Versions {
            versions: versions?,
        })
    })
    .await
}

/// Put rules in force, as a new version of a scope's
#[utoipa::path(put, path = "/api/v1/policy", tag = "OpenClaw", security(("operator" = [])),
    request_body = DocumentBody,
    responses((status = 200, body = Policy),
        (status = 400, body = ErrorBody, description = "Every fault names its line or its path"),
        (status = 403, body = ErrorBody), (status = 404, body = ErrorBody)))]
async fn put(
    State(app): State<App>,
    caller: Caller,
    Change { mut fields, once }: Change,
) -> Result<Response, Problem> {
    caller.who.operate("change the rules")?;
    let who = caller.within(fields.string("tenantId").as_deref())?;
    let scope = scope(&mut fields, who.tenant()?).unwrap_or(Scope::Global);
    let document = document(&mut fields);
    fields.finish()?;
    let document = document?;
    once.run(&app, move |tx| {
        policy::put(tx, &who, &scope, &document)?;
        Answer::ok(&own(tx, &who, &scope)?)
    })
    .await
}

/// Take a scope's rules out of force: what governs it otherwise does so again
#[utoipa::path(delete, path = "/api/v1/policy", tag = "OpenClaw", security(("operator" = [])),
    params(("scope" = Option<String>, Query), ("scopeId" = Option<String>, Query), ("tenantId" = Option<String>, Query)),
    responses((status = 200, body = Policy), (status = 400, body = ErrorBody), (status = 403, body = ErrorBody),
        (status = 404, body = ErrorBody)))]
async fn remove(
    State(app): State<App>,
    caller: Caller,
    query: Query,
    Change { once, .. }: Change,
) -> Result<Response, Problem> {
    caller.who.operate("change the rules")?;
    let who = caller.within(query.get("tenantId"))?;
    let scope = asked_scope(&caller, &query)?;
    once.run(&app, move |tx| {
        policy::remove(tx, &who, &scope)?;
        Answer::ok(&own(tx, &who, &scope)?)
    })
    .await
}

fn own(tx: &mut dyn Tx, who: &Principal, scope: &Scope) -> Result<Policy, Error> {
    policy::active(tx, who, scope).map(Policy::from)
}

/// Check a document of rules
#[utoipa::path(post, path = "/api/v1/policy/check", tag = "OpenClaw", security(("operator" = [])),
    request_body = DocumentBody,
    responses((status = 200, body = Checked),
        (status = 400, body = ErrorBody, description = "Every fault names its line or its path"),
        (status = 403, body = ErrorBody)))]
async fn check(
    caller: Caller,
    Change { mut fields, .. }: Change,
) -> Result<axum::Json<Checked>, Problem> {
    caller.who.operate("check rules")?;
    let document = document(&mut fields)?;
    Ok(axum::Json(Checked {
        valid: true,
        document: document.to_json(),
    }))
}

/// Compare a document with the rules in force
#[utoipa::path(post, path = "/api/v1/policy/diff", tag = "OpenClaw", security(("operator" = [])),
    request_body = DocumentBody,
    responses((status = 200, body = Diff), (status = 400, body = ErrorBody), (status = 403, body = ErrorBody)))]
async fn diff(
    State(app): State<App>,
    caller: Caller,
    Change { mut fields, .. }: Change,
) -> Result<axum::Json<Diff>, Problem> {
    caller.who.operate("compare rules")?;
    let who = caller.within(fields.string("tenantId").as_deref())?;
    let scope = scope(&mut fields, who.tenant()?).unwrap_or(Scope::Global);
    let document = document(&mut fields);
    fields.finish()?;
    let document = document?;
    read(&app, move |tx| {
        let active = policy::active(tx, &who, &scope)?;
        let changes = active.document.diff(&document);
        Ok(Diff {
            policy_version: active.version,
            changes: changes
                .into_iter()
                .map(|it| Difference {
                    path: it.path,
                    old: it.old,
                    new: it.new,
                })
                .collect(),
        })
    })
    .await
}

/// Try a document out on what agents did: which actions would have been judged otherwise
#[utoipa::path(post, path = "/api/v1/policy/test", tag = "OpenClaw", security(("operator" = [])),
    request_body = TrialBody,
    responses((status = 200, body = Trial), (status = 400, body = ErrorBody), (status = 403, body = ErrorBody)))]
async fn test(
    State(app): State<App>,
    caller: Caller,
    Change { mut fields, .. }: Change,
) -> Result<axum::Json<Trial>, Problem> {
    caller.who.operate("try rules out")?;
    let tenant = fields.string("tenantId");
    let who = caller.within(tenant.as_deref())?;
    let scope = scope(&mut fields, who.tenant()?).unwrap_or(Scope::Global);
    let last = count(&mut fields, "last").unwrap_or(USUAL_TRIAL);
    let document = document(&mut fields);
    fields.finish()?;
    let document = document?;
    // Rules for all are tried out on every tenant's actions.
    let who = if tenant.is_some() { who } else { caller.who };
    read(&app, move |tx| {
        let found = policy::rehearse(tx, &who, &scope, &document, last.min(LONGEST_TRIAL))?;
        Ok(Trial {
            policy_version: found.version,
            tested: found.tested,
            changes: found.shifts.into_iter().map(Changed::from).collect(),
        })
    })
    .await
}
