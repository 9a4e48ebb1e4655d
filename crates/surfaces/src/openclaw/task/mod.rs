//! Tasks: made, found, changed, taken from state to state (§4, §5).

mod body;
mod report;
mod shape;
mod whole;

use axum::Json;
use axum::extract::State as AppState;
use axum::response::Response;
use serde::Serialize;
use stationmaster_http::App;
use stationmaster_kernel::error::Problems;
use stationmaster_kernel::kind::TaskKind;
use stationmaster_kernel::state::State;
use stationmaster_kernel::subscription;
use stationmaster_kernel::task::{self, BoardFilter, BoardOrder, BoardPage};
use stationmaster_kernel::{Error, TaskId};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::error::{ErrorBody, Problem};
use super::read;
use super::request::{Answer, Caller, Change, Id, Once, Query, read as look};
pub(super) use body::{ArtifactBody, artifacts};
use body::{StepBody, TaskBody, TaskChangeBody};
pub(super) use shape::{Artifact, Checklist, Task, Transition};
use whole::{Include, Whole};

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(list, create))
        .routes(routes!(get, change))
        .routes(routes!(step))
        .routes(routes!(transitions))
        .routes(routes!(subscribe, unsubscribe))
        .routes(routes!(report))
        .routes(routes!(checklist))
}

#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Tasks {
    tasks: Vec<Task>,
    total: u64,
    has_more: bool,
}

fn states() -> String {
    State::ALL.map(State::as_str).join(", ")
}

fn order_of(text: &str) -> Option<BoardOrder> {
    Some(match text {
        "priority" => BoardOrder::Priority,
        "createdAt" => BoardOrder::CreatedAt,
        "updatedAt" => BoardOrder::UpdatedAt,
        "dueAt" => BoardOrder::DueAt,
        _ => return None,
    })
}

fn descending(text: &str) -> Option<bool> {
    match text {
        "asc" => Some(false),
        "desc" => Some(true),
        _ => None,
    }
}

/// Tasks, most urgent first
#[utoipa::path(get, path = "/api/v1/tasks", tag = "OpenClaw",
    security(("agent_bearer" = []), ("operator" = [])),
    params(("status" = Option<String>, Query, description = "several, separated by commas or repeated"),
        ("type" = Option<String>, Query, description = "likewise"),
        ("assigneeId" = Option<String>, Query, description = "or `me`"), ("creatorId" = Option<String>, Query),
        ("reviewerId" = Option<String>, Query), ("priority" = Option<u8>, Query),
        ("parentTaskId" = Option<String>, Query),
        ("labels" = Option<String>, Query, description = "all must match"),
        ("search" = Option<String>, Query, description = "in title, description and labels"),
        ("limit" = Option<u32>, Query), ("offset" = Option<u32>, Query),
        ("orderBy" = Option<String>, Query, description = "createdAt, updatedAt, priority or dueAt"),
        ("orderDir" = Option<String>, Query), ("tenantId" = Option<String>, Query)),
    responses((status = 200, body = Tasks), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody)))]
async fn list(
    AppState(app): AppState<App>,
    caller: Caller,
    query: Query,
) -> Result<Json<Tasks>, Problem> {
    let mut problems = Problems::default();
    let (limit, offset) = query.page(&mut problems);
    let handle = |name: &str| query.get(name).map(|id| caller.agent_named(id)).transpose();
    let priority = query.number(&mut problems, "priority", 0..=255);
    if priority.is_some_and(|priority| !(1..=4).contains(&priority)) {
        problems.add("priority", "must be 1, 2, 3 or 4");
    }
    let filter = BoardFilter {
        tenant: caller.scope(&query)?,
        states: query.words(&mut problems, "status", State::parse, &states()),
        kinds: query.words(&mut problems, "type", TaskKind::parse, &read::kinds()),
        priority: priority.and_then(|it| u8::try_from(it).ok()),
        assignee: handle("assigneeId")?,
        creator: handle("creatorId")?,
        creator_user: None,
        reviewer: handle("reviewerId")?,
        parent: query.text("parentTaskId").map(TaskId::new),
        labels: query.list("labels").map(str::to_owned).collect(),
        search: query.text("search"),
        unassigned: false,
    };
    let order = query.word(
        &mut problems,
        "orderBy",
        order_of,
        "createdAt, updatedAt, priority, dueAt",
    );
    let down = query.word(&mut problems, "orderDir", descending, "asc, desc");
    problems.into_result()?;
    let order = order.unwrap_or_default();
    let page = BoardPage {
        order,
        // What is newest is what somebody who asks for an order by time looks for.
        descending: down.unwrap_or(matches!(
            order,
            BoardOrder::CreatedAt | BoardOrder::UpdatedAt
        )),
        offset,
        limit,
    };
    look(&app, move |tx| {
        let filter = task::creator_found(tx, filter.clone())?;
        let found = tx.board(&filter, page)?;
        let total = tx.board_count(&filter)?;
        let shown = u64::from(offset) + found.len() as u64;
        Ok(Tasks {
            tasks: found.into_iter().map(Task::from).collect(),
            total,
            has_more: shown < total,
        })
    })
    .await
}

/// A task just made.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Created {
    #[serde(flatten)]
    task: Task,
    created: bool,
}

/// Make a task
#[utoipa::path(post, path = "/api/v1/tasks", tag = "OpenClaw",
    security(("operator" = []), ("agent_bearer" = [])), request_body = TaskBody,
    responses((status = 201, body = Created), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody),
        (status = 403, body = ErrorBody), (status = 422, body = ErrorBody)))]
async fn create(
    AppState(app): AppState<App>,
    caller: Caller,
    Change { mut fields, once }: Change,
) -> Result<Response, Problem> {
    let who = caller.within(fields.string("tenantId").as_deref())?;
    let new = body::new_task(&mut fields, &caller)?;
    once.run_whole(&app, fields, move |tx| {
        let task = task::create_on_board(tx, &who, new.clone())?.into();
        Answer::created(&Created {
            task,
            created: true,
        })
    })
    .await
}

/// A task with all that belongs to it
#[utoipa::path(get, path = "/api/v1/tasks/{id}", tag = "OpenClaw",
    security(("agent_bearer" = []), ("operator" = [])),
    params(("id" = String, Path), ("include" = Option<String>, Query,
        description = "only these: transitions, messages, runs, approvals, documents, allowedTransitions")),
    responses((status = 200, body = Whole), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody),
        (status = 404, body = ErrorBody)))]
async fn get(
    AppState(app): AppState<App>,
    caller: Caller,
    Id(id): Id,
    query: Query,
) -> Result<Json<Whole>, Problem> {
    let mut problems = Problems::default();
    let include = Include::of(&query, &mut problems);
    problems.into_result()?;
    let id = TaskId::new(id);
    look(&app, move |tx| whole::find(tx, &caller.who, &id, &include)).await
}

/// Change a task, or take or give it
#[utoipa::path(patch, path = "/api/v1/tasks/{id}", tag = "OpenClaw",
    security(("agent_bearer" = []), ("operator" = [])), params(("id" = String, Path)), request_body = TaskChangeBody,
    responses((status = 200, body = Task), (status = 400, body = ErrorBody), (status = 403, body = ErrorBody),
        (status = 404, body = ErrorBody), (status = 422, body = ErrorBody)))]
async fn change(
    AppState(app): AppState<App>,
    caller: Caller,
    Id(id): Id,
    Change { mut fields, once }: Change,
) -> Result<Response, Problem> {
    let change = body::change(&mut fields, &caller)?;
    let id = TaskId::new(id);
    once.run_whole(&app, fields, move |tx| {
        Answer::ok(&Task::from(task::change(
            tx,
            &caller.who,
            &id,
            change.clone(),
        )?))
    })
    .await
}

/// What came of a step, or would.
#[derive(Debug, Serialize, ToSchema)]
#[serde(untagged)]
pub(super) enum StepAnswer {
    Taken(Box<Stepped>),
    TriedOut(Box<Rehearsed>),
}

/// A task that was taken to another state.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Stepped {
    #[serde(flatten)]
    task: Task,
    success: bool,
    transition: Transition,
    /// Where the caller may take it from here.
    allowed_transitions: Vec<&'static str>,
}

/// What a step that was only tried out would have come to (§16). The task is as it would be.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Rehearsed {
    /// Always true: a step that cannot be taken is refused as if it were.
    valid: bool,
    dry_run: bool,
    from: &'static str,
    to: &'static str,
    task: Task,
    /// Where the caller could take it from there.
    allowed_transitions: Vec<&'static str>,
}

/// Take a task to another state
///
/// With `dryRun` nothing is done: the answer says what would come of it.
#[utoipa::path(post, path = "/api/v1/tasks/{id}/transition", tag = "OpenClaw",
    security(("agent_bearer" = []), ("operator" = [])),
    params(("id" = String, Path), ("dryRun" = Option<bool>, Query)), request_body = StepBody,
    responses((status = 200, body = StepAnswer), (status = 400, body = ErrorBody), (status = 403, body = ErrorBody),
        (status = 404, body = ErrorBody), (status = 409, body = ErrorBody), (status = 422, body = ErrorBody)))]
async fn step(
    AppState(app): AppState<App>,
    caller: Caller,
    Id(id): Id,
    query: Query,
    Change { mut fields, once }: Change,
) -> Result<Response, Problem> {
    let is_rehearsal = body::dry_run(&mut fields, &query);
    let new = body::step(&mut fields, once.name())?;
    let id = TaskId::new(id);
    if is_rehearsal && fields.is_sound() {
        return Once::rehearse(&app, move |tx| {
            let stepped = task::step(tx, &caller.who, &id, new.clone())?;
            Ok(StepAnswer::TriedOut(Box::new(Rehearsed {
                valid: true,
                dry_run: true,
                task: stepped.task.into(),
                from: stepped.transition.from.as_str(),
                to: stepped.transition.to.as_str(),
                allowed_transitions: stepped.allowed.into_iter().map(State::as_str).collect(),
            })))
        })
        .await;
    }
    once.run_whole(&app, fields, move |tx| {
        let stepped = task::step(tx, &caller.who, &id, new.clone())?;
        Answer::ok(&StepAnswer::Taken(Box::new(Stepped {
            task: stepped.task.into(),
            success: true,
            transition: stepped.transition.into(),
            allowed_transitions: stepped.allowed.into_iter().map(State::as_str).collect(),
        })))
    })
    .await
}

#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Transitions {
    transitions: Vec<Transition>,
}

/// The way of a task so far, oldest first
#[utoipa::path(get, path = "/api/v1/tasks/{id}/transitions", tag = "OpenClaw",
    security(("agent_bearer" = []), ("operator" = [])), params(("id" = String, Path)),
    responses((status = 200, body = Transitions), (status = 404, body = ErrorBody)))]
async fn transitions(
    AppState(app): AppState<App>,
    caller: Caller,
    Id(id): Id,
) -> Result<Json<Transitions>, Problem> {
    let id = TaskId::new(id);
    look(&app, move |tx| {
        task::get(tx, &caller.who, &id)?;
        Ok(Transitions {
            transitions: tx
                .transitions(&id)?
                .into_iter()
                .map(Transition::from)
                .collect(),
        })
    })
    .await
}

#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Subscribed {
    subscribed: bool,
}

/// Follow a task
#[utoipa::path(post, path = "/api/v1/tasks/{id}/subscribe", tag = "OpenClaw",
    security(("agent_bearer" = []), ("operator" = [])), params(("id" = String, Path)),
    responses((status = 200, body = Subscribed), (status = 404, body = ErrorBody)))]
async fn subscribe(
    AppState(app): AppState<App>,
    caller: Caller,
    Id(id): Id,
    Change { once, .. }: Change,
) -> Result<Response, Problem> {
    let id = TaskId::new(id);
    once.run(&app, move |tx| {
        subscription::follow(tx, &caller.who, &id)?;
        Answer::ok(&Subscribed { subscribed: true })
    })
    .await
}

/// Follow a task no longer
#[utoipa::path(delete, path = "/api/v1/tasks/{id}/subscribe", tag = "OpenClaw",
    security(("agent_bearer" = []), ("operator" = [])), params(("id" = String, Path)),
    responses((status = 200, body = Subscribed), (status = 404, body = ErrorBody)))]
async fn unsubscribe(
    AppState(app): AppState<App>,
    caller: Caller,
    Id(id): Id,
    Change { once, .. }: Change,
) -> Result<Response, Problem> {
    let id = TaskId::new(id);
    once.run(&app, move |tx| {
        subscription::unfollow(tx, &caller.who, &id)?;
        Answer::ok(&Subscribed { subscribed: false })
    })
    .await
}

#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Report {
    /// Markdown.
    report: String,
}

/// What happened on a task, to read
#[utoipa::path(get, path = "/api/v1/tasks/{id}/report", tag = "OpenClaw",
    security(("agent_bearer" = []), ("operator" = [])), params(("id" = String, Path)),
    responses((status = 200, body = Report), (status = 404, body = ErrorBody)))]
async fn report(
    AppState(app): AppState<App>,
    caller: Caller,
    Id(id): Id,
) -> Result<Json<Report>, Problem> {
    let id = TaskId::new(id);
    look(&app, move |tx| {
        let task = task::get(tx, &caller.who, &id)?;
        Ok(Report {
            report: report::write(tx, &task)?,
        })
    })
    .await
}

/// A checklist to fill in
#[utoipa::path(get, path = "/api/v1/checklists/{type}", tag = "OpenClaw",
    security(("agent_bearer" = []), ("operator" = [])), params(("type" = String, Path)),
    responses((status = 200, body = Checklist), (status = 404, body = ErrorBody)))]
async fn checklist(_: Caller, Id(kind): Id) -> Result<Json<Checklist>, Problem> {
    match TaskKind::parse(&kind) {
        Some(kind) => Ok(Json(Checklist::blank(kind))),
        None => Err(Error::not_found(
            "checklist_not_found",
            format!(
                "there is no checklist for {kind:?}; use one of {}",
                read::kinds()
            ),
        )
        .into()),
    }
}
