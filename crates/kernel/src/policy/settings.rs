//! What the rules set beyond verdicts: limits, and what leads may do.

use std::time::Duration;

use super::{Document, in_force};
use crate::{Result, TenantId, Tx};

/// What the rules set beyond verdicts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    pub spawn: SpawnLimits,
    pub loops: LoopLimits,
    /// A LEAD may finish a task that it does not work on itself.
    pub lead_may_complete: bool,
    /// A LEAD may decide other agents' YELLOW requests to run a tool.
    pub lead_may_approve_yellow: bool,
    /// A RED request takes two people.
    pub dual_control_red: bool,
}

/// How many agents agents may spawn (OpenClaw contract §9.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SpawnLimits {
    pub max_active: u32,
    pub max_per_parent_task: u32,
    pub max_depth: u32,
    pub lifetime: Duration,
}

/// What counts as a loop (OpenClaw contract §9.5): more than so many within so long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LoopLimits {
    pub comments: u32,
    pub comments_within: Duration,
    pub reviews: u32,
    pub ping_pong: u32,
    pub ping_pong_within: Duration,
    pub tool_retries: u32,
    pub tool_retries_within: Duration,
}

/// What the rules in force for a tenant set beyond verdicts.
///
/// # Errors
/// As [`in_force`].
pub fn settings(tx: &mut dyn Tx, tenant: &TenantId) -> Result<Settings> {
    let force = in_force(tx, tenant, None, None)?;
    Ok(Settings::of(force.rules.document()))
}

impl Settings {
    fn of(document: &Document) -> Self {
        let span = Duration::from_secs;
        let (spawn, loops) = (&document.spawn, &document.loops);
        Self {
            spawn: SpawnLimits {
                max_active: spawn.max_active,
                max_per_parent_task: spawn.max_per_parent_task,
                max_depth: spawn.max_depth,
                lifetime: span(spawn.lifetime.0),
            },
            loops: LoopLimits {
                comments: loops.comments.most,
                comments_within: span(loops.comments.within.0),
                reviews: loops.reviews.most,
                ping_pong: loops.ping_pong.most,
                ping_pong_within: span(loops.ping_pong.within.0),
                tool_retries: loops.tool_retries.most,
                tool_retries_within: span(loops.tool_retries.within.0),
            },
            lead_may_complete: document.approvals.lead_may_complete,
            lead_may_approve_yellow: document.approvals.lead_may_approve_yellow,
            dual_control_red: document.approvals.dual_control_red,
        }
    }
}
