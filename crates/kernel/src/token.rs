//! Agents' tokens: made once, shown once, kept only as a hash.

use serde::{Deserialize, Serialize};

use crate::{Handle, Result, TenantId, Timestamp, TokenId};

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
