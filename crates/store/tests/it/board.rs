//! The board: tasks made, found, taken, given and changed (OpenClaw contract §4, §5.3).

use stationmaster_kernel::agent::{self, NewAgent, Rank, Status};
use stationmaster_kernel::event::TrailQuery;
use stationmaster_kernel::kind::TaskKind;
use stationmaster_kernel::notification::{NotificationFilter, Target, Type};
use stationmaster_kernel::state::State;
use stationmaster_kernel::task::{
    self, BoardChange, BoardFilter, BoardOrder, BoardPage, Deliverable, NewBoardTask, Plan, Task,
    TaskChange,
};
use stationmaster_kernel::{Error, Handle, Kind, MicroUsd, Principal, Result, Timestamp};

use crate::support::{TestStore, agent, on_both, person};

on_both!(
    a_task_is_born_in_the_inbox_with_what_its_kind_may_cost,
    every_problem_of_a_new_task_is_named,
    interns_make_no_tasks_and_specialists_assign_nobody_else,
    a_task_that_is_given_at_birth_is_assigned_at_once,
    a_board_is_filtered_searched_and_put_in_order,
    pages_and_totals_agree,
    another_tenants_board_is_not_seen,
    a_claim_of_what_is_free_is_won_once,
    a_claim_of_ones_own_task_changes_nothing,
    who_is_held_up_takes_nothing,
    nobody_gets_work_of_a_kind_it_does_not_do,
    a_lead_gives_a_task_to_somebody_else_and_both_are_told,
    a_task_without_assignees_goes_back_to_the_inbox,
    who_works_on_a_task_changes_its_words_and_not_its_budget,
    who_takes_a_task_may_change_it_in_the_same_breath,
    a_change_that_changes_nothing_leaves_no_trace,
    labels_follow_a_change,
    a_gated_task_is_assigned_by_the_same_rules_on_the_other_surface,
);

/// The tenant of these tests.
pub(crate) const T: &str = "t";

/// Registers an agent of tenant `t`, of this rank, that does these kinds of work.
pub(crate) fn member(store: &TestStore, handle: &str, rank: Rank, kinds: &[TaskKind]) -> Principal {
    let new = NewAgent {
        handle: handle.to_owned(),
        name: format!("{handle} the agent"),
        emoji: None,
        rank: Some(rank),
        workspace_path: format!("/ws/{handle}"),
        allowed_kinds: Some(kinds.to_vec()),
        allowed_tools: None,
        budget_daily: None,
        budget_per_run: None,
        can_spawn: None,
        max_sub_agents: None,
        parent: None,
        heartbeat_interval: None,
        metadata: None,
    };
    let hash = format!("hash of {handle}");
    store
        .write(move |tx| agent::register(tx, &person(T), new.clone(), &hash))
        .unwrap();
    agent(T, handle)
}

/// An order to a registered agent.
fn order(store: &TestStore, handle: &str, command: agent::Command) {
    let handle: Handle = handle.parse().unwrap();
    let order = agent::Order {
        command,
        reason: Some("because".to_owned()),
        duration: None,
    };
    store
        .write(move |tx| agent::control(tx, &person(T), &handle, &order))
        .unwrap();
}

/// A task of this kind and title, and nothing else.
pub(crate) fn wanted(kind: TaskKind, title: &str) -> NewBoardTask {
    NewBoardTask {
        title: title.to_owned(),
        kind,
        description: None,
        priority: None,
        assignees: Vec::new(),
        reviewer: None,
        parent: None,
        labels: Vec::new(),
        due_at: None,
        estimated_cost: None,
        budget: None,
        metadata: None,
    }
}

pub(crate) fn make(store: &TestStore, who: &Principal, new: NewBoardTask) -> Result<Task> {
    let who = who.clone();
    store.write(move |tx| task::create_on_board(tx, &who, new.clone()))
}

/// A task of this kind that the operator made and nobody has.
pub(crate) fn open(store: &TestStore, kind: TaskKind) -> Task {
    make(store, &person(T), wanted(kind, "Some work")).unwrap()
}

pub(crate) fn change(
    store: &TestStore,
    who: &Principal,
    task: &Task,
    change: BoardChange,
) -> Result<Task> {
    let (who, id) = (who.clone(), task.id.clone());
    store.write(move |tx| task::change(tx, &who, &id, change.clone()))
}

pub(crate) fn give(store: &TestStore, who: &Principal, task: &Task, to: &[&str]) -> Result<Task> {
    let to = BoardChange {
        assignees: Some(to.iter().map(|it| it.parse().unwrap()).collect()),
        ..BoardChange::default()
    };
    change(store, who, task, to)
}

/// Takes a task for itself.
pub(crate) fn claim(store: &TestStore, who: &Principal, task: &Task) -> Result<Task> {
    give(store, who, task, &[who.handle().unwrap().as_str()])
}

/// The task as it is now.
pub(crate) fn now(store: &TestStore, task: &Task) -> Task {
    let id = task.id.clone();
    store.read(move |tx| tx.task(&id)).unwrap().unwrap()
}

/// What somebody was told, oldest first: the type and the line.
pub(crate) fn told(store: &TestStore, target: &str) -> Vec<(Type, String)> {
    let target: Target = target.parse().unwrap();
    let filter = NotificationFilter {
        target: Some(target),
        ..NotificationFilter::default()
    };
    let mut found = store
        .read(move |tx| tx.notifications_of(Some(&T.parse()?), &filter, 100))
        .unwrap();
    found.reverse();
    found
        .into_iter()
        .map(|it| (it.kind, it.title.unwrap_or_default()))
        .collect()
}

/// How many entries the trail of a task has.
pub(crate) fn trail(store: &TestStore, task: &Task) -> usize {
    let query = TrailQuery {
        task: Some(task.id.clone()),
        limit: 200,
        ..TrailQuery::default()
    };
    store.read(move |tx| tx.trail(&query)).unwrap().len()
}

pub(crate) fn fields(error: &Error) -> Vec<&str> {
    let problems = error.problems.iter();
    problems.map(|problem| problem.field.as_str()).collect()
}

fn names(task: &Task) -> Vec<&str> {
    task.assignees().map(Handle::as_str).collect()
}

fn a_task_is_born_in_the_inbox_with_what_its_kind_may_cost(store: &TestStore) {
    let made = open(store, TaskKind::Engineering);
    assert_eq!(made.state, State::Inbox);
    assert_eq!((made.priority, made.kind), (3, Some(TaskKind::Engineering)));
    assert_eq!(made.detail.budget, Some(MicroUsd::dollars(8)));
    assert_eq!(made.detail.creator_user.as_deref(), Some("ann"));
    assert_eq!(now(store, &made), made, "as it was made");

    let jordan = member(store, "jordan", Rank::Specialist, &[]);
    let own = make(store, &jordan, wanted(TaskKind::Docs, "Own idea")).unwrap();
    assert_eq!(own.creator, Some("jordan".parse().unwrap()));
    assert_eq!(own.detail.creator_user, None);
}

fn every_problem_of_a_new_task_is_named(store: &TestStore) {
    let new = NewBoardTask {
        description: Some("d".repeat(50_001)),
        priority: Some(5),
        labels: vec!["fine".into(), " ".into(), "a,b".into()],
        reviewer: Some("nobody".parse().unwrap()),
        parent: Some(stationmaster_kernel::TaskId::new("task_none")),
        ..wanted(TaskKind::Ops, &"t".repeat(501))
    };
    let error = make(store, &person(T), new).unwrap_err();
    assert_eq!(
        fields(&error),
        [
            "title",
            "description",
            "labels[1]",
            "labels[2]",
            "priority",
            "reviewerId",
            "parentTaskId"
        ]
    );
    let stranger = NewBoardTask {
        assignees: vec!["nobody".parse().unwrap()],
        ..wanted(TaskKind::Ops, "x")
    };
    let error = make(store, &person(T), stranger).unwrap_err();
    assert_eq!(fields(&error), ["assigneeIds"]);
    let all = BoardFilter::default();
    let count = store.read(move |tx| tx.board_count(&all)).unwrap();
    assert_eq!(count, 0, "nothing half-made");
}

fn interns_make_no_tasks_and_specialists_assign_nobody_else(store: &TestStore) {
    let sam = member(store, "sam", Rank::Intern, &[]);
    let jordan = member(store, "jordan", Rank::Specialist, &[]);
    let lee = member(store, "lee", Rank::Lead, &[]);
    let error = make(store, &sam, wanted(TaskKind::Ops, "x")).unwrap_err();
    assert_eq!(error.kind, Kind::Forbidden);
    assert_eq!(error.details.unwrap()["requiredRole"], "SPECIALIST");
    let of = |name: &str| NewBoardTask {
        assignees: vec![name.parse().unwrap()],
        ..wanted(TaskKind::Ops, "x")
    };
    assert_eq!(
        make(store, &jordan, of("sam")).unwrap_err().kind,
        Kind::Forbidden
    );
    assert_eq!(
        make(store, &jordan, of("jordan")).unwrap().state,
        State::Assigned
    );
    assert_eq!(make(store, &lee, of("sam")).unwrap().state, State::Assigned);
    let rich = NewBoardTask {
        budget: Some(MicroUsd::dollars(100)),
        ..wanted(TaskKind::Ops, "x")
    };
    assert_eq!(
        make(store, &lee, rich.clone()).unwrap_err().kind,
        Kind::Forbidden
    );
    let made = make(store, &person(T), rich).unwrap();
    assert_eq!(made.detail.budget, Some(MicroUsd::dollars(100)));
}

fn a_task_that_is_given_at_birth_is_assigned_at_once(store: &TestStore) {
    member(store, "jordan", Rank::Specialist, &[]);
    member(store, "riley", Rank::Specialist, &[]);
    let new = NewBoardTask {
        assignees: ["jordan", "riley", "jordan"]
            .map(|it| it.parse().unwrap())
            .into(),
        ..wanted(TaskKind::Content, "For two")
    };
    let made = make(store, &person(T), new).unwrap();
    assert_eq!(made.state, State::Assigned);
    assert_eq!(names(&made), ["jordan", "riley"]);
    for name in ["jordan", "riley"] {
        assert_eq!(
            told(store, name),
            [(Type::Assignment, "For two is yours".to_owned())]
        );
    }
    let id = made.id.clone();
    let steps = store.read(move |tx| tx.transitions(&id)).unwrap();
    let way: Vec<_> = steps.iter().map(|step| (step.from, step.to)).collect();
    assert_eq!(way, [(State::Inbox, State::Assigned)]);
    let id = made.id.clone();
    let followers = store.read(move |tx| tx.subscribers(&id)).unwrap();
    let followers: Vec<&str> = followers.iter().map(Target::as_str).collect();
    assert_eq!(followers, ["@operator", "jordan", "riley"]);
}

fn found(
    store: &TestStore,
    filter: BoardFilter,
    order: BoardOrder,
    descending: bool,
) -> Vec<String> {
    let page = BoardPage {
        order,
        descending,
        offset: 0,
        limit: 50,
    };
    let tasks = store
        .read(move |tx| {
            let tasks = tx.board(&filter, page)?;
            assert_eq!(tx.board_count(&filter)?, tasks.len() as u64);
            Ok(tasks)
        })
        .unwrap();
    tasks.into_iter().map(|task| task.title).collect()
}

fn a_board_is_filtered_searched_and_put_in_order(store: &TestStore) {
    let jordan = member(store, "jordan", Rank::Specialist, &[]);
    member(store, "lee", Rank::Lead, &[]);
    let parent = make(store, &person(T), wanted(TaskKind::Ops, "parent")).unwrap();
    let rows = [
        NewBoardTask {
            priority: Some(1),
            labels: vec!["Blog".into(), "q3".into()],
            due_at: Some(Timestamp(3_000)),
            ..wanted(TaskKind::Content, "urgent")
        },
        NewBoardTask {
            description: Some("50% of Überschriften, a_b".into()),
            labels: vec!["blog".into()],
            due_at: Some(Timestamp(1_000)),
            reviewer: Some("lee".parse().unwrap()),
            ..wanted(TaskKind::Content, "normal")
        },
        NewBoardTask {
            priority: Some(4),
            assignees: vec!["lee".parse().unwrap(), "jordan".parse().unwrap()],
            parent: Some(parent.id.clone()),
            ..wanted(TaskKind::Docs, "low")
        },
    ];
    for row in rows {
        make(store, &person(T), row).unwrap();
    }
    make(store, &jordan, wanted(TaskKind::Social, "jordan's")).unwrap();

    let all = BoardFilter::default();
    let by = |filter: BoardFilter| found(store, filter, BoardOrder::Priority, false);
    assert_eq!(
        by(all.clone()),
        ["urgent", "parent", "normal", "jordan's", "low"]
    );
    let cases: Vec<(BoardFilter, &[&str])> = vec![
        (
            BoardFilter {
                states: vec![State::Assigned],
                ..all.clone()
            },
            &["low"],
        ),
        (
            BoardFilter {
                states: vec![State::Assigned, State::Inbox],
                kinds: vec![TaskKind::Docs, TaskKind::Social],
                ..all.clone()
            },
            &["jordan's", "low"],
        ),
        (
            BoardFilter {
                priority: Some(1),
                ..all.clone()
            },
            &["urgent"],
        ),
        // Who works on it as the second counts too.
        (
            BoardFilter {
                assignee: Some("jordan".parse().unwrap()),
                ..all.clone()
            },
            &["low"],
        ),
        (
            BoardFilter {
                creator: Some("jordan".parse().unwrap()),
                ..all.clone()
            },
            &["jordan's"],
        ),
        (
            BoardFilter {
                reviewer: Some("lee".parse().unwrap()),
                ..all.clone()
            },
            &["normal"],
        ),
        (
            BoardFilter {
                parent: Some(parent.id.clone()),
                ..all.clone()
            },
            &["low"],
        ),
        (
            BoardFilter {
                labels: vec!["blog".into()],
                ..all.clone()
            },
            &["normal"],
        ),
        (
            BoardFilter {
                labels: vec!["Blog".into(), "q3".into()],
                ..all.clone()
            },
            &["urgent"],
        ),
        (
            BoardFilter {
                labels: vec!["Blog".into(), "blog".into()],
                ..all.clone()
            },
            &[],
        ),
        (
            BoardFilter {
                search: Some("BLOG".into()),
                ..all.clone()
            },
            &["urgent", "normal"],
        ),
        (
            BoardFilter {
                search: Some("überSCHRIFT".into()),
                ..all.clone()
            },
            &["normal"],
        ),
        // What a pattern means elsewhere is a character here.
        (
            BoardFilter {
                search: Some("50%".into()),
                ..all.clone()
            },
            &["normal"],
        ),
        (
            BoardFilter {
                search: Some("a_b".into()),
                ..all.clone()
            },
            &["normal"],
        ),
        (
            BoardFilter {
                search: Some("axb".into()),
                ..all.clone()
            },
            &[],
        ),
        (
            BoardFilter {
                unassigned: true,
                kinds: vec![TaskKind::Docs],
                ..all.clone()
            },
            &[],
        ),
    ];
    for (filter, expected) in cases {
        assert_eq!(by(filter.clone()), expected, "{filter:?}");
    }
    let content = BoardFilter {
        kinds: vec![TaskKind::Content, TaskKind::Docs],
        ..all
    };
    let ordered = |order, descending| found(store, content.clone(), order, descending);
    assert_eq!(
        ordered(BoardOrder::DueAt, false),
        ["normal", "urgent", "low"]
    );
    assert_eq!(
        ordered(BoardOrder::DueAt, true),
        ["urgent", "normal", "low"]
    );
    assert_eq!(
        ordered(BoardOrder::CreatedAt, false),
        ["urgent", "normal", "low"]
    );
    assert_eq!(
        ordered(BoardOrder::CreatedAt, true),
        ["low", "normal", "urgent"]
    );
    assert_eq!(
        ordered(BoardOrder::Priority, true),
        ["low", "normal", "urgent"]
    );
}

fn pages_and_totals_agree(store: &TestStore) {
    for number in 0..7 {
        let new = NewBoardTask {
            priority: Some(1 + number % 3),
            ..wanted(TaskKind::Ops, &format!("{number}"))
        };
        make(store, &person(T), new).unwrap();
    }
    let mut seen = Vec::new();
    for offset in (0..8).step_by(2) {
        let page = BoardPage {
            order: BoardOrder::Priority,
            descending: false,
            offset,
            limit: 2,
        };
        let tasks = store
            .read(move |tx| tx.board(&BoardFilter::default(), page))
            .unwrap();
        seen.extend(tasks.into_iter().map(|task| task.title));
    }
    assert_eq!(seen, ["0", "3", "6", "1", "4", "2", "5"]);
}

fn another_tenants_board_is_not_seen(store: &TestStore) {
    let mine = open(store, TaskKind::Ops);
    make(store, &person("u"), wanted(TaskKind::Ops, "theirs")).unwrap();
    let of = |tenant: &str| BoardFilter {
        tenant: Some(tenant.parse().unwrap()),
        ..BoardFilter::default()
    };
    assert_eq!(
        found(store, of("u"), BoardOrder::Priority, false),
        ["theirs"]
    );
    let stranger = agent("u", "riley");
    let error = claim(store, &stranger, &mine).unwrap_err();
    assert_eq!((error.kind, error.code), (Kind::NotFound, "task_not_found"));
}

fn a_claim_of_what_is_free_is_won_once(store: &TestStore) {
    let jordan = member(store, "jordan", Rank::Specialist, &[]);
    let riley = member(store, "riley", Rank::Specialist, &[]);
    let sam = member(store, "sam", Rank::Intern, &[]);
    let task = open(store, TaskKind::Content);
    let error = claim(store, &sam, &task).unwrap_err();
    assert_eq!(error.kind, Kind::Forbidden, "an INTERN takes nothing");

    let won = claim(store, &jordan, &task).unwrap();
    assert_eq!((won.state, names(&won)), (State::Assigned, vec!["jordan"]));
    let lost = claim(store, &riley, &task).unwrap_err();
    assert_eq!(
        (lost.kind, lost.code),
        (Kind::Conflict, "assignment_conflict")
    );
    assert_eq!(lost.details.unwrap()["assigneeIds"][0], "jordan");
    let taken_over = give(store, &riley, &task, &["riley", "jordan"]).unwrap_err();
    assert_eq!(
        taken_over.kind,
        Kind::Forbidden,
        "nor shares what is another's"
    );
    let given_up = give(store, &jordan, &task, &[]).unwrap_err();
    assert_eq!(given_up.kind, Kind::Forbidden);
    assert_eq!(told(store, "jordan"), [], "nobody is told its own doing");
}

fn a_claim_of_ones_own_task_changes_nothing(store: &TestStore) {
    let jordan = member(store, "jordan", Rank::Specialist, &[]);
    let task = open(store, TaskKind::Content);
    let won = claim(store, &jordan, &task).unwrap();
    let before = trail(store, &task);
    assert_eq!(claim(store, &jordan, &task).unwrap(), won);
    assert_eq!(trail(store, &task), before);
    // Even when it may take nothing new any more.
    order(store, "jordan", agent::Command::Pause);
    assert_eq!(claim(store, &jordan, &task).unwrap(), won);
}

fn who_is_held_up_takes_nothing(store: &TestStore) {
    let jordan = member(store, "jordan", Rank::Specialist, &[]);
    let lee = member(store, "lee", Rank::Lead, &[]);
    let task = open(store, TaskKind::Content);
    for (command, code) in [
        (agent::Command::Pause, "agent_paused"),
        (agent::Command::Drain, "agent_drained"),
        (agent::Command::Quarantine, "agent_quarantined"),
    ] {
        order(store, "jordan", command);
        let error = claim(store, &jordan, &task).unwrap_err();
        assert_eq!((error.kind, error.code), (Kind::Forbidden, code));
        let own = NewBoardTask {
            assignees: vec!["jordan".parse().unwrap()],
            ..wanted(TaskKind::Content, "own")
        };
        let error = make(store, &jordan, own).unwrap_err();
        assert_eq!((error.kind, error.code), (Kind::Forbidden, code));
    }
    let error = give(store, &lee, &task, &["jordan"]).unwrap_err();
    assert_eq!(fields(&error), ["assigneeIds"], "nor is it given anything");
    order(store, "jordan", agent::Command::Resume);
    assert_eq!(claim(store, &jordan, &task).unwrap().state, State::Assigned);
    let handle: Handle = "jordan".parse().unwrap();
    let found = store
        .read(move |tx| tx.agent(&T.parse()?, &handle))
        .unwrap();
    assert_eq!(found.unwrap().status, Status::Active);
}

fn nobody_gets_work_of_a_kind_it_does_not_do(store: &TestStore) {
    let jordan = member(store, "jordan", Rank::Specialist, &[TaskKind::Content]);
    let task = open(store, TaskKind::Engineering);
    for who in [jordan, person(T)] {
        let error = give(store, &who, &task, &["jordan"]).unwrap_err();
        assert_eq!(
            (error.kind, error.code),
            (Kind::Conflict, "task_type_not_allowed")
        );
    }
}

fn a_lead_gives_a_task_to_somebody_else_and_both_are_told(store: &TestStore) {
    let lee = member(store, "lee", Rank::Lead, &[]);
    let jordan = member(store, "jordan", Rank::Specialist, &[]);
    member(store, "riley", Rank::Specialist, &[]);
    let task = open(store, TaskKind::Content);
    claim(store, &jordan, &task).unwrap();
    let moved = give(store, &lee, &task, &["riley"]).unwrap();
    assert_eq!(
        (moved.state, names(&moved)),
        (State::Assigned, vec!["riley"])
    );
    assert_eq!(
        told(store, "jordan"),
        [(
            Type::TaskTransition,
            "Some work is no longer yours".to_owned()
        )]
    );
    assert_eq!(
        told(store, "riley"),
        [(Type::Assignment, "Some work is yours".to_owned())]
    );
    let id = task.id.clone();
    let steps = store.read(move |tx| tx.transitions(&id)).unwrap();
    assert_eq!(steps.len(), 1, "it did not move again");
}

fn a_task_without_assignees_goes_back_to_the_inbox(store: &TestStore) {
    let jordan = member(store, "jordan", Rank::Specialist, &[]);
    let task = open(store, TaskKind::Content);
    claim(store, &jordan, &task).unwrap();
    let back = give(store, &person(T), &task, &[]).unwrap();
    assert_eq!((back.state, names(&back).len()), (State::Inbox, 0));
    assert_eq!(
        told(store, "jordan"),
        [(
            Type::TaskTransition,
            "Some work is no longer yours".to_owned()
        )]
    );
    claim(store, &jordan, &task).unwrap();
    assert_eq!(now(store, &task).state, State::Assigned);
}

fn words(title: &str) -> BoardChange {
    BoardChange {
        title: Some(title.to_owned()),
        ..BoardChange::default()
    }
}

fn who_works_on_a_task_changes_its_words_and_not_its_budget(store: &TestStore) {
    let lee = member(store, "lee", Rank::Lead, &[]);
    let jordan = member(store, "jordan", Rank::Specialist, &[]);
    let riley = member(store, "riley", Rank::Specialist, &[]);
    let task = open(store, TaskKind::Content);
    claim(store, &jordan, &task).unwrap();
    assert_eq!(
        change(store, &riley, &task, words("x")).unwrap_err().kind,
        Kind::Forbidden
    );
    for who in [&jordan, &lee, &person(T)] {
        assert_eq!(
            change(store, who, &task, words("new")).unwrap().title,
            "new"
        );
    }
    let rich = BoardChange {
        budget: Some(MicroUsd::dollars(50)),
        ..BoardChange::default()
    };
    for who in [&jordan, &lee] {
        let error = change(store, who, &task, rich.clone()).unwrap_err();
        assert_eq!(error.details.unwrap()["requiredRole"], "OPERATOR");
    }
    let changed = change(store, &person(T), &task, rich).unwrap();
    assert_eq!(changed.detail.budget, Some(MicroUsd::dollars(50)));
    let bad = BoardChange {
        title: Some(String::new()),
        priority: Some(0),
        plan: Some(Plan {
            bullets: vec!["one".into()],
            ..Plan::default()
        }),
        deliverable: Some(Deliverable {
            content: "x".repeat((1 << 20) + 1),
            ..Deliverable::default()
        }),
        ..BoardChange::default()
    };
    let error = change(store, &jordan, &task, bad).unwrap_err();
    assert_eq!(
        fields(&error),
        [
            "title",
            "priority",
            "workPlan.bullets",
            "deliverable.content"
        ]
    );
}

fn who_takes_a_task_may_change_it_in_the_same_breath(store: &TestStore) {
    let jordan = member(store, "jordan", Rank::Specialist, &[]);
    let task = open(store, TaskKind::Content);
    let both = BoardChange {
        assignees: Some(vec!["jordan".parse().unwrap()]),
        ..words("Mine")
    };
    let changed = change(store, &jordan, &task, both).unwrap();
    assert_eq!(
        (changed.state, changed.title.as_str()),
        (State::Assigned, "Mine")
    );
    assert_eq!(now(store, &task), changed);
}

fn a_change_that_changes_nothing_leaves_no_trace(store: &TestStore) {
    let task = open(store, TaskKind::Content);
    let before = trail(store, &task);
    let unchanged = change(store, &person(T), &task, words("Some work")).unwrap();
    assert_eq!(unchanged, task);
    assert_eq!(trail(store, &task), before);
}

fn labels_follow_a_change(store: &TestStore) {
    let new = NewBoardTask {
        labels: vec!["a".into(), "b".into(), "a".into()],
        ..wanted(TaskKind::Ops, "labelled")
    };
    let task = make(store, &person(T), new).unwrap();
    let with = |label: &str| {
        let filter = BoardFilter {
            labels: vec![label.to_owned()],
            ..BoardFilter::default()
        };
        found(store, filter, BoardOrder::Priority, false).len()
    };
    assert_eq!([with("a"), with("b"), with("c")], [1, 1, 0]);
    let labels = BoardChange {
        labels: Some(vec!["c".into(), "b".into()]),
        ..BoardChange::default()
    };
    change(store, &person(T), &task, labels).unwrap();
    assert_eq!([with("a"), with("b"), with("c")], [0, 1, 1]);
}

fn a_gated_task_is_assigned_by_the_same_rules_on_the_other_surface(store: &TestStore) {
    let jordan = member(store, "jordan", Rank::Specialist, &[TaskKind::Content]);
    let riley = member(store, "riley", Rank::Specialist, &[]);
    let write = |who: &Principal, task: &Task, to: &str| {
        let (who, id) = (who.clone(), task.id.clone());
        let change = TaskChange {
            assignee: Some(Some(to.parse().unwrap())),
            ..TaskChange::default()
        };
        store.write(move |tx| task::update(tx, &who, &id, change.clone()))
    };
    let code = write(&jordan, &open(store, TaskKind::Ops), "jordan");
    assert_eq!(code.unwrap_err().code, "task_type_not_allowed");
    let task = open(store, TaskKind::Content);
    let taken = write(&jordan, &task, "jordan").unwrap();
    assert_eq!(
        (taken.state, names(&taken)),
        (State::Assigned, vec!["jordan"])
    );
    let lost = write(&riley, &task, "riley").unwrap_err();
    assert_eq!(lost.code, "assignment_conflict");
    assert_eq!(write(&riley, &task, "jordan").unwrap(), taken, "no change");
}
