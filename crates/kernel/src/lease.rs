//! Who is working on a row that any instance may take.
//!
//! Every taking raises the fence, and every write on behalf of a lease names the fence it was
//! taken with; so a worker that was paused past its time cannot write over its successor. A fence
//! guards writes only: what a worker does outside carries an idempotency key of its own.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{Error, Result, Timestamp};

/// Counts how often a row was taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Fence(pub i64);

/// The lease columns of a row.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lease {
    /// Which instance took it last.
    pub owner: Option<String>,
    pub until: Timestamp,
    pub fence: Fence,
}

impl Lease {
    /// A row that nobody ever took.
    #[must_use]
    pub fn free() -> Self {
        Self {
            owner: None,
            until: Timestamp(0),
            fence: Fence(0),
        }
    }

    #[must_use]
    pub fn is_held(&self, now: Timestamp) -> bool {
        self.owner.is_some() && self.until > now
    }

    /// Takes the row for `owner`; the caller has checked that it is not held.
    pub fn take(&mut self, owner: &str, now: Timestamp, length: Duration) -> Fence {
        self.owner = Some(owner.to_owned());
        self.until = now.after(length);
        self.fence = Fence(self.fence.0 + 1);
        self.fence
    }

    /// # Errors
    /// `lease_lost` when somebody else took the row since `fence` was given out.
    pub fn check(&self, fence: Fence) -> Result<()> {
        if self.fence == fence {
            return Ok(());
        }
        Err(lost("another worker has taken this over"))
    }

    /// Keeps the row longer.
    ///
    /// # Errors
    /// `lease_lost`, as [`Self::check`], and when the row was let go of: a renewal that comes after
    /// its worker has settled must not hide the row from the next one.
    pub fn renew(&mut self, fence: Fence, now: Timestamp, length: Duration) -> Result<()> {
        self.check(fence)?;
        if self.owner.is_none() {
            return Err(lost("nobody holds this any more"));
        }
        self.until = now.after(length);
        Ok(())
    }

    /// Lets go of the row; the fence stays, so that a late write is still refused.
    pub fn release(&mut self) {
        self.owner = None;
        self.until = Timestamp(0);
    }
}

fn lost(message: &str) -> Error {
    Error::conflict("lease_lost", message)
}
