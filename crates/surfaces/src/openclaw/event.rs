//! The audit trail: looked up, and live (§4).

use axum::Json;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::IntoResponse;
use axum::response::sse::Event as Frame;
use serde::Serialize;
use serde_json::json;
use stationmaster_access::Tail;
use stationmaster_http::{App, stream};
use stationmaster_kernel::error::Problems;
use stationmaster_kernel::event::TrailQuery;
use stationmaster_kernel::{Error, EventId, TaskId};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::activity::{self, Activity};
use super::error::{ErrorBody, Problem};
use super::request::{Caller, Query, read};

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(timeline))
        .routes(routes!(follow))
}

/// A page of the audit trail, newest first.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Timeline {
    activities: Vec<Activity>,
    has_more: bool,
    /// What to ask for as `before` to read on.
    next_before: Option<String>,
}

/// Who did what, newest first
#[utoipa::path(get, path = "/api/v1/events/timeline", tag = "OpenClaw",
    security(("agent_bearer" = []), ("operator" = [])),
    params(("taskId" = Option<String>, Query), ("agentId" = Option<String>, Query),
        ("action" = Option<String>, Query, description = "such as TASK_TRANSITION"),
        ("limit" = Option<u32>, Query), ("before" = Option<String>, Query, description = "an entry's id"),
        ("tenantId" = Option<String>, Query)),
    responses((status = 200, body = Timeline), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody)))]
async fn timeline(
    State(app): State<App>,
    caller: Caller,
    query: Query,
) -> Result<Json<Timeline>, Problem> {
    let mut problems = Problems::default();
    let (limit, _) = query.page(&mut problems);
    let action = query.text("action");
    if action
        .as_deref()
        .is_some_and(|action| !activity::is_action(action))
    {
        problems.add("action", "is not an action of the audit trail");
    }
    let before = query.get("before").map(|text| {
        let id = activity::event_id(text);
        if id.is_none() {
            problems.add("before", "must be the id of an entry");
        }
        id.unwrap_or(EventId(0))
    });
    problems.into_result()?;
    let agent = query
        .get("agentId")
        .map(|name| caller.agent_named(name))
        .transpose()?;
    let wanted = TrailQuery {
        tenant: caller.scope(&query)?,
        task: query.text("taskId").map(TaskId::new),
        agent,
        before,
        limit,
        ..TrailQuery::default()
    };
    read(&app, move |tx| {
        let (activities, has_more) = activity::trail(tx, wanted.clone(), action.as_deref())?;
        let last = activities.last().map(|entry| entry.id().to_owned());
        Ok(Timeline {
            next_before: last.filter(|_| has_more),
            activities,
            has_more,
        })
    })
    .await
}

/// Who does what, live
///
/// Server-sent events: `id` to resume from, `event` the action, `data` the entry as JSON. An event
/// `reset` comes first when the place to resume from is not in the log any more.
#[utoipa::path(get, path = "/api/v1/events/stream", tag = "OpenClaw",
    security(("agent_bearer" = []), ("operator" = [])),
    params(("Last-Event-ID" = Option<String>, Header, description = "resume after this entry"),
        ("lastEventId" = Option<String>, Query, description = "the same"),
        ("actions" = Option<String>, Query, description = "only these, separated by commas"),
        ("taskId" = Option<String>, Query), ("tenantId" = Option<String>, Query)),
    responses((status = 200, content_type = "text/event-stream", body = String), (status = 400, body = ErrorBody),
        (status = 401, body = ErrorBody)))]
async fn follow(
    State(app): State<App>,
    caller: Caller,
    headers: HeaderMap,
    query: Query,
) -> Result<impl IntoResponse, Problem> {
    let mut problems = Problems::default();
    let actions: Vec<String> = query.list("actions").map(str::to_owned).collect();
    for action in &actions {
        if !activity::is_action(action) {
            problems.add(
                "actions",
                format!("{action:?} is not an action of the audit trail"),
            );
        }
    }
    problems.into_result()?;
    let resume = resume_point(&headers, &query)?;
    let tenant = caller.scope(&query)?;
    let (newest, floor) = app
        .database
        .read(|tx| Ok((tx.newest_event()?, tx.event_floor()?)))
        .await?;
    // Past the newest event is another database's place.
    let lost = resume.is_some_and(|at| at < floor || at > newest);
    let start = match resume {
        Some(_) if lost => floor.min(newest),
        Some(at) => at,
        None => newest,
    };
    let first = lost.then(|| {
        let data = json!({"type": "reset", "lastEventId": format!("act_{start}"),
            "reason": "the place to resume from is not in the log any more"});
        Frame::default().event("reset").data(data.to_string())
    });
    let task = query.text("taskId").map(TaskId::new);
    let tail = Tail::new(&app.database, tenant, task, start);
    Ok(stream::events(
        first,
        tail,
        app.stopping.clone(),
        move |event| {
            let entry = Activity::of(event)?;
            if !actions.is_empty() && !actions.iter().any(|wanted| wanted == entry.action()) {
                return None;
            }
            Some(
                Frame::default()
                    .id(entry.id())
                    .event(entry.action())
                    .data(json!(entry).to_string()),
            )
        },
    ))
}

fn resume_point(headers: &HeaderMap, query: &Query) -> Result<Option<EventId>, Error> {
    let header = headers
        .get("last-event-id")
        .map(|value| value.to_str().unwrap_or("?"))
        .filter(|text| !text.is_empty());
    let Some(text) = header.or_else(|| query.get("lastEventId")) else {
        return Ok(None);
    };
    match activity::event_id(text.trim()) {
        Some(id) => Ok(Some(id)),
        None if text.trim() == "0" => Ok(Some(EventId(0))),
        None => Err(Error::invalid("lastEventId", "must be the id of an entry")),
    }
}
