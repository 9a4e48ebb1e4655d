//! What this backend can do (§7): once for clients that hold a token, once for version checks.

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use stationmaster_http::App;
use utoipa::ToSchema;

use super::error::{ErrorBody, Problem};
use super::request::AgentCaller;

/// The features that compatibility checks look for by name.
const FEATURES: &[&str] = &[
    "task_list",
    "task_create",
    "task_update",
    "message_post",
    "message_list",
    "document_post",
    "document_list",
    "notifications",
    "notifications_dispatch",
    "events_sse",
    "heartbeat",
    "standup",
    "tool_requests",
    "tool_discover",
    "tool_execute",
];

const ENDPOINTS: &[&str] = &[
    "GET /api/mission-control/capabilities",
    "GET /api/mission-control/tasks",
    "POST /api/mission-control/tasks",
    "GET /api/mission-control/tasks/{id}",
    "PATCH /api/mission-control/tasks/{id}",
    "GET /api/mission-control/messages",
    "POST /api/mission-control/messages",
    "GET /api/mission-control/documents",
    "POST /api/mission-control/documents",
    "GET /api/mission-control/notifications",
    "POST /api/mission-control/notifications",
    "GET /api/mission-control/dispatch/undelivered",
    "POST /api/mission-control/dispatch/undelivered",
    "GET /api/mission-control/events",
    "POST /api/mission-control/heartbeat",
    "POST /api/mission-control/standup",
    "GET /api/mission-control/tool-requests",
    "POST /api/mission-control/tool-requests",
    "GET /api/tools",
    "POST /api/tools/{name}",
];

/// The features of the contract, each with whether it is there.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Features {
    tasks: bool,
    messages: bool,
    documents: bool,
    /// False where no internal token is configured.
    notifications_dispatch: bool,
    events_sse: bool,
    heartbeat: bool,
    standup: bool,
    tool_requests: bool,
    notifications: bool,
    tasks_update: bool,
    messages_list: bool,
    documents_list: bool,
    tools: bool,
}

#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Capabilities {
    #[schema(example = "v1")]
    contract_version: &'static str,
    features: Features,
    version: &'static str,
    features_list: &'static [&'static str],
}

/// The features of this backend
#[utoipa::path(get, path = "/api/mission-control/capabilities", tag = "Mission Control",
    security(("agent_token" = [])),
    responses((status = 200, body = Capabilities), (status = 401, body = ErrorBody)))]
pub(super) async fn features(
    State(app): State<App>,
    _: AgentCaller,
) -> Result<Json<Capabilities>, Problem> {
    let features = Features {
        tasks: true,
        messages: true,
        documents: true,
        notifications_dispatch: app.gate.internal_token.is_some(),
        events_sse: true,
        heartbeat: true,
        standup: true,
        tool_requests: true,
        notifications: true,
        tasks_update: true,
        messages_list: true,
        documents_list: true,
        tools: true,
    };
    Ok(Json(Capabilities {
        contract_version: "v1",
        features,
        version: app.version,
        features_list: FEATURES,
    }))
}

#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Compatibility {
    version: &'static str,
    #[schema(example = "1.1.0")]
    contract_version: &'static str,
    features: &'static [&'static str],
    endpoints: &'static [&'static str],
}

/// The version of this backend, for anyone who asks
#[utoipa::path(get, path = "/api/capabilities", tag = "Mission Control", security(()),
    responses((status = 200, body = Compatibility)))]
pub(super) async fn compatibility(State(app): State<App>) -> Json<Compatibility> {
    Json(Compatibility {
        version: app.version,
        contract_version: "1.1.0",
        features: FEATURES,
        endpoints: ENDPOINTS,
    })
}
