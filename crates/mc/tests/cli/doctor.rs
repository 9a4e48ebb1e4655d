//! `mc doctor`: each line is ok, warn or fail and says what to do; 1 if any fails.

use serde_json::{Value, json};

use crate::program_run::Mc;
use crate::stub::{Answer, Seen, Stub};

fn healthy(seen: &Seen) -> Answer {
    Answer::ok(match seen.path.as_str() {
        "/health" => json!({"status": "ok", "version": "0.1.0"}),
        "/agents/me" => json!({"id": "jordan", "status": "ACTIVE"}),
        "/policy/active" => json!({"version": 3}),
        _ => json!({"webhooks": []}),
    })
}

#[test]
fn all_is_well() {
    let stub = Stub::start(healthy);
    let mc = Mc::new(&stub);
    let workspace = mc.home();
    let ran = mc
        .with("MC_WORKSPACE", workspace.to_str().unwrap())
        .run(&["doctor"])
        .ended(0);
    assert!(
        ran.out.lines().all(|line| line.starts_with("ok ")),
        "{}",
        ran.out
    );
    for part in [
        "0.1.0",
        "speaks for jordan",
        "is the operator's",
        "version 3",
        "agrees",
    ] {
        assert!(ran.out.contains(part), "{part} in\n{}", ran.out);
    }
}

#[test]
fn each_thing_that_is_wrong_is_found() {
    let stub = Stub::start(|seen| match seen.path.as_str() {
        "/agents/me" => {
            Answer::ok(json!({"id": "casey", "status": "PAUSED", "statusReason": "BUDGET"}))
        }
        "/webhooks" => Answer::refusal(401, "UNAUTHORIZED", json!({})),
        "/health" => healthy(seen).header("date", "Sat, 21 Nov 2020 12:00:00 GMT"),
        _ => healthy(seen),
    });
    let ran = Mc::new(&stub)
        .with("MC_WORKSPACE", "/nowhere/at/all")
        .run(&["doctor"])
        .ended(1);
    for part in [
        "MC_AGENT_ID is jordan, the token is casey's",
        "PAUSED: BUDGET",
        "mc agent resume casey",
        "fail  admin token",
        "/nowhere/at/all is no directory",
        "fail  clock",
    ] {
        assert!(ran.out.contains(part), "{part} in\n{}", ran.out);
    }
}

#[test]
fn without_a_server_the_rest_is_checked_all_the_same() {
    let stub = Stub::start(healthy);
    let mc = Mc::new(&stub).with("MC_API_URL", "http://127.0.0.1:1");
    let ran = mc.run(&["doctor", "--json"]).ended(1);
    let body: Value = serde_json::from_str(&ran.out).unwrap();
    let results: Vec<_> = body["checks"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| {
            (
                it["check"].as_str().unwrap(),
                it["result"].as_str().unwrap(),
            )
        })
        .collect();
    assert_eq!(
        results,
        [
            ("configuration", "ok"),
            ("server", "fail"),
            ("agent token", "warn"),
            ("admin token", "warn"),
            ("workspace", "ok")
        ]
    );
}

#[test]
fn a_new_user_is_told_where_to_begin() {
    let stub = Stub::start(healthy);
    let ran = Mc::bare()
        .with("MC_API_URL", &stub.url())
        .run(&["doctor"])
        .ended(1);
    assert!(ran.out.contains("mc agent register"), "{}", ran.out);
}
