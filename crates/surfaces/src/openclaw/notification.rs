//! What somebody is told (§4, §12).

use axum::Json;
use axum::extract::State;
use axum::response::Response;
use serde::Serialize;
use stationmaster_http::App;
use stationmaster_kernel::error::Problems;
use stationmaster_kernel::notification::{self, NotificationFilter, Standing, Target, Type};
use stationmaster_kernel::{NotificationId, Principal, Timestamp};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::error::{ErrorBody, Problem};
use super::heartbeat::first_words;
use super::read;
use super::request::{Answer, Caller, Change, Id, Query, read as look};

pub(super) const TYPES: [&str; 7] = [
    "MENTION",
    "ASSIGNMENT",
    "APPROVAL_REQUEST",
    "APPROVAL_DECIDED",
    "ALERT",
    "DIGEST",
    "TASK_TRANSITION",
];

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(list))
        .routes(routes!(ack))
        .routes(routes!(ack_many))
}

/// Something somebody is told.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Notification {
    id: String,
    tenant_id: String,
    target_agent_id: Option<String>,
    target_user_id: Option<String>,
    #[serde(rename = "type")]
    kind: String,
    title: String,
    body: String,
    task_id: Option<String>,
    message_id: Option<String>,
    approval_id: Option<String>,
    /// `PENDING`, `DELIVERED`, `ACKED`, `FAILED` or `EXPIRED`.
    status: &'static str,
    expires_at: String,
    acked_at: Option<String>,
    created_at: String,
    updated_at: String,
}

impl Notification {
    fn of(it: notification::Notification, now: Timestamp) -> Self {
        let status = it.standing(now).as_str();
        let expires_at = it.expires_at();
        let changed = it.read_at.or(it.delivered_at).unwrap_or(it.created_at);
        let (agent, user) = match it.target {
            Target::Agent(handle) => (Some(handle.into()), None),
            Target::Operator => (None, Some("operator".to_owned())),
        };
        Self {
            id: it.id.into(),
            tenant_id: it.tenant.into(),
            target_agent_id: agent,
            target_user_id: user,
            kind: it.kind.as_str().to_uppercase(),
            title: it.title.unwrap_or_else(|| first_words(&it.content)),
            body: it.content,
            task_id: it.task.map(String::from),
            message_id: it.message.map(String::from),
            approval_id: it.approval.map(String::from),
            status,
            expires_at: expires_at.into(),
            acked_at: it.read_at.map(String::from),
            created_at: it.created_at.into(),
            updated_at: changed.into(),
        }
    }
}

#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Notifications {
    notifications: Vec<Notification>,
}

fn own(who: &Principal) -> Target {
    who.handle()
        .cloned()
        .map_or(Target::Operator, Target::Agent)
}

/// What the caller is told, newest first
///
/// An operator may ask for an agent's with `agentId`.
#[utoipa::path(get, path = "/api/v1/notifications", tag = "OpenClaw",
    security(("agent_bearer" = []), ("operator" = [])),
    params(("status" = Option<String>, Query), ("type" = Option<String>, Query), ("limit" = Option<u32>, Query),
        ("agentId" = Option<String>, Query), ("tenantId" = Option<String>, Query)),
    responses((status = 200, body = Notifications), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody)))]
async fn list(
    State(app): State<App>,
    caller: Caller,
    query: Query,
) -> Result<Json<Notifications>, Problem> {
    let mut problems = Problems::default();
    let (limit, _) = query.page(&mut problems);
    let statuses = Standing::ALL.map(Standing::as_str).join(", ");
    let status = query.word(&mut problems, "status", Standing::parse, &statuses);
    let kind = query.word(
        &mut problems,
        "type",
        |text| {
            TYPES
                .contains(&text)
                .then(|| Type::named(&text.to_lowercase()))
        },
        &TYPES.join(", "),
    );
    problems.into_result()?;
    let target = match query.get("agentId") {
        Some(id) => Target::Agent(caller.agent_named(id)?),
        None => own(&caller.who),
    };
    if caller.who.handle().is_some() && target != own(&caller.who) {
        caller.who.operate("see what another agent is told")?;
    }
    let filter = NotificationFilter {
        target: Some(target),
        unread_only: matches!(status, Some(Standing::Pending | Standing::Delivered)),
        since: None,
        kind,
    };
    let tenant = caller.scope(&query)?;
    look(&app, move |tx| {
        let now = tx.now();
        // Where a notification stands is worked out from its times, so more are looked at.
        let most = if status.is_some() { 1_000 } else { limit };
        let found = tx.notifications_of(tenant.as_ref(), &filter, most)?;
        Ok(Notifications {
            notifications: found
                .into_iter()
                .filter(|it| status.is_none_or(|wanted| it.standing(now) == wanted))
                .take(limit as usize)
                .map(|it| Notification::of(it, now))
                .collect(),
        })
    })
    .await
}

/// Acknowledge one; again is no change
#[utoipa::path(post, path = "/api/v1/notifications/{id}/ack", tag = "OpenClaw",
    security(("agent_bearer" = []), ("operator" = [])), params(("id" = String, Path)),
    responses((status = 200, body = Notification), (status = 403, body = ErrorBody), (status = 404, body = ErrorBody)))]
async fn ack(
    State(app): State<App>,
    caller: Caller,
    Id(id): Id,
    Change { once, .. }: Change,
) -> Result<Response, Problem> {
    let id = NotificationId::new(id);
    once.run(&app, move |tx| {
        let now = tx.now();
        let acked = notification::mark_read(tx, &caller.who, &id)?;
        Answer::ok(&Notification::of(acked, now))
    })
    .await
}

/// Which to acknowledge.
#[derive(ToSchema)]
#[expect(
    dead_code,
    reason = "only describes the body; it is read member by member"
)]
pub(super) struct AckBody {
    ids: Option<Vec<String>>,
    /// Everything that is not too old to be repeated: the newest 2,000 of it.
    all: Option<bool>,
}

#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Acked {
    acked: u32,
}

/// Acknowledge several, or all
#[utoipa::path(post, path = "/api/v1/notifications/ack", tag = "OpenClaw",
    security(("agent_bearer" = []), ("operator" = [])), request_body = AckBody,
    responses((status = 200, body = Acked), (status = 400, body = ErrorBody), (status = 403, body = ErrorBody),
        (status = 404, body = ErrorBody)))]
async fn ack_many(
    State(app): State<App>,
    caller: Caller,
    Change { mut fields, once }: Change,
) -> Result<Response, Problem> {
    let ids = read::strings(&mut fields, "ids", 500);
    let all = fields.boolean("all").unwrap_or(false);
    if ids.is_none() && !all {
        fields.problem("ids", "is required, unless all is true");
    }
    fields.finish()?;
    let ids: Vec<NotificationId> = ids
        .unwrap_or_default()
        .into_iter()
        .map(NotificationId::new)
        .collect();
    once.run(&app, move |tx| {
        let mut acked = 0;
        for id in &ids {
            notification::mark_read(tx, &caller.who, id)?;
            acked += 1;
        }
        if all {
            acked += notification::mark_all_read(tx, &caller.who)?;
        }
        Answer::ok(&Acked { acked })
    })
    .await
}
