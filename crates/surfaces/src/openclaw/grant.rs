//! Grants: what was approved and lets actions through from now on (§8.2, §10.2).

use axum::extract::State;
use axum::response::Response;
use serde::Serialize;
use serde_json::Value;
use stationmaster_http::App;
use stationmaster_http::fields::Fields;
use stationmaster_kernel::GrantId;
use stationmaster_kernel::error::Problems;
use stationmaster_kernel::grant::{self, Scope, Until, Uses, Widening};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::error::{ErrorBody, Problem};
use super::read::{duration, instant};
use super::request::{Answer, Caller, Change, Id, Query, read};

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(list))
        .routes(routes!(revoke))
}

/// A standing permission.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Grant {
    #[schema(example = "grant_0192f7c0c1d27b0d")]
    id: String,
    tenant_id: String,
    /// What was approved.
    approval_id: String,
    /// `null`: any agent.
    agent_id: Option<String>,
    /// `null`: any task.
    task_id: Option<String>,
    /// `ACTION`: exactly the action of this fingerprint; `RULE`: what only this rule holds back;
    /// `APPROVAL`: what names the approval.
    scope: &'static str,
    /// The fingerprint or the rule.
    matches: Option<String>,
    until: String,
    /// `null`: as often as wanted.
    uses_left: Option<u32>,
    used: u32,
    last_used_at: Option<String>,
    granted_by: String,
    revoked_at: Option<String>,
    created_at: String,
}

impl From<grant::Grant> for Grant {
    fn from(it: grant::Grant) -> Self {
        let (scope, matches) = match it.scope {
            Scope::Action(fingerprint) => ("ACTION", Some(fingerprint)),
            Scope::Rule(rule) => ("RULE", Some(rule)),
            Scope::Named => ("APPROVAL", None),
        };
        Self {
            id: it.id.into(),
            tenant_id: it.tenant.into(),
            approval_id: it.approval.into(),
            agent_id: it.agent.map(String::from),
            task_id: it.task.map(String::from),
            scope,
            matches,
            until: it.until.into(),
            uses_left: it.uses_left,
            used: it.used,
            last_used_at: it.last_used_at.map(String::from),
            granted_by: it.granted_by,
            revoked_at: it.revoked_at.map(String::from),
            created_at: it.created_at.into(),
        }
    }
}

/// A page of grants, newest first.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Grants {
    grants: Vec<Grant>,
    has_more: bool,
}

/// How much more than the one action, once, an approval lets through.
#[derive(ToSchema)]
#[expect(
    dead_code,
    reason = "only describes the body; it is read member by member"
)]
#[schema(rename_all = "camelCase")]
pub(super) struct GrantBody {
    /// How often: a number, or `"unlimited"`. Once when absent.
    #[schema(value_type = Option<u32>)]
    uses: Option<Value>,
    /// For how long from now, such as `7d`.
    r#for: Option<String>,
    /// Until when; not together with `for`.
    until: Option<String>,
    any_task: Option<bool>,
    any_agent: Option<bool>,
    /// Whatever only this rule holds back: one of the approval's `violations`.
    #[schema(example = "network_not_allowlisted:docs.example")]
    rule: Option<String>,
}

/// Reads `grant` out of a decision.
pub(super) fn widening(fields: &mut Fields) -> Option<Widening> {
    let mut inner = Fields::new(fields.object("grant")?);
    let found = Widening {
        uses: uses(&mut inner),
        until: until(&mut inner),
        any_task: inner.boolean("anyTask").unwrap_or_default(),
        any_agent: inner.boolean("anyAgent").unwrap_or_default(),
        rule: inner.string("rule"),
    };
    if let Err(error) = inner.finish() {
        for problem in error.problems {
            fields.problem(&format!("grant.{}", problem.field), problem.message);
        }
    }
    Some(found)
}

fn uses(fields: &mut Fields) -> Option<Uses> {
    let value = fields.value("uses")?;
    let times = value.as_u64().and_then(|times| u32::try_from(times).ok());
    match (value.as_str(), times) {
        (Some("unlimited"), _) => Some(Uses::Unlimited),
        (_, Some(times)) => Some(Uses::Times(times)),
        _ => {
            fields.problem("uses", "must be a whole number, or \"unlimited\"");
            None
        }
    }
}

fn until(fields: &mut Fields) -> Option<Until> {
    match (duration(fields, "for"), instant(fields, "until")) {
        (Some(_), Some(_)) => {
            fields.problem("until", "must not be given together with \"for\"");
            None
        }
        (Some(length), None) => Some(Until::For(length)),
        (None, at) => at.map(Until::At),
    }
}

/// Grants, newest first
#[utoipa::path(get, path = "/api/v1/grants", tag = "OpenClaw", security(("operator" = [])),
    params(("tenantId" = Option<String>, Query), ("limit" = Option<u32>, Query), ("offset" = Option<u32>, Query)),
    responses((status = 200, body = Grants), (status = 403, body = ErrorBody)))]
async fn list(
    State(app): State<App>,
    caller: Caller,
    query: Query,
) -> Result<axum::Json<Grants>, Problem> {
    caller.who.operate("look after grants")?;
    let mut problems = Problems::default();
    let (limit, offset) = query.page(&mut problems);
    problems.into_result()?;
    let tenant = caller.scope(&query)?;
    read(&app, move |tx| {
        let mut found = grant::list(tx, &caller.who, tenant.as_ref(), offset, limit + 1)?;
        let has_more = found.len() > limit as usize;
        found.truncate(limit as usize);
        Ok(Grants {
            grants: found.into_iter().map(Grant::from).collect(),
            has_more,
        })
    })
    .await
}

/// Take a grant back
#[utoipa::path(delete, path = "/api/v1/grants/{id}", tag = "OpenClaw", security(("operator" = [])),
    params(("id" = String, Path)),
    responses((status = 200, body = Grant), (status = 403, body = ErrorBody), (status = 404, body = ErrorBody)))]
async fn revoke(
    State(app): State<App>,
    caller: Caller,
    Id(id): Id,
    Change { once, .. }: Change,
) -> Result<Response, Problem> {
    caller.who.operate("look after grants")?;
    let id = GrantId::new(id);
    once.run(&app, move |tx| {
        Answer::ok(&Grant::from(grant::revoke(tx, &caller.who, &id)?))
    })
    .await
}
