//! Tasks go from state to state: who may, what it takes, what follows (OpenClaw contract §5).

use std::time::Duration;

use stationmaster_kernel::agent::Rank;
use stationmaster_kernel::event::ActorKind;
use stationmaster_kernel::kind::TaskKind;
use stationmaster_kernel::message::MessageKind;
use stationmaster_kernel::notification::Type;
use stationmaster_kernel::state::State;
use stationmaster_kernel::task::{
    self, Artifact, Checklist, ChecklistItem, Deliverable, NewStep, NewTask, Plan, Stepped, Task,
    TaskChange, Transition,
};
use stationmaster_kernel::{Error, Kind, Principal, Result, TaskId};

use crate::board::{T, change, claim, fields, give, make, member, now, open, told, trail, wanted};
use crate::support::{TestStore, agent, on_both, person};

on_both!(
    a_task_goes_its_way_from_the_inbox_to_done,
    everything_that_is_missing_is_named_at_once,
    a_refusal_says_what_the_caller_could_do_instead,
    force_skips_evidence_and_nothing_else,
    the_same_step_again_is_the_same_step_for_five_minutes,
    taking_a_task_by_a_step_is_a_claim,
    dependencies_must_be_done_and_not_go_round,
    what_goes_back_to_the_inbox_is_nobodys,
    what_is_handed_in_is_measured_and_replaces_what_was,
    no_secret_of_what_is_handed_in_is_kept_anywhere,
    blocked_and_back,
    a_canceled_task_ends_for_all_who_follow_it,
    a_word_on_the_other_surface_is_a_step_like_any_other,
    a_free_task_takes_any_word_and_leaves_the_same_record,
    a_free_task_keeps_to_the_arcs_on_the_board,
    an_unclaimed_task_that_was_unblocked_can_be_taken,
);

pub(crate) fn step(
    store: &TestStore,
    who: &Principal,
    task: &Task,
    new: NewStep,
) -> Result<Stepped> {
    let (who, id) = (who.clone(), task.id.clone());
    store.write(move |tx| task::step(tx, &who, &id, new.clone()))
}

pub(crate) fn because(to: State, reason: &str) -> NewStep {
    NewStep {
        reason: Some(reason.to_owned()),
        ..NewStep::to(to)
    }
}

pub(crate) fn begin() -> NewStep {
    NewStep {
        plan: Some(plan(&[])),
        ..NewStep::to(State::InProgress)
    }
}

fn plan(dependencies: &[&TaskId]) -> Plan {
    Plan {
        bullets: ["Look", "Do", "Check"].map(str::to_owned).into(),
        dependencies: dependencies.iter().map(|id| (*id).clone()).collect(),
        ..Plan::default()
    }
}

fn checklist(kind: &str) -> Checklist {
    Checklist {
        kind: kind.to_owned(),
        items: vec![ChecklistItem {
            label: "It works".to_owned(),
            checked: true,
            note: None,
        }],
        ..Checklist::default()
    }
}

pub(crate) fn submit() -> NewStep {
    NewStep {
        deliverable: Some(Deliverable {
            content: "Here it is.".to_owned(),
            ..Deliverable::default()
        }),
        checklist: Some(checklist("CONTENT")),
        ..NewStep::to(State::Review)
    }
}

/// A task that this agent has begun.
pub(crate) fn begun(store: &TestStore, who: &Principal) -> Task {
    let task = open(store, TaskKind::Content);
    claim(store, who, &task).unwrap();
    step(store, who, &task, begin()).unwrap().task
}

fn way(store: &TestStore, task: &Task) -> Vec<Transition> {
    let id = task.id.clone();
    store.read(move |tx| tx.transitions(&id)).unwrap()
}

fn states(store: &TestStore, task: &Task) -> Vec<(State, State)> {
    let steps = way(store, task);
    steps.iter().map(|step| (step.from, step.to)).collect()
}

fn said(store: &TestStore, task: &Task, kind: MessageKind) -> Vec<String> {
    let id = task.id.clone();
    let found = store
        .read(move |tx| tx.thread(&id, Some(kind), None, 100))
        .unwrap();
    found.into_iter().map(|message| message.content).collect()
}

fn detail<'a>(error: &'a Error, name: &str) -> &'a serde_json::Value {
    &error.details.as_ref().unwrap()[name]
}

fn a_task_goes_its_way_from_the_inbox_to_done(store: &TestStore) {
    let jordan = member(store, "jordan", Rank::Specialist, &[]);
    let task = begun(store, &jordan);
    assert!(task.detail.started_at.is_some());
    assert_eq!(
        said(store, &task, MessageKind::WorkPlan),
        ["1. Look\n2. Do\n3. Check"]
    );
    let handle = jordan.handle().unwrap().clone();
    let current = move |store: &TestStore| {
        let handle = handle.clone();
        let agent = store.read(move |tx| tx.agent(&T.parse()?, &handle));
        agent.unwrap().unwrap().detail.current_task
    };
    assert_eq!(current(store), Some(task.id.clone()));

    let submitted = step(store, &jordan, &task, submit()).unwrap();
    assert_eq!(submitted.task.state, State::Review);
    assert!(submitted.task.detail.submitted_at.is_some());
    assert_eq!(current(store), None);
    assert_eq!(
        submitted.allowed,
        [State::NeedsApproval],
        "its part is done"
    );
    let kept = submitted.task.detail.checklist.unwrap();
    assert_eq!(kept.completed_by.as_deref(), Some("jordan"));

    let own = step(store, &jordan, &task, NewStep::to(State::Done)).unwrap_err();
    assert_eq!(own.kind, Kind::Forbidden);
    assert_eq!(detail(&own, "requiredRole"), "OPERATOR");
    let done = step(store, &person(T), &task, because(State::Done, "Well done")).unwrap();
    let completion = done.task.detail.completion.unwrap();
    assert_eq!(
        (completion.approved_by.as_str(), completion.note.as_deref()),
        ("ann", Some("Well done"))
    );
    assert!(done.allowed.is_empty());
    assert_eq!(
        states(store, &task),
        [
            (State::Inbox, State::Assigned),
            (State::Assigned, State::InProgress),
            (State::InProgress, State::Review),
            (State::Review, State::Done),
        ]
    );
    assert_eq!(
        told(store, "jordan"),
        [(Type::TaskTransition, "Some work is DONE".to_owned())]
    );
    assert_eq!(told(store, "@operator")[0].1, "Some work is REVIEW");
    let further = step(store, &person(T), &task, because(State::Review, "no")).unwrap_err();
    assert_eq!(further.code, "invalid_transition");
}

fn everything_that_is_missing_is_named_at_once(store: &TestStore) {
    let jordan = member(store, "jordan", Rank::Specialist, &[]);
    let task = begun(store, &jordan);
    let bare = step(store, &jordan, &task, NewStep::to(State::Review)).unwrap_err();
    assert_eq!(fields(&bare), ["deliverable", "reviewChecklist"]);
    let bad = NewStep {
        reason: Some("x".repeat(10_001)),
        checklist: Some(Checklist {
            items: vec![ChecklistItem::default()],
            ..checklist("OPS")
        }),
        ..NewStep::to(State::Review)
    };
    let bad = step(store, &jordan, &task, bad).unwrap_err();
    assert_eq!(
        fields(&bad),
        [
            "reason",
            "deliverable",
            "reviewChecklist.type",
            "reviewChecklist.items[0].label",
            "reviewChecklist.items[0].note"
        ]
    );
    let unchanged = now(store, &task);
    assert_eq!(unchanged, task, "a refused step hands nothing in");
}

fn a_refusal_says_what_the_caller_could_do_instead(store: &TestStore) {
    let jordan = member(store, "jordan", Rank::Specialist, &[]);
    let task = begun(store, &jordan);
    let cases = [
        (NewStep::to(State::Review), Kind::Invalid, "invalid_request"),
        (
            NewStep::to(State::Inbox),
            Kind::Conflict,
            "invalid_transition",
        ),
        (because(State::Canceled, "x"), Kind::Forbidden, "forbidden"),
        (
            NewStep {
                force: true,
                ..NewStep::to(State::Review)
            },
            Kind::Forbidden,
            "forbidden",
        ),
    ];
    for (new, kind, code) in cases {
        let error = step(store, &jordan, &task, new).unwrap_err();
        assert_eq!((error.kind, error.code), (kind, code));
        assert_eq!(detail(&error, "success"), false);
        assert_eq!(detail(&error, "from"), "IN_PROGRESS");
        assert_eq!(
            *detail(&error, "allowedTransitions"),
            serde_json::json!(["REVIEW", "NEEDS_APPROVAL", "BLOCKED"])
        );
        if error.problems.is_empty() {
            assert_eq!(detail(&error, "errors")[0]["field"], "toStatus");
        }
    }
}

fn force_skips_evidence_and_nothing_else(store: &TestStore) {
    let jordan = member(store, "jordan", Rank::Specialist, &[]);
    let forced = |to, reason: Option<&str>| NewStep {
        force: true,
        reason: reason.map(str::to_owned),
        ..NewStep::to(to)
    };
    let task = open(store, TaskKind::Content);
    let nobody = step(store, &person(T), &task, forced(State::Assigned, None)).unwrap_err();
    assert_eq!(fields(&nobody), ["assigneeIds"], "somebody must have it");
    let beyond = step(store, &person(T), &task, forced(State::Done, None)).unwrap_err();
    assert_eq!(beyond.code, "invalid_transition", "nor are there more arcs");
    claim(store, &jordan, &task).unwrap();
    for to in [State::InProgress, State::Review] {
        step(store, &person(T), &task, forced(to, None)).unwrap();
    }
    let back = step(store, &person(T), &task, forced(State::InProgress, None)).unwrap_err();
    assert_eq!(fields(&back), ["reason"], "a return says what is wrong");
    let marks: Vec<bool> = way(store, &task).iter().map(|it| it.forced).collect();
    assert_eq!(marks, [false, true, true]);
}

fn the_same_step_again_is_the_same_step_for_five_minutes(store: &TestStore) {
    let jordan = member(store, "jordan", Rank::Specialist, &[]);
    let task = open(store, TaskKind::Content);
    claim(store, &jordan, &task).unwrap();
    let first = step(store, &jordan, &task, begin()).unwrap();
    let before = trail(store, &task);
    store.move_clock(Duration::from_secs(290));
    let again = step(store, &jordan, &task, begin()).unwrap();
    assert_eq!(again.transition, first.transition);
    assert!(again.repeated && !first.repeated);
    assert_eq!(trail(store, &task), before, "nothing was done");
    let other = step(store, &person(T), &task, begin()).unwrap_err();
    assert_eq!(
        (other.kind, other.code),
        (Kind::Conflict, "already_processed"),
        "it was not the other's step"
    );
    store.move_clock(Duration::from_secs(310));
    let late = step(store, &jordan, &task, begin()).unwrap_err();
    assert_eq!(late.code, "already_processed");
}

fn taking_a_task_by_a_step_is_a_claim(store: &TestStore) {
    let jordan = member(store, "jordan", Rank::Specialist, &[TaskKind::Content]);
    let task = open(store, TaskKind::Content);
    let nobody = step(store, &person(T), &task, NewStep::to(State::Assigned)).unwrap_err();
    assert_eq!(fields(&nobody), ["assigneeIds"]);
    let taken = NewStep {
        reason: Some("I know this".into()),
        session_key: Some("s".into()),
        idempotency_key: Some("k".into()),
        ..NewStep::to(State::Assigned)
    };
    let taken = step(store, &jordan, &task, taken).unwrap();
    assert!(taken.task.is_assigned_to(jordan.handle().unwrap()));
    let made = taken.transition;
    assert_eq!(
        (made.reason.as_deref(), made.session_key.as_deref()),
        (Some("I know this"), Some("s"))
    );
    assert_eq!(made.idempotency_key.as_deref(), Some("k"));
    let kinds: Vec<&str> = kinds_of_trail(store, &task);
    assert_eq!(
        kinds,
        ["task.created", "task.assigned", "task.transitioned"]
    );
    let other = open(store, TaskKind::Ops);
    let wrong = step(store, &jordan, &other, NewStep::to(State::Assigned)).unwrap_err();
    assert_eq!(wrong.code, "task_type_not_allowed");
}

fn kinds_of_trail(store: &TestStore, task: &Task) -> Vec<&'static str> {
    let query = stationmaster_kernel::event::TrailQuery {
        task: Some(task.id.clone()),
        limit: 100,
        ..Default::default()
    };
    let mut events = store.read(move |tx| tx.trail(&query)).unwrap();
    events.reverse();
    events.iter().map(|event| event.what.kind()).collect()
}

fn dependencies_must_be_done_and_not_go_round(store: &TestStore) {
    let jordan = member(store, "jordan", Rank::Specialist, &[]);
    let (first, second) = (
        open(store, TaskKind::Content),
        open(store, TaskKind::Content),
    );
    for task in [&first, &second] {
        claim(store, &jordan, task).unwrap();
    }
    let after = |ids: &[&TaskId]| NewStep {
        plan: Some(plan(ids)),
        ..NewStep::to(State::InProgress)
    };
    let none = TaskId::new("task_none");
    let error = step(store, &jordan, &first, after(&[&second.id, &none])).unwrap_err();
    assert_eq!(
        (error.kind, error.code),
        (Kind::Conflict, "dependencies_not_done")
    );
    let open_ones = serde_json::json!([second.id.as_str(), "task_none"]);
    assert_eq!(*detail(&error, "dependencies"), open_ones);
    // The second waits for the first, so the first cannot wait for the second.
    let waits = stationmaster_kernel::task::BoardChange {
        plan: Some(plan(&[&first.id])),
        ..Default::default()
    };
    change(store, &jordan, &second, waits).unwrap();
    let error = step(store, &jordan, &first, after(&[&second.id])).unwrap_err();
    assert!(error.message.contains("wait for itself"), "{error}");
    // A foreign task is none at all.
    let theirs = make(store, &person("u"), wanted(TaskKind::Ops, "x")).unwrap();
    let error = step(store, &jordan, &first, after(&[&theirs.id])).unwrap_err();
    assert_eq!(error.code, "dependencies_not_done");

    step(store, &jordan, &first, begin()).unwrap();
    step(store, &jordan, &first, submit()).unwrap();
    step(store, &person(T), &first, NewStep::to(State::Done)).unwrap();
    let begun = step(store, &jordan, &second, NewStep::to(State::InProgress)).unwrap();
    assert_eq!(
        begun.task.state,
        State::InProgress,
        "with the plan that it has"
    );
}

fn what_goes_back_to_the_inbox_is_nobodys(store: &TestStore) {
    let lee = member(store, "lee", Rank::Lead, &[]);
    let jordan = member(store, "jordan", Rank::Specialist, &[]);
    let task = open(store, TaskKind::Content);
    claim(store, &jordan, &task).unwrap();
    let own = step(store, &jordan, &task, because(State::Inbox, "no")).unwrap_err();
    assert_eq!(detail(&own, "requiredRole"), "LEAD");
    let silent = step(store, &lee, &task, NewStep::to(State::Inbox)).unwrap_err();
    assert_eq!(fields(&silent), ["reason"]);
    let back = step(store, &lee, &task, because(State::Inbox, "Not now")).unwrap();
    assert_eq!(back.task.assignees().count(), 0);
    assert_eq!(
        told(store, "jordan"),
        [(
            Type::TaskTransition,
            "Some work is no longer yours".to_owned()
        )]
    );
}

fn what_is_handed_in_is_measured_and_replaces_what_was(store: &TestStore) {
    let jordan = member(store, "jordan", Rank::Specialist, &[]);
    let task = begun(store, &jordan);
    let artifact = Artifact {
        name: "post.md".into(),
        kind: "DELIVERABLE".into(),
        content: Some("abc".into()),
        ..Artifact::default()
    };
    let mut new = submit();
    new.deliverable.as_mut().unwrap().artifacts = vec![artifact];
    let submitted = step(store, &jordan, &task, new).unwrap();
    assert_eq!(submitted.transition.artifacts, ["post.md"]);
    let kept = now(store, &task).detail.deliverable.unwrap();
    assert_eq!(kept.artifacts[0].size, Some(3));
    let digest = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    assert_eq!(kept.artifacts[0].sha256.as_deref(), Some(digest));

    step(store, &person(T), &task, because(State::InProgress, "More")).unwrap();
    assert_eq!(said(store, &task, MessageKind::Review), ["More"]);
    let again = step(store, &jordan, &task, submit()).unwrap().task;
    assert_eq!(again.detail.review_cycles, 1);
    assert!(again.detail.deliverable.unwrap().artifacts.is_empty());
}

fn no_secret_of_what_is_handed_in_is_kept_anywhere(store: &TestStore) {
    const SECRET: &str = "AKIAIOSFODNN7EXAMPLE";
    let jordan = member(store, "jordan", Rank::Specialist, &[]);
    let task = open(store, TaskKind::Content);
    claim(store, &jordan, &task).unwrap();
    let with_secret = |text: &str| format!("{text} {SECRET}");
    let mut begin = begin();
    begin.reason = Some(with_secret("Now with"));
    begin.plan.as_mut().unwrap().bullets[0] = with_secret("Log in with");
    step(store, &jordan, &task, begin).unwrap();
    let mut submit = submit();
    submit.deliverable = Some(Deliverable {
        content: with_secret("The key is"),
        summary: Some(with_secret("Used")),
        artifacts: vec![Artifact {
            name: "env".into(),
            content: Some(with_secret("export")),
            ..Artifact::default()
        }],
        ..Deliverable::default()
    });
    let checklist = submit.checklist.as_mut().unwrap();
    checklist.items[0].note = Some(with_secret("checked with"));
    checklist.notes = Some(with_secret("by the way"));
    step(store, &jordan, &task, submit).unwrap();
    let back = because(State::InProgress, &with_secret("Remove"));
    step(store, &person(T), &task, back).unwrap();

    let kept = now(store, &task);
    let deliverable = kept.detail.deliverable.as_ref().unwrap();
    assert_eq!(
        deliverable.redacted,
        ["content", "summary", "artifacts[0].content"],
        "{deliverable:?}"
    );
    let clean = deliverable.artifacts[0].content.as_ref().unwrap();
    assert_eq!(deliverable.artifacts[0].size, Some(clean.len() as u64));
    assert!(
        deliverable.content.contains("[REDACTED:"),
        "{deliverable:?}"
    );
    let id = task.id.clone();
    let everything = store
        .read(move |tx| {
            let query = stationmaster_kernel::event::TrailQuery {
                task: Some(id.clone()),
                limit: 100,
                ..Default::default()
            };
            let thread = tx.thread(&id, None, None, 100)?;
            let told = tx.notifications_of(None, &Default::default(), 100)?;
            Ok(format!("{:?}{thread:?}{told:?}", tx.trail(&query)?))
        })
        .unwrap();
    assert!(!format!("{kept:?}").contains(SECRET), "{kept:?}");
    let found: Vec<_> = everything.match_indices(SECRET).take(3).collect();
    assert!(found.is_empty(), "{found:?} in {everything}");
}

fn blocked_and_back(store: &TestStore) {
    let jordan = member(store, "jordan", Rank::Specialist, &[]);
    let task = begun(store, &jordan);
    let silent = step(store, &jordan, &task, NewStep::to(State::Blocked)).unwrap_err();
    assert_eq!(fields(&silent), ["reason"]);
    let blocked = step(store, &jordan, &task, because(State::Blocked, "No access")).unwrap();
    assert_eq!(
        blocked.task.detail.blocked_reason.as_deref(),
        Some("No access")
    );
    assert!(blocked.allowed.is_empty(), "only an operator lets it go on");
    assert_eq!(
        told(store, "@operator"),
        [(Type::Alert, "Some work is BLOCKED".to_owned())]
    );
    let back = step(
        store,
        &person(T),
        &task,
        because(State::InProgress, "Granted"),
    )
    .unwrap();
    assert_eq!(back.task.detail.blocked_reason, None);
    assert_eq!(
        told(store, "jordan"),
        [(Type::TaskTransition, "Some work is IN_PROGRESS".to_owned())]
    );
}

fn a_canceled_task_ends_for_all_who_follow_it(store: &TestStore) {
    let jordan = member(store, "jordan", Rank::Specialist, &[]);
    let riley = member(store, "riley", Rank::Specialist, &[]);
    let task = begun(store, &jordan);
    let id = task.id.clone();
    store
        .write(move |tx| stationmaster_kernel::subscription::follow(tx, &riley, &id))
        .unwrap();
    let silent = step(store, &person(T), &task, NewStep::to(State::Canceled)).unwrap_err();
    assert_eq!(fields(&silent), ["reason"]);
    step(store, &person(T), &task, because(State::Canceled, "Moot")).unwrap();
    for name in ["jordan", "riley"] {
        assert_eq!(
            told(store, name),
            [(Type::TaskTransition, "Some work is CANCELED".to_owned())]
        );
    }
    let error = give(store, &person(T), &task, &["riley"]).unwrap_err();
    assert_eq!(error.code, "invalid_transition");
}

fn word(store: &TestStore, who: &Principal, task: &Task, word: &str) -> Result<Task> {
    let (who, id) = (who.clone(), task.id.clone());
    let change = TaskChange {
        status: Some(word.to_owned()),
        ..TaskChange::default()
    };
    store.write(move |tx| task::update(tx, &who, &id, change.clone()))
}

fn a_word_on_the_other_surface_is_a_step_like_any_other(store: &TestStore) {
    let jordan = member(store, "jordan", Rank::Specialist, &[]);
    let task = open(store, TaskKind::Content);
    claim(store, &jordan, &task).unwrap();
    let refused = |who: &Principal, to: &str, why: &str| {
        let error = word(store, who, &task, to).unwrap_err();
        assert_eq!(
            (error.kind, error.code),
            (Kind::Forbidden, "transition_not_allowed")
        );
        assert!(error.message.contains(why), "{error}");
    };
    refused(&jordan, "in_progress", "workPlan");
    refused(&jordan, "on hold", "means no state");
    step(store, &jordan, &task, begin()).unwrap();
    refused(&jordan, "blocked", "reason");
    refused(&jordan, "pending", "cannot become INBOX");
    refused(&agent(T, "stranger"), "cancelled", "an operator");
    step(store, &jordan, &task, submit()).unwrap();
    refused(&jordan, "completed", "an operator");
    let before = trail(store, &task);
    let same = word(store, &jordan, &task, "in_progress").unwrap();
    assert_eq!(same.state, State::Review, "which is that word already");
    assert_eq!(trail(store, &task), before);
    let done = word(store, &person(T), &task, "completed").unwrap();
    assert_eq!(
        (done.state, done.status.as_str()),
        (State::Done, "completed")
    );
    assert!(done.detail.completion.is_some(), "it is the same step");
    assert_eq!(
        told(store, "jordan"),
        [(Type::TaskTransition, "Some work is DONE".to_owned())]
    );
}

fn free(store: &TestStore, who: &Principal, status: &str) -> Task {
    let who = who.clone();
    let new = NewTask {
        title: "Free".to_owned(),
        status: Some(status.to_owned()),
        assignee: who.handle().cloned(),
        ..NewTask::default()
    };
    store
        .write(move |tx| task::create(tx, &who, new.clone()))
        .unwrap()
}

fn a_free_task_takes_any_word_and_leaves_the_same_record(store: &TestStore) {
    let writer = agent(T, "writer");
    let task = free(store, &writer, "pending");
    for to in ["completed", "pending", "somewhere else", "blocked"] {
        assert_eq!(word(store, &writer, &task, to).unwrap().status, to);
    }
    assert_eq!(
        states(store, &task),
        [
            (State::Inbox, State::Done),
            (State::Done, State::Inbox),
            (State::Inbox, State::Blocked),
        ]
    );
    let last = way(store, &task).pop().unwrap();
    assert_eq!(
        (last.actor_kind, last.actor.as_str()),
        (ActorKind::Agent, "writer")
    );
}

fn a_free_task_keeps_to_the_arcs_on_the_board(store: &TestStore) {
    let writer = agent(T, "writer");
    let task = free(store, &writer, "in_progress");
    let bare = step(store, &writer, &task, NewStep::to(State::Review)).unwrap_err();
    assert_eq!(fields(&bare), ["deliverable", "reviewChecklist"]);
    let done = step(store, &writer, &task, NewStep::to(State::Done)).unwrap_err();
    assert_eq!(done.code, "invalid_transition");
    let submitted = step(store, &writer, &task, submit()).unwrap().task;
    assert_eq!(
        (submitted.state, submitted.status.as_str()),
        (State::Review, "in_progress")
    );
    // What waits with somebody is not another's to take.
    let pending = free(store, &writer, "pending");
    let riley = member(store, "riley", Rank::Specialist, &[]);
    let taken = step(store, &riley, &pending, NewStep::to(State::Assigned)).unwrap_err();
    assert_eq!(detail(&taken, "requiredRole"), "LEAD");
    let own = step(store, &writer, &pending, NewStep::to(State::Assigned)).unwrap();
    assert_eq!(own.task.state, State::Assigned);
}

fn an_unclaimed_task_that_was_unblocked_can_be_taken(store: &TestStore) {
    let jordan = member(store, "jordan", Rank::Specialist, &[]);
    let task = open(store, TaskKind::Content);
    step(store, &person(T), &task, because(State::Blocked, "Wait")).unwrap();
    let held = claim(store, &jordan, &task).unwrap_err();
    assert_eq!(held.code, "assignment_conflict");
    step(store, &person(T), &task, because(State::Assigned, "Go")).unwrap();
    let nobody = step(store, &person(T), &task, begin()).unwrap_err();
    assert_eq!(fields(&nobody), ["assigneeIds"]);
    assert_eq!(claim(store, &jordan, &task).unwrap().state, State::Assigned);
}
