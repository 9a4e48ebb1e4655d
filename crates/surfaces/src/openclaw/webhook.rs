//! Webhooks: who else is told what happens (§4, §12).

use axum::extract::State;
use axum::response::Response;
use serde::Serialize;
use stationmaster_credentials::Secret;
use stationmaster_http::App;
use stationmaster_http::fields::Fields;
use stationmaster_kernel::error::Problems;
use stationmaster_kernel::webhook::{self, NewWebhook};
use stationmaster_kernel::{DeliveryId, Error, Principal, WebhookId};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::activity::told;
use super::error::{ErrorBody, Problem};
use super::request::{Answer, Caller, Change, Id, Ids, Query, read};

/// What a secret in the form of Standard Webhooks begins with.
const SECRET_PREFIX: &str = "whsec_";
/// Stands for every event.
const ALL: &str = "*";
/// No address is longer.
const LONGEST_URL: usize = 2048;

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(list, create))
        .routes(routes!(get, remove))
        .routes(routes!(deliveries))
        .routes(routes!(replay))
}

/// A webhook as this contract shows it; its secret is shown once, when it is made.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Webhook {
    id: String,
    tenant_id: Option<String>,
    url: String,
    /// Which events it is told of; empty means all.
    events: Vec<String>,
    created_by: String,
    created_at: String,
    /// As it was made: a webhook is never changed, but made anew.
    updated_at: String,
}

impl From<webhook::Webhook> for Webhook {
    fn from(it: webhook::Webhook) -> Self {
        Self {
            id: it.id.into(),
            tenant_id: it.tenant.map(String::from),
            url: it.url,
            events: it.events,
            created_by: it.created_by,
            created_at: it.created_at.into(),
            updated_at: it.created_at.into(),
        }
    }
}

/// A webhook just made, with what its deliveries are signed with.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct NewlyMade {
    #[serde(flatten)]
    webhook: Webhook,
    /// Shown this once. Check `webhook-signature` with it as Standard Webhooks says.
    secret: String,
}

#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Webhooks {
    webhooks: Vec<Webhook>,
}

/// One thing a webhook was told, or is to be told.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Delivery {
    id: String,
    webhook_id: String,
    event: String,
    /// `PENDING`, `DELIVERED` or `FAILED`.
    status: &'static str,
    attempts: u32,
    response_status: Option<u16>,
    last_error: Option<String>,
    next_attempt_at: Option<String>,
    delivered_at: Option<String>,
    created_at: String,
    replay_of: Option<String>,
    /// What is sent, byte for byte.
    body: String,
}

impl From<webhook::Delivery> for Delivery {
    fn from(it: webhook::Delivery) -> Self {
        let waits = it.status == webhook::Status::Pending;
        Self {
            id: it.id.into(),
            webhook_id: it.webhook.into(),
            event: it.kind,
            status: it.status.as_str(),
            attempts: it.attempts,
            response_status: it.response_status,
            last_error: it.last_error,
            next_attempt_at: waits.then(|| it.next_attempt_at.into()),
            delivered_at: it.delivered_at.map(String::from),
            created_at: it.created_at.into(),
            replay_of: it.replay_of.map(String::from),
            body: it.body,
        }
    }
}

#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Deliveries {
    deliveries: Vec<Delivery>,
    has_more: bool,
}

/// What a webhook is made of.
#[derive(ToSchema)]
#[expect(
    dead_code,
    reason = "only describes the body; it is read member by member"
)]
#[schema(rename_all = "camelCase")]
pub(super) struct WebhookBody {
    /// Where to send what happens: `http://` or `https://`.
    url: String,
    /// Which events to tell, in the words of the audit trail (`TASK_TRANSITION`, …) and of
    /// notifications to the operator (`APPROVAL_REQUEST`, `ALERT`); none means all, as does `*`.
    events: Option<Vec<String>>,
    /// What to sign with: base64 after `whsec_`, as Standard Webhooks says, or any text; made when
    /// missing.
    secret: Option<String>,
    /// Only what happens there.
    tenant_id: Option<String>,
}

/// Every webhook
#[utoipa::path(get, path = "/api/v1/webhooks", tag = "OpenClaw", security(("operator" = [])),
    responses((status = 200, body = Webhooks), (status = 401, body = ErrorBody), (status = 403, body = ErrorBody)))]
async fn list(State(app): State<App>, caller: Caller) -> Result<axum::Json<Webhooks>, Problem> {
    read(&app, move |tx| {
        let found = webhook::list(tx, &caller.who)?;
        Ok(Webhooks {
            webhooks: found.into_iter().map(Webhook::from).collect(),
        })
    })
    .await
}

/// Tell somebody outside what happens from now on
#[utoipa::path(post, path = "/api/v1/webhooks", tag = "OpenClaw", security(("operator" = [])),
    request_body = WebhookBody,
    responses((status = 201, body = NewlyMade), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody),
        (status = 403, body = ErrorBody)))]
async fn create(
    State(app): State<App>,
    caller: Caller,
    Change { mut fields, once }: Change,
) -> Result<Response, Problem> {
    caller.who.operate("have webhooks")?;
    let new = new_webhook(&mut fields, &caller.who)?;
    fields.finish()?;
    let who = caller.who;
    once.run(&app, move |tx| {
        let secret = new.secret.clone();
        let made: Webhook = webhook::create(tx, &who, new.clone())?.into();
        let kept = serde_json::to_value(&made).map_err(Error::internal)?;
        let shown = NewlyMade {
            webhook: made,
            secret,
        };
        Ok(Answer::created(&shown)?.keeping(kept))
    })
    .await
}

fn new_webhook(fields: &mut Fields, who: &Principal) -> Result<NewWebhook, Error> {
    let url = fields.required_string("url");
    let has_scheme = ["http://", "https://"]
        .iter()
        .any(|scheme| url.len() > scheme.len() && url.starts_with(scheme));
    if !url.is_empty()
        && (!has_scheme || url.len() > LONGEST_URL || url.parse::<axum::http::Uri>().is_err())
    {
        fields.problem(
            "url",
            "must be an address that begins with http:// or https://",
        );
    }
    let mut events = Vec::new();
    for (index, value) in fields
        .array("events")
        .unwrap_or_default()
        .into_iter()
        .enumerate()
    {
        match value.as_str() {
            Some(name) if name == ALL || told().any(|known| known == name) => {
                events.push(name.to_owned());
            }
            _ => {
                let names: Vec<&str> = told().collect();
                let message = format!("must be {ALL} or one of {}", names.join(", "));
                fields.problem(&format!("events[{index}]"), message);
            }
        }
    }
    let secret = match fields.string("secret") {
        Some(secret) => {
            if secret.is_empty() {
                fields.problem(
                    "secret",
                    "must not be empty; one is made when it is missing",
                );
            }
            secret
        }
        None => made_secret()?,
    };
    let tenant = fields
        .string("tenantId")
        .map(|text| text.parse())
        .transpose();
    let tenant = tenant.map_err(|_| Error::invalid("tenantId", "must be 1 to 255 characters"))?;
    Ok(NewWebhook {
        url,
        events,
        secret,
        tenant: who.tenant.clone().or(tenant),
    })
}

fn made_secret() -> Result<String, Error> {
    use base64::Engine as _;
    let random = Secret::generate("").map_err(Error::internal)?;
    let bytes = hex::decode(random.expose()).map_err(Error::internal)?;
    let encoded = base64::engine::general_purpose::STANDARD.encode(bytes);
    Ok(format!("{SECRET_PREFIX}{encoded}"))
}

/// One webhook
#[utoipa::path(get, path = "/api/v1/webhooks/{id}", tag = "OpenClaw", security(("operator" = [])),
    params(("id" = String, Path)),
    responses((status = 200, body = Webhook), (status = 403, body = ErrorBody), (status = 404, body = ErrorBody)))]
async fn get(
    State(app): State<App>,
    caller: Caller,
    Id(id): Id,
) -> Result<axum::Json<Webhook>, Problem> {
    let id = WebhookId::new(id);
    read(&app, move |tx| {
        Ok(webhook::get(tx, &caller.who, &id)?.into())
    })
    .await
}

/// Tell it nothing more
#[utoipa::path(delete, path = "/api/v1/webhooks/{id}", tag = "OpenClaw", security(("operator" = [])),
    params(("id" = String, Path)),
    responses((status = 200, body = Webhook), (status = 403, body = ErrorBody), (status = 404, body = ErrorBody)))]
async fn remove(
    State(app): State<App>,
    caller: Caller,
    Id(id): Id,
    Change { once, .. }: Change,
) -> Result<Response, Problem> {
    let id = WebhookId::new(id);
    once.run(&app, move |tx| {
        Answer::ok(&Webhook::from(webhook::remove(tx, &caller.who, &id)?))
    })
    .await
}

/// What it was told, newest first
#[utoipa::path(get, path = "/api/v1/webhooks/{id}/deliveries", tag = "OpenClaw", security(("operator" = [])),
    params(("id" = String, Path), ("limit" = Option<u32>, Query), ("offset" = Option<u32>, Query)),
    responses((status = 200, body = Deliveries), (status = 403, body = ErrorBody), (status = 404, body = ErrorBody)))]
async fn deliveries(
    State(app): State<App>,
    caller: Caller,
    Id(id): Id,
    query: Query,
) -> Result<axum::Json<Deliveries>, Problem> {
    let mut problems = Problems::default();
    let (limit, offset) = query.page(&mut problems);
    problems.into_result()?;
    let id = WebhookId::new(id);
    read(&app, move |tx| {
        let mut found = webhook::deliveries(tx, &caller.who, &id, offset, limit + 1)?;
        let has_more = found.len() > limit as usize;
        found.truncate(limit as usize);
        Ok(Deliveries {
            deliveries: found.into_iter().map(Delivery::from).collect(),
            has_more,
        })
    })
    .await
}

/// Tell it something once more
#[utoipa::path(post, path = "/api/v1/webhooks/{id}/deliveries/{delivery}/replay", tag = "OpenClaw",
    security(("operator" = [])), params(("id" = String, Path), ("delivery" = String, Path)),
    responses((status = 201, body = Delivery), (status = 403, body = ErrorBody), (status = 404, body = ErrorBody)))]
async fn replay(
    State(app): State<App>,
    caller: Caller,
    Ids(id, delivery): Ids,
    Change { once, .. }: Change,
) -> Result<Response, Problem> {
    let (id, delivery) = (WebhookId::new(id), DeliveryId::new(delivery));
    once.run(&app, move |tx| {
        Answer::created(&Delivery::from(webhook::replay(
            tx,
            &caller.who,
            &id,
            &delivery,
        )?))
    })
    .await
}
