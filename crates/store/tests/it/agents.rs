//! Agents: registered, controlled, heard of, lost and spawned (OpenClaw contract §6, §7, §9.4).

use std::time::Duration;

use serde_json::json;
use stationmaster_kernel::agent::{
    self, Agent, AgentFilter, Beat, Change, Command, Health, NewAgent, NewBeat, Order, Rank, Status,
};
use stationmaster_kernel::alert::AlertFilter;
use stationmaster_kernel::event::TrailQuery;
use stationmaster_kernel::kind::TaskKind;
use stationmaster_kernel::message::{self, ActorType, NewMessage};
use stationmaster_kernel::notification::{self, NewNotification, Type};
use stationmaster_kernel::policy::{self, Scope, Source};
use stationmaster_kernel::state::State;
use stationmaster_kernel::task::{self, NewTask, Task};
use stationmaster_kernel::token::{self, NewToken};
use stationmaster_kernel::{ApprovalId, Kind, MicroUsd, Principal, Result, TenantId};

use crate::support::{TestStore, agent, on_both, person};

on_both!(
    a_registered_agent_has_what_its_rank_gives_and_a_token,
    the_rules_say_what_a_rank_gives,
    a_quarantined_agent_writes_nothing_anywhere,
    an_agent_is_registered_once_and_keeps_its_status,
    an_agent_made_at_first_use_can_be_registered,
    agents_are_listed_and_changed_by_operators_only,
    a_new_token_makes_the_others_worthless,
    a_pause_ends_when_its_time_has_come,
    a_quarantine_blocks_what_nobody_else_works_on,
    nothing_but_resuming_ends_a_quarantine,
    errors_in_a_row_pause_and_then_quarantine,
    a_heartbeat_tells_what_waits,
    a_heartbeat_of_an_agent_that_is_not_there_makes_none,
    an_idle_heartbeat_leaves_no_trace_in_the_log,
    a_heartbeat_finds_shared_work_and_offers_what_is_allowed,
    silence_makes_an_agent_offline_and_later_blocks_its_tasks,
    any_write_brings_an_agent_back,
    a_spawned_agent_has_no_more_than_its_parent,
    spawning_stops_at_every_limit,
    spawned_agents_end_with_their_task_or_their_time,
    an_approval_lets_an_agent_spawn_once,
);

const TENANT: &str = "default";

fn tenant() -> TenantId {
    TENANT.parse().unwrap()
}

pub(crate) fn new(id: &str, rank: Rank) -> NewAgent {
    NewAgent {
        handle: id.to_owned(),
        name: id.to_uppercase(),
        emoji: None,
        rank: Some(rank),
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
    }
}

fn register_as(store: &TestStore, who: &Principal, new: NewAgent) -> Result<Agent> {
    let who = who.clone();
    let tenant = who.tenant.as_ref().unwrap();
    let hash = format!("hash of {} of {tenant}", new.handle);
    store.write(move |tx| agent::register(tx, &who, new.clone(), &hash).map(|(agent, _)| agent))
}

fn register(store: &TestStore, new: NewAgent) -> Agent {
    register_as(store, &person(TENANT), new).unwrap()
}

fn specialist(store: &TestStore, id: &str) -> Principal {
    register(store, new(id, Rank::Specialist));
    agent(TENANT, id)
}

fn shown(store: &TestStore, id: &str) -> Agent {
    let handle = id.parse().unwrap();
    store
        .read(move |tx| agent::find(tx, &tenant(), &handle))
        .unwrap()
}

fn order(
    store: &TestStore,
    id: &str,
    command: Command,
    minutes: Option<u64>,
) -> Result<agent::Controlled> {
    let handle = id.parse().unwrap();
    let order = Order {
        command,
        reason: Some("because".to_owned()),
        duration: minutes.map(|minutes| Duration::from_secs(60 * minutes)),
    };
    store.write(move |tx| agent::control(tx, &person(TENANT), &handle, &order))
}

fn quiet() -> NewBeat {
    NewBeat {
        health: Health::Healthy,
        session_key: None,
        current_task: None,
        error: None,
        metadata: None,
        acknowledged: Vec::new(),
    }
}

fn beat(store: &TestStore, id: &str, new: NewBeat) -> Beat {
    let who = agent(TENANT, id);
    store.write(move |tx| agent::beat(tx, &who, &new)).unwrap()
}

/// A task that `id` works on.
fn working(store: &TestStore, id: &str, title: &str) -> Task {
    let new = NewTask {
        title: title.to_owned(),
        assignee: Some(id.parse().unwrap()),
        ..NewTask::default()
    };
    store
        .write(move |tx| task::create(tx, &person(TENANT), new.clone()))
        .unwrap()
}

fn state(store: &TestStore, task: &Task) -> (State, Option<String>) {
    let id = task.id.clone();
    let task = store.read(move |tx| tx.task(&id)).unwrap().unwrap();
    (task.state, task.detail.blocked_reason)
}

fn settle(store: &TestStore) -> u32 {
    store.write(|tx| agent::settle_due(tx, 100)).unwrap()
}

fn move_minutes(store: &TestStore, minutes: u64) {
    store.move_clock(Duration::from_secs(60 * minutes));
}

fn alerts(store: &TestStore) -> Vec<String> {
    let found = store.read(|tx| tx.alerts(&AlertFilter::default(), 0, 100));
    found.unwrap().into_iter().map(|it| it.kind).collect()
}

fn trail(store: &TestStore) -> Vec<&'static str> {
    let query = TrailQuery {
        limit: 100,
        ..TrailQuery::default()
    };
    let events = store.read(move |tx| tx.trail(&query)).unwrap();
    events.iter().rev().map(|event| event.what.kind()).collect()
}

fn check<T: std::fmt::Debug>(outcome: Result<T>, kind: Kind, code: &str) {
    let error = outcome.unwrap_err();
    assert_eq!((error.kind, error.code), (kind, code), "{error}");
}

fn a_registered_agent_has_what_its_rank_gives_and_a_token(store: &TestStore) {
    let (agent, token) = store
        .write(|tx| agent::register(tx, &person(TENANT), new("jordan", Rank::Lead), "h"))
        .unwrap();
    let detail = &agent.detail;
    assert_eq!(detail.budget_daily, Some(MicroUsd::dollars(12)));
    assert_eq!(detail.budget_per_run, Some(MicroUsd::cents(150)));
    assert!(detail.registered && detail.can_spawn);
    assert_eq!(shown(store, "jordan"), agent, "it is kept as it was made");
    let found = store.read(|tx| tx.token_with_hash("h")).unwrap();
    assert_eq!(found, Some(token));
    assert_eq!(trail(store), ["agent.registered", "agent.token_issued"]);
}

fn the_rules_say_what_a_rank_gives(store: &TestStore) {
    let text = "[budget.roles.LEAD]\ndaily = 3.5\nperRun = 0.5\ncanSpawn = false\n";
    store
        .write(move |tx| {
            let document = policy::read(Source::Toml(text))?;
            policy::put(tx, &person(TENANT), &Scope::Global, &document)
        })
        .unwrap();
    let lead = register(store, new("lead", Rank::Lead)).detail;
    assert_eq!(lead.budget_daily, Some(MicroUsd::cents(350)));
    assert_eq!(lead.budget_per_run, Some(MicroUsd::cents(50)));
    assert!(!lead.can_spawn);
    let other = register(store, new("other", Rank::Specialist)).detail;
    assert_eq!(other.budget_daily, Some(MicroUsd::dollars(5)));
}

fn a_quarantined_agent_writes_nothing_anywhere(store: &TestStore) {
    let jordan = specialist(store, "jordan");
    let free = store
        .write(|tx| {
            task::create(
                tx,
                &person(TENANT),
                NewTask {
                    title: "Free".to_owned(),
                    ..NewTask::default()
                },
            )
        })
        .unwrap();
    order(store, "jordan", Command::Quarantine, None).unwrap();
    let (who, id) = (jordan.clone(), free.id.clone());
    let said = store.write(move |tx| {
        message::post(
            tx,
            &who,
            NewMessage {
                task: id.clone(),
                content: "Let me out".to_owned(),
                actor_type: ActorType::Agent,
                actor_id: None,
                agent_role: None,
                attachments: None,
            },
        )
    });
    check(said, Kind::Forbidden, "agent_quarantined");
    let who = jordan.clone();
    let made = store.write(move |tx| {
        task::create(
            tx,
            &who,
            NewTask {
                title: "Mine".to_owned(),
                ..NewTask::default()
            },
        )
    });
    check(made, Kind::Forbidden, "agent_quarantined");
    let written = store.write(move |tx| {
        let change = task::TaskChange {
            title: Some("Mine".to_owned()),
            ..task::TaskChange::default()
        };
        task::update(tx, &jordan, &free.id, change)
    });
    check(written, Kind::Forbidden, "agent_quarantined");
}

fn an_agent_is_registered_once_and_keeps_its_status(store: &TestStore) {
    register(store, new("jordan", Rank::Specialist));
    order(store, "jordan", Command::Pause, None).unwrap();
    let again = register_as(store, &person(TENANT), new("jordan", Rank::Lead));
    check(again, Kind::Conflict, "already_processed");
    let kept = shown(store, "jordan");
    assert_eq!((kept.status, kept.rank), (Status::Paused, Rank::Specialist));
    // Another tenant's agent of that name is another agent.
    register_as(store, &person("acme"), new("jordan", Rank::Lead)).unwrap();
}

fn an_agent_made_at_first_use_can_be_registered(store: &TestStore) {
    let before = {
        store.task(&agent(TENANT, "writer"), "T");
        shown(store, "writer")
    };
    assert!(!before.detail.registered);
    let lead = register_as(store, &person(TENANT), new("lead", Rank::Lead)).unwrap();
    let task = working(store, "lead", "T");
    let takeover = NewAgent {
        parent: Some(lead.handle),
        metadata: json!({"parentTaskId": task.id.as_str(), "purpose": "p"})
            .as_object()
            .cloned(),
        ..new("writer", Rank::Specialist)
    };
    check(
        register_as(store, &agent(TENANT, "lead"), takeover),
        Kind::Conflict,
        "already_processed",
    );
    let after = register(store, new("writer", Rank::Lead));
    assert_eq!((after.id, after.created_at), (before.id, before.created_at));
    assert!(after.detail.registered);
}

fn agents_are_listed_and_changed_by_operators_only(store: &TestStore) {
    let jordan = specialist(store, "jordan");
    register(store, new("lee", Rank::Lead));
    register_as(store, &person("acme"), new("other", Rank::Lead)).unwrap();
    let listed = |filter: AgentFilter| {
        let found = store.read(move |tx| agent::list(tx, &filter, 0, 10));
        let (agents, total) = found.unwrap();
        assert_eq!(agents.len() as u64, total);
        let names = agents.iter().map(|it| it.handle.to_string());
        names.collect::<Vec<_>>()
    };
    let own = AgentFilter {
        tenant: Some(tenant()),
        ..AgentFilter::default()
    };
    assert_eq!(listed(own.clone()), ["jordan", "lee"]);
    assert_eq!(listed(AgentFilter::default()), ["other", "jordan", "lee"]);
    let leads = AgentFilter {
        rank: Some(Rank::Lead),
        ..own
    };
    assert_eq!(listed(leads), ["lee"]);

    let change = Change {
        name: Some("Jo".to_owned()),
        budget_daily: Some(None),
        allowed_kinds: Some(vec![TaskKind::Docs]),
        ..Change::default()
    };
    let handle: stationmaster_kernel::Handle = "jordan".parse().unwrap();
    let (own, asked) = (handle.clone(), change.clone());
    check(
        store.write(move |tx| agent::update(tx, &jordan, &own, asked.clone())),
        Kind::Forbidden,
        "forbidden",
    );
    let changed = store
        .write(move |tx| agent::update(tx, &person(TENANT), &handle, change.clone()))
        .unwrap();
    assert_eq!(changed.detail.name, "Jo");
    assert_eq!(changed.detail.budget_daily, None);
    assert_eq!(changed.detail.allowed_kinds, [TaskKind::Docs]);
    assert_eq!(shown(store, "jordan"), changed);
}

fn a_new_token_makes_the_others_worthless(store: &TestStore) {
    let jordan = specialist(store, "jordan");
    let handle = jordan.handle().unwrap().clone();
    let mint = |who: &Principal, hash: &str, revoke_others| {
        let (who, handle) = (who.clone(), handle.clone());
        let new = NewToken {
            hash: hash.to_owned(),
            lifetime: Some(Duration::from_secs(60)),
            revoke_others,
        };
        store.write(move |tx| token::mint(tx, &who, &handle, &new))
    };
    let is_good = |hash: &'static str| {
        store
            .read(move |tx| {
                let now = tx.now();
                Ok(tx.token_with_hash(hash)?.is_some_and(|it| it.is_good(now)))
            })
            .unwrap()
    };
    check(mint(&jordan, "x", true), Kind::Forbidden, "forbidden");
    mint(&person(TENANT), "second", false).unwrap();
    assert!(is_good("hash of jordan of default") && is_good("second"));
    let third = mint(&person(TENANT), "third", true).unwrap();
    assert!(!is_good("hash of jordan of default") && !is_good("second") && is_good("third"));
    store.move_clock(Duration::from_secs(60));
    assert!(!is_good("third"), "it has expired");
    store.move_clock(Duration::ZERO);
    let (name, id) = (handle.clone(), third.id);
    for _ in 0..2 {
        let (name, id) = (name.clone(), id.clone());
        store
            .write(move |tx| token::revoke(tx, &person(TENANT), &name, &id))
            .unwrap();
    }
    assert!(!is_good("third"));
    let revoked = trail(store);
    let revoked = revoked
        .iter()
        .filter(|kind| **kind == "agent.token_revoked");
    assert_eq!(revoked.count(), 3, "each once");
}

fn a_pause_ends_when_its_time_has_come(store: &TestStore) {
    specialist(store, "jordan");
    let paused = order(store, "jordan", Command::Pause, Some(10)).unwrap();
    assert_eq!(paused.agent.status, Status::Paused);
    assert!(paused.affected.is_empty());
    move_minutes(store, 9);
    assert_eq!(settle(store), 0, "nothing is due");
    move_minutes(store, 11);
    assert_eq!(
        shown(store, "jordan").status,
        Status::Active,
        "seen at once"
    );
    assert_eq!(settle(store), 1);
    assert_eq!(settle(store), 0, "written once");
    assert_eq!(
        trail(store)[2..],
        ["agent.status_changed", "agent.status_changed"]
    );
}

fn a_quarantine_blocks_what_nobody_else_works_on(store: &TestStore) {
    specialist(store, "jordan");
    let own = working(store, "jordan", "Own");
    let shared = working(store, "jordan", "Shared");
    let id = shared.id.clone();
    store
        .write(move |tx| {
            let mut task = tx.task(&id)?.unwrap();
            task.detail.others = vec!["riley".parse().unwrap()];
            tx.update_task(&task)
        })
        .unwrap();
    let done = order(store, "jordan", Command::Quarantine, None).unwrap();
    assert_eq!(done.agent.status, Status::Quarantined);
    let affected: Vec<_> = done.affected.iter().map(|task| &task.id).collect();
    assert_eq!(affected, [&own.id]);
    let reason = Some("assignee quarantined: because".to_owned());
    assert_eq!(state(store, &own), (State::Blocked, reason));
    assert_eq!(state(store, &shared).0, State::InProgress);
}

fn nothing_but_resuming_ends_a_quarantine(store: &TestStore) {
    specialist(store, "jordan");
    beat(store, "jordan", quiet());
    order(store, "jordan", Command::Quarantine, None).unwrap();
    for command in [Command::Pause, Command::Drain] {
        let refused = order(store, "jordan", command, None);
        check(refused, Kind::Conflict, "invalid_transition");
    }
    move_minutes(store, 24 * 60);
    settle(store);
    let told = beat(store, "jordan", quiet());
    assert_eq!(told.agent.status, Status::Quarantined);
    assert!(told.claimable.is_empty());
    let resumed = order(store, "jordan", Command::Resume, None).unwrap().agent;
    assert_eq!(resumed.status, Status::Active);
    assert_eq!(shown(store, "jordan").status, Status::Active);
}

fn errors_in_a_row_pause_and_then_quarantine(store: &TestStore) {
    specialist(store, "jordan");
    let task = working(store, "jordan", "T");
    let err = || {
        let said = NewBeat {
            error: Some("boom".to_owned()),
            ..quiet()
        };
        let agent = beat(store, "jordan", said).agent;
        (agent.detail.error_streak, agent.status)
    };
    assert_eq!(err(), (1, Status::Active));
    assert_eq!(err(), (2, Status::Active));
    assert_eq!(
        beat(store, "jordan", quiet()).agent.detail.error_streak,
        2,
        "being well resets nothing; a run that succeeds does"
    );
    assert_eq!(err(), (3, Status::Paused));
    let reason = shown(store, "jordan").detail.status_reason;
    assert_eq!(reason.as_deref(), Some("3 errors in a row"));
    assert_eq!(err(), (4, Status::Paused));
    assert_eq!(err(), (5, Status::Quarantined));
    assert_eq!(state(store, &task).0, State::Blocked);
    assert_eq!(alerts(store), ["AGENT_QUARANTINED", "AGENT_PAUSED"]);
    let restarted = order(store, "jordan", Command::Restart, None)
        .unwrap()
        .agent;
    assert_eq!(restarted.detail.error_streak, 0);
    assert_eq!(restarted.detail.last_error, None);
    assert_eq!(err(), (1, Status::Active));
    store
        .write(|tx| {
            let mut agent = tx.agent(&tenant(), &"jordan".parse()?)?.unwrap();
            agent::note_success(tx, &mut agent)
        })
        .unwrap();
    assert_eq!(shown(store, "jordan").detail.error_streak, 0);
}

fn notify(store: &TestStore, target: &str, content: &str) -> notification::Notification {
    let new = NewNotification {
        target: target.parse().unwrap(),
        kind: Type::Mention,
        content: content.to_owned(),
        task: None,
        metadata: None,
    };
    store
        .write(move |tx| notification::create(tx, &person(TENANT), new.clone()))
        .unwrap()
}

fn a_heartbeat_tells_what_waits(store: &TestStore) {
    specialist(store, "jordan");
    specialist(store, "riley");
    let begun = working(store, "jordan", "Begun");
    let foreign = working(store, "riley", "Foreign");
    store
        .write(|tx| {
            let new = NewTask {
                title: "Free".to_owned(),
                status: Some("pending".to_owned()),
                ..NewTask::default()
            };
            task::create(tx, &person(TENANT), new)
        })
        .unwrap();
    let (mine, other) = (notify(store, "jordan", "1"), notify(store, "riley", "2"));
    let at_it = NewBeat {
        current_task: Some(begun.id.clone()),
        session_key: Some("s1".to_owned()),
        ..quiet()
    };
    let told = beat(store, "jordan", at_it);
    assert!(told.warnings.is_empty(), "{:?}", told.warnings);
    assert_eq!(told.agent.detail.current_task, Some(begun.id.clone()));
    assert_eq!(told.agent.detail.session_key.as_deref(), Some("s1"));
    let contents: Vec<_> = told.notifications.iter().map(|it| &it.content).collect();
    assert!(contents.contains(&&"1".to_owned()), "{contents:?}");
    let shown_before = told.notifications.len();
    assert_eq!(told.assigned.len(), 1);
    let claimable: Vec<_> = told.claimable.iter().map(|task| &task.title).collect();
    assert_eq!(claimable, ["Free"]);

    let wrong = NewBeat {
        current_task: Some(foreign.id.clone()),
        acknowledged: vec![mine.id.clone(), other.id.clone()],
        ..quiet()
    };
    let told = beat(store, "jordan", wrong);
    assert_eq!(told.warnings.len(), 2, "{:?}", told.warnings);
    assert_eq!(told.agent.detail.current_task, Some(begun.id), "kept");
    assert_eq!(told.notifications.len(), shown_before - 1);
    assert!(!beat(store, "riley", quiet()).notifications.is_empty());

    notify(store, "jordan", "late");
    move_minutes(store, 24 * 60 + 1);
    assert!(beat(store, "jordan", quiet()).notifications.is_empty());
}

fn a_heartbeat_of_an_agent_that_is_not_there_makes_none(store: &TestStore) {
    let who = agent(TENANT, "nobody");
    check(
        store.write(move |tx| agent::beat(tx, &who, &quiet()).map(|_| ())),
        Kind::NotFound,
        "agent_not_found",
    );
    let count = store.read(|tx| tx.agent_count(&AgentFilter::default()));
    assert_eq!(count.unwrap(), 0);
}

fn an_idle_heartbeat_leaves_no_trace_in_the_log(store: &TestStore) {
    specialist(store, "jordan");
    beat(store, "jordan", quiet());
    let newest = || store.read(|tx| tx.newest_event()).unwrap();
    let before = newest();
    for _ in 0..3 {
        beat(store, "jordan", quiet());
    }
    assert_eq!(newest(), before);
    let busy = NewBeat {
        health: Health::Busy,
        ..quiet()
    };
    beat(store, "jordan", busy);
    assert!(newest() > before, "another health is news");
}

/// A task as the board of gated tasks holds it.
fn put(store: &TestStore, title: &str, change: impl Fn(&mut Task) + Send + 'static) {
    let new = NewTask {
        title: title.to_owned(),
        status: Some("pending".to_owned()),
        ..NewTask::default()
    };
    store
        .write(move |tx| {
            let mut task = task::create(tx, &person(TENANT), new.clone())?;
            change(&mut task);
            tx.update_task(&task)
        })
        .unwrap();
}

fn a_heartbeat_finds_shared_work_and_offers_what_is_allowed(store: &TestStore) {
    let docs = NewAgent {
        allowed_kinds: Some(vec![TaskKind::Docs, TaskKind::Content]),
        ..new("jordan", Rank::Specialist)
    };
    register(store, docs);
    register(store, new("riley", Rank::Specialist));
    register(store, new("intern", Rank::Intern));
    for (title, kind, priority) in [
        ("Later docs", Some(TaskKind::Docs), 3),
        ("Urgent content", Some(TaskKind::Content), 1),
        ("Ops", Some(TaskKind::Ops), 1),
        ("Untyped", None, 2),
        ("Docs now", Some(TaskKind::Docs), 2),
    ] {
        put(store, title, move |task| {
            (task.kind, task.priority) = (kind, priority);
        });
    }
    put(store, "Taken", |task| {
        task.assign(&["riley".parse().unwrap()])
    });
    put(store, "Ours", |task| {
        task.assign(&["riley".parse().unwrap(), "jordan".parse().unwrap()]);
        task.set_state(State::Assigned);
    });
    put(store, "Mine", |task| {
        task.assign(&["jordan".parse().unwrap()]);
        task.priority = 4;
        task.set_state(State::InProgress);
    });
    put(store, "Over", |task| {
        task.assign(&["jordan".parse().unwrap()]);
        task.set_state(State::Done);
    });
    let titles = |tasks: &[Task]| {
        let titles = tasks.iter().map(|task| task.title.clone());
        titles.collect::<Vec<_>>()
    };
    let told = beat(store, "jordan", quiet());
    assert_eq!(titles(&told.assigned), ["Mine", "Ours"], "begun ones first");
    assert_eq!(
        titles(&told.claimable),
        ["Urgent content", "Docs now", "Later docs"]
    );
    let told = beat(store, "riley", quiet());
    assert_eq!(titles(&told.assigned), ["Ours"]);
    assert_eq!(
        titles(&told.claimable),
        ["Urgent content", "Ops", "Untyped", "Docs now", "Later docs"]
    );
    assert!(beat(store, "intern", quiet()).claimable.is_empty());
    let portrait = |id: &str| {
        let handle = id.parse().unwrap();
        store
            .read(move |tx| agent::portrait(tx, &tenant(), &handle))
            .unwrap()
    };
    let seen = portrait("jordan");
    assert_eq!((seen.tasks_completed, seen.tasks_in_progress), (1, 1));
    assert_eq!(portrait("riley").tasks_completed, 0);
}

fn silence_makes_an_agent_offline_and_later_blocks_its_tasks(store: &TestStore) {
    specialist(store, "jordan");
    specialist(store, "never");
    let task = working(store, "jordan", "T");
    beat(store, "jordan", quiet());
    move_minutes(store, 29);
    assert_eq!(settle(store), 0);
    move_minutes(store, 32);
    assert_eq!(
        shown(store, "jordan").status,
        Status::Offline,
        "seen at once"
    );
    assert_eq!(settle(store), 1);
    assert_eq!(settle(store), 0);
    assert_eq!(alerts(store), ["AGENT_OFFLINE"]);
    assert_eq!(state(store, &task).0, State::InProgress);
    assert_eq!(shown(store, "never").status, Status::Active, "never beaten");
    move_minutes(store, 65);
    assert_eq!(settle(store), 1);
    assert_eq!(settle(store), 0);
    let reason = Some("assignee offline".to_owned());
    assert_eq!(state(store, &task), (State::Blocked, reason));
    let back = beat(store, "jordan", quiet()).agent;
    assert_eq!(back.status, Status::Active);
    move_minutes(store, 120);
    assert_eq!(settle(store), 1, "it may go again");
    assert_eq!(alerts(store).len(), 2);
}

fn any_write_brings_an_agent_back(store: &TestStore) {
    let jordan = specialist(store, "jordan");
    beat(store, "jordan", quiet());
    move_minutes(store, 40);
    settle(store);
    store.task(&jordan, "A sign of life");
    assert_eq!(shown(store, "jordan").status, Status::Active);
    move_minutes(store, 60);
    store.task(&jordan, "Another");
    move_minutes(store, 80);
    assert_eq!(settle(store), 0, "who works is not silent");
    move_minutes(store, 100);
    assert_eq!(settle(store), 1);
    assert_eq!(shown(store, "jordan").status, Status::Offline);
}

fn child(parent: &str, id: &str, task: &Task) -> NewAgent {
    let metadata = json!({"parentTaskId": task.id.as_str(), "purpose": "Look it up"});
    NewAgent {
        rank: None,
        parent: Some(parent.parse().unwrap()),
        metadata: metadata.as_object().cloned(),
        ..new(id, Rank::Specialist)
    }
}

fn a_spawned_agent_has_no_more_than_its_parent(store: &TestStore) {
    let parent = NewAgent {
        allowed_kinds: Some(vec![TaskKind::Docs, TaskKind::Content]),
        allowed_tools: Some(vec!["read".to_owned(), "exec".to_owned()]),
        budget_daily: Some(MicroUsd::dollars(2)),
        ..new("jordan", Rank::Specialist)
    };
    register(store, parent);
    let jordan = agent(TENANT, "jordan");
    let task = working(store, "jordan", "T");
    let spawn = |new: NewAgent| register_as(store, &jordan, new);

    let made = spawn(child("jordan", "kid", &task)).unwrap();
    assert_eq!(made.rank, Rank::Specialist);
    assert_eq!(made.detail.budget_daily, Some(MicroUsd::dollars(2)));
    assert_eq!(made.detail.budget_per_run, Some(MicroUsd::cents(75)));
    assert_eq!(made.detail.allowed_kinds.len(), 2);
    assert_eq!(made.detail.allowed_tools.as_ref().unwrap().len(), 2);
    assert_eq!(made.detail.depth, 1);
    assert_eq!(made.detail.parent_task, Some(task.id.clone()));

    let base = child("jordan", "greedy", &task);
    let refused = |new: NewAgent, kind, code| check(spawn(new), kind, code);
    refused(
        NewAgent {
            rank: Some(Rank::Lead),
            ..base.clone()
        },
        Kind::Forbidden,
        "forbidden",
    );
    refused(
        NewAgent {
            allowed_kinds: Some(vec![TaskKind::Ops]),
            ..base.clone()
        },
        Kind::Conflict,
        "task_type_not_allowed",
    );
    refused(
        NewAgent {
            allowed_tools: Some(vec!["deploy".to_owned()]),
            ..base.clone()
        },
        Kind::Forbidden,
        "forbidden",
    );
    refused(
        NewAgent {
            budget_daily: Some(MicroUsd::dollars(3)),
            ..base.clone()
        },
        Kind::OverBudget,
        "budget_exceeded",
    );
    refused(
        NewAgent {
            parent: Some("riley".parse().unwrap()),
            ..base.clone()
        },
        Kind::Forbidden,
        "agent_mismatch",
    );
    let bare = NewAgent {
        parent: None,
        metadata: None,
        ..base.clone()
    };
    let fields: Vec<_> = spawn(bare)
        .unwrap_err()
        .problems
        .into_iter()
        .map(|it| it.field)
        .collect();
    assert_eq!(
        fields,
        ["parentAgentId", "metadata.purpose", "metadata.parentTaskId"]
    );
    order(store, "jordan", Command::Pause, None).unwrap();
    refused(base, Kind::Forbidden, "agent_paused");
}

fn spawning_stops_at_every_limit(store: &TestStore) {
    let lead = |id: &str| NewAgent {
        budget_daily: Some(MicroUsd::dollars(1000)),
        ..new(id, Rank::Lead)
    };
    let spawn = |parent: &str, id: &str, task: &Task| {
        register_as(store, &agent(TENANT, parent), child(parent, id, task))
    };
    let passed = |outcome: Result<Agent>, rule: &str| {
        let error = outcome.unwrap_err();
        assert_eq!((error.kind, error.code), (Kind::Conflict, "spawn_limit"));
        assert_eq!(error.details.unwrap()["limit"], rule);
    };
    register(store, lead("lee"));
    let task = working(store, "lee", "T");
    for number in 0..3 {
        spawn("lee", &format!("kid-{number}"), &task).unwrap();
    }
    passed(spawn("lee", "kid-3", &task), "spawn_max_per_parent");
    let other = working(store, "lee", "U");
    passed(spawn("lee", "kid-3", &other), "spawn_max_per_parent");

    // Deeper and deeper.
    let deep = working(store, "kid-0", "V");
    spawn("kid-0", "grandkid", &deep).unwrap();
    let deeper = working(store, "grandkid", "W");
    passed(spawn("grandkid", "too-deep", &deeper), "spawn_depth");

    // 4 live so far; operators' own agents count for nothing.
    for number in 0..26 {
        let parent = format!("lead-{number}");
        register(store, lead(&parent));
        let task = working(store, &parent, "X");
        spawn(&parent, &format!("{parent}-kid"), &task).unwrap();
    }
    register(store, lead("last"));
    let task = working(store, "last", "Y");
    passed(spawn("last", "one-too-many", &task), "spawn_max_active");
    register(store, new("an-operators", Rank::Lead));

    register(store, new("intern", Rank::Intern));
    let task = working(store, "intern", "Z");
    check(spawn("intern", "kid", &task), Kind::Forbidden, "forbidden");
    let quiet = specialist(store, "quiet");
    let not_its_own = register_as(store, &quiet, child("quiet", "kid", &task));
    check(not_its_own, Kind::Forbidden, "forbidden");
}

fn spawned_agents_end_with_their_task_or_their_time(store: &TestStore) {
    specialist(store, "jordan");
    let task = working(store, "jordan", "T");
    let spawn = |id: &str| {
        register_as(store, &agent(TENANT, "jordan"), child("jordan", id, &task)).unwrap()
    };
    spawn("first");
    let held = working(store, "first", "Sub");
    move_minutes(store, 6 * 60 - 1);
    assert_eq!(settle(store), 0);
    move_minutes(store, 6 * 60 + 1);
    assert_eq!(settle(store), 1);
    let gone = shown(store, "first");
    assert!(gone.detail.closed);
    assert_eq!(gone.status, Status::Offline);
    let reason = Some("assignee closed".to_owned());
    assert_eq!(state(store, &held), (State::Blocked, reason));
    let tokens = store
        .read(|tx| tx.tokens(&tenant(), &"first".parse()?))
        .unwrap();
    assert!(tokens.iter().all(|token| token.revoked_at.is_some()));
    check(
        order(store, "first", Command::Resume, None),
        Kind::Conflict,
        "agent_closed",
    );
    let grave = store.write(|tx| {
        let new = NewTask {
            title: "From the grave".to_owned(),
            ..NewTask::default()
        };
        task::create(tx, &agent(TENANT, "first"), new)
    });
    check(grave, Kind::Forbidden, "agent_closed");
    assert_eq!(
        shown(store, "first").status,
        Status::Offline,
        "it stays closed"
    );
    // It counts no more.
    spawn("second");
    spawn("third");
    spawn("fourth");
}

fn an_approval_lets_an_agent_spawn_once(store: &TestStore) {
    use stationmaster_kernel::approval::{self, Ask, Decision, NewApproval, Risk};
    let barred = NewAgent {
        can_spawn: Some(false),
        ..new("jordan", Rank::Specialist)
    };
    register(store, barred);
    let jordan = agent(TENANT, "jordan");
    let task = working(store, "jordan", "T");
    let refused = register_as(store, &jordan, child("jordan", "kid", &task));
    check(refused, Kind::Forbidden, "policy_violation");
    let asker = jordan.clone();
    store
        .write(move |tx| {
            let new = NewApproval {
                task: None,
                title: "Spawn a reader".to_owned(),
                justification: "Much to read".to_owned(),
                interface: None,
                scope: None,
                risk: Risk::Medium,
            };
            let mut asked = approval::request(tx, &asker, new)?;
            asked.id = ApprovalId::new("approval_spawn");
            asked.position = tx.next_position()?;
            asked.detail.ask = Some(Ask::Spawn);
            tx.insert_approval(&asked)?;
            approval::decide(tx, &person(TENANT), &asked.id, Decision::Approve, None)
        })
        .unwrap();
    register_as(store, &jordan, child("jordan", "kid", &task)).unwrap();
    let again = register_as(store, &jordan, child("jordan", "kid-2", &task));
    check(again, Kind::Forbidden, "policy_violation");
}
