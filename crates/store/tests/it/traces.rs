//! Turns as traces: found by the trace they are in, listed by when they began (agent-runtime §11).

use std::time::Duration;

use stationmaster_kernel::run::{
    self, Begun, Ending, NewRun, NewStep, NewTrace, Run, Spend, StepKind, TraceFilter, Traced,
};
use stationmaster_kernel::{Kind, MicroUsd, Principal, Result};

use crate::ledger::{TENANT, specialist};
use crate::support::{TestStore, agent, on_both, person};

on_both!(
    a_turn_is_found_with_its_steps_by_its_trace_and_by_itself,
    of_the_turns_in_one_trace_the_latest_is_found,
    a_turn_that_is_done_again_is_found_by_its_new_trace,
    a_list_shows_what_was_asked_for_and_counts_it,
    nobody_sees_another_tenants_traces_and_an_agent_its_own,
    what_was_reported_from_elsewhere_is_no_trace,
    steps_of_turns_that_ended_long_ago_are_dropped,
);

fn new(key: Option<&str>, trace: &str, workspace: &str) -> NewRun {
    NewRun {
        request: "what was asked".into(),
        task: None,
        worst: MicroUsd::ZERO,
        trace: Some(NewTrace {
            id: trace.into(),
            workspace: workspace.into(),
            provider: Some("openai".into()),
        }),
        key: key.map(str::to_owned),
        model: "m".into(),
        owner: "me".into(),
        lease: Duration::from_secs(60),
    }
}

fn begin(store: &TestStore, who: &Principal, new: NewRun) -> Run {
    let who = who.clone();
    match store.write(move |tx| run::begin(tx, &who, &new)).unwrap() {
        Begun::Ours(run) => run,
        other => panic!("not ours: {other:?}"),
    }
}

fn end(store: &TestStore, who: &Principal, run: &Run, ending: Ending) {
    let (who, id, fence) = (who.clone(), run.id.clone(), run.lease.fence);
    store
        .write(move |tx| {
            run::end(tx, &who, &id, fence, None, Spend::default(), ending.clone()).map(drop)
        })
        .unwrap();
}

fn find(store: &TestStore, who: &Principal, id: &str) -> Result<Traced> {
    let (who, id) = (who.clone(), id.to_owned());
    store.read(move |tx| run::trace(tx, &who, &id))
}

/// The traces on a page of a list, and how many there are.
fn list(
    store: &TestStore,
    who: &Principal,
    filter: TraceFilter,
    offset: u32,
    limit: u32,
) -> (Vec<String>, u64) {
    let who = who.clone();
    let (runs, count) = store
        .read(move |tx| run::traces(tx, &who, &filter, offset, limit))
        .unwrap();
    let traces = runs.into_iter().filter_map(|run| run.detail.trace);
    (traces.collect(), count)
}

fn a_turn_is_found_with_its_steps_by_its_trace_and_by_itself(store: &TestStore) {
    let writer = agent("t", "writer");
    let run = begin(store, &writer, new(None, "trace", "school"));
    let (who, id, fence) = (writer.clone(), run.id.clone(), run.lease.fence);
    store
        .write(move |tx| {
            let step = NewStep::of(StepKind::Answer, "an answer".into());
            run::keep(tx, &who, &id, fence, step)
        })
        .unwrap();
    let answer = "all".to_owned();
    end(store, &writer, &run, Ending::Completed { answer });
    for id in ["trace", run.id.as_str()] {
        let found = find(store, &person("t"), id).unwrap();
        assert_eq!(found.run.id, run.id);
        assert_eq!(found.run.answer.as_deref(), Some("all"));
        assert_eq!(found.run.detail.workspace.as_deref(), Some("school"));
        assert_eq!(found.run.detail.provider.as_deref(), Some("openai"));
        let steps: Vec<_> = found.steps.iter().map(|it| it.body.as_str()).collect();
        assert_eq!(steps, ["what was asked", "an answer"]);
    }
    let error = find(store, &person("t"), "other").unwrap_err();
    assert_eq!(
        (error.kind, error.code),
        (Kind::NotFound, "trace_not_found")
    );
}

fn of_the_turns_in_one_trace_the_latest_is_found(store: &TestStore) {
    let writer = agent("t", "writer");
    let first = begin(store, &writer, new(None, "shared", "default"));
    let second = begin(store, &writer, new(None, "shared", "default"));
    let found = find(store, &person("t"), "shared").unwrap();
    assert_eq!(found.run.id, second.id);
    let found = find(store, &person("t"), first.id.as_str()).unwrap();
    assert_eq!(found.run.id, first.id);
}

fn a_turn_that_is_done_again_is_found_by_its_new_trace(store: &TestStore) {
    let writer = agent("t", "writer");
    let run = begin(store, &writer, new(Some("k"), "first", "default"));
    let error = "no".to_owned();
    end(store, &writer, &run, Ending::Failed { error });
    let again = begin(store, &writer, new(Some("k"), "second", "w"));
    assert_eq!(again.id, run.id);
    let found = find(store, &person("t"), "second").unwrap();
    assert_eq!(found.run.id, run.id);
    assert!(find(store, &person("t"), "first").is_err());
    let filter = TraceFilter {
        workspace: Some("w".into()),
        ..TraceFilter::default()
    };
    assert_eq!(list(store, &person("t"), filter, 0, 9).1, 1);
}

fn a_list_shows_what_was_asked_for_and_counts_it(store: &TestStore) {
    let (writer, editor) = (agent("t", "writer"), agent("t", "editor"));
    let mut begun = Vec::new();
    for (hour, (who, workspace)) in (0..).zip([
        (&writer, "default"),
        (&editor, "w"),
        (&writer, "w"),
        (&writer, "default"),
    ]) {
        store.move_clock(Duration::from_secs(3600 * hour));
        begun.push(begin(
            store,
            who,
            new(None, &format!("trace-{hour}"), workspace),
        ));
    }
    let everybody = person("t");
    let check = |filter: TraceFilter, expected: &[u64]| {
        let expected: Vec<_> = expected.iter().map(|it| format!("trace-{it}")).collect();
        let count = expected.len() as u64;
        assert_eq!(
            list(store, &everybody, filter.clone(), 0, 9),
            (expected, count),
            "{filter:?}"
        );
    };
    let all = TraceFilter::default;
    check(all(), &[3, 2, 1, 0]);
    let handle = Some("writer".parse().unwrap());
    check(
        TraceFilter {
            agent: handle,
            ..all()
        },
        &[3, 2, 0],
    );
    let workspace = Some("w".to_owned());
    check(TraceFilter { workspace, ..all() }, &[2, 1]);
    let (from, until) = (Some(begun[1].started_at), Some(begun[2].started_at));
    check(TraceFilter { from, ..all() }, &[3, 2, 1]);
    check(TraceFilter { until, ..all() }, &[2, 1, 0]);
    check(
        TraceFilter {
            from,
            until,
            ..all()
        },
        &[2, 1],
    );
    let page = list(store, &everybody, all(), 1, 2);
    assert_eq!(page, (vec!["trace-2".to_owned(), "trace-1".to_owned()], 4));
}

fn nobody_sees_another_tenants_traces_and_an_agent_its_own(store: &TestStore) {
    let run = begin(store, &agent("t", "writer"), new(None, "trace", "default"));
    for id in ["trace", run.id.as_str()] {
        for stranger in [person("u"), agent("u", "writer"), agent("t", "editor")] {
            let error = find(store, &stranger, id).unwrap_err();
            assert_eq!(error.code, "trace_not_found");
        }
        find(store, &agent("t", "writer"), id).unwrap();
    }
    let count = |who: &Principal| list(store, who, TraceFilter::default(), 0, 9).1;
    assert_eq!(count(&person("t")), 1);
    assert_eq!(count(&agent("t", "writer")), 1);
    assert_eq!(count(&agent("t", "editor")), 0);
    assert_eq!(count(&person("u")), 0);
    let nobody = Principal::system();
    let error = find(store, &nobody, "trace").unwrap_err();
    assert_eq!(error.kind, Kind::Invalid);
}

fn what_was_reported_from_elsewhere_is_no_trace(store: &TestStore) {
    let writer = specialist(store, "writer");
    let run = crate::ledger::spend(store, &writer, 1).run;
    let error = find(store, &person(TENANT), run.id.as_str()).unwrap_err();
    assert_eq!(error.code, "trace_not_found");
    let all = TraceFilter::default();
    assert_eq!(list(store, &person(TENANT), all, 0, 9).1, 0);
}

fn steps_of_turns_that_ended_long_ago_are_dropped(store: &TestStore) {
    let writer = agent("t", "writer");
    let ended = begin(store, &writer, new(None, "ended", "default"));
    let answer = "all".to_owned();
    end(store, &writer, &ended, Ending::Completed { answer });
    let waiting = begin(store, &writer, new(None, "waiting", "default"));
    store.move_clock(Duration::from_secs(86_400));
    let young = begin(store, &writer, new(None, "young", "default"));
    let answer = "all".to_owned();
    end(store, &writer, &young, Ending::Completed { answer });
    let drop = |age: u64| {
        let age = Duration::from_secs(age);
        let dropped = store.write(move |tx| tx.drop_turn_steps(tx.now().before(age), 10));
        dropped.unwrap()
    };
    assert_eq!(drop(2 * 86_400), 0);
    assert_eq!(drop(3600), 1);
    let steps = |run: &Run| {
        find(store, &person("t"), run.id.as_str())
            .unwrap()
            .steps
            .len()
    };
    // The turn itself is still told of, with its answer.
    assert_eq!([&ended, &waiting, &young].map(steps), [0, 1, 1]);
}
