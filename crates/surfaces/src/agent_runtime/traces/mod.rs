//! What turns did, step by step (§11). A trace is the turn itself, so there is one for each turn that was begun.

mod shape;

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, Uri};
use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde::Serialize;
use stationmaster_http::query::{Query, no_nul};
use stationmaster_kernel::error::Problems;
use stationmaster_kernel::run::{self, TraceFilter};
use stationmaster_kernel::{Error, Result, Timestamp};
use stationmaster_runtime::Trace;
use utoipa::ToSchema;

use super::Daemon;
use super::budget::{keeper, tenant_of};
use super::error::{ErrorBody, Problem};
use shape::{Head, TraceBody};

const USUAL_LIMIT: u32 = 50;
const MOST: u32 = 100;
/// Further back than this nobody pages; dates get there.
const LARGEST_OFFSET: u32 = 1_000_000;
const DAY: i64 = 86_400_000;

/// A page of traces, the last begun first.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct ListReply {
    traces: Vec<Head>,
    /// How many there are on all pages.
    total: u64,
    has_more: bool,
}

/// Turns are kept with the tasks: against somebody else's backend there are none here.
fn own_turns(daemon: &Daemon) -> Result<()> {
    if daemon.keeps_budgets {
        return Ok(());
    }
    Err(Error::not_found(
        "trace_not_found",
        "this runtime works for another backend and keeps no turns; export traces over OTLP instead",
    ))
}

/// What a tenant's turns did
#[utoipa::path(get, path = "/traces", tag = "Agent runtime", security(("daemon_key" = []), ()),
    params(("tenant_id" = String, Query), ("workspace_id" = Option<String>, Query), ("agent_role" = Option<String>, Query),
        ("start_date" = Option<String>, Query, description = "A date (UTC) or a time"),
        ("end_date" = Option<String>, Query, description = "A date (UTC, to its end) or a time"),
        ("limit" = Option<u32>, Query, description = "At most 100; 50 when left out"), ("offset" = Option<u32>, Query)),
    responses((status = 200, body = ListReply), (status = 400, body = ErrorBody), (status = 403, body = ErrorBody), (status = 404, body = ErrorBody)))]
pub(super) async fn list(
    State(daemon): State<Arc<Daemon>>,
    headers: HeaderMap,
    uri: Uri,
) -> std::result::Result<Json<ListReply>, Problem> {
    daemon.app.gate.daemon(&headers)?;
    own_turns(&daemon)?;
    let query = Query::of(&uri)?;
    let who = keeper(&tenant_of(&query)?)?;
    let (filter, offset, limit) = read(&query)?;
    let database = &daemon.app.database;
    let (runs, total) = database
        .read(move |tx| run::traces(tx, &who, &filter, offset, limit))
        .await?;
    let shown = u64::from(offset).saturating_add(runs.len() as u64);
    Ok(Json(ListReply {
        traces: runs.iter().map(Head::from).collect(),
        total,
        has_more: shown < total,
    }))
}

fn read(query: &Query) -> Result<(TraceFilter, u32, u32)> {
    let mut problems = Problems::default();
    let agent = query.get("agent_role").and_then(|role| {
        let parsed = role.parse().ok();
        if parsed.is_none() {
            problems.add("agent_role", "must be a role");
        }
        parsed
    });
    let filter = TraceFilter {
        agent,
        workspace: query.text("workspace_id"),
        from: time(query, &mut problems, "start_date", 0),
        until: time(query, &mut problems, "end_date", DAY - 1),
    };
    let limit = query.number(&mut problems, "limit", 1..=MOST);
    let offset = query.number(&mut problems, "offset", 0..=LARGEST_OFFSET);
    problems.into_result()?;
    Ok((
        filter,
        offset.unwrap_or_default(),
        limit.unwrap_or(USUAL_LIMIT),
    ))
}

pub(super) const A_MOMENT: &str =
    "must be a date like 2026-11-01 or a time like 2026-11-01T00:00:00Z";

/// An instant, or so many milliseconds into a day in UTC.
pub(super) fn moment(text: &str, into_day: i64) -> Option<Timestamp> {
    let instant = text.parse::<jiff::Timestamp>().ok();
    let found = instant.map(|at| at.as_millisecond()).or_else(|| {
        let midnight = text.parse::<Date>().ok()?.to_zoned(TimeZone::UTC).ok()?;
        Some(midnight.timestamp().as_millisecond() + into_day)
    });
    found.map(Timestamp)
}

fn time(query: &Query, problems: &mut Problems, name: &str, into_day: i64) -> Option<Timestamp> {
    let found = moment(query.get(name)?, into_day);
    if found.is_none() {
        problems.add(name, A_MOMENT);
    }
    found
}

/// What one turn did: the latest in the trace of this id, or the run of this id
#[utoipa::path(get, path = "/traces/{id}", tag = "Agent runtime", security(("daemon_key" = []), ()),
    params(("id" = String, Path), ("tenant_id" = String, Query)),
    responses((status = 200, body = TraceBody), (status = 400, body = ErrorBody), (status = 403, body = ErrorBody), (status = 404, body = ErrorBody)))]
pub(super) async fn show(
    State(daemon): State<Arc<Daemon>>,
    Path(id): Path<String>,
    headers: HeaderMap,
    uri: Uri,
) -> std::result::Result<Json<TraceBody>, Problem> {
    daemon.app.gate.daemon(&headers)?;
    own_turns(&daemon)?;
    no_nul("id", &id)?;
    let who = keeper(&tenant_of(&Query::of(&uri)?)?)?;
    let database = &daemon.app.database;
    let traced = database.read(move |tx| run::trace(tx, &who, &id)).await?;
    Ok(Json(TraceBody::from(Trace::from(traced))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_is_whole_and_a_time_exact() {
        let check = |text: &str, from: Option<&str>, until: Option<&str>| {
            let uri = format!("/traces?start_date={text}&end_date={text}");
            let query = Query::of(&uri.parse().unwrap()).unwrap();
            let found = read(&query).map(|(filter, ..)| (filter.from, filter.until));
            let expected = from
                .zip(until)
                .map(|(from, until)| (Some(from.to_owned()), Some(until.to_owned())));
            let shown = found
                .ok()
                .map(|(from, until)| (from.map(String::from), until.map(String::from)));
            assert_eq!(shown, expected, "{text}");
        };
        let day = "2026-11-21";
        let midnight = "2026-11-21T00:00:00.000Z";
        check(day, Some(midnight), Some("2026-11-21T23:59:59.999Z"));
        check("2026-11-21T00:00:00Z", Some(midnight), Some(midnight));
        check("yesterday", None, None);
        check("2026-13-01", None, None);
    }
}
