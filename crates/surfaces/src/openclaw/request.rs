//! What this contract's handlers are given, and how they answer. The credential is checked before
//! the body is read (rulings 22).

use std::sync::{Arc, Mutex, PoisonError};

use axum::Json;
use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde_json::Value;
use stationmaster_http::fields::Fields;
use stationmaster_http::once::fingerprint_of;
use stationmaster_http::{App, body, query};
use stationmaster_kernel::error::Problems;
use stationmaster_kernel::idempotency::{Key, Reply};
use stationmaster_kernel::{Error, Handle, Object, Principal, TenantId, Tx};

use super::error::{Problem, bad_body, refuse};
pub(super) use super::middleware::Caller;

/// The largest body: 4 MiB (§1).
const BODY_LIMIT: usize = 4 << 20;
/// The tenant of whatever an operator makes without naming one (rulings 2).
const DEFAULT_TENANT: &str = "default";

impl FromRequestParts<App> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &App) -> Result<Self, Problem> {
        parts
            .extensions
            .get::<Self>()
            .cloned()
            .ok_or_else(|| Problem(Error::internal("a route of this contract is not guarded")))
    }
}

impl Caller {
    /// This caller bound to one tenant: an agent's own, else the one an operator names, else the
    /// default one (rulings 2).
    pub(super) fn within(&self, tenant: Option<&str>) -> Result<Principal, Error> {
        match (&self.who.tenant, tenant) {
            (Some(_), _) => Ok(self.who.clone()),
            (None, named) => {
                let tenant = named.unwrap_or(DEFAULT_TENANT);
                let tenant: TenantId = tenant
                    .parse()
                    .map_err(|_| Error::invalid("tenantId", "must be 1 to 255 characters"))?;
                self.who.within(tenant)
            }
        }
    }

    /// The tenant whose things a list shows: an agent's own; for an operator the one it names,
    /// else every one.
    pub(super) fn scope(&self, query: &Query) -> Result<Option<TenantId>, Error> {
        if let Some(own) = &self.who.tenant {
            return Ok(Some(own.clone()));
        }
        let named = query.get("tenantId").map(str::parse).transpose();
        named.map_err(|_| Error::invalid("tenantId", "must be 1 to 255 characters"))
    }

    /// The agent that reports its own doings: the token's agent, or the one an operator acts for.
    /// `named` is what the body or path says, which must be the same agent (§1.1).
    pub(super) fn as_agent(
        &self,
        named: Option<&str>,
        tenant: Option<&str>,
    ) -> Result<Principal, Error> {
        let named = named.filter(|name| *name != "me");
        if let Some(own) = self.who.handle() {
            return match named {
                Some(named) if named != own.as_str() => Err(Error::forbidden(
                    "agent_mismatch",
                    format!("the token is {own}'s, not {named}'s"),
                )),
                _ => Ok(self.who.clone()),
            };
        }
        let acting_for = match (&self.acting_for, named) {
            (Some(header), Some(named)) if header.as_str() != named => {
                return Err(Error::forbidden(
                    "agent_mismatch",
                    format!("X-Agent-Id says {header}, but the request is about {named}"),
                ));
            }
            (Some(header), _) => header.clone(),
            (None, Some(named)) => named.parse()?,
            (None, None) => {
                return Err(Error::invalid(
                    "agentId",
                    "is required with an operator's token",
                ));
            }
        };
        let tenant = self.within(tenant)?.tenant()?.clone();
        let mut who = Principal::agent(tenant, acting_for);
        who.request.clone_from(&self.who.request);
        Ok(who)
    }

    /// The agent that a path or a filter names; `me` is the caller's own.
    pub(super) fn agent_named(&self, name: &str) -> Result<Handle, Error> {
        match (name, self.who.handle()) {
            ("me", Some(own)) => Ok(own.clone()),
            ("me", None) => Err(Error::invalid("agentId", "\"me\" needs an agent's token")),
            (name, _) => name
                .parse()
                .map_err(|_| Error::not_found("agent_not_found", "there is no such agent")),
        }
    }
}

/// The id in the path.
#[derive(Debug)]
pub(super) struct Id(pub String);

impl FromRequestParts<App> for Id {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        let path = axum::extract::Path::<String>::from_request_parts(parts, app).await;
        path.map(|path| Self(path.0))
            .map_err(|_| Error::not_found("not_found", "there is no such thing"))
            .and_then(|id| query::no_nul("id", &id.0).map(|()| id))
            .map_err(Problem)
    }
}

/// Two ids in the path.
#[derive(Debug)]
pub(super) struct Ids(pub String, pub String);

impl FromRequestParts<App> for Ids {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        let path = axum::extract::Path::<(String, String)>::from_request_parts(parts, app).await;
        let axum::extract::Path((first, second)) =
            path.map_err(|_| Error::not_found("not_found", "there is no such thing"))?;
        query::no_nul("id", &first)?;
        query::no_nul("id", &second)?;
        Ok(Self(first, second))
    }
}

/// The query, as decoded pairs.
#[derive(Debug)]
pub(super) struct Query(query::Query);

impl FromRequestParts<App> for Query {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &App) -> Result<Self, Problem> {
        Ok(Self(query::Query::of(&parts.uri)?))
    }
}

impl std::ops::Deref for Query {
    type Target = query::Query;

    fn deref(&self) -> &query::Query {
        &self.0
    }
}

impl Query {
    /// `limit` (default 50, at most 200) and `offset` (§1).
    pub(super) fn page(&self, problems: &mut Problems) -> (u32, u32) {
        let limit = self.number(problems, "limit", 1..=200).unwrap_or(50);
        let offset = self.number(problems, "offset", 0..=u32::MAX).unwrap_or(0);
        (limit, offset)
    }
}

/// A request that changes something: the members of its body and the key that makes a repeat of
/// it harmless (§1.3).
#[derive(Debug)]
pub(super) struct Change {
    pub fields: Fields,
    pub once: Once,
}

/// The key of a request and what it stands for.
#[derive(Debug)]
pub(super) struct Once {
    key: Option<Key>,
}

impl FromRequest<App> for Change {
    type Rejection = Response;

    async fn from_request(request: Request, app: &App) -> Result<Self, Response> {
        let (mut parts, content) = request.into_parts();
        let caller = Caller::from_request_parts(&mut parts, app)
            .await
            .map_err(IntoResponse::into_response)?;
        check_content_type(&parts.headers).map_err(|response| *response)?;
        let bytes = body::read(content, BODY_LIMIT)
            .await
            .map_err(|error| bad_body(&error))?;
        let mut members = body::object(&bytes).map_err(|error| Problem(error).into_response())?;
        for (_, value) in members.iter_mut() {
            strip_controls(value);
        }
        let key =
            Once::key(&parts, &caller, &members).map_err(|error| Problem(error).into_response())?;
        Ok(Self {
            fields: Fields::new(members),
            once: Once { key },
        })
    }
}

fn check_content_type(headers: &HeaderMap) -> Result<(), Box<Response>> {
    let given = headers
        .get(header::CONTENT_TYPE)
        .map(|value| value.to_str().unwrap_or("?"));
    let is_json = |kind: &str| {
        let kind = kind.split(';').next().unwrap_or(kind).trim();
        kind.eq_ignore_ascii_case("application/json")
            || kind.to_ascii_lowercase().ends_with("+json")
    };
    match given {
        Some(kind) if !is_json(kind) => Err(Box::new(refuse(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "UNSUPPORTED_MEDIA_TYPE",
            format!("the body must be application/json, not {kind}"),
            None,
        ))),
        _ => Ok(()),
    }
}

/// Takes control characters other than tab and line ends out of every text (§1).
fn strip_controls(value: &mut Value) {
    match value {
        Value::String(text) => {
            if text.chars().any(is_stripped) {
                text.retain(|character| !is_stripped(character));
            }
        }
        Value::Array(items) => items.iter_mut().for_each(strip_controls),
        Value::Object(members) => members
            .iter_mut()
            .for_each(|(_, value)| strip_controls(value)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

fn is_stripped(character: char) -> bool {
    character.is_control() && !matches!(character, '\t' | '\n' | '\r')
}

impl Once {
    /// Whether a repeat could come with the same key.
    pub(super) fn has_key(&self) -> bool {
        self.key.is_some()
    }

    fn key(parts: &Parts, caller: &Caller, members: &Object) -> Result<Option<Key>, Error> {
        let Some(value) = parts.headers.get("x-idempotency-key") else {
            return Ok(None);
        };
        let text = value.to_str().ok().filter(|text| {
            (1..=255).contains(&text.len()) && text.bytes().all(|byte| (0x20..0x7f).contains(&byte))
        });
        let Some(text) = text else {
            return Err(Error::invalid(
                "X-Idempotency-Key",
                "must be 1 to 255 printable characters",
            ));
        };
        let tenant = match &caller.who.tenant {
            Some(own) => own.clone(),
            None => DEFAULT_TENANT.parse()?,
        };
        let principal = match caller.who.handle() {
            Some(handle) => handle.as_str(),
            None => "@operator",
        };
        Ok(Some(Key {
            tenant,
            resource: "v1",
            key: format!("{principal} {text}"),
            fingerprint: fingerprint_of(parts.method.as_str(), parts.uri.path(), members),
        }))
    }

    /// The key as the caller wrote it, if it gave one.
    pub(super) fn name(&self) -> Option<&str> {
        let key = self.key.as_ref()?;
        key.key.split_once(' ').map(|(_, name)| name)
    }

    /// Does something once, if nothing was wrong with the request's members so far. Otherwise the
    /// rule is asked what else is wrong with what could be read of them, so that one answer names
    /// everything (§5.2), and nothing is kept.
    pub(super) async fn run_whole<F>(
        self,
        app: &App,
        fields: Fields,
        rule: F,
    ) -> Result<Response, Problem>
    where
        F: Fn(&mut dyn Tx) -> Result<Answer, Error> + Send + 'static,
    {
        let found = fields.into_problems();
        if found.is_empty() {
            return self.run(app, rule).await;
        }
        let refused = app.database.write(move |tx| {
            let error = match rule(tx) {
                Ok(_) => Error::invalid_all(found.clone()),
                Err(error) => error.joined(found.clone()),
            };
            Err::<Response, Error>(error)
        });
        Ok(refused.await?)
    }

    /// Does something and takes it back: the answer is what doing it would have come to, and
    /// nothing is kept, no reply either.
    pub(super) async fn rehearse<T, F>(app: &App, rule: F) -> Result<Response, Problem>
    where
        T: Serialize + Send + 'static,
        F: Fn(&mut dyn Tx) -> Result<T, Error> + Send + 'static,
    {
        let answer: Arc<Mutex<Option<T>>> = Arc::new(Mutex::new(None));
        let told = Arc::clone(&answer);
        let outcome = app.database.write(move |tx| {
            let mut told = told.lock().unwrap_or_else(PoisonError::into_inner);
            *told = None;
            *told = Some(rule(tx)?);
            // Only an error takes back what the rule wrote.
            Err::<(), Error>(Error::conflict("rehearsed", "this was only tried out"))
        });
        let Err(error) = outcome.await else {
            return Err(Problem(Error::internal("a rehearsal was kept")));
        };
        let told = answer.lock().unwrap_or_else(PoisonError::into_inner).take();
        match told.filter(|_| error.code == "rehearsed") {
            Some(value) => Ok(Json(value).into_response()),
            None => Err(Problem(error)),
        }
    }

    /// Does something once: a repeat with the same key gets the first answer's bytes (§1.3,
    /// rulings 15).
    pub(super) async fn run<F>(self, app: &App, rule: F) -> Result<Response, Problem>
    where
        F: Fn(&mut dyn Tx) -> Result<Answer, Error> + Send + 'static,
    {
        let request = super::middleware::request_id();
        let key = self.key;
        let (reply, replayed) = app
            .database
            .write(move |tx| {
                if let Some(reply) = kept(tx, key.as_ref())? {
                    return Ok((reply, true));
                }
                // The answer is rendered in the transaction, under the request's own name.
                let answer = super::middleware::within(&request, || rule(tx))?;
                let body = serde_json::to_string(&answer.body).map_err(Error::internal)?;
                if let Some(key) = key.as_ref().filter(|_| answer.binds) {
                    let kept = match &answer.kept {
                        Some(kept) => serde_json::to_string(kept).map_err(Error::internal)?,
                        None => body.clone(),
                    };
                    tx.keep_reply(
                        key,
                        &Reply {
                            status: answer.status.as_u16(),
                            body: kept,
                        },
                    )?;
                }
                Ok((
                    Reply {
                        status: answer.status.as_u16(),
                        body,
                    },
                    false,
                ))
            })
            .await?;
        let status = StatusCode::from_u16(reply.status).unwrap_or(StatusCode::OK);
        let headers = [(header::CONTENT_TYPE, "application/json")];
        let mut response = (status, headers, reply.body).into_response();
        if replayed {
            response
                .headers_mut()
                .insert("idempotency-replayed", HeaderValue::from_static("true"));
        }
        Ok(response)
    }
}

fn kept(tx: &mut dyn Tx, key: Option<&Key>) -> Result<Option<Reply>, Error> {
    let Some(key) = key else { return Ok(None) };
    match tx.kept_reply(key)? {
        Some(kept) if kept.fingerprint == key.fingerprint => Ok(Some(kept.reply)),
        Some(_) => Err(Error::conflict(
            "idempotency_conflict",
            "this X-Idempotency-Key was used with a different request",
        )),
        None => Ok(None),
    }
}

/// What a request that changes something is answered with.
#[derive(Debug)]
pub(super) struct Answer {
    status: StatusCode,
    body: Value,
    /// What a repeat gets instead, where the first answer tells a secret.
    kept: Option<Value>,
    /// Whether a repeat gets this answer again.
    binds: bool,
}

impl Answer {
    pub(super) fn new(status: StatusCode, body: &impl Serialize) -> Result<Self, Error> {
        Ok(Self {
            status,
            body: serde_json::to_value(body).map_err(Error::internal)?,
            kept: None,
            binds: true,
        })
    }

    /// 200 with the thing as it is now.
    pub(super) fn ok(body: &impl Serialize) -> Result<Self, Error> {
        Self::new(StatusCode::OK, body)
    }

    /// 201 with the thing that was made.
    pub(super) fn created(body: &impl Serialize) -> Result<Self, Error> {
        Self::new(StatusCode::CREATED, body)
    }

    /// What a repeat gets instead.
    pub(super) fn keeping(mut self, kept: Value) -> Self {
        self.kept = Some(kept);
        self
    }

    /// A repeat is tried anew.
    pub(super) fn unbound(mut self) -> Self {
        self.binds = false;
        self
    }
}

/// Asks the database and shows what it finds.
pub(super) async fn read<T, F>(app: &App, query: F) -> Result<Json<T>, Problem>
where
    T: Serialize + Send + 'static,
    F: Fn(&mut dyn Tx) -> Result<T, Error> + Send + 'static,
{
    Ok(Json(app.database.read(query).await?))
}
