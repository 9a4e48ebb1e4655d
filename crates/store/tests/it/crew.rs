//! An agent at work on a task: the setting of tests about what it may do.

use stationmaster_kernel::agent::{self, Rank};
use stationmaster_kernel::approval::{
    self, Approval, Ask, Asked, Decided, Decision, Request, Ruling,
};
use stationmaster_kernel::kind::TaskKind;
use stationmaster_kernel::state::State;
use stationmaster_kernel::task::{self, NewBoardTask, NewStep, Plan, Task};
use stationmaster_kernel::tool_call::Level;
use stationmaster_kernel::{Object, Principal, Result, TaskId};

use crate::agents::new;
use crate::support::{TestStore, agent, person};

/// Registers an agent of tenant `t`.
pub(crate) fn member(store: &TestStore, handle: &str, rank: Rank) -> Principal {
    let new = new(handle, rank);
    store
        .write(move |tx| {
            let hash = format!("hash of {}", new.handle);
            agent::register(tx, &person("t"), new.clone(), &hash)
        })
        .unwrap();
    agent("t", handle)
}

/// A task of tenant `t` that this agent has begun.
pub(crate) fn begun(store: &TestStore, who: &Principal) -> TaskId {
    let handle = who.handle().unwrap().clone();
    let who = who.clone();
    store
        .write(move |tx| {
            let new = NewBoardTask {
                title: "Write it".into(),
                kind: TaskKind::Content,
                description: None,
                priority: None,
                assignees: vec![handle.clone()],
                reviewer: None,
                parent: None,
                labels: Vec::new(),
                due_at: None,
                estimated_cost: None,
                budget: None,
                metadata: None,
            };
            let task = task::create_on_board(tx, &person("t"), new)?;
            let plan = Plan {
                bullets: ["Look", "Do", "Check"].map(str::to_owned).into(),
                ..Plan::default()
            };
            let step = NewStep {
                plan: Some(plan),
                ..NewStep::to(State::InProgress)
            };
            Ok(task::step(tx, &who, &task.id, step)?.task.id)
        })
        .unwrap()
}

pub(crate) fn look(store: &TestStore, id: &TaskId) -> Task {
    let id = id.clone();
    store
        .read(move |tx| task::get(tx, &person("t"), &id))
        .unwrap()
}

pub(crate) fn object(text: &str) -> Object {
    serde_json::from_str(text).unwrap()
}

/// A request to push to the main branch.
pub(crate) fn push(task: Option<&TaskId>) -> Request {
    Request {
        ask: Ask::ToolExec,
        summary: "git push origin main".into(),
        justification: "The release needs it".into(),
        level: Level::Red,
        task: task.cloned(),
        tool_call: None,
        payload: Some(object(
            r#"{"tool":"exec","command":"git push origin main"}"#,
        )),
        estimated_cost: None,
        rollback_plan: None,
        expires_in: None,
    }
}

pub(crate) fn ask(store: &TestStore, who: &Principal, request: Request) -> Result<Asked> {
    let who = who.clone();
    store.write(move |tx| approval::ask(tx, &who, request.clone()))
}

pub(crate) fn rule(
    store: &TestStore,
    who: &Principal,
    it: &Approval,
    ruling: Ruling,
) -> Result<Decided> {
    let (who, id) = (who.clone(), it.id.clone());
    store.write(move |tx| approval::rule(tx, &who, &id, ruling.clone()))
}

pub(crate) fn approve(store: &TestStore, it: &Approval) -> Decided {
    rule(store, &person("t"), it, Ruling::new(Decision::Approve)).unwrap()
}

pub(crate) fn denial(reason: &str) -> Ruling {
    Ruling {
        reason: Some(reason.into()),
        ..Ruling::new(Decision::Deny)
    }
}
