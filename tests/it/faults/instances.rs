//! Two instances on one PostgreSQL: one set of rows, one log, one turn for each key (design §2).

use std::collections::BTreeSet;
use std::process::Command;

use futures::future::join_all;
use serde_json::{Value, json};
use stationmaster_testkit::model::{Step, StubModel};
use stationmaster_testkit::postgres::{self, TestDatabase};
use stationmaster_testkit::server::ServerBuilder;

use super::turns::{send_off, soon};
use crate::agent_runtime::crew::{Clock, SEND, said, thinking, turn, woken};
use crate::support::wait::eventually;
use crate::support::{Api, Caller, Json as _};

/// Two servers that share a database, a clock and a model, with data directories of their own.
struct Pair {
    one: Api,
    other: Api,
    model: StubModel,
    clock: Clock,
    database: TestDatabase,
}

impl Pair {
    /// Both without dispatchers.
    fn quiet() -> Self {
        Self::of(thinking)
    }

    /// Both with dispatchers.
    fn woken() -> Self {
        Self::of(woken)
    }

    fn of(builder: fn(&StubModel) -> ServerBuilder) -> Self {
        let (database, model, clock) = (postgres::database(), StubModel::start(), Clock::new());
        let [one, other] = [(); 2].map(|()| start(builder(&model), &database, &clock));
        Self {
            one,
            other,
            model,
            clock,
            database,
        }
    }

    fn instance(&self, number: usize) -> &Api {
        [&self.one, &self.other][number % 2]
    }
}

fn start(builder: ServerBuilder, database: &TestDatabase, clock: &Clock) -> Api {
    let server = builder.argument("--database").argument(database.url());
    Api::of(clock.moves(server).start())
}

fn owner(api: &Api) -> Caller {
    api.agent("acme", "owner")
}

/// Lets every lease run out that somebody took before; whoever waits for one looks again when
/// something is committed.
async fn let_leases_run_out(clock: &Clock, api: &Api) {
    clock.set(3600);
    owner(api).task("Tick").await;
}

fn signal(api: &Api, name: &str) {
    let id = api.server.id().to_string();
    let sent = Command::new("kill").args([name, &id]).status();
    assert!(sent.unwrap().success());
}

#[tokio::test]
async fn creates_with_one_key_at_both_make_one_row_and_get_the_same_bytes() {
    let pair = Pair::quiet();
    let creates = |path: &'static str, body: Value| {
        let send = |number| {
            let caller = owner(pair.instance(number));
            let body = body.clone();
            async move { caller.post(path, body).await }
        };
        join_all((0..40).map(send))
    };
    let task = owner(&pair.one).task("The thread").await;
    for (path, body) in [
        ("tasks", json!({"title": "T", "idempotency_key": "k"})),
        (
            "messages",
            json!({"task_id": task, "content": "C", "idempotency_key": "k"}),
        ),
        (
            "documents",
            json!({"task_id": task, "title": "T", "content": "C", "idempotency_key": "k"}),
        ),
    ] {
        let before = owner(&pair.one).items(path).await.len();
        let answers = creates(path, body).await;
        for answer in &answers {
            answer.ok();
            assert_eq!(answer.text, answers[0].text, "{path}");
        }
        for number in 0..2 {
            let rows = owner(pair.instance(number)).items(path).await;
            assert_eq!(rows.len(), before + 1, "{path}");
        }
    }
}

#[tokio::test]
async fn each_sees_the_events_of_both_in_one_order() {
    let pair = Pair::quiet();
    let mut at_one = owner(&pair.one).events("").await;
    let mut at_other = owner(&pair.other).events("").await;
    let creates = (0..60).map(|number| {
        let caller = owner(pair.instance(number));
        async move { caller.task(&format!("{number}")).await }
    });
    let made: BTreeSet<String> = join_all(creates).await.into_iter().collect();
    let mut sights = Vec::new();
    for events in [&mut at_one, &mut at_other] {
        let frames = events.take(made.len()).await;
        let ids: Vec<i64> = frames.iter().map(|frame| frame.id.unwrap()).collect();
        assert!(ids.is_sorted_by(|a, b| a < b), "{ids:?}");
        let tasks: BTreeSet<String> = frames.iter().map(|it| it.json()["data"].id()).collect();
        assert_eq!(tasks, made, "none missed and none twice");
        sights.push(ids);
    }
    assert_eq!(sights[0], sights[1]);
    // Who begins at the start, at either, sees the same.
    for number in 0..2 {
        let mut again = owner(pair.instance(number))
            .events("?last_event_id=0")
            .await;
        let frames = again.take(made.len()).await;
        let ids: Vec<i64> = frames.iter().map(|frame| frame.id.unwrap()).collect();
        assert_eq!(ids, sights[0]);
    }
}

#[tokio::test]
async fn one_key_sent_to_both_at_once_is_one_turn() {
    let pair = Pair::quiet();
    pair.model.push(Step::Hang);
    let sends = (0..8).map(|number| {
        let caller = pair.instance(number).stranger();
        async move {
            caller
                .post(SEND, turn(json!({"idempotency_key": "k"})))
                .await
        }
    });
    let release = async {
        assert!(pair.model.wait_for_requests(1, soon()).await);
        // The others have had the time of some requests to come in and wait.
        for number in 0..6 {
            owner(pair.instance(number)).items("tasks").await;
        }
        pair.model.release();
    };
    let (answers, ()) = tokio::join!(join_all(sends), release);
    for answer in &answers {
        answer.ok();
        assert_eq!(answer.text, answers[0].text);
    }
    assert_eq!(pair.model.request_count(), 1);
    assert_eq!(said(&owner(&pair.other)).await, ["Write the plan"]);
}

#[tokio::test]
async fn one_new_title_sent_to_both_at_once_is_one_task() {
    let pair = Pair::quiet();
    let sends = (0..8).map(|number| {
        let caller = pair.instance(number).stranger();
        async move { caller.post(SEND, turn(json!({}))).await.ok()["task_id"].clone() }
    });
    let ids = join_all(sends).await;
    assert!(ids.iter().all(|id| *id == ids[0]), "{ids:?}");
    assert_eq!(owner(&pair.one).items("tasks").await.len(), 1);
    assert_eq!(said(&owner(&pair.one)).await.len(), 8);
}

#[tokio::test]
async fn each_notification_is_one_turn_however_many_dispatch() {
    let pair = Pair::woken();
    let mut tasks = Vec::new();
    for number in 0..10 {
        let role = format!("writer{number}");
        tasks.push(pair.one.agent("acme", &role).task(&role).await);
    }
    let says = (0..40).map(|number| {
        let caller = owner(pair.instance(number));
        let task = tasks[number % tasks.len()].clone();
        let message =
            json!({"task_id": task, "content": format!("{number}"), "actor_type": "user"});
        async move { caller.post("messages", message).await.ok() }
    });
    join_all(says).await;
    eventually("all are delivered", async || {
        let all = owner(&pair.one)
            .items("notifications?all=true&limit=100")
            .await;
        let open = all.iter().any(|it| it["delivered_at"].is_null());
        (all.len() == 40 && !open).then_some(())
    })
    .await;
    assert_eq!(pair.model.request_count(), 40);
    let mut said = said(&owner(&pair.other)).await;
    said.sort();
    let mut expected: Vec<String> = (0..40)
        .flat_map(|number| [format!("{number}"), format!("{number}")])
        .collect();
    expected.sort();
    assert_eq!(said, expected, "each was asked and answered once");
}

#[tokio::test]
async fn a_turn_whose_instance_was_killed_is_taken_over_by_one_that_waits_for_it() {
    let mut pair = Pair::quiet();
    let asked = turn(json!({"idempotency_key": "k"}));
    pair.model.push(Step::Hang);
    let cut_off = send_off(pair.one.stranger(), asked.clone());
    assert!(pair.model.wait_for_requests(1, soon()).await);
    let waiting = send_off(pair.other.stranger(), asked);
    pair.one.server.kill();
    cut_off.ends_unanswered().await;
    pair.model.push(Step::text("Done."));
    // Nobody took it over before its time.
    owner(&pair.other).task("Tock").await;
    assert_eq!(pair.model.request_count(), 1);
    let_leases_run_out(&pair.clock, &pair.other).await;
    assert_eq!(waiting.answer().await.ok()["response"], "Done.");
    assert_eq!(said(&owner(&pair.other)).await, ["Done."]);
    assert_eq!(pair.model.request_count(), 2);
}

#[tokio::test]
async fn a_notification_whose_instance_was_killed_is_answered_by_the_other() {
    let (database, model, clock) = (postgres::database(), StubModel::start(), Clock::new());
    let mut one = start(woken(&model), &database, &clock);
    let task = one.agent("acme", "writer").task("Launch").await;
    // What it did before it was killed is neither paid for nor done again.
    let create = Step::tool("create_task", json!({"title": "Sub"}));
    model.push_all([create, Step::Hang, Step::text("Done.")]);
    let message = json!({"task_id": task, "content": "Go", "actor_type": "user"});
    owner(&one).post("messages", message).await.ok();
    assert!(model.wait_for_requests(2, soon()).await);
    let other = start(woken(&model), &database, &clock);
    one.server.kill();
    let_leases_run_out(&clock, &other).await;
    eventually("it is delivered", async || {
        let all = owner(&other).items("notifications?all=true").await;
        (!all[0]["delivered_at"].is_null()).then_some(())
    })
    .await;
    assert_eq!(said(&owner(&other)).await, ["Go", "Done."]);
    assert_eq!(owner(&other).items("tasks?title=Sub").await.len(), 1);
    assert_eq!(model.request_count(), 3);
}

#[tokio::test]
async fn an_instance_that_was_asleep_past_its_lease_posts_no_second_reply() {
    let pair = Pair::quiet();
    let asked = turn(json!({"idempotency_key": "k"}));
    pair.model.push(Step::Hang);
    let late = send_off(pair.one.stranger(), asked.clone());
    assert!(pair.model.wait_for_requests(1, soon()).await);
    signal(&pair.one, "-STOP");
    pair.model.push(Step::text("Done."));
    let_leases_run_out(&pair.clock, &pair.other).await;
    let answer = pair.other.stranger().post(SEND, asked.clone()).await;
    assert_eq!(answer.ok()["response"], "Done.");
    signal(&pair.one, "-CONT");
    pair.model.release();
    // The sleeper's model has answered it something else by now, and nobody gets to read that.
    let late = late.answer().await;
    assert!(late.status != 200 || late.text == answer.text, "{late:?}");
    for number in 0..2 {
        assert_eq!(said(&owner(pair.instance(number))).await, ["Done."]);
        let again = pair.instance(number).stranger();
        assert_eq!(again.post(SEND, asked.clone()).await.text, answer.text);
    }
    assert_eq!(pair.model.request_count(), 2);
}

#[tokio::test]
async fn an_instance_that_wakes_up_while_another_is_at_its_turn_posts_nothing() {
    let pair = Pair::quiet();
    let asked = turn(json!({"idempotency_key": "k"}));
    pair.model.push_all([Step::Hang, Step::Hang]);
    let late = send_off(pair.one.stranger(), asked.clone());
    assert!(pair.model.wait_for_requests(1, soon()).await);
    signal(&pair.one, "-STOP");
    // Its model answers while it sleeps.
    pair.model.release();
    let_leases_run_out(&pair.clock, &pair.other).await;
    let other = send_off(pair.other.stranger(), asked.clone());
    assert!(pair.model.wait_for_requests(2, soon()).await);
    signal(&pair.one, "-CONT");
    let late = late.answer().await;
    assert_ne!(
        late.status, 200,
        "the turn is not its own any more: {late:?}"
    );
    assert_eq!(said(&owner(&pair.one)).await, [""; 0]);
    pair.model.release();
    let answer = other.answer().await.ok();
    let posted = owner(&pair.other).items("messages").await;
    assert_eq!(posted.len(), 1);
    assert_eq!(posted[0]["id"], answer["message_id"]);
}

#[tokio::test]
async fn an_instance_that_joins_later_sees_everything() {
    let pair = Pair::quiet();
    let asked = turn(json!({"idempotency_key": "k"}));
    let first = pair.one.stranger().post(SEND, asked.clone()).await;
    first.ok();
    let third = start(thinking(&pair.model), &pair.database, &pair.clock);
    assert_eq!(third.stranger().post(SEND, asked).await.text, first.text);
    assert_eq!(owner(&third).items("tasks").await.len(), 1);
    assert_eq!(pair.model.request_count(), 1);
}
