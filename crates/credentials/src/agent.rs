//! The tokens that agents carry on the Mission Control backend (§2.1).

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::Serialize;

use crate::{TokenError, TokenKey};

/// What an agent's token says.
#[derive(Debug, Clone, Serialize)]
pub struct AgentClaims<'a> {
    pub r#type: &'static str,
    pub user_id: &'a str,
    pub agent_role: &'a str,
    pub sub: String,
    pub iat: u64,
    pub exp: u64,
}

/// Mints agent tokens.
#[derive(Debug, Clone)]
pub struct Minter {
    key: TokenKey,
    lifetime: Duration,
}

impl Minter {
    /// Tokens that live two hours, as runtimes mint them.
    #[must_use]
    pub fn new(key: TokenKey) -> Self {
        Self {
            key,
            lifetime: Duration::from_secs(2 * 3600),
        }
    }

    /// Tokens that live as long as `lifetime`.
    #[must_use]
    pub fn with_lifetime(mut self, lifetime: Duration) -> Self {
        self.lifetime = lifetime;
        self
    }

    /// A token for one agent of one tenant.
    ///
    /// # Errors
    /// When the claims cannot be signed.
    pub fn mint(&self, user_id: &str, agent_role: &str) -> Result<String, TokenError> {
        let iat = now();
        self.key.mint(&AgentClaims {
            r#type: "agent",
            user_id,
            agent_role,
            sub: format!("stationmaster:{agent_role}"),
            iat,
            exp: iat + self.lifetime.as_secs(),
        })
    }
}

/// Seconds since 1970, as tokens count.
#[expect(
    clippy::disallowed_methods,
    reason = "a token's dates are the wall clock's, not a transaction's"
)]
fn now() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
        .as_secs()
}
