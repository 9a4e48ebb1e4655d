//! The dispatcher's side of notifications (§9.2, §9.3).
//!
//! One document lists this path as `POST`, the other as `GET`; both are served, with one meaning.

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use stationmaster_http::fields::Fields;
use stationmaster_http::{App, paging};
use stationmaster_kernel::notification::{self, Batch, Failure};
use stationmaster_kernel::{Error, NotificationId, Object, Principal, TenantId};
use utoipa::ToSchema;

use super::error::{ErrorBody, Problem};
use super::notification::Notification;
use super::request::{Id, InternalCaller, Members, Query};

/// How many deliveries one answer holds at most.
const TOTAL: u32 = 1000;
/// The longest lease a dispatcher may ask for.
const LONGEST_LEASE: i64 = 3600;

/// One notification to hand to a daemon.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Delivery {
    notification_id: String,
    user_id: String,
    /// `user:<user_id>:<role>`
    session_key: String,
    /// Becomes the daemon's `message`.
    content: String,
    agent_role: String,
    task_id: Option<String>,
    r#type: String,
    created_at: String,
    /// Failed tries so far.
    attempts: u32,
    #[schema(value_type = Option<Object>)]
    metadata: Option<Object>,
}

impl From<notification::Notification> for Delivery {
    fn from(it: notification::Notification) -> Self {
        Self {
            session_key: it.session_key(),
            notification_id: it.id.to_string(),
            user_id: it.tenant.to_string(),
            content: it.content,
            agent_role: it.target.to_string(),
            task_id: it.task.map(|id| id.to_string()),
            r#type: it.kind.as_str().to_owned(),
            created_at: it.created_at.to_string(),
            attempts: it.attempts,
            metadata: it.metadata,
        }
    }
}

/// What waits to be delivered.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Deliveries {
    deliveries: Vec<Delivery>,
}

/// How much to give out.
#[derive(ToSchema)]
#[expect(
    dead_code,
    reason = "only describes the body; it is read member by member"
)]
pub(super) struct Limits {
    /// How many users, 1 to 200; 25 when absent.
    limit_users: Option<i64>,
    /// How many notifications of each user, 1 to 200; 25 when absent.
    limit_notifications: Option<i64>,
    /// Hide what is given out for so long; 0 (when absent) only reads.
    lease_seconds: Option<i64>,
}

/// What waits to be delivered, oldest first, one of each user in turn
#[utoipa::path(get, path = "/api/mission-control/dispatch/undelivered", tag = "Mission Control",
    security(("internal_token" = [])),
    params(
        ("limit_users" = Option<i64>, Query, description = "1 to 200, default 25"),
        ("limit_notifications" = Option<i64>, Query, description = "of each user, 1 to 200, default 25"),
        ("lease_seconds" = Option<i64>, Query, description = "hide what is given out for so long, default 0")),
    responses((status = 200, body = Deliveries), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody)))]
pub(super) async fn undelivered(
    State(app): State<App>,
    InternalCaller(who): InternalCaller,
    query: Query,
) -> Result<Json<Deliveries>, Problem> {
    answer(&app, who, Fields::new(Object::new()), &query).await
}

/// The same by POST, with the limits in the body or the query
#[utoipa::path(post, path = "/api/mission-control/dispatch/undelivered", tag = "Mission Control",
    security(("internal_token" = [])), request_body = Limits,
    responses((status = 200, body = Deliveries), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody)))]
pub(super) async fn undelivered_by_post(
    State(app): State<App>,
    InternalCaller(who): InternalCaller,
    query: Query,
    Members(fields): Members,
) -> Result<Json<Deliveries>, Problem> {
    answer(&app, who, fields, &query).await
}

async fn answer(
    app: &App,
    who: Principal,
    mut fields: Fields,
    query: &Query,
) -> Result<Json<Deliveries>, Problem> {
    let mut number = |name: &str, default: i64| -> i64 {
        let in_body = fields.integer(name);
        let in_query = query.get(name).and_then(|text| {
            let parsed = paging::clamped(text);
            if parsed.is_none() {
                fields.problem(name, "must be a whole number");
            }
            parsed
        });
        in_body.or(in_query).unwrap_or(default)
    };
    let (users, each, lease) = (
        number("limit_users", 25),
        number("limit_notifications", 25),
        number("lease_seconds", 0),
    );
    fields.finish()?;
    let clamp = |number: i64| u32::try_from(number.clamp(1, 200)).unwrap_or(200);
    let batch = Batch {
        tenants: clamp(users),
        each: clamp(each),
        total: TOTAL,
    };
    let lease = lease.clamp(0, LONGEST_LEASE).unsigned_abs();
    let found = if lease == 0 {
        app.database
            .read(move |tx| notification::undelivered(tx, &who, batch, None))
            .await?
    } else {
        let length = Duration::from_secs(lease);
        app.database
            .write(move |tx| notification::undelivered(tx, &who, batch, Some(length)))
            .await?
    };
    Ok(Json(Deliveries {
        deliveries: found.into_iter().map(Delivery::from).collect(),
    }))
}

/// What became of a notification.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Delivered {
    #[schema(value_type = String, example = "ok")]
    status: &'static str,
    notification_id: String,
    delivered_at: Option<String>,
}

/// Mark a notification as delivered; again is fine
#[utoipa::path(post, path = "/api/mission-control/dispatch/notifications/{id}/deliver", tag = "Mission Control",
    security(("internal_token" = [])),
    params(("id" = String, Path), ("user_id" = String, Query, description = "whose it is")),
    responses((status = 200, body = Delivered), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody),
        (status = 404, body = ErrorBody)))]
pub(super) async fn deliver(
    State(app): State<App>,
    InternalCaller(who): InternalCaller,
    Id(id): Id,
    query: Query,
) -> Result<Json<Delivered>, Problem> {
    let who = owner(&who, &query)?;
    let id = NotificationId::new(id);
    let it = app
        .database
        .write(move |tx| notification::deliver(tx, &who, &id, None))
        .await?;
    Ok(Json(Delivered {
        status: "ok",
        notification_id: it.id.to_string(),
        delivered_at: it.delivered_at.map(|at| at.to_string()),
    }))
}

/// Why a try failed.
#[derive(ToSchema)]
#[expect(
    dead_code,
    reason = "only describes the body; it is read member by member"
)]
pub(super) struct FailureBody {
    error: Option<String>,
    /// True when absent; false gives the notification up at once.
    retryable: Option<bool>,
    /// How long to wait at least, as the daemon asked.
    retry_after_seconds: Option<i64>,
}

/// Report a try that failed: the next comes later, the last gives it up
#[utoipa::path(post, path = "/api/mission-control/dispatch/notifications/{id}/fail", tag = "Mission Control",
    security(("internal_token" = [])), request_body = FailureBody,
    params(("id" = String, Path), ("user_id" = String, Query, description = "whose it is")),
    responses((status = 200, body = Notification), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody),
        (status = 404, body = ErrorBody), (status = 409, body = ErrorBody)))]
pub(super) async fn fail(
    State(app): State<App>,
    InternalCaller(who): InternalCaller,
    Id(id): Id,
    query: Query,
    Members(mut fields): Members,
) -> Result<Json<Notification>, Problem> {
    let who = owner(&who, &query)?;
    let failure = Failure {
        error: fields.string("error").unwrap_or_default(),
        retryable: fields.boolean("retryable").unwrap_or(true),
        retry_after: fields
            .integer("retry_after_seconds")
            .map(|seconds| Duration::from_secs(seconds.max(0).unsigned_abs())),
    };
    fields.finish()?;
    let id = NotificationId::new(id);
    let it = app
        .database
        .write(move |tx| notification::fail(tx, &who, &id, None, failure.clone()))
        .await?;
    Ok(Json(it.into()))
}

/// The dispatcher, bound to the user that the query names.
fn owner(who: &Principal, query: &Query) -> Result<Principal, Error> {
    let Some(user_id) = query.get("user_id") else {
        return Err(Error::invalid("user_id", "is required in the query"));
    };
    // A user_id that nobody can have owns nothing.
    let tenant: TenantId = user_id
        .parse()
        .map_err(|_| Error::not_found("notification_not_found", "there is no such notification"))?;
    who.within(tenant)
}
