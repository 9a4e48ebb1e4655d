//! The OpenAPI document and an offline page that shows it.
//!
//! The document is made from the routers themselves, so a route without a description does not
//! exist. The page's script and style are vendored (see `assets/README.md`).

use axum::Router;
use axum::extract::Path;
use axum::http::{StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;
use rust_embed::RustEmbed;
use stationmaster_http::App;
use utoipa::openapi::security::{ApiKey, ApiKeyValue, Http, HttpAuthScheme, SecurityScheme};
use utoipa::openapi::{Components, InfoBuilder, LicenseBuilder, OpenApi, OpenApiBuilder, RefOr};

#[derive(RustEmbed)]
#[folder = "assets/"]
struct Assets;

/// The document's head: what it is about and how callers prove who they are.
pub(crate) fn skeleton(version: &str) -> OpenApi {
    let mut components = Components::new();
    let in_header = |name: &str| SecurityScheme::ApiKey(ApiKey::Header(ApiKeyValue::new(name)));
    for (name, scheme) in [
        ("agent_token", in_header("X-Agent-Token")),
        (
            "agent_token_in_query",
            SecurityScheme::ApiKey(ApiKey::Query(ApiKeyValue::new("token"))),
        ),
        ("internal_token", in_header("X-Internal-Token")),
        ("daemon_key", in_header("X-Agent-Daemon-Key")),
        (
            "agent_bearer",
            SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer)),
        ),
        (
            "operator",
            SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer)),
        ),
    ] {
        components.add_security_scheme(name, scheme);
    }
    let info = InfoBuilder::new()
        .title("stationmaster")
        .version(version)
        .description(Some(
            "The control plane and runtime for crews of AI agents.",
        ))
        .license(Some(
            LicenseBuilder::new()
                .name("Apache-2.0")
                .identifier(Some("Apache-2.0"))
                .build(),
        ))
        .build();
    OpenApiBuilder::new()
        .info(info)
        .components(Some(components))
        .build()
}

/// Adds what OpenAPI 3.1 asks for and the handlers leave out: ids that no two operations share,
/// and a description of every response, which is what its status means where none is written.
pub(crate) fn complete(document: &mut OpenApi) {
    for (path, item) in &mut document.paths.paths {
        let operations = [
            ("get", &mut item.get),
            ("put", &mut item.put),
            ("post", &mut item.post),
            ("delete", &mut item.delete),
            ("patch", &mut item.patch),
        ];
        for (method, operation) in operations {
            let Some(operation) = operation else { continue };
            operation.operation_id = Some(operation_id(method, path));
            for (code, response) in &mut operation.responses.responses {
                if let RefOr::T(response) = response
                    && response.description.is_empty()
                {
                    let status: Option<StatusCode> = code.parse().ok();
                    let meaning = status.and_then(|status| status.canonical_reason());
                    meaning
                        .unwrap_or(code)
                        .clone_into(&mut response.description);
                }
            }
        }
    }
}

/// `get_api_mission_control_tasks_id`
fn operation_id(method: &str, path: &str) -> String {
    let words = path.split(|c: char| !c.is_ascii_alphanumeric());
    let mut id = method.to_owned();
    for word in words.filter(|word| !word.is_empty()) {
        id.push('_');
        id.push_str(word);
    }
    id
}

/// `/openapi.json` and `/api-docs`.
#[expect(
    clippy::disallowed_methods,
    reason = "the document does not describe the routes that serve it"
)]
pub(crate) fn routes(document: &OpenApi) -> Router<App> {
    // A document of our own types always becomes JSON; if one day it does not, the page says so.
    let text = document
        .to_json()
        .unwrap_or_else(|error| format!("{{\"error\":\"{error}\"}}"));
    let json = move || async move { ([(header::CONTENT_TYPE, "application/json")], text) };
    Router::new()
        .route("/openapi.json", get(json.clone()))
        // Where the OpenClaw contract looks for it (§1).
        .route("/api/v1/openapi.json", get(json))
        .route(
            "/api-docs",
            get(|| async { Html(include_str!("../assets/index.html")) }),
        )
        .route("/api-docs/{file}", get(asset))
}

async fn asset(Path(file): Path<String>) -> Response {
    let Some(found) = Assets::get(&file) else {
        return crate::openclaw::missing(&format!("/api-docs/{file}")).await;
    };
    let kind = match file.rsplit('.').next() {
        Some("js") => "text/javascript",
        Some("css") => "text/css",
        Some("html") => "text/html; charset=utf-8",
        _ => "text/plain; charset=utf-8",
    };
    (StatusCode::OK, [(header::CONTENT_TYPE, kind)], found.data).into_response()
}
