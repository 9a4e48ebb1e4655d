//! Budgets: told of before they are spent, stopped at when they are (OpenClaw contract §9.3).

use std::collections::HashMap;

use futures::future::join_all;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use stationmaster_kernel::agent;
use stationmaster_kernel::approval::{self, Approval, ApprovalFilter, Ask, Detail, Risk};
use stationmaster_kernel::budget;
use stationmaster_kernel::kind::TaskKind;
use stationmaster_kernel::message::MessageKind;
use stationmaster_kernel::notification::{NotificationFilter, Target, Type};
use stationmaster_kernel::policy::{self, Scope, Source};
use stationmaster_kernel::run::{self, Amendment, NewReport, NewRun, Spend, Status};
use stationmaster_kernel::state::State;
use stationmaster_kernel::task::Task;
use stationmaster_kernel::{ApprovalId, Kind, MicroUsd, Principal, RunId, TaskId, Timestamp};

use crate::ledger::{
    HOUR, TENANT, after_noon, alerts, amend, begun, cost, costs, ends, found, object, over,
    register, report, running, shown, specialist, spend, tenant,
};
use crate::support::{TestStore, agent, on_both, person};

on_both!(
    each_threshold_is_told_of_once_a_day,
    the_rules_set_the_thresholds,
    who_has_spent_all_waits_for_more,
    what_is_allowed_on_top_lets_the_agent_go_on,
    a_new_day_brings_new_money_and_takes_the_request_back,
    a_pause_by_a_person_outlasts_the_night,
    a_run_past_its_cap_is_told_of_once,
    a_run_that_may_cost_more_than_one_may_needs_leave,
    a_task_that_costs_too_much_waits,
    a_task_past_its_estimate_says_so_once,
    what_a_spawned_agent_costs_is_its_parents_tasks_too,
    what_a_run_may_cost_is_held_until_it_ends,
    racing_runs_never_hold_more_than_there_is,
    turns_of_our_own_enter_the_same_books,
    whatever_is_reported_in_whatever_order_the_books_are_right,
);

fn told(store: &TestStore, target: Target) -> Vec<String> {
    let filter = NotificationFilter {
        target: Some(target),
        kind: Some(Type::Alert),
        ..NotificationFilter::default()
    };
    let found = store.read(move |tx| tx.notifications_of(Some(&tenant()), &filter, 100));
    found
        .unwrap()
        .into_iter()
        .filter_map(|it| it.title)
        .collect()
}

fn requests(store: &TestStore) -> Vec<Approval> {
    let all = ApprovalFilter::default();
    store
        .read(move |tx| tx.approval_board(&all, 0, 100))
        .unwrap()
}

fn each_threshold_is_told_of_once_a_day(store: &TestStore) {
    after_noon(store, 0);
    let jordan = specialist(store, "jordan");
    let id = report(store, &jordan, running()).unwrap().run.id;
    let say = |cents| {
        let new = Amendment {
            usage: cost(cents),
            ..Amendment::default()
        };
        let outcome = amend(store, &jordan, &id, new).unwrap();
        let run::Amended::Taken(reported) = outcome else {
            panic!("refused");
        };
        let own = told(store, Target::Agent("jordan".parse().unwrap())).len();
        let raised = alerts(store);
        let of = |kind: &str| raised.iter().filter(|it| *it == kind).count();
        let warning = reported.warning.map(|it| (it.exceeded, it.remaining));
        (own, of("BUDGET_CRITICAL"), of("BUDGET_EXCEEDED"), warning)
    };
    let left = |cents| Some((false, MicroUsd::cents(cents)));
    let exceeded = Some((true, MicroUsd::ZERO));
    assert_eq!(say(399), (0, 0, 0, exceeded), "past the cap of a run");
    let riley = register(store, "riley", |new| {
        new.budget_per_run = Some(MicroUsd::dollars(9));
    });
    assert_eq!(report(store, &riley, over(399)).unwrap().warning, None);
    let near = report(store, &riley, over(1)).unwrap().warning.unwrap();
    assert_eq!(Some((near.exceeded, near.remaining)), left(100));

    assert_eq!(say(400).0, 1);
    assert_eq!(say(474), (1, 0, 0, exceeded));
    assert_eq!(say(475), (1, 1, 0, exceeded));
    assert_eq!(say(499), (1, 1, 0, exceeded));
    assert_eq!(say(500), (1, 1, 1, exceeded));
    assert_eq!(say(600), (1, 1, 1, exceeded));
    assert_eq!(say(0).3, None, "all of it was a mistake");
    assert_eq!(say(500), (1, 1, 1, exceeded), "once a day");
    after_noon(store, 24 * HOUR);
    spend(store, &riley, 500);
    let raised = alerts(store);
    let of = |kind: &str| raised.iter().filter(|it| *it == kind).count();
    assert_eq!(
        (of("BUDGET_CRITICAL"), of("BUDGET_EXCEEDED")),
        (2, 2),
        "a jump passes every threshold"
    );
}

fn the_rules_set_the_thresholds(store: &TestStore) {
    after_noon(store, 0);
    let jordan = register(store, "jordan", |new| {
        new.budget_per_run = Some(MicroUsd::dollars(9));
    });
    let text = "[budget]\nwarnPercent = 10\ncriticalPercent = 20\noverridePercent = 100\n";
    let scope = Scope::Agent("default".parse().unwrap(), "jordan".parse().unwrap());
    store
        .write(move |tx| {
            let document = policy::read(Source::Toml(text))?;
            policy::put(tx, &person("default"), &scope, &document)
        })
        .unwrap();
    assert_eq!(report(store, &jordan, over(49)).unwrap().warning, None);
    let near = report(store, &jordan, over(1)).unwrap().warning.unwrap();
    assert!(!near.exceeded);
    assert_eq!(alerts(store), Vec::<String>::new());
    spend(store, &jordan, 50);
    assert_eq!(alerts(store), ["BUDGET_CRITICAL"]);
    spend(store, &jordan, 400);
    let asked = requests(store);
    assert_eq!(asked[0].detail.estimated_cost, Some(MicroUsd::dollars(5)));
    assert!(asked[0].detail.escalate_at.is_some(), "it is not forgotten");
}

fn who_has_spent_all_waits_for_more(store: &TestStore) {
    after_noon(store, 0);
    let jordan = specialist(store, "jordan");
    let task = begun(store, &jordan, TaskKind::Content);
    spend(store, &jordan, 45);
    spend(store, &jordan, 455);
    let agent = shown(store, &jordan);
    assert_eq!(agent.status, agent::Status::Paused);
    assert_eq!(agent.detail.status_reason.as_deref(), Some("BUDGET"));
    let task = found(store, &task.id);
    assert_eq!(task.state, State::NeedsApproval);
    assert_eq!(task.detail.resume_state, Some(State::InProgress));
    let asked = requests(store);
    let [request] = asked.as_slice() else {
        panic!("{asked:?}");
    };
    assert_eq!(request.requestor.as_str(), "jordan");
    assert_eq!(request.detail.ask, Some(Ask::BudgetOverride));
    assert_eq!(request.risk, Risk::Medium, "YELLOW");
    assert_eq!(request.task.as_ref(), Some(&task.id));
    assert_eq!(request.detail.estimated_cost, Some(MicroUsd::cents(250)));
    let exceeded = store
        .read(|tx| tx.alerts(&Default::default(), 0, 10))
        .unwrap()
        .into_iter()
        .find(|it| it.kind == "BUDGET_EXCEEDED")
        .unwrap();
    assert!(
        exceeded.description.contains("4.55, 0.45"),
        "{}",
        exceeded.description
    );
    let id = task.id.clone();
    let said = store
        .read(move |tx| tx.thread(&id, Some(MessageKind::ApprovalRequest), None, 10))
        .unwrap();
    assert_eq!(said.len(), 1);
    let error = report(store, &jordan, running()).unwrap_err();
    assert_eq!(error.code, "agent_paused");
    spend(store, &jordan, 10);
    assert_eq!(requests(store).len(), 1, "asked once");
}

/// What an operator's approval comes to for the books; who decides lets the task go.
fn approve(store: &TestStore, request: &Approval) {
    let request = request.clone();
    store
        .write(move |tx| budget::approved(tx, &person(TENANT), &request))
        .unwrap();
}

fn what_is_allowed_on_top_lets_the_agent_go_on(store: &TestStore) {
    after_noon(store, 0);
    let jordan = specialist(store, "jordan");
    spend(store, &jordan, 500);
    approve(store, &requests(store)[0]);
    let agent = shown(store, &jordan);
    assert_eq!(agent.status, agent::Status::Active);
    let now = store.read(|tx| Ok(tx.now())).unwrap();
    assert_eq!(budget::left(&agent, now), Some(MicroUsd::cents(250)));
    report(store, &jordan, running()).unwrap();
    spend(store, &jordan, 250);
    assert_eq!(shown(store, &jordan).status, agent::Status::Paused);
    assert_eq!(requests(store).len(), 2, "asked again");
    after_noon(store, 24 * HOUR);
    let now = store.read(|tx| Ok(tx.now())).unwrap();
    let agent = shown(store, &jordan);
    assert_eq!(
        budget::left(&agent, now),
        Some(MicroUsd::dollars(5)),
        "for that day only"
    );
}

fn a_new_day_brings_new_money_and_takes_the_request_back(store: &TestStore) {
    after_noon(store, 0);
    let jordan = specialist(store, "jordan");
    let task = begun(store, &jordan, TaskKind::Content);
    spend(store, &jordan, 500);
    after_noon(store, 12 * HOUR - 60);
    store.write(|tx| agent::settle_due(tx, 10)).unwrap();
    assert_eq!(shown(store, &jordan).status, agent::Status::Paused);
    after_noon(store, 12 * HOUR + 60);
    assert_eq!(
        shown(store, &jordan).status,
        agent::Status::Active,
        "seen before it is written"
    );
    store.write(|tx| agent::settle_due(tx, 10)).unwrap();
    let agent = shown(store, &jordan);
    assert_eq!(agent.status, agent::Status::Active);
    assert!(!agent.detail.purse.exceeded);
    assert_eq!(requests(store)[0].status, approval::Status::Canceled);
    assert_eq!(found(store, &task.id).state, State::InProgress);
    report(store, &jordan, running()).unwrap();
}

fn a_pause_by_a_person_outlasts_the_night(store: &TestStore) {
    after_noon(store, 0);
    let jordan = specialist(store, "jordan");
    let order = agent::Order {
        command: agent::Command::Pause,
        reason: Some("BREAK".into()),
        duration: None,
    };
    store
        .write(move |tx| agent::control(tx, &person(TENANT), &"jordan".parse()?, &order).map(drop))
        .unwrap();
    spend(store, &jordan, 500);
    approve(store, &requests(store)[0]);
    assert_eq!(shown(store, &jordan).status, agent::Status::Paused);
    spend(store, &jordan, 500);
    after_noon(store, 13 * HOUR);
    store.write(|tx| agent::settle_due(tx, 10)).unwrap();
    assert_eq!(shown(store, &jordan).status, agent::Status::Paused);
}

fn a_run_past_its_cap_is_told_of_once(store: &TestStore) {
    after_noon(store, 0);
    let jordan = specialist(store, "jordan");
    let id = report(store, &jordan, running()).unwrap().run.id;
    costs(store, &jordan, &id, 75);
    assert!(alerts(store).is_empty(), "up to the cap");
    for cents in [76, 90, 80] {
        costs(store, &jordan, &id, cents);
        assert_eq!(alerts(store), ["RUN_COST_EXCEEDED"]);
    }
}

fn estimating(cents: u64) -> NewReport {
    NewReport {
        estimated_cost: Some(MicroUsd::cents(cents)),
        ..running()
    }
}

fn a_run_that_may_cost_more_than_one_may_needs_leave(store: &TestStore) {
    after_noon(store, 0);
    let jordan = specialist(store, "jordan");
    let error = report(store, &jordan, estimating(76)).unwrap_err();
    assert_eq!(
        (error.kind, error.code),
        (Kind::Forbidden, "policy_violation")
    );
    let details = error.details.unwrap();
    assert_eq!(details["decision"], "NEEDS_APPROVAL");
    assert_eq!(details["violations"][0], "budget_per_run:0.76/0.75");
    allow_run(store, 100);
    report(store, &jordan, estimating(76)).unwrap();
    let error = report(store, &jordan, estimating(76)).unwrap_err();
    assert_eq!(error.code, "policy_violation", "for one run");
    report(store, &jordan, estimating(75)).unwrap();
}

/// An approved request of jordan's that lets one run cost so much.
fn allow_run(store: &TestStore, cents: u64) {
    store
        .write(move |tx| {
            let approval = Approval {
                id: ApprovalId::new(tx.mint(ApprovalId::PREFIX)),
                position: tx.next_position()?,
                tenant: tenant(),
                requestor: "jordan".parse()?,
                task: None,
                title: "A dear run".into(),
                justification: "It pays".into(),
                interface: None,
                scope: None,
                risk: Risk::Medium,
                status: approval::Status::Approved,
                created_at: tx.now(),
                decided_at: Some(tx.now()),
                decided_by: Some("ann".into()),
                decision_note: None,
                expires_at: Some(Timestamp(tx.now().0 + 1000)),
                detail: Box::new(Detail {
                    ask: Some(Ask::BudgetOverride),
                    payload: Some(object(r#"{"scope":"RUN"}"#)),
                    estimated_cost: Some(MicroUsd::cents(cents)),
                    ..Detail::default()
                }),
            };
            tx.insert_approval(&approval)?;
            budget::approved(tx, &person(TENANT), &approval)
        })
        .unwrap();
}

fn on(task: &Task, new: NewReport) -> NewReport {
    NewReport {
        task: Some(task.id.clone()),
        ..new
    }
}

fn a_task_that_costs_too_much_waits(store: &TestStore) {
    after_noon(store, 0);
    let jordan = register(store, "jordan", |new| {
        new.budget_daily = Some(MicroUsd::dollars(100));
        new.budget_per_run = Some(MicroUsd::dollars(100));
    });
    // A SOCIAL task may cost 2 dollars.
    let task = begun(store, &jordan, TaskKind::Social);
    report(store, &jordan, on(&task, over(199))).unwrap();
    assert_eq!(found(store, &task.id).state, State::InProgress);
    let error = report(store, &jordan, on(&task, estimating(2))).unwrap_err();
    assert_eq!(
        (error.kind, error.code),
        (Kind::OverBudget, "budget_exceeded")
    );
    let passed = report(store, &jordan, on(&task, over(1))).unwrap();
    assert!(passed.warning.unwrap().exceeded);
    let seen = found(store, &task.id);
    assert_eq!(seen.state, State::NeedsApproval);
    assert_eq!(seen.detail.actual_cost, MicroUsd::dollars(2));
    assert_eq!(seen.detail.run_count, 2);
    assert_eq!(
        shown(store, &jordan).status,
        agent::Status::Active,
        "the agent has money for others"
    );
    let asked = requests(store);
    assert_eq!(asked.len(), 1);
    assert_eq!(asked[0].detail.estimated_cost, Some(MicroUsd::dollars(1)));
    report(store, &jordan, on(&task, over(1))).unwrap();
    assert_eq!(requests(store).len(), 1, "asked once");
    approve(store, &asked[0]);
    report(store, &jordan, on(&task, estimating(50))).unwrap();
    report(store, &jordan, on(&task, over(99))).unwrap();
    assert_eq!(requests(store).len(), 2, "and again past the new limit");
}

fn a_task_past_its_estimate_says_so_once(store: &TestStore) {
    after_noon(store, 0);
    let jordan = specialist(store, "jordan");
    let mut task = begun(store, &jordan, TaskKind::Content);
    task.detail.estimated_cost = Some(MicroUsd::cents(50));
    let changed = task.clone();
    store.write(move |tx| tx.update_task(&changed)).unwrap();
    for (cents, remarks) in [(50, 0), (1, 1), (30, 1)] {
        report(store, &jordan, on(&task, over(cents))).unwrap();
        let id = task.id.clone();
        let said = store
            .read(move |tx| tx.thread(&id, Some(MessageKind::System), None, 10))
            .unwrap();
        assert_eq!(said.len(), remarks, "{cents}");
    }
    assert_eq!(found(store, &task.id).state, State::InProgress);
}

fn what_a_spawned_agent_costs_is_its_parents_tasks_too(store: &TestStore) {
    after_noon(store, 0);
    let jordan = specialist(store, "jordan");
    let task = begun(store, &jordan, TaskKind::Engineering);
    let kid = register(store, "kid", |_| {});
    let parent = task.id.clone();
    store
        .write(move |tx| {
            let mut agent = tx.agent(&tenant(), &"kid".parse()?)?.unwrap();
            agent.detail.parent = Some("jordan".parse()?);
            agent.detail.parent_task = Some(parent.clone());
            tx.put_agent(&agent)
        })
        .unwrap();
    let own = begun(store, &kid, TaskKind::Docs);
    report(store, &kid, on(&own, over(20))).unwrap();
    report(store, &kid, over(5)).unwrap();
    report(store, &kid, on(&task, over(10))).unwrap();
    let cost = |id| found(store, id).detail.actual_cost;
    assert_eq!(cost(&own.id), MicroUsd::cents(20));
    assert_eq!(cost(&task.id), MicroUsd::cents(35), "each run once");
    assert_eq!(shown(store, &jordan).detail.purse.spent, MicroUsd::ZERO);
}

fn what_a_run_may_cost_is_held_until_it_ends(store: &TestStore) {
    after_noon(store, 0);
    let jordan = specialist(store, "jordan");
    let task = begun(store, &jordan, TaskKind::Content);
    let first = report(store, &jordan, on(&task, estimating(70)))
        .unwrap()
        .run;
    let held = |expected: u64| {
        let cents = MicroUsd::cents(expected);
        assert_eq!(shown(store, &jordan).detail.purse.reserved, cents);
        assert_eq!(found(store, &task.id).detail.reserved, cents);
    };
    held(70);
    costs(store, &jordan, &first.id, 30);
    held(40);
    costs(store, &jordan, &first.id, 20);
    held(40);
    costs(store, &jordan, &first.id, 90);
    held(0);
    let second = report(store, &jordan, on(&task, estimating(50)))
        .unwrap()
        .run;
    held(50);
    ends(store, &jordan, &second.id, Status::Failed);
    held(0);
    report(store, &jordan, on(&task, over(10))).unwrap();
    held(0);
}

fn racing_runs_never_hold_more_than_there_is(store: &TestStore) {
    after_noon(store, 0);
    specialist(store, "jordan");
    let starts = (0..32).map(|_| {
        let database = store.database.clone();
        async move {
            let jordan = agent(TENANT, "jordan");
            database
                .write(move |tx| run::report(tx, &jordan, estimating(50)).map(drop))
                .await
        }
    });
    let outcomes = store.runtime.block_on(join_all(starts));
    let (admitted, refused): (Vec<_>, Vec<_>) = outcomes.into_iter().partition(|it| it.is_ok());
    assert_eq!(admitted.len(), 10, "ten times 0.50 are 5 dollars");
    for outcome in refused {
        assert_eq!(outcome.unwrap_err().code, "budget_exceeded");
    }
    let purse = shown(store, &agent(TENANT, "jordan")).detail.purse;
    assert_eq!(purse.reserved, MicroUsd::dollars(5));
}

fn turns_of_our_own_enter_the_same_books(store: &TestStore) {
    after_noon(store, 0);
    let jordan = specialist(store, "jordan");
    let task = begun(store, &jordan, TaskKind::Content);
    let turn = |key: &'static str, cents: u64, fails: bool| {
        let (who, task) = (jordan.clone(), task.id.clone());
        store.write(move |tx| {
            let new = NewRun {
                key: Some(key.to_owned()),
                model: "m".into(),
                owner: "me".into(),
                lease: std::time::Duration::from_secs(60),
            };
            let run::Begun::Ours(run) = run::begin(tx, &who, &new)? else {
                panic!("not ours");
            };
            let spend = Spend {
                input_tokens: 10,
                output_tokens: 5,
                cost_microusd: MicroUsd::cents(cents).0,
            };
            let (task, ending) = if fails {
                (None, run::Ending::Failed { error: "no".into() })
            } else {
                (
                    Some(task.clone()),
                    run::Ending::Completed {
                        answer: "{}".into(),
                    },
                )
            };
            run::end(tx, &who, &run.id, run.lease.fence, task, spend, ending)
        })
    };
    turn("k", 10, true).unwrap();
    turn("k", 20, false).unwrap();
    turn("l", 5, false).unwrap();
    assert_eq!(
        shown(store, &jordan).detail.purse.spent,
        MicroUsd::cents(35)
    );
    let seen = found(store, &task.id);
    assert_eq!(seen.detail.actual_cost, MicroUsd::cents(35));
    assert_eq!((seen.detail.run_count, seen.detail.token_count), (2, 45));
    turn("m", 500, false).unwrap();
    let error = turn("n", 1, false).unwrap_err();
    assert_eq!(error.code, "agent_paused");
}

/// Something that happens to one of an agent's runs.
#[derive(Debug, Clone, Copy)]
enum Act {
    Start {
        estimate: u64,
        on_task: bool,
    },
    Cost {
        which: usize,
        cents: u64,
    },
    End {
        which: usize,
        well: bool,
    },
    /// The clock moves on so many hours.
    Wait(u64),
    GiveUp,
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        3 => (0u64..40, any::<bool>())
            .prop_map(|(estimate, on_task)| Act::Start { estimate, on_task }),
        4 => (0usize..6, 0u64..90).prop_map(|(which, cents)| Act::Cost { which, cents }),
        2 => (0usize..6, prop::bool::weighted(0.8))
            .prop_map(|(which, well)| Act::End { which, well }),
        1 => prop::sample::select(vec![1, 4]).prop_map(Act::Wait),
        1 => Just(Act::GiveUp),
    ]
}

/// Whatever runs start, cost, cost less after all, end, or are given up, in whatever order: what
/// the agent and the task have spent and hold is what their runs say, and so is what statistics say.
fn whatever_is_reported_in_whatever_order_the_books_are_right(store: &TestStore) {
    let cases = std::cell::Cell::new(0);
    let case = |acts: Vec<Act>| {
        cases.set(cases.get() + 1);
        after_noon(store, 0);
        let id = format!("agent-{}", cases.get());
        let who = register(store, &id, |new| {
            new.budget_daily = Some(MicroUsd::dollars(1000));
            new.budget_per_run = Some(MicroUsd::dollars(1000));
        });
        let task = begun(store, &who, TaskKind::Engineering);
        let (mut ids, mut hours): (Vec<RunId>, u64) = (Vec::new(), 0);
        for act in acts {
            perform(store, &who, &task.id, act, &mut ids, &mut hours);
            check_books(store, &who, &task.id)?;
        }
        Ok(())
    };
    TestRunner::new(Config {
        cases: 24,
        failure_persistence: None,
        ..Config::default()
    })
    .run(&prop::collection::vec(act(), 1..24), case)
    .unwrap();
}

fn perform(
    store: &TestStore,
    who: &Principal,
    task: &TaskId,
    act: Act,
    ids: &mut Vec<RunId>,
    hours: &mut u64,
) {
    match act {
        Act::Start { estimate, on_task } => {
            let new = NewReport {
                task: on_task.then(|| task.clone()),
                ..estimating(estimate)
            };
            // Refusals are part of the game.
            if let Ok(reported) = report(store, who, new) {
                ids.push(reported.run.id);
            }
        }
        Act::Cost { which, cents } => {
            if let Some(id) = ids.get(which) {
                let new = Amendment {
                    usage: cost(cents),
                    ..Amendment::default()
                };
                amend(store, who, id, new).unwrap();
            }
        }
        Act::End { which, well } => {
            if let Some(id) = ids.get(which) {
                let status = if well {
                    Status::Completed
                } else {
                    Status::Failed
                };
                let new = Amendment {
                    status: Some(status),
                    ..Amendment::default()
                };
                amend(store, who, id, new).unwrap();
            }
        }
        Act::Wait(more) => {
            // All on one day.
            *hours = (*hours + more).min(11);
            after_noon(store, *hours * HOUR);
        }
        Act::GiveUp => {
            store.write(|tx| run::settle_due(tx, 100)).unwrap();
        }
    }
}

fn check_books(store: &TestStore, who: &Principal, task: &TaskId) -> Result<(), TestCaseError> {
    let handle = who.handle().unwrap().clone();
    let filter = run::RunFilter {
        agent: Some(handle.clone()),
        ..run::RunFilter::default()
    };
    let day = stationmaster_kernel::cost::CostFilter {
        tenant: Some(tenant()),
        agent: Some(handle),
        since: Timestamp(0),
    };
    let (runs, counted) = store
        .read(move |tx| Ok((tx.runs(&filter, 0, 100)?, tx.cost(&day)?)))
        .unwrap();
    let mut sums: HashMap<&str, u64> = HashMap::new();
    for run in &runs {
        let on_task = run.task.is_some();
        *sums.entry("spent").or_default() += run.cost().0;
        *sums.entry("held").or_default() += run.detail.reserved.0;
        if on_task {
            *sums.entry("task spent").or_default() += run.cost().0;
            *sums.entry("task held").or_default() += run.detail.reserved.0;
        }
        prop_assert!(run.status == Status::Running || run.detail.reserved == MicroUsd::ZERO);
    }
    let sum = |name| MicroUsd(sums.get(name).copied().unwrap_or(0));
    let purse = shown(store, who).detail.purse;
    let task = found(store, task).detail;
    prop_assert_eq!(purse.spent, sum("spent"));
    prop_assert_eq!(purse.reserved, sum("held"));
    prop_assert_eq!(task.actual_cost, sum("task spent"));
    prop_assert_eq!(task.reserved, sum("task held"));
    prop_assert_eq!(counted.cost, sum("spent"));
    prop_assert_eq!(counted.runs, runs.len() as u64);
    Ok(())
}
