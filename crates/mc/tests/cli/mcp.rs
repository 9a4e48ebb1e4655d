//! `mc mcp`: a model's requests reach the server as ours.

use serde_json::{Value, json};

use crate::program_run::Mc;
use crate::stub::{Answer, Stub};

fn asked(messages: &[Value]) -> String {
    messages
        .iter()
        .map(|message| format!("{message}\n"))
        .collect()
}

#[test]
fn a_tool_call_becomes_a_request() {
    let stub = Stub::start(|seen| {
        if seen.method == "PATCH" {
            return Answer::refusal(403, "POLICY_VIOLATION", json!({}));
        }
        Answer::ok(json!({"tasks": [{"id": "task_1"}], "total": 1, "hasMore": false}))
    });
    let call = |id: u32, arguments: Value| json!({"jsonrpc": "2.0", "id": id, "method": "tools/call", "params": {"name": "mission_control", "arguments": arguments}});
    let input = asked(&[
        json!({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {"protocolVersion": "2025-06-18", "capabilities": {},
            "clientInfo": {"name": "test", "version": "1"}}}),
        json!({"jsonrpc": "2.0", "method": "notifications/initialized"}),
        call(2, json!({"action": "task_list"})),
        call(
            3,
            json!({"action": "task_claim", "taskId": "task_1", "idempotencyKey": "k1"}),
        ),
    ]);
    // The input must stay open until the answers are there, so they are read one by one.
    let mc = Mc::new(&stub);
    let mut child = mc
        .command(&["mcp"])
        .stdin(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let mut answers =
        std::io::BufRead::lines(std::io::BufReader::new(child.stdout.take().unwrap()));
    std::io::Write::write_all(&mut stdin, input.as_bytes()).unwrap();
    let mut found = std::collections::BTreeMap::new();
    while found.len() < 3 {
        let answer: Value = serde_json::from_str(&answers.next().unwrap().unwrap()).unwrap();
        if let Some(id) = answer["id"].as_u64() {
            found.insert(id, answer);
        }
    }
    drop(stdin);
    assert_eq!(
        child.wait().unwrap().code(),
        Some(0),
        "it ends with its input"
    );

    assert_eq!(
        found[&2]["result"]["structuredContent"]["tasks"][0]["id"], "task_1",
        "{found:#?}"
    );
    assert_eq!(found[&3]["result"]["isError"], true);
    assert!(
        found[&3].to_string().contains("needsApproval"),
        "{found:#?}"
    );
    let claim = stub
        .seen()
        .into_iter()
        .find(|seen| seen.method == "PATCH")
        .unwrap();
    assert_eq!(claim.path, "/tasks/task_1");
    assert_eq!(claim.header("authorization"), Some("Bearer mc_agt_jordan"));
    assert_eq!(claim.header("x-idempotency-key"), Some("k1"));
}

#[test]
fn without_a_token_it_does_not_start() {
    let ran = Mc::bare().run(&["mcp"]).ended(3);
    assert!(ran.err.contains("MC_AGENT_TOKEN"), "{}", ran.err);
    assert_eq!(ran.out, "");
}
