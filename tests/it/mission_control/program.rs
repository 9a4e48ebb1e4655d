//! The program around the contract: starting, stopping, secrets, settings, tokens.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use stationmaster_testkit::server::program;
use tempfile::TempDir;

use crate::support::api::{JWT_SECRET, bare_builder, builder};
use crate::support::jwt::hs256;
use crate::support::process::run;
use crate::support::{Api, Caller, Json as _};

fn with_token(api: &Api, secret: &str) -> Caller {
    let claims = json!({"type": "agent", "user_id": "acme", "agent_role": "writer"});
    api.stranger()
        .header("X-Agent-Token", &hs256(&claims, secret))
}

#[tokio::test]
async fn a_stop_ends_open_streams_and_leaves_with_0() {
    let mut api = Api::start();
    let agent = api.agent("acme", "writer");
    let mut live = agent.events("").await;
    let unread = agent.events("?last_event_id=0").await;
    agent.task("T").await;
    live.next().await;
    assert_eq!(api.server.stop(), 0);
    assert!(
        live.next_of_any_kind().await.is_none(),
        "the stream ends and does not break"
    );
    drop(unread);
}

#[tokio::test]
async fn what_was_written_is_there_after_a_restart() {
    let directory = TempDir::new().unwrap();
    let mut api = Api::of(builder().directory(directory.path()).start());
    let agent = api.agent("acme", "writer");
    let body = json!({"title": "T", "idempotency_key": "k"});
    let first = agent.post("tasks", body.clone()).await;
    first.ok();
    api.server.kill();
    let api = Api::of(builder().directory(directory.path()).start());
    let agent = api.agent("acme", "writer");
    assert_eq!(agent.items("tasks").await, [first.json()]);
    assert_eq!(agent.post("tasks", body).await.text, first.text);
}

/// What a server prints and logs in a life of its own, without any terminal.
fn output_of_a_life(directory: &Path) -> (String, String) {
    use std::io::{BufRead as _, BufReader, Read as _};
    use std::process::{Command, Stdio};
    let mut child = Command::new(program(env!("CARGO_BIN_EXE_stationmaster")))
        .args(["serve", "--listen", "127.0.0.1:0", "--data-dir"])
        .arg(directory)
        .env_clear()
        .env("RUST_LOG", "debug")
        .current_dir(directory)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut log = child.stderr.take().unwrap();
    let log = std::thread::spawn(move || {
        let mut text = String::new();
        log.read_to_string(&mut text).map(|_| text)
    });
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut printed = String::new();
    while !printed.contains("listens on ") {
        printed.push_str(&lines.next().expect("it starts").unwrap());
    }
    let id = child.id().to_string();
    let told = Command::new("kill").args(["-TERM", &id]).status().unwrap();
    assert!(told.success());
    for line in lines {
        printed.push('\n');
        printed.push_str(&line.unwrap());
    }
    assert!(child.wait().unwrap().success());
    (printed, log.join().unwrap().unwrap())
}

#[test]
fn the_admin_token_is_printed_once_and_logged_never() {
    let directory = TempDir::new().unwrap();
    let (printed, log) = output_of_a_life(directory.path());
    let kept = fs::read_to_string(directory.path().join("secrets.toml")).unwrap();
    let token = kept
        .lines()
        .find_map(|line| line.strip_prefix("mc_admin_token = "))
        .unwrap()
        .trim_matches('"');
    assert_eq!(printed.matches(token).count(), 1, "{printed}");
    assert!(!log.contains("mc_adm_"), "{log}");
    let (printed, log) = output_of_a_life(directory.path());
    assert!(!printed.contains("mc_adm_") && !log.contains("mc_adm_"));
}

#[test]
fn what_only_tests_need_is_in_the_help_too() {
    let directory = TempDir::new().unwrap();
    let help = run(directory.path(), &[], &["serve", "--help"]);
    for option in ["--test-clock <FILE>", "--conformance"] {
        assert!(help.stdout.contains(option), "{option}: {}", help.stdout);
    }
}

#[test]
fn a_data_directory_has_one_server_at_a_time() {
    let mut first = builder().start();
    let directory = first.directory().to_str().unwrap().to_owned();
    let arguments = ["serve", "--listen", "127.0.0.1:0", "--data-dir", &directory];
    let second = run(first.directory(), &[], &arguments);
    assert_eq!(second.code, 1, "{second:?}");
    for said in [
        directory.as_str(),
        &format!("process {}", first.id()),
        first.url(),
    ] {
        assert!(second.stderr.contains(said), "{said}: {second:?}");
    }
    assert!(!second.stdout.contains("listens"), "{second:?}");
    // The first is none the worse, and when it is gone the directory is free, even if it was killed.
    first.kill();
    drop(builder().directory(Path::new(&directory)).start());
}

#[test]
fn an_address_in_use_is_refused_by_name() {
    let first = builder().start();
    let address = first.url().trim_start_matches("http://");
    let directory = TempDir::new().unwrap();
    let data = directory.path().join("data");
    let arguments = [
        "serve",
        "--listen",
        address,
        "--data-dir",
        data.to_str().unwrap(),
    ];
    let second = run(directory.path(), &[], &arguments);
    assert_eq!(second.code, 1, "{second:?}");
    assert!(second.stderr.contains(address), "{second:?}");
}

#[test]
fn what_cannot_be_is_refused_before_anything_starts() {
    let directory = TempDir::new().unwrap();
    let data = directory.path().join("data");
    let data = data.to_str().unwrap();
    let loopback = ["serve", "--listen", "127.0.0.1:0", "--data-dir", data];
    let everywhere = [
        "serve",
        "--listen",
        "0.0.0.0:0",
        "--data-dir",
        data,
        "--test-clock",
        "clock",
    ];
    let nowhere = ["serve", "--listen", "nowhere", "--data-dir", data];
    for (environment, arguments, said) in [
        (
            vec![("AGENT_JWT_ALGORITHM", "RS256")],
            &loopback[..],
            "AGENT_JWT_ALGORITHM",
        ),
        (
            vec![("AGENT_JWT_ALGORITHM", "none")],
            &loopback,
            "AGENT_JWT_ALGORITHM",
        ),
        (vec![("SEED_PORTS", "maybe")], &loopback, "SEED_PORTS"),
        (vec![], &everywhere, "--test-clock"),
        (vec![], &nowhere, "nowhere"),
    ] {
        let outcome = run(directory.path(), &environment, arguments);
        assert_eq!(outcome.code, 1, "{outcome:?}");
        assert!(outcome.stderr.contains(said), "{said}: {outcome:?}");
        assert!(outcome.stderr.starts_with("error: "), "{outcome:?}");
    }
    for wrong in [
        &["serve", "--nonsense"][..],
        &["nonsense"],
        &["token", "mint"],
        &[],
    ] {
        assert_eq!(run(directory.path(), &[], wrong).code, 2, "{wrong:?}");
    }
}

#[tokio::test]
async fn secrets_are_made_once_and_only_their_owner_reads_them() {
    let directory = TempDir::new().unwrap();
    let data = directory.path().join("deep/data");
    fs::create_dir_all(&data).unwrap();
    fs::set_permissions(&data, fs::Permissions::from_mode(0o755)).unwrap();
    // An empty secret is none.
    let start = || {
        bare_builder()
            .environment("AGENT_JWT_SECRET", "")
            .directory(&data)
            .start()
    };
    let mut api = Api::of(start());
    let secret = api.server.secret("agent_jwt_secret");
    assert!(secret.len() >= 32, "{secret}");
    with_token(&api, &secret).get("tasks").await.ok();
    with_token(&api, "")
        .get("tasks")
        .await
        .refused(401, "unauthorized");
    let internal = api.server.secret("internal_api_token");
    let internal = api.stranger().header("X-Internal-Token", &internal);
    internal.get("dispatch/undelivered").await.ok();
    let operator = api.stranger().bearer(&api.server.secret("mc_admin_token"));
    operator.get("tool-requests").await.ok();

    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&data), 0o700);
    let mut files = 0;
    for entry in fs::read_dir(&data).unwrap() {
        let path = entry.unwrap().path();
        let expected = if path.is_dir() { 0o700 } else { 0o600 };
        assert_eq!(mode(&path), expected, "{}", path.display());
        files += 1;
    }
    assert!(files >= 4, "settings, secrets, lock and database");
    assert_eq!(api.server.stop(), 0);
    let api = Api::of(start());
    assert_eq!(api.server.secret("agent_jwt_secret"), secret);
    with_token(&api, &secret).get("tasks").await.ok();
}

#[tokio::test]
async fn a_dotenv_file_is_read_and_the_real_environment_wins() {
    let directory = TempDir::new().unwrap();
    let text = "# ours\nexport AGENT_JWT_SECRET=\"from the file\"\nINTERNAL_API_TOKEN=file\n";
    fs::write(directory.path().join(".env"), text).unwrap();
    let start = || bare_builder().directory(directory.path());
    let mut api = Api::of(start().start());
    with_token(&api, "from the file").get("tasks").await.ok();
    let internal = api.stranger().header("X-Internal-Token", "file");
    internal.get("dispatch/undelivered").await.ok();
    api.server.stop();

    let api = Api::of(start().environment("AGENT_JWT_SECRET", JWT_SECRET).start());
    with_token(&api, JWT_SECRET).get("tasks").await.ok();
    with_token(&api, "from the file")
        .get("tasks")
        .await
        .refused(401, "unauthorized");
    let internal = api.stranger().header("X-Internal-Token", "file");
    internal.get("dispatch/undelivered").await.ok();
}

#[test]
fn the_version_names_the_commit() {
    let directory = TempDir::new().unwrap();
    let outcome = run(directory.path(), &[], &["--version"]);
    assert_eq!(outcome.code, 0);
    let parts: Vec<&str> = outcome.stdout.trim().split(' ').collect();
    let [name, version, commit] = parts[..] else {
        panic!("{outcome:?}");
    };
    assert_eq!(name, "stationmaster");
    assert_eq!(version.split('.').count(), 3, "{version}");
    let commit = commit.trim_matches(['(', ')']);
    assert!(
        commit.len() >= 7 && commit.chars().all(|c| c.is_ascii_hexdigit()),
        "{commit}"
    );
    assert_eq!(
        fs::read_dir(directory.path()).unwrap().count(),
        0,
        "it leaves nothing behind"
    );
}

/// What a token says, read without any library of the program's.
fn claims(token: &str) -> Value {
    let part = token.split('.').nth(1).unwrap();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
}

#[tokio::test]
async fn tokens_are_minted_beside_a_running_server_and_it_takes_them() {
    let api = Api::of(bare_builder().start());
    let directory = api.server.directory();
    let mint = |more: &[&str]| {
        let mut arguments = vec!["token", "mint", "--data-dir", directory.to_str().unwrap()];
        arguments.extend(more);
        run(directory, &[], &arguments)
    };
    let minted = |more: &[&str]| {
        let outcome = mint(more);
        assert_eq!(
            (outcome.code, outcome.stderr.as_str()),
            (0, ""),
            "{outcome:?}"
        );
        outcome.stdout.trim_end().to_owned()
    };
    let token = minted(&[
        "--role",
        "agent",
        "--sub",
        "writer",
        "--user-id",
        "acme",
        "--ttl",
        "90s",
    ]);
    let said = claims(&token);
    let expected = ["agent", "acme", "writer"];
    assert_eq!(
        ["type", "user_id", "agent_role"].map(|name| said.text(name)),
        expected
    );
    assert_eq!(
        said["exp"].as_i64().unwrap() - said["iat"].as_i64().unwrap(),
        90
    );
    let agent = api.stranger().header("X-Agent-Token", &token);
    let ask = json!({"title": "T", "justification": "J"});
    let request = agent.post("tool-requests", ask).await.ok().id();
    let path = format!("tool-requests/{request}");

    let approve = async |token: &str| {
        let caller = api.stranger().bearer(token);
        caller.patch(&path, json!({"status": "approved"})).await
    };
    approve(&token).await.refused(403, "forbidden");
    for role in ["developer", "observer"] {
        approve(&minted(&["--role", role, "--sub", "ann"]))
            .await
            .refused(401, "unauthorized");
    }
    let admin = minted(&["--role", "admin", "--sub", "ann"]);
    assert_eq!(
        claims(&admin)["exp"].as_i64().unwrap() - claims(&admin)["iat"].as_i64().unwrap(),
        86_400
    );
    assert_eq!(approve(&admin).await.ok()["decided_by"], "ann");
    approve(&minted(&["--role", "operator", "--sub", "bob"]))
        .await
        .refused(409, "already_decided");
    let default = minted(&["--role", "agent", "--sub", "writer"]);
    assert_eq!(claims(&default)["user_id"], "default");

    for (wrong, code) in [
        (&["--role", "agent", "--sub", "two words"][..], 1),
        (&["--role", "agent", "--sub", "writer", "--user-id", ""], 1),
        (&["--role", "admin", "--sub", " "], 1),
        (&["--role", "king", "--sub", "ann"], 2),
        (&["--role", "admin"], 2),
        (&["--role", "admin", "--sub", "ann", "--ttl", "soon"], 2),
        (&["--role", "admin", "--sub", "ann", "--ttl", "0s"], 2),
        (
            &["--role", "admin", "--sub", "ann", "--ttl", "9999999999d"],
            2,
        ),
    ] {
        let outcome = mint(wrong);
        assert_eq!(
            (outcome.code, outcome.stdout.as_str()),
            (code, ""),
            "{wrong:?} {outcome:?}"
        );
        assert!(outcome.stderr.starts_with("error: "), "{outcome:?}");
    }
}

#[test]
fn who_mints_before_the_first_start_is_shown_the_operators_token() {
    let directory = TempDir::new().unwrap();
    let arguments = ["token", "mint", "--role", "operator", "--sub", "me"];
    let data = ["--data-dir", directory.path().to_str().unwrap()];
    let arguments = [arguments.as_slice(), &data].concat();
    let first = run(directory.path(), &[], &arguments);
    assert_eq!(first.stdout.lines().count(), 1, "{first:?}");
    assert!(first.stderr.contains("(MC_ADMIN_TOKEN)"), "{first:?}");
    assert!(first.stderr.contains(" mc_adm_"), "{first:?}");
    let second = run(directory.path(), &[], &arguments);
    assert_eq!((second.code, second.stderr.as_str()), (0, ""));
}
