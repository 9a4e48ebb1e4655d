//! Runs that agents report from elsewhere (OpenClaw contract §9.2, §11).
//!
//! Beginning one needs leave and money. What has been spent already is taken down whatever the
//! limits say, and may be corrected even after the end.

use super::{PATIENCE, Run, RunFilter, Spend, Status};
use crate::agent::{self, Act, Agent};
use crate::budget::{self, Warning};
use crate::error::Problems;
use crate::event::{self, Happening};
use crate::lease::Lease;
use crate::task::{self, Task};
use crate::text;
use crate::{Error, MicroUsd, Object, Principal, Result, RunId, TaskId, Timestamp, Tx};

const LONGEST_NAME: usize = 500;
const LONGEST_ERROR: usize = 10_000;
/// In bytes, as JSON.
const LARGEST_METADATA: usize = 64 << 10;
/// No run costs more than this, nor uses more tokens.
const DEAREST: MicroUsd = MicroUsd::dollars(1_000_000);
const MOST_TOKENS: u64 = 1_000_000_000_000;

/// What a run used, as far as its report says. Each is all of it so far, not what was added.
#[derive(Debug, Clone, Copy, Default)]
pub struct Usage {
    pub input_tokens: Option<u64>,
    pub output_tokens: Option<u64>,
    pub cache_read_tokens: Option<u64>,
    pub cache_write_tokens: Option<u64>,
    pub cost: Option<MicroUsd>,
}

/// A run that is reported for the first time.
#[derive(Debug, Clone)]
pub struct NewReport {
    pub session_key: String,
    pub model: String,
    pub started_at: Timestamp,
    pub task: Option<TaskId>,
    /// `None`: it is running, or ended well if it has ended and names no error.
    pub status: Option<Status>,
    pub ended_at: Option<Timestamp>,
    pub usage: Usage,
    /// What it may cost; held back while it runs.
    pub estimated_cost: Option<MicroUsd>,
    pub error: Option<String>,
    pub metadata: Option<Object>,
}

/// What more is known of a run; `None` leaves a field as it is.
#[derive(Debug, Clone, Default)]
pub struct Amendment {
    pub ended_at: Option<Timestamp>,
    pub usage: Usage,
    pub status: Option<Status>,
    pub error: Option<String>,
}

/// A run as it was taken down, and how its agent stands.
#[derive(Debug, Clone, PartialEq)]
pub struct Reported {
    pub run: Run,
    pub warning: Option<Warning>,
}

/// What became of an amendment.
#[derive(Debug, Clone, PartialEq)]
pub enum Amended {
    Taken(Reported),
    /// The run had ended with another status, which is final. What the amendment says of cost and
    /// tokens was taken down all the same: that money is spent.
    StatusIsFinal(Reported),
}

/// Takes down a run of the agent that speaks.
///
/// # Errors
/// Every problem of the report; forbidden for callers that are no agent; `task_not_found`. For a
/// run that is still to run also `agent_paused` and its like, `operator_mode`, `budget_exceeded`,
/// and `policy_violation` when it may cost more than a run of this agent may.
pub fn report(tx: &mut dyn Tx, who: &Principal, new: NewReport) -> Result<Reported> {
    let Some(agent) = agent::acting(tx, who)? else {
        return Err(Error::forbidden("forbidden", "only an agent has runs"));
    };
    check(&new)?;
    let mut task = match &new.task {
        Some(id) => Some(task::get(tx, who, id)?),
        None => None,
    };
    let status = new
        .status
        .unwrap_or_else(|| implied(new.ended_at, new.error.as_deref()));
    let mut run = blank(tx, &agent, new, status)?;
    if status == Status::Running {
        agent::permit(tx, &agent, Act::Run(task.as_ref()))?;
        check_cap(tx, &run, &agent)?;
        hold(tx, &mut run, agent, task.as_mut())?;
    }
    let what = match status {
        Status::Running => Happening::RunStarted(run.clone()),
        Status::Completed | Status::Failed | Status::Timeout => Happening::RunEnded(run.clone()),
    };
    event::record(tx, who, &run.tenant, what)?;
    let warning = budget::book(tx, who, &mut run)?;
    tx.insert_run(&run)?;
    note_end(tx, &run)?;
    Ok(Reported { run, warning })
}

fn implied(ended_at: Option<Timestamp>, error: Option<&str>) -> Status {
    match (ended_at, error) {
        (None, _) => Status::Running,
        (Some(_), None) => Status::Completed,
        (Some(_), Some(_)) => Status::Failed,
    }
}

fn blank(tx: &mut dyn Tx, agent: &Agent, new: NewReport, status: Status) -> Result<Run> {
    let now = tx.now();
    let is_running = status == Status::Running;
    let mut run = Run {
        id: RunId::new(tx.mint(RunId::PREFIX)),
        position: tx.next_position()?,
        tenant: agent.tenant.clone(),
        agent: agent.handle.clone(),
        key: None,
        task: new.task,
        status,
        model: new.model,
        spend: Spend::default(),
        error: new.error,
        answer: None,
        started_at: new.started_at,
        ended_at: None,
        lease: Lease::free(),
        waits_for: None,
        due_at: is_running.then(|| now.after(PATIENCE)),
        detail: Box::default(),
    };
    run.detail.reported = true;
    run.detail.session_key = Some(new.session_key);
    run.detail.estimated_cost = new.estimated_cost;
    run.detail.metadata = new.metadata;
    run.detail.received_at = Some(now);
    new.usage.write(&mut run);
    if !is_running {
        run.ended_at = Some(new.ended_at.unwrap_or(now.max(new.started_at)));
    }
    Ok(run)
}

/// Holds back what the run may cost, of its agent's and its task's budget.
fn hold(
    tx: &mut dyn Tx,
    run: &mut Run,
    mut agent: Agent,
    mut task: Option<&mut Task>,
) -> Result<()> {
    let now = tx.now();
    budget::hold_for_tenant(tx, run)?;
    budget::reserve(run, &mut agent, task.as_deref_mut(), now)?;
    if run.detail.reserved == MicroUsd::ZERO {
        return Ok(());
    }
    tx.put_agent(&agent)?;
    match task {
        Some(task) => tx.update_task(task),
        None => Ok(()),
    }
}

/// A run that may cost more than one may needs an approval (§9.3).
fn check_cap(tx: &mut dyn Tx, run: &Run, agent: &Agent) -> Result<()> {
    let (Some(cap), Some(wanted)) = (agent.detail.budget_per_run, run.detail.estimated_cost) else {
        return Ok(());
    };
    if wanted <= cap || budget::take_allowance(tx, agent, wanted)? {
        return Ok(());
    }
    let mut needed = Object::new();
    needed.insert("type".to_owned(), "BUDGET_OVERRIDE".into());
    needed.insert(
        "suggestedJustification".to_owned(),
        format!("One run may cost {wanted} US dollars; the cap is {cap}.").into(),
    );
    Err(Error::forbidden(
        "policy_violation",
        format!(
            "a run of {} may cost {cap} US dollars and this one may cost {wanted}; ask for a BUDGET_OVERRIDE",
            agent.handle
        ),
    )
    .with_detail("decision", "NEEDS_APPROVAL")
    .with_detail("riskLevel", "YELLOW")
    .with_detail(
        "violations",
        vec![format!("budget_per_run:{wanted}/{cap}")],
    )
    .with_detail("approvalRequired", needed))
}

/// Adds what more is known of a run. Its end is final; what it cost may be corrected later.
///
/// # Errors
/// Every problem of the amendment; `run_not_found`; forbidden for another agent's run.
pub fn amend(tx: &mut dyn Tx, who: &Principal, id: &RunId, new: &Amendment) -> Result<Amended> {
    let mut run = find(tx, who, id)?;
    agent::acting(tx, who)?;
    let now = tx.now();
    if run.is_overdue(now) {
        run = give_up(tx, run)?;
    }
    let before = run.clone();
    check_amendment(&run, new)?;
    let refused =
        run.status != Status::Running && new.status.is_some_and(|status| status != run.status);
    new.usage.write(&mut run);
    if let Some(error) = &new.error {
        run.error = Some(error.clone());
    }
    let status = new
        .status
        .unwrap_or_else(|| implied(new.ended_at, new.error.as_deref()));
    let ends = run.status == Status::Running && status != Status::Running;
    if ends {
        run.status = status;
        run.ended_at = Some(now.max(run.started_at));
        run.due_at = None;
    }
    run.ended_at = new.ended_at.or(run.ended_at);
    let mut warning = None;
    if run != before {
        let what = if ends {
            Happening::RunEnded(run.clone())
        } else {
            Happening::RunUpdated(run.clone())
        };
        event::record(tx, who, &run.tenant, what)?;
        warning = budget::book(tx, who, &mut run)?;
        super::save(tx, &mut run)?;
        if ends {
            note_end(tx, &run)?;
        }
    } else if let Some(standing) = budget::standing(tx, &run)? {
        warning = Some(standing);
    }
    let reported = Reported { run, warning };
    Ok(if refused {
        Amended::StatusIsFinal(reported)
    } else {
        Amended::Taken(reported)
    })
}

impl Usage {
    fn write(&self, run: &mut Run) {
        let spend = &mut run.spend;
        spend.input_tokens = self.input_tokens.unwrap_or(spend.input_tokens);
        spend.output_tokens = self.output_tokens.unwrap_or(spend.output_tokens);
        spend.cost_microusd = self.cost.map_or(spend.cost_microusd, |cost| cost.0);
        let detail = &mut run.detail;
        detail.cache_read_tokens = self.cache_read_tokens.or(detail.cache_read_tokens);
        detail.cache_write_tokens = self.cache_write_tokens.or(detail.cache_write_tokens);
    }

    fn check(&self, problems: &mut Problems) {
        for (field, tokens) in [
            ("inputTokens", self.input_tokens),
            ("outputTokens", self.output_tokens),
            ("cacheReadTokens", self.cache_read_tokens),
            ("cacheWriteTokens", self.cache_write_tokens),
        ] {
            if tokens.is_some_and(|tokens| tokens > MOST_TOKENS) {
                problems.add(field, format!("must be at most {MOST_TOKENS}"));
            }
        }
        check_cost(problems, "costUsd", self.cost);
    }
}

fn check_cost(problems: &mut Problems, field: &str, cost: Option<MicroUsd>) {
    if cost.is_some_and(|cost| cost > DEAREST) {
        problems.add(field, format!("must be at most {DEAREST} US dollars"));
    }
}

fn check(new: &NewReport) -> Result<()> {
    let mut problems = Problems::default();
    for (field, text) in [("sessionKey", &new.session_key), ("model", &new.model)] {
        text::check_present(&mut problems, field, text);
        if text.chars().count() > LONGEST_NAME {
            problems.add(field, format!("must be at most {LONGEST_NAME} characters"));
        }
    }
    check_error(&mut problems, new.error.as_deref());
    let size = new
        .metadata
        .as_ref()
        .and_then(|it| serde_json::to_string(it).ok())
        .map_or(0, |text| text.len());
    if size > LARGEST_METADATA {
        problems.add(
            "metadata",
            format!("must be at most {LARGEST_METADATA} bytes of JSON"),
        );
    }
    new.usage.check(&mut problems);
    check_cost(&mut problems, "estimatedCost", new.estimated_cost);
    check_end(&mut problems, new.started_at, new.ended_at, new.status);
    problems.into_result()
}

fn check_amendment(run: &Run, new: &Amendment) -> Result<()> {
    let mut problems = Problems::default();
    check_error(&mut problems, new.error.as_deref());
    new.usage.check(&mut problems);
    check_end(&mut problems, run.started_at, new.ended_at, new.status);
    problems.into_result()
}

fn check_error(problems: &mut Problems, error: Option<&str>) {
    text::check_optional(problems, "error", error);
    if error.is_some_and(|error| error.chars().count() > LONGEST_ERROR) {
        problems.add(
            "error",
            format!("must be at most {LONGEST_ERROR} characters"),
        );
    }
}

fn check_end(
    problems: &mut Problems,
    started_at: Timestamp,
    ended_at: Option<Timestamp>,
    status: Option<Status>,
) {
    let Some(ended_at) = ended_at else { return };
    if ended_at < started_at {
        problems.add(
            "endedAt",
            format!("must not be before startedAt ({started_at})"),
        );
    }
    if status == Some(Status::Running) {
        problems.add(
            "status",
            "must say how it ended where endedAt is given: COMPLETED, FAILED or TIMEOUT",
        );
    }
}

/// An agent's run, if it is there for this caller: an agent has its own, an operator has all.
///
/// # Errors
/// `run_not_found`, for another tenant's too; forbidden for another agent's.
pub fn find(tx: &mut dyn Tx, who: &Principal, id: &RunId) -> Result<Run> {
    let run = tx
        .run(id)?
        .filter(|run| who.sees(&run.tenant))
        .ok_or_else(|| Error::not_found("run_not_found", "there is no such run"))?;
    if who.handle().is_some_and(|own| *own != run.agent) {
        return Err(Error::forbidden(
            "forbidden",
            format!("{id} is a run of {}; an agent sees only its own", run.agent),
        )
        .with_detail("requiredRole", "OPERATOR"));
    }
    Ok(run)
}

/// A page of runs, newest first, and how many there are.
///
/// # Errors
/// Whatever the store meets.
pub fn list(
    tx: &mut dyn Tx,
    filter: &RunFilter,
    offset: u32,
    limit: u32,
) -> Result<(Vec<Run>, u64)> {
    Ok((tx.runs(filter, offset, limit)?, tx.run_count(filter)?))
}

/// Gives up runs whose end nobody reported in time, at most so many; tells how many it gave up.
///
/// # Errors
/// Whatever the store meets.
pub fn settle_due(tx: &mut dyn Tx, limit: u32) -> Result<u32> {
    let due = tx.due_runs(tx.now(), limit)?;
    let count = u32::try_from(due.len()).unwrap_or(u32::MAX);
    for run in due {
        give_up(tx, run)?;
    }
    Ok(count)
}

fn give_up(tx: &mut dyn Tx, run: Run) -> Result<Run> {
    let mut run = run.as_of(tx.now());
    run.due_at = None;
    let system = Principal::system().within(run.tenant.clone())?;
    event::record(tx, &system, &run.tenant, Happening::RunEnded(run.clone()))?;
    budget::book(tx, &system, &mut run)?;
    super::save(tx, &mut run)?;
    note_end(tx, &run)?;
    Ok(run)
}

/// A run that failed counts against its agent, one that ended well wipes that out (§9.2).
fn note_end(tx: &mut dyn Tx, run: &Run) -> Result<()> {
    let Some(mut agent) = tx.agent(&run.tenant, &run.agent)? else {
        return Ok(());
    };
    match run.status {
        Status::Running => Ok(()),
        Status::Completed => agent::note_success(tx, &mut agent),
        Status::Failed | Status::Timeout => agent::note_error(tx, &mut agent, run.error.as_deref()),
    }
}
