//! What an agent works on, as far as its own fate or a task's changes that.

use super::Agent;
use crate::state::State;
use crate::task::{BoardOrder, BoardPage, Task};
use crate::transition::{self, Step};
use crate::{Principal, Result, Tx};

/// So many tasks of one agent are read at once.
const AT_ONCE: u32 = 200;

/// The tasks in these states on which nobody but this agent works, oldest first.
pub(super) fn held_alone(tx: &mut dyn Tx, agent: &Agent, states: &[State]) -> Result<Vec<Task>> {
    let mut found = Vec::new();
    for offset in (0..).step_by(AT_ONCE as usize) {
        let page = BoardPage {
            order: BoardOrder::CreatedAt,
            descending: false,
            offset,
            limit: AT_ONCE,
        };
        let tasks = tx.held_tasks(&agent.tenant, &agent.handle, states, page)?;
        let is_last = tasks.len() < AT_ONCE as usize;
        found.extend(
            tasks
                .into_iter()
                .filter(|task| task.assignees().count() == 1),
        );
        if is_last {
            break;
        }
    }
    Ok(found)
}

/// Blocks these tasks; gives them as they are then.
pub(super) fn block(
    tx: &mut dyn Tx,
    who: &Principal,
    tasks: Vec<Task>,
    reason: &str,
) -> Result<Vec<Task>> {
    tasks
        .into_iter()
        .map(|task| {
            let step = Step::because(reason);
            transition::shift(tx, who, task, State::Blocked, step).map(|(task, _)| task)
        })
        .collect()
}

/// Keeps what its assignees are at in step with a task that moved.
///
/// # Errors
/// Whatever the store meets.
pub(crate) fn follow_task(tx: &mut dyn Tx, task: &Task) -> Result<()> {
    for handle in task.assignees() {
        let Some(mut agent) = tx.agent(&task.tenant, handle)? else {
            continue;
        };
        let is_at_it = agent.detail.current_task.as_ref() == Some(&task.id);
        match (task.state, is_at_it) {
            (State::InProgress, false) => agent.detail.current_task = Some(task.id.clone()),
            // Waiting for an approval or blocked, it is still the task the agent is at.
            (State::InProgress | State::NeedsApproval | State::Blocked, _) | (_, false) => continue,
            (_, true) => agent.detail.current_task = None,
        }
        agent.updated_at = tx.now();
        tx.put_agent(&agent)?;
    }
    Ok(())
}
