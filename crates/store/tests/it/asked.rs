//! What agents ask for: how the task waits, who decides, what follows, what time does (OpenClaw
//! contract §10).

use std::time::Duration;

use stationmaster_kernel::agent::{self, Rank};
use stationmaster_kernel::approval::{self, Ask, Decision, Request, Ruling, Status};
use stationmaster_kernel::message::MessageKind;
use stationmaster_kernel::notification::{NotificationFilter, Target, Type};
use stationmaster_kernel::state::State;
use stationmaster_kernel::tool_call::Level;
use stationmaster_kernel::{Kind, Principal};

use crate::crew::{approve, ask, begun, denial, look, member, object, push, rule};
use crate::policies::put;
use crate::support::{TestStore, on_both, person};

on_both!(
    asking_makes_the_task_wait_and_tells_the_operator,
    the_same_request_is_asked_once_while_it_waits,
    a_request_is_checked_whole,
    only_who_works_on_a_task_asks_about_it,
    approving_lets_the_task_go_on,
    denying_blocks_the_task_or_sends_it_elsewhere,
    a_task_waits_for_its_last_approval,
    deciding_twice_is_refused_in_two_ways,
    what_nobody_decides_expires_and_blocks_the_task,
    what_waits_too_long_is_told_again_once,
    nobody_decides_its_own_and_leads_only_where_policy_says,
    red_takes_two_people_where_policy_says,
    an_approved_step_is_taken_by_the_installation,
    a_step_that_cannot_be_taken_is_not_approved,
    a_task_that_ends_takes_its_requests_along,
    requests_for_an_interface_never_expire,
);

const DAY: Duration = Duration::from_secs(24 * 3600);

fn told(store: &TestStore, target: &str, kind: Type) -> Vec<String> {
    let filter = NotificationFilter {
        target: Some(target.parse::<Target>().unwrap()),
        kind: Some(kind),
        ..NotificationFilter::default()
    };
    let found = store
        .read(move |tx| tx.notifications_of(Some(&"t".parse()?), &filter, 50))
        .unwrap();
    found.into_iter().filter_map(|it| it.title).collect()
}

fn settle(store: &TestStore) -> u32 {
    store.write(|tx| approval::settle_due(tx, 100)).unwrap()
}

fn status(store: &TestStore, it: &approval::Approval) -> Status {
    let id = it.id.clone();
    let found = store.read(move |tx| approval::show(tx, &person("t"), &id));
    found.unwrap().status
}

fn asking_makes_the_task_wait_and_tells_the_operator(store: &TestStore) {
    let jordan = member(store, "jordan", Rank::Specialist);
    let task = begun(store, &jordan);
    let asked = ask(store, &jordan, push(Some(&task))).unwrap();
    assert!(asked.created);
    assert_eq!(asked.task.unwrap().state, State::NeedsApproval);
    let waiting = look(store, &task);
    assert_eq!(waiting.detail.resume_state, Some(State::InProgress));
    assert!(asked.approval.detail.fingerprint.is_some());
    assert!(!asked.approval.detail.violations.is_empty());
    let posted = store
        .read(move |tx| tx.thread(&task, Some(MessageKind::ApprovalRequest), None, 10))
        .unwrap();
    assert_eq!(posted.len(), 1);
    assert_eq!(told(store, "@operator", Type::ApprovalRequest).len(), 1);
}

fn the_same_request_is_asked_once_while_it_waits(store: &TestStore) {
    let jordan = member(store, "jordan", Rank::Specialist);
    let task = begun(store, &jordan);
    let first = ask(store, &jordan, push(Some(&task))).unwrap();
    let again = ask(store, &jordan, push(Some(&task))).unwrap();
    assert_eq!(
        (again.created, &again.approval.id),
        (false, &first.approval.id)
    );
    approve(store, &first.approval);
    assert!(ask(store, &jordan, push(Some(&task))).unwrap().created);
}

fn a_request_is_checked_whole(store: &TestStore) {
    let jordan = member(store, "jordan", Rank::Specialist);
    let wrong = Request {
        ask: Ask::StateTransition,
        summary: " ".into(),
        level: Level::Green,
        payload: Some(object(r#"{"toStatus":"FAILED"}"#)),
        expires_in: Some(8 * DAY),
        ..push(None)
    };
    let error = ask(store, &jordan, wrong).unwrap_err();
    let mut fields: Vec<&str> = error.problems.iter().map(|it| it.field.as_str()).collect();
    fields.sort_unstable();
    assert_eq!(
        fields,
        [
            "actionPayload.toStatus",
            "actionSummary",
            "expiresIn",
            "riskLevel",
            "taskId"
        ]
    );
    let error = ask(store, &person("t"), push(None)).unwrap_err();
    assert_eq!(error.kind, Kind::Forbidden, "a person would just do it");
}

fn only_who_works_on_a_task_asks_about_it(store: &TestStore) {
    let jordan = member(store, "jordan", Rank::Specialist);
    let riley = member(store, "riley", Rank::Specialist);
    let lead = member(store, "lead", Rank::Lead);
    let task = begun(store, &jordan);
    let error = ask(store, &riley, push(Some(&task))).unwrap_err();
    assert_eq!(error.kind, Kind::Forbidden);
    assert!(ask(store, &lead, push(Some(&task))).unwrap().created);
}

fn approving_lets_the_task_go_on(store: &TestStore) {
    let jordan = member(store, "jordan", Rank::Specialist);
    let task = begun(store, &jordan);
    let asked = ask(store, &jordan, push(Some(&task))).unwrap().approval;
    let decided = approve(store, &asked);
    assert_eq!(decided.task.unwrap().state, State::InProgress);
    assert_eq!(decided.approval.decided_by.as_deref(), Some("ann"));
    assert_eq!(told(store, "jordan", Type::ApprovalDecided).len(), 1);
    let steps = store.read(move |tx| tx.transitions(&task)).unwrap();
    assert_eq!(steps.last().unwrap().actor, "system");
}

fn denying_blocks_the_task_or_sends_it_elsewhere(store: &TestStore) {
    let jordan = member(store, "jordan", Rank::Specialist);
    let cases = [
        (None, State::Blocked),
        (Some(State::InProgress), State::InProgress),
        (Some(State::Assigned), State::Assigned),
        (Some(State::Canceled), State::Canceled),
    ];
    for (wanted, expected) in cases {
        let task = begun(store, &jordan);
        let asked = ask(store, &jordan, push(Some(&task))).unwrap().approval;
        let no_reason = rule(store, &person("t"), &asked, Ruling::new(Decision::Deny));
        assert_eq!(no_reason.unwrap_err().problems[0].field, "reason");
        let ruling = Ruling {
            task_state: wanted,
            ..denial("not now")
        };
        let decided = rule(store, &person("t"), &asked, ruling).unwrap();
        let task = decided.task.unwrap();
        assert_eq!(task.state, expected);
        if expected == State::Blocked {
            assert!(task.detail.blocked_reason.unwrap().contains("not now"));
        }
    }
}

fn a_task_waits_for_its_last_approval(store: &TestStore) {
    let jordan = member(store, "jordan", Rank::Specialist);
    let task = begun(store, &jordan);
    let first = ask(store, &jordan, push(Some(&task))).unwrap().approval;
    let other = Request {
        summary: "git push origin docs".into(),
        ..push(Some(&task))
    };
    let second = ask(store, &jordan, other).unwrap().approval;
    approve(store, &first);
    assert_eq!(look(store, &task).state, State::NeedsApproval);
    let withdrawn = rule(store, &jordan, &second, Ruling::new(Decision::Withdraw)).unwrap();
    assert_eq!(withdrawn.approval.status, Status::Canceled);
    assert_eq!(look(store, &task).state, State::InProgress);
}

fn deciding_twice_is_refused_in_two_ways(store: &TestStore) {
    let jordan = member(store, "jordan", Rank::Specialist);
    let asked = ask(store, &jordan, push(None)).unwrap().approval;
    approve(store, &asked);
    let cases = [
        (Ruling::new(Decision::Approve), "already_processed"),
        (denial("no"), "approval_already_decided"),
        (Ruling::new(Decision::Withdraw), "approval_already_decided"),
    ];
    for (ruling, code) in cases {
        let error = rule(store, &person("t"), &asked, ruling).unwrap_err();
        assert_eq!((error.kind, error.code), (Kind::Conflict, code));
    }
}

fn what_nobody_decides_expires_and_blocks_the_task(store: &TestStore) {
    let jordan = member(store, "jordan", Rank::Specialist);
    let task = begun(store, &jordan);
    let asked = ask(store, &jordan, push(Some(&task))).unwrap().approval;
    assert_eq!(settle(store), 0);
    store.move_clock(DAY);
    // Whoever looks sees it before anybody has written it down.
    assert_eq!(status(store, &asked), Status::Expired);
    let pending = store
        .read(|tx| approval::waiting(tx, &person("t"), approval::ApprovalFilter::default()))
        .unwrap();
    assert!(pending.is_empty());
    let late = rule(store, &person("t"), &asked, Ruling::new(Decision::Approve));
    assert_eq!(late.unwrap_err().code, "approval_expired");
    assert_eq!(look(store, &task).state, State::NeedsApproval);

    assert_eq!(settle(store), 1);
    assert_eq!(settle(store), 0);
    assert_eq!(look(store, &task).state, State::Blocked);
    assert_eq!(status(store, &asked), Status::Expired);
    let titles = told(store, "@operator", Type::ApprovalRequest);
    assert!(
        titles.iter().any(|it| it.starts_with("Expired")),
        "{titles:?}"
    );
    let titles = told(store, "jordan", Type::ApprovalDecided);
    assert!(titles[0].starts_with("EXPIRED"), "{titles:?}");
}

fn what_waits_too_long_is_told_again_once(store: &TestStore) {
    let jordan = member(store, "jordan", Rank::Specialist);
    let asked = ask(store, &jordan, push(None)).unwrap().approval;
    store.move_clock(Duration::from_secs(29 * 60));
    assert_eq!(settle(store), 0);
    store.move_clock(Duration::from_secs(31 * 60));
    assert_eq!(settle(store), 1);
    assert_eq!(settle(store), 0);
    let id = asked.id.clone();
    let seen = store
        .read(move |tx| approval::show(tx, &person("t"), &id))
        .unwrap();
    assert!(seen.detail.escalated);
    assert_eq!(told(store, "@operator", Type::ApprovalRequest).len(), 2);
}

fn nobody_decides_its_own_and_leads_only_where_policy_says(store: &TestStore) {
    let jordan = member(store, "jordan", Rank::Specialist);
    let lead = member(store, "lead", Rank::Lead);
    let yellow = |summary: &str| Request {
        level: Level::Yellow,
        summary: summary.into(),
        ..push(None)
    };
    let of_jordan = ask(store, &jordan, yellow("one")).unwrap().approval;
    let red_of_jordan = ask(store, &jordan, push(None)).unwrap().approval;
    let of_lead = ask(store, &lead, yellow("two")).unwrap().approval;
    let yes = || Ruling::new(Decision::Approve);
    for (who, it) in [
        (&jordan, &of_jordan),
        (&lead, &of_jordan),
        (&lead, &of_lead),
    ] {
        let error = rule(store, who, it, yes()).unwrap_err();
        assert_eq!(error.kind, Kind::Forbidden);
    }
    put(store, r#"{"approvals":{"leadMayApproveYellow":true}}"#);
    for (who, it) in [
        (&jordan, &of_jordan),
        (&lead, &red_of_jordan),
        (&lead, &of_lead),
    ] {
        let error = rule(store, who, it, yes()).unwrap_err();
        assert_eq!(error.kind, Kind::Forbidden);
    }
    let decided = rule(store, &lead, &of_jordan, yes()).unwrap();
    assert_eq!(decided.approval.status, Status::Approved);
}

fn red_takes_two_people_where_policy_says(store: &TestStore) {
    let jordan = member(store, "jordan", Rank::Specialist);
    put(store, r#"{"approvals":{"dualControlRed":true}}"#);
    let asked = ask(store, &jordan, push(None)).unwrap().approval;
    let yes = || Ruling::new(Decision::Approve);
    let first = rule(store, &person("t"), &asked, yes()).unwrap();
    assert_eq!(first.approval.status, Status::Pending);
    assert!(first.grant.is_none());
    let again = rule(store, &person("t"), &asked, yes()).unwrap_err();
    assert_eq!(again.code, "already_processed");
    let second = rule(store, &Principal::operator("bob"), &asked, yes()).unwrap();
    assert_eq!(second.approval.status, Status::Approved);
    assert!(second.grant.is_some());
}

fn step_to(task: &stationmaster_kernel::TaskId, to: &str) -> Request {
    Request {
        ask: Ask::StateTransition,
        summary: format!("take it to {to}"),
        payload: Some(object(&format!(r#"{{"toStatus":"{to}"}}"#))),
        ..push(Some(task))
    }
}

fn an_approved_step_is_taken_by_the_installation(store: &TestStore) {
    let jordan = member(store, "jordan", Rank::Specialist);
    let task = begun(store, &jordan);
    let asked = ask(store, &jordan, step_to(&task, "CANCELED"))
        .unwrap()
        .approval;
    let decided = approve(store, &asked);
    assert_eq!(decided.task.unwrap().state, State::Canceled);
    assert!(decided.grant.is_none());
    let id = asked.id.clone();
    let seen = store
        .read(move |tx| approval::show(tx, &person("t"), &id))
        .unwrap();
    assert!(seen.detail.used_at.is_some());
}

fn a_step_that_cannot_be_taken_is_not_approved(store: &TestStore) {
    let jordan = member(store, "jordan", Rank::Specialist);
    let task = begun(store, &jordan);
    let asked = ask(store, &jordan, step_to(&task, "REVIEW"))
        .unwrap()
        .approval;
    let error = rule(store, &person("t"), &asked, Ruling::new(Decision::Approve)).unwrap_err();
    assert_eq!(error.code, "invalid_transition");
    assert!(error.message.contains("deliverable"), "{}", error.message);
    assert_eq!(status(store, &asked), Status::Pending);
    assert_eq!(look(store, &task).state, State::NeedsApproval);
}

fn a_task_that_ends_takes_its_requests_along(store: &TestStore) {
    let jordan = member(store, "jordan", Rank::Specialist);
    let task = begun(store, &jordan);
    let first = ask(store, &jordan, push(Some(&task))).unwrap().approval;
    let ending = ask(store, &jordan, step_to(&task, "CANCELED"))
        .unwrap()
        .approval;
    // A step waits until nothing else does.
    let error = rule(store, &person("t"), &ending, Ruling::new(Decision::Approve)).unwrap_err();
    assert_eq!(error.code, "invalid_transition");
    let ruling = Ruling {
        task_state: Some(State::Canceled),
        ..denial("enough")
    };
    rule(store, &person("t"), &ending, ruling.clone()).unwrap();
    assert_eq!(look(store, &task).state, State::NeedsApproval);
    rule(store, &person("t"), &first, ruling).unwrap();
    assert_eq!(look(store, &task).state, State::Canceled);
    assert_eq!(status(store, &first), Status::Denied);
}

fn requests_for_an_interface_never_expire(store: &TestStore) {
    let who = member(store, "jordan", Rank::Specialist);
    let new = approval::NewApproval {
        task: None,
        title: "a browser".into(),
        justification: "to read".into(),
        interface: None,
        scope: None,
        risk: approval::Risk::High,
    };
    let asker = who.clone();
    let it = store
        .write(move |tx| approval::request(tx, &asker, new.clone()))
        .unwrap();
    store.move_clock(30 * DAY);
    settle(store);
    assert_eq!(status(store, &it), Status::Pending);
    let decided = approve(store, &it);
    assert_eq!(decided.approval.status, Status::Approved);
    assert!(decided.grant.is_none(), "it names no action");
    let kept = store
        .read(move |tx| agent::find(tx, &"t".parse()?, who.handle().unwrap()))
        .unwrap();
    assert_eq!(kept.handle.as_str(), "jordan");
}
