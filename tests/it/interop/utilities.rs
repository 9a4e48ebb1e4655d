//! Our heartbeat and standup with a backend that is not ours (agent runtime §13).

use serde_json::json;
use stationmaster_testkit::model::{Step, StubModel};
use tempfile::TempDir;

use super::backend::SmallBackend;
use super::daemon::{DAEMON_KEY, SmallDaemon, Step as Answer};
use crate::agent_runtime::crew::{said, thinking};
use crate::support::Api;
use crate::support::api::{INTERNAL_TOKEN, JWT_SECRET, builder};
use crate::support::process::{Outcome, run};

fn utility(directory: &TempDir, url: &str, more: &[(&str, &str)], arguments: &[&str]) -> Outcome {
    let mut environment = vec![("BACKEND_URL", url), ("AGENT_JWT_SECRET", JWT_SECRET)];
    environment.extend(more);
    run(directory.path(), &environment, arguments)
}

#[tokio::test]
async fn a_heartbeat_is_the_agents_own() {
    let (backend, directory) = (SmallBackend::start(), TempDir::new().unwrap());
    let acme = ("USER_ID", "acme");
    let outcome = utility(&directory, &backend.url(), &[acme], &["heartbeat"]);
    assert_eq!(outcome.code, 0, "{outcome:?}");
    assert_eq!(
        outcome.stdout,
        "{\"ok\":true,\"route\":\"heartbeat\"}\nheartbeat_ok\n"
    );
    let role = ("AGENT_ROLE", "writer");
    utility(&directory, &backend.url(), &[acme, role], &["heartbeat"]);
    let sent = json!({"user_id": "acme"});
    assert_eq!(
        backend.calls("heartbeat"),
        [
            ("acme/agent".to_owned(), sent.clone()),
            ("acme/writer".to_owned(), sent)
        ]
    );
}

#[tokio::test]
async fn a_heartbeat_that_cannot_be_is_an_error() {
    let (mut backend, directory) = (SmallBackend::start(), TempDir::new().unwrap());
    let check = |outcome: Outcome, word: &str| {
        assert_eq!(outcome.code, 1, "{outcome:?}");
        assert!(outcome.stderr.contains(word), "{outcome:?}");
        assert!(!outcome.stdout.contains("_ok"), "{outcome:?}");
    };
    let url = backend.url();
    check(utility(&directory, &url, &[], &["heartbeat"]), "USER_ID");
    let acme = ("USER_ID", "acme");
    let unsigned = utility(
        &directory,
        &url,
        &[acme, ("AGENT_JWT_SECRET", "")],
        &["heartbeat"],
    );
    check(unsigned, "AGENT_JWT_SECRET");
    let wrong = utility(
        &directory,
        &url,
        &[acme, ("AGENT_JWT_SECRET", "other")],
        &["heartbeat"],
    );
    check(wrong, "401");
    backend.go();
    check(
        utility(&directory, &url, &[acme], &["heartbeat"]),
        "cannot be reached",
    );
}

#[tokio::test]
async fn a_heartbeat_can_wake_the_agent() {
    let (backend, daemon) = (SmallBackend::start(), SmallDaemon::start());
    let directory = TempDir::new().unwrap();
    let daemon_url = daemon.url();
    let more = [
        ("USER_ID", "acme"),
        ("AGENT_ROLE", "writer"),
        ("AGENT_DAEMON_URL", daemon_url.as_str()),
        ("AGENT_DAEMON_API_KEY", DAEMON_KEY),
    ];
    let arguments = ["heartbeat", "--run"];
    let without = utility(&directory, &backend.url(), &more, &arguments);
    assert_eq!(without.code, 1, "{without:?}");
    assert!(without.stderr.contains("HEARTBEAT.md"), "{without:?}");
    assert!(backend.calls("heartbeat").is_empty());

    std::fs::create_dir(directory.path().join("workspace")).unwrap();
    let file = directory.path().join("workspace/HEARTBEAT.md");
    std::fs::write(file, "Look at your tasks.\n").unwrap();
    let outcome = utility(&directory, &backend.url(), &more, &arguments);
    assert_eq!(
        outcome.stdout,
        "{\"ok\":true,\"route\":\"heartbeat\"}\n{\"status\":\"ok\"}\nheartbeat_ok\n",
        "{outcome:?}"
    );
    assert_eq!(
        daemon.sends(),
        [
            json!({"user_id": "acme", "session_key": "user:acme:writer", "message": "Look at your tasks.",
            "task_title": "Heartbeat", "metadata": {"type": "heartbeat"}})
        ]
    );
}

#[tokio::test]
async fn a_heartbeat_whose_turn_fails_is_an_error() {
    let backend = SmallBackend::start();
    let daemon = SmallDaemon::deciding(|_, _| Answer::Status(500));
    let directory = TempDir::new().unwrap();
    std::fs::create_dir(directory.path().join("workspace")).unwrap();
    std::fs::write(directory.path().join("workspace/HEARTBEAT.md"), "Look.").unwrap();
    let daemon_url = daemon.url();
    let more = [
        ("USER_ID", "acme"),
        ("AGENT_DAEMON_URL", daemon_url.as_str()),
        ("AGENT_DAEMON_API_KEY", DAEMON_KEY),
    ];
    let outcome = utility(&directory, &backend.url(), &more, &["heartbeat", "--run"]);
    assert_eq!(outcome.code, 1, "{outcome:?}");
    assert!(outcome.stderr.contains("500"), "{outcome:?}");
    assert!(!outcome.stdout.contains("heartbeat_ok"), "{outcome:?}");
}

#[tokio::test]
async fn a_standup_is_one_users_or_everybodys() {
    let (backend, directory) = (SmallBackend::start(), TempDir::new().unwrap());
    let url = backend.url();
    let one = [("USER_ID", "acme"), ("STANDUP_TIMEZONE", "Europe/Berlin")];
    let outcome = utility(&directory, &url, &one, &["standup"]);
    assert_eq!(
        outcome.stdout, "{\"ok\":true,\"route\":\"standup\"}\nstandup_ok\n",
        "{outcome:?}"
    );
    let token = [("INTERNAL_API_TOKEN", INTERNAL_TOKEN)];
    let outcome = utility(&directory, &url, &token, &["standup"]);
    assert_eq!(outcome.code, 0, "{outcome:?}");
    assert_eq!(
        backend.calls("standup"),
        [
            (
                "acme/agent".to_owned(),
                json!({"user_id": "acme", "timezone": "Europe/Berlin"})
            ),
            ("everybody".to_owned(), json!({"timezone": "UTC"})),
        ]
    );
    let outcome = utility(&directory, &url, &[], &["standup"]);
    assert_eq!(outcome.code, 1, "{outcome:?}");
    assert!(outcome.stderr.contains("INTERNAL_API_TOKEN"), "{outcome:?}");
}

#[tokio::test]
async fn beside_a_server_of_ours_its_data_directory_is_all_they_need() {
    let server = Api::of(crate::support::api::bare_builder().start());
    let directory = TempDir::new().unwrap();
    let (url, data) = (server.server.url(), server.server.directory());
    let data = data.to_str().unwrap();
    let of = |command: &str| {
        let arguments = [command, "--data-dir", data, "--backend-url", url];
        run(directory.path(), &[("USER_ID", "acme")], &arguments)
    };
    let outcome = of("heartbeat");
    assert!(outcome.stdout.ends_with("\nheartbeat_ok\n"), "{outcome:?}");
    let outcome = of("standup");
    assert!(outcome.stdout.ends_with("\nstandup_ok\n"), "{outcome:?}");
    let arguments = [
        "dispatcher",
        "--once",
        "--data-dir",
        data,
        "--backend-url",
        url,
    ];
    let outcome = run(directory.path(), &[], &arguments);
    assert_eq!(outcome.code, 0, "{outcome:?}");
}

#[tokio::test]
async fn everybodys_standup_of_our_backend_has_a_result_for_each_active_user() {
    let backend = Api::of(builder().argument("--without").argument("runtime").start());
    for tenant in ["acme", "beta"] {
        backend.agent(tenant, "writer").task("Launch").await;
    }
    let directory = TempDir::new().unwrap();
    let token = [("INTERNAL_API_TOKEN", INTERNAL_TOKEN)];
    let outcome = utility(&directory, backend.server.url(), &token, &["standup"]);
    let line = outcome.stdout.lines().next().unwrap_or_default();
    let answer: serde_json::Value = serde_json::from_str(line).expect(line);
    assert_eq!(
        answer["results"].as_array().map(Vec::len),
        Some(2),
        "{answer}"
    );
}

#[tokio::test]
async fn an_agent_that_finds_nothing_to_do_at_its_heartbeat_says_nothing() {
    let model = StubModel::start();
    let server = Api::of(thinking(&model).start());
    let directory = TempDir::new().unwrap();
    std::fs::create_dir(directory.path().join("workspace")).unwrap();
    std::fs::write(directory.path().join("workspace/HEARTBEAT.md"), "Look.").unwrap();
    let url = server.server.url();
    let more = [("USER_ID", "acme"), ("AGENT_DAEMON_URL", url)];
    let owner = server.agent("acme", "owner");
    for (words, posted) in [("HEARTBEAT_OK", 0), ("The build is red.", 1)] {
        model.push(Step::text(words));
        let outcome = utility(&directory, url, &more, &["heartbeat", "--run"]);
        assert!(outcome.stdout.ends_with("\nheartbeat_ok\n"), "{outcome:?}");
        assert!(outcome.stdout.contains(words), "{outcome:?}");
        assert_eq!(said(&owner).await.len(), posted, "{words}");
    }
    assert_eq!(owner.items("tasks?title=Heartbeat").await.len(), 1);
}
