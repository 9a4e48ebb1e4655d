//! Agents' tokens: made once, shown once, kept only as a hash.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::agent::Agent;
use crate::event::{self, Happening};
use crate::{Error, Handle, Principal, Result, TenantId, Timestamp, TokenId, Tx, agent};

/// A credential that acts as exactly one agent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Token {
    pub id: TokenId,
    pub tenant: TenantId,
    pub agent: Handle,
    /// SHA-256 of the token, in hex. The token itself is nowhere; neither is this in the log.
    #[serde(skip)]
    pub hash: String,
    pub created_at: Timestamp,
    /// `None`: it does not expire.
    pub expires_at: Option<Timestamp>,
    pub revoked_at: Option<Timestamp>,
}

impl Token {
    /// Whether it still opens anything.
    #[must_use]
    pub fn is_good(&self, now: Timestamp) -> bool {
        self.revoked_at.is_none() && self.expires_at.is_none_or(|at| at > now)
    }
}

/// Where tokens are kept.
pub trait Tokens {
    /// The token with this hash.
    ///
    /// # Errors
    /// Whatever the store meets.
    fn token_with_hash(&mut self, hash: &str) -> Result<Option<Token>>;

    /// Writes a new token or the changed one of the same id.
    ///
    /// # Errors
    /// Whatever the store meets.
    fn put_token(&mut self, token: &Token) -> Result<()>;

    /// All of an agent, newest first.
    ///
    /// # Errors
    /// Whatever the store meets.
    fn tokens(&mut self, tenant: &TenantId, agent: &Handle) -> Result<Vec<Token>>;
}

/// A token about to be made.
#[derive(Debug, Clone)]
pub struct NewToken {
    /// See [`Token::hash`].
    pub hash: String,
    /// `None`: it does not expire.
    pub lifetime: Option<Duration>,
    /// The agent's other tokens open nothing from now on.
    pub revoke_others: bool,
}

/// Makes a token for an agent (OpenClaw contract §1.1).
///
/// # Errors
/// Forbidden for agents; `agent_not_found`; `agent_closed`; a lifetime that is none.
pub fn mint(tx: &mut dyn Tx, who: &Principal, handle: &Handle, new: &NewToken) -> Result<Token> {
    who.operate("make tokens")?;
    let tenant = who.tenant()?;
    let agent = agent::find(tx, tenant, handle)?;
    if agent.detail.closed {
        return Err(Error::conflict(
            "agent_closed",
            format!("agent {handle} is closed for good"),
        ));
    }
    if new.lifetime.is_some_and(|length| length.is_zero()) {
        return Err(Error::invalid("expiresIn", "must be longer than nothing"));
    }
    if new.revoke_others {
        revoke_all(tx, who, tenant, handle)?;
    }
    let expires_at = new.lifetime.map(|length| tx.now().after(length));
    issue(tx, who, &agent, new.hash.clone(), expires_at)
}

/// Keeps a new token of an agent.
///
/// # Errors
/// Whatever the store meets.
pub(crate) fn issue(
    tx: &mut dyn Tx,
    who: &Principal,
    agent: &Agent,
    hash: String,
    expires_at: Option<Timestamp>,
) -> Result<Token> {
    let token = Token {
        id: TokenId::new(tx.mint(TokenId::PREFIX)),
        tenant: agent.tenant.clone(),
        agent: agent.handle.clone(),
        hash,
        created_at: tx.now(),
        expires_at,
        revoked_at: None,
    };
    tx.put_token(&token)?;
    let issued = Happening::AgentTokenIssued(token.clone());
    event::record(tx, who, &token.tenant, issued)?;
    Ok(token)
}

/// An agent's tokens, newest first.
///
/// # Errors
/// Forbidden for agents; `agent_not_found`.
pub fn list(tx: &mut dyn Tx, who: &Principal, handle: &Handle) -> Result<Vec<Token>> {
    who.operate("see tokens")?;
    let tenant = who.tenant()?;
    agent::find(tx, tenant, handle)?;
    tx.tokens(tenant, handle)
}

/// Makes a token worthless; again is no change.
///
/// # Errors
/// Forbidden for agents; `agent_not_found`; `token_not_found`.
pub fn revoke(tx: &mut dyn Tx, who: &Principal, handle: &Handle, id: &TokenId) -> Result<Token> {
    who.operate("revoke tokens")?;
    let found = list(tx, who, handle)?;
    let Some(mut token) = found.into_iter().find(|token| token.id == *id) else {
        return Err(Error::not_found(
            "token_not_found",
            format!("agent {handle} has no such token"),
        ));
    };
    withdraw(tx, who, &mut token)?;
    Ok(token)
}

/// Makes every token of an agent worthless.
///
/// # Errors
/// Whatever the store meets.
pub(crate) fn revoke_all(
    tx: &mut dyn Tx,
    who: &Principal,
    tenant: &TenantId,
    handle: &Handle,
) -> Result<()> {
    for mut token in tx.tokens(tenant, handle)? {
        withdraw(tx, who, &mut token)?;
    }
    Ok(())
}

fn withdraw(tx: &mut dyn Tx, who: &Principal, token: &mut Token) -> Result<()> {
    if token.revoked_at.is_some() {
        return Ok(());
    }
    token.revoked_at = Some(tx.now());
    tx.put_token(token)?;
    let revoked = Happening::AgentTokenRevoked(token.clone());
    event::record(tx, who, &token.tenant, revoked)
}
