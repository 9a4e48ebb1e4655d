//! `kill -9` under load: what was acknowledged is there, and nothing is there twice (design §2).

use std::collections::BTreeMap;
use std::path::Path;

use reqwest::Client;
use serde_json::json;
use stationmaster_testkit::postgres;
use stationmaster_testkit::server::ServerBuilder;
use tempfile::TempDir;

use super::load::{Load, Seeded};
use super::log::Log;
use crate::support::api::{agent_token, builder};
use crate::support::{Api, Caller, Json as _};

const ROUNDS: usize = 20;

#[tokio::test]
async fn a_killed_server_keeps_every_acknowledged_write_once_on_sqlite() {
    survives(|directory| builder().directory(directory), 0x5717).await;
}

#[tokio::test]
async fn a_killed_server_keeps_every_acknowledged_write_once_on_postgresql() {
    let database = postgres::database();
    let start = |directory: &Path| {
        builder()
            .directory(directory)
            .argument("--database")
            .argument(database.url())
    };
    survives(start, 0x9057).await;
}

async fn survives(server: impl Fn(&Path) -> ServerBuilder, seed: u64) {
    let directory = TempDir::new().unwrap();
    let token = agent_token("acme", "writer");
    let mut seeded = Seeded(seed);
    let mut api = Api::of(server(directory.path()).start());
    let client = Client::builder().no_proxy().tls_certs_only([]).build();
    let client = client.unwrap();
    let task = api.agent("acme", "writer").task("The thread").await;
    let load = Load::new(client.clone(), token.clone(), task.clone());
    let mut followed = Log::default();
    for round in 0..ROUNDS {
        let url = api.server.url().to_owned();
        let name = format!("round {round}");
        let kill = async {
            load.acknowledged(seeded.below(150)).await;
            api.server.kill();
        };
        tokio::join!(
            load.write(&url, &name),
            followed.follow(&client, &url, &token, "never"),
            kill
        );
        api = Api::of(server(directory.path()).start());
        load.send_again(api.server.url(), &name).await;
    }
    load.send_again(api.server.url(), "").await;

    let owner = api.agent("acme", "writer");
    let last = owner.task("The end").await;
    let url = api.server.url();
    followed.follow(&client, url, &token, &last).await;
    let mut log = Log::default();
    log.follow(&client, url, &token, &last).await;
    log.is_in_order();
    assert_eq!(
        followed.ids(),
        log.ids(),
        "nothing missed, nothing repeated"
    );

    let mut tasks = load.ids("tasks");
    tasks.insert("The thread".to_owned(), task);
    tasks.insert("The end".to_owned(), last);
    check(&owner, &log, "tasks", "task.created", "title", &tasks).await;
    let messages = load.ids("messages");
    check(
        &owner,
        &log,
        "messages",
        "message.created",
        "content",
        &messages,
    )
    .await;
    assert!(
        tasks.len() > ROUNDS && messages.len() > ROUNDS,
        "there was something to lose: {} and {}",
        tasks.len(),
        messages.len()
    );
}

/// There is one row for every key, the one that was answered, and one event for every row.
async fn check(
    owner: &Caller,
    log: &Log,
    path: &str,
    event: &str,
    name: &str,
    expected: &BTreeMap<String, String>,
) {
    let mut rows = BTreeMap::new();
    let mut cursor = String::new();
    loop {
        let page = owner.get(&format!("{path}?limit=100{cursor}")).await.ok();
        for row in page["items"].as_array().unwrap() {
            let twice = rows.insert(row.text(name), row.id());
            assert_eq!(twice, None, "{row} is there twice");
        }
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    assert_eq!(rows, *expected, "{path}");
    let told: BTreeMap<&str, usize> = rows.values().map(|id| (id.as_str(), 1)).collect();
    assert_eq!(log.count(event), told, "{event}");
}

#[tokio::test]
async fn a_server_killed_while_it_starts_starts_again() {
    let directory = TempDir::new().unwrap();
    for _ in 0..5 {
        let mut server = builder().directory(directory.path()).start();
        server.kill();
    }
    let api = Api::of(builder().directory(directory.path()).start());
    let owner = api.agent("acme", "writer");
    owner.task("Launch").await;
    assert_eq!(owner.get("tasks").await.ok()["next_cursor"], json!(null));
}
