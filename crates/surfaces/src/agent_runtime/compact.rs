//! Making a history shorter (§11).

use std::sync::Arc;

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::HeaderMap;
use serde::Serialize;
use serde_json::Value;
use stationmaster_http::body;
use stationmaster_http::fields::Fields;
use stationmaster_kernel::{Object, Result};
use stationmaster_runtime::{CompactRequest, HistoryEntry, HistoryRole};
use utoipa::ToSchema;

use super::Daemon;
use super::error::{ErrorBody, Problem};
use super::request::{history, payer};
use super::send::{BODY_LIMIT, Cost, HistoryBody, Usage};

/// How many messages stay as they are where the request does not say.
const KEEP_RECENT: usize = 2;

/// What to make shorter.
#[derive(ToSchema)]
#[expect(
    dead_code,
    reason = "only describes the body; it is read member by member"
)]
pub(super) struct CompactBody {
    /// At least one, oldest first.
    messages: Vec<HistoryBody>,
    /// What the summary should heed.
    instructions: Option<String>,
    /// How many of the newest messages stay as they are; 2 when left out.
    keep_recent: Option<u32>,
    /// Whose budget it is on; `default` when left out.
    user_id: Option<String>,
}

/// The history to go on with; `send` takes it as `messages`.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct CompactReply {
    #[schema(value_type = String, example = "ok")]
    status: &'static str,
    compacted_messages: Vec<CompactedMessage>,
    usage: Usage,
    cost: Cost,
    original_count: usize,
    compacted_count: usize,
}

#[derive(Debug, Serialize, ToSchema)]
struct CompactedMessage {
    /// `user`, `assistant` or `system`.
    #[schema(value_type = String)]
    role: &'static str,
    content: String,
}

impl From<HistoryEntry> for CompactedMessage {
    fn from(it: HistoryEntry) -> Self {
        Self {
            role: match it.role {
                HistoryRole::User => "user",
                HistoryRole::Assistant => "assistant",
                HistoryRole::System => "system",
            },
            content: it.content,
        }
    }
}

/// Put a summary in the place of a history's older messages
#[utoipa::path(post, path = "/compact", tag = "Agent runtime", security(("daemon_key" = []), ()), request_body = CompactBody,
    responses((status = 200, body = CompactReply), (status = 400, body = ErrorBody), (status = 403, body = ErrorBody),
        (status = 413, body = ErrorBody), (status = 429, body = ErrorBody), (status = 502, body = ErrorBody), (status = 503, body = ErrorBody), (status = 504, body = ErrorBody)))]
pub(super) async fn compact(
    State(daemon): State<Arc<Daemon>>,
    headers: HeaderMap,
    content: Body,
) -> Result<Json<CompactReply>, Problem> {
    daemon.app.gate.daemon(&headers)?;
    let bytes = body::read(content, BODY_LIMIT)
        .await
        .map_err(Problem::Body)?;
    let request = read(body::object(&bytes)?)?;
    let original_count = request.messages.len();
    let runtime = daemon.runtime.clone();
    let compacted = daemon
        .see_through(async move { runtime.compact(request).await })
        .await?;
    Ok(Json(CompactReply {
        status: "ok",
        usage: Usage::from(&compacted.spent),
        cost: Cost::of(compacted.model, &compacted.spent),
        original_count,
        compacted_count: compacted.messages.len(),
        compacted_messages: compacted.messages.into_iter().map(Into::into).collect(),
    }))
}

fn read(members: Object) -> Result<CompactRequest> {
    let is_missing = members.get("messages").is_none_or(Value::is_null);
    let mut fields = Fields::new(members);
    let messages = match fields.array("messages") {
        Some(items) if items.is_empty() => {
            fields.problem("messages", "must hold at least one message");
            Vec::new()
        }
        Some(items) => history(&mut fields, &items),
        None if is_missing => {
            fields.problem("messages", "is required");
            Vec::new()
        }
        None => Vec::new(),
    };
    let keep_recent = fields.integer("keep_recent").map(usize::try_from);
    if matches!(keep_recent, Some(Err(_))) {
        fields.problem("keep_recent", "must not be negative");
    }
    let request = CompactRequest {
        tenant: payer(&mut fields),
        messages,
        instructions: fields.string("instructions"),
        keep_recent: keep_recent
            .and_then(std::result::Result::ok)
            .unwrap_or(KEEP_RECENT),
    };
    fields.finish()?;
    Ok(request)
}
