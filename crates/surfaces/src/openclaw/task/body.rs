//! What requests about tasks say (§4).

use serde_json::Value;
use stationmaster_http::fields::Fields;
use stationmaster_kernel::kind::TaskKind;
use stationmaster_kernel::state::State;
use stationmaster_kernel::task::{
    Artifact, BoardChange, Checklist, ChecklistItem, Deliverable, NewBoardTask, NewStep, Plan,
};
use stationmaster_kernel::{Error, Handle, Object, TaskId};
use utoipa::ToSchema;

use super::super::read;
use super::super::request::{Caller, Query};

/// The kinds of artifacts (§2).
pub(in super::super) const ARTIFACTS: [&str; 4] =
    ["DELIVERABLE", "EVIDENCE", "CHECKLIST", "REPORT"];

/// What a task is made of.
#[derive(ToSchema)]
#[expect(
    dead_code,
    reason = "only describes the body; it is read member by member"
)]
#[schema(rename_all = "camelCase")]
pub(super) struct TaskBody {
    title: String,
    /// `CONTENT`, `SOCIAL`, `EMAIL_MARKETING`, `CUSTOMER_RESEARCH`, `SEO_RESEARCH`, `ENGINEERING`, `DOCS` or `OPS`.
    #[schema(rename = "type")]
    kind: String,
    description: Option<String>,
    /// 1 critical, 2 high, 3 normal (the default), 4 low.
    priority: Option<u8>,
    /// With an operator's or a LEAD's say the task is theirs at once.
    assignee_ids: Option<Vec<String>>,
    reviewer_id: Option<String>,
    parent_task_id: Option<String>,
    labels: Option<Vec<String>>,
    due_at: Option<String>,
    estimated_cost: Option<f64>,
    /// Only an operator's say.
    budget: Option<f64>,
    #[schema(value_type = Option<Object>)]
    metadata: Option<Object>,
    tenant_id: Option<String>,
}

/// What to change of a task.
#[derive(ToSchema)]
#[expect(
    dead_code,
    reason = "only describes the body; it is read member by member"
)]
#[schema(rename_all = "camelCase")]
pub(super) struct TaskChangeBody {
    /// Who works on it; `["me"]` takes it.
    assignee_ids: Option<Vec<String>>,
    title: Option<String>,
    description: Option<String>,
    priority: Option<u8>,
    labels: Option<Vec<String>>,
    due_at: Option<String>,
    work_plan: Option<PlanBody>,
    deliverable: Option<DeliverableBody>,
    estimated_cost: Option<f64>,
    #[schema(value_type = Option<Object>)]
    metadata: Option<Object>,
    /// Only an operator's say, as are `type` and `budget`.
    reviewer_id: Option<String>,
    #[schema(rename = "type")]
    kind: Option<String>,
    budget: Option<f64>,
}

/// Where to take a task, and what is handed in with it.
#[derive(ToSchema)]
#[expect(
    dead_code,
    reason = "only describes the body; it is read member by member"
)]
#[schema(rename_all = "camelCase")]
pub(super) struct StepBody {
    to_status: String,
    reason: Option<String>,
    work_plan: Option<PlanBody>,
    deliverable: Option<DeliverableBody>,
    review_checklist: Option<ChecklistBody>,
    /// Stands for `reason` where that is absent.
    blocked_reason: Option<String>,
    session_key: Option<String>,
    /// An operator does without what should be handed in or done before.
    force: Option<bool>,
    /// Only say what would come of it; `?dryRun=true` does the same.
    dry_run: Option<bool>,
}

/// How the work is to be done.
#[derive(ToSchema)]
#[expect(
    dead_code,
    reason = "only describes the body; it is read member by member"
)]
#[schema(rename_all = "camelCase")]
struct PlanBody {
    /// 3 to 6 steps, none of which is empty.
    #[schema(min_items = 3, max_items = 6)]
    bullets: Vec<String>,
    /// In US dollars.
    estimated_cost: Option<f64>,
    /// As people write it: `2h`.
    estimated_duration: Option<String>,
    /// Tasks that must be `DONE` first.
    dependencies: Option<Vec<String>>,
}

/// What is handed in: content that is not blank, or an artifact.
#[derive(ToSchema)]
#[expect(
    dead_code,
    reason = "only describes the body; it is read member by member"
)]
#[schema(rename_all = "camelCase")]
struct DeliverableBody {
    content: Option<String>,
    artifacts: Option<Vec<ArtifactBody>>,
    summary: Option<String>,
}

/// A thing that is brought along.
#[derive(ToSchema)]
#[expect(
    dead_code,
    reason = "only describes the body; it is read member by member"
)]
#[schema(rename_all = "camelCase")]
pub(in super::super) struct ArtifactBody {
    name: String,
    /// `DELIVERABLE` (the default), `EVIDENCE`, `CHECKLIST` or `REPORT`.
    #[schema(rename = "type")]
    kind: Option<String>,
    /// At most 1 MiB.
    content: Option<String>,
    url: Option<String>,
    mime_type: Option<String>,
}

/// A look at one's own work: `GET /checklists/{type}` gives one to fill in.
#[derive(ToSchema)]
#[expect(
    dead_code,
    reason = "only describes the body; it is read member by member"
)]
#[schema(rename_all = "camelCase")]
struct ChecklistBody {
    /// The task's own type.
    #[schema(rename = "type")]
    kind: String,
    items: Vec<ChecklistItemBody>,
    notes: Option<String>,
}

/// One thing looked at.
#[derive(ToSchema)]
#[expect(
    dead_code,
    reason = "only describes the body; it is read member by member"
)]
#[schema(rename_all = "camelCase")]
struct ChecklistItemBody {
    label: String,
    checked: bool,
    /// Why not, where it is not checked.
    note: Option<String>,
}

/// What could be read of a task to make; `fields` keeps what was wrong with it. A type that is none
/// is stood in for, so that the rule can say what else is wrong.
pub(super) fn new_task(fields: &mut Fields, caller: &Caller) -> Result<NewBoardTask, Error> {
    let title = fields.required_string("title");
    let kind = read::required_word(fields, "type", TaskKind::parse, &read::kinds());
    let description = fields.string("description");
    let priority = priority(fields);
    let assignees = assignees(fields, caller)?.unwrap_or_default();
    let reviewer = fields.handle("reviewerId");
    let parent = fields.string("parentTaskId").map(TaskId::new);
    let labels = read::strings(fields, "labels", 50).unwrap_or_default();
    let due_at = read::instant(fields, "dueAt");
    let estimated_cost = read::money(fields, "estimatedCost");
    let budget = read::money(fields, "budget");
    let metadata = read::metadata(fields);
    Ok(NewBoardTask {
        title,
        kind: kind.unwrap_or(TaskKind::Ops),
        description,
        priority,
        assignees,
        reviewer,
        parent,
        labels,
        due_at,
        estimated_cost,
        budget,
        metadata,
    })
}

fn finish(fields: &mut Fields) -> Result<(), Error> {
    std::mem::replace(fields, Fields::new(Object::new())).finish()
}

fn priority(fields: &mut Fields) -> Option<u8> {
    let number = fields.integer("priority")?;
    // What is out of range stays out of range; the rule says what would be right.
    Some(u8::try_from(number).unwrap_or(0))
}

/// Agents' names, among which `me` is the caller's own.
fn assignees(fields: &mut Fields, caller: &Caller) -> Result<Option<Vec<Handle>>, Error> {
    let Some(names) = read::strings(fields, "assigneeIds", 50) else {
        return Ok(None);
    };
    let mut found = Vec::with_capacity(names.len());
    for (index, name) in names.iter().enumerate() {
        match caller.agent_named(name) {
            Ok(handle) => found.push(handle),
            Err(error) => fields.problem(&format!("assigneeIds[{index}]"), error.message),
        }
    }
    Ok(Some(found))
}

pub(super) fn change(fields: &mut Fields, caller: &Caller) -> Result<BoardChange, Error> {
    if fields.value("status").is_some() {
        fields.problem("status", "is changed with POST /tasks/{id}/transition");
    }
    let (has_description, has_due, has_reviewer) = (
        fields.has("description"),
        fields.has("dueAt"),
        fields.has("reviewerId"),
    );
    let plan = plan(fields);
    let deliverable = deliverable(fields);
    let change = BoardChange {
        title: fields.string("title"),
        description: has_description.then(|| fields.string("description")),
        priority: priority(fields),
        labels: read::strings(fields, "labels", 50),
        due_at: has_due.then(|| read::instant(fields, "dueAt")),
        plan,
        deliverable,
        metadata: read::metadata(fields),
        estimated_cost: read::money(fields, "estimatedCost"),
        reviewer: has_reviewer.then(|| fields.handle("reviewerId")),
        kind: fields.word("type", TaskKind::parse, &read::kinds()),
        budget: read::money(fields, "budget"),
        assignees: assignees(fields, caller)?,
    };
    Ok(change)
}

/// `key` is what makes a repeat of the request harmless, if it has one; it is kept for the record.
pub(super) fn step(fields: &mut Fields, key: Option<&str>) -> Result<NewStep, Error> {
    let states = State::ALL.map(State::as_str).join(", ");
    let to = read::required_word(fields, "toStatus", State::parse, &states);
    let (plan, deliverable, checklist) = (plan(fields), deliverable(fields), checklist(fields));
    let (reason, blocked) = (fields.string("reason"), fields.string("blockedReason"));
    let force = fields.boolean("force").unwrap_or(false);
    let session_key = fields.string("sessionKey");
    let Some(to) = to else {
        // Without it there is no rule to ask.
        return Err(finish(fields)
            .err()
            .unwrap_or_else(|| read::missing("toStatus")));
    };
    Ok(NewStep {
        reason: reason.or(blocked),
        plan,
        deliverable,
        checklist,
        force,
        session_key,
        idempotency_key: key.map(str::to_owned),
        ..NewStep::to(to)
    })
}

/// Whether a step is only to be tried out: what asks for that in any way must never be done.
pub(super) fn dry_run(fields: &mut Fields, query: &Query) -> bool {
    let in_body = fields.boolean("dryRun").unwrap_or(false);
    let in_query = match query.get("dryRun") {
        None | Some("false" | "0") => false,
        Some("" | "true" | "1") => true,
        Some(_) => {
            fields.problem("dryRun", "must be true or false");
            false
        }
    };
    in_body || in_query
}

/// Reads a member that is an object of its own; its problems are named with the member's name.
fn within<T>(fields: &mut Fields, name: &str, read: impl FnOnce(&mut Fields) -> T) -> Option<T> {
    let members = fields.object(name)?;
    let mut inner = Fields::new(members);
    let found = read(&mut inner);
    if let Err(error) = inner.finish() {
        for problem in error.problems {
            fields.problem(&format!("{name}.{}", problem.field), problem.message);
        }
    }
    Some(found)
}

fn plan(fields: &mut Fields) -> Option<Plan> {
    within(fields, "workPlan", |inner| Plan {
        bullets: bullets(inner),
        estimated_cost: read::money(inner, "estimatedCost"),
        estimated_duration: inner.string("estimatedDuration"),
        dependencies: read::strings(inner, "dependencies", 100)
            .unwrap_or_default()
            .into_iter()
            .map(TaskId::new)
            .collect(),
    })
}

/// The steps of a plan as they came: the rule says what is wrong with them.
fn bullets(fields: &mut Fields) -> Vec<String> {
    let mut found = Vec::new();
    for (index, value) in fields
        .array("bullets")
        .unwrap_or_default()
        .into_iter()
        .enumerate()
    {
        match value {
            Value::String(text) => found.push(text),
            _ => fields.problem(&format!("bullets[{index}]"), "must be a text"),
        }
    }
    found
}

fn deliverable(fields: &mut Fields) -> Option<Deliverable> {
    within(fields, "deliverable", |inner| Deliverable {
        content: inner.string("content").unwrap_or_default(),
        artifacts: artifacts(inner),
        summary: inner.string("summary"),
        redacted: Vec::new(),
    })
}

fn checklist(fields: &mut Fields) -> Option<Checklist> {
    within(fields, "reviewChecklist", |inner| Checklist {
        kind: inner.required_string("type"),
        items: items(inner),
        notes: inner.string("notes"),
        completed_at: None,
        completed_by: None,
    })
}

fn items(fields: &mut Fields) -> Vec<ChecklistItem> {
    objects(fields, "items", |inner| ChecklistItem {
        label: inner.string("label").unwrap_or_default(),
        checked: inner.boolean("checked").unwrap_or(false),
        note: inner.string("note"),
    })
}

/// What a message or a deliverable brings along.
pub(in super::super) fn artifacts(fields: &mut Fields) -> Vec<Artifact> {
    let words = ARTIFACTS.join(", ");
    objects(fields, "artifacts", |inner| Artifact {
        name: inner.required_string("name"),
        kind: inner
            .word(
                "type",
                |text| ARTIFACTS.iter().find(|it| **it == text).copied(),
                &words,
            )
            .unwrap_or("DELIVERABLE")
            .to_owned(),
        content: inner.string("content"),
        url: inner.string("url"),
        mime_type: inner.string("mimeType"),
        size: None,
        sha256: None,
    })
}

fn objects<T>(fields: &mut Fields, name: &str, read: impl Fn(&mut Fields) -> T) -> Vec<T> {
    let mut found = Vec::new();
    for (index, value) in fields
        .array(name)
        .unwrap_or_default()
        .into_iter()
        .enumerate()
    {
        let Value::Object(members) = value else {
            fields.problem(&format!("{name}[{index}]"), "must be an object");
            continue;
        };
        let mut inner = Fields::new(members);
        found.push(read(&mut inner));
        if let Err(error) = inner.finish() {
            for problem in error.problems {
                fields.problem(
                    &format!("{name}[{index}].{}", problem.field),
                    problem.message,
                );
            }
        }
    }
    found
}
