//! The tool as a client lists it. The schema is a wire document: a change of it shows here.

use serde_json::{Value, json};

use crate::support::{Script, jordan, over_stdio};

async fn tool() -> Value {
    let mut tools = Value::Null;
    over_stdio(Script::new([]), jordan(), async |wire| {
        wire.open("2025-11-25").await;
        tools = wire.ask("tools/list", json!({})).await["result"]["tools"].clone();
    })
    .await;
    assert_eq!(tools.as_array().map(Vec::len), Some(1));
    tools[0].clone()
}

#[tokio::test]
async fn the_tool_is_the_one_on_file() {
    let shown = format!("{:#}\n", tool().await);
    if shown != include_str!("tool.json") {
        let new = concat!(env!("CARGO_TARGET_TMPDIR"), "/tool.json");
        std::fs::write(new, &shown).unwrap();
        panic!("the tool has changed; if it should have, copy {new} over tests/it/tool.json");
    }
}

#[tokio::test]
async fn the_schema_is_flat() {
    let schema = tool().await["inputSchema"].clone();
    let text = schema.to_string();
    for keyword in ["$ref", "$defs", "oneOf", "anyOf", "allOf"] {
        assert!(!text.contains(keyword), "{keyword} in {text}");
    }
    assert_eq!(schema["type"], "object");
    assert_eq!(schema["required"], json!(["action"]));
    assert_eq!(
        schema["properties"]["action"]["enum"]
            .as_array()
            .map(Vec::len),
        Some(13)
    );
    for (name, property) in schema["properties"].as_object().unwrap() {
        assert!(property["type"].is_string(), "{name} has one type");
        assert!(property["description"].is_string(), "{name} is described");
    }
}

#[tokio::test]
async fn the_tool_says_what_kind_of_tool_it_is() {
    let annotations = tool().await["annotations"].clone();
    assert_eq!(
        annotations,
        json!({ "title": "Mission Control", "readOnlyHint": false, "destructiveHint": false, "idempotentHint": false, "openWorldHint": false })
    );
}
