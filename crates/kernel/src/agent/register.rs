//! Registering an agent, and changing what was said then (OpenClaw contract §4, §9.1).

use super::{Agent, Detail, Rank, as_written, blank, spawn};
use crate::error::Problems;
use crate::event::{self, Happening};
use crate::kind::TaskKind;
use crate::money::MicroUsd;
use crate::policy::Usual;
use crate::token::{self, Token};
use crate::{Error, Handle, Object, Principal, Result, TenantId, Tx, policy, text};

const USUAL_RANK: Rank = Rank::Specialist;
/// How often an agent beats unless somebody says otherwise, in seconds (§3).
pub(super) const USUAL_INTERVAL: u32 = 900;
/// No agent beats more seldom: every 30 days.
const LONGEST_INTERVAL: u32 = 30 * 86_400;
/// In characters.
const LONGEST_NAME: usize = 200;
const LONGEST_EMOJI: usize = 32;
const LONGEST_PATH: usize = 4096;
const LONGEST_TOOL: usize = 128;
const MOST_TOOLS: usize = 1000;
const MOST_CHILDREN: u32 = 100;
/// Metadata as JSON, in bytes.
const LARGEST_METADATA: usize = 64 << 10;
/// Where handles are lower case only (rulings 3).
const DEFAULT_TENANT: &str = "default";

/// An agent about to be registered. What is `None` is as usual for the rank, or, for an agent
/// that an agent spawns, as its parent's.
#[derive(Debug, Clone)]
pub struct NewAgent {
    /// What it is to be called; checked here, because what is right depends on the tenant.
    pub handle: String,
    pub name: String,
    pub emoji: Option<String>,
    pub rank: Option<Rank>,
    pub workspace_path: String,
    pub allowed_kinds: Option<Vec<TaskKind>>,
    pub allowed_tools: Option<Vec<String>>,
    pub budget_daily: Option<MicroUsd>,
    pub budget_per_run: Option<MicroUsd>,
    pub can_spawn: Option<bool>,
    pub max_sub_agents: Option<u32>,
    pub parent: Option<Handle>,
    pub heartbeat_interval: Option<u32>,
    pub metadata: Option<Object>,
}

/// What to change; `None` leaves it as it is, `Some(None)` takes it away.
#[derive(Debug, Clone, Default)]
pub struct Change {
    pub name: Option<String>,
    pub emoji: Option<Option<String>>,
    pub workspace_path: Option<String>,
    pub allowed_kinds: Option<Vec<TaskKind>>,
    pub allowed_tools: Option<Option<Vec<String>>>,
    pub budget_daily: Option<Option<MicroUsd>>,
    pub budget_per_run: Option<Option<MicroUsd>>,
    pub can_spawn: Option<bool>,
    pub max_sub_agents: Option<u32>,
    pub heartbeat_interval: Option<Option<u32>>,
    pub metadata: Option<Option<Object>>,
}

/// Registers an agent with a first token, whose hash is given. An operator may register the agent
/// that some other surface made at first use: it keeps its history and its status.
///
/// # Errors
/// Every problem of the request; `already_processed` when there is such an agent; for an agent
/// that spawns, what [`spawn`](super::spawn) refuses; forbidden for anybody else.
pub fn register(
    tx: &mut dyn Tx,
    who: &Principal,
    new: NewAgent,
    token_hash: &str,
) -> Result<(Agent, Token)> {
    let tenant = who.tenant()?.clone();
    let rank = new.rank.unwrap_or(USUAL_RANK);
    let usual = policy::settings(tx, &tenant, None, None)?.usual(rank);
    let handle = check(&new, &tenant, usual)?;
    let spawner = match who.handle() {
        Some(_) => Some(spawn::spawner(tx, who, &new)?),
        None => {
            who.operate("register an agent")?;
            check_parent(tx, &tenant, &new)?;
            None
        }
    };
    let known = tx.agent(&tenant, &handle)?;
    let mut agent = match known {
        Some(agent) if agent.detail.registered || spawner.is_some() => {
            return Err(Error::conflict(
                "already_processed",
                format!("there is an agent {handle} already"),
            )
            .with_detail("agentId", handle.as_str()));
        }
        Some(agent) => agent,
        None => {
            tx.ensure_tenant(&tenant)?;
            blank(tx, &tenant, &handle)
        }
    };
    let new = match &spawner {
        Some(spawner) => spawn::bounded(tx, &spawner.agent, new)?,
        None => new,
    };
    agent.rank = new.rank.unwrap_or(USUAL_RANK);
    agent.detail = filled_in(agent.detail, new, usual);
    agent.updated_at = tx.now();
    if let Some(spawner) = spawner {
        spawn::bind(tx, &mut agent, spawner)?;
    }
    tx.put_agent(&agent)?;
    event::record(tx, who, &tenant, Happening::AgentRegistered(agent.clone()))?;
    let until = agent.detail.closes_at;
    let token = token::issue(tx, who, &agent, token_hash.to_owned(), until)?;
    Ok((agent, token))
}

/// What is known of an agent once it is registered like this.
fn filled_in(known: Detail, new: NewAgent, usual: Usual) -> Detail {
    Detail {
        registered: true,
        name: new.name,
        emoji: new.emoji,
        workspace_path: Some(new.workspace_path),
        allowed_kinds: new.allowed_kinds.unwrap_or_default(),
        allowed_tools: new.allowed_tools,
        budget_daily: Some(new.budget_daily.unwrap_or(usual.budget_daily)),
        budget_per_run: Some(new.budget_per_run.unwrap_or(usual.budget_per_run)),
        can_spawn: new.can_spawn.unwrap_or(usual.can_spawn),
        max_sub_agents: new.max_sub_agents.unwrap_or(known.max_sub_agents),
        parent: new.parent,
        heartbeat_interval: Some(new.heartbeat_interval.unwrap_or(USUAL_INTERVAL)),
        metadata: new.metadata,
        ..known
    }
}

/// Changes what was said of an agent. Nothing is written when nothing would change.
///
/// # Errors
/// Forbidden for agents; `agent_not_found`; every problem of the request.
pub fn update(tx: &mut dyn Tx, who: &Principal, handle: &Handle, change: Change) -> Result<Agent> {
    who.operate("change an agent")?;
    let tenant = who.tenant()?;
    let before = as_written(tx, tenant, handle)?;
    let mut agent = before.clone();
    let detail = &mut agent.detail;
    set(&mut detail.name, change.name);
    set(&mut detail.emoji, change.emoji);
    set(&mut detail.workspace_path, change.workspace_path.map(Some));
    set(&mut detail.allowed_kinds, change.allowed_kinds);
    set(&mut detail.allowed_tools, change.allowed_tools);
    set(&mut detail.budget_daily, change.budget_daily);
    set(&mut detail.budget_per_run, change.budget_per_run);
    set(&mut detail.can_spawn, change.can_spawn);
    set(&mut detail.max_sub_agents, change.max_sub_agents);
    set(&mut detail.heartbeat_interval, change.heartbeat_interval);
    set(&mut detail.metadata, change.metadata);
    let mut problems = Problems::default();
    check_detail(&mut problems, agent.rank, &agent.detail);
    problems.into_result()?;
    if agent == before {
        let now = tx.now();
        return Ok(agent.as_of(now));
    }
    agent.updated_at = tx.now();
    tx.put_agent(&agent)?;
    event::record(tx, who, tenant, Happening::AgentUpdated(agent.clone()))?;
    let now = tx.now();
    Ok(agent.as_of(now))
}

fn set<T>(place: &mut T, value: Option<T>) {
    if let Some(value) = value {
        *place = value;
    }
}

fn check_parent(tx: &mut dyn Tx, tenant: &TenantId, new: &NewAgent) -> Result<()> {
    let Some(parent) = &new.parent else {
        return Ok(());
    };
    match tx.agent(tenant, parent)? {
        Some(_) => Ok(()),
        None => Err(Error::invalid(
            "parentAgentId",
            format!("there is no agent {parent}"),
        )),
    }
}

/// The name that the new agent will have, if everything said of it is right.
fn check(new: &NewAgent, tenant: &TenantId, usual: Usual) -> Result<Handle> {
    let mut problems = Problems::default();
    let detail = filled_in(Detail::default(), new.clone(), usual);
    check_detail(&mut problems, new.rank.unwrap_or(USUAL_RANK), &detail);
    let is_default = tenant.as_str() == DEFAULT_TENANT;
    let has_capitals = new.handle.bytes().any(|byte| byte.is_ascii_uppercase());
    match new.handle.parse() {
        Ok(handle) if !(is_default && has_capitals) => problems.into_result().map(|()| handle),
        _ => {
            let letters = match is_default {
                true => "lower-case letters",
                false => "letters",
            };
            problems.add(
                "id",
                format!("must be 1 to 64 {letters}, digits, '_' or '-', a letter or digit first"),
            );
            Err(problems.into_error())
        }
    }
}

fn check_detail(problems: &mut Problems, rank: Rank, detail: &Detail) {
    let mut bounded = |field: &str, value: &str, longest: usize| {
        text::check_present(problems, field, value);
        if value.chars().count() > longest {
            problems.add(field, format!("must be at most {longest} characters"));
        }
    };
    bounded("name", &detail.name, LONGEST_NAME);
    if let Some(emoji) = &detail.emoji {
        bounded("emoji", emoji, LONGEST_EMOJI);
    }
    if let Some(path) = &detail.workspace_path {
        bounded("workspacePath", path, LONGEST_PATH);
    }
    let tools = detail.allowed_tools.as_deref().unwrap_or_default();
    for (index, tool) in tools.iter().take(MOST_TOOLS).enumerate() {
        bounded(&format!("allowedTools[{index}]"), tool, LONGEST_TOOL);
    }
    if tools.len() > MOST_TOOLS {
        problems.add("allowedTools", format!("must name at most {MOST_TOOLS}"));
    }
    if rank == Rank::Intern && detail.can_spawn {
        problems.add("canSpawn", "must be false for an INTERN");
    }
    if detail.max_sub_agents > MOST_CHILDREN {
        problems.add("maxSubAgents", format!("must be at most {MOST_CHILDREN}"));
    }
    if let Some(interval) = detail.heartbeat_interval
        && !(1..=LONGEST_INTERVAL).contains(&interval)
    {
        problems.add(
            "heartbeatIntervalSec",
            format!("must be 1 to {LONGEST_INTERVAL} seconds"),
        );
    }
    let size = detail
        .metadata
        .as_ref()
        .and_then(|metadata| serde_json::to_string(metadata).ok())
        .map_or(0, |json| json.len());
    if size > LARGEST_METADATA {
        problems.add(
            "metadata",
            format!("must be at most {LARGEST_METADATA} bytes of JSON"),
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn new(handle: &str) -> NewAgent {
        NewAgent {
            handle: handle.to_owned(),
            name: "N".to_owned(),
            emoji: None,
            rank: None,
            workspace_path: "/w".to_owned(),
            allowed_kinds: None,
            allowed_tools: None,
            budget_daily: None,
            budget_per_run: None,
            can_spawn: None,
            max_sub_agents: None,
            parent: None,
            heartbeat_interval: None,
            metadata: None,
        }
    }

    const SPECIALIST: Usual = Usual {
        budget_daily: MicroUsd::dollars(5),
        budget_per_run: MicroUsd::cents(75),
        can_spawn: true,
    };

    fn faults(new: &NewAgent, tenant: &str) -> Vec<String> {
        match check(new, &tenant.parse().unwrap(), SPECIALIST) {
            Ok(_) => Vec::new(),
            Err(error) => error.problems.into_iter().map(|it| it.field).collect(),
        }
    }

    #[test]
    fn names_are_lower_case_in_the_default_tenant_only() {
        let longest = "a".repeat(64);
        let cases = [
            ("jordan", true, true),
            ("7-of_9", true, true),
            (longest.as_str(), true, true),
            ("Jordan", false, true),
            ("", false, false),
            ("-jordan", false, false),
            ("_jordan", false, false),
            ("jor dan", false, false),
            ("jördan", false, false),
            ("@operator", false, false),
        ];
        for (handle, in_default, elsewhere) in cases {
            let new = new(handle);
            assert_eq!(faults(&new, "default").is_empty(), in_default, "{handle}");
            assert_eq!(faults(&new, "acme").is_empty(), elsewhere, "{handle}");
        }
        assert!(!faults(&new(&"a".repeat(65)), "acme").is_empty());
    }

    #[test]
    fn everything_wrong_is_named_at_once() {
        let wrong = NewAgent {
            name: " ".to_owned(),
            emoji: Some("x".repeat(33)),
            rank: Some(Rank::Intern),
            workspace_path: String::new(),
            allowed_tools: Some(vec!["exec".to_owned(), String::new()]),
            can_spawn: Some(true),
            max_sub_agents: Some(101),
            heartbeat_interval: Some(0),
            ..new("No")
        };
        assert_eq!(
            faults(&wrong, "default"),
            [
                "name",
                "emoji",
                "workspacePath",
                "allowedTools[1]",
                "canSpawn",
                "maxSubAgents",
                "heartbeatIntervalSec",
                "id"
            ]
        );
    }

    #[test]
    fn what_is_not_said_is_as_usual_for_the_rank() {
        let detail = filled_in(Detail::default(), new("a"), SPECIALIST);
        assert_eq!(detail.budget_daily, Some(SPECIALIST.budget_daily));
        assert_eq!(detail.budget_per_run, Some(SPECIALIST.budget_per_run));
        assert!(detail.can_spawn);
        assert_eq!(detail.heartbeat_interval, Some(900));
        let said = NewAgent {
            budget_daily: Some(MicroUsd::cents(1)),
            can_spawn: Some(false),
            ..new("a")
        };
        let detail = filled_in(Detail::default(), said, SPECIALIST);
        assert_eq!(detail.budget_daily, Some(MicroUsd::cents(1)));
        assert!(!detail.can_spawn);
    }
}
