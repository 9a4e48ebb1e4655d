//! What approvals leave behind, and what reported tool calls make of it (OpenClaw contract §8.2,
//! §10.2, §11).

use std::time::Duration;

use stationmaster_kernel::agent::{self, Rank, Status as AgentStatus};
use stationmaster_kernel::alert::AlertFilter;
use stationmaster_kernel::approval::{self, Decision, Request, Ruling};
use stationmaster_kernel::event::TrailQuery;
use stationmaster_kernel::grant::{self, Grant, Until, Uses, Widening};
use stationmaster_kernel::policy;
use stationmaster_kernel::run::{self, Begun, NewRun};
use stationmaster_kernel::state::State;
use stationmaster_kernel::tool_call::{self, Change, Level, Report, Reported, Status, ToolCall};
use stationmaster_kernel::{Kind, MicroUsd, Object, Principal, RunId, TaskId, Timestamp};

use crate::crew::{approve, ask, begun, look, member, object, push, rule};
use crate::policies::evaluate;
use crate::support::{TestStore, agent, on_both, person};

on_both!(
    an_approved_action_goes_through_once,
    asking_beforehand_uses_nothing_up,
    a_grant_is_for_its_own_action_agent_and_task,
    a_grant_ends_a_day_after_its_approval,
    whoever_approves_may_widen,
    a_rule_is_let_through_for_every_action_it_holds_back,
    a_widening_is_checked,
    a_grant_can_be_taken_back,
    an_approval_without_an_action_is_good_where_it_is_named,
    a_refused_call_is_kept_and_alerts,
    the_higher_level_counts,
    previews_are_short_and_hold_no_secret,
    a_call_ends_once,
    the_same_failure_three_times_stops_task_and_agent,
    calls_belong_to_their_agent,
);

const PUSH: &str = r#"{"command":"git push origin main"}"#;

fn run_of(store: &TestStore, who: &Principal) -> RunId {
    let who = who.clone();
    let begun = store
        .write(move |tx| {
            let new = NewRun {
                request: String::new(),
                task: None,
                worst: MicroUsd::ZERO,
                trace: None,
                key: None,
                model: "m".into(),
                owner: "test".into(),
                lease: Duration::from_secs(3600),
            };
            run::begin(tx, &who, &new)
        })
        .unwrap();
    match begun {
        Begun::Ours(run) => run.id,
        other => panic!("{other:?}"),
    }
}

fn call(run: &RunId, input: &str) -> Report {
    Report {
        run: run.clone(),
        tool: "exec".into(),
        level: Level::Green,
        started_at: Timestamp(0),
        status: Status::Running,
        task: None,
        input_preview: None,
        input_hash: None,
        input: Some(object(input)),
        approval: None,
    }
}

fn report(store: &TestStore, who: &Principal, report: Report) -> Reported {
    let who = who.clone();
    store
        .write(move |tx| tool_call::report(tx, &who, report.clone()))
        .unwrap()
}

fn admitted(store: &TestStore, who: &Principal, new: Report) -> ToolCall {
    match report(store, who, new) {
        Reported::Admitted(call) => call,
        refused => panic!("{refused:?}"),
    }
}

fn is_refused(store: &TestStore, who: &Principal, new: Report) -> bool {
    matches!(report(store, who, new), Reported::Refused { .. })
}

/// An approval to push, decided like this.
fn granted(store: &TestStore, who: &Principal, request: Request, widening: Widening) -> Grant {
    let asked = ask(store, who, request).unwrap().approval;
    let ruling = Ruling {
        widening: Some(widening),
        ..Ruling::new(Decision::Approve)
    };
    rule(store, &person("t"), &asked, ruling)
        .unwrap()
        .grant
        .unwrap()
}

fn an_approved_action_goes_through_once(store: &TestStore) {
    let jordan = member(store, "jordan", Rank::Specialist);
    let run = run_of(store, &jordan);
    assert!(is_refused(store, &jordan, call(&run, PUSH)));
    let asked = ask(store, &jordan, push(None)).unwrap().approval;
    let grant = approve(store, &asked).grant.unwrap();
    let call_made = admitted(store, &jordan, call(&run, PUSH));
    let judged = call_made.judged.unwrap();
    assert_eq!(judged.grants, std::slice::from_ref(&grant.id));
    assert_eq!(judged.approval, Some(asked.id.clone()));
    assert!(is_refused(store, &jordan, call(&run, PUSH)), "used up");
    let id = asked.id;
    let seen = store
        .read(move |tx| approval::show(tx, &person("t"), &id))
        .unwrap();
    assert!(seen.detail.used_at.is_some());
    let used = store.read(move |tx| tx.grant(&grant.id)).unwrap().unwrap();
    assert_eq!((used.used, used.uses_left), (1, Some(0)));
}

fn asking_beforehand_uses_nothing_up(store: &TestStore) {
    let jordan = member(store, "jordan", Rank::Specialist);
    let run = run_of(store, &jordan);
    let asked = ask(store, &jordan, push(None)).unwrap().approval;
    approve(store, &asked);
    let question = policy::Question {
        action: object(r#"{"type":"TOOL_CALL","tool":"exec","command":"git push origin main"}"#),
        task: None,
        approval: None,
    };
    for _ in 0..3 {
        let verdict = evaluate(store, &jordan, &question).verdict;
        assert_eq!(verdict.decision, policy::Decision::Allow);
        assert_eq!(verdict.approval, Some(asked.id.clone()));
    }
    admitted(store, &jordan, call(&run, PUSH));
}

fn a_grant_is_for_its_own_action_agent_and_task(store: &TestStore) {
    let jordan = member(store, "jordan", Rank::Specialist);
    let riley = member(store, "riley", Rank::Specialist);
    let (task, other) = (begun(store, &jordan), begun(store, &jordan));
    let unlimited = Widening {
        uses: Some(Uses::Unlimited),
        ..Widening::default()
    };
    granted(store, &jordan, push(Some(&task)), unlimited);
    let (of_jordan, of_riley) = (run_of(store, &jordan), run_of(store, &riley));
    let on = |task: &TaskId| Report {
        task: Some(task.clone()),
        ..call(&of_jordan, PUSH)
    };
    admitted(store, &jordan, on(&task));
    admitted(store, &jordan, call(&of_jordan, PUSH));
    assert!(is_refused(store, &jordan, on(&other)));
    let elsewhere = r#"{"command":"git push origin production"}"#;
    assert!(is_refused(store, &jordan, call(&of_jordan, elsewhere)));
    assert!(is_refused(store, &riley, call(&of_riley, PUSH)));
}

fn a_grant_ends_a_day_after_its_approval(store: &TestStore) {
    let jordan = member(store, "jordan", Rank::Specialist);
    let run = run_of(store, &jordan);
    let request = Request {
        expires_in: Some(Duration::from_secs(3600)),
        ..push(None)
    };
    let asked = ask(store, &jordan, request).unwrap().approval;
    approve(store, &asked);
    store.move_clock(Duration::from_secs(25 * 3600 + 1));
    let named = Report {
        approval: Some(asked.id),
        ..call(&run, PUSH)
    };
    match report(store, &jordan, named) {
        Reported::Refused { verdict, .. } => assert!(
            verdict
                .violations
                .iter()
                .any(|it| it.starts_with("approval_expired")),
            "{verdict:?}"
        ),
        admitted => panic!("{admitted:?}"),
    }
}

fn whoever_approves_may_widen(store: &TestStore) {
    let jordan = member(store, "jordan", Rank::Specialist);
    let riley = member(store, "riley", Rank::Specialist);
    let task = begun(store, &jordan);
    let widening = Widening {
        uses: Some(Uses::Times(3)),
        until: Some(Until::For(Duration::from_secs(7 * 86_400))),
        any_task: true,
        any_agent: true,
        rule: None,
    };
    let grant = granted(store, &jordan, push(Some(&task)), widening);
    assert_eq!((grant.agent, grant.task), (None, None));
    store.move_clock(Duration::from_secs(6 * 86_400));
    let (of_jordan, of_riley) = (run_of(store, &jordan), run_of(store, &riley));
    admitted(store, &jordan, call(&of_jordan, PUSH));
    admitted(store, &riley, call(&of_riley, PUSH));
    admitted(store, &jordan, call(&of_jordan, PUSH));
    assert!(is_refused(store, &riley, call(&of_riley, PUSH)));
}

fn a_rule_is_let_through_for_every_action_it_holds_back(store: &TestStore) {
    let jordan = member(store, "jordan", Rank::Specialist);
    let run = run_of(store, &jordan);
    let request = Request {
        summary: "terraform plan".into(),
        payload: Some(object(r#"{"command":"terraform plan"}"#)),
        ..push(None)
    };
    let widening = Widening {
        uses: Some(Uses::Unlimited),
        rule: Some("shell_not_allowlisted:terraform".into()),
        ..Widening::default()
    };
    granted(store, &jordan, request, widening);
    admitted(
        store,
        &jordan,
        call(&run, r#"{"command":"terraform plan"}"#),
    );
    admitted(
        store,
        &jordan,
        call(&run, r#"{"command":"terraform validate"}"#),
    );
    assert!(is_refused(store, &jordan, call(&run, PUSH)), "another rule");
}

fn a_widening_is_checked(store: &TestStore) {
    let jordan = member(store, "jordan", Rank::Specialist);
    let asked = ask(store, &jordan, push(None)).unwrap().approval;
    let cases = [
        (
            Widening {
                uses: Some(Uses::Times(0)),
                ..Widening::default()
            },
            "grant.uses",
        ),
        (
            Widening {
                until: Some(Until::For(Duration::from_secs(400 * 86_400))),
                ..Widening::default()
            },
            "grant.for",
        ),
        (
            Widening {
                until: Some(Until::At(Timestamp(0))),
                ..Widening::default()
            },
            "grant.until",
        ),
        (
            Widening {
                rule: Some("network_not_allowlisted:x".into()),
                ..Widening::default()
            },
            "grant.rule",
        ),
    ];
    for (widening, field) in cases {
        let ruling = Ruling {
            widening: Some(widening),
            ..Ruling::new(Decision::Approve)
        };
        let error = rule(store, &person("t"), &asked, ruling).unwrap_err();
        assert_eq!(error.problems[0].field, field);
    }
}

fn a_grant_can_be_taken_back(store: &TestStore) {
    let jordan = member(store, "jordan", Rank::Specialist);
    let run = run_of(store, &jordan);
    let asked = ask(store, &jordan, push(None)).unwrap().approval;
    let grant = approve(store, &asked).grant.unwrap();
    let id = grant.id.clone();
    let error = store
        .write(move |tx| grant::revoke(tx, &agent("t", "jordan"), &id))
        .unwrap_err();
    assert_eq!(error.kind, Kind::Forbidden);
    let id = grant.id.clone();
    store
        .write(move |tx| grant::revoke(tx, &person("t"), &id))
        .unwrap();
    assert!(is_refused(store, &jordan, call(&run, PUSH)));
    let all = store
        .read(|tx| grant::list(tx, &person("t"), None, 0, 10))
        .unwrap();
    assert_eq!(all.len(), 1);
    assert!(all[0].revoked_at.is_some());
}

fn an_approval_without_an_action_is_good_where_it_is_named(store: &TestStore) {
    let jordan = member(store, "jordan", Rank::Specialist);
    let run = run_of(store, &jordan);
    let request = Request {
        payload: None,
        summary: "git push origin main".into(),
        ..push(None)
    };
    let asked = ask(store, &jordan, request).unwrap().approval;
    approve(store, &asked);
    assert!(is_refused(store, &jordan, call(&run, PUSH)));
    let naming = |input| Report {
        approval: Some(asked.id.clone()),
        ..call(&run, input)
    };
    let mild = Request {
        payload: None,
        summary: "look around".into(),
        level: Level::Yellow,
        ..push(None)
    };
    let mild = ask(store, &jordan, mild).unwrap().approval;
    approve(store, &mild);
    let too_much = Report {
        approval: Some(mild.id),
        ..call(&run, PUSH)
    };
    assert!(
        is_refused(store, &jordan, too_much),
        "it is worse than was said"
    );
    let named = naming(PUSH);
    admitted(store, &jordan, named.clone());
    assert!(is_refused(store, &jordan, named), "once");
    let blocked = Report {
        approval: Some(asked.id),
        ..call(&run, r#"{"command":"rm -rf x"}"#)
    };
    assert!(is_refused(store, &jordan, blocked));
}

fn a_refused_call_is_kept_and_alerts(store: &TestStore) {
    let jordan = member(store, "jordan", Rank::Specialist);
    let run = run_of(store, &jordan);
    let refused = report(store, &jordan, call(&run, PUSH));
    let Reported::Refused { call, verdict } = refused else {
        panic!("{refused:?}")
    };
    assert_eq!((call.status, call.level), (Status::Denied, Level::Red));
    assert_eq!(verdict.decision, policy::Decision::NeedsApproval);
    let id = call.id.clone();
    let kept = store.read(move |tx| tx.tool_call(&id)).unwrap().unwrap();
    assert_eq!(kept, call);
    let alerts = store
        .read(|tx| tx.alerts(&AlertFilter::default(), 0, 10))
        .unwrap();
    assert_eq!(alerts[0].kind, "POLICY_VIOLATION");
    let trail = store
        .read(|tx| {
            tx.trail(&TrailQuery {
                kinds: vec!["policy.violated".into()],
                limit: 10,
                ..TrailQuery::default()
            })
        })
        .unwrap();
    assert_eq!(trail.len(), 1);
}

fn the_higher_level_counts(store: &TestStore) {
    let jordan = member(store, "jordan", Rank::Specialist);
    let run = run_of(store, &jordan);
    let cautious = Report {
        level: Level::Red,
        ..call(&run, r#"{"command":"ls"}"#)
    };
    let made = admitted(store, &jordan, cautious);
    assert_eq!((made.level, made.reported_level), (Level::Red, Level::Red));
    let asked = ask(store, &jordan, push(None)).unwrap().approval;
    approve(store, &asked);
    let made = admitted(store, &jordan, call(&run, PUSH));
    assert_eq!(
        (made.level, made.reported_level),
        (Level::Red, Level::Green)
    );
}

fn previews_are_short_and_hold_no_secret(store: &TestStore) {
    let jordan = member(store, "jordan", Rank::Specialist);
    let run = run_of(store, &jordan);
    let input = format!("AKIAIOSFODNN7EXAMPLE {}", "é".repeat(600));
    let long = Report {
        tool: "think".into(),
        input: Some(Object::new()),
        input_preview: Some(input.clone()),
        ..call(&run, "{}")
    };
    let made = admitted(store, &jordan, long);
    let preview = made.input_preview.unwrap();
    assert_eq!(preview.chars().count(), 500);
    assert!(!preview.contains("AKIA"), "{preview}");
    assert_eq!(made.input_hash, Some(policy::digest(input.as_bytes())));
    let change = Change {
        status: Some(Status::Success),
        output_preview: Some("AKIAIOSFODNN7EXAMPLE".into()),
        ..Change::default()
    };
    let ended = update(store, &jordan, &made.id, change).unwrap();
    assert!(!ended.output_preview.unwrap().contains("AKIA"));
}

fn update(
    store: &TestStore,
    who: &Principal,
    id: &stationmaster_kernel::ToolCallId,
    change: Change,
) -> stationmaster_kernel::Result<ToolCall> {
    let (who, id) = (who.clone(), id.clone());
    store.write(move |tx| tool_call::update(tx, &who, &id, change.clone()))
}

fn ending(status: Status) -> Change {
    Change {
        status: Some(status),
        ..Change::default()
    }
}

fn a_call_ends_once(store: &TestStore) {
    let jordan = member(store, "jordan", Rank::Specialist);
    let run = run_of(store, &jordan);
    let made = admitted(store, &jordan, call(&run, r#"{"command":"ls"}"#));
    let ended = update(store, &jordan, &made.id, ending(Status::Success)).unwrap();
    assert!(ended.ended_at.is_some());
    let again = update(store, &jordan, &made.id, ending(Status::Success)).unwrap();
    assert_eq!(again, ended);
    let error = update(store, &jordan, &made.id, ending(Status::Failed)).unwrap_err();
    assert_eq!(
        (error.kind, error.code),
        (Kind::Conflict, "already_processed")
    );
    let too_early = Change {
        ended_at: Some(Timestamp(-1)),
        ..Change::default()
    };
    let error = update(store, &jordan, &made.id, too_early).unwrap_err();
    assert_eq!(error.problems[0].field, "endedAt");
}

fn the_same_failure_three_times_stops_task_and_agent(store: &TestStore) {
    let jordan = member(store, "jordan", Rank::Specialist);
    let (run, task) = (run_of(store, &jordan), begun(store, &jordan));
    let fail = |error: &str| {
        let on_task = Report {
            task: Some(task.clone()),
            ..call(&run, r#"{"command":"ls"}"#)
        };
        let made = admitted(store, &jordan, on_task);
        let change = Change {
            error: Some(error.into()),
            ..ending(Status::Failed)
        };
        update(store, &jordan, &made.id, change).unwrap();
    };
    fail("no such file");
    fail("something else");
    fail("no such file");
    assert_eq!(look(store, &task).state, State::InProgress);
    fail("no such file");
    let blocked = look(store, &task);
    assert_eq!(blocked.state, State::Blocked);
    assert_eq!(
        blocked.detail.blocked_reason.as_deref(),
        Some("Loop detected: TOOL_RETRY_LOOP")
    );
    let stopped = store
        .read(|tx| agent::find(tx, &"t".parse()?, &"jordan".parse()?))
        .unwrap();
    assert_eq!(stopped.status, AgentStatus::Quarantined);
}

fn calls_belong_to_their_agent(store: &TestStore) {
    let jordan = member(store, "jordan", Rank::Specialist);
    let riley = member(store, "riley", Rank::Specialist);
    let run = run_of(store, &jordan);
    let made = admitted(store, &jordan, call(&run, r#"{"command":"ls"}"#));
    let error = update(store, &riley, &made.id, ending(Status::Failed)).unwrap_err();
    assert_eq!(error.kind, Kind::Forbidden);
    let other = call(&run, r#"{"command":"ls"}"#);
    let error = store
        .write(move |tx| tool_call::report(tx, &riley, other.clone()))
        .unwrap_err();
    assert_eq!(error.kind, Kind::Forbidden);
}
