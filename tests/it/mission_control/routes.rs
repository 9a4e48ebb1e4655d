//! Every route of the program and the credential it takes: one that is missing here fails.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::credentials::bad_tokens;
use crate::support::api::{INTERNAL_TOKEN, JWT_SECRET, agent_token, builder};
use crate::support::jwt::hs256;
use crate::support::{Api, Caller};

const DAEMON_KEY: &str = "the key of the daemon";

/// What a route takes.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Takes {
    Nothing,
    Agent,
    /// An agent's token, in the query too.
    AgentByQuery,
    Internal,
    AgentOrInternal,
    /// An agent, the internal service or an operator.
    Anyone,
    Daemon,
}

use Takes::{Agent, AgentByQuery, AgentOrInternal, Anyone, Daemon, Internal, Nothing};

/// The kinds of credential, each with the name that the document gives it.
const SCHEMES: [&str; 5] = [
    "agent_token",
    "agent_token_in_query",
    "internal_token",
    "operator",
    "daemon_key",
];

impl Takes {
    fn schemes(self) -> &'static [&'static str] {
        match self {
            Nothing => &[],
            Agent => &["agent_token"],
            AgentByQuery => &["agent_token", "agent_token_in_query"],
            Internal => &["internal_token"],
            AgentOrInternal => &["agent_token", "internal_token"],
            Anyone => &["agent_token", "internal_token", "operator"],
            Daemon => &["daemon_key"],
        }
    }

    /// What whoever is not let in is told.
    fn refusal(self) -> u16 {
        if self == Daemon { 403 } else { 401 }
    }
}

const ROUTES: &[(&str, &str, Takes)] = &[
    ("get", "/health", Nothing),
    ("get", "/metrics", Nothing),
    ("get", "/api/capabilities", Nothing),
    ("get", "/api/mission-control/capabilities", Agent),
    ("get", "/api/mission-control/tasks", Agent),
    ("post", "/api/mission-control/tasks", Agent),
    ("get", "/api/mission-control/tasks/{id}", Agent),
    ("patch", "/api/mission-control/tasks/{id}", Agent),
    ("get", "/api/mission-control/messages", Agent),
    ("post", "/api/mission-control/messages", Agent),
    ("get", "/api/mission-control/documents", Agent),
    ("post", "/api/mission-control/documents", Agent),
    ("get", "/api/mission-control/documents/{id}", Agent),
    ("get", "/api/mission-control/notifications", Agent),
    (
        "post",
        "/api/mission-control/notifications",
        AgentOrInternal,
    ),
    (
        "post",
        "/api/mission-control/notifications/{id}/read",
        Agent,
    ),
    ("get", "/api/mission-control/dispatch/undelivered", Internal),
    (
        "post",
        "/api/mission-control/dispatch/undelivered",
        Internal,
    ),
    (
        "post",
        "/api/mission-control/dispatch/notifications/{id}/deliver",
        Internal,
    ),
    (
        "post",
        "/api/mission-control/dispatch/notifications/{id}/fail",
        Internal,
    ),
    ("get", "/api/mission-control/events", AgentByQuery),
    ("post", "/api/mission-control/heartbeat", Agent),
    ("post", "/api/mission-control/standup", AgentOrInternal),
    ("get", "/api/mission-control/tool-requests", Anyone),
    ("post", "/api/mission-control/tool-requests", Agent),
    ("patch", "/api/mission-control/tool-requests", Anyone),
    ("get", "/api/mission-control/tool-requests/{id}", Anyone),
    ("patch", "/api/mission-control/tool-requests/{id}", Anyone),
    ("get", "/api/tools", Agent),
    ("post", "/api/tools/{name}", Agent),
    ("post", "/api/agents/send", Daemon),
    ("post", "/api/agents/stream", Daemon),
    ("post", "/compact", Daemon),
    ("post", "/llm-task", Daemon),
    ("post", "/cost/forecast", Daemon),
    ("get", "/usage", Daemon),
    ("get", "/skills", Daemon),
    ("get", "/context", Daemon),
    ("post", "/budget", Daemon),
    ("get", "/budget", Daemon),
    ("get", "/budget/check", Daemon),
    ("get", "/traces", Daemon),
    ("get", "/traces/{id}", Daemon),
];

fn start() -> Api {
    Api::of(
        builder()
            .environment("AGENT_DAEMON_API_KEY", DAEMON_KEY)
            .start(),
    )
}

async fn document(api: &Api) -> Value {
    api.stranger().get("/openapi.json").await.ok()
}

#[tokio::test]
async fn the_document_and_the_table_of_credentials_name_the_same_routes() {
    let api = start();
    let document = document(&api).await;
    let mut said: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (path, methods) in document["paths"].as_object().unwrap() {
        if path.starts_with("/api/v1/") {
            // That contract has one guard for all of its routes, and a test of it.
            continue;
        }
        for (method, operation) in methods.as_object().unwrap() {
            let security = operation["security"].as_array();
            let security = security.unwrap_or_else(|| panic!("{method} {path}: no security"));
            let names = security
                .iter()
                .flat_map(|one| one.as_object().unwrap().keys().cloned());
            said.insert(format!("{method} {path}"), names.collect());
        }
    }
    let mut expected: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (method, path, takes) in ROUTES {
        let names = takes.schemes().iter().map(ToString::to_string);
        expected.insert(format!("{method} {path}"), names.collect());
    }
    for all in [&mut said, &mut expected] {
        all.values_mut().for_each(|names| names.sort());
    }
    assert_eq!(said, expected);
}

/// Somebody with a good credential of this kind, and what the query must say.
fn holder(api: &Api, scheme: &str) -> (Caller, String) {
    let token = agent_token("acme", "writer");
    match scheme {
        "agent_token" => (api.agent("acme", "writer"), String::new()),
        "agent_token_in_query" => (api.stranger(), format!("?token={token}")),
        "internal_token" => (api.internal(), String::new()),
        "operator" => (api.operator(), String::new()),
        "daemon_key" => {
            let caller = api.stranger().header("X-Agent-Daemon-Key", DAEMON_KEY);
            (caller, String::new())
        }
        other => panic!("{other}"),
    }
}

#[tokio::test]
async fn every_route_takes_its_own_credentials_and_no_others() {
    let api = start();
    for (method, path, takes) in ROUTES {
        let method = method.to_uppercase();
        let path = path.replace("{id}", "x").replace("{name}", "echo");
        for scheme in SCHEMES {
            let (caller, query) = holder(&api, scheme);
            let status = caller.status(&method, &format!("{path}{query}")).await;
            let let_in = ![401, 403].contains(&status);
            let expected = *takes == Nothing || takes.schemes().contains(&scheme);
            assert_eq!(let_in, expected, "{method} {path} with {scheme}: {status}");
            assert!(
                let_in || status == takes.refusal(),
                "{method} {path}: {status}"
            );
        }
    }
}

#[tokio::test]
async fn every_route_refuses_every_bad_credential() {
    let api = start();
    let mut bad = vec![("nothing".to_owned(), api.stranger(), String::new())];
    let wrong = |name: &str, value: &str| api.stranger().header(name, value);
    bad.push((
        "a daemon key".into(),
        wrong("X-Agent-Daemon-Key", "wrong"),
        String::new(),
    ));
    for token in ["", "wrong", JWT_SECRET, &INTERNAL_TOKEN[1..]] {
        let caller = wrong("X-Internal-Token", token);
        bad.push((format!("internal {token}"), caller, String::new()));
        bad.push((
            format!("bearer {token}"),
            api.stranger().bearer(token),
            String::new(),
        ));
    }
    for (what, token) in bad_tokens() {
        bad.push((what.clone(), wrong("X-Agent-Token", &token), String::new()));
        // An operator's is a bearer, not an agent's token.
        if token != crate::support::api::ADMIN_TOKEN && !what.contains("claims") {
            bad.push((what.clone(), api.stranger().bearer(&token), String::new()));
        }
        if !token.contains(' ') {
            bad.push((what, api.stranger(), format!("?token={token}")));
        }
    }
    for claims in [
        json!({"sub": "ann", "role": "observer"}),
        json!({"sub": "ann", "role": "admin", "exp": 1}),
        json!({"sub": "ann", "role": "admin", "type": "agent"}),
    ] {
        let token = hs256(&claims, JWT_SECRET);
        bad.push((
            claims.to_string(),
            api.stranger().bearer(&token),
            String::new(),
        ));
    }
    for (method, path, takes) in ROUTES {
        if *takes == Nothing {
            continue;
        }
        let method = method.to_uppercase();
        let path = path.replace("{id}", "x").replace("{name}", "echo");
        for (what, caller, query) in &bad {
            let status = caller.status(&method, &format!("{path}{query}")).await;
            assert_eq!(status, takes.refusal(), "{method} {path}: {what}");
        }
    }
}
