//! Agents' tokens: made, shown once, taken back (§1.1).

use axum::Json;
use axum::extract::State;
use axum::response::Response;
use serde::Serialize;
use sha2::{Digest as _, Sha256};
use stationmaster_credentials::Secret;
use stationmaster_http::App;
use stationmaster_kernel::token::{self, NewToken, Token};
use stationmaster_kernel::{Error, TokenId};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::error::{ErrorBody, Problem};
use super::read;
use super::request::{Answer, Caller, Change, Id, Ids, Query, read as look};

/// What agents' tokens begin with.
const PREFIX: &str = "mc_agt_";

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(list, issue))
        .routes(routes!(revoke))
        .routes(routes!(issue_by_name))
}

/// A new agent's token, and the hash that is kept of it.
pub(super) fn made() -> Result<(Secret, String), Error> {
    let secret = Secret::generate(PREFIX).map_err(Error::internal)?;
    let hash = hex::encode(Sha256::digest(secret.expose().as_bytes()));
    Ok((secret, hash))
}

/// What a token is to be like.
#[derive(ToSchema)]
#[expect(
    dead_code,
    reason = "only describes the body; it is read member by member"
)]
#[schema(rename_all = "camelCase")]
pub(super) struct TokenBody {
    /// Such as `7d`; it does not expire when missing.
    expires_in: Option<String>,
    /// Whether its other tokens end; they do unless this says `false`.
    revoke_others: Option<bool>,
    tenant_id: Option<String>,
}

/// Whose token it is to be, and what it is to be like.
#[derive(ToSchema)]
#[expect(
    dead_code,
    reason = "only describes the body; it is read member by member"
)]
#[schema(rename_all = "camelCase")]
pub(super) struct NamedTokenBody {
    agent_id: String,
    /// Such as `7d`; it does not expire when missing.
    expires_in: Option<String>,
    /// Whether its other tokens end; they do unless this says `false`.
    revoke_others: Option<bool>,
    tenant_id: Option<String>,
}

/// What is known of a token.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Credential {
    id: String,
    agent_id: String,
    /// The token itself, in the answer that makes it and never again.
    #[serde(skip_serializing_if = "Option::is_none")]
    token: Option<String>,
    /// `null`: it does not expire.
    expires_at: Option<String>,
    revoked_at: Option<String>,
    created_at: String,
}

impl From<Token> for Credential {
    fn from(it: Token) -> Self {
        Self {
            id: it.id.into(),
            agent_id: it.agent.into(),
            token: None,
            expires_at: it.expires_at.map(String::from),
            revoked_at: it.revoked_at.map(String::from),
            created_at: it.created_at.into(),
        }
    }
}

#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Credentials {
    tokens: Vec<Credential>,
}

/// An agent's tokens, newest first, without what they are
#[utoipa::path(get, path = "/api/v1/agents/{id}/tokens", tag = "OpenClaw", security(("operator" = [])),
    params(("id" = String, Path), ("tenantId" = Option<String>, Query)),
    responses((status = 200, body = Credentials), (status = 401, body = ErrorBody), (status = 403, body = ErrorBody),
        (status = 404, body = ErrorBody)))]
async fn list(
    State(app): State<App>,
    caller: Caller,
    Id(id): Id,
    query: Query,
) -> Result<Json<Credentials>, Problem> {
    caller.who.operate("see tokens")?;
    let who = caller.within(query.get("tenantId"))?;
    let handle = caller.agent_named(&id)?;
    look(&app, move |tx| {
        let found = token::list(tx, &who, &handle)?;
        Ok(Credentials {
            tokens: found.into_iter().map(Credential::from).collect(),
        })
    })
    .await
}

/// Give an agent a new token
///
/// A repeat with the same key omits the token.
#[utoipa::path(post, path = "/api/v1/agents/{id}/tokens", tag = "OpenClaw", security(("operator" = [])),
    params(("id" = String, Path), ("tenantId" = Option<String>, Query)), request_body = TokenBody,
    responses((status = 201, body = Credential), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody),
        (status = 403, body = ErrorBody), (status = 404, body = ErrorBody), (status = 422, body = ErrorBody)))]
async fn issue(
    State(app): State<App>,
    caller: Caller,
    Id(id): Id,
    query: Query,
    change: Change,
) -> Result<Response, Problem> {
    caller.who.operate("make tokens")?;
    give(&app, &caller, &id, &query, change).await
}

/// Give an agent a new token: as `POST /agents/{id}/tokens`
#[utoipa::path(post, path = "/api/v1/auth/token", tag = "OpenClaw", security(("operator" = [])),
    request_body = NamedTokenBody,
    responses((status = 201, body = Credential), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody),
        (status = 403, body = ErrorBody), (status = 404, body = ErrorBody), (status = 422, body = ErrorBody)))]
async fn issue_by_name(
    State(app): State<App>,
    caller: Caller,
    query: Query,
    mut change: Change,
) -> Result<Response, Problem> {
    caller.who.operate("make tokens")?;
    let id = change.fields.required_id("agentId");
    give(&app, &caller, &id, &query, change).await
}

async fn give(
    app: &App,
    caller: &Caller,
    id: &str,
    query: &Query,
    Change { mut fields, once }: Change,
) -> Result<Response, Problem> {
    let who = caller.within(read::tenant(&mut fields, query).as_deref())?;
    let lifetime = read::duration(&mut fields, "expiresIn");
    let revoke_others = fields.boolean("revokeOthers").unwrap_or(true);
    fields.finish()?;
    let handle = caller.agent_named(id)?;
    let (secret, hash) = made()?;
    let new = NewToken {
        hash,
        lifetime,
        revoke_others,
    };
    once.run(app, move |tx| {
        let mut shown = Credential::from(token::mint(tx, &who, &handle, &new)?);
        let kept = serde_json::to_value(&shown).map_err(Error::internal)?;
        shown.token = Some(secret.expose().to_owned());
        Ok(Answer::created(&shown)?.keeping(kept))
    })
    .await
}

/// Take a token from an agent
#[utoipa::path(delete, path = "/api/v1/agents/{id}/tokens/{token}", tag = "OpenClaw", security(("operator" = [])),
    params(("id" = String, Path), ("token" = String, Path, description = "the token's id"),
        ("tenantId" = Option<String>, Query)),
    responses((status = 200, body = Credential), (status = 401, body = ErrorBody), (status = 403, body = ErrorBody),
        (status = 404, body = ErrorBody)))]
async fn revoke(
    State(app): State<App>,
    caller: Caller,
    Ids(id, token): Ids,
    query: Query,
    Change { mut fields, once }: Change,
) -> Result<Response, Problem> {
    caller.who.operate("revoke tokens")?;
    let who = caller.within(read::tenant(&mut fields, &query).as_deref())?;
    let (handle, token) = (caller.agent_named(&id)?, TokenId::new(token));
    once.run(&app, move |tx| {
        let revoked = token::revoke(tx, &who, &handle, &token)?;
        Answer::ok(&Credential::from(revoked))
    })
    .await
}
