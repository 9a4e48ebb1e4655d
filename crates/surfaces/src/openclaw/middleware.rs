//! What happens around every request of this contract: it gets a name, its caller is identified,
//! and its caller's requests are counted (§1.1, §1.2, §1.4).

use std::sync::Arc;
use std::time::Instant;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use sha2::{Digest as _, Sha256};
use stationmaster_http::limit::{Limiter, Standing};
use stationmaster_http::{App, gate};
use stationmaster_kernel::{Error, Handle, Principal, Result};

use super::error::{Problem, refuse};

tokio::task_local! {
    static REQUEST: String;
}

/// The name of the request that this task answers.
pub(super) fn request_id() -> String {
    REQUEST
        .try_with(Clone::clone)
        .unwrap_or_else(|_| new_request_id())
}

/// Does something under a request's name, on whatever thread.
pub(super) fn within<T>(request: &str, work: impl FnOnce() -> T) -> T {
    REQUEST.sync_scope(request.to_owned(), work)
}

fn new_request_id() -> String {
    format!("req_{}", uuid::Uuid::now_v7().simple())
}

/// Who asks.
#[derive(Debug, Clone)]
pub(super) struct Caller {
    pub who: Principal,
    /// The agent that an operator says it acts for, in `X-Agent-Id` (§1.1).
    pub acting_for: Option<Handle>,
}

/// How many requests of each kind an agent's token may make a minute (§1.4).
#[derive(Debug, Clone, Copy)]
pub struct Rates {
    pub writes: u32,
    pub events: u32,
    pub policy: u32,
    pub reads: u32,
    pub heartbeats: u32,
}

impl Default for Rates {
    fn default() -> Self {
        Self {
            writes: 100,
            events: 1000,
            policy: 500,
            reads: 300,
            heartbeats: 60,
        }
    }
}

/// What the middleware needs beside the handlers' own state.
#[derive(Clone)]
pub(super) struct Guard {
    pub app: App,
    pub limiter: Arc<Limiter>,
    pub rates: Rates,
}

/// Runs a request of this contract under a name of its own.
pub(super) async fn named(request: Request, next: Next) -> Response {
    under_a_name(next.run(request)).await
}

/// Gives an answer in the making a name that its header tells.
pub(super) async fn under_a_name(answering: impl Future<Output = Response>) -> Response {
    let id = new_request_id();
    let mut response = REQUEST.scope(id.clone(), answering).await;
    if let Ok(value) = HeaderValue::from_str(&id) {
        response.headers_mut().insert("x-request-id", value);
    }
    response
}

/// Identifies the caller and counts the request, or refuses it.
pub(super) async fn guarded(
    State(guard): State<Guard>,
    mut request: Request,
    next: Next,
) -> Response {
    let caller = match identify(&guard.app, request.headers()).await {
        Ok(caller) => caller,
        Err(error) => return Problem(error).into_response(),
    };
    let standing = count(&guard, &caller.who, request.method(), request.uri().path());
    let mut response = match standing {
        Some(standing) if !standing.admitted => too_many(standing),
        _ => {
            request.extensions_mut().insert(caller);
            next.run(request).await
        }
    };
    if let Some(standing) = standing {
        show(response.headers_mut(), standing);
    }
    response
}

/// Who asks: an agent by its own token, or an operator.
pub(super) async fn identify(app: &App, headers: &HeaderMap) -> Result<Caller> {
    let Some(token) = gate::bearer(headers) else {
        return Err(Error::unauthenticated(
            "a token is required as Authorization: Bearer; an operator makes an agent's with `mc agent token <id>`",
        ));
    };
    let named = headers
        .get("x-agent-id")
        .map(|value| value.to_str().unwrap_or("?").trim())
        .filter(|name| !name.is_empty());
    let mut who = if token.starts_with("mc_agt_") {
        agent_of(app, token).await?
    } else {
        app.gate.operator(headers)?
    };
    who.request = Some(request_id());
    let acting_for = match (who.handle(), named) {
        (Some(own), Some(named)) if own.as_str() != named => {
            return Err(Error::forbidden(
                "agent_mismatch",
                format!("the token is {own}'s, but X-Agent-Id says {named}"),
            ));
        }
        (None, Some(named)) => Some(named.parse()?),
        _ => None,
    };
    Ok(Caller { who, acting_for })
}

/// The agent whose token this is.
async fn agent_of(app: &App, token: &str) -> Result<Principal> {
    // Looked up by its hash, so nothing about the token can be learned from how long this takes.
    let hash = hex::encode(Sha256::digest(token.as_bytes()));
    app.database
        .read(move |tx| {
            let now = tx.now();
            match tx.token_with_hash(&hash)? {
                Some(token) if token.is_good(now) => {
                    Ok(Principal::agent(token.tenant, token.agent))
                }
                Some(_) => Err(Error::unauthenticated(
                    "the token is revoked or has expired",
                )),
                None => Err(Error::unauthenticated("the token is not known here")),
            }
        })
        .await
}

/// Counts a request of an agent; operators are not counted (rulings 23).
fn count(guard: &Guard, who: &Principal, method: &Method, path: &str) -> Option<Standing> {
    let (Some(handle), Some(tenant)) = (who.handle(), &who.tenant) else {
        return None;
    };
    let rates = guard.rates;
    let path = path.strip_prefix("/api/v1").unwrap_or(path);
    let (kind, limit) = if path.starts_with("/events/") && *method != Method::GET {
        ("events", rates.events)
    } else if path == "/policy/evaluate" {
        ("policy", rates.policy)
    } else if path.ends_with("/heartbeat") {
        ("heartbeats", rates.heartbeats)
    } else if matches!(*method, Method::GET | Method::HEAD) {
        ("reads", rates.reads)
    } else {
        ("writes", rates.writes)
    };
    if limit == 0 {
        return None;
    }
    let caller = format!("{kind} {tenant} {handle}");
    Some(guard.limiter.admit(&caller, limit, Instant::now()))
}

fn too_many(standing: Standing) -> Response {
    let seconds = standing.resets_in.as_secs() + 1;
    let mut response = refuse(
        StatusCode::TOO_MANY_REQUESTS,
        "RATE_LIMITED",
        format!(
            "more than {} requests in a minute; wait {seconds} s",
            standing.limit
        ),
        None,
    );
    response
        .headers_mut()
        .insert(header::RETRY_AFTER, seconds.into());
    response
}

fn show(headers: &mut HeaderMap, standing: Standing) {
    headers.insert("x-ratelimit-limit", standing.limit.into());
    headers.insert("x-ratelimit-remaining", standing.left.into());
    headers.insert(
        "x-ratelimit-reset",
        (standing.resets_in.as_secs() + 1).into(),
    );
}
