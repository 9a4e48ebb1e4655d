//! A crew that spends money: what the tests of runs, budgets and statistics share.

use std::time::Duration;

use stationmaster_kernel::agent::{self, Agent, NewAgent, Rank};
use stationmaster_kernel::kind::TaskKind;
use stationmaster_kernel::run::{
    self, Amended, Amendment, NewReport, Reported, Run, Status, Usage,
};
use stationmaster_kernel::state::State;
use stationmaster_kernel::task::{self, NewBoardTask, NewStep, Plan, Task};
use stationmaster_kernel::{
    MicroUsd, Object, Principal, Result, RunId, TaskId, TenantId, Timestamp,
};

use crate::support::{TestStore, agent, person};

pub(crate) const TENANT: &str = "default";
pub(crate) const HOUR: u64 = 3600;

pub(crate) fn tenant() -> TenantId {
    TENANT.parse().unwrap()
}

/// Sets the clock to the next noon in UTC and so many seconds, so that no test runs over midnight.
pub(crate) fn after_noon(store: &TestStore, seconds: u64) {
    const DAY: i64 = 24 * HOUR.cast_signed();
    let of_day = jiff::Timestamp::now().as_second().rem_euclid(DAY);
    let to_noon = (DAY + DAY / 2 - of_day).cast_unsigned();
    store.move_clock(Duration::from_secs(to_noon + seconds));
}

/// Registers a SPECIALIST: 5 dollars a day, 0.75 a run.
pub(crate) fn specialist(store: &TestStore, id: &str) -> Principal {
    register(store, id, |_| {})
}

/// Registers a SPECIALIST that is changed before.
pub(crate) fn register(store: &TestStore, id: &str, change: fn(&mut NewAgent)) -> Principal {
    let mut new = NewAgent {
        handle: id.to_owned(),
        name: id.to_owned(),
        emoji: None,
        rank: Some(Rank::Specialist),
        workspace_path: format!("/ws/{id}"),
        allowed_kinds: None,
        allowed_tools: None,
        budget_daily: None,
        budget_per_run: None,
        can_spawn: None,
        max_sub_agents: None,
        parent: None,
        heartbeat_interval: None,
        metadata: None,
    };
    change(&mut new);
    let hash = format!("hash of {id}");
    store
        .write(move |tx| agent::register(tx, &person(TENANT), new.clone(), &hash).map(drop))
        .unwrap();
    agent(TENANT, id)
}

/// The agent as it is now.
pub(crate) fn shown(store: &TestStore, who: &Principal) -> Agent {
    let handle = who.handle().unwrap().clone();
    store
        .read(move |tx| agent::find(tx, &tenant(), &handle))
        .unwrap()
}

/// A run that begins now.
pub(crate) fn running() -> NewReport {
    NewReport {
        session_key: "s".into(),
        model: "m".into(),
        started_at: Timestamp(0),
        task: None,
        status: None,
        ended_at: None,
        usage: Usage::default(),
        estimated_cost: None,
        error: None,
        metadata: None,
    }
}

/// A run that is over and cost so many cents.
pub(crate) fn over(cents: u64) -> NewReport {
    NewReport {
        ended_at: Some(Timestamp(1000)),
        usage: cost(cents),
        ..running()
    }
}

pub(crate) fn cost(cents: u64) -> Usage {
    Usage {
        cost: Some(MicroUsd::cents(cents)),
        ..Usage::default()
    }
}

pub(crate) fn report(store: &TestStore, who: &Principal, new: NewReport) -> Result<Reported> {
    let who = who.clone();
    store.write(move |tx| run::report(tx, &who, new.clone()))
}

/// Reports a run that is over and cost so many cents.
pub(crate) fn spend(store: &TestStore, who: &Principal, cents: u64) -> Reported {
    report(store, who, over(cents)).unwrap()
}

pub(crate) fn amend(
    store: &TestStore,
    who: &Principal,
    id: &RunId,
    new: Amendment,
) -> Result<Amended> {
    let (who, id) = (who.clone(), id.clone());
    store.write(move |tx| run::amend(tx, &who, &id, &new))
}

/// Says that a run has cost so many cents so far.
pub(crate) fn costs(store: &TestStore, who: &Principal, id: &RunId, cents: u64) -> Run {
    let new = Amendment {
        usage: cost(cents),
        ..Amendment::default()
    };
    taken(amend(store, who, id, new).unwrap())
}

/// Ends a run.
pub(crate) fn ends(store: &TestStore, who: &Principal, id: &RunId, status: Status) -> Run {
    let new = Amendment {
        status: Some(status),
        ..Amendment::default()
    };
    taken(amend(store, who, id, new).unwrap())
}

pub(crate) fn taken(amended: Amended) -> Run {
    match amended {
        Amended::Taken(reported) => reported.run,
        Amended::StatusIsFinal(_) => panic!("the status was final"),
    }
}

/// A task of this kind that this agent has begun.
pub(crate) fn begun(store: &TestStore, who: &Principal, kind: TaskKind) -> Task {
    let new = NewBoardTask {
        title: format!("{} work", kind.as_str()),
        kind,
        description: None,
        priority: None,
        assignees: vec![who.handle().unwrap().clone()],
        reviewer: None,
        parent: None,
        labels: Vec::new(),
        due_at: None,
        estimated_cost: None,
        budget: None,
        metadata: None,
    };
    let who = who.clone();
    store
        .write(move |tx| {
            let task = task::create_on_board(tx, &person(TENANT), new.clone())?;
            let step = NewStep {
                plan: Some(Plan {
                    bullets: vec!["Look".into(), "Do".into(), "Check".into()],
                    ..Plan::default()
                }),
                ..NewStep::to(State::InProgress)
            };
            Ok(task::step(tx, &who, &task.id, step)?.task)
        })
        .unwrap()
}

pub(crate) fn found(store: &TestStore, id: &TaskId) -> Task {
    let id = id.clone();
    store.read(move |tx| tx.task(&id)).unwrap().unwrap()
}

/// The kinds of alerts there are, oldest first.
pub(crate) fn alerts(store: &TestStore) -> Vec<String> {
    let all = store.read(|tx| tx.alerts(&Default::default(), 0, 100));
    let mut kinds: Vec<String> = all.unwrap().into_iter().map(|it| it.kind).collect();
    kinds.reverse();
    kinds
}

/// The members of a JSON object.
pub(crate) fn object(text: &str) -> Object {
    serde_json::from_str(text).unwrap()
}
