//! A create that is sent twice happens once.
//!
//! The reply is rendered inside the transaction that makes the thing and is kept with it, opaque
//! to the kernel, so that a repeat gets the same bytes (rulings 15). Only successes are kept: a
//! refused request does not burn its key.

use std::time::Duration;

use crate::{Error, Result, TenantId, Timestamp, Tx};

/// How long a key is remembered at least.
pub const KEPT: Duration = Duration::from_secs(31 * 24 * 3600);
/// How many characters a key may have.
pub const MAX_KEY: usize = 255;

/// What one key stands for: unique within a tenant and a kind of thing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key {
    pub tenant: TenantId,
    /// `task`, `message`, …
    pub resource: &'static str,
    pub key: String,
    /// Equal for equal requests, whatever their member order.
    pub fingerprint: String,
}

impl Key {
    /// # Errors
    /// When the key is empty, too long or holds a control character.
    pub fn new(
        tenant: TenantId,
        resource: &'static str,
        key: &str,
        fingerprint: String,
    ) -> Result<Self> {
        let length = key.chars().count();
        if length == 0 || length > MAX_KEY || key.chars().any(char::is_control) {
            return Err(Error::invalid(
                "idempotency_key",
                format!("must be 1 to {MAX_KEY} characters and hold no control character"),
            ));
        }
        Ok(Self {
            tenant,
            resource,
            key: key.to_owned(),
            fingerprint,
        })
    }
}

/// A reply as it went out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    pub status: u16,
    pub body: String,
}

/// What is kept of a request that had a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    pub fingerprint: String,
    pub reply: Reply,
}

/// Where replies are kept.
pub trait Replies {
    /// # Errors
    /// Whatever the store meets.
    fn kept_reply(&mut self, key: &Key) -> Result<Option<Kept>>;

    /// # Errors
    /// Whatever the store meets.
    fn keep_reply(&mut self, key: &Key, reply: &Reply) -> Result<()>;

    /// Drops at most `limit` of the replies kept before `before`; gives how many went.
    ///
    /// # Errors
    /// Whatever the store meets.
    fn drop_replies(&mut self, before: Timestamp, limit: u32) -> Result<u64>;
}

/// Runs `create` once for the key: a repeat of the same request gets the kept reply.
///
/// # Errors
/// `idempotency_conflict` when the key came with another request; whatever `create` refuses.
pub fn once(
    tx: &mut dyn Tx,
    key: Option<&Key>,
    create: impl FnOnce(&mut dyn Tx) -> Result<Reply>,
) -> Result<Reply> {
    let Some(key) = key else { return create(tx) };
    if let Some(kept) = tx.kept_reply(key)? {
        if kept.fingerprint == key.fingerprint {
            return Ok(kept.reply);
        }
        return Err(Error::conflict(
            "idempotency_conflict",
            "this idempotency_key was used with a different request",
        ));
    }
    let reply = create(tx)?;
    tx.keep_reply(key, &reply)?;
    Ok(reply)
}
