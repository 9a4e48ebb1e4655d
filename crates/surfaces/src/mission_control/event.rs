//! What happens in the tenant, live (§10).

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::IntoResponse;
use axum::response::sse::Event as Frame;
use serde_json::{Value, json};
use stationmaster_access::Tail;
use stationmaster_http::{App, stream};
use stationmaster_kernel::event::{Event, Happening};
use stationmaster_kernel::{Error, EventId, Principal, TaskId};

use super::document::Document;
use super::error::{ErrorBody, Problem};
use super::heartbeat::Heartbeat;
use super::message::Message;
use super::notification::Notification;
use super::request::Query;
use super::standup::Standup;
use super::task::Task;
use super::tool_request::ToolRequest;

/// The tenant's events as they happen
///
/// Frames carry an increasing `id`, the type as `event` and one line of JSON
/// `{id, type, user_id, task_id, at, data}`. An event `reset` comes first when the place to resume
/// from is too old.
#[utoipa::path(get, path = "/api/mission-control/events", tag = "Mission Control",
    security(("agent_token" = []), ("agent_token_in_query" = [])),
    params(
        ("Last-Event-ID" = Option<i64>, Header, description = "resume after this one"),
        ("last_event_id" = Option<i64>, Query, description = "the same, for clients that cannot set headers"),
        ("types" = Option<String>, Query, description = "only these, separated by commas"),
        ("task_id" = Option<String>, Query),
        ("token" = Option<String>, Query, description = "an agent token, here only")),
    responses((status = 200, content_type = "text/event-stream", body = String), (status = 400, body = ErrorBody),
        (status = 401, body = ErrorBody)))]
pub(super) async fn stream(
    State(app): State<App>,
    headers: HeaderMap,
    query: Result<Query, Problem>,
) -> Result<impl IntoResponse, Problem> {
    // Who asks is checked before what is asked, readable or not.
    let who = caller(&app, &headers, query.as_ref().ok())?;
    let query = query?;
    let resume = resume_point(&headers, &query)?;
    let types: Option<Vec<String>> = query
        .get("types")
        .map(|list| list.split(',').map(|name| name.trim().to_owned()).collect());
    let (newest, floor) = app
        .database
        .read(|tx| Ok((tx.newest_event()?, tx.event_floor()?)))
        .await?;
    // Events between the resume point and the floor are gone; and a place past the newest one is
    // another database's.
    let lost = resume.is_some_and(|at| at < floor || at > newest);
    let start = if lost {
        floor.min(newest)
    } else {
        resume.unwrap_or(newest)
    };
    let first = lost.then(|| {
        let data = json!({"type": "reset", "user_id": who.tenant.as_ref().map(ToString::to_string),
            "reason": "the place to resume from is not in the log any more", "last_event_id": start.0});
        Frame::default().event("reset").data(data.to_string())
    });
    let task = query.text("task_id").map(TaskId::new);
    let tail = Tail::new(&app.database, who.tenant, task, start);
    Ok(stream::events(
        first,
        tail,
        app.stopping.clone(),
        move |event| frame(event, types.as_deref()),
    ))
}

fn caller(app: &App, headers: &HeaderMap, query: Option<&Query>) -> Result<Principal, Error> {
    match query.and_then(|query| query.get("token")) {
        Some(token) if !headers.contains_key("x-agent-token") => app.gate.agent_of(token),
        _ => app.gate.agent(headers),
    }
}

fn resume_point(headers: &HeaderMap, query: &Query) -> Result<Option<EventId>, Error> {
    let header = headers
        .get("last-event-id")
        .map(|value| value.to_str().unwrap_or("?"))
        .filter(|text| !text.is_empty());
    let Some(text) = header.or_else(|| query.get("last_event_id")) else {
        return Ok(None);
    };
    match text.trim().parse() {
        Ok(id) if id >= 0 => Ok(Some(EventId(id))),
        _ => Err(Error::invalid(
            "last_event_id",
            "must be the id of an event",
        )),
    }
}

/// The frame of an event that this contract shows.
fn frame(event: &Event, types: Option<&[String]>) -> Option<Frame> {
    let (name, data) = shown(&event.what)?;
    if types.is_some_and(|types| !types.iter().any(|wanted| wanted == name)) {
        return None;
    }
    let body = json!({
        "id": event.id.0,
        "type": name,
        "user_id": event.tenant.as_str(),
        "task_id": event.what.task().map(TaskId::as_str),
        "at": event.at.to_string(),
        "data": data,
    });
    Some(
        Frame::default()
            .id(event.id.to_string())
            .event(name)
            .data(body.to_string()),
    )
}

/// The contract's name for what happened and the object it shows; `None` for what it has no word for.
fn shown(what: &Happening) -> Option<(&'static str, Value)> {
    let (name, data) = match what.clone() {
        Happening::TaskCreated(it) => ("task.created", json!(Task::from(it))),
        Happening::TaskUpdated(task)
        | Happening::TaskTransitioned { task, .. }
        | Happening::TaskAssigned { task, .. } => ("task.updated", json!(Task::from(task))),
        Happening::MessageCreated(it) => ("message.created", json!(Message::from(it))),
        Happening::DocumentCreated(it) => ("document.created", json!(Document::from(it))),
        Happening::DocumentUpdated(it) => ("document.updated", json!(Document::from(it))),
        Happening::NotificationCreated(it) => {
            ("notification.created", json!(Notification::from(it)))
        }
        Happening::NotificationDelivered(it) => {
            ("notification.delivered", json!(Notification::from(it)))
        }
        Happening::NotificationDead(it) | Happening::NotificationSuppressed(it) => {
            ("notification.dead", json!(Notification::from(it)))
        }
        Happening::HeartbeatRecorded(it) => ("heartbeat.recorded", json!(Heartbeat::from(it))),
        Happening::StandupCreated(it) => ("standup.created", json!(Standup::from(it))),
        Happening::StandupUpdated(it) => ("standup.updated", json!(Standup::from(it))),
        Happening::ApprovalCreated(it) => ("tool_request.created", json!(ToolRequest::from(it))),
        Happening::ApprovalUpdated(it) => ("tool_request.updated", json!(ToolRequest::from(it))),
        Happening::NotificationFailed(_)
        | Happening::NotificationRead(_)
        | Happening::AgentRegistered(_)
        | Happening::RunStarted(_)
        | Happening::RunEnded(_)
        | Happening::RunUpdated(_)
        | Happening::StandupReported(_)
        | Happening::AgentUpdated(_)
        | Happening::AgentStatusChanged { .. }
        | Happening::AgentTokenIssued(_)
        | Happening::AgentTokenRevoked(_)
        | Happening::ToolCallStarted(_)
        | Happening::ToolCallCompleted(_)
        | Happening::PolicyEvaluated(_)
        | Happening::PolicyViolated(_)
        | Happening::PolicyUpdated { .. }
        | Happening::GrantChanged { .. }
        | Happening::LoopDetected { .. }
        | Happening::BudgetExceeded { .. }
        | Happening::AlertRaised(_)
        | Happening::AlertChanged(_)
        | Happening::OperatorModeChanged { .. } => return None,
    };
    Some((name, data))
}
