//! Runs that agents report from elsewhere (OpenClaw contract §9.2, §11).

use stationmaster_kernel::agent::{self, Command, Order};
use stationmaster_kernel::run::{self, Amended, Amendment, NewReport, RunFilter, Status};
use stationmaster_kernel::{Kind, MicroUsd, Result, Timestamp};

use crate::ledger::{
    HOUR, TENANT, after_noon, amend, cost, costs, ends, over, report, running, shown, specialist,
    spend,
};
use crate::support::{TestStore, agent, on_both, person};

on_both!(
    a_cost_that_is_reported_twice_is_counted_once,
    a_report_can_be_corrected_even_after_the_end,
    what_was_corrected_of_an_earlier_day_leaves_today_alone,
    every_problem_of_a_report_is_named,
    a_run_that_has_ended_is_not_running,
    the_end_of_a_run_is_final_but_what_it_cost_is_taken_down,
    failures_in_a_row_pause_an_agent_and_success_forgets_them,
    whoever_is_held_up_starts_nothing_but_reports_what_is_over,
    an_agent_sees_and_changes_only_its_own_runs,
    a_run_whose_end_nobody_reports_is_given_up,
    a_run_given_up_is_seen_as_such_before_it_is_written,
);

fn spent(store: &TestStore) -> MicroUsd {
    let agent = shown(store, &agent(TENANT, "jordan"));
    let now = store.read(|tx| Ok(tx.now())).unwrap();
    agent.detail.purse.today(now).spent
}

fn a_cost_that_is_reported_twice_is_counted_once(store: &TestStore) {
    after_noon(store, 0);
    let jordan = specialist(store, "jordan");
    let id = report(store, &jordan, running()).unwrap().run.id;
    for _ in 0..2 {
        let run = costs(store, &jordan, &id, 45);
        assert_eq!(run.cost(), MicroUsd::cents(45));
        assert_eq!(spent(store), MicroUsd::cents(45));
    }
    let ended = ends(store, &jordan, &id, Status::Completed);
    assert!(ended.ended_at.is_some());
    assert_eq!(spent(store), MicroUsd::cents(45));
}

fn a_report_can_be_corrected_even_after_the_end(store: &TestStore) {
    after_noon(store, 0);
    let jordan = specialist(store, "jordan");
    let id = spend(store, &jordan, 50).run.id;
    spend(store, &jordan, 10);
    costs(store, &jordan, &id, 30);
    assert_eq!(spent(store), MicroUsd::cents(40));
    costs(store, &jordan, &id, 70);
    assert_eq!(spent(store), MicroUsd::cents(80));
}

fn what_was_corrected_of_an_earlier_day_leaves_today_alone(store: &TestStore) {
    after_noon(store, 0);
    let jordan = specialist(store, "jordan");
    let id = spend(store, &jordan, 50).run.id;
    after_noon(store, 24 * HOUR);
    spend(store, &jordan, 20);
    costs(store, &jordan, &id, 10);
    assert_eq!(spent(store), MicroUsd::cents(20), "yesterday's mistake");
    costs(store, &jordan, &id, 15);
    assert_eq!(spent(store), MicroUsd::cents(25), "money of today");
    costs(store, &jordan, &id, 0);
    assert_eq!(spent(store), MicroUsd::cents(20), "no more than came today");
}

fn fields<T: std::fmt::Debug>(outcome: Result<T>) -> String {
    let error = outcome.unwrap_err();
    assert_eq!(error.kind, Kind::Invalid, "{error}");
    let fields = error.problems.into_iter().map(|it| it.field);
    fields.collect::<Vec<_>>().join(" ")
}

fn every_problem_of_a_report_is_named(store: &TestStore) {
    let jordan = specialist(store, "jordan");
    let new = NewReport {
        session_key: " ".into(),
        model: "x".repeat(501),
        started_at: Timestamp(2000),
        usage: cost(100_000_001),
        error: Some("x".repeat(10_001)),
        ..over(0)
    };
    let expected = "sessionKey model error costUsd endedAt";
    let new = NewReport {
        usage: cost(100_000_100),
        ..new
    };
    assert_eq!(fields(report(store, &jordan, new)), expected);
    let new = NewReport {
        status: Some(Status::Running),
        ..over(0)
    };
    assert_eq!(fields(report(store, &jordan, new)), "status");
    let id = report(store, &jordan, running()).unwrap().run.id;
    let early = Amendment {
        ended_at: Some(Timestamp(-1)),
        ..Amendment::default()
    };
    assert_eq!(fields(amend(store, &jordan, &id, early)), "endedAt");
    let missing = NewReport {
        task: Some(stationmaster_kernel::TaskId::new("task_none")),
        ..over(1)
    };
    let error = report(store, &jordan, missing).unwrap_err();
    assert_eq!(error.code, "task_not_found");
}

fn a_run_that_has_ended_is_not_running(store: &TestStore) {
    let jordan = specialist(store, "jordan");
    let well = spend(store, &jordan, 1).run;
    assert_eq!(well.status, Status::Completed);
    let badly = NewReport {
        error: Some("no".into()),
        ..over(1)
    };
    let badly = report(store, &jordan, badly).unwrap().run;
    assert_eq!(badly.status, Status::Failed);
    let id = report(store, &jordan, running()).unwrap().run.id;
    let new = Amendment {
        ended_at: Some(Timestamp(7)),
        ..Amendment::default()
    };
    let ended = crate::ledger::taken(amend(store, &jordan, &id, new).unwrap());
    assert_eq!(
        (ended.status, ended.ended_at),
        (Status::Completed, Some(Timestamp(7)))
    );
}

fn the_end_of_a_run_is_final_but_what_it_cost_is_taken_down(store: &TestStore) {
    after_noon(store, 0);
    let jordan = specialist(store, "jordan");
    let id = spend(store, &jordan, 10).run.id;
    assert_eq!(
        ends(store, &jordan, &id, Status::Completed).status,
        Status::Completed,
        "the same again is no news"
    );
    let other = Amendment {
        status: Some(Status::Failed),
        usage: cost(25),
        ..Amendment::default()
    };
    let Amended::StatusIsFinal(kept) = amend(store, &jordan, &id, other).unwrap() else {
        panic!("another status was taken");
    };
    assert_eq!(kept.run.status, Status::Completed);
    assert_eq!(kept.run.cost(), MicroUsd::cents(25));
    assert_eq!(spent(store), MicroUsd::cents(25));
}

fn failures_in_a_row_pause_an_agent_and_success_forgets_them(store: &TestStore) {
    let jordan = specialist(store, "jordan");
    let fail = || {
        let new = NewReport {
            error: Some("no".into()),
            ..over(0)
        };
        report(store, &jordan, new).unwrap();
        shown(store, &jordan)
    };
    fail();
    assert_eq!(fail().detail.error_streak, 2);
    spend(store, &jordan, 0);
    assert_eq!(shown(store, &jordan).detail.error_streak, 0);
    fail();
    fail();
    let agent = fail();
    assert_eq!(agent.status, agent::Status::Paused);
    assert_eq!(agent.detail.last_error.as_deref(), Some("no"));
}

fn whoever_is_held_up_starts_nothing_but_reports_what_is_over(store: &TestStore) {
    after_noon(store, 0);
    let jordan = specialist(store, "jordan");
    let id = report(store, &jordan, running()).unwrap().run.id;
    for (command, code) in [
        (Command::Pause, "agent_paused"),
        (Command::Resume, ""),
        (Command::Drain, "agent_drained"),
        (Command::Quarantine, "agent_quarantined"),
    ] {
        let order = Order {
            command,
            reason: Some("because".into()),
            duration: None,
        };
        store
            .write(move |tx| {
                agent::control(tx, &person(TENANT), &"jordan".parse()?, &order).map(drop)
            })
            .unwrap();
        if !code.is_empty() {
            let error = report(store, &jordan, running()).unwrap_err();
            assert_eq!((error.kind, error.code), (Kind::Forbidden, code));
        }
    }
    spend(store, &jordan, 5);
    costs(store, &jordan, &id, 10);
    ends(store, &jordan, &id, Status::Completed);
    assert_eq!(spent(store), MicroUsd::cents(15));
}

fn an_agent_sees_and_changes_only_its_own_runs(store: &TestStore) {
    let jordan = specialist(store, "jordan");
    let riley = specialist(store, "riley");
    let id = spend(store, &jordan, 5).run.id;
    let error = amend(store, &riley, &id, Amendment::default()).unwrap_err();
    assert_eq!((error.kind, error.code), (Kind::Forbidden, "forbidden"));
    let stranger = agent("elsewhere", "jordan");
    let error = amend(store, &stranger, &id, Amendment::default()).unwrap_err();
    assert_eq!((error.kind, error.code), (Kind::NotFound, "run_not_found"));
    costs(store, &person(TENANT), &id, 7);
    assert_eq!(
        shown(store, &jordan).detail.purse.spent,
        MicroUsd::cents(7),
        "an operator corrects"
    );
    let mine = RunFilter {
        agent: Some("jordan".parse().unwrap()),
        ..RunFilter::default()
    };
    let (runs, total) = store.read(move |tx| run::list(tx, &mine, 0, 10)).unwrap();
    assert_eq!((runs.len(), total), (1, 1));
}

fn a_run_whose_end_nobody_reports_is_given_up(store: &TestStore) {
    after_noon(store, 0);
    let jordan = specialist(store, "jordan");
    let new = NewReport {
        estimated_cost: Some(MicroUsd::cents(50)),
        ..running()
    };
    let id = report(store, &jordan, new).unwrap().run.id;
    costs(store, &jordan, &id, 20);
    after_noon(store, 6 * HOUR - 60);
    assert_eq!(store.write(|tx| run::settle_due(tx, 10)).unwrap(), 0);
    after_noon(store, 6 * HOUR + 60);
    assert_eq!(store.write(|tx| run::settle_due(tx, 10)).unwrap(), 1);
    assert_eq!(store.write(|tx| run::settle_due(tx, 10)).unwrap(), 0);
    let agent = shown(store, &jordan);
    assert_eq!(agent.detail.purse.reserved, MicroUsd::ZERO);
    assert_eq!(agent.detail.error_streak, 1);
    let late = Amendment {
        status: Some(Status::Completed),
        usage: cost(30),
        ..Amendment::default()
    };
    let Amended::StatusIsFinal(kept) = amend(store, &jordan, &id, late).unwrap() else {
        panic!("the end was changed");
    };
    assert_eq!(kept.run.status, Status::Timeout);
    assert_eq!(spent(store), MicroUsd::cents(30));
}

fn a_run_given_up_is_seen_as_such_before_it_is_written(store: &TestStore) {
    after_noon(store, 0);
    let jordan = specialist(store, "jordan");
    let run = report(store, &jordan, running()).unwrap().run;
    after_noon(store, 7 * HOUR);
    let now = store.read(|tx| Ok(tx.now())).unwrap();
    let seen = run.clone().as_of(now);
    assert_eq!((seen.status, seen.ended_at), (Status::Timeout, run.due_at));
    let late = ends_late(store, &jordan, &run.id);
    assert!(matches!(late, Amended::StatusIsFinal(_)));
    assert_eq!(shown(store, &jordan).detail.error_streak, 1);
}

fn ends_late(
    store: &TestStore,
    who: &stationmaster_kernel::Principal,
    id: &stationmaster_kernel::RunId,
) -> Amended {
    let new = Amendment {
        status: Some(Status::Completed),
        ..Amendment::default()
    };
    amend(store, who, id, new).unwrap()
}
