//! Versions of the protocol, old and new, over standard input and output.

use serde_json::json;

use crate::support::{Script, jordan, over_stdio};

#[tokio::test]
async fn every_published_version_with_a_handshake_is_agreed_to() {
    for version in ["2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25"] {
        over_stdio(Script::new([]), jordan(), async |wire| {
            let opened = wire.open(version).await;
            assert_eq!(opened["result"]["protocolVersion"], version);
            assert_eq!(opened["result"]["serverInfo"]["name"], "stationmaster");
            assert!(
                opened["result"]["instructions"]
                    .as_str()
                    .unwrap()
                    .contains("mission_control")
            );
            assert_eq!(
                wire.act(json!({ "action": "heartbeat" })).await["isError"],
                json!(false),
                "{version}"
            );
        })
        .await;
    }
}

#[tokio::test]
async fn an_unknown_version_is_answered_with_the_newest_that_has_a_handshake() {
    for version in ["1999-01-01", "2099-01-01"] {
        over_stdio(Script::new([]), jordan(), async |wire| {
            assert_eq!(
                wire.open(version).await["result"]["protocolVersion"],
                "2025-11-25"
            );
        })
        .await;
    }
}

#[tokio::test]
async fn the_newest_version_needs_no_handshake() {
    over_stdio(Script::new([]), jordan(), async |wire| {
        let meta = json!({
            "io.modelcontextprotocol/protocolVersion": "2026-07-28",
            "io.modelcontextprotocol/clientInfo": { "name": "test", "version": "1" },
            "io.modelcontextprotocol/clientCapabilities": {},
        });
        let found = wire.ask("server/discover", json!({ "_meta": meta })).await;
        let versions = found["result"]["supportedVersions"].as_array().unwrap();
        assert!(versions.contains(&json!("2026-07-28")) && versions.contains(&json!("2024-11-05")), "{found}");
        let params = json!({ "_meta": meta, "name": "mission_control", "arguments": { "action": "heartbeat" } });
        let called = wire.ask("tools/call", params).await;
        assert_eq!(called["result"]["resultType"], "complete", "{called}");
        assert_eq!(called["result"]["isError"], json!(false));
    })
    .await;
}

#[tokio::test]
async fn another_tool_is_an_error_of_the_protocol() {
    over_stdio(Script::new([]), jordan(), async |wire| {
        wire.open("2025-11-25").await;
        let error = wire
            .ask("tools/call", json!({ "name": "test_simple_text" }))
            .await["error"]
            .clone();
        assert_eq!(error["code"], -32602);
        assert_eq!(
            error["message"],
            "unknown tool: test_simple_text; the tool of this server is mission_control"
        );
    })
    .await;
}

#[tokio::test]
async fn calls_in_flight_are_answered_after_the_input_ends() {
    let script = Script::new([]);
    over_stdio(script.clone(), jordan(), async |wire| {
        wire.open("2025-11-25").await;
        let params = json!({ "name": "mission_control", "arguments": { "action": "heartbeat" } });
        wire.send(&json!({ "jsonrpc": "2.0", "id": 9, "method": "tools/call", "params": params }))
            .await;
    })
    .await;
    assert_eq!(script.asked().len(), 1);
}

#[tokio::test]
async fn a_line_that_is_no_message_does_not_end_the_connection() {
    over_stdio(Script::new([]), jordan(), async |wire| {
        wire.open("2025-11-25").await;
        wire.send(&json!("hello")).await;
        wire.send(&json!({ "jsonrpc": "2.0", "id": 77, "method": "ping" }))
            .await;
        let mut answer = wire.receive().await;
        if answer["id"] != 77 {
            assert!(answer["error"]["code"].is_i64(), "{answer}");
            answer = wire.receive().await;
        }
        assert_eq!(answer, json!({ "jsonrpc": "2.0", "id": 77, "result": {} }));
    })
    .await;
}
