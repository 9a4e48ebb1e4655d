//! §9.2 and §9.3: what a dispatcher does.

use futures::future::join_all;
use serde_json::{Value, json};

use crate::support::clock::Moved;
use crate::support::{Api, Caller, Json as _};

const UNDELIVERED: &str = "dispatch/undelivered";

/// What waits, by GET; POST must say the same.
async fn waiting(api: &Api) -> Vec<Value> {
    let internal = api.internal();
    let got = internal.get(UNDELIVERED).await.ok();
    assert_eq!(internal.post_nothing(UNDELIVERED).await.ok(), got);
    assert_eq!(internal.post(UNDELIVERED, json!({})).await.ok(), got);
    got["deliveries"].as_array().unwrap().clone()
}

async fn contents(api: &Api) -> Vec<String> {
    let waiting = waiting(api).await;
    waiting.iter().map(|it| it.text("content")).collect()
}

/// Queues a notification for `writer` and gives its id.
async fn queue(api: &Api, tenant: &str, content: &str) -> String {
    let body = json!({"user_id": tenant, "agent_role": "writer", "content": content});
    api.internal().post("notifications", body).await.ok().id()
}

async fn fail(internal: &Caller, id: &str, body: Value) -> Value {
    let path = format!("dispatch/notifications/{id}/fail?user_id=acme");
    internal.post(&path, body).await.ok()
}

#[tokio::test]
async fn a_delivery_has_what_a_dispatcher_needs_and_stays_until_it_is_settled() {
    let api = Api::start();
    assert!(waiting(&api).await.is_empty());
    let agent = api.agent("acme", "writer");
    let task = agent.task("T").await;
    let body =
        json!({"agent_role": "editor", "content": "Go", "task_id": task, "metadata": {"a": 1}});
    let made = agent.post("notifications", body).await.ok();
    let expected = json!({
        "notification_id": made["id"],
        "user_id": "acme",
        "session_key": "user:acme:editor",
        "content": "Go",
        "agent_role": "editor",
        "task_id": task,
        "type": "system",
        "created_at": made["created_at"],
        "attempts": 0,
        "metadata": {"a": 1},
    });
    for _ in 0..3 {
        assert_eq!(waiting(&api).await, std::slice::from_ref(&expected));
    }
    // Reading is no delivery.
    let read = format!("notifications/{}/read", made.id());
    api.agent("acme", "editor").post_nothing(&read).await.ok();
    assert_eq!(waiting(&api).await, [expected]);
}

#[tokio::test]
async fn a_delivery_is_acknowledged_once_and_again_with_the_first_time() {
    let api = Api::start();
    let internal = api.internal();
    let (id, other) = (
        queue(&api, "acme", "1").await,
        queue(&api, "acme", "2").await,
    );
    let path = format!("dispatch/notifications/{id}/deliver");
    let of = |user: &str| format!("{path}?user_id={user}");
    for user in ["globex", "ACME", "acme%0A", "%F0%9F%98%80"] {
        let answer = internal.post_nothing(&of(user)).await;
        answer.refused(404, "notification_not_found");
    }
    for missing in [path.clone(), of("")] {
        assert_eq!(internal.post_nothing(&missing).await.faults(), ["user_id"]);
    }
    let unknown = internal
        .post_nothing("dispatch/notifications/none/deliver?user_id=acme")
        .await;
    unknown.refused(404, "notification_not_found");
    assert_eq!(contents(&api).await, ["1", "2"]);

    let first = internal.post_nothing(&of("acme")).await.ok();
    let at = first.text("delivered_at");
    assert!(super::is_utc_time(&at));
    let expected = json!({"status": "ok", "notification_id": id, "delivered_at": at});
    assert_eq!(first, expected);
    assert_eq!(contents(&api).await, ["2"]);
    for _ in 0..3 {
        assert_eq!(internal.post_nothing(&of("acme")).await.ok(), first);
    }
    let seen = api.agent("acme", "writer").items("notifications").await;
    assert_eq!(
        [&seen[1]["id"], &seen[1]["delivered_at"]],
        [&json!(id), &json!(at)]
    );
    assert_eq!(
        [&seen[0]["id"], &seen[0]["delivered_at"]],
        [&json!(other), &Value::Null]
    );
}

#[tokio::test]
async fn users_take_turns_and_whoever_waits_longest_is_first() {
    let api = Api::start();
    for (tenant, content) in [
        ("a", "a1"),
        ("a", "a2"),
        ("b", "b1"),
        ("a", "a3"),
        ("c", "c1"),
        ("b", "b2"),
    ] {
        queue(&api, tenant, content).await;
    }
    let all = ["a1", "b1", "c1", "a2", "b2", "a3"];
    assert_eq!(contents(&api).await, all);
    for (users, each, expected) in [
        ("25", "25", &["a1", "b1", "c1", "a2", "b2", "a3"][..]),
        ("2", "25", &["a1", "b1", "a2", "b2", "a3"]),
        ("25", "1", &["a1", "b1", "c1"]),
        ("1", "2", &["a1", "a2"]),
        ("0", "-5", &["a1"]),
        ("1000", "1000", &["a1", "b1", "c1", "a2", "b2", "a3"]),
    ] {
        let query = format!("{UNDELIVERED}?limit_users={users}&limit_notifications={each}");
        let internal = api.internal();
        let got = internal.get(&query).await.ok();
        let number = |text: &str| text.parse::<i64>().unwrap();
        let body =
            json!({"limit_users": number(users), "limit_notifications": number(each), "extra": 1});
        assert_eq!(internal.post(UNDELIVERED, body).await.ok(), got);
        assert_eq!(internal.post_nothing(&query).await.ok(), got);
        let contents: Vec<String> = got["deliveries"]
            .as_array()
            .unwrap()
            .iter()
            .map(|it| it.text("content"))
            .collect();
        assert_eq!(contents, expected, "{query}");
    }
    for bad in [
        "limit_users=x",
        "limit_notifications=1.5",
        "lease_seconds=soon",
    ] {
        let answer = api.internal().get(&format!("{UNDELIVERED}?{bad}")).await;
        assert_eq!(answer.faults(), [bad.split('=').next().unwrap()]);
    }
    let bad = api
        .internal()
        .post(UNDELIVERED, json!({"limit_users": "2"}))
        .await;
    assert_eq!(bad.faults(), ["limit_users"]);
}

#[tokio::test]
async fn by_default_25_users_and_25_of_each_are_given_out() {
    let api = Api::start();
    join_all((0..26).map(|_| queue(&api, "many", "C"))).await;
    let tenants: Vec<String> = (0..26).map(|number| format!("tenant {number}")).collect();
    join_all(tenants.iter().map(|tenant| queue(&api, tenant, "C"))).await;
    let found = waiting(&api).await;
    let of_many = found.iter().filter(|it| it["user_id"] == "many").count();
    assert_eq!((of_many, found.len()), (25, 25 + 24));
}

#[tokio::test]
async fn a_lease_hides_what_was_given_out_until_it_ends() {
    let moved = Moved::start();
    let api = &moved.api;
    let leased = queue(api, "acme", "1").await;
    let path = format!("{UNDELIVERED}?lease_seconds=60&limit_notifications=1");
    let given = api.internal().get(&path).await.ok();
    assert_eq!(given["deliveries"][0].text("notification_id"), leased);
    assert!(waiting(api).await.is_empty());
    queue(api, "acme", "2").await;
    assert_eq!(contents(api).await, ["2"]);
    let body = json!({"lease_seconds": 300});
    let second = api.internal().post(UNDELIVERED, body).await.ok();
    assert_eq!(second["deliveries"][0]["content"], "2");
    assert!(waiting(api).await.is_empty());
    moved.ahead(61);
    assert_eq!(contents(api).await, ["1"]);
    moved.ahead(302);
    assert_eq!(contents(api).await, ["1", "2"]);
    // Who has a lease may settle without saying so.
    api.internal()
        .get(&format!("{UNDELIVERED}?lease_seconds=60"))
        .await
        .ok();
    let path = format!("dispatch/notifications/{leased}/deliver?user_id=acme");
    api.internal().post_nothing(&path).await.ok();
    moved.ahead(400);
    assert_eq!(contents(api).await, ["2"]);
}

#[tokio::test]
async fn a_failed_try_is_hidden_for_longer_and_longer_and_the_eighth_is_the_last() {
    let moved = Moved::start();
    let (api, internal) = (&moved.api, moved.api.internal());
    let id = queue(api, "acme", "C").await;
    // Each wait is two seconds doubled, and up to a fifth more.
    let mut ahead = 0;
    for attempt in 1..8u32 {
        let failed = fail(&internal, &id, json!({"error": "no", "retryable": true})).await;
        assert_eq!(failed["attempts"], attempt);
        assert_eq!(failed["last_error"], "no");
        assert_eq!(failed["dead_at"], Value::Null);
        let wait = 2i64 << (attempt - 1);
        // The real clock moves on meanwhile, so a short wait may be over already.
        if wait > 8 {
            assert!(waiting(api).await.is_empty(), "attempt {attempt}");
        }
        if wait > 32 {
            moved.ahead(ahead + wait / 2);
            assert!(waiting(api).await.is_empty(), "attempt {attempt}");
        }
        ahead += wait + wait / 5 + 1;
        moved.ahead(ahead);
        let again = waiting(api).await;
        assert_eq!(again.len(), 1, "attempt {attempt}");
        assert_eq!(again[0]["attempts"], attempt);
    }
    let dead = fail(&internal, &id, json!({"error": "still no"})).await;
    assert_eq!(dead["attempts"], 8);
    assert_eq!(dead["last_error"], "still no");
    assert!(super::is_utc_time(&dead.text("dead_at")));
    moved.ahead(10_000_000);
    assert!(waiting(api).await.is_empty());
    assert_eq!(fail(&internal, &id, json!({})).await, dead, "dead is dead");
}

#[tokio::test]
async fn a_failure_that_no_try_can_help_is_the_last() {
    let moved = Moved::start();
    let (api, internal) = (&moved.api, moved.api.internal());
    let id = queue(api, "acme", "C").await;
    let path = |user: &str| format!("dispatch/notifications/{id}/fail{user}");
    internal
        .post_nothing(&path("?user_id=globex"))
        .await
        .refused(404, "notification_not_found");
    assert_eq!(internal.post_nothing(&path("")).await.faults(), ["user_id"]);
    let wrong = internal
        .post(
            &path("?user_id=acme"),
            json!({"retryable": "no", "error": 1}),
        )
        .await;
    assert_eq!(wrong.faults(), ["error", "retryable"]);
    assert_eq!(contents(api).await, ["C"]);

    let dead = fail(
        &internal,
        &id,
        json!({"error": "refused", "retryable": false}),
    )
    .await;
    assert_eq!(
        (&dead["attempts"], &dead["last_error"]),
        (&json!(1), &json!("refused"))
    );
    assert!(dead["dead_at"].is_string());
    moved.ahead(10_000_000);
    assert!(waiting(api).await.is_empty());

    // A delivered one cannot fail any more, and one without a body can be tried again.
    let other = queue(api, "acme", "D").await;
    let settle = |what: &str| format!("dispatch/notifications/{other}/{what}?user_id=acme");
    let failed = internal.post_nothing(&settle("fail")).await.ok();
    assert_eq!(
        (&failed["attempts"], &failed["dead_at"]),
        (&json!(1), &Value::Null)
    );
    internal.post_nothing(&settle("deliver")).await.ok();
    internal
        .post_nothing(&settle("fail"))
        .await
        .refused(409, "already_delivered");
}
