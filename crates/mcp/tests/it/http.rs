//! Streamable HTTP, on a real socket.

use serde_json::{Value, json};
use stationmaster_mcp::{Caller, HttpOptions};

use crate::support::{Script, answered, over_http, post};

fn call(arguments: &Value) -> Value {
    json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": { "name": "mission_control", "arguments": arguments } })
}

#[tokio::test]
async fn each_request_is_made_for_who_sent_it() {
    let script = Script::new([]);
    over_http(script.clone(), HttpOptions::default(), async |url| {
        let beat = call(&json!({ "action": "heartbeat" }));
        for token in ["mc_agt_one", "mc_agt_two"] {
            let (status, body) =
                answered(post(url, &beat).header("authorization", format!("Bearer {token}"))).await;
            assert_eq!((status, &body["result"]["isError"]), (200, &json!(false)));
        }
        let operator = post(url, &beat)
            .header("authorization", "Bearer mc_adm")
            .header("x-agent-id", "sam")
            .header("x-user-id", "kim");
        answered(operator).await;
        answered(post(url, &beat)).await;
    })
    .await;
    let asked = script.asked();
    let bearer = |token: &str| Some(format!("Bearer {token}"));
    assert_eq!(
        asked[0].caller,
        Caller {
            authorization: bearer("mc_agt_one"),
            ..Caller::default()
        }
    );
    assert_eq!(
        asked[1].caller,
        Caller {
            authorization: bearer("mc_agt_two"),
            ..Caller::default()
        }
    );
    assert_eq!(asked[1].path_and_query, "/api/v1/agents/me/heartbeat");
    assert_eq!(asked[2].caller.agent_id.as_deref(), Some("sam"));
    assert_eq!(asked[2].caller.user_id.as_deref(), Some("kim"));
    assert_eq!(asked[2].path_and_query, "/api/v1/agents/sam/heartbeat");
    assert_eq!(asked[3].caller, Caller::default());
}

#[tokio::test]
async fn a_caller_does_not_print_its_credential() {
    let caller = Caller {
        authorization: Some("Bearer mc_agt_secret".to_owned()),
        ..Caller::default()
    };
    assert!(!format!("{caller:?}").contains("secret"));
}

#[tokio::test]
async fn every_version_is_served_without_a_session() {
    over_http(Script::new([]), HttpOptions::default(), async |url| {
        for version in ["2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25"] {
            let params = json!({ "protocolVersion": version, "capabilities": {}, "clientInfo": { "name": "test", "version": "1" } });
            let open = json!({ "jsonrpc": "2.0", "id": 1, "method": "initialize", "params": params });
            let response = post(url, &open).send().await.unwrap();
            assert_eq!(response.headers().get("mcp-session-id"), None);
            let body: Value = serde_json::from_str(&response.text().await.unwrap()).unwrap();
            assert_eq!(body["result"]["protocolVersion"], version);
            let ready = json!({ "jsonrpc": "2.0", "method": "notifications/initialized" });
            let response = post(url, &ready).header("mcp-protocol-version", version).send().await.unwrap();
            assert_eq!(response.status(), 202);
            let list = json!({ "jsonrpc": "2.0", "id": 2, "method": "tools/list" });
            let (status, body) = answered(post(url, &list).header("mcp-protocol-version", version)).await;
            assert_eq!((status, &body["result"]["tools"][0]["name"]), (200, &json!("mission_control")));
        }
    })
    .await;
}

#[tokio::test]
async fn the_newest_version_is_served_with_its_headers() {
    over_http(Script::new([]), HttpOptions::default(), async |url| {
        let meta = json!({
            "io.modelcontextprotocol/protocolVersion": "2026-07-28",
            "io.modelcontextprotocol/clientInfo": { "name": "test", "version": "1" },
            "io.modelcontextprotocol/clientCapabilities": {},
        });
        let mut beat = call(&json!({ "action": "heartbeat" }));
        beat["params"]["_meta"] = meta;
        let request = post(url, &beat)
            .header("mcp-protocol-version", "2026-07-28")
            .header("mcp-method", "tools/call")
            .header("mcp-name", "mission_control");
        let (status, body) = answered(request).await;
        assert_eq!(
            (status, &body["result"]["resultType"]),
            (200, &json!("complete")),
            "{body}"
        );
    })
    .await;
}

#[tokio::test]
async fn refusals_of_the_transport_are_json() {
    over_http(Script::new([]), HttpOptions::default(), async |url| {
        let ping = json!({ "jsonrpc": "2.0", "id": 1, "method": "ping" });
        let check = async |request: reqwest::RequestBuilder, status: u16, code: i64, said: &str| {
            let (answered_status, body) = answered(request).await;
            assert_eq!(
                (answered_status, body["error"]["code"].as_i64()),
                (status, Some(code)),
                "{body}"
            );
            assert!(
                body["error"]["message"].as_str().unwrap().contains(said),
                "{body}"
            );
        };
        check(
            post(url, &ping).body("{bad"),
            400,
            -32700,
            "the body is not a JSON-RPC message: key must be a string",
        )
        .await;
        check(
            post(url, &ping).header("host", "evil.example"),
            403,
            -32600,
            "Host",
        )
        .await;
        check(
            post(url, &ping).header("origin", "http://evil.example"),
            403,
            -32600,
            "Origin",
        )
        .await;
        check(
            post(url, &ping).header("mcp-protocol-version", "1999-01-01"),
            400,
            -32600,
            "1999-01-01",
        )
        .await;
        check(
            reqwest::Client::new().get(url),
            405,
            -32600,
            "Method Not Allowed",
        )
        .await;
        check(
            reqwest::Client::new().post(url).body("{}"),
            406,
            -32600,
            "Accept",
        )
        .await;
        check(
            post(url, &ping).body("x".repeat(4 * 1024 * 1024 + 1)),
            413,
            -32600,
            "4194304 bytes",
        )
        .await;
    })
    .await;
}

#[tokio::test]
async fn a_host_that_is_allowed_is_served_and_its_pages_too() {
    let options = HttpOptions {
        allowed_hosts: vec!["board.example".to_owned()],
        ..HttpOptions::default()
    };
    over_http(Script::new([]), options, async |url| {
        let ping = json!({ "jsonrpc": "2.0", "id": 1, "method": "ping" });
        let allowed = post(url, &ping)
            .header("host", "board.example")
            .header("origin", "https://board.example");
        assert_eq!(answered(allowed).await.0, 200);
        assert_eq!(
            answered(post(url, &ping).header("origin", "http://localhost:3000"))
                .await
                .0,
            200
        );
    })
    .await;
}

#[tokio::test]
async fn fixtures_of_the_conformance_suite_are_there_only_when_asked_for() {
    let list = json!({ "jsonrpc": "2.0", "id": 2, "method": "prompts/list" });
    over_http(Script::new([]), HttpOptions::default(), async |url| {
        let (_, body) = answered(post(url, &list)).await;
        assert_eq!(body["result"]["prompts"], json!([]));
    })
    .await;
    let options = HttpOptions {
        conformance: true,
        ..HttpOptions::default()
    };
    over_http(Script::new([]), options, async |url| {
        let params = json!({ "protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": { "name": "test", "version": "1" } });
        let open = json!({ "jsonrpc": "2.0", "id": 1, "method": "initialize", "params": params });
        let response = post(url, &open).send().await.unwrap();
        let session = response.headers()["mcp-session-id"].clone();
        let ready = json!({ "jsonrpc": "2.0", "method": "notifications/initialized" });
        post(url, &ready).header("mcp-session-id", &session).send().await.unwrap();
        let stream = post(url, &list).header("mcp-session-id", &session).send().await.unwrap().text().await.unwrap();
        assert!(stream.contains("test_prompt_with_arguments"), "{stream}");
    })
    .await;
}
