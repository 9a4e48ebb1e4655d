//! Who asks and what for, as this contract's routes take it. The credential is checked before the
//! body is read (rulings 22).

use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::HeaderMap;
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use stationmaster_http::fields::Fields;
use stationmaster_http::once::Once;
use stationmaster_http::{App, body, paging, query};
use stationmaster_kernel::error::Problems;
use stationmaster_kernel::idempotency::Reply;
use stationmaster_kernel::page::Order;
use stationmaster_kernel::{Error, List, Object, Page, Principal, Tx};

use super::error::{self, Problem};

/// The largest body: 1 MiB (§4).
const BODY_LIMIT: usize = 1 << 20;

/// Takes the caller out of the request with one of the gate's checks.
macro_rules! caller {
    ($(#[$doc:meta])* $name:ident, $check:expr) => {
        $(#[$doc])*
        #[derive(Debug)]
        pub(super) struct $name(pub Principal);

        impl FromRequestParts<App> for $name {
            type Rejection = Problem;

            async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
                let check: fn(&App, &HeaderMap) -> Result<Principal, Error> = $check;
                check(app, &parts.headers).map(Self).map_err(Problem)
            }
        }
    };
}

caller!(
    /// An agent (§2.1).
    AgentCaller,
    |app, headers| app.gate.agent(headers)
);
caller!(
    /// A dispatcher (§2.2).
    InternalCaller,
    |app, headers| app.gate.internal(headers)
);
caller!(
    /// An agent, or the internal service for any of them.
    AgentOrInternalCaller,
    |app, headers| app.gate.agent_or_internal(headers)
);
caller!(
    /// An agent, the internal service or an operator; the kernel decides what each may do.
    AnyCaller,
    |app, headers| app.gate.anyone(headers)
);

/// The members of a create's body and the key that makes a repeat of it harmless.
#[derive(Debug)]
pub(super) struct Body {
    pub fields: Fields,
    pub once: Once,
}

impl FromRequest<App> for Body {
    type Rejection = Response;

    async fn from_request(request: Request, _: &App) -> Result<Self, Response> {
        let (parts, content) = request.into_parts();
        let members = members(content).await?;
        let once =
            Once::of(&parts.headers, &members).map_err(|error| Problem(error).into_response())?;
        Ok(Self {
            fields: Fields::new(members),
            once,
        })
    }
}

/// The members of any other body, in which a key means nothing.
#[derive(Debug)]
pub(super) struct Members(pub Fields);

impl FromRequest<App> for Members {
    type Rejection = Response;

    async fn from_request(request: Request, _: &App) -> Result<Self, Response> {
        members(request.into_body())
            .await
            .map(|members| Self(Fields::new(members)))
    }
}

async fn members(content: axum::body::Body) -> Result<Object, Response> {
    let bytes = body::read(content, BODY_LIMIT)
        .await
        .map_err(|error| error::bad_body(&error))?;
    body::object(&bytes).map_err(|error| Problem(error).into_response())
}

/// The id in the path.
#[derive(Debug)]
pub(super) struct Id(pub String);

impl FromRequestParts<App> for Id {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        let path = axum::extract::Path::<String>::from_request_parts(parts, app).await;
        path.map(|path| Self(path.0))
            .map_err(|_| Error::invalid("id", "is not readable text"))
            .and_then(|id| query::no_nul("id", &id.0).map(|()| id))
            .map_err(Problem)
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
    /// `limit` (default 50, at most 100), `cursor` and `order` (§6).
    pub(super) fn page(&self, problems: &mut Problems) -> Page {
        let order = match self.get("order") {
            None | Some("desc") => Order::NewestFirst,
            Some("asc") => Order::OldestFirst,
            Some(_) => {
                problems.add("order", "must be desc or asc");
                Order::NewestFirst
            }
        };
        paging::page(
            problems,
            self.get("limit"),
            self.get("cursor"),
            order,
            50,
            100,
        )
    }
}

/// A page of a list (§6).
#[derive(Debug, Serialize)]
pub(super) struct Listed<T> {
    items: Vec<T>,
    next_cursor: Option<String>,
}

impl<T> Listed<T> {
    pub(super) fn of<N>(list: List<N>) -> Self
    where
        T: From<N>,
    {
        Self {
            items: list.items.into_iter().map(T::from).collect(),
            next_cursor: list.next.map(paging::cursor),
        }
    }
}

/// Makes a thing in the caller's tenant, once for the request's key; answers 200 (§8).
pub(super) async fn create<T, F>(
    app: &App,
    who: &Principal,
    resource: &'static str,
    once: Once,
    rule: F,
) -> Result<Response, Problem>
where
    T: Serialize,
    F: Fn(&mut dyn Tx, &Principal) -> Result<T, Error> + Send + 'static,
{
    let tenant = who.tenant()?.clone();
    let who = who.clone();
    let reply = once
        .create(&app.database, tenant, resource, move |tx| rule(tx, &who))
        .await?;
    Ok(sent(reply))
}

fn sent(reply: Reply) -> Response {
    let status =
        axum::http::StatusCode::from_u16(reply.status).unwrap_or(axum::http::StatusCode::OK);
    let headers = [(axum::http::header::CONTENT_TYPE, "application/json")];
    (status, headers, reply.body).into_response()
}

/// Refuses a `user_id` that is not the caller's own: it never widens what a token may do (§3).
pub(super) fn same_tenant(who: &Principal, given: Option<&str>) -> Result<(), Error> {
    match (given, &who.tenant) {
        (Some(given), Some(own)) if given != own.as_str() => Err(Error::forbidden(
            "forbidden",
            "user_id differs from the token's",
        )),
        _ => Ok(()),
    }
}
