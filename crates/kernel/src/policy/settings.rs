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
        let minutes = |minutes: u64| Duration::from_secs(minutes * 60);
        Self {
            spawn: SpawnLimits {
                max_active: 30,
                max_per_parent_task: 3,
                max_depth: 2,
                lifetime: minutes(6 * 60),
            },
            loops: LoopLimits {
                comments: 20,
                comments_within: minutes(30),
                reviews: 3,
                ping_pong: 8,
                ping_pong_within: minutes(10),
                tool_retries: 3,
                tool_retries_within: minutes(10),
            },
            lead_may_complete: document.lead_may_complete,
            lead_may_approve_yellow: document.lead_may_approve_yellow,
            dual_control_red: document.dual_control_red,
        }
    }
}
