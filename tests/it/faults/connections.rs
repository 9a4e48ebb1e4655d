//! Rude clients, and servers that get in each other's way.

use std::io::Write as _;
use std::net::TcpStream;

use serde_json::json;
use stationmaster_testkit::model::StubModel;

use crate::agent_runtime::crew::thinking;
use crate::support::api::{agent_token, builder};
use crate::support::{Api, process};

fn connect(api: &Api) -> TcpStream {
    let address = api.server.url().strip_prefix("http://").unwrap();
    TcpStream::connect(address).unwrap()
}

#[tokio::test]
async fn a_reader_that_never_reads_holds_up_nobody() {
    let mut api = Api::start();
    let owner = api.agent("acme", "owner");
    let task = owner.task("Launch").await;
    let token = agent_token("acme", "reader");
    let mut stuck = Vec::new();
    for _ in 0..5 {
        let mut stream = connect(&api);
        let head = format!(
            "GET /api/mission-control/events HTTP/1.1\r\nHost: x\r\nX-Agent-Token: {token}\r\n\r\n"
        );
        stream.write_all(head.as_bytes()).unwrap();
        stuck.push(stream);
    }
    let mut events = owner.events("").await;
    // More than any buffer between them holds.
    let content = "x".repeat(500_000);
    for number in 0..40 {
        let document = json!({"task_id": task, "title": format!("{number}"), "content": content});
        owner.post("documents", document).await.ok();
        let seen = events.next().await.json();
        assert_eq!(seen["data"]["title"], format!("{number}"));
        owner.items("tasks").await;
    }
    assert_eq!(api.server.stop(), 0);
    drop(stuck);
}

#[tokio::test]
async fn connections_that_never_finish_their_requests_hold_up_nobody() {
    let mut api = Api::start();
    let owner = api.agent("acme", "owner");
    let halves = [
        "GET /health HTTP/1.1\r\nHost: x\r\nX-Long",
        "POST /api/mission-control/tasks HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n{\"title\"",
        "P",
        "",
    ];
    let mut open = Vec::new();
    for number in 0..200 {
        let mut stream = connect(&api);
        let half = halves[number % halves.len()];
        stream.write_all(half.as_bytes()).unwrap();
        open.push(stream);
        if number % 20 == 0 {
            owner.task(&format!("{number}")).await;
        }
    }
    api.stranger().get("/health").await.ok();
    assert_eq!(owner.items("tasks").await.len(), 10);
    assert_eq!(api.server.stop(), 0);
    drop(open);
}

#[tokio::test]
async fn a_second_server_on_one_directory_is_refused_by_name() {
    let mut api = Api::start();
    let directory = tempfile::TempDir::new().unwrap();
    let data = api.server.directory().to_str().unwrap().to_owned();
    for command in ["serve", "up"] {
        let arguments = [command, "--listen", "127.0.0.1:0", "--data-dir", &data];
        let second = process::run(directory.path(), &[], &arguments);
        assert_eq!(second.code, 1, "{second:?}");
        for words in [
            data.as_str(),
            &format!("process {}", api.server.id()),
            api.server.url(),
        ] {
            assert!(second.stderr.contains(words), "{words:?}: {second:?}");
        }
    }
    api.agent("acme", "owner").task("Launch").await;
    // A kill leaves no lock behind.
    api.server.kill();
    let again = Api::of(builder().directory(api.server.directory()).start());
    assert_eq!(again.agent("acme", "owner").items("tasks").await.len(), 1);
}

#[tokio::test]
async fn a_port_in_use_is_refused_by_name() {
    let api = Api::start();
    let directory = tempfile::TempDir::new().unwrap();
    let address = api.server.url().strip_prefix("http://").unwrap();
    let data = directory.path().to_str().unwrap();
    let arguments = ["serve", "--listen", address, "--data-dir", data];
    let second = process::run(directory.path(), &[], &arguments);
    assert_eq!(second.code, 1, "{second:?}");
    assert!(second.stderr.contains(address), "{second:?}");
    api.stranger().get("/health").await.ok();
}

#[tokio::test]
async fn an_idle_server_stops_at_once_whatever_runs_in_it() {
    let model = StubModel::start();
    for change in [
        vec![],
        vec!["--without", "runtime"],
        vec!["--without", "dispatcher"],
    ] {
        let server = change
            .into_iter()
            .fold(crate::agent_runtime::crew::woken(&model), |it, argument| {
                it.argument(argument)
            });
        assert_eq!(server.start().stop(), 0);
    }
    assert_eq!(thinking(&model).start().stop(), 0);
}
