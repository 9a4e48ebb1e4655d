//! Flag, then environment, then file, then default (§14); and what `--save` writes.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use serde_json::{Value, json};

use crate::program_run::Mc;
use crate::stub::{Answer, Stub};

fn configured(mc: &Mc, content: &Value) {
    mc.write(".openclaw/mission-control.json", content.to_string());
    fs::set_permissions(mc.file(), fs::Permissions::from_mode(0o600)).unwrap();
}

#[test]
fn a_flag_wins_over_the_environment_and_that_over_the_file() {
    let stub = Stub::saying(Answer::ok(json!({"id": "x"})));
    let other = "http://127.0.0.1:1";
    let file = json!({"apiUrl": stub.url(), "agentId": "file", "token": "mc_agt_file", "workspace": "/file"});

    let mc = Mc::bare();
    configured(&mc, &file);
    mc.run(&["heartbeat"]).ended(0);
    let mc = mc
        .with("MC_AGENT_ID", "env")
        .with("MC_AGENT_TOKEN", "mc_agt_env")
        .with("MC_SESSION_KEY", "");
    mc.run(&["heartbeat"]).ended(0);
    let mc = mc.with("MC_API_URL", other);
    mc.run(&[
        "heartbeat",
        "--api-url",
        &stub.url(),
        "--agent",
        "flag",
        "--token",
        "mc_agt_flag",
    ])
    .ended(0);

    let seen: Vec<_> = stub
        .seen()
        .iter()
        .map(|it| {
            (
                it.path.clone(),
                it.header("authorization").unwrap().to_owned(),
            )
        })
        .collect();
    let expected = ["file", "env", "flag"].map(|who| {
        (
            format!("/agents/{who}/heartbeat"),
            format!("Bearer mc_agt_{who}"),
        )
    });
    assert_eq!(seen, expected);
    assert_eq!(
        stub.seen()[1].body,
        json!({"status": "HEALTHY"}),
        "an empty value counts as unset"
    );
}

#[test]
fn the_file_can_be_elsewhere() {
    let stub = Stub::saying(Answer::ok(json!({"id": "x"})));
    let mc = Mc::bare();
    mc.write(
        "mine.json",
        json!({"apiUrl": format!("{}/api/v1/", stub.url()), "token": "mc_agt_mine"}).to_string(),
    );
    let mc = mc.with("MC_CONFIG", "mine.json");
    mc.run(&["agent", "status"]).ended(0);
    assert_eq!(stub.only().path, "/agents/me");
}

#[test]
fn a_file_that_others_can_read_is_warned_of() {
    let stub = Stub::saying(Answer::ok(json!({"tasks": []})));
    let mc = Mc::bare();
    configured(&mc, &json!({"apiUrl": stub.url(), "token": "mc_agt_x"}));
    assert_eq!(mc.run(&["task", "list"]).ended(0).err, "");
    fs::set_permissions(mc.file(), fs::Permissions::from_mode(0o644)).unwrap();
    let ran = mc.run(&["task", "list"]).ended(0);
    assert!(
        ran.err.contains("warning: ") && ran.err.contains("chmod 600"),
        "{}",
        ran.err
    );
    assert_eq!(ran.out, "none\n");
}

#[test]
fn what_is_wrong_with_the_configuration_is_named() {
    let mc = Mc::bare().with("MC_AGENT_TOKEN", "t");
    for (content, told) in [
        ("{\"apiUrl\": 7}", "apiUrl must be a string"),
        ("{\"apiUrl\": ", "line 1 column"),
        ("[]", "must hold a JSON object"),
        (
            "{\"timeoutMs\": \"soon\"}",
            "timeoutMs must be milliseconds",
        ),
        ("{\"logLevel\": \"loud\"}", "debug, info, warn or error"),
    ] {
        mc.write(".openclaw/mission-control.json", content);
        let ran = mc.run(&["task", "list"]).ended(2);
        assert!(ran.err.contains(told), "{content}: {}", ran.err);
    }
    for (name, value, told) in [
        ("MC_API_URL", "localhost:3100", "MC_API_URL"),
        ("MC_DEFAULT_TIMEOUT", "0", "MC_DEFAULT_TIMEOUT"),
        ("MC_LOG_LEVEL", "loud", "MC_LOG_LEVEL"),
    ] {
        let ran = Mc::bare().with(name, value).run(&["task", "list"]).ended(2);
        assert!(ran.err.contains(told), "{}", ran.err);
    }
}

#[test]
fn saving_makes_a_file_that_works_and_keeps_what_was_there() {
    let stub = Stub::saying(Answer::status(
        201,
        json!({"id": "casey", "token": "mc_agt_casey"}),
    ));
    let mc = Mc::bare()
        .with("MC_API_URL", &stub.url())
        .with("MC_ADMIN_TOKEN", "boss");
    configured(&mc, &json!({"theme": "dark", "agentId": "old"}));
    fs::set_permissions(mc.file(), fs::Permissions::from_mode(0o644)).unwrap();
    let ran = mc
        .run(&[
            "agent",
            "register",
            "--id",
            "casey",
            "--name",
            "Casey",
            "--workspace",
            "work",
            "--save",
        ])
        .ended(0);
    assert!(
        ran.out.contains("mc_agt_casey") && ran.err.contains("saved in"),
        "{ran:?}"
    );
    let workspace = mc.home().canonicalize().unwrap().join("work");
    let saved: Value = serde_json::from_str(&fs::read_to_string(mc.file()).unwrap()).unwrap();
    assert_eq!(
        saved,
        json!({"theme": "dark", "apiUrl": stub.url(), "agentId": "casey", "token": "mc_agt_casey", "workspace": workspace})
    );
    assert_eq!(
        fs::metadata(mc.file()).unwrap().permissions().mode() & 0o777,
        0o600
    );
    let mc = mc.without("MC_ADMIN_TOKEN").without("MC_API_URL");
    mc.run(&["agent", "status"]).ended(0);
    assert_eq!(
        stub.seen()[1].header("authorization"),
        Some("Bearer mc_agt_casey")
    );
}

#[test]
fn a_registration_that_was_there_already_says_how_to_get_a_token() {
    let stub = Stub::saying(Answer::refusal(409, "ALREADY_PROCESSED", json!({})));
    let ran = Mc::new(&stub)
        .run(&[
            "agent",
            "register",
            "--id",
            "casey",
            "--name",
            "C",
            "--workspace",
            "/w",
        ])
        .ended(6);
    assert!(ran.err.contains("mc agent token casey"), "{}", ran.err);
}
