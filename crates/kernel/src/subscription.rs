//! Who follows a task: agents by name, the operator as one.

use crate::notification::Target;
use crate::{Result, TaskId};

/// Where it is kept who follows what.
pub trait Subscriptions {
    /// Makes `who` a follower; again is no change.
    ///
    /// # Errors
    /// Whatever the store meets.
    fn subscribe(&mut self, task: &TaskId, who: &Target) -> Result<()>;

    /// # Errors
    /// Whatever the store meets.
    fn unsubscribe(&mut self, task: &TaskId, who: &Target) -> Result<()>;

    /// In the order in which they came.
    ///
    /// # Errors
    /// Whatever the store meets.
    fn subscribers(&mut self, task: &TaskId) -> Result<Vec<Target>>;
}
