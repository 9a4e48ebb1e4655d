//! `/openapi.json` and the page that shows it.

use std::collections::HashSet;

use serde_json::Value;

use crate::support::{Api, Json as _};

/// Every value in `value`, with the path to it.
fn walk(value: &Value, at: &str, visit: &mut impl FnMut(&str, &Value)) {
    visit(at, value);
    match value {
        Value::Object(members) => {
            for (name, value) in members {
                walk(value, &format!("{at}/{name}"), visit);
            }
        }
        Value::Array(items) => {
            for (index, value) in items.iter().enumerate() {
                walk(value, &format!("{at}/{index}"), visit);
            }
        }
        _ => {}
    }
}

/// What OpenAPI 3.1 asks of an operation.
fn check_operation(document: &Value, path: &str, method: &str, operation: &Value) {
    let at = format!("{method} {path}");
    assert!(!operation.text("operationId").is_empty(), "{at}");
    assert!(
        !operation.text("summary").is_empty(),
        "{at}: it says what it is for"
    );
    let responses = operation["responses"].as_object().unwrap();
    assert!(!responses.is_empty(), "{at}");
    for (status, response) in responses {
        assert!(
            status.len() == 3 && status.parse::<u16>().is_ok(),
            "{at}: {status}"
        );
        assert!(response["description"].is_string(), "{at} {status}");
    }
    let mut seen = HashSet::new();
    let mut in_path = HashSet::new();
    for parameter in operation["parameters"].as_array().into_iter().flatten() {
        let (name, place) = (parameter.text("name"), parameter.text("in"));
        assert!(
            ["path", "query", "header"].contains(&place.as_str()),
            "{at} {name}"
        );
        assert!(parameter["schema"].is_object(), "{at} {name}");
        assert!(
            seen.insert((place.clone(), name.clone())),
            "{at}: {name} twice"
        );
        if place == "path" {
            assert_eq!(parameter["required"], true, "{at} {name}");
            in_path.insert(name);
        }
    }
    let templated: HashSet<String> = path
        .split('/')
        .filter_map(|part| Some(part.strip_prefix('{')?.strip_suffix('}')?.to_owned()))
        .collect();
    assert_eq!(in_path, templated, "{at}");
    for requirement in operation["security"].as_array().unwrap() {
        for name in requirement.as_object().unwrap().keys() {
            let scheme = &document["components"]["securitySchemes"][name];
            assert!(scheme["type"].is_string(), "{at}: {name}");
        }
    }
    if let Some(body) = operation.get("requestBody") {
        assert!(
            body["content"]["application/json"]["schema"].is_object(),
            "{at}"
        );
    }
}

#[tokio::test]
async fn the_document_is_sound_openapi_3_1() {
    let api = Api::start();
    let document = api.stranger().get("/openapi.json").await.ok();
    assert!(document.text("openapi").starts_with("3.1."), "{document}");
    assert!(!document["info"].text("title").is_empty());
    assert!(!document["info"].text("version").is_empty());
    let mut operations = HashSet::new();
    for (path, methods) in document["paths"].as_object().unwrap() {
        assert!(path.starts_with('/'), "{path}");
        for (method, operation) in methods.as_object().unwrap() {
            let known = ["get", "post", "put", "patch", "delete"];
            assert!(known.contains(&method.as_str()), "{method} {path}");
            check_operation(&document, path, method, operation);
            let id = operation.text("operationId");
            assert!(operations.insert(id.clone()), "two operations are {id}");
        }
    }
    walk(&document, "", &mut |at, value| {
        if let Some(reference) = value.get("$ref").and_then(Value::as_str) {
            let pointer = reference
                .strip_prefix('#')
                .unwrap_or_else(|| panic!("{at}: {reference}"));
            assert!(document.pointer(pointer).is_some(), "{at}: {reference}");
        }
        // What 3.0 said otherwise.
        if at.contains("/schemas/") || at.ends_with("/schema") {
            assert!(value.get("nullable").is_none(), "{at}");
            assert!(
                value.get("exclusiveMinimum").is_none_or(Value::is_number),
                "{at}"
            );
        }
        if let Some(required) = value.get("required").and_then(Value::as_array) {
            for name in required {
                let property = &value["properties"][name.as_str().unwrap()];
                assert!(property.is_object(), "{at}: {name}");
            }
        }
    });
}

#[tokio::test]
async fn what_the_routes_answer_has_the_members_that_the_document_names() {
    let api = Api::start();
    let document = api.stranger().get("/openapi.json").await.ok();
    let agent = api.agent("acme", "writer");
    super::world::World::fill(&agent).await;
    for list in [
        "tasks",
        "messages",
        "documents",
        "notifications",
        "tool-requests",
    ] {
        let items = agent.items(&format!("{list}?all=true")).await;
        let shown = &document["paths"][format!("/api/mission-control/{list}")]["post"]["responses"];
        let reference = shown["200"]["content"]["application/json"]["schema"].text("$ref");
        let schema = document.pointer(&reference[1..]).unwrap();
        let mut named: Vec<&String> = schema["properties"].as_object().unwrap().keys().collect();
        let mut given: Vec<&String> = items[0].as_object().unwrap().keys().collect();
        named.sort();
        given.sort();
        assert_eq!(named, given, "{list}");
    }
}

#[tokio::test]
async fn the_page_and_its_files_come_from_this_server_alone() {
    let api = Api::start();
    let stranger = api.stranger();
    let page = stranger.get("/api-docs").await;
    assert_eq!(page.status, 200);
    assert_eq!(page.headers["content-type"], "text/html; charset=utf-8");
    let references: Vec<&str> = page
        .text
        .split(['"', '\''])
        .filter(|text| text.starts_with('/') || text.contains("//"))
        .filter(|text| !text.contains('<'))
        .collect();
    assert!(references.len() >= 3, "{references:?}");
    let mut files = references;
    files.push("/openapi.json");
    for file in files {
        assert!(
            file.starts_with('/') && !file.starts_with("//"),
            "{file} is elsewhere"
        );
        let answer = stranger.get(file).await;
        assert_eq!(answer.status, 200, "{file}");
        let expected = match file.rsplit('.').next() {
            Some("js") => "text/javascript",
            Some("css") => "text/css",
            _ => "application/json",
        };
        assert_eq!(answer.headers["content-type"], expected, "{file}");
        for outside in [
            "@import",
            "url(http",
            "url(//",
            "importScripts(",
            "sourceMappingURL=http",
        ] {
            assert!(!answer.text.contains(outside), "{file}: {outside}");
        }
    }
    let start = stranger.get("/api-docs/start.js").await.text;
    assert!(
        start.contains("\"/openapi.json\"") && !start.contains("//"),
        "{start}"
    );
    for missing in [
        "/api-docs/none.js",
        "/api-docs/..%2FCargo.toml",
        "/api-docs/a/b",
    ] {
        assert_eq!(stranger.get(missing).await.status, 404, "{missing}");
    }
}
