//! Agents' tokens, as hashes.

use stationmaster_kernel::token::{Token, Tokens};
use stationmaster_kernel::{Handle as Name, Result, TenantId, Timestamp, TokenId};

use crate::handle::Handle;
use crate::sql::{Row, Select, params};

const COLUMNS: &str =
    "SELECT id, tenant, agent, hash, created_at, expires_at, revoked_at FROM token";

impl Tokens for Handle<'_> {
    fn token_with_hash(&mut self, hash: &str) -> Result<Option<Token>> {
        let mut select = Select::new(COLUMNS);
        select.push("WHERE hash = ?", params![hash]);
        Ok(self.all(&select, read)?.into_iter().next())
    }

    fn put_token(&mut self, token: &Token) -> Result<()> {
        self.execute(
            "INSERT INTO token (id, tenant, agent, hash, created_at, expires_at, revoked_at) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) \
             ON CONFLICT (id) DO UPDATE SET expires_at = excluded.expires_at, revoked_at = excluded.revoked_at",
            params![
                token.id.as_str(),
                token.tenant.as_str(),
                token.agent.as_str(),
                &token.hash,
                token.created_at.0,
                token.expires_at.map(|at| at.0),
                token.revoked_at.map(|at| at.0),
            ],
        )
        .map(drop)
    }

    fn tokens(&mut self, tenant: &TenantId, agent: &Name) -> Result<Vec<Token>> {
        let mut select = Select::new(COLUMNS);
        select.push(
            "WHERE tenant = ? AND agent = ? ORDER BY created_at DESC, id DESC",
            params![tenant.as_str(), agent.as_str()],
        );
        self.all(&select, read)
    }
}

fn read(mut row: Row) -> Result<Token> {
    Ok(Token {
        id: TokenId::new(row.text()?),
        tenant: row.text()?.parse()?,
        agent: row.text()?.parse()?,
        hash: row.text()?,
        created_at: Timestamp(row.int()?),
        expires_at: row.optional_int()?.map(Timestamp),
        revoked_at: row.optional_int()?.map(Timestamp),
    })
}
