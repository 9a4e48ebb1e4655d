//! How agents come, change and are given credentials (OpenClaw contract §1.1, §4, §9.4).

use std::time::Duration;

use crate::error::Problems;
use crate::event::{self, Happening};
use crate::kind::TaskKind;
use crate::policy;
use crate::text;
use crate::token::Token;
use crate::{
    AgentId, Error, Handle, MicroUsd, Object, Principal, Result, TaskId, TenantId, Timestamp,
    TokenId, Tx,
};

use super::{Act, Agent, AgentFilter, Detail, Rank, Status, acting, permit};

/// Beats of an agent that says nothing about it: every 15 minutes.
const INTERVAL: u32 = 900;
/// More than a week between two signs of life is a mistake.
const LONGEST_INTERVAL: u32 = 7 * 86_400;
const LONGEST_NAME: usize = 200;
const LONGEST_EMOJI: usize = 32;
const LONGEST_PATH: usize = 4096;

/// An agent to register.
#[derive(Debug, Clone)]
pub struct NewAgent {
    pub handle: String,
    pub name: String,
    pub rank: Rank,
    pub workspace_path: String,
    pub emoji: Option<String>,
    pub allowed_kinds: Vec<TaskKind>,
    pub allowed_tools: Option<Vec<String>>,
    /// `None`: what its rank may spend.
    pub budget_daily: Option<MicroUsd>,
    pub budget_per_run: Option<MicroUsd>,
    pub can_spawn: Option<bool>,
    pub max_sub_agents: Option<u32>,
    pub parent: Option<Handle>,
    pub heartbeat_interval: Option<u32>,
    pub metadata: Option<Object>,
    /// SHA-256 of the token that will speak for it, in hex.
    pub token_hash: String,
}

/// What to change; `None` leaves a field as it is.
#[derive(Debug, Clone, Default)]
pub struct AgentChange {
    pub name: Option<String>,
    pub emoji: Option<Option<String>>,
    pub allowed_kinds: Option<Vec<TaskKind>>,
    pub allowed_tools: Option<Option<Vec<String>>>,
    pub budget_daily: Option<MicroUsd>,
    pub budget_per_run: Option<MicroUsd>,
    pub can_spawn: Option<bool>,
    pub heartbeat_interval: Option<u32>,
    pub metadata: Option<Object>,
}

/// What an agent of this rank may spend a day and a run (§9.1).
fn allowance(rank: Rank) -> (MicroUsd, MicroUsd) {
    match rank {
        Rank::Intern => (MicroUsd::dollars(2), MicroUsd::cents(25)),
        Rank::Specialist => (MicroUsd::dollars(5), MicroUsd::cents(75)),
        Rank::Lead => (MicroUsd::dollars(12), MicroUsd::cents(150)),
    }
}

/// Registers an agent and the token that speaks for it. An operator may register any; an agent may
/// spawn others within its limits.
///
/// # Errors
/// Every problem of the request; `already_processed` when there is such an agent; forbidden;
/// `spawn_limit`.
pub fn register(tx: &mut dyn Tx, who: &Principal, new: NewAgent) -> Result<Agent> {
    let tenant = who.tenant()?.clone();
    let mut problems = Problems::default();
    check_name_of(&mut problems, &tenant, &new.handle);
    check_text(&mut problems, "name", Some(&new.name), LONGEST_NAME);
    check_text(&mut problems, "emoji", new.emoji.as_deref(), LONGEST_EMOJI);
    check_text(
        &mut problems,
        "workspacePath",
        Some(&new.workspace_path),
        LONGEST_PATH,
    );
    check_interval(&mut problems, new.heartbeat_interval);
    problems.into_result()?;
    let handle: Handle = new.handle.parse()?;
    if let Some(known) = tx
        .agent(&tenant, &handle)?
        .filter(|agent| agent.detail.registered)
    {
        return Err(Error::conflict(
            "already_processed",
            format!(
                "agent {handle} is registered already; its status is {}",
                known.status.as_str()
            ),
        )
        .with_detail("agentId", handle.as_str()));
    }
    let (daily, per_run) = allowance(new.rank);
    let mut detail = Detail {
        name: new.name.clone(),
        emoji: new.emoji.clone(),
        registered: true,
        workspace_path: Some(new.workspace_path.clone()),
        allowed_kinds: new.allowed_kinds.clone(),
        allowed_tools: new.allowed_tools.clone(),
        budget_daily: Some(new.budget_daily.unwrap_or(daily)),
        budget_per_run: Some(new.budget_per_run.unwrap_or(per_run)),
        can_spawn: new.can_spawn.unwrap_or(new.rank != Rank::Intern),
        max_sub_agents: new.max_sub_agents.unwrap_or(3),
        parent: new.parent.clone(),
        heartbeat_interval: Some(new.heartbeat_interval.unwrap_or(INTERVAL)),
        metadata: new.metadata.clone(),
        ..Detail::default()
    };
    if new.rank == Rank::Intern {
        detail.can_spawn = false;
    }
    if let Some(parent) = acting(tx, who)? {
        spawn(tx, &parent, &new, &mut detail)?;
    }
    tx.ensure_tenant(&tenant)?;
    let now = tx.now();
    let agent = Agent {
        id: AgentId::new(tx.mint(AgentId::PREFIX)),
        tenant: tenant.clone(),
        handle,
        rank: new.rank,
        created_at: now,
        updated_at: now,
        last_heartbeat_at: None,
        health: None,
        status: Status::Active,
        detail,
    };
    tx.put_agent(&agent)?;
    event::record(tx, who, &tenant, Happening::AgentRegistered(agent.clone()))?;
    issue(tx, who, &agent, new.token_hash, None)?;
    Ok(agent)
}

/// Checks that `parent` may spawn such an agent, and binds it to its parent (§9.4). Only agents
/// that agents spawned are counted (rulings 5).
fn spawn(tx: &mut dyn Tx, parent: &Agent, new: &NewAgent, detail: &mut Detail) -> Result<()> {
    permit(tx, parent, Act::Start)?;
    let limits = policy::settings(tx, &parent.tenant)?.spawn;
    let refuse = |rule: &str, why: String| {
        Err(Error::conflict("spawn_limit", why).with_detail("violations", vec![rule.to_owned()]))
    };
    let mut problems = Problems::default();
    if new.parent.as_ref() != Some(&parent.handle) {
        problems.add(
            "parentAgentId",
            format!("must be {}, who spawns it", parent.handle),
        );
    }
    let wanted = |name: &str| {
        let metadata = new.metadata.as_ref()?;
        metadata
            .get(name)?
            .as_str()
            .filter(|text| !text.trim().is_empty())
    };
    let task = wanted("parentTaskId").map(TaskId::new);
    if task.is_none() {
        problems.add(
            "metadata.parentTaskId",
            "must name the task it is spawned for",
        );
    }
    if wanted("purpose").is_none() {
        problems.add("metadata.purpose", "must say what it is spawned for");
    }
    if !parent.detail.allowed_kinds.is_empty() {
        let more = new.allowed_kinds.is_empty()
            || new
                .allowed_kinds
                .iter()
                .any(|kind| !parent.detail.allowed_kinds.contains(kind));
        if more {
            problems.add(
                "allowedTaskTypes",
                "must be among those of the agent that spawns it",
            );
        }
    }
    problems.into_result()?;
    if parent.rank == Rank::Intern || !parent.detail.can_spawn || new.rank > parent.rank {
        return Err(Error::forbidden(
            "forbidden",
            format!(
                "agent {} may not spawn a {}",
                parent.handle,
                new.rank.as_str()
            ),
        )
        .with_detail("requiredRole", "OPERATOR")
        .with_detail(
            "violations",
            vec![format!("spawn_role:{}", parent.rank.as_str())],
        ));
    }
    let Some(task) = task else { return Ok(()) };
    let found = tx
        .task(&task)?
        .filter(|task| task.tenant == parent.tenant && !task.state.is_terminal());
    if found.is_none() {
        return Err(Error::invalid(
            "metadata.parentTaskId",
            "must name a task that is not over",
        ));
    }
    let living: Vec<Agent> = tx
        .agents(
            &AgentFilter {
                tenant: Some(parent.tenant.clone()),
                spawned: true,
                ..AgentFilter::default()
            },
            0,
            10_000,
        )?
        .into_iter()
        .filter(|agent| !agent.detail.closed)
        .collect();
    if living.len() >= limits.max_active as usize {
        return refuse(
            "spawn_max_active",
            format!("{} spawned agents live already", living.len()),
        );
    }
    let siblings = living
        .iter()
        .filter(|agent| agent.detail.parent_task.as_ref() == Some(&task))
        .count();
    let most = (limits.max_per_parent_task).min(parent.detail.max_sub_agents) as usize;
    if siblings >= most {
        return refuse(
            "spawn_max_per_parent",
            format!("{siblings} agents were spawned for {task} already"),
        );
    }
    let depth = depth_of(tx, parent)? + 1;
    if depth > limits.max_depth {
        return refuse(
            "spawn_depth",
            format!("agents are spawned {} deep at most", limits.max_depth),
        );
    }
    let left = crate::budget::left(parent, tx.now());
    for (field, budget) in [
        ("budgetDaily", &mut detail.budget_daily),
        ("budgetPerRun", &mut detail.budget_per_run),
    ] {
        let asked = if field == "budgetDaily" {
            new.budget_daily
        } else {
            new.budget_per_run
        };
        if let (Some(left), Some(own)) = (left, *budget)
            && own > left
        {
            if asked.is_some() {
                return Err(Error::invalid(
                    field,
                    format!(
                        "must be at most {left}, which is what {} has left",
                        parent.handle
                    ),
                ));
            }
            *budget = Some(left);
        }
    }
    detail.parent_task = Some(task);
    detail.closes_at = Some(tx.now().after(limits.lifetime));
    Ok(())
}

/// How many agents were spawned by one another above this one.
fn depth_of(tx: &mut dyn Tx, agent: &Agent) -> Result<u32> {
    let mut depth = 0;
    let mut parent = agent.detail.parent.clone();
    while let Some(handle) = parent {
        depth += 1;
        if depth > 16 {
            break;
        }
        parent = tx
            .agent(&agent.tenant, &handle)?
            .and_then(|agent| agent.detail.parent);
    }
    Ok(depth)
}

fn check_name_of(problems: &mut Problems, tenant: &TenantId, handle: &str) {
    // In the default tenant names are lower case; elsewhere they are roles as well (rulings 3).
    let is_right = Handle::is_valid(handle)
        && (tenant.as_str() != "default" || !handle.bytes().any(|byte| byte.is_ascii_uppercase()));
    if !is_right {
        problems.add(
            "id",
            "must start with a lower case letter or digit and go on with at most 63 of those, '_' or '-'",
        );
    }
}

fn check_text(problems: &mut Problems, field: &str, text: Option<&str>, longest: usize) {
    let Some(text) = text else { return };
    text::check_present(problems, field, text);
    if text.chars().count() > longest {
        problems.add(field, format!("must be at most {longest} characters"));
    }
}

fn check_interval(problems: &mut Problems, interval: Option<u32>) {
    if interval.is_some_and(|seconds| !(1..=LONGEST_INTERVAL).contains(&seconds)) {
        problems.add(
            "heartbeatIntervalSec",
            format!("must be 1 to {LONGEST_INTERVAL} seconds"),
        );
    }
}

/// The agent of this name, if it is there for this caller, who names a tenant if bound to none.
///
/// # Errors
/// `agent_not_found`.
pub fn find(tx: &mut dyn Tx, tenant: &TenantId, handle: &Handle) -> Result<Agent> {
    tx.agent(tenant, handle)?
        .ok_or_else(|| Error::not_found("agent_not_found", format!("there is no agent {handle}")))
}

/// A page of the agents that a caller sees, and how many there are.
///
/// # Errors
/// Whatever the store meets.
pub fn list(
    tx: &mut dyn Tx,
    filter: &AgentFilter,
    offset: u32,
    limit: u32,
) -> Result<(Vec<Agent>, u64)> {
    Ok((tx.agents(filter, offset, limit)?, tx.agent_count(filter)?))
}

/// Changes an agent. Nothing is written when nothing would change.
///
/// # Errors
/// Every problem of the request; forbidden for agents; `agent_not_found`.
pub fn change(
    tx: &mut dyn Tx,
    who: &Principal,
    handle: &Handle,
    change: AgentChange,
) -> Result<Agent> {
    who.operate("change an agent")?;
    let mut problems = Problems::default();
    check_text(&mut problems, "name", change.name.as_deref(), LONGEST_NAME);
    let emoji = change.emoji.as_ref().and_then(Option::as_deref);
    check_text(&mut problems, "emoji", emoji, LONGEST_EMOJI);
    check_interval(&mut problems, change.heartbeat_interval);
    problems.into_result()?;
    let before = find(tx, who.tenant()?, handle)?;
    let mut agent = before.clone();
    let detail = &mut agent.detail;
    if let Some(name) = change.name {
        detail.name = name;
    }
    if let Some(emoji) = change.emoji {
        detail.emoji = emoji;
    }
    if let Some(kinds) = change.allowed_kinds {
        detail.allowed_kinds = kinds;
    }
    if let Some(tools) = change.allowed_tools {
        detail.allowed_tools = tools;
    }
    detail.budget_daily = change.budget_daily.or(detail.budget_daily);
    detail.budget_per_run = change.budget_per_run.or(detail.budget_per_run);
    if let Some(can_spawn) = change.can_spawn {
        detail.can_spawn = can_spawn && agent.rank != Rank::Intern;
    }
    detail.heartbeat_interval = change.heartbeat_interval.or(detail.heartbeat_interval);
    if let Some(metadata) = change.metadata {
        detail.metadata = Some(metadata);
    }
    if agent == before {
        return Ok(agent);
    }
    agent.updated_at = tx.now();
    tx.put_agent(&agent)?;
    let tenant = agent.tenant.clone();
    event::record(tx, who, &tenant, Happening::AgentUpdated(agent.clone()))?;
    Ok(agent)
}

/// Gives an agent a new token, and takes the others from it if asked to.
///
/// # Errors
/// Forbidden for agents; `agent_not_found`; a lifetime past the end of time.
pub fn rotate_token(
    tx: &mut dyn Tx,
    who: &Principal,
    handle: &Handle,
    hash: String,
    lifetime: Option<Duration>,
    revoke_others: bool,
) -> Result<Token> {
    who.operate("make tokens")?;
    let agent = find(tx, who.tenant()?, handle)?;
    if agent.detail.closed {
        return Err(Error::conflict(
            "already_processed",
            format!("agent {handle} was closed; register another"),
        ));
    }
    if revoke_others {
        let now = tx.now();
        for mut token in tx.tokens(&agent.tenant, handle)? {
            if token.is_good(now) {
                revoke(tx, who, &mut token)?;
            }
        }
    }
    let expires_at = lifetime.map(|lifetime| tx.now().after(lifetime));
    issue(tx, who, &agent, hash, expires_at)
}

/// Takes a token from an agent; again is no change.
///
/// # Errors
/// Forbidden for agents; `agent_not_found`; `token_not_found`.
pub fn revoke_token(
    tx: &mut dyn Tx,
    who: &Principal,
    handle: &Handle,
    id: &TokenId,
) -> Result<Token> {
    who.operate("revoke tokens")?;
    let agent = find(tx, who.tenant()?, handle)?;
    let mut token = tx
        .tokens(&agent.tenant, handle)?
        .into_iter()
        .find(|token| token.id == *id)
        .ok_or_else(|| Error::not_found("token_not_found", "there is no such token"))?;
    if token.revoked_at.is_none() {
        revoke(tx, who, &mut token)?;
    }
    Ok(token)
}

fn revoke(tx: &mut dyn Tx, who: &Principal, token: &mut Token) -> Result<()> {
    token.revoked_at = Some(tx.now());
    tx.put_token(token)?;
    event::record(
        tx,
        who,
        &token.tenant,
        Happening::AgentTokenRevoked(token.clone()),
    )
}

fn issue(
    tx: &mut dyn Tx,
    who: &Principal,
    agent: &Agent,
    hash: String,
    expires_at: Option<Timestamp>,
) -> Result<Token> {
    let token = Token {
        id: TokenId::new(tx.mint(TokenId::PREFIX)),
        tenant: agent.tenant.clone(),
        agent: agent.handle.clone(),
        hash,
        created_at: tx.now(),
        expires_at,
        revoked_at: None,
    };
    tx.put_token(&token)?;
    event::record(
        tx,
        who,
        &agent.tenant,
        Happening::AgentTokenIssued(token.clone()),
    )?;
    Ok(token)
}
