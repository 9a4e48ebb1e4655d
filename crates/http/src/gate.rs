//! Who is asking: every kind of credential, turned into a principal.

use axum::http::HeaderMap;
use axum::http::header::{AUTHORIZATION, ORIGIN};
use stationmaster_credentials::{Claims, Secret, TokenKey};
use stationmaster_kernel::{Error, Handle, Principal, Result, TenantId};

/// The secrets that credentials are checked against.
#[derive(Debug)]
pub struct Gate {
    /// Checks agents' tokens, and everybody else's unless `admin_key` is set.
    pub agent_key: TokenKey,
    /// The only key for tokens that are not an agent's, if there is one (rulings 24).
    pub admin_key: Option<TokenKey>,
    /// Agents' tokens must say when they expire.
    pub require_expiry: bool,
    pub admin_token: Option<Secret>,
    pub internal_token: Option<Secret>,
    /// `None`: the runtime's routes are open to this machine.
    pub daemon_key: Option<Secret>,
    /// Every listener is loopback; otherwise the runtime's routes need a key (rulings 25).
    pub loopback_only: bool,
}

/// The header of agents' tokens.
const AGENT_TOKEN: &str = "x-agent-token";
const INTERNAL_TOKEN: &str = "x-internal-token";
const USER_ID: &str = "x-user-id";

impl Gate {
    /// The agent whose token the request carries, in `X-Agent-Token` or as a bearer.
    ///
    /// # Errors
    /// [`Kind::Unauthenticated`](stationmaster_kernel::Kind::Unauthenticated), saying why.
    pub fn agent(&self, headers: &HeaderMap) -> Result<Principal> {
        match text(headers, AGENT_TOKEN).or_else(|| bearer(headers)) {
            Some(token) => self.agent_of(token),
            None => Err(Error::unauthenticated(
                "an agent token is required in X-Agent-Token",
            )),
        }
    }

    /// The agent of this token (Mission Control backend §2.1).
    ///
    /// # Errors
    /// As [`Self::agent`].
    pub fn agent_of(&self, token: &str) -> Result<Principal> {
        let claims = self
            .agent_key
            .verify(token)
            .map_err(|error| Error::unauthenticated(error.0))?;
        if self.require_expiry && !claims.contains_key("exp") {
            return Err(Error::unauthenticated(
                "the token does not say when it expires",
            ));
        }
        if claim(&claims, "type") != Some("agent") {
            return Err(Error::unauthenticated(
                "the token is not an agent's: its type is not \"agent\"",
            ));
        }
        let tenant: TenantId = claim(&claims, "user_id")
            .and_then(|text| text.parse().ok())
            .ok_or_else(|| Error::unauthenticated("the token's user_id is missing or unusable"))?;
        let handle: Handle = claim(&claims, "agent_role")
            .and_then(|text| text.parse().ok())
            .ok_or_else(|| {
                Error::unauthenticated("the token's agent_role is missing or unusable")
            })?;
        Ok(Principal::agent(tenant, handle))
    }

    /// The internal service that carries the shared secret in `X-Internal-Token`.
    ///
    /// # Errors
    /// As [`Self::agent`]; always, where no such secret is configured.
    pub fn internal(&self, headers: &HeaderMap) -> Result<Principal> {
        let Some(given) = text(headers, INTERNAL_TOKEN) else {
            return Err(Error::unauthenticated(
                "an internal token is required in X-Internal-Token",
            ));
        };
        match &self.internal_token {
            Some(secret) if secret.matches(given) => Ok(Principal::internal()),
            Some(_) => Err(Error::unauthenticated("the internal token is wrong")),
            None => Err(Error::unauthenticated(
                "no internal token is configured on this server",
            )),
        }
    }

    /// The agent, else the internal service, as [`Self::anyone`] but never an operator.
    ///
    /// # Errors
    /// As [`Self::agent`].
    pub fn agent_or_internal(&self, headers: &HeaderMap) -> Result<Principal> {
        if headers.contains_key(INTERNAL_TOKEN) && !headers.contains_key(AGENT_TOKEN) {
            return self.internal(headers);
        }
        self.agent(headers)
    }

    /// The operator: the admin token, or a token whose role is `admin` or `operator`.
    ///
    /// # Errors
    /// As [`Self::agent`].
    pub fn operator(&self, headers: &HeaderMap) -> Result<Principal> {
        let Some(given) = bearer(headers) else {
            return Err(Error::unauthenticated(
                "an operator's token is required as Authorization: Bearer",
            ));
        };
        let named = text(headers, USER_ID)
            .filter(|name| !name.is_empty())
            .unwrap_or("operator");
        if self
            .admin_token
            .as_ref()
            .is_some_and(|secret| secret.matches(given))
        {
            return Ok(Principal::operator(named));
        }
        let key = self.admin_key.as_ref().unwrap_or(&self.agent_key);
        let claims = key
            .verify(given)
            .map_err(|error| Error::unauthenticated(error.0))?;
        // An agent is never an operator, whatever else its token claims (rulings 24).
        let is_operator = matches!(claim(&claims, "role"), Some("admin" | "operator"));
        if is_operator && claim(&claims, "type") != Some("agent") {
            return Ok(Principal::operator(claim(&claims, "sub").unwrap_or(named)));
        }
        Err(Error::unauthenticated("the token is not an operator's"))
    }

    /// The agent, else the internal service, else the operator: for routes open to several. A
    /// credential that is given and wrong is an error, not a reason to look at the next.
    ///
    /// # Errors
    /// As [`Self::agent`].
    pub fn anyone(&self, headers: &HeaderMap) -> Result<Principal> {
        if headers.contains_key(AGENT_TOKEN) {
            return self.agent(headers);
        }
        if headers.contains_key(INTERNAL_TOKEN) {
            return self.internal(headers);
        }
        match bearer(headers) {
            Some(_) => self.operator(headers).or_else(|_| self.agent(headers)),
            None => Err(Error::unauthenticated(
                "a credential is required: X-Agent-Token, X-Internal-Token or an operator's bearer token",
            )),
        }
    }

    /// Whether the request may use the runtime (agent runtime §2).
    ///
    /// # Errors
    /// [`Kind::Forbidden`](stationmaster_kernel::Kind::Forbidden) when the key is missing or wrong.
    pub fn daemon(&self, headers: &HeaderMap) -> Result<()> {
        let Some(key) = &self.daemon_key else {
            return self.open_daemon(headers);
        };
        let given = text(headers, "x-agent-daemon-key").or_else(|| text(headers, "x-daemon-key"));
        if given.is_some_and(|given| key.matches(given)) {
            return Ok(());
        }
        Err(Error::forbidden(
            "invalid_daemon_key",
            "the daemon key in X-Agent-Daemon-Key is missing or wrong",
        ))
    }

    /// Without a key only this machine is served, and no page that a browser on it happens to show.
    fn open_daemon(&self, headers: &HeaderMap) -> Result<()> {
        let refuse = |message| Err(Error::forbidden("invalid_daemon_key", message));
        if !self.loopback_only {
            return refuse("set AGENT_DAEMON_API_KEY to use the runtime from beyond this machine");
        }
        match text(headers, ORIGIN.as_str()) {
            Some(origin) if !is_local(origin) => {
                refuse("set AGENT_DAEMON_API_KEY to use the runtime from other origins")
            }
            _ => Ok(()),
        }
    }
}

/// Whether an origin is a page of this machine.
fn is_local(origin: &str) -> bool {
    let host = origin.split_once("://").map_or("", |(_, host)| host);
    let host = host
        .rsplit_once(':')
        .filter(|(_, port)| port.parse::<u16>().is_ok())
        .map_or(host, |(host, _)| host);
    matches!(host, "localhost" | "127.0.0.1" | "[::1]")
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers
        .get(name)
        .and_then(|value| value.to_str().ok())
        .map(str::trim)
}

/// The bearer token that a request carries, if it carries one.
#[must_use]
pub fn bearer(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

fn claim<'a>(claims: &'a Claims, name: &str) -> Option<&'a str> {
    claims.get(name)?.as_str()
}
