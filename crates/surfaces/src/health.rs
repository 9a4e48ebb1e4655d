//! Whether the program can do its work, in the words of every contract at once (rulings 21).
//!
//! Anybody learns whether it does. Paths, addresses and settings are for who may use the agent
//! runtime (agent-runtime §§2, 11).

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use stationmaster_http::query::Query;
use stationmaster_runtime::{Glance, MAX_FILE_CHARS};
use utoipa::ToSchema;

use crate::system::Probe;

/// How long the store and the disk may take to answer before they count as down.
const PATIENCE: Duration = Duration::from_secs(5);

/// Whether the program can do its work.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Health {
    /// `ok`; `degraded` when agents cannot work as they should; `error` when the store is down.
    #[schema(value_type = String)]
    status: &'static str,
    version: &'static str,
    store: Store,
    runtime: Runtime,
    /// For who may use the agent runtime.
    #[serde(flatten)]
    details: Option<Details>,
}

#[derive(Debug, Serialize, ToSchema)]
struct Store {
    #[schema(value_type = String)]
    status: &'static str,
    /// `sqlite` or `postgres`.
    #[schema(value_type = String)]
    database: &'static str,
}

#[derive(Debug, Serialize, ToSchema)]
struct Runtime {
    enabled: bool,
    /// `provider/model`
    model: Option<String>,
    dispatcher: bool,
}

#[derive(Debug, Serialize, ToSchema)]
struct Details {
    workspace: Workspace,
    skills: Skills,
    backend: Backend,
    /// Those that the workspace names, if any, with `?deep=true`.
    #[serde(rename = "mcpServers", skip_serializing_if = "Option::is_none")]
    servers: Option<Vec<McpServer>>,
    config: Config,
    database: Database,
}

#[derive(Debug, Serialize, ToSchema)]
struct McpServer {
    name: String,
    /// `ok` or `error`.
    #[schema(value_type = String)]
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    tools: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct Workspace {
    path: String,
    /// `ok` or `missing`.
    #[schema(value_type = String)]
    status: &'static str,
    max_chars_per_file: usize,
    /// There is nothing to boot, or it is done.
    boot_complete: bool,
}

#[derive(Debug, Serialize, ToSchema)]
struct Skills {
    enabled: usize,
    total: usize,
}

#[derive(Debug, Serialize, ToSchema)]
struct Backend {
    /// `null` for this server's own.
    url: Option<String>,
    /// `ok`, `error`, or `unchecked` without `?deep=true`.
    #[schema(value_type = String)]
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct Config {
    port: Option<u16>,
    default_task: Option<String>,
    /// `provider/model`
    model: Option<String>,
    fallback_model: Option<String>,
}

#[derive(Debug, Serialize, ToSchema)]
struct Database {
    #[schema(value_type = String)]
    status: &'static str,
}

/// Ready when the store is
#[utoipa::path(get, path = "/health", tag = "System", security(()),
    params(("deep" = Option<bool>, Query, description = "Ask the backend and MCP servers too; needs the daemon key where one is set")),
    responses((status = 200, body = Health), (status = 503, body = Health)))]
pub(crate) async fn health(
    State(probe): State<Arc<Probe>>,
    headers: HeaderMap,
    uri: Uri,
) -> Response {
    let Probe { app, status, .. } = probe.as_ref();
    let newest = app.database.read(|tx| tx.newest_event());
    let store_is_up = soon(newest).await.is_some_and(|read| read.is_ok());
    let store = if store_is_up { "ok" } else { "error" };
    let is_deep = Query::of(&uri).is_ok_and(|query| query.get("deep") == Some("true"));
    let details = match app.gate.daemon(&headers) {
        Ok(()) => Some(details(&probe, store, is_deep).await),
        Err(_) => None,
    };
    let degraded = details.as_ref().is_some_and(|it| {
        let lacks_workspace = status.needs_workspace && it.workspace.status != "ok";
        let mut servers = it.servers.iter().flatten();
        let lacks_server = servers.any(|server| server.status != "ok");
        lacks_workspace || lacks_server || it.backend.status == "error"
    });
    let (code, word) = match (store_is_up, degraded) {
        (false, _) => (StatusCode::SERVICE_UNAVAILABLE, "error"),
        (true, true) => (StatusCode::OK, "degraded"),
        (true, false) => (StatusCode::OK, "ok"),
    };
    let body = Health {
        status: word,
        version: app.version,
        store: Store {
            status: store,
            database: status.database,
        },
        runtime: Runtime {
            enabled: status.model.is_some(),
            model: status.model.clone(),
            dispatcher: status.dispatcher,
        },
        details,
    };
    (code, Json(body)).into_response()
}

/// What comes of `work`, unless it takes too long.
async fn soon<T>(work: impl Future<Output = T>) -> Option<T> {
    tokio::time::timeout(PATIENCE, work).await.ok()
}

async fn details(probe: &Probe, store: &'static str, is_deep: bool) -> Details {
    let Probe {
        status, runtime, ..
    } = probe;
    let workspace = runtime.workspace();
    let (glance, backend, servers) = tokio::join!(
        async { soon(workspace.glance()).await.and_then(Result::ok) },
        backend(probe, store, is_deep),
        async {
            match is_deep {
                true => Some(servers(probe).await).filter(|servers| !servers.is_empty()),
                false => None,
            }
        }
    );
    let glance = glance.unwrap_or(Glance {
        exists: false,
        is_booted: false,
        skills: 0,
        enabled_skills: 0,
    });
    Details {
        workspace: Workspace {
            path: workspace.dir().display().to_string(),
            status: if glance.exists { "ok" } else { "missing" },
            max_chars_per_file: MAX_FILE_CHARS,
            boot_complete: glance.is_booted,
        },
        skills: Skills {
            enabled: glance.enabled_skills,
            total: glance.skills,
        },
        backend,
        servers,
        config: Config {
            port: status.port,
            default_task: status.default_task.clone(),
            model: status.model.clone(),
            fallback_model: status.fallback_model.clone(),
        },
        database: Database { status: store },
    }
}

async fn backend(probe: &Probe, store: &'static str, is_deep: bool) -> Backend {
    let url = probe.status.backend_url.clone();
    let (status, error) = if !is_deep {
        ("unchecked", None)
    } else if url.is_none() {
        (store, None)
    } else {
        match soon(probe.runtime.probe_backend()).await {
            Some(Ok(())) => ("ok", None),
            Some(Err(error)) => ("error", Some(error.message)),
            None => ("error", Some("it did not answer within 5 s".to_owned())),
        }
    };
    Backend { url, status, error }
}

async fn servers(probe: &Probe) -> Vec<McpServer> {
    let found = probe.runtime.probe_servers().await.into_iter();
    found
        .map(|(name, tools)| McpServer {
            name,
            status: if tools.is_ok() { "ok" } else { "error" },
            error: tools.as_ref().err().cloned(),
            tools: tools.ok(),
        })
        .collect()
}
