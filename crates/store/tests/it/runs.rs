//! Runs: one holder at a time, one answer per key.

use std::time::Duration;

use stationmaster_kernel::lease::Fence;
use stationmaster_kernel::run::{self, Begun, Ending, NewRun, Run, Spend, Status};
use stationmaster_kernel::{Kind, MicroUsd, Principal, Result, RunId};

use crate::support::{TestStore, agent, on_both};

on_both!(
    a_key_is_answered_once_and_then_again,
    nobody_starts_what_another_is_at,
    a_dead_holders_run_is_taken_over_and_its_late_write_refused,
    a_failed_run_starts_anew_and_keeps_what_it_cost,
    runs_without_a_key_are_always_new,
    a_renewed_run_is_still_held,
    a_run_is_its_own_agents,
);

fn begin(store: &TestStore, key: Option<&str>) -> Begun {
    let new = NewRun {
        request: String::new(),
        task: None,
        worst: MicroUsd::ZERO,
        trace: None,
        key: key.map(str::to_owned),
        model: "m".into(),
        owner: "me".into(),
        lease: Duration::from_secs(60),
    };
    store
        .write(move |tx| run::begin(tx, &agent("t", "a"), &new))
        .unwrap()
}

fn ours(begun: Begun) -> Run {
    match begun {
        Begun::Ours(run) => run,
        other => panic!("not ours: {other:?}"),
    }
}

fn end(store: &TestStore, id: &RunId, fence: Fence, ending: Ending) -> Result<Run> {
    let id = id.clone();
    let spend = Spend {
        input_tokens: 10,
        output_tokens: 2,
        cost_microusd: 3,
    };
    store.write(move |tx| {
        let who: Principal = agent("t", "a");
        run::end(tx, &who, &id, fence, None, spend, ending.clone())
    })
}

fn done() -> Ending {
    Ending::Completed {
        answer: "{\"x\":1}".into(),
    }
}

fn a_key_is_answered_once_and_then_again(store: &TestStore) {
    let run = ours(begin(store, Some("k")));
    let ended = end(store, &run.id, run.lease.fence, done()).unwrap();
    assert_eq!(
        (ended.status, ended.spend.cost_microusd),
        (Status::Completed, 3)
    );
    match begin(store, Some("k")) {
        Begun::Answered(again) => assert_eq!(again.answer.as_deref(), Some("{\"x\":1}")),
        other => panic!("not answered: {other:?}"),
    }
    assert_eq!(
        end(store, &run.id, run.lease.fence, done())
            .unwrap_err()
            .code,
        "run_ended"
    );
}

fn nobody_starts_what_another_is_at(store: &TestStore) {
    ours(begin(store, Some("k")));
    assert!(matches!(begin(store, Some("k")), Begun::Busy { .. }));
    ours(begin(store, Some("other")));
}

fn a_dead_holders_run_is_taken_over_and_its_late_write_refused(store: &TestStore) {
    let dead = ours(begin(store, Some("k")));
    store.move_clock(Duration::from_secs(61));
    let heir = ours(begin(store, Some("k")));
    assert_eq!(heir.id, dead.id);
    let error = end(store, &dead.id, dead.lease.fence, done()).unwrap_err();
    assert_eq!((error.kind, error.code), (Kind::Conflict, "lease_lost"));
    end(store, &heir.id, heir.lease.fence, done()).unwrap();
}

fn a_failed_run_starts_anew_and_keeps_what_it_cost(store: &TestStore) {
    let first = ours(begin(store, Some("k")));
    end(
        store,
        &first.id,
        first.lease.fence,
        Ending::Failed {
            error: "no\0".into(),
        },
    )
    .unwrap();
    let second = ours(begin(store, Some("k")));
    assert_eq!((second.id.clone(), second.error), (first.id, None));
    let ended = end(store, &second.id, second.lease.fence, done()).unwrap();
    assert_eq!(ended.spend.cost_microusd, 6);
}

fn runs_without_a_key_are_always_new(store: &TestStore) {
    assert_ne!(ours(begin(store, None)).id, ours(begin(store, None)).id);
}

fn renew(store: &TestStore, who: Principal, run: &Run) -> Result<()> {
    let (id, fence) = (run.id.clone(), run.lease.fence);
    store.write(move |tx| run::renew(tx, &who, &id, fence, Duration::from_secs(60)))
}

fn a_renewed_run_is_still_held(store: &TestStore) {
    let run = ours(begin(store, Some("k")));
    store.move_clock(Duration::from_secs(40));
    renew(store, agent("t", "a"), &run).unwrap();
    store.move_clock(Duration::from_secs(80));
    assert!(matches!(begin(store, Some("k")), Begun::Busy { .. }));
    store.move_clock(Duration::from_secs(101));
    let heir = ours(begin(store, Some("k")));
    let error = renew(store, agent("t", "a"), &run).unwrap_err();
    assert_eq!(error.code, "lease_lost");
    renew(store, agent("t", "a"), &heir).unwrap();
}

fn a_run_is_its_own_agents(store: &TestStore) {
    let run = ours(begin(store, Some("k")));
    for who in [agent("t", "b"), agent("u", "a")] {
        let error = renew(store, who, &run).unwrap_err();
        assert_eq!((error.kind, error.code), (Kind::NotFound, "run_not_found"));
    }
    let new = NewRun {
        request: String::new(),
        task: None,
        worst: MicroUsd::ZERO,
        trace: None,
        key: Some("k".into()),
        model: "m".into(),
        owner: "me".into(),
        lease: Duration::from_secs(60),
    };
    let other = store
        .write(move |tx| run::begin(tx, &agent("t", "b"), &new))
        .unwrap();
    assert_ne!(ours(other).id, run.id, "a key is one agent's");
    let error = store
        .write(|tx| {
            let new = NewRun {
                request: String::new(),
                task: None,
                worst: MicroUsd::ZERO,
                trace: None,
                key: None,
                model: "m".into(),
                owner: "me".into(),
                lease: Duration::ZERO,
            };
            run::begin(tx, &Principal::operator("ann"), &new)
        })
        .unwrap_err();
    assert_eq!(error.kind, Kind::Forbidden);
}
