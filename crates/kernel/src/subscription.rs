//! Who follows a task: agents by name, the operator as one.

use crate::notification::Target;
use crate::{Principal, Result, TaskId, Tx, agent, task};

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

/// The caller follows a task from now on; again is no change.
///
/// # Errors
/// `task_not_found`.
pub fn follow(tx: &mut dyn Tx, who: &Principal, id: &TaskId) -> Result<()> {
    task::get(tx, who, id)?;
    agent::acting(tx, who)?;
    tx.subscribe(id, &follower(who))
}

/// The caller follows a task no longer; again is no change.
///
/// # Errors
/// `task_not_found`.
pub fn unfollow(tx: &mut dyn Tx, who: &Principal, id: &TaskId) -> Result<()> {
    task::get(tx, who, id)?;
    agent::acting(tx, who)?;
    tx.unsubscribe(id, &follower(who))
}

fn follower(who: &Principal) -> Target {
    who.handle()
        .cloned()
        .map_or(Target::Operator, Target::Agent)
}
