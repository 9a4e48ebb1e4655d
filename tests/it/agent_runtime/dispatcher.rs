//! The built-in dispatcher: what is said to agents wakes them (backend §9, agent runtime §12).

use serde_json::{Value, json};
use stationmaster_testkit::model::{Step, StubModel};

use super::crew::{Clock, said, thread, woken};
use crate::support::wait::eventually;
use crate::support::{Api, Caller, Json as _};

/// A server that wakes agents.
struct Office {
    api: Api,
    model: StubModel,
}

impl Office {
    fn start() -> Self {
        Self::with(|builder| builder)
    }

    fn with(
        change: impl FnOnce(
            stationmaster_testkit::server::ServerBuilder,
        ) -> stationmaster_testkit::server::ServerBuilder,
    ) -> Self {
        let model = StubModel::start();
        let api = Api::of(change(woken(&model)).start());
        Self { api, model }
    }

    fn owner(&self) -> Caller {
        self.api.agent("acme", "owner")
    }

    /// A task of the writer's: who speaks there speaks to the writer.
    async fn writers_task(&self) -> String {
        self.api.agent("acme", "writer").task("Launch").await
    }

    /// A person speaks on a task.
    async fn say(&self, task: &str, words: &str) {
        let message = json!({"task_id": task, "content": words, "actor_type": "user"});
        self.owner().post("messages", message).await.ok();
    }

    async fn notifications(&self) -> Vec<Value> {
        self.owner().items("notifications?all=true&limit=100").await
    }

    /// Waits until so many notifications were made and nothing more is to be done about any. A turn
    /// makes its own notifications in the commit that ends it, before the one that woke it is
    /// delivered; so nothing is under way then.
    async fn settled(&self, count: usize) -> Vec<Value> {
        eventually("everything is delivered", async || {
            let all = self.notifications().await;
            let open = |it: &Value| it["delivered_at"].is_null() && it["dead_at"].is_null();
            (all.len() >= count && !all.iter().any(open)).then_some(all)
        })
        .await
    }

    async fn waiting(&self) -> Value {
        self.api.internal().get("dispatch/undelivered").await.ok()["deliveries"].clone()
    }
}

#[tokio::test]
async fn what_a_person_says_leads_to_one_turn_and_one_reply_in_the_same_thread() {
    let office = Office::start();
    let owner = office.owner();
    let task = office.writers_task().await;
    owner.task("Another").await;
    office.model.push(Step::text("I am on it."));
    office.say(&task, "@writer please begin").await;
    let delivered = office.settled(1).await;
    assert_eq!(delivered.len(), 1);
    assert_eq!(delivered[0]["agent_role"], "writer");
    assert_eq!(delivered[0]["task_id"], task.as_str());
    assert_eq!(office.model.request_count(), 1);
    let asked = office.model.requests()[0].body.to_string();
    assert!(asked.contains("@writer please begin"), "{asked}");
    let thread = thread(&owner, &task).await;
    let said: Vec<_> = thread
        .iter()
        .map(|it| (it.text("actor_type"), it.text("content")))
        .collect();
    let of = |who: &str, words: &str| (who.to_owned(), words.to_owned());
    assert_eq!(
        said,
        [
            of("user", "@writer please begin"),
            of("agent", "I am on it.")
        ]
    );
    assert_eq!(thread[1]["agent_role"], "writer");
    assert_eq!(
        owner.items("tasks").await.len(),
        2,
        "no task was made for it"
    );
    assert_eq!(office.waiting().await, json!([]));
}

#[tokio::test]
async fn a_task_that_is_given_to_an_agent_wakes_it_and_so_does_who_speaks_there() {
    let office = Office::start();
    office.model.always(Step::text("Yes."));
    let given = json!({"title": "Launch", "agent_role": "writer"});
    let task = office.owner().post("tasks", given).await.ok().id();
    assert_eq!(office.settled(1).await[0]["type"], "assignment");
    office.say(&task, "How far are you?").await;
    let kinds: Vec<String> = office
        .settled(2)
        .await
        .iter()
        .map(|it| it.text("type"))
        .collect();
    assert_eq!(kinds, ["message", "assignment"]);
    assert_eq!(office.model.request_count(), 2);
    assert_eq!(
        said(&office.owner()).await,
        ["Yes.", "How far are you?", "Yes."]
    );
}

#[tokio::test]
async fn a_notification_without_a_task_is_answered_too() {
    for default_task in [None, Some("Reception")] {
        let office = Office::with(|it| match default_task {
            Some(title) => it.environment("CLASPER_DEFAULT_TASK", title),
            None => it,
        });
        let note = json!({"agent_role": "writer", "content": "Wake up"});
        office.owner().post("notifications", note).await.ok();
        office.settled(1).await;
        let tasks = office.owner().items("tasks").await;
        assert_eq!(tasks.len(), 1);
        if let Some(title) = default_task {
            assert_eq!(tasks[0]["title"], title);
        }
        assert_eq!(thread(&office.owner(), &tasks[0].id()).await.len(), 1);
    }
}

#[tokio::test]
async fn an_agents_notifications_are_answered_one_after_the_other_and_in_order() {
    let office = Office::start();
    let task = office.writers_task().await;
    office.model.push(Step::Hang);
    for number in 0..5 {
        office.say(&task, &format!("{number}")).await;
    }
    // Another agent is not held up by the first one's turn.
    let editors = office.api.agent("acme", "editor").task("Edits").await;
    office.say(&editors, "hello").await;
    eventually("the editor answers", async || {
        let said = said(&office.owner()).await;
        (said.iter().filter(|it| *it == "hello").count() == 2).then_some(())
    })
    .await;
    assert_eq!(office.model.request_count(), 2);
    office.model.release();
    office.settled(6).await;
    let thread = thread(&office.owner(), &task).await;
    let replies: Vec<String> = thread
        .iter()
        .filter(|it| it["agent_role"] == "writer" && it["actor_type"] == "agent")
        .map(|it| it.text("content"))
        .collect();
    let expected: Vec<String> = (0..5).map(|number| format!("{number}")).collect();
    assert_eq!(replies, expected);
}

#[tokio::test]
async fn agents_that_wake_each_other_stop_until_a_person_speaks() {
    let office = Office::start();
    let task = office.writers_task().await;
    office
        .model
        .always(Step::text("Over to you, @writer and @editor"));
    let mut chains = Vec::new();
    for spoken in 1..=2 {
        let before = office.notifications().await.len();
        office.say(&task, "@writer go").await;
        let all = office.settled(before + 1).await;
        let (delivered, dead): (Vec<&Value>, Vec<&Value>) =
            all.iter().partition(|it| it["dead_at"].is_null());
        assert_eq!(dead.len(), spoken, "each chain has one end");
        assert!(
            dead.iter().all(|it| it["delivered_at"].is_null()),
            "{dead:#?}"
        );
        assert_eq!(office.model.request_count(), delivered.len(), "a turn each");
        let replies = said(&office.owner()).await.len() - spoken;
        assert_eq!(replies, delivered.len(), "a reply each");
        chains.push(all.len() - before);
    }
    assert_eq!(chains[0], chains[1], "who speaks starts anew");
    assert!((3..=20).contains(&chains[0]), "{chains:?}");
}

#[tokio::test]
async fn a_turn_that_fails_is_tried_again_after_a_while_and_answered_in_the_end() {
    let clock = Clock::new();
    let office = Office::with(|it| clock.moves(it).environment("CLASPER_RETRY_ATTEMPTS", "1"));
    let owner = office.owner();
    let task = office.writers_task().await;
    office
        .model
        .push_all([Step::status(500), Step::rate_limited(600)]);
    office.model.push(Step::text("At last."));
    office.say(&task, "@writer please").await;
    // The first wait is of some seconds, the second as long as the provider asked for.
    for (attempts, ahead) in [(1, 100), (2, 1000)] {
        eventually("the try has failed and is counted", async || {
            let all = office.notifications().await;
            (all[0]["attempts"] == attempts).then_some(())
        })
        .await;
        assert_eq!(office.waiting().await, json!([]), "it is not due");
        assert_eq!(office.model.request_count(), attempts);
        clock.set(ahead);
        // Whatever is committed makes the dispatcher look at the clock again.
        owner.task("Tick").await;
    }
    let delivered = office.settled(1).await;
    assert_eq!(delivered.len(), 1);
    assert_eq!(delivered[0]["attempts"], 2);
    assert_eq!(office.model.request_count(), 3);
    assert_eq!(said(&owner).await, ["@writer please", "At last."]);
}

#[tokio::test]
async fn a_provider_that_is_gone_for_good_ends_the_tries() {
    let clock = Clock::new();
    let office = Office::with(|it| clock.moves(it).environment("CLASPER_RETRY_ATTEMPTS", "1"));
    let task = office.writers_task().await;
    office.model.always(Step::status(500));
    office.say(&task, "@writer please").await;
    let mut last = Value::Null;
    for attempts in 1..=8 {
        last = eventually("the try has failed and is counted", async || {
            let all = office.notifications().await;
            (all[0]["attempts"] == attempts).then(|| all[0].clone())
        })
        .await;
        // Longer than any wait.
        clock.set(attempts * 3600);
        office.owner().task("Tick").await;
    }
    assert!(!last["dead_at"].is_null(), "{last}");
    let why = last.text("last_error");
    assert_eq!(office.model.request_count(), 8);
    assert!(why.contains("500"), "{why}");
    assert_eq!(said(&office.owner()).await, ["@writer please"]);
}

#[tokio::test]
async fn a_turn_that_cannot_work_is_given_up_at_once() {
    let office = Office::start();
    let task = office.writers_task().await;
    let mut events = office.owner().events("?types=notification.dead").await;
    office
        .model
        .push(Step::Refusal("I would rather not.".to_owned()));
    office.say(&task, "@writer please").await;
    let dead = events.next().await.json();
    assert_eq!(dead["data"]["agent_role"], "writer");
    assert_eq!(office.settled(1).await.len(), 1);
    assert_eq!(office.model.request_count(), 1);
    assert_eq!(said(&office.owner()).await, ["@writer please"]);
    assert_eq!(office.waiting().await, json!([]));
}
